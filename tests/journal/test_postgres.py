"""PostgreSQL on bad days: restarts, another owner, wrong passwords."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
import trio
from trio.testing import MockClock

from offchain.journal import (
    Journal,
    JournalLocked,
    JournalUnavailable,
    JournalUnreadable,
    JournalUrlInvalid,
    Statement,
    chains_in,
    open_journal,
    put_connection,
    put_session,
    upkeep,
    url_of_chain,
)
from offchain.journal.postgres import PostgresStore
from tests.journal.database import PASSWORD, Server, running
from tests.journal.samples import connection, session
from tests.relayer.rig import rig

pytestmark = pytest.mark.programs


def sql(database: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database, autocommit=True) as other:
        cursor = other.execute(statement.encode())
        return cursor.fetchall() if cursor.description is not None else []


def cut(database: str) -> int:
    """Break every connection to the database, as its restart does."""
    return len(sql(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                             "WHERE application_name = 'paystream-relay' "
                             "AND datname = current_database()"))  # fmt: skip


DIE = """
SELECT pg_terminate_backend(pg_backend_pid())
WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'died')"""


async def test_a_broken_connection_is_made_again(database: str) -> None:
    async with open_journal(database) as journal:
        await journal.commit([put_session(session())])
        assert journal.session(0, 0) == session()
        assert cut(database) == 2
        assert journal.session(0, 0) == session()
        await journal.commit([put_session(session(1))])
        assert journal.healthy
        assert len(journal.load().sessions) == 2


async def test_a_database_that_is_away_is_said_and_loses_nothing() -> None:
    with running() as server:
        database = server.fresh()
        async with open_journal(database) as journal:
            await journal.commit([put_session(session())])
            server.stop()
            for _ in range(2):
                with pytest.raises(JournalUnavailable, match="check that the database runs"):
                    await journal.commit([put_session(session(1))])
            assert not journal.healthy
            with pytest.raises(JournalUnavailable):
                journal.session(0, 0)
            server.start()
            await journal.commit([put_session(session(2))])
            assert journal.healthy
            assert [record.grant for record in journal.load().sessions] == [0, 2]


async def test_a_second_relayer_is_refused(database: str) -> None:
    async with open_journal(database):
        with pytest.raises(JournalLocked, match="in use by another relayer"):
            async with open_journal(database):
                pass
    async with open_journal(database):
        pass


async def test_who_lost_the_journal_to_another_writes_no_more(database: str) -> None:
    """Its connection broke, another relayer took over and has ended: what it remembers is old."""
    async with open_journal(database) as first:
        await first.commit([put_session(session(paid=1))])
        cut(database)
        async with open_journal(database) as second:
            with pytest.raises(JournalUnavailable, match="is held by another connection"):
                await first.commit([put_session(session(paid=2))])
            await second.commit([put_session(session(paid=3))])
        for _ in range(2):
            with pytest.raises(JournalUnavailable, match="another relayer has had the journal"):
                await first.commit([put_session(session(paid=2))])
        assert first.load().sessions == [session(paid=3)]


async def test_a_transaction_is_whole_or_not_at_all_however_it_breaks(database: str) -> None:
    """The connection breaks between two statements: they are run once more, in a new one."""
    die: Statement = (DIE, ())
    async with open_journal(database) as journal:
        with pytest.raises(JournalUnavailable):
            await journal.commit([put_session(session()), die, put_session(session(1))])
        assert journal.load().sessions == []
        sql(database, "INSERT INTO meta (key, value) VALUES ('died', '1')")
        await journal.commit([put_session(session()), die, put_session(session(1))])
        assert len(journal.load().sessions) == 2


async def test_writes_of_a_crowd_go_together(database: str) -> None:
    async with open_journal(database) as journal:
        many = [put_connection(connection(grant)) for grant in range(2_000)]
        await journal.commit(many)
        assert len(journal.load().connections) == 2_000
        assert journal.commits == 1


async def test_no_message_has_the_password(server: Server, database: str) -> None:
    wrong = database.replace("s3cret%3A", "wrong%3A")
    unknown = database.replace("/journal", "/nowhere")
    broken = database + "&sslmode=perhaps"
    options = database + "&no_such_option=1"
    query = f"postgresql:///journal?host={server.directory}&user=relay&password=s3cret"
    gone = database.replace(str(server.directory), "/nowhere")
    for url in (wrong, unknown, broken, options, query, gone, "postgresql://u:s3cret@h:port/d"):
        with pytest.raises((JournalUnavailable, JournalUrlInvalid)) as caught:
            async with open_journal(url):
                pass
        shown = str(caught.value)
        assert PASSWORD not in shown
        for secret in ("s3cret", "wrong", "%2F"):
            assert secret not in shown, url


async def test_the_place_is_named_without_what_is_secret(database: str) -> None:
    async with open_journal(database) as journal:
        assert journal.place.startswith("postgresql://relay@/journal")
        assert "s3cret" not in journal.place
        assert "s3cret" not in repr(vars(journal._store)["_url"])


async def test_what_is_acknowledged_is_on_the_disk(database: str) -> None:
    """A database whose default is to acknowledge first and write later is told otherwise."""
    sql(database, "ALTER DATABASE " + database.partition("@/")[2].partition("?")[0]
        + " SET synchronous_commit = off")  # fmt: skip
    async with open_journal(database) as journal:
        assert setting(journal, "synchronous_commit") == "on"
        assert setting(journal, "statement_timeout") == "10s"


def setting(journal: Journal, name: str) -> str:
    store = journal._store
    assert isinstance(store, PostgresStore)
    rows = store._writer.execute(f"SHOW {name}".encode()).fetchall()
    return str(rows[0][0])


async def test_a_newer_version_is_refused(database: str) -> None:
    async with open_journal(database):
        pass
    sql(database, "UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(JournalUnreadable, match="the release that wrote it"):
        async with open_journal(database):
            pass


async def test_a_step_that_fails_leaves_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from offchain.journal import migrations, postgres

    def halfway(execute: migrations.Execute) -> None:
        migrations.POSTGRES[2](execute)
        execute("SELECT 1 FROM nowhere")

    monkeypatch.setattr(postgres, "POSTGRES", {**migrations.POSTGRES, 2: halfway})
    with pytest.raises(JournalUnreadable, match="nowhere"):
        async with open_journal(database):
            pass
    assert sql(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    monkeypatch.undo()
    async with open_journal(database) as journal:
        assert journal.load().sessions == []


async def test_a_damaged_row_costs_itself(database: str) -> None:
    async with open_journal(database) as journal:
        await journal.commit([put_session(session(grant)) for grant in (0, 1)])
        sql(database, "UPDATE sessions SET checksum = 1 WHERE grant_id = 0")
        loaded = journal.load()
        assert [record.grant for record in loaded.sessions] == [1]
        assert loaded.damaged[0].startswith("sessions 0-0 is damaged")
        assert journal.load().damaged == []
        assert sql(database, "SELECT source, name FROM damaged") == [("sessions", "0-0")]


async def test_a_user_without_rights_is_told(database: str) -> None:
    async with open_journal(database) as journal:
        sql(database, "ALTER DATABASE " + database.partition("@/")[2].partition("?")[0]
            + " SET default_transaction_read_only = on")  # fmt: skip
        cut(database)
        with pytest.raises(JournalUnavailable, match="cannot be written"):
            await journal.commit([put_session(session())])


async def test_a_relayer_goes_on_after_crashes(
    database: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path, started=False) as r:
        r.path = database  # type: ignore[assignment]
        await r.start()
        watching = await r.watch(await r.ready_viewer())
        for _ in range(3):
            await trio.sleep(7.3)
            await r.crash()
            cut(database)
            await r.start()
        await trio.sleep(5)
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
        assert r.earned() == watching.delivered_ms // 1000
        await r.until(lambda: not r.relayer.core.book.sessions)
        loaded = r.relayer.core.journal.load()
        assert loaded.sessions == loaded.connections == loaded.orders == []


async def test_each_chain_with_a_name_has_a_schema_of_its_own(
    database: str, tmp_path: Path
) -> None:
    asia = url_of_chain(database, "asia-2")
    async with open_journal(database) as here, open_journal(asia) as there:
        await here.commit([put_session(session())])
        assert there.load().sessions == []
        await there.commit([put_session(session(1))])
        assert here.session(1, 0) is None
        assert there.session(1, 0) == session(1)
        with pytest.raises(JournalLocked, match=r"\(paystream_asia_2\) is in use"):
            PostgresStore(asia)
        assert cut(database)
        await there.commit([put_session(session(2))])
        assert here.load().sessions == [session()]
    assert chains_in(database) == ["", "asia-2"]
    with pytest.raises(JournalUnreadable, match="start the relayer once"):
        upkeep.verify(url_of_chain(database, "africa"))
    upkeep.backup(asia, tmp_path / "copy")
    assert upkeep.restore(tmp_path / "copy", url_of_chain(database, "b")).rows["sessions"] == 2


async def test_options_of_the_url_stay(database: str) -> None:
    own = database + ("&" if "?" in database else "?") + "options=-cwork_mem%3D8MB"
    async with open_journal(url_of_chain(own, "asia")) as journal:
        assert journal.load().sessions == []
    assert sql(url_of_chain(own, "asia"), "SHOW work_mem") == [("8MB",)]


async def test_who_may_make_no_schema_is_told_what_to_run(database: str) -> None:
    name = sql(database, "SELECT current_database()")[0][0]
    sql(database, "CREATE ROLE poor LOGIN PASSWORD 'poor'")
    sql(database, f'REVOKE CREATE ON DATABASE "{name}" FROM PUBLIC')
    poor = re.sub(r"//[^@]*@", "//poor:poor@", url_of_chain(database, "asia"))
    with pytest.raises(
        JournalUnavailable, match='CREATE SCHEMA paystream_asia AUTHORIZATION "poor'
    ):
        PostgresStore(poor)
