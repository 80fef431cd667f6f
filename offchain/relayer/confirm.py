"""Following the chain: the best head for what to do next, the finalized one for what is so.

What blocks say of a session goes through the table of its life (`life.py`). Every finalized block
is read once, in order, from where the journal says that reading stopped: sessions' paid figures
come from its events. Whether a session is over is read from a finalized block's entries, so that
events that nobody can read any more cost figures and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from offchain.ledger.errors import (
    BlockUnknown,
    LedgerError,
    NodeDisagrees,
    NodeNotBelieved,
    NodeUnreachable,
)
from offchain.ledger.types import Event, Head, HeadKind, Session
from offchain.relayer.agenda import Agenda
from offchain.relayer.cadence import end_may_come
from offchain.relayer.chain import RETRY_S, SILENT_AFTER_S, bounded
from offchain.relayer.core import Core
from offchain.relayer.life import Entries, Torn, fact_of, outcome_of
from offchain.relayer.live_session import LiveSession
from offchain.relayer.submit import deny, refuse
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.confirm")

CATCH_UP_BLOCKS_MAX: Final = 50_000
"""More finalized blocks than a day's are not read again; sessions have long been settled then."""
OPEN_TRIED_MS: Final = 20_000
"""How long after its start, by the chain's clock, a viewer waits for the block with its open."""
STATES_KEPT_BLOCKS: Final = 256
"""A node that prunes keeps the states of so many finalized blocks, by default."""
MISSING_TRIES: Final = 12
"""A newer block without state is asked for so often before it is passed over."""
GRANT_SEEN_WITHIN_BLOCKS: Final = 16
"""So many finalized blocks after a session was admitted a grant that is missing is gone."""
BEST_SILENT_S: Final = 18.0
FINALIZED_SILENT_S: Final = 60.0
"""After so long without a head a subscription counts as dead and is made anew: three blocks, and
ten for finality, which may lag."""


class Confirmer:
    """Keeps the view of the chain, and the sessions, true."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lost_by: type[LedgerError] | None = None
        """What the chain was lost by last: another reason is told, too."""
        self._disagreed = ""
        self._missed = 0
        self._unread_from: int | None = None
        """The first of the finalized blocks that are being passed over."""
        """How often in a row a finalized block had no state."""
        self._moved_at = trio.current_time()
        """When the last node was left, or the first one taken."""
        self._expiring: Agenda[LiveSession] = Agenda("expiry_at")

    async def follow_best(self) -> None:
        """Follow best heads for ever, through the node's restarts."""
        while True:
            try:
                await self._follow("best", BEST_SILENT_S, self.best)
            except LedgerError as error:
                self._lost(error)
                self._move_on(error)
            await trio.sleep(RETRY_S)

    async def _follow(
        self, kind: HeadKind, silent_s: float, take: Callable[[Head], Awaitable[None]]
    ) -> None:
        """Take heads until the subscription ends or falls silent. Raises LedgerError."""
        async with self._core.chain.heads(kind) as heads:
            while True:
                head: Head | None = None
                with trio.move_on_after(silent_s):
                    head = await anext(heads)
                if head is None:
                    raise NodeUnreachable("the chain", f"no {kind} block came for {silent_s:g} s")
                await take(head)

    async def best(self, head: Head) -> None:
        """Move the view to a best block and let the sessions follow. Raises LedgerError."""
        core = self._core
        if core.view.best is not None and core.view.best.hash == head.hash:
            core.view.why = None
            return  # a new subscription begins with what the old one ended with
        was_reachable = core.view.reachable
        await core.view.advance(head)
        self._disagreed = ""
        if not was_reachable:
            log.info("event=chain-followed best=%d", head.number)
        now = trio.current_time()
        for session in self._affected():
            if not session.done:
                self.follow_view(session, now)
                session.look()
        core.submit_bell.ring()
        core.new_best.ring()

    def _affected(self) -> list[LiveSession]:
        """Give the sessions that a best block may say something new of.

        Its entries were read, or its clock has come to where the session ends, or no block has it
        yet: then each block's clock counts.
        """
        core = self._core
        changed, core.view.changed = core.view.changed, {}
        found = [core.book.sessions[ref] for ref in changed if ref in core.book.sessions]
        expiring = self._expiring.due(core.view.best_ms)
        found += [session for session in expiring if session.census is not None]
        found += core.book.census.opening
        return list(dict.fromkeys(found))

    def _lost(self, error: LedgerError) -> None:
        view, why = self._core.view, str(error)
        if isinstance(error, NodeDisagrees):
            self._disagrees(why)
        elif view.reachable or view.why is None or type(error) is not self._lost_by:
            log.warning("event=chain-lost why=%r", why)
        view.reachable, view.why, self._lost_by = False, why, type(error)

    def _disagrees(self, why: str) -> None:
        """Say so once, and again when a block has been believed since."""
        if why == self._disagreed:
            return
        self._disagreed = why
        self._core.count("nodes_disagreed")
        log.error("event=node-disagrees why=%r", why)

    def _move_on(self, error: LedgerError) -> None:
        """Leave a node that is not believed, or gave no block that could be read for too long."""
        now, view = trio.current_time(), self._core.view
        silent_s = now - max(view.seen_at, self._moved_at)
        if isinstance(error, NodeNotBelieved) or silent_s >= BEST_SILENT_S:
            self._moved_at = now
            self._core.chain.move_on(str(error))

    async def watch_silence(self) -> None:
        """Notice a node that says nothing without closing the connection."""
        while True:
            await trio.sleep(1)
            view = self._core.view
            if view.reachable and view.silent_s > SILENT_AFTER_S:
                log.warning("event=chain-silent seconds=%d", int(view.silent_s))
                view.reachable = False
            elif not view.reachable and view.why is None and view.silent_s < SILENT_AFTER_S:
                view.reachable = True

    # --- what the best block says of a session -------------------------------------------

    def follow_view(self, session: LiveSession, now: float) -> None:
        """Let one session follow the best block."""
        entries = self._core.view.entries(session.ref)
        if entries is None:
            return
        try:
            fact = fact_of(session.record.index, entries, refused_at=session.refused_at)
        except Torn as torn:
            log.warning("event=entries-torn session=%s why=%r", session.ref, str(torn))
            self._core.view.forget(session.ref)  # so that it is read anew
            return
        if session.since_block is None:
            session.since_block = entries.block
        if fact is None:
            return
        before = session.state
        found = session.feed(fact)
        entry = self._core.view.sessions[session.ref]
        if entry is not None and not entries.expired:
            self._expiring.at(session, end_may_come(entry, self._core.view.stops(entry)))
        if entry is not None:
            self._present(
                session, entry, before_open=before in ("reserved", "opening", "leaving"), now=now
            )
        elif fact == "best: not yet":
            self._not_yet(session, entries, was_open=before in ("open", "ending"), now=now)
        else:
            self._gone(session)
        if found is not None and "stop media" in found.follows:
            self._stop(session, entry, now)

    def _present(
        self, session: LiveSession, entry: Session, *, before_open: bool, now: float
    ) -> None:
        block = self._core.view.best_number
        session.charged_seconds = entry.seconds
        session.weigh()
        self._core.lags.included(session, entry.seconds, block, now)
        if before_open:
            session.change(funds=entry.funds)
            session.forget_sent("Open")
            session.forget_signed("Open")
            self._core.count("sessions_opened")
            self._core.lags.opened(session, now)
            log.info("event=session-open session=%s block=%d", session.ref, block)
        if session.is_another(entry):
            session.foreign = True
            deny(session, "open-refused", now)

    def _stop(self, session: LiveSession, entry: Session | None, now: float) -> None:
        """Stop the media of a session that the ledger has ended, or let another follow it."""
        reason = self._why_over(session, entry)
        if session.lapse is not None:
            return
        if reason == "session-closed" and entry is not None and _may_lapse(session):
            log.info("event=session-lapsed session=%s", session.ref)
            self._core.book.lapse(session, now)
        else:
            deny(session, reason, now)

    def _why_over(self, session: LiveSession, entry: Session | None) -> str:
        view = self._core.view
        if entry is None:
            return "session-closed"
        grant = view.grants.get(session.record.grant)
        if grant is None or grant.ended_at <= view.best_ms:
            return "grant-ended"
        stream = view.streams.get(entry.stream)
        if stream is None or stream.status != "Active":
            return "stream-ended"
        return "session-closed"

    def _not_yet(
        self, session: LiveSession, entries: Entries, *, was_open: bool, now: float
    ) -> None:
        """The ledger does not have it: it waits for its block, or lost it in a reorganisation."""
        session.charged_seconds = 0
        session.weigh()
        if was_open:
            log.info("event=open-reorganised session=%s", session.ref)
            session.forget_sent("Open")
        if entries.grant_over:
            deny(session, "grant-ended", now)
        elif self._core.view.best_ms - session.record.start_at > OPEN_TRIED_MS:
            deny(session, "open-refused", now)

    def _gone(self, session: LiveSession) -> None:
        """The best block has had it: what it was closed with is charged there.

        Where the events that tell have not been read, that is not known before they are final: the
        close that was sent last may have come too late, and the session was settled.
        """
        total = self._core.view.closed_with.get(session.ref, 0)
        session.charged_seconds = max(session.charged_seconds, total)
        session.weigh()

    # --- finalized blocks ------------------------------------------------------------------

    async def follow_finalized(self) -> None:
        """Read every finalized block once, for ever."""
        while True:
            try:
                await self._follow("finalized", FINALIZED_SILENT_S, self.finalized)
            except NodeDisagrees as error:
                self._disagrees(str(error))
            except LedgerError as error:
                log.debug("event=finalized-lost why=%s", error)
            await trio.sleep(RETRY_S)

    async def finalized(self, head: Head) -> None:
        """Read the finalized blocks up to `head`. Raises LedgerError; what was read stays read."""
        core = self._core
        await core.view.check(head)
        last = core.book.finalized_block
        if not core.book.sessions:
            core.book.finalized_block = max(last, head.number - 1)
        elif head.number - last > CATCH_UP_BLOCKS_MAX:
            core.book.finalized_block = self._skip(last + 1, head) - 1
        trail: dict[int, str] = {}
        while core.book.finalized_block < head.number:
            last = core.book.finalized_block
            if last + 1 not in trail:
                trail = await core.view.trail(head, last)
            read = await self._read_events(last + 1, head, trail.get(last + 1)) - 1
            if core.book.finalized_block == last:  # else sessions were taken in that are behind
                core.book.finalized_block = read
            core.book.unwritten.finalized = True
        core.view.believe(head)
        core.book.final = core.view.belief.final
        core.lags.finalized(head.number, trio.current_time())
        await self._decide(head)

    async def _read_events(self, number: int, head: Head, block_hash: str | None) -> int:
        """Take the events of one finalized block; gives the number of the next to read.

        A block that is too far below `head` has no hash that is known: then the node says it.
        """
        core = self._core
        if number == head.number:
            block_hash = head.hash
        elif block_hash is None:
            block_hash = await bounded(core.chain.block_hash(number))
        if block_hash is None:
            raise BlockUnknown(f"number {number}")
        try:
            events = await core.view.events(block_hash)
        except BlockUnknown:
            if number == head.number or self._may_come(number, head):
                raise
            return self._skip(number, head)
        self._missed = 0
        self._tell_unread(number)
        if core.book.finalized_block != number - 1:
            return number  # sessions were taken in meanwhile that are behind: theirs come first
        for event in events:
            if event.pallet == "PayStream":
                self.apply(event, number)
        return number + 1

    def _may_come(self, number: int, head: Head) -> bool:
        """Tell whether a block that a node has no state of is only not there yet.

        A node that lags behind a load balancer and one that has dropped the state say the same.
        Once a block has been given up, those right behind it are, until one is read.
        """
        if head.number - number >= STATES_KEPT_BLOCKS:
            return False
        self._missed += 1
        return self._missed < MISSING_TRIES

    def _skip(self, number: int, head: Head) -> int:
        """Go on behind blocks whose events the node has dropped or that are too many; count them.

        Those that a node is sure to keep are still read.
        """
        resumed = max(number + 1, head.number - STATES_KEPT_BLOCKS + 1)
        self._core.count("finalized_blocks_unread", resumed - number)
        self._unread_from = self._unread_from or number
        return resumed

    def _tell_unread(self, number: int) -> None:
        """Say once which blocks were passed over, now that the one behind them was read.

        The node goes on dropping states meanwhile: told one by one they would be many lines.
        """
        first, self._unread_from = self._unread_from, None
        if first is not None:
            log.warning(
                "event=finalized-blocks-unread from=%d to=%d why=%r",
                first,
                number - 1,
                "the node has dropped their states, or they were too many: figures of sessions "
                "that ended there may be missing, `paystream reconcile` shows them. A node with "
                "--state-pruning archive keeps states",
            )

    async def _decide(self, head: Head) -> None:
        """Let a finalized block's entries decide about sessions that may be over."""
        core = self._core
        undecided = [
            session
            for session in [*core.book.census.opening, *core.book.census.closing]
            if session.state in ("leaving", "ending")
            and session.since_block is not None
            and head.number >= session.since_block
        ]
        if not undecided:
            return
        entries = await core.view.entries_at(head, [session.ref for session in undecided])
        for session in undecided:
            self._decide_one(session, entries[session.ref], head.number)

    def _decide_one(self, session: LiveSession, entries: Entries, number: int) -> None:
        try:
            fact = fact_of(session.record.index, entries, refused_at=session.refused_at)
        except Torn as torn:
            log.warning("event=entries-torn session=%s why=%r", session.ref, str(torn))
            return
        since = session.since_block or 0
        if entries.next_index is None and number < since + GRANT_SEEN_WITHIN_BLOCKS:
            return  # its grant may be younger than this block, seen at a node that is ahead
        found = None if fact is None else session.feed(fact)
        if fact is None or found is None or found.state != "over":
            return
        if outcome_of(fact, was_settled=False) == "never opened":
            self._never_opened(session)
        else:  # its end was in a block whose events were not read
            seconds = max(session.record.paid_seconds, session.charged_seconds)
            self._closed(session, seconds, session.record.paid, "Unread", number)

    def _never_opened(self, session: LiveSession) -> None:
        """Free an index. Those behind it in the same grant cannot open before it is used."""
        core = self._core
        core.book.fail(session, core.refill_ms())
        log.info(
            "event=session-never-opened session=%s end=%s", session.ref, session.record.end_reason
        )
        for other in core.book.of_grant(session.record.grant):
            behind = other.record.index > session.record.index
            if behind and other.state in ("opening", "leaving"):
                refuse(core, other, trio.current_time())
        core.journal_bell.ring()

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
            case "Ticked" if fields["seconds"] > session.record.paid_seconds:
                # after a crash a block may be read twice: totals only rise
                self._core.count("seconds_paid", fields["seconds"] - session.record.paid_seconds)
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
        unpaid_ms = (session.delivered_ms // 1000 - seconds) * 1000 + session.pending_ms
        before = session.record.paid_seconds
        core.book.conclude(
            session,
            core.refill_ms(),
            phase="closed",
            paid_seconds=seconds,
            paid=paid,
            closed_block=number,
            close_reason=reason_text,
            end_reason=session.record.end_reason or "session-closed",
        )
        core.book.budgets.charge(session.record.viewer, unpaid_ms, core.refill_ms())
        core.count("sessions_closed")
        core.count("seconds_paid", seconds - before)
        core.journal_bell.ring()
        log.info(
            "event=session-closed session=%s block=%s seconds=%d paid=%d end=%s reason=%s",
            session.ref,
            number,
            seconds,
            paid,
            session.record.end_reason,
            reason,
        )


def _may_lapse(session: LiveSession) -> bool:
    """Tell whether the viewer is still there, so that another session may follow."""
    last = session.last
    return last is not None and not last.final and session.deny is None and not session.ending
