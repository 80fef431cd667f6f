"""`python -m measure.forward_load URL VIEWERS CLIP`: a publisher, and viewers that only count.

The viewers are aiortc's own peers with depayloading and decoding left out: they answer with
receiver reports and ask for what was lost, as any viewer does. Prints one JSON line when all watch.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtpPacket

CONNECTED_SECONDS_MAX = 30.0


def _peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def _only(transceiver: Any, kind: str, name: str) -> None:
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.name == name])


async def _connect(peer: RTCPeerConnection, session: aiohttp.ClientSession, url: str) -> None:
    connected = asyncio.Event()

    @peer.on("connectionstatechange")
    def changed() -> None:
        if peer.connectionState == "connected":
            connected.set()

    await peer.setLocalDescription(await peer.createOffer())
    async with session.post(url, data=peer.localDescription.sdp) as answer:
        answer.raise_for_status()
        sdp = await answer.text()
    await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
    await asyncio.wait_for(connected.wait(), CONNECTED_SECONDS_MAX)


async def _publish(session: aiohttp.ClientSession, url: str, clip: str) -> list[Any]:
    player = MediaPlayer(clip, loop=True, decode=False)
    peer = _peer()
    for track, kind, name in ((player.video, "video", "H264"), (player.audio, "audio", "opus")):
        if not isinstance(track, MediaStreamTrack):
            raise SystemExit(f"{clip} has no {kind}")
        _only(peer.addTransceiver(track, direction="sendonly"), kind, name)
    await _connect(peer, session, f"{url}/publish")
    return [peer, player]


class _Counter:
    """Counts what one receiver gets, and keeps what its reports are made of."""

    def __init__(self, receiver: Any, clock_rate: int) -> None:
        self.packets = 0
        self._streams = receiver._RTCRtpReceiver__remote_streams  # noqa: SLF001
        self._clock_rate = clock_rate

    async def handle(self, packet: RtpPacket, _arrival_time_ms: int) -> None:
        """Take one packet."""
        self.packets += 1
        stream = self._streams.get(packet.ssrc)
        if stream is None:
            stream = self._streams[packet.ssrc] = StreamStatistics(self._clock_rate)
        stream.add(packet)


async def _watch(session: aiohttp.ClientSession, url: str) -> tuple[RTCPeerConnection, list[Any]]:
    peer, counters = _peer(), []
    for kind, name, clock_rate in (("video", "H264", 90_000), ("audio", "opus", 48_000)):
        transceiver = peer.addTransceiver(kind, direction="recvonly")
        _only(transceiver, kind, name)
        counter = _Counter(transceiver.receiver, clock_rate)
        receiver: Any = transceiver.receiver
        receiver._handle_rtp_packet = counter.handle  # noqa: SLF001
        counters.append(counter)
    await _connect(peer, session, f"{url}/watch")
    return peer, counters


async def _main(url: str, viewers: int, clip: str) -> None:
    async with aiohttp.ClientSession() as session:
        publisher = await _publish(session, url, clip)
        await asyncio.sleep(1)  # until the engine has the publisher's first keyframe
        watching = [await _watch(session, url) for _ in range(viewers)]
        print(json.dumps({"event": "ready"}), flush=True)
        await asyncio.Event().wait()
        del publisher, watching  # alive until here


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
