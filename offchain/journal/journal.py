"""The journal: what the relayer means to do, on the disk before it is done.

What is about to be signed is written before it is signed, what was signed before it is sent, and
once a second what has changed of sessions, connections and budgets. Every write waits for the
disk. One process at a time owns a journal.
"""

from __future__ import annotations

import functools
import logging
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import msgspec
import trio

from offchain.journal.errors import JournalError, JournalUnavailable, JournalUnreadable
from offchain.journal.guard import Guard, LeaseLost
from offchain.journal.leasing import Leasing
from offchain.journal.opening import attached, opened
from offchain.journal.records import (
    BudgetState,
    DelegateRecord,
    FinalBlock,
    KnownChain,
    Loaded,
    OrderRecord,
    SessionConnection,
    SessionRecord,
    TokenRecord,
)
from offchain.journal.statements import (
    FINAL,
    FINALIZED_BLOCK,
    GENESIS_HASH,
    Statement,
    final_of,
    known_chain_of,
    put_meta,
    set_aside,
)
from offchain.journal.store import Store

log = logging.getLogger("paystream.journal")

_T = TypeVar("_T", bound=msgspec.Struct)
_R = TypeVar("_R")
_P = ParamSpec("_P")

WAITING_MAX: Final = 4096
"""How many writes may wait for the disk before their callers do."""
GROUP_MAX: Final = 512
_OF_BEARERS: Final = "digest, purpose, account, stream, expires_at_ms"
_OF_DELEGATES: Final = "public, viewer, key_name, retired"
_SHARED: Final[dict[type[msgspec.Struct], tuple[str, ...]]] = {
    SessionRecord: ("viewer", "delegate", "token_digest"),
    TokenRecord: ("account", "digest"),
    DelegateRecord: ("viewer", "public"),
}
"""What is in records of several kinds: with thousands of sessions it is kept once."""
_OF_OPEN: Final = """
WHERE EXISTS (
    SELECT 1 FROM sessions
    WHERE sessions.grant_id = {table}.grant_id AND sessions.idx = {table}.idx AND done = 0
    AND viewer IN ({marks})
)"""
"""Rows of a table that belong to open sessions of some viewers."""


class Journal:
    """An open journal; make one with `open_journal`.

    `commit` may be called from many tasks at once: writes that wait for the disk together become
    one transaction. `healthy` is false from a failed write until one succeeds.
    """

    def __init__(self, store: Store, *, inline: bool, guard: Guard | None = None) -> None:
        """`guard` is asked in each write's transaction; what it raises, `commit` raises."""
        self.healthy = True
        self.failure: str | None = None
        self.commits = 0
        self._store = store
        self._inline = inline
        self._guard = guard
        self._turn = trio.Lock()
        self._waiting: list[_Write] = []
        self._limiter = trio.CapacityLimiter(1)
        self._readers = trio.CapacityLimiter(1)

    @property
    def place(self) -> str:
        """Where it is, for messages; without credentials."""
        return self._store.place

    # --- writing -----------------------------------------------------------------------

    async def commit(self, statements: Sequence[Statement]) -> None:
        """Write all of the statements, or none, and return when they are on the disk.

        Raises JournalUnavailable, for example when the disk is full, and LeaseLost.
        """
        if not statements:
            return
        if len(self._waiting) >= WAITING_MAX:
            raise JournalUnavailable(
                f"{len(self._waiting)} writes wait for {self.place}: the disk is too slow"
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

    async def _run(self, statements: list[Statement]) -> JournalError | None:
        if self._inline:
            return self._execute(statements)
        return await trio.to_thread.run_sync(self._execute, statements, limiter=self._limiter)

    def _execute(self, statements: list[Statement]) -> JournalError | None:
        try:
            self._store.write(statements, self._guard)
        except (JournalUnavailable, LeaseLost) as error:
            return error
        return None

    # --- reading -----------------------------------------------------------------------

    async def reading(self, read: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Run one of the methods below in a thread: a database may be far away, or hang."""
        if self._inline:
            return read(*args, **kwargs)
        work = functools.partial(read, *args, **kwargs)
        return await trio.to_thread.run_sync(work, limiter=self._readers)

    def load(self) -> Loaded:
        """Read what is open. Raises JournalUnavailable and JournalUnreadable.

        A row that cannot be read is set aside and named in `damaged`; the others are read.
        """
        return _Loading(self._store).everything()

    def load_of(self, viewers: Sequence[str]) -> Loaded:
        """Read what is open of some viewers with its orders, their tokens and keys.

        Raises JournalUnavailable and JournalUnreadable.
        """
        return _Loading(self._store).of(viewers)

    def load_on(self, stream: int) -> Loaded:
        """Read what is open on a stream. Raises JournalUnavailable and JournalUnreadable."""
        rows = self._store.read(
            "SELECT DISTINCT viewer FROM sessions WHERE stream = ? AND done = 0", (stream,)
        )
        return self.load_of([viewer for (viewer,) in rows])

    def token(self, digest: bytes) -> TokenRecord | None:
        """Read one token. Raises JournalUnavailable and JournalUnreadable."""
        found = _Loading(self._store).token(digest)
        return found[0] if found else None

    def tokens_of_streams(self, streams: Sequence[int]) -> list[TokenRecord]:
        """Read the tokens that publish some streams.

        Raises JournalUnavailable and JournalUnreadable.
        """
        return _Loading(self._store).tokens_of_streams(streams)

    def open_names(self) -> set[tuple[int, int]]:
        """Name the sessions that are open, and what media servers call those that continue others.

        Raises JournalUnavailable and JournalUnreadable.
        """
        names = set()
        for grant, index, record, checksum in self._store.read(
            "SELECT grant_id, idx, record, checksum FROM sessions WHERE done = 0"
        ):
            names.add((grant, index))
            session = unpacked(record, checksum, SessionRecord)
            if session is not None and session.continues is not None:
                names.add(session.continues)
        return names

    def session(self, grant: int, index: int) -> SessionRecord | None:
        """Read one session, ended or not. Raises JournalUnavailable and JournalUnreadable."""
        rows = self._store.read(
            "SELECT record, checksum FROM sessions WHERE grant_id = ? AND idx = ?", (grant, index)
        )
        return next((unpacked(record, checksum, SessionRecord) for record, checksum in rows), None)

    def ended_sessions(
        self, *, viewer: str | None = None, stream: int | None = None, limit: int = 500
    ) -> list[SessionRecord]:
        """Read the latest sessions of a viewer or on a stream that have ended."""
        column, value = ("viewer", viewer) if stream is None else ("stream", stream)
        rows = self._store.read(
            f"SELECT record, checksum FROM sessions WHERE {column} = ? AND done = 1 "  # noqa: S608
            "ORDER BY grant_id DESC, idx DESC LIMIT ?",
            (value, limit),
        )
        records = (unpacked(record, checksum, SessionRecord) for record, checksum in rows)
        return [record for record in records if record is not None]

    def known_chain(self) -> KnownChain:
        """Read what is known of the chain that the journal belongs to. Raises JournalUnavailable.

        What is damaged counts as unknown; `load` tells of it.
        """
        meta: dict[str, str] = dict(self._store.read("SELECT key, value FROM meta"))
        return known_chain_of(meta)

    def bound_to(self) -> str | None:
        """Tell the genesis hash of the chain that the journal belongs to; None for a new one.

        Raises JournalUnavailable.
        """
        rows = self._store.read("SELECT value FROM meta WHERE key = ?", (GENESIS_HASH,))
        return str(rows[0][0]) if rows else None

    def bind_chain(self, genesis_hash: str) -> None:
        """Tie the journal to one chain. Raises JournalUnreadable where it belongs to another."""
        known = self.bound_to()
        if known is None:
            error = self._execute([put_meta(GENESIS_HASH, genesis_hash)])
            if error is not None:
                raise error
        elif known != genesis_hash:
            raise JournalUnreadable(
                f"the journal {self.place} belongs to the chain with genesis {known}, and the "
                f"node's is {genesis_hash}: connect to that chain, or give another --state-dir"
            )


class _Write:
    """Statements that wait for the disk."""

    __slots__ = ("done", "error", "statements")

    def __init__(self, statements: tuple[Statement, ...]) -> None:
        self.statements = statements
        self.done = False
        self.error: JournalError | None = None


def unpacked(record: bytes, checksum: int, kind: type[_T]) -> _T | None:
    """Give the record of a row, or None where it is not what was written."""
    if zlib.crc32(record) != checksum:
        return None
    try:
        return msgspec.json.decode(record, type=kind)
    except msgspec.MsgspecError:
        return None


class _Loading:
    """Reads the tables, row by row, and sets aside what cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._damaged: list[str] = []
        self._aside: list[Statement] = []
        self._values: dict[bytes, bytes] = {}

    def everything(self) -> Loaded:
        sessions = self._packed(
            SessionRecord, "sessions", ("grant_id", "idx"), "WHERE done = 0",
            "what was delivered and is in no block; the chain has the rest",
        )  # fmt: skip
        connections = self._packed(
            SessionConnection, "connections", ("grant_id", "idx", "number"), "",
            "what it delivered and is in no block",
        )  # fmt: skip
        budgets = self._packed(
            BudgetState, "budgets", ("viewer",), "", "what its viewer had watched unpaid"
        )
        tokens = self._plain(TokenRecord, "tokens", _OF_BEARERS)
        delegates = self._plain(DelegateRecord, "delegates", _OF_DELEGATES)
        orders = self._orders()
        finalized_block, final = self._finalized_block(), self._final()
        self._set_aside()
        return Loaded(
            sessions=sessions,
            connections=connections,
            budgets=budgets,
            finalized_block=finalized_block,
            final=final,
            tokens=tokens,
            delegates=delegates,
            orders=orders,
            damaged=self._damaged,
        )

    def of(self, viewers: Sequence[str]) -> Loaded:
        names = tuple(viewers)
        marks = ", ".join("?" for _ in names) or "NULL"
        sessions = self._packed(
            SessionRecord, "sessions", ("grant_id", "idx"),
            f"WHERE done = 0 AND viewer IN ({marks})",
            "what was delivered and is in no block; the chain has the rest", named=names,
        )  # fmt: skip
        connections = self._packed(
            SessionConnection, "connections", ("grant_id", "idx", "number"),
            _OF_OPEN.format(table="connections", marks=marks),
            "what it delivered and is in no block", named=names,
        )  # fmt: skip
        budgets = self._packed(
            BudgetState, "budgets", ("viewer",), f"WHERE viewer IN ({marks})",
            "what its viewer had watched unpaid", named=names,
        )  # fmt: skip
        tokens = self._plain(
            TokenRecord, "tokens", _OF_BEARERS, f"WHERE account IN ({marks})", names
        )
        delegates = self._plain(
            DelegateRecord, "delegates", _OF_DELEGATES, f"WHERE viewer IN ({marks})", names
        )
        orders = self._orders(_OF_OPEN.format(table="orders", marks=marks), names)
        self._set_aside()
        return Loaded(
            sessions=sessions,
            connections=connections,
            budgets=budgets,
            finalized_block=0,
            tokens=tokens,
            delegates=delegates,
            orders=orders,
            damaged=self._damaged,
        )

    def _orders(self, where: str = "", named: Sequence[Any] = ()) -> list[OrderRecord]:
        rows = self._store.read(
            f"SELECT grant_id, idx, lane, body, signature FROM orders {where} ORDER BY id",  # noqa: S608
            named,
        )
        names = ("grant", "index", "lane", "body", "signature")
        return [OrderRecord(**dict(zip(names, row, strict=True))) for row in rows]

    def _packed(
        self,
        kind: type[_T],
        table: str,
        key: tuple[str, ...],
        where: str,
        costs: str,
        *,
        named: Sequence[Any] = (),
    ) -> list[_T]:
        columns = ", ".join(key)
        rows = self._store.read(
            f"SELECT {columns}, record, checksum FROM {table} {where} ORDER BY {columns}",  # noqa: S608
            named,
        )
        found = []
        for *values, record, checksum in rows:
            read = unpacked(record, checksum, kind)
            if read is not None:
                found.append(self._sharing(read))
                continue
            name = "-".join(map(str, values))
            self._damaged.append(f"{table} {name} is damaged and set aside: lost is {costs}")
            self._aside += set_aside(table, list(zip(key, values, strict=True)), name)
        return found

    def _plain(
        self,
        kind: type[_T],
        table: str,
        columns: str,
        where: str = "",
        named: Sequence[Any] = (),
    ) -> list[_T]:
        names = columns.split(", ")
        found = []
        for row in self._store.read(f"SELECT {columns} FROM {table} {where}", named):  # noqa: S608
            try:
                fields = dict(zip(names, row, strict=True))
                found.append(self._sharing(msgspec.convert(fields, type=kind, strict=False)))
            except msgspec.MsgspecError as error:
                self._damaged.append(f"a row of {table} is damaged and left out: {error}")
        return found

    def _sharing(self, record: _T) -> _T:
        """Let accounts, keys and digests that are in several records be one object each."""
        for name in _SHARED.get(type(record), ()):
            value = getattr(record, name)
            if isinstance(value, str):  # the ledger's client has the same
                shared: str | bytes = sys.intern(value)
            else:
                shared = self._values.setdefault(value, value)
            msgspec.structs.force_setattr(record, name, shared)
        return record

    def token(self, digest: bytes) -> list[TokenRecord]:
        return self._plain(TokenRecord, "tokens", _OF_BEARERS, "WHERE digest = ?", (digest,))

    def tokens_of_streams(self, streams: Sequence[int]) -> list[TokenRecord]:
        marks = ", ".join("?" for _ in streams) or "NULL"
        where = f"WHERE stream IN ({marks})"
        return self._plain(TokenRecord, "tokens", _OF_BEARERS, where, tuple(streams))

    def _finalized_block(self) -> int:
        rows = self._store.read("SELECT value FROM meta WHERE key = ?", (FINALIZED_BLOCK,))
        if not rows:
            return 0
        text: Any = rows[0][0]
        if text.isascii() and text.isdigit():
            return int(text)
        self._damaged.append("the finalized block is damaged: blocks are read again")
        return 0

    def _final(self) -> FinalBlock | None:
        rows = self._store.read("SELECT value FROM meta WHERE key = ?", (FINAL,))
        if not rows:
            return None
        found = final_of(rows[0][0])
        if found is None:
            self._damaged.append("the finalized block's hash is damaged: the next node is believed")
        return found

    def _set_aside(self) -> None:
        if not self._aside:
            return
        try:
            self._store.write(self._aside)
        except JournalUnavailable as error:
            log.warning("event=damage-not-set-aside why=%r", str(error))


# --- opening ---------------------------------------------------------------------------


class SharedJournal(msgspec.Struct, frozen=True):
    """A journal that several relayers write, and one's life among them."""

    journal: Journal
    leasing: Leasing


@asynccontextmanager
async def open_shared_journal(place: Path | str, life: str) -> AsyncIterator[SharedJournal]:
    """Open a journal in a database beside other relayers, until the block ends.

    `life` is this run's name. Raises as `open_journal` does.
    """
    with opened(place, shared=True) as store, attached(place) as leases:
        leasing = Leasing(leases, life)
        yield SharedJournal(Journal(store, inline=False, guard=leasing.guard), leasing)


@asynccontextmanager
async def open_journal(place: Path | str, *, inline: bool = False) -> AsyncIterator[Journal]:
    """Open or make the journal and own it until the block ends.

    `place` is a file's path, or the URL of a PostgreSQL database. `inline` writes in the calling
    thread: for simulations whose clock jumps. Raises JournalLocked, JournalUnreadable,
    JournalUnavailable and JournalUrlInvalid.
    """
    with opened(place) as store:
        yield Journal(store, inline=inline)
