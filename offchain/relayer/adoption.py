"""Adopting open sessions of our delegates' keys that the journal does not know.

A journal that was lost, or put back from an older copy, has sessions missing that the ledger keeps
open: each holds a slot and funds of its viewer. The ledger says whose they are, for each session's
entry names viewer and key, and a key is derived from viewer and number. What nobody ticks any more
is closed with the ledger's own total, or settled after its window: the tail is lost, the slot is
not. A look costs the keys of what is open on the ledger; entries are read of what is unknown. It is
taken at a finalized block, which may be half a minute old: what seems to be nobody's there is read
once more at the newest block, for it may be ticked, or closed, since.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import trio

from offchain.journal import JournalError
from offchain.journal.records import SessionRecord
from offchain.keys.keystore import KeystoreError
from offchain.ledger.errors import LedgerError, NodeUnreachable
from offchain.ledger.types import Session
from offchain.relayer.cadence import ended_at
from offchain.relayer.chain import RETRY_S, bounded
from offchain.relayer.core import Core
from offchain.relayer.delegates import Delegates
from offchain.relayer.live_session import LiveSession
from offchain.relayer.problems import Refused
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.adoption")

LOOK_EVERY_S: Final = 60.0
LIST_WITHIN_S: Final = 30.0
"""A list of many sessions takes the node several answers."""
ENTRIES_AT_ONCE: Final = 128
TWO_BLOCKS_MS: Final = 12_000


class Adopter:
    """Looks for sessions that are open on the ledger, ours, and in nobody's book."""

    def __init__(self, core: Core, delegates: Delegates) -> None:
        self._core = core
        self._delegates = delegates
        self._foreign: set[SessionRef] = set()
        """Open sessions of keys that are not ours: they are not read again."""

    async def run(self) -> None:
        """Look when a block is final and a best one is followed, and then again and again."""
        while True:
            try:
                await trio.sleep(await self.look())
            except (LedgerError, JournalError, KeystoreError) as error:
                log.warning("event=adoption-waits why=%r", str(error))
                await trio.sleep(LOOK_EVERY_S)

    async def look(self) -> float:
        """Adopt what there is at the last finalized block; tell in how many seconds to look again.

        Raises LedgerError, JournalError and KeystoreError.
        """
        core = self._core
        head = core.view.finalized
        if head is None or not core.view.usable:
            return RETRY_S
        listed = await bounded(core.chain.open_sessions(at=head.hash), LIST_WITHIN_S)
        refs = [SessionRef(*place) for place in listed]
        self._foreign.intersection_update(refs)
        unknown = [ref for ref in refs if self._is_unknown(ref)]
        again_s = LOOK_EVERY_S
        for first in range(0, len(unknown), ENTRIES_AT_ONCE):
            some = unknown[first : first + ENTRIES_AT_ONCE]
            again_s = min(again_s, await self._judge(some, head.hash))
        return again_s

    def _is_unknown(self, ref: SessionRef) -> bool:
        return ref not in self._core.book.sessions and ref not in self._foreign

    async def _judge(self, refs: Sequence[SessionRef], at: str) -> float:
        """Adopt those of some sessions that are ours and silent; tell when to look again."""
        places = [(ref.grant, ref.index) for ref in refs]
        entries = await bounded(self._core.chain.sessions_of(places, at=at))
        again_s = LOOK_EVERY_S
        for ref in refs:
            entry = entries.get((ref.grant, ref.index))
            if entry is None:
                raise NodeUnreachable("the chain", f"it lists session {ref} and has no entry of it")
            if not await self._delegates.adopt(entry.viewer, entry.key.public):
                self._foreign.add(ref)
                continue
            waits_ms = self._ticks_for_ms(entry)
            if waits_ms > 0:
                again_s = min(again_s, waits_ms / 1000)
            elif self._is_unknown(ref):
                await self._adopt(ref, entry.viewer)
        return again_s

    def _ticks_for_ms(self, entry: Session) -> int:
        return ticks_for_ms(entry, self._core.view.best_ms, self._core.cadence_ms)

    async def _adopt(self, ref: SessionRef, viewer: str) -> None:
        """Take a session into the book, to be closed with what the ledger has charged."""
        core = self._core
        past = await core.journal.reading(core.journal.session, ref.grant, ref.index)
        if past is not None and past.phase not in ("closed", "failed"):
            return  # another relayer of this journal has it
        try:
            await core.tenure.claim(viewer)
        except Refused:
            return  # another relayer has the viewer, and closes what that one's sessions leave
        if not self._is_unknown(ref):
            return
        entry = await self._newest(ref)
        if entry is None or self._ticks_for_ms(entry) > 0 or not self._is_unknown(ref):
            return  # it has been closed, by us perhaps, or is another's
        session = LiveSession(_record(ref, entry, past, core.unix_ms()), trio.current_time())
        session.charged_seconds = entry.seconds
        session.is_signed = True
        core.book.add(session)
        session.touch()
        core.count("sessions_adopted")
        core.journal_bell.ring()
        core.submit_bell.ring()
        log.warning(
            "event=session-adopted session=%s viewer=%s seconds=%d",
            ref,
            entry.viewer,
            entry.seconds,
        )

    async def _newest(self, ref: SessionRef) -> Session | None:
        """Read a session's entry at the newest block known here. Raises LedgerError.

        Whatever has left the book was final before, so that it is not found there.
        """
        view = self._core.view
        heads = [head for head in (view.best, view.finalized) if head is not None]
        newest = max(heads, key=lambda head: head.number)
        place = (ref.grant, ref.index)
        found = await bounded(self._core.chain.sessions_of([place], at=newest.hash))
        return found.get(place)


def ticks_for_ms(entry: Session, now_ms: int, cadence_ms: int) -> int:
    """Tell for how long a session may still be another's, who ticks it; below 0 it is nobody's.

    `now_ms` is the best block's. Another relayer with our keys should not be there. Should there be
    one, it keeps its sessions.
    """
    if ended_at(entry, now_ms) <= now_ms:
        return 0
    return entry.ticked_at + 2 * cadence_ms + TWO_BLOCKS_MS - now_ms


def _record(
    ref: SessionRef, entry: Session, past: SessionRecord | None, now_ms: int
) -> SessionRecord:
    """Make the record of an adopted session: what was delivered is what the ledger has charged.

    Its connections are those of the past, whose figures are in no journal: none of theirs count.
    """
    number = 0 if past is None else past.number
    return SessionRecord(
        grant=ref.grant,
        index=ref.index,
        viewer=entry.viewer,
        delegate=entry.key.public,
        stream=entry.stream,
        rate_per_second=entry.rate_per_second,
        funds=entry.funds,
        start_at=entry.started_at,
        admitted_at_ms=now_ms,
        phase="closing",
        number=number,
        resume_digest=b"",
        token_digest=b"",
        finished_ms=entry.seconds * 1000,
        finished_number=number,
        end_reason="adopted",
        paid_seconds=entry.seconds,
        paid=entry.paid,
        asset=entry.asset,
        tick_price=entry.tick_price,
        attempt=1 if past is None else past.attempt + 1,
    )
