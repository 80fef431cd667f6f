"""What signs: wallets' keys and delegate keys, behind one small protocol."""

from __future__ import annotations

import secrets
from typing import Literal, Protocol, runtime_checkable

import ed25519_zebra  # type: ignore[import-untyped]
import sr25519
from scalecodec.utils.ss58 import ss58_encode
from substrateinterface import Keypair

SS58_FORMAT = 42


@runtime_checkable
class Signer(Protocol):
    """A key that signs bytes as they are, without wrapping them."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""

    @property
    def scheme(self) -> Literal["sr25519", "ed25519"]:
        """The signature scheme."""

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of a signature. For sr25519 each call gives other bytes."""


DelegateSigner = Signer
"""What a relayer needs of a grant's key; a signer in another process implements the same."""


class LocalKey:
    """A key in this process's memory. Its `repr` shows the address and nothing else.

    Signing holds the interpreter lock for about 22 us, so call it inline.
    """

    __slots__ = ("_pair", "_public", "_scheme")

    def __init__(self, pair: Keypair) -> None:
        """Take over a substrate-interface key pair, which must have its private half."""
        if not pair.private_key:
            raise ValueError(f"{pair.ss58_address} has no private half: it cannot sign")
        if pair.crypto_type not in (0, 1):
            raise ValueError("only sr25519 and ed25519 keys are known here")
        self._pair = pair
        self._public = bytes(pair.public_key)
        self._scheme: Literal["sr25519", "ed25519"] = (
            "sr25519" if pair.crypto_type == 1 else "ed25519"
        )

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._public

    @property
    def scheme(self) -> Literal["sr25519", "ed25519"]:
        """The signature scheme."""
        return self._scheme

    @property
    def address(self) -> str:
        """The account's SS58 address, generic format (42)."""
        return str(ss58_encode(self._public, ss58_format=SS58_FORMAT))

    @property
    def pair(self) -> Keypair:
        """The key pair itself, secrets included: for the keystore's export only."""
        return self._pair

    def sign(self, message: bytes) -> bytes:
        """Sign `message` as it is; 64 bytes."""
        if self._scheme == "sr25519":
            return bytes(sr25519.sign((self._public, self._pair.private_key), message))
        return bytes(ed25519_zebra.ed_sign(self._pair.private_key, message))

    def __repr__(self) -> str:
        return f"<{self._scheme} key {self.address}>"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a key is not pickled: store it with the keystore")


def fresh_key() -> LocalKey:
    """Make a new sr25519 key from the system's randomness."""
    return key_of_seed(secrets.token_bytes(32))


def key_of_seed(seed: bytes) -> LocalKey:
    """Give the sr25519 key of a secret seed of 32 bytes."""
    return LocalKey(Keypair.create_from_seed(seed, ss58_format=SS58_FORMAT))


def dev_key(name: str) -> LocalKey:
    """Give a development account's key, for example `dev_key("Alice")`: publicly known."""
    return LocalKey(Keypair.create_from_uri(f"//{name}", ss58_format=SS58_FORMAT))


def verify(scheme: str, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Check a signature over exactly `message`."""
    if len(signature) != 64:
        return False
    if scheme == "sr25519":
        return bool(sr25519.verify(signature, message, public_key))
    if scheme == "ed25519":
        return bool(ed25519_zebra.ed_verify(signature, message, public_key))
    raise ValueError(f"unknown signature scheme {scheme!r}")
