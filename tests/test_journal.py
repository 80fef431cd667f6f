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
    JournalUnavailable,
    JournalUnreadable,
    drop_orders,
    open_journal,
    put_delegate,
    put_order,
    put_session,
    put_states,
    put_token,
)
from offchain.journal_schema import (
    SCHEMA_VERSION,
    BudgetState,
    ConnectionRecord,
    DelegateRecord,
    OrderRecord,
    PackedStates,
    SessionRecord,
    SessionState,
    TokenRecord,
)


def session(grant: int = 0, index: int = 0, **fields: object) -> SessionRecord:
    values: dict[str, object] = {
        "grant": grant, "index": index, "viewer": "5Alice", "delegate": b"k" * 32, "stream": 1,
        "rate_per_second": 2**100, "funds": 2**120, "start_at": 1, "admitted_at_ms": 2,
        "phase": "open", "number": 1, "resume_digest": b"r", "token_digest": b"t",
    }  # fmt: skip
    return SessionRecord(**values | fields)  # type: ignore[arg-type]


def states(delivered_ms: int, finalized_block: int = 0) -> PackedStates:
    connection = ConnectionRecord("c", 1, "b", delivered_ms, delivered_ms, 0)
    return PackedStates(
        [SessionState(0, 0, [connection])], [BudgetState("5Alice", 1, 2)], finalized_block
    )


async def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "s" / "journal.sqlite"
    token = TokenRecord(digest=b"d", purpose="watch", account="5A", stream=None, expires_at_ms=9)
    delegate = DelegateRecord(public=b"p", viewer="5A", key_name="n")
    order = OrderRecord(grant=0, index=0, lane=1, body=b"o", signature=b"s" * 64)
    async with open_journal(path) as journal:
        await journal.commit([put_session(session()), put_token(token), put_delegate(delegate)])
        await journal.commit([put_order(order), *put_states(states(1_000))])
        await journal.commit(put_states(states(2_000, 7)))
    async with open_journal(path) as journal:
        loaded = journal.load()
    assert loaded.sessions == [session()]
    assert loaded.states == states(2_000, 7)
    assert (loaded.tokens, loaded.delegates, loaded.orders) == ([token], [delegate], [order])


async def test_ended_sessions_are_kept_but_not_loaded(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "j" / "journal.sqlite") as journal:
        closed = session(phase="closed", paid_seconds=5)
        await journal.commit([put_session(session()), put_session(closed), drop_orders(0, 0)])
        assert journal.load().sessions == []
        assert journal.session(0, 0) == closed
        assert journal.ended_sessions(viewer="5Alice") == [closed]
        assert journal.ended_sessions(stream=1) == [closed]
        assert journal.ended_sessions(viewer="5Bob") == journal.ended_sessions(stream=2) == []
        assert journal.session(0, 1) is None


async def test_it_is_private_and_written_through(tmp_path: Path) -> None:
    path = tmp_path / "s" / "journal.sqlite"
    async with open_journal(path) as journal:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_writes_that_wait_together_are_one_transaction(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "j.sqlite") as journal, trio.open_nursery() as nursery:
        for number in range(GROUP_MAX + 100):
            nursery.start_soon(journal.commit, [put_session(session(index=number))])
    async with open_journal(tmp_path / "j.sqlite") as again:
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
            rows = journal._connection.execute("SELECT * FROM meta")
            assert rows.fetchall() == [("a", "b")]

    trio.run(again)


async def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "j.sqlite") as journal:
        await journal.commit([put_session(session())])
        pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        many = [put_session(session(index=index, viewer="x" * 2_000)) for index in range(1, 99)]
        with pytest.raises(JournalUnavailable, match=r"database or disk is full.*make room"):
            await journal.commit(many)
        assert not journal.healthy
        assert journal.failure is not None
        kept = len(journal.load().sessions)
        journal._connection.execute("PRAGMA max_page_count = 1000000")
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


async def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(JournalUnreadable, match="the release that wrote it"):
        async with open_journal(path):
            pass


async def test_another_chain_is_refused(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "j.sqlite") as journal:
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
        self.states: PackedStates | None = None

    def teardown(self) -> None:
        self._directory.cleanup()

    def run(self, statements: list[object], *, broken: bool = False) -> bool:
        async def main() -> bool:
            async with open_journal(self.path, inline=True) as journal:
                if broken:
                    statements.append(("INSERT INTO nowhere VALUES (1)", ()))
                try:
                    await journal.commit(statements)  # type: ignore[arg-type]
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
        phase=st.sampled_from(["opening", "open", "closing", "closed", "failed"]),
        seconds=st.integers(0, 2**32),
        broken=st.booleans(),
    )
    def write(self, grant: int, index: int, phase: str, seconds: int, broken: bool) -> None:
        record = session(grant, index, phase=phase, paid_seconds=seconds)
        packed = states(seconds, seconds)
        done = self.run([put_session(record), *put_states(packed)], broken=broken)
        assert done is not broken
        if done:
            self.sessions[grant, index] = record
            self.states = packed

    @invariant()
    def holds(self) -> None:
        async def main() -> tuple[object, object]:
            async with open_journal(self.path, inline=True) as journal:
                loaded = journal.load()
                return loaded.sessions, loaded.states

        sessions, packed = trio.run(main, clock=MockClock(autojump_threshold=0))
        wanted = {
            key: record
            for key, record in self.sessions.items()
            if record.phase not in ("closed", "failed")
        }
        assert sessions == [wanted[key] for key in sorted(wanted)]
        assert packed == self.states


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
