"""The log of what moderators did: by whom, on whom, when and why. It is only appended to.

The database itself refuses to change or delete an entry, and each entry has a digest over itself
and the one before, so that one that was altered or taken out all the same is found (`verified`).
How many there are and what the last one's digest is stands in a place of its own; whoever rewrites
the whole log and that, too, is found by a head that was noted elsewhere.

Entries name people by pseudonyms, random ones, and why something was done stands beside the log,
under a salted digest in it. When an account is deleted, its pseudonym stands for nobody any more
and the reasons that it gave, or that were given for acts on it, are gone; the acts stay.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from streaming.community.database.migrations import Execute, Rows
from streaming.community.ledger import StreamKey
from streaming.community.profiles import names_of
from streaming.community.texts import line

ALL_STREAMS: Final = StreamKey("", -1)
"""What an act of the operator on everything is about."""
REASON_CHARS_MAX: Final = 200
LISTED_MAX: Final = 200
FAULTS_MAX: Final = 20
"""So many faults are told; a log with more of them is no log."""
_HEAD: Final = "audit_head"
_AT_ONCE: Final = 1_000
_NOTHING: Final = b""
_COLUMNS: Final = (
    "number, at_ms, chain, stream, actor, act, subject, detail, reason, previous, digest"
)


Detail: TypeAlias = Mapping[str, str | int | bool | None]


@dataclass(frozen=True)
class Act:
    """What somebody did. `detail` has neither names nor words of anybody's."""

    name: str
    actor: bytes
    subject: bytes | None = None
    reason: str = ""
    detail: Detail | None = None


class Head(NamedTuple):
    """The last entry: its number, 0 where there is none, and its digest."""

    number: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.digest.hex()}"


def read_reason(value: object) -> str:
    """Check why somebody does something. Raises `Refused`."""
    return line(value, "reason", chars_max=REASON_CHARS_MAX)


# --- writing -------------------------------------------------------------------------------


def record(execute: Execute, key: StreamKey, act: Act, at_ms: int) -> None:
    """Append an entry, in the transaction of the act itself: they are both there, or neither."""
    before = head(execute)
    number = before.number + 1
    reason = _kept_reason(execute, number, act) if act.reason else _NOTHING
    subject = "" if act.subject is None else _pseudonym(execute, act.subject)
    detail = msgspec.json.encode(dict(act.detail or {}), order="sorted").decode()
    said = (number, at_ms, *key, _pseudonym(execute, act.actor), act.name, subject, detail)
    digest = _digest(said, reason, before.digest)
    execute(
        f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (*said, reason, before.digest, digest),
    )
    execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_HEAD, str(Head(number, digest))),
    )


def _kept_reason(execute: Execute, number: int, act: Act) -> bytes:
    salt = secrets.token_bytes(16)
    execute(
        "INSERT INTO audit_reasons (number, actor, subject, salt, text) VALUES (?, ?, ?, ?, ?)",
        (number, act.actor, act.subject, salt, act.reason),
    )
    return _reason_digest(salt, act.reason)


def _reason_digest(salt: bytes, text: str) -> bytes:
    return hashlib.sha256(salt + text.encode()).digest()


def _digest(said: tuple[Any, ...], reason: bytes, previous: bytes) -> bytes:
    return hashlib.sha256(msgspec.json.encode([*said, reason.hex(), previous.hex()])).digest()


def _pseudonym(execute: Execute, public: bytes) -> str:
    """Give what an account is called in the log; it gets a name when it is first in there."""
    made = f"p_{secrets.token_hex(8)}"
    execute(
        "INSERT INTO pseudonyms (pseudonym, public) VALUES (?, ?) ON CONFLICT (public) DO NOTHING",
        (made, public),
    )
    return str(execute("SELECT pseudonym FROM pseudonyms WHERE public = ?", (public,))[0][0])


def head(execute: Execute) -> Head:
    """Give the last entry there is."""
    rows = execute("SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1")
    return Head(int(rows[0][0]), bytes(rows[0][1])) if rows else Head(0, _NOTHING)


# --- reading -------------------------------------------------------------------------------


def acts(
    execute: Execute, key: StreamKey | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """List the latest acts about a stream, or (None) about all, the latest first."""
    where = "number < ?"
    values: list[Any] = [2**62 if before is None else before]
    if key is not None:
        where, values = f"{where} AND chain = ? AND stream = ?", [*values, *key]
    rows = execute(
        f"SELECT {_COLUMNS} FROM audit WHERE {where} ORDER BY number DESC LIMIT ?",  # noqa: S608
        (*values, min(limit, LISTED_MAX)),
    )
    return _shown(execute, rows)


def _shown(execute: Execute, rows: Rows) -> list[dict[str, Any]]:
    people = _people(execute, (name for row in rows for name in (row[4], row[6]) if name))
    shown = []
    for number, at_ms, chain, stream, actor, act, subject, detail, reason, previous, digest in rows:
        said = execute("SELECT text FROM audit_reasons WHERE number = ?", (number,))
        shown.append(
            {
                "number": number,
                "at_ms": at_ms,
                "chain": chain or None,
                "stream": stream if chain else None,
                "act": act,
                "actor": people[actor],
                "subject": people[subject] if subject else None,
                "detail": msgspec.json.decode(detail),
                "reason": said[0][0] if said else None,
                "reason_digest": bytes(reason).hex(),
                "previous": bytes(previous).hex(),
                "digest": bytes(digest).hex(),
            }
        )
    return shown


def _people(execute: Execute, pseudonyms: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give who is behind pseudonyms: nobody where the account is gone."""
    found: dict[str, dict[str, Any]] = {}
    publics: dict[str, bytes] = {}
    for name in dict.fromkeys(pseudonyms):
        rows = execute("SELECT public FROM pseudonyms WHERE pseudonym = ?", (name,))
        if rows:
            publics[name] = bytes(rows[0][0])
        found[name] = {"pseudonym": name, "account": None, "handle": None, "name": ""}
    names = names_of(execute, publics.values())
    for name, public in publics.items():
        found[name].update(names[public])
    return found


def exported(execute: Execute, public: bytes) -> dict[str, Any]:
    """What the log has of an account: what it did, and what was done to it, without by whom."""
    rows = execute("SELECT pseudonym FROM pseudonyms WHERE public = ?", (public,))
    if not rows:
        return {"acts": []}
    name = rows[0][0]
    found = execute(
        "SELECT a.number, a.at_ms, a.chain, a.stream, a.act, a.actor, r.text FROM audit a "
        "LEFT JOIN audit_reasons r ON r.number = a.number "
        "WHERE a.actor = ? OR a.subject = ? ORDER BY a.number",
        (name, name),
    )
    return {
        "acts": [
            {
                "number": number,
                "at_ms": at_ms,
                "chain": chain or None,
                "stream": stream if chain else None,
                "act": act,
                "yours": actor == name,
                "reason": reason,
            }
            for number, at_ms, chain, stream, act, actor, reason in found
        ]
    }


# --- checking ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verified:
    """What the check found: how many entries, the last one, and what is wrong, in words."""

    entries: int
    head: str
    faults: tuple[str, ...]


def verified(execute: Execute, noted: str | None = None) -> Verified:
    """Check every entry, and that one that was noted elsewhere (`NUMBER:DIGEST`) is in it."""
    check = _Check(noted)
    after = 0
    while rows := execute(
        f"SELECT {_COLUMNS} FROM audit WHERE number > ? ORDER BY number LIMIT ?",  # noqa: S608
        (after, _AT_ONCE),
    ):
        for row in rows:
            check.entry(execute, row)
        after = rows[-1][0]
    kept = execute("SELECT value FROM meta WHERE key = ?", (_HEAD,))
    check.end(kept[0][0] if kept else str(Head(0, _NOTHING)))
    return Verified(check.entries, str(check.last), tuple(check.faults[:FAULTS_MAX]))


class _Check:
    def __init__(self, noted: str | None) -> None:
        self.entries = 0
        self.last = Head(0, _NOTHING)
        self.faults: list[str] = []
        self._noted = noted

    def entry(self, execute: Execute, row: tuple[Any, ...]) -> None:
        *said, reason, previous, digest = row
        reason, previous, digest = bytes(reason), bytes(previous), bytes(digest)
        number = int(row[0])
        if number != self.last.number + 1:
            self._fault(f"entry {self.last.number + 1} is missing: the next one is {number}")
        if previous != self.last.digest:
            self._fault(f"entry {number} does not follow the one before it")
        if digest != _digest(tuple(said), reason, previous):
            self._fault(f"entry {number} is not what it was when it was written")
        self._reason(execute, row, reason)
        self.entries += 1
        self.last = Head(number, digest)
        if self._noted == str(self.last):
            self._noted = None

    def _reason(self, execute: Execute, row: tuple[Any, ...], digest: bytes) -> None:
        number, actor, subject = int(row[0]), row[4], row[6]
        kept = execute("SELECT salt, text FROM audit_reasons WHERE number = ?", (number,))
        if kept:
            if digest != _reason_digest(bytes(kept[0][0]), kept[0][1]):
                self._fault(f"the reason of entry {number} is not the one that was given")
        elif digest and all(_is_somebody(execute, name) for name in (actor, subject) if name):
            self._fault(f"the reason of entry {number} is gone, and no account with it")

    def end(self, kept: str) -> None:
        if kept != str(self.last):
            self._fault(f"the log ended with {kept}, and ends with {self.last} now")
        if self._noted is not None:
            self._fault(f"no entry is {self._noted}, which was noted elsewhere")

    def _fault(self, text: str) -> None:
        self.faults.append(text)


def _is_somebody(execute: Execute, pseudonym: str) -> bool:
    return bool(execute("SELECT 1 FROM pseudonyms WHERE pseudonym = ?", (pseudonym,)))
