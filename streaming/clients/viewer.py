"""Our own viewer: WHEP, decoding frames or counting them.

It measures what it saw by its own clock alone, comes back by itself for 15 s when the server or
the path is lost, and leaves properly.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from aiortc import RTCPeerConnection
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from streaming.clients import held, peer
from streaming.clients.config import WatchConfig, WatchResult
from streaming.clients.frame_clock import FrameClock, FrameCounter, SoundCounter
from streaming.clients.rest_client import ClientError, RestClient
from streaming.session_state import RESUME_WITHIN_MS
from streaming.sfu import aiortc_adapter
from streaming.sfu.aiortc_adapter import ReceiverFeedback, now_us
from streaming.sfu.publication import PublishedTracks, Track

log = logging.getLogger(__name__)

RETRY_S = 0.3
POLL_S = 0.02
PAUSE_MIN_S = 0.001
TELL_EVERY_S = 1.0
NOT_LIVE_PATIENCE_S = 5.0
SILENT_US = 2_000_000
SILENT_BUT_LIVE_US = 5_000_000
SILENT_BUT_LIVE_MAX_US = 40_000_000
LEAVE_WITHIN_S = 5.0
TEND_S = 0.1


async def watch(config: WatchConfig) -> WatchResult:
    """Watch until the time is over; see `streaming.cli.run_watch`."""
    async with RestClient(config.server) as rest:
        watching = _Watching(config, rest)
        try:
            reason = await watching.run()
        except asyncio.CancelledError:
            peer.forget_cancellation()
            reason = "stopped"
        finally:
            watching.end()
            await watching.leave()
        return watching.result(reason)


class _Watching:
    """One run of the viewer, over as many connections as it takes."""

    def __init__(self, config: WatchConfig, rest: RestClient) -> None:
        self._config = config
        self._rest = rest
        self._clock = FrameClock()
        self._began_us: int | None = None
        self._pc: RTCPeerConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._resource: str | None = None
        self._resume: str | None = None
        self._sessions: list[str] = []
        self._connects = 0
        self._delivered_ms: int | None = None
        self._server = peer.ServerWatch(rest)
        self._heard_us = 0
        self._patience_us = SILENT_BUT_LIVE_US
        self._told_first = False
        """Whether it has been told that the first picture is there."""
        self._told_us = 0
        """When the server last said why nothing, or no picture, comes."""
        self._held: dict[str, Any] | None = None
        """What was told last of why the server sends nothing, or no picture."""
        self._chosen_for: str | None = None
        """The connection of which the server has been told to go on with sound."""

    async def run(self) -> str:
        """Watch; returns why it ended."""
        config = self._config
        token = config.token or await self._rest.authenticate("watch", config.signer)
        lost = await self._first_connect(token)
        while True:
            reason = await self._until_over(lost)
            if reason is not None:
                return reason
            found = await self._come_back(token)
            if isinstance(found, str):
                return found
            lost = found

    # --- connecting ------------------------------------------------------------------

    async def _first_connect(self, token: str) -> asyncio.Event:
        asked_to_pay = False
        until = time.monotonic() + NOT_LIVE_PATIENCE_S
        while True:
            try:
                return await self._connect(token)
            except ClientError as error:
                make_payable = self._config.make_payable
                if error.status == 402 and make_payable is not None and not asked_to_pay:
                    asked_to_pay = True
                    await make_payable(self._rest, token, error.terms or {})
                    self._began_us = None
                elif error.code != "not-live" or time.monotonic() > until:
                    raise
                else:
                    await asyncio.sleep(RETRY_S)

    async def _come_back(self, token: str) -> asyncio.Event | str:
        """Connect again within 15 s; the reason why not, if that fails."""
        log.warning("the connection was lost; coming back")
        until = time.monotonic() + RESUME_WITHIN_MS / 1000
        while True:
            try:
                return await self._connect(token)
            except ClientError as error:
                passing = error.status is None or error.status >= 500 or error.code == "not-live"
                if not passing or time.monotonic() > until:
                    return "publisher-gone" if error.code == "not-live" else error.code
                await asyncio.sleep(RETRY_S)

    async def _connect(self, token: str) -> asyncio.Event:
        await self._hang_up()
        if self._began_us is None:
            self._began_us = now_us()
        pc = self._pc = aiortc_adapter.new_peer()
        for kind in ("video", "audio"):
            pc.addTransceiver(kind, direction="recvonly")
        lost = peer.gone(pc)
        if not self._config.count_only:
            pc.on("track", self._decode)
        headers = {} if self._resume is None else {"PayStream-Resume": self._resume}
        if self._config.renew:
            headers["PayStream-Renew"] = "1"
        answered = await peer.exchange(
            pc, self._rest, f"/whep/{self._config.stream}", token, headers
        )
        if self._config.count_only:
            self._count(pc)
        else:
            self._spawn(ReceiverFeedback(pc).send_for_ever())
        self._resource = self._rest.path_of(answered.get("Location"))
        self._resume = answered.get("PayStream-Resume")
        session = answered.get("PayStream-Session")
        if session is not None and session not in self._sessions:
            self._sessions.append(session)
        await peer.connected(pc, lost)
        self._connects += 1
        self._heard_us = now_us()
        await self._server.meet()
        return lost

    # --- watching --------------------------------------------------------------------

    async def _until_over(self, lost: asyncio.Event) -> str | None:
        """Wait until the time is over (`seconds`) or the connection is lost (None)."""
        told_s = time.monotonic()
        while True:
            await self._pause(lost, told_s)
            now = now_us()
            first_us = self._clock.first_us
            if first_us is not None:
                if not self._told_first:
                    self._told_first = True
                    self._tell("playing", first_frame_ms=self._first_frame_ms())
                seconds = self._config.seconds
                if seconds is not None and now - first_us >= seconds * 1_000_000:
                    return "seconds"
            if lost.is_set():
                return None
            if time.monotonic() - told_s >= TELL_EVERY_S:
                told_s = time.monotonic()
                self._tell("watching", watched_ms=self._clock.watched_ms, frames=self._clock.frames)
                if await self._lost_silently(now):
                    return None

    async def _pause(self, lost: asyncio.Event, told_s: float) -> None:
        """Wait until there may be something to do: many viewers may share a process."""
        first_us, seconds = self._clock.first_us, self._config.seconds
        if first_us is None:
            await asyncio.sleep(POLL_S)
            return
        wait_s = told_s + TELL_EVERY_S - time.monotonic()
        if seconds is not None:
            wait_s = min(wait_s, seconds - (now_us() - first_us) / 1_000_000)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(lost.wait(), max(wait_s, PAUSE_MIN_S))

    async def _lost_silently(self, now: int) -> bool:
        """Whether nothing comes, and the server that we knew does not say why."""
        silent_us = now - max(self._heard_us, self._clock.last_us or 0)
        if silent_us < SILENT_US:
            self._tell_held(None)
            return False
        try:
            state = await self._rest.connection(self._resource or "")
        except ClientError as error:
            if error.status in (404, 410) or await self._server.gone():
                return True
            state = {}
        silent_us = min(silent_us, now - (self._clock.sound_us or 0))
        reasons = held.told_reasons(state)
        if not reasons:
            return await self._silent_but_live(min(silent_us, now - self._told_us))
        await self._choose(reasons)
        self._told_us = now
        self._tell_held(held.event_of(state, reasons))
        return held.sound_flows(reasons) and silent_us >= self._patience_us

    async def _choose(self, reasons: list[str]) -> None:
        """Say once a connection that sound is wanted where there is no picture."""
        resource = self._resource
        if not self._config.sound_alone or resource is None or self._chosen_for == resource:
            return
        if "path" in reasons or "sound-alone" in reasons:
            with contextlib.suppress(ClientError):  # it is said again in a second
                await self._rest.choose_sound(resource)
                self._chosen_for = resource

    def _tell_held(self, told: dict[str, Any] | None) -> None:
        """Tell that media waits, and why, where that is new; or that it flows again."""
        known, self._held = self._held, told
        if told is None:
            if known is not None:
                self._tell("flowing")
        elif known is None or (told["reasons"], told["why"]) != (known["reasons"], known["why"]):
            self._tell("held", **told)

    async def _silent_but_live(self, silent_us: int) -> bool:
        """Whether the stream goes on, for others, while nothing comes here."""
        if silent_us < self._patience_us:
            return False
        with contextlib.suppress(ClientError):
            state = await self._rest.stream(self._config.stream)
            lost = bool(state.get("live")) and (state.get("frozen_ms") or 0) < 1000
            if lost:
                # On a machine that is too slow, handshakes of all who come back make it slower yet.
                self._patience_us = min(2 * self._patience_us, SILENT_BUT_LIVE_MAX_US)
            return lost
        return False

    def _decode(self, track: MediaStreamTrack) -> None:
        self._spawn(self._consume(track))

    async def _consume(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                await track.recv()
                (self._clock.frame if track.kind == "video" else self._clock.sound)(now_us())

    def _count(self, pc: RTCPeerConnection) -> None:
        """Take packets undecoded, report and repair as a receiver does, count whole frames."""
        outlet = aiortc_adapter.Outlet(pc.getTransceivers()[0].receiver.transport)
        tracks: dict[str, Track] = {}
        for transceiver in pc.getTransceivers():
            if transceiver.currentDirection != "recvonly":
                continue
            codec = aiortc_adapter.keep_first_codec(transceiver)
            rtcp_ssrc, _ = aiortc_adapter.sources_of(transceiver.sender)
            track = Track(codec, rtcp_ssrc, outlet.send_rtcp)
            tracks[codec.kind] = track
            if codec.kind == "video":
                track.sinks.append(FrameCounter(track, self._clock.frame))
            else:
                track.sinks.append(SoundCounter(self._clock.sound))
        published = PublishedTracks(self._config.stream, tracks)
        numbered_by = aiortc_adapter.numbered_by(pc)
        aiortc_adapter.IngestPort(pc, published, numbered_by, outlet.send_rtcp)
        self._spawn(self._tend(published))

    async def _tend(self, published: PublishedTracks) -> None:
        while True:
            await asyncio.sleep(TEND_S)
            published.tend(now_us())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- ends ------------------------------------------------------------------------

    def _tell(self, event: str, **facts: Any) -> None:
        if self._config.on_progress is not None:
            session = self._sessions[-1] if self._sessions else None
            self._config.on_progress({"event": event, "session": session, **facts})

    def _first_frame_ms(self) -> int | None:
        if self._clock.first_us is None or self._began_us is None:
            return None
        return (self._clock.first_us - self._began_us) // 1000

    def result(self, reason: str) -> WatchResult:
        """What was watched until now."""
        return WatchResult(
            stream=self._config.stream,
            account=self._config.signer.account,
            session=self._sessions[-1] if self._sessions else None,
            sessions=tuple(self._sessions),
            watched_ms=self._clock.watched_ms,
            freezes_ms=self._clock.freezes_ms,
            sound_alone_ms=self._clock.sound_alone_ms,
            frames_decoded=self._clock.frames,
            first_frame_ms=self._first_frame_ms(),
            reconnects=max(0, self._connects - 1),
            end_reason=reason,
            delivered_ms=self._delivered_ms,
        )

    def end(self) -> None:
        """Nobody looks any more: what comes after this is no freeze."""
        self._clock.end(now_us())

    async def leave(self) -> None:
        """End the connection: the server waits for our last report while we still listen."""
        resource, self._resource = self._resource, None
        if resource is not None:
            with contextlib.suppress(ClientError):
                _, _, answer = await self._rest.call("DELETE", resource, timeout_s=LEAVE_WITHIN_S)
                if isinstance(answer, dict) and isinstance(answer.get("delivered_ms"), int):
                    self._delivered_ms = answer["delivered_ms"]
        await self._hang_up()

    async def _hang_up(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._pc is not None:
            pc, self._pc = self._pc, None
            await peer.close(pc)
