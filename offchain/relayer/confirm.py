"""Following the chain: the best head for what to do next, the finalized one for what is so.

Every finalized block is read once, in order, from where the journal says that reading stopped;
sessions' paid figures come from there alone. The best head only steers: what it shows may be
reorganised away, and then the orders are due again.
"""

from __future__ import annotations

import logging
from typing import Final

import trio

from offchain.ledger.errors import LedgerError
from offchain.ledger.types import Event, Grant, Head, Session
from offchain.relayer.cadence import ended_at
from offchain.relayer.chain import RETRY_S, SILENT_AFTER_S, bounded
from offchain.relayer.core import Core
from offchain.relayer.sessions import LiveSession
from offchain.relayer.submit import OPEN_POOLED_S, OPEN_TRIED_MS, deny
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.confirm")

CATCH_UP_BLOCKS_MAX: Final = 50_000
"""More finalized blocks than a day's are not read again; sessions have long been settled then."""


class Confirmer:
    """Keeps the view of the chain, and the sessions, true."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def follow_best(self) -> None:
        """Follow best heads for ever, through the node's restarts."""
        while True:
            try:
                async with self._core.chain.heads("best") as heads:
                    async for head in heads:
                        await self.best(head)
            except LedgerError as error:
                self._lost(error)
            await trio.sleep(RETRY_S)

    async def best(self, head: Head) -> None:
        """Move the view to a best block and let the sessions follow. Raises LedgerError."""
        core = self._core
        if not core.view.reachable:
            log.info("event=chain-followed best=%d", head.number)
        await core.view.advance(head)
        now = trio.current_time()
        for session in core.book:
            if not session.done:
                self.settle_view(session, now)
        core.submit_bell.ring()

    def _lost(self, error: LedgerError) -> None:
        if self._core.view.reachable:
            log.warning("event=chain-lost why=%r", str(error))
        self._core.view.reachable = False

    async def watch_silence(self) -> None:
        """Notice a node that says nothing without closing the connection."""
        while True:
            await trio.sleep(1)
            view = self._core.view
            if view.reachable and view.silent_s > SILENT_AFTER_S:
                log.warning("event=chain-silent seconds=%d", int(view.silent_s))
                view.reachable = False
            elif not view.reachable and view.silent_s < SILENT_AFTER_S:
                view.reachable = True

    # --- what the best block says of a session -------------------------------------------

    def settle_view(self, session: LiveSession, now: float) -> None:
        """Let one session's phase follow the best block."""
        view, record = self._core.view, session.record
        entry = view.sessions.get(session.ref)
        grant = view.grants.get(record.grant)
        if entry is not None:
            self._present(session, entry, now)
        elif grant is not None and grant.next_index <= record.index:
            self._not_yet(session, grant, now)
        elif view.best is not None and session.gone_block is None:
            session.gone_block = view.best.number
            if session.lapse is None:
                deny(session, "session-closed", now)

    def _present(self, session: LiveSession, entry: Session, now: float) -> None:
        record, view = session.record, self._core.view
        session.gone_block = None
        if entry.stream != record.stream or entry.rate_per_second != record.rate_per_second:
            session.foreign = True
            deny(session, "open-refused", now)
        if record.phase == "opening":
            session.change(phase="open", funds=entry.funds)
            self._core.count("sessions_opened")
            log.info("event=session-open session=%s block=%d", session.ref, _number(view.best))
        if session.ending and session.record.phase == "open":
            session.change(phase="closing")
        stream = view.streams.get(entry.stream)
        over_at = ended_at(entry, view.best_ms, stream.stops if stream is not None else ())
        if over_at <= view.best_ms and session.lapse is None:
            reason = self._why_over(session, entry)
            if reason == "session-closed" and _may_lapse(session):
                log.info("event=session-lapsed session=%s", session.ref)
                self._core.book.lapse(session, now)
            else:
                deny(session, reason, now)

    def _why_over(self, session: LiveSession, entry: Session) -> str:
        view = self._core.view
        grant = view.grants.get(session.record.grant)
        if grant is None or grant.ended_at <= view.best_ms:
            return "grant-ended"
        stream = view.streams.get(entry.stream)
        if stream is None or stream.status != "Active":
            return "stream-ended"
        return "session-closed"

    def _not_yet(self, session: LiveSession, grant: Grant, now: float) -> None:
        """The ledger does not have it: it waits for its block, or lost it in a reorganisation."""
        core, record = self._core, session.record
        session.gone_block = None
        if record.phase in ("open", "closing"):
            log.info("event=open-reorganised session=%s", session.ref)
            session.sent.pop("Open", None)
            session.change(phase="opening")
        if grant.ended_at <= core.view.best_ms:
            deny(session, "grant-ended", now)
        elif core.view.best_ms - record.start_at > OPEN_TRIED_MS:
            deny(session, "open-refused", now)
        sent = session.sent.get("Open")
        pooled = sent is not None and now - sent.at < OPEN_POOLED_S
        if session.deny is not None and session.ending and not pooled:
            core.book.fail(session, core.unix_ms())
            core.journal_bell.ring()

    # --- finalized blocks ------------------------------------------------------------------

    async def follow_finalized(self) -> None:
        """Read every finalized block once, for ever."""
        while True:
            try:
                async with self._core.chain.heads("finalized") as heads:
                    async for head in heads:
                        await self.finalized(head)
            except LedgerError as error:
                log.debug("event=finalized-lost why=%s", error)
            await trio.sleep(RETRY_S)

    async def finalized(self, head: Head) -> None:
        """Read the finalized blocks up to `head`. Raises LedgerError; what was read stays read."""
        core = self._core
        last = core.book.finalized_block
        if not core.book.sessions or head.number - last > CATCH_UP_BLOCKS_MAX:
            last = max(last, head.number - 1)
        for number in range(last + 1, head.number + 1):
            block_hash = head.hash
            if number != head.number:
                found = await bounded(core.chain.block_hash(number))
                if found is None:
                    return
                block_hash = found
            for event in await core.view.events(block_hash):
                if event.pallet == "PayStream":
                    self.apply(event, number)
            core.book.finalized_block = number
            core.book.changed = True
        core.view.finalized = head
        self._resolve_gone(head.number)

    def apply(self, event: Event, number: int) -> None:
        """Take one event of a finalized block into the session that it is about."""
        grant, index = event.fields.get("grant"), event.fields.get("index")
        if grant is None or index is None:
            return
        session = self._core.book.sessions.get(SessionRef(grant, index))
        if session is None or session.record.phase == "closed":
            return
        fields = event.fields
        match event.name:
            case "SessionOpened":
                session.change(opened_block=number)
            case "Ticked":
                session.change(
                    paid_seconds=fields["seconds"],
                    paid=session.record.paid + fields["amount"] + fields.get("fee", 0),
                    ticks=session.record.ticks + 1,
                    last_tick_block=number,
                )
            case "SessionClosed":
                self._closed(session, fields["seconds"], fields["paid"], fields["reason"], number)

    def _closed(
        self, session: LiveSession, seconds: int, paid: int, reason: object, number: int | None
    ) -> None:
        core = self._core
        reason_text = None if reason is None else str(reason)
        if reason_text == "FundsExhausted" and session.deny in (None, "session-closed"):
            session.deny = "funds"
        # Whole seconds are paid; what is cut off is no loss that its viewer has caused.
        unpaid_ms = (session.delivered_ms // 1000 - seconds) * 1000
        core.book.conclude(
            session,
            phase="closed",
            paid_seconds=seconds,
            paid=paid,
            closed_block=number,
            close_reason=reason_text,
            end_reason=session.record.end_reason or "session-closed",
        )
        core.book.charge(session.record.viewer, unpaid_ms, core.unix_ms())
        core.count("sessions_closed")
        core.journal_bell.ring()
        log.info(
            "event=session-closed session=%s seconds=%d reason=%s", session.ref, seconds, reason
        )

    def _resolve_gone(self, number: int) -> None:
        """End the sessions that vanished in a block whose events we have not seen."""
        core = self._core
        for session in core.book:
            if session.done or session.gone_block is None or session.gone_block >= number:
                continue
            if session.record.opened_block is None and session.record.paid_seconds == 0:
                core.book.fail(session, core.unix_ms())
                core.journal_bell.ring()
            else:
                record = session.record
                self._closed(session, record.paid_seconds, record.paid, None, None)


def _may_lapse(session: LiveSession) -> bool:
    """Tell whether the viewer is still there, so that another session may follow."""
    last = session.connections.get(session.record.number)
    return last is not None and not last.final and session.deny is None and not session.ending


def _number(head: Head | None) -> int:
    return head.number if head is not None else 0
