"""`paystream relay --dry-run`: what is in the way of a start, and what would be sent first."""

from __future__ import annotations

import fcntl
import json
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from typer.testing import CliRunner

from offchain.cli import app
from offchain.cli.checks import Check, failed, ok
from offchain.cli.exits import Exit
from offchain.journal import Statement, open_journal, put_connection, put_finalized, put_session
from offchain.keys import Keystore, dev_key
from offchain.keys.delegate_keys import DelegateKeys, add_master
from offchain.ledger.types import DelegateKey, Session, Subscription, Tier
from tests.cli.fake_ledger import (
    ALICE,
    GENESIS,
    NOW_MS,
    UNIT,
    FakeLedger,
    grant_entry,
    session_entry,
)
from tests.journal.samples import connection, session
from tests.signer.test_process import PASSWORD, started


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: Path) -> FakeLedger:
    made = FakeLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", made.open)
    # `paystream doctor` has tests of it
    monkeypatch.setattr("offchain.cli.checks.running.chain", lambda url: [ok("Chain", url)])
    monkeypatch.setattr("offchain.relayer.run.run_relayer", lambda _: pytest.fail("it started"))
    monkeypatch.setenv("PAYSTREAM_STATE_DIR", str(state))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    password = tmp_path / "password"
    password.write_text("secret")
    password.chmod(0o600)
    monkeypatch.setenv("PAYSTREAM_PASSWORD_FILE", str(password))
    return made


def rehearsed(*arguments: str, exit_code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["relay", "--dry-run", "--json", *arguments])
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


def state_of(told: Any, name: str) -> str:
    (found,) = (each["state"] for each in told["checks"] if each["name"] == name)
    return str(found)


def journaled(state: Path, *statements: Statement, genesis: str = GENESIS) -> None:
    async def main() -> None:
        async with open_journal(state / "journal.sqlite") as journal:
            journal.bind_chain(genesis)
            await journal.commit(statements)

    trio.run(main)


def test_a_rehearsal_makes_and_sends_nothing(ledger: FakeLedger, state: Path) -> None:
    told = rehearsed()
    assert (told["dry_run"], told["ok"], told["open_sessions"], told["due"]) == (True, True, 0, [])
    assert list(state.iterdir()) == []
    assert ledger.sent == []


def test_it_says_so_to_people(ledger: FakeLedger) -> None:
    result = CliRunner().invoke(app, ["relay", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "a master would be made in" in result.stdout
    assert "0 open session(s) in the journal; nothing would be sent at once." in result.stdout
    assert "nothing was made, signed or sent" in result.stderr


def test_what_would_be_sent_first_is_told(ledger: FakeLedger, state: Path) -> None:
    ended = {"end_reason": "left", "phase": "closing"}
    journaled(
        state,
        put_session(session(3, 0)),
        put_connection(connection(3, 0, delivered_ms=107_900)),
        put_session(session(3, 1, **ended)),
        put_connection(connection(3, 1, delivered_ms=102_000)),
        put_session(session(3, 2, **ended)),
        put_session(session(3, 3, phase="opening")),
        put_session(session(3, 4)),
        put_finalized(9),
    )
    ledger.sessions_open = {
        (3, 0): session_entry(billed_until=NOW_MS - 20_000),
        (3, 1): session_entry(billed_until=NOW_MS - 20_000),
        (3, 2): session_entry(ticked_at=NOW_MS - 500_000),
        (3, 4): session_entry(),
    }
    told = rehearsed()
    assert told["open_sessions"] == 5
    expected = [
        {"session": "3-0", "send": "a tick of 107 s"},
        {"session": "3-1", "send": "a close of 102 s"},
        {"session": "3-2", "send": "a settlement"},
        {"session": "3-3", "send": "its open order"},
    ]
    assert told["due"] == expected


def adoptable(state: Path, **fields: Any) -> Session:
    """Make a session of a key that our master derives for its viewer."""
    keys = DelegateKeys(state / "delegates", "secret")
    keys.check()
    key = DelegateKey(scheme="sr25519", public=keys.delegate(ALICE, 1)[1])
    return session_entry(viewer=ALICE, key=key, **fields)


def test_what_would_be_adopted_is_told(ledger: FakeLedger, state: Path) -> None:
    silent = NOW_MS - 40_000
    journaled(state, put_session(session(3, 0)), put_finalized(9))
    ledger.sessions_open = {
        (3, 0): adoptable(state),
        (3, 1): adoptable(state, seconds=77, ticked_at=silent),
        (3, 2): adoptable(state, ticked_at=NOW_MS - 2_000),
        (3, 3): adoptable(state, ticked_at=NOW_MS - 500_000),
        (4, 0): session_entry(ticked_at=silent),
    }
    before = {path: path.stat().st_mtime_ns for path in state.rglob("*") if path.is_file()}
    told = rehearsed()
    assert told["adoptions"] == [
        {"session": "3-1", "viewer": ALICE, "send": "a close of 77 s"},
        {"session": "3-2", "viewer": ALICE, "send": "nothing yet: somebody has just ticked it"},
        {"session": "3-3", "viewer": ALICE, "send": "a settlement"},
    ]
    result = CliRunner().invoke(app, ["relay", "--dry-run"])
    assert "a close of 77 s" in result.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_without_keys_nobody_knows_what_would_be_adopted(ledger: FakeLedger, state: Path) -> None:
    ledger.sessions_open = {(3, 0): session_entry()}
    assert rehearsed()["adoptions"] is None
    assert "would adopt is not known" in CliRunner().invoke(app, ["relay", "--dry-run"]).output
    assert not (state / "delegates").exists()


def test_a_signer_is_asked_what_would_be_adopted(
    ledger: FakeLedger, state: Path, tmp_path: Path
) -> None:
    """Where the relayer has no secrets. The signer makes nothing of it, and no chain ties it."""
    keys = tmp_path / "signer" / "state" / "delegates"
    add_master(Keystore(keys), PASSWORD)
    delegates = DelegateKeys(keys, PASSWORD)
    delegates.check()
    key = DelegateKey(scheme="sr25519", public=delegates.delegate(ALICE, 1)[1])
    ledger.sessions_open = {
        (3, 1): session_entry(viewer=ALICE, key=key, seconds=77, ticked_at=NOW_MS - 40_000),
        (4, 0): session_entry(ticked_at=NOW_MS - 40_000),
    }
    with started(tmp_path / "signer") as (process, path):
        told = rehearsed("--signer", str(path))
        process.terminate()
    assert state_of(told, "Signer") == "ok"
    assert told["adoptions"] == [{"session": "3-1", "viewer": ALICE, "send": "a close of 77 s"}]
    gone = rehearsed("--signer", str(path), exit_code=Exit.FAILED)
    assert gone["adoptions"] is None


def test_funds_that_would_be_raised_are_told(ledger: FakeLedger, state: Path) -> None:
    journaled(state, put_session(session(3, 0)), put_finalized(9))
    little = session_entry()
    little = msgspec.structs.replace(little, funds=little.paid + little.rate_per_second)
    ledger.sessions_open = {(3, 0): little}
    viewer = session(3, 0).viewer
    assert rehearsed()["due"] == [], "there is nothing to take"
    ledger.vaults[viewer] = UNIT
    ledger.grants[3] = grant_entry(cap_left=UNIT // 10)
    (fund,) = rehearsed()["due"]
    assert fund == {"session": "3-0", "send": f"a fund order up to {little.funds + UNIT // 10}"}


def test_a_renewal_that_would_be_bought_is_told(ledger: FakeLedger, state: Path) -> None:
    record = session(3, 0, renew=True, discounted=True)
    journaled(state, put_session(record), put_finalized(9))
    ledger.sessions_open = {(3, 0): session_entry()}
    ledger.vaults[record.viewer] = UNIT
    tier = Tier(period_ms=2_592_000_000, price=UNIT // 2, discount=0)
    paid = Subscription(
        tier=tier, started_at=NOW_MS + 20_000 - tier.period_ms, periods=1, periods_earned=0,
        deposit=0,
    )  # fmt: skip
    ledger.subscribed[record.stream, record.viewer] = paid
    assert rehearsed()["due"] == [], "the grant allows none"
    ledger.grants[3] = grant_entry(renewals_left=1)
    renewal = {"session": "3-0", "send": "the renewal of its subscription"}
    assert rehearsed()["due"] == [renewal]


def test_every_endpoint_is_checked_and_one_that_is_well_is_enough(
    ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def chain(url: str) -> list[Check]:
        return [ok("Chain", url) if url == "ws://well" else failed("Chain", url, "start it")]

    monkeypatch.setattr("offchain.cli.checks.running.chain", chain)
    real = ledger.open
    monkeypatch.setattr(
        "offchain.ledger.client.open_ledger",
        lambda url, **more: opened.append(url) or real(url, **more),
    )
    told = rehearsed("--chain", "ws://dead", "--chain", "ws://well")
    assert (state_of(told, "Chain 1"), state_of(told, "Chain 2")) == ("warning", "ok")
    assert set(opened) == {"ws://well"}
    told = rehearsed("--chain", "ws://dead", "--chain", "ws://dying", exit_code=Exit.FAILED)
    assert (state_of(told, "Chain 1"), state_of(told, "Chain 2")) == ("failed", "failed")


@pytest.mark.parametrize(
    ("genesis", "final", "found"),
    [(GENESIS, 10, "ok"), (GENESIS, 11, "warning"), ("0x" + "cd" * 32, 0, "failed")],
)
def test_the_journals_chain_is_the_nodes(
    ledger: FakeLedger, state: Path, genesis: str, final: int, found: str
) -> None:
    journaled(state, put_finalized(final), genesis=genesis)
    exit_code = Exit.FAILED if found == "failed" else Exit.OK
    assert state_of(rehearsed(exit_code=exit_code), "Journal's chain") == found


def test_what_the_running_relayer_holds_is_a_warning(ledger: FakeLedger, state: Path) -> None:
    journaled(state)
    with (
        socket.socket(socket.AF_UNIX) as link,
        socket.socket() as metrics,
        (state / "journal.sqlite.lock").open("w") as lock,
    ):
        link.bind(str(state / "relay.sock"))
        link.listen()
        metrics.bind(("127.0.0.1", 0))
        metrics.listen()
        port = str(metrics.getsockname()[1])
        told = rehearsed("--metrics-port", port, exit_code=Exit.FAILED)
        assert [state_of(told, name) for name in ("Journal", "Socket", "Metrics")] == [
            "ok", "failed", "failed",
        ]  # fmt: skip
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = rehearsed("--metrics-port", port)
    assert [state_of(told, name) for name in ("Journal", "Socket", "Metrics")] == ["warning"] * 3


def test_keys_are_opened_and_none_is_made(ledger: FakeLedger, state: Path, tmp_path: Path) -> None:
    add_master(Keystore(state / "delegates"), "secret")
    assert state_of(rehearsed(), "Delegates' keys") == "ok"
    (tmp_path / "password").write_text("another")
    told = rehearsed(exit_code=Exit.FAILED)
    assert state_of(told, "Delegates' keys") == "failed"
    assert "another" not in json.dumps(told)


def test_damaged_keys_are_no_more_in_the_way_than_of_a_start(
    ledger: FakeLedger, state: Path
) -> None:
    for _ in range(2):
        add_master(Keystore(state / "delegates"), "secret")
    Keystore(state / "keys").new("operator", "secret")
    for path in (state / "delegates" / "master-2.json", state / "keys" / "operator.json"):
        path.write_text("nothing")
    told = rehearsed("--batch-account", "operator")
    for name in ("Delegates' keys", "Batch account"):
        assert state_of(told, name) == "warning"
    assert "master-2.json" in json.dumps(told)


def test_a_signer_that_does_not_answer_is_in_the_way(ledger: FakeLedger, state: Path) -> None:
    told = rehearsed("--signer", str(state / "none.sock"), exit_code=Exit.FAILED)
    assert state_of(told, "Signer") == "failed"


@pytest.mark.parametrize(
    ("free", "found", "exit_code"),
    [
        (UNIT, "ok", 0),
        (UNIT // 1000 + 99 * 12_345_678, "warning", 0),
        (UNIT // 1000 + 12_345_677, "failed", Exit.FAILED),
    ],
)
def test_the_batch_account_can_pay(
    ledger: FakeLedger, free: int, found: str, exit_code: int
) -> None:
    ledger.balances[dev_key("Ferdie").address, None] = free
    told = rehearsed("--batch-account", "//Ferdie", exit_code=exit_code)
    assert state_of(told, "Batch account") == found


def test_wrong_settings_are_told_beside_the_rest(ledger: FakeLedger) -> None:
    told = rehearsed("--credit-seconds", "2", exit_code=Exit.FAILED)
    assert [each["name"] for each in told["checks"] if each["state"] == "failed"] == ["Settings"]
    told = rehearsed("--server-user", "nobody-of-that-name", exit_code=Exit.FAILED)
    assert state_of(told, "Settings") == "failed"


def test_without_a_chain_the_rest_is_told(
    ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    arguments = ["relay", "--dry-run", "--json", "--chain", "ws://127.0.0.1:1"]
    result = CliRunner().invoke(app, arguments, env={"PAYSTREAM_PASSWORD_FILE": "/nope"})
    assert result.exit_code == Exit.FAILED
    told = json.loads(result.stdout)
    assert [state_of(told, name) for name in ("Chain", "Journal's chain")] == ["failed", "skipped"]
