"""The ledger's entries, constants and events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from tests.model.accounts import Account, Asset

WHOLE = 1_000_000
"""Shares are parts per million."""

U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1
U128_MAX = 2**128 - 1


def saturated(total: int) -> int:
    """Give one of a stream's four totals of money, which stay at the highest number."""
    return min(total, U128_MAX)


class Event(NamedTuple):
    name: str
    fields: dict[str, Any]


Outcome: TypeAlias = list[Event] | frozenset[str]
"""What a call comes to: its events, or the names of the errors that apply."""


@dataclass(slots=True, frozen=True, kw_only=True)
class Constants:
    head_start_max_ms: int
    settlement_window_ms: int
    block_gap_max_ms: int
    halt_max_ms: int
    min_tick_seconds: int
    fund_below_seconds: int
    gap_min_ms: int
    gap_max_ms: int
    period_min_ms: int
    treasury_share_max: int
    tick_price_max: int
    max_payees: int
    max_tiers: int
    max_sessions_per_grant: int
    max_stops: int
    max_batch_orders: int
    stream_deposit_base: int
    stream_deposit_per_payee: int
    stream_deposit_per_tier: int
    grant_deposit_base: int
    grant_deposit_per_session: int
    subscription_deposit: int


@dataclass(slots=True)
class AssetEntry:
    status: Literal["Enabled", "Disabled", "WrittenOff"] = "Enabled"
    tick_price: int = 0
    tip_min: int = 0
    owed: int = 0


class Payee(NamedTuple):
    account: Account
    share: int


class Tier(NamedTuple):
    price: int
    period_ms: int
    discount: int

    def discounted(self, rate: int) -> int:
        return rate - self.discount * rate // WHOLE


@dataclass(slots=True)
class Stream:
    owner: Account
    asset: Asset
    rate_per_second: int
    changed_at: int
    payees: tuple[Payee, ...]
    funds_min: int
    gap_min_ms: int
    deposit: int
    status: Literal["Active", "Paused", "Ended"] = "Active"
    stops: list[int] = field(default_factory=list)
    earned: int = 0
    earned_total: int = 0
    tips_total: int = 0
    subscribed_total: int = 0
    refunded_total: int = 0
    fees: int = 0
    seconds: int = 0
    sessions_open: int = 0
    subscriptions_open: int = 0
    ended_at: int | None = None
    shared_total: int = 0
    treasury_share: int = 0

    @property
    def ended(self) -> bool:
        return self.status == "Ended"


@dataclass(slots=True)
class Subscription:
    tier: Tier
    started_at: int
    periods: int
    periods_earned: int
    deposit: int

    @property
    def paid_until(self) -> int:
        return self.started_at + self.periods * self.tier.period_ms

    @property
    def held(self) -> int:
        """What is paid in advance and not yet the stream's."""
        return (self.periods - self.periods_earned) * self.tier.price

    def period_start(self, now: int) -> int:
        return now - (now - self.started_at) % self.tier.period_ms

    def begun(self, now: int, ended_at: int | None) -> int:
        """Count the periods whose start is not after `now`, and before the stream's end."""
        count = (now - self.started_at) // self.tier.period_ms + 1
        if ended_at is not None:
            count = min(count, -((self.started_at - ended_at) // self.tier.period_ms))
        # what has been earned stays earned, even if the stream ended at the period's very start
        return max(min(count, self.periods), self.periods_earned)


@dataclass(slots=True)
class Grant:
    viewer: Account
    key: Any
    asset: Asset
    rate_max_per_second: int
    cap: int
    cap_left: int
    tips_left: int
    renewals_left: int
    gap_ms: int
    created_at: int
    expires_at: int
    sessions_max: int
    ended_at: int
    deposit: int
    spent: int = 0
    tips_total: int = 0
    renewals_total: int = 0
    open: list[int] = field(default_factory=list)
    next_index: int = 0
    opened_at: int = 0
    tipped_at: int = 0
    freed_end_at: int = 0
    seconds: int = 0


@dataclass(slots=True)
class Session:
    viewer: Account
    key: Any
    asset: Asset
    stream: int
    rate_per_second: int
    gap_ms: int
    funds: int
    tick_price: int
    started_at: int
    opened_at: int
    billed_until: int
    ticked_at: int
    ended_at: int
    seconds: int = 0
    fees: int = 0

    @property
    def paid(self) -> int:
        return self.seconds * self.rate_per_second + self.fees

    @property
    def left(self) -> int:
        return self.funds - self.seconds * self.rate_per_second - self.fees


class Reading(NamedTuple):
    """A session's clock at a moment: see "The clock" of the page."""

    ended_at: int
    has_ended: bool
    end: int
    start: int
    """The page's `from`."""
    room: int
    window_over: bool


@dataclass(slots=True, frozen=True, kw_only=True)
class Terms:
    asset: Asset
    rate_max_per_second: int
    cap: int
    sessions_max: int
    gap_ms: int
    expires_at: int
    tips_max: int = 0
    renewals_max: int = 0


@dataclass(slots=True, frozen=True, kw_only=True)
class StreamChange:
    rate_per_second: int | None = None
    payees: tuple[Payee, ...] | None = None
    funds_min: int | None = None
    gap_min_ms: int | None = None
    paused: bool | None = None
