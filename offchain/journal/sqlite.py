"""The journal in a file: SQLite with a write-ahead log and full synchronisation."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from offchain.journal.errors import JournalLocked, JournalUnavailable, JournalUnreadable
from offchain.journal.guard import Guard
from offchain.journal.migrations import (
    SCHEMA_VERSION,
    SQLITE,
    Execute,
    Rows,
    refuse_newer,
    refuse_other,
)
from offchain.journal.statements import Statement, runs
from offchain.journal.store import Select


class SqliteStore:
    """An open file. One process at a time writes to it (see `owned`)."""

    def __init__(self, path: Path, *, owner: bool = True) -> None:
        """Open the file; its owner also makes it and brings its schema up to date.

        Raises JournalUnreadable and JournalUnavailable.
        """
        self._path = path
        self._writer = _writer(path, owner=owner)
        # reading must neither wait for the disk nor see what is not on it yet
        self._reader = _reader(path)

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self._path)

    @property
    def now_ms(self) -> str:
        """The machine's clock, as SQLite reads it."""
        return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

    @property
    def share(self) -> str:
        """Nothing: nobody else writes while a transaction does."""
        return ""

    def write(self, statements: Sequence[Statement], guard: Guard | None = None) -> None:
        """Run all of the statements, or none. Raises JournalUnavailable, and what `guard` does."""
        with self._transaction() as connection:
            if guard is not None:
                guard.check(lambda sql, values=(): connection.execute(sql, values).fetchall())
            for sql, values in runs(statements):
                connection.executemany(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Give what runs statements that all count, or none where the block raises."""
        with self._transaction() as connection:
            yield lambda sql, values=(): connection.execute(sql, tuple(values)).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._writer
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error:
                pass  # SQLite has rolled back by itself
            if not isinstance(error, sqlite3.Error):
                raise
            raise JournalUnavailable(
                f"the journal {self.place} cannot be written ({error}): make room on its disk and "
                "check that it is writable. Admission and media wait until it is"
            ) from None

    def read(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Give the rows of a query. Raises JournalUnavailable and JournalUnreadable."""
        with unreadable(self._path):
            return self._reader.execute(sql, tuple(values)).fetchall()

    def end_stalled(self) -> int:
        """Break nothing: a file has one writer."""
        return 0

    def verify(self) -> list[str]:
        """Let SQLite check its pages and indexes."""
        with unreadable(self._path):
            found = [str(row[0]) for row in self._reader.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    @contextmanager
    def snapshot(self) -> Iterator[Select]:
        """Give what runs queries that all see the same moment."""

        def select(sql: str) -> Iterator[tuple[Any, ...]]:
            with unreadable(self._path):
                yield from self._reader.execute(sql)

        with unreadable(self._path):
            self._reader.execute("BEGIN")
        try:
            yield select
        finally:
            self._reader.execute("COMMIT")

    def single_file(self) -> None:
        """Do without a log beside the file, so that it can be carried away."""
        with unreadable(self._path):
            self._reader.close()
            self._writer.execute("PRAGMA journal_mode = DELETE")

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()


def _writer(path: Path, *, owner: bool) -> sqlite3.Connection:
    made = not path.exists()
    if made and not owner:
        raise JournalUnavailable(f"there is no journal at {path}: give another --state-dir")
    with unreadable(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            if owner:
                path.chmod(0o600)
            connection.execute("PRAGMA busy_timeout = 2000")
            if owner:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if owner:
                _migrate(connection, path)
            else:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                refuse_other(version, str(path))
        except BaseException:
            connection.close()
            raise
    if made:
        _sync_directory(path.parent)
    return connection


def _reader(path: Path) -> sqlite3.Connection:
    with unreadable(path):
        reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        reader.text_factory = _text
        reader.execute("PRAGMA query_only = ON")
        reader.execute("PRAGMA busy_timeout = 2000")
        return reader


def _text(content: bytes) -> str:
    return content.decode(errors="replace")  # a damaged row must not hide the others


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    def execute(sql: str, values: Sequence[Any] = ()) -> Rows:
        return connection.execute(sql, values).fetchall()

    version = execute("PRAGMA user_version")[0][0]
    refuse_newer(version, str(path))
    for number in range(version + 1, SCHEMA_VERSION + 1):
        execute("BEGIN IMMEDIATE")
        SQLITE[number](execute)
        execute(f"PRAGMA user_version = {number}")
        execute("COMMIT")


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into the journal's errors."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise JournalUnavailable(
            f"the journal {path} cannot be opened ({error}): check that it is yours, writable, "
            "and its disk has room"
        ) from None
    except sqlite3.Error as error:
        raise JournalUnreadable(
            f"{path} is no usable journal ({error}): restore it from a backup, or move it away; "
            "open sessions are then settled by anyone after their window"
        ) from None


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- one owner -------------------------------------------------------------------------


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Own the file until the block ends. Raises JournalLocked and JournalUnavailable."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalUnavailable(
            f"{lock_path} cannot be made ({error.strerror}): check that the directory is yours "
            "and its disk has room"
        ) from None
    with os.fdopen(handle, "r+") as lock:
        _take(lock, path)
        yield


def _take(lock: IO[str], path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = lock.read(32).strip() or "another process"
        raise JournalLocked(
            f"the journal {path} is in use by process {owner}: one relayer at a time. Stop that "
            "one, or give this one another --state-dir"
        ) from None
    try:
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
    except OSError:
        pass  # the lock holds without the number; a full disk shows itself at the first write
