"""From the first release's file to today's, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from offchain.journal import (
    SCHEMA_VERSION,
    BudgetState,
    ConnectionRecord,
    JournalUnreadable,
    SessionConnection,
    open_journal,
)
from offchain.journal import sqlite as sqlite_store

FIRST_RELEASE = Path(__file__).parent.parent / "data" / "journal-first-release.sqlite"
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    copy = tmp_path / "journal.sqlite"
    shutil.copy(FIRST_RELEASE, copy)
    return copy


def content(path: Path) -> tuple[int, list[str]]:
    """Give a file's version and everything in it."""
    connection = sqlite3.connect(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    lines = list(connection.iterdump())
    connection.close()
    return version, lines


def schema(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    connection.close()
    return found


async def test_the_first_releases_file_is_read_whole(path: Path) -> None:
    async with open_journal(path) as journal:
        journal.bind_chain("0x" + "5e" * 32)
        loaded = journal.load()
        closed = journal.session(0, 0)
        failed = journal.ended_sessions(viewer=BOB)
    assert loaded.damaged == []
    first, opening, closing = loaded.sessions
    assert (first.grant, first.index, first.number, first.attempt) == (0, 1, 3, 1)
    assert (first.paid_seconds, first.paid, first.renew) == (12, 12_000_000_000, True)
    assert first.resume_digest == digest("resume 0-1")
    assert (opening.rate_per_second, opening.funds, opening.asset) == (2**100, 2**120, 1984)
    assert (closing.continues, closing.base_delivered_ms) == ((1, 0), 900)
    assert loaded.connections == [
        SessionConnection(grant, index, ConnectionRecord(f"c{number}", number, "boot-1", *figures))
        for grant, index, number, figures in [
            (0, 1, 1, (5_000, 5_400, 0, True, "left")),
            (0, 1, 2, (6_000, 6_500, 0, True, "vanished")),
            (0, 1, 3, (7_250, 8_000, 600, False, None)),
            (1, 0, 1, (2_500, 2_700, 200, False, None)),
            (1, 1, 2, (3_100, 3_100, 0, True, "left")),
        ]
    ]
    assert loaded.budgets == [
        BudgetState(BOB, 12_345, 1_700_000_031_000),
        BudgetState(ALICE, 900, 1_700_000_030_000),
    ]
    assert (loaded.finalized_block, loaded.final) == (61, None)
    assert {token.account for token in loaded.tokens} == {ALICE, BOB}
    assert {(each.viewer, each.retired) for each in loaded.delegates} == {
        (ALICE, False),
        (BOB, True),
    }
    assert [(each.grant, each.lane, each.signature is None) for each in loaded.orders] == [
        (0, 1, False),
        (1, 0, True),
    ]
    assert closed is not None
    assert (closed.phase, closed.paid_seconds) == ("closed", 61)
    assert [record.phase for record in failed] == ["failed"]


async def test_an_old_file_and_a_new_one_end_with_the_same_schema(
    path: Path, tmp_path: Path
) -> None:
    for each in (path, tmp_path / "new.sqlite"):
        async with open_journal(each):
            pass
    assert schema(path) == schema(tmp_path / "new.sqlite")
    assert content(path)[0] == SCHEMA_VERSION


class Dying:
    """A connection whose process dies before its n-th statement."""

    def __init__(self, path: Path, at: int) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._left = at

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        if self._left == 0:
            os._exit(9)
        self._left -= 1
        return self._connection.execute(sql, values)


def migrated_until(path: Path, at: int) -> bool:
    """Migrate in another process, which dies before its n-th statement; tell whether it came by."""
    child = os.fork()
    if child == 0:
        sqlite_store._migrate(Dying(path, at), path)  # type: ignore[arg-type]
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_crash_at_any_statement_leaves_one_version_or_the_next(tmp_path: Path) -> None:
    path, at = tmp_path / "journal.sqlite", 0
    versions = dict([content(FIRST_RELEASE)])
    while True:
        shutil.copy(FIRST_RELEASE, path)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        if migrated_until(path, at):
            break
        version, lines = content(path)
        assert versions.setdefault(version, lines) == lines, f"died before statement {at}"
        at += 1
    assert at > 20
    whole = content(path)
    assert whole[0] == SCHEMA_VERSION
    assert list(versions) == list(range(1, SCHEMA_VERSION))
    # and from a crash the next start goes on
    shutil.copy(FIRST_RELEASE, path)
    assert not migrated_until(path, at - 1)
    assert migrated_until(path, 1_000)
    assert content(path) == whole


@pytest.mark.parametrize("damaged", [1, 2])
async def test_a_damaged_snapshot_of_the_first_release_costs_no_more_than_itself(
    path: Path, damaged: int
) -> None:
    """Of two, the older is read; without any, the sessions are, and the chain says the rest."""
    with sqlite3.connect(path) as connection:
        newest = connection.execute("SELECT max(id) FROM states").fetchone()[0]
        connection.execute(
            "UPDATE states SET record = substr(record, 1, 40) WHERE id > ?", (newest - damaged,)
        )
    connection.close()
    async with open_journal(path) as journal:
        loaded = journal.load()
    assert len(loaded.sessions) == 3
    delivered_ms = [state.connection.delivered_ms for state in loaded.connections]
    assert delivered_ms == ([1] if damaged == 1 else [])
    assert loaded.finalized_block == (60 if damaged == 1 else 0)
    assert sum('INTO "damaged"' in line for line in content(path)[1]) == damaged


async def test_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = content(path)
    with pytest.raises(JournalUnreadable, match="the release that wrote it"):
        async with open_journal(path):
            pass
    assert content(path) == before
