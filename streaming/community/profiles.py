"""Who people are to each other: names, handles, a few words, links, and who follows whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from streaming.community.accounts import ClockMs, Session, now_ms
from streaming.community.addresses import address_of, is_address, public_of
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.handles import read_handle
from streaming.community.lookalikes import skeleton
from streaming.community.refusal import Refused
from streaming.community.texts import languages, line, lines, links, only

NAME_CHARS_MAX: Final = 50
ABOUT_CHARS_MAX: Final = 2_000
FOLLOWS_MAX: Final = 2_000
FOLLOWS_LISTED_MAX: Final = 500
_COLUMNS: Final = "name, handle, about, links, languages"
_AT_ONCE: Final = 400
"""Accounts that one query names: SQLite and PostgreSQL both take as many values."""


def read_profile(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Check a profile as it was sent; what is left out is empty. Raises `Refused`."""
    only(body, (), ("name", "handle", "about", "links", "languages"))
    handle = body.get("handle") or None
    return (
        line(body.get("name", ""), "name", chars_max=NAME_CHARS_MAX),
        *((None, None) if handle is None else read_handle(handle)),
        lines(body.get("about", ""), "about", chars_max=ABOUT_CHARS_MAX),
        msgspec.json.encode(links(body.get("links", []), "links")).decode(),
        msgspec.json.encode(languages(body.get("languages", []), "languages")).decode(),
    )


class Profiles:
    """Profiles and follows in the tables."""

    def __init__(self, database: Database, clock: ClockMs = now_ms) -> None:
        self._database = database
        self._clock = clock

    async def keep(self, session: Session, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace this account's profile. Raises `Refused`, 409 for a handle that is taken."""
        checked, at_ms = read_profile(body), self._clock()

        def write(execute: Execute) -> dict[str, Any]:
            _refuse_taken(execute, session.public, checked[1], checked[2])
            execute(
                "INSERT INTO profiles (public, name, handle, skeleton, about, links, languages, "
                "updated_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (public) DO UPDATE SET "
                "name = excluded.name, handle = excluded.handle, skeleton = excluded.skeleton, "
                "about = excluded.about, links = excluded.links, languages = excluded.languages, "
                "updated_at_ms = excluded.updated_at_ms",
                (session.public, *checked, at_ms),
            )
            return _profile(execute, session.public)

        return await self._database.write(write)

    async def of(self, who: str, asking: Session | None) -> dict[str, Any]:
        """Give a profile by handle or address. Raises `Refused` (404)."""

        def look(execute: Execute) -> dict[str, Any]:
            public = account_of(execute, who)
            profile = _profile(execute, public)
            if asking is not None:
                profile["you_follow"] = _follows(execute, asking.public, public)
            return profile

        return await self._database.read(look)

    async def follow(self, session: Session, who: str) -> dict[str, Any]:
        """Follow somebody; once more changes nothing. Raises `Refused`."""
        at_ms = self._clock()

        def write(execute: Execute) -> dict[str, Any]:
            public = account_of(execute, who)
            if public == session.public:
                raise Refused(400, "follow-oneself", "you cannot follow yourself", field="who")
            count = execute("SELECT COUNT(*) FROM follows WHERE follower = ?", (session.public,))
            if count[0][0] >= FOLLOWS_MAX and not _follows(execute, session.public, public):
                raise Refused(
                    409,
                    "follows-too-many",
                    f"you follow {FOLLOWS_MAX} people: unfollow somebody first",
                )
            execute(
                "INSERT INTO follows (follower, followed, since_ms) VALUES (?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (session.public, public, at_ms),
            )
            return {"you_follow": True, "followers": _followers(execute, public)}

        return await self._database.write(write)

    async def unfollow(self, session: Session, who: str) -> dict[str, Any]:
        """Follow somebody no more. Raises `Refused` (404)."""

        def write(execute: Execute) -> dict[str, Any]:
            public = account_of(execute, who)
            execute(
                "DELETE FROM follows WHERE follower = ? AND followed = ?", (session.public, public)
            )
            return {"you_follow": False, "followers": _followers(execute, public)}

        return await self._database.write(write)

    async def followed(self, session: Session) -> list[dict[str, Any]]:
        """List whom this account follows, the latest first."""
        sql = (
            "SELECT followed, since_ms FROM follows WHERE follower = ? "
            "ORDER BY since_ms DESC, followed LIMIT ?"
        )

        def look(execute: Execute) -> list[dict[str, Any]]:
            rows = execute(sql, (session.public, FOLLOWS_LISTED_MAX))
            names = names_of(execute, [bytes(row[0]) for row in rows])
            return [{**names[bytes(public)], "since_ms": since_ms} for public, since_ms in rows]

        return await self._database.read(look)


def names_of(execute: Execute, publics: Iterable[bytes]) -> dict[bytes, dict[str, Any]]:
    """Give what accounts are called: `account`, `handle` and `name`, which may be null and ""."""
    wanted = list(dict.fromkeys(publics))
    found = {
        public: {"account": address_of(public), "handle": None, "name": ""} for public in wanted
    }
    for first in range(0, len(wanted), _AT_ONCE):
        group = wanted[first : first + _AT_ONCE]
        marks = ", ".join("?" * len(group))
        sql = f"SELECT public, handle, name FROM profiles WHERE public IN ({marks})"  # noqa: S608
        for public, handle, name in execute(sql, group):
            found[bytes(public)].update(handle=handle, name=name)
    return found


def called(execute: Execute, handles: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give who has these handles, or ones that look like them: names by what was written."""
    wanted = {handle: skeleton(handle.casefold()) for handle in dict.fromkeys(handles)}
    skeletons, found = list(dict.fromkeys(wanted.values())), {}
    for first in range(0, len(skeletons), _AT_ONCE):
        group = skeletons[first : first + _AT_ONCE]
        marks = ", ".join("?" * len(group))
        sql = f"SELECT skeleton, public, handle, name FROM profiles WHERE skeleton IN ({marks})"  # noqa: S608
        for shape, public, handle, name in execute(sql, group):
            found[shape] = {"account": address_of(bytes(public)), "handle": handle, "name": name}
    return {handle: found[shape] for handle, shape in wanted.items() if shape in found}


def _refuse_taken(
    execute: Execute, public: bytes, handle: str | None, handle_skeleton: str | None
) -> None:
    taken = execute(
        "SELECT handle FROM profiles WHERE skeleton = ? AND public <> ?", (handle_skeleton, public)
    )
    if taken:
        how = "is taken" if taken[0][0] == handle else f"looks like @{taken[0][0]}, which is taken"
        raise Refused(409, "handle-taken", f"@{handle} {how}: choose another", field="handle")


def account_of(execute: Execute, who: str) -> bytes:
    """Give the key of whoever has this handle or address. Raises `Refused` (404)."""
    if is_address(who):
        public = public_of(who)
        if execute("SELECT 1 FROM accounts WHERE public = ?", (public,)):
            return public
    else:
        # what looks like a handle finds it: there is only one
        wanted = skeleton(who.removeprefix("@").casefold()[:64])
        rows = execute("SELECT public FROM profiles WHERE skeleton = ?", (wanted,))
        if rows:
            return bytes(rows[0][0])
    raise Refused(
        404,
        "profile-not-found",
        "nobody of this name or address has signed in here: check how it is written",
        field="who",
    )


def _profile(execute: Execute, public: bytes) -> dict[str, Any]:
    rows = execute(f"SELECT {_COLUMNS} FROM profiles WHERE public = ?", (public,))  # noqa: S608
    name, handle, about, link_list, spoken = rows[0] if rows else ("", None, "", "[]", "[]")
    return {
        "account": address_of(public),
        "handle": handle,
        "name": name,
        "about": about,
        "links": msgspec.json.decode(link_list),
        "languages": msgspec.json.decode(spoken),
        "followers": _followers(execute, public),
        "following": _count(execute, "follower", public),
    }


def _followers(execute: Execute, public: bytes) -> int:
    return _count(execute, "followed", public)


def _count(execute: Execute, column: str, public: bytes) -> int:
    sql = f"SELECT COUNT(*) FROM follows WHERE {column} = ?"  # noqa: S608  (a name of our own)
    return int(execute(sql, (public,))[0][0])


def _follows(execute: Execute, follower: bytes, followed: bytes) -> bool:
    sql = "SELECT 1 FROM follows WHERE follower = ? AND followed = ?"
    return bool(execute(sql, (follower, followed)))


def exported(execute: Execute, public: bytes) -> dict[str, Any]:
    """What is kept of an account's profile, and of whom it follows and who follows it."""
    told: dict[str, Any] = {"profile": _profile(execute, public)}
    for name, mine, other in (
        ("follows", "follower", "followed"),
        ("followers", "followed", "follower"),
    ):
        sql = f"SELECT {other}, since_ms FROM follows WHERE {mine} = ? ORDER BY since_ms, {other}"  # noqa: S608
        told[name] = [
            {"account": address_of(bytes(row[0])), "since_ms": row[1]}
            for row in execute(sql, (public,))
        ]
    return told
