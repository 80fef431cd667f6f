"""Those who may not speak in a stream's chat, and those whom its owner has named to moderate.

A mute is kept under a keyed digest of the account, so that somebody who deletes the account and
comes back is still muted, and nothing in the tables says of whom a mute is once the account is
gone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any, Final

from streaming.community.database.migrations import Execute, Rows
from streaming.community.ledger import Owned, StreamKey
from streaming.community.profiles import names_of
from streaming.community.refusal import Refused

MODERATORS_MAX: Final = 50
MUTES_MAX: Final = 10_000
MUTES_LISTED_MAX: Final = 200
MUTE_MAX_S: Final = 366 * 24 * 3_600
_SECRET: Final = "mute_secret"  # noqa: S105  (the name of a row)


# --- mutes ---------------------------------------------------------------------------------


def refuse_muted(execute: Execute, key: StreamKey, public: bytes, at_ms: int) -> None:
    """Raise `Refused` (403) where an account may not speak."""
    rows = execute(
        "SELECT until_ms FROM mutes WHERE chain = ? AND stream = ? AND subject = ?",
        (*key, _subject(execute, key, public)),
    )
    if not rows:
        return
    until_ms = rows[0][0]
    if until_ms is None:
        raise Refused(403, "banned", "you may no longer speak in this chat; you may go on reading")
    if until_ms > at_ms:
        wait_s = (until_ms - at_ms) / 1000
        raise Refused(
            403,
            "muted",
            f"you may speak in this chat again in {max(1, round(wait_s))} s",
            wait_s=wait_s,
        )


def mute(
    execute: Execute, key: StreamKey, public: bytes, *, until_ms: int | None, at_ms: int
) -> None:
    """Let an account not speak until a moment, or ever again. Raises `Refused` (409)."""
    execute("DELETE FROM mutes WHERE chain = ? AND stream = ? AND until_ms <= ?", (*key, at_ms))
    count = execute("SELECT COUNT(*) FROM mutes WHERE chain = ? AND stream = ?", key)
    if count[0][0] >= MUTES_MAX:
        raise Refused(409, "mutes-too-many", f"{MUTES_MAX} accounts are muted here: let some speak")
    execute(
        "INSERT INTO mutes (chain, stream, subject, public, until_ms, made_at_ms) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (chain, stream, subject) DO UPDATE SET "
        "public = excluded.public, until_ms = excluded.until_ms, made_at_ms = excluded.made_at_ms",
        (*key, _subject(execute, key, public), public, until_ms, at_ms),
    )


def unmute(execute: Execute, key: StreamKey, public: bytes) -> bool:
    """Let an account speak again; tells whether it could not."""
    return bool(
        execute(
            "DELETE FROM mutes WHERE chain = ? AND stream = ? AND subject = ? RETURNING made_at_ms",
            (*key, _subject(execute, key, public)),
        )
    )


def mutes(execute: Execute, key: StreamKey, at_ms: int) -> list[dict[str, Any]]:
    """List who may not speak, the latest first."""
    rows = execute(
        "SELECT public, until_ms, made_at_ms FROM mutes WHERE chain = ? AND stream = ? "
        "AND public IS NOT NULL AND (until_ms IS NULL OR until_ms > ?) "
        "ORDER BY made_at_ms DESC, subject LIMIT ?",
        (*key, at_ms, MUTES_LISTED_MAX),
    )
    names = names_of(execute, (bytes(row[0]) for row in rows))
    return [
        {**names[bytes(public)], "until_ms": until_ms, "made_at_ms": made_at_ms}
        for public, until_ms, made_at_ms in rows
    ]


def _subject(execute: Execute, key: StreamKey, public: bytes) -> bytes:
    """Give what a mute of an account in a stream is kept under."""
    rows = execute("SELECT value FROM meta WHERE key = ?", (_SECRET,)) or _made_secret(execute)
    content = f"{key.genesis}/{key.number}/".encode() + public
    return hmac.digest(bytes.fromhex(rows[0][0]), content, hashlib.sha256)


def _made_secret(execute: Execute) -> Rows:
    """Make the key of mutes' digests, once for a database."""
    return execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) RETURNING value",
        (_SECRET, secrets.token_hex(32)),
    )


# --- moderators ----------------------------------------------------------------------------


def name_moderator(execute: Execute, owned: Owned, public: bytes, at_ms: int) -> None:
    """Let an account moderate. Raises `Refused` (409)."""
    count = execute(
        "SELECT COUNT(*) FROM moderators WHERE chain = ? AND stream = ? AND owner = ?",
        (*owned.key, owned.owner),
    )
    if count[0][0] >= MODERATORS_MAX:
        raise Refused(
            409, "moderators-too-many", f"a stream has at most {MODERATORS_MAX} moderators"
        )
    execute(
        "INSERT INTO moderators (chain, stream, public, owner, since_ms) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (chain, stream, public) DO UPDATE SET owner = excluded.owner, "
        "since_ms = excluded.since_ms",
        (*owned.key, public, owned.owner, at_ms),
    )


def dismiss_moderator(execute: Execute, key: StreamKey, public: bytes) -> bool:
    """Let an account moderate no more; tells whether it did."""
    return bool(
        execute(
            "DELETE FROM moderators WHERE chain = ? AND stream = ? AND public = ? "
            "RETURNING since_ms",
            (*key, public),
        )
    )


def moderators(execute: Execute, owned: Owned) -> list[dict[str, Any]]:
    """List who moderates, beside the owner."""
    rows = execute(
        "SELECT public FROM moderators WHERE chain = ? AND stream = ? AND owner = ? "
        "ORDER BY since_ms, public",
        (*owned.key, owned.owner),
    )
    names = names_of(execute, (bytes(row[0]) for row in rows))
    return list(names.values())
