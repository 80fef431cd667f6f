"""Accounts, and the sessions in which people are signed in: one for each device.

A session is a random token, of which only a digest is kept, with the device's name as it was given.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from streaming.community.addresses import address_of
from streaming.community.challenges import Challenge
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.refusal import Refused

SESSION_LIFETIME_MS: Final = 30 * 24 * 3_600_000
SESSIONS_MAX: Final = 20
"""Of one account at a time; another ends the one that was longest not seen."""
SEEN_EVERY_MS: Final = 3_600_000
"""When a session was last used is written so often."""
DEVICE_CHARS_MAX: Final = 80
_TOKEN: Final = re.compile(r"psc_[A-Za-z0-9_-]{43}")
_UNKNOWN: Final = "sign in again: this session is not known here, or it has ended"

ClockMs = Callable[[], int]


def now_ms() -> int:
    """Unix time in milliseconds: sessions and messages outlive the process."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in. Its `repr` has nothing that could be used."""

    id: str
    public: bytes
    digest: bytes

    def __repr__(self) -> str:
        return f"<session {self.id}>"


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def token_in(header: str) -> str:
    """Give the token of an `Authorization` header. Raises `Refused` (401)."""
    kind, _, token = header.partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise Refused(
            401,
            "token-missing",
            "send a session's token in the header `Authorization: Bearer ...`; sign in to get one "
            "(POST /api/v1/community/challenge, then /api/v1/community/sessions)",
        )
    return checked_token(token)


def checked_token(token: object) -> str:
    """Give what looks like a session's token. Raises `Refused` (401)."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise Refused(401, "token-invalid", _UNKNOWN, field="token")
    return token


def session_of(execute: Execute, digest: bytes, at_ms: int) -> Session:
    """Find a session within a transaction. Raises `Refused` (401)."""
    rows = execute(
        "SELECT id, public FROM sessions WHERE digest = ? AND expires_at_ms > ?", (digest, at_ms)
    )
    if not rows:
        raise Refused(401, "token-invalid", _UNKNOWN, field="token")
    return Session(rows[0][0], bytes(rows[0][1]), digest)


class Accounts:
    """Signing in, the list of devices, and ending."""

    def __init__(self, database: Database, clock: ClockMs = now_ms) -> None:
        self._database = database
        self._clock = clock
        self.on_ended: Callable[[bytes], None] = _nobody
        """Hears the digest of a session that was ended."""
        self.on_deleted: Callable[[bytes], None] = _nobody
        """Hears the key of an account that was deleted."""

    async def sign_in(self, challenge: Challenge, device: str) -> dict[str, Any]:
        """Begin a session for a challenge whose signature was right. Raises `Refused`."""
        token = f"psc_{secrets.token_urlsafe(32)}"
        at_ms = self._clock()

        def begin(execute: Execute) -> dict[str, Any]:
            _use(execute, challenge, at_ms)
            public = challenge.public
            execute(
                "INSERT INTO accounts (public, created_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (public, at_ms),
            )
            _make_room(execute, public, at_ms)
            row = (digest_of(token), secrets.token_hex(8), public, device, at_ms, at_ms)
            execute(
                "INSERT INTO sessions (digest, id, public, device, created_at_ms, seen_at_ms, "
                "expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, at_ms + SESSION_LIFETIME_MS),
            )
            return {"id": row[1], "expires_at_ms": at_ms + SESSION_LIFETIME_MS}

        begun = await self._database.write(begin)
        return {"token": token, "account": address_of(challenge.public), **begun}

    async def session(self, token: str) -> Session:
        """Give who a token stands for. Raises `Refused` (401)."""
        at_ms, digest = self._clock(), digest_of(token)

        def look(execute: Execute) -> tuple[Session, int]:
            session = session_of(execute, digest, at_ms)
            seen = execute("SELECT seen_at_ms FROM sessions WHERE digest = ?", (digest,))
            return session, int(seen[0][0])

        session, seen_at_ms = await self._database.read(look)
        if at_ms - seen_at_ms >= SEEN_EVERY_MS:
            sql = "UPDATE sessions SET seen_at_ms = ? WHERE digest = ?"
            await self._database.write(lambda execute: execute(sql, (at_ms, digest)))
        return session

    async def devices(self, session: Session) -> list[dict[str, Any]]:
        """List where this account is signed in, the latest first."""
        at_ms = self._clock()
        found = await self._database.read(lambda execute: _sessions(execute, session.public, at_ms))
        return [{**one, "current": one["id"] == session.id} for one in found]

    async def end(self, session: Session, which: str) -> None:
        """End one of this account's sessions; `current` is the one that asks.

        Raises `Refused` (404).
        """
        wanted = session.id if which == "current" else which[:64]

        def end(execute: Execute) -> bytes:
            rows = execute(
                "DELETE FROM sessions WHERE id = ? AND public = ? RETURNING digest",
                (wanted, session.public),
            )
            if not rows:
                raise Refused(
                    404,
                    "session-not-found",
                    "you have no session of this id: GET /api/v1/community/sessions lists them",
                    field="id",
                )
            return bytes(rows[0][0])

        self.on_ended(await self._database.write(end))

    async def delete(self, session: Session) -> None:
        """Delete the account, and with it everything that is about it."""
        sql = "DELETE FROM accounts WHERE public = ?"
        await self._database.write(lambda execute: execute(sql, (session.public,)), forgets=True)
        self.on_deleted(session.public)


def _nobody(_about: bytes) -> None:
    return


def _use(execute: Execute, challenge: Challenge, at_ms: int) -> None:
    execute("DELETE FROM used_challenges WHERE expires_at_ms <= ?", (at_ms,))
    used = execute(
        "INSERT INTO used_challenges (nonce, expires_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING "
        "RETURNING nonce",
        (challenge.nonce, challenge.expires_at_ms),
    )
    if not used:
        raise Refused(
            400,
            "challenge-used",
            "this challenge has given its session: ask for another and sign that",
            field="challenge",
        )


def _make_room(execute: Execute, public: bytes, at_ms: int) -> None:
    """End what has expired, of everybody, and of this account the sessions that are too many."""
    execute("DELETE FROM sessions WHERE expires_at_ms <= ?", (at_ms,))
    execute(
        "DELETE FROM sessions WHERE digest IN (SELECT digest FROM sessions WHERE public = ? "
        "ORDER BY seen_at_ms DESC, created_at_ms DESC LIMIT 1000 OFFSET ?)",
        (public, SESSIONS_MAX - 1),
    )


def _sessions(execute: Execute, public: bytes, at_ms: int) -> list[dict[str, Any]]:
    names = ("id", "device", "created_at_ms", "seen_at_ms", "expires_at_ms")
    rows = execute(
        f"SELECT {', '.join(names)} FROM sessions WHERE public = ? AND expires_at_ms > ? "  # noqa: S608
        "ORDER BY seen_at_ms DESC, id",
        (public, at_ms),
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def exported(execute: Execute, public: bytes) -> dict[str, Any]:
    """What is kept of an account itself."""
    rows = execute("SELECT created_at_ms FROM accounts WHERE public = ?", (public,))
    return {
        "account": address_of(public),
        "created_at_ms": rows[0][0] if rows else None,
        "sessions": _sessions(execute, public, 0),
    }
