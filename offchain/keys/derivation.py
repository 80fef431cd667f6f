"""Delegates' keys out of one master secret: sr25519 hard junctions, as every Substrate wallet has.

A viewer's delegate is the master's child at `//paystream//ADDRESS.NUMBER`: the viewer's address in
the generic format (42), and a number that counts the viewer's delegates from 0. A hard junction
hashes the parent's secret, so a child tells nothing of its master or of its siblings, and nobody
without the master can tell that two children have one. Junctions rather than a key derivation
function of our own: whoever has the master's backup makes the same keys with `subkey`, polkadot.js
or substrate-interface, without this software. The path holds the viewer, so a master needs no
counter and no table, and its keys are found again from what is on the chain.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec
import sr25519

from offchain.keys.signer import LocalKey

JUNCTION: Final = "paystream"
NUMBER_MAX: Final = 2**32 - 1
_PREFIX: Final = "m"


class DelegateName(msgspec.Struct, frozen=True):
    """How a derived key is called in the journal: `m/FINGERPRINT/ADDRESS/NUMBER`.

    `master` are the first eight digits of the master's public key, so that a name never means
    another key when a master is lost and made anew.
    """

    master: str
    viewer: str
    number: int

    def __str__(self) -> str:
        return f"{_PREFIX}/{self.master}/{self.viewer}/{self.number}"


def read_name(name: str) -> DelegateName | None:
    """Read a derived key's name; None for the name of a key that lies in a file of its own."""
    parts = name.split("/")
    if len(parts) != 4 or parts[0] != _PREFIX or not parts[3].isdecimal():
        return None
    number = int(parts[3]) if len(parts[3]) <= 10 else NUMBER_MAX + 1
    named = DelegateName(parts[1], parts[2], number)
    # one key has one name: no leading zeros, no other digits
    return named if number <= NUMBER_MAX and str(named) == name else None


class DerivedKey:
    """A delegate's key in this process's memory: 96 bytes, without a name that could be shown."""

    __slots__ = ("_public", "_secret")

    def __init__(self, public: bytes, secret: bytes) -> None:
        self._public = public
        self._secret = secret

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._public

    @property
    def scheme(self) -> Literal["sr25519", "ed25519"]:
        """The signature scheme."""
        return "sr25519"

    def sign(self, message: bytes) -> bytes:
        """Sign `message` as it is; 64 bytes."""
        return bytes(sr25519.sign((self._public, self._secret), message))

    def __repr__(self) -> str:
        return f"<derived key 0x{self._public.hex()}>"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a key is not pickled: store its master with the keystore")


class Master:
    """The secret that a relayer's delegates are derived from; one derivation takes about 50 us."""

    __slots__ = ("_parent", "fingerprint")

    def __init__(self, key: LocalKey) -> None:
        """Take a key of a keystore. Raises ValueError where it is not an sr25519 key."""
        if key.scheme != "sr25519":
            raise ValueError(
                f"the master {key.address} is an ed25519 key: only sr25519 keys have junctions"
            )
        self.fingerprint = key.public_key.hex()[:8]
        self._parent = _child(key.public_key, bytes(key.pair.private_key), JUNCTION)

    def __repr__(self) -> str:
        return f"<master {self.fingerprint}>"

    def name(self, viewer: str, number: int) -> DelegateName:
        """Name a viewer's delegate."""
        return DelegateName(self.fingerprint, viewer, number)

    def delegate(self, viewer: str, number: int) -> DerivedKey:
        """Derive a viewer's delegate. `viewer` is an SS58 address in the generic format."""
        return DerivedKey(*_child(*self._parent, f"{viewer}.{number}"))


def _child(public: bytes, secret: bytes, junction: str) -> tuple[bytes, bytes]:
    _, child_public, child_secret = sr25519.hard_derive_keypair(
        (_chain_code(junction), public, secret), b""
    )
    return bytes(child_public), bytes(child_secret)


def _chain_code(junction: str) -> bytes:
    """Encode a junction that is no number as Substrate's `DeriveJunction` does."""
    raw = junction.encode()
    encoded = bytes([len(raw) << 2]) + raw  # SCALE's compact length: these have less than 64 bytes
    if len(encoded) > 32:
        return hashlib.blake2b(encoded, digest_size=32).digest()
    return encoded.ljust(32, b"\0")
