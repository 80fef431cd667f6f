"""Messages that wait for a moderator: kept apart, shown to nobody else, until they are released."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from streaming.community.chat.filters import NUMBER_BELOW
from streaming.community.database.migrations import Execute
from streaming.community.ledger import StreamKey
from streaming.community.profiles import names_of
from streaming.community.refusal import Refused, too_often

HELD_MAX: Final = 1_000
"""Of one stream."""
HELD_OF_ACCOUNT_MAX: Final = 5
HELD_FOR_MS: Final = 7 * 24 * 3_600_000
"""A message that nobody has looked at for so long is forgotten."""
LISTED_MAX: Final = 200
FILTER: Final = "filter"
LINK: Final = "link"


@dataclass(frozen=True)
class Held:
    """A message that waits."""

    number: int
    public: bytes
    client_id: str
    text: str
    reply_to: int | None


def hold(
    execute: Execute,
    key: StreamKey,
    said: tuple[bytes, str, str, int | None],
    *,
    why: str,
    pattern: str | None,
    at_ms: int,
) -> None:
    """Keep what an account said under an id, and in answer to what, until a moderator decides.

    Raises `Refused`.
    """
    public, client_id, text, reply_to = said
    execute("DELETE FROM held WHERE held_at_ms <= ?", (at_ms - HELD_FOR_MS,))
    for most, where, values in (
        (HELD_OF_ACCOUNT_MAX, "AND public = ?", (public,)),
        (HELD_MAX, "", ()),
    ):
        sql = f"SELECT COUNT(*) FROM held WHERE chain = ? AND stream = ? {where}"  # noqa: S608
        if execute(sql, (*key, *values))[0][0] >= most:
            raise too_often("too many messages wait here for a moderator", 60)
    execute(
        "INSERT INTO held (number, chain, stream, public, client_id, text, reply_to, why, "
        "pattern, held_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            secrets.randbelow(NUMBER_BELOW),
            *key,
            public,
            client_id,
            text,
            reply_to,
            why,
            pattern,
            at_ms,
        ),
    )


def is_held(execute: Execute, key: StreamKey, public: bytes, client_id: str) -> bool:
    """Tell whether a message waits that was sent under this id."""
    return bool(
        execute(
            "SELECT 1 FROM held WHERE public = ? AND chain = ? AND stream = ? AND client_id = ?",
            (public, *key, client_id),
        )
    )


def last_held_ms(execute: Execute, key: StreamKey, public: bytes) -> int:
    """Give when a message of an account was last held here; 0 for never."""
    rows = execute(
        "SELECT MAX(held_at_ms) FROM held WHERE public = ? AND chain = ? AND stream = ?",
        (public, *key),
    )
    return int(rows[0][0] or 0)


def take(execute: Execute, key: StreamKey, number: int) -> Held:
    """Take a message out of those that wait. Raises `Refused` (404)."""
    rows = execute(
        "DELETE FROM held WHERE number = ? AND chain = ? AND stream = ? "
        "RETURNING number, public, client_id, text, reply_to",
        (number, *key),
    )
    if not rows:
        raise Refused(
            404, "held-not-found", "this message does not wait: somebody else may have answered"
        )
    found, public, client_id, text, reply_to = rows[0]
    return Held(int(found), bytes(public), str(client_id), str(text), reply_to)


def drop(execute: Execute, key: StreamKey, public: bytes) -> None:
    """Forget what waits of an account that may no longer speak."""
    execute("DELETE FROM held WHERE chain = ? AND stream = ? AND public = ?", (*key, public))


def listed(execute: Execute, key: StreamKey | None) -> list[dict[str, Any]]:
    """List what waits in a stream, or (None) everywhere, the oldest first."""
    where, values = ("WHERE chain = ? AND stream = ?", tuple(key)) if key is not None else ("", ())
    rows = execute(
        "SELECT number, chain, stream, public, text, why, pattern, held_at_ms FROM held "  # noqa: S608
        f"{where} ORDER BY held_at_ms, number LIMIT ?",
        (*values, LISTED_MAX),
    )
    names = names_of(execute, (bytes(row[3]) for row in rows))
    return [
        {
            "number": number,
            "chain": chain,
            "stream": stream,
            "author": names[bytes(public)],
            "text": text,
            "why": why,
            "pattern": pattern,
            "held_at_ms": held_at_ms,
        }
        for number, chain, stream, public, text, why, pattern, held_at_ms in rows
    ]


def exported(execute: Execute, public: bytes) -> dict[str, Any]:
    """What waits of an account."""
    rows = execute(
        "SELECT chain, stream, text, held_at_ms FROM held WHERE public = ? ORDER BY held_at_ms",
        (public,),
    )
    names = ("chain", "stream", "text", "held_at_ms")
    return {"held": [dict(zip(names, row, strict=True)) for row in rows]}
