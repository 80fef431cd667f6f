"""Real WebRTC on loopback: publisher, server, viewers, and what each says about it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streaming.clients.config import WatchResult
from streaming.clients.rest_client import ClientError, RestClient
from streaming.http import connections
from streaming.session_state import Problem
from streaming.sfu import aiortc_adapter
from tests.http.fake_relayer import PUBLISH_TOKEN, TERMS, FakeSigner, deny, unpaid
from tests.sfu.rig import Rig, rig, sample_file, serving

pytestmark = pytest.mark.media


async def until(true: Callable[[], Any], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.02)


async def agrees(r: Rig, result: WatchResult) -> None:
    """The server's count is never more than the viewer's, and not much less."""
    await until(lambda: set(r.relayer.finals) == set(r.relayer.states | r.relayer.finals))
    delivered = r.relayer.delivered_ms()
    assert delivered <= result.watched_ms + 500
    assert delivered > result.watched_ms - 1_000


@pytest.mark.parametrize("count_only", [False, True])
def test_what_is_delivered_is_what_was_watched(count_only: bool) -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            result = await r.watch(seconds=6, count_only=count_only)
            assert result.end_reason == "seconds"
            assert result.frames_decoded > 120
            assert result.first_frame_ms is not None
            assert result.first_frame_ms < 1000
            assert 5_500 < result.watched_ms < 6_600
            await agrees(r, result)
            assert result.delivered_ms == r.relayer.delivered_ms()
            (final,) = r.relayer.finals.values()
            assert final.end_reason == "left"
            assert final.packets_lost == 0

    asyncio.run(main())


def test_the_first_packet_is_told_once_with_its_session(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            await r.watch(seconds=2, count_only=True)

    with caplog.at_level(logging.DEBUG, logger=connections.__name__):
        asyncio.run(main())
    steps = [line.split(" reason=")[0].split() for line in caplog.messages if "connection=" in line]
    kinds = ["event=connection-began", "event=media-began", "event=connection-ended"]
    assert [step[0] for step in steps if step[0] in kinds] == kinds
    assert len({tuple(step[1:3]) for step in steps if step[0] in kinds}) == 1, steps


def test_a_stall_is_free() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing(stall_s=4.0, stall_after_s=3.0):
            result = await r.watch(seconds=9)
            assert 3_500 < result.watched_ms < 6_000
            await agrees(r, result)
            assert {"frozen", "thawed"} <= {event["event"] for event in r.events}

    asyncio.run(main())


def test_a_late_viewer_has_a_picture_within_a_second() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            await asyncio.sleep(2.4)
            firsts = []
            for _ in range(3):
                result = await r.watch(seconds=0.5)
                assert result.first_frame_ms is not None
                firsts.append(result.first_frame_ms)
            assert max(firsts) < 1000

    asyncio.run(main())


def test_lost_packets_are_repaired_and_the_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every thirtieth packet to the viewer is dropped below SRTP; counting needs whole frames."""
    dropped = itertools.count(1)
    lost = []
    original = aiortc_adapter.Outlet._use

    def use(self: aiortc_adapter.Outlet, pair: Any) -> None:
        original(self, pair)
        real = self._sendto

        def lossy(packet: bytes, address: tuple[str, int]) -> object:
            number = next(dropped)
            if number % 30 == 0 and len(packet) > 200:
                lost.append(number)
                return None
            return real(packet, address)

        self._sendto = lossy

    async def main() -> None:
        async with rig() as r, r.publishing():
            monkeypatch.setattr(aiortc_adapter.Outlet, "_use", use)
            result = await r.watch(seconds=6, count_only=True)
            assert len(lost) > 5
            assert result.frames_decoded > 150
            assert 5_500 < result.watched_ms < 6_600
            await agrees(r, result)

    asyncio.run(main())


def test_a_viewer_that_never_reports_is_stopped_after_four_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            monkeypatch.setattr("streaming.sfu.subscription.Subscriber.heard", lambda *_a: None)
            watching = asyncio.ensure_future(r.watch(seconds=30, count_only=True))
            await asyncio.sleep(7)
            (state,) = r.relayer.states.values()
            assert state.delivered_ms == 0
            assert 3_000 < state.forwarded_ms <= 4_000
            assert state.unconfirmed_ms <= 4_000
            watching.cancel()
            result = await watching
            assert result.end_reason == "stopped"

    asyncio.run(main())


def test_twenty_viewers() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            results = await asyncio.gather(
                *(r.watch(seconds=6, count_only=True) for _ in range(20))
            )
            assert len({result.session for result in results}) == 20
            await until(lambda: len(r.relayer.finals) == 20)
            by_session = {str(f.session): f for f in r.relayer.finals.values()}
            for result in results:
                final = by_session[str(result.session)]
                assert result.watched_ms > 4_500
                assert final.delivered_ms <= result.watched_ms + 500
                assert final.delivered_ms > result.watched_ms - 1_000

    asyncio.run(main())


def test_another_publisher_takes_over_and_viewers_go_on() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing() as first:
            watching = asyncio.ensure_future(r.watch(seconds=9))
            await until(lambda: r.relayer.states)
            await asyncio.sleep(2)
            async with r.publishing():
                await asyncio.sleep(1)
                assert len(r.server.engine.all_live()) == 1
                result = await watching
                assert result.reconnects == 0
                assert result.end_reason == "seconds"
                assert result.watched_ms > 6_000
                await agrees(r, result)
                assert (await first).end_reason == "replaced"

    asyncio.run(main())


def test_a_publisher_that_is_gone_for_good_ends_its_viewers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        monkeypatch.setattr("streaming.sfu.aiortc_engine.PUBLISHER_GRACE_S", 1.0)
        monkeypatch.setattr("streaming.clients.viewer.RESUME_WITHIN_MS", 1_000)
        async with rig() as r:
            async with r.publishing():
                watching = asyncio.ensure_future(r.watch(seconds=30))
                await until(lambda: r.relayer.states)
                await asyncio.sleep(3)
            result = await watching
            assert result.end_reason == "publisher-gone"
            assert 2_000 < result.watched_ms < 5_000
            await agrees(r, result)
            (final,) = r.relayer.finals.values()
            assert final.end_reason == "publisher-gone"

    asyncio.run(main())


def test_a_denied_viewer_sees_nothing_more_and_hears_why() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            watching = asyncio.ensure_future(r.watch(seconds=30))
            await until(lambda: r.relayer.states)
            await asyncio.sleep(2)
            r.relayer.answers["admit"] = unpaid
            r.relayer.decide = deny
            start = time.monotonic()
            result = await watching
            assert time.monotonic() - start < 4
            assert result.end_reason == "payment-required"
            await until(lambda: r.relayer.finals)
            await agrees(r, result)

    asyncio.run(main())


def test_the_server_comes_back_and_the_session_goes_on() -> None:
    async def main() -> None:
        async with rig() as r:
            first = serving(r.socket)
            _, r.url = await first.__aenter__()
            async with r.publishing() as publishing:
                watching = asyncio.ensure_future(r.watch(seconds=11))
                await until(lambda: r.relayer.states)
                await asyncio.sleep(2)
                await first.__aexit__(None, None, None)
                assert [f.end_reason for f in r.relayer.finals.values()] == ["shutdown"]
                async with serving(r.socket, int(r.url.rsplit(":", 1)[1])):
                    result = await watching
                    assert not publishing.done()
                    assert result.reconnects == 1
                    assert result.sessions == ("1-1",)
                    assert r.relayer.requests[-1].params.get("resume") == "resume-1"
                    assert result.watched_ms > 5_000
                    assert r.relayer.delivered_ms() <= result.watched_ms + 500

    asyncio.run(main())


def test_first_refusals_are_errors_with_a_remedy() -> None:
    async def main() -> None:
        async with rig() as r:
            with pytest.raises(ClientError) as raised:
                await r.watch(seconds=1)
            assert raised.value.code == "not-live"
            async with r.publishing():
                r.relayer.answers["admit"] = unpaid
                with pytest.raises(ClientError) as raised:
                    await r.watch(seconds=1)
                assert raised.value.terms == TERMS

    asyncio.run(main())


def test_a_viewer_may_be_taught_to_pay() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            admit = r.relayer.answers["admit"]
            r.relayer.answers["admit"] = unpaid
            asked: list[Any] = []

            async def pay(rest: RestClient, token: str, terms: dict[str, Any]) -> None:
                asked.append(terms)
                r.relayer.answers["admit"] = admit

            result = await r.watch(seconds=1, make_payable=pay)
            assert asked == [TERMS]
            assert result.frames_decoded > 10

    asyncio.run(main())


def test_files_that_are_no_video(tmp_path: Path) -> None:
    async def main() -> None:
        text = tmp_path / "notes.mp4"
        text.write_text("this is no video")
        empty = tmp_path / "empty.webm"
        empty.touch()
        async with rig() as r:
            for path in (text, empty, tmp_path / "missing.mp4", tmp_path):
                with pytest.raises(ClientError) as raised:
                    async with r.publishing(video=path):
                        pass
                assert raised.value.code == "video-invalid"
                assert str(path) in str(raised.value)

    asyncio.run(main())


def test_an_ended_stream_cannot_be_published() -> None:
    async def main() -> None:
        async with rig() as r:
            r.relayer.answers["publish"] = lambda _p: Problem(
                status=410, code="stream-ended", detail="the stream has ended; create another"
            )
            with pytest.raises(ClientError) as raised:
                async with r.publishing(video=sample_file()):
                    pass
            assert raised.value.code == "stream-ended"
            assert PUBLISH_TOKEN not in str(raised.value)
            assert FakeSigner.account not in str(raised.value)

    asyncio.run(main())
