"""A publisher, the server's own objects, a path and a viewer, on one made-up clock.

The viewer is a receiver as browsers are: it reports each packet by its transport-wide number (or
sends receiver reports alone), asks for what is missing, and for a keyframe when its picture
stands still. What it *has* is known from the packets that came out of the path: `watched_ms` is
the media time of the frames that it can decode, whatever it says about them. A hostile viewer
has the same packets and says something else.
"""

from __future__ import annotations

import heapq
import itertools
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from streaming.clients.path.model import CLEAR, Path, PathSettings
from streaming.sfu import rtcp
from streaming.sfu.meter import VIDEO_RULES, Meter
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.rtcp_reader import read_compound
from streaming.sfu.rtp import read_packet
from streaming.sfu.subscription import Feed, Numbering, Subscriber
from streaming.sfu.transport_cc import Receiver, transport_sequence

VP8 = TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96, rtx_payload_type=97)
FRAME_US = 40_000
EXTENSION = 5
TICK_US = 5_000
_M32 = 0xFFFFFFFF


@dataclass
class Camera:
    """A picture of so many packets a frame; keyframes on request, or every so often alone."""

    packets: int = 3
    keyframe_packets: int = 12
    keyframe_every_us: int | None = None
    answers: bool = True
    """Whether it answers requests for keyframes."""
    frame_us: int = FRAME_US
    size: int = 1_000


class Clock:
    """What is to happen, in order of time."""

    def __init__(self) -> None:
        self.now_us = 10_000_000
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, when_us: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when_us, next(self._order), what))

    def every(self, interval_us: int, what: Callable[[], None]) -> None:
        def again() -> None:
            what()
            self.at(self.now_us + interval_us, again)

        self.at(self.now_us + interval_us, again)

    def run(self, seconds: float) -> None:
        until = self.now_us + round(seconds * 1_000_000)
        while self._due and self._due[0][0] <= until:
            self.now_us, _, what = heapq.heappop(self._due)
            what()
        self.now_us = until


class Publishing:
    """A camera and the server's track of it, with a path between."""

    def __init__(self, clock: Clock, camera: Camera, path_in: PathSettings, seed: int) -> None:
        self.clock = clock
        self.camera = camera
        self.asked = 0
        self.track = Track(VP8, 1, self._heard)
        self.tracks = PublishedTracks(1, {"video": self.track})
        self._path = Path(path_in, f"{seed}/in")
        self._sequence = 5_000
        self._sent: dict[int, bytes] = {}
        self._timestamp = 1_000
        self._wants_keyframe = True
        self._keyframe_us: int | None = None
        self._repair = 0
        clock.every(camera.frame_us, self._frame)
        clock.every(100_000, lambda: self.tracks.tend(clock.now_us))

    def _frame(self) -> None:
        camera, now_us = self.camera, self.clock.now_us
        self._timestamp += camera.frame_us * 90 // 1000
        every_us = camera.keyframe_every_us
        due = (
            every_us is not None
            and self._keyframe_us is not None
            and now_us - self._keyframe_us >= every_us
        )
        key = self._keyframe_us is None or due or (self._wants_keyframe and camera.answers)
        if key:
            self._keyframe_us = now_us
            self._wants_keyframe = False
        count = camera.keyframe_packets if key else camera.packets
        for index in range(count):
            self._sequence += 1
            head = (b"\x10\x00" if key else b"\x10\x01") if index == 0 else b"\x00\x00"
            marker = 0x80 if index == count - 1 else 0
            packet = struct.pack(
                "!BBHII", 0x80, marker | 96, self._sequence & 0xFFFF, self._timestamp & _M32, 55
            ) + head.ljust(camera.size, b"x")
            self._sent[self._sequence & 0xFFFF] = packet
            self._send(packet)

    def _send(self, packet: bytes) -> None:
        arrival = self._path.arrival_us(packet, self.clock.now_us)
        if arrival is not None:
            self.clock.at(arrival, lambda: self._arrive(packet))

    def _arrive(self, packet: bytes) -> None:
        found = read_packet(packet)
        assert found is not None
        kind, ssrc, what, _ = found
        self.track.receive(kind, ssrc, what, self.clock.now_us)

    def _heard(self, packet: bytes) -> None:
        for message in read_compound(packet):
            name = type(message).__name__
            if name == "PictureLoss":
                self.asked += 1
                self._wants_keyframe = True
            elif name == "Nack":
                for sequence in message.sequences:  # type: ignore[union-attr]
                    self._resend(sequence)

    def _resend(self, sequence: int) -> None:
        packet = self._sent.get(sequence)
        if packet is not None:
            self._repair += 1
            header = struct.pack("!BBH", 0x80, packet[1] & 0x80 | 97, self._repair & 0xFFFF)
            again = header + packet[4:8] + struct.pack("!IH", 56, sequence) + packet[12:]
            self._send(again)


@dataclass
class Decoder:
    """What a viewer can decode of the packets that it has: frames whose packets are all there,
    in an unbroken line from a keyframe that is there."""

    next: int | None = None
    frames: int = 0
    watched_us: int = 0
    last_stamp: int | None = None
    held: dict[int, tuple[int, bool, bool, int]] = field(default_factory=dict)
    last_decoded_us: int = 0

    def add(self, sequence: int, stamp: int, *, key: bool, marker: bool, now_us: int) -> None:
        self.held[sequence] = (stamp, key, marker, now_us)
        self._decode(now_us)

    def _decode(self, now_us: int) -> None:
        while True:
            if self.next is None:
                self.next = min((s for s, h in self.held.items() if h[1]), default=None)
                if self.next is None:
                    return
            end = self._frame_end(self.next)
            if end is None:
                # A later keyframe that is whole is decoded at once, whatever is missing before.
                later = [s for s, h in self.held.items() if h[1] and s > self.next]
                whole = [s for s in sorted(later) if self._frame_end(s) is not None]
                if not whole:
                    return
                self._forget(whole[0])
                self.next = whole[0]
                continue
            self._show(self.held[end][0], now_us)
            self._forget(end + 1)
            self.next = end + 1

    def _frame_end(self, first: int) -> int | None:
        number = first
        while (found := self.held.get(number)) is not None:
            if found[2]:
                return number
            number += 1
        return None

    def _show(self, stamp: int, now_us: int) -> None:
        if self.last_stamp is not None:
            gap_us = ((stamp - self.last_stamp) & _M32) * 100 // 9
            if gap_us <= VIDEO_RULES.gap_max_us:
                self.watched_us += gap_us
        self.last_stamp = stamp
        self.frames += 1
        self.last_decoded_us = now_us

    def _forget(self, below: int) -> None:
        self.held = {number: held for number, held in self.held.items() if number >= below}


class Viewer:
    """A subscriber of the server's and the client at the other end of its path."""

    def __init__(
        self,
        publishing: Publishing,
        *,
        path: PathSettings = CLEAR,
        back: PathSettings | None = None,
        numbered: bool = True,
        seed: int = 1,
        owed_ms: int | None = None,
    ) -> None:
        self.clock = clock = publishing.clock
        self.decoder = Decoder()
        self.ended: str | None = None
        self.says: Callable[[bytes], bytes | None] = lambda packet: packet
        """What becomes of what an honest receiver would say."""
        self.bytes = 0
        self._waking = False
        self.chance = random.Random(seed)
        self._out = Path(path, f"{seed}/out")
        self._back = Path(back or path, f"{seed}/back")
        self.feed = Feed(
            "video",
            codec_name="VP8",
            ssrc=900,
            payload_type=120,
            clock_rate=90_000,
            rtx=(901, 121),
            meter=Meter(VIDEO_RULES),
        )
        numbering = Numbering(EXTENSION) if numbered else None
        self.subscriber = Subscriber({"video": self.feed}, clock.now_us, numbering=numbering)
        self.feed.send = self._send
        self.subscriber.path.wake_at = self._wake_at
        self.track = Track(
            TrackCodec(
                kind="video",
                name="VP8",
                clock_rate=90_000,
                payload_type=120,
                rtx_payload_type=121,
            ),
            2,
            self.say,
        )
        self.track.sinks.append(self)
        self.arrivals = Receiver(2, 900) if numbered else None
        self._asked_us = clock.now_us
        self._reported_us = clock.now_us
        self.subscriber.connected = True
        self.subscriber.attach(publishing.tracks, clock.now_us)
        if owed_ms is not None:
            self.subscriber.rejoins(owed_ms)
        self.subscriber.release("connecting", clock.now_us)
        self.subscriber.release("admission", clock.now_us)
        clock.every(100_000, self._tend)
        clock.every(50_000, self._tend_client)

    # --- the server's side ---------------------------------------------------------------

    def _send(self, header: bytes, payload: bytes) -> None:
        packet = header + payload
        self.bytes += len(packet)
        arrival = self._out.arrival_us(packet, self.clock.now_us)
        if arrival is not None:
            self.clock.at(arrival, lambda: self._arrive(packet))

    def _tend(self) -> None:
        if self.ended is None:
            self.ended = self.subscriber.tend(self.clock.now_us, self.clock.now_us)
            if self.ended is not None:
                self.subscriber.hold("ended")

    def _wake_at(self, at_us: int) -> None:
        if not self._waking:
            self._waking = True
            self.clock.at(at_us, self._due)

    def _due(self) -> None:
        self._waking = False
        self.subscriber.path.due(self.clock.now_us)

    # --- the client's side ---------------------------------------------------------------

    def _arrive(self, packet: bytes) -> None:
        found = read_packet(packet)
        assert found is not None
        kind, ssrc, what, extension = found
        if self.arrivals is not None and extension:
            number = transport_sequence(extension, EXTENSION)
            assert number is not None
            self.arrivals.add(number, self.clock.now_us)
        self.track.receive(kind, ssrc, what, self.clock.now_us)

    def forward(self, packet: object, now_us: int) -> None:
        """A packet that is new to it (the track's sink)."""
        self.decoder.add(
            packet.sequence,  # type: ignore[attr-defined]
            packet.timestamp,  # type: ignore[attr-defined]
            key=packet.payload[:2] == b"\x10\x00",  # type: ignore[attr-defined]
            marker=bool(packet.marker),  # type: ignore[attr-defined]
            now_us=now_us,
        )

    def source_changed(self) -> None:
        return None

    def gap_unrepaired(self, number: int, now_us: int) -> None:
        return None

    def _tend_client(self) -> None:
        now_us = self.clock.now_us
        if self.arrivals is not None:
            while (packet := self.arrivals.due(now_us)) is not None:
                self.say(packet)
        self.track.tend(now_us)
        if now_us - self._reported_us >= 1_000_000:
            self._reported_us = now_us
            self.track.report(now_us)
        stands = now_us - max(self.decoder.last_decoded_us, self._asked_us)
        if stands > 1_000_000 and self.track.ssrc is not None:
            self._asked_us = now_us
            self.say(rtcp.picture_loss(2, 900))

    def say(self, packet: bytes) -> None:
        """Send RTCP to the server, by way of what this viewer makes of it."""
        said = self.says(packet)
        if said is not None:
            self.says_now(said)

    def says_now(self, said: bytes) -> None:
        """Send RTCP to the server as it is."""
        arrival = self._back.arrival_us(said, self.clock.now_us)
        if arrival is not None:
            self.clock.at(arrival, lambda: self._heard(said))

    def _heard(self, packet: bytes) -> None:
        if self.ended is None:
            self.subscriber.heard(read_compound(packet), self.clock.now_us)

    # --- figures -------------------------------------------------------------------------

    @property
    def watched_ms(self) -> int:
        return self.decoder.watched_us // 1000

    @property
    def delivered_ms(self) -> int:
        return self.subscriber.figures().delivered_ms

    @property
    def unpaid_ms(self) -> int:
        """What it can decode and has not been counted."""
        return self.watched_ms - self.delivered_ms


def world(
    *, camera: Camera | None = None, path_in: PathSettings = CLEAR, seed: int = 1
) -> Publishing:
    """A clock and a publisher that has sent its first second."""
    clock = Clock()
    publishing = Publishing(clock, camera or Camera(), path_in, seed)
    clock.run(1.0)
    return publishing
