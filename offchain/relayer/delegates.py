"""Delegate keys: made here, one per grant, and opened when they have to sign."""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

import trio

from offchain.journal import JournalUnavailable, put_delegate
from offchain.journal_schema import DelegateRecord
from offchain.keys.keystore import Keystore
from offchain.keys.signer import LocalKey, Signer, key_of_seed
from offchain.ledger.errors import LedgerError
from offchain.ledger.orders import sign_grant_proof
from offchain.relayer.chain import bounded
from offchain.relayer.core import Core
from offchain.relayer.problems import chain_unavailable, journal_unavailable


class KeystoreKeyring:
    """Delegate keys in an encrypted keystore; opened ones stay in memory."""

    def __init__(self, directory: Path, password: str) -> None:
        self._store = Keystore(directory)
        self._password = password
        self._open: dict[str, Signer] = {}
        self._one_at_a_time = trio.CapacityLimiter(1)

    def __repr__(self) -> str:
        return f"<keyring {self._store.directory}>"

    async def check(self) -> None:
        """Open one delegate key, so that a wrong password shows at the start.

        Raises KeystoreError.
        """
        names = [key.name for key in self._store.list() if key.name.startswith("delegate-")]
        if names:
            await self.open(names[-1])

    async def keep(self, name: str, key: LocalKey) -> None:
        """Store a key. Raises KeystoreError."""
        await trio.to_thread.run_sync(
            self._store.store, key, name, self._password, limiter=self._one_at_a_time
        )
        self._open[name] = key

    async def open(self, name: str) -> Signer:
        """Give a stored key. Raises KeystoreError."""
        if name not in self._open:
            self._open[name] = await trio.to_thread.run_sync(
                self._store.load, name, self._password, limiter=self._one_at_a_time
            )
        return self._open[name]


class MemoryKeyring:
    """Delegate keys in memory only, for tests."""

    def __init__(self) -> None:
        self._keys: dict[str, Signer] = {}

    async def keep(self, name: str, key: LocalKey) -> None:
        """Remember a key."""
        self._keys[name] = key

    async def open(self, name: str) -> Signer:
        """Give a key that was made here."""
        return self._keys[name]


class Delegates:
    """Which delegate key stands for which viewer."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_viewer: dict[str, list[DelegateRecord]] = {}
        self._seed = secrets.token_bytes(32)
        self._making: dict[str, trio.Lock] = {}

    def restore(self, delegates: list[DelegateRecord]) -> None:
        """Take over what the journal holds."""
        for record in delegates:
            self._remember(record)

    def _remember(self, record: DelegateRecord) -> None:
        own = self._by_viewer.setdefault(record.viewer, [])
        own[:] = [other for other in own if other.public != record.public] + [record]
        self._core.key_names[record.public] = record.key_name

    def is_ours(self, viewer: str, public: bytes) -> bool:
        """Tell whether this relayer holds a key that `viewer` has granted."""
        return any(record.public == public for record in self._by_viewer.get(viewer, ()))

    async def offer(self, viewer: str) -> bytes:
        """Give the public key that a challenge names.

        Anybody may ask for any account, so nothing is stored before the account's signature has
        come. Raises Refused.
        """
        kept = await self._usable(viewer)
        if kept is not None:
            return kept
        return self._next(viewer).public_key

    def _next(self, viewer: str) -> LocalKey:
        """Give the key that a viewer's next grant will name: the same until it is made."""
        count = len(self._by_viewer.get(viewer, ()))
        return key_of_seed(hmac.digest(self._seed, f"{viewer} {count}".encode(), "sha256"))

    async def current(self, viewer: str) -> bytes:
        """Give the public key that a viewer should grant, or has: a fresh one after a grant ended.

        It is in the keystore and in the journal. Call it for a viewer who has signed in.
        Raises Refused.
        """
        lock = self._making.setdefault(viewer, trio.Lock())
        async with lock:
            kept = await self._usable(viewer)
            if kept is not None:
                return kept
            return await self._make(viewer)

    async def _usable(self, viewer: str) -> bytes | None:
        for record in list(self._by_viewer.get(viewer, ())):
            if record.retired:
                continue
            if not await self._spent(record):
                return record.public
            await self._keep(
                DelegateRecord(
                    public=record.public, viewer=viewer, key_name=record.key_name, retired=True
                )
            )
        return None

    def has_signed_in(self, viewer: str) -> bool:
        """Tell whether a viewer ever proved the account here."""
        return viewer in self._by_viewer

    async def _spent(self, record: DelegateRecord) -> bool:
        """Tell whether the key was granted and that grant has ended."""
        core = self._core
        if not core.view.usable:
            return False
        try:
            grants = await bounded(core.chain.grants_of(record.viewer))
        except LedgerError:
            raise chain_unavailable() from None
        own = [grant for grant in grants.values() if grant.key.public == record.public]
        return bool(own) and all(grant.ended_at <= core.view.best_ms for grant in own)

    async def _make(self, viewer: str) -> bytes:
        name = f"delegate-{secrets.token_hex(8)}"
        key = self._next(viewer)
        await self._core.keyring.keep(name, key)
        record = DelegateRecord(public=key.public_key, viewer=viewer, key_name=name)
        await self._keep(record)
        return record.public

    async def _keep(self, record: DelegateRecord) -> None:
        try:
            await self._core.journal.commit([put_delegate(record)])
        except JournalUnavailable:
            raise journal_unavailable() from None
        self._remember(record)

    async def proof(self, viewer: str, public: bytes) -> bytes:
        """Sign that `viewer` may grant a key; the SCALE of a `DelegateSignature`."""
        core = self._core
        signer = await core.keyring.open(core.key_names[public])
        signature = sign_grant_proof(
            signer, core.chain.genesis_hash, core.chain.pallet_index, viewer
        )
        return bytes([0 if signer.scheme == "sr25519" else 1]) + signature
