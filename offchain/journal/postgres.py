"""The journal in a PostgreSQL database, by psycopg, used by one thread as SQLite is.

The owner holds an advisory lock for as long as its connection lives, and the token that it wrote
when it took the journal. A connection that broke is made again; if another relayer has written its
token meanwhile, this one's memory is out of date, and it writes no more.
"""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from offchain.journal.errors import (
    JournalLocked,
    JournalUnavailable,
    JournalUnreadable,
    JournalUrlInvalid,
)
from offchain.journal.guard import Guard
from offchain.journal.migrations import (
    POSTGRES,
    SCHEMA_VERSION,
    Execute,
    Rows,
    refuse_newer,
    refuse_other,
)
from offchain.journal.schemas import SCHEMA_OF_CHAIN
from offchain.journal.statements import Statement, Values, put_meta, runs
from offchain.journal.store import Select

log = logging.getLogger("paystream.journal")

CONNECT_S: Final = 5
STATEMENT_MS: Final = 10_000
"""A database that takes longer is as good as away."""
READ_MS: Final = 2_000
SILENT_MS: Final = 10_000
"""So long a database machine may say nothing before its connection counts as broken."""
ROWS_AT_ONCE: Final = 2_000
LOCK_MS: Final = 2_000
"""A database takes a moment to notice that a killed relayer's connection is gone."""
_LOCK: Final = "SELECT pg_advisory_lock(hashtextextended('paystream ' || current_schema(), 0))"
_LOCK_SHARED: Final = _LOCK.replace("lock(", "lock_shared(")
_UNLOCK: Final = _LOCK.replace("lock(", "unlock(")
IDLE_MS: Final = 3_000
"""A relayer that stands still in a transaction holds nobody up for longer."""
_APPLICATION: Final = "paystream-relay"
_END_STALLED: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = ?
AND backend_xid IS NOT NULL AND wait_event = 'ClientRead'
AND greatest(query_start, state_change) < clock_timestamp() - ? * interval '1 ms'"""
_OWNER: Final = "owner"
_VERSION: Final = "schema_version"


class PostgresStore:
    """A database that one relayer at a time writes to, or several that lease what they write."""

    def __init__(self, url: str, *, owner: bool = True, shared: bool = False) -> None:
        """Connect; the owner also takes the journal and brings its schema up to date.

        Several owners may share it, and none of them with one that does not.

        Raises JournalUrlInvalid, JournalLocked, JournalUnreadable and JournalUnavailable.
        """
        self._url = _Url(url)
        self._token = secrets.token_hex(16)
        self._writer = self._connected(STATEMENT_MS, idle_ms=IDLE_MS)
        self._reader: psycopg.Connection[Values] | None = None
        self._owner = owner
        self._shared = shared
        try:
            if owner:
                self._take()
            else:
                with self._told("be opened"):
                    refuse_other(self._version(), self.place)
        except BaseException:
            self._writer.close()
            raise

    @property
    def place(self) -> str:
        """The address, without what is secret in it."""
        return self._url.shown

    # --- owning ------------------------------------------------------------------------

    def _connected(self, statement_ms: int, *, idle_ms: int = 0) -> psycopg.Connection[Values]:
        with self._told("be reached"):
            connection = psycopg.connect(
                self._url.text,
                autocommit=True,
                connect_timeout=CONNECT_S,
                tcp_user_timeout=SILENT_MS,
                application_name=_APPLICATION,
            )
            connection.execute(f"SET statement_timeout = {statement_ms}".encode())
            if idle_ms:
                connection.execute(f"SET idle_in_transaction_session_timeout = {idle_ms}".encode())
            if connection.execute("SHOW synchronous_commit").fetchall() == [("off",)]:
                connection.execute("SET synchronous_commit = on")
            return connection

    def _take(self) -> None:
        with self._told("be opened"):
            self._make_schema()
            if self._shared:
                self._take_share()
                return
            if not self._locked():
                raise JournalLocked(
                    f"the journal {self.place} is in use by another relayer: one at a time. Stop "
                    "that one, give this one another database, or give each a --relayer-id"
                )
            if self._writer.execute("SHOW fsync").fetchall() == [("off",)]:
                log.warning("event=journal-not-durable why='the database has fsync off'")
            self._migrate()
            if self._execute("SELECT 1 FROM counters WHERE name = 'fence' AND value > 0"):
                raise JournalLocked(
                    f"the journal {self.place} was written by relayers that share it, and the "
                    "signer knows their leases: give this one a --relayer-id, too"
                )
            self._execute(*put_meta(_OWNER, self._token))

    def _make_schema(self) -> None:
        """Make the schema that the URL leads to, where that is one of a chain with a name."""
        ((current, path),) = self._execute(
            "SELECT current_schema()::text, current_setting('search_path')"
        )
        if current is not None or not SCHEMA_OF_CHAIN.fullmatch(path):
            return
        try:
            self._execute(f"CREATE SCHEMA IF NOT EXISTS {path}")
        except psycopg.errors.InsufficientPrivilege:
            user = self._writer.info.user
            raise JournalUnavailable(
                f"the journal {self.place} has no schema {path}, and {user} may make none: run "
                f'`CREATE SCHEMA {path} AUTHORIZATION "{user}"` in the database'
            ) from None
        except psycopg.errors.UniqueViolation:
            pass  # another relayer has just made it

    def _take_share(self) -> None:
        if self._version() != SCHEMA_VERSION:
            if not self._locked(_LOCK):
                raise JournalLocked(
                    f"the journal {self.place} is of an earlier release, and a relayer uses it: "
                    "stop every one of them, then start this release"
                )
            self._migrate()
            self._execute(_UNLOCK)
        if not self._locked():
            raise JournalLocked(
                f"the journal {self.place} is in use by a relayer that shares it with nobody: "
                "stop that one, and give it a --relayer-id"
            )

    def _locked(self, lock: str = "") -> bool:
        self._writer.execute(f"SET lock_timeout = {LOCK_MS}".encode())
        try:
            self._writer.execute((lock or (_LOCK_SHARED if self._shared else _LOCK)).encode())
        except psycopg.errors.LockNotAvailable:
            return False
        self._writer.execute("SET lock_timeout = 0")
        return True

    def _again(self) -> None:
        """Connect anew, and go on only if nobody else has had the journal meanwhile."""
        self._writer.close()
        self._writer = self._connected(STATEMENT_MS, idle_ms=IDLE_MS)
        if not self._owner:
            return
        if self._shared and self._locked():
            return  # each write is held against the leases
        if self._shared or not self._locked():
            self._writer.close()
            raise JournalUnavailable(
                f"the journal {self.place} is held by another connection: either the database has "
                "not noticed yet that this relayer's broke, or another relayer has taken over"
            )
        owner = self._execute("SELECT value FROM meta WHERE key = ?", (_OWNER,))
        if owner != [(self._token,)]:
            self._writer.close()
            raise JournalUnavailable(
                f"another relayer has had the journal {self.place} since this one's connection "
                "broke: stop one of them, and start the other anew"
            )

    def _version(self) -> int:
        if self._execute("SELECT to_regclass('meta')")[0][0] is None:
            return 0
        rows = self._execute("SELECT value FROM meta WHERE key = ?", (_VERSION,))
        return int(rows[0][0]) if rows else 0

    def _migrate(self) -> None:
        version = self._version()
        refuse_newer(version, self.place)
        for number in range(version + 1, SCHEMA_VERSION + 1):
            if number in POSTGRES:
                with self._writer.transaction():
                    POSTGRES[number](self._execute)
                    self._execute(*put_meta(_VERSION, str(number)))

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        cursor = self._writer.execute(_translated(sql), values)
        return cursor.fetchall() if cursor.description is not None else []

    # --- writing and reading -----------------------------------------------------------

    @property
    def share(self) -> str:
        """Locks that other writers and renewals do not wait for, but a removal does."""
        return " FOR KEY SHARE"

    def write(self, statements: Sequence[Statement], guard: Guard | None = None) -> None:
        """Run all of the statements, or none. Raises JournalUnavailable, and what `guard` does.

        Where the connection breaks on the way, they are run once more on another: each says what
        shall be, so it does not matter whether the first time counted.
        """
        with self._told("be written", wait=True):
            try:
                if self._writer.closed:
                    self._again()
                self._transaction(statements, guard)
            except psycopg.OperationalError:
                if not self._writer.closed:
                    raise
                self._again()
                self._transaction(statements, guard)

    @property
    def now_ms(self) -> str:
        """The database's clock, which goes on within a transaction."""
        return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Give what runs statements that all count, or none where the block raises."""
        with self._told("be written", wait=True):
            if self._writer.closed:
                self._again()
            with self._writer.transaction():
                yield self._execute

    def _transaction(self, statements: Sequence[Statement], guard: Guard | None) -> None:
        if guard is not None:
            with self._writer.transaction():
                guard.check(self._execute)
                self._run(statements)
            return
        with self._writer.pipeline(), self._writer.transaction():
            self._run(statements)

    def _run(self, statements: Sequence[Statement]) -> None:
        with self._writer.pipeline(), self._writer.cursor() as cursor:
            for sql, values in runs(statements):
                cursor.executemany(_translated(sql), values)

    def read(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Give the rows of a query. Raises JournalUnavailable and JournalUnreadable."""
        with self._told("be read"):
            try:
                return self._read(sql, values)
            except psycopg.OperationalError:
                if self._reader is not None and not self._reader.closed:
                    raise
                return self._read(sql, values)

    def _read(self, sql: str, values: Sequence[Any]) -> Rows:
        if self._reader is None or self._reader.closed:
            self._reader = self._connected(READ_MS)
            self._reader.execute("SET default_transaction_read_only = on")
        return self._reader.execute(_translated(sql), values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[Select]:
        """Give what runs queries that all see the same moment."""
        connection = self._connected(STATEMENT_MS)

        def select(sql: str) -> Iterator[tuple[Any, ...]]:
            with self._told("be read"), connection.cursor(name="rows") as cursor:
                cursor.itersize = ROWS_AT_ONCE
                cursor.execute(_translated(sql))
                yield from cursor

        try:
            with self._told("be read"):
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield select
        finally:
            connection.close()

    def end_stalled(self) -> int:
        """Break the connections of relayers that stand still in the middle of a write; count them.

        PostgreSQL does so by itself between two requests, but not within a pipeline, where it goes
        on waiting for the rest.
        """
        return len(self.read(_END_STALLED, (_APPLICATION, IDLE_MS)))

    def verify(self) -> list[str]:
        """Read every row of every table: a page whose checksum is wrong cannot be read."""
        found = []
        for (table,) in self.read(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
        ):
            try:
                self.read(f'SELECT count(t::text) FROM "{table}" AS t')  # noqa: S608
            except JournalUnreadable as error:
                found.append(f"{table}: {error}")
        return found

    def close(self) -> None:
        """Let go of the journal."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                with suppress(psycopg.Error):
                    connection.close()

    @contextmanager
    def _told(self, what: str, *, wait: bool = False) -> Iterator[None]:
        """Turn what psycopg says into the journal's errors, without the password."""
        try:
            yield
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            psycopg.errors.ReadOnlySqlTransaction,
        ) as error:
            waits = ". Admission and media wait until it can" if wait else ""
            raise JournalUnavailable(
                f"the journal {self.place} cannot {what} ({self._url.without_secrets(error)}): "
                f"check that the database runs, takes this user and has room{waits}"
            ) from None
        except psycopg.Error as error:
            kind = JournalUnavailable if wait else JournalUnreadable
            raise kind(
                f"the journal {self.place} cannot {what} ({self._url.without_secrets(error)}): "
                "restore it from a backup, or give another database"
            ) from None


class _Url:
    """An address whose password nobody sees."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            parts = urlsplit(text)
            self._secrets = [parts.password or ""]
            self._secrets += parse_qs(parts.query).get("password", [])
            self._secrets += [unquote(secret) for secret in self._secrets]
            user = f"{parts.username}@" if parts.username else ""
            port = f":{parts.port}" if parts.port is not None else ""
            self.shown = f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"
            options = str(psycopg.conninfo.conninfo_to_dict(text).get("options", ""))
            schema = SCHEMA_OF_CHAIN.search(options)
            self.shown += f" ({schema[0]})" if schema is not None else ""
        except (ValueError, psycopg.Error):  # either would repeat the address, password and all
            raise JournalUrlInvalid(
                "the journal's address is no URL of PostgreSQL: give "
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


@functools.lru_cache(maxsize=256)
def _translated(sql: str) -> bytes:
    """Write a statement as psycopg wants it. The texts are our own, values never stand in them."""
    return sql.replace("%", "%%").replace("?", "%s").encode()
