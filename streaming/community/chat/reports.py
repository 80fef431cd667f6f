"""Reports of messages and accounts: a queue for who moderates, closed target by target.

A report has no copy of what it is about: the queue shows a message as it is now. Who reported is
told what was answered, and nobody is told who reported.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from streaming.community.chat.filters import NUMBER_BELOW
from streaming.community.database.migrations import Execute, Rows
from streaming.community.ledger import StreamKey
from streaming.community.profiles import names_of
from streaming.community.refusal import Refused
from streaming.community.texts import line

REASONS: Final = ("spam", "harassment", "hate", "sexual", "violence", "danger", "other")
TEXT_CHARS_MAX: Final = 300
OPEN_MAX: Final = 1_000
"""Open reports of one stream."""
KEPT_FOR_MS: Final = 90 * 24 * 3_600_000
"""So long after its answer a report is kept for who made it."""
LISTED_MAX: Final = 200
SHOWN_OF_TARGET: Final = 10
DISMISS: Final = "dismiss"
DELETE: Final = "delete"
TIME_OUT: Final = "time-out"
BAN: Final = "ban"
ANSWERS: Final = (DISMISS, DELETE, TIME_OUT, BAN)
_ACCOUNT: Final = 0
"""The number of a message in a report that is of an account: messages count from 1."""


@dataclass(frozen=True)
class Target:
    """What is reported: an account, or a message of it."""

    public: bytes
    message: int | None

    @property
    def number(self) -> int:
        """The message's number as the table has it."""
        return _ACCOUNT if self.message is None else self.message


def read_reason(reason: object, text: object) -> tuple[str, str]:
    """Check why somebody reports. Raises `Refused`."""
    if reason not in REASONS:
        known = ", ".join(REASONS)
        raise Refused(400, "field-invalid", f"reason is one of {known}", field="reason")
    return str(reason), line(text, "text", chars_max=TEXT_CHARS_MAX)


def make(
    execute: Execute,
    key: StreamKey,
    target: Target,
    *,
    reporter: bytes,
    why: tuple[str, str],
    at_ms: int,
) -> int:
    """Keep a report and give its number. Raises `Refused` (400 or 409)."""
    if target.public == reporter:
        raise Refused(400, "report-oneself", "you cannot report yourself")
    _forget_old(execute, at_ms)
    count = execute(
        "SELECT COUNT(*) FROM reports WHERE chain = ? AND stream = ? AND answer IS NULL", key
    )
    if count[0][0] >= OPEN_MAX:
        raise Refused(409, "reports-too-many", f"{OPEN_MAX} reports wait here: report it later")
    number = secrets.randbelow(NUMBER_BELOW)
    made = execute(
        "INSERT INTO reports (number, chain, stream, reporter, subject, message, reason, text, "
        "made_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING number",
        (number, *key, reporter, target.public, target.number, *why, at_ms),
    )
    if not made:
        raise Refused(
            409, "report-open", "you have reported this, and no moderator has answered yet"
        )
    return number


def close(
    execute: Execute, key: StreamKey, target: Target, answer: str, at_ms: int
) -> list[tuple[bytes, int]]:
    """Close every open report of a target; gives who made each, and its number."""
    rows = execute(
        "UPDATE reports SET answer = ?, answered_at_ms = ? WHERE chain = ? AND stream = ? "
        "AND subject = ? AND message = ? AND answer IS NULL RETURNING reporter, number",
        (answer, at_ms, *key, target.public, target.number),
    )
    return [(bytes(reporter), int(number)) for reporter, number in rows]


def _forget_old(execute: Execute, at_ms: int) -> None:
    execute("DELETE FROM reports WHERE answered_at_ms <= ?", (at_ms - KEPT_FOR_MS,))


# --- reading -------------------------------------------------------------------------------


def queue(execute: Execute, key: StreamKey | None) -> list[dict[str, Any]]:
    """List what is reported in a stream, or (None) everywhere: the longest waiting first."""
    where, values = ("AND chain = ? AND stream = ?", tuple(key)) if key is not None else ("", ())
    rows = execute(
        "SELECT chain, stream, subject, message, COUNT(*), MIN(made_at_ms) FROM reports "  # noqa: S608
        f"WHERE answer IS NULL {where} GROUP BY chain, stream, subject, message "
        "ORDER BY MIN(made_at_ms), chain, stream, subject, message LIMIT ?",
        (*values, LISTED_MAX),
    )
    names = names_of(execute, (bytes(row[2]) for row in rows))
    return [_target(execute, row, names[bytes(row[2])]) for row in rows]


def _target(execute: Execute, row: tuple[Any, ...], author: dict[str, Any]) -> dict[str, Any]:
    chain, stream, subject, message, count, since_ms = row
    said = execute(
        "SELECT reason, text, made_at_ms FROM reports WHERE chain = ? AND stream = ? "
        "AND subject = ? AND message = ? AND answer IS NULL ORDER BY made_at_ms, number LIMIT ?",
        (chain, stream, subject, message, SHOWN_OF_TARGET),
    )
    names = ("reason", "text", "made_at_ms")
    return {
        "chain": chain,
        "stream": stream,
        "account": author,
        "message": None if message == _ACCOUNT else _message(execute, chain, stream, message),
        "count": count,
        "since_ms": since_ms,
        "reports": [dict(zip(names, one, strict=True)) for one in said],
    }


def _message(execute: Execute, chain: str, stream: int, number: int) -> dict[str, Any]:
    rows = execute(
        "SELECT text, sent_at_ms, deleted FROM messages "
        "WHERE chain = ? AND stream = ? AND number = ?",
        (chain, stream, number),
    )
    text, sent_at_ms, deleted = rows[0] if rows else ("", None, 1)
    return {"number": number, "text": text, "sent_at_ms": sent_at_ms, "deleted": bool(deleted)}


def of_reporter(execute: Execute, reporter: bytes) -> list[dict[str, Any]]:
    """List an account's own reports with their answers, the latest first."""
    rows = execute(
        "SELECT number, chain, stream, subject, message, reason, text, made_at_ms, answer, "
        "answered_at_ms FROM reports WHERE reporter = ? ORDER BY made_at_ms DESC, number LIMIT ?",
        (reporter, LISTED_MAX),
    )
    return _own(execute, rows)


def _own(execute: Execute, rows: Rows) -> list[dict[str, Any]]:
    names = names_of(execute, (bytes(row[3]) for row in rows))
    return [
        {
            "number": number,
            "chain": chain,
            "stream": stream,
            "account": names[bytes(subject)],
            "message": message or None,
            "reason": reason,
            "text": text,
            "made_at_ms": made_at_ms,
            "answer": answer,
            "answered_at_ms": answered_at_ms,
        }
        for (
            number,
            chain,
            stream,
            subject,
            message,
            reason,
            text,
            made_at_ms,
            answer,
            answered_at_ms,
        ) in rows
    ]


def exported(execute: Execute, public: bytes) -> dict[str, Any]:
    """The reports that an account made; those of it name nobody, and are not its own."""
    return {"reports": of_reporter(execute, public)}
