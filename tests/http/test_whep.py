"""Watching over HTTP: admission, leases, replacement and ends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from streaming.http import connections
from streaming.http.connections import TAIL_BY_REPORTS_S, TAIL_S
from tests.http.fake_relayer import TERMS, WATCH_TOKEN, allow, deny, hold_back, unpaid
from tests.http.rig import SDP, WATCHING, HttpRig, StillSubscription, http_rig

POST = {**WATCHING, **SDP}


async def until(true: Callable[[], Any], within_s: float = 4.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.01)


async def join(r: HttpRig, resume: str | None = None) -> tuple[str, Any]:
    headers = POST if resume is None else {**POST, "PayStream-Resume": resume}
    status, answered, body = await r.ask("POST", "/whep/1", headers=headers, data="v=0")
    assert status == 201, body
    return answered["Location"], answered


def test_a_viewer_is_admitted_told_about_and_leaves() -> None:
    async def main() -> None:
        async with http_rig() as r:
            resource, headers = await join(r)
            assert headers["PayStream-Session"] == "1-1"
            assert headers["PayStream-Resume"] == "resume-1"
            (one,) = r.engine.subscriptions
            assert one.held == set()
            one.delivered_ms = 1234
            await until(lambda: r.relayer.states)
            status, _, body = await r.ask("DELETE", resource)
            assert (status, body) == (200, {"delivered_ms": 1234, "session": "1-1"})
            assert one.closed
            await until(lambda: r.relayer.finals)
            (final,) = r.relayer.finals.values()
            assert (final.delivered_ms, final.end_reason, final.number) == (1234, "left", 1)
            text = await r.scrape()
            assert b"\npaystream_serve_delivered_milliseconds_total 1234.0\n" in text
            assert b"\npaystream_serve_open_connections 0.0\n" in text
            assert b"\npaystream_serve_connections_total 1.0\n" in text
            assert (await r.refused("DELETE", resource))[0] == 404

    asyncio.run(main())


def test_what_cannot_be_paid_is_402_with_the_terms_and_nothing_stays_open() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.answers["admit"] = unpaid
            status, headers, body = await r.ask("POST", "/whep/1", headers=POST, data="v=0")
            assert (status, body["code"], body["terms"]) == (402, "payment-required", TERMS)
            assert headers["Content-Type"] == "application/problem+json"
            assert all(one.closed for one in r.engine.subscriptions)
            assert len(r.server.connections) == 0

    asyncio.run(main())


def test_nobody_publishing_is_409_with_a_time_to_come_back_and_no_admission() -> None:
    async def main() -> None:
        async with http_rig(real_engine=True) as r:
            from tests.http.test_whip import offer

            data = await offer("video", direction="recvonly")
            status, headers, body = await r.ask("POST", "/whep/1", headers=POST, data=data)
            assert (status, body["code"], headers["Retry-After"]) == (409, "not-live", "1")
            assert [q for q in r.relayer.requests if q.method == "admit"] == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("headers", "data", "expected"),
    [
        (SDP, "v=0", (401, "token-missing")),
        ({**SDP, "Authorization": "Bearer expired"}, "v=0", (401, "token-invalid")),
        (WATCHING, b"v=0", (415, "content-type")),
        (POST, "a" * 1_000_000, (413, "too-large")),
    ],
)
def test_each_mistake_is_named(
    headers: dict[str, str], data: str | bytes, expected: tuple[int, str]
) -> None:
    async def main() -> None:
        async with http_rig() as r:
            assert await r.refused("POST", "/whep/1", headers=headers, data=data) == expected
            assert len(r.server.connections) == 0

    asyncio.run(main())


def test_a_wish_for_renewals_is_handed_on() -> None:
    async def main() -> None:
        async with http_rig() as r:
            headers = {**POST, "PayStream-Renew": "1"}
            status, _, _ = await r.ask("POST", "/whep/1", headers=headers, data="v=0")
            assert status == 201
            params = {"token": WATCH_TOKEN, "stream": 1, "renew": True}
            assert r.relayer.requests[-1].params == params

    asyncio.run(main())


def test_a_resume_secret_is_handed_on_and_the_older_connection_replaced() -> None:
    async def main() -> None:
        async with http_rig() as r:
            _, first = await join(r)
            r.engine.subscriptions[0].delivered_ms = 500
            _, second = await join(r, first["PayStream-Resume"])
            assert second["PayStream-Session"] == first["PayStream-Session"]
            assert second["PayStream-Resume"] != first["PayStream-Resume"]
            assert r.relayer.requests[-1].params == {
                "token": WATCH_TOKEN,
                "stream": 1,
                "resume": first["PayStream-Resume"],
            }
            await until(lambda: r.relayer.finals)
            (final,) = r.relayer.finals.values()
            assert (final.end_reason, final.delivered_ms) == ("replaced", 500)
            assert r.engine.subscriptions[0].closed
            assert not r.engine.subscriptions[1].closed

    asyncio.run(main())


def test_a_later_connection_begins_with_what_the_earlier_one_owes() -> None:
    async def main() -> None:
        async with http_rig() as r:
            _, first = await join(r)
            r.engine.subscriptions[0].owed_ms = 3_100
            assert r.engine.subscriptions[0].rejoined_owing_ms is None
            await join(r, first["PayStream-Resume"])
            assert r.engine.subscriptions[1].rejoined_owing_ms == 3_100
            await join(r)  # another session
            assert r.engine.subscriptions[2].rejoined_owing_ms is None
            r.relayer.numbers[9, 9] = 4  # a session that this server does not know
            r.relayer.resumes["elsewhere"] = (9, 9)
            await join(r, "elsewhere")
            assert r.engine.subscriptions[3].rejoined_owing_ms == 0

    asyncio.run(main())


def test_a_denied_lease_ends_the_media_at_once() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await join(r)
            r.relayer.decide = deny
            start = time.monotonic()
            await until(lambda: "ended" in r.engine.subscriptions[0].held)
            assert time.monotonic() - start < 3
            await until(lambda: r.relayer.finals)
            (final,) = r.relayer.finals.values()
            assert final.end_reason == "denied"

    asyncio.run(main())


def test_wait_holds_the_media_back_and_keeps_the_connection() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await join(r)
            (one,) = r.engine.subscriptions
            r.relayer.decide = hold_back
            await until(lambda: "wait" in one.held)
            r.relayer.decide = allow
            await until(lambda: not one.held)
            assert not one.closed

    asyncio.run(main())


def test_silence_stops_the_media_and_the_next_lease_lets_it_go_on() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.lease_ms = 300
            await join(r)
            (one,) = r.engine.subscriptions
            r.relayer.silent = True
            await until(lambda: "lease" in one.held)
            r.relayer.silent = False
            r.relayer.lease_ms = 15_000
            await until(lambda: "lease" not in one.held)
            assert not one.closed

    asyncio.run(main())


def test_a_viewer_who_vanishes_has_a_final_state() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await join(r)
            r.engine.subscriptions[0].on_ended("vanished")
            await until(lambda: r.relayer.finals)
            (final,) = r.relayer.finals.values()
            assert final.end_reason == "vanished"

    asyncio.run(main())


def test_a_full_server_says_so() -> None:
    async def main() -> None:
        async with http_rig(connections_max=1) as r:
            await join(r)
            assert await r.refused("POST", "/whep/1", headers=POST, data="v=0") == (
                503,
                "server-full",
            )

    asyncio.run(main())


def test_those_who_are_joining_count_as_well() -> None:
    async def main() -> None:
        async with http_rig(connections_max=2) as r:
            del r.relayer.answers["admit"]
            waiting = [
                asyncio.ensure_future(r.ask("POST", "/whep/1", headers=POST, data="v=0"))
                for _ in range(2)
            ]
            await until(lambda: r.server.connections.joining == 2)
            assert await r.refused("POST", "/whep/1", headers=POST, data="v=0") == (
                503,
                "server-full",
            )
            await r.relayer.stop()
            assert [(await one)[0] for one in waiting] == [503, 503]
            assert r.server.connections.joining == 0

    asyncio.run(main())


def test_going_down_tells_every_final_state_in_time() -> None:
    async def main() -> None:
        async with http_rig() as r:
            for _ in range(3):
                await join(r)
            start = time.monotonic()
            await r.server.close()
            assert time.monotonic() - start < 3
            assert [f.end_reason for f in r.relayer.finals.values()] == ["shutdown"] * 3
            assert r.server.link.unacknowledged == 0
            assert await r.refused("POST", "/whep/1", headers=POST, data="v=0") == (
                503,
                "shutting-down",
            )

    asyncio.run(main())


@contextlib.asynccontextmanager
async def leaving(r: HttpRig, *, reports_alone: bool) -> AsyncIterator[LeavingViewer]:
    """A viewer who is asking to leave, and of whom something waits for its receipt."""
    resource, headers = await join(r)
    (one,) = r.engine.subscriptions
    one.waits, one.reports_alone = True, reports_alone
    asked = asyncio.ensure_future(r.ask("DELETE", resource))
    await until(lambda: "ended" in one.held)
    yield LeavingViewer(one, asked, headers["PayStream-Resume"])
    asked.cancel()
    await asyncio.wait([asked])


@dataclasses.dataclass
class LeavingViewer:
    """What a test plays with."""

    subscription: StillSubscription
    asked: asyncio.Future[Any]
    resume: str


def test_who_tells_in_rare_reports_what_has_come_is_waited_for() -> None:
    async def main() -> None:
        async with http_rig() as r, leaving(r, reports_alone=True) as viewer:
            await asyncio.sleep(TAIL_S + 0.3)
            assert not viewer.asked.done()
            assert not r.relayer.finals
            viewer.subscription.delivered_ms = 9_000  # its report is here
            viewer.subscription.waits = False
            _, _, body = await asyncio.wait_for(viewer.asked, 1)
            assert body["delivered_ms"] == 9_000
            await until(lambda: r.relayer.finals)
            (final,) = r.relayer.finals.values()
            assert (final.delivered_ms, final.end_reason) == (9_000, "left")

    asyncio.run(main())


@pytest.mark.parametrize(("reports_alone", "tail_s"), [(False, TAIL_S), (True, TAIL_BY_REPORTS_S)])
def test_the_end_waits_no_longer_than_is_stated(
    reports_alone: bool, tail_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth as long, here."""
    monkeypatch.setattr(connections, "TAIL_S", TAIL_S / 10)
    monkeypatch.setattr(connections, "TAIL_BY_REPORTS_S", TAIL_BY_REPORTS_S / 10)

    async def main() -> float:
        async with http_rig() as r, leaving(r, reports_alone=reports_alone) as viewer:
            start = time.monotonic()
            await viewer.asked
            return time.monotonic() - start

    assert tail_s / 10 - 0.05 <= asyncio.run(main()) < tail_s / 10 + 0.5


async def _server_goes_down(r: HttpRig, _viewer: LeavingViewer) -> None:
    await r.server.close()


async def _viewer_returns(r: HttpRig, viewer: LeavingViewer) -> None:
    await join(r, viewer.resume)


async def _relayer_denies(r: HttpRig, _viewer: LeavingViewer) -> None:
    r.relayer.decide = deny


async def _asker_hangs_up(_r: HttpRig, viewer: LeavingViewer) -> None:
    viewer.asked.cancel()


async def _viewer_vanishes(_r: HttpRig, viewer: LeavingViewer) -> None:
    viewer.subscription.on_ended("vanished")


@pytest.mark.parametrize(
    ("cut", "within_s", "reason"),
    [
        (_server_goes_down, 1.5, "left"),
        (_viewer_returns, 1.0, "replaced"),
        (_relayer_denies, TAIL_S + 1.5, "left"),
        (_asker_hangs_up, TAIL_S + 0.8, "left"),
        (_viewer_vanishes, 1.0, "left"),
    ],
)
def test_nothing_else_hangs_on_the_wait_for_a_rare_report(
    cut: Callable[[HttpRig, LeavingViewer], Awaitable[None]], within_s: float, reason: str
) -> None:
    async def main() -> None:
        async with http_rig() as r, leaving(r, reports_alone=True) as viewer:
            start = time.monotonic()
            viewer.subscription.delivered_ms = 777
            await cut(r, viewer)
            await until(lambda: r.relayer.finals, within_s)
            assert time.monotonic() - start < within_s
            (final,) = r.relayer.finals.values()
            assert (final.delivered_ms, final.end_reason) == (777, reason)
            assert viewer.subscription.closed
            places = 1 if cut is _viewer_returns else 0
            assert len(r.server.connections) == places

    asyncio.run(main())
