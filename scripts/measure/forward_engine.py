"""`python -m measure.forward_engine ours|relay`: one engine behind two plain HTTP paths.

`ours` is the embedded engine as `paystream serve` runs it, meter included; `relay` is aiortc's own
way of forwarding encoded packets, `MediaRelay` on tracks that are not decoded. Prints its port;
`GET /figures` gives packets sent and processor time used until now.
"""

from __future__ import annotations

import asyncio
import json
import queue
import resource
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

from streaming.sfu.aiortc_engine import AiortcEngine, AiortcSubscription

STREAM = 1


class Engine(Protocol):
    """What is measured."""

    async def publish(self, offer: str) -> str:
        """Answer the publisher."""

    async def watch(self, offer: str) -> str:
        """Answer a viewer, and forward to it."""

    async def packets_sent(self) -> int:
        """RTP packets sent to all viewers."""


class Ours:
    """The embedded engine."""

    def __init__(self) -> None:
        self._engine = AiortcEngine()
        self._subscriptions: list[AiortcSubscription] = []

    async def publish(self, offer: str) -> str:
        """Answer the publisher."""
        return (await self._engine.publish(STREAM, offer, sound_alone=False)).answer

    async def watch(self, offer: str) -> str:
        """Answer a viewer, and forward to it."""
        prepared = await self._engine.prepare(STREAM, offer)
        answer, subscription = await prepared.answer(lambda _reason: None)
        self._subscriptions.append(subscription)
        subscription.release("admission")
        return answer

    async def packets_sent(self) -> int:
        """RTP packets sent to all viewers."""
        return sum(each.figures().packets_sent for each in self._subscriptions)


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

    async def packets_sent(self) -> int:
        """RTP packets sent to all viewers."""
        sent = 0
        for peer in self._peers:
            for sender in peer.getSenders():
                for stats in (await sender.getStats()).values():
                    if stats.type == "outbound-rtp":
                        sent += stats.packetsSent
        return sent


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

    async def figures(_request: web.Request) -> web.Response:
        used = resource.getrusage(resource.RUSAGE_SELF)
        busy_s = used.ru_utime + used.ru_stime
        return web.json_response({"packets": await engine.packets_sent(), "busy_s": busy_s})

    app = web.Application()
    app.add_routes(
        [
            web.post("/publish", publish),
            web.post("/watch", watch),
            web.get("/figures", figures),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(json.dumps({"event": "ready", "port": port}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(ENGINES[sys.argv[1]]()))
