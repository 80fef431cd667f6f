"""Who may do what in a chat: owners, moderators, and everybody else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streaming.community import accounts
from streaming.community.chat import chat, moderation, settings
from streaming.community.database import opening
from tests.community.chatting import Page
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, give_to, signed_in
from tests.http.rig import HttpRig, http_rig

CHAT = "/api/v1/streams/1/chat"


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "SAID_PER_SECOND", 0)


async def say(person: Person, number: int) -> Any:
    return await person.ask("POST", CHAT, json=said(number))


async def not_said(person: Person, number: int) -> tuple[int, str]:
    return await person.refused("POST", CHAT, json=said(number))


def said(number: int) -> dict[str, str]:
    return {"id": f"message-{number:08}", "text": f"text {number}"}


def later(rig: HttpRig, seconds: float) -> None:
    """Let the community's clock go on."""
    community: Any = rig.server.community
    at_ms = accounts.now_ms() + int(seconds * 1000)
    community._chat._wall = lambda: at_ms


def test_the_owner_and_moderators_delete_and_authors_their_own(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            charlie = await signed_in(rig, "Charlie")
            await alice.ask("PUT", f"{CHAT}/moderators/{charlie.account}")
            for number in range(1, 4):
                await say(bob, number)
            await say(alice, 4)
            async with Page(rig) as page:
                assert len((await page.join())["messages"]) == 4
                for person, number in ((bob, 1), (alice, 2), (charlie, 3)):
                    await person.ask("DELETE", f"{CHAT}/messages/{number}")
                    assert (await page.hear("deleted"))["number"] == number
                async with Page(rig) as late:
                    assert [one["number"] for one in (await late.join())["messages"]] == [4]
            own = f"{CHAT}/messages/4"
            assert await bob.refused("DELETE", own) == (403, "not-moderator")
            assert await rig.refused("DELETE", own) == (401, "token-missing")
            none = f"{CHAT}/messages/99"
            assert await alice.refused("DELETE", none) == (404, "message-not-found")
            _, _, answer = await rig.ask("GET", CHAT)
            shown = [(one["text"], one["deleted"]) for one in answer["messages"]]
            assert shown == [("", True)] * 3 + [("text 4", False)]

    asyncio.run(main())


def test_slow_mode_holds_everybody_but_who_moderates(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            async with Page(rig, bob) as page:
                assert (await page.join())["settings"] == settings.DEFAULTS
                await alice.ask("PUT", f"{CHAT}/settings", json={"slow_mode_s": 30})
                heard = (await page.hear("settings"))["settings"]
                assert heard == {**settings.DEFAULTS, "slow_mode_s": 30}
            await say(bob, 1)
            assert await not_said(bob, 2) == (429, "too-often")
            assert (await say(bob, 1))["number"] == 1, "the same message again is no other"
            await say(alice, 1)
            await say(alice, 2)
            later(rig, 31)
            assert (await say(bob, 2))["number"] == 4, "what was refused has no number"
            path = f"{CHAT}/settings"
            body: dict[str, Any] = {"slow_mode_s": 5}
            assert await bob.refused("PUT", path, json=body) == (403, "not-moderator")
            for seconds in (-1, 3_601, "5", 1.5, None, True):
                body = {"slow_mode_s": seconds}
                assert await alice.refused("PUT", path, json=body) == (400, "field-invalid")

    asyncio.run(main())


def test_a_time_out_ends_and_a_ban_does_not(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            mute = f"{CHAT}/mutes/{bob.account}"
            async with Page(rig, bob) as page:
                await page.join()
                await alice.ask("PUT", mute, json={"seconds": 60})
                assert (await page.hear("muted"))["until_ms"] > accounts.now_ms()
                await page.say("x", 1)
                heard = await page.hear("refused")
                assert (heard["code"], heard["retry_after_s"]) == ("muted", 60)
                assert [one["account"] for one in await mutes(alice)] == [bob.account]
                later(rig, 61)
                assert await mutes(alice) == []
                await say(bob, 2)
                await page.hear("message")
                await alice.ask("PUT", mute, json={"seconds": None})
                assert (await page.hear("muted"))["until_ms"] is None
                later(rig, 10**9)
                await alice.ask("DELETE", mute)
                await page.hear("unmuted")
                later(rig, 0)
                await alice.ask("PUT", mute, json={"seconds": None})
                assert await not_said(bob, 3) == (403, "banned")
                await alice.ask("DELETE", mute)
                await say(bob, 3)
            assert await bob.refused("PUT", mute, json={"seconds": 5}) == (403, "not-moderator")
            assert await bob.refused("GET", f"{CHAT}/mutes") == (403, "not-moderator")
            assert await bob.refused("DELETE", mute) == (403, "not-moderator")
            for seconds in (0, -1, moderation.MUTE_MAX_S + 1, "60", True):
                body = {"seconds": seconds}
                assert await alice.refused("PUT", mute, json=body) == (400, "field-invalid")

    asyncio.run(main())


async def mutes(person: Person) -> list[dict[str, Any]]:
    return list((await person.ask("GET", f"{CHAT}/mutes"))["mutes"])


def test_who_deletes_the_account_and_comes_back_is_still_banned(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await alice.ask("PUT", f"{CHAT}/mutes/{bob.account}", json={"seconds": None})
            await bob.ask("DELETE", f"{COMMUNITY}/account")
            bob = await signed_in(rig, "Bob")
            assert await not_said(bob, 1) == (403, "banned")
            await alice.ask("DELETE", f"{CHAT}/mutes/{bob.account}")
            await say(bob, 1)

    asyncio.run(main())


def test_a_ban_is_of_one_stream(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await alice.ask("PUT", f"{CHAT}/mutes/{bob.account}", json={"seconds": None})
            other = CHAT.replace("/1/", "/2/")
            await bob.ask("POST", other, json=said(1))

    asyncio.run(main())


def test_moderators_are_named_by_the_owner_and_mute_no_one_of_their_own(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            charlie, dave = await signed_in(rig, "Charlie"), await signed_in(rig, "Dave")
            name = f"{CHAT}/moderators/{bob.account}"
            assert await bob.refused("PUT", name) == (403, "not-owner")
            async with Page(rig, bob) as page:
                assert (await page.join())["role"] is None
                await alice.ask("PUT", name)
                assert (await page.hear("role"))["role"] == "moderator"
            await alice.ask("PUT", f"{CHAT}/moderators/{charlie.account}")
            named = (await bob.ask("GET", f"{CHAT}/moderators"))["moderators"]
            assert {one["account"] for one in named} == {bob.account, charlie.account}
            for person in (alice, charlie):
                path = f"{CHAT}/mutes/{person.account}"
                assert await bob.refused("PUT", path, json={"seconds": 5}) == (403, "not-muted")
            await bob.ask("PUT", f"{CHAT}/mutes/{dave.account}", json={"seconds": 5})
            assert (await say(bob, 1))["role"] == "moderator"
            assert (await say(alice, 1))["role"] == "owner"
            await alice.ask("PUT", f"{CHAT}/mutes/{charlie.account}", json={"seconds": 5})
            assert await not_said(charlie, 1) == (403, "muted")
            await alice.ask("DELETE", name)
            body = {"seconds": 5}
            path = f"{CHAT}/mutes/{dave.account}"
            assert await bob.refused("PUT", path, json=body) == (403, "not-moderator")
            nobody = f"{CHAT}/moderators/nobody"
            assert await alice.refused("PUT", nobody) == (404, "profile-not-found")

    asyncio.run(main())


def test_a_sold_stream_s_moderators_are_nobody_to_the_new_owner(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            charlie = await signed_in(rig, "Charlie")
            await alice.ask("PUT", f"{CHAT}/moderators/{charlie.account}")
            await say(bob, 1)
            give_to(rig, bob.account)
            own = f"{CHAT}/messages/1"
            assert await charlie.refused("DELETE", own) == (403, "not-moderator")
            assert await alice.refused("DELETE", own) == (403, "not-moderator")
            assert (await bob.ask("GET", f"{CHAT}/mutes"))["mutes"] == []

    asyncio.run(main())


def test_a_stream_has_some_moderators_and_mutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moderation, "MODERATORS_MAX", 1)
    monkeypatch.setattr(moderation, "MUTES_MAX", 1)

    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            charlie = await signed_in(rig, "Charlie")
            for what, code, body in (
                ("mutes", "mutes-too-many", {"seconds": 60}),
                ("moderators", "moderators-too-many", None),
            ):
                await alice.ask("PUT", f"{CHAT}/{what}/{bob.account}", json=body)
                path = f"{CHAT}/{what}/{charlie.account}"
                assert await alice.refused("PUT", path, json=body) == (409, code)

    asyncio.run(main())
