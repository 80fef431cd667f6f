"""The media server's HTTP side with an engine that forwards nothing, for fast tests."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import aiohttp

from streaming.community.database.engine import Engine
from streaming.http.config import ServeConfig
from streaming.http.server import MediaServer
from streaming.http.serving import Listening
from streaming.session_state import StreamRef
from streaming.sfu.media_engine import ConnectionFigures, Ended, LiveState, MediaError
from tests.http.fake_relayer import PUBLISH_TOKEN, WATCH_TOKEN, FakeRelayer

WATCHING = {"Authorization": f"Bearer {WATCH_TOKEN}"}
PUBLISHING = {"Authorization": f"Bearer {PUBLISH_TOKEN}"}
SDP = {"Content-Type": "application/sdp"}


class StillSubscription:
    """A viewer to whom nothing is sent."""

    def __init__(self, on_ended: Ended) -> None:
        self.on_ended = on_ended
        self.held: set[str] = {"admission"}
        self.closed = False
        self.connected = True
        self.delivered_ms = 0
        self.owed_ms = 0
        self.free_ms = 0
        self.rejoined_owing_ms: int | None = None
        self.sound_chosen = False
        self.waits = False
        """Whether something that was sent waits for its receipt."""
        self.reports_alone = False

    def rejoins(self, owed_ms: int) -> None:
        self.rejoined_owing_ms = owed_ms

    def choose_sound(self, *, chosen: bool) -> None:
        self.sound_chosen = chosen

    def hold(self, reason: str) -> None:
        self.held.add(reason)

    def release(self, reason: str) -> None:
        self.held.discard(reason)

    async def settled(self, timeout_s: float) -> bool:
        if not self.waits:
            return True
        await asyncio.sleep(timeout_s)
        return not self.waits

    async def close(self) -> None:
        self.closed = True

    def figures(self) -> ConnectionFigures:
        return ConnectionFigures(
            delivered_ms=self.delivered_ms,
            forwarded_ms=self.delivered_ms,
            unconfirmed_ms=0,
            unpayable_ms=0,
            owed_ms=self.owed_ms,
            free_ms=self.free_ms,
            sound_free_ms=7_300,
            frames_forwarded=0,
            packets_sent=0,
            bytes_sent=0,
            packets_lost=0,
        )


class StillPrepared:
    """An offer that is taken for good."""

    def __init__(self, engine: StillEngine) -> None:
        self.engine = engine
        self.closed = False

    async def answer(self, on_ended: Ended) -> tuple[str, StillSubscription]:
        subscription = StillSubscription(on_ended)
        subscription.connected = self.engine.connects
        self.engine.subscriptions.append(subscription)
        return "v=0\r\nanswer", subscription

    async def close(self) -> None:
        self.closed = True


class StillPublication:
    """A publisher who sends nothing."""

    answer = "v=0\r\nanswer"

    def __init__(self, stream: StreamRef) -> None:
        self.stream = stream
        self.phase: Literal["connecting", "live", "closed"] = "connecting"

    @property
    def closed(self) -> bool:
        return self.phase == "closed"

    async def close(self) -> None:
        self.phase = "closed"


class StillEngine:
    """Takes every offer but those that say no; stream 1 is live."""

    def __init__(self) -> None:
        self.prepared: list[StillPrepared] = []
        self.connects = True
        self.subscriptions: list[StillSubscription] = []
        self.publications: list[StillPublication] = []
        self.unpublished: list[StreamRef] = []

    async def publish(
        self, stream: StreamRef, offer: str, *, sound_alone: bool
    ) -> StillPublication:
        publication = StillPublication(stream)
        self.publications.append(publication)
        return publication

    async def prepare(self, stream: StreamRef, offer: str) -> StillPrepared:
        if offer == "no":
            raise MediaError(422, "no-video", "this offer says no")
        self.prepared.append(StillPrepared(self))
        return self.prepared[-1]

    def live(self, stream: StreamRef) -> LiveState | None:
        return next((state for state in self.all_live() if state.stream == stream), None)

    def all_live(self) -> list[LiveState]:
        return [
            LiveState(
                stream=StreamRef(1),
                video_codec="VP8",
                audio_codec="opus",
                viewers=len(self.subscriptions),
                bitrate_bps=600_000,
                frozen_ms=5,
            )
        ]

    def turned_away(self) -> dict[str, int]:
        return {"stranger": 3}

    async def unpublish(self, stream: StreamRef) -> None:
        self.unpublished.append(stream)

    async def close(self) -> None:
        return None


@dataclasses.dataclass
class HttpRig:
    """Server, relayer, engine, and a client to ask with."""

    relayer: FakeRelayer
    server: MediaServer
    engine: StillEngine
    url: str
    client: aiohttp.ClientSession
    listening: Listening
    answering: Listening
    """The operator's port."""

    async def scrape(self) -> bytes:
        """What Prometheus gets."""
        url = f"http://127.0.0.1:{self.answering.port}/metrics"
        async with self.client.get(url) as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=")
            return await response.read()

    async def ask(
        self, method: str, path: str, **options: Any
    ) -> tuple[int, aiohttp.typedefs.LooseHeaders, Any]:
        """Status, headers and body of one request."""
        async with self.client.request(method, self.url + path, **options) as response:
            body: Any = await response.read()
            if "json" in response.content_type:
                body = await response.json(content_type=None)
            return response.status, response.headers, body

    async def refused(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """Status and code of a request that is to fail properly."""
        status, headers, body = await self.ask(method, path, **options)
        assert headers["Content-Type"] == "application/problem+json", body
        assert body["status"] == status
        assert body["detail"]
        assert "Traceback" not in str(body)
        return status, body["code"]


@contextlib.asynccontextmanager
async def http_rig(
    *, real_engine: bool = False, tables: Engine | None = None, **options: Any
) -> AsyncIterator[HttpRig]:
    """Everything up; everything down at the end. `tables` are the community's."""
    with tempfile.TemporaryDirectory() as folder:
        relayer = FakeRelayer(Path(folder) / "relay.sock")
        await relayer.start()
        engine = StillEngine()
        config = ServeConfig(socket=relayer.socket, **options)
        server = MediaServer(config, "http://test", None if real_engine else engine, tables)
        listening = await server.listen(socket.create_server(("127.0.0.1", 0)))
        answering = await server.listen_to_operator(socket.create_server(("127.0.0.1", 0)))
        server.start()
        try:
            scheme = "http" if config.tls is None else "https"
            url = f"{scheme}://127.0.0.1:{listening.port}"
            async with aiohttp.ClientSession() as client:
                yield HttpRig(relayer, server, engine, url, client, listening, answering)
        finally:
            await server.close()
            await listening.close()
            await answering.close()
            await relayer.stop()
