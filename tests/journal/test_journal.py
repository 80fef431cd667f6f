"""The journal: one owner, nothing lost, clear words when the disk refuses."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from trio.testing import MockClock

from offchain.journal import (
    GROUP_MAX,
    BudgetState,
    DelegateRecord,
    Journal,
    JournalUnavailable,
    JournalUnreadable,
    OrderRecord,
    SessionConnection,
    SessionRecord,
    Statement,
    TokenRecord,
    drop_budget,
    drop_connections,
    drop_orders,
    drop_tokens,
    open_journal,
    put_budget,
    put_connection,
    put_delegate,
    put_finalized,
    put_order,
    put_session,
    put_token,
)
from tests.journal.conftest import Place
from tests.journal.samples import connection, session

TOKEN = TokenRecord(digest=b"d", purpose="watch", account="5A", stream=None, expires_at_ms=9)
DELEGATE = DelegateRecord(public=b"p", viewer="5A", key_name="n")
ORDER = OrderRecord(grant=0, index=0, lane=1, body=b"o", signature=b"s" * 64)


async def test_everything_comes_back(place: Place) -> None:
    async with open_journal(place) as journal:
        await journal.commit([put_session(session()), put_token(TOKEN), put_delegate(DELEGATE)])
        await journal.commit([put_order(ORDER), put_connection(connection(delivered_ms=1))])
        await journal.commit([
            put_connection(connection(delivered_ms=2)), put_connection(connection(number=2)),
            put_budget(BudgetState("5A", 1, 2)), put_finalized(7),
        ])  # fmt: skip
    async with open_journal(place) as journal:
        loaded = journal.load()
    assert loaded.sessions == [session()]
    assert loaded.connections == [connection(delivered_ms=2), connection(number=2)]
    assert (loaded.budgets, loaded.finalized_block) == ([BudgetState("5A", 1, 2)], 7)
    assert (loaded.tokens, loaded.delegates, loaded.orders) == ([TOKEN], [DELEGATE], [ORDER])
    assert loaded.damaged == []


async def test_what_is_written_again_takes_the_place(place: Place) -> None:
    async with open_journal(place) as journal:
        for last in (0, 1):
            at_ms = 10 + last
            token = TokenRecord(
                digest=b"d", purpose="publish", account="5B", stream=3, expires_at_ms=at_ms
            )
            delegate = DelegateRecord(public=b"p", viewer="5A", key_name="n", retired=bool(last))
            order = OrderRecord(grant=0, index=0, lane=1, body=bytes([last]), signature=None)
            await journal.commit([
                put_session(session(paid=last)), put_token(token), put_delegate(delegate),
                put_order(order), put_budget(BudgetState("5A", 1 + last, 2)), put_finalized(last),
            ])  # fmt: skip
        loaded = journal.load()
    assert loaded.sessions == [session(paid=1)]
    assert (loaded.tokens, loaded.delegates, loaded.orders) == ([token], [delegate], [order])
    assert (loaded.budgets, loaded.finalized_block) == ([BudgetState("5A", 2, 2)], 1)


async def test_what_is_dropped_is_gone(place: Place) -> None:
    async with open_journal(place) as journal:
        await journal.commit([put_session(session()), put_token(TOKEN)])
        await journal.commit([put_connection(connection(number=n)) for n in (1, 2, 3)])
        await journal.commit([put_connection(connection(1)), put_budget(BudgetState("5A", 1, 2))])
        await journal.commit([
            drop_connections(0, 0, 2), drop_budget("5A"), drop_budget("5B"), drop_tokens(10),
        ])  # fmt: skip
        loaded = journal.load()
    assert loaded.connections == [connection(number=3), connection(1)]
    assert (loaded.budgets, loaded.tokens) == ([], [])


async def test_an_earlier_attempt_never_overwrites_a_later_one(place: Place) -> None:
    """Both have the same name, and a write of the first may come after the second's."""
    async with open_journal(place) as journal:
        later = session(attempt=2, number=2)
        await journal.commit([put_session(session(phase="opening")), put_order(ORDER)])
        await journal.commit([put_session(later)])
        await journal.commit([put_session(session(phase="failed")), drop_orders(0, 0)])
        loaded = journal.load()
        assert loaded.sessions == [later]
        assert loaded.orders == [ORDER]
        await journal.commit([put_session(session(attempt=2, number=1, paid=5))])
        assert journal.load().sessions == [session(attempt=2, number=1, paid=5)]


async def test_ended_sessions_are_kept_but_not_loaded(place: Place) -> None:
    async with open_journal(place) as journal:
        closed = session(phase="closed", paid_seconds=5)
        await journal.commit([put_session(session()), put_order(ORDER)])
        await journal.commit([put_session(closed), drop_orders(0, 0)])
        assert journal.load().sessions == journal.load().orders == []
        assert journal.session(0, 0) == closed
        assert journal.ended_sessions(viewer="5Alice") == [closed]
        assert journal.ended_sessions(stream=1) == [closed]
        assert journal.ended_sessions(viewer="5Bob") == journal.ended_sessions(stream=2) == []
        assert journal.session(0, 1) is None


async def test_reading_waits_for_no_write(place: Place) -> None:
    """Nor does the relayer's loop: it is done in a thread."""
    async with open_journal(place) as journal:
        await journal.commit([put_session(session())])
        async with journal._turn:
            assert await journal.reading(journal.session, 0, 0) == session()
            assert await journal.reading(journal.ended_sessions, viewer="5Alice") == []


async def test_the_latest_ended_sessions_come_first(place: Place) -> None:
    async with open_journal(place) as journal:
        records = [session(grant, index, phase="closed") for grant in (0, 1) for index in (0, 1)]
        await journal.commit([put_session(record) for record in records])
        assert journal.ended_sessions(stream=1, limit=3) == records[:0:-1]


async def test_a_failed_write_leaves_nothing_and_the_next_one_stands(place: Place) -> None:
    nowhere: Statement = ("INSERT INTO nowhere VALUES (?)", (1,))
    async with open_journal(place) as journal:
        with pytest.raises(JournalUnavailable, match="nowhere"):
            await journal.commit([put_session(session()), nowhere])
        assert not journal.healthy
        assert journal.failure is not None
        assert journal.load().sessions == []
        await journal.commit([put_session(session())])
        assert journal.healthy
        assert journal.load().sessions == [session()]


async def test_it_is_private_and_written_through(tmp_path: Path) -> None:
    path = tmp_path / "s" / "journal.sqlite"
    async with open_journal(path) as journal:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        writer = of_file(journal)
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


def of_file(journal: Journal) -> sqlite3.Connection:
    connection: sqlite3.Connection = journal._store._writer  # type: ignore[attr-defined]
    return connection


async def test_writes_that_wait_together_are_one_transaction(place: Place) -> None:
    async with open_journal(place) as journal, trio.open_nursery() as nursery:
        for number in range(GROUP_MAX + 100):
            nursery.start_soon(journal.commit, [put_session(session(index=number))])
    async with open_journal(place) as again:
        assert len(again.load().sessions) == GROUP_MAX + 100
    assert journal.commits < 20


def python(code: str, path: Path) -> tuple[int, str]:
    """Run a program that has `path` and defines `main`; give its status and output."""
    head = (
        "import os, sys, trio\n"
        "from pathlib import Path\n"
        "from offchain.journal import JournalLocked, JournalUnavailable, open_journal\n"
        "path = Path(sys.argv[1])\n"
    )
    command = [sys.executable, "-c", f"{head}{code}trio.run(main)\n", str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=60)
    return done.returncode, done.stdout.decode()


async def test_a_second_process_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    code = (
        "async def main():\n"
        "    try:\n"
        "        async with open_journal(path): print('open')\n"
        "    except JournalLocked as error: print(error)\n"
    )
    async with open_journal(path):
        _, output = await trio.to_thread.run_sync(python, code, path)
    assert f"process {os.getpid()}" in output
    assert "--state-dir" in output
    _, output = await trio.to_thread.run_sync(python, code, path)
    assert output == "open\n"


def test_a_killed_owner_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    code = (
        "async def main():\n"
        "    async with open_journal(path) as journal:\n"
        "        await journal.commit([('INSERT INTO meta VALUES (?, ?)', ('a', 'b'))])\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    assert python(code, path)[0] == -9

    async def again() -> None:
        async with open_journal(path) as journal:
            rows = of_file(journal).execute("SELECT * FROM meta")
            assert rows.fetchall() == [("a", "b")]

    trio.run(again)


async def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "j.sqlite") as journal:
        await journal.commit([put_session(session())])
        pages = of_file(journal).execute("PRAGMA page_count").fetchone()[0]
        of_file(journal).execute(f"PRAGMA max_page_count = {pages}")
        many = [put_session(session(index=index, viewer="x" * 2_000)) for index in range(1, 99)]
        with pytest.raises(JournalUnavailable, match=r"database or disk is full.*make room"):
            await journal.commit(many)
        assert not journal.healthy
        assert journal.failure is not None
        kept = len(journal.load().sessions)
        of_file(journal).execute("PRAGMA max_page_count = 1000000")
        await journal.commit([put_session(session(grant=9))])
        assert journal.healthy
        assert len(journal.load().sessions) == kept + 1


def test_a_file_size_limit_is_said(tmp_path: Path) -> None:
    """What a quota does: writes fail with EFBIG in the middle of a file."""
    code = (
        "import resource\n"
        "async def main():\n"
        "    async with open_journal(path) as journal:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "        for n in range(1_000):\n"
        "            try: await journal.commit("
        "[('INSERT INTO meta VALUES (?, ?)', (str(n), 'x' * 999))])\n"
        "            except JournalUnavailable as error: return print(error)\n"
    )
    status, output = python(code, tmp_path / "journal.sqlite")
    assert status == 0
    assert "cannot be written" in output


@pytest.mark.parametrize("content", [b"no database " * 100, b"SQLite format 3\0" + b"x" * 999])
async def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    with pytest.raises((JournalUnreadable, JournalUnavailable), match=r"journal\.sqlite"):
        async with open_journal(path) as journal:
            journal.load()
    assert path.read_bytes() == content


async def test_another_chain_is_refused(place: Place) -> None:
    async with open_journal(place) as journal:
        journal.bind_chain("0xaa")
        journal.bind_chain("0xaa")
        with pytest.raises(JournalUnreadable, match=r"0xaa.*0xbb"):
            journal.bind_chain("0xbb")


class JournalMachine(RuleBasedStateMachine):
    """Writes, failures and restarts in any order: what was acknowledged is there, whole."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.path = Path(self._directory.name) / "journal.sqlite"
        self.sessions: dict[tuple[int, int], SessionRecord] = {}
        self.connections: dict[tuple[int, int, int], SessionConnection] = {}
        self.finalized_block = 0

    def teardown(self) -> None:
        self._directory.cleanup()

    def run(self, statements: list[Statement], *, broken: bool = False) -> bool:
        async def main() -> bool:
            async with open_journal(self.path, inline=True) as journal:
                if broken:
                    statements.append(("INSERT INTO nowhere VALUES (1)", ()))
                try:
                    await journal.commit(statements)
                except JournalUnavailable:
                    return False
                return True

        return trio.run(main, clock=MockClock(autojump_threshold=0))

    @initialize()
    def made(self) -> None:
        assert self.run([put_session(session(grant=99))])
        self.sessions[99, 0] = session(grant=99)

    @rule(
        grant=st.integers(0, 3),
        index=st.integers(0, 3),
        number=st.integers(1, 3),
        phase=st.sampled_from(["opening", "open", "closing", "closed", "failed"]),
        seconds=st.integers(0, 2**32),
        broken=st.booleans(),
    )
    def write(
        self, grant: int, index: int, number: int, *, phase: str, seconds: int, broken: bool
    ) -> None:
        record = session(grant, index, phase=phase, paid_seconds=seconds)
        state = connection(grant, index, number, seconds)
        statements = [put_session(record), put_connection(state), put_finalized(seconds)]
        done = self.run(statements, broken=broken)
        assert done is not broken
        if done:
            self.sessions[grant, index] = record
            self.connections[grant, index, number] = state
            self.finalized_block = seconds

    @invariant()
    def holds(self) -> None:
        async def main() -> tuple[object, object, object]:
            async with open_journal(self.path, inline=True) as journal:
                loaded = journal.load()
                return loaded.sessions, loaded.connections, loaded.finalized_block

        sessions, connections, block = trio.run(main, clock=MockClock(autojump_threshold=0))
        wanted = {
            key: record
            for key, record in self.sessions.items()
            if record.phase not in ("closed", "failed")
        }
        assert sessions == [wanted[key] for key in sorted(wanted)]
        assert connections == [self.connections[key] for key in sorted(self.connections)]
        assert block == self.finalized_block


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
