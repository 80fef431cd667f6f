"""The journal: what the relayer means to do, on the disk before it is done.

SQLite with a write-ahead log and full synchronisation. What is about to be signed is written
before it is signed, what was signed before it is sent, and once a second the state of all sessions
in one packed record. Every write waits for the disk. One process at a time owns a journal.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, TypeVar

import msgspec
import trio

from offchain.journal_schema import (
    SCHEMA_VERSION,
    TABLES,
    DelegateRecord,
    OrderRecord,
    PackedStates,
    SessionRecord,
    TokenRecord,
)

Statement: TypeAlias = tuple[str, tuple[Any, ...]]
_T = TypeVar("_T", bound=msgspec.Struct)

WAITING_MAX: Final = 4096
"""How many writes may wait for the disk before their callers do."""
GROUP_MAX: Final = 512
_encoder: Final = msgspec.json.Encoder()  # MessagePack has no whole numbers above 64 bits


class JournalError(Exception):
    """The root of the journal's errors. The message names the file and the remedy."""


class JournalLocked(JournalError):
    """Another process owns the journal."""


class JournalUnreadable(JournalError):
    """The file is no journal, is damaged, or belongs to another release or chain."""


class JournalUnavailable(JournalError):
    """The journal could not be written. Nothing of the write took place; it may be repeated."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """All that a relayer needs to go on where it was stopped."""

    sessions: list[SessionRecord]
    states: PackedStates | None
    tokens: list[TokenRecord]
    delegates: list[DelegateRecord]
    orders: list[OrderRecord]


class Journal:
    """An open journal; make one with `open_journal`.

    `commit` may be called from many tasks at once: writes that wait for the disk together become
    one transaction. `healthy` is false from a failed write until one succeeds.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        reader: sqlite3.Connection,
        *,
        inline: bool,
    ) -> None:
        self.path = path
        self.healthy = True
        self.failure: str | None = None
        self.commits = 0
        self._connection = connection
        # reading must neither wait for the disk nor see what is not on it yet
        self._reader = reader
        self._inline = inline
        self._turn = trio.Lock()
        self._waiting: list[_Write] = []
        self._limiter = trio.CapacityLimiter(1)

    # --- writing -----------------------------------------------------------------------

    async def commit(self, statements: Sequence[Statement]) -> None:
        """Write all of the statements, or none, and return when they are on the disk.

        Raises JournalUnavailable, for example when the disk is full.
        """
        if not statements:
            return
        if len(self._waiting) >= WAITING_MAX:
            raise JournalUnavailable(
                f"{len(self._waiting)} writes wait for {self.path}: the disk is too slow"
            )
        write = _Write(tuple(statements))
        self._waiting.append(write)
        # a write that has been queued is finished even if its caller gives up: whoever holds the
        # turn writes for all
        with trio.CancelScope(shield=True):
            async with self._turn:
                while not write.done:  # a crowd may need more than one group
                    await self._write_group()
        await trio.lowlevel.checkpoint_if_cancelled()
        if write.error is not None:
            raise write.error

    async def _write_group(self) -> None:
        group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
        statements = [statement for write in group for statement in write.statements]
        error = await self._run(statements)
        for write in group:
            write.done = True
            write.error = error
        self.healthy = error is None
        self.failure = None if error is None else str(error)
        self.commits += error is None

    async def _run(self, statements: list[Statement]) -> JournalUnavailable | None:
        if self._inline:
            return self._execute(statements)
        return await trio.to_thread.run_sync(self._execute, statements, limiter=self._limiter)

    def _execute(self, statements: list[Statement]) -> JournalUnavailable | None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                connection.execute(sql, values)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except sqlite3.Error:
                pass  # SQLite has rolled back by itself
            return JournalUnavailable(
                f"the journal {self.path} cannot be written ({error}): make room on its disk and "
                "check that it is writable. Admission and media wait until it is"
            )
        return None

    # --- reading -----------------------------------------------------------------------

    def load(self) -> Loaded:
        """Read what is open. Raises JournalUnreadable."""
        with _unreadable(self.path):
            rows = self._connection.execute("SELECT record FROM sessions WHERE done = 0")
            sessions = [msgspec.json.decode(row[0], type=SessionRecord) for row in rows]
            rows = self._connection.execute("SELECT record FROM states ORDER BY id DESC LIMIT 1")
            packed = rows.fetchone()
            states = None
            if packed is not None:
                states = msgspec.json.decode(packed[0], type=PackedStates)
            tokens = self._structs(TokenRecord, "tokens", "digest, purpose, account, stream, "
                                   "expires_at_ms")  # fmt: skip
            delegates = self._structs(DelegateRecord, "delegates", "public, viewer, key_name, "
                                      "retired")  # fmt: skip
            rows = self._connection.execute(
                "SELECT grant_id, idx, lane, body, signature FROM orders ORDER BY id"
            )
            names = ("grant", "index", "lane", "body", "signature")
            orders = [OrderRecord(**dict(zip(names, row, strict=True))) for row in rows]
        return Loaded(
            sessions=sessions, states=states, tokens=tokens, delegates=delegates, orders=orders
        )

    def _structs(self, kind: type[_T], table: str, columns: str) -> list[_T]:
        names = columns.split(", ")
        rows = self._connection.execute(f"SELECT {columns} FROM {table}")  # noqa: S608
        return [
            msgspec.convert(dict(zip(names, row, strict=True)), type=kind, strict=False)
            for row in rows
        ]

    def session(self, grant: int, index: int) -> SessionRecord | None:
        """Read one session, ended or not. Raises JournalUnreadable."""
        with _unreadable(self.path):
            row = self._reader.execute(
                "SELECT record FROM sessions WHERE grant_id = ? AND idx = ?", (grant, index)
            ).fetchone()
            return None if row is None else msgspec.json.decode(row[0], type=SessionRecord)

    def ended_sessions(
        self, *, viewer: str | None = None, stream: int | None = None, limit: int = 500
    ) -> list[SessionRecord]:
        """Read the latest sessions of a viewer or on a stream that have ended."""
        column, value = ("viewer", viewer) if stream is None else ("stream", stream)
        with _unreadable(self.path):
            rows = self._reader.execute(
                f"SELECT record FROM sessions WHERE {column} = ? AND done = 1 "  # noqa: S608
                "ORDER BY grant_id DESC, idx DESC LIMIT ?",
                (value, limit),
            )
            return [msgspec.json.decode(row[0], type=SessionRecord) for row in rows]

    def bind_chain(self, genesis_hash: str) -> None:
        """Tie the journal to one chain. Raises JournalUnreadable where it belongs to another."""
        with _unreadable(self.path):
            row = self._connection.execute(
                "SELECT value FROM meta WHERE key = 'genesis_hash'"
            ).fetchone()
        if row is None:
            error = self._execute(
                [("INSERT INTO meta VALUES ('genesis_hash', ?)", (genesis_hash,))]
            )
            if error is not None:
                raise error
        elif row[0] != genesis_hash:
            raise JournalUnreadable(
                f"the journal {self.path} belongs to the chain with genesis {row[0]}, and the "
                f"node's is {genesis_hash}: connect to that chain, or give another --state-dir"
            )


class _Write:
    """Statements that wait for the disk."""

    __slots__ = ("done", "error", "statements")

    def __init__(self, statements: tuple[Statement, ...]) -> None:
        self.statements = statements
        self.done = False
        self.error: JournalUnavailable | None = None


# --- statements ------------------------------------------------------------------------


def put_session(record: SessionRecord) -> Statement:
    """Write a session's record, in place of an earlier one."""
    done = record.phase in ("closed", "failed")
    return (
        "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?)",
        (
            record.grant,
            record.index,
            int(done),
            record.viewer,
            record.stream,
            _encoder.encode(record),
        ),
    )


def put_states(states: PackedStates) -> list[Statement]:
    """Write the packed record and drop all but the one before it."""
    return [
        ("INSERT INTO states (record) VALUES (?)", (_encoder.encode(states),)),
        ("DELETE FROM states WHERE id < (SELECT max(id) FROM states) - 1", ()),
    ]


def put_token(token: TokenRecord) -> Statement:
    """Write a token's digest."""
    return (
        "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)",
        (token.digest, token.purpose, token.account, token.stream, token.expires_at_ms),
    )


def drop_tokens(before_ms: int) -> Statement:
    """Forget the tokens that ended before a moment."""
    return ("DELETE FROM tokens WHERE expires_at_ms < ?", (before_ms,))


def put_delegate(delegate: DelegateRecord) -> Statement:
    """Write a delegate key's public half."""
    return (
        "INSERT OR REPLACE INTO delegates VALUES (?, ?, ?, ?)",
        (delegate.public, delegate.viewer, delegate.key_name, int(delegate.retired)),
    )


def put_order(order: OrderRecord) -> Statement:
    """Write an order: without signature before it is signed, with it before it is sent."""
    return (
        "INSERT OR REPLACE INTO orders VALUES (NULL, ?, ?, ?, ?, ?)",
        (order.grant, order.index, order.lane, order.body, order.signature),
    )


def drop_orders(grant: int, index: int) -> Statement:
    """Forget the orders of a session that is closed in a finalized block."""
    return ("DELETE FROM orders WHERE grant_id = ? AND idx = ?", (grant, index))


# --- opening ---------------------------------------------------------------------------


@asynccontextmanager
async def open_journal(path: Path, *, inline: bool = False) -> AsyncIterator[Journal]:
    """Open or make the journal and own it until the block ends.

    `inline` writes in the calling thread: for simulations whose clock jumps. Raises JournalLocked,
    JournalUnreadable and JournalUnavailable.
    """
    with _owned(path), closing(_connect(path)) as connection, closing(_reader(path)) as reader:
        yield Journal(path, connection, reader, inline=inline)


@contextmanager
def _owned(path: Path) -> Iterator[None]:
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


def _connect(path: Path) -> sqlite3.Connection:
    made = not path.exists()
    with _unreadable(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            path.chmod(0o600)
            connection.execute("PRAGMA busy_timeout = 2000")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    if made:
        _sync_directory(path.parent)
    return connection


def _reader(path: Path) -> sqlite3.Connection:
    with _unreadable(path):
        reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        reader.execute("PRAGMA query_only = ON")
        reader.execute("PRAGMA busy_timeout = 2000")
        return reader


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE;{TABLES}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
        )
    elif version != SCHEMA_VERSION:
        raise JournalUnreadable(
            f"the journal {path} has version {version}, this release reads {SCHEMA_VERSION}: "
            "use the release that wrote it, or give another --state-dir once its sessions are "
            "closed"
        )


@contextmanager
def _unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise JournalUnavailable(
            f"the journal {path} cannot be opened ({error}): check that it is yours, writable, "
            "and its disk has room"
        ) from None
    except (sqlite3.Error, msgspec.MsgspecError) as error:
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
