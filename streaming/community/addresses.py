"""Accounts as people copy them (SS58) and as they are: 32 bytes of a public key.

Every chain writes the same key with a prefix of its own, so an account is its key here, whichever
way it was written, and is shown with the prefix that says no chain (42).
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from streaming.community.refusal import Refused

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_ADDRESS: Final = re.compile(f"[{_ALPHABET}]{{46,50}}")
"""A key of 32 bytes with a prefix of one or two and a checksum of two."""
_CONTEXT: Final = b"SS58PRE"
_GENERIC: Final = b"\x2a"
PUBLIC_BYTES: Final = 32


def public_of(text: object, field: str = "account") -> bytes:
    """Give the public key of an address. Raises `Refused` (400)."""
    found = _decoded(text) if isinstance(text, str) else None
    if found is None:
        raise Refused(
            400, "account-invalid", "this is no SS58 address: copy it from the wallet", field=field
        )
    return found


def is_address(text: str) -> bool:
    """Tell whether a text is an account's address."""
    return _decoded(text) is not None


def _decoded(text: str) -> bytes | None:
    if not _ADDRESS.fullmatch(text):
        return None
    number = 0
    for character in text:
        number = number * 58 + _VALUES[character]
    for prefix_bytes in (1, 2):
        length = prefix_bytes + PUBLIC_BYTES + 2
        if number.bit_length() > length * 8:
            continue
        raw = number.to_bytes(length, "big")
        is_short = raw[0] < 64
        if raw[-2:] == _checksum(raw[:-2]) and is_short == (prefix_bytes == 1):
            return raw[prefix_bytes:-2]
    return None


def address_of(public: bytes) -> str:
    """Write a public key as an address."""
    raw = _GENERIC + public
    number = int.from_bytes(raw + _checksum(raw), "big")
    text = ""
    while number:
        number, value = divmod(number, 58)
        text = _ALPHABET[value] + text
    return text


def _checksum(raw: bytes) -> bytes:
    return hashlib.blake2b(_CONTEXT + raw).digest()[:2]
