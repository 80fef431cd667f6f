"""What an operator does with a journal: copy it, check it, put a copy back, drop what is old.

Copying, checking and dropping go on beside a running relayer. Everything here blocks.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from offchain.journal.errors import JournalExists, JournalUnavailable
from offchain.journal.journal import unpacked
from offchain.journal.migrations import SCHEMA_VERSION
from offchain.journal.opening import attached, opened
from offchain.journal.records import (
    BudgetState,
    DelegateRecord,
    Loaded,
    OrderRecord,
    SessionConnection,
    SessionRecord,
    TokenRecord,
)
from offchain.journal.sqlite import SqliteStore
from offchain.journal.statements import (
    ENDED,
    Statement,
    drop_tokens,
    known_chain_of,
)
from offchain.journal.store import Select, Store

_T = TypeVar("_T", bound=msgspec.Struct)
_Packed: TypeAlias = SessionRecord | SessionConnection | BudgetState

COLUMNS: Final[Mapping[str, str]] = {
    "meta": "key, value",
    "delegates": "public, viewer, key_name, retired",
    "tokens": "digest, purpose, account, stream, expires_at_ms",
    "sessions": "grant_id, idx, done, viewer, stream, attempt, record, checksum",
    "connections": "grant_id, idx, number, record, checksum",
    "budgets": "viewer, record, checksum",
    "orders": "grant_id, idx, lane, body, signature",
    "damaged": "source, name, record",
}
"""What a copy holds of each table: numbers that a database gives itself are left out.

Leases and their counter are about the relayers of one place. Numbers rise above the clock, so that
they go on rising where a copy is put back.
"""
_PACKED: Final[Mapping[str, tuple[type[_Packed], tuple[str, ...]]]] = {
    "sessions": (SessionRecord, ("grant_id", "idx")),
    "connections": (SessionConnection, ("grant_id", "idx", "number")),
    "budgets": (BudgetState, ("viewer",)),
}
"""Tables of packed records, and the columns that name a row."""
_PLAIN: Final[Mapping[str, type[msgspec.Struct]]] = {
    "tokens": TokenRecord,
    "delegates": DelegateRecord,
}
_OF_ITS_PLACE: Final = frozenset({"owner", "schema_version"})
"""Facts in `meta` that are about the database and not about the journal."""
_ROWS_AT_ONCE: Final = 500
_OF_NO_SESSION: Final = """
FROM {0} WHERE NOT EXISTS (
    SELECT 1 FROM sessions
    WHERE sessions.grant_id = {0}.grant_id AND sessions.idx = {0}.idx AND sessions.done = 0
)"""
_LEFT_OVER: Final = [_OF_NO_SESSION.format(table) for table in ("connections", "orders")]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: rows by table, how many sessions are `open`, and what is wrong, in words."""

    place: str
    version: int
    rows: dict[str, int]
    open: int
    problems: list[str]


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows were dropped."""

    sessions: int
    tokens: int
    left_over: int


# --- checking --------------------------------------------------------------------------


def verify(place: Path | str) -> Checked:
    """Read everything in a journal and say what is wrong.

    Raises JournalUnavailable, JournalUnreadable and JournalUrlInvalid.
    """
    with attached(place) as store:
        return _checked(store)


def _checked(store: Store) -> Checked:
    problems = store.verify()
    rows = dict.fromkeys(COLUMNS, 0)
    still_open = 0
    with store.snapshot() as select:
        for table, columns in COLUMNS.items():
            for row in select(f"SELECT {columns} FROM {table}"):  # noqa: S608
                rows[table] += 1
                fields = dict(zip(columns.split(", "), row, strict=True))
                still_open += table == "sessions" and not fields["done"]
                problem = _problem(table, fields)
                if problem is not None:
                    problems.append(problem)
    return Checked(
        place=store.place, version=SCHEMA_VERSION, rows=rows, open=still_open, problems=problems
    )


def _problem(table: str, row: Mapping[str, Any]) -> str | None:
    if table in _PACKED:
        name = f"{table} {'-'.join(str(row[column]) for column in _PACKED[table][1])}"
        return _packed_problem(table, name, row)
    if table == "damaged":
        return f"{row['source']} {row['name']} was found damaged earlier and is set aside"
    if table in _PLAIN:
        try:
            msgspec.convert(dict(row), type=_PLAIN[table], strict=False)
        except msgspec.MsgspecError as error:
            return f"a row of {table}: {error}"
    return None


def _packed_problem(table: str, name: str, row: Mapping[str, Any]) -> str | None:
    kind, key = _PACKED[table]
    record = unpacked(row["record"], row["checksum"], kind)
    if record is None:
        return f"{name}: its record is not what was written"
    names: tuple[Any, ...]
    match record:
        case SessionRecord():
            ended = record.phase in ENDED
            if ended is not bool(row["done"]):
                return f"{name}: it is {record.phase}, and its row says otherwise"
            names = (record.grant, record.index)
        case SessionConnection():
            names = (record.grant, record.index, record.connection.number)
        case BudgetState():
            names = (record.viewer,)
    if names != tuple(row[column] for column in key):
        return f"{name}: its record is another's"
    return None


# --- reading ---------------------------------------------------------------------------


def chain_of(place: Path | str) -> tuple[str | None, int]:
    """Give the genesis hash of the chain that a journal is of, and the last final block it read.

    None where it is of no chain yet. Raises JournalUnavailable, JournalUnreadable and
    JournalUrlInvalid.
    """
    with attached(place) as store, store.snapshot() as select:
        meta: dict[str, str] = dict(select(f"SELECT {COLUMNS['meta']} FROM meta"))  # noqa: S608
    known = known_chain_of(meta)
    return known.genesis_hash, known.finalized_block


def still_open(place: Path | str) -> Loaded:
    """Read what is open, all of one moment, beside the relayer: nothing is written.

    What cannot be read is named in `damaged` and stays. Tokens and delegates are left out. Raises
    JournalUnavailable, JournalUnreadable and JournalUrlInvalid.
    """
    damaged: list[str] = []
    with attached(place) as store, store.snapshot() as select:
        sessions = _read(select, SessionRecord, "sessions", damaged, "WHERE done = 0")
        connections = _read(select, SessionConnection, "connections", damaged)
        budgets = _read(select, BudgetState, "budgets", damaged)
        columns = ("grant", "index", "lane", "body", "signature")
        rows = select(f"SELECT {COLUMNS['orders']} FROM orders ORDER BY id")  # noqa: S608
        orders = [OrderRecord(**dict(zip(columns, row, strict=True))) for row in rows]
        meta: dict[str, str] = dict(select(f"SELECT {COLUMNS['meta']} FROM meta"))  # noqa: S608
    known = known_chain_of(meta)
    return Loaded(
        sessions=sessions,
        connections=connections,
        budgets=budgets,
        finalized_block=known.finalized_block,
        final=known.final,
        tokens=[],
        delegates=[],
        orders=orders,
        damaged=damaged,
    )


def _read(
    select: Select, kind: type[_T], table: str, damaged: list[str], where: str = ""
) -> list[_T]:
    """Read a table of packed records, and name in `damaged` what cannot be read."""
    columns = ", ".join(_PACKED[table][1])
    found = []
    for *names, record, checksum in select(
        f"SELECT {columns}, record, checksum FROM {table} {where} ORDER BY {columns}"  # noqa: S608
    ):
        each = unpacked(record, checksum, kind)
        if each is None:
            damaged.append(f"{table} {'-'.join(map(str, names))} cannot be read")
        else:
            found.append(each)
    return found


# --- copying ---------------------------------------------------------------------------


def backup(place: Path | str, to: Path) -> Checked:
    """Copy a journal, as it is at one moment, to a new SQLite file, and check the copy.

    The copy appears under its name only when it is whole. Raises JournalExists where there is a
    file already, JournalUnavailable, JournalUnreadable and JournalUrlInvalid.
    """
    if to.exists():
        raise JournalExists(f"{to} is there already: give another name, or remove it")
    try:
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".journal-") as scratch:
            part = Path(scratch) / to.name
            with attached(place) as source, closing(SqliteStore(part)) as target:
                target.write(list(_copied(source)))
            with closing(SqliteStore(part)) as target:
                checked = _checked(target)
                target.single_file()
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(to)
        _sync(to.parent)
    except OSError as error:
        raise JournalUnavailable(
            f"{to} cannot be written ({error.strerror}): check that its directory is there, is "
            "yours and its disk has room"
        ) from None
    return msgspec.structs.replace(checked, place=str(to))


def restore(file: Path, place: Path | str) -> Checked:
    """Put a copy back where there is no journal, all of it or nothing, and check it.

    Raises JournalExists where there is one, JournalLocked, JournalUnavailable, JournalUnreadable
    and JournalUrlInvalid.
    """
    with tempfile.TemporaryDirectory(prefix="paystream-") as scratch:
        copy = Path(scratch) / "journal.sqlite"  # an older version is migrated there
        try:
            shutil.copyfile(file, copy)
        except OSError as error:
            raise JournalUnavailable(
                f"{file} cannot be read ({error.strerror}): check path and owner"
            ) from None
        with closing(SqliteStore(copy)) as source:
            statements = list(_copied(source))
        with opened(place) as target:
            for table in COLUMNS:
                if table != "meta" and target.read(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608
                    raise JournalExists(
                        f"there is a journal in {target.place} already: move it away, or give "
                        "another place"
                    )
            target.write(statements)
            return _checked(target)


def _copied(source: Store) -> Iterator[Statement]:
    with source.snapshot() as select:
        for table, columns in COLUMNS.items():
            marks = ", ".join("?" for _ in columns.split(", "))
            sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
            order = " ORDER BY id" if table in ("orders", "damaged") else ""
            for row in select(f"SELECT {columns} FROM {table}{order}"):  # noqa: S608
                if table != "meta" or row[0] not in _OF_ITS_PLACE:
                    yield sql, row


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- dropping what is old --------------------------------------------------------------


def prune(place: Path | str, *, before_ms: int, now_ms: int) -> Pruned:
    """Drop sessions that ended before a moment, tokens that have expired, and rows left over.

    Both moments are unix milliseconds. Some hundred rows at a time, so that a running relayer waits
    for none of it. Raises JournalUnavailable, JournalUnreadable and JournalUrlInvalid.
    """
    with attached(place) as store:
        with store.snapshot() as select:
            ended = select("SELECT grant_id, idx, record, checksum FROM sessions WHERE done = 1")
            old = [row[:2] for row in ended if _ended_ms(row[2], row[3], before_ms) < before_ms]
            ends = select("SELECT expires_at_ms FROM tokens")
            expired = sum(expires_at_ms < now_ms for (expires_at_ms,) in ends)
            left_over = sum(
                count for rows in _LEFT_OVER for (count,) in select(f"SELECT count(*) {rows}")
            )
        drop = "DELETE FROM sessions WHERE grant_id = ? AND idx = ? AND done = 1"
        for start in range(0, len(old), _ROWS_AT_ONCE):
            store.write([(drop, name) for name in old[start : start + _ROWS_AT_ONCE]])
        store.write([drop_tokens(now_ms), *((f"DELETE {rows}", ()) for rows in _LEFT_OVER)])
    return Pruned(sessions=len(old), tokens=expired, left_over=left_over)


def _ended_ms(record: bytes, checksum: int, unknown_ms: int) -> int:
    """Tell when a session ended, at the earliest; one that cannot be read stays."""
    session = unpacked(record, checksum, SessionRecord)
    return unknown_ms if session is None else session.admitted_at_ms + session.finished_ms
