"""A media server, a scripted relayer and our own clients in one loop, for the media tests."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web

from streaming.clients.config import PublishConfig, WatchConfig, WatchResult
from streaming.clients.publisher import publish
from streaming.clients.source import TEST_PICTURE_KBPS, TEST_PICTURE_SIZE, make_test_file
from streaming.clients.viewer import watch
from streaming.http.config import ServeConfig
from streaming.http.server import MediaServer
from tests.http.fake_relayer import FakeRelayer, FakeSigner


@functools.cache
def sample_file(kbps: int = TEST_PICTURE_KBPS, size: tuple[int, int] = TEST_PICTURE_SIZE) -> Path:
    """Some seconds of test pictures of a rate and a size, and a tone, made once per run."""
    made = Path(__file__).stat().st_mtime_ns
    path = Path(tempfile.gettempdir()) / f"paystream-test-{kbps}-{size[1]}-{made}.webm"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}")  # tests run beside each other
        make_test_file(part, kbps=kbps, size=size)
        part.rename(path)
    return path


@dataclasses.dataclass
class Rig:
    """What a test plays with."""

    relayer: FakeRelayer
    server: MediaServer
    url: str
    socket: Path
    events: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @contextlib.asynccontextmanager
    async def publishing(self, **options: Any) -> AsyncIterator[asyncio.Task[Any]]:
        """Our publisher, live."""
        live = asyncio.Event()

        def heard(event: dict[str, Any]) -> None:
            self.events.append(event)
            if event["event"] == "live":
                live.set()

        options.setdefault("video", sample_file())
        config = PublishConfig(
            server=self.url, stream=1, signer=FakeSigner(), on_progress=heard, **options
        )
        task = asyncio.ensure_future(publish(config))
        waiting = asyncio.ensure_future(live.wait())
        await asyncio.wait([task, waiting], timeout=20, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            await task
        assert live.is_set(), "the publisher did not come to life"
        try:
            yield task
        finally:
            if not task.done():
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def watch(self, **options: Any) -> WatchResult:
        """Our viewer, until its time is over."""
        return await watch(WatchConfig(server=self.url, stream=1, signer=FakeSigner(), **options))


@contextlib.asynccontextmanager
async def rig(**options: Any) -> AsyncIterator[Rig]:
    """Everything up; everything down at the end."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "relay.sock"
        relayer = FakeRelayer(socket)
        await relayer.start()
        try:
            async with serving(socket, **options) as (server, url):
                yield Rig(relayer=relayer, server=server, url=url, socket=socket)
        finally:
            await relayer.stop()


@contextlib.asynccontextmanager
async def serving(
    socket: Path, port: int = 0, *, listen_host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[tuple[MediaServer, str]]:
    """A media server on a port of its own."""
    config = ServeConfig(socket=socket, listen_host=listen_host, listen_port=port, **options)
    server = MediaServer(config, "http://test")
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, listen_host, port)
    await site.start()
    server.start()
    try:
        bound = runner.addresses[0][1]
        yield server, f"http://{listen_host}:{bound}"
    finally:
        await server.close()
        await runner.cleanup()
