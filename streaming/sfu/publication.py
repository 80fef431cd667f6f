"""What one publisher sends: its tracks, their newest packets, and what is asked of it.

No decoding and no transport here: packets come in through `Track.receive`, requests to the
publisher go out through the function it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streaming.sfu import rtcp
from streaming.sfu.capture_clock import CaptureClock, PublisherClock
from streaming.sfu.media_engine import StreamName
from streaming.sfu.rtcp_reader import SenderReport
from streaming.sfu.rtp import KEYFRAME_START, History, Packet, timestamp_after, unwrap16
from streaming.sfu.transport_cc import Receiver

VIDEO_HISTORY = 1024
AUDIO_HISTORY = 128
KEYFRAME_AGAIN_US = 400_000
KEYFRAME_AGAIN_MAX_US = 3_200_000
"""A publisher that does not answer is asked ever more rarely."""
REPORT_EVERY_US = 1_000_000
SOURCE_SILENT_US = 2_000_000
"""After so long any other source is a track's own at once, ..."""
RIVAL_ALONE_US = 200_000
"""... and before, one that has come for so long, without a longer pause, while the track's own was
silent: two layers that are sent at once never do, whichever comes first and however rarely."""
RIVAL_PACKETS_MIN = 3
"""So many of its packets have to follow each other: a stray one is no source."""
REPAIR_AHEAD_MAX = 64
"""How far ahead of the newest packet a retransmission may be: of a packet that was lost, and
sent again for probing before another came."""
CLOCK_JUMP_S = 1
"""A newer packet whose timestamp is older by more than this shows that the publisher has set its
clock anew; pictures that are sent out of order (B-frames) differ by less."""
JUMP_AHEAD_MAX = 3_000
"""A packet whose number is further ahead of the newest follows no loss (RFC 3550, A.1)."""
JUMP_BACK_MAX = 1_024
"""A packet whose number is further behind the newest is not late, ..."""
LATE_MAX_S = 10
"""... nor is one that was not missing and has a time that is newer, or older by more than this."""
CATCH_UP_PACKETS_MAX = 900
CATCH_UP_AGE_MAX_US = 2_500_000
"""How old a group of pictures may be with which a late viewer begins. It is not paid, so it is
bounded; where the last keyframe is older, the picture comes with the next one."""


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
    packetization_mode: int | None = None
    """H.264's: 0 single units, 1 also aggregated and fragmented ones."""


_Media = tuple[int, int, int, bytes]
"""Sequence number, timestamp, marker and payload."""


class PacketSink(Protocol):
    """Someone to whom a track's packets are forwarded."""

    def forward(self, packet: Packet, now_us: int) -> None:
        """Take one packet, in the order of arrival."""

    def source_changed(self) -> None:
        """What follows comes from another source: timestamps and pictures begin anew."""

    def gap_unrepaired(self, number: int, now_us: int) -> None:
        """A packet of the picture never came and is asked for no more: what follows it cannot
        be decoded before the next keyframe."""


class _Rival:
    """Another source than a track's own, as it came since the own was heard last."""

    def __init__(self, ssrc: int, now_us: int) -> None:
        self.ssrc = ssrc
        self._since_us = self._last_us = now_us
        self._sequence: int | None = None
        self._following = 0

    def takes_over(self, sequence: int, now_us: int) -> bool:
        """Whether with this packet of it the track goes on with it."""
        before, self._sequence = self._sequence, sequence
        follows = before is not None and sequence == (before + 1) & 0xFFFF
        self._following = self._following + 1 if follows else 1
        if now_us - self._last_us > RIVAL_ALONE_US:
            self._since_us = now_us
        self._last_us = now_us
        alone_us = now_us - self._since_us
        return self._following >= RIVAL_PACKETS_MIN and alone_us >= RIVAL_ALONE_US


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
        self.clock = CaptureClock(codec.clock_rate)
        self.rtcp_ssrc = rtcp_ssrc
        self._send_rtcp = send_rtcp
        self._begins_keyframe = KEYFRAME_START[codec.name]
        self._stats = rtcp.ReceiveStats(codec.clock_rate)
        self._losses = rtcp.LossDetector()
        self._repair_ssrc: int | None = None
        self._repair_stats = rtcp.ReceiveStats(codec.clock_rate)
        self._base = 0
        self._rival: _Rival | None = None
        self._stray: _Media | None = None
        """A packet whose number has jumped, until it is known whether its source did."""
        self._frame_timestamp: int | None = None
        self._frame_open = False
        self._keyframe_timestamp: int | None = None
        self._keyframe_at: int | None = None
        self._keyframe_us = 0
        self._asked_keyframe_us: int | None = None
        self._wants_keyframe = False
        self._ask_again_us = KEYFRAME_AGAIN_US

    # --- packets ---------------------------------------------------------------------

    def receive(self, payload_type: int, ssrc: int, packet: _Media, now_us: int) -> None:
        """One RTP packet: (sequence number, timestamp, marker, payload)."""
        sequence, timestamp, marker, payload = packet
        if payload_type == self.codec.payload_type:
            if ssrc != self.ssrc and not self._adopt(ssrc, sequence, now_us):
                return
            self._rival = None
            self.last_packet_us = now_us
            if self._stray is not None or self._jumps(sequence, timestamp):
                self._receive_stray(packet, now_us)
            else:
                self._receive_in_turn(packet, now_us)
        elif payload_type == self.codec.rtx_payload_type:
            self._count_repair(ssrc, sequence, timestamp, now_us)
            number = self._unwrap_rtx(payload)
            if number is not None:
                self._take(Packet(number, timestamp, marker, payload[2:]), now_us)

    def _receive_in_turn(self, packet: _Media, now_us: int) -> None:
        sequence, timestamp, marker, payload = packet
        number = self._base + self._stats.add(sequence, timestamp, now_us)
        self._take(Packet(number, timestamp, marker, payload), now_us)

    def _receive_stray(self, packet: _Media, now_us: int) -> None:
        """A packet whose number has jumped, or that comes after one. Two in sequence show that
        the source has begun anew (RFC 3550, A.1); a single one shows nothing."""
        sequence, timestamp, *_ = packet
        if not self._jumps(sequence, timestamp):
            if sequence == (self._stats.highest + 1) & 0xFFFF:
                self._stray = None  # the numbers go on as they were
            self._receive_in_turn(packet, now_us)
            return
        stray, self._stray = self._stray, packet
        if stray is not None and sequence == (stray[0] + 1) & 0xFFFF:
            self._stray = None
            self._renumber(now_us)
            self._receive_in_turn(stray, now_us)
            self._receive_in_turn(packet, now_us)

    def _jumps(self, sequence: int, timestamp: int) -> bool:
        """Whether a number is none that a new, lost, late or repeated packet could have: too far
        from the newest, or that of another packet, by its time."""
        highest = self._stats.highest
        if highest < 0:
            return False
        number = unwrap16(sequence, highest)
        if not -JUMP_BACK_MAX <= number - highest <= JUMP_AHEAD_MAX:
            return True
        if number > highest:
            return False
        there = self.history.get(self._base + number)
        if there is not None:
            return there.timestamp != timestamp
        if number >= self._stats.first and self.history.lacks(self._base + number):
            return False  # lost until now
        newest = self._frame_timestamp
        late = 0 if newest is None else (newest - timestamp) & 0xFFFFFFFF
        return late > LATE_MAX_S * self.codec.clock_rate

    def _take(self, one: Packet, now_us: int) -> None:
        """A packet by its unwrapped number, at first or again."""
        number, payload = one.sequence, one.payload
        if not self.history.lacks(number):
            return
        if payload and number > self.history.newest and self._clock_jumped(one.timestamp):
            self._begin_anew(now_us)
        self._mark_edges(one, now_us)
        self.history.add(one)
        self.octets += len(payload)
        for sink in self.sinks:
            sink.forward(one, now_us)
        if self._losses.add(number):
            self._ask_for_missing(now_us)

    def _adopt(self, ssrc: int, sequence: int, now_us: int) -> bool:
        """Take a source as the track's own: the first, or another once that is silent."""
        if self.ssrc is None:
            self.ssrc = ssrc
            return True
        silent = self.last_packet_us is None or now_us - self.last_packet_us >= SOURCE_SILENT_US
        if self._rival is None or self._rival.ssrc != ssrc:
            self._rival = _Rival(ssrc, now_us)
        if not self._rival.takes_over(sequence, now_us) and not silent:
            return False
        self.ssrc = ssrc
        self._stray = None
        self._renumber(now_us)
        return True

    def _renumber(self, now_us: int) -> None:
        """What follows has numbers of its own: they are put after all that there were."""
        self._base = self.history.newest + 1
        self._stats = rtcp.ReceiveStats(self.codec.clock_rate)
        self._losses = rtcp.LossDetector()
        self._begin_anew(now_us)

    def _clock_jumped(self, timestamp: int) -> bool:
        """Whether a packet in its turn is so much older than the newest frame that the timestamps
        have begun anew: it would be part of no frame, and be forwarded without being counted."""
        newest = self._frame_timestamp
        if newest is None or timestamp == newest or timestamp_after(timestamp, newest):
            return False
        return (newest - timestamp) & 0xFFFFFFFF > CLOCK_JUMP_S * self.codec.clock_rate

    def _begin_anew(self, now_us: int) -> None:
        """What follows has other timestamps: it begins with a keyframe."""
        self._frame_timestamp = None
        self._frame_open = False
        self._keyframe_at = None
        self.clock.restart()
        for sink in self.sinks:
            sink.source_changed()
        self._asked_keyframe_us = None
        self.request_keyframe(now_us)

    def _unwrap_rtx(self, payload: bytes) -> int | None:
        if len(payload) <= 2 or self._stats.highest < 0:
            return None  # padding, which keeps the path's estimate alive
        original = int.from_bytes(payload[:2], "big")
        unwrapped = unwrap16(original, self._stats.highest)
        if unwrapped > self._stats.highest + REPAIR_AHEAD_MAX:
            return None  # what was never sent is not sent again, and would empty the history
        return self._base + unwrapped

    def _count_repair(self, ssrc: int, sequence: int, timestamp: int, now_us: int) -> None:
        if ssrc != self._repair_ssrc:
            self._repair_ssrc = ssrc
            self._repair_stats = rtcp.ReceiveStats(self.codec.clock_rate)
        self._repair_stats.add(sequence, timestamp, now_us)

    def _mark_edges(self, one: Packet, now_us: int) -> None:
        if not one.payload:
            return
        if self._frame_timestamp is None or timestamp_after(one.timestamp, self._frame_timestamp):
            one.starts_frame = True
            one.closes_previous = self._frame_open
            self._frame_timestamp = one.timestamp
            self._frame_open = True
            self.last_frame_us = now_us
            self.clock.arrived(one.timestamp, now_us)
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
            self._ask_again_us = KEYFRAME_AGAIN_US
        if (one.marker or self.codec.kind == "audio") and self._frame_open:
            one.ends_frame = True
            self._frame_open = False

    def usual_gap_us(self) -> int | None:
        """The time between its newest frames, as far as they are kept; None of fewer than two."""
        history = self.history
        stamps = list(dict.fromkeys(packet.timestamp for packet in history.since(0)))
        if len(stamps) < 2:
            return None
        ticks = (stamps[-1] - stamps[0]) & 0xFFFFFFFF
        return ticks * 1_000_000 // self.codec.clock_rate // (len(stamps) - 1)

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
            and now_us - self._asked_keyframe_us < self._ask_again_us
        ):
            return
        if self._asked_keyframe_us is not None:
            self._ask_again_us = min(2 * self._ask_again_us, KEYFRAME_AGAIN_MAX_US)
        self._asked_keyframe_us = now_us
        self._send_rtcp(rtcp.picture_loss(self.rtcp_ssrc, self.ssrc))

    def _ask_for_missing(self, now_us: int) -> None:
        missing = self._losses.due(now_us)
        if missing and self.ssrc is not None:
            numbers = [(number - self._base) & 0xFFFF for number in missing]
            nack = rtcp.negative_acknowledgement(self.rtcp_ssrc, self.ssrc, numbers)
            self._send_rtcp(self._reports(now_us) + nack)

    def tend(self, now_us: int) -> None:
        """Ask again for what is still missing. Call some ten times a second."""
        self._ask_for_missing(now_us)
        if self.codec.kind != "video":
            return
        given_up = self._losses.take_given_up()
        if given_up is not None and not self._repaired_by_keyframe(given_up):
            self._wants_keyframe = True
            for sink in self.sinks:
                sink.gap_unrepaired(given_up, now_us)
        if self._wants_keyframe:
            self.request_keyframe(now_us)

    @property
    def awaited(self) -> int | None:
        """The first packet that has been asked for again and may still come."""
        return self._losses.oldest

    def _repaired_by_keyframe(self, number: int) -> bool:
        """Whether a keyframe has come since, so that nobody waits for the packet."""
        return self._keyframe_at is not None and self._keyframe_at > number

    def sender_report(self, ntp: int, now_us: int) -> None:
        """The publisher has sent a report, which ours refer to."""
        self._stats.sender_report(ntp, now_us)

    def report(self, now_us: int) -> None:
        """Send a receiver report about this track."""
        if self.ssrc is not None:
            self._send_rtcp(self._reports(now_us))

    def _reports(self, now_us: int) -> bytes:
        """A receiver report about the source and that of its retransmissions."""
        sources = ((self.ssrc, self._stats), (self._repair_ssrc, self._repair_stats))
        blocks = [stats.block(ssrc, now_us) for ssrc, stats in sources if ssrc is not None]
        return rtcp.receiver_report(self.rtcp_ssrc, [block for block in blocks if block])


class PublishedTracks:
    """The tracks of one publisher, and its clock."""

    def __init__(self, stream: StreamName, tracks: dict[str, Track]) -> None:
        self.stream = stream
        self.tracks = tracks
        self.bitrate_bps = 0
        self._reported_us = 0
        self._measured: tuple[int, int] | None = None
        self._clock = PublisherClock([track.clock for track in tracks.values()])
        self.feedback: Receiver | None = None
        """What has arrived of packets with transport-wide numbers."""
        self.send_feedback: Callable[[bytes], None] = _drop

    def tend(self, now_us: int) -> None:
        """Reports and repeated requests. Call some ten times a second."""
        if self.feedback is not None:
            while (packet := self.feedback.due(now_us)) is not None:
                self.send_feedback(packet)
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

    def heard(self, report: SenderReport, now_us: int) -> None:
        """A sender report has come."""
        for track in self.tracks.values():
            if track.ssrc == report.ssrc:
                track.sender_report(report.ntp, now_us)
                if report.ntp:  # zero where a sender has no wall clock (RFC 3550, 6.4.1)
                    unix_us = rtcp.unix_us(report.ntp)
                    self._clock.heard(track.clock, unix_us, report.rtp_timestamp, now_us)

    def rtp_time(self, kind: str, now_us: int) -> int | None:
        """The timestamp that a track's media captured now would carry; None before its first
        packet."""
        return self.tracks[kind].clock.timestamp_at(now_us)

    def frozen_ms(self, now_us: int) -> int:
        """How long ago the last frame came: of the picture, or of sound alone."""
        track = self.tracks.get("video") or self.tracks["audio"]
        return 0 if track.last_frame_us is None else (now_us - track.last_frame_us) // 1000


def _drop(_packet: bytes) -> None:
    return None
