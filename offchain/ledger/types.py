"""The ledger's entries as Python values, named as in the pallet.

Money is an `int` in the asset's smallest unit, a moment (`*_at`, `*_until`) is unix milliseconds, a
length is seconds unless its name ends in `_ms`. Accounts are SS58 addresses; keys and signatures
are bytes. Every class is immutable, can be compared, and is written with msgspec.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec
from scalecodec.utils.ss58 import get_ss58_format, ss58_decode, ss58_encode

Asset: TypeAlias = int | None
"""`None` is the chain's native token, a number the id of an asset (`NativeOrWithId`)."""

Vault: TypeAlias = int
"""An account's prepaid balance in the ledger, in the asset's smallest unit."""

Scheme: TypeAlias = Literal["sr25519", "ed25519"]
"""The signature schemes that the pallet knows for delegate keys."""

StreamStatus: TypeAlias = Literal["Active", "Paused", "Ended"]
CloseReason: TypeAlias = Literal["Order", "FundsExhausted", "Settled"]
HeadKind: TypeAlias = Literal["best", "finalized"]
Wait: TypeAlias = Literal["in_block", "finalized"]

NATIVE: Final[Asset] = None
SS58_FORMAT: Final = 42
PERMILL_WHOLE: Final = 1_000_000
"""The sum of a stream's shares: they are parts per million."""


class AddressInvalid(ValueError):
    """An account's address cannot be read. The message names the address."""


def account_id(account: str | bytes) -> bytes:
    """Give the 32 bytes of an account.

    `account` is an SS58 address of any network, `0x` and 64 hexadecimal digits, or the bytes.
    Raises AddressInvalid.
    """
    if isinstance(account, bytes):
        if len(account) != 32:
            raise AddressInvalid(f"an account has 32 bytes, not {len(account)}")
        return account
    try:
        if account.startswith("0x"):
            raw = bytes.fromhex(account[2:])
        else:
            raw = bytes.fromhex(ss58_decode(account))
    except (ValueError, IndexError) as error:
        raise AddressInvalid(f"{account!r} is no SS58 address: {error}") from None
    if len(raw) != 32:
        raise AddressInvalid(f"{account!r} has {len(raw)} bytes, an account has 32")
    return raw


def address(account: str | bytes, ss58_format: int = SS58_FORMAT) -> str:
    """Give the SS58 address of an account. Raises AddressInvalid."""
    return str(ss58_encode(account_id(account), ss58_format=ss58_format))


def address_format(ss58_address: str) -> int:
    """Give the network prefix that an SS58 address carries."""
    return int(get_ss58_format(ss58_address))


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What all entries share."""


class DelegateKey(_Entry, frozen=True, kw_only=True):
    """The public key that signs a grant's orders."""

    scheme: Scheme
    public: bytes


class Payee(_Entry, frozen=True, kw_only=True):
    """Who receives which part of a stream's earnings; `share` in parts per million."""

    account: str
    share: int


class Stream(_Entry, frozen=True, kw_only=True):
    """An entry of `PayStream.Streams`."""

    owner: str
    asset: Asset
    rate_per_second: int
    changed_at: int
    payees: tuple[Payee, ...]
    funds_min: int
    gap_min_ms: int
    status: StreamStatus
    stops: tuple[int, ...]
    earned: int
    earned_total: int
    seconds: int
    sessions_open: int
    deposit: int


class Grant(_Entry, frozen=True, kw_only=True):
    """An entry of `PayStream.Grants`."""

    viewer: str
    key: DelegateKey
    asset: Asset
    rate_max_per_second: int
    cap: int
    cap_left: int
    spent: int
    tips_left: int
    renewals_left: int
    gap_ms: int
    created_at: int
    expires_at: int
    sessions_max: int
    open: tuple[int, ...]
    next_index: int
    opened_at: int
    freed_end_at: int
    seconds: int
    ended_at: int
    deposit: int


class Session(_Entry, frozen=True, kw_only=True):
    """An entry of `PayStream.Sessions`. `funds` is the total that was ever reserved."""

    viewer: str
    key: DelegateKey
    asset: Asset
    stream: int
    rate_per_second: int
    gap_ms: int
    funds: int
    seconds: int
    started_at: int
    opened_at: int
    billed_until: int
    ticked_at: int
    ended_at: int

    @property
    def paid(self) -> int:
        """What the session has been charged."""
        return self.seconds * self.rate_per_second


class Terms(_Entry, frozen=True, kw_only=True):
    """What a viewer allows a delegate key (`GrantTerms` of `PayStream.grant`)."""

    rate_max_per_second: int
    cap: int
    sessions_max: int
    gap_ms: int
    expires_at: int
    asset: Asset = NATIVE


class StreamChange(_Entry, frozen=True, kw_only=True):
    """What `PayStream.update_stream` changes; `None` leaves a field as it is."""

    rate_per_second: int | None = None
    payees: tuple[Payee, ...] | None = None
    funds_min: int | None = None
    gap_min_ms: int | None = None
    paused: bool | None = None


class Constants(_Entry, frozen=True, kw_only=True):
    """The runtime's constants that a client needs, read from its metadata."""

    head_start_max_ms: int
    settlement_window_ms: int
    min_tick_seconds: int
    fund_below_seconds: int
    gap_min_ms: int
    gap_max_ms: int
    payees_max: int
    sessions_per_grant_max: int
    existential_deposit: int


class Head(_Entry, frozen=True, kw_only=True):
    """A block's header; `hash` and `parent_hash` are `0x` and 64 digits."""

    number: int
    hash: str
    parent_hash: str


class Event(_Entry, frozen=True, kw_only=True):
    """One event of a block.

    `fields` are by name for events with named fields, else by position ("0", "1", ...).
    `extrinsic_index` is None for what happened outside of extrinsics.
    """

    pallet: str
    name: str
    fields: dict[str, Any]
    extrinsic_index: int | None


class Receipt(_Entry, frozen=True, kw_only=True):
    """Where a transaction was included, and the events of that transaction alone."""

    tx_hash: str
    block_hash: str
    block_number: int
    extrinsic_index: int
    events: tuple[Event, ...]

    def event(self, name: str, pallet: str = "PayStream") -> Event:
        """Give the first event of that name. Raises LookupError."""
        for event in self.events:
            if event.pallet == pallet and event.name == name:
                return event
        raise LookupError(f"{pallet}.{name} is no event of {self.tx_hash}")


class Fee(_Entry, frozen=True, kw_only=True):
    """What a signed transaction would cost its signer, and its weight."""

    partial_fee: int
    ref_time_ps: int
    proof_size_bytes: int
    dispatch_class: str


class SignedPayload(_Entry, frozen=True, kw_only=True):
    """What a wallet is asked to sign, and all that is needed to assemble its answer.

    `json` is polkadot.js's `SignerPayloadJSON`; `message` are the bytes that the signature covers
    (already hashed where they are longer than 256).
    """

    account: str
    json: dict[str, Any]
    message: bytes
    call: bytes
    extension: bytes
