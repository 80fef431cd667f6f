"""When a session's next order is due, and with which total. Pure: no clock, no I/O.

Bounds come from the best block's timestamp, as the ledger's do: a total that is ahead of it waits
for a block, and that is no error.
"""

from __future__ import annotations

from typing import Final

import msgspec

from offchain.ledger.orders import Close, Fund, Tick
from offchain.ledger.types import Constants, Session

FUND_AHEAD_SECONDS: Final = 600
"""How many seconds of a stream a reservation covers, where vault and cap allow."""
CLOSE_WAIT_MAX_MS: Final = 20_000
"""How long a close waits for the chain's clock before it takes what the chain allows."""
RESEND_AFTER_MS: Final = 6_000
"""When an accepted order that no block shows is sent again."""


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about a session's next order.

    `entry` is the ledger's at the best block, whose timestamp is `chain_now_ms`. `total_seconds` is
    what was delivered, whole. `since_*_ms` count from the pool's last answer to that kind of order,
    None where there was none. `vault` and `cap_left` are free of other sessions' reservations.
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
    vault: int = 0
    cap_left: int = 0


def ended_at(entry: Session, chain_now_ms: int, stops: tuple[int, ...] = ()) -> int:
    """Tell when a session ends as the ledger would find at `chain_now_ms` (rule 2)."""
    end = entry.ended_at
    stop = next((moment for moment in stops if moment >= entry.opened_at), None)
    for moment in (stop, entry.ticked_at + entry.gap_ms):
        if moment is not None and moment <= chain_now_ms:
            end = min(end, moment)
    return end


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


def _funded(entry: Session) -> int:
    if entry.rate_per_second == 0:
        return 2**32 - 1
    return entry.funds // entry.rate_per_second


def _close(view: SessionView, limits: Constants) -> Close | None:
    end = ended_at(view.entry, view.chain_now_ms, view.stops)
    if view.chain_now_ms > end + limits.settlement_window_ms:
        return None  # too late for orders: anyone may settle it now
    payable = payable_total(view.entry, view.chain_now_ms, view.stops)
    total = max(view.total_seconds, view.entry.seconds)
    if total > payable:
        if end > view.chain_now_ms and view.closing_for_ms < CLOSE_WAIT_MAX_MS:
            return None  # the chain's clock is behind: the next block may allow it
        total = payable
    if view.since_close_ms is not None and view.since_close_ms < RESEND_AFTER_MS:
        return None
    return Close(index=view.index, seconds=total)


def next_fund(view: SessionView, limits: Constants) -> Fund | None:
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
    return Fund(index=view.index, funds=entry.funds + min(free, FUND_AHEAD_SECONDS * rate))


def opening_funds(
    *, rate_per_second: int, funds_min: int, vault: int, cap_left: int, slots_left: int
) -> int:
    """Tell what a new session should reserve, leaving some for the grant's other slots.

    Returns 0 where vault and cap do not allow the stream's least.
    """
    free = min(vault, cap_left)
    if free < max(funds_min, rate_per_second):
        return 0
    share = max(free // max(1, slots_left), funds_min, rate_per_second)
    return min(share, max(funds_min, rate_per_second * FUND_AHEAD_SECONDS))
