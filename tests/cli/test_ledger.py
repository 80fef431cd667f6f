"""Commands on the ledger, against a ledger of dictionaries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.audit import TOTAL_MAX
from offchain.cli.exits import Exit
from offchain.ledger import errors
from offchain.ledger.types import DelegateKey
from tests.cli.fake_ledger import (
    ALICE,
    BOB,
    GENESIS,
    KEY,
    NOW_MS,
    UNIT,
    FakeLedger,
    event,
    grant_entry,
    session_entry,
    stream_entry,
)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLedger:
    made = FakeLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", made.open)
    monkeypatch.setenv("PAYSTREAM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PAYSTREAM_KEY", "//Alice")
    monkeypatch.setenv("PAYSTREAM_ACCOUNT", "//Alice")
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "100"})


def data(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 1
    return json.loads(result.stdout)


def refused(result: Result, code: Exit, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    for word in ("Error: ", *words):
        assert word in result.stderr


def test_a_deposit_is_signed_sent_and_told(ledger: FakeLedger) -> None:
    ledger.events_of_receipt = (event("Deposited", who=ALICE, asset=None, amount=3 * UNIT // 2),)
    told = data("vault", "deposit", "1.5 UNIT")
    assert ledger.sent == [(b"deposit 1500000000000", ALICE, "finalized")]
    assert told["amount"] == 1_500_000_000_000
    assert told["fee"] == 7
    assert told["block_number"] == 42
    assert told["finalized"] is True
    text = run("vault", "deposit", "1.5 UNIT", "--no-wait").stdout
    assert "1.5 UNIT" in text
    assert "42 (not yet final)" in text
    assert ledger.sent[-1][2] == "in_block"


def test_a_dry_run_shows_call_fee_and_effect_and_sends_nothing(ledger: FakeLedger) -> None:
    text = run("vault", "deposit", "1.5 UNIT", "--dry-run").stdout
    for part in ("PayStream.deposit", "0.000012345678 UNIT", "5 UNIT → 6.5 UNIT", ALICE):
        assert part in text
    told = data("vault", "deposit", "1.5", "--dry-run")
    assert told["dry_run"] is True
    assert (told["fee"], told["vault_after"]) == (12_345_678, 6_500_000_000_000)
    assert ledger.sent == []


def test_a_dry_run_needs_no_password(ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYSTREAM_KEY", BOB)
    ledger.vaults[BOB] = UNIT
    assert data("vault", "withdraw", "all", "--dry-run")["amount"] == UNIT


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["vault", "deposit", "101 UNIT"], Exit.REFUSED, ["has 100 UNIT", "deposit at most"]),
        (["vault", "deposit", "0"], Exit.USAGE, ["zero"]),
        (["vault", "deposit", "1.5 DOT"], Exit.USAGE, ["DOT", "UNIT"]),
        (["vault", "deposit", "much"], Exit.USAGE, ["no amount", "1.5 UNIT"]),
        (["vault", "withdraw", "6 UNIT"], Exit.REFUSED, ["5 UNIT in the vault"]),
        (["stream", "show", "9"], Exit.REFUSED, ["no stream 9", "stream list"]),
        (["stream", "pause", "9"], Exit.REFUSED, ["no stream 9"]),
        (["stream", "pause", "1", "--key", "//Bob"], Exit.REFUSED, ["belongs to", ALICE, "--key"]),
        (["stream", "resume", "1"], Exit.REFUSED, ["is active already"]),
        (["stream", "end", "1", "--yes", "--key", "//Bob"], Exit.REFUSED, ["belongs to"]),
        (["stream", "create", "--rate", "0"], Exit.USAGE, ["--rate is zero"]),
        (["stream", "create", "--rate", "-1"], Exit.USAGE, ["--rate"]),
        (["stream", "create"], Exit.USAGE, ["--rate", "--help"]),
        (["stream", "create", "--rate", "1", "--payee", "//Bob=50%"], Exit.USAGE, ["50%", "100%"]),
        (["stream", "create", "--rate", "1", "--payee", "//Bob"], Exit.USAGE, ["ACCOUNT=SHARE"]),
        (["stream", "create", "--rate", "1", "--payee", "nobody=100%"], Exit.KEYS, ["'nobody'"]),
        (["grant", "revoke", "9"], Exit.REFUSED, ["no grant 9"]),
        (["grant", "revoke", "3", "--key", "//Bob"], Exit.REFUSED, ["viewer's key"]),
        (["grant", "give", "--cap", "1"], Exit.USAGE, ["--stream", "--delegate"]),
        (["grant", "give", "--cap", "1", "--delegate", "0x00"], Exit.USAGE, ["--proof"]),
        (["session", "show", "4-0"], Exit.REFUSED, ["4-0 is not open"]),
        (["session", "show", "4"], Exit.USAGE, ["GRANT-INDEX"]),
        (["session", "close", "4-0", "--dry-run"], Exit.REFUSED, ["session list"]),
        (["claim", "--stream", "9"], Exit.REFUSED, ["no stream 9"]),
        (["claim"], Exit.USAGE, ["--stream"]),
        (["vault", "show", "--account", "nobody"], Exit.KEYS, ["neither an address nor a key"]),
        (["vault", "show", "--chain", "http://x"], Exit.USAGE, ["WebSocket"]),
        (["vault", "depsit", "1"], Exit.USAGE, ["Did you mean 'deposit'"]),
        (["stream", "show", "one"], Exit.USAGE, ["STREAM", "--help"]),
    ],
)
def test_what_cannot_be_is_one_line_with_its_remedy(
    ledger: FakeLedger, arguments: list[str], code: Exit, words: list[str]
) -> None:
    refused(run(*arguments), code, *words)
    assert ledger.sent == []


def test_a_value_from_the_file_is_named_with_its_file(ledger: FakeLedger, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[claim]\nstream = "one"\n')
    refused(run("claim", "--config", str(config)), Exit.USAGE, "'--stream'", f"set in {config}")


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (errors.NodeUnreachable("ws://x", "gone"), Exit.CHAIN, "no answer from the node"),
        (errors.by_name("VaultTooLow")("PayStream", "VaultTooLow", "Pay in."), Exit.REFUSED, "Pay"),
        (errors.TransactionRefused("Payment", "Payment", "No money."), Exit.REFUSED, "No money"),
        (errors.NotIncluded("0x1", "retracted", "send it again"), Exit.REFUSED, "send it again"),
        (errors.WrongRuntime("other", 3, "no pallet"), Exit.RUNTIME, "other version 3"),
    ],
)
def test_what_the_ledger_raises_has_its_exit_code(
    ledger: FakeLedger, error: Exception, code: Exit, word: str
) -> None:
    ledger.failure = error
    refused(run("vault", "withdraw", "1"), code, word)


def test_a_defect_says_so_and_the_traceback_is_for_who_asks(
    ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.failure = ZeroDivisionError("oh")
    refused(run("vault", "withdraw", "1"), Exit.DEFECT, "ZeroDivisionError", "PAYSTREAM_DEBUG=1")
    monkeypatch.setenv("PAYSTREAM_DEBUG", "1")
    assert "Traceback" in run("vault", "deposit", "1").stderr


@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt(), BaseExceptionGroup("trio", [KeyboardInterrupt()])]
)
def test_ctrl_c_is_no_traceback(ledger: FakeLedger, stop: BaseException) -> None:
    ledger.failure = stop
    result = run("vault", "deposit", "1")
    assert result.exit_code == Exit.INTERRUPTED
    assert "Traceback" not in result.output


def test_a_vault_and_what_sessions_hold(ledger: FakeLedger) -> None:
    assert data("vault", "show") == {
        "account": ALICE,
        "asset": "native",
        "vault": 5 * UNIT,
        "in_sessions": 900_000_000_000,
        "free": 100 * UNIT,
    }
    assert "0.9 UNIT" in run("vault", "show").stdout


def test_a_stream_is_created_with_exact_shares(ledger: FakeLedger) -> None:
    ledger.events_of_receipt = (event("StreamCreated", stream=1, owner=ALICE),)
    payees = ["--payee", "//Alice=33.3333%", "--payee", f"{BOB}=66.6667%"]
    dry = data("stream", "create", "--rate", "0.001 UNIT", *payees, "--dry-run")
    shares = [each["share"] for each in dry["params"]["payees"]]
    assert shares == [333_333, 666_667]
    assert dry["params"]["gap_min_ms"] == 10_000
    made = data("stream", "create", "--rate", "0.001 UNIT", *payees)
    assert (made["stream"], made["rate_per_second"]) == (1, UNIT // 1000)
    assert ledger.sent[0][0] == b"PayStream.create_stream"


def test_streams_are_listed_by_owner(ledger: FakeLedger) -> None:
    ledger.streams_by_id[2] = stream_entry(owner=BOB, status="Paused")
    listed = data("stream", "list", "--account", "//Bob")["streams"]
    assert [each["stream"] for each in listed] == [2]
    text = run("stream", "list", "--account", "").stdout
    assert "Paused" in text
    assert "0.001 UNIT/s" in text
    assert data("stream", "show", "1")["payees"][1] == {"account": BOB, "share_ppm": 300_000}


def test_what_belongs_to_somebody_is_looked_up(ledger: FakeLedger) -> None:
    ledger.sessions_open[4, 1] = session_entry(viewer=BOB, stream=2)
    ledger.grants[4] = grant_entry(viewer=BOB, key=DelegateKey(scheme="ed25519", public=KEY.public))
    told = data("session", "list", "--stream", "2")
    assert (told["stream"], [each["session"] for each in told["sessions"]]) == (2, ["4-1"])
    assert "No open sessions of stream 9" in run("session", "list", "--stream", "9").stdout
    delegate = ("grant", "list", "--delegate", "0x" + KEY.public.hex())
    assert [each["grant"] for each in data(*delegate)["grants"]] == [3]
    assert [each["grant"] for each in data(*delegate, "--scheme", "ed25519")["grants"]] == [4]
    refused(run("grant", "list", "--delegate", "0x12"), Exit.USAGE, "--delegate")
    refused(run(*delegate, "--scheme", "ecdsa"), Exit.USAGE, "--scheme")
    refused(run("session", "list", "--stream", "2", "--history"), Exit.USAGE, "--history")


def test_a_lookup_says_that_its_index_is_being_built(ledger: FakeLedger) -> None:
    ledger.indexed = False
    for looked_up in (
        ("stream", "list", "--account", "//Bob"),
        ("session", "list", "--stream", "1"),
        ("subscription", "list"),
        ("grant", "list", "--delegate", "0x" + KEY.public.hex()),
    ):
        refused(run(*looked_up), Exit.CHAIN, "ask again in some blocks")
    assert data("grant", "list")["grants"], "the grants of a viewer have always been listed"


def test_pause_resume_and_end(ledger: FakeLedger) -> None:
    ledger.events_of_receipt = (event("StreamUpdated", stream=1, status="Paused"),)
    assert data("stream", "pause", "1")["status"] == "Paused"
    ledger.streams_by_id[1] = stream_entry(status="Paused")
    assert data("stream", "resume", "1", "--dry-run")["status"] == "Active"
    dry = run("stream", "end", "1", "--dry-run").stdout
    assert "for good" in dry
    ledger.events_of_receipt = (event("StreamEnded", stream=1),)
    refused_result = CliRunner().invoke(app, ["stream", "end", "1"], input="n\n")
    assert refused_result.exit_code == Exit.USAGE
    assert len(ledger.sent) == 1
    assert CliRunner().invoke(app, ["stream", "end", "1"], input="y\n").exit_code == 0
    assert data("stream", "end", "1", "--yes")["status"] == "Ended"


def test_a_claim_shows_who_gets_what(ledger: FakeLedger) -> None:
    dry = data("claim", "--stream", "1", "--dry-run")
    assert dry["payees"] == [
        {"account": ALICE, "amount": 700_000_000_000},
        {"account": BOB, "amount": 300_000_000_000},
    ]
    claimed = [(ALICE, 700_000_000_000, False), (BOB, 300_000_000_000, True)]
    ledger.events_of_receipt = tuple(
        event("Claimed", stream=1, payee=who, amount=amount, credited=credited)
        for who, amount, credited in claimed
    )
    told = data("claim", "--stream", "1")
    assert told["claimed"] == UNIT
    assert ledger.sent[0][2] == "finalized"
    text = run("claim", "--stream", "1").stdout
    assert "(into the vault)" in text
    ledger.streams_by_id[1] = stream_entry(earned=0)
    refused(run("claim", "--stream", "1"), Exit.REFUSED, "nothing to claim")


def test_the_last_claim_needs_neither_key_nor_money(
    ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.free = 0
    ended: dict[str, Any] = {"status": "Ended", "sessions_open": 0, "earned": 0}
    ledger.streams_by_id[1] = stream_entry(**ended)
    monkeypatch.delenv("PAYSTREAM_KEY", raising=False)
    dry = data("claim", "--stream", "1", "--dry-run")
    assert (dry["account"], dry["fee"], ledger.sent) == (None, 0, [])
    assert data("claim", "--stream", "1")["account"] is None
    assert ledger.sent == [(b"PayStream.claim", None, "finalized")]
    ledger.free = UNIT
    assert data("claim", "--stream", "1", "--key", "//Alice")["account"] == ALICE
    for more in ({"sessions_open": 1}, {"subscriptions_open": 1}, {"status": "Paused"}):
        ledger.streams_by_id[1] = stream_entry(**(ended | {"earned": UNIT} | more))
        assert data("claim", "--stream", "1", "--key", "//Alice", "--dry-run")["fee"] > 0
        assert "no key" in run("claim", "--stream", "1").stderr


def test_grants_are_listed_and_revoked(ledger: FakeLedger) -> None:
    ledger.grants[4] = grant_entry(ended_at=NOW_MS - 1, open=())
    listed = data("grant", "list")
    assert [each["grant"] for each in listed["grants"]] == [3, 4]
    text = run("grant", "list").stdout
    assert "active" in text
    assert "ended" in text
    ledger.events_of_receipt = (event("Revoked", grant=3, viewer=ALICE),)
    assert data("grant", "revoke", "3")["deleted"] is False
    ledger.events_of_receipt = (event("GrantDeleted", grant=3, viewer=ALICE),)
    assert data("grant", "revoke", "3")["deleted"] is True


def test_a_grant_to_a_named_delegate(ledger: FakeLedger) -> None:
    named = ["--delegate", "0x" + "11" * 32, "--proof", "0x00" + "22" * 64]
    arguments = ["grant", "give", "--cap", "5 UNIT", "--stream", "1", *named]
    ledger.events_of_receipt = (
        event("Granted", grant=7, viewer=ALICE, asset="Native", cap=5 * UNIT, expires_at=NOW_MS),
    )
    assert data(*arguments)["grant"] == 7
    assert ledger.sent[-1][0] == b"grant"
    dry = data(*arguments, "--deposit", "2 UNIT", "--dry-run")
    assert dry["call"] == "Utility.batch_all"
    assert dry["vault_after"] == 7 * UNIT
    assert dry["rate_max_per_second"] == UNIT // 1000
    assert dry["expires_at"] == NOW_MS + 30 * 86_400_000
    low = run(*arguments, "--rate-max", "0.0001 UNIT")
    refused(low, Exit.USAGE, "--rate-max", "0.001 UNIT a second")
    refused(run(*arguments, "--expires-in", "soon"), Exit.USAGE, "--expires-in", "30d")
    few = ["grant", "give", "--cap", "0.0001 UNIT", "--stream", "1", *named]
    refused(run(*few), Exit.USAGE, "--cap", "less than one second")


def test_sessions_are_read_from_the_chain(ledger: FakeLedger) -> None:
    listed = data("session", "list")["sessions"]
    assert [each["session"] for each in listed] == ["3-0"]
    assert listed[0]["paid"] == 100_000_000_000
    assert data("session", "show", "3-0")["funds"] == UNIT
    assert "0.9 UNIT left (15 min)" in run("session", "show", "3-0").stdout
    assert data("session", "close", "3-0", "--dry-run")["fee"] == 0


def test_the_chain_in_status(ledger: FakeLedger) -> None:
    result = run("status", "--server", "http://127.0.0.1:1", "--json")
    assert result.exit_code == Exit.SERVER
    told = json.loads(result.stdout)
    assert told["chain"]["best_block"] == 12
    assert told["chain"]["genesis_hash"] == GENESIS
    assert told["server"]["code"] == "server-unreachable"
    assert "12, final 10" in run("status", "--server", "http://127.0.0.1:1").stdout


def paid_session(*, paid: int = UNIT // 10, refunded: int = 9 * UNIT // 10) -> dict[int, Any]:
    session = {"grant": 3, "index": 0, "stream": 1}
    return {
        2: (event("StreamCreated", stream=1, owner=ALICE),),
        4: (
            event(
                "SessionOpened",
                **session,
                viewer=ALICE,
                rate_per_second=UNIT // 1000,
                funds=UNIT,
                started_at=NOW_MS,
            ),
        ),
        6: (event("Ticked", **session, seconds=60, charged_seconds=60, amount=60 * UNIT // 1000),),
        8: (
            event("Ticked", **session, seconds=100, charged_seconds=40, amount=40 * UNIT // 1000),
            event(
                "SessionClosed",
                **session,
                seconds=100,
                paid=paid,
                refunded=refunded,
                ended_at=NOW_MS,
                reason="Order",
            ),
        ),
        9: (event("Claimed", stream=1, payee=BOB, amount=UNIT // 10, credited=False),),
    }


def test_a_history_that_agrees_reconciles(ledger: FakeLedger) -> None:
    ledger.blocks = paid_session()
    ledger.sessions_open = {}
    ledger.streams_by_id[1] = stream_entry(earned=0, earned_total=UNIT // 10)
    told = data("reconcile", "--stream", "1")
    assert told["reconciled"] is True
    assert told["disagreements"] == []
    assert told["sessions"][0]["blocks"] == {"opened": 4, "last_tick": 8, "closed": 8}
    assert "Everything agrees." in run("reconcile", "--stream", "1").stdout


def test_a_history_that_disagrees_exits_with_1(ledger: FakeLedger) -> None:
    ledger.blocks = paid_session(paid=UNIT // 5)
    ledger.sessions_open = {}
    ledger.streams_by_id[1] = stream_entry(earned=UNIT, earned_total=UNIT)
    result = run("reconcile", "--stream", "1", "--json")
    assert result.exit_code == Exit.FAILED
    told = json.loads(result.stdout)
    assert told["reconciled"] is False
    assert len(told["disagreements"]) == 4
    assert "session 3-0: closed as paid" in told["disagreements"][0]
    shown = run("reconcile", "--stream", "1")
    assert shown.exit_code == Exit.FAILED
    assert shown.stdout.count("Disagrees: ") == 4


def test_tips_fees_and_subscriptions_reconcile(ledger: FakeLedger) -> None:
    fee = UNIT // 1000
    blocks = paid_session(paid=UNIT // 10 + 2 * fee, refunded=9 * UNIT // 10 - 2 * fee)
    for number in (6, 8):
        blocks[number][0].fields["fee"] = fee
    blocks[7] = (
        event("Tipped", stream=1, viewer=BOB, amount=5, message="Hi", grant=None),
        event("SubscriptionEarned", stream=1, viewer=BOB, periods=1, amount=70),
        event("Refunded", stream=1, viewer=BOB, amount=20),
        event("TreasuryPaid", stream=1, amount=2 * fee + 3),
    )
    ledger.blocks, ledger.sessions_open = blocks, {}
    ledger.streams_by_id[1] = stream_entry(
        earned=5 + 70 - 20 - 3, earned_total=UNIT // 10 + 75, tips_total=5, subscribed_total=70
    )
    told = data("reconcile", "--stream", "1")
    assert told["disagreements"] == []
    assert (told["tipped"], told["subscribed"], told["refunded"]) == (5, 70, 20)
    assert told["treasury"] == 2 * fee + 3
    assert told["sessions"][0]["paid"] == UNIT // 10 + 2 * fee
    assert "Tipped in them" in run("reconcile", "--stream", "1").stdout


def test_a_refund_that_pays_the_others_reconciles(ledger: FakeLedger) -> None:
    blocks = paid_session()
    blocks[9] = (
        event("TreasuryPaid", stream=1, amount=UNIT // 100),
        event("Claimed", stream=1, payee=BOB, amount=UNIT // 50, credited=False),
        event("Claimed", stream=1, payee=ALICE, amount=UNIT // 50, credited=False),
        event("Refunded", stream=1, viewer=BOB, amount=UNIT // 20),
    )
    ledger.blocks, ledger.sessions_open = blocks, {}
    ledger.streams_by_id[1] = stream_entry(earned=0, earned_total=UNIT // 10)
    told = data("reconcile", "--stream", "1")
    assert told["disagreements"] == []
    assert (told["claimed"], told["refunded"]) == (UNIT // 25, UNIT // 20)
    ledger.streams_by_id[1] = stream_entry(earned=1, earned_total=UNIT // 10)
    assert run("reconcile", "--stream", "1").exit_code == Exit.FAILED


def test_a_total_that_is_full_reconciles(ledger: FakeLedger) -> None:
    ledger.blocks, ledger.sessions_open = paid_session(), {}
    ledger.streams_at[1] = stream_entry(earned=0, earned_total=TOTAL_MAX - 1)
    ledger.streams_by_id[1] = stream_entry(earned=0, earned_total=TOTAL_MAX)
    told = data("reconcile", "--stream", "1", "--from-block", "2")
    assert told["disagreements"] == []


def test_what_a_node_has_pruned_is_taken_from_the_entries(
    ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offchain.cli.reconcile.PRUNED_WHILE_READING", 1)
    ledger.blocks = paid_session()
    ledger.sessions_open = {}
    ledger.pruned_below = 6
    # before the last tick 60 seconds were paid, and nothing was claimed
    early = stream_entry(earned=60 * UNIT // 1000, earned_total=60 * UNIT // 1000)
    ledger.streams_at = {6: early}
    ledger.streams_by_id[1] = stream_entry(earned=0, earned_total=UNIT // 10)
    result = run("reconcile", "--stream", "1")
    assert result.exit_code == 0, result.output
    assert "no state before block 6" in result.stderr
    told = data("reconcile", "--stream", "1")
    assert (told["from_block"], told["charged"], told["claimed"]) == (
        7,
        40 * UNIT // 1000,
        UNIT // 10,
    )
    refused(run("reconcile", "--stream", "1", "--from-block", "3"), Exit.REFUSED, "archive")


def test_a_stream_that_never_was_does_not_reconcile(ledger: FakeLedger) -> None:
    refused(run("reconcile", "--stream", "7"), Exit.REFUSED, "no stream 7")
    refused(run("reconcile"), Exit.USAGE, "--stream or --report")


def test_a_report_of_the_demo_is_judged(ledger: FakeLedger, tmp_path: Path) -> None:
    viewer = {
        "account": BOB,
        "watched_ms": 10_400,
        "delivered_ms": 10_300,
        "paid_seconds": 10,
        "rate_per_second": 5,
        "paid": 50,
        "vault_before": 100,
        "vault_after": 50,
    }
    report = {
        "stream": {"earned": 50, "claimed": 50},
        "viewers": [viewer],
        "payees": [{"account": ALICE, "received": 50}],
    }
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report))
    assert data("reconcile", "--report", str(file))["reconciled"] is True
    viewer["paid_seconds"] = 13
    file.write_text(json.dumps(report))
    assert run("reconcile", "--report", str(file)).exit_code == Exit.FAILED
    file.write_text("{}")
    refused(run("reconcile", "--report", str(file)), Exit.USAGE, "no report")
    refused(run("reconcile", "--report", "/nope"), Exit.USAGE, "/nope")
