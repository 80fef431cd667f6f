"""When orders are due: pure functions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offchain.ledger.orders import Close, Fund, Renew, Tick
from offchain.ledger.types import DelegateKey, Grant, Session, Subscription, Tier
from offchain.relayer import cadence
from offchain.relayer.cadence import RenewalView, SessionView
from tests import model
from tests.relayer.fake_chain import CONSTANTS, FakeChain, apply_order, modelled

S = 1000


def entry(**fields: Any) -> Session:
    values: dict[str, Any] = {
        "viewer": "5A", "key": DelegateKey(scheme="sr25519", public=b"k" * 32), "asset": None,
        "stream": 1, "rate_per_second": 10, "gap_ms": 30 * S, "funds": 6_000, "seconds": 0,
        "started_at": 8 * S, "opened_at": 10 * S, "billed_until": 8 * S, "ticked_at": 10 * S,
        "ended_at": 1000 * S,
    }  # fmt: skip
    return Session(**values | fields)


def view(now_s: int, total: int, **fields: Any) -> SessionView:
    values: dict[str, Any] = {
        "index": 0, "entry": entry(), "chain_now_ms": now_s * S, "total_seconds": total,
    }  # fmt: skip
    return SessionView(**values | fields)


def due(seen: SessionView) -> Tick | Close | None:
    return cadence.next_lane_one(seen, CONSTANTS, 6_000)


@pytest.mark.parametrize(
    ("session", "now_s", "total"),
    [
        (entry(), 16, 8),
        (entry(seconds=6, billed_until=14 * S, ticked_at=16 * S), 42, 34),
        (entry(seconds=6, billed_until=14 * S, ticked_at=16 * S), 47, 36),
        (entry(seconds=12, billed_until=20 * S, ticked_at=42 * S, ended_at=50 * S), 52, 42),
        (entry(), 9, 1),
        (entry(), 7, 0),
    ],
)
def test_the_payable_total_is_the_ledgers(session: Session, now_s: int, total: int) -> None:
    """The design's examples: room from what was billed, within the gap, up to the end."""
    assert cadence.payable_total(session, now_s * S) == total


@settings(deadline=None, max_examples=60)
@given(
    billed_s=st.integers(8, 60),
    ticked_s=st.integers(10, 60),
    now_s=st.integers(10, 200),
    stop_s=st.none() | st.integers(0, 120),
)
def test_the_payable_total_is_taken_and_one_more_is_not(
    billed_s: int, ticked_s: int, now_s: int, stop_s: int | None
) -> None:
    session = entry(billed_until=billed_s * S, ticked_at=ticked_s * S, funds=10**9)
    stops = () if stop_s is None else (stop_s * S,)
    total = cadence.payable_total(session, now_s * S, stops)

    def refused(seconds: int) -> frozenset[str]:
        chain = FakeChain()
        chain.add_stream(1)
        number = chain.add_grant("Alice", b"k" * 32)
        ledger = chain.state.ledger
        ledger.streams[1].stops = list(stops)
        ledger.sessions[number, 0] = modelled(model.Session, session)
        ledger.grants[number].open.append(0)
        ledger.now = now_s * S
        outcome = apply_order(ledger, number, Close(index=0, seconds=seconds))
        return outcome if isinstance(outcome, frozenset) else frozenset()

    assert refused(total) <= {"SessionEnded"}
    assert refused(total + 1) & {"AheadOfClock", "SessionEnded"}


def test_ticks_come_each_cadence_and_never_small() -> None:
    assert due(view(20, 4)) is None
    assert due(view(20, 5)) == Tick(index=0, seconds=5)
    assert due(view(20, 11, since_tick_ms=5_999, last_total=5)) is None
    assert due(view(20, 11, since_tick_ms=6_000, last_total=5)) == Tick(index=0, seconds=11)


def test_a_tick_ahead_of_the_clock_asks_for_what_there_is() -> None:
    assert due(view(14, 30)) == Tick(index=0, seconds=6)
    assert due(view(12, 30)) is None


def test_the_end_of_the_funds_is_not_waited_for() -> None:
    funded = entry(funds=100)
    seen = view(30, 12, entry=funded, since_tick_ms=10, last_total=4)
    assert due(seen) == Tick(index=0, seconds=10)


def test_a_close_waits_for_the_chains_clock_but_not_for_ever() -> None:
    assert due(view(20, 14, closing=True)) is None
    assert due(view(20, 12, closing=True)) == Close(index=0, seconds=12)
    late = view(20, 14, closing=True, closing_for_ms=20_000)
    assert due(late) == Close(index=0, seconds=12)
    over = view(20, 14, closing=True, entry=entry(ended_at=19 * S))
    assert due(over) == Close(index=0, seconds=11)


def test_after_the_window_nothing_is_sent() -> None:
    over = entry(ended_at=19 * S)
    assert due(view(78, 11, closing=True, entry=over)) == Close(index=0, seconds=11)
    assert due(view(79, 11, closing=True, entry=over)) is None


def test_a_close_never_names_less_than_the_ledger_has() -> None:
    seen = view(40, 3, closing=True, entry=entry(seconds=9, billed_until=20 * S))
    assert due(seen) == Close(index=0, seconds=9)


def test_a_close_is_sent_again_when_no_block_took_it() -> None:
    assert due(view(20, 8, closing=True, since_close_ms=5_999)) is None
    assert due(view(20, 8, closing=True, since_close_ms=6_000)) is not None
    assert due(view(20, 8, closing=True, since_tick_ms=1, last_total=8)) is not None


def fund(**fields: Any) -> Fund | None:
    return cadence.next_fund(view(20, 11, **fields), CONSTANTS, 6_000)


def test_funds_are_raised_below_a_minute_and_as_far_as_vault_and_cap_go() -> None:
    low = entry(funds=700, seconds=11)
    plenty = 10**6
    assert fund(entry=low, vault=plenty, cap_left=plenty) == Fund(index=0, funds=6_700)
    assert fund(entry=low, vault=50, cap_left=plenty) == Fund(index=0, funds=750)
    assert fund(entry=low, vault=50, cap_left=0) is None
    enough = entry(funds=710, seconds=11)
    assert fund(entry=enough, vault=9, cap_left=9) is None
    # the same funds with 5 of them gone for tick prices: a minute is no longer there
    charged = entry(funds=710, seconds=11, tick_price=5, fees=5)
    assert fund(entry=charged, vault=plenty, cap_left=plenty) == Fund(
        index=0, funds=710 + 600 * 10 + 100 * 5
    )


def test_the_funds_end_later_than_the_tick_prices() -> None:
    session = entry(funds=120, seconds=5, fees=20, billed_until=13 * S, tick_price=20)
    seen = view(30, 12, entry=session, since_tick_ms=10, last_total=5)
    assert due(seen) == Tick(index=0, seconds=10)


@pytest.mark.parametrize(
    ("money", "rate", "tick_price", "lasts"),
    [
        (600, 10, 0, 60),
        (600, 10, 60, 30),
        (659, 10, 60, 32),
        (0, 10, 60, 0),
        (-1, 10, 0, 0),
        (0, 0, 60, 2**32 - 1),
    ],
)
def test_money_lasts_as_long_as_seconds_and_ticks_cost(
    money: int, rate: int, tick_price: int, lasts: int
) -> None:
    assert cadence.lasts_seconds(money, rate, tick_price, 6_000) == lasts


def test_what_an_hour_costs() -> None:
    assert cadence.cost(3_600, 10, 0, 6_000) == 36_000
    assert cadence.cost(3_600, 10, 7, 6_000) == 36_000 + 600 * 7
    assert cadence.cost(7, 10, 7, 6_000) == 70 + 2 * 7


@given(
    money=st.integers(0, 10**9),
    rate=st.integers(1, 10**4),
    tick_price=st.integers(0, 10**5),
    cadence_ms=st.integers(5_000, 60_000),
)
def test_a_runway_is_what_can_be_paid(
    money: int, rate: int, tick_price: int, cadence_ms: int
) -> None:
    lasts = cadence.lasts_seconds(money, rate, tick_price, cadence_ms)
    last_tick = tick_price  # it may come before its whole cadence is over
    assert cadence.cost(lasts, rate, tick_price, cadence_ms) <= money + last_tick
    assert cadence.cost(lasts + 1, rate, tick_price, cadence_ms) > money


def test_free_seconds_need_no_funds() -> None:
    assert cadence.least_funds(0, 500) == 0
    assert cadence.least_funds(10, 5) == 10
    nothing = cadence.opening_funds(
        rate_per_second=0, funds_min=500, vault=0, cap_left=0, slots_left=1
    )
    assert nothing == 0
    for_ticks = cadence.opening_funds(
        rate_per_second=0, funds_min=500, vault=10**6, cap_left=10**6, slots_left=1, tick_price=3
    )
    assert for_ticks == 300


# --- renewals ------------------------------------------------------------------------------

HOUR = 3_600 * S


def renewal(now_ms: int, **fields: Any) -> Renew | None:
    left = fields.pop("renewals_left", 1)
    values: dict[str, Any] = {
        "index": 0,
        "grant": grant_with(renewals_left=left, renewals_total=4),
        "subscription": Subscription(
            tier=Tier(price=50, period_ms=HOUR, discount=500_000),
            started_at=0,
            periods=2,
            periods_earned=2,
            deposit=0,
        ),
        "chain_now_ms": now_ms,
        "vault": 50,
    }
    return cadence.next_renewal(RenewalView(**values | fields))


def grant_with(**fields: Any) -> Grant:
    chain = FakeChain()
    number = chain.add_grant("Alice", b"k" * 32)
    return msgspec.structs.replace(chain.state.grants[number], **fields)


def test_a_period_is_renewed_shortly_before_the_last_one_ends() -> None:
    due = Renew(index=0, renewals=5)
    assert renewal(2 * HOUR - 30_001) is None
    assert renewal(2 * HOUR - 30_000) == due
    assert renewal(2 * HOUR - 1) == due
    assert renewal(2 * HOUR) is None  # the session has ended with its period
    assert renewal(HOUR) is None  # another period is paid
    short = Subscription(
        tier=Tier(price=50, period_ms=10 * S, discount=0),
        started_at=0,
        periods=2,
        periods_earned=2,
        deposit=0,
    )
    assert renewal(10 * S - 1, subscription=short) is None
    assert renewal(10 * S, subscription=short) == due


def test_a_renewal_needs_allowance_and_money() -> None:
    soon = 2 * HOUR - 10_000
    assert renewal(soon, renewals_left=0) is None
    assert renewal(soon, vault=49) is None


def test_a_renewal_is_bought_once() -> None:
    soon = 2 * HOUR - 10_000
    assert renewal(soon, last_total=5, since_ms=5_999) is None
    assert renewal(soon, last_total=5, since_ms=6_000) == Renew(index=0, renewals=5)
    # the ledger counts fewer than the pool has taken: this block is of another fork
    assert renewal(soon, last_total=6, since_ms=60_000) is None
    assert renewal(soon, last_total=4, since_ms=1) == Renew(index=0, renewals=5)


@pytest.mark.parametrize(
    ("vault", "cap_left", "slots_left", "funds"),
    [
        (10**6, 10**6, 1, 6_000),
        (3_000, 10**6, 1, 3_000),
        (3_000, 10**6, 2, 1_500),
        (10**6, 40, 3, 20),  # the stream's least comes before sharing
        (19, 10**6, 1, 0),
    ],
)
def test_an_opening_leaves_something_for_other_slots(
    vault: int, cap_left: int, slots_left: int, funds: int
) -> None:
    assert funds == cadence.opening_funds(
        rate_per_second=10, funds_min=20, vault=vault, cap_left=cap_left, slots_left=slots_left
    )
