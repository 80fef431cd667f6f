"""A copy is whole, a check finds what is wrong, and the drill: the machine is gone, all is back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from offchain.cli import app
from offchain.journal import (
    BudgetState,
    DelegateRecord,
    FinalBlock,
    JournalExists,
    JournalLocked,
    JournalUnavailable,
    JournalUnreadable,
    OrderRecord,
    Statement,
    TokenRecord,
    open_journal,
    put_budget,
    put_connection,
    put_delegate,
    put_final,
    put_finalized,
    put_order,
    put_session,
    put_token,
)
from offchain.journal.upkeep import COLUMNS, backup, prune, restore, still_open, verify
from tests.journal.conftest import Place
from tests.journal.database import PASSWORD
from tests.journal.samples import connection, session
from tests.journal.test_migrations import FIRST_RELEASE

DAY_MS = 86_400_000
FINAL = FinalBlock(69, "0x" + "ab" * 32)


def content() -> list[Statement]:
    return [
        *(put_session(session(grant)) for grant in (0, 1)),
        put_session(session(2, phase="closed", admitted_at_ms=DAY_MS, finished_ms=1_000)),
        put_session(session(3, phase="failed", admitted_at_ms=9 * DAY_MS)),
        put_connection(connection()),
        put_budget(BudgetState("5A", 5, 6)),
        put_finalized(70),
        put_final(FINAL),
        put_token(TokenRecord(digest=b"d", purpose="watch", account="5A", stream=None,
                              expires_at_ms=9)),
        put_delegate(DelegateRecord(public=b"p", viewer="5A", key_name="n")),
        *(put_order(OrderRecord(grant=0, index=0, lane=lane, body=b"o")) for lane in (2, 1)),
    ]  # fmt: skip


async def filled(place: Place) -> Any:
    async with open_journal(place) as journal:
        journal.bind_chain("0xaa")
        await journal.commit(content())
        return journal.load()


async def test_what_is_open_is_read_beside_the_relayer(place: Place) -> None:
    async with open_journal(place) as journal:
        await journal.commit(content())
        loaded, found = journal.load(), still_open(place)
        await journal.commit([put_session(session(9))])  # and it goes on
    assert (found.sessions, found.connections) == (loaded.sessions, loaded.connections)
    assert (found.budgets, found.orders) == (loaded.budgets, loaded.orders)
    assert (found.finalized_block, found.damaged) == (70, [])
    assert found.final == loaded.final == FINAL
    assert (found.tokens, found.delegates) == ([], [])


async def test_reading_what_is_open_sets_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await filled(path)
    with sqlite3.connect(path) as connection_:
        connection_.execute("UPDATE sessions SET checksum = 1 WHERE grant_id = 1")
    connection_.close()
    for _ in range(2):
        found = still_open(path)
        assert found.damaged == ["sessions 1-0 cannot be read"]
        assert [each.grant for each in found.sessions] == [0]


async def test_a_copy_is_made_beside_the_relayer_and_is_whole(place: Place, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    async with open_journal(place) as journal:
        journal.bind_chain("0xaa")
        await journal.commit(content())
        checked = backup(place, copy)
        await journal.commit([put_session(session(9))])  # and it goes on
    assert checked.problems == []
    assert checked.place == str(copy)
    assert (checked.rows["sessions"], checked.open) == (4, 2)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not set(os.listdir(tmp_path)) - {"copy.sqlite", "state"}  # noqa: PTH208
    with open_copy(copy) as connection:
        keys = [row[0] for row in connection.execute("SELECT key FROM meta ORDER BY key")]
    assert keys == ["final", "finalized_block", "genesis_hash"]
    assert verify(copy).rows == checked.rows


def open_copy(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


async def test_the_drill(place: Place, tmp_path: Path) -> None:
    """The relayer's disk is lost; from the copy everything is there again, and it goes on."""
    before, copy = await filled(place), tmp_path / "copy.sqlite"
    backup(place, copy)
    elsewhere = tmp_path / "new machine" / "journal.sqlite"
    checked = restore(copy, elsewhere)
    assert checked.problems == []
    async with open_journal(elsewhere) as journal:
        journal.bind_chain("0xaa")
        assert journal.load() == before
        await journal.commit([put_session(session(5))])
    with pytest.raises(JournalExists, match="there is a journal"):
        restore(copy, elsewhere)


@pytest.mark.programs
async def test_the_drill_into_a_database(database: str, tmp_path: Path) -> None:
    file, copy = tmp_path / "journal.sqlite", tmp_path / "copy.sqlite"
    before = await filled(file)
    backup(file, copy)
    assert restore(copy, database).problems == []
    async with open_journal(database) as journal:
        journal.bind_chain("0xaa")
        assert journal.load() == before
    with pytest.raises(JournalExists, match="postgresql://"):
        restore(copy, database)


async def test_a_file_of_the_first_release_can_be_put_back(tmp_path: Path) -> None:
    old, place = tmp_path / "old.sqlite", tmp_path / "new" / "journal.sqlite"
    shutil.copy(FIRST_RELEASE, old)
    assert restore(old, place).open == 3
    with open_copy(old) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    with pytest.raises(JournalUnreadable, match="start the relayer once"):
        verify(old)


async def test_a_copy_overwrites_nothing_and_fails_without_a_trace(
    place: Place, tmp_path: Path
) -> None:
    await filled(place)
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with pytest.raises(JournalExists):
        backup(place, taken)
    assert taken.read_text() == "mine"
    with pytest.raises(JournalUnavailable, match="No such file"):
        backup(place, tmp_path / "nowhere" / "copy")


async def test_nothing_is_put_back_into_a_journal_in_use(tmp_path: Path) -> None:
    file, copy = tmp_path / "journal.sqlite", tmp_path / "copy.sqlite"
    await filled(file)
    backup(file, copy)
    async with open_journal(tmp_path / "other" / "journal.sqlite"):
        with pytest.raises(JournalLocked):
            restore(copy, tmp_path / "other" / "journal.sqlite")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="there is no journal"):
        verify(tmp_path / "journal.sqlite")
    with pytest.raises(JournalUnavailable, match="No such file"):
        restore(tmp_path / "copy", tmp_path / "journal.sqlite")
    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_is_no_copy_is_not_put_back(tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(b"no database " * 100)
    with pytest.raises((JournalUnreadable, JournalUnavailable)):
        restore(tmp_path / "copy", tmp_path / "new" / "journal.sqlite")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE sessions SET checksum = 1 WHERE grant_id = 2", "sessions 2-0: its record is not"),
        ("UPDATE sessions SET done = 1 WHERE grant_id = 0", "sessions 0-0: it is open"),
        ("UPDATE sessions SET grant_id = 7 WHERE grant_id = 0", "sessions 7-0: its record is an"),
        ("UPDATE connections SET number = 3", "connections 0-0-3: its record is another's"),
        ("UPDATE budgets SET viewer = '5B'", "budgets 5B: its record is another's"),
        ("UPDATE tokens SET purpose = 'x'", "a row of tokens"),
        ("UPDATE delegates SET retired = 5", "a row of delegates"),
        (
            "INSERT INTO damaged (source, name, record) VALUES ('sessions', '9-0', NULL)",
            "sessions 9-0 was found damaged earlier",
        ),
    ],
)
async def test_a_check_names_what_is_wrong(place: Place, sql: str, found: str) -> None:
    async with open_journal(place) as journal:
        await journal.commit(content())
        assert verify(place).problems == []
        await journal.commit([(sql, ())])
        (problem,) = verify(place).problems
    assert problem.startswith(found)


async def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    async with open_journal(path) as journal:
        await journal.commit([put_session(session(grant)) for grant in range(200)])
    pages = path.read_bytes()
    at = pages.index(b'"grant":100,') // 4_096 * 4_096
    path.write_bytes(pages[:at] + b"\xff" * 64 + pages[at + 64 :])
    try:
        assert verify(path).problems
    except JournalUnreadable as error:
        assert "restore it from a backup" in str(error)  # noqa: PT017


async def test_pruning_drops_what_is_old_and_nothing_else(place: Place) -> None:
    async with open_journal(place) as journal:
        await journal.commit(content())
        await journal.commit([
            put_connection(connection(2)), put_connection(connection(77)),
            put_order(OrderRecord(grant=3, index=0, lane=1, body=b"o")),
            put_token(TokenRecord(digest=b"e", purpose="watch", account="5A", stream=None,
                                  expires_at_ms=10 * DAY_MS)),
        ])  # fmt: skip
        before = journal.load()
        pruned = prune(place, before_ms=5 * DAY_MS, now_ms=9 * DAY_MS)
        assert (pruned.sessions, pruned.tokens, pruned.left_over) == (1, 1, 3)
        after = journal.load()
        assert after.sessions == before.sessions
        assert after.connections == [connection()]
        assert [order.lane for order in after.orders] == [2, 1]
        assert [token.digest for token in after.tokens] == [b"e"]
        assert journal.session(2, 0) is None
        assert journal.session(3, 0) is not None
        again = prune(place, before_ms=5 * DAY_MS, now_ms=9 * DAY_MS)
        assert (again.sessions, again.tokens, again.left_over) == (0, 0, 0)


async def test_pruning_many_goes_in_parts(place: Place) -> None:
    async with open_journal(place) as journal:
        await journal.commit(
            [put_session(session(0, index, phase="closed")) for index in range(1_234)]
        )
        assert prune(place, before_ms=DAY_MS, now_ms=DAY_MS).sessions == 1_234
        assert journal.ended_sessions(stream=1) == []


async def test_a_copy_has_every_column_of_every_table(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    async with open_journal(path):
        pass
    with open_copy(path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        found = {
            name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")} - {"id"}
            for (name,) in tables.fetchall()
        }
    for table in ("leases", "relayers", "counters"):
        del found[table]  # about the relayers of one place
    assert found == {table: set(columns.split(", ")) for table, columns in COLUMNS.items()}


@pytest.mark.programs
async def test_the_commands_find_a_database_by_the_file_with_its_url(
    database: str, tmp_path: Path
) -> None:
    await filled(database)
    url = tmp_path / "url"
    url.write_text(database)
    url.chmod(0o600)
    arguments = ["journal", "verify", "--json", "--journal-url-file", str(url)]
    result = CliRunner().invoke(app, arguments, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["rows"]["sessions"] == 4
    assert told["place"].startswith("postgresql://relay@/journal")
    assert PASSWORD not in result.output
