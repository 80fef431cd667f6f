"""The journal's schema, in numbered steps from the first release's file.

A new journal takes every step as an old one does, so both end the same. A step is one transaction:
a crash in its middle leaves the version before, whole. Steps that were released never change.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from offchain.journal.errors import JournalUnreadable
from offchain.journal.records import BudgetState, ConnectionRecord, SessionConnection
from offchain.journal.statements import put_budget, put_connection, put_finalized

Rows: TypeAlias = list[tuple[Any, ...]]


class Execute(Protocol):
    """Runs one statement inside of the step's transaction and gives its rows."""

    def __call__(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run it."""


Step: TypeAlias = Callable[[Execute], None]

SCHEMA_VERSION: Final = 4


def refuse_newer(version: int, place: str) -> None:
    """Raise JournalUnreadable where a later release has written the journal."""
    if version > SCHEMA_VERSION:
        raise JournalUnreadable(
            f"the journal {place} has version {version}, and this release reads up to "
            f"{SCHEMA_VERSION}: use the release that wrote it, restore the backup from before it, "
            "or give another --state-dir once its sessions are closed"
        )


def refuse_other(version: int, place: str) -> None:
    """Raise JournalUnreadable where this release's relayer has not taken the journal over yet."""
    refuse_newer(version, place)
    if version < SCHEMA_VERSION:
        raise JournalUnreadable(
            f"the journal {place} has version {version}, and this release writes {SCHEMA_VERSION}: "
            "start the relayer once, which takes it over"
        )


def _each(text: str, execute: Execute) -> None:
    """Run each of the statements, which semicolons part."""
    for sql in text.split(";"):
        if sql.strip():
            execute(sql.strip())


# --- SQLite: 1, the first release's file ------------------------------------------------


_FIRST_FILE: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE delegates (
    public BLOB PRIMARY KEY, viewer TEXT NOT NULL, key_name TEXT NOT NULL, retired INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
    digest BLOB PRIMARY KEY, purpose TEXT NOT NULL, account TEXT NOT NULL, stream INTEGER,
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
    grant_id INTEGER NOT NULL, idx INTEGER NOT NULL, done INTEGER NOT NULL, viewer TEXT NOT NULL,
    stream INTEGER NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (grant_id, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_open ON sessions (done) WHERE done = 0;
CREATE INDEX sessions_by_viewer ON sessions (viewer, grant_id, idx);
CREATE INDEX sessions_by_stream ON sessions (stream, grant_id, idx);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, grant_id INTEGER NOT NULL, idx INTEGER NOT NULL, lane INTEGER NOT NULL,
    body BLOB NOT NULL, signature BLOB,
    UNIQUE (grant_id, idx, lane)
) STRICT;
CREATE TABLE states (id INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
"""


def _first_file(execute: Execute) -> None:
    _each(_FIRST_FILE, execute)


# --- SQLite: 2, connections and budgets as rows, checksums ------------------------------


_ROWS: Final = """
ALTER TABLE sessions ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
CREATE TABLE connections (
    grant_id INTEGER NOT NULL, idx INTEGER NOT NULL, number INTEGER NOT NULL, record BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (grant_id, idx, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE budgets (
    viewer TEXT PRIMARY KEY, record BLOB NOT NULL, checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE damaged (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL, record BLOB
) STRICT;
"""


class _SessionState(msgspec.Struct, frozen=True, array_like=True):
    """What version 1's packed record held of one session."""

    grant: int
    index: int
    connections: list[ConnectionRecord]


class _PackedStates(msgspec.Struct, frozen=True, array_like=True):
    """Version 1's record of all sessions."""

    sessions: list[_SessionState]
    budgets: list[BudgetState]
    finalized_block: int


def _rows_for_states(execute: Execute) -> None:
    _each(_ROWS, execute)
    for grant, index, record in execute("SELECT grant_id, idx, record FROM sessions"):
        execute(
            "UPDATE sessions SET checksum = ? WHERE grant_id = ? AND idx = ?",
            (zlib.crc32(record), grant, index),
        )
    states = _newest_whole(execute)
    if states is not None:
        for session in states.sessions:
            for connection in session.connections:
                state = SessionConnection(session.grant, session.index, connection)
                execute(*put_connection(state))
        for budget in states.budgets:
            execute(*put_budget(budget))
        execute(*put_finalized(states.finalized_block))
    execute("DROP TABLE states")


def _newest_whole(execute: Execute) -> _PackedStates | None:
    """Give the newest packed record that can be read; a damaged one is set aside."""
    for number, record in execute("SELECT id, record FROM states ORDER BY id DESC"):
        try:
            return msgspec.json.decode(record, type=_PackedStates)
        except msgspec.MsgspecError:
            execute(
                "INSERT INTO damaged (source, name, record) VALUES ('states', ?, ?)",
                (str(number), record),
            )
    return None


# --- SQLite: 3, leases of sessions ------------------------------------------------------

_LEASES: Final = """
CREATE TABLE leases (
    grant_id INTEGER NOT NULL, idx INTEGER NOT NULL, holder TEXT NOT NULL, fence INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (grant_id, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('fence', 0);
"""


def _leases_in_file(execute: Execute) -> None:
    _each(_LEASES, execute)


# --- SQLite: 4, leases of viewers, by relayers that live --------------------------------

_VIEWERS: Final = """
DROP TABLE leases;
CREATE TABLE relayers (
    life TEXT PRIMARY KEY, name TEXT NOT NULL, until_ms INTEGER NOT NULL, block INTEGER NOT NULL,
    draining INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (
    viewer TEXT PRIMARY KEY, life TEXT NOT NULL, fence INTEGER NOT NULL, block INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _viewers_in_file(execute: Execute) -> None:
    _each(_VIEWERS, execute)


SQLITE: Final[Mapping[int, Step]] = {
    1: _first_file,
    2: _rows_for_states,
    3: _leases_in_file,
    4: _viewers_in_file,
}

# --- PostgreSQL: there was none before version 2 ----------------------------------------


# Half of a page of what changes each second stays free, so that its index need not change.
_FIRST_DATABASE: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE delegates (
    public BYTEA PRIMARY KEY, viewer TEXT NOT NULL, key_name TEXT NOT NULL, retired BIGINT NOT NULL
);
CREATE TABLE tokens (
    digest BYTEA PRIMARY KEY, purpose TEXT NOT NULL, account TEXT NOT NULL, stream BIGINT,
    expires_at_ms BIGINT NOT NULL
);
CREATE TABLE sessions (
    grant_id BIGINT NOT NULL, idx BIGINT NOT NULL, done BIGINT NOT NULL, viewer TEXT NOT NULL,
    stream BIGINT NOT NULL, attempt BIGINT NOT NULL, record BYTEA NOT NULL,
    checksum BIGINT NOT NULL,
    PRIMARY KEY (grant_id, idx)
);
CREATE INDEX sessions_open ON sessions (done) WHERE done = 0;
CREATE INDEX sessions_by_viewer ON sessions (viewer, grant_id, idx);
CREATE INDEX sessions_by_stream ON sessions (stream, grant_id, idx);
CREATE TABLE orders (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, grant_id BIGINT NOT NULL,
    idx BIGINT NOT NULL, lane BIGINT NOT NULL, body BYTEA NOT NULL, signature BYTEA,
    UNIQUE (grant_id, idx, lane)
);
CREATE TABLE connections (
    grant_id BIGINT NOT NULL, idx BIGINT NOT NULL, number BIGINT NOT NULL, record BYTEA NOT NULL,
    checksum BIGINT NOT NULL,
    PRIMARY KEY (grant_id, idx, number)
) WITH (fillfactor = 50);
CREATE TABLE budgets (
    viewer TEXT PRIMARY KEY, record BYTEA NOT NULL, checksum BIGINT NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE damaged (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL,
    record BYTEA
);
"""


def _first_database(execute: Execute) -> None:
    _each(_FIRST_DATABASE, execute)


_LEASES_IN_DATABASE: Final = """
CREATE TABLE leases (
    grant_id BIGINT NOT NULL, idx BIGINT NOT NULL, holder TEXT NOT NULL, fence BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (grant_id, idx)
) WITH (fillfactor = 50);
CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counters (name, value) VALUES ('fence', 0);
"""


def _leases_in_database(execute: Execute) -> None:
    _each(_LEASES_IN_DATABASE, execute)


_VIEWERS_IN_DATABASE: Final = """
DROP TABLE leases;
CREATE TABLE relayers (
    life TEXT PRIMARY KEY, name TEXT NOT NULL, until_ms BIGINT NOT NULL, block BIGINT NOT NULL,
    draining BIGINT NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE leases (
    viewer TEXT PRIMARY KEY, life TEXT NOT NULL, fence BIGINT NOT NULL, block BIGINT NOT NULL
);
CREATE INDEX leases_by_life ON leases (life);
"""


def _viewers_in_database(execute: Execute) -> None:
    _each(_VIEWERS_IN_DATABASE, execute)


POSTGRES: Final[Mapping[int, Step]] = {
    2: _first_database,
    3: _leases_in_database,
    4: _viewers_in_database,
}
