"""Messages that answer others, and people who are called by their handles."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streaming.community.chat import chat, messages
from streaming.community.database import opening
from tests.community.chatting import Page
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, signed_in
from tests.http.rig import http_rig

CHAT = "/api/v1/streams/1/chat"


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "SAID_PER_SECOND", 0)


async def say(person: Person, number: int, text: str, **more: Any) -> Any:
    body = {"id": f"message-{number:08}", "text": text, **more}
    return await person.ask("POST", CHAT, json=body)


async def name(person: Person, handle: str) -> None:
    await person.ask("PUT", f"{COMMUNITY}/profile", json={"handle": handle})


def test_a_message_answers_another_of_the_same_stream(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            assert (await say(alice, 1, "who is there?"))["reply_to"] is None
            assert (await say(bob, 2, "me", reply_to=1))["reply_to"] == 1
            for wrong, refused in (
                (99, (404, "message-not-found")),
                (0, (400, "field-invalid")),
                ("1", (400, "field-invalid")),
            ):
                body = {"id": "message-3", "text": "x", "reply_to": wrong}
                assert await bob.refused("POST", CHAT, json=body) == refused
            other = CHAT.replace("/1/", "/2/")
            body = {"id": "message-3", "text": "x", "reply_to": 1}
            assert await bob.refused("POST", other, json=body) == (404, "message-not-found")
            async with Page(rig, bob) as page:
                await page.join()
                await page.send("say", stream=1, id="message-4", text="again", reply_to=2)
                assert (await page.hear("message"))["message"]["reply_to"] == 2
            _, _, answer = await rig.ask("GET", CHAT)
            assert [one["reply_to"] for one in answer["messages"]] == [None, 1, 2]

    asyncio.run(main())


def test_an_answer_that_waited_is_one_still(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await say(alice, 1, "where?")
            await alice.ask("PUT", f"{CHAT}/settings", json={"links_held": True})
            assert (await say(bob, 2, "at https://a.example", reply_to=1))["held"]
            [waits] = (await alice.ask("GET", f"{CHAT}/held"))["held"]
            said = await alice.ask("POST", f"{CHAT}/held/{waits['number']}")
            assert said["reply_to"] == 1

    asyncio.run(main())


def test_who_is_called_is_named(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            alice, bob = await signed_in(rig, "Alice"), await signed_in(rig, "Bob")
            await name(alice, "alice")
            await name(bob, "b0bby")
            said = await say(bob, 1, "@Alice, @bobby and @nobody: mail a@alice.example")
            assert [one["handle"] for one in said["mentions"]] == ["alice", "b0bby"]
            assert said["mentions"][0]["account"] == alice.account
            many = await say(bob, 2, " ".join(["@alice"] * (messages.MENTIONS_MAX + 3)))
            assert len(many["mentions"]) == messages.MENTIONS_MAX
            async with Page(rig) as page:
                await page.join()
                await alice.ask("DELETE", f"{COMMUNITY}/account")
                await page.hear("erased")
                async with Page(rig) as late:
                    shown = (await late.join())["messages"]
                    assert [one["handle"] for one in shown[0]["mentions"]] == ["b0bby"]
            assert (await say(bob, 3, "@alice?"))["mentions"] == []

    asyncio.run(main())
