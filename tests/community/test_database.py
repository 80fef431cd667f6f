"""The tables on both kinds of database: steps, transactions, who has them, and who waits."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from streaming.community.database import migrations, opening
from streaming.community.database.database import Database
from streaming.community.database.errors import (
    DatabaseError,
    DatabaseLocked,
    DatabaseUnavailable,
    DatabaseUnreadable,
    DatabaseUrlInvalid,
)
from streaming.community.database.migrations import Execute
from streaming.community.refusal import Refused
from tests.community.conftest import Place

PUBLIC = bytes(range(32))


def add_account(execute: Execute) -> None:
    execute("INSERT INTO accounts (public, created_at_ms) VALUES (?, ?)", (PUBLIC, 7))


def add_account_and_fail(execute: Execute) -> None:
    add_account(execute)
    raise ZeroDivisionError


def accounts(execute: Execute) -> list[bytes]:
    return [bytes(row[0]) for row in execute("SELECT public FROM accounts")]


def test_what_was_written_is_there_after_a_restart(place: Place) -> None:
    engine = opening.opened(place)
    with engine.writing() as execute:
        add_account(execute)
    engine.close()
    again = opening.opened(place)
    with again.reading() as execute:
        assert accounts(execute) == [PUBLIC]
        assert execute("SELECT value FROM meta WHERE key = ?", (migrations.VERSION_KEY,)) == [
            (str(migrations.SCHEMA_VERSION),)
        ]
    again.close()


def test_a_piece_of_work_that_fails_changes_nothing(place: Place) -> None:
    engine = opening.opened(place)
    with pytest.raises(ZeroDivisionError), engine.writing() as execute:
        add_account_and_fail(execute)
    with engine.reading() as execute:
        assert accounts(execute) == []
    engine.close()


def test_what_is_about_an_account_goes_with_it(place: Place) -> None:
    engine = opening.opened(place)
    with engine.writing() as execute:
        add_account(execute)
        execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
            (b"d", "id", PUBLIC, "a browser", 1, 1, 2),
        )
        execute("DELETE FROM accounts WHERE public = ?", (PUBLIC,))
        assert execute("SELECT 1 FROM sessions") == []
    engine.close()


def test_reading_writes_nothing(place: Place) -> None:
    engine = opening.opened(place)
    with pytest.raises(DatabaseError), engine.reading() as execute:
        add_account(execute)
    engine.close()


def test_one_process_at_a_time_has_it(place: Place) -> None:
    engine = opening.opened(place)
    with pytest.raises(DatabaseLocked, match="in use by another process"):
        opening.opened(place)
    engine.close()
    opening.opened(place).close()


def test_a_step_that_fails_leaves_the_version_before(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening.opened(place).close()
    number = migrations.SCHEMA_VERSION + 1
    bad = {**migrations.STEPS, number: "CREATE TABLE half (a TEXT);\nCREATE TABLE half (a TEXT)"}
    monkeypatch.setattr(migrations, "STEPS", bad)
    for module in ("sqlite", "postgres"):
        monkeypatch.setattr(f"streaming.community.database.{module}.SCHEMA_VERSION", number)
    with pytest.raises(Exception, match="half"):
        opening.opened(place)
    monkeypatch.undo()
    engine = opening.opened(place)
    with engine.writing() as execute:
        execute("CREATE TABLE half (a TEXT)")
    engine.close()


def test_a_later_release_s_tables_are_refused(place: Place) -> None:
    engine = opening.opened(place)
    with engine.writing() as execute:
        execute("UPDATE meta SET value = '99' WHERE key = ?", (migrations.VERSION_KEY,))
    engine.close()
    with pytest.raises(DatabaseUnreadable, match="version 99"):
        opening.opened(place)


def test_what_was_deleted_is_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "community.sqlite"
    engine = opening.opened(path)
    with engine.writing() as execute:
        add_account(execute)
    with engine.writing() as execute:
        execute("DELETE FROM accounts")
    engine.forget()
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert PUBLIC not in left
    engine.close()


def test_the_file_is_its_owner_s_alone_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "new" / "community.sqlite"
    opening.opened(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"no database" * 100)
    with pytest.raises(DatabaseUnreadable, match="restore it from a backup"):
        opening.opened(path)
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailable, match="check that the directory is yours"):
        opening.opened(tmp_path / "file" / "community.sqlite")


def test_a_url_comes_from_a_file_that_is_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "url"
    with pytest.raises(DatabaseUrlInvalid, match="check path and owner"):
        opening.read_url(file)
    file.write_text("postgresql://me:secret@127.0.0.1:1/x\nmore")
    file.chmod(0o640)
    with pytest.raises(DatabaseUrlInvalid, match="chmod 600"):
        opening.read_url(file)
    file.chmod(0o600)
    assert opening.read_url(file) == "postgresql://me:secret@127.0.0.1:1/x"
    file.write_text("mysql://me")
    with pytest.raises(DatabaseUrlInvalid, match="no URL of PostgreSQL"):
        opening.read_url(file)


def test_no_message_has_the_password() -> None:
    for url in ("postgresql://me:hunter2@127.0.0.1:1/x", "postgresql://me:hunter2@[bad/x"):
        with pytest.raises(DatabaseError) as raised:
            opening.opened(url)
        assert "hunter2" not in str(raised.value)


def test_more_than_some_wait_for_no_thread(place: Place) -> None:
    async def main() -> None:
        held = threading.Event()
        database = Database(opening.opened(place), waiting_max=2)
        first = asyncio.create_task(database.write(lambda _execute: held.wait(5)))
        second = asyncio.create_task(database.read(accounts))
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:
            await database.read(accounts)
        assert (refused.value.problem.status, refused.value.problem.retry_after_s) == (503, 1)
        held.set()
        await asyncio.gather(first, second)
        assert await database.read(accounts) == []
        await database.close()

    asyncio.run(main())


def test_who_hangs_up_neither_undoes_nor_blocks(place: Place) -> None:
    async def main() -> None:
        held = threading.Event()
        database = Database(opening.opened(place), waiting_max=1)

        def slowly(execute: Execute) -> None:
            held.wait(5)
            add_account(execute)

        task = asyncio.create_task(database.write(slowly))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with pytest.raises(Refused):  # the thread is still at it
            await database.read(accounts)
        held.set()
        while True:
            try:
                assert await database.read(accounts) in ([], [PUBLIC])
                break
            except Refused:
                await asyncio.sleep(0)
        await database.close()
        engine = opening.opened(place)
        with engine.reading() as execute:
            assert accounts(execute) == [PUBLIC]
        engine.close()

    asyncio.run(main())


def test_a_database_that_is_away_is_a_503_without_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        database = Database(opening.opened(tmp_path / "secret-place.sqlite"))

        def away(_execute: Execute) -> None:
            raise DatabaseUnavailable("secret-place is away")

        with pytest.raises(Refused) as refused:
            await database.write(away)
        assert refused.value.problem.status == 503
        assert "secret-place" not in refused.value.problem.detail
        await database.close()

    asyncio.run(main())
    assert "secret-place is away" in caplog.text
