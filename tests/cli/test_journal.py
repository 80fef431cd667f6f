"""`paystream journal`: what people and programs are told."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import trio
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.journal import Statement, open_journal, put_session
from tests.journal.samples import session


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    fill(directory, [put_session(session()), put_session(session(1, phase="closed"))])
    return directory


def fill(directory: Path, statements: list[Statement]) -> None:
    async def main() -> None:
        async with open_journal(directory / "journal.sqlite") as journal:
            await journal.commit(statements)

    trio.run(main)


def run(state: Path, *arguments: str) -> Result:
    environment = {"PAYSTREAM_STATE_DIR": str(state), "XDG_CONFIG_HOME": str(state.parent)}
    return CliRunner().invoke(app, ["journal", *arguments], env=environment)


def refused(result: Result, code: Exit, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    for word in ("Error: ", *words):
        assert word in result.stderr


def test_a_copy_is_made_checked_and_put_back(state: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    made = run(state, "backup", str(copy), "--json")
    assert made.exit_code == 0, made.stderr
    told = json.loads(made.stdout)
    assert (told["place"], told["open"], told["problems"]) == (str(copy), 1, [])
    checked = run(state, "verify", "--file", str(copy), "--json")
    assert json.loads(checked.stdout) == told
    refused(run(state, "backup", str(copy)), Exit.MACHINE, "is there already")
    refused(run(state, "restore", str(copy)), Exit.MACHINE, "move it away")
    (state / "journal.sqlite").unlink()
    put_back = run(state, "restore", str(copy), "--json")
    assert put_back.exit_code == 0, put_back.stderr
    assert json.loads(put_back.stdout)["rows"] == told["rows"]
    assert "sessions" in run(state, "verify").stdout


def test_what_is_wrong_is_a_warning_and_an_exit_code(state: Path) -> None:
    with sqlite3.connect(state / "journal.sqlite") as connection:
        connection.execute("UPDATE sessions SET checksum = 1")
    connection.close()
    result = run(state, "verify")
    assert result.exit_code == Exit.FAILED
    assert "Warning: sessions 0-0" in result.stderr
    as_json = run(state, "verify", "--json")
    assert as_json.exit_code == Exit.FAILED
    assert len(json.loads(as_json.stdout)["problems"]) == 2


def test_pruning_says_what_it_dropped(state: Path) -> None:
    assert json.loads(run(state, "prune", "--json").stdout)["sessions"] == 1
    assert "sessions" in run(state, "prune").stdout
    assert run(state, "prune", "--older-than", "0").exit_code == Exit.USAGE


def test_a_missing_journal_is_said(tmp_path: Path) -> None:
    for command in ("verify", "prune"):
        refused(run(tmp_path, command), Exit.MACHINE, "there is no journal")
