"""Both ends of RTCP that an SFU plays: towards a publisher it reports what arrived and
asks for what is missing; towards a viewer it says which RTP time is which wall time. Pure:
times are passed in as microseconds.

Sources: RFC 3550 (6.4, A.3, A.8), RFC 4585 (NACK, PLI), RFC 5104 (FIR).
"""

from __future__ import annotations

import struct
from collections import OrderedDict, deque
from collections.abc import Iterable

from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    clamp_packets_lost,
)

from streaming.sfu.rtp import unwrap16

NACK_AGAIN_US = 60_000
NACK_TRIES = 8
NACK_WINDOW = 500
"""Packets behind the newest that are still asked for."""
NACK_MAX = 4 * NACK_WINDOW
"""Who lost so many within `NACK_AGAIN_US` is not asked for more."""
_NTP_OF_UNIX_S = 2_208_988_800
_REPORTS_MAX = 31


class ReceiveStats:
    """What arrived from one source, for the reports about it (RFC 3550, A.3 and A.8)."""

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self.first: int = -1
        """Unwrapped number of the first packet; -1 before it."""
        self.highest: int = -1
        """Unwrapped; -1 before the first packet."""
        self.received = 0
        self._expected_before = 0
        self._received_before = 0
        self._transit: int | None = None
        self._jitter_q4 = 0
        self._sr_middle = 0
        self._sr_arrival_us: int | None = None

    def add(self, sequence: int, timestamp: int, arrival_us: int) -> int:
        """Count one packet; returns its unwrapped sequence number."""
        if self.first < 0:
            unwrapped = (1 << 16) + sequence  # room below for packets that come late
            self.first = unwrapped
        else:
            unwrapped = unwrap16(sequence, self.highest)
        self.received += 1
        if unwrapped > self.highest:
            self.highest = unwrapped
            transit = (arrival_us * self._clock_rate // 1_000_000 - timestamp) & 0xFFFFFFFF
            if self._transit is not None:
                delta = abs(((transit - self._transit + 0x80000000) & 0xFFFFFFFF) - 0x80000000)
                self._jitter_q4 += delta - ((self._jitter_q4 + 8) >> 4)
            self._transit = transit
        return unwrapped

    def sender_report(self, ntp_timestamp: int, arrival_us: int) -> None:
        """Remember the source's last report, which ours refer to."""
        self._sr_middle = (ntp_timestamp >> 16) & 0xFFFFFFFF
        self._sr_arrival_us = arrival_us

    @property
    def lost(self) -> int:
        """Expected and not arrived, so far; negative if packets came twice. A retransmission on
        a source of its own does not change it (RFC 4588, 6.3)."""
        if self.first < 0:
            return 0
        return self.highest - self.first + 1 - self.received

    def block(self, ssrc: int, now_us: int) -> RtcpReceiverInfo | None:
        """The report block about this source; nothing before its first packet."""
        if self.first < 0:
            return None
        expected = self.highest - self.first + 1
        interval = expected - self._expected_before
        lost = interval - (self.received - self._received_before)
        self._expected_before = expected
        self._received_before = self.received
        since_sr = 0
        if self._sr_arrival_us is not None:
            since_sr = min((now_us - self._sr_arrival_us) * 65_536 // 1_000_000, 0xFFFFFFFF)
        return RtcpReceiverInfo(
            ssrc=ssrc,
            fraction_lost=0 if interval <= 0 or lost <= 0 else min(255, (lost << 8) // interval),
            packets_lost=clamp_packets_lost(self.lost),
            highest_sequence=(self.highest - (1 << 16)) & 0xFFFFFFFF,
            jitter=(self._jitter_q4 >> 4) & 0xFFFFFFFF,
            lsr=self._sr_middle if self._sr_arrival_us is not None else 0,
            dlsr=since_sr,
        )


class LossDetector:
    """Which packets of a source are missing, and when to ask for them (again)."""

    def __init__(self) -> None:
        self._newest: int | None = None
        self._missing: OrderedDict[int, int] = OrderedDict()
        """Number, and how often it was asked for; in order of the numbers."""
        self._fresh: list[int] = []
        """Those that were never asked for, perhaps some that have come since."""
        self._asked: deque[tuple[int, int]] = deque()
        """When each was asked for last, and its number; in order of time."""
        self.abandoned = 0
        """How many were given up, ever."""
        self._given_up: int | None = None

    def add(self, sequence: int) -> bool:
        """A packet has come; returns whether this shows that others are missing."""
        if self._newest is None:
            self._newest = sequence
            return False
        if sequence <= self._newest:
            self._missing.pop(sequence, None)
            return False
        first = max(self._newest + 1, sequence - NACK_WINDOW)
        if len(self._asked) + len(self._fresh) >= NACK_MAX:
            first = sequence
        if first > self._newest + 1:
            self._give_up(self._newest + 1, first - (self._newest + 1))
        for number in range(first, sequence):
            self._missing[number] = 0
            self._fresh.append(number)
        showed = first < sequence
        self._newest = sequence
        return showed

    def due(self, now_us: int) -> list[int]:
        """The numbers (16 bits, oldest first) to ask for now. Its work is what is due, or over."""
        missing, asked = self._missing, self._asked
        while missing and self._too_old(oldest := next(iter(missing))):
            del missing[oldest]
            self._give_up(oldest)
        due, self._fresh = self._fresh, []
        while asked and now_us - asked[0][0] >= NACK_AGAIN_US:
            due.append(asked.popleft()[1])
        numbers: list[int] = []
        for number in sorted(due):
            tries = missing.get(number)
            if tries is None:
                continue
            if tries >= NACK_TRIES:
                del missing[number]
                self._give_up(number)
                continue
            missing[number] = tries + 1
            asked.append((now_us, number))
            numbers.append(number & 0xFFFF)
        return numbers

    def _give_up(self, number: int, count: int = 1) -> None:
        self.abandoned += count
        if self._given_up is None or number < self._given_up:
            self._given_up = number

    def take_given_up(self) -> int | None:
        """The first packet given up since the last call, if any was."""
        first, self._given_up = self._given_up, None
        return first

    def _too_old(self, number: int) -> bool:
        return self._newest is not None and number < self._newest - NACK_WINDOW

    @property
    def oldest(self) -> int | None:
        """The first that is being waited for."""
        return next(iter(self._missing), None)

    @property
    def missing(self) -> int:
        """How many are being waited for."""
        return len(self._missing)


def ntp_timestamp(unix_us: int) -> int:
    """64-bit NTP timestamp of a Unix time in microseconds."""
    seconds, micros = divmod(unix_us, 1_000_000)
    return ((seconds + _NTP_OF_UNIX_S) << 32) | ((micros << 32) // 1_000_000)


def unix_us(ntp: int) -> int:
    """Unix time in microseconds of a 64-bit NTP timestamp."""
    return ((ntp >> 32) - _NTP_OF_UNIX_S) * 1_000_000 + ((ntp & 0xFFFFFFFF) * 1_000_000 >> 32)


def sender_report(
    ssrc: int, cname: bytes, *, ntp: int, rtp_timestamp: int, packets: int, octets: int
) -> bytes:
    """A compound packet: sender report and the source's canonical name."""
    report = RtcpSrPacket(
        ssrc=ssrc,
        sender_info=RtcpSenderInfo(
            ntp_timestamp=ntp,
            rtp_timestamp=rtp_timestamp & 0xFFFFFFFF,
            packet_count=packets & 0xFFFFFFFF,
            octet_count=octets & 0xFFFFFFFF,
        ),
    )
    name = RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=ssrc, items=[(1, cname)])])
    return bytes(report) + bytes(name)


def receiver_report(ssrc: int, blocks: list[RtcpReceiverInfo]) -> bytes:
    """A receiver report with up to 31 blocks."""
    return bytes(RtcpRrPacket(ssrc=ssrc, reports=blocks[:_REPORTS_MAX]))


def picture_loss(ssrc: int, media_ssrc: int) -> bytes:
    """A picture loss indication: please send a keyframe."""
    return bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=ssrc, media_ssrc=media_ssrc))


def negative_acknowledgement(ssrc: int, media_ssrc: int, sequences: list[int]) -> bytes:
    """A generic NACK for these 16-bit sequence numbers."""
    packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=ssrc, media_ssrc=media_ssrc)
    body = b"".join(struct.pack("!HH", pid, mask) for pid, mask in _nack_items(sequences))
    return bytes(packet)[:2] + struct.pack("!HLL", 2 + len(body) // 4, ssrc, media_ssrc) + body


def _nack_items(sequences: Iterable[int]) -> list[tuple[int, int]]:
    """(first number, mask of the 16 after it), in the order given, across the wrap."""
    items: list[tuple[int, int]] = []
    for number in sequences:
        if items:
            pid, mask = items[-1]
            distance = (number - pid - 1) & 0xFFFF
            if distance < 16:
                items[-1] = (pid, mask | (1 << distance))
                continue
        items.append((number, 0))
    return items
