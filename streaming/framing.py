"""Frames on a stream: four bytes of length (unsigned, big endian), and that many bytes."""

from __future__ import annotations

HEADER_BYTES = 4
FRAME_BYTES_MAX = 1 << 20


class FrameTooLarge(ValueError):
    """A frame of more than `FRAME_BYTES_MAX` bytes."""


def framed(body: bytes) -> bytes:
    """Put the length before a body. Raises `FrameTooLarge`."""
    if len(body) > FRAME_BYTES_MAX:
        raise FrameTooLarge(
            f"a message of {len(body)} bytes; at most {FRAME_BYTES_MAX} may be sent"
        )
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def body_length(header: bytes) -> int:
    """Length that a frame's header announces. Raises `FrameTooLarge`."""
    length = int.from_bytes(header, "big")
    if length > FRAME_BYTES_MAX:
        raise FrameTooLarge(
            f"a message of {length} bytes was announced; at most {FRAME_BYTES_MAX} are read"
        )
    return length
