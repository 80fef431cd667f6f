"""When a session's next order is due, and with which total. Pure: no clock, no I/O.

Bounds come from the best block's timestamp, as the ledger's do: a total that is ahead of it waits
for a block, and that is no error.
"""

from __future__ import annotations

from typing import Final

import msgspec

from offchain.ledger.orders import Close, Fund, Renew, Tick
from offchain.ledger.types import Constants, Grant, Session, Subscription

FUND_AHEAD_SECONDS: Final = 600
"""How many seconds of a stream a reservation covers, where vault and cap allow."""
RENEW_AHEAD_MS: Final = 30_000
"""How long before the last paid period ends it is renewed."""
CLOSE_WAIT_MAX_MS: Final = 20_000
"""How far the chain's clock goes on while a close waits for it, before the close takes what that
allows: the usual credit of a viewer. While no block comes, or all come late, none of it passes."""
CLOSE_BY_MS: Final = 20_000
"""How long before a session's window is over it is closed with what is known: three blocks."""
RESEND_AFTER_MS: Final = 6_000
"""When an accepted order that no block shows is sent again."""


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about a session's next order.

    `entry` is the ledger's at the best block, whose timestamp is `chain_now_ms`. `total_seconds` is
    what was delivered, whole. `closing_for_ms` has passed by that clock since the session was to be
    closed. `since_*_ms` count from the pool's last answer to that kind of order, None where there
    was none. `awaits_figures`: the media server that knows the last ones is away.
    `vault` and `cap_left` are free of other sessions' reservations.
    """

    index: int
    entry: Session
    chain_now_ms: int
    stops: tuple[int, ...] = ()
    total_seconds: int
    closing: bool = False
    closing_for_ms: int = 0
    since_tick_ms: int | None = None
    last_total: int | None = None
    since_close_ms: int | None = None
    since_fund_ms: int | None = None
    awaits_figures: bool = False
    vault: int = 0
    cap_left: int = 0


class RenewalView(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about renewing the subscription to a session's stream.

    All entries are of one block: a subscription read before its grant could be renewed twice.
    `last_total` is of the last such order that the pool took, `since_ms` counts from then.
    """

    index: int
    grant: Grant
    subscription: Subscription
    chain_now_ms: int
    vault: int
    last_total: int | None = None
    since_ms: int | None = None


def ended_at(entry: Session, chain_now_ms: int, stops: tuple[int, ...] = ()) -> int:
    """Tell when a session ends as the ledger would find at `chain_now_ms` (rule 2)."""
    end = entry.ended_at
    stop = next((moment for moment in stops if moment >= entry.opened_at), None)
    for moment in (stop, entry.ticked_at + entry.gap_ms):
        if moment is not None and moment <= chain_now_ms:
            end = min(end, moment)
    return end


def end_may_come(entry: Session, stops: tuple[int, ...] = ()) -> int:
    """Tell the earliest moment of the chain's clock at which a session may be found ended."""
    moments = [moment for moment in stops if moment >= entry.opened_at]
    return min(entry.ended_at, entry.ticked_at + entry.gap_ms, *moments)


def payable_total(entry: Session, chain_now_ms: int, stops: tuple[int, ...] = ()) -> int:
    """Tell the highest total of seconds that the ledger takes at `chain_now_ms` (rule 2)."""
    end = min(chain_now_ms, ended_at(entry, chain_now_ms, stops))
    start = max(entry.billed_until, end - entry.gap_ms)
    return entry.seconds + max(0, end - start) // 1000


def next_lane_one(view: SessionView, limits: Constants, cadence_ms: int) -> Tick | Close | None:
    """Give the tick or close that is due now, if one is."""
    entry = view.entry
    if view.closing:
        return _close(view, limits)
    funded = _funded(entry)
    payable = min(view.total_seconds, payable_total(entry, view.chain_now_ms, view.stops), funded)
    if payable - entry.seconds < limits.min_tick_seconds:
        return None  # the free lane takes no smaller tick; the close pays the rest
    due = view.since_tick_ms is None or view.since_tick_ms >= cadence_ms
    if due or (payable == funded and view.last_total != payable):
        return Tick(index=view.index, seconds=payable)
    return None


def next_total(view: SessionView, limits: Constants, *, waits_ms: int) -> int:
    """Tell with which delivered total a tick may be due: what funds buy, or the least tick.

    `waits_ms` is how long the cadence lasts still; until then only the end of the funds counts.
    """
    funded = _funded(view.entry)
    if view.last_total is not None and view.last_total >= funded:
        return 2**62  # that tick is on its way
    if waits_ms > 0:
        return funded
    return min(funded, view.entry.seconds + limits.min_tick_seconds)


def lacks_funds(view: SessionView, limits: Constants) -> bool:
    """Tell whether a session's funds are to be raised, as soon as there is something to take."""
    entry = view.entry
    return entry.funds - entry.paid < limits.fund_below_seconds * entry.rate_per_second


def _funded(entry: Session) -> int:
    """Give the highest total that the funds buy: the creator's seconds come before tick prices."""
    if entry.rate_per_second == 0:
        return 2**32 - 1
    return entry.seconds + (entry.funds - entry.paid) // entry.rate_per_second


def _close(view: SessionView, limits: Constants) -> Close | None:
    end = ended_at(view.entry, view.chain_now_ms, view.stops)
    if view.chain_now_ms >= end + limits.settlement_window_ms:
        return None  # too late for orders: it is settled instead
    if view.awaits_figures and view.chain_now_ms < end + limits.settlement_window_ms - CLOSE_BY_MS:
        return None
    payable = payable_total(view.entry, view.chain_now_ms, view.stops)
    total = max(view.total_seconds, view.entry.seconds)
    if total > payable:
        if end > view.chain_now_ms and view.closing_for_ms < CLOSE_WAIT_MAX_MS:
            return None  # the chain's clock is behind: the next block may allow it
        total = payable
    if view.since_close_ms is not None and view.since_close_ms < RESEND_AFTER_MS:
        return None
    return Close(index=view.index, seconds=total)


def may_settle(entry: Session, chain_now_ms: int, stops: tuple[int, ...], window_ms: int) -> bool:
    """Tell whether a session's window is over, so that the ledger takes no more orders of it."""
    return chain_now_ms >= ended_at(entry, chain_now_ms, stops) + window_ms


def next_fund(view: SessionView, limits: Constants, cadence_ms: int) -> Fund | None:
    """Give the order that raises a session's funds, when little is left and more may be had."""
    entry = view.entry
    rate = entry.rate_per_second
    if view.closing or rate == 0:
        return None
    left = entry.funds - entry.paid
    if left >= limits.fund_below_seconds * rate:
        return None
    free = min(view.vault, view.cap_left)
    if free <= 0:
        return None
    if view.since_fund_ms is not None and view.since_fund_ms < RESEND_AFTER_MS:
        return None
    ahead = cost(FUND_AHEAD_SECONDS, rate, entry.tick_price, cadence_ms)
    return Fund(index=view.index, funds=entry.funds + min(free, ahead))


def next_renewal(view: RenewalView) -> Renew | None:
    """Give the order that buys another period, shortly before the last paid one ends."""
    grant, subscription, now_ms = view.grant, view.subscription, view.chain_now_ms
    left_ms = subscription.paid_until - now_ms
    total = grant.renewals_total + 1
    # the free lane renews no sooner than in the last paid period
    ahead_ms = min(RENEW_AHEAD_MS, subscription.tier.period_ms)
    if not 0 < left_ms <= ahead_ms or grant.renewals_left < 1:
        return None
    if view.vault < subscription.tier.price:
        return None
    if view.last_total is not None and view.last_total >= total:
        waited = view.since_ms is not None and view.since_ms >= RESEND_AFTER_MS
        if view.last_total > total or not waited:
            return None
    return Renew(index=view.index, renewals=total)


def renews_in_ms(view: RenewalView) -> int:
    """Tell how long it is until a period may be renewed; negative when it may be already."""
    ahead_ms = min(RENEW_AHEAD_MS, view.subscription.tier.period_ms)
    return view.subscription.paid_until - ahead_ms - view.chain_now_ms


def cost(seconds: int, rate_per_second: int, tick_price: int, cadence_ms: int) -> int:
    """Tell what so many seconds cost: the creator's price, and the operator's for each tick."""
    ticks = -(-seconds * 1000 // cadence_ms)
    return seconds * rate_per_second + ticks * tick_price


def lasts_seconds(money: int, rate_per_second: int, tick_price: int, cadence_ms: int) -> int:
    """Tell for how many seconds money lasts, tick prices included; 2**32 - 1 where for ever."""
    if rate_per_second == 0:
        return 2**32 - 1  # without money for a tick's price there is none to pay
    per_cadence = rate_per_second * cadence_ms + 1000 * tick_price
    return max(0, money) * cadence_ms // per_cadence


def least_funds(rate_per_second: int, funds_min: int) -> int:
    """Tell the least that the ledger lets a session reserve; nothing where seconds are free."""
    return max(funds_min, rate_per_second) if rate_per_second else 0


def opening_funds(
    *,
    rate_per_second: int,
    funds_min: int,
    vault: int,
    cap_left: int,
    slots_left: int,
    tick_price: int = 0,
    cadence_ms: int = 6_000,
) -> int:
    """Tell what a new session should reserve, leaving some for the grant's other slots.

    Returns 0 where vault and cap do not allow the stream's least.
    """
    free, least = min(vault, cap_left), least_funds(rate_per_second, funds_min)
    if free < least:
        return 0
    share = max(free // max(1, slots_left), least)
    return min(share, max(least, cost(FUND_AHEAD_SECONDS, rate_per_second, tick_price, cadence_ms)))
