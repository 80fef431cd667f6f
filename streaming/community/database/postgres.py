"""The community's tables in a PostgreSQL database, by psycopg, in two threads as SQLite's are.

One process has them, by an advisory lock that lasts as long as its connection. A connection that
broke is made again, with the lock; if another process has taken it meanwhile, this one only waits.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from streaming.community.database.errors import (
    DatabaseLocked,
    DatabaseUnavailable,
    DatabaseUnreadable,
    DatabaseUrlInvalid,
)
from streaming.community.database.migrations import (
    SCHEMA_VERSION,
    Execute,
    Rows,
    refuse_newer,
    take,
    version,
)

CONNECT_S: Final = 5
STATEMENT_MS: Final = 10_000
READ_MS: Final = 2_000
SILENT_MS: Final = 10_000
"""So long a database machine may say nothing before its connection counts as broken."""
_APPENDED: Final = """RAISE EXCEPTION 'the audit log is only appended to'
    USING ERRCODE = 'integrity_constraint_violation'"""
_AUDIT_GUARDS: Final = f"""
CREATE FUNCTION audit_appended() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_APPENDED}; END $$;
CREATE FUNCTION audit_in_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM audit) THEN {_APPENDED}; END IF; \
RETURN NEW; END $$;
CREATE TRIGGER audit_changed BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_appended();
CREATE TRIGGER audit_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_appended();
CREATE TRIGGER audit_added BEFORE INSERT ON audit
FOR EACH ROW EXECUTE FUNCTION audit_in_order();
CREATE TRIGGER audit_reasons_updated BEFORE UPDATE ON audit_reasons
FOR EACH ROW EXECUTE FUNCTION audit_appended();
CREATE TRIGGER audit_reasons_emptied BEFORE TRUNCATE ON audit_reasons
FOR EACH STATEMENT EXECUTE FUNCTION audit_appended()
"""  # noqa: S608  (texts of our own)
TYPES: Final[Mapping[str, str]] = {
    "bytes": "BYTEA",
    "integer": "BIGINT",
    "table": "",
    "audit_guards": _AUDIT_GUARDS,
}
_LOCK: Final = (
    "SELECT pg_try_advisory_lock(hashtextextended('paystream community ' || current_schema(), 0))"
)
_GONE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
)
_Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class PostgresEngine:
    """A database that one process at a time has."""

    def __init__(self, url: str) -> None:
        """Connect, take it and bring its tables up to date. Raises DatabaseError."""
        self._url = _Url(url)
        self._writer = self._taken()
        self._reader: _Connection | None = None
        try:
            with _told(self._url, "be opened"):
                self._migrate()
        except BaseException:
            self._writer.close()
            raise

    @property
    def place(self) -> str:
        """The address, without what is secret in it."""
        return self._url.shown

    def _taken(self) -> _Connection:
        connection = _connected(self._url, STATEMENT_MS)
        with _told(self._url, "be opened"):
            taken = connection.execute(_LOCK.encode()).fetchall() == [(True,)]
        if not taken:
            connection.close()
            raise DatabaseLocked(
                f"the community's database {self.place} is in use by another process: give each "
                "`paystream serve` a database of its own"
            )
        return connection

    def _migrate(self) -> None:
        execute = _executes(self._writer)
        found = version(execute, TYPES)
        refuse_newer(found, self.place)
        for number in range(found + 1, SCHEMA_VERSION + 1):
            with self._writer.transaction():
                take(number, execute, TYPES)

    @contextmanager
    def writing(self) -> Iterator[Execute]:
        """Give what runs statements that all count, or none where the block raises."""
        with _told(self._url, "be written"):
            if self._writer.closed:
                try:
                    self._writer = self._taken()
                except DatabaseLocked as error:
                    raise DatabaseUnavailable(str(error)) from None
            with self._writer.transaction():
                yield _executes(self._writer)

    @contextmanager
    def reading(self) -> Iterator[Execute]:
        """Give what runs queries that all see the same moment."""
        with _told(self._url, "be read"):
            if self._reader is None or self._reader.closed:
                self._reader = _connected(self._url, READ_MS)
                self._reader.execute("SET default_transaction_read_only = on")
                self._reader.execute("SET default_transaction_isolation = 'repeatable read'")
            with self._reader.transaction():
                yield _executes(self._reader)

    def forget(self) -> None:
        """Do nothing: PostgreSQL's own vacuum takes what was deleted out of its files."""

    def close(self) -> None:
        """Let go of it."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                with suppress(psycopg.Error):
                    connection.close()


@contextmanager
def reading_beside(url: str) -> Iterator[Execute]:
    """Give what runs queries while another process may have the database. Raises DatabaseError."""
    address = _Url(url)
    connection = _connected(address, STATEMENT_MS)
    try:
        with _told(address, "be read"):
            connection.execute("SET default_transaction_read_only = on")
            connection.execute("SET default_transaction_isolation = 'repeatable read'")
            with connection.transaction():
                yield _executes(connection)
    finally:
        connection.close()


def _connected(url: _Url, statement_ms: int) -> _Connection:
    with _told(url, "be reached"):
        connection = psycopg.connect(
            url.text,
            autocommit=True,
            connect_timeout=CONNECT_S,
            tcp_user_timeout=SILENT_MS,
            application_name="paystream-community",
        )
        connection.execute(f"SET statement_timeout = {statement_ms}".encode())
        return connection


@contextmanager
def _told(url: _Url, what: str) -> Iterator[None]:
    """Turn what psycopg says into this room's errors, without the password."""
    try:
        yield
    except _GONE as error:
        raise DatabaseUnavailable(
            f"the community's database {url} cannot {what} "
            f"({url.without_secrets(error)}): check that it runs, takes this user and "
            "has room"
        ) from None
    except (psycopg.errors.IntegrityError, psycopg.ProgrammingError):
        raise  # a defect of ours, not of the database
    except psycopg.Error as error:
        raise DatabaseUnreadable(
            f"the community's database {url} cannot {what} "
            f"({url.without_secrets(error)}): restore it from a backup, or give another"
        ) from None


def _executes(connection: _Connection) -> Execute:
    def execute(sql: str, values: Sequence[Any] = ()) -> Rows:
        cursor = connection.execute(_translated(sql), values)
        return cursor.fetchall() if cursor.description is not None else []

    return execute


@functools.lru_cache(maxsize=256)
def _translated(sql: str) -> bytes:
    """Write a statement as psycopg wants it. The texts are our own, values never stand in them."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


class _Url:
    """An address whose password nobody sees."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            parts = urlsplit(text)
            secrets = [parts.password or "", *parse_qs(parts.query).get("password", [])]
            self._secrets = [*secrets, *(unquote(secret) for secret in secrets)]
            user = f"{parts.username}@" if parts.username else ""
            port = f":{parts.port}" if parts.port is not None else ""
            self.shown = f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"
            psycopg.conninfo.conninfo_to_dict(text)
        except (ValueError, psycopg.Error):  # either would repeat the address, password and all
            raise DatabaseUrlInvalid(
                "the community's address is no URL of PostgreSQL: give "
                "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %-codes for special characters"
            ) from None

    def __repr__(self) -> str:
        return self.shown

    def without_secrets(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        for secret in self._secrets:
            if secret:
                text = text.replace(secret, "***")
        return text
