"""Where the relayer's delegate keys are and who signs with them: this process, or a signer's.

A keyring is asked for typed orders and proofs, never for bytes, so that the same question can go to
a signer in another process that judges it first (`offchain.signer`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec
import trio

from offchain.keys.delegate_keys import NUMBERS_TRIED, DelegateKeys
from offchain.keys.derivation import Master, read_name
from offchain.keys.signer import LocalKey, Signer, key_of_seed
from offchain.ledger.orders import (
    Domain,
    Order,
    SignedOrder,
    sign_grant_proof,
    sign_order,
    signature_value,
)
from offchain.ledger.types import Grant, Session


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is to be signed.

    `key` is the name of the delegate's key, `entry` the grant and `running` the session as the best
    block has them: a signer in another process wants to see the one when a session is opened, and
    the other when it takes over a session that it has not opened.
    """

    key: str
    grant: int
    order: Order
    entry: Grant | None = None
    running: Session | None = None
    fence: int = 0
    """The number of this relayer's lease of the session, where several share a journal."""


class Keyring(Protocol):
    """Where delegates' keys are made, and what signs with them."""

    @property
    def unavailable(self) -> str | None:
        """Say why nothing can be signed now, and what helps; None where nothing is known of it."""

    async def delegate(self, viewer: str, number: int) -> tuple[str, bytes]:
        """Give name and public key of a viewer's delegate, counted from 0; nothing is stored.

        Raises MasterDamaged where the newest master cannot be read, and KeystoreError.
        """

    async def recognise(self, viewer: str, public: bytes) -> str | None:
        """Name a viewer's delegate by its public key; None where it is not of this keyring.

        Raises KeystoreError.
        """

    def is_current(self, name: str) -> bool:
        """Tell whether a key comes from the master that new ones come from."""

    async def archive(self, names: list[str]) -> None:
        """Put keys away that will not sign again, where they lie in files. Raises KeystoreError."""

    async def prove(self, name: str, domain: Domain, viewer: str) -> bytes:
        """Sign that `viewer` may grant a key; the SCALE of a `DelegateSignature`.

        Raises KeystoreError.
        """

    async def sign(self, asked: Asked, domain: Domain) -> SignedOrder:
        """Sign an order that is in the journal. Raises KeystoreError.

        What was signed is in the answer: a close may have a higher total, which was signed before.
        """


async def recognised(
    delegate: Callable[[str, int], Awaitable[tuple[str, bytes]]], viewer: str, public: bytes
) -> str | None:
    """Name a viewer's delegate by its public key, asking for one number after the other."""
    for number in range(NUMBERS_TRIED):
        name, found = await delegate(viewer, number)
        if found == public:
            return name
    return None


class LocalKeyring(ABC):
    """A keyring whose keys are in this process: `open` gives them."""

    @property
    def unavailable(self) -> str | None:
        """Keys of this process are there."""
        return None

    @abstractmethod
    async def open(self, name: str) -> Signer:
        """Give a key by its name. Raises KeystoreError."""

    async def prove(self, name: str, domain: Domain, viewer: str) -> bytes:
        """Sign that `viewer` may grant a key. Raises KeystoreError."""
        signer = await self.open(name)
        signature = sign_grant_proof(signer, domain.genesis_hash, domain.pallet_index, viewer)
        return signature_value(signer.scheme, signature)

    async def sign(self, asked: Asked, domain: Domain) -> SignedOrder:
        """Sign an order. Raises KeystoreError."""
        signer = await self.open(asked.key)
        signature = sign_order(
            signer, domain.genesis_hash, domain.pallet_index, asked.grant, asked.order
        )
        return SignedOrder(
            grant=asked.grant, order=asked.order, signature=signature, scheme=signer.scheme
        )


class KeystoreKeyring(LocalKeyring):
    """Delegate keys of a directory: derived from its masters, or in files of an earlier release."""

    def __init__(
        self, directory: Path, password: str, again: Callable[[], str | None] = lambda: None
    ) -> None:
        """`again` reads the password once more, where it may be another by now."""
        self._keys = DelegateKeys(directory, password, again)
        self._one_at_a_time = trio.CapacityLimiter(1)

    def __repr__(self) -> str:
        return f"<keyring {self._keys.store.directory}>"

    @property
    def unavailable(self) -> str | None:
        """Say so where every master is damaged."""
        return self._keys.unusable

    async def check(self) -> None:
        """Open the masters, so that a wrong password shows at the start. Raises KeystoreError.

        A damaged file is in the log, and stops what needs it.
        """
        await trio.to_thread.run_sync(self._keys.check, limiter=self._one_at_a_time)

    async def delegate(self, viewer: str, number: int) -> tuple[str, bytes]:
        """Derive a viewer's delegate."""
        return self._keys.delegate(viewer, number)

    async def recognise(self, viewer: str, public: bytes) -> str | None:
        """Look a viewer's delegate up among those of every master, and in files."""
        return await trio.to_thread.run_sync(
            self._keys.recognise, viewer, public, limiter=self._one_at_a_time
        )

    def is_current(self, name: str) -> bool:
        """Tell whether a key comes from the newest master."""
        return self._keys.is_current(name)

    async def archive(self, names: list[str]) -> None:
        """Move files of earlier delegates into `archive`. Raises KeystoreError."""
        await trio.to_thread.run_sync(self._keys.archive, names, limiter=self._one_at_a_time)

    async def open(self, name: str) -> Signer:
        """Give a key: at once where it is derived, after 0.1 s where it has a file."""
        if self._keys.is_open(name):
            return self._keys.open(name)
        return await trio.to_thread.run_sync(self._keys.open, name, limiter=self._one_at_a_time)


class MemoryKeyring(LocalKeyring):
    """Delegate keys out of a master in memory, for tests: the same each time."""

    def __init__(self, master: LocalKey | None = None) -> None:
        self._master = Master(master or key_of_seed(bytes(32)))

    async def archive(self, names: list[str]) -> None:
        """Put nothing away: what is derived lies in no file."""

    async def delegate(self, viewer: str, number: int) -> tuple[str, bytes]:
        """Derive a viewer's delegate."""
        public = self._master.delegate(viewer, number).public_key
        return str(self._master.name(viewer, number)), public

    async def recognise(self, viewer: str, public: bytes) -> str | None:
        """Look a viewer's delegate up."""
        return await recognised(self.delegate, viewer, public)

    def is_current(self, name: str) -> bool:
        """Tell whether a key comes from this master."""
        named = read_name(name)
        return named is not None and named.master == self._master.fingerprint

    async def open(self, name: str) -> Signer:
        """Derive a key."""
        named = read_name(name)
        if named is None:
            raise KeyError(name)
        return self._master.delegate(named.viewer, named.number)
