"""`paystream relay sessions`: what the journal holds, in the words of a session's life."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.journal import (
    ConnectionRecord,
    OrderRecord,
    SessionConnection,
    Statement,
    open_journal,
    put_connection,
    put_finalized,
    put_order,
    put_session,
)
from tests.journal.samples import connection, session

LANE_OF_OPEN, LANE_OF_TICK = 0, 1


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def fill(state: Path, *statements: Statement) -> None:
    async def main() -> None:
        async with open_journal(state / "journal.sqlite") as journal:
            await journal.commit(statements)

    trio.run(main)


def run(state: Path, *arguments: str) -> Result:
    environment = {
        "PAYSTREAM_STATE_DIR": str(state), "XDG_CONFIG_HOME": str(state.parent), "COLUMNS": "160",
    }  # fmt: skip
    return CliRunner().invoke(app, ["relay", *arguments], env=environment)


def listed(state: Path) -> Any:
    result = run(state, "sessions", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def order(grant: int, lane: int) -> Statement:
    return put_order(OrderRecord(grant=grant, index=0, lane=lane, body=b"o"))


def test_each_state_has_its_word_and_what_it_waits_for(state: Path) -> None:
    gone = ConnectionRecord("c", 1, "b", 9_000, 9_000, 0, final=True, end_reason="vanished")
    fill(
        state,
        put_session(session(1, phase="opening")),
        put_session(session(2, phase="opening")),
        order(2, LANE_OF_OPEN),
        put_session(session(3, phase="opening", end_reason="left")),
        order(3, LANE_OF_OPEN),
        put_session(session(4)),
        put_connection(connection(4)),
        put_session(session(5)),
        put_connection(SessionConnection(5, 0, gone)),
        order(5, LANE_OF_TICK),
        put_session(session(6, phase="closing", end_reason="denied")),
        put_session(session(7, phase="closed")),
        put_finalized(70),
    )
    told = listed(state)
    assert (told["finalized_block"], told["damaged"]) == (70, [])
    assert [(each["session"], each["state"], each["waits_for"]) for each in told["sessions"]] == [
        ("1-0", "reserved", "its open order to be signed"),
        ("2-0", "opening", "a block that opens it"),
        ("3-0", "leaving", "a block that opens it, to close it then (left)"),
        ("4-0", "open", ""),
        ("5-0", "open", "its viewer, who has no connection"),
        ("6-0", "ending", "a final block that has its end (denied)"),
    ]
    shown = run(state, "sessions").stdout
    for part in ("reserved", "its viewer, who has no connection", "9.0 s", "Waits for"):
        assert part in shown


def test_what_is_at_risk_is_what_no_final_block_has_paid(state: Path) -> None:
    figures = ConnectionRecord("c", 2, "b", 12_345, 14_000, 1_500)
    fill(
        state,
        put_session(
            session(4, number=2, finished_ms=20_000, finished_number=1, paid_seconds=25, paid=50)
        ),
        put_connection(SessionConnection(4, 0, figures)),
    )
    (told,) = listed(state)["sessions"]
    assert (told["delivered_ms"], told["paid_seconds"], told["paid"]) == (32_345, 25, 50)
    assert (told["unconfirmed_ms"], told["at_risk_ms"]) == (1_500, 32_345 - 25_000 + 1_500)
    assert told["connections"] == 1
    shown = run(state, "sessions").stdout
    assert "32.3 s" in shown
    assert "8.8 s" in shown


def test_it_reads_beside_the_relayer_and_writes_nothing(state: Path) -> None:
    async def main() -> None:
        async with open_journal(state / "journal.sqlite") as journal:
            await journal.commit([put_session(session(4))])
            result = await trio.to_thread.run_sync(run, state, "sessions")
            assert "4-0" in result.stdout

    trio.run(main)


def test_what_is_damaged_is_said_and_left_as_it_is(state: Path) -> None:
    fill(state, put_session(session(4)))
    with sqlite3.connect(state / "journal.sqlite") as database:
        database.execute("UPDATE sessions SET checksum = 1")
    database.close()
    assert listed(state)["damaged"] == ["sessions 4-0 cannot be read"]
    result = run(state, "sessions")
    assert "sessions 4-0 cannot be read" in result.stderr
    assert "no open sessions" in result.stdout


def test_no_journal_is_one_line_with_its_remedy(state: Path) -> None:
    result = run(state, "sessions")
    assert result.exit_code == Exit.MACHINE
    assert "--state-dir" in result.stderr


def test_options_before_the_other_command_are_not_dropped_in_silence(state: Path) -> None:
    result = run(state, "--state-dir", str(state), "sessions")
    assert result.exit_code == Exit.USAGE
    assert "--state-dir is of `paystream relay`" in result.stderr
    assert "stand after it" in result.stderr


def test_a_command_that_is_none_does_not_run_the_relayer(state: Path) -> None:
    result = run(state, "session")
    assert result.exit_code == Exit.USAGE
    assert "No such command 'session'" in result.stderr


def test_sessions_of_another_chain_have_its_name_in_front(state: Path) -> None:
    fill(state, put_session(session(3)))
    fill(state / "chains" / "asia", put_session(session(3)), put_finalized(9))
    told = listed(state)
    assert [(each["chain"], each["session"]) for each in told["sessions"]] == [
        ("", "3-0"),
        ("asia", "3-0"),
    ]
    assert told["finalized_blocks"]["asia"] == 9
    shown = run(state, "sessions").stdout
    assert "\nasia/3-0 " in shown
