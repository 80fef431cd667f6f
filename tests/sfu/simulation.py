"""A publisher, the server's own objects, a path and a viewer, on one made-up clock.

A publisher has a picture, sound, or both. Each frame and each packet of sound carries the moment
of its capture, so that a viewer knows what it should play together.

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
from streaming.sfu.feed import Feed, Numbering, meter_for
from streaming.sfu.meter import VIDEO_RULES
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.rtcp_reader import SenderReport, read_compound
from streaming.sfu.rtp import Packet, read_packet
from streaming.sfu.subscription import Subscriber
from streaming.sfu.transport_cc import Receiver, transport_sequence

VP8 = TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96, rtx_payload_type=97)
OPUS = TrackCodec(kind="audio", name="opus", clock_rate=48_000, payload_type=111)
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
    gaps_us: tuple[int, ...] = ()
    """Time between frames, in turn, where it is not always `frame_us`."""
    encodes_us: int = 0
    """How long after its capture a frame is sent."""


@dataclass
class Microphone:
    """Sound, so much of it a packet; more where it is silent and says so rarely (DTX)."""

    packet_us: int = 20_000
    size: int = 80


@dataclass
class Clocks:
    """A publisher's own clocks, and whether it tells of them."""

    reports: bool = True
    """Whether it sends sender reports."""
    wall_ahead_us: int = 0
    wall_ppm: int = 0
    video_ppm: int = 0
    audio_ppm: int = 0
    video_zero: int = 1_000
    audio_zero: int = 77_000


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
    """A camera, a microphone, the server's tracks of them, and a path between."""

    def __init__(
        self,
        clock: Clock,
        camera: Camera | None,
        path_in: PathSettings,
        seed: int,
        *,
        microphone: Microphone | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        self.clock = clock
        self.camera = camera or Camera()
        self.microphone = microphone or Microphone()
        self.clocks = clocks or Clocks(reports=False)
        self.asked = 0
        self.asked_sound: list[int] = []
        """Numbers of sound packets that it was asked for again."""
        self.never_arrives: Callable[[bytes], bool] = lambda _packet: False
        """Packets that the way in swallows, in addition to what the path does."""
        self.says: Callable[[SenderReport], SenderReport | None] = lambda report: report
        """What becomes of its sender reports."""
        self.stopped = False
        found: dict[str, Track] = {}
        if camera is not None:
            found["video"] = Track(VP8, 1, self._heard)
        if microphone is not None:
            found["audio"] = Track(OPUS, 3, self._heard)
        self.tracks = PublishedTracks(1, found)
        self.track = next(iter(found.values()))
        self._path = Path(path_in, f"{seed}/in")
        self.sequences = {"video": 5_000, "audio": 9_000}
        self.sources = {"video": 55, "audio": 65}
        self._sent: dict[tuple[str, int], bytes] = {}
        self._made_us = clock.now_us
        self._frozen_until_us = {"video": 0, "audio": 0}
        self._gaps = itertools.cycle(self.camera.gaps_us or (self.camera.frame_us,))
        self._wants_keyframe = True
        self._keyframe_us: int | None = None
        self._repair = 0
        if camera is not None:
            self._repeat("video", lambda: next(self._gaps), self._frame)
            clock.every(1_000_000, lambda: self._report("video"))
        if microphone is not None:
            self._repeat("audio", lambda: self.microphone.packet_us, self._sound)
            clock.every(1_100_000, lambda: self._report("audio"))
        clock.every(100_000, lambda: self.tracks.tend(clock.now_us))

    def _repeat(self, kind: str, interval_us: Callable[[], int], what: Callable[[], None]) -> None:
        def again() -> None:
            if self.clock.now_us >= self._frozen_until_us[kind]:
                what()
            if not self.stopped:
                self.clock.at(self.clock.now_us + interval_us(), again)

        self.clock.at(self.clock.now_us + interval_us(), again)

    # --- what its user does --------------------------------------------------------------

    def freeze(self, seconds: float, kinds: tuple[str, ...] = ("video", "audio")) -> None:
        """Send neither picture nor sound for a while, or one of them; its clocks go on."""
        for kind in kinds:
            self._frozen_until_us[kind] = self.clock.now_us + round(seconds * 1_000_000)

    def change_source(self, kind: str, *, silent_s: float = 2.1, begins_whole: bool = True) -> None:
        """Go on with another source, its numbers and its timestamps, after so many silent seconds;
        with a keyframe, or with what it is asked for alone."""
        if silent_s:
            self.freeze(silent_s, (kind,))
        self.sources[kind] += 1
        self.sequences[kind] += 7_777
        if kind == "video":
            self.clocks.video_zero += 1_234_567
            self._wants_keyframe = self._wants_keyframe or begins_whole
        else:
            self.clocks.audio_zero += 1_234_567

    def stop(self) -> None:
        """It is gone."""
        self.stopped = True

    # --- what it sends -------------------------------------------------------------------

    def _stamp(self, kind: str) -> int:
        since_us = self.clock.now_us - self._made_us
        clocks = self.clocks
        if kind == "video":
            return clocks.video_zero + _drifted(since_us, clocks.video_ppm) * 90 // 1_000
        return clocks.audio_zero + _drifted(since_us, clocks.audio_ppm) * 48 // 1_000

    def _frame(self) -> None:
        camera, now_us = self.camera, self.clock.now_us
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
            head = b"\x00\x00"
            if index == 0:
                head = (b"\x10\x00" if key else b"\x10\x01") + now_us.to_bytes(8, "big")
            marker = 0x80 if index == count - 1 else 0
            self._packet("video", marker | 96, head.ljust(camera.size, b"x"), camera.encodes_us)

    def _sound(self) -> None:
        payload = b"s" + self.clock.now_us.to_bytes(8, "big")
        self._packet("audio", 111, payload.ljust(self.microphone.size, b"s"), 0)

    def _packet(self, kind: str, second: int, payload: bytes, later_us: int) -> None:
        self.sequences[kind] += 1
        sequence = self.sequences[kind] & 0xFFFF
        header = struct.pack(
            "!BBHII", 0x80, second, sequence, self._stamp(kind) & _M32, self.sources[kind]
        )
        packet = header + payload
        self._sent[kind, sequence] = packet
        if later_us:
            self.clock.at(self.clock.now_us + later_us, lambda: self._send(packet))
        else:
            self._send(packet)

    def _report(self, kind: str) -> None:
        now_us, clocks = self.clock.now_us, self.clocks
        if not clocks.reports or self.stopped:
            return
        wall_us = now_us + clocks.wall_ahead_us
        wall_us += _drifted(now_us - self._made_us, clocks.wall_ppm) - (now_us - self._made_us)
        ntp = rtcp.ntp_timestamp(1_700_000_000_000_000 + wall_us)
        report = self.says(SenderReport(self.sources[kind], ntp, self._stamp(kind) & _M32))
        if report is None:
            return
        packet = rtcp.sender_report(
            report.ssrc,
            b"x",
            ntp=report.ntp,
            rtp_timestamp=report.rtp_timestamp,
            packets=0,
            octets=0,
        )
        arrival = self._path.arrival_us(packet, now_us)
        if arrival is not None:
            self.clock.at(arrival, lambda: self.tracks.heard(report, self.clock.now_us))

    def _send(self, packet: bytes) -> None:
        if self.never_arrives(packet):
            return
        arrival = self._path.arrival_us(packet, self.clock.now_us)
        if arrival is not None:
            self.clock.at(arrival, lambda: self._arrive(packet))

    def _arrive(self, packet: bytes) -> None:
        found = read_packet(packet)
        assert found is not None
        payload_type, ssrc, what, _ = found
        kind = "audio" if payload_type == OPUS.payload_type else "video"
        self.tracks.tracks[kind].receive(payload_type, ssrc, what, self.clock.now_us)

    # --- what it is asked ------------------------------------------------------------------

    def _heard(self, packet: bytes) -> None:
        for message in read_compound(packet):
            name = type(message).__name__
            if name == "PictureLoss":
                self.asked += 1
                self._wants_keyframe = True
            elif name == "Nack":
                sound = message.media_ssrc == self.sources["audio"]  # type: ignore[union-attr]
                for sequence in message.sequences:  # type: ignore[union-attr]
                    if sound:
                        self.asked_sound.append(sequence)
                    self._resend("audio" if sound else "video", sequence)

    def _resend(self, kind: str, sequence: int) -> None:
        packet = self._sent.get((kind, sequence))
        if packet is None:
            return
        if kind == "audio":  # as it was, since no retransmission source is agreed for it
            self._send(packet)
            return
        self._repair += 1
        header = struct.pack("!BBH", 0x80, packet[1] & 0x80 | 97, self._repair & 0xFFFF)
        self._send(header + packet[4:8] + struct.pack("!IH", 56, sequence) + packet[12:])


def _drifted(since_us: int, ppm: int) -> int:
    return since_us + since_us * ppm // 1_000_000


def _received(kind: str, payload_type: int, rtx_payload_type: int | None) -> TrackCodec:
    return TrackCodec(
        kind=kind,
        name="VP8" if kind == "video" else "opus",
        clock_rate=90_000 if kind == "video" else 48_000,
        payload_type=payload_type,
        rtx_payload_type=rtx_payload_type,
    )


@dataclass(frozen=True)
class Moment:
    """A frame or a packet of sound as it came to a viewer."""

    kind: str
    captured_us: int
    timestamp: int
    arrived_us: int


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
        kinds = set(publishing.tracks.tracks)
        feeds: dict[str, Feed] = {}
        if "video" in kinds:
            feeds["video"] = Feed(
                "video",
                codec_name="VP8",
                ssrc=900,
                payload_type=120,
                clock_rate=90_000,
                rtx=(901, 121),
                meter=meter_for(kinds, "video", 90_000),
            )
        if "audio" in kinds:
            feeds["audio"] = Feed(
                "audio",
                codec_name="opus",
                ssrc=910,
                payload_type=122,
                clock_rate=48_000,
                rtx=None,
                meter=meter_for(kinds, "audio", 48_000),
            )
        self.feed = next(iter(feeds.values()))
        numbering = Numbering(EXTENSION) if numbered else None
        self.subscriber = Subscriber(feeds, clock.now_us, numbering=numbering)
        for feed in feeds.values():
            feed.send = self._send
        self.subscriber.path.wake_at = self._wake_at
        if "audio" in kinds:  # else nobody compares clocks, and reports go nowhere
            self.subscriber.send_rtcp = self._send_report
        self.track = Track(_received("video", 120, 121), 2, self.say)
        self.track.sinks.append(self)
        self.sound = Track(_received("audio", 122, None), 4, self.say)
        self.sound.sinks.append(self)
        self.heard_us = 0
        self._sound_stamp: int | None = None
        self.reports: dict[int, list[tuple[int, SenderReport]]] = {900: [], 910: []}
        """Sender reports and when they came, by their source."""
        self.moments: list[Moment] = []
        """What has come of sound and picture, if there is sound."""
        self.arrivals = Receiver(2, 900) if numbered else None
        self._asked_us = clock.now_us
        self._reported_us = clock.now_us
        self.subscriber.tend(clock.now_us, clock.now_us)  # as it is while it connects
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

    def _send_report(self, packet: bytes) -> None:
        arrival = self._out.arrival_us(packet, self.clock.now_us)
        if arrival is not None:
            self.clock.at(arrival, lambda: self._reported(packet))

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
        track = self.sound if ssrc == 910 else self.track
        track.receive(kind, ssrc, what, self.clock.now_us)

    def _reported(self, packet: bytes) -> None:
        for message in read_compound(packet):
            if isinstance(message, SenderReport):
                self.reports[message.ssrc].append((self.clock.now_us, message))

    def forward(self, packet: Packet, now_us: int) -> None:
        """A packet that is new to it (the tracks' sink)."""
        payload = packet.payload
        if payload[:1] == b"s":
            self._hear(packet, now_us)
            return
        if payload[:1] == b"\x10" and len(self.subscriber.feeds) > 1:
            captured_us = int.from_bytes(payload[2:10], "big")
            self.moments.append(Moment("video", captured_us, packet.timestamp, now_us))
        self.decoder.add(
            packet.sequence,
            packet.timestamp,
            key=payload[:2] == b"\x10\x00",
            marker=bool(packet.marker),
            now_us=now_us,
        )

    def _hear(self, packet: Packet, now_us: int) -> None:
        captured_us = int.from_bytes(packet.payload[1:9], "big")
        self.moments.append(Moment("audio", captured_us, packet.timestamp, now_us))
        if self._sound_stamp is not None:
            gap_us = ((packet.timestamp - self._sound_stamp) & _M32) * 1_000 // 48
            if gap_us <= VIDEO_RULES.gap_max_us:
                self.heard_us += gap_us
        self._sound_stamp = packet.timestamp

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
        self.sound.tend(now_us)
        if now_us - self._reported_us >= 1_000_000:
            self._reported_us = now_us
            self.track.report(now_us)
            self.sound.report(now_us)
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
        """Media time that it could play: of the picture, or of the sound where that is all."""
        counted = self.decoder.watched_us if self.feed.kind == "video" else self.heard_us
        return counted // 1000

    @property
    def delivered_ms(self) -> int:
        return self.subscriber.figures().delivered_ms

    @property
    def unpaid_ms(self) -> int:
        """What it can decode and has not been counted."""
        return self.watched_ms - self.delivered_ms


def world(
    *,
    camera: Camera | None = None,
    path_in: PathSettings = CLEAR,
    seed: int = 1,
    microphone: Microphone | None = None,
    clocks: Clocks | None = None,
    pictures: bool = True,
    seconds: float = 1.0,
) -> Publishing:
    """A clock and a publisher that has sent its first second (or so much)."""
    clock = Clock()
    filmed = (camera or Camera()) if pictures else None
    publishing = Publishing(clock, filmed, path_in, seed, microphone=microphone, clocks=clocks)
    clock.run(seconds)
    return publishing
