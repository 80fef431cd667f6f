"""A session is opened: reserved in the journal first, then offered to the pool.

The media starts when the pool has accepted the order. An index is no other session's until a final
block has decided about it, whatever its viewer does.
"""

from __future__ import annotations

import logging
import secrets
from typing import Final

import msgspec
import trio

from offchain.journal import JournalError, JournalUnavailable, put_session
from offchain.journal.records import SessionRecord, TokenRecord
from offchain.keys.keystore import KeystoreError
from offchain.ledger.errors import LaneFull, LedgerError, OrderRefused
from offchain.ledger.types import Grant
from offchain.relayer import cadence, funds
from offchain.relayer.core import Core
from offchain.relayer.interest import Interest
from offchain.relayer.live_session import LiveSession
from offchain.relayer.pacing import Pacing
from offchain.relayer.places import Place
from offchain.relayer.problems import (
    Refused,
    chain_unavailable,
    journal_unavailable,
    keys_unavailable,
)
from offchain.relayer.submit import OPEN_LANE, Submitter, open_order, refuse
from offchain.relayer.terms import Standing
from offchain.relayer.tokens import digest
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.opening")

UNDECIDED_WAIT_S: Final = 12
"""Two blocks, as finality is behind."""
_WAITS: Final = frozenset({"OpenTooSoon", "SlotsTaken", "IndexNotNext"})
"""Refusals of an open that pass by themselves within the head start."""


class Opening:
    """Reserves sessions, and has them opened."""

    def __init__(self, core: Core, submitter: Submitter, pacing: Pacing) -> None:
        self._core = core
        self._submitter = submitter
        self._pacing = pacing

    async def open(
        self,
        token: TokenRecord,
        stream: int,
        number: int,
        standing: Standing,
        place: Place | None,
        *,
        renew: bool,
    ) -> tuple[LiveSession, str]:
        """Reserve a session under grant `number`, journal and offer it. Raises Refused.

        Gives it and its resume secret. `renew` is the viewer's wish that a running subscription
        be renewed.
        """
        core = self._core
        record, secret = await self.reserve(token, stream, number, standing, place)
        record = msgspec.structs.replace(record, renew=renew)
        session = LiveSession(record, trio.current_time())
        session.since_block = core.view.best_number
        core.lags.admitted(session, trio.current_time())
        try:
            await core.journal.commit([put_session(record)])
        except JournalUnavailable:
            raise journal_unavailable() from None
        core.book.add(session)
        session.occupy(OPEN_LANE)
        try:
            await self._look(session)
            await self._offer(session)
        except trio.Cancelled:
            # its order may be in the pool, but nobody will come with its secret
            session.end("left")
            raise
        finally:
            session.release(OPEN_LANE)
        return session, secret

    def funds(self, number: int, standing: Standing, place: Place | None) -> int:
        """Tell what a session under grant `number` would reserve, in the asset's smallest unit.

        What is kept for the admission at `place` is there for it.
        """
        core, entry, grant = self._core, standing.stream, standing.grants[number]
        viewer, asset = grant.viewer, entry.asset
        opening = len(self._pacing.reserved(number, grant))
        return cadence.opening_funds(
            rate_per_second=standing.rate_per_second,
            funds_min=entry.funds_min,
            vault=standing.vault - funds.waiting(core, viewer, asset, but=place),
            cap_left=grant.cap_left - funds.waiting(core, viewer, asset, number, but=place),
            slots_left=max(1, grant.sessions_max - len(grant.open) - opening),
            tick_price=standing.tick_price,
            cadence_ms=core.cadence_ms,
        )

    async def reserve(
        self,
        token: TokenRecord,
        stream: int,
        number: int,
        standing: Standing,
        place: Place | None,
    ) -> tuple[SessionRecord, str]:
        """Make the record of the grant's next session, and its resume secret. Raises Refused.

        A session that nobody watches any more is closed where its slot is needed. Nothing is in
        the journal yet.
        """
        core, entry, grant = self._core, standing.stream, standing.grants[number]
        self._free_slots(number, grant)
        waiting = self._undecided(number, grant)
        index = max([grant.next_index, *(session.record.index + 1 for session in waiting)])
        past = await self._earlier_attempt(number, index)
        last_number = past.number if past is not None else 0
        secret = secrets.token_urlsafe(24)
        record = SessionRecord(
            grant=number,
            index=index,
            viewer=token.account,
            delegate=grant.key.public,
            stream=stream,
            rate_per_second=standing.rate_per_second,
            funds=self.funds(number, standing, place),
            start_at=core.view.best_ms,
            admitted_at_ms=core.unix_ms(),
            phase="opening",
            number=last_number + 1,
            finished_number=last_number,
            attempt=1 if past is None else past.attempt + 1,
            resume_digest=digest(secret),
            token_digest=token.digest,
            asset=entry.asset,
            tick_price=standing.tick_price,
            # a discount that comes to nothing binds no session to its period
            discounted=standing.rate_per_second < entry.rate_per_second,
        )
        return record, secret

    async def _earlier_attempt(self, number: int, index: int) -> SessionRecord | None:
        """Find what had an index before, and never came into a block."""
        core = self._core
        earlier = core.book.sessions.get(SessionRef(number, index))
        if earlier is not None:  # over, and its last words may not be on the disk yet
            return earlier.record
        return await core.journal.reading(core.journal.session, number, index)

    def _undecided(self, number: int, grant: Grant) -> list[LiveSession]:
        """List a grant's sessions that are not opened yet, whatever their viewers did.

        Raises Refused where one of them cannot be opened: those behind it could not either, until
        a final block has decided about it.
        """
        waiting = self._pacing.reserved(number, grant)
        if any(session.refused_at is not None for session in waiting):
            raise Refused(
                503,
                "opening-undecided",
                "the chain refused an earlier session of this grant, and no final block has said "
                f"so yet: ask again in {UNDECIDED_WAIT_S} s",
                retry_after_s=UNDECIDED_WAIT_S,
            )
        return waiting

    def _free_slots(self, number: int, grant: Grant) -> None:
        """Close what nobody watches any more when its slot is needed."""
        core, now = self._core, trio.current_time()
        held = [
            session
            for session in core.book.of_grant(number)
            if not session.done and not session.ending
        ]
        for session in held:
            if len(held) < grant.sessions_max:
                break
            if not session.connections or core.book.awaits_admitted(session, now):
                continue
            if not session.live:
                session.end("left")
                held = [other for other in held if other is not session]
                core.submit_bell.ring()
        if len(grant.open) + len(self._pacing.reserved(number, grant)) >= grant.sessions_max:
            core.book.hurry(grant.viewer)

    async def _look(self, session: LiveSession) -> None:
        names = Interest()
        names.rest_on(session.record)
        try:
            await self._core.view.refresh(names)
        except LedgerError:
            self._give_up(session)
            raise chain_unavailable() from None

    async def _offer(self, session: LiveSession) -> None:
        """Send the open order and wait for the pool, unless the ledger must get ready first."""
        core = self._core
        if self._submitter.opening(session, trio.current_time()) is None:
            self._core.submit_bell.ring()
            return
        try:
            await self._submitter.send(session, open_order(session, core.limits))
        except LaneFull:
            return  # the next block has room again, within the head start
        except OrderRefused as error:
            if error.name in _WAITS:
                return
            refuse(core, session, trio.current_time())
            core.journal_bell.ring()
            raise Refused(
                409, "open-refused", f"the chain did not take the session: {error}"
            ) from None
        except JournalError:
            self._give_up(session)
            raise journal_unavailable() from None
        except KeystoreError as error:
            log.warning("event=open-not-signed session=%s why=%r", session.ref, str(error))
            self._give_up(session)
            raise keys_unavailable() from None
        except LedgerError:
            self._give_up(session)
            raise chain_unavailable() from None

    def _give_up(self, session: LiveSession) -> None:
        """Keep it only to close it, should the pool have it after all."""
        session.deny = "open-refused"
        session.end("open-refused")
        self._core.journal_bell.ring()
