"""Chat over a real socket: kept once, in order, and told to everybody."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from offchain.keys.signer import dev_key
from streaming.community.chat import chat, messages, rooms, socket
from streaming.community.database import opening
from streaming.session_state import Problem
from tests.community.chatting import Page
from tests.community.conftest import Place
from tests.community.people import COMMUNITY, Person, signed_in
from tests.http.rig import HttpRig, http_rig

CHAT = "/api/v1/streams/1/chat"


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """People here write faster than people; one test is about that."""
    if "pace" not in request.node.name:
        monkeypatch.setattr(chat, "SAID_PER_SECOND", 0)


async def history(rig: HttpRig, query: str = "") -> list[tuple[int, str]]:
    _, _, answer = await rig.ask("GET", CHAT + query)
    return [(one["number"], one["text"]) for one in answer["messages"]]


def test_what_is_said_is_heard_by_everybody_in_order_and_kept(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            bob = await signed_in(rig, "Bob")
            await bob.ask("PUT", f"{COMMUNITY}/profile", json={"name": "Bob", "handle": "bob"})
            async with Page(rig, bob) as speaker, Page(rig) as stranger:
                for page in (speaker, stranger):
                    joined = await page.join()
                    assert (joined["messages"], joined["role"]) == ([], None)
                for number in range(1, 6):
                    await speaker.say(f"text <b>{number}</b>", number)
                for number in range(1, 6):
                    heard = (await stranger.hear("message"))["message"]
                    assert (heard["number"], heard["text"]) == (number, f"text <b>{number}</b>")
                    assert heard["author"]["handle"] == "bob"
                    await speaker.hear("message")
                    said = await speaker.hear("said")
                    assert (said["id"], said["number"]) == (f"message-{number:08}", number)
            assert [number for number, _ in await history(rig)] == [1, 2, 3, 4, 5]
        async with http_rig(tables=opening.opened(place)) as rig, Page(rig) as page:
            shown = (await page.join())["messages"]
            assert [one["number"] for one in shown] == [1, 2, 3, 4, 5]

    asyncio.run(main())


def test_a_message_sent_again_is_the_same_message(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            bob = await signed_in(rig, "Bob")
            async with Page(rig, bob) as page, Page(rig) as listener:
                await page.join()
                await listener.join()
                await page.say("once", 1)
                await page.hear("message")
                assert (await page.hear("said"))["number"] == 1
            async with Page(rig, bob) as again:  # the answer might have been lost with the socket
                await again.join()
                await again.say("once", 1)
                assert (await again.hear("said"))["number"] == 1
                await again.say("more", 2)
                await again.hear("message")
            body = {"id": "message-00000001", "text": "once"}
            assert (await bob.ask("POST", CHAT, json=body))["number"] == 1
            assert await history(rig) == [(1, "once"), (2, "more")]
            charlie = await signed_in(rig, "Charlie")
            assert (await charlie.ask("POST", CHAT, json=body))["number"] == 3  # an id of their own

    asyncio.run(main())


def test_joining_misses_nothing_and_hears_nothing_twice(place: Place) -> None:
    """Somebody joins while others write: shown and heard together are every number once."""

    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            people = [await signed_in(rig, name) for name in ("Bob", "Charlie", "Dave")]

            async def write(person: Person) -> None:
                for number in range(12):
                    body = {"id": f"message-{number:08}", "text": f"{number}"}
                    await person.ask("POST", CHAT, json=body)

            async def read() -> None:
                async with Page(rig) as page:
                    numbers = [one["number"] for one in (await page.join())["messages"]]
                    while len(numbers) < 36:
                        numbers.append((await page.hear("message"))["message"]["number"])
                    assert numbers == list(range(1, 37))

            async def late(after: int) -> None:
                while len(await history(rig, "?limit=200")) < after:  # noqa: ASYNC110
                    await asyncio.sleep(0)
                await read()

            await asyncio.gather(*(write(one) for one in people), read(), late(5), late(20))

    asyncio.run(main())


def test_who_is_away_catches_up_by_number(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "RECENT", 3)
    monkeypatch.setattr(chat, "RECENT", 3)

    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            bob = await signed_in(rig, "Bob")
            for number in range(1, 11):
                body = {"id": f"message-{number:08}", "text": f"{number}"}
                await bob.ask("POST", CHAT, json=body)
            async with Page(rig) as page:
                assert [one["number"] for one in (await page.join())["messages"]] == [8, 9, 10]
            assert [n for n, _ in await history(rig, "?after=4&limit=4")] == [5, 6, 7, 8]
            assert [n for n, _ in await history(rig, "?before=4&limit=2")] == [2, 3]
            assert [n for n, _ in await history(rig, "?limit=2")] == [9, 10]
            assert await rig.refused("GET", f"{CHAT}?after=x") == (400, "query-invalid")

    asyncio.run(main())


def test_an_author_who_hangs_up_is_heard_all_the_same(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            bob = await signed_in(rig, "Bob")
            async with Page(rig) as listener:
                await listener.join()
                async with Page(rig, bob) as page:
                    await page.say("farewell", 1)
                assert (await listener.hear("message"))["message"]["text"] == "farewell"

    asyncio.run(main())


def test_only_who_is_signed_in_speaks(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            bob = await signed_in(rig, "Bob")
            other = await signed_in(rig, "Bob")
            async with Page(rig) as page:
                await page.join()
                await page.say("hello", 1)
                assert await page.refused() == (401, "token-missing")
                for token in ("psc_" + "a" * 43, "", "psw_" + "a" * 43):
                    await page.send("hello", token=token)
                    assert await page.refused() == (401, "token-invalid")
            async with Page(rig, bob) as page:
                await page.join()
                await bob.ask("DELETE", f"{COMMUNITY}/sessions/current")
                await page.hear("signed_out")
                await page.say("hello", 1)
                assert await page.refused() == (401, "token-missing")
                await page.send("hello", token=other.token)
                await page.hear("welcome")
                await page.say("hello", 2)
                assert (await page.hear("message"))["message"]["number"] == 1
            assert await rig.refused("POST", CHAT, json={}) == (401, "token-missing")

    asyncio.run(main())


def test_a_deleted_account_is_erased_from_every_page(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            bob = await signed_in(rig, "Bob")
            async with Page(rig, bob) as page, Page(rig) as listener:
                for one in (page, listener):
                    await one.join()
                await page.say("hello", 1)
                await listener.hear("message")
                await bob.ask("DELETE", f"{COMMUNITY}/account")
                assert (await listener.hear("erased"))["account"] == bob.account
                async with Page(rig) as late:
                    assert (await late.join())["messages"] == []
            assert await history(rig) == []

    asyncio.run(main())


def test_messages_are_bounded_and_of_one_line(place: Place) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            bob = await signed_in(rig, "Bob")
            async with Page(rig, bob) as page:
                await page.join()
                for text, code in (
                    ("", "field-invalid"),
                    (" \u200d ", "field-invalid"),
                    ("x" * (messages.TEXT_CHARS_MAX + 1), "too-long"),
                    ("a\nb", "field-invalid"),
                    ("a\u202eb", "field-invalid"),
                ):
                    await page.say(text, 1)
                    assert (await page.hear("refused"))["code"] == code, text
                await page.send("say", stream=1, id="short", text="x")
                heard = await page.hear("refused")
                assert (heard["field"], heard["id"], heard["stream"]) == ("id", "short", 1)
            assert await history(rig) == []

    asyncio.run(main())


NO_MESSAGES = [
    "",
    "{",
    "[]",
    "null",
    '{"type":"dance"}',
    '{"type":"join"}',
    '{"type":"join","stream":"1"}',
    '{"type":"join","stream":1,"x":1}',
]


def test_whoever_speaks_otherwise_is_told_and_nothing_else_happens(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            async with Page(rig) as page:
                for text in NO_MESSAGES:
                    await page.socket.send_str(text)
                    assert await page.refused() == (400, "message-invalid")
                await page.send("join", stream=-1)
                assert await page.refused() == (404, "stream-not-found")
                gone = Problem(status=404, code="stream-not-found", detail="no such stream")
                rig.relayer.answers["stream"] = lambda _p: gone
                await page.send("join", stream=7)
                assert await page.refused() == (404, "stream-not-found")
                await page.send("leave", stream=7)  # never joined: nothing to answer
                await page.socket.send_bytes(b"x")
                assert await page.ended() == 1000
            status, code = await rig.refused("GET", f"{COMMUNITY}/live")
            assert (status, code) == (426, "websocket-expected")
            async with Page(rig) as page:
                await page.socket.send_str("x" * (socket.FRAME_BYTES_MAX + 1))
                assert await page.ended() == 1009
            assert rig.server.community._chat.rooms.all() == []  # type: ignore[union-attr]

    asyncio.run(main())


def test_one_page_hears_some_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "ROOMS_MAX", 2)

    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            bob = await signed_in(rig, "Bob")
            async with Page(rig, bob) as page:
                await page.join(1)
                await page.join(2)
                await page.join(2)  # again: shown again, and heard once
                await page.send("join", stream=3)
                assert await page.refused() == (409, "rooms-too-many")
                await page.say("x", 1, stream=2)
                assert (await page.hear("message"))["stream"] == 2
                await page.hear("said")
                await page.send("leave", stream=2)
                await page.join(3)
                await bob.ask(
                    "POST", "/api/v1/streams/2/chat", json={"id": "elsewhere", "text": "unheard"}
                )
                await page.say("y", 2, stream=3)
                assert (await page.hear("message"))["stream"] == 3
                assert len(rig.server.community._chat.rooms.all()) == 2  # type: ignore[union-attr]
            rooms_left = rig.server.community._chat.rooms.all  # type: ignore[union-attr]
            while rooms_left():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    asyncio.run(main())


def test_the_slow_are_dropped_and_told_while_the_others_hear_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            bob = await signed_in(rig, "Bob")
            async with Page(rig) as slow, Page(rig) as quick:
                await slow.join()
                await quick.join()
                [room] = rig.server.community._chat.rooms.all()  # type: ignore[union-attr]
                first, _ = room.listeners
                # a listener whose queue holds nothing more, as of one whose path has stopped
                first._queue_max = 0
                await bob.ask("POST", CHAT, json={"id": "message-1", "text": "x"})
                heard = [
                    await asyncio.wait_for(page.socket.receive(), 10) for page in (slow, quick)
                ]
                kinds = sorted(one.type.name for one in heard)
                assert kinds == ["CLOSE", "TEXT"]
                [told] = [one for one in heard if one.type is aiohttp.WSMsgType.CLOSE]
                assert told.data == socket.TOO_SLOW
                assert told.extra.startswith("too slow")

    asyncio.run(main())


def test_who_writes_too_fast_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "FRAMES_PER_SECOND", 0.001)
    monkeypatch.setattr(socket, "FRAMES_AT_ONCE", 3)

    async def main() -> None:
        tables = opening.opened(tmp_path / "c.sqlite")
        async with http_rig(tables=tables) as rig, Page(rig) as page:
            for _ in range(4):
                await page.send("leave", stream=1)
            assert await page.ended() == socket.TOO_FAST

    asyncio.run(main())


def test_an_account_s_pace_is_one_message_a_second(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            bob = await signed_in(rig, "Bob")
            async with Page(rig, bob) as page:
                await page.join()
                codes: list[Any] = []
                for number in range(chat.SAID_AT_ONCE + 1):
                    await page.say("x", number)
                for _ in range(2 * chat.SAID_AT_ONCE + 1):
                    heard = await page.next()
                    codes.append(heard.get("code", heard["type"]))
                    if codes[-1] == "too-often":
                        assert heard["status"] == 429
                        assert heard["retry_after_s"] >= 1
                assert codes.count("too-often") == 1

    asyncio.run(main())


def test_when_the_server_goes_every_page_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        tables = opening.opened(tmp_path / "c.sqlite")
        async with http_rig(tables=tables) as rig, Page(rig) as page:
            await page.join()
            closing = asyncio.create_task(rig.server.community.close())  # type: ignore[union-attr]
            assert await page.ended() == socket.GOING_AWAY
            await closing

    asyncio.run(main())


def test_no_more_pages_than_there_are_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "LISTENERS_MAX", 1)

    async def main() -> None:
        tables = opening.opened(tmp_path / "c.sqlite")
        async with http_rig(tables=tables) as rig, Page(rig) as page:
            await page.join()
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await Page(rig).__aenter__()
            assert refused.value.status == 503

    asyncio.run(main())


def test_old_messages_make_room(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "KEPT_MAX", 4)
    monkeypatch.setattr(messages, "PRUNED_EVERY", 5)

    async def main() -> None:
        async with http_rig(tables=opening.opened(place)) as rig:
            bob = await signed_in(rig, "Bob")
            for number in range(1, 11):
                await bob.ask("POST", CHAT, json={"id": f"message-{number}", "text": f"{number}"})
            assert [number for number, _ in await history(rig)] == [7, 8, 9, 10]

    asyncio.run(main())


def test_the_token_is_in_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> str:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            bob = await signed_in(rig, "Bob")
            async with Page(rig, bob) as page:
                await page.socket.send_str(
                    json.dumps({"type": "hello", "token": bob.token, "x": 1})
                )
                assert bob.token not in (await page.hear("refused"))["detail"]
            return bob.token

    assert asyncio.run(main()) not in caplog.text


def test_chat_goes_on_while_the_relayer_is_away(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            bob = Person(rig, dev_key("Bob"))
            bob = await bob.sign_in()
            async with Page(rig, bob) as page:
                await page.join()
                away = Problem(status=503, code="relayer-unavailable", detail="away")
                rig.relayer.answers["stream"] = lambda _p: away
                rig.server.community._ledger._clock = lambda: 1e12  # type: ignore[union-attr]
                await page.say("still here", 1)
                assert (await page.hear("message"))["message"]["text"] == "still here"

    asyncio.run(main())
