"""What one publisher sends: its tracks, their newest packets, and what is asked of it.

No decoding and no transport here: packets come in through `Track.receive`, requests to the
publisher go out through the function it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streaming.sfu import rtcp
from streaming.sfu.rtp import KEYFRAME_START, History, Packet, timestamp_after, unwrap16

VIDEO_HISTORY = 1024
AUDIO_HISTORY = 128
KEYFRAME_AGAIN_US = 400_000
REPORT_EVERY_US = 1_000_000
SOURCE_SILENT_US = 2_000_000
CATCH_UP_PACKETS_MAX = 600
CATCH_UP_AGE_MAX_US = 1_500_000


@dataclass(frozen=True, kw_only=True)
class TrackCodec:
    """How one track is encoded, as negotiated with its publisher."""

    kind: str
    name: str
    """`VP8`, `H264` or `opus`."""
    clock_rate: int
    payload_type: int
    rtx_payload_type: int | None = None
    profile: str | None = None
    """H.264's `profile-level-id`."""


class PacketSink(Protocol):
    """Someone to whom a track's packets are forwarded."""

    def forward(self, packet: Packet, now_us: int) -> None:
        """Take one packet, in the order of arrival."""

    def source_changed(self) -> None:
        """What follows comes from another source: timestamps and pictures begin anew."""


class Track:
    """One track of a publisher."""

    def __init__(self, codec: TrackCodec, rtcp_ssrc: int, send_rtcp: Callable[[bytes], None]):
        self.codec = codec
        self.sinks: list[PacketSink] = []
        self.history = History(VIDEO_HISTORY if codec.kind == "video" else AUDIO_HISTORY)
        self.ssrc: int | None = None
        self.octets = 0
        self.last_packet_us: int | None = None
        self.last_frame_us: int | None = None
        self.sender_clock: tuple[int, int] | None = None
        """Unix microseconds and RTP timestamp of the publisher's last sender report."""
        self._rtcp_ssrc = rtcp_ssrc
        self._send_rtcp = send_rtcp
        self._begins_keyframe = KEYFRAME_START[codec.name]
        self._stats = rtcp.ReceiveStats(codec.clock_rate)
        self._losses = rtcp.LossDetector()
        self._abandoned = 0
        self._base = 0
        self._frame_timestamp: int | None = None
        self._frame_open = False
        self._keyframe_timestamp: int | None = None
        self._keyframe_at: int | None = None
        self._keyframe_us = 0
        self._asked_keyframe_us: int | None = None
        self._wants_keyframe = False

    # --- packets ---------------------------------------------------------------------

    def receive(
        self, payload_type: int, ssrc: int, packet: tuple[int, int, int, bytes], now_us: int
    ) -> None:
        """One RTP packet: (sequence number, timestamp, marker, payload)."""
        sequence, timestamp, marker, payload = packet
        if payload_type == self.codec.payload_type:
            number = self._count(ssrc, sequence, timestamp, now_us)
        elif payload_type == self.codec.rtx_payload_type:
            number = self._unwrap_rtx(payload)
            payload = payload[2:]
        else:
            return
        if number is None or self.history.get(number) is not None:
            return
        one = Packet(number, timestamp, marker, payload)
        self._mark_edges(one, now_us)
        self.history.add(one)
        self.octets += len(payload)
        for sink in self.sinks:
            sink.forward(one, now_us)
        if self.codec.kind == "video" and self._losses.add(number):
            self._ask_for_missing(now_us)

    def _count(self, ssrc: int, sequence: int, timestamp: int, now_us: int) -> int | None:
        if ssrc != self.ssrc and not self._adopt(ssrc, now_us):
            return None
        self.last_packet_us = now_us
        return self._base + self._stats.add(sequence, timestamp, now_us)

    def _adopt(self, ssrc: int, now_us: int) -> bool:
        """Take a source as the track's own: the first, or another once it is silent."""
        if self.ssrc is not None:
            if self.last_packet_us is not None and (
                now_us - self.last_packet_us < SOURCE_SILENT_US
            ):
                return False
            self._base = self.history.newest + 1
            self._stats = rtcp.ReceiveStats(self.codec.clock_rate)
            self._losses = rtcp.LossDetector()
            self._abandoned = 0
            self._frame_timestamp = None
            self._frame_open = False
            self._keyframe_at = None
            self.sender_clock = None
            for sink in self.sinks:
                sink.source_changed()
        self.ssrc = ssrc
        return True

    def _unwrap_rtx(self, payload: bytes) -> int | None:
        if len(payload) <= 2 or self._stats.highest < 0:
            return None  # padding, which keeps the path's estimate alive
        original = int.from_bytes(payload[:2], "big")
        number = self._base + unwrap16(original, self._stats.highest)
        if self.history.get(number) is None:
            self._stats.repaired()
        return number

    def _mark_edges(self, one: Packet, now_us: int) -> None:
        if not one.payload:
            return
        if self._frame_timestamp is None or timestamp_after(one.timestamp, self._frame_timestamp):
            one.starts_frame = True
            one.closes_previous = self._frame_open
            self._frame_timestamp = one.timestamp
            self._frame_open = True
            self.last_frame_us = now_us
        elif one.timestamp != self._frame_timestamp:
            return
        if self._begins_keyframe(one.payload) and (
            self._keyframe_timestamp != one.timestamp
            or self._keyframe_at is None
            or one.sequence < self._keyframe_at
        ):
            one.keyframe = True
            self._keyframe_timestamp = one.timestamp
            self._keyframe_at = one.sequence
            self._keyframe_us = now_us
            self._wants_keyframe = False
        if (one.marker or self.codec.kind == "audio") and self._frame_open:
            one.ends_frame = True
            self._frame_open = False

    def since_keyframe(self, now_us: int) -> list[Packet]:
        """The packets from the newest keyframe on, if they are few, recent and whole."""
        start = self._keyframe_at
        if (
            start is None
            or now_us - self._keyframe_us > CATCH_UP_AGE_MAX_US
            or self.history.newest - start >= CATCH_UP_PACKETS_MAX
            or not self.history.reaches(start)
        ):
            return []
        return list(self.history.since(start))

    # --- what is asked of the publisher ----------------------------------------------

    def request_keyframe(self, now_us: int) -> None:
        """Ask for a keyframe, now or as soon as another may be asked for."""
        if self.codec.kind != "video":
            return
        self._wants_keyframe = True
        if self.ssrc is None or (
            self._asked_keyframe_us is not None
            and now_us - self._asked_keyframe_us < KEYFRAME_AGAIN_US
        ):
            return
        self._asked_keyframe_us = now_us
        self._send_rtcp(rtcp.picture_loss(self._rtcp_ssrc, self.ssrc))

    def _ask_for_missing(self, now_us: int) -> None:
        missing = self._losses.due(now_us)
        if missing and self.ssrc is not None:
            numbers = [(number - self._base) & 0xFFFF for number in missing]
            self._send_rtcp(rtcp.negative_acknowledgement(self._rtcp_ssrc, self.ssrc, numbers))

    def tend(self, now_us: int) -> None:
        """Ask again for what is still missing. Call some ten times a second."""
        if self.codec.kind != "video":
            return
        self._ask_for_missing(now_us)
        if self._losses.abandoned > self._abandoned:
            self._abandoned = self._losses.abandoned
            self._wants_keyframe = True
        if self._wants_keyframe:
            self.request_keyframe(now_us)

    def sender_report(self, ntp: int, rtp_timestamp: int, now_us: int) -> None:
        """The publisher has said which RTP time is which wall time."""
        self._stats.sender_report(ntp, now_us)
        self.sender_clock = (rtcp.unix_us(ntp), rtp_timestamp)

    def report(self, now_us: int) -> None:
        """Send a receiver report about this track."""
        if self.ssrc is not None:
            block = self._stats.block(self.ssrc, now_us)
            if block is not None:
                self._send_rtcp(rtcp.receiver_report(self._rtcp_ssrc, [block]))


class PublishedTracks:
    """The tracks of one publisher, and its clock."""

    def __init__(self, stream: int, tracks: dict[str, Track]) -> None:
        self.stream = stream
        self.tracks = tracks
        self.bitrate_bps = 0
        self._reported_us = 0
        self._measured: tuple[int, int] | None = None
        self._clock_offset_us: int | None = None

    def tend(self, now_us: int) -> None:
        """Reports and repeated requests. Call some ten times a second."""
        for track in self.tracks.values():
            track.tend(now_us)
        if now_us - self._reported_us >= REPORT_EVERY_US:
            self._reported_us = now_us
            octets = sum(track.octets for track in self.tracks.values())
            if self._measured is not None:
                before_us, before = self._measured
                self.bitrate_bps = (octets - before) * 8_000_000 // max(1, now_us - before_us)
            self._measured = (now_us, octets)
            for track in self.tracks.values():
                track.report(now_us)

    def request_keyframe(self, now_us: int) -> None:
        """Ask for a keyframe of the picture."""
        for track in self.tracks.values():
            track.request_keyframe(now_us)

    def sender_report(self, track: Track, ntp: int, rtp_timestamp: int, now_us: int) -> None:
        """A sender report has come; the fastest one so far tells the clocks' difference."""
        track.sender_report(ntp, rtp_timestamp, now_us)
        offset = now_us - rtcp.unix_us(ntp)
        if self._clock_offset_us is None or offset < self._clock_offset_us:
            self._clock_offset_us = offset

    def rtp_time(self, kind: str, now_us: int) -> int | None:
        """The timestamp that a track's media captured now would carry.

        From the publisher's sender reports if every track has one, so that sound and picture
        stay together; otherwise from the last packet's arrival.
        """
        track = self.tracks[kind]
        if self._clock_offset_us is not None and all(
            other.sender_clock is not None for other in self.tracks.values()
        ):
            clock = track.sender_clock
            if clock is not None:
                moment_us, timestamp = clock
                since_us = now_us - self._clock_offset_us - moment_us
                return timestamp + since_us * track.codec.clock_rate // 1_000_000
        newest = track.history.get(track.history.newest)
        if newest is None or track.last_packet_us is None:
            return None
        since_us = now_us - track.last_packet_us
        return newest.timestamp + since_us * track.codec.clock_rate // 1_000_000

    def frozen_ms(self, now_us: int) -> int:
        """How long ago the last frame came: of the picture, or of sound alone."""
        track = self.tracks.get("video") or self.tracks["audio"]
        return 0 if track.last_frame_us is None else (now_us - track.last_frame_us) // 1000
