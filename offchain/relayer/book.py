"""The sessions that have not ended for good, rebuilt from the journal. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from offchain.journal import ConnectionRecord, EarlyRecord, FinalBlock, Loaded
from offchain.ledger.orders import seconds_of
from offchain.relayer import credit
from offchain.relayer.census import Census
from offchain.relayer.credit import CREDIT_MS, Risk, Spent
from offchain.relayer.interest import Wanted
from offchain.relayer.live_session import Lapse, LiveSession, Unheard
from offchain.relayer.unwritten import Unwritten
from streaming.session_state import LEASE_MS, RESUME_WITHIN_MS, ConnectionState, SessionRef

SILENT_CONNECTION_S: Final = 30.0
"""Without any word of its server for so long, a connection counts as ended: its lease ran out."""
AWAY_AFTER_S: Final = 3.0
"""A media server that has said nothing for so long (it speaks each 500 ms) is away."""
SERVER_DEAD_AFTER_S: Final = 45.0
"""One that is away for so long is taken for dead. What it still has to say is taken if it comes."""
AWAY_AGAIN_S: Final = 1.0
"""How long after it was seen that its server is away a silent connection is seen to again."""
UNSIGNED_AGAIN_S: Final = 0.5
"""The same for a session whose index cannot be given back yet, for another waits behind it."""
SECONDS_NEVER: Final = 1 << 62
SERVERS_KEPT: Final = 256
CONNECTIONS_KEPT: Final = 32
DEPARTED_KEPT: Final = 1024
ORPHAN_AFTER_S: Final = 3.0
"""A session without any connection for so long was admitted, and its viewer never heard."""
DENIED_WAIT_S: Final = 6.0
"""How long a denied session waits for its connection's last state."""
RESUME_WITHIN_S: Final = RESUME_WITHIN_MS / 1000
LAPSED_BACK_MS: Final = 500
"""So much may have come back of what waits for a successor before it is noted again: the journal
need not be written for each millisecond."""
TOLD_ALL_WITHIN_S: Final = 5.0
"""A media server tells of every connection that it has within so long (`streaming/http/telling`),
and what it has not named by then is no more."""
AT_ONCE: Final = frozenset({"left", "denied"})
"""Ends after which no viewer is waited for."""


class Departed:
    """A session that ended lately: why, and what of its connections was reckoned with."""

    __slots__ = ("forwarded_ms", "reason", "restored", "viewer")

    def __init__(
        self, reason: str, viewer: str, forwarded_ms: dict[str, int], *, restored: bool = False
    ) -> None:
        self.reason = reason
        self.viewer = viewer
        self.restored = restored
        """It comes from the journal, which does not have all of its connections."""
        self.forwarded_ms = forwarded_ms
        """By connection. What its media server tells of beyond that stays unpaid."""


class Book:
    """Every session that has not ended for good, and what every viewer's credit has lost."""

    def __init__(self, credit_ms: int = CREDIT_MS) -> None:
        self.credit_ms = credit_ms
        """What may be forwarded to one viewer before a block charges it."""
        self.started_at = 0.0
        self.heard: dict[str, float] = {}
        """When each media server last said anything."""
        self.sessions: dict[SessionRef, LiveSession] = {}
        self.wanted = Wanted()
        """What the sessions rest on, and which there are of a grant, a viewer and a stream."""
        self.spent: dict[str, Spent] = {}
        self.finalized_block = 0
        self.final: FinalBlock | None = None
        """The highest finalized block that was read, with its hash."""
        self.aliases: dict[SessionRef, SessionRef] = {}
        """Sessions that go on under another name than the one the media server knows."""
        self.departed: dict[SessionRef, Departed] = {}
        """The sessions that ended lately, for connections that have not heard."""
        self.early: dict[str, tuple[str, EarlyRecord]] = {}
        """By connection: whose credit it was taken from before anybody told of it, and what."""
        self.telling: dict[str, float] = {}
        """Boots of media servers that have yet to name all that they have, and since when."""
        self.boot_id: str | None = None
        self.mine: Callable[[str], bool] = _everybody
        """Tells whose credit is kept here."""
        self.unwritten = Unwritten()
        """What the journal does not have as it is."""
        self.census: Census[LiveSession] = Census()

    def __iter__(self) -> Iterator[LiveSession]:
        return iter(list(self.sessions.values()))

    def add(self, session: LiveSession) -> None:
        """Take in a session, in place of an earlier attempt with its name."""
        self._remove(session.ref)
        self.unwritten.add(session.unwritten)
        session.unwritten = self.unwritten
        self.sessions[session.ref] = session
        self.wanted.add(session.ref, session.record)
        session.census = self.census
        self.census.enter(session)
        session.look()

    def _remove(self, ref: SessionRef) -> None:
        session = self.sessions.pop(ref, None)
        if session is not None:
            self.unwritten.forget(ref)
            session.unwritten = Unwritten()
            session.census = None
            self.census.leave(session)
            self.wanted.remove(session.ref, session.record)

    def find(self, named: SessionRef) -> LiveSession | None:
        """Give the session that the media server means."""
        return self.sessions.get(self.aliases.get(named, named))

    def follow(self, lapsed: LiveSession, successor: LiveSession, now_ms: int) -> None:
        """Let a session take over a lapsed one's connection: what came since may yet be paid."""
        self.add(successor)
        self._alias(successor)
        successor.unheard, successor.leased_ms = lapsed.unheard, lapsed.leased_ms
        lapsed.forget_unheard()
        lapse, viewer = lapsed.lapse, lapsed.record.viewer
        if lapse is not None:
            self.give_back(viewer, lapse.lost_ms, now_ms)
        lapsed.lapse = None
        self.census.lapsed.pop(lapsed, None)
        lapsed.touch()

    def _alias(self, session: LiveSession) -> None:
        if session.record.continues is not None:
            self.aliases[SessionRef(*session.record.continues)] = session.ref

    def of_viewer(self, viewer: str) -> list[LiveSession]:
        """List a viewer's sessions."""
        return [self.sessions[ref] for ref in self.wanted.by_viewer.get(viewer, ())]

    @property
    def watched(self) -> int:
        """How many sessions are not merely waiting for a block to end them."""
        return len(self.sessions) - len(self.census.closing)

    def of_grant(self, grant: int) -> list[LiveSession]:
        """List a grant's sessions."""
        return [self.sessions[ref] for ref in self.wanted.by_grant.get(grant, ())]

    def of_stream(self, stream: int) -> list[LiveSession]:
        """List a stream's sessions, in their order."""
        return [self.sessions[ref] for ref in sorted(self.wanted.by_stream.get(stream, ()))]

    # --- journal -----------------------------------------------------------------------

    def restore(self, loaded: Loaded, now: float) -> None:
        """Go on from what the journal holds; silence is counted from `now`."""
        self.started_at = now
        self.finalized_block = loaded.finalized_block
        self.final = loaded.final
        self.adopt(loaded, now)

    def adopt(self, loaded: Loaded, now: float) -> None:
        """Take in sessions and budgets that the journal holds."""
        for record in loaded.sessions:
            session = LiveSession(record, now)
            session.closing_since = now if session.ending else None
            session.restored = True
            session.is_signed = True  # whether it is, only the ledger can tell
            session.charged_seconds = record.paid_seconds
            self.add(session)
            self._alias(session)
        for order in loaded.orders:
            meant = self.sessions.get(SessionRef(order.grant, order.index))
            # an earlier attempt at the same index may have left its orders: they bind no other
            if meant is not None and meant.record.attempt == 1:
                meant.meant_seconds = max(meant.meant_seconds, seconds_of(order.body))
        for packed in loaded.budgets:
            self.spent[packed.viewer] = Spent(packed.spent_ms, packed.at_ms)
            for early in packed.early:
                self._adopt_early(packed.viewer, early, now)
        for state in loaded.connections:
            kept, connection = (
                self.sessions.get(SessionRef(state.grant, state.index)),
                state.connection,
            )
            if kept is None or connection.number <= kept.record.finished_number:
                continue
            held = kept.connect(connection, now)
            kept.recount()
            kept.weigh()
            # perhaps nobody has said so but a clock
            held.presumed = connection.final and connection.end_reason == "vanished"
            kept.idle_since = None if kept.live else now
        for record in loaded.sessions:
            self._suspect(self.sessions[SessionRef(record.grant, record.index)], now)

    def _suspect(self, session: LiveSession, now: float) -> None:
        """Reckon with what a media server may have forwarded that was heard by another process.

        How much of the credit was left then is not known: blocks may have charged since what the
        journal has, and what was spent may have come back.
        """
        lease_ms = credit.lease_ms(self.credit_ms, self.connections_live(session.record.viewer))
        for held in session.connections:
            if held.presumed or not held.record.final:
                session.suspect(held.record.connection, held.record.boot_id, lease_ms)
                self._await_all(held.record.boot_id, now)

    def _adopt_early(self, viewer: str, early: EarlyRecord, now: float) -> None:
        """Know of a connection, though its session is over, what comes back of the credit."""
        self._note_early(viewer, early)
        name = SessionRef(early.grant, early.index)
        departed = self.departed.setdefault(
            name, Departed("session-closed", viewer, {}, restored=True)
        )
        departed.forwarded_ms[early.connection] = early.forwarded_ms
        self._await_all(early.boot_id, now)

    def _note_early(self, viewer: str, early: EarlyRecord) -> None:
        while len(self.early) >= DEPARTED_KEPT:
            del self.early[next(iter(self.early))]
        self.early[early.connection] = viewer, early

    def _await_all(self, boot_id: str, now: float) -> None:
        self.telling.pop(boot_id, None)
        self.telling[boot_id] = now
        while len(self.telling) > SERVERS_KEPT:
            del self.telling[next(iter(self.telling))]

    def give_up(self, viewer: str) -> None:
        """Forget all that there is of a viewer: from the journal another goes on."""
        own = {session.ref for session in self.of_viewer(viewer)}
        for ref in own:
            self._remove(ref)
        self.aliases = {name: ref for name, ref in self.aliases.items() if ref not in own}
        self.departed = {
            name: departed for name, departed in self.departed.items() if departed.viewer != viewer
        }
        self.early = {name: each for name, each in self.early.items() if each[0] != viewer}
        self.spent.pop(viewer, None)
        self.unwritten.budgets.discard(viewer)

    # --- from the media server ---------------------------------------------------------

    def greet(self, boot_id: str, now: float, now_ms: int) -> None:
        """Note the media server's boot: connections of an earlier one have ended."""
        self.boot_id = boot_id.partition("@")[0]
        self.hear(boot_id, now)
        self._await_all(boot_id, now)
        self._forget_unheard(lambda boot: _is_earlier(boot, boot_id), now_ms)
        for session in list(self.census.lapsed):
            if session.lapse is not None and _is_earlier(session.lapse.connection.boot_id, boot_id):
                self._leave_lapsed(session, now_ms)
        for session in self.sessions.values():
            for held in session.connections:
                if held.record.boot_id == boot_id:
                    held.seen = now
                if not _is_earlier(held.record.boot_id, boot_id):
                    continue
                held.presumed = False
                if not held.record.final:
                    self._finish(session, held.record, "vanished", now)

    def lose_sight(self, boot_id: str) -> None:
        """A media server is gone and has not said what became of its connections.

        While their leases last it forwards to them, and nobody tells: until it does, that is out of
        the credit of viewers who have come elsewhere.
        """
        for session in self.sessions.values():
            up = [held.record for held in session.connections if not held.record.final]
            if session.lapse is not None and session.lapse.live:
                up.append(session.lapse.connection)
            for connection in up:
                if connection.boot_id == boot_id:
                    session.suspect(connection.connection, boot_id, session.leased_ms)
            number = session.record.number
            if session.leased_ms and not session.ending and session.connection(number) is None:
                # it was let in, perhaps at this server, before anything was told of it
                session.suspect(session.admitted(number), boot_id, session.leased_ms)

    def told_all(self, boot_id: str, now: float, now_ms: int) -> None:
        """A media server has told: when it has had the time to name all that it has, what it has
        not named is no more. It ended, and that was told to a process before this one."""
        since = self.telling.get(boot_id)
        if since is not None and now - since >= TOLD_ALL_WITHIN_S:
            del self.telling[boot_id]
            self._forget_unheard(lambda boot: boot == boot_id, now_ms)

    def _forget_unheard(self, ended: Callable[[str], bool], now_ms: int) -> None:
        """Nobody forwards any more what boots that have ended had: no more is reckoned with."""
        for session in self.sessions.values():
            for name, unheard in session.unheard.items():
                if ended(unheard.boot_id):
                    session.hear(name)
        for name, (_, early) in list(self.early.items()):
            if ended(early.boot_id):
                self._return_early(name, 0, now_ms)

    def _return_early(self, connection: str, true_ms: int, now_ms: int) -> int:
        """Give back what was taken for a connection beyond what it was; tell what was taken."""
        viewer, early = self.early.pop(connection, ("", None))
        if early is None:
            return 0
        true_ms, passed_ms = min(true_ms, early.taken_ms), now_ms - early.at_ms
        back_ms = credit.returned_ms(early.taken_ms, true_ms, passed_ms)
        self.give_back(viewer, back_ms, now_ms)
        return early.taken_ms

    def take(self, state: ConnectionState, boot_id: str, now: float, now_ms: int) -> bool:
        """Take one connection's state. Returns whether it belongs to a session that is known.

        Figures never fall: of an older and a newer state the higher counts.
        """
        session = self.find(state.session)
        if session is None:
            self._take_late(state, now_ms)
        if session is None or state.number > session.record.number or state.number < 1:
            return False
        if session.unheard:
            session.hear(state.connection)
            session.hear(session.admitted(state.number))
        self._return_early(state.connection, 0, now_ms)
        lapse = session.lapse
        # what is told when the session is over is not that one's any more
        heard = lapse is not None and (lapse.heard or session.done)
        if lapse is not None and state.number == lapse.connection.number and heard:
            self._take_lapsed(session, lapse, state, now, now_ms)
            return True
        if state.number <= session.record.finished_number:
            return True
        held = session.connection(state.number)
        known = None if held is None else held.record
        if known is not None and (known.connection, known.boot_id) != (state.connection, boot_id):
            return False
        charged_ms = 0
        if held is not None:
            held.seen, charged_ms = now, held.charged_ms
            if held.record.final and not held.presumed:
                return True
            held.presumed = False
        delivered_ms, forwarded_ms = state.delivered_ms, state.forwarded_ms
        if state.number == session.record.base_number:
            delivered_ms -= session.record.base_delivered_ms
            forwarded_ms -= session.record.base_forwarded_ms
        # Whole milliseconds of three figures differ by one now and then: charged is the most.
        before_ms = max(charged_ms, 0 if known is None else _lost_ms(known))
        record = ConnectionRecord(
            connection=state.connection,
            number=state.number,
            boot_id=boot_id,
            delivered_ms=max(delivered_ms, known.delivered_ms if known else 0, 0),
            forwarded_ms=max(forwarded_ms, known.forwarded_ms if known else 0, 0),
            unconfirmed_ms=max(0, state.unconfirmed_ms),
            final=state.final,
            end_reason=(state.end_reason or "vanished") if state.final else None,
        )
        if held is None or record != known:
            held = session.keep(record, now)
        lost_ms = _lost_ms(record)
        held.charged_ms = max(before_ms, lost_ms)
        self.charge(session.record.viewer, lost_ms - before_ms, now_ms)
        session.idle_since = None if session.live else now
        session.weigh()
        if session.total_seconds >= session.look_total:
            session.look_total = SECONDS_NEVER
            session.look()
        if lapse is not None:
            lapse.connection, lapse.heard, lapse.seen = record, True, now
            lapse.live = not state.final
        if state.final:
            self._tidy(session)
        return True

    def _take_late(self, state: ConnectionState, now_ms: int) -> None:
        """Reckon with what a media server tells of a session when it is over."""
        departed = self.departed.get(state.session)
        if departed is None:
            return
        if departed.restored and state.connection not in departed.forwarded_ms:
            return  # what it had is reckoned with, and nobody knows any more how much that was
        before_ms = departed.forwarded_ms.get(state.connection, 0)
        more_ms = max(0, state.forwarded_ms - before_ms)
        taken_ms = self._return_early(state.connection, more_ms, now_ms)
        self.charge(departed.viewer, more_ms - taken_ms, now_ms)
        departed.forwarded_ms[state.connection] = before_ms + more_ms

    def lapse(self, session: LiveSession, now: float) -> None:
        """End a session that lapsed while its viewer stayed."""
        connection = session.last
        if connection is None:  # only a session with its viewer there lapses
            return
        session.lapse = Lapse(connection, now, heard=not self._is_away(connection, now))
        self.census.lapsed[session] = None
        session.end("lapsed", now)

    def _take_lapsed(
        self,
        session: LiveSession,
        lapse: Lapse,
        state: ConnectionState,
        now: float,
        now_ms: int,
    ) -> None:
        lapse.seen = now
        before, record = lapse.connection, session.record
        delivered_ms, forwarded_ms = before.delivered_ms, before.forwarded_ms
        if state.number == record.base_number:
            delivered_ms += record.base_delivered_ms
            forwarded_ms += record.base_forwarded_ms
        lapse.fresh_ms = max(lapse.fresh_ms, state.delivered_ms - delivered_ms)
        lapse.sent_ms = max(lapse.sent_ms, state.forwarded_ms - forwarded_ms)
        if session.done:
            self._lose_lapsed(session, lapse, now_ms)
        if state.final:
            self._leave_lapsed(session, now_ms)

    def _leave_lapsed(self, session: LiveSession, now_ms: int) -> None:
        """A lapsed session's connection has ended: no successor will be paid for what it brought.

        That is out of the credit at once, so that it is in the journal before the media server
        hears that its last word is.
        """
        if session.lapse is not None:
            self._lose_lapsed(session, session.lapse, now_ms)
            session.lapse.live = False
            if session.done:
                self._lose_unheard(session, now_ms)
            self.unwritten.budgets.add(session.record.viewer)
            session.touch()  # so that the next write lets it go

    def _lose_lapsed(self, session: LiveSession, lapse: Lapse, now_ms: int) -> None:
        """Take what came since a session lapsed out of the credit.

        From when the session is over, too, until a successor takes it over: the journal has no such
        session then, and another process would put what it is told of it on no account.
        """
        viewer = session.record.viewer
        self.charge(viewer, lapse.sent_ms - lapse.lost_ms, now_ms)
        lapse.lost_ms = max(lapse.lost_ms, lapse.sent_ms)
        if lapse.live:  # a successor may be paid for it yet: until that is decided none comes back
            spent_ms = credit.refilled(self.spent.get(viewer, Spent()), now_ms).spent_ms
            back_ms = lapse.lost_ms - spent_ms
            if back_ms >= LAPSED_BACK_MS:
                self.charge(viewer, back_ms, now_ms)

    def _finish(
        self, session: LiveSession, connection: ConnectionRecord, reason: str, now: float
    ) -> None:
        session.keep(msgspec.structs.replace(connection, final=True, end_reason=reason), now)
        if not session.live:
            session.idle_since = now

    def _tidy(self, session: LiveSession) -> None:
        """Fold the oldest ended connections into the record when there are many."""
        while len(session.connections) > CONNECTIONS_KEPT:
            oldest = min(session.connections, key=lambda held: held.record.number)
            first = oldest.record
            if not first.final:
                return
            session.change(
                finished_ms=session.record.finished_ms + first.delivered_ms,
                finished_number=first.number,
            )
            session.connections = tuple(held for held in session.connections if held is not oldest)
            session.recount()

    # --- credit ------------------------------------------------------------------------

    def charge(self, viewer: str, lost_ms: int, now_ms: int) -> None:
        """Take what will never be paid out of a viewer's credit."""
        if lost_ms > 0 and self.mine(viewer):
            current = self.spent.get(viewer, Spent())
            self.spent[viewer] = credit.spend(current, lost_ms, now_ms)
            self.unwritten.budgets.add(viewer)

    def ahead_of(self, viewer: str, now_ms: int) -> list[EarlyRecord]:
        """Tell what a process that came after this one could not learn of a viewer.

        A lapsed session that is over is forwarded to until a successor comes or its lease ends, and
        the journal has no such session any more. All that a block may free of the credit until then
        is in it: what is at risk now does not lessen it.
        """
        if not self.census.lapsed:
            return []
        spent_ms = credit.refilled(self.spent.get(viewer, Spent()), now_ms).spent_ms
        left_ms, found = max(0, self.credit_ms - spent_ms), []
        for session in self.of_viewer(viewer):
            if session.waits_over and session.lapse is not None:
                last = session.lapse.connection
                taken_ms = min(LEASE_MS, left_ms)
                left_ms -= taken_ms
                found.append(
                    _early(session, last.connection, Unheard(last.boot_id, taken_ms), now_ms)
                )
        return found

    def early_of(self, viewers: set[str]) -> dict[str, list[EarlyRecord]]:
        """List what was taken of some viewers' credit before anybody told of it."""
        found: dict[str, list[EarlyRecord]] = {}
        for viewer, early in self.early.values():
            if viewer in viewers:
                found.setdefault(viewer, []).append(early)
        return found

    def viewers_ahead(self) -> set[str]:
        """Name the viewers of whom something is in the journal ahead: it comes back there, and is
        to be written again and again."""
        return {session.record.viewer for session in self.census.lapsed if session.waits_over}

    def give_back(self, viewer: str, amount_ms: int, now_ms: int) -> None:
        """Take back what was taken out of a viewer's credit too early."""
        spent = self.spent.get(viewer, Spent())
        self.spent[viewer] = credit.give_back(spent, amount_ms, now_ms)
        self.unwritten.budgets.add(viewer)

    def risk(self, viewer: str) -> Risk:
        """Sum what was forwarded to a viewer and may still be charged."""
        total = Risk()
        for session in self.of_viewer(viewer):
            total += session.risk + Risk(unconfirmed_ms=session.unheard_ms)
        return total

    def credit_left_ms(self, viewer: str, now_ms: int) -> int:
        """Tell how much more a viewer may be sent before a block charges some of it."""
        left_ms = self.credit_ms - sum(
            session.at_risk_ms + session.unheard_ms for session in self.of_viewer(viewer)
        )
        spent = self.spent.get(viewer)
        return left_ms if spent is None else left_ms - credit.refilled(spent, now_ms).spent_ms

    def credit_wait_s(self, viewer: str, now_ms: int) -> int:
        """Tell after how many seconds something of the credit is left again, at the latest."""
        spent = self.spent.get(viewer, Spent())
        return credit.wait_s(self.credit_ms, spent, self.risk(viewer), now_ms)

    def credit_cause(self, viewer: str, now_ms: int) -> credit.Cause:
        """Name what takes most of a viewer's credit."""
        return credit.cause(self.spent.get(viewer, Spent()), self.risk(viewer), now_ms)

    def connections_live(self, viewer: str) -> int:
        """Count a viewer's connections that are up: they share the credit.

        A session that is over has none any more, but a lapsed one's may wait for its successor.
        """
        return sum(session.up + session.waits_over for session in self.of_viewer(viewer))

    def conclude(self, session: LiveSession, now_ms: int, **fields: object) -> None:
        """End a session for good: what was delivered goes into its record."""
        session.change(
            **fields,
            finished_ms=session.delivered_ms,
            finished_number=session.record.number,
        )
        reckoned_ms = dict(session.reckoned_ms)
        for held in session.connections:
            is_base = held.record.number == session.record.base_number
            base_ms = session.record.base_forwarded_ms if is_base else 0
            reckoned_ms[held.record.connection] = held.record.forwarded_ms + base_ms
        session.reckoned_ms, session.connections = reckoned_ms, ()
        session.recount()
        session.weigh()
        waits = (
            session.lapse.connection.connection if session.waits_over and session.lapse else None
        )
        self._lose_unheard(session, now_ms, but=waits)
        if session.lapse is not None:
            self._lose_lapsed(session, session.lapse, now_ms)
            self.unwritten.budgets.add(session.record.viewer)

    def _lose_unheard(self, session: LiveSession, now_ms: int, *, but: str | None = None) -> None:
        """Take out of the credit what may have been forwarded of a session that is over, `but` to
        a connection that waits for a successor. It comes back should its media server return and
        say that it was less, or have ended."""
        viewer = session.record.viewer
        for name, unheard in session.unheard.items():
            if name != but:
                self.charge(viewer, unheard.ms, now_ms)
                self._note_early(viewer, _early(session, name, unheard, now_ms))
                session.hear(name)

    def fail(self, session: LiveSession, now_ms: int) -> None:
        """Give up on a session that the ledger never had: what was delivered stays unpaid."""
        if session.record.phase != "failed":
            lost_ms = session.delivered_ms + session.pending_ms
            self.charge(session.record.viewer, lost_ms, now_ms)
            reason = session.record.end_reason or session.deny or "open-refused"
            self.conclude(session, now_ms, phase="failed", end_reason=reason)

    def depart(self, session: LiveSession, now_ms: int) -> None:
        """Forget a session that has ended for good and is so in the journal.

        What came of a lapsed session's connection and went to no other session stays unpaid.
        """
        lapse, reckoned_ms = session.lapse, dict(session.reckoned_ms)
        if lapse is not None:
            self._lose_lapsed(session, lapse, now_ms)
            last = lapse.connection.connection
            reckoned_ms[last] = reckoned_ms.get(last, 0) + lapse.sent_ms
        if self.sessions.get(session.ref) is session:
            self._remove(session.ref)
        names = []
        if session.record.continues is not None:
            alias = SessionRef(*session.record.continues)
            if self.aliases.get(alias) == session.ref:
                del self.aliases[alias]
                names.append(alias)
        for name in [session.ref, *names]:
            while len(self.departed) >= DEPARTED_KEPT:
                del self.departed[next(iter(self.departed))]
            self.departed[name] = Departed(
                session.deny or "session-closed", session.record.viewer, reckoned_ms
            )

    # --- ends --------------------------------------------------------------------------

    def _free_unsigned(self, session: LiveSession, now_ms: int) -> None:
        """Give back the index of a session that is to end before its open was ever signed.

        Not where another waits behind it, which cannot open before this one has; and not where
        something was delivered, for which the ledger can still charge.
        """
        if session.record.phase != "opening" or session.is_signed or session.total_seconds:
            return
        record = session.record
        if all(other.record.index <= record.index for other in self.of_grant(record.grant)):
            self.fail(session, now_ms)

    def hear(self, boot_id: str, now: float) -> None:
        """Note that a media server has said something."""
        server = _server_of(boot_id)
        self.heard.pop(server, None)
        self.heard[server] = now
        while len(self.heard) > SERVERS_KEPT:
            del self.heard[next(iter(self.heard))]

    def _is_away(self, connection: ConnectionRecord, now: float) -> bool:
        """Tell whether a connection's media server is away: then nobody knows if it is silent.

        One that stays away is taken for dead: its viewers are not kept waiting for its figures. One
        that was not heard since the start is away from then on.
        """
        heard_at = self.heard.get(_server_of(connection.boot_id))
        if heard_at is None:
            return now - self.started_at < SERVER_DEAD_AFTER_S
        return AWAY_AFTER_S <= now - heard_at < SERVER_DEAD_AFTER_S

    def awaits_figures(self, session: LiveSession, now: float) -> bool:
        """Tell whether a session's last figures are with a media server that is away."""
        return any(
            (not held.record.final or held.presumed) and self._is_away(held.record, now)
            for held in session.connections
        )

    def attend(self, session: LiveSession, now: float, now_ms: int) -> float:
        """End connections that fell silent, and a session whose viewer did not come back.

        Gives when to see again, if nothing is heard of it before.
        """
        again = self._presume(session, now, now_ms)
        if session.done or session.ending:
            self._free_unsigned(session, now_ms)
            waits = not session.done and session.state == "leaving" and not session.is_signed
            return now + UNSIGNED_AGAIN_S if waits else again
        if session.deny is not None:
            if not session.live or now - session.deny_since >= DENIED_WAIT_S:
                session.end(session.deny, now)
            return min(again, session.deny_since + DENIED_WAIT_S)
        if session.live or session.idle_since is None:
            return again
        last = session.last
        reason = last.end_reason if last is not None and last.end_reason else "vanished"
        if reason in AT_ONCE or now - session.idle_since >= RESUME_WITHIN_S:
            session.end(reason, now)
        return min(again, session.idle_since + RESUME_WITHIN_S)

    def _presume(self, session: LiveSession, now: float, now_ms: int) -> float:
        """Take connections that their server says nothing of for ended, until it does.

        Gives when one may have fallen silent next.
        """
        again = now + SILENT_CONNECTION_S
        lapse = session.lapse
        if lapse is not None and lapse.live:
            if now - lapse.seen < SILENT_CONNECTION_S:
                again = min(again, lapse.seen + SILENT_CONNECTION_S)
            elif self._is_away(lapse.connection, now):
                again = min(again, now + AWAY_AGAIN_S)
            else:
                self._leave_lapsed(session, now_ms)
        if session.done:
            return again
        for held in session.connections:
            if held.record.final:
                continue
            silent_from = held.seen + SILENT_CONNECTION_S
            if now < silent_from:
                again = min(again, silent_from)
            elif self._is_away(held.record, now):
                again = min(again, now + AWAY_AGAIN_S)
            else:
                self._finish(session, held.record, "vanished", now)
                held.presumed = True
        return again

    def may_resume(self, session: LiveSession, now: float) -> bool:
        """Whether a viewer may still come back to a session."""
        if session.done or session.ending or session.deny is not None:
            return False
        return session.idle_since is None or now - session.idle_since < RESUME_WITHIN_S

    def orphan(self, viewer: str, stream: int, now: float) -> LiveSession | None:
        """Find a session whose admission was never answered, so that its viewer asks again."""
        for session in self.of_viewer(viewer):
            if session.record.stream != stream or session.connections:
                continue
            waited_s = now - (session.idle_since if session.idle_since is not None else now)
            unanswered = session.restored or waited_s >= ORPHAN_AFTER_S
            if unanswered and self.may_resume(session, now):
                return session
        return None


def _everybody(_viewer: str) -> bool:
    return True


def _early(session: LiveSession, connection: str, unheard: Unheard, now_ms: int) -> EarlyRecord:
    """Note what is taken for a connection of a session that is over."""
    record, lapse = session.record, session.lapse
    grant, index = record.continues or (record.grant, record.index)
    forwarded_ms = session.reckoned_ms.get(connection, 0)
    if lapse is not None and lapse.connection.connection == connection:
        forwarded_ms += lapse.sent_ms
    return EarlyRecord(grant, index, connection, unheard.boot_id, forwarded_ms, unheard.ms, now_ms)


def _server_of(boot_id: str) -> str:
    """Give the id of the media server whose boot it is; empty in journals of earlier releases."""
    return boot_id.partition("@")[2]


def _is_earlier(boot: str, boot_id: str) -> bool:
    """Tell whether a boot is an earlier one of the same media server."""
    return boot != boot_id and _server_of(boot) in ("", _server_of(boot_id))


def _lost_ms(connection: ConnectionRecord) -> int:
    """What was forwarded and will never be paid, as far as is certain."""
    pending_ms = 0 if connection.final else connection.unconfirmed_ms
    return max(0, connection.forwarded_ms - connection.delivered_ms - pending_ms)
