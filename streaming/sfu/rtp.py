"""What is read of RTP packets: numbers, frames' edges and keyframes. Pure.

Sources: RFC 3550 (RTP), RFC 7741 (VP8), RFC 6184 (H.264), RFC 4588 (retransmission).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

HEADER = struct.Struct("!BBHII")
HEADER_NUMBERED = struct.Struct("!BBHIIIBHB")
"""A header with one extension element of two bytes (RFC 8285, 4.2): 20 bytes."""
ONE_BYTE_ONE_WORD = 0xBEDE0001
"""Profile and length of such an extension: elements of one byte's head, one word in all."""
VERSION_2 = 0x80
VERSION_2_EXTENDED = 0x90
MARKER = 0x80

_NAL_IDR = 5
_NAL_SPS = 7
_NAL_STAP_A = 24
_NAL_FU_A = 28


class Packet:
    """One media packet as it came in, shared by everyone it is forwarded to."""

    __slots__ = (
        "closes_previous",
        "ends_frame",
        "keyframe",
        "marker",
        "payload",
        "sequence",
        "starts_frame",
        "timestamp",
    )

    def __init__(self, sequence: int, timestamp: int, marker: int, payload: bytes) -> None:
        self.sequence = sequence
        """Unwrapped."""
        self.timestamp = timestamp
        self.marker = marker
        self.payload = payload
        self.keyframe = False
        """Whether a keyframe begins with it."""
        self.starts_frame = False
        """Whether it is the first that arrived of its frame."""
        self.closes_previous = False
        """Whether the frame before had not been seen to end when it came."""
        self.ends_frame = False
        """Whether its frame ends with it."""


Received = tuple[int, int, tuple[int, int, int, bytes], bytes]
"""Payload type, source, (sequence, timestamp, marker, payload), header extension block."""


def read_packet(data: bytes) -> Received | None:
    """An RTP packet, or nothing if it is none (RFC 3550, 5.1). The extension block is empty
    where there is none."""
    end = len(data)
    if end < HEADER.size:
        return None
    first, kind, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    at = extended = HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        at += 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
    if first & 0x20:
        end -= data[-1]
    if first >> 6 != 2 or at > end:
        return None
    return kind & 0x7F, ssrc, (sequence, timestamp, kind >> 7, data[at:end]), data[extended:at]


def unwrap16(number: int, near: int) -> int:
    """The unwrapped number closest to `near` whose low 16 bits are `number`."""
    return near + ((number - near + 0x8000) & 0xFFFF) - 0x8000


def timestamp_after(one: int, other: int) -> bool:
    """Whether RTP timestamp `one` is later than `other`, modulo 2^32."""
    return one != other and ((one - other) & 0xFFFFFFFF) < 0x80000000


def vp8_keyframe_start(payload: bytes) -> bool:
    """Whether a VP8 payload begins a keyframe (RFC 7741, 4.2 and 4.3)."""
    size = len(payload)
    if size < 2 or payload[0] & 0x17 != 0x10:  # S set, partition 0
        return False
    at = 1
    if payload[0] & 0x80:
        extension = payload[1]
        at = 2
        if extension & 0x80:
            at += 2 if size > at and payload[at] & 0x80 else 1
        if extension & 0x40:
            at += 1
        if extension & 0x30:
            at += 1
    return size > at and not payload[at] & 0x01


def h264_keyframe_start(payload: bytes) -> bool:
    """Whether an H.264 payload carries parameter sets or the beginning of an IDR picture."""
    if len(payload) < 2:
        return False
    kind = payload[0] & 0x1F
    if kind in (_NAL_IDR, _NAL_SPS):
        return True
    if kind == _NAL_FU_A:
        return bool(payload[1] & 0x80) and payload[1] & 0x1F in (_NAL_IDR, _NAL_SPS)
    if kind != _NAL_STAP_A:
        return False
    at = 1
    while at + 2 < len(payload):
        if payload[at + 2] & 0x1F in (_NAL_IDR, _NAL_SPS):
            return True
        at += 2 + int.from_bytes(payload[at : at + 2], "big")
    return False


def _never(_payload: bytes) -> bool:
    return False


KEYFRAME_START: dict[str, Callable[[bytes], bool]] = {
    "VP8": vp8_keyframe_start,
    "H264": h264_keyframe_start,
    "opus": _never,
}


class History:
    """The newest packets of one track, by unwrapped sequence number. Bounded."""

    def __init__(self, capacity: int) -> None:
        self._slots: list[Packet | None] = [None] * capacity
        self._capacity = capacity
        self.newest = -1

    def add(self, packet: Packet) -> None:
        """Keep a packet, in place of the one `capacity` before it."""
        if packet.sequence <= self.newest - self._capacity:
            return
        self._slots[packet.sequence % self._capacity] = packet
        self.newest = max(self.newest, packet.sequence)

    def get(self, sequence: int) -> Packet | None:
        """The packet with that number, if it is still kept."""
        packet = self._slots[sequence % self._capacity]
        return packet if packet is not None and packet.sequence == sequence else None

    def lacks(self, sequence: int) -> bool:
        """Whether that packet has not come, and is not too old to be kept."""
        return sequence > self.newest - self._capacity and self.get(sequence) is None

    def since(self, sequence: int) -> Iterator[Packet]:
        """All kept packets from `sequence` on, in order."""
        for number in range(max(sequence, self.newest - self._capacity + 1), self.newest + 1):
            packet = self.get(number)
            if packet is not None:
                yield packet

    def reaches(self, sequence: int) -> bool:
        """Whether everything from `sequence` on is kept, none missing."""
        if sequence <= self.newest - self._capacity:
            return False
        return all(self.get(n) is not None for n in range(sequence, self.newest + 1))
