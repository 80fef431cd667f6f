"""The media engine inside this process: streams, their publisher, their viewers.

`aiortc_adapter` knows aiortc's inside; here is who is connected to whom, and for how long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from aiortc import RTCPeerConnection

from streaming.sfu import aiortc_adapter, codecs, negotiation, offer
from streaming.sfu.addresses import LOOPBACK
from streaming.sfu.aiortc_adapter import now_us
from streaming.sfu.feed import Feed, Numbering, meter_for
from streaming.sfu.ice import IceListener
from streaming.sfu.media_engine import (
    ConnectionFigures,
    Ended,
    LiveState,
    MediaError,
    StreamName,
)
from streaming.sfu.offer import Negotiated
from streaming.sfu.pacer import NACKS_PER_SECOND
from streaming.sfu.publication import PublishedTracks, Track
from streaming.sfu.sockets import Door, MediaSockets
from streaming.sfu.subscription import Subscriber
from streaming.sfu.transport_cc import URI as NUMBERED

log = logging.getLogger(__name__)

TEND_EVERY_S = 0.1
PUBLISHER_GRACE_S = 15.0
CONNECT_WITHIN_S = 15.0


class AiortcPublication:
    """One publisher's peer connection."""

    def __init__(self, pc: RTCPeerConnection, published: PublishedTracks, answer: str) -> None:
        self.pc = pc
        self.published = published
        self.answer = answer
        self.made_s = time.monotonic()
        self.on_closed: Callable[[AiortcPublication], None] = _nobody
        self.phase: Literal["connecting", "live", "closed"] = "connecting"

    @property
    def stream(self) -> StreamName:
        """The stream it feeds."""
        return self.published.stream

    async def close(self) -> None:
        """End it. Its viewers wait for another publisher for a while."""
        self.phase = "closed"
        self.on_closed(self)
        await aiortc_adapter.close_quietly(self.pc)


def _nobody(_publication: AiortcPublication) -> None:
    return None


class AiortcSubscription:
    """One viewer's peer connection."""

    def __init__(
        self,
        pc: RTCPeerConnection,
        negotiated: Negotiated,
        subscriber: Subscriber,
        live: LiveStream,
        on_ended: Ended,
    ):
        self.subscriber = subscriber
        self.negotiated = negotiated
        self._pc = pc
        self._live = live
        self._on_ended: Ended | None = on_ended
        live.subscriptions.add(self)
        subscriber.attach(live.published, now_us())
        pc.on("connectionstatechange", self._state_changed)

    def _state_changed(self) -> None:
        if self._pc.connectionState in ("closed", "failed"):
            self.ended("vanished")

    def ended(self, reason: str) -> None:
        """Tell, once, that it cannot go on."""
        on_ended, self._on_ended = self._on_ended, None
        self.subscriber.hold("ended")
        if on_ended is not None:
            on_ended(reason)

    def rejoins(self, owed_ms: int) -> None:
        """It goes on with a session that an earlier connection began, which owed so much."""
        self.subscriber.rejoins(owed_ms)

    def choose_sound(self, *, chosen: bool) -> None:
        """Go on with sound where the path carries no picture, and pay for it; or rather wait."""
        self.subscriber.choose_sound(now_us(), chosen=chosen)

    @property
    def connected(self) -> bool:
        """Whether the peer connection was there."""
        return self.subscriber.connected

    @property
    def held(self) -> list[str]:
        """Why nothing, or no picture, is forwarded at the moment; empty if all is."""
        return self.subscriber.reasons

    def hold(self, reason: str) -> None:
        """Forward nothing while any reason is held."""
        self.subscriber.hold(reason)

    def release(self, reason: str) -> None:
        """Forward again once no reason is left."""
        self.subscriber.release(reason, now_us())

    @property
    def reports_alone(self) -> bool:
        """Whether what still waits for its receipt can only be covered by a receiver report."""
        return self.subscriber.reports_alone

    async def settled(self, timeout_s: float) -> bool:
        """Wait until a report covers all that was forwarded, or the time is over. Returns whether
        there is nothing more to wait for."""
        until = time.monotonic() + timeout_s
        while self.subscriber.waiting and self._pc.connectionState == "connected":
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(0.02)
        return True

    async def close(self) -> None:
        """Close the peer connection. Figures stay readable."""
        self._on_ended = None
        self.subscriber.hold("ended")
        self.subscriber.attach(None, now_us())
        self._live.subscriptions.discard(self)
        await aiortc_adapter.close_quietly(self._pc)

    def figures(self) -> ConnectionFigures:
        """What was sent until now."""
        return self.subscriber.figures()


class AiortcPrepared:
    """A viewer's offer that can be served."""

    def __init__(
        self,
        pc: RTCPeerConnection,
        negotiated: Negotiated,
        subscriber: Subscriber,
        live: LiveStream,
        door: Door,
    ):
        self._pc = pc
        self._negotiated = negotiated
        self._subscriber = subscriber
        self._live = live
        self._door = door
        live.prepared.add(self)

    async def answer(self, on_ended: Ended) -> tuple[str, AiortcSubscription]:
        """The SDP answer, and the held subscription."""
        subscriber, negotiated = self._subscriber, self._negotiated
        aiortc_adapter.EgressPort(subscriber, self._pc, self._door)
        answer, subscriber.cname = await negotiation.make_answer(self._pc, negotiated)
        subscription = AiortcSubscription(self._pc, negotiated, subscriber, self._live, on_ended)
        self._live.prepared.discard(self)
        # Another publisher may have come since the offer was read, with what was not agreed.
        self._live.end_unserved(subscription)
        return answer, subscription

    async def close(self) -> None:
        """Drop it."""
        self._live.prepared.discard(self)
        await aiortc_adapter.close_quietly(self._pc)


class LiveStream:
    """One stream: who publishes it now, and who watches."""

    def __init__(self, stream: StreamName) -> None:
        self.stream = stream
        self.publication: AiortcPublication | None = None
        self.subscriptions: set[AiortcSubscription] = set()
        self.prepared: set[AiortcPrepared] = set()
        """Viewers who are being admitted: the stream stays for them too."""
        self.gone_s = time.monotonic()

    @property
    def published(self) -> PublishedTracks | None:
        """What is being published now."""
        return None if self.publication is None else self.publication.published

    def follow(self, publication: AiortcPublication | None) -> None:
        """Take another publisher (or none). Viewers whose codecs it does not send are ended."""
        self.publication = publication
        self.gone_s = time.monotonic()
        for subscription in list(self.subscriptions):
            subscription.subscriber.attach(self.published, now_us())
            self.end_unserved(subscription)

    def end_unserved(self, subscription: AiortcSubscription) -> None:
        """End a viewer who has not agreed to what is published now: it could decode nothing."""
        if self.published is not None and not _serves(self.published, subscription):
            subscription.ended("publisher-gone")

    def tend(self, now: int, unix: int) -> None:
        """Reports, limits and the grace after a publisher has gone."""
        if self.published is not None:
            self.published.tend(now)
        gone = self.publication is None and time.monotonic() - self.gone_s > PUBLISHER_GRACE_S
        for subscription in list(self.subscriptions):
            reason = "publisher-gone" if gone else subscription.subscriber.tend(now, unix)
            if reason is not None:
                subscription.ended(reason)


def _serves(published: PublishedTracks, subscription: AiortcSubscription) -> bool:
    """Whether a viewer can decode what another publisher sends, in the formats it was answered."""
    for kind, feed in subscription.subscriber.feeds.items():
        track = published.tracks.get(kind)
        if track is None:
            if feed.meter is not None:
                return False
        elif not codecs.covers(subscription.negotiated.codecs[kind], track.codec):
            return False
    return True


class AiortcEngine:
    """Publications in, subscriptions out, on aiortc in this process."""

    def __init__(
        self,
        addresses: Sequence[str] = (LOOPBACK,),
        udp_ports: tuple[int, int] | None = None,
        *,
        nacks_per_second: int = NACKS_PER_SECOND,
    ) -> None:
        """`nacks_per_second` of each viewer are answered (0: all)."""
        self._nacks_per_second = nacks_per_second
        self._listener = IceListener(addresses, udp_ports)
        self._streams: dict[StreamName, LiveStream] = {}
        self._connecting: set[AiortcPublication] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    # --- publishing ------------------------------------------------------------------

    async def publish(
        self, stream: StreamName, sdp: str, *, sound_alone: bool
    ) -> AiortcPublication:
        """Answer a publisher's offer; once connected it replaces an earlier one."""
        self._start()
        negotiated = offer.publishing(offer.read(sdp), sound_alone=sound_alone)
        pc = await negotiation.open_peer(negotiated)
        try:
            publication = await self._answer_publisher(pc, stream, negotiated)
        except BaseException:
            await aiortc_adapter.close_quietly(pc)
            raise
        self._connecting.add(publication)
        return publication

    async def _answer_publisher(
        self, pc: RTCPeerConnection, stream: StreamName, negotiated: Negotiated
    ) -> AiortcPublication:
        tracks: dict[str, Track] = {}
        outlet = aiortc_adapter.Outlet(pc.getTransceivers()[0].receiver.transport)
        for kind, codec in negotiated.codecs.items():
            transceiver = negotiation.transceiver_of(pc, negotiated, kind)
            rtcp_ssrc, _ = aiortc_adapter.sources_of(transceiver.sender)
            tracks[kind] = Track(codec, rtcp_ssrc, outlet.send_rtcp)
        published = PublishedTracks(stream, tracks)
        door = self._listener.listen(pc, publisher=True)
        numbered_by = negotiated.extension_id(NUMBERED)
        aiortc_adapter.IngestPort(pc, published, numbered_by, outlet.send_rtcp, door)
        answer, _ = await negotiation.make_answer(pc, negotiated)
        publication = AiortcPublication(pc, published, answer)
        publication.on_closed = self._publication_closed

        def state_changed() -> None:
            if pc.connectionState == "connected":
                self._connected(publication)
            elif pc.connectionState in ("closed", "failed"):
                self._publication_closed(publication)

        pc.on("connectionstatechange", state_changed)
        return publication

    def _connected(self, publication: AiortcPublication) -> None:
        if publication not in self._connecting:
            return
        self._connecting.discard(publication)
        live = self._streams.setdefault(publication.stream, LiveStream(publication.stream))
        earlier = live.publication
        log.info("stream %s is being published", publication.stream)
        publication.phase = "live"
        live.follow(publication)
        if earlier is not None:
            self._later(earlier)

    def _publication_closed(self, publication: AiortcPublication) -> None:
        if publication in self._connecting:
            self._connecting.discard(publication)
            self._later(publication)
        live = self._streams.get(publication.stream)
        if live is not None and live.publication is publication:
            log.info("stream %s is no longer being published", publication.stream)
            live.follow(None)
            self._later(publication)

    def _later(self, publication: AiortcPublication) -> None:
        publication.phase = "closed"
        task = asyncio.ensure_future(aiortc_adapter.close_quietly(publication.pc))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def turned_away(self) -> Mapping[str, int]:
        """Datagrams that media sockets have turned away, by kind, since the start."""
        return self.sockets.rejected

    async def unpublish(self, stream: StreamName) -> None:
        """End a stream's publication, if there is one."""
        live = self._streams.get(stream)
        if live is not None and live.publication is not None:
            await live.publication.close()

    # --- watching --------------------------------------------------------------------

    async def prepare(self, stream: StreamName, sdp: str) -> AiortcPrepared:
        """Read a viewer's offer and see whether it can be served."""
        read = offer.read(sdp)
        live = self._streams.get(stream)
        published = None if live is None else live.published
        if live is None or published is None:
            raise MediaError(
                409, "not-live", f"nobody publishes stream {stream} at the moment; try again soon"
            )
        wanted = {kind: track.codec for kind, track in published.tracks.items()}
        negotiated = offer.watching(read, wanted)
        pc = await negotiation.open_peer(negotiated)
        try:
            subscriber = _subscriber(pc, negotiated, self._nacks_per_second)
            door = self._listener.listen(pc, publisher=False)
        except BaseException:
            await aiortc_adapter.close_quietly(pc)
            raise
        return AiortcPrepared(pc, negotiated, subscriber, live, door)

    # --- state -----------------------------------------------------------------------

    def live(self, stream: StreamName) -> LiveState | None:
        """State of one stream, if it is being published."""
        live = self._streams.get(stream)
        if live is None or live.published is None:
            return None
        tracks = live.published.tracks
        return LiveState(
            stream=stream,
            video_codec=tracks["video"].codec.name if "video" in tracks else None,
            audio_codec=tracks["audio"].codec.name if "audio" in tracks else None,
            viewers=len(live.subscriptions),
            bitrate_bps=live.published.bitrate_bps,
            frozen_ms=live.published.frozen_ms(now_us()),
        )

    def all_live(self) -> list[LiveState]:
        """State of everything that is being published, what began first at the front."""
        states = (self.live(stream) for stream in self._streams)
        return [state for state in states if state is not None]

    def half_open(self, stream: StreamName | None = None) -> int:
        """How many peer connections have been answered and are not connected (of one stream)."""
        publishers = [p.stream for p in self._connecting]
        viewers = [
            live.stream
            for live in self._streams.values()
            for subscription in live.subscriptions
            if not subscription.subscriber.connected
        ]
        every = publishers + viewers
        return len(every) if stream is None else every.count(stream)

    @property
    def sockets(self) -> MediaSockets:
        """The media sockets: how many are open, and what was turned away at them."""
        return self._listener.sockets

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tend())

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_EVERY_S)
            now, unix = now_us(), time.time_ns() // 1000
            for live in list(self._streams.values()):
                live.tend(now, unix)
                if live.publication is None and not live.subscriptions and not live.prepared:
                    del self._streams[live.stream]
            for publication in list(self._connecting):
                if time.monotonic() - publication.made_s > CONNECT_WITHIN_S:
                    self._publication_closed(publication)

    async def close(self) -> None:
        """Close every connection."""
        if self._task is not None:
            self._task.cancel()
        publications = list(self._connecting)
        subscriptions: list[AiortcSubscription] = []
        for live in self._streams.values():
            subscriptions.extend(live.subscriptions)
            if live.publication is not None:
                publications.append(live.publication)
        self._connecting.clear()
        await asyncio.gather(
            *(subscription.close() for subscription in subscriptions),
            *(publication.close() for publication in publications),
        )
        await asyncio.gather(*self._closing)


def _subscriber(pc: RTCPeerConnection, negotiated: Negotiated, nacks_per_second: int) -> Subscriber:
    feeds: dict[str, Feed] = {}
    for kind, codec in negotiated.codecs.items():
        transceiver = negotiation.transceiver_of(pc, negotiated, kind)
        ssrc, rtx_ssrc = aiortc_adapter.sources_of(transceiver.sender)
        feeds[kind] = Feed(
            kind,
            codec_name=codec.name,
            ssrc=ssrc,
            payload_type=codec.payload_type,
            clock_rate=codec.clock_rate,
            rtx=None if codec.rtx_payload_type is None else (rtx_ssrc, codec.rtx_payload_type),
            meter=meter_for(set(negotiated.codecs), kind, codec.clock_rate),
        )
    extension = negotiated.extension_id(NUMBERED)
    numbered = frozenset(
        kind
        for kind in negotiated.codecs
        if negotiated.extension_id(NUMBERED, kind) is not None
        and negotiated.has_feedback(kind, "transport-cc")
    )
    numbering = None if extension is None else Numbering(extension)
    return Subscriber(
        feeds,
        now_us(),
        numbering=numbering,
        numbered=numbered,
        nacks_per_second=nacks_per_second,
    )
