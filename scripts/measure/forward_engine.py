"""`python -m measure.forward_engine ours|relay`: one engine behind two plain HTTP paths.

`ours` is the embedded engine as `paystream serve` runs it, meter included; `relay` is aiortc's own
way of forwarding encoded packets, `MediaRelay` on tracks that are not decoded. Prints its port;
`POST /publish` and `POST /watch` take an offer, `GET /figures` gives what was sent, what the meter
counted, and the processor time used until now.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    rtcrtpreceiver,
)
from aiortc.contrib.media import MediaRelay
from av import Packet

from measure.control import serve
from streaming.sfu.aiortc_engine import AiortcEngine, AiortcSubscription

STREAM = 1
_SUMMED = ("packets_sent", "bytes_sent", "packets_lost", "delivered_ms", "forwarded_ms")


class Engine(Protocol):
    """What is measured."""

    async def publish(self, offer: str) -> str:
        """Answer the publisher."""

    async def watch(self, offer: str) -> str:
        """Answer a viewer, and forward to it."""

    async def figures(self) -> dict[str, Any]:
        """RTP packets sent to all viewers, and, where there is a meter, what it counted."""


class Ours:
    """The embedded engine."""

    def __init__(self) -> None:
        self._engine = AiortcEngine()
        self._subscriptions: list[AiortcSubscription] = []
        self._ended: dict[str, int] = {}

    async def publish(self, offer: str) -> str:
        """Answer the publisher."""
        return (await self._engine.publish(STREAM, offer, sound_alone=False)).answer

    async def watch(self, offer: str) -> str:
        """Answer a viewer, and forward to it."""
        prepared = await self._engine.prepare(STREAM, offer)
        answer, subscription = await prepared.answer(self._note_end)
        self._subscriptions.append(subscription)
        subscription.release("admission")
        return answer

    def _note_end(self, reason: str) -> None:
        self._ended[reason] = self._ended.get(reason, 0) + 1

    async def figures(self) -> dict[str, Any]:
        """RTP packets sent to all viewers, what the meter counted, of how many viewers receipt is
        known by the packet, and who was ended why."""
        total = dict.fromkeys((*_SUMMED, "per_packet"), 0)
        for subscription in self._subscriptions:
            figures = subscription.figures()
            for name in _SUMMED:
                total[name] += getattr(figures, name)
            total["per_packet"] += subscription.subscriber.meter.per_packet
        return {**total, "ended": self._ended}


class Relay:
    """aiortc's receiver with its decoder left out, `MediaRelay`, and aiortc's sender."""

    def __init__(self) -> None:
        rtcrtpreceiver.decoder_worker = _hand_on
        self._relay = MediaRelay()
        self._tracks: list[MediaStreamTrack] = []
        self._peers: list[RTCPeerConnection] = []

    async def publish(self, offer: str) -> str:
        """Answer the publisher."""
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.on("track", self._tracks.append)
        await peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        return await self._answer(peer)

    async def watch(self, offer: str) -> str:
        """Answer a viewer, and forward to it."""
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        await peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        for track in self._tracks:
            peer.addTrack(self._relay.subscribe(track))
        return await self._answer(peer)

    async def _answer(self, peer: RTCPeerConnection) -> str:
        self._peers.append(peer)
        await peer.setLocalDescription(await peer.createAnswer())
        return str(peer.localDescription.sdp)

    async def figures(self) -> dict[str, Any]:
        """RTP packets sent to all viewers."""
        sent = 0
        for peer in self._peers:
            for sender in peer.getSenders():
                for stats in (await sender.getStats()).values():
                    if stats.type == "outbound-rtp":
                        sent += stats.packetsSent
        return {"packets_sent": sent}


def _hand_on(
    loop: asyncio.AbstractEventLoop,
    input_q: queue.Queue[Any],
    output_q: asyncio.Queue[Any],
    decode_error: threading.Event,
) -> None:
    """Stands in for aiortc's decoder thread: frames go on as they came."""
    del decode_error
    while (task := input_q.get()) is not None:
        codec, frame = task
        packet = Packet(frame.data)
        packet.pts, packet.time_base = frame.timestamp, Fraction(1, codec.clockRate)
        loop.call_soon_threadsafe(output_q.put_nowait, packet)


ENGINES: dict[str, Callable[[], Engine]] = {"ours": Ours, "relay": Relay}


async def _serve(engine: Engine) -> None:
    async def publish(request: web.Request) -> web.Response:
        return web.Response(text=await engine.publish(await request.text()))

    async def watch(request: web.Request) -> web.Response:
        return web.Response(text=await engine.watch(await request.text()))

    await serve(engine.figures, {"/publish": publish, "/watch": watch})


if __name__ == "__main__":
    asyncio.run(_serve(ENGINES[sys.argv[1]]()))
