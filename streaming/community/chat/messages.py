"""Messages in the tables: each has its stream's next number, and is kept once.

Whoever sends one names it by an id of their own; sent again under that id, it is the same message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from streaming.community.accounts import Session, session_of
from streaming.community.addresses import address_of
from streaming.community.chat import address_bans, filters, held
from streaming.community.chat.moderation import refuse_muted
from streaming.community.chat.roles import Roles
from streaming.community.chat.rules import Rules
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned, StreamKey
from streaming.community.profiles import called, names_of
from streaming.community.refusal import Refused
from streaming.community.texts import line, whole

Message: TypeAlias = dict[str, Any]
TEXT_CHARS_MAX: Final = 500
KEPT_MAX: Final = 20_000
"""Of one stream the latest so many messages are kept."""
PRUNED_EVERY: Final = 100
_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_COLUMNS: Final = "number, public, client_id, role, sent_at_ms, text, deleted, reply_to"
MENTIONS_MAX: Final = 5
"""Of one message so many people are told that it is to them."""
_MENTION: Final = re.compile(r"(?<![\w@.])@(\w{3,24})(?!\w)")
_NUMBER_MAX: Final = 10**18


@dataclass(frozen=True)
class Said:
    """What somebody wants to say."""

    id: str
    text: str
    reply_to: int | None = None
    """The number of the message that it answers."""


def read_said(client_id: object, text: object, reply_to: object = None) -> Said:
    """Check a message as it was sent. Raises `Refused`."""
    if not isinstance(client_id, str) or not _ID.fullmatch(client_id):
        raise Refused(
            400,
            "field-invalid",
            "id is 8 to 64 letters, digits, - and _: a random one for each message, and the same "
            "when it is sent again",
            field="id",
        )
    words = line(text, "text", chars_max=TEXT_CHARS_MAX, chars_min=1)
    if reply_to is not None:
        reply_to = whole(reply_to, "reply_to", least=1, most=_NUMBER_MAX)
    return Said(client_id, words, reply_to)


@dataclass(frozen=True)
class Kept:
    """What became of what was said."""

    message: Message | None
    """None while it waits for a moderator."""
    is_new: bool


def keep(
    execute: Execute,
    rules: Rules,
    owned: Owned,
    said: Said,
    *,
    digest: bytes,
    address: str | None,
    at_ms: int,
) -> Kept:
    """Keep a message of a session's account, or let it wait for a moderator. Raises `Refused`.

    `address` is where it comes from, None where that does not matter.
    """
    session = session_of(execute, digest, at_ms)
    before = execute(
        f"SELECT {_COLUMNS} FROM messages WHERE chain = ? AND stream = ? AND public = ? "  # noqa: S608
        "AND client_id = ?",
        (*owned.key, session.public, said.id),
    )
    if before:
        return Kept(_shown(execute, before)[0], is_new=False)
    if held.is_held(execute, owned.key, session.public, said.id):
        return Kept(None, is_new=False)
    refuse_muted(execute, owned.key, session.public, at_ms)
    if said.reply_to is not None:
        author_of(execute, owned.key, said.reply_to)  # there is such a message
    role = rules.roles.of(execute, owned, session.public)
    if not role and address is not None:
        address_bans.refuse_banned(execute, owned.key, address, at_ms)
        address_bans.saw(execute, session.public, address, at_ms)
    if not role:
        waits = rules.judged(execute, owned, session, said.text, at_ms=at_ms)
        if waits is not None:
            what = (session.public, said.id, said.text, said.reply_to)
            held.hold(execute, owned.key, what, why=waits.why, pattern=waits.pattern, at_ms=at_ms)
            return Kept(None, is_new=True)
    message = add(execute, owned.key, session.public, said, role=role, at_ms=at_ms)
    return Kept(message, is_new=True)


def add(
    execute: Execute, key: StreamKey, public: bytes, said: Said, *, role: str, at_ms: int
) -> Message:
    """Give a message the next number, and keep it."""
    [(number,)] = execute(
        "INSERT INTO rooms (chain, stream, last_number, slow_mode_s) VALUES (?, ?, 1, 0) "
        "ON CONFLICT (chain, stream) DO UPDATE SET last_number = rooms.last_number + 1 "
        "RETURNING last_number",
        key,
    )
    row = (number, public, said.id, role, at_ms, said.text, 0, said.reply_to)
    execute(
        f"INSERT INTO messages (chain, stream, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (*key, *row),
    )
    if number % PRUNED_EVERY == 0:
        execute(
            "DELETE FROM messages WHERE chain = ? AND stream = ? AND number <= ?",
            (*key, number - KEPT_MAX),
        )
    return _shown(execute, [row])[0]


def latest(
    execute: Execute, key: StreamKey, limit: int, before: int | None = None
) -> list[Message]:
    """Give the latest messages, or those before a number, in order."""
    bound, values = ("AND number < ? ", (before,)) if before is not None else ("", ())
    rows = execute(
        f"SELECT {_COLUMNS} FROM messages WHERE chain = ? AND stream = ? {bound}"  # noqa: S608
        "ORDER BY number DESC LIMIT ?",
        (*key, *values, limit),
    )
    return _shown(execute, rows[::-1])


def after(execute: Execute, key: StreamKey, number: int, limit: int) -> list[Message]:
    """Give the first messages after a number, in order."""
    rows = execute(
        f"SELECT {_COLUMNS} FROM messages WHERE chain = ? AND stream = ? AND number > ? "  # noqa: S608
        "ORDER BY number LIMIT ?",
        (*key, number, limit),
    )
    return _shown(execute, rows)


def delete(
    execute: Execute, roles: Roles, owned: Owned, session: Session, number: int
) -> bytes | None:
    """Empty a message: one's own, or any where one moderates. Gives whose, where it is another's.

    Raises `Refused`; once more changes nothing.
    """
    author = author_of(execute, owned.key, number)
    if author != session.public and not roles.of(execute, owned, session.public):
        raise Refused(
            403, "not-moderator", "only its author and the stream's moderators delete a message"
        )
    emptied = empty(execute, owned.key, number)
    return author if emptied and author != session.public else None


def author_of(execute: Execute, key: StreamKey, number: int) -> bytes:
    """Give whose a message is. Raises `Refused` (404)."""
    rows = execute(
        "SELECT public FROM messages WHERE chain = ? AND stream = ? AND number = ?", (*key, number)
    )
    if not rows:
        raise Refused(404, "message-not-found", f"there is no message {number} here")
    return bytes(rows[0][0])


def empty(execute: Execute, key: StreamKey, number: int) -> bool:
    """Take a message's text away; tells whether it had one."""
    return bool(
        execute(
            "UPDATE messages SET text = '', deleted = 1 WHERE chain = ? AND stream = ? "
            "AND number = ? AND deleted = 0 RETURNING number",
            (*key, number),
        )
    )


def _shown(execute: Execute, rows: list[Any]) -> list[Message]:
    names = names_of(execute, (bytes(row[1]) for row in rows))
    meant = [_MENTION.findall(row[5])[:MENTIONS_MAX] for row in rows]
    people = called(execute, (handle for handles in meant for handle in handles))
    return [
        _message(row, names[bytes(row[1])], [people[one] for one in handles if one in people])
        for row, handles in zip(rows, meant, strict=True)
    ]


def _message(row: Any, author: dict[str, Any], mentions: list[dict[str, Any]]) -> Message:
    number, _public, client_id, role, sent_at_ms, text, deleted, reply_to = row
    return {
        "number": number,
        "id": client_id,
        "author": author,
        "role": role or None,
        "sent_at_ms": sent_at_ms,
        "text": text,
        "deleted": bool(deleted),
        "reply_to": reply_to,
        "mentions": mentions,
    }


def exported(execute: Execute, public: bytes) -> dict[str, Any]:
    """What an account has said, where it moderates, and where it may not speak."""
    return {
        **held.exported(execute, public),
        **filters.exported(execute, public),
        "messages": [
            dict(zip(("chain", "stream", "number", "sent_at_ms", "text"), row, strict=True))
            for row in execute(
                "SELECT chain, stream, number, sent_at_ms, text FROM messages WHERE public = ? "
                "ORDER BY chain, stream, number",
                (public,),
            )
        ],
        "moderates": [
            {"chain": chain, "stream": stream, "owner": address_of(bytes(owner)), "since_ms": since}
            for chain, stream, owner, since in execute(
                "SELECT chain, stream, owner, since_ms FROM moderators WHERE public = ? "
                "ORDER BY chain, stream",
                (public,),
            )
        ],
        "moderators": [
            {"chain": chain, "stream": stream, "account": address_of(bytes(other))}
            for chain, stream, other in execute(
                "SELECT chain, stream, public FROM moderators WHERE owner = ? "
                "ORDER BY chain, stream, public",
                (public,),
            )
        ],
        "mutes": [
            dict(zip(("chain", "stream", "until_ms"), row, strict=True))
            for row in execute(
                "SELECT chain, stream, until_ms FROM mutes WHERE public = ? ORDER BY chain, stream",
                (public,),
            )
        ],
    }
