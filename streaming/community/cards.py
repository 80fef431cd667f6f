"""What a stream is about, as its owner has signed it: its card.

The signature is kept with the card, over a text that names chain, stream and a digest of the card,
so any other server can show the same and prove it. The ledger says who owns the stream; the card of
somebody who no longer does is shown nowhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from streaming.community.accounts import ClockMs, Session, now_ms
from streaming.community.addresses import address_of, public_of
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned, StreamKey
from streaming.community.markdown import html_of
from streaming.community.profiles import names_of
from streaming.community.refusal import Refused
from streaming.community.signatures import check_signed
from streaming.community.texts import language, line, lines, only, several, whole

TITLE_CHARS_MAX: Final = 100
DESCRIPTION_CHARS_MAX: Final = 5_000
CATEGORY_CHARS_MAX: Final = 40
TAGS_MAX: Final = 10
TAG_CHARS_MAX: Final = 30
SCHEDULE_MAX: Final = 20
AGES: Final = (0, 12, 16, 18)
VERSION_AGE_MAX_MS: Final = 15 * 60_000
"""A signature is good for so long: one that somebody finds later changes nothing."""
VERSION_AHEAD_MAX_MS: Final = 60_000
UNIX_MS_MAX: Final = 4_102_444_800_000
"""The year 2100."""
FIELDS: Final = ("title", "description", "category", "tags", "language", "age_min", "schedule")
_TAG: Final = re.compile(r"[^\W_][\w-]*")
_LISTED: Final = ("title", "category", "tags", "language", "age_min", "schedule")


def read_card(body: Mapping[str, Any]) -> dict[str, Any]:
    """Check a card's fields; what is left out is empty. Raises `Refused`."""
    spoken = body.get("language") or ""
    age = body.get("age_min", 0)
    if age not in AGES or isinstance(age, bool):
        known = ", ".join(str(each) for each in AGES)
        raise Refused(
            400, "field-invalid", f"age_min is one of {known} (years; 0 for all)", field="age_min"
        )
    return {
        "title": line(body.get("title"), "title", chars_max=TITLE_CHARS_MAX, chars_min=1),
        "description": lines(
            body.get("description", ""), "description", chars_max=DESCRIPTION_CHARS_MAX
        ),
        "category": line(body.get("category", ""), "category", chars_max=CATEGORY_CHARS_MAX),
        "tags": _tags(body.get("tags", [])),
        "language": language(spoken, "language") if spoken else "",
        "age_min": age,
        "schedule": _schedule(body.get("schedule", [])),
    }


def _tags(value: object) -> list[str]:
    found = []
    for one in several(value, "tags", TAGS_MAX):
        tag = line(one, "tags", chars_max=TAG_CHARS_MAX, chars_min=1).removeprefix("#").casefold()
        if not _TAG.fullmatch(tag):
            raise Refused(
                400,
                "field-invalid",
                "tags has one that is no word: letters, digits and hyphens",
                field="tags",
            )
        found.append(tag)
    return list(dict.fromkeys(found))


def _schedule(value: object) -> list[dict[str, Any]]:
    found = []
    for one in several(value, "schedule", SCHEDULE_MAX):
        if not isinstance(one, dict) or not {"starts_at_ms"} <= set(one) <= {
            "starts_at_ms",
            "title",
        }:
            raise Refused(
                400,
                "field-invalid",
                'schedule is a list of {"starts_at_ms": ..., "title": ...}',
                field="schedule",
            )
        starts_at_ms = whole(one["starts_at_ms"], "schedule", least=0, most=UNIX_MS_MAX)
        title = line(one.get("title", ""), "schedule", chars_max=TITLE_CHARS_MAX)
        found.append({"starts_at_ms": starts_at_ms, "title": title})
    return sorted(found, key=lambda one: (one["starts_at_ms"], one["title"]))


def canonical(card: Mapping[str, Any]) -> bytes:
    """Write a card as it is digested: JSON with sorted names and no spaces."""
    return msgspec.json.encode(dict(card), order="sorted")


def message_of(owned: Owned, card: Mapping[str, Any], version: int) -> str:
    """The text that the stream's owner signs. Anybody can make it again from the card."""
    digest = hashlib.blake2b(canonical(card), digest_size=32).hexdigest()
    return "\n".join(
        (
            "PayStream: say what a stream is about.",
            "This signature moves no money.",
            "",
            f"Chain: {owned.key.genesis}",
            f"Stream: {owned.key.number}",
            f"Owner: {address_of(owned.owner)}",
            f"Title: {card['title']}",
            f"Card: 0x{digest}",
            f"Version: {version} (unix ms)",
        )
    )


class Cards:
    """Cards in the tables."""

    def __init__(self, database: Database, clock: ClockMs = now_ms) -> None:
        self._database = database
        self._clock = clock

    def prepared(self, owned: Owned, body: Mapping[str, Any]) -> dict[str, Any]:
        """Check a card and give the text to sign for it. Raises `Refused`.

        Whoever says as which `account` they will sign hears at once where that is not the owner.
        """
        only(body, ("title",), (*FIELDS, "account"))
        if "account" in body and public_of(body["account"]) != owned.owner:
            raise not_owner(owned, "account")
        card, version = read_card(body), self._clock()
        return {"card": card, "version": version, "message": message_of(owned, card, version)}

    async def keep(self, owned: Owned, body: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a card that the stream's owner has signed. Raises `Refused`."""
        only(body, ("title", "version", "signature"), FIELDS)
        card = read_card(body)
        version = whole(body["version"], "version", least=0, most=UNIX_MS_MAX)
        at_ms = self._clock()
        if not at_ms - VERSION_AGE_MAX_MS <= version <= at_ms + VERSION_AHEAD_MAX_MS:
            raise Refused(
                400,
                "version-invalid",
                f"a card is signed within {VERSION_AGE_MAX_MS // 60_000} minutes before it is "
                "sent: prepare it again and sign that",
                field="version",
            )
        signature = _signed(owned, message_of(owned, card, version), body["signature"])

        def write(execute: Execute) -> None:
            execute(
                "INSERT INTO accounts (public, created_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (owned.owner, at_ms),
            )
            kept = execute(
                "INSERT INTO cards (chain, stream, public, content, version, signature) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (chain, stream) DO UPDATE SET "
                "public = excluded.public, content = excluded.content, "
                "version = excluded.version, signature = excluded.signature "
                "WHERE excluded.version > cards.version RETURNING version",
                (*owned.key, owned.owner, canonical(card).decode(), version, signature),
            )
            if not kept:
                raise Refused(
                    409,
                    "version-older",
                    "the stream has a card that was signed later: prepare this one again",
                    field="version",
                )

        await self._database.write(write)
        return await self.of(owned)

    async def of(self, owned: Owned) -> dict[str, Any]:
        """Give a stream's card with its proof. Raises `Refused` (404)."""

        def look(execute: Execute) -> tuple[list[Any], dict[str, Any]]:
            rows = execute(
                "SELECT content, version, signature FROM cards WHERE chain = ? AND stream = ? "
                "AND public = ?",
                (*owned.key, owned.owner),
            )
            return rows, names_of(execute, [owned.owner])[owned.owner]

        rows, owner = await self._database.read(look)
        if not rows:
            raise Refused(404, "card-not-found", "the stream's owner has not said what it is about")
        content, version, signature = rows[0]
        card = msgspec.json.decode(content)
        return {
            "card": card,
            "description_html": html_of(card["description"]),
            "owner": owner,
            "proof": {
                "account": address_of(owned.owner),
                "message": message_of(owned, card, version),
                "version": version,
                "signature": "0x" + bytes(signature).hex(),
            },
        }

    async def remove(self, owned: Owned, session: Session) -> None:
        """Remove the card of one's own stream. Raises `Refused`."""
        if session.public != owned.owner:
            raise not_owner(owned)
        sql = "DELETE FROM cards WHERE chain = ? AND stream = ?"
        await self._database.write(lambda execute: execute(sql, owned.key), forgets=True)

    async def listed(self, owned: Iterable[Owned]) -> dict[StreamKey, dict[str, Any]]:
        """Give, of streams of one chain, the card without its text, and what the owner is called.

        Raises `Refused` (503).
        """
        by_key = {one.key: one for one in owned}

        def look(execute: Execute) -> dict[StreamKey, dict[str, Any]]:
            names = names_of(execute, (one.owner for one in by_key.values()))
            cards = {
                key: card
                for key, owner, card in _cards(execute, list(by_key))
                if owner == by_key[key].owner
            }
            return {
                key: {"card": cards.get(key), "owner_name": names[one.owner]}
                for key, one in by_key.items()
            }

        return await self._database.read(look) if by_key else {}


def _cards(
    execute: Execute, keys: list[StreamKey]
) -> Iterable[tuple[StreamKey, bytes, dict[str, Any]]]:
    """Read the cards of streams of one chain: a page of them, which is at most 500."""
    marks = ", ".join("?" * len(keys))
    sql = f"SELECT stream, public, content FROM cards WHERE chain = ? AND stream IN ({marks})"  # noqa: S608
    for number, owner, content in execute(sql, [keys[0].genesis, *(key.number for key in keys)]):
        card = msgspec.json.decode(content)
        listed = {name: card[name] for name in _LISTED}
        yield StreamKey(keys[0].genesis, number), bytes(owner), listed


def _signed(owned: Owned, message: str, signature: object) -> bytes:
    try:
        return check_signed(owned.owner, message, signature)
    except Refused as refused:
        if refused.problem.status == 400:
            raise
        raise not_owner(owned, "signature") from None


def not_owner(owned: Owned, field: str | None = None) -> Refused:
    """Refuse what only a stream's owner may do."""
    return Refused(
        403,
        "not-owner",
        f"stream {owned.key.number} is owned by {address_of(owned.owner)}: sign with that account, "
        "and the text as it is",
        field=field,
    )


def exported(execute: Execute, public: bytes) -> dict[str, Any]:
    """What is kept of an account's streams."""
    rows = execute(
        "SELECT chain, stream, content, version, signature FROM cards WHERE public = ? "
        "ORDER BY chain, stream",
        (public,),
    )
    return {
        "cards": [
            {
                "chain": chain,
                "stream": stream,
                "card": msgspec.json.decode(content),
                "version": version,
                "signature": "0x" + bytes(signature).hex(),
            }
            for chain, stream, content, version, signature in rows
        ]
    }
