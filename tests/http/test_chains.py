"""A relayer of two chains: what is said below `/chains/NAME` is about that chain alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streaming.http.limits import Limits
from streaming.session_state import Problem, Request, SessionRef, StreamRef
from tests.http.rig import PUBLISHING, SDP, WATCHING, HttpRig, http_rig
from tests.http.test_whep import until

POST = {**WATCHING, **SDP}
ASIA = "/chains/asia"


async def linked(r: HttpRig) -> None:
    """Let the relayer be one that follows another chain, too."""
    r.relayer.chains = ("asia",)
    await r.relayer.stop()
    await r.relayer.start()
    r.relayer.answers["admit"] = lambda _p: {
        "session": {"grant": 1, "index": 1}, "number": 1, "resume": "secret"
    }  # fmt: skip
    await until(lambda: r.server.link.chains == ("asia",))


def asked(r: HttpRig, method: str) -> list[Request]:
    return [request for request in r.relayer.requests if request.method == method]


async def watched(r: HttpRig, place: str) -> str:
    status, headers, body = await r.ask("POST", f"{place}/whep/1", headers=POST, data="v=0")
    assert status == 201, body
    location: str = headers["Location"]  # type: ignore[index,call-overload]
    return location


def test_sessions_of_the_same_numbers_on_two_chains_are_two() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await linked(r)
            here, there = await watched(r, ""), await watched(r, ASIA)
            assert here.startswith("/whep/1/")
            assert there.startswith("/chains/asia/whep/1/")
            assert [each.closed for each in r.engine.subscriptions] == [False, False]
            await until(lambda: len(r.relayer.states) == 2)
            told = {state.session for state in r.relayer.states.values()}
            assert told == {SessionRef(1, 1), SessionRef(1, 1, "asia")}
            # an address is good where it was given
            assert (await r.refused("GET", there.removeprefix(ASIA)))[0] == 404
            status, _, body = await r.ask("DELETE", there)
            assert (status, body["session"]) == (200, "1-1")
            assert [each.closed for each in r.engine.subscriptions] == [False, True]

    asyncio.run(main())


def test_questions_name_the_chain_of_their_place() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await linked(r)
            await watched(r, ""), await watched(r, ASIA)
            for method in ("watch", "admit"):
                assert [each.chain for each in asked(r, method)] == ["", "asia"]
            for place in ("", ASIA):
                await r.ask("GET", f"{place}/api/v1/streams/1")
                challenge = {"account": "x", "purpose": "watch"}
                await r.ask("POST", f"{place}/api/v1/challenge", json=challenge)
            assert [each.chain for each in asked(r, "stream")] == ["", "asia"]
            assert [each.chain for each in asked(r, "challenge")] == ["", "asia"]

    asyncio.run(main())


def test_streams_of_the_same_number_have_rooms_of_their_own() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await linked(r)
            for place in ("", ASIA):
                status, headers, _ = await r.ask(
                    "POST", f"{place}/whip/1", headers={**PUBLISHING, **SDP}, data="v=0"
                )
                assert status == 201
                assert headers["Location"].startswith(f"{place}/whip/1/")  # type: ignore[index,call-overload]
            rooms = [each.stream for each in r.engine.publications]
            assert rooms == [StreamRef(1), StreamRef(1, "asia")]
            # the one that is live is the other chain's
            _, _, listed = await r.ask("GET", f"{ASIA}/api/v1/streams")
            assert [each["live"] for each in listed["streams"]] == [False]
            _, _, listed = await r.ask("GET", "/api/v1/streams")
            assert [each["live"] for each in listed["streams"]] == [True]

    asyncio.run(main())


def test_a_publisher_is_denied_on_its_own_chain() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await linked(r)
            r.relayer.publishers_denied = {"asia/1": "stream-ended"}
            seen: list[StreamRef] = []
            r.server.connections.on_publisher_denied = lambda stream, _why: seen.append(stream)
            await until(lambda: seen)
            assert set(seen) == {StreamRef(1, "asia")}

    asyncio.run(main())


@pytest.mark.parametrize(("spent", "fresh"), [("", ASIA), (ASIA, "")])
def test_free_media_of_one_chains_grant_is_not_the_others(spent: str, fresh: str) -> None:
    async def main() -> None:
        async with http_rig() as r:
            await linked(r)
            gone = await watched(r, spent)
            r.engine.subscriptions[0].free_ms = 25_000
            await r.ask("DELETE", gone)
            r.relayer.answers["admit"] = lambda _p: {
                "session": {"grant": 1, "index": 2}, "number": 1, "resume": "secret"
            }  # fmt: skip
            await watched(r, spent), await watched(r, fresh)
            assert [each.rejoined_owing_ms for each in r.engine.subscriptions] == [None, 0, None]

    asyncio.run(main())


def test_a_token_that_one_chain_refuses_is_asked_about_on_the_other() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await linked(r)
            refusal = Problem(status=401, code="token-invalid", detail="sign in again")
            r.relayer.answers["watch"] = lambda p: (
                refusal if r.relayer.requests[-1].chain else {"stream": p["stream"]}
            )
            refused = await r.refused("POST", f"{ASIA}/whep/1", headers=POST, data="v=0")
            assert refused == (401, "token-invalid")
            await watched(r, "")

    asyncio.run(main())


def test_a_chain_that_is_not_followed_is_named() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await linked(r)
            status, code = await r.refused("GET", "/chains/europe/api/v1/info")
            assert (status, code) == (404, "chain-not-found")
            assert not asked(r, "info")
            _, _, body = await r.ask("GET", "/api/v1/info")
            assert body["chains"] == ["asia"]

    asyncio.run(main())


def test_a_server_is_ready_while_one_of_the_chains_is() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await linked(r)
            halted = {"asia": {"chain": "no block"}}
            answer: Any = lambda _p: {"failing": halted.get(r.relayer.requests[-1].chain, {})}  # noqa: E731
            r.relayer.answers["status"] = answer
            status, _, body = await r.ask("GET", "/readyz")
            assert (status, body) == (
                200, {"ready": True, "failing": {"relayer.asia.chain": "no block"}}
            )  # fmt: skip
            r.relayer.answers["status"] = lambda _p: Problem(status=503, code="x", detail="gone")
            status, _, body = await r.ask("GET", "/readyz")
            assert (status, body["failing"]) == (503, {"relayer": "gone", "relayer.asia": "gone"})

    asyncio.run(main())


def test_viewers_who_connect_are_counted_by_stream_and_chain() -> None:
    async def main() -> None:
        async with http_rig(limits=Limits(half_open_per_stream=1)) as r:
            await linked(r)
            r.engine.connects = False
            await watched(r, "")
            await watched(r, ASIA)
            assert (await r.refused("POST", "/whep/1", headers=POST, data="v=0"))[0] == 503

    asyncio.run(main())
