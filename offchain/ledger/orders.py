"""Orders: what a delegate key signs, and the bytes that it signs.

The pallet's `Order` is encoded here by hand because a relayer signs thousands; a test holds this
encoding against the one that the runtime's own metadata gives.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

import msgspec

from offchain.keys.signer import Signer
from offchain.ledger.types import DelegateKey, account_id

ORDER_DOMAIN = b"PayStream/order/v1"
GRANT_DOMAIN = b"PayStream/grant/v1"
SCHEMES = ("sr25519", "ed25519")
"""The schemes in the order of the variants of `DelegateKey` and `DelegateSignature`."""
U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1
U128_MAX = 2**128 - 1


class OrderInvalid(ValueError):
    """An order's field is out of its range. The message names field, value and range."""


class Open(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Open session `index` (the grant's next) on a stream, with `funds` reserved from the vault.

    `start_at` (unix ms) is lowered or raised by the ledger to what the head start allows.
    """

    index: int
    stream: int
    rate_per_second: int
    funds: int
    start_at: int


class Fund(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Raise what is reserved for a session to the total `funds`."""

    index: int
    funds: int


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Raise a session's paid seconds to the total `seconds`."""

    index: int
    seconds: int


class Close(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """End a session with the total `seconds`; what is left returns to vault and cap."""

    index: int
    seconds: int


Order: TypeAlias = Open | Fund | Tick | Close


def _bounded(order: Order, field: str, highest: int) -> int:
    value = getattr(order, field)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise OrderInvalid(
            f"{type(order).__name__}.{field} is {value!r}: give a whole number from 0 to {highest}"
        )
    return value


def encode_order(order: Order) -> bytes:
    """Encode an order in SCALE, as the pallet's `Order`. Raises OrderInvalid."""
    index = _bounded(order, "index", U32_MAX)
    if isinstance(order, Open):
        return (
            struct.pack("<BIQ", 0, index, _bounded(order, "stream", U64_MAX))
            + _bounded(order, "rate_per_second", U128_MAX).to_bytes(16, "little")
            + _bounded(order, "funds", U128_MAX).to_bytes(16, "little")
            + struct.pack("<Q", _bounded(order, "start_at", U64_MAX))
        )
    if isinstance(order, Fund):
        funds = _bounded(order, "funds", U128_MAX).to_bytes(16, "little")
        return struct.pack("<BI", 1, index) + funds
    kind = 2 if isinstance(order, Tick) else 3
    return struct.pack("<BII", kind, index, _bounded(order, "seconds", U32_MAX))


def encode_grant(grant: int) -> bytes:
    """Encode a grant's id. Raises OrderInvalid."""
    if not 0 <= grant <= U64_MAX:
        raise OrderInvalid(f"grant is {grant!r}: give a whole number from 0 to {U64_MAX}")
    return grant.to_bytes(8, "little")


def order_message(genesis_hash: str, pallet_index: int, grant: int, order: Order) -> bytes:
    """Give the bytes that a grant's key signs for an order.

    `genesis_hash` is `0x` and 64 digits, `pallet_index` the pallet's place in the runtime. They and
    the grant are in the bytes, so an order counts on one chain and under one grant only.
    Raises OrderInvalid.
    """
    return (
        ORDER_DOMAIN
        + _genesis(genesis_hash)
        + bytes([pallet_index])
        + encode_grant(grant)
        + encode_order(order)
    )


def grant_proof_message(genesis_hash: str, pallet_index: int, viewer: str | bytes) -> bytes:
    """Give the bytes that a delegate key signs to allow `viewer` to grant it."""
    return GRANT_DOMAIN + _genesis(genesis_hash) + bytes([pallet_index]) + account_id(viewer)


def sign_order(
    signer: Signer, genesis_hash: str, pallet_index: int, grant: int, order: Order
) -> bytes:
    """Sign an order and give the 64 bytes of the signature."""
    return signer.sign(order_message(genesis_hash, pallet_index, grant, order))


def sign_grant_proof(
    signer: Signer, genesis_hash: str, pallet_index: int, viewer: str | bytes
) -> bytes:
    """Sign the proof that `viewer` may grant this key, and give the 64 bytes."""
    return signer.sign(grant_proof_message(genesis_hash, pallet_index, viewer))


def delegate_key(signer: Signer) -> DelegateKey:
    """Give a signer's public half as the ledger names it."""
    return DelegateKey(scheme=signer.scheme, public=signer.public_key)


def _genesis(genesis_hash: str) -> bytes:
    raw = bytes.fromhex(genesis_hash.removeprefix("0x"))
    if len(raw) != 32:
        raise OrderInvalid(f"genesis_hash has {len(raw)} bytes: give the 32 of the chain's genesis")
    return raw
