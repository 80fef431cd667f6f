"""Media and community in two processes: each answers what is its own and names the other."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from offchain.keys.signer import dev_key
from streaming.community.community import Community
from streaming.community.database import opening
from streaming.http import openapi, openapi_community
from streaming.http.config import ServeConfig, ServeConfigInvalid, half
from streaming.http.ledger_over_rest import ANSWER_BYTES_MAX, LedgerOverRest
from streaming.http.problem import ProblemError
from streaming.session_state import Problem
from tests.community.people import COMMUNITY, Person, describe
from tests.http.halves import halves
from tests.http.rig import http_rig

SHARED = {"/healthz", "/readyz"}


def concrete(path: str) -> str:
    return re.sub(r"\{[a-z]+\}", "1", path)


def test_each_half_answers_its_own_paths_and_names_the_other_for_the_rest(tmp_path: Path) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            for at, other, paths, code in (
                (both.media, both.community, openapi_community.PATHS, "community-elsewhere"),
                (both.community, both.media, openapi.MEDIA_PATHS, "media-elsewhere"),
            ):
                for path in map(concrete, paths):
                    if path in SHARED:
                        continue
                    for method in ("GET", "POST", "PUT", "DELETE"):
                        status, _, body = await at.ask(method, path)
                        assert (status, body["code"]) == (404, code), path
                        assert f"ask {other.url}{path}" in body["detail"]
                    status, _, body = await at.ask("GET", f"/chains/asia{path}")
                    assert (status, body["code"]) == (404, code), path
            status, _, body = await both.community.ask("GET", "/api/v1/community/nothing")
            assert (status, body["code"]) == (404, "not-found")
            assert (await both.media.ask("GET", "/api/v1/info"))[0] == 200
            assert (await both.community.ask("GET", f"{COMMUNITY}/profiles/nobody"))[0] == 404

    asyncio.run(main())


def test_what_is_described_is_what_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            _, _, media = await both.media.ask("GET", "/openapi.json")
            _, _, community = await both.community.ask("GET", "/openapi.json")
            assert set(media["paths"]) == set(openapi.MEDIA_PATHS)
            assert set(community["paths"]) == {*openapi_community.PATHS, *SHARED}
            status, _, page = await both.community.ask("GET", "/docs")
            assert status == 200
            assert b"/whep/" not in page
            routes = both.server.application().router.resources()
            served = {resource.canonical for resource in routes}
            assert set(openapi_community.PATHS) <= served

    asyncio.run(main())


def test_a_media_server_alone_says_how_to_have_a_community() -> None:
    async def main() -> None:
        async with http_rig(only="media") as r:
            status, _, body = await r.ask("POST", f"{COMMUNITY}/challenge", json={})
            assert (status, body["code"]) == (404, "community-elsewhere")
            assert "--community-origin" in body["detail"]
            headers = (await r.ask("GET", "/"))[1]
            assert "connect-src 'self';" in headers["Content-Security-Policy"]

    asyncio.run(main())


def test_pages_may_ask_the_other_half_and_nobody_else_and_are_told_where_it_is(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            for at, other, name in (
                (both.media, both.community, "community"),
                (both.community, both.media, "media"),
            ):
                _, headers, page = await at.ask("GET", "/watch")
                assert f'<meta name="paystream-{name}" content="{other.url}">'.encode() in page
                assert page.count(b'<meta name="paystream-') == 1
                ws = other.url.replace("http:", "ws:")
                policy = headers["Content-Security-Policy"]
                assert f"connect-src 'self' {other.url} {ws};" in policy
                assert policy.count(other.url) == 1
                ask = {"Access-Control-Request-Method": "POST"}
                status, headers, _ = await at.ask(
                    "OPTIONS", "/api/v1/info", headers={"Origin": other.url, **ask}
                )
                assert (status, headers["Access-Control-Allow-Origin"]) == (204, other.url)
                stranger = {"Origin": "https://evil.example", **ask}
                status, headers, _ = await at.ask("OPTIONS", "/api/v1/info", headers=stranger)
                assert status == 403
                assert "Access-Control-Allow-Origin" not in headers

    asyncio.run(main())


def test_people_of_the_one_half_own_streams_of_the_other(tmp_path: Path) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            alice = await Person(both.community, dev_key("Alice")).sign_in()
            await alice.ask("PUT", f"{COMMUNITY}/profile", json={"name": "Alice"})
            await describe(alice, 1, {"title": "A mad tea party"})
            said = {"id": "11111111", "text": "hello"}
            await alice.ask("POST", "/api/v1/streams/1/chat", json=said)
            settings = {"slow_mode_s": 5}  # as the owner, whom the media server names
            await alice.ask("PUT", "/api/v1/streams/1/chat/settings", json=settings)
            bob = await Person(both.community, dev_key("Bob")).sign_in()
            refused = await bob.refused("PUT", "/api/v1/streams/1/chat/settings", json=settings)
            assert refused == (403, "not-moderator")
            status, _, found = await both.community.ask("GET", "/api/v1/cards?limit=1")
            assert status == 200
            [card] = found["cards"]
            assert (card["stream"], card["card"]["title"]) == (1, "A mad tea party")
            assert (card["owner_name"]["name"], found["next"]) == ("Alice", None)
            _, _, listed = await both.media.ask("GET", "/api/v1/streams")
            assert "card" not in listed["streams"][0]
            assert "Alice" not in str(listed)  # no personal data on that side

    asyncio.run(main())


def test_cards_say_what_streams_says_on_one_server(tmp_path: Path) -> None:
    async def main() -> None:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            await describe(Person(rig, dev_key("Alice")), 1, {"title": "Tea"})
            _, _, listed = await rig.ask("GET", "/api/v1/streams")
            _, _, found = await rig.ask("GET", "/api/v1/cards")
            [stream], [card] = listed["streams"], found["cards"]
            assert {name: stream[name] for name in ("card", "owner_name")} == {
                name: card[name] for name in ("card", "owner_name")
            }
            assert await rig.refused("GET", "/api/v1/cards?after=x") == (400, "query-invalid")

    asyncio.run(main())


def test_everybody_s_list_of_streams_is_asked_for_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            for _ in range(5):
                await both.community.ask("GET", "/api/v1/cards")
            asked = [request.method for request in both.media.relayer.requests]
            assert asked.count("streams") == 1

    asyncio.run(main())


def test_ready_says_which_of_both_fails(tmp_path: Path) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            status, _, body = await both.community.ask("GET", "/readyz")
            assert (status, body) == (200, {"ready": True, "failing": {}})
            both.media.relayer.answers["info"] = lambda _p: Problem(
                status=503, code="chain-away", detail="no node"
            )
            status, _, body = await both.community.ask("GET", "/readyz")
            assert (status, list(body["failing"])) == (503, ["media"])
            assert both.media.url in body["failing"]["media"]
            assert (await both.community.ask("GET", "/healthz"))[0] == 200
            scraped = (await both.community.scrape()).decode()
            assert "paystream_community_listeners 0.0" in scraped

    asyncio.run(main())


Handler = Callable[[web.Request], Any]


async def asked_of(handler: Handler, method: str = "stream") -> str:
    """What the community hears of a media server that answers so."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ledger = LedgerOverRest(f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        found = await ledger.request(method, {"stream": 1})
    except ProblemError as error:
        return f"{error.problem.status} {error.problem.code}"
    finally:
        await ledger.close()
        await runner.cleanup()
    return str(found)


def test_what_a_media_server_answers_is_not_believed_beyond_its_types() -> None:
    async def redirects(_request: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/")

    async def breaks(_request: web.Request) -> web.Response:
        return web.json_response({"code": "x"}, status=500)

    async def unknown(_request: web.Request) -> web.Response:
        problem = {"status": 404, "code": "stream-not-found", "detail": "there is none"}
        return web.json_response(problem, status=404)

    async def floods(_request: web.Request) -> web.Response:
        return web.Response(body=b" " * (ANSWER_BYTES_MAX + 1))

    async def lies(_request: web.Request) -> web.Response:
        return web.json_response({"id": "1", "owner": 7})

    async def says_more(_request: web.Request) -> web.Response:
        return web.json_response({"id": 1, "owner": "5Grw", "more": "x"})

    async def main() -> None:
        for handler in (redirects, breaks, floods, lies):
            assert await asked_of(handler) == "503 ledger-unreachable"
        assert await asked_of(unknown) == "404 stream-not-found"
        assert await asked_of(says_more) == "{'id': 1, 'owner': '5Grw'}"
        nobody = LedgerOverRest("http://127.0.0.1:1")
        with pytest.raises(ProblemError, match="--media-origin"):
            await nobody.request("info", {})
        await nobody.close()

    asyncio.run(main())


def test_the_community_alone_loads_nothing_that_reads_packets() -> None:
    code = (
        "import sys, streaming.http.process, streaming.http.community_server; "
        "print([name for name in sys.modules if name in {'av', 'aiortc', 'aioice', 'pylibsrtp'} "
        "or name.startswith('streaming.sfu.aiortc')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_media_server_alone_mounts_no_community() -> None:
    async def main() -> None:
        async with http_rig(only="media") as r:
            assert r.server.community is None
            for route in r.server.application().router.routes():
                assert not isinstance(getattr(route.handler, "__self__", None), Community)

    asyncio.run(main())


SAID: dict[str, dict[str, Any]] = {
    "--community-database": {"only": "media", "community_database": Path("c")},
    "--community-url-file": {"only": "media", "community_url_file": Path("c")},
    "or --community-url-file": {"only": "community", "media_origin": "https://a.example"},
    "--media-origin": {"only": "community", "community_database": Path("c")},
    "--only community: this": {"media_origin": "https://a.example"},
    "--only media: this": {"community_origin": "https://a.example"},
    "write https://a.example": {"only": "media", "community_origin": "https://a.example/"},
    "without a scheme": {"only": "media", "community_origin": "a.example"},
    "no chat to moderate": {"only": "media", "community_operators": (dev_key("Ferdie").address,)},
    "HTTPS ask nothing": {
        "only": "media",
        "origin": "https://a.example",
        "community_origin": "http://b.example",
    },
}


@pytest.mark.parametrize("words", SAID)
def test_what_makes_no_sense_is_refused(words: str) -> None:
    config = ServeConfig(socket=Path("s"), **SAID[words])
    with pytest.raises(ServeConfigInvalid, match=re.escape(words)):
        config.check()


def test_a_half_is_one_of_two() -> None:
    with pytest.raises(ServeConfigInvalid, match="write media or community"):
        half("chat")
    assert (half(None), half("media")) == (None, "media")
    near = {"origin": "https://a.example", "community_origin": "http://127.0.0.1:8081"}
    ServeConfig(socket=Path("s"), only="media", **near).check()  # type: ignore[arg-type]


def test_the_operator_of_the_community_alone_is_over_all_streams(tmp_path: Path) -> None:
    async def main() -> None:
        ferdie = dev_key("Ferdie")
        async with halves(tmp_path, community_operators=(ferdie.address,)) as both:
            bob = await Person(both.community, dev_key("Bob")).sign_in()
            said = {"id": "11111111", "text": "buy my coin"}
            await bob.ask("POST", "/api/v1/streams/1/chat", json=said)
            assert (await bob.refused("GET", f"{COMMUNITY}/queue"))[0] == 403
            operator = await Person(both.community, ferdie).sign_in()
            assert (await operator.ask("GET", f"{COMMUNITY}/queue"))["reports"] == []
            await operator.ask("DELETE", "/api/v1/streams/1/chat/messages/1")
            [act] = (await operator.ask("GET", f"{COMMUNITY}/acts"))["acts"]
            assert (act["act"], act["stream"]) == ("delete-message", 1)

    asyncio.run(main())


def test_who_hears_the_chat_at_the_community_is_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both, aiohttp.ClientSession() as client:
            url = both.community.url + f"{COMMUNITY}/live"
            async with client.ws_connect(url) as socket:
                await socket.send_json({"type": "join", "stream": 1})
                assert (await socket.receive_json())["type"] == "joined"
                assert both.server.community.listeners == 1

    asyncio.run(main())
