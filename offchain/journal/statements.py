"""What is written, as statements that SQLite and PostgreSQL take alike.

Placeholders are `?`. Every statement may be repeated: it says what shall be, not what changes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

import msgspec

from offchain.journal.records import (
    BudgetState,
    DelegateRecord,
    FinalBlock,
    KnownChain,
    OrderRecord,
    SessionConnection,
    SessionRecord,
    TokenRecord,
)

Values: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = tuple[str, Values]

FINALIZED_BLOCK: Final = "finalized_block"
FINAL: Final = "final"
GENESIS_HASH: Final = "genesis_hash"
ENDED: Final = frozenset({"closed", "failed"})
_FINAL: Final = re.compile(r"([0-9]{1,20}) (0x[0-9a-f]{64})")
_PUT_SESSION: Final = """
INSERT INTO sessions (grant_id, idx, done, viewer, stream, attempt, record, checksum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (grant_id, idx) DO UPDATE SET done = excluded.done, viewer = excluded.viewer,
    stream = excluded.stream, attempt = excluded.attempt, record = excluded.record,
    checksum = excluded.checksum
WHERE excluded.attempt >= sessions.attempt"""
_PUT_CONNECTION: Final = """
INSERT INTO connections (grant_id, idx, number, record, checksum) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (grant_id, idx, number) DO UPDATE SET record = excluded.record,
    checksum = excluded.checksum"""
_PUT_BUDGET: Final = """
INSERT INTO budgets (viewer, record, checksum) VALUES (?, ?, ?)
ON CONFLICT (viewer) DO UPDATE SET record = excluded.record, checksum = excluded.checksum"""
_PUT_META: Final = """
INSERT INTO meta (key, value) VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
_PUT_BEARER: Final = """
INSERT INTO tokens (digest, purpose, account, stream, expires_at_ms) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET purpose = excluded.purpose, account = excluded.account,
    stream = excluded.stream, expires_at_ms = excluded.expires_at_ms"""
_PUT_DELEGATE: Final = """
INSERT INTO delegates (public, viewer, key_name, retired) VALUES (?, ?, ?, ?)
ON CONFLICT (public) DO UPDATE SET viewer = excluded.viewer, key_name = excluded.key_name,
    retired = excluded.retired"""
_PUT_ORDER: Final = """
INSERT INTO orders (grant_id, idx, lane, body, signature) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (grant_id, idx, lane) DO UPDATE SET body = excluded.body,
    signature = excluded.signature"""
_DROP_ORDERS: Final = """
DELETE FROM orders WHERE grant_id = ? AND idx = ? AND NOT EXISTS (
    SELECT 1 FROM sessions
    WHERE sessions.grant_id = orders.grant_id AND sessions.idx = orders.idx AND done = 0
)"""
_encoder: Final = msgspec.json.Encoder()  # MessagePack has no whole numbers above 64 bits


def packed(record: msgspec.Struct) -> tuple[bytes, int]:
    """Give a record as it stands in its row, and its checksum.

    A bit that flips on a disk could otherwise pass for seconds that were delivered.
    """
    content = _encoder.encode(record)
    return content, zlib.crc32(content)


def runs(statements: Sequence[Statement]) -> Iterator[tuple[str, list[Values]]]:
    """Give the statements in their order, those of the same text that follow one another as one."""
    for sql, group in groupby(statements, key=lambda statement: statement[0]):
        yield sql, [values for _, values in group]


def put_session(record: SessionRecord) -> Statement:
    """Write a session's record, in place of an earlier one of this or an earlier attempt."""
    return (
        _PUT_SESSION,
        (
            record.grant,
            record.index,
            int(record.phase in ENDED),
            record.viewer,
            record.stream,
            record.attempt,
            *packed(record),
        ),
    )


def put_connection(state: SessionConnection) -> Statement:
    """Write a connection's state, in place of an earlier one."""
    return (_PUT_CONNECTION, (state.grant, state.index, state.connection.number, *packed(state)))


def drop_connections(grant: int, index: int, number: int) -> Statement:
    """Forget a session's connections up to a number: its record has their sum."""
    return (
        "DELETE FROM connections WHERE grant_id = ? AND idx = ? AND number <= ?",
        (grant, index, number),
    )


def put_budget(state: BudgetState) -> Statement:
    """Write what a viewer has used up."""
    return (_PUT_BUDGET, (state.viewer, *packed(state)))


def drop_budget(viewer: str) -> Statement:
    """Forget a viewer who has nothing used up."""
    return ("DELETE FROM budgets WHERE viewer = ?", (viewer,))


def put_finalized(block: int) -> Statement:
    """Note up to which finalized block everything is in the records."""
    return put_meta(FINALIZED_BLOCK, str(block))


def put_final(block: FinalBlock) -> Statement:
    """Note the highest finalized block that was read: a node that has another is not believed."""
    return put_meta(FINAL, f"{block.number} {block.hash}")


def final_of(text: str) -> FinalBlock | None:
    """Read what `put_final` wrote; None where it is damaged."""
    found = _FINAL.fullmatch(text)
    return None if found is None else FinalBlock(number=int(found[1]), hash=found[2])


def known_chain_of(meta: Mapping[str, str]) -> KnownChain:
    """Read what is known of the chain; what is damaged counts as unknown."""
    block = meta.get(FINALIZED_BLOCK, "")
    return KnownChain(
        genesis_hash=meta.get(GENESIS_HASH),
        finalized_block=int(block) if block.isascii() and block.isdigit() else 0,
        final=final_of(meta.get(FINAL, "")),
    )


def put_meta(key: str, value: str) -> Statement:
    """Write a fact about the journal itself."""
    return (_PUT_META, (key, value))


def put_token(token: TokenRecord) -> Statement:
    """Write a token's digest."""
    return (
        _PUT_BEARER,
        (token.digest, token.purpose, token.account, token.stream, token.expires_at_ms),
    )


def drop_tokens(before_ms: int) -> Statement:
    """Forget the tokens that ended before a moment."""
    return ("DELETE FROM tokens WHERE expires_at_ms < ?", (before_ms,))


def put_delegate(delegate: DelegateRecord) -> Statement:
    """Write a delegate key's public half."""
    return (
        _PUT_DELEGATE,
        (delegate.public, delegate.viewer, delegate.key_name, int(delegate.retired)),
    )


def put_order(order: OrderRecord) -> Statement:
    """Write an order: without signature before it is signed, with it before it is sent."""
    return (_PUT_ORDER, (order.grant, order.index, order.lane, order.body, order.signature))


def drop_orders(grant: int, index: int) -> Statement:
    """Forget the orders of a session that has ended, unless a later attempt has its name."""
    return (_DROP_ORDERS, (grant, index))


def set_aside(source: str, key: Sequence[tuple[str, Any]], name: str) -> list[Statement]:
    """Move a row that cannot be read out of the way, and keep it as evidence.

    `key` gives the columns that name the row, `name` is how people call it.
    """
    where = " AND ".join(f"{column} = ?" for column, _ in key)
    values = tuple(value for _, value in key)
    rows = f"FROM {source} WHERE {where}"
    copy = f"INSERT INTO damaged (source, name, record) SELECT ?, ?, record {rows}"
    return [(copy, (source, name, *values)), (f"DELETE {rows}", values)]
