"""aiortc as a player that somebody wrote with its documentation alone: recvonly video first, then
audio, POST the offer, count frames, DELETE."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

import aiohttp
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from tests.http.fake_relayer import WATCH_TOKEN
from tests.programs.scene import counted, last_words
from tests.sfu.rig import rig

pytestmark = pytest.mark.programs

WATCH_S = 10.0
GAP_MAX_S = 1.5


def test_it_views() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing(), aiohttp.ClientSession() as http:
            connection = RTCPeerConnection()
            arrived: dict[str, list[float]] = {"video": [], "audio": []}
            reading: list[asyncio.Task[None]] = []

            async def read(track: MediaStreamTrack) -> None:
                with contextlib.suppress(MediaStreamError):
                    while True:
                        await track.recv()
                        arrived[track.kind].append(time.monotonic())

            @connection.on("track")
            def on_track(track: MediaStreamTrack) -> None:
                reading.append(asyncio.ensure_future(read(track)))

            connection.addTransceiver("video", direction="recvonly")
            connection.addTransceiver("audio", direction="recvonly")
            await connection.setLocalDescription(await connection.createOffer())
            headers = {"Authorization": f"Bearer {WATCH_TOKEN}", "Content-Type": "application/sdp"}
            asked = time.monotonic()
            offer = connection.localDescription.sdp
            async with http.post(f"{r.url}/whep/1", data=offer, headers=headers) as answer:
                assert answer.status == 201, await answer.text()
                text = await answer.text()
                resource = answer.headers["Location"]
            await connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
            await asyncio.sleep(WATCH_S)
            headers = {"Authorization": headers["Authorization"]}
            async with http.delete(r.url + resource, headers=headers) as answer:
                assert answer.status == 200
                said = await answer.json()
            await connection.close()
            await asyncio.gather(*reading)
            times = arrived["video"]
            assert times[0] - asked < 1.0
            assert len(times) > WATCH_S * 20
            assert len(arrived["audio"]) > WATCH_S * 40
            gaps = (later - earlier for earlier, later in itertools.pairwise(times))
            watched_ms = 1000 * sum(gap for gap in gaps if gap <= GAP_MAX_S)
            final = await last_words(r)
            assert said["delivered_ms"] == final.delivered_ms
            counted(final, watched_ms=watched_ms, least=0.9)

    asyncio.run(main())
