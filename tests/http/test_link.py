"""The media server's end of the socket, against a scripted relayer."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streaming.http.link import Link
from streaming.http.problem import ProblemError
from streaming.session_state import (
    PROTOCOL_VERSION,
    ConnectionState,
    Hello,
    Leases,
    Problem,
    SessionRef,
)
from tests.http.fake_relayer import FakeRelayer

HELLO = Hello(protocol_version=PROTOCOL_VERSION, server_id="s", boot_id="b", origin="http://test")


def state(connection: str = "c1", *, final: bool = False, delivered_ms: int = 0) -> ConnectionState:
    return ConnectionState(
        connection=connection,
        session=SessionRef(grant=1, index=1),
        number=1,
        delivered_ms=delivered_ms,
        final=final,
        end_reason="left" if final else None,
    )


@asynccontextmanager
async def linked(
    states: list[ConnectionState] | None = None,
) -> AsyncIterator[tuple[FakeRelayer, Link, list[Leases]]]:
    heard: list[Leases] = []
    with tempfile.TemporaryDirectory() as folder:
        relayer = FakeRelayer(Path(folder) / "relay.sock")
        await relayer.start()
        link = Link(relayer.socket, HELLO, lambda: (states or [], []), heard.append)
        link.start()
        try:
            yield relayer, link, heard
        finally:
            await link.close(0.1)
            await relayer.stop()


async def until(true: Callable[[], Any], within_s: float = 5.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.01)


def test_it_greets_tells_its_state_and_hears_leases() -> None:
    async def main() -> None:
        async with linked([state()]) as (relayer, link, heard):
            await until(lambda: heard)
            assert relayer.hellos == [HELLO]
            assert link.connected
            assert relayer.states["c1"] == state()
            assert heard[0].leases[0].connection == "c1"

    asyncio.run(main())


def test_requests_are_answered_and_problems_raised() -> None:
    async def main() -> None:
        async with linked() as (relayer, link, _):
            relayer.answers["one"] = lambda p: {"got": p["x"]}
            relayer.answers["two"] = lambda _p: Problem(
                status=402, code="payment-required", detail="pay", terms={"stream": 1}
            )
            assert await link.request("one", {"x": 5}) == {"got": 5}
            with pytest.raises(ProblemError) as raised:
                await link.request("two", {})
            assert raised.value.problem.terms == {"stream": 1}

    asyncio.run(main())


def test_a_relayer_that_does_not_answer_is_a_503() -> None:
    async def main() -> None:
        async with linked() as (_, link, _):
            with pytest.raises(ProblemError) as raised:
                await link.request("never", {}, timeout_s=0.05)
            assert raised.value.problem.status == 503
            assert "paystream relay" in raised.value.problem.detail

    asyncio.run(main())


def test_a_question_that_is_given_up_is_withdrawn() -> None:
    async def main() -> None:
        async with linked() as (relayer, link, _):
            with pytest.raises(ProblemError):
                await link.request("never", {}, timeout_s=0.05)
            asking = asyncio.ensure_future(link.request("never", {}))
            await until(lambda: len(relayer.requests) == 3)
            asking.cancel()
            await until(lambda: len(relayer.requests) == 4)
            asked, withdrawn = relayer.requests[::2], relayer.requests[1::2]
            assert [one.method for one in withdrawn] == ["withdraw", "withdraw"]
            assert [one.params["request"] for one in withdrawn] == [one.id for one in asked]

    asyncio.run(main())


def test_it_connects_again_and_says_everything_again() -> None:
    async def main() -> None:
        async with linked([state(delivered_ms=7)]) as (relayer, link, _):
            await until(lambda: relayer.states)
            await relayer.stop()
            await until(lambda: not link.connected)
            relayer.states.clear()
            await relayer.start()
            await until(lambda: relayer.states)
            assert relayer.states["c1"].delivered_ms == 7
            assert len(relayer.hellos) == 2
            assert link.connects == 2

    asyncio.run(main())


def test_a_request_in_flight_fails_when_the_relayer_goes() -> None:
    async def main() -> None:
        async with linked() as (relayer, link, _):
            await until(lambda: link.connected)
            asking = asyncio.ensure_future(link.request("never", {}))
            await until(lambda: relayer.requests)
            await relayer.stop()
            with pytest.raises(ProblemError) as raised:
                await asking
            assert raised.value.problem.code == "relayer-unavailable"

    asyncio.run(main())


def test_final_states_are_repeated_until_acknowledged() -> None:
    async def main() -> None:
        async with linked() as (relayer, link, _):
            relayer.acknowledges = False
            link.final(state("gone", final=True, delivered_ms=42))
            await until(lambda: relayer.messages >= 2)
            assert relayer.finals["gone"].delivered_ms == 42
            assert link.unacknowledged == 1
            await relayer.stop()
            relayer.finals.clear()
            relayer.acknowledges = True
            await relayer.start()
            await until(lambda: link.unacknowledged == 0)
            assert relayer.finals["gone"].delivered_ms == 42

    asyncio.run(main())


def test_a_refusal_is_remembered_and_told_to_who_asks() -> None:
    async def main() -> None:
        async with linked() as (relayer, link, _):
            relayer.refuses = "another server is connected"
            await relayer.stop()
            await relayer.start()
            await until(lambda: link.refused)
            with pytest.raises(ProblemError) as raised:
                await link.request("info", {})
            assert "another server is connected" in raised.value.problem.detail

    asyncio.run(main())


def test_a_refused_server_keeps_asking_quietly_and_takes_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streaming.http.link.BACKOFF_S", (0.01,))

    async def main() -> None:
        async with linked() as (relayer, link, _):
            relayer.refuses = "another media server is connected"
            await relayer.stop()
            await relayer.start()
            await until(lambda: link.refused)
            caplog.clear()
            asked = len(relayer.hellos)
            await until(lambda: len(relayer.hellos) > asked + 3)
            assert [record.getMessage() for record in caplog.records] == []
            relayer.refuses = None
            await until(lambda: link.connected)
            assert link.refused is None

    asyncio.run(main())


def test_rubbish_from_the_relayer_does_not_end_the_link() -> None:
    async def main() -> None:
        async with linked() as (relayer, link, _):
            await until(lambda: link.connected)
            for writer in list(relayer._writers):
                writer.write((5).to_bytes(4, "big") + b"{nope")
            await until(lambda: link.connects == 2)
            for writer in list(relayer._writers):
                writer.write(b"\xff\xff\xff\xff")
            await until(lambda: link.connects == 3)

    asyncio.run(main())
