"""The text that a wallet signs to sign in, which nobody has to remember.

A challenge's id carries what it says, under a code that only this server can make; so a stranger
who asks for many costs no memory and pushes out nobody else's. Which were used is kept in the
database, by a random number alone, until they expire: each gives one session.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from contextlib import suppress
from typing import Final

import msgspec

from streaming.community.addresses import address_of
from streaming.community.refusal import Refused

CHALLENGE_LIFETIME_MS: Final = 5 * 60_000
CHALLENGE_CHARS_MAX: Final = 1_024
_CODE_BYTES: Final = 32


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is asked to sign."""

    public: bytes
    origin: str
    nonce: str
    expires_at_ms: int

    @property
    def message(self) -> str:
        """The text to be signed. Its first line says that it is for nothing else."""
        return "\n".join(
            (
                "PayStream: sign in to chat, to follow, and to edit your profile.",
                "This signature moves no money.",
                "",
                f"Origin: {self.origin}",
                f"Account: {address_of(self.public)}",
                f"Nonce: {self.nonce}",
                f"Expires: {self.expires_at_ms} (unix ms)",
            )
        )


class Challenges:
    """Makes challenges and knows its own again."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._secret = secrets.token_bytes(32)

    def make(self, public: bytes, now_ms: int) -> tuple[str, Challenge]:
        """Make a challenge for an account: its id and what it says."""
        made = Challenge(
            public=public,
            origin=self._origin,
            nonce=secrets.token_hex(16),
            expires_at_ms=now_ms + CHALLENGE_LIFETIME_MS,
        )
        content = msgspec.json.encode(made)
        return base64.urlsafe_b64encode(self._code(content) + content).decode(), made

    def read(self, challenge: object, now_ms: int) -> Challenge:
        """Give what a challenge's id says. Raises `Refused` (400): unknown here, or expired."""
        known = self._read(challenge)
        if known is None:
            raise Refused(
                400,
                "challenge-unknown",
                "this challenge is not known here (the server may have started anew): ask for "
                "another and sign that",
                field="challenge",
            )
        if known.expires_at_ms <= now_ms:
            raise Refused(
                400,
                "challenge-expired",
                f"a challenge is good for {CHALLENGE_LIFETIME_MS // 60_000} minutes: ask for "
                "another and sign that",
                field="challenge",
            )
        return known

    def _read(self, challenge: object) -> Challenge | None:
        if not isinstance(challenge, str) or len(challenge) > CHALLENGE_CHARS_MAX:
            return None
        with suppress(binascii.Error, ValueError, msgspec.MsgspecError):
            raw = base64.urlsafe_b64decode(challenge.encode("ascii"))
            content = raw[_CODE_BYTES:]
            if hmac.compare_digest(raw[:_CODE_BYTES], self._code(content)):
                return msgspec.json.decode(content, type=Challenge)
        return None

    def _code(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, hashlib.sha256)
