"""SCALE's compact integers, which are written by hand where metadata would be slow."""

from __future__ import annotations


def compact(number: int) -> bytes:
    """Encode a number as SCALE's compact integer."""
    if number < 1 << 6:
        return bytes([number << 2])
    if number < 1 << 14:
        return (number << 2 | 1).to_bytes(2, "little")
    if number < 1 << 30:
        return (number << 2 | 2).to_bytes(4, "little")
    length = (number.bit_length() + 7) // 8
    return bytes([(length - 4) << 2 | 3]) + number.to_bytes(length, "little")
