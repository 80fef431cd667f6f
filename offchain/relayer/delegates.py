"""Which delegate key stands for which viewer, and when a viewer needs another one.

The keys are the keyring's. The journal holds which of them were handed out, and to whom.
"""

from __future__ import annotations

import logging

from offchain.journal import JournalUnavailable, put_delegate
from offchain.journal.records import DelegateRecord, SessionRecord
from offchain.keys.delegate_keys import MasterDamaged
from offchain.keys.keystore import KeyNotFound, KeystoreCorrupt, KeystoreError
from offchain.ledger.errors import LedgerError
from offchain.relayer.chain import bounded
from offchain.relayer.core import Core
from offchain.relayer.keyring import KeystoreKeyring, MemoryKeyring
from offchain.relayer.problems import chain_unavailable, journal_unavailable, master_damaged
from offchain.relayer.turns import Turns

log = logging.getLogger("paystream.relay.delegates")

__all__ = ["Delegates", "KeystoreKeyring", "MemoryKeyring"]


class Delegates:
    """Which delegate key stands for which viewer."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_viewer: dict[str, tuple[DelegateRecord, ...]] = {}
        self._making = Turns()
        self._recognised: set[str] = set()
        """Viewers whose grants were looked at for keys that the journal does not have."""

    def restore(self, delegates: list[DelegateRecord]) -> None:
        """Take over what the journal holds."""
        for record in delegates:
            self._remember(record)

    async def archive_spent(self, open_sessions: list[SessionRecord]) -> None:
        """Put the keys away that are retired and have no open session, where they are files.

        What the disk refuses stays where it is, and is a line in the log.
        """
        used = {session.delegate for session in open_sessions}
        spent = [
            record.key_name
            for own in self._by_viewer.values()
            for record in own
            if record.retired and record.public not in used
        ]
        try:
            await self._core.keyring.archive(spent)
        except KeystoreError as error:
            log.warning("event=keys-not-archived why=%r", str(error))

    def _remember(self, record: DelegateRecord) -> None:
        own = self._by_viewer.get(record.viewer, ())
        others = tuple(other for other in own if other.public != record.public)
        self._by_viewer[record.viewer] = (*others, record)
        self._core.key_names[record.public] = record.key_name

    def is_ours(self, viewer: str, public: bytes) -> bool:
        """Tell whether this relayer holds a key that `viewer` has granted, undamaged."""
        if public in self._core.keys_broken:
            return False
        return any(record.public == public for record in self._by_viewer.get(viewer, ()))

    async def offer(self, viewer: str) -> bytes:
        """Give the public key that a challenge names.

        Anybody may ask for any account, so nothing is stored before the account's signature has
        come. Raises Refused.
        """
        kept = await self._usable(viewer)
        if kept is not None:
            return kept
        return (await self._next(viewer))[1]

    async def _next(self, viewer: str) -> tuple[str, bytes]:
        """Name the key that a viewer's next grant will name: the same until it is handed out.

        Raises Refused where the newest master is damaged, and KeystoreError.
        """
        count = len(self._by_viewer.get(viewer, ()))
        try:
            return await self._core.keyring.delegate(viewer, count)
        except MasterDamaged as error:
            log.warning("event=grant-refused viewer=%s why=%r", viewer, str(error))
            raise master_damaged(str(error)) from None

    async def current(self, viewer: str) -> bytes:
        """Give the public key that a viewer should grant, or has: a fresh one after a grant ended.

        It is in the journal. Call it for a viewer who has signed in.
        Raises Refused.
        """
        async with self._making.of(viewer):
            await self._recognise(viewer)
            kept = await self._usable(viewer)
            if kept is not None:
                return kept
            return await self._make(viewer)

    async def _recognise(self, viewer: str) -> None:
        """Take over the keys that a viewer has granted and a lost or older journal does not have.

        Once a process: what the journal misses, it missed at the start.
        """
        core = self._core
        if viewer in self._recognised or not core.view.usable:
            return
        try:
            grants = await bounded(core.chain.grants_of(viewer))
        except LedgerError:
            return  # the next time it will do
        for grant in grants.values():
            if grant.ended_at > core.view.best_ms:
                await self.adopt(viewer, grant.key.public)
        self._recognised.add(viewer)

    async def adopt(self, viewer: str, public: bytes) -> bool:
        """Tell whether a key that the ledger names is ours, and remember it where it is new.

        Raises KeystoreError and JournalUnavailable.
        """
        core = self._core
        if public in core.key_names:
            return True
        name = await core.keyring.recognise(viewer, public)
        if name is None:
            return False
        record = DelegateRecord(public=public, viewer=viewer, key_name=name)
        await core.journal.commit([put_delegate(record)])
        self._remember(record)
        log.info("event=delegate-adopted viewer=%s key=%s", viewer, name)
        return True

    async def _usable(self, viewer: str) -> bytes | None:
        for record in self._by_viewer.get(viewer, ()):
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
        """Tell whether a key is not to be granted any more.

        Its grant has ended, its file is damaged, or it waits and a newer master has come.
        """
        core = self._core
        if record.public in core.keys_broken:
            return True
        if not core.view.usable:
            return False
        try:
            grants = await bounded(core.chain.grants_of(record.viewer))
        except LedgerError:
            raise chain_unavailable() from None
        own = [grant for grant in grants.values() if grant.key.public == record.public]
        if not own:
            return not core.keyring.is_current(record.key_name)
        return all(grant.ended_at <= core.view.best_ms for grant in own)

    async def _make(self, viewer: str) -> bytes:
        name, public = await self._next(viewer)
        record = DelegateRecord(public=public, viewer=viewer, key_name=name)
        await self._keep(record)
        return record.public

    async def _keep(self, record: DelegateRecord) -> None:
        try:
            await self._core.journal.commit([put_delegate(record)])
        except JournalUnavailable:
            raise journal_unavailable() from None
        self._remember(record)

    async def proof(self, viewer: str, public: bytes) -> bytes:
        """Sign that `viewer` may grant a key; the SCALE of a `DelegateSignature`.

        Raises KeystoreError. After damage the next `current` names another key.
        """
        core = self._core
        try:
            return await core.keyring.prove(core.key_names[public], core.chain, viewer)
        except (KeyNotFound, KeystoreCorrupt):
            core.keys_broken.add(public)
            raise
