"""How a client proves its account: it signs a challenge, and shows no key."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """An account that can prove itself. `sign` gets the text of a challenge."""

    @property
    def account(self) -> str:
        """SS58 address."""

    def sign(self, message: bytes) -> bytes:
        """sr25519 or ed25519 signature (64 bytes) over `<Bytes>` + message + `</Bytes>`, or
        over the message itself; the relayer takes both."""
