"""What the signer signs: each rule at its boundary, then a hostile relayer for a long time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offchain.ledger.orders import U32_MAX, Close, Fund, Open, Order, Renew, Tick, Tip
from offchain.signer import judge
from offchain.signer.policy import (
    CLOSED_KEPT,
    Adopt,
    Bounds,
    GrantTerms,
    Policy,
    PolicyRefused,
    SignedGrant,
    SignOrder,
    adopt,
    decide,
)
from signer_fuzz import POLICY, Fuzzer, PolicyBroken

GAP_MS, RATE, CAP = 30_000, 10, 10_000
TERMS = GrantTerms(
    asset=None,
    rate_max_per_second=RATE,
    cap=CAP,
    sessions_max=1,
    gap_ms=GAP_MS,
    expires_at=10**12,
    tips_max=50,
    renewals_max=3,
)
TIPPING = Policy(bounds=Bounds(tips_max=40))
KEY = "m/46ebddef/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY/0"


class Asking:
    """One grant, asked one order after the other; what is refused changes nothing."""

    def __init__(self, policy: Policy = TIPPING, terms: GrantTerms = TERMS) -> None:
        self.policy, self.terms = policy, terms
        self.known: SignedGrant | None = None

    def ask(self, now_ms: int, order: Order, **more: Any) -> None:
        if isinstance(order, Open):
            more = {"key": KEY, "terms": self.terms} | more
        asked = SignOrder(grant=4, order=order, **more)
        self.known = decide(self.policy, self.known, asked, now_ms)

    def open(self, now_ms: int = 0, index: int = 0, **fields: Any) -> None:
        more = {name: fields.pop(name) for name in ("key", "terms", "fence") if name in fields}
        made: dict[str, Any] = {"rate_per_second": RATE, "funds": 5_000, "start_at": 0, "stream": 1}
        self.ask(now_ms, Open(index=index, **(made | fields)), **more)

    def refuses(self, code: str, now_ms: int, order: Order, **more: Any) -> None:
        before = self.known
        with pytest.raises(PolicyRefused) as refused:
            self.ask(now_ms, order, **more)
        assert refused.value.code == code
        assert self.known is before


@pytest.fixture
def opened() -> Asking:
    asking = Asking()
    asking.open()
    return asking


def test_an_open_accepts_no_tick_price_above_the_policys() -> None:
    dear = Asking(Policy(bounds=Bounds(tick_price_max=7)))
    order = Open(index=0, stream=1, rate_per_second=RATE, funds=5_000, start_at=0)
    above = msgspec.structs.replace(order, tick_price_max=8)
    dear.refuses("tick-price-too-high", 0, above)
    dear.ask(0, msgspec.structs.replace(order, tick_price_max=7))
    # a runtime of before takes no bound
    older = Asking(Policy(bounds=Bounds(tick_price_max=7)))
    older.ask(0, msgspec.structs.replace(order, tick_price_max=None))


def test_seconds_rise_with_the_clock_and_the_head_start(opened: Asking) -> None:
    opened.refuses("ahead-of-clock", 4_999, Tick(index=0, seconds=11))
    opened.ask(5_000, Tick(index=0, seconds=11))
    opened.refuses("ahead-of-clock", 5_999, Tick(index=0, seconds=12))
    opened.ask(6_000, Tick(index=0, seconds=12))


def test_totals_never_fall_and_may_be_repeated(opened: Asking) -> None:
    opened.ask(20_000, Tick(index=0, seconds=12))
    opened.ask(20_000, Tick(index=0, seconds=12))
    opened.refuses("totals-fall", 20_000, Tick(index=0, seconds=11))
    opened.refuses("totals-fall", 20_000, Close(index=0, seconds=11))
    opened.ask(20_000, Fund(index=0, funds=6_000))
    opened.refuses("totals-fall", 20_000, Fund(index=0, funds=5_999))
    opened.ask(20_000, Tip(index=0, tips=10))
    opened.refuses("totals-fall", 20_000, Tip(index=0, tips=9))
    opened.ask(20_000, Renew(index=0, renewals=1))
    opened.refuses("totals-fall", 20_000, Renew(index=0, renewals=0))


def test_a_silent_relayer_saves_up_no_more_than_a_gap(opened: Asking) -> None:
    hour_ms = 3_600_000
    opened.refuses("ahead-of-clock", hour_ms, Tick(index=0, seconds=31))
    opened.ask(hour_ms, Tick(index=0, seconds=30))
    opened.refuses("ahead-of-clock", hour_ms + 999, Tick(index=0, seconds=31))
    opened.ask(hour_ms + 1_000, Tick(index=0, seconds=31))


def test_after_a_close_only_the_close_again(opened: Asking) -> None:
    opened.ask(10_000, Close(index=0, seconds=10))
    opened.refuses("session-closed", 11_000, Tick(index=0, seconds=11))
    opened.refuses("session-closed", 11_000, Fund(index=0, funds=6_000))
    opened.ask(11_000, Close(index=0, seconds=11))


def test_indices_rise_by_one(opened: Asking) -> None:
    with pytest.raises(PolicyRefused, match="the next one is 4-1"):
        opened.open(index=2)
    opened.open(index=1)
    first = Asking()
    first.open(index=7)  # what came before, another signer signed
    with pytest.raises(PolicyRefused):
        first.open(index=6)


def test_an_open_once_more_keeps_seconds_and_clock(opened: Asking) -> None:
    opened.ask(10_000, Close(index=0, seconds=12))
    opened.open(20_000, rate_per_second=5)
    opened.refuses("totals-fall", 20_000, Tick(index=0, seconds=11))
    opened.refuses("ahead-of-clock", 20_000, Tick(index=0, seconds=27))
    opened.ask(20_000, Tick(index=0, seconds=26))
    # the ledger may have taken the dearer one of the two
    assert opened.known is not None
    assert opened.known.charged == 26 * RATE


def test_a_slot_is_used_by_one_session_at_a_time(opened: Asking) -> None:
    opened.ask(20_000, Tick(index=0, seconds=20))
    opened.open(20_000, index=1)
    opened.refuses("ahead-of-clock", 20_000, Tick(index=1, seconds=7))
    opened.ask(20_000, Tick(index=1, seconds=6))  # one head start, and not one for each session
    opened.refuses("ahead-of-clock", 20_999, Tick(index=1, seconds=7))
    opened.ask(21_000, Tick(index=1, seconds=7))


def test_charges_stay_within_the_cap_and_what_was_reserved() -> None:
    asking = Asking(terms=msgspec.structs.replace(TERMS, sessions_max=2, cap=200))
    asking.open(funds=150)
    asking.open(index=1, funds=200)
    asking.ask(14_000, Tick(index=0, seconds=15))
    asking.refuses("beyond-cap", 14_000, Tick(index=1, seconds=6))
    asking.ask(14_000, Tick(index=1, seconds=5))
    asking.refuses("beyond-cap", 14_000, Fund(index=0, funds=151))


def test_a_close_beyond_the_funds_costs_the_funds(opened: Asking) -> None:
    asking = Asking()
    asking.open(funds=100)
    asking.ask(20_000, Close(index=0, seconds=20))
    assert asking.known is not None
    assert asking.known.charged == 100


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("rate-too-high", {"rate_per_second": RATE + 1}),
        ("beyond-cap", {"funds": CAP + 1}),
        ("grant-expired", {"start_at": 10**12}),
        ("order-invalid", {"index": -1}),
        ("order-invalid", {"funds": 2**128}),
        ("terms-missing", {"key": None}),
        ("terms-missing", {"terms": None}),
    ],
)
def test_an_open_within_the_terms(code: str, fields: dict[str, Any]) -> None:
    with pytest.raises(PolicyRefused) as refused:
        Asking().open(**fields)
    assert refused.value.code == code


def test_no_second_beyond_the_grant_s_expiry() -> None:
    asking = Asking(terms=msgspec.structs.replace(TERMS, expires_at=20_000))
    asking.open(start_at=5_000)
    asking.refuses("grant-expired", 30_000, Tick(index=0, seconds=16))
    asking.ask(30_000, Tick(index=0, seconds=15))


@pytest.mark.parametrize("field", ["cap", "rate_max_per_second", "sessions_max", "gap_ms"])
def test_terms_are_shown_once(opened: Asking, field: str) -> None:
    other = msgspec.structs.replace(TERMS, **{field: getattr(TERMS, field) + 1})
    with pytest.raises(PolicyRefused) as refused:
        opened.open(index=1, terms=other)
    assert refused.value.code == "terms-differ"
    with pytest.raises(PolicyRefused) as refused:
        opened.open(index=1, key=KEY[:-1] + "1")
    assert refused.value.code == "key-differs"


def test_the_operator_s_bounds_hold_whatever_is_shown() -> None:
    policy = Policy(bounds=Bounds(rate_per_second_max=9), streams=frozenset({2}), sessions_max=1)
    asking = Asking(policy)
    for code, fields in (
        ("stream-not-allowed", {}),
        ("rate-too-high", {"stream": 2}),
        ("beyond-policy", {"terms": msgspec.structs.replace(TERMS, sessions_max=2)}),
        ("beyond-policy", {"terms": msgspec.structs.replace(TERMS, gap_ms=3_600_001)}),
    ):
        with pytest.raises(PolicyRefused) as refused:
            asking.open(**fields)
        assert refused.value.code == code
    asking.open(stream=2, rate_per_second=9)
    asking.refuses("beyond-policy", 0, Tip(index=0, tips=1))  # none unless the policy says so


def test_tips_and_renewals_stay_within_both_bounds(opened: Asking) -> None:
    opened.ask(0, Tip(index=0, tips=40))
    opened.refuses("beyond-policy", 0, Tip(index=0, tips=41))
    opened.refuses("index-jumps", 0, Renew(index=0, renewals=2))
    for total in (1, 2, 3):
        opened.ask(0, Renew(index=0, renewals=total))
    opened.refuses("beyond-policy", 0, Renew(index=0, renewals=4))


def test_what_this_signer_did_not_open(opened: Asking) -> None:
    opened.refuses("session-unknown", 0, Tick(index=1, seconds=0))
    Asking().refuses("grant-unknown", 0, Tick(index=0, seconds=0))


def test_an_older_lease_of_the_session_is_refused(opened: Asking) -> None:
    opened.ask(20_000, Tick(index=0, seconds=10), fence=3)
    opened.refuses("fence-old", 20_000, Tick(index=0, seconds=11), fence=2)
    opened.ask(20_000, Tick(index=0, seconds=11), fence=3)


def test_an_older_lease_of_the_grant_is_refused_whatever_it_asks(opened: Asking) -> None:
    opened.ask(20_000, Tick(index=0, seconds=10), fence=7)
    terms = TERMS
    for order in (
        Open(index=1, stream=1, rate_per_second=RATE, funds=100, start_at=0),
        Open(index=0, stream=1, rate_per_second=RATE, funds=5_000, start_at=0),
        Tick(index=0, seconds=11),
        Close(index=0, seconds=11),
        Fund(index=0, funds=6_000),
        Renew(index=0, renewals=1),
    ):
        opened.refuses("fence-old", 20_000, order, fence=6, key=KEY, terms=terms)
    opened.open(20_000, index=1, funds=100, fence=8)
    # the other session was never asked for under 8, and yet 7 is over
    opened.refuses("fence-old", 20_000, Close(index=0, seconds=11), fence=7)
    opened.ask(20_000, Close(index=0, seconds=11), fence=8)


def test_an_older_lease_adopts_nothing(opened: Asking) -> None:
    opened.ask(20_000, Tick(index=0, seconds=10), fence=7)
    running = Adopt(
        grant=4,
        key=KEY,
        terms=TERMS,
        opened=Open(index=3, stream=1, rate_per_second=RATE, funds=500, start_at=0),
        seconds=1,
        fence=6,
    )
    with pytest.raises(PolicyRefused) as refused:
        adopt(Policy(adopt=True), opened.known, running, 20_000)
    assert refused.value.code == "fence-old"


def test_a_grant_s_record_stays_small_and_its_sums_stay() -> None:
    asking = Asking()
    for index in range(50):
        asking.open(index * 10_000, index=index, funds=100)
        asking.ask(index * 10_000 + 5_000, Close(index=index, seconds=5))
    assert asking.known is not None
    assert len(asking.known.sessions) <= CLOSED_KEPT + 1
    assert (asking.known.seconds, asking.known.charged) == (250, 2_500)
    asking.refuses("session-unknown", 600_000, Close(index=3, seconds=5))


def test_sessions_are_adopted_only_where_the_policy_says_so() -> None:
    running = Adopt(
        grant=4,
        key=KEY,
        terms=TERMS,
        opened=Open(index=3, stream=1, rate_per_second=RATE, funds=5_000, start_at=0),
        seconds=100,
    )
    with pytest.raises(PolicyRefused, match="adopt = true"):
        adopt(Policy(), None, running, 0)
    asking = Asking(Policy(adopt=True))
    asking.known = adopt(asking.policy, None, running, 0)
    asking.refuses("totals-fall", 0, Tick(index=3, seconds=99))
    asking.refuses("ahead-of-clock", 0, Tick(index=3, seconds=107))
    asking.ask(0, Tick(index=3, seconds=106))
    asking.open(10_000, index=4)
    later = msgspec.structs.replace(running, opened=Open(
        index=4, stream=1, rate_per_second=RATE, funds=5_000, start_at=0))  # fmt: skip
    assert adopt(asking.policy, asking.known, later, 0) is asking.known
    own = msgspec.structs.replace(later, opened=msgspec.structs.replace(later.opened, index=5))
    with pytest.raises(PolicyRefused):
        adopt(asking.policy, asking.known, own, 0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    gap_ms=st.sampled_from([1_000, 30_000]),
    sessions_max=st.integers(1, 3),
    steps=st.lists(
        st.tuples(st.integers(0, 40_000), st.integers(0, 3), st.integers(0, 60), st.booleans()),
        max_size=60,
    ),
)
def test_no_sequence_charges_faster_than_time(
    seed: int, gap_ms: int, sessions_max: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    terms = msgspec.structs.replace(TERMS, gap_ms=gap_ms, sessions_max=sessions_max, cap=10**9)
    asking, now_ms = Asking(Policy(), terms), 0
    best: dict[int, int] = {}
    for wait_ms, index, more, opens in steps:
        now_ms += wait_ms
        try:
            if opens:
                asking.open(now_ms, index=index, funds=10**9)
            else:
                total = best.get(index, 0) + more
                asking.ask(now_ms, Tick(index=index, seconds=total))
                best[index] = total
        except PolicyRefused:
            continue
    had_ms = (now_ms + Policy().head_start_ms) * sessions_max
    assert sum(best.values()) * 1000 <= had_ms


def test_a_hostile_relayer_gets_nothing_beyond_the_policy(tmp_path: Path) -> None:
    fuzzer = Fuzzer(1, tmp_path)
    try:
        fuzzer.run(5_000)
    finally:
        fuzzer.close()
    assert fuzzer.restarts > 0
    reached = {"signed", "ahead-of-clock", "beyond-cap", "totals-fall", "terms-differ",
               "key-differs", "index-jumps", "session-closed", "rate-too-high"}  # fmt: skip
    assert reached <= fuzzer.codes.keys()


@pytest.mark.parametrize("weakness", ["clock", "memory", "cap", "terms", "rate", "closed"])
def test_the_auditor_finds_a_policy_that_is_weaker_by_a_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weakness: str
) -> None:
    def weaker(
        policy: Policy, known: SignedGrant | None, asked: SignOrder, now_ms: int
    ) -> SignedGrant:
        replace = msgspec.structs.replace
        match weakness:
            case "clock":
                now_ms += 0 if isinstance(asked.order, Open) else 1_000
            case "memory":
                known = None if isinstance(asked.order, Open) else known
            case "cap":
                bounds = {"7": replace(policy.assets["7"], cap_max=1_001)}
                policy = replace(policy, assets=bounds)
            case "terms" if known is not None and asked.terms is not None:
                known = replace(known, terms=asked.terms)
            case "rate":
                native = replace(policy.bounds, rate_per_second_max=1_001)
                policy = replace(policy, bounds=native)
            case "closed" if known is not None:
                sessions = tuple(replace(each, closed=False) for each in known.sessions)
                known = replace(known, sessions=sessions)
        return decide(policy, known, asked, now_ms)

    monkeypatch.setattr(judge, "decide", weaker)
    fuzzer = Fuzzer(1, tmp_path, POLICY)
    try:
        with pytest.raises(PolicyBroken):
            fuzzer.run(60_000)
    finally:
        fuzzer.close()


def test_seconds_beyond_what_an_order_holds(opened: Asking) -> None:
    opened.refuses("order-invalid", 0, Tick(index=0, seconds=U32_MAX + 1))
