"""What is checked before a request is believed: pace, token, place; and in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streaming.http import server
from streaming.http.config import ServeConfig
from streaming.http.limits import Limits
from streaming.session_state import Problem
from tests.http.fake_relayer import WATCH_TOKEN, unpaid
from tests.http.rig import PUBLISHING, SDP, WATCHING, HttpRig, http_rig

BEHIND_PROXY = ("127.0.0.1",)
WATCH = {**WATCHING, **SDP}
PUBLISH = {**PUBLISHING, **SDP}


def client(number: int, headers: dict[str, str] = WATCH) -> dict[str, str]:
    """Headers as the proxy hands them on from one of many clients."""
    return {**headers, "X-Forwarded-For": f"198.51.100.{number}"}


async def post(
    r: HttpRig, path: str, headers: dict[str, str], data: Any = "v=0"
) -> tuple[int, Any]:
    status, _, body = await r.ask("POST", path, headers=headers, data=data)
    return status, body


def methods(r: HttpRig) -> list[str]:
    return [request.method for request in r.relayer.requests]


def test_the_token_is_asked_about_before_the_offer_is_read() -> None:
    async def main() -> None:
        async with http_rig() as r:
            read = asyncio.Event()

            async def body():  # type: ignore[no-untyped-def]
                yield b"v="
                await asyncio.sleep(30)
                read.set()

            for path in ("/whep/1", "/whip/1"):
                headers = {**SDP, "Authorization": "Bearer psq_x"}
                answer = await asyncio.wait_for(post(r, path, headers, body()), 5)
                assert (answer[0], answer[1]["code"]) == (401, "token-invalid")
                assert methods(r) == []  # such a token cannot be one: nobody was asked
            for path, method in (("/whep/1", "watch"), ("/whip/1", "publish")):
                headers = {**SDP, "Authorization": "Bearer psw_unknown"}
                r.relayer.answers[method] = lambda _p: Problem(
                    status=401, code="token-expired", detail="sign in again"
                )
                answer = await asyncio.wait_for(post(r, path, headers, body()), 5)
                assert answer[1]["code"] == "token-expired"
            assert r.engine.prepared == []
            assert r.engine.publications == []
            assert not read.is_set()

    asyncio.run(main())


def test_an_offer_that_is_refused_opens_no_session() -> None:
    async def main() -> None:
        async with http_rig() as r:
            status, body = await post(r, "/whep/1", WATCH, "no")
            assert (status, body["code"]) == (422, "no-video")
            assert methods(r) == ["watch"]
            status, _ = await post(r, "/whep/1", WATCH)
            assert status == 201
            assert methods(r) == ["watch", "watch", "admit"]
            assert r.relayer.requests[-1].params == {"token": WATCH_TOKEN, "stream": 1}

    asyncio.run(main())


def test_an_unknown_stream_is_refused_before_its_offer_is_read() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.answers["watch"] = lambda _p: Problem(
                status=404, code="stream-not-found", detail="no such stream"
            )
            assert (await post(r, "/whep/7", WATCH))[1]["code"] == "stream-not-found"
            assert (r.engine.prepared, methods(r)) == ([], ["watch"])

    asyncio.run(main())


def test_a_flood_with_a_bad_token_asks_the_relayer_once() -> None:
    async def main() -> None:
        async with http_rig() as r:
            headers = {**SDP, "Authorization": "Bearer psw_stolen"}
            for _ in range(20):
                assert (await post(r, "/whep/1", headers))[1]["code"] == "token-invalid"
            assert methods(r) == ["watch"]
            assert (await post(r, "/whep/1", WATCH))[0] == 201

    asyncio.run(main())


def test_requests_of_an_address_have_a_pace_and_others_have_their_own() -> None:
    async def main() -> None:
        limits = Limits(requests_per_second=1)
        async with http_rig(limits=limits, trusted_proxies=BEHIND_PROXY) as r:
            for _ in range(4):
                assert (await r.ask("GET", "/healthz", headers=client(1)))[0] == 200
            status, headers, body = await r.ask("GET", "/healthz", headers=client(1))
            assert (status, body["code"], headers["Retry-After"]) == (429, "too-many-requests", "1")
            assert "198.51.100.1 sends more than 1 requests a second" in body["detail"]
            assert headers["Content-Type"] == "application/problem+json"
            assert (await r.ask("GET", "/healthz", headers=client(2)))[0] == 200
            text = await r.scrape()
            assert b"\npaystream_serve_refused_by_address_total 1.0\n" in text
        async with http_rig(limits=limits) as r:  # from this machine, without a proxy
            for _ in range(20):
                assert (await r.ask("GET", "/healthz"))[0] == 200

    asyncio.run(main())


@pytest.mark.parametrize(("path", "headers"), [("/whep/1", WATCH), ("/whip/1", PUBLISH)])
def test_offers_of_an_address_have_a_pace(path: str, headers: dict[str, str]) -> None:
    async def main() -> None:
        limits = Limits(joins_per_minute=12)
        async with http_rig(limits=limits, trusted_proxies=BEHIND_PROXY) as r:
            for _ in range(3):
                assert (await post(r, path, client(1, headers)))[0] == 201
            status, answered, body = await r.ask("POST", path, headers=client(1, headers))
            assert (status, body["code"]) == (429, "too-many-joins")
            assert answered["Retry-After"] == "5"
            assert (await post(r, path, client(2, headers)))[0] == 201
            assert (await r.ask("GET", "/healthz", headers=client(1)))[0] == 200

    asyncio.run(main())


def test_half_open_viewers_are_bounded_by_address_and_by_stream() -> None:
    async def main() -> None:
        limits = Limits(half_open_per_address=2, half_open_per_stream=3)
        async with http_rig(limits=limits, trusted_proxies=BEHIND_PROXY) as r:
            r.engine.connects = False
            for number in (1, 1, 2):
                assert (await post(r, "/whep/1", client(number)))[0] == 201
            status, headers, body = await r.ask("POST", "/whep/1", headers=client(1), data="v=0")
            assert (status, body["code"]) == (429, "too-many-half-open")
            assert 1 <= int(headers["Retry-After"]) <= 15
            status, _, body = await r.ask("POST", "/whep/1", headers=client(3), data="v=0")
            assert (status, body["code"]) == (503, "too-many-half-open")
            assert (await post(r, "/whep/2", client(3)))[0] == 201
            r.engine.subscriptions[0].connected = True
            assert (await post(r, "/whep/1", client(1)))[0] == 201
            r.engine.subscriptions[1].on_ended("vanished")
            await asyncio.sleep(0)
            assert (await post(r, "/whep/1", client(1)))[0] == 201

    asyncio.run(main())


def test_an_offer_that_fails_gives_its_place_back() -> None:
    async def main() -> None:
        limits = Limits(half_open_per_address=1)
        async with http_rig(limits=limits, trusted_proxies=BEHIND_PROXY) as r:
            r.relayer.answers["admit"] = unpaid
            for data, expected in (("no", 422), ("v=0", 402), (b"\xff", 400), ("v=0", 402)):
                assert (await post(r, "/whep/1", client(1), data))[0] == expected
            for _ in range(3):
                assert (await post(r, "/whip/1", client(1, PUBLISH), b"\xff"))[0] == 400
            assert len(r.server.door.half_open) == 0

    asyncio.run(main())


def test_what_the_relayer_knows_about_the_time_to_wait_is_handed_on() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.answers["admit"] = lambda _p: Problem(
                status=429, code="budget-spent", detail="wait", retry_after_s=42
            )
            status, headers, _ = await r.ask("POST", "/whep/1", headers=WATCH, data="v=0")
            assert (status, headers["Retry-After"]) == (429, "42")

    asyncio.run(main())


def test_the_engine_hears_how_many_nacks_the_operator_lets_it_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[dict[str, Any]] = []

    def engine(*_: Any, **options: Any) -> object:
        told.append(options)
        return object()

    monkeypatch.setattr(server, "AiortcEngine", engine)
    limits = Limits(nacks_per_second=7)
    server.MediaServer(ServeConfig(socket=Path("relay.sock"), limits=limits), "http://test")
    assert told == [{"nacks_per_second": 7}]
