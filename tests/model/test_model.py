"""The model of the ledger: the rules by example, and what must always hold."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.accounts import NATIVE, Accounts
from tests.model.calls import NAMES, OUTSIDE, performed
from tests.model.entries import (
    U128_MAX,
    AssetEntry,
    Constants,
    Event,
    Outcome,
    Payee,
    Stream,
    StreamChange,
    Terms,
    Tier,
)
from tests.model.invariants import broken_between, violated
from tests.model.ledger import Ledger, costs_nothing
from tests.model.orders import Close, Fund, Open, Order, Renew, SignedOrder, Tick, Tip
from tests.model.traffic import Traffic, genesis

POT, TREASURY, CREATOR, VIEWER, KEY = "pot", "treasury", "creator", "viewer", "key"
RATE = 3

CONSTANTS = Constants(
    head_start_max_ms=6_000,
    settlement_window_ms=60_000,
    block_gap_max_ms=30_000,
    halt_max_ms=3_600_000,
    min_tick_seconds=5,
    fund_below_seconds=60,
    gap_min_ms=10_000,
    gap_max_ms=3_600_000,
    period_min_ms=10_000,
    treasury_share_max=300_000,
    tick_price_max=100,
    max_payees=8,
    max_tiers=8,
    max_sessions_per_grant=16,
    max_stops=4,
    max_batch_orders=64,
    stream_deposit_base=1_000,
    stream_deposit_per_payee=100,
    stream_deposit_per_tier=10,
    grant_deposit_base=500,
    grant_deposit_per_session=50,
    subscription_deposit=70,
)


def refused(outcome: Outcome) -> frozenset[str]:
    """Give the names for which a call was refused."""
    assert isinstance(outcome, frozenset), outcome
    return outcome


class Story:
    """A stream at rate 3, a vault of 5,000, and the grant of the design's examples."""

    def __init__(self, **terms: Any) -> None:
        accounts = Accounts(10)
        for who in (CREATOR, VIEWER):
            accounts.free[who, NATIVE] = 1_000_000
        accounts.free[POT, NATIVE] = 10
        self.ledger = Ledger(CONSTANTS, accounts, pot=POT, treasury=TREASURY)
        self.ledger.asset_entries[NATIVE] = AssetEntry()
        self.at(1)
        self.did(self.ledger.deposit(VIEWER, NATIVE, 5_000))
        self.did(self.ledger.create_stream(CREATOR, NATIVE, RATE))
        given = {
            "asset": NATIVE,
            "rate_max_per_second": 5,
            "cap": 10_000,
            "sessions_max": 2,
            "gap_ms": 30_000,
            "expires_at": 1_000_000,
        } | terms
        self.did(self.ledger.grant(VIEWER, KEY, KEY, Terms(**given)))

    def at(self, second: float) -> None:
        self.ledger.now = int(second * 1000)
        self.ledger.free_lane_full = False

    def did(self, outcome: Outcome) -> list[Event]:
        assert isinstance(outcome, list), outcome
        assert violated(self.ledger) == []
        return outcome

    def order(self, order: Order) -> Outcome:
        return self.ledger.submit(0, order, KEY)

    def opened(self, funds: int = 900) -> None:
        """At 10: open, start 8. At 16: tick 6."""
        self.at(10)
        self.did(self.order(Open(0, 0, RATE, funds, 8_000, 4)))
        session = self.session
        assert (session.billed_until, session.ticked_at) == (8_000, 10_000)
        assert session.ended_at == self.ledger.grants[0].expires_at
        self.at(16)
        assert self.charged(self.order(Tick(0, 6))) == 6
        assert (self.session.billed_until, self.session.ticked_at) == (14_000, 16_000)

    @property
    def session(self) -> Any:
        return self.ledger.sessions[0, 0]

    def charged(self, outcome: Outcome) -> int:
        return sum(
            event.fields["charged_seconds"] for event in self.did(outcome) if event.name == "Ticked"
        )

    def is_closed(self, paid_seconds: int, *, grant_deleted: bool = False) -> None:
        assert not self.ledger.sessions
        assert self.ledger.vaults[VIEWER, NATIVE] == 5_000 - RATE * paid_seconds
        assert (0 not in self.ledger.grants) == grant_deleted
        assert self.ledger.streams[0].earned == RATE * paid_seconds


# --- the rules by example ------------------------------------------------------------------


def test_at_36_tick_6_again_is_stale() -> None:
    story = Story()
    story.opened()
    story.at(36)
    assert refused(story.order(Tick(0, 6))) == {"OrderStale", "TickTooSmall"}


def test_at_42_tick_12_after_a_stall_of_20() -> None:
    story = Story()
    story.opened()
    story.at(42)
    assert story.ledger.read(story.session).room == 28
    assert story.charged(story.order(Tick(0, 12))) == 6
    assert (story.session.billed_until, story.session.ticked_at) == (20_000, 42_000)


def test_at_47_without_42_it_ended_at_46_and_a_close_pays_6() -> None:
    story = Story()
    story.opened()
    story.at(47)
    reading = story.ledger.read(story.session)
    assert (reading.ended_at, reading.start, reading.room) == (46_000, 16_000, 30)
    assert story.charged(story.order(Close(0, 12))) == 6
    story.is_closed(12)


@pytest.mark.parametrize("expires_at", [1_000_000, 50_000])
def test_at_50_it_ends_and_a_close_with_15_pays_3(expires_at: int) -> None:
    story = Story(expires_at=expires_at)
    story.opened()
    story.at(42)
    story.did(story.order(Tick(0, 12)))
    if expires_at != 50_000:
        story.at(50)
        story.did(story.ledger.revoke(VIEWER, 0))
    story.at(52)
    reading = story.ledger.read(story.session)
    assert (reading.ended_at, reading.start, reading.room) == (50_000, 20_000, 30)
    assert story.charged(story.order(Close(0, 15))) == 3
    story.is_closed(15, grant_deleted=True)
    assert VIEWER not in story.ledger.accounts.held


def test_at_110_had_no_close_come_anybody_settles() -> None:
    story = Story()
    story.opened()
    story.at(42)
    story.did(story.order(Tick(0, 12)))
    story.at(50)
    story.did(story.ledger.revoke(VIEWER, 0))
    story.at(109.999)
    assert refused(story.ledger.settle(0, 0)) == {"WindowOpen"}
    story.at(110)
    assert refused(story.order(Close(0, 15))) == {"SessionEnded"}
    story.did(story.ledger.settle(0, 0))
    story.is_closed(12, grant_deleted=True)


def test_at_28_tick_20_with_funds_for_10_pays_4_and_closes() -> None:
    story = Story()
    story.opened(funds=RATE * 10)
    story.at(28)
    outcome = story.order(Tick(0, 20))
    assert story.charged(outcome) == 4
    assert isinstance(outcome, list)
    assert outcome[-1].fields["reason"] == "FundsExhausted"
    story.is_closed(10)


def test_at_20_tick_40_is_ahead_of_the_clock() -> None:
    story = Story()
    story.opened()
    story.at(20)
    assert refused(story.order(Tick(0, 40))) == {"AheadOfClock"}


# --- beyond the table ----------------------------------------------------------------------


def test_a_tick_price_is_due_after_the_creators_seconds() -> None:
    story = Story()
    story.did(story.ledger.set_tick_price(NATIVE, 4))
    story.opened(funds=RATE * 10 + 5)
    stream = story.ledger.streams[0]
    assert (stream.earned, stream.fees, story.session.left) == (18, 4, 13)
    story.at(24)
    # 13 are left: 4 seconds for the creator, and the last unit for the operator
    assert story.charged(story.order(Tick(0, 11))) == 4
    assert (stream.earned, stream.fees) == (30, 5)
    assert not story.ledger.sessions


def test_an_open_binds_the_tick_price() -> None:
    story = Story()
    assert refused(story.ledger.set_tick_price(NATIVE, 101)) == {"TickPriceTooHigh"}
    story.did(story.ledger.set_tick_price(NATIVE, 100))
    story.at(10)
    assert refused(story.order(Open(0, 0, RATE, 900, 8_000, 99))) == {"TickPriceAboveOrder"}
    story.did(story.order(Open(0, 0, RATE, 900, 8_000, 100)))


def test_a_fund_is_neither_early_nor_small_in_the_free_lane() -> None:
    story = Story()
    story.opened(funds=100)
    assert refused(story.order(Fund(0, 100))) == {"OrderStale"}
    assert refused(story.order(Fund(0, 99))) == {"FundsNotHigher"}
    assert refused(story.order(Fund(0, 197))) == {"FundTooSmall"}
    story.did(story.order(Fund(0, 198)))
    assert refused(story.order(Fund(0, 199))) == {"FundTooEarly"}
    story.did(story.ledger.submit_batch([SignedOrder(0, Fund(0, 199), KEY)]))


def test_tips_are_totals_within_their_own_bound() -> None:
    story = Story(tips_max=30)
    story.did(story.ledger.enable_asset(NATIVE, 5))
    story.opened()
    assert refused(story.order(Tip(0, 4))) == {"TipTooSmall"}
    story.did(story.order(Tip(0, 10)))
    assert refused(story.order(Tip(0, 10))) == {"OrderStale", "TipTooSmall", "TipTooSoon"}
    assert refused(story.order(Tip(0, 31))) == {"TipsTooLow", "TipTooSoon"}
    grant, stream = story.ledger.grants[0], story.ledger.streams[0]
    assert (grant.tips_left, stream.tips_total, stream.earned) == (20, 10, 28)


def test_the_free_lane_takes_one_tip_in_five_seconds() -> None:
    story = Story(tips_max=30)
    story.opened()
    story.did(story.order(Tip(0, 10)))
    story.at(20.999)
    assert refused(story.order(Tip(0, 11))) == {"TipTooSoon"}
    # the paid lane takes it, and the free one waits from there
    paid = story.did(story.ledger.submit_batch([SignedOrder(0, Tip(0, 11), KEY)]))
    assert (paid[-1].fields["counted"], paid[-1].fields["free"]) == (1, 0)
    story.at(21)
    assert refused(story.order(Tip(0, 12))) == {"TipTooSoon"}
    story.at(25.999)
    story.did(story.order(Tip(0, 12)))
    assert story.ledger.grants[0].tipped_at == 25_999


def test_a_renewal_is_early_before_the_last_paid_period() -> None:
    story = Story(renewals_max=2)
    tier = Tier(100, 20_000, 0)
    story.did(story.ledger.set_tiers(CREATOR, 0, [tier]))
    story.did(story.ledger.subscribe(VIEWER, 0, tier, 2))
    story.opened()
    story.at(20.999)
    assert refused(story.order(Renew(0, 1))) == {"RenewTooEarly"}
    story.at(21)
    story.did(story.order(Renew(0, 1)))
    assert refused(story.order(Renew(0, 2))) == {"RenewTooEarly"}
    story.did(story.ledger.submit_batch([SignedOrder(0, Renew(0, 2), KEY)]))


def test_a_batch_pays_nothing_for_copies_of_its_orders() -> None:
    story = Story(sessions_max=2)
    story.opened()
    story.did(story.order(Open(1, 0, RATE, 900, 16_000)))
    story.at(26)
    ticks = [SignedOrder(0, Tick(0, 12), KEY), SignedOrder(0, Tick(1, 8), KEY)]
    copied = story.ledger.copy()
    assert isinstance(copied.submit(0, ticks[0].order, KEY), list)
    assert cost(copied.copy().submit_batch(ticks)) == (1, 1, ["OrderStale"], True)
    # somebody brings both, or the free share has no room
    assert isinstance(copied.submit(0, ticks[1].order, KEY), list)
    assert cost(copied.submit_batch(ticks)) == (0, 0, ["OrderStale"] * 2, False)
    assert cost(story.ledger.copy().submit_batch(ticks)) == (2, 2, [], True)
    story.ledger.free_lane_full = True
    assert cost(story.ledger.submit_batch(ticks)) == (2, 0, [], False)


def cost(outcome: Outcome) -> tuple[int, int, list[str], bool]:
    """Give a batch's counted and free orders, the errors of the others, and if it costs nothing."""
    assert isinstance(outcome, list)
    failures = [min(event.fields["error"]) for event in outcome if event.name == "OrderFailed"]
    done = outcome[-1]
    return done.fields["counted"], done.fields["free"], failures, costs_nothing(done, failures)


def test_a_subscription_is_earned_period_by_period() -> None:
    story = Story(renewals_max=1)
    tier = Tier(100, 20_000, 500_000)
    story.did(story.ledger.set_tiers(CREATOR, 0, [tier]))
    story.did(story.ledger.subscribe(VIEWER, 0, tier, 2))
    stream = story.ledger.streams[0]
    assert stream.earned == 100
    story.at(10)
    story.did(story.order(Open(0, 0, 2, 40, 0)))
    session = story.session
    assert (session.started_at, session.ended_at) == (4_000, 21_000)
    story.at(20)
    story.did(story.order(Tick(0, 6)))
    story.did(story.ledger.submit_batch([SignedOrder(0, Renew(0, 1), KEY)]))
    assert refused(story.order(Renew(0, 2))) == {"RenewalsUsedUp", "RenewTooEarly"}
    story.at(21)
    story.did(story.ledger.settle_subscription(0, VIEWER))
    assert stream.subscribed_total == 200
    assert refused(story.ledger.settle_subscription(0, VIEWER)) == {"SubscriptionRunning"}
    story.did(story.ledger.end_stream(CREATOR, 0))
    story.did(story.ledger.settle_subscription(0, VIEWER))
    # the third period never began
    assert story.ledger.vaults[VIEWER, NATIVE] == 5_000 - 200 - 40
    assert story.ledger.accounts.held[VIEWER] == story.ledger.grants[0].deposit


def test_shares_are_rounded_down_and_the_last_claim_leaves_nothing() -> None:
    story = Story()
    story.did(story.ledger.set_treasury_share(100_000))
    ghost = "ghost"
    payees = (Payee(CREATOR, 333_333), Payee(ghost, 666_667))
    story.did(story.ledger.update_stream(CREATOR, 0, StreamChange(payees=payees)))
    story.did(story.ledger.tip(VIEWER, 0, 11))
    events = story.did(story.ledger.claim(0))
    # the treasury's single unit and the ghost's six are below the least balance: vaults
    assert events[0].fields == {"stream": 0, "amount": 1, "credited": True}
    paid = [(event.fields["payee"], event.fields["amount"]) for event in events[1:]]
    assert paid == [(CREATOR, 3), (ghost, 6)]
    assert story.ledger.vaults[TREASURY, NATIVE] == 1
    assert story.ledger.vaults[ghost, NATIVE] == 6
    assert story.ledger.streams[0].earned == 1
    assert refused(story.ledger.claim(0)) == {"NothingToClaim"}
    without = StreamChange(payees=())
    assert refused(story.ledger.update_stream(CREATOR, 0, without)) == {"PayeeVaultDust"}
    story.did(story.ledger.end_stream(CREATOR, 0))
    story.did(story.ledger.claim(0))
    # its deposit pays for the ghost's vault
    assert story.ledger.streams[0].earned == 0
    assert refused(story.ledger.claim(0)) == {"NothingToClaim"}
    assert refused(story.ledger.claim(0, signed=False)) == {"ClaimNotLast"}
    story.ledger.accounts.add(ghost, NATIVE, 10)
    story.did(story.ledger.claim(0))
    assert (ghost, NATIVE) not in story.ledger.vaults
    assert not story.ledger.streams
    assert CREATOR not in story.ledger.accounts.held


def test_a_refund_is_of_the_owners_own_shares() -> None:
    story = Story()
    ledger = story.ledger
    story.did(ledger.set_treasury_share(100_000))
    payees = (Payee(CREATOR, 200_000), Payee(VIEWER, 500_000), Payee(CREATOR, 300_000))
    story.did(ledger.update_stream(CREATOR, 0, StreamChange(payees=payees)))
    story.did(ledger.tip(VIEWER, 0, 1_000))
    # 100 to the treasury, 180, 450 and 270 to the payees
    assert refused(ledger.refund(VIEWER, 0, VIEWER, 450)) == {"NotOwner"}
    assert refused(ledger.refund(CREATOR, 0, VIEWER, 451)) == {"EarningsTooLow"}
    events = story.did(ledger.copy().refund(CREATOR, 0, VIEWER, 450))
    assert paid(events) == [("TreasuryPaid", 100), ("Claimed", 450), ("Refunded", 450)]
    before = ledger.vaults[VIEWER, NATIVE]
    events = story.did(ledger.refund(CREATOR, 0, VIEWER, 200))
    assert paid(events) == [
        *(("TreasuryPaid", 100), ("Claimed", 450), ("Claimed", 250)),
        ("Refunded", 200),
    ]
    stream = ledger.streams[0]
    assert ledger.vaults[VIEWER, NATIVE] == before + 200
    assert (stream.earned, stream.earned_total, stream.refunded_total) == (0, 1_000, 200)
    payees = (Payee(VIEWER, 1_000_000),)
    story.did(ledger.update_stream(CREATOR, 0, StreamChange(payees=payees)))
    story.did(ledger.tip(VIEWER, 0, 1_000))
    assert refused(ledger.refund(CREATOR, 0, VIEWER, 1)) == {"EarningsTooLow"}


def paid(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.name, event.fields["amount"]) for event in events]


def test_totals_that_are_full_block_no_exit() -> None:
    ledger = genesis(POT)
    traffic = Traffic(ledger, Random(0))
    calls = [traffic.flood(), *traffic.coming]
    for call in calls:
        assert isinstance(performed(ledger, call), list), call
    (stream,) = ledger.streams.values()
    assert {stream.earned_total, stream.tips_total, stream.subscribed_total} == {U128_MAX}
    assert (stream.refunded_total, stream.earned, ledger.vaults) == (U128_MAX, 0, {})
    assert violated(ledger) == []


def test_an_end_has_a_place_after_the_last_pause() -> None:
    story = Story()
    for second in range(2, 2 + CONSTANTS.max_stops - 1):
        story.at(second)
        story.did(story.ledger.update_stream(CREATOR, 0, StreamChange(paused=True)))
        story.did(story.ledger.update_stream(CREATOR, 0, StreamChange(paused=False)))
    story.at(9)
    assert refused(story.ledger.update_stream(CREATOR, 0, StreamChange(paused=True))) == {
        "TooManyPauses"
    }
    story.did(story.ledger.end_stream(CREATOR, 0))


def test_an_asset_that_died_is_erased() -> None:
    ledger = genesis(POT)
    assert isinstance(ledger.deposit(1, 7, 500), list)
    assert isinstance(ledger.disable_asset(7), list)
    assert refused(ledger.write_off_asset(7)) == {"AssetAlive"}
    ledger.accounts.freeze(7, frozen=True)
    assert refused(ledger.write_off_asset(7)) == {"AssetAlive"}
    ledger.accounts.destroy(7)
    assert refused(ledger.withdraw(1, 7, 500)) == {"Asset"}
    assert isinstance(ledger.write_off_asset(7), list)
    assert isinstance(ledger.withdraw(1, 7, 500), list)
    assert ledger.asset_entries[7].owed == 0
    assert violated(ledger) == []


# --- what must always hold -----------------------------------------------------------------


def died(ledger: Ledger, before: frozenset[Any]) -> frozenset[Any]:
    return before | {asset for asset in ledger.asset_entries if asset not in ledger.accounts.kinds}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), hostile=st.sampled_from([0.02, 0.15, 0.5]))
def test_whatever_is_called_the_invariants_hold(seed: int, hostile: float) -> None:
    ledger = genesis(POT)
    traffic, gone = Traffic(ledger, Random(seed), hostile), frozenset[Any]()
    before = ledger.copy()
    for _ in range(150):
        call = traffic.call()
        outcome = performed(ledger, call)
        gone = died(ledger, gone)
        assert violated(ledger, died=gone) == []
        outside = call.name not in NAMES
        if isinstance(outcome, frozenset):
            assert outcome, "a refusal has a name"
        elif not outside and call.name != "set_stopped":
            assert outcome, "what changes something says so"
        assert broken_between(before, ledger, only_calls=not outside) == []
        before = ledger.copy()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_refused_or_replayed_changes_nothing(seed: int) -> None:
    ledger = genesis(POT)
    traffic = Traffic(ledger, Random(seed))
    for _ in range(150):
        call = traffic.call()
        before = ledger.copy()
        outcome = performed(ledger, call)
        if isinstance(outcome, frozenset):
            if outcome != {OUTSIDE}:
                assert state(ledger) == state(before)
        elif call.name == "submit":
            before = ledger.copy()
            assert isinstance(performed(ledger, call), frozenset), call
            assert state(ledger) == state(before)
        elif call.name == "submit_batch":
            before = ledger.copy()
            again = performed(ledger, call)
            assert isinstance(again, list)
            assert again[-1].fields["counted"] == 0, call
            assert state(ledger) == state(before)


def state(ledger: Ledger) -> dict[str, Any]:
    """Give all that a call may change."""
    entries = {name: value for name, value in vars(ledger).items() if name != "accounts"}
    accounts = ledger.accounts
    return entries | {"free": accounts.free, "held": accounts.held}


@settings(max_examples=60, deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    sessions_max=st.integers(1, 3),
    rate=st.integers(1, 5),
)
def test_a_stolen_key_takes_no_more_than_its_bound(
    random: Random, sessions_max: int, rate: int
) -> None:
    story = Story(sessions_max=sessions_max, rate_max_per_second=RATE, tips_max=20, cap=2_000)
    ledger = story.ledger
    story.did(ledger.set_tick_price(NATIVE, rate))
    ticks = 0
    for _ in range(40):
        ledger.now += random.choice((0, 1_000, 4_000, 6_000, 31_000))
        ledger.free_lane_full = False
        grant = ledger.grants[0]
        places = [*grant.open, grant.next_index]
        index = random.choice(places)
        order: Order = Open(index, 0, RATE, random.randint(3, 700), 0, rate)
        if (0, index) in ledger.sessions:
            session = ledger.sessions[0, index]
            total = session.seconds + ledger.read(session).room
            order = random.choice((Tick(index, total), Close(index, total), Tip(index, 20)))
        outcome = ledger.submit_batch([SignedOrder(0, order, KEY)])
        ticks += sum(event.name == "Ticked" for event in story.did(outcome))
        stream, grant = ledger.streams[0], ledger.grants[0]
        time_s = (ledger.now - grant.created_at) // 1000
        bound = min(grant.cap, sessions_max * RATE * time_s + rate * ticks) + 20
        assert stream.earned + stream.fees <= bound


def test_every_call_of_the_page_is_drawn() -> None:
    drawn: set[str] = set()
    for seed in range(12):
        ledger = genesis(POT)
        traffic = Traffic(ledger, Random(seed))
        for _ in range(300):
            call = traffic.call()
            performed(ledger, call)
            drawn.add(call.name)
    assert drawn >= set(NAMES)


def test_stories_reach_the_rules_of_paces_copies_and_refunds() -> None:
    met: Counter[str] = Counter()
    for seed in range(40):
        ledger = genesis(POT)
        traffic = Traffic(ledger, Random(seed), hostile=0.1)
        for _ in range(400):
            call = traffic.call()
            stream = ledger.streams.get(call.args["stream"]) if call.name == "refund" else None
            outcome = performed(ledger, call)
            if stream is not None:
                met[f"{whom_it_pays(stream)}, {told(outcome)}"] += 1
            elif call.name == "submit":
                met[f"{type(call.args['order']).__name__}, {told(outcome)}"] += 1
            elif call.name == "submit_batch" and isinstance(outcome, list):
                counted, _, failures, is_free = cost(outcome)
                met["forgiven"] += is_free and bool(failures)
                met["only copies"] += not counted and set(failures) == {"OrderStale"}
    wanted = (
        *("Tip, done", "Tip, TipTooSoon", "Renew, done", "Renew, RenewTooEarly"),
        *("the owner, done", "the owner and others, done", "others, EarningsTooLow"),
        *("forgiven", "only copies"),
    )
    assert [name for name in wanted if met[name] < 3] == [], met


def told(outcome: Outcome) -> str:
    """Give what came of a call, where no more than one error speaks against it."""
    if isinstance(outcome, list):
        return "done"
    return min(outcome) if len(outcome) == 1 else "several errors"


def whom_it_pays(stream: Stream) -> str:
    payees = {payee.account for payee in stream.payees}
    if stream.owner not in payees:
        return "others"
    return "the owner" if len(payees) == 1 else "the owner and others"
