"""Profiles: kept as they were checked, found by handle and address, followed and counted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streaming.community import profiles
from streaming.community.database import opening
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, signed_in
from tests.http.rig import http_rig

PROFILE = f"{COMMUNITY}/profile"
ALICE = {
    "name": "  Alice   in <b>Wonderland</b> ",
    "handle": "Wonder_Alice",
    "about": "line one\r\nline two",
    "links": [{"label": "site", "url": "https://alice.example/?a=1&b=2"}],
    "languages": ["en", "pt-BR", "en"],
}


def test_a_profile_is_kept_and_found_by_handle_and_by_address(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice = await signed_in(rig, "Alice")
            kept = await alice.ask("PUT", PROFILE, json=ALICE)
            assert kept == {
                "account": alice.account,
                "handle": "wonder_alice",
                "name": "Alice in <b>Wonderland</b>",
                "about": "line one\nline two",
                "links": [{"label": "site", "url": "https://alice.example/?a=1&b=2"}],
                "languages": ["en", "pt-BR"],
                "followers": 0,
                "following": 0,
            }
            for who in ("wonder_alice", "@Wonder_Alice", "w0nder_alice", alice.account):
                status, _, found = await rig.ask("GET", f"{COMMUNITY}/profiles/{who}")
                assert (status, found) == (200, kept), who
            empty = await alice.ask("PUT", PROFILE, json={})
            assert (empty["handle"], empty["name"], empty["links"]) == (None, "", [])
            path = f"{COMMUNITY}/profiles/wonder_alice"
            assert await rig.refused("GET", path) == (404, "profile-not-found")

    asyncio.run(main())


def test_nobody_has_another_s_handle_nor_one_that_looks_like_it(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await alice.ask("PUT", PROFILE, json={"handle": "coco"})
            await alice.ask("PUT", PROFILE, json={"handle": "c0co"})  # one's own may be changed
            for handle in ("coco", "COCO", "сосо", "co_co"):
                expected = None if handle == "co_co" else (409, "handle-taken")
                if expected is None:
                    await bob.ask("PUT", PROFILE, json={"handle": handle})
                else:
                    answer = await bob.refused("PUT", PROFILE, json={"handle": handle})
                    assert answer == expected, handle
            await alice.ask("PUT", PROFILE, json={})
            await bob.ask("PUT", PROFILE, json={"handle": "coco"})

    asyncio.run(main())


def test_followers_are_counted_once_each(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            charlie = await signed_in(rig, "Charlie")
            await alice.ask("PUT", PROFILE, json={"handle": "alice", "name": "Alice"})
            follow = f"{COMMUNITY}/follows/alice"
            for person, followers in ((bob, 1), (bob, 1), (charlie, 2)):
                answer = await person.ask("PUT", follow)
                assert answer == {"you_follow": True, "followers": followers}
            profile = await bob.ask("GET", f"{COMMUNITY}/profiles/alice")
            assert (profile["you_follow"], profile["followers"]) == (True, 2)
            [followed] = (await bob.ask("GET", f"{COMMUNITY}/follows"))["follows"]
            assert (followed["account"], followed["handle"]) == (alice.account, "alice")
            for _ in range(2):
                answer = await bob.ask("DELETE", follow)
                assert answer == {"you_follow": False, "followers": 1}
            assert await alice.refused("PUT", follow) == (400, "follow-oneself")
            assert await bob.refused("PUT", f"{COMMUNITY}/follows/nobody") == (
                404,
                "profile-not-found",
            )
            assert await rig.refused("PUT", follow) == (401, "token-missing")

    asyncio.run(main())


def test_one_account_follows_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "FOLLOWS_MAX", 1)

    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            charlie = await signed_in(rig, "Charlie")
            await alice.ask("PUT", f"{COMMUNITY}/follows/{bob.account}")
            await alice.ask("PUT", f"{COMMUNITY}/follows/{bob.account}")
            path = f"{COMMUNITY}/follows/{charlie.account}"
            assert await alice.refused("PUT", path) == (409, "follows-too-many")

    asyncio.run(main())


LINK = {"label": "a", "url": "https://a.example"}


@pytest.mark.parametrize(
    ("body", "expected", "field"),
    [
        ({"name": "n" * 51}, (413, "too-long"), "name"),
        ({"name": 7}, (400, "field-invalid"), "name"),
        ({"name": "a\u202eb"}, (400, "field-invalid"), "name"),
        ({"name": "a\x00b"}, (400, "field-invalid"), "name"),
        ({"name": "a" + "\u0301" * 9}, (400, "field-invalid"), "name"),
        ({"about": "n" * 2_001}, (413, "too-long"), "about"),
        ({"about": "a\x1b[2J"}, (400, "field-invalid"), "about"),
        ({"links": [LINK] * 9}, (413, "too-long"), "links"),
        ({"links": LINK}, (400, "field-invalid"), "links"),
        ({"links": [{**LINK, "x": 1}]}, (400, "field-invalid"), "links"),
        ({"links": [{**LINK, "url": "javascript:alert(1)"}]}, (400, "field-invalid"), "links"),
        ({"links": [{**LINK, "url": "https://a.example/\"><b>"}]}, (400, "field-invalid"), "links"),
        ({"links": [{**LINK, "url": "https://b@evil.example"}]}, (400, "field-invalid"), "links"),
        ({"links": [{**LINK, "url": "https://pаypal.example"}]}, (400, "field-invalid"), "links"),
        ({"links": [{**LINK, "label": "\u200d"}]}, (400, "field-invalid"), "links"),
        ({"languages": ["english"]}, (400, "field-invalid"), "languages"),
        ({"languages": [["en"]]}, (400, "field-invalid"), "languages"),
        ({"languages": ["en"] * 9}, (413, "too-long"), "languages"),
        ({"handle": "x"}, (400, "field-invalid"), "handle"),
        ({"nmae": "x"}, (400, "field-unknown"), "nmae"),
    ],
)  # fmt: skip
def test_bad_fields_are_told_and_change_nothing(
    tmp_path: Path, body: dict[str, Any], expected: tuple[int, str], field: str
) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice = await signed_in(rig, "Alice")
            before = await alice.ask("PUT", PROFILE, json=ALICE)
            status, _, answer = await rig.ask("PUT", PROFILE, json=body, headers=alice.headers)
            assert (status, answer["code"], answer["field"]) == (*expected, field)
            assert answer["detail"]
            path = f"{COMMUNITY}/profiles/{alice.account}"
            after = await alice.ask("GET", path)
            assert {**after, "you_follow": None} == {**before, "you_follow": None}

    asyncio.run(main())


def test_surrogates_are_no_text(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice = await signed_in(rig, "Alice")
            headers = {**alice.headers, "Content-Type": "application/json"}
            answer = await rig.refused("PUT", PROFILE, data=b'{"name": "\\ud800"}', headers=headers)
            assert answer in ((400, "json-invalid"), (400, "field-invalid"))

    asyncio.run(main())
