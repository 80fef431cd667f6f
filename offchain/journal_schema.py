"""The journal's tables, and the records that are packed into them."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

SCHEMA_VERSION: Final = 1

TABLES: Final = """
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

Phase: TypeAlias = Literal["opening", "open", "closing", "closed", "failed"]


class ConnectionRecord(msgspec.Struct, frozen=True, array_like=True):
    """The latest state of one connection. Only its figures are cumulative."""

    connection: str
    number: int
    boot_id: str
    delivered_ms: int
    forwarded_ms: int
    unconfirmed_ms: int
    final: bool = False
    end_reason: str | None = None


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it was admitted, and what the ledger has said about it since.

    Moments (`*_at_ms`) are unix milliseconds, money is in the asset's smallest unit. The figures
    `paid_seconds` to `close_reason` come from finalized blocks alone. `finished_ms` sums the
    connections up to `finished_number`, which have ended and left the packed record.
    `tick_price` is the operator's, for runways before the ledger has the session; `asset` None is
    the native one. `discounted` says that the rate is a subscription's, `renew` that its viewer
    wants it renewed. `continues` is the name under which the media server knows a session that
    follows a lapsed one; of connection `base_number` only what goes beyond the `base_*` figures is
    this session's.
    """

    grant: int
    index: int
    viewer: str
    delegate: bytes
    stream: int
    rate_per_second: int
    funds: int
    start_at: int
    admitted_at_ms: int
    phase: Phase
    number: int
    resume_digest: bytes
    token_digest: bytes
    finished_ms: int = 0
    finished_number: int = 0
    continues: tuple[int, int] | None = None
    base_number: int = 0
    base_delivered_ms: int = 0
    base_forwarded_ms: int = 0
    end_reason: str | None = None
    paid_seconds: int = 0
    paid: int = 0
    ticks: int = 0
    opened_block: int | None = None
    last_tick_block: int | None = None
    closed_block: int | None = None
    close_reason: str | None = None
    asset: int | None = None
    tick_price: int = 0
    discounted: bool = False
    renew: bool = False


class SessionState(msgspec.Struct, frozen=True, array_like=True):
    """What the packed record holds of one session."""

    grant: int
    index: int
    connections: list[ConnectionRecord]


class BudgetState(msgspec.Struct, frozen=True, array_like=True):
    """What one viewer has used of what may be watched unpaid."""

    viewer: str
    spent_ms: int
    at_ms: int


class PackedStates(msgspec.Struct, frozen=True, array_like=True):
    """Everything that changes each second, for all open sessions, in one record."""

    sessions: list[SessionState]
    budgets: list[BudgetState]
    finalized_block: int


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token, by its digest. The token itself is never stored."""

    digest: bytes
    purpose: Literal["watch", "publish"]
    account: str
    stream: int | None
    expires_at_ms: int


class DelegateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A delegate key that was made for a viewer; its secret is in the keystore."""

    public: bytes
    viewer: str
    key_name: str
    retired: bool = False


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The latest order of one lane of a session: what was meant, and what was signed."""

    grant: int
    index: int
    lane: int
    body: bytes
    signature: bytes | None = None
