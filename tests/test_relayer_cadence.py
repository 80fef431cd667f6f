"""When orders are due, and the budget of what is watched unpaid: pure functions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offchain.ledger.orders import Close, Fund, Tick
from offchain.ledger.types import DelegateKey, Session
from offchain.relayer import budget, cadence
from offchain.relayer.budget import Budget
from offchain.relayer.cadence import SessionView
from tests.fake_chain import CONSTANTS, Failed, FakeChain, Rules, State

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

    def close(seconds: int) -> str | None:
        chain = FakeChain()
        chain.add_stream(1)
        chain.add_funds("Alice", 0)
        number = chain.add_grant("Alice", b"k" * 32)
        state: State = chain.state
        state.streams[1] = msgspec.structs.replace(state.streams[1], stops=stops)
        state.vaults["5A"] = 0
        state.sessions[number, 0] = session
        state.now_ms = now_s * S
        try:
            Rules(state).apply(number, Close(index=0, seconds=seconds))
        except Failed as failed:
            return failed.name
        return None

    assert close(total) in (None, "SessionEnded")
    assert close(total + 1) in ("AheadOfClock", "SessionEnded")


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
    assert due(view(79, 11, closing=True, entry=over)) == Close(index=0, seconds=11)
    assert due(view(80, 11, closing=True, entry=over)) is None


def test_a_close_never_names_less_than_the_ledger_has() -> None:
    seen = view(40, 3, closing=True, entry=entry(seconds=9, billed_until=20 * S))
    assert due(seen) == Close(index=0, seconds=9)


def test_a_close_is_sent_again_when_no_block_took_it() -> None:
    assert due(view(20, 8, closing=True, since_close_ms=5_999)) is None
    assert due(view(20, 8, closing=True, since_close_ms=6_000)) is not None
    assert due(view(20, 8, closing=True, since_tick_ms=1, last_total=8)) is not None


def test_funds_are_raised_below_a_minute_and_as_far_as_vault_and_cap_go() -> None:
    low = entry(funds=700, seconds=11)
    assert cadence.next_fund(view(20, 11, entry=low, vault=10**6, cap_left=10**6), CONSTANTS) == (
        Fund(index=0, funds=6_700)
    )
    assert cadence.next_fund(view(20, 11, entry=low, vault=50, cap_left=10**6), CONSTANTS) == (
        Fund(index=0, funds=750)
    )
    assert cadence.next_fund(view(20, 11, entry=low, vault=50, cap_left=0), CONSTANTS) is None
    enough = entry(funds=710, seconds=11)
    assert cadence.next_fund(view(20, 11, entry=enough, vault=9, cap_left=9), CONSTANTS) is None


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


# --- the budget ----------------------------------------------------------------------------


def test_a_budget_is_ten_seconds_and_refills_by_one_a_minute() -> None:
    spent = budget.spend(Budget(), 10_000, 0)
    assert budget.left_ms(spent, 0) == 0
    assert budget.left_ms(spent, 60_000) == 1_000
    assert budget.left_ms(spent, 600_000) == 10_000
    assert budget.left_ms(Budget(), 0, at_risk_ms=4_000) == 6_000


@given(
    spends=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 120_000)), max_size=30),
)
def test_looking_often_refills_no_faster(spends: list[tuple[int, int]]) -> None:
    now_ms, watched, looked = 0, Budget(), Budget()
    for amount_ms, wait_ms in spends:
        watched = budget.spend(watched, amount_ms, now_ms)
        looked = budget.spend(looked, amount_ms, now_ms)
        for part in range(4):
            looked = budget.refilled(looked, now_ms + wait_ms * part // 4)
        now_ms += wait_ms
    assert budget.refilled(looked, now_ms).spent_ms == budget.refilled(watched, now_ms).spent_ms


def test_a_clock_that_goes_back_refills_nothing() -> None:
    spent = budget.spend(Budget(), 5_000, 100_000)
    assert budget.left_ms(spent, 0) == 5_000
