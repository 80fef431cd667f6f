"""`paystream reconcile` names the call that mends what it finds, where there is one."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from offchain.cli import app
from offchain.cli.audit import History, SessionHistory
from offchain.cli.exits import Exit
from offchain.cli.mending import Mend, mends
from offchain.ledger.types import Session
from tests.cli.fake_ledger import (
    ALICE,
    NOW_MS,
    UNIT,
    FakeLedger,
    event,
    session_entry,
    stream_entry,
)
from tests.cli.test_ledger import run

RATE = UNIT // 1000


def found(
    entry: Session | None = None, delivered_ms: int | None = None, **history: Any
) -> list[Mend]:
    seen = {"opened_block": 4, "viewer": ALICE, "rate_per_second": RATE, "seconds": 100}
    told = History(1, sessions={(3, 0): SessionHistory(**(seen | history))})
    return list(
        mends(
            told,
            stream_entry(),
            {} if entry is None else {(3, 0): entry},
            {} if delivered_ms is None else {(3, 0): delivered_ms},
            now_ms=NOW_MS,
            window_ms=60_000,
            write=lambda amount: f"{amount} u",
        )
    )


@pytest.mark.parametrize(
    ("ended_ms_ago", "command"),
    [
        (60_000, "paystream session settle --grant 3 --index 0"),
        (59_999, "paystream session close 3-0"),
        (0, "paystream session close 3-0"),
    ],
)
def test_what_has_ended_and_is_still_open_is_closed_or_settled(
    ended_ms_ago: int, command: str
) -> None:
    (mend,) = found(session_entry(ticked_at=NOW_MS - 120_000 - ended_ms_ago))
    assert (mend.session, mend.command) == ((3, 0), command)
    assert f"{9 * UNIT // 10} u" in mend.why


def test_what_runs_is_left_alone() -> None:
    assert found(session_entry(ticked_at=NOW_MS - 119_999)) == []


def test_what_was_paid_and_not_delivered_is_given_back_by_the_owner() -> None:
    (mend,) = found(delivered_ms=97_900, closed_block=8)
    assert mend.command == f'paystream stream refund 1 "{3 * RATE} u" --viewer {ALICE}'
    assert "3 s more" in mend.why
    assert found(delivered_ms=100_000, closed_block=8) == []
    assert found(delivered_ms=97_900, viewer="", rate_per_second=None) == []


def test_a_tail_that_nobody_paid_is_mended_by_no_call() -> None:
    assert found(delivered_ms=130_000, closed_block=8, close_reason="Order") == []


@pytest.mark.parametrize("mend", [
    *found(session_entry(ticked_at=NOW_MS - 200_000)),
    *found(session_entry(ticked_at=NOW_MS - 120_000)),
    *found(delivered_ms=97_900),
])  # fmt: skip
def test_what_is_named_is_a_command(mend: Mend) -> None:
    _, group, name, *arguments = shlex.split(mend.command)
    command: Any = get_command(app)
    command.commands[group].commands[name].make_context(name, arguments)


def test_reconcile_shows_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ledger = FakeLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", ledger.open)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    named = {"grant": 3, "index": 0, "stream": 1}
    opened = event(
        "SessionOpened", **named, viewer=ALICE, rate_per_second=RATE, funds=UNIT, started_at=NOW_MS
    )
    ticked = event("Ticked", **named, seconds=100, charged_seconds=100, amount=100 * RATE)
    ledger.blocks = {2: (event("StreamCreated", stream=1, owner=ALICE),), 4: (opened, ticked)}
    ledger.sessions_open[3, 0] = session_entry(ticked_at=NOW_MS - 200_000)
    ledger.streams_by_id[1] = stream_entry(earned=100 * RATE, earned_total=100 * RATE)
    result = run("reconcile", "--stream", "1", "--json")
    assert result.exit_code == 0, result.output  # what is not over yet is no disagreement
    told = json.loads(result.stdout)
    assert told["reconciled"] is True
    assert [(each["session"], each["command"]) for each in told["mends"]] == [
        ("3-0", "paystream session settle --grant 3 --index 0")
    ]
    shown = run("reconcile", "--stream", "1")
    assert shown.exit_code == Exit.OK
    assert "holds 0.9 UNIT" in shown.stdout
    assert "\n  paystream session settle --grant 3 --index 0\n" in shown.stdout
