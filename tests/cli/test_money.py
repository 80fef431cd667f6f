"""Assets, tips, refunds, tiers, subscriptions and the operator's calls on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.money import Money
from offchain.cli.tier_text import parse_tier
from offchain.ledger.types import AssetEntry, Currency, Payee, Subscription, Tier
from tests.cli.fake_ledger import (
    ALICE,
    BOB,
    NOW_MS,
    UNIT,
    USD,
    FakeLedger,
    event,
    grant_entry,
    session_entry,
    stream_entry,
)
from tests.cli.test_ledger import data, refused, run

DAY_MS = 86_400_000
MONTH = Tier(price=5 * UNIT, period_ms=30 * DAY_MS, discount=500_000)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLedger:
    made = FakeLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", made.open)
    monkeypatch.setenv("PAYSTREAM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PAYSTREAM_KEY", "//Alice")
    monkeypatch.setenv("PAYSTREAM_ACCOUNT", "//Alice")
    made.balances[ALICE, USD] = 50_000_000
    made.asset_vaults[ALICE, USD] = 2_000_000
    return made


# --- assets --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["1984", "usd", "USD"])
def test_an_asset_is_named_by_number_or_symbol(ledger: FakeLedger, name: str) -> None:
    told = data("vault", "show", "--asset", name)
    assert told["asset"] == "1984"
    assert (told["vault"], told["free"], told["in_sessions"]) == (2_000_000, 50_000_000, 0)
    assert "2 USD" in run("vault", "show", "--asset", name).stdout


def test_a_deposit_in_another_asset(ledger: FakeLedger) -> None:
    ledger.events_of_receipt = (
        event("Deposited", who=ALICE, asset={"WithId": USD}, amount=1_500_000),
    )
    told = data("vault", "deposit", "1.5 USD", "--asset", "usd")
    assert ledger.sent == [(b"deposit 1500000 of 1984", ALICE, "finalized")]
    assert (told["asset"], told["amount"]) == ("1984", 1_500_000)
    shown = run("vault", "deposit", "1.5 USD", "--asset", "usd", "--dry-run").stdout
    assert "2 USD → 3.5 USD" in shown
    assert "0.000012345678 UNIT" in shown  # the fee is native
    assert "less the fee" not in shown


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--asset", "eur"], Exit.USAGE, ["no asset called 'eur'", "UNIT, USD"]),
        (["--asset", "77"], Exit.REFUSED, ["no asset 77", "asset list"]),
        (["--asset", "99999999999"], Exit.USAGE, ["no asset called"]),
    ],
)
def test_an_asset_that_is_none(
    ledger: FakeLedger, arguments: list[str], code: Exit, words: list[str]
) -> None:
    refused(run("vault", "show", *arguments), code, *words)


def test_an_ambiguous_symbol_needs_the_number(ledger: FakeLedger) -> None:
    ledger.currencies[7] = Currency(asset=7, symbol="USD", decimals=2, minimum=1)
    ledger.entries[7] = ledger.entries[USD]
    refused(run("vault", "show", "--asset", "usd"), Exit.USAGE, "several assets", "1984, 7")


def test_an_asset_that_is_gone_can_still_be_withdrawn(ledger: FakeLedger) -> None:
    del ledger.currencies[USD]
    shown = run("vault", "withdraw", "all", "--asset", "1984", "--dry-run").stdout
    assert "2000000 ASSET1984 → 0 ASSET1984" in shown


def test_an_amount_in_the_wrong_unit_is_refused(ledger: FakeLedger) -> None:
    refused(run("vault", "deposit", "1 UNIT", "--asset", "usd"), Exit.USAGE, "UNIT", "USD")
    low = run("vault", "deposit", "0.0000001", "--asset", "usd")
    refused(low, Exit.USAGE, "6 digits")


def test_a_stream_in_another_asset(ledger: FakeLedger) -> None:
    dry = data("stream", "create", "--rate", "0.001 USD", "--asset", "usd", "--dry-run")
    assert dry["params"]["asset"] == {"WithId": USD}
    assert (dry["asset"], dry["rate_per_second"]) == ("1984", 1_000)
    ledger.streams_by_id[2] = stream_entry(asset=USD, rate_per_second=1_000, earned=700)
    text = run("stream", "list").stdout
    assert "0.001 USD/s" in text
    assert "0.001 UNIT/s" in text
    assert data("stream", "show", "2")["asset"] == "1984"
    shown = run("stream", "show", "2").stdout
    assert "0.0007 USD" in shown
    assert "0.1 UNIT" in shown  # its deposit


def test_sessions_and_grants_are_written_in_their_asset(ledger: FakeLedger) -> None:
    ledger.grants[3] = grant_entry(asset=USD, cap=5_000_000, cap_left=1, rate_max_per_second=1_000)
    ledger.sessions_open[3, 0] = session_entry(
        asset=USD, rate_per_second=1_000, funds=1_000_000, tick_price=10, fees=170
    )
    assert data("grant", "list")["grants"][0]["asset"] == "1984"
    assert "5 USD" in run("grant", "list").stdout
    shown = data("session", "show", "3-0")
    assert (shown["asset"], shown["paid"], shown["fees"]) == ("1984", 100_170, 170)
    assert "0.00001 USD a tick" in run("session", "show", "3-0").stdout
    assert "0.10017 USD" in run("session", "list").stdout


def test_a_grant_takes_the_streams_asset(ledger: FakeLedger) -> None:
    named = ["--delegate", "0x" + "11" * 32, "--proof", "0x00" + "22" * 64, "--dry-run"]
    ledger.streams_by_id[2] = stream_entry(asset=USD, rate_per_second=1_000)
    give = ["grant", "give", "--cap", "5 USD", "--stream", "2", *named]
    told = data(*give, "--tips", "1 USD", "--renewals", "3")
    terms = told["params"]["terms"]
    assert terms["asset"] == {"WithId": USD}
    assert (terms["tips_max"], terms["renewals_max"], terms["cap"]) == (1_000_000, 3, 5_000_000)
    assert "1 USD, beside that" in run(*give, "--tips", "1 USD").stdout
    refused(run(*give, "--asset", "native"), Exit.USAGE, "paid in USD, not in UNIT")
    alone = ["grant", "give", "--cap", "5", "--rate-max", "1", "--asset", "usd", *named]
    assert data(*alone)["params"]["terms"]["asset"] == {"WithId": USD}


# --- tips, refunds, transfers --------------------------------------------------------------


def test_a_tip_leaves_the_vault_with_its_message(ledger: FakeLedger) -> None:
    dry = data("tip", "2 UNIT", "--stream", "1", "--message", "Thank you", "--dry-run")
    assert (dry["amount"], dry["vault_after"]) == (2 * UNIT, 3 * UNIT)
    assert bytes.fromhex(dry["params"]["message"][2:]) == b"Thank you"
    ledger.events_of_receipt = (
        event("Tipped", stream=1, viewer=ALICE, amount=2 * UNIT, message="Thank you", grant=None),
    )
    assert data("tip", "2 UNIT", "--stream", "1")["amount"] == 2 * UNIT
    assert ledger.sent[-1][0] == b"PayStream.tip"
    refused(run("tip", "6 UNIT", "--stream", "1"), Exit.REFUSED, "5 UNIT", "deposit first")
    refused(run("tip", "0", "--stream", "1"), Exit.REFUSED, "more than nothing")
    long = run("tip", "1", "--stream", "1", "--message", "ß" * 70)
    refused(long, Exit.USAGE, "140 bytes", "128")


def test_a_refund_goes_into_a_vault(ledger: FakeLedger) -> None:
    ledger.vaults[BOB] = UNIT
    dry = data("stream", "refund", "1", "0.5 UNIT", "--viewer", "//Bob", "--dry-run")
    assert (dry["viewer"], dry["amount"]) == (BOB, UNIT // 2)
    # of one unit 70 % are Alice's: what she does not give back is claimed at the same time
    assert dry["payees"] == [
        {"account": ALICE, "amount": UNIT // 5},
        {"account": BOB, "amount": 3 * UNIT // 10},
    ]
    ledger.events_of_receipt = (
        event("TreasuryPaid", stream=1, amount=7),
        event("Claimed", stream=1, payee=BOB, amount=3 * UNIT // 10, credited=False),
        event("Refunded", stream=1, viewer=BOB, amount=UNIT // 2),
    )
    told = data("stream", "refund", "1", "0.5 UNIT", "--viewer", "//Bob")
    assert (told["amount"], told["claimed"], told["treasury"]) == (UNIT // 2, 3 * UNIT // 10, 7)


def test_only_the_owners_share_is_refunded(ledger: FakeLedger) -> None:
    much = run("stream", "refund", "1", "0.71 UNIT", "--viewer", "//Bob")
    refused(much, Exit.REFUSED, "1 UNIT that stream 1 has unclaimed", "share is 0.7 UNIT")
    ledger.share = 100_000
    less = run("stream", "refund", "1", "0.64 UNIT", "--viewer", "//Bob")
    refused(less, Exit.REFUSED, "share is 0.63 UNIT")
    ledger.streams_by_id[1] = stream_entry(
        payees=(
            Payee(account=ALICE, share=200_000),
            Payee(account=BOB, share=500_000),
            Payee(account=ALICE, share=300_000),
        )
    )
    dry = data("stream", "refund", "1", "0.45 UNIT", "--viewer", "//Bob", "--dry-run")
    assert [each["amount"] for each in dry["payees"]] == [0, 45 * UNIT // 100]
    ledger.streams_by_id[1] = stream_entry(payees=(Payee(account=BOB, share=1_000_000),))
    none = run("stream", "refund", "1", "0.1 UNIT", "--viewer", "//Bob")
    refused(none, Exit.REFUSED, "share is 0 UNIT")
    ledger.entries[None] = AssetEntry(status="WrittenOff")
    gone = run("stream", "refund", "1", "0.1 UNIT", "--viewer", "//Bob")
    refused(gone, Exit.REFUSED, "written off")
    foreign = run("stream", "refund", "1", "1", "--viewer", "//Bob", "--key", "//Bob")
    refused(foreign, Exit.REFUSED, "belongs to")


def test_a_stream_is_given_away_only_if_meant(ledger: FakeLedger) -> None:
    ledger.events_of_receipt = (event("StreamTransferred", stream=1, to=BOB, **{"from": ALICE}),)
    arguments = ["stream", "transfer", "1", "--to", "//Bob"]
    assert CliRunner().invoke(app, arguments, input="n\n").exit_code == Exit.USAGE
    assert ledger.sent == []
    assert data(*arguments, "--yes")["owner"] == BOB
    assert BOB in run(*arguments, "--dry-run").stdout
    refused(run("stream", "transfer", "1", "--to", "//Alice", "--yes"), Exit.REFUSED, "yours")


# --- tiers and subscriptions ---------------------------------------------------------------


def test_tiers_are_listed_and_set(ledger: FakeLedger) -> None:
    assert data("stream", "tiers", "1")["tiers"] == []
    offer = ["--offer", "5 UNIT/30d=50%", "--offer", "0.5 UNIT/1d=100%"]
    dry = data("stream", "tiers", "1", *offer, "--dry-run")
    assert dry["params"]["tiers"] == [
        {"price": 5 * UNIT, "period_ms": 30 * DAY_MS, "discount": 500_000},
        {"price": UNIT // 2, "period_ms": DAY_MS, "discount": 1_000_000},
    ]
    ledger.tiers_of[1] = (MONTH,)
    assert data("stream", "tiers", "1")["tiers"][0]["discount_ppm"] == 500_000
    assert "1: 5 UNIT for 30 d, 50% off" in run("stream", "tiers", "1").stdout
    assert data("stream", "tiers", "1", "--offer-nothing", "--dry-run")["tiers"] == []
    both = run("stream", "tiers", "1", "--offer-nothing", *offer)
    refused(both, Exit.USAGE, "--offer-nothing")
    refused(run("stream", "tiers", "1", "--offer", "5 UNIT=50%"), Exit.USAGE, "AMOUNT/TIME")
    refused(run("stream", "tiers", "1", "--offer", "0/1d=5%"), Exit.USAGE, "costs something")


@given(
    price=st.integers(1, 10**20),
    days=st.integers(1, 999),
    discount=st.integers(0, 1_000_000),
)
def test_tiers_are_read_exactly(price: int, days: int, discount: int) -> None:
    money = Money("UNIT", 12)
    whole, rest = divmod(discount, 10_000)
    read = parse_tier(f"{money.write(price)}/{days}d={whole}.{rest:04d}%", money)
    assert read == Tier(price=price, period_ms=days * DAY_MS, discount=discount)


@pytest.mark.parametrize("text", ["", "5", "5/30d", "5/=50%", "/30d=50%", "5/30d=", "5/30d=101x"])
def test_a_tier_that_cannot_be_read(text: str) -> None:
    with pytest.raises(Failure):
        parse_tier(text, Money("UNIT", 12))


def subscribed(**changes: int) -> Subscription:
    entry = {"started_at": NOW_MS - DAY_MS, "periods": 3, "periods_earned": 1, "deposit": 9}
    return Subscription(tier=MONTH, **(entry | changes))


def test_subscriptions_are_listed_by_viewer(ledger: FakeLedger) -> None:
    assert "No subscriptions of" in run("subscription", "list").stdout
    ledger.streams_by_id[2] = stream_entry(status="Ended")
    ledger.subscribed = {(1, ALICE): subscribed(), (2, ALICE): subscribed(), (1, BOB): subscribed()}
    told = data("subscription", "list")["subscriptions"]
    assert [(each["stream"], each["running"]) for each in told] == [(1, True), (2, False)]
    shown = data("subscription", "show", "--stream", "1")
    assert told[0] == shown
    assert "over" in run("subscription", "list").stdout


def test_a_subscription_is_bought(ledger: FakeLedger) -> None:
    refused(run("subscription", "subscribe", "--stream", "1"), Exit.REFUSED, "no tiers")
    ledger.tiers_of[1] = (MONTH, Tier(price=UNIT, period_ms=DAY_MS, discount=0))
    refused(run("subscription", "subscribe", "--stream", "1"), Exit.USAGE, "--tier 1 to 2")
    dry = data("subscription", "subscribe", "--stream", "1", "--tier", "1", "--dry-run")
    assert (dry["amount"], dry["tier"]["period_ms"]) == (5 * UNIT, 30 * DAY_MS)
    text = run("subscription", "subscribe", "--stream", "1", "--tier", "1", "--dry-run").stdout
    assert "0.0005 UNIT" in text  # half of the price of a second
    much = run("subscription", "subscribe", "--stream", "1", "--tier", "1", "--periods", "2")
    refused(much, Exit.REFUSED, "10 UNIT", "5 UNIT", "deposit")
    ledger.events_of_receipt = (event("Subscribed", stream=1, viewer=ALICE, paid_until=NOW_MS),)
    told = data("subscription", "subscribe", "--stream", "1", "--tier", "2")
    assert told["paid_until"] == NOW_MS
    ledger.subscribed[1, ALICE] = subscribed()
    other = run("subscription", "subscribe", "--stream", "1", "--tier", "2")
    refused(other, Exit.REFUSED, "another tier")


def test_a_subscription_is_shown_cancelled_and_settled(ledger: FakeLedger) -> None:
    refused(run("subscription", "show", "--stream", "1"), Exit.REFUSED, "no subscription")
    ledger.subscribed[1, ALICE] = subscribed()
    shown = data("subscription", "show", "--stream", "1")
    assert (shown["running"], shown["held"]) == (True, 10 * UNIT)
    assert shown["paid_until"] == NOW_MS + 89 * DAY_MS
    assert "runs" in run("subscription", "show", "--stream", "1").stdout
    assert data("subscription", "cancel", "--stream", "1", "--dry-run")["refunded"] == 10 * UNIT
    ledger.events_of_receipt = (
        event("SubscriptionCancelled", stream=1, refunded=10 * UNIT, paid_until=NOW_MS),
    )
    assert data("subscription", "cancel", "--stream", "1")["refunded"] == 10 * UNIT
    ledger.subscribed[1, ALICE] = subscribed(started_at=NOW_MS - 91 * DAY_MS)
    dry = data("subscription", "settle", "--stream", "1", "--dry-run")
    assert (dry["earned"], dry["refunded"], dry["ended"]) == (10 * UNIT, 0, True)
    ledger.events_of_receipt = (
        event("SubscriptionEarned", stream=1, viewer=ALICE, periods=2, amount=10 * UNIT),
        event("SubscriptionEnded", stream=1, viewer=ALICE, refunded=0),
    )
    told = data("subscription", "settle", "--stream", "1")
    assert (told["earned"], told["ended"]) == (10 * UNIT, True)


# --- the operator --------------------------------------------------------------------------


def test_the_guardian_stops_and_disables_and_does_nothing_else(ledger: FakeLedger) -> None:
    ledger.guard = BOB
    assert data("operator", "stop", "--key", "//Bob")["call"] == "PayStream.set_stopped"
    assert ledger.sent[-1][:2] == (b"PayStream.set_stopped", BOB)
    data("asset", "disable", "native", "--key", "//Bob")
    assert ledger.sent[-1][:2] == (b"PayStream.disable_asset", BOB)
    for others in (("operator", "resume"), ("asset", "write-off", "native", "--yes")):
        refused(run(*others, "--key", "//Bob"), Exit.REFUSED, "speaks for the operator")
    refused(run("operator", "stop", "--key", "//Charlie"), Exit.REFUSED, "speaks for the operator")
    assert len(ledger.sent) == 2


def test_the_operators_calls_are_signed_by_the_sudo_key(ledger: FakeLedger) -> None:
    assert data("operator", "stop")["stopped"] is False  # what the ledger says afterwards
    assert ledger.sent[-1][0] == b"sudo PayStream.set_stopped"
    dry = data("operator", "treasury-share", "2.5%", "--dry-run")
    assert dry["call"] == "Sudo.sudo(PayStream.set_treasury_share)"
    assert (dry["share_ppm"], dry["params"]) == (25_000, {"share": 25_000})
    refused(run("operator", "resume", "--key", "//Bob"), Exit.REFUSED, ALICE, "--key", "0x")
    ledger.sudo = None
    refused(run("operator", "stop"), Exit.REFUSED, "no sudo key", "0x506179")
    refused(run("operator", "treasury-share", "5"), Exit.USAGE, "2.5%")
    refused(run("operator", "treasury-share", "101%"), Exit.USAGE, "100%")
    ledger.stopped, ledger.share = True, 10_000
    shown = run("operator", "show").stdout
    assert "1%" in shown
    assert "no new money" in shown
    assert data("operator", "show") == {
        "share_ppm": 10_000,
        "stopped": True,
        "sudo_key": None,
        "guardian": None,
    }


def test_assets_are_listed_and_enabled(ledger: FakeLedger) -> None:
    ledger.balances[ledger.pot, USD] = 10_000
    listed = data("asset", "list")
    assert [each["asset"] for each in listed["assets"]] == ["native", "1984"]
    assert listed["assets"][1] == {
        "asset": "1984",
        "symbol": "USD",
        "decimals": 6,
        "status": "Enabled",
        "tick_price": 0,
        "tip_min": 10_000,
        "owed": 0,
        "pot": 10_000,
    }
    assert "0.01 USD" in run("asset", "list").stdout
    dry = data("asset", "enable", "1984", "--tip-min", "0.1 USD", "--dry-run")
    assert dry["params"] == {"asset": {"WithId": USD}, "tip_min": 100_000}
    assert data("asset", "enable", "1984")["status"] == "Enabled"
    ledger.balances[ledger.pot, USD] = 9_999
    poor = run("asset", "enable", "1984")
    refused(poor, Exit.REFUSED, ledger.pot, "0.009999 USD", "0.01 USD", "send it")


def test_an_asset_is_disabled_priced_and_written_off(ledger: FakeLedger) -> None:
    assert "Enabled → Disabled" in run("asset", "disable", "usd", "--dry-run").stdout
    assert data("asset", "disable", "usd")["asset"] == "1984"
    dry = data("asset", "tick-price", "usd", "0.00001 USD", "--dry-run")
    assert (dry["price_before"], dry["price"]) == (0, 10)
    assert data("asset", "tick-price", "native", "0.01", "--dry-run")["price"] == UNIT // 100
    dear = run("asset", "tick-price", "native", "0.010000000001")
    refused(dear, Exit.REFUSED, "at most 0.01 UNIT")
    assert CliRunner().invoke(app, ["asset", "write-off", "usd"], input="n\n").exit_code == 2
    assert data("asset", "write-off", "usd", "--yes")["asset"] == "1984"
    del ledger.entries[USD]
    refused(run("asset", "disable", "1984"), Exit.REFUSED, "never taken")
