"""The ledger's entries as Python values, named as in the pallet.

Money is an `int` in the asset's smallest unit, a moment (`*_at`, `*_until`) is unix milliseconds, a
length is seconds unless its name ends in `_ms`. Accounts are SS58 addresses; keys and signatures
are bytes. Every class is immutable, can be compared, and is written with msgspec.
"""

from __future__ import annotations

import sys
from typing import Any, Final, Literal, TypeAlias

import msgspec
from scalecodec.utils.ss58 import get_ss58_format, ss58_decode, ss58_encode

from offchain.ledger.errors import DispatchFailed

Asset: TypeAlias = int | None
"""`None` is the chain's native token, a number the id of an asset (`NativeOrWithId`)."""

Vault: TypeAlias = int
"""An account's prepaid balance in the ledger, in the asset's smallest unit."""

Scheme: TypeAlias = Literal["sr25519", "ed25519"]
"""The signature schemes that the pallet knows for delegate keys."""

StreamStatus: TypeAlias = Literal["Active", "Paused", "Ended"]
AssetStatus: TypeAlias = Literal["Enabled", "Disabled", "WrittenOff"]
CloseReason: TypeAlias = Literal["Order", "FundsExhausted", "Settled"]
HeadKind: TypeAlias = Literal["best", "finalized"]
Wait: TypeAlias = Literal["in_block", "finalized"]

NATIVE: Final[Asset] = None
SS58_FORMAT: Final = 42
PERMILL_WHOLE: Final = 1_000_000
"""The sum of a stream's shares: they are parts per million, as a tier's discount is."""


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
    if len(raw) == 20:
        raise AddressInvalid(
            f"{account!r} is an Ethereum address: choose an account of type sr25519 or ed25519, "
            "whose address is SS58"
        )
    if len(raw) != 32:
        raise AddressInvalid(f"{account!r} has {len(raw)} bytes, an account has 32")
    return raw


def address(account: str | bytes, ss58_format: int = SS58_FORMAT) -> str:
    """Give the SS58 address of an account, one object for each. Raises AddressInvalid."""
    return sys.intern(str(ss58_encode(account_id(account), ss58_format=ss58_format)))


def address_format(ss58_address: str) -> int:
    """Give the network prefix that an SS58 address carries."""
    return int(get_ss58_format(ss58_address))


class _Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all entries share. They hold no cycles, so the collector of those does without them."""


class DelegateKey(_Entry, frozen=True, kw_only=True):
    """The public key that signs a grant's orders."""

    scheme: Scheme
    public: bytes


class Payee(_Entry, frozen=True, kw_only=True):
    """Who receives which part of a stream's earnings; `share` in parts per million."""

    account: str
    share: int


class Stream(_Entry, frozen=True, kw_only=True):
    """An entry of `PayStream.Streams`. Tips and subscriptions are part of what it has earned."""

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
    tips_total: int = 0
    subscribed_total: int = 0
    refunded_total: int = 0
    fees: int = 0
    subscriptions_open: int = 0
    ended_at: int | None = None
    shared_total: int = 0
    treasury_share: int = 0


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
    tips_total: int = 0
    renewals_total: int = 0
    tipped_at: int = 0


class Session(_Entry, frozen=True, kw_only=True):
    """An entry of `PayStream.Sessions`.

    `funds` is the total that was ever reserved, `tick_price` what the operator takes of it with
    each order that charges, `fees` what that has come to.
    """

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
    tick_price: int = 0
    fees: int = 0

    @property
    def paid(self) -> int:
        """What the session has been charged: its seconds, and the operator's tick prices."""
        return self.seconds * self.rate_per_second + self.fees


class AssetEntry(_Entry, frozen=True, kw_only=True):
    """An entry of `PayStream.AssetEntries`: how the ledger takes an asset.

    `tick_price` is for sessions opened from now on, `tip_min` the least tip of the free lane,
    `owed` all that the ledger owes in the asset.
    """

    status: AssetStatus
    tick_price: int = 0
    tip_min: int = 0
    owed: int = 0


class Currency(_Entry, frozen=True, kw_only=True):
    """How an asset is written, and the least of it that an account may hold."""

    asset: Asset
    symbol: str
    decimals: int
    minimum: int


class Funds(_Entry, frozen=True, kw_only=True):
    """What an account has of an asset: `free`, what is `held` beside it, and what is `frozen`.

    A freeze is on both together, so what is held counts towards it.
    """

    free: int
    held: int = 0
    frozen: int = 0

    @property
    def locked(self) -> int:
        """What may not be moved of the free balance."""
        return max(0, self.frozen - self.held)


class Tier(_Entry, frozen=True, kw_only=True):
    """What a creator offers to subscribers: `price` for each `period_ms` paid in advance.

    `discount` is taken off the rate of sessions in a running period, in parts per million.
    """

    price: int
    period_ms: int
    discount: int

    def discounted(self, rate_per_second: int) -> int:
        """Give the price of a second within a running period; it may be 0."""
        return rate_per_second - self.discount * rate_per_second // PERMILL_WHOLE


class Subscription(_Entry, frozen=True, kw_only=True):
    """An entry of `PayStream.Subscriptions`; `tier` is a copy, as it was subscribed to."""

    tier: Tier
    started_at: int
    periods: int
    periods_earned: int
    deposit: int

    @property
    def paid_until(self) -> int:
        """When the last paid period ends."""
        return self.started_at + self.periods * self.tier.period_ms

    def begun(self, now_ms: int, ended_at: int | None = None) -> int:
        """Tell how many paid periods have begun; `ended_at` is when the stream ended, if it has."""
        last_ms = now_ms if ended_at is None else min(now_ms, ended_at - 1)
        count = min(self.periods, (last_ms - self.started_at) // self.tier.period_ms + 1)
        return max(count, self.periods_earned)  # what is earned stays so

    def period_end(self, now_ms: int) -> int | None:
        """Give the end of the period that holds a moment; None outside of the paid ones.

        Whether the subscription runs depends on the stream too: an ended one has no period.
        """
        if not self.started_at <= now_ms < self.paid_until:
            return None
        period = (now_ms - self.started_at) // self.tier.period_ms
        return self.started_at + (period + 1) * self.tier.period_ms


class Terms(_Entry, frozen=True, kw_only=True):
    """What a viewer allows a delegate key (`GrantTerms` of `PayStream.grant`).

    `tips_max` is an amount beside the cap, `renewals_max` a number of periods.
    """

    rate_max_per_second: int
    cap: int
    sessions_max: int
    gap_ms: int
    expires_at: int
    asset: Asset = NATIVE
    tips_max: int = 0
    renewals_max: int = 0


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
    batch_orders_max: int = 64
    tiers_max: int = 8
    tip_message_max: int = 128
    period_min_ms: int = 3_600_000
    treasury_share_max: int = PERMILL_WHOLE
    subscription_deposit: int = 0
    stream_deposit_base: int = 0
    stream_deposit_per_payee: int = 0
    grant_deposit_base: int = 0
    grant_deposit_per_session: int = 0
    block_gap_max_ms: int = 2**62
    """The most by which the ledger's clock moves from one block to the next."""
    tick_price_max: int | None = None
    """The highest tick price that can be set; None on a chain of before, whose opens name none."""


class Clock(_Entry, frozen=True, kw_only=True):
    """The ledger's clock at a block, in unix milliseconds; moments in its entries go by it.

    `now_ms` is the block's timestamp less `halted_ms`, the time in which the chain stood still.
    """

    now_ms: int
    halted_ms: int

    @property
    def time_ms(self) -> int:
        """The block's timestamp."""
        return self.now_ms + self.halted_ms


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


class BatchResult(_Entry, frozen=True, kw_only=True):
    """What came of a batch: how many orders counted, and how many of them cost no fee.

    `failures` are the others by grant and index, each with the pallet's own words.
    """

    receipt: Receipt
    counted: int
    free: int
    failures: dict[tuple[int, int], DispatchFailed]


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
