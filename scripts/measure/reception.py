"""What one measuring viewer receives, and what it reports about it, as Chromium does. Pure.

Headers of RTP are readable under SRTP (RFC 3711, 3.1), so a viewer that is there to be served
need not decrypt: numbers, sizes, frames' ends and losses are all in them. Only retransmissions
are decrypted (the number that they repair is in the payload, RFC 4588), and, by a witness, the
picture's packets, to see that keyframes are among them.

Reports are those of a browser: a receiver report about every 1 s for the picture and 5 s for the
sound, spread by half of that, and one with each NACK. `packets_lost` never falls again when a
retransmission repairs, and the retransmission source has a report block of its own. Where packets
carry transport-wide numbers, feedback about each of them goes out every 100 ms besides.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from streaming.sfu import rtcp, transport_cc
from streaming.sfu.publication import TrackCodec
from streaming.sfu.rtp import HEADER, KEYFRAME_START, read_packet, unwrap16

REPORT_EVERY_US: Final = {"video": 1_000_000, "audio": 5_000_000}
FEEDBACK_EVERY_US: Final = 100_000
_SENDER_REPORT: Final = 200
_EXTENSION_BYTES: Final = 8
"""Of a header extension with one transport-wide number."""

Unprotect = Callable[[bytes], bytes]
"""Decrypts one packet of RTP."""


@dataclass
class Counts:
    """What came of one kind, cumulatively."""

    packets: int = 0
    octets: int = 0
    """Of the datagrams: RTP header, payload and SRTP's tag."""
    pictures: int = 0
    """Ends of frames (RTP's marker); of the picture only."""
    keyframes: int = 0
    """Seen by a witness only."""
    lost: int = 0
    """Expected and not arrived, whatever was repaired."""
    repaired: int = 0
    nacks: int = 0
    """NACK messages sent."""
    gap_max_us: int = 0
    """Longest time between two packets since it was last looked at."""


class _Source:
    """One RTP source: numbers in, report blocks out."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.stats = rtcp.ReceiveStats(clock_rate)


class _Kind:
    """One media section as its receiver has it."""

    def __init__(self, codec: TrackCodec, own_ssrc: int) -> None:
        self.codec = codec
        self.own_ssrc = own_ssrc
        self.counts = Counts()
        self.media: _Source | None = None
        self.repair: _Source | None = None
        self.losses = rtcp.LossDetector()
        self.report_at_us = 0
        self.last_us: int | None = None


class Reception:
    """All that one viewer receives."""

    def __init__(
        self,
        codecs: dict[int, TrackCodec],
        unprotect: Unprotect,
        *,
        seed: int,
        witness: bool = False,
        numbered_by: int | None = None,
    ) -> None:
        """`codecs` are the negotiated ones by the source that reports come from, `numbered_by`
        the extension that carries transport-wide numbers, if one was negotiated."""
        self._unprotect = unprotect
        self._witness = witness
        self._random = random.Random(seed)  # noqa: S311  (it spreads reports, no more)
        self.kinds = {codec.kind: _Kind(codec, ssrc) for ssrc, codec in codecs.items()}
        self._media = {kind.codec.payload_type: kind for kind in self.kinds.values()}
        self._repairs = {
            kind.codec.rtx_payload_type: kind
            for kind in self.kinds.values()
            if kind.codec.rtx_payload_type is not None
        }
        self.urgent = False
        """Whether a loss has shown that is to be asked for at once."""
        self._numbered_by = numbered_by
        self._arrivals = transport_cc.Receiver(next(iter(codecs)), 0, FEEDBACK_EVERY_US)

    def take(self, datagram: bytes, now_us: int) -> None:
        """One datagram of SRTP, in the order of arrival."""
        first, marked, sequence, timestamp, ssrc = HEADER.unpack_from(datagram)
        if first & 0x10 and self._numbered_by is not None:
            self._note_number(datagram, ssrc, now_us)
        kind = self._media.get(marked & 0x7F)
        if kind is None:
            self._take_repair(datagram, now_us)
            return
        if kind.media is None or kind.media.ssrc != ssrc:
            kind.media = _Source(ssrc, kind.codec.clock_rate)
            kind.losses = rtcp.LossDetector()
        counts = kind.counts
        counts.packets += 1
        counts.octets += len(datagram)
        if kind.last_us is not None and now_us - kind.last_us > counts.gap_max_us:
            counts.gap_max_us = now_us - kind.last_us
        kind.last_us = now_us
        number = kind.media.stats.add(sequence, timestamp, now_us)
        if kind.losses.add(number):
            self.urgent = True
        if kind.codec.kind == "video":
            counts.pictures += marked >> 7
            if self._witness:
                self._look_inside(kind, datagram)

    def _note_number(self, datagram: bytes, ssrc: int, now_us: int) -> None:
        """The engines measured here send no other extension, and name no contributing sources."""
        block = datagram[HEADER.size : HEADER.size + _EXTENSION_BYTES]
        number = transport_cc.transport_sequence(block, self._numbered_by or 0)
        if number is not None:
            self._arrivals.media_ssrc = ssrc
            self._arrivals.add(number, now_us)

    def _look_inside(self, kind: _Kind, datagram: bytes) -> None:
        found = read_packet(self._unprotect(datagram))
        if found is not None and KEYFRAME_START[kind.codec.name](found[2][3]):
            kind.counts.keyframes += 1

    def _take_repair(self, datagram: bytes, now_us: int) -> None:
        kind = self._repairs.get(datagram[1] & 0x7F)
        found = None if kind is None else read_packet(self._unprotect(datagram))
        if kind is None or found is None:
            return
        _, ssrc, (sequence, timestamp, _, payload), _ = found
        if kind.repair is None or kind.repair.ssrc != ssrc:
            kind.repair = _Source(ssrc, kind.codec.clock_rate)
        kind.repair.stats.add(sequence, timestamp, now_us)
        if kind.media is None or len(payload) <= 2:
            return
        missing = kind.losses.missing
        original = int.from_bytes(payload[:2], "big")
        kind.losses.add(unwrap16(original, kind.media.stats.highest))
        kind.counts.repaired += missing - kind.losses.missing

    def take_report(self, packet: bytes, now_us: int) -> None:
        """A compound of RTCP, decrypted: a sender report is what ours refer to."""
        if len(packet) < 16 or packet[1] != _SENDER_REPORT:
            return
        ssrc, ntp = struct.unpack_from("!LQ", packet, 4)
        for kind in self.kinds.values():
            if kind.media is not None and kind.media.ssrc == ssrc:
                kind.media.stats.sender_report(ntp, now_us)

    # --- what is reported ------------------------------------------------------------

    def feedback(self, now_us: int) -> list[bytes]:
        """The RTCP packets that are due, each a compound (RFC 3550, 6.1). Ask some ten times a
        second, and at once while `urgent`.

        Transport-wide feedback goes alone, as browsers send it (RFC 5506).
        """
        self.urgent = False
        packets = [
            packet
            for kind in self.kinds.values()
            if kind.media is not None
            for packet in self._reports(kind, kind.media, now_us)
        ]
        while (feedback := self._arrivals.due(now_us)) is not None:
            packets.append(feedback)
        return packets

    def _reports(self, kind: _Kind, media: _Source, now_us: int) -> list[bytes]:
        asked = kind.losses.due(now_us)
        if not asked and now_us < kind.report_at_us:
            return []
        every_us = REPORT_EVERY_US[kind.codec.kind]
        kind.report_at_us = now_us + every_us // 2 + self._random.randrange(every_us)
        sources = [source for source in (media, kind.repair) if source is not None]
        blocks = [source.stats.block(source.ssrc, now_us) for source in sources]
        kind.counts.lost = media.stats.lost
        compound = rtcp.receiver_report(kind.own_ssrc, [b for b in blocks if b is not None])
        if asked:
            kind.counts.nacks += 1
            compound += rtcp.negative_acknowledgement(kind.own_ssrc, media.ssrc, asked)
        return [compound]

    def figures(self) -> dict[str, Any]:
        """Counts by kind; the longest gap begins anew."""
        found: dict[str, Any] = {}
        for name, kind in self.kinds.items():
            if kind.media is not None:
                kind.counts.lost = kind.media.stats.lost
            found[name] = {**vars(kind.counts)}
            kind.counts.gap_max_us = 0
        return found
