"""Entries and their arithmetic: what a subscription covers, and what strangers write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain.ledger.entries import (
    asset_entry_from,
    grant_from,
    message_from,
    session_from,
    subscription_from,
    terms_value,
)
from offchain.ledger.types import AssetEntry, Grant, Subscription, Terms, Tier

HOUR_MS = 3_600_000
TIER: dict[str, Any] = {"price": 5, "period_ms": HOUR_MS, "discount": 500_000}
SESSION: dict[str, Any] = {
    "viewer": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
    "key": {"Sr25519": "0x" + "00" * 32},
    "asset": {"WithId": 1984},
    "stream": 1,
    "rate_per_second": 7,
    "gap_ms": 120_000,
    "funds": 1000,
    "seconds": 6,
    "started_at": 1,
    "opened_at": 2,
    "billed_until": 3,
    "ticked_at": 4,
    "ended_at": 5,
}


@given(rate=st.integers(0, 2**128 - 1), discount=st.integers(0, 1_000_000))
def test_a_discount_is_rounded_down(rate: int, discount: int) -> None:
    discounted = Tier(price=1, period_ms=1, discount=discount).discounted(rate)
    assert 0 <= discounted <= rate
    taken = rate - discounted
    assert taken * 1_000_000 <= discount * rate < (taken + 1) * 1_000_000


def test_a_period_ends_where_the_next_one_starts() -> None:
    subscription = Subscription(
        tier=Tier(**TIER), started_at=1000, periods=2, periods_earned=1, deposit=0
    )
    assert subscription.paid_until == 1000 + 2 * HOUR_MS
    ends = [
        subscription.period_end(moment)
        for moment in (999, 1000, 999 + HOUR_MS, 1000 + HOUR_MS, 999 + 2 * HOUR_MS)
    ]
    first, second = 1000 + HOUR_MS, 1000 + 2 * HOUR_MS
    assert ends == [None, first, first, second, second]
    assert subscription.period_end(second) is None


def test_the_periods_that_have_begun() -> None:
    subscription = Subscription(
        tier=Tier(**TIER), started_at=1000, periods=3, periods_earned=1, deposit=0
    )
    assert subscription.begun(1000) == 1
    assert subscription.begun(1000 + HOUR_MS) == 2
    assert subscription.begun(1000 + 9 * HOUR_MS) == 3
    # a stream that ended with a period begins no other
    assert subscription.begun(1000 + 9 * HOUR_MS, ended_at=1000 + HOUR_MS) == 1
    assert subscription.begun(1000 + 9 * HOUR_MS, ended_at=1001 + HOUR_MS) == 2
    assert subscription.begun(2000, ended_at=1000) == 1


def test_what_a_session_paid_has_the_tick_prices_in_it() -> None:
    assert session_from({**SESSION, "tick_price": 3, "fees": 9}).paid == 6 * 7 + 9
    before = session_from(SESSION)
    assert (before.paid, before.tick_price, before.asset) == (42, 0, 1984)


def test_entries_of_a_newer_pallet_are_read() -> None:
    value = {"status": "Disabled", "tick_price": 1, "tip_min": 2, "owed": 3, "more": 4}
    assert asset_entry_from(value) == AssetEntry(status="Disabled", tick_price=1, tip_min=2, owed=3)
    entry = {"tier": TIER, "started_at": 1, "periods": 2, "periods_earned": 1, "deposit": 9}
    assert subscription_from(entry).tier == Tier(**TIER)


def test_a_grant_says_when_it_last_tipped() -> None:
    numbers = {
        name: 0
        for name in Grant.__struct_fields__
        if name not in ("viewer", "key", "asset", "open", "tipped_at")
    }
    others = {name: SESSION[name] for name in ("viewer", "key", "asset")}
    before: dict[str, Any] = {**numbers, **others, "open": [0]}
    assert grant_from(before).tipped_at == 0
    assert grant_from({**before, "tipped_at": 7}).tipped_at == 7


def test_what_a_grant_may_tip_and_renew() -> None:
    terms = Terms(
        rate_max_per_second=1,
        cap=2,
        sessions_max=3,
        gap_ms=4,
        expires_at=5,
        tips_max=6,
        renewals_max=7,
    )
    assert terms_value(terms) | {"tips_max": 6, "renewals_max": 7} == terms_value(terms)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Thank you", "Thank you"),
        ([104, 105], "hi"),
        ("a\x1b[31mred\x07\n", "a[31mred"),
        ("\u202eevil", "evil"),
        ("0xff", "0xff"),
        ([255], "\ufffd"),
    ],
)
def test_a_message_cannot_steer_a_terminal(value: Any, text: str) -> None:
    assert message_from(value) == text
