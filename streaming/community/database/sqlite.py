"""The community's tables in a file: SQLite with a write-ahead log and full synchronisation."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from errno import ENOENT
from pathlib import Path
from typing import Final

from streaming.community.database.errors import (
    DatabaseLocked,
    DatabaseUnavailable,
    DatabaseUnreadable,
)
from streaming.community.database.migrations import (
    SCHEMA_VERSION,
    Execute,
    refuse_newer,
    take,
    version,
)

_APPENDED: Final = "SELECT RAISE(ABORT, 'the audit log is only appended to')"
_AUDIT_GUARDS: Final = f"""
CREATE TRIGGER audit_updated BEFORE UPDATE ON audit BEGIN {_APPENDED}; END;
CREATE TRIGGER audit_deleted BEFORE DELETE ON audit BEGIN {_APPENDED}; END;
CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
WHEN NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM audit) BEGIN {_APPENDED}; END;
CREATE TRIGGER audit_reasons_updated BEFORE UPDATE ON audit_reasons BEGIN {_APPENDED}; END;
CREATE TRIGGER audit_reasons_in_order BEFORE INSERT ON audit_reasons
WHEN EXISTS (SELECT 1 FROM audit_reasons WHERE number = NEW.number) BEGIN {_APPENDED}; END
"""  # noqa: S608  (texts of our own)
"""`INSERT OR REPLACE` deletes without a trigger of its own: so a number is the next one or none."""
TYPES: Final[Mapping[str, str]] = {
    "bytes": "BLOB",
    "integer": "INTEGER",
    "table": "STRICT, WITHOUT ROWID",
    "audit_guards": _AUDIT_GUARDS,
}
_WRITER: Final = (
    "busy_timeout = 2000",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",  # what was deleted is overwritten
)
_READER: Final = ("busy_timeout = 2000", "query_only = ON")


class SqliteEngine:
    """An open file, which one process at a time has."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, and bring its tables up to date. Raises DatabaseError."""
        self._path = path
        with ExitStack() as undo, _told(path, "be opened"):
            self._lock = _locked(path)
            undo.callback(os.close, self._lock)
            self._writer = _connected(path, _WRITER)
            undo.callback(self._writer.close)
            path.chmod(0o600)
            self._migrate()
            self._reader = _connected(path, _READER)
            undo.pop_all()

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self._path)

    def _migrate(self) -> None:
        execute = _executes(self._writer)
        found = version(execute, TYPES)
        refuse_newer(found, self.place)
        for number in range(found + 1, SCHEMA_VERSION + 1):
            with self.writing() as within:
                take(number, within, TYPES)

    @contextmanager
    def writing(self) -> Iterator[Execute]:
        """Give what runs statements that all count, or none where the block raises."""
        with _told(self._path, "be written"), _transaction(self._writer, "BEGIN IMMEDIATE"):
            yield _executes(self._writer)

    @contextmanager
    def reading(self) -> Iterator[Execute]:
        """Give what runs queries that all see the same moment."""
        with _told(self._path, "be read"), _transaction(self._reader, "BEGIN"):
            yield _executes(self._reader)

    def forget(self) -> None:
        """Empty the log, which has pages of before; while one reads them a later time does it."""
        with _told(self._path, "be written"):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()
        os.close(self._lock)


@contextmanager
def reading_beside(path: Path) -> Iterator[Execute]:
    """Give what runs queries while another process may have the file. Raises DatabaseError."""
    with _told(path, "be read"):
        if not path.is_file():
            raise FileNotFoundError(ENOENT, "there is no such file")
        connection = _connected(path, _READER)
        try:
            with _transaction(connection, "BEGIN"):
                yield _executes(connection)
        finally:
            connection.close()


def _connected(path: Path, settings: Iterable[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def _executes(connection: sqlite3.Connection) -> Execute:
    return lambda sql, values=(): connection.execute(sql, tuple(values)).fetchall()


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Turn what SQLite and the system say into this room's errors."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise DatabaseUnavailable(
            f"the community's database {path} cannot {what} ({error}): check that it is yours and "
            "writable, and that its disk has room"
        ) from None
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise  # a defect of ours, not of the file
        raise DatabaseUnreadable(
            f"{path} is no usable database ({error}): restore it from a backup, or move it away"
        ) from None


def _locked(path: Path) -> int:
    """Take the file for this process. Raises DatabaseLocked and DatabaseUnavailable."""
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnavailable(
            f"{lock} cannot be made ({error.strerror}): check that the directory is yours and its "
            "disk has room"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise DatabaseLocked(
            f"the community's database {path} is in use by another process: give each "
            "`paystream serve` a --community-database of its own"
        ) from None
    return handle
