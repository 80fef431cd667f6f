"""What compound RTCP packets say, read from strangers' bytes: bounded work, and never an error.

Sources: RFC 3550 (6.4), RFC 4585 (6.2, 6.3), RFC 5104 (4.3.1), draft-alvestrand-rmcat-remb, and
draft-holmer-rmcat-transport-wide-cc-extensions-01 (its body is left to `transport_cc`).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_HEADER = struct.Struct("!BBH")
_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!IQIII")
_SOURCES = struct.Struct("!II")
_NACK_ITEM = struct.Struct("!HH")
_SENDER_REPORT = 200
_RECEIVER_REPORT = 201
_TRANSPORT_FEEDBACK = 205
_PAYLOAD_FEEDBACK = 206
_FMT_NACK = 1
_FMT_TRANSPORT_CC = 15
_FMT_PLI = 1
_FMT_FIR = 4
_FMT_APPLICATION = 15
_REMB_MARK = b"REMB"
SEQUENCES_MAX = 1024
"""Numbers taken of one NACK; nobody who asks for more can be helped by retransmission."""


class ReceptionReport(NamedTuple):
    """One report block about a source of ours."""

    ssrc: int
    packets_lost: int
    """Cumulative; negative if packets came more than once."""
    highest_sequence: int
    last_sender_report: int
    since_sender_report: int
    """In 1/65536 s."""


class SenderReport(NamedTuple):
    """Which RTP time is which wall time at the peer."""

    ssrc: int
    ntp: int
    rtp_timestamp: int


class Nack(NamedTuple):
    """Packets that the peer misses, by their 16-bit numbers."""

    media_ssrc: int
    sequences: list[int]


class PictureLoss(NamedTuple):
    """The peer wants a keyframe (PLI or FIR)."""

    media_ssrc: int
    """0 for FIR, which names its source elsewhere."""


class TransportFeedback(NamedTuple):
    """Transport-wide feedback, unread."""

    fci: bytes


class BitrateEstimate(NamedTuple):
    """The receiver's estimate of what may be sent to it (REMB)."""

    bits_per_second: int


Message = ReceptionReport | SenderReport | Nack | PictureLoss | TransportFeedback | BitrateEstimate


def read_compound(data: bytes) -> list[Message]:
    """Everything known in a compound packet. Stops where it is no RTCP any more."""
    found: list[Message] = []
    at, end = 0, len(data)
    while at + 8 <= end:
        first, kind, words = _HEADER.unpack_from(data, at)
        stop = at + 4 + 4 * words
        if first >> 6 != 2 or stop > end:
            break
        count = first & 0x1F
        if kind == _TRANSPORT_FEEDBACK:
            _read_transport_feedback(data, at, stop, count, found)
        elif kind == _RECEIVER_REPORT:
            _read_blocks(data, at + 8, stop, count, found)
        elif kind == _SENDER_REPORT:
            _read_sender_report(data, at, stop, count, found)
        elif kind == _PAYLOAD_FEEDBACK:
            _read_payload_feedback(data, at, stop, count, found)
        at = stop
    return found


def _read_blocks(data: bytes, at: int, stop: int, count: int, found: list[Message]) -> None:
    for _ in range(count):
        if at + 24 > stop:
            return
        ssrc, loss, highest, _jitter, lsr, dlsr = _BLOCK.unpack_from(data, at)
        lost = loss & 0xFFFFFF
        if lost & 0x800000:
            lost -= 1 << 24
        found.append(ReceptionReport(ssrc, lost, highest, lsr, dlsr))
        at += 24


def _read_sender_report(data: bytes, at: int, stop: int, count: int, found: list[Message]) -> None:
    if at + 28 > stop:
        return
    ssrc, ntp, rtp_timestamp, _packets, _octets = _SENDER.unpack_from(data, at + 4)
    found.append(SenderReport(ssrc, ntp, rtp_timestamp))
    _read_blocks(data, at + 28, stop, count, found)


def _read_transport_feedback(
    data: bytes, at: int, stop: int, fmt: int, found: list[Message]
) -> None:
    if at + 12 > stop:
        return
    if fmt == _FMT_TRANSPORT_CC:
        found.append(TransportFeedback(data[at + 12 : stop]))
    elif fmt == _FMT_NACK:
        _, media_ssrc = _SOURCES.unpack_from(data, at + 4)
        sequences: list[int] = []
        for item in range(at + 12, stop - 3, 4):
            pid, mask = _NACK_ITEM.unpack_from(data, item)
            sequences.append(pid)
            while mask:
                bit = mask & -mask
                sequences.append((pid + bit.bit_length()) & 0xFFFF)
                mask ^= bit
            if len(sequences) >= SEQUENCES_MAX:
                break
        found.append(Nack(media_ssrc, sequences[:SEQUENCES_MAX]))


def _read_payload_feedback(data: bytes, at: int, stop: int, fmt: int, found: list[Message]) -> None:
    if at + 12 > stop:
        return
    if fmt == _FMT_PLI:
        _, media_ssrc = _SOURCES.unpack_from(data, at + 4)
        found.append(PictureLoss(media_ssrc))
    elif fmt == _FMT_FIR:
        found.append(PictureLoss(0))
    elif fmt == _FMT_APPLICATION and data[at + 12 : at + 16] == _REMB_MARK and at + 20 <= stop:
        exponent_and_mantissa = int.from_bytes(data[at + 17 : at + 20], "big")
        mantissa = exponent_and_mantissa & 0x3FFFF
        found.append(BitrateEstimate(mantissa << (exponent_and_mantissa >> 18)))
