"""What one viewer is sent: packets with rewritten numbers, reports, retransmissions.

Each feed carries one track to one viewer. Its numbers and timestamps run on without a gap
through pauses, freezes and a change of publisher, so a player never has to start again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from aiortc.rtp import RtcpReceiverInfo

from streaming.sfu import rtcp
from streaming.sfu.media_engine import ConnectionFigures
from streaming.sfu.meter import AUDIO_RULES, VIDEO_RULES, Meter
from streaming.sfu.publication import PublishedTracks, Track
from streaming.sfu.rtp import HEADER, MARKER, VERSION_2, Packet, unwrap16

CATCH_UP_SPACING = 90
"""RTP ticks (1 ms of video) between frames that are sent in one burst to a late viewer."""
RESEND_PER_SECOND = 400
RESEND_WINDOW = 900
SENDER_REPORT_EVERY_US = 1_000_000
REPORTS_SILENT_US = 5_000_000
CONNECT_WITHIN_US = 15_000_000
_M32 = 0xFFFFFFFF


class Feed:
    """One track on its way to one viewer."""

    def __init__(
        self,
        kind: str,
        *,
        codec_name: str,
        ssrc: int,
        payload_type: int,
        clock_rate: int,
        rtx: tuple[int, int] | None,
        meter: Meter | None,
    ) -> None:
        self.kind = kind
        self.codec_name = codec_name
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.meter = meter
        self.track: Track | None = None
        self.send: Callable[[bytes, bytes], None] = _drop_packet
        self.on_blocked: Callable[[], None] = _nothing
        self.packets = 0
        self.octets = 0
        self.lost = 0
        self._payload_type = payload_type
        self._rtx = rtx
        self._rtx_sequence = secrets.randbelow(1 << 15)
        self._out = (1 << 16) + secrets.randbelow(1 << 15)
        self._first = self._out + 1
        self._out_timestamp = secrets.randbelow(1 << 32)
        self._out_us: int | None = None
        self._open = False
        self._held = True
        self._from = 0
        self._offset = 0
        self._timestamp_offset = 0
        self._squeezed: dict[int, int] = {}
        self._frame_highest = 0
        self._resend_left = RESEND_PER_SECOND

    # --- where packets come from -----------------------------------------------------

    def attach(self, track: Track | None) -> None:
        """Follow another track (or none)."""
        if self.track is not None and self in self.track.sinks:
            self.track.sinks.remove(self)
        self.track = track
        self.source_changed()
        if track is not None:
            track.sinks.append(self)

    def source_changed(self) -> None:
        """Begin again with the next keyframe."""
        self._open = False
        if self.meter is not None:
            self.meter.interrupt()

    def hold(self) -> None:
        """Forward nothing."""
        self._held = True
        self.source_changed()

    def release(self, now_us: int) -> bool:
        """Forward again. Returns whether the picture is there at once (or there is none)."""
        self._held = False
        if self.track is None or self.kind == "audio":
            return True
        packets = self.track.since_keyframe(now_us)
        if not packets:
            return False
        self._squeeze(packets, now_us)
        for packet in packets:
            self.forward(packet, now_us)
        return True

    # --- forwarding ------------------------------------------------------------------

    def forward(self, packet: Packet, now_us: int) -> None:
        """Send one packet on, unless held, waiting for a keyframe, or stopped by the meter."""
        meter = self.meter
        if not self._open:
            if self._held or (self.kind == "video" and not packet.keyframe):
                return
            if meter is not None and not meter.may_forward(now_us):
                self.on_blocked()
                return
            self._begin(packet, now_us)
        elif packet.starts_frame and meter is not None and not meter.may_forward(now_us):
            self.on_blocked()
            return
        number = packet.sequence
        if number < self._from:
            return
        sequence = number + self._offset
        timestamp = self._timestamp(packet)
        self.send(
            HEADER.pack(
                VERSION_2,
                (packet.marker and MARKER) | self._payload_type,
                sequence & 0xFFFF,
                timestamp,
                self.ssrc,
            ),
            packet.payload,
        )
        self.packets += 1
        self.octets += len(packet.payload)
        if meter is not None:
            if packet.closes_previous and self._frame_highest:
                meter.frame(now_us, self._frame_highest, self._first)
            if packet.starts_frame:
                self._frame_highest = 0
            self._frame_highest = max(self._frame_highest, sequence)
            if packet.ends_frame:
                meter.frame(now_us, self._frame_highest, self._first)
                self._frame_highest = 0
        if sequence > self._out:
            self._out = sequence
            self._out_timestamp = timestamp
            self._out_us = now_us

    def _begin(self, packet: Packet, now_us: int) -> None:
        self._open = True
        self._frame_highest = 0
        self._from = packet.sequence
        self._offset = self._out + 1 - packet.sequence
        if packet.timestamp not in self._squeezed:
            self._squeezed = {}
            self._timestamp_offset = self._next_timestamp(now_us) - packet.timestamp

    def _next_timestamp(self, now_us: int) -> int:
        if self._out_us is None:
            return self._out_timestamp
        passed = (now_us - self._out_us) * self.clock_rate // 1_000_000
        return self._out_timestamp + max(1, passed)

    def _squeeze(self, packets: list[Packet], now_us: int) -> None:
        """Let the frames of a burst follow each other so closely that they are shown at once.

        With their own timestamps a player would take the first as its clock's zero, and stay
        behind the live picture by the burst's length.
        """
        stamps = list(dict.fromkeys(packet.timestamp for packet in packets))
        length = CATCH_UP_SPACING * (len(stamps) - 1)
        live = max(self._next_timestamp(now_us), self._out_timestamp + length + 1)
        self._timestamp_offset = live - stamps[-1]
        self._squeezed = {
            stamp: (live - length + index * CATCH_UP_SPACING) & _M32
            for index, stamp in enumerate(stamps)
        }

    def _timestamp(self, packet: Packet) -> int:
        if self._squeezed:
            squeezed = self._squeezed.get(packet.timestamp)
            if squeezed is not None:
                return squeezed
        return (packet.timestamp + self._timestamp_offset) & _M32

    # --- what the viewer reports -----------------------------------------------------

    def report(self, info: RtcpReceiverInfo) -> None:
        """A receiver report's block about this feed."""
        self.lost = max(0, info.packets_lost)
        if self.meter is not None:
            self.meter.report(info.highest_sequence, info.packets_lost, self._out)

    def resend(self, sequences: list[int]) -> None:
        """Send packets again: on the retransmission source if there is one (RFC 4588)."""
        if self.track is None or not self._open:
            return
        for low in sequences:
            sequence = unwrap16(low & 0xFFFF, self._out)
            number = sequence - self._offset
            if sequence > self._out or number < self._from or sequence < self._out - RESEND_WINDOW:
                continue
            packet = self.track.history.get(number)
            if packet is None or self._resend_left <= 0:
                continue
            self._resend_left -= 1
            marker = packet.marker and MARKER
            timestamp = self._timestamp(packet)
            if self._rtx is None:
                first = HEADER.pack(
                    VERSION_2, marker | self._payload_type, low & 0xFFFF, timestamp, self.ssrc
                )
                self.send(first, packet.payload)
                continue
            ssrc, payload_type = self._rtx
            self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
            first = HEADER.pack(
                VERSION_2, marker | payload_type, self._rtx_sequence, timestamp, ssrc
            )
            self.send(first, (low & 0xFFFF).to_bytes(2, "big") + packet.payload)

    def sender_report(self, cname: bytes, rtp_time: int, ntp: int) -> bytes | None:
        """Our own report about this feed; nothing before its first packet."""
        self._resend_left = RESEND_PER_SECOND
        if not self._open:
            return None
        return rtcp.sender_report(
            self.ssrc,
            cname,
            ntp=ntp,
            rtp_timestamp=rtp_time + self._timestamp_offset,
            packets=self.packets,
            octets=self.octets,
        )


class Subscriber:
    """All feeds of one viewer, its meter, and why nothing is forwarded to it at the moment."""

    def __init__(self, feeds: dict[str, Feed], now_us: int) -> None:
        self.feeds = feeds
        self.meter = next(feed.meter for feed in feeds.values() if feed.meter is not None)
        self.publisher: PublishedTracks | None = None
        self.cname = b""
        self.send_rtcp: Callable[[bytes], None] = _drop
        self.connected = False
        self._made_us = now_us
        self._heard_us: int | None = None
        self._reported_us = 0
        self._reasons = {"admission", "connecting"}
        for feed in feeds.values():
            feed.on_blocked = self._blocked

    def attach(self, publisher: PublishedTracks | None, now_us: int) -> None:
        """Follow another publisher (or none) of the same codecs."""
        self.publisher = publisher
        for kind, feed in self.feeds.items():
            feed.attach(publisher.tracks.get(kind) if publisher is not None else None)
        if publisher is not None and not self._reasons:
            publisher.request_keyframe(now_us)

    def hold(self, reason: str) -> None:
        """Forward nothing while `reason` lasts."""
        self._reasons.add(reason)
        for feed in self.feeds.values():
            feed.hold()

    def release(self, reason: str, now_us: int) -> None:
        """End one reason; with the last, forwarding goes on."""
        if reason not in self._reasons:
            return
        self._reasons.discard(reason)
        if self._reasons:
            return
        there = [feed.release(now_us) for feed in self.feeds.values()]
        if not all(there) and self.publisher is not None:
            self.publisher.request_keyframe(now_us)

    def held_for(self, reason: str) -> bool:
        """Whether `reason` is one of those for which nothing is forwarded."""
        return reason in self._reasons

    def _blocked(self) -> None:
        self.hold("unconfirmed")

    def reports(self, infos: list[RtcpReceiverInfo], now_us: int) -> None:
        """The blocks of a receiver report that has come."""
        self._heard_us = now_us
        for info in infos:
            for feed in self.feeds.values():
                if feed.ssrc == info.ssrc:
                    feed.report(info)

    def lost_packets(self, media_ssrc: int, sequences: list[int]) -> None:
        """A negative acknowledgement has come."""
        for feed in self.feeds.values():
            if feed.ssrc == media_ssrc:
                feed.resend(sequences)

    def lost_picture(self, now_us: int) -> None:
        """The viewer needs a keyframe."""
        if self.publisher is not None and not self._reasons:
            self.publisher.request_keyframe(now_us)

    def tend(self, now_us: int, unix_us: int) -> str | None:
        """Sender reports and limits, some ten times a second. Why it is to end, if it is."""
        if not self.connected:
            return "vanished" if now_us - self._made_us > CONNECT_WITHIN_US else None
        if self.held_for("unconfirmed"):
            if self.meter.may_forward(now_us):
                self.release("unconfirmed", now_us)
            elif self.meter.given_up(now_us):
                silent = self._heard_us is None or now_us - self._heard_us > REPORTS_SILENT_US
                return "vanished" if silent else "unconfirmed"
        if now_us - self._reported_us >= SENDER_REPORT_EVERY_US and self.publisher is not None:
            self._reported_us = now_us
            self._report(self.publisher, now_us, rtcp.ntp_timestamp(unix_us))
        return None

    def _report(self, publisher: PublishedTracks, now_us: int, ntp: int) -> None:
        for kind, feed in self.feeds.items():
            if kind not in publisher.tracks:
                continue
            rtp_time = publisher.rtp_time(kind, now_us)
            if rtp_time is None:
                continue
            report = feed.sender_report(self.cname, rtp_time, ntp)
            if report is not None:
                self.send_rtcp(report)

    def figures(self) -> ConnectionFigures:
        """What was sent until now."""
        feeds = self.feeds.values()
        return ConnectionFigures(
            delivered_ms=self.meter.delivered_ms,
            forwarded_ms=self.meter.forwarded_ms,
            unconfirmed_ms=self.meter.unconfirmed_ms,
            frames_forwarded=self.meter.frames_forwarded,
            packets_sent=sum(feed.packets for feed in feeds),
            bytes_sent=sum(feed.octets for feed in feeds),
            packets_lost=sum(feed.lost for feed in feeds),
        )


def meter_for(kinds: set[str], kind: str) -> Meter | None:
    """The meter of a feed: the picture's, or the sound's where there is no picture."""
    if kind == "video":
        return Meter(VIDEO_RULES)
    return Meter(AUDIO_RULES) if kinds == {"audio"} else None


def _drop_packet(_header: bytes, _payload: bytes) -> None:
    return None


def _drop(_packet: bytes) -> None:
    return None


def _nothing() -> None:
    return None
