"""Our own publisher: a file to WHIP, in real time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiortc import RTCPeerConnection

from streaming.clients import peer
from streaming.clients.config import PublishConfig, PublishResult
from streaming.clients.media_file import Plan, plan_for
from streaming.clients.rest_client import ClientError, RestClient
from streaming.clients.source import Source, make_test_file
from streaming.sfu.aiortc_adapter import new_peer, prefer

log = logging.getLogger(__name__)

RETRY_S = 0.5
CHECK_SERVER_S = 1.0
LIVE_WITHIN_S = 5.0


async def publish(config: PublishConfig) -> PublishResult:
    """Publish until the time is over; see `streaming.cli.run_publish`."""
    async with _file(config) as path:
        plan = await asyncio.to_thread(plan_for, path)
        if not plan.has_video:
            raise ClientError(
                f"{path} has sound and no picture; give a video file", code="video-invalid"
            )
        async with RestClient(config.server) as rest:
            publishing = _Publishing(config, rest, plan)
            try:
                return await publishing.run()
            except asyncio.CancelledError:
                peer.forget_cancellation()
                return publishing.result("stopped")
            finally:
                await publishing.close()


@contextlib.asynccontextmanager
async def _file(config: PublishConfig) -> AsyncIterator[Path]:
    """The file to publish; one with test pictures is made and removed if none is given."""
    if config.video is not None:
        yield config.video
        return
    with tempfile.TemporaryDirectory(prefix="paystream-") as folder:
        path = Path(folder) / "test-pictures.webm"
        await asyncio.to_thread(make_test_file, path)
        yield path


class _Publishing:
    """One run of the publisher, over as many connections as it takes."""

    def __init__(self, config: PublishConfig, rest: RestClient, plan: Plan) -> None:
        self._config = config
        self._rest = rest
        self._plan = plan
        self._source = Source(plan)
        self._frames_before = 0
        self._pc: RTCPeerConnection | None = None
        self._resource: str | None = None
        self._connects = 0
        self._began_s: float | None = None
        self._freeze = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> PublishResult:
        """Publish; connect again while the server is away."""
        config = self._config
        token = config.token or await self._rest.authenticate(
            "publish", config.signer, config.stream
        )
        with self._freeze_on_signal():
            while True:
                try:
                    lost = await self._connect(token)
                except ClientError as error:
                    if self._connects == 0 or not _passing(error):
                        raise
                    if self._over():
                        return self.result("seconds")
                    await asyncio.sleep(RETRY_S)
                    continue
                if await self._until_over(lost):
                    return self.result("seconds")
                if await self._replaced():
                    return self.result("replaced")
                log.warning("the media server has gone; connecting again")

    async def _connect(self, token: str) -> asyncio.Event:
        await self._hang_up()
        pc = self._pc = new_peer()
        for kind, track in self._source.tracks.items():
            transceiver = pc.addTransceiver(track, direction="sendonly")
            if kind == "video":
                prefer(transceiver, [self._plan.codec or "VP8"], None)
            else:
                prefer(transceiver, ["opus"], None)
        lost = peer.gone(pc)
        answered = await peer.exchange(pc, self._rest, f"/whip/{self._config.stream}", token)
        self._resource = self._rest.path_of(answered.get("Location"))
        await peer.connected(pc, lost)
        await self._source.first_frame.wait()
        self._raise_failure()
        self._connects += 1
        await self._wait_until_live()
        if self._began_s is None:
            self._began_s = time.monotonic()
            self._plan_freeze()
        self._tell("live", stream=self._config.stream, reconnects=self._connects - 1)
        return lost

    def _raise_failure(self) -> None:
        if self._source.failure is not None:
            raise self._source.failure

    async def _wait_until_live(self) -> None:
        until = time.monotonic() + LIVE_WITHIN_S
        while time.monotonic() < until:
            with contextlib.suppress(ClientError):
                if (await self._rest.stream(self._config.stream)).get("live"):
                    return
            await asyncio.sleep(0.05)

    async def _until_over(self, lost: asyncio.Event) -> bool:
        """Wait until the time is over (True) or the server is lost (False)."""
        server = peer.ServerWatch(self._rest)
        await server.meet()
        told_s = time.monotonic()
        while not self._over():
            self._raise_failure()
            if lost.is_set():
                return False
            now_s = time.monotonic()
            if now_s - told_s >= CHECK_SERVER_S:
                told_s = now_s
                if await server.gone():
                    return False
                self._tell("publishing", frames=self._frames)
            await asyncio.sleep(0.05)
        return True

    async def _replaced(self) -> bool:
        """Whether the server hung up on us because somebody else publishes the stream now.

        Coming back would throw the other one out, who would come back in turn.
        """
        if self._pc is None or self._pc.connectionState != "closed":
            return False
        with contextlib.suppress(ClientError):
            return bool((await self._rest.stream(self._config.stream)).get("live"))
        return False

    def _over(self) -> bool:
        seconds = self._config.seconds
        if seconds is None or self._began_s is None:
            return False
        return time.monotonic() - self._began_s >= seconds

    # --- freezing --------------------------------------------------------------------

    @contextlib.contextmanager
    def _freeze_on_signal(self) -> Any:
        """SIGUSR1 freezes, where no moment was given."""
        if self._config.stall_s <= 0:
            yield
            return
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGUSR1, self._freeze.set)
        try:
            yield
        finally:
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(signal.SIGUSR1)

    def _plan_freeze(self) -> None:
        if self._config.stall_s > 0:
            task = asyncio.get_running_loop().create_task(self._freeze_once())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _freeze_once(self) -> None:
        config = self._config
        after = config.stall_after_s
        if after is None and config.seconds is not None:
            after = max(0.0, (config.seconds - config.stall_s) / 2)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._freeze.wait(), after)
        self._tell("frozen", seconds=config.stall_s)
        await self._source.freeze(config.stall_s)
        self._tell("thawed")

    # --- ends ------------------------------------------------------------------------

    def _tell(self, event: str, **facts: Any) -> None:
        if self._config.on_progress is not None:
            self._config.on_progress({"event": event, **facts})

    @property
    def _frames(self) -> int:
        return self._frames_before + self._source.video_frames

    def result(self, reason: str) -> PublishResult:
        """What has been published until now."""
        began_s = self._began_s if self._began_s is not None else time.monotonic()
        return PublishResult(
            stream=self._config.stream,
            published_ms=int((time.monotonic() - began_s) * 1000),
            video_frames=self._frames,
            reconnects=max(0, self._connects - 1),
            end_reason=reason,
        )

    async def _hang_up(self) -> None:
        if self._pc is not None:
            pc, self._pc = self._pc, None
            await peer.close(pc)
        self._frames_before += self._source.video_frames
        await self._source.close()
        self._source = Source(self._plan)

    async def close(self) -> None:
        """End the publication and let go of everything."""
        for task in list(self._tasks):
            task.cancel()
        if self._resource is not None:
            with contextlib.suppress(ClientError):
                await self._rest.call("DELETE", self._resource, timeout_s=2.0)
        await self._hang_up()


def _passing(error: ClientError) -> bool:
    """Whether waiting may help: the server is away, or its relayer is."""
    if error.status is None:
        return error.code in ("server-unreachable", "server-slow", "media-unreachable")
    return error.status >= 500
