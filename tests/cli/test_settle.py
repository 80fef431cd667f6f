"""`paystream session settle`: what returns and to whom, and why it cannot be yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offchain.cli.exits import Exit
from offchain.ledger import errors
from offchain.ledger.types import Asset, Currency, Event, Grant
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

NAMED = ("session", "settle", "--grant", "3", "--index", "0")


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLedger:
    made = FakeLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", made.open)
    monkeypatch.setenv("PAYSTREAM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PAYSTREAM_KEY", "//Alice")
    return made


@pytest.fixture
def lapsed(ledger: FakeLedger) -> FakeLedger:
    """Give a ledger whose session 3-0 ended at 100 s before now, for want of ticks."""
    ledger.sessions_open[3, 0] = session_entry(ticked_at=NOW_MS - 220_000)
    return ledger


def closed(**changes: Any) -> tuple[Event, ...]:
    fields: dict[str, Any] = {
        "grant": 3, "index": 0, "stream": 1, "seconds": 100, "paid": UNIT // 10,
        "refunded": 9 * UNIT // 10, "ended_at": NOW_MS - 100_000, "reason": "Settled",
    }  # fmt: skip
    return (event("SessionClosed", **(fields | changes)),)


def test_a_dry_run_names_what_returns_and_to_whom(lapsed: FakeLedger) -> None:
    told = data(*NAMED, "--key", "//Bob", "--dry-run")
    assert (told["call"], told["account"]) == ("PayStream.settle", BOB)
    assert told["params"] == {"grant": 3, "index": 0}
    assert (told["viewer"], told["paid"], told["refunded"]) == (ALICE, UNIT // 10, 9 * UNIT // 10)
    assert (told["grant_ends"], told["deposit_returned"]) == (False, 0)
    shown = run(*NAMED, "--dry-run").stdout
    for part in ("0.1 UNIT for 1 min 40 s", "0.9 UNIT", ALICE, "3 has a slot more"):
        assert part in shown
    assert lapsed.sent == []


def test_nobody_signs_it_and_nobody_pays(
    lapsed: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapsed.events_of_receipt = closed()
    lapsed.free = 0
    told = data(*NAMED)  # a key of the environment is for what needs one
    assert lapsed.sent == [(b"PayStream.settle", None, "finalized")]
    assert (told["account"], told["fee"], told["refunded"]) == (None, 0, 9 * UNIT // 10)
    monkeypatch.delenv("PAYSTREAM_KEY")
    told = data(*NAMED, "--dry-run")
    assert (told["account"], told["fee"]) == (None, 0)
    assert "nobody: it needs no signature" in run(*NAMED, "--dry-run").stdout
    assert len(lapsed.sent) == 1


def test_anyone_settles_and_is_told_what_came_of_it(lapsed: FakeLedger) -> None:
    lapsed.events_of_receipt = closed()
    told = data(*NAMED, "--key", "//Bob")
    assert lapsed.sent == [(b"PayStream.settle", BOB, "finalized")]
    assert (told["account"], told["fee"]) == (BOB, 7)
    assert (told["session"], told["paid"], told["refunded"]) == ("3-0", UNIT // 10, 9 * UNIT // 10)
    assert told["grant_ends"] is False
    assert "its slot is free" in run(*NAMED).stdout


def test_a_grant_that_pays_for_dust_is_not_said_to_end(
    lapsed: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def currency(asset: Asset = None, *, at: str | None = None) -> Currency:
        return Currency(asset=None, symbol="UNIT", decimals=12, minimum=UNIT * 10**6)

    lapsed.grants[3] = grant_entry(ended_at=NOW_MS - 100_000)
    monkeypatch.setattr(lapsed, "currency", currency)
    told = data(*NAMED, "--dry-run")
    assert (told["grant_ends"], told["deposit_returned"]) == (False, 0)
    assert "stays until its viewer revokes it" in run(*NAMED, "--dry-run").stdout


def test_an_asset_that_is_gone_has_no_dust(
    lapsed: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def currency(asset: Asset = None, *, at: str | None = None) -> Currency:
        raise errors.AssetUnknown(7)

    lapsed.grants[3] = grant_entry(ended_at=NOW_MS - 100_000)
    monkeypatch.setattr(lapsed, "currency", currency)
    assert data(*NAMED, "--dry-run")["grant_ends"] is True


def test_the_last_session_of_an_ended_grant_returns_its_deposit(
    lapsed: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapsed.grants[3] = grant_entry(ended_at=NOW_MS - 100_000)
    told = data(*NAMED, "--dry-run")
    assert (told["grant_ends"], told["deposit_returned"]) == (True, UNIT // 10)
    assert "its deposit of 0.1 UNIT returns" in run(*NAMED, "--dry-run").stdout
    lapsed.grants[3] = grant_entry(ended_at=NOW_MS - 100_000, open=(0, 1))
    assert data(*NAMED, "--dry-run")["grant_ends"] is False

    async def grant(grant: int, *, at: str | None = None) -> Grant | None:
        return None if at == "0xbb" else grant_entry()

    monkeypatch.setattr(lapsed, "grant", grant)
    lapsed.events_of_receipt = closed()
    assert data(*NAMED)["grant_ends"] is True
    assert "its deposit returned" in " ".join(run(*NAMED).stdout.split())


def test_money_is_in_the_sessions_asset(lapsed: FakeLedger) -> None:
    lapsed.sessions_open[3, 0] = session_entry(
        asset=USD, funds=2_000_000, rate_per_second=1_000, ticked_at=NOW_MS - 220_000
    )
    lapsed.streams_by_id[1] = stream_entry(asset=USD)
    told = data(*NAMED, "--dry-run")
    assert (told["asset"], told["refunded"]) == ("1984", 1_900_000)
    lapsed.events_of_receipt = closed(paid=100_000, refunded=1_900_000)
    assert "1.9 USD" in run(*NAMED).stdout


@pytest.mark.parametrize(
    ("ended_ms_ago", "words"),
    [
        (0, ["has ended", "may still close it", "try again in 1 min"]),
        (59_001, ["try again in 1 s"]),
        (-4_000, ["is running", "can be settled in 1 min 4 s", "session close 3-0"]),
    ],
)
def test_before_its_window_is_over_the_time_to_wait_is_told(
    ledger: FakeLedger, ended_ms_ago: int, words: list[str]
) -> None:
    ledger.sessions_open[3, 0] = session_entry(ticked_at=NOW_MS - 120_000 - ended_ms_ago)
    refused(run(*NAMED), Exit.REFUSED, *words)
    assert ledger.sent == []


def test_a_streams_end_is_its_sessions_end(ledger: FakeLedger) -> None:
    ledger.streams_by_id[1] = stream_entry(status="Ended", stops=(NOW_MS - 61_000,))
    ledger.sessions_open[3, 0] = session_entry(ticked_at=NOW_MS - 62_000)
    assert data(*NAMED, "--dry-run")["refunded"] == 9 * UNIT // 10
    ledger.streams_by_id[1] = stream_entry(status="Ended", stops=(NOW_MS - 59_000,))
    refused(run(*NAMED), Exit.REFUSED, "try again in 1 s")


def test_what_is_not_open_is_told_apart(ledger: FakeLedger) -> None:
    ledger.sessions_open.clear()
    refused(run(*NAMED), Exit.REFUSED, "closed or settled before", "session list")
    later = run("session", "settle", "--grant", "3", "--index", "7")
    refused(later, Exit.REFUSED, "opened no session 7 yet")
    refused(run("session", "settle", "--grant", "9", "--index", "0"), Exit.REFUSED, "no grant 9")
    refused(run("session", "settle", "--grant", "3"), Exit.USAGE, "--index")


def test_who_was_faster_leaves_a_failure_of_the_ledgers(lapsed: FakeLedger) -> None:
    lapsed.failure = errors.DispatchFailed("PayStream", "SessionNotFound", "")
    assert run(*NAMED).exit_code == Exit.REFUSED
