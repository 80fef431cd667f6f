"""The path of the tests under real WebRTC: our publisher and viewer, and paths on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streaming.clients.browser import chromium
from streaming.clients.config import WatchResult
from streaming.clients.path.model import CLEAR, Counts, PathSettings
from streaming.clients.path.proxy import PathConfig, RunningPath, path_before
from tests.http.fake_relayer import WATCH_TOKEN, allow, hold_back
from tests.sfu.rig import Rig, rig

pytestmark = pytest.mark.media

WHEP_BY_HAND = """async (token) => {
  const pc = (window.pc = new RTCPeerConnection());
  for (const kind of ["video", "audio"]) pc.addTransceiver(kind, { direction: "recvonly" });
  await pc.setLocalDescription();
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/sdp" };
  const body = pc.localDescription.sdp;
  const answer = await fetch("/whep/1", { method: "POST", headers, body });
  await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
}"""
"""A WHEP viewer that knows nothing of us."""
STATISTICS = """async () => {
  const all = [...(await window.pc.getStats()).values()];
  const pair = all.find(({ type, nominated }) => type === "candidate-pair" && nominated);
  const server = all.find(({ id }) => id === pair?.remoteCandidateId);
  const media = all.filter(({ type }) => type === "inbound-rtp");
  const received = media.reduce((sum, { packetsReceived }) => sum + packetsReceived, 0);
  return { port: server?.port, round_trip_s: pair?.currentRoundTripTime, received };
}"""


@asynccontextmanager
async def behind(**options: Any) -> AsyncIterator[tuple[Rig, RunningPath]]:
    """A media server whose clients come through a path, and a publisher that is live."""
    async with rig() as r, path_before(PathConfig(to=r.url, **options)) as path:
        r.url = path.url
        async with r.publishing():
            yield r, path


async def until(true: Callable[[], object], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.02)


def carried(*directions: Counts) -> None:
    """Everything has gone through, and the relay itself has lost nothing."""
    for counts in directions:
        assert counts.packets == counts.passed > 0
        assert (counts.overrun, counts.unsent) == (0, 0)


def test_without_loss_everything_arrives_through_the_relays() -> None:
    async def main() -> None:
        async with behind() as (r, path):
            result = await r.watch(seconds=5)
            assert result.frames_decoded > 100
            assert result.watched_ms > 4_500
            proxy = path.proxy
            carried(proxy.publishers.to_server, proxy.publishers.to_client)
            carried(proxy.viewers.to_client, proxy.viewers.to_server)
            await until(lambda: r.relayer.finals)
            (final,) = r.relayer.finals.values()
            # Besides media there are handshakes and reports: nothing went around the relay.
            assert proxy.viewers.to_client.packets > final.packets_sent > 200
            assert final.packets_lost == 0

    asyncio.run(main())


def test_nothing_is_seen_once_all_rtp_is_lost() -> None:
    async def main() -> None:
        async with behind() as (r, path):
            watching = asyncio.ensure_future(r.watch())
            viewers = path.proxy.viewers
            await until(lambda: viewers.to_client.packets > 300)
            viewers.change(PathSettings(loss_percent=100, rtp_alone=True))
            await asyncio.sleep(0.5)
            before = viewers.to_client.passed, viewers.to_client.lost
            await asyncio.sleep(3)
            passed, lost = viewers.to_client.passed - before[0], viewers.to_client.lost - before[1]
            assert lost > 30, "the server sent for a while"
            assert 0 < passed < 100, "reports and consent checks go on"
            watching.cancel()
            result = await watching
            assert result.reconnects == 0
            assert result.freezes_ms > 2_000
            await until(lambda: r.relayer.finals)
            (final,) = r.relayer.finals.values()
            assert final.delivered_ms <= result.watched_ms + 500

    asyncio.run(main())


def test_losses_are_those_that_were_set_on_each_side() -> None:
    async def main() -> None:
        lossy = PathSettings(loss_percent=10, rtp_alone=True, delay_ms=20)
        lossy_in = PathSettings(loss_percent=5, rtp_alone=True)
        async with behind(viewers=lossy, publishers=lossy_in) as (r, path):
            result = await r.watch(seconds=8)
            assert result.frames_decoded > 50
            out, in_ = path.proxy.viewers.to_client, path.proxy.publishers.to_server
            for counts, percent in ((out, 10), (in_, 5)):
                assert counts.packets > 400
                assert percent * 0.5 < 100 * counts.lost / counts.packets < percent * 1.5
                assert counts.lost_in_outages == counts.dropped_by_queue == counts.overrun == 0

    asyncio.run(main())


def test_a_rate_below_the_streams_fills_the_queue_and_drops() -> None:
    async def main() -> None:
        async with behind() as (r, path):
            watching = asyncio.ensure_future(r.watch())
            viewers = path.proxy.viewers
            await until(lambda: viewers.to_client.packets > 200)
            viewers.change(PathSettings(rate_kbps=100))
            await asyncio.sleep(3)
            assert viewers.to_client.dropped_by_queue > 0
            assert viewers.to_server.dropped_by_queue == 0
            viewers.change(CLEAR)
            watching.cancel()
            await watching

    asyncio.run(main())


NARROW = PathSettings(rate_kbps=200, delay_ms=40)
"""Sound fits, the picture of 600 kbit/s does not."""


async def watch_narrowed(
    *, seconds: float, sound_alone: bool
) -> tuple[WatchResult, int, list[dict[str, Any]]]:
    """What our viewer saw whose path narrows after 3 s, what was delivered, and what it told."""
    async with behind() as (r, path):
        events: list[dict[str, Any]] = []
        config = {"on_progress": events.append, "sound_alone": sound_alone}
        watching = asyncio.ensure_future(r.watch(seconds=seconds + 3, count_only=True, **config))
        await until(lambda: watching.done() or "playing" in {each["event"] for each in events})
        await asyncio.sleep(3)
        path.proxy.viewers.change(NARROW)
        result = await watching
        await until(lambda: r.relayer.finals)
        (final,) = r.relayer.finals.values()
        assert final.end_reason == "left"
        return result, final.delivered_ms, events


def test_on_a_path_too_narrow_for_the_picture_the_sound_goes_on_and_the_reason_is_told() -> None:
    async def main() -> None:
        result, delivered_ms, events = await watch_narrowed(seconds=20, sound_alone=False)
        assert result.reconnects == 0
        assert delivered_ms <= result.watched_ms + 500
        told = [
            event for event in events if event["event"] == "held" and "path" in event["reasons"]
        ]
        assert told, events
        assert told[0]["choices"] == ["sound-alone", "wait"]
        assert told[0]["choice"] == "wait"
        assert "cannot carry the picture" in told[0]["why"]
        assert result.sound_alone_ms > 5_000

    asyncio.run(main())


def test_who_chooses_sound_alone_pays_for_what_is_heard() -> None:
    async def main() -> None:
        result, delivered_ms, events = await watch_narrowed(seconds=30, sound_alone=True)
        assert result.reconnects == 0
        assert any(event.get("choice") == "sound-alone" for event in events)
        assert result.sound_alone_ms > 12_000
        assert delivered_ms > result.watched_ms + 5_000
        assert delivered_ms <= result.watched_ms + result.sound_alone_ms + 500, events

    asyncio.run(main())


def test_who_is_told_to_wait_stays() -> None:
    """As long as a lost connection was taken for one before, and longer."""

    async def main() -> None:
        async with behind() as (r, _):
            events: list[dict[str, Any]] = []
            config = {"on_progress": events.append}
            watching = asyncio.ensure_future(r.watch(seconds=14, count_only=True, **config))
            await until(lambda: any(event["event"] == "playing" for event in events))
            r.relayer.decide = hold_back
            await asyncio.sleep(9)
            r.relayer.decide = allow
            result = await watching
            assert result.reconnects == 0
            told = [event for event in events if event["event"] in ("held", "flowing")]
            assert [event["event"] for event in told] == ["held", "flowing"]
            assert "wait" in told[0]["reasons"]
            assert result.watched_ms > 2_000

    asyncio.run(main())


@pytest.mark.browser
def test_a_browser_finds_nothing_but_the_relay() -> None:
    async def main() -> None:
        slow = PathSettings(delay_ms=100)
        async with behind(viewers=slow) as (_, path), chromium() as browser:
            page = await browser.new_page()
            await page.goto(f"{path.url}/")
            await page.evaluate(WHEP_BY_HAND, WATCH_TOKEN)
            seen: dict[str, Any] = {}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(15):
                    while seen.get("received", 0) < 200:
                        await asyncio.sleep(0.2)
                        seen = await page.evaluate(STATISTICS)
            (relay,) = path.proxy.viewers.relays.values()
            assert seen["port"] == relay.address[1]
            assert seen["received"] >= 200
            assert seen["round_trip_s"] >= 0.2
            assert path.proxy.viewers.to_client.packets >= seen["received"]

    asyncio.run(main())
