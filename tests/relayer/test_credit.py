"""One bound over everything that no block has charged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from offchain.relayer.credit import (
    CREDIT_MS,
    RefillClock,
    Risk,
    Spent,
    cause,
    give_back,
    least_credit_ms,
    left_ms,
    refilled,
    risk_of,
    spend,
    wait_s,
)

ms = st.integers(0, 10**9)


def test_what_no_block_has_charged_is_at_risk() -> None:
    assert risk_of(7_999, 400, 3) == Risk(400, 4_999)
    assert risk_of(7_999, 0, 7) == Risk(0, 999)
    assert risk_of(2_000, 0, 5) == Risk(0, 0)
    assert risk_of(999, -5, 0) == Risk(0, 999)


def test_both_sessions_of_a_viewer_share_the_credit() -> None:
    risk = risk_of(6_000, 500, 0) + risk_of(3_000, 500, 1)
    assert risk == Risk(1_000, 8_000)
    assert left_ms(CREDIT_MS, Spent(), risk, 0) == 11_000


def test_a_second_comes_back_in_a_minute() -> None:
    spent = spend(Spent(), 5_000, 1_000)
    assert refilled(spent, 1_000 + 59).spent_ms == 5_000
    assert refilled(spent, 61_000).spent_ms == 4_000
    assert refilled(spent, 10**9).spent_ms == 0
    assert refilled(spent, 0) == spent


@given(st.lists(st.integers(0, 10**6), max_size=40), st.integers(1, 30_000))
def test_looking_often_refills_no_more(moments: list[int], amount_ms: int) -> None:
    spent = once = spend(Spent(), amount_ms, 0)
    for now_ms in sorted(moments):
        spent = refilled(spent, now_ms)
    end_ms = max([*moments, 10**6])
    assert refilled(spent, end_ms).spent_ms == refilled(once, end_ms).spent_ms


@given(ms, ms, ms, ms)
def test_after_the_wait_something_is_left(
    spent_ms: int, unconfirmed_ms: int, uncharged_ms: int, now_ms: int
) -> None:
    spent, risk = Spent(spent_ms, now_ms), Risk(unconfirmed_ms, uncharged_ms)
    seconds = wait_s(CREDIT_MS, spent, risk, now_ms)
    assert (seconds == 0) == (left_ms(CREDIT_MS, spent, risk, now_ms) > 0)
    if risk.total_ms == 0:
        assert left_ms(CREDIT_MS, spent, risk, now_ms + seconds * 1000) > 0


@given(ms, ms)
def test_what_is_given_back_was_never_spent(amount_ms: int, now_ms: int) -> None:
    before = spend(Spent(), 5_000, now_ms)
    assert give_back(spend(before, amount_ms, now_ms), amount_ms, now_ms) == before
    assert give_back(before, 5_000 + amount_ms, now_ms).spent_ms == 0


def test_the_page_hears_what_takes_most() -> None:
    assert cause(Spent(), Risk(1_000, 19_000), 0) == "block"
    assert cause(Spent(), Risk(12_000, 8_000), 0) == "report"
    assert cause(Spent(15_000, 0), Risk(4_000, 1_000), 0) == "refill"


def test_the_default_leaves_room_on_a_good_day() -> None:
    assert least_credit_ms(6_000) < CREDIT_MS


def test_the_refill_clock_follows_the_chain_and_stays_where_a_fork_is_behind() -> None:
    clock = RefillClock()
    assert clock.ms(1_000, 500_000) == 500_000
    assert clock.ms(3_000, 502_000) == 502_000
    assert clock.ms(4_000, 490_000) == 503_000, "a second has passed, whatever a fork's blocks say"
    assert clock.ms(9_000, 508_000) == 508_000
    assert clock.ms(10_000, 512_000) == 512_000
