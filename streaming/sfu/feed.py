"""One track on its way to one viewer: packets with rewritten numbers, and retransmissions.

Numbers and timestamps run on without a gap through pauses, freezes and a change of publisher, so a
player never has to start again. Times are microseconds of the server's monotonic clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from streaming.sfu import rtcp
from streaming.sfu.capture_clock import CaptureClock
from streaming.sfu.meter import AUDIO_RULES, VIDEO_RULES, Meter
from streaming.sfu.path_control import PathControl
from streaming.sfu.publication import CATCH_UP_AGE_MAX_US, Track
from streaming.sfu.rtcp_reader import (
    ReceptionReport,
)
from streaming.sfu.rtp import (
    HEADER,
    HEADER_NUMBERED,
    MARKER,
    ONE_BYTE_ONE_WORD,
    VERSION_2,
    VERSION_2_EXTENDED,
    Packet,
    timestamp_after,
)
from streaming.sfu.transport_cc import SendHistory

CATCH_UP_SPACING = 90
"""RTP ticks (1 ms of video) between frames that are sent in one burst to a late viewer."""
RESEND_WINDOW = 900
RESEND_AGAIN_US = 20_000
"""A packet is not sent again so soon after it was: the first repair is still on its way."""
CLOCK_NEW_US = 100_000
"""A source's clock is not told before its packets have been compared for so long."""
RUNS_ON_US = 1_000_000
"""How far from the time that has passed a source's timestamps may be and still run on."""
STANDS_US = 800_000
"""A picture that stands for so long makes players ask for a keyframe, sparse as it may be."""
KEYFRAME_ANSWERS_US = 500_000
"""A request that comes so soon after a keyframe was sent before it came."""
_HEADERS_MASK = 0x3FF
"""One less than how many headers are kept: a power of two, above `RESEND_WINDOW`."""
_NONE_YET = 1 << 62
"""Above any packet's number."""
_M32 = 0xFFFFFFFF


class Numbering:
    """The transport-wide numbers of one connection, and the extension that carries them."""

    def __init__(self, extension: int) -> None:
        self.history = SendHistory(first=secrets.randbelow(1 << 15))
        self.assign = self.history.assign
        self.element = extension << 4 | 1
        """Id and length of the extension's element (RFC 8285, 4.2)."""

    def header(self, kind: int, sequence: int, timestamp: int, ssrc: int, number: int) -> bytes:
        """An RTP header with a transport-wide number: `kind` is marker and payload type."""
        return HEADER_NUMBERED.pack(
            VERSION_2_EXTENDED,
            kind,
            sequence & 0xFFFF,
            timestamp,
            ssrc,
            ONE_BYTE_ONE_WORD,
            self.element,
            number,
            0,
        )


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
        self.rtx_ssrc = None if rtx is None else rtx[0]
        self.clock_rate = clock_rate
        # Counts what is forwarded, if it is counted now; and what reports may still be about.
        self.meter = self.counted_by = meter
        self.track: Track | None = None
        self.send: Callable[[bytes, bytes], None] = _drop_packet
        self.on_blocked: Callable[[int], None] = _ignore
        self.on_broken: Callable[[int], None] = _ignore
        self.on_begun: Callable[[int], None] = _ignore
        """Packets go on, perhaps with timestamps that no report has told yet."""
        self.numbering: Numbering | None = None
        self.path = PathControl()
        """Of the viewer; all of its feeds have the same."""
        self.packets = self.octets = self.lost = 0
        self._reported: tuple[int, int] | None = None
        """Highest number and loss of the last report."""
        self.caught_up_us = 0
        """Media time of the bursts with which it began, which is not counted."""
        self.keyframe_us = 0
        """When a keyframe was forwarded last."""
        self.asked: dict[int, tuple[int, int]] = {}
        """Packets that the viewer has asked for again: when it did so last, and how often; not
        more often than a repair takes. Bounded."""
        self._key = 0 if meter is not None else 1
        self._overtakes = kind == "audio"
        """Whether its packets wait for none of the picture's."""
        self._payload_type = payload_type
        self._rtx = rtx
        self._rtx_sequence = secrets.randbelow(1 << 15)
        self._headers = [b""] * (_HEADERS_MASK + 1 if rtx is None else 0)
        """What the newest packets went out with, where they are sent again as they were."""
        self._out = (1 << 16) + secrets.randbelow(1 << 15)
        self._out_timestamp = secrets.randbelow(1 << 32)
        self._out_us: int | None = None
        self._stood_us = -KEYFRAME_ANSWERS_US
        """When something was sent after nothing for a while."""
        self._open = False
        self._held = True
        self._from = _NONE_YET
        self._newest: Packet | None = None
        self._offset = 0
        self._zero_timestamp = self._out_timestamp
        """Of the viewer's time line: what is captured when the server's clock is zero."""
        self._timestamp_offset = 0
        self._offset_of: tuple[CaptureClock, int] | None = None
        """The source that the offset belongs to."""
        self._told: tuple[tuple[CaptureClock, int], int] | None = None
        """Of which source the last report was, and when its clock was zero, as it said."""
        self._squeezed: dict[int, int] = {}

    # --- where packets come from -----------------------------------------------------

    def attach(self, track: Track | None) -> None:
        """Follow another track (or none)."""
        if self.track is not None and self in self.track.sinks:
            self.track.sinks.remove(self)
        self.track = track
        self._from = _NONE_YET
        self._newest = None
        self.source_changed()
        if track is not None:
            track.sinks.append(self)

    def source_changed(self) -> None:
        """Begin again with the next keyframe."""
        self._open = False
        self._squeezed = {}  # another source may begin with the same timestamps
        if self.kind == "video":
            self.path.drop_waiting()
        if self.meter is not None:
            self.meter.interrupt()

    def gap_unrepaired(self, number: int, now_us: int) -> None:
        """Nothing that depends on the missing packet is forwarded, or counts."""
        if not self._open or number < self._from:
            return
        if self.meter is not None:
            self.meter.excuse(number + self._offset)
        self.on_broken(now_us)

    @property
    def awaited(self) -> int | None:
        """The first packet, by the viewer's number, that may still come from the publisher."""
        number = None if self.track is None else self.track.awaited
        waits = number is not None and self._open and number >= self._from
        return number + self._offset if number is not None and waits else None

    def stands(self, now_us: int) -> bool:
        """Whether the publisher has sent nothing for a while, or had not a moment ago."""
        if now_us - self._stood_us <= KEYFRAME_ANSWERS_US:
            return True
        return self._out_us is not None and now_us - self._out_us >= STANDS_US

    @property
    def flowing(self) -> bool:
        """Whether packets are forwarded, and not a keyframe waited for."""
        return self._open and not self._held

    def hold(self) -> None:
        """Forward nothing."""
        self._held = True
        self.source_changed()

    def release(self, now_us: int, *, catch_up: bool) -> bool:
        """Forward again. Returns whether the picture is there at once (or there is none)."""
        self._held = False
        if self.track is None or self.kind == "audio":
            return True
        packets = self.track.since_keyframe(now_us) if catch_up else []
        if not packets:
            return False
        self._squeeze(packets, now_us)
        if self.meter is not None:
            ticks = (packets[-1].timestamp - packets[0].timestamp) & _M32
            # Out of order, or by a clock that is wrong, it is no longer than it can be.
            burst_us = min(ticks * 1_000_000 // self.clock_rate, CATCH_UP_AGE_MAX_US)
            self.caught_up_us += burst_us
            self.meter.owe(burst_us)
        self.path.catch_up()
        for packet in packets:
            self.forward(packet, now_us)
        self.path.caught_up()
        return True

    # --- forwarding ------------------------------------------------------------------

    def forward(self, packet: Packet, now_us: int) -> None:
        """Send one packet on, unless held, waiting for a keyframe, or stopped by the meter."""
        meter = self.meter
        begins = not self._open
        if begins:
            if self._held or (self.kind == "video" and not packet.keyframe):
                return
            if meter is not None and not meter.may_forward(now_us):
                self.on_blocked(now_us)
                return
            self._begin(packet, now_us)
        elif meter is not None and packet.starts_frame and not meter.may_forward(now_us):
            self.on_blocked(now_us)
            return
        number = packet.sequence
        if number < self._from:
            return
        if packet.keyframe:
            self.keyframe_us = now_us
        sequence = number + self._offset
        timestamp = self._timestamp(packet)
        size = len(packet.payload)
        if self._overtakes:
            self.path.passes(size, now_us)
            self._transmit(packet, sequence, timestamp, now_us)
        elif self.path.may_go(size, now_us):
            self._transmit(packet, sequence, timestamp, now_us)
        else:
            # Not counted before it leaves: what is dropped while it waits was never sent.
            self.path.wait(
                lambda at_us: self._transmit(packet, sequence, timestamp, at_us), size, now_us
            )
        if begins:
            self.on_begun(now_us)

    def _transmit(self, packet: Packet, sequence: int, timestamp: int, now_us: int) -> None:
        meter = self.meter
        if meter is not None:
            if packet.starts_frame or meter.run_us is None:
                meter.starts_frame(now_us, sequence, timestamp, keyframe=packet.keyframe)
            elif packet.keyframe:
                meter.turns_keyframe(timestamp)
            if packet.ends_frame:
                meter.ends_frame(sequence)
        if sequence > self._out:
            if self._out_us is not None and now_us - self._out_us >= STANDS_US:
                self._stood_us = now_us
            self._out = sequence
            self._newest = packet
            self._out_timestamp = timestamp
            self._out_us = now_us
        kind = (packet.marker and MARKER) | self._payload_type
        payload = packet.payload
        size = len(payload)
        numbering = self.numbering
        if numbering is None:
            header = HEADER.pack(VERSION_2, kind, sequence & 0xFFFF, timestamp, self.ssrc)
        else:
            number = numbering.assign(sequence << 1 | self._key, size, now_us)
            header = HEADER_NUMBERED.pack(  # what `Numbering.header` does, without the call
                VERSION_2_EXTENDED,
                kind,
                sequence & 0xFFFF,
                timestamp,
                self.ssrc,
                ONE_BYTE_ONE_WORD,
                numbering.element,
                number,
                0,
            )
        if self._rtx is None:
            # To be sent again as it was, to the byte: a number is used with one content only.
            self._headers[sequence & _HEADERS_MASK] = header
        self.send(header, payload)
        self.packets += 1
        self.octets += size

    def _begin(self, packet: Packet, now_us: int) -> None:
        self._open = True
        self._from = packet.sequence
        self._offset = self._out + 1 - packet.sequence
        if packet.timestamp not in self._squeezed:
            self._squeezed = {}
            if not self._runs_on(packet.timestamp, now_us):
                self._set_offset(packet.timestamp, now_us)

    def _source(self) -> tuple[CaptureClock, int] | None:
        return None if self.track is None else (self.track.clock, self.track.clock.restarts)

    def _runs_on(self, timestamp: int, now_us: int) -> bool:
        """Whether the source's timestamps have gone on, as they should, while nothing was
        forwarded: then they go on at the viewer's, too, and no clock there is disturbed."""
        if self._out_us is None or self._offset_of != self._source():
            return False
        ticks = (timestamp + self._timestamp_offset - self._out_timestamp) & _M32
        passed_us = ticks * 1_000_000 // self.clock_rate
        ahead_us = passed_us - (now_us - self._out_us)
        return 0 < ticks < 1 << 31 and abs(ahead_us) <= RUNS_ON_US

    def _set_offset(self, timestamp: int, now_us: int, room: int = 0) -> int:
        """Put what carries this timestamp where it belongs on the viewer's time line, which is
        one for sound and picture: that of the server's clock. Returns where that is; at least
        `room` ticks after what was sent."""
        track = self.track
        captured_us = None if track is None else track.clock.captured_us(timestamp)
        since_us = now_us if captured_us is None else captured_us
        due = (self._zero_timestamp + since_us * self.clock_rate // 1_000_000) & _M32
        sent = (self._out_timestamp + room) & _M32
        if self._out_us is not None and not timestamp_after(due, sent):
            due = (sent + 1) & _M32
        self._timestamp_offset = due - timestamp
        self._offset_of = self._source()
        return due

    def _squeeze(self, packets: list[Packet], now_us: int) -> None:
        """Let the frames of a burst follow each other so closely that they are shown at once.

        With their own timestamps a player would take the first as its clock's zero, and stay
        behind the live picture by the burst's length.
        """
        stamps = list(dict.fromkeys(packet.timestamp for packet in packets))
        length = CATCH_UP_SPACING * (len(stamps) - 1)
        live = self._set_offset(stamps[-1], now_us, room=length)
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

    def report(self, block: ReceptionReport, now_us: int) -> None:
        """A receiver report's block about this feed."""
        self.lost = max(0, block.packets_lost)
        meter = self.counted_by
        if meter is None:
            return
        if self.meter is None and not meter.waiting:
            meter.passed_by(self.lost)
            return
        meter.report(block.highest_sequence, block.packets_lost, self._out, now_us)
        if self.meter is not None and not self.meter.per_packet:
            highest = self._out - ((self._out - block.highest_sequence) & 0xFFFF)
            if self._reported is not None and highest > self._reported[0]:
                expected, lost = highest - self._reported[0], self.lost - self._reported[1]
                self.path.report(lost, expected, now_us)
            self._reported = (highest, self.lost)

    def resend(self, sequences: list[int], now_us: int) -> None:
        """Send packets again: on the retransmission source if there is one (RFC 4588)."""
        track, budget = self.track, self.path.budget
        if track is None or not self._open or not budget.nack(len(sequences), now_us):
            return
        out, asked = self._out, self.asked
        back = min(RESEND_WINDOW, out - self._offset - self._from)
        known = {ago for low in sequences if (ago := (out - low) & 0xFFFF) <= back}
        spent = False
        for ago in sorted(known, reverse=True):
            sequence = out - ago
            asked_us, times = asked.get(sequence, (-RESEND_AGAIN_US, 0))
            if now_us - asked_us < RESEND_AGAIN_US:
                continue
            self._remember_asked(sequence, (now_us, times + 1))
            packet = None if spent else track.history.get(sequence - self._offset)
            if packet is None:
                continue
            size = len(packet.payload)
            spent = not budget.take(size, now_us)
            if not spent:
                self.path.passes(size, now_us)
                self._repeat(packet, sequence, now_us)

    def _repeat(self, packet: Packet, sequence: int, now_us: int) -> None:
        """On the retransmission source; without one as it was, to the byte."""
        if self._rtx is not None:
            self._send_on_rtx(packet, sequence, self._rtx, now_us)
            return
        header = self._headers[sequence & _HEADERS_MASK]
        if header[2:4] == (sequence & 0xFFFF).to_bytes(2, "big"):
            self.send(header, packet.payload)

    def probe(self, sequence: int, now_us: int) -> None:
        """Send a packet once more to learn from the feedback whether the viewer has it."""
        number = sequence - self._offset
        packet = None if self.track is None else self.track.history.get(number)
        if packet is not None and number >= self._from:
            self._send_again(packet, sequence, now_us)

    def _send_again(self, packet: Packet, sequence: int, now_us: int) -> None:
        if self.path.budget.take(len(packet.payload), now_us):
            self._repeat(packet, sequence, now_us)

    def probe_newest(self, now_us: int) -> None:
        """Send the newest packet once more: after an outage that swallowed all that was sent,
        nothing else would show the viewer that something is missing."""
        if self._newest is not None:  # it may have left the track's history
            self._send_again(self._newest, self._out, now_us)

    def _send_on_rtx(
        self, packet: Packet, sequence: int, rtx: tuple[int, int], now_us: int
    ) -> None:
        ssrc, payload_type = rtx
        kind = (packet.marker and MARKER) | payload_type
        timestamp = self._timestamp(packet)
        payload = (sequence & 0xFFFF).to_bytes(2, "big") + packet.payload
        self._rtx_sequence += 1
        out, numbering = self._rtx_sequence, self.numbering
        if numbering is None:
            header = HEADER.pack(VERSION_2, kind, out & 0xFFFF, timestamp, ssrc)
        else:
            number = numbering.assign(sequence << 1 | self._key, len(payload), now_us)
            header = numbering.header(kind, out, timestamp, ssrc, number)
        self.send(header, payload)
        if self.meter is not None:
            self.meter.repaired(sequence)

    def _remember_asked(self, sequence: int, asked: tuple[int, int]) -> None:
        self.asked[sequence] = asked
        if len(self.asked) > RESEND_WINDOW:
            del self.asked[next(iter(self.asked))]

    def sender_report(self, cname: bytes, ntp: int, now_us: int, shift_us: int) -> bytes | None:
        """Our own report about this feed; nothing before its first packet, or while its source
        is so new that its clock is not known.

        A source of which no report was yet is told of with `shift_us`, that of the others."""
        source = self._source()
        zero_us = None if source is None else source[0].zero_us
        if source is None or zero_us is None or not self._open:
            return None
        if self._told is None or self._told[0] != source:
            if now_us - source[0].first_us < CLOCK_NEW_US:
                return None
            self._told = (source, zero_us + shift_us)
        rtp_time = (now_us - self._told[1]) * self.clock_rate // 1_000_000
        return rtcp.sender_report(
            self.ssrc,
            cname,
            ntp=ntp,
            rtp_timestamp=rtp_time + self._timestamp_offset,
            packets=self.packets,
            octets=self.octets,
        )

    @property
    def untold(self) -> bool:
        """Whether a source is forwarded of which no report was yet."""
        return self._open and (self._told is None or self._told[0] != self._source())

    @property
    def told_shift_us(self) -> int | None:
        """How much later the reports say that things were captured than is known now."""
        if self._told is None or self._told[0] != self._source():
            return None
        zero_us = self._told[0][0].zero_us
        return None if zero_us is None else self._told[1] - zero_us

    def forget_told(self) -> None:
        """Let the next report say what is known of the publisher's clock by then."""
        self._told = None


def meter_for(kinds: set[str], kind: str, clock_rate: int) -> Meter | None:
    """The meter of a feed: the picture's, or the sound's where there is no picture."""
    if kind == "video":
        return Meter(VIDEO_RULES, clock_rate)
    return Meter(AUDIO_RULES, clock_rate) if kinds == {"audio"} else None


def _drop_packet(_header: bytes, _payload: bytes) -> None:
    return None


def _ignore(_now_us: int) -> None:
    return None
