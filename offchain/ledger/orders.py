"""Orders: what a delegate key signs, and the bytes that it signs.

The pallet's `Order` is encoded here by hand because a relayer signs thousands; a test holds this
encoding against the one that the runtime's own metadata gives.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol, TypeAlias

import msgspec

from offchain.keys.signer import Signer
from offchain.ledger.scale import compact
from offchain.ledger.types import DelegateKey, account_id

ORDER_DOMAIN = b"PayStream/order/v1"
GRANT_DOMAIN = b"PayStream/grant/v1"
SCHEMES = ("sr25519", "ed25519")
"""The schemes in the order of the variants of `DelegateKey` and `DelegateSignature`."""
U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1
U128_MAX = 2**128 - 1
MESSAGE_BYTES_MAX = 2**14 - 1
"""No pallet allows a tip as many bytes as that."""


class OrderInvalid(ValueError):
    """An order's field is out of its range. The message names field, value and range."""


class Open(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Open session `index` (the grant's next) on a stream, with `funds` reserved from the vault.

    `start_at` (unix ms) is lowered or raised by the ledger to what the head start allows.
    `tick_price_max` is the most that the operator may take for an order that charges the session:
    at a higher price the ledger opens none. None is for runtimes that know no such bound (those
    without the constant `TickPriceMax`); no other takes an order without it.
    """

    index: int
    stream: int
    rate_per_second: int
    funds: int
    start_at: int
    tick_price_max: int | None = 0


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


class Tip(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Raise what the key has tipped under its grant to the total `tips`.

    The difference goes to the stream of session `index`. `message` goes with it: a few bytes,
    UTF-8 by custom, that everybody can read.
    """

    index: int
    tips: int
    message: bytes = b""


class Renew(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Raise the periods that the key has bought under its grant to the total `renewals`.

    One period more than before, for the subscription to the stream of session `index`.
    """

    index: int
    renewals: int


Order: TypeAlias = Open | Fund | Tick | Close | Tip | Renew


class Domain(Protocol):
    """The chain and the pallet that an order is for: both are in the bytes that a key signs."""

    @property
    def genesis_hash(self) -> str:
        """`0x` and 64 digits."""

    @property
    def pallet_index(self) -> int:
        """The pallet's place in the runtime."""


class SignedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order with its grant and the signature of the grant's key, as a batch carries it."""

    grant: int
    order: Order
    signature: bytes
    scheme: str = "sr25519"

    @property
    def place(self) -> tuple[int, int]:
        """Grant and index, by which a batch is in order."""
        return self.grant, self.order.index


def _bounded(order: Order, field: str, highest: int) -> int:
    value = getattr(order, field)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise OrderInvalid(
            f"{type(order).__name__}.{field} is {value!r}: give a whole number from 0 to {highest}"
        )
    return value


_SECONDS: Final = struct.Struct("<BII")
"""Kind, index and total of a tick or close."""


def encode_order(order: Order) -> bytes:
    """Encode an order in SCALE, as the pallet's `Order`. Raises OrderInvalid."""
    index = _bounded(order, "index", U32_MAX)
    match order:
        case Open():
            return (
                struct.pack("<BIQ", 0, index, _bounded(order, "stream", U64_MAX))
                + _amount(order, "rate_per_second")
                + _amount(order, "funds")
                + struct.pack("<Q", _bounded(order, "start_at", U64_MAX))
                + (b"" if order.tick_price_max is None else _amount(order, "tick_price_max"))
            )
        case Fund():
            return struct.pack("<BI", 1, index) + _amount(order, "funds")
        case Tick():
            return _SECONDS.pack(2, index, _bounded(order, "seconds", U32_MAX))
        case Close():
            return _SECONDS.pack(3, index, _bounded(order, "seconds", U32_MAX))
        case Tip():
            return struct.pack("<BI", 4, index) + _amount(order, "tips") + _message(order)
        case Renew():
            return struct.pack("<BII", 5, index, _bounded(order, "renewals", U32_MAX))


def seconds_of(body: bytes) -> int:
    """Give the total of a tick or close out of its SCALE bytes; 0 of any other order."""
    if len(body) != _SECONDS.size or body[0] not in (2, 3):
        return 0
    _, _, seconds = _SECONDS.unpack(body)
    return int(seconds)


def _amount(order: Order, field: str) -> bytes:
    return _bounded(order, field, U128_MAX).to_bytes(16, "little")


def _message(order: Tip) -> bytes:
    """Encode a tip's message; the chain's own bound is `Constants.tip_message_max`."""
    if not isinstance(order.message, bytes) or len(order.message) > MESSAGE_BYTES_MAX:
        raise OrderInvalid(f"Tip.message: give at most {MESSAGE_BYTES_MAX} bytes")
    return compact(len(order.message)) + order.message


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


def signature_value(scheme: str, signature: bytes) -> bytes:
    """Encode a signature as the pallet's `DelegateSignature`."""
    return bytes([SCHEMES.index(scheme)]) + signature


def delegate_key(signer: Signer) -> DelegateKey:
    """Give a signer's public half as the ledger names it."""
    return DelegateKey(scheme=signer.scheme, public=signer.public_key)


def encode_signed(signed: SignedOrder) -> bytes:
    """Encode grant, order and signature, as `submit` and each entry of a batch have them.

    Raises OrderInvalid.
    """
    if signed.scheme not in SCHEMES or len(signed.signature) != 64:
        raise OrderInvalid("signature: give the 64 bytes of an sr25519 or ed25519 signature")
    return (
        encode_grant(signed.grant)
        + encode_order(signed.order)
        + bytes([SCHEMES.index(signed.scheme)])
        + signed.signature
    )


def _genesis(genesis_hash: str) -> bytes:
    raw = bytes.fromhex(genesis_hash.removeprefix("0x"))
    if len(raw) != 32:
        raise OrderInvalid(f"genesis_hash has {len(raw)} bytes: give the 32 of the chain's genesis")
    return raw
