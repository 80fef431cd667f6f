"""`paystream reconcile --mend`: what it tries, asks, sends once, and leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.ledger import errors
from offchain.ledger.types import Event, Receipt
from tests.cli.fake_ledger import (
    ALICE,
    BOB,
    NOW_MS,
    UNIT,
    FakeLedger,
    event,
    session_entry,
    stream_entry,
)
from tests.cli.test_ledger import run

RATE = UNIT // 1000
MEND = ("reconcile", "--stream", "1", "--mend")


class MendingLedger(FakeLedger):
    """Does what a settlement and a refund do: the next reading finds it in a further block."""

    async def submit_signed(
        self, call: bytes, signer: Any, *, wait: str, try_first: bool = False
    ) -> Receipt:
        receipt = await super().submit_signed(call, signer, wait=wait, try_first=try_first)
        self.blocks[max(self.blocks) + 1] = self._refunded(3 * RATE)
        return receipt

    async def submit_unsigned(self, call: bytes, *, wait: str) -> Receipt:
        receipt = await super().submit_unsigned(call, wait=wait)
        self.blocks[max(self.blocks) + 1] = self._settled()
        return receipt

    def _settled(self) -> tuple[Event, ...]:
        entry = self.sessions_open.pop((3, 0))
        closed = event(
            "SessionClosed", grant=3, index=0, stream=1, seconds=entry.seconds, paid=entry.paid,
            refunded=entry.funds - entry.paid, ended_at=NOW_MS, reason="Settled",
        )  # fmt: skip
        return (closed,)

    def _refunded(self, amount: int) -> tuple[Event, ...]:
        earned = self.streams_by_id[1].earned
        self.streams_by_id[1] = stream_entry(earned=earned - amount, earned_total=100 * RATE)
        return (event("Refunded", stream=1, viewer=BOB, amount=amount),)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLedger:
    """Give a ledger whose session 3-0 of Bob ended long ago, 100 s of it paid."""
    made = MendingLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", made.open)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PAYSTREAM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PAYSTREAM_KEY", "//Alice")
    named = {"grant": 3, "index": 0, "stream": 1}
    opened = event(
        "SessionOpened", **named, viewer=BOB, rate_per_second=RATE, funds=UNIT, started_at=NOW_MS
    )
    ticked = event("Ticked", **named, seconds=100, charged_seconds=100, amount=100 * RATE)
    made.blocks = {2: (event("StreamCreated", stream=1, owner=ALICE),), 4: (opened, ticked)}
    made.sessions_open = {(3, 0): session_entry(viewer=BOB, ticked_at=NOW_MS - 200_000)}
    made.streams_by_id[1] = stream_entry(earned=100 * RATE, earned_total=100 * RATE)
    return made


def delivered(monkeypatch: pytest.MonkeyPatch, delivered_ms: int) -> None:
    monkeypatch.setattr("offchain.cli.reconcile._delivered", lambda *_: {(3, 0): delivered_ms})


def told(result: Any, exit_code: int = 0) -> dict[str, Any]:
    assert result.exit_code == exit_code, result.output
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def test_what_is_mended_is_sent_once(ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered(monkeypatch, 97_900)
    result = run(*MEND, "--delivered", "--yes", "--json")
    answer = told(result)
    assert [call for call, *_ in ledger.sent] == [b"PayStream.settle", b"PayStream.refund"]
    assert {wait for *_, wait in ledger.sent} == {"finalized"}
    assert [(each["sent"], each["fee"], each["block_number"]) for each in answer["sent"]] == [
        (True, 0, 42),
        (True, 7, 42),
    ]
    assert (answer["reconciled"], answer["mends"]) == (True, [])
    assert "fee 0.000012345678 UNIT" in result.stderr
    assert "Fees together: 0.000012345678 UNIT" in result.stderr
    again = told(run(*MEND, "--delivered", "--yes", "--json"))
    assert (again["sent"], again["reconciled"], len(ledger.sent)) == ([], True, 2)


def test_it_asks_first_and_no_leaves_everything(ledger: FakeLedger) -> None:
    result = CliRunner().invoke(app, MEND, input="n\n")
    assert result.exit_code == Exit.USAGE
    assert "Send this call?" in result.stderr
    assert result.stderr.index("fee 0 UNIT") < result.stderr.index("Send this call?")
    assert ledger.sent == []
    assert CliRunner().invoke(app, MEND, input="y\n").exit_code == Exit.OK
    assert len(ledger.sent) == 1


def test_nothing_is_sent_that_a_dry_run_refuses(
    ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(monkeypatch, 97_900)
    ledger.free = 0
    answer = told(run(*MEND, "--delivered", "--yes", "--json"), Exit.FAILED)
    # what needs no signature needs no money either
    assert [each["sent"] for each in answer["sent"]] == [True, False]
    assert "cannot pay" in answer["sent"][1]["problem"]
    assert [call for call, *_ in ledger.sent] == [b"PayStream.settle"]
    ledger.free = UNIT
    answer = told(run(*MEND, "--delivered", "--yes", "--json", "--key", "//Bob"), Exit.FAILED)
    assert [each["sent"] for each in answer["sent"]] == [False]
    assert ALICE in answer["sent"][0]["problem"]
    assert [each["command"].split()[2] for each in answer["mends"]] == ["refund"]


def test_what_the_ledger_refuses_then_is_told_and_left(ledger: FakeLedger) -> None:
    ledger.failure = errors.DispatchFailed("PayStream", "SessionNotFound", "")
    answer = told(run(*MEND, "--yes", "--json"), Exit.FAILED)
    assert answer["sent"][0]["sent"] is False
    assert "SessionNotFound" in answer["sent"][0]["problem"]
    ledger.failure = errors.NodeUnreachable("ws://127.0.0.1:9944", "gone")
    assert run(*MEND, "--yes").exit_code == Exit.CHAIN


def test_only_its_viewer_asks_for_a_close(
    ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.sessions_open = {(3, 0): session_entry(viewer=BOB, ticked_at=NOW_MS - 121_000)}
    answer = told(run(*MEND, "--yes", "--json"), Exit.FAILED)
    assert "only its viewer's key" in answer["sent"][0]["problem"]
    asked = []

    def close(server: str, signer: Any, session: str) -> dict[str, Any]:
        asked.append((signer.address, session))
        ledger.blocks[5] = ledger._settled()  # type: ignore[attr-defined]
        return {"status": "closed"}

    monkeypatch.setattr("offchain.cli.mend_sending.close_by_relayer", close)
    answer = told(run(*MEND, "--yes", "--json", "--key", "//Bob"))
    assert asked == [(BOB, "3-0")]
    assert answer["sent"][0]["sent"] is True
    assert ledger.sent == []


def test_without_it_nothing_is_sent(ledger: FakeLedger) -> None:
    assert "sent" not in told(run("reconcile", "--stream", "1", "--json"))
    assert ledger.sent == []
