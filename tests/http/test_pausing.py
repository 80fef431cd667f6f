"""Pause and resume: numbered, in order, repeatable, and never faster than they may be."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from streaming.http.limits import Limits
from streaming.http.pausing import Pausing
from streaming.http.problem import ProblemError
from tests.http.fake_relayer import allow, hold_back
from tests.http.rig import HttpRig, http_rig
from tests.http.test_whep import join, until


def test_lower_numbers_change_nothing_and_the_same_again_is_harmless() -> None:
    one = Pausing(0, 0.0)
    assert one.ask(5, paused=True)
    assert not one.ask(4, paused=False)
    assert not one.ask(5, paused=False)
    assert one.ask(5, paused=True)
    assert one.ask(None, paused=False)
    assert one.number == 6
    assert one.ask(None, paused=True)
    assert one.number == 7


def test_three_resumptions_in_a_row_and_then_one_in_a_second() -> None:
    one = Pausing(0, 0.0)
    waits = []
    for _ in range(4):
        one.pause()
        waits.append(one.resume(0.0))
    assert waits == [0, 0, 0, 1]
    assert one.paused
    assert one.resume(0.4) == pytest.approx(0.6)
    assert one.resume(1.0) == 0
    assert one.resume(1.0) == 0  # going on already costs nothing
    one.pause()
    assert one.resume(1.0) == pytest.approx(1)


def test_who_asks_too_often_hears_when_to_come_back() -> None:
    one = Pausing(2, 0.0)
    for _ in range(6):
        one.take_request(0.0)
    with pytest.raises(ProblemError) as raised:
        one.take_request(0.0)
    assert (raised.value.problem.status, raised.value.headers) == (429, {"Retry-After": "1"})
    one.take_request(0.5)


async def play(r: HttpRig, resource: str, what: str, number: Any = None) -> Any:
    options = {} if number is None else {"json": {"number": number}}
    status, headers, body = await r.ask("POST", f"{resource}/{what}", **options)
    assert (status, headers["Cache-Control"]) == (200, "no-store"), body
    return body


def test_the_answer_is_what_is_so_now() -> None:
    async def main() -> None:
        async with http_rig() as r:
            resource, _ = await join(r)
            (one,) = r.engine.subscriptions
            one.delivered_ms = 1500
            now = {"paused": True, "number": 2, "delivered_ms": 1500}
            assert await play(r, resource, "pause", 2) == now
            assert one.held == {"paused"}
            assert await play(r, resource, "resume", 1) == now  # overtaken on its way
            assert await play(r, resource, "pause", 2) == now
            assert one.held == {"paused"}
            await until(lambda: any(s.paused for s in r.relayer.states.values()))
            now = {"paused": False, "number": 3, "delivered_ms": 1500}
            assert await play(r, resource, "resume", 3) == now
            assert await play(r, resource, "pause", 2) == now
            assert await play(r, resource, "resume", 3) == now
            assert one.held == set()
            # a player that does not count
            assert (await play(r, resource, "pause"))["number"] == 4
            assert await play(r, resource, "resume") == {**now, "number": 5}
            assert (await r.refused("POST", "/whep/1/nothing/pause"))[0] == 404
            assert (await r.refused("POST", resource.replace("/1/", "/2/") + "/resume"))[0] == 404

    asyncio.run(main())


@pytest.mark.parametrize("number", [0, -1, 1.5, "2", True, 2**53, [1]])
def test_a_number_that_is_none_is_named(number: Any) -> None:
    async def main() -> None:
        async with http_rig() as r:
            resource, _ = await join(r)
            assert await r.refused("POST", f"{resource}/pause", json={"number": number}) == (
                400,
                "number-invalid",
            )
            assert r.engine.subscriptions[0].held == set()

    asyncio.run(main())


def test_a_resumption_too_soon_is_answered_when_it_has_come_about() -> None:
    async def main() -> None:
        async with http_rig() as r:
            resource, _ = await join(r)
            (one,) = r.engine.subscriptions
            for number in range(1, 7):
                await play(r, resource, "resume" if number % 2 == 0 else "pause", number)
            began = time.monotonic()
            await play(r, resource, "pause", 7)
            # twice: the second is the repetition of an answer that is on its way
            first = asyncio.ensure_future(play(r, resource, "resume", 8))
            again = await play(r, resource, "resume", 8)
            assert 0.5 < time.monotonic() - began < 3
            assert (again["paused"], again["number"]) == (False, 8)
            assert (await first)["paused"] is False
            assert one.held == set()

    asyncio.run(main())


def test_a_pause_overtakes_a_resumption_that_waits() -> None:
    async def main() -> None:
        async with http_rig() as r:
            resource, _ = await join(r)
            (one,) = r.engine.subscriptions
            for number in range(1, 7):
                await play(r, resource, "resume" if number % 2 == 0 else "pause", number)
            await play(r, resource, "pause", 7)
            waiting = asyncio.ensure_future(play(r, resource, "resume", 8))
            (connection,) = r.server.connections._by_id.values()
            await until(lambda: connection.pausing.number == 8)
            assert (await play(r, resource, "pause", 9))["paused"] is True
            assert await waiting == {"paused": True, "number": 9, "delivered_ms": 0}
            assert one.held == {"paused"}
            gone = asyncio.ensure_future(r.ask("POST", f"{resource}/resume", json={"number": 10}))
            await asyncio.sleep(0.05)
            assert (await r.ask("DELETE", resource))[0] == 200
            assert (await gone)[0] == 200
            assert "ended" in one.held

    asyncio.run(main())


def test_too_many_pauses_are_429() -> None:
    async def main() -> None:
        async with http_rig(limits=Limits(pauses_per_second=1)) as r:
            resource, _ = await join(r)
            for _ in range(3):
                await play(r, resource, "pause", 1)
            status, headers, body = await r.ask("POST", f"{resource}/pause", json={"number": 2})
            assert (status, body["code"], headers["Retry-After"]) == (429, "too-many-pauses", "1")

    asyncio.run(main())


def test_the_page_can_ask_what_is_so() -> None:
    async def main() -> None:
        async with http_rig() as r:
            resource, _ = await join(r)
            (one,) = r.engine.subscriptions
            one.delivered_ms = 700

            async def shown() -> Any:
                status, headers, body = await r.ask("GET", resource)
                assert (status, headers["Cache-Control"]) == (200, "no-store")
                return body

            assert await shown() == {
                "state": "forwarding",
                "reasons": [],
                "delivered_ms": 700,
                "forwarded_ms": 700,
                "paused": False,
                "number": 0,
                "sound_alone": False,
                "sound_free_ms": 7_300,
            }
            one.connected = False
            assert (await shown())["state"] == "connecting"
            one.connected = True
            await play(r, resource, "pause", 4)
            body = await shown()
            assert (body["state"], body["reasons"], body["paused"], body["number"]) == (
                "paused",
                ["paused"],
                True,
                4,
            )
            await play(r, resource, "resume", 5)
            r.relayer.decide = hold_back
            await until(lambda: "wait" in one.held)
            body = await shown()
            assert (body["state"], body["reasons"]) == ("held", ["budget", "wait"])
            r.relayer.decide = allow
            await until(lambda: not one.held)
            assert (await shown())["state"] == "forwarding"
            assert (await r.ask("DELETE", resource))[0] == 200
            assert (await r.refused("GET", resource))[0] == 404
            assert (await r.refused("GET", "/whep/1"))[0] == 405

    asyncio.run(main())


def test_sound_alone_is_chosen_by_numbered_requests() -> None:
    async def main() -> None:
        async with http_rig() as r:
            resource, _ = await join(r)
            (one,) = r.engine.subscriptions

            async def choose(number: int | None, *, alone: bool) -> Any:
                body: dict[str, Any] = {"sound_alone": alone}
                if number is not None:
                    body["number"] = number
                status, _, answer = await r.ask("POST", f"{resource}/sound", json=body)
                assert status == 200
                return answer

            assert await choose(2, alone=True) == {
                "sound_alone": True,
                "number": 2,
                "delivered_ms": 0,
            }
            assert one.sound_chosen
            assert (await choose(1, alone=False))["sound_alone"] is True  # overtaken on its way
            assert one.sound_chosen
            assert (await choose(None, alone=False))["number"] == 3
            assert not one.sound_chosen
            assert (await r.ask("GET", resource))[2]["sound_alone"] is False
            for body in ({}, {"sound_alone": "yes"}, {"sound_alone": True, "number": 0}):
                status, code = await r.refused("POST", f"{resource}/sound", json=body)
                assert (status, code) in {(400, "sound-alone-invalid"), (400, "number-invalid")}

    asyncio.run(main())
