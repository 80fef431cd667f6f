"""What the journal holds, as the relayer sees it.

Of what there is one for each session, the collector of cycles knows nothing: there are none.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Phase: TypeAlias = Literal["opening", "open", "closing", "closed", "failed"]


class ConnectionRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The latest state of one connection. Only its figures are cumulative.

    `charged_ms` is what of it was taken out of its viewer's budget.
    """

    connection: str
    number: int
    boot_id: str
    delivered_ms: int
    forwarded_ms: int
    unconfirmed_ms: int
    final: bool = False
    end_reason: str | None = None
    charged_ms: int = 0


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A session as it was admitted, and what the ledger has said about it since.

    Moments (`*_at_ms`) are unix milliseconds, money is in the asset's smallest unit. The figures
    `paid_seconds` to `close_reason` come from finalized blocks alone. `finished_ms` sums the
    connections up to `finished_number`, which have ended and have no rows any more.
    `tick_price` is the operator's at the admission: the most that the open order accepts, and for
    runways before the ledger has the session. `asset` None is the native one. `discounted` says
    that the rate is a subscription's, `renew` that its viewer wants it renewed. `continues` is the
    name under which the media server knows a session that follows a lapsed one; of connection
    `base_number` only what goes beyond the `base_*` figures is this session's. `attempt` counts the
    admissions that got this name, because the ledger never had the earlier ones: a later attempt's
    row is never overwritten by an earlier one's.
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
    attempt: int = 1


class SessionConnection(msgspec.Struct, frozen=True, array_like=True):
    """A connection's state, and the session under which it is."""

    grant: int
    index: int
    connection: ConnectionRecord


class EarlyRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was taken out of a budget for a connection before anybody told of it.

    `grant` and `index` name its session as the media server does. `forwarded_ms` is what is
    reckoned of the connection beside `taken_ms`, which comes back as far as it was less.
    """

    grant: int
    index: int
    connection: str
    boot_id: str
    forwarded_ms: int
    taken_ms: int
    at_ms: int


class BudgetState(msgspec.Struct, frozen=True, array_like=True):
    """What one viewer has used of what may be watched unpaid."""

    viewer: str
    spent_ms: int
    at_ms: int
    early: tuple[EarlyRecord, ...] = ()


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A bearer token, by its digest. The token itself is never stored."""

    digest: bytes
    purpose: Literal["watch", "publish"]
    account: str
    stream: int | None
    expires_at_ms: int


class DelegateRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A delegate key that was made for a viewer; its secret is in the keystore."""

    public: bytes
    viewer: str
    key_name: str
    retired: bool = False


class FinalBlock(msgspec.Struct, frozen=True):
    """A block that was read as final; `hash` is `0x` and 64 digits."""

    number: int
    hash: str


class KnownChain(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal knows of its chain: see `Loaded`. None and 0 in a new journal."""

    genesis_hash: str | None
    finalized_block: int
    final: FinalBlock | None


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The latest order of one lane of a session: what was meant, and what was signed."""

    grant: int
    index: int
    lane: int
    body: bytes
    signature: bytes | None = None


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """All that a relayer needs to go on where it was stopped.

    `final` is the highest finalized block that was read; journals of earlier releases have none.

    `damaged` names the rows that could not be read, and what that costs.
    """

    sessions: list[SessionRecord]
    connections: list[SessionConnection]
    budgets: list[BudgetState]
    finalized_block: int
    tokens: list[TokenRecord]
    delegates: list[DelegateRecord]
    orders: list[OrderRecord]
    damaged: list[str]
    final: FinalBlock | None = None
