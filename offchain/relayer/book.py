"""The sessions that have not ended for good, rebuilt from the journal. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from offchain.journal import ConnectionRecord, EarlyRecord, FinalBlock, Loaded
from offchain.ledger.orders import seconds_of
from offchain.relayer import credit
from offchain.relayer.budgets import Budgets
from offchain.relayer.census import Census
from offchain.relayer.credit import CREDIT_MS, Spent
from offchain.relayer.interest import Wanted
from offchain.relayer.live_session import Lapse, LiveSession
from offchain.relayer.servers import Servers, is_earlier
from offchain.relayer.unwritten import Unwritten
from streaming.session_state import RESUME_WITHIN_MS, ConnectionState, SessionRef

SILENT_CONNECTION_S: Final = 30.0
"""Without any word of its server for so long, a connection counts as ended: its lease ran out."""
AWAY_AGAIN_S: Final = 1.0
"""How long after it was seen that its server is away a silent connection is seen to again."""
UNSIGNED_AGAIN_S: Final = 0.5
"""The same for a session whose index cannot be given back yet, for another waits behind it."""
SECONDS_NEVER: Final = 1 << 62
CONNECTIONS_KEPT: Final = 32
DEPARTED_KEPT: Final = 1024
ORPHAN_AFTER_S: Final = 3.0
"""A session without any connection for so long was admitted, and its viewer never heard."""
DENIED_WAIT_S: Final = 6.0
"""How long a denied session waits for its connection's last state."""
RESUME_WITHIN_S: Final = RESUME_WITHIN_MS / 1000
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
    """Every session that has not ended for good."""

    def __init__(self, credit_ms: int = CREDIT_MS) -> None:
        self.servers = Servers()
        self.sessions: dict[SessionRef, LiveSession] = {}
        self.wanted = Wanted()
        """What the sessions rest on, and which there are of a grant, a viewer and a stream."""
        self.finalized_block = 0
        self.final: FinalBlock | None = None
        """The highest finalized block that was read, with its hash."""
        self.aliases: dict[SessionRef, SessionRef] = {}
        """Sessions that go on under another name than the one the media server knows."""
        self.departed: dict[SessionRef, Departed] = {}
        """The sessions that ended lately, for connections that have not heard."""
        self.boot_id: str | None = None
        self.unwritten = Unwritten()
        """What the journal does not have as it is."""
        self.census: Census[LiveSession] = Census()
        self.budgets = Budgets(credit_ms, self.of_viewer, self.census.lapsed, self.unwritten)

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
            self.budgets.give_back(viewer, lapse.lost_ms, now_ms)
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
        self.servers.started_at = now
        self.finalized_block = loaded.finalized_block
        self.final = loaded.final
        self.adopt(loaded, now)

    def adopt(self, loaded: Loaded, now: float) -> None:
        """Take in sessions and budgets that the journal holds."""
        for record in loaded.sessions:
            session = LiveSession(record, now)
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
            self.budgets.spent[packed.viewer] = Spent(packed.spent_ms, packed.at_ms)
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
        sharing = self.budgets.connections(session.record.viewer)
        lease_ms = credit.lease_ms(self.budgets.credit_ms, sharing)
        for held in session.connections:
            if held.presumed or not held.record.final:
                session.suspect(held.record.connection, held.record.boot_id, lease_ms)
                self.servers.await_all(held.record.boot_id, now)

    def _adopt_early(self, viewer: str, early: EarlyRecord, now: float) -> None:
        """Know of a connection, though its session is over, what comes back of the credit."""
        self.budgets.note_early(viewer, early)
        name = SessionRef(early.grant, early.index)
        departed = self.departed.setdefault(
            name, Departed("session-closed", viewer, {}, restored=True)
        )
        departed.forwarded_ms[early.connection] = early.forwarded_ms
        self.servers.await_all(early.boot_id, now)

    def give_up(self, viewer: str) -> None:
        """Forget all that there is of a viewer: from the journal another goes on."""
        own = {session.ref for session in self.of_viewer(viewer)}
        for ref in own:
            self._remove(ref)
        self.aliases = {name: ref for name, ref in self.aliases.items() if ref not in own}
        self.departed = {
            name: departed for name, departed in self.departed.items() if departed.viewer != viewer
        }
        self.budgets.forget(viewer)

    # --- from the media server ---------------------------------------------------------

    def greet(self, boot_id: str, now: float, now_ms: int) -> None:
        """Note the media server's boot: connections of an earlier one have ended."""
        self.boot_id = boot_id.partition("@")[0]
        self.servers.hear(boot_id, now)
        self.servers.await_all(boot_id, now)
        self._forget_unheard(lambda boot: is_earlier(boot, boot_id), now_ms)
        for session in list(self.census.lapsed):
            if session.lapse is not None and is_earlier(session.lapse.connection.boot_id, boot_id):
                self._leave_lapsed(session, now_ms)
        for session in self.sessions.values():
            for held in session.connections:
                if held.record.boot_id == boot_id:
                    held.seen = now
                if not is_earlier(held.record.boot_id, boot_id):
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
        if self.servers.has_told_all(boot_id, now):
            self._forget_unheard(lambda boot: boot == boot_id, now_ms)

    def _forget_unheard(self, ended: Callable[[str], bool], now_ms: int) -> None:
        """Nobody forwards any more what boots that have ended had: no more is reckoned with."""
        for session in self.sessions.values():
            for name, unheard in session.unheard.items():
                if ended(unheard.boot_id):
                    session.hear(name)
        self.budgets.return_of_boots(ended, now_ms)

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
        self.budgets.return_early(state.connection, 0, now_ms)
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
        self.budgets.charge(session.record.viewer, lost_ms - before_ms, now_ms)
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
        taken_ms = self.budgets.return_early(state.connection, more_ms, now_ms)
        self.budgets.charge(departed.viewer, more_ms - taken_ms, now_ms)
        departed.forwarded_ms[state.connection] = before_ms + more_ms

    def lapse(self, session: LiveSession, now: float) -> None:
        """End a session that lapsed while its viewer stayed."""
        connection = session.last
        if connection is None:  # only a session with its viewer there lapses
            return
        is_away = self.servers.is_away(connection.boot_id, now)
        session.lapse = Lapse(connection, now, heard=not is_away)
        self.census.lapsed[session] = None
        session.end("lapsed")

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
            self.budgets.lose_lapsed(session, lapse, now_ms)
        if state.final:
            self._leave_lapsed(session, now_ms)

    def _leave_lapsed(self, session: LiveSession, now_ms: int) -> None:
        """A lapsed session's connection has ended: no successor will be paid for what it brought.

        That is out of the credit at once, so that it is in the journal before the media server
        hears that its last word is.
        """
        if session.lapse is not None:
            self.budgets.lose_lapsed(session, session.lapse, now_ms)
            session.lapse.live = False
            if session.done:
                self.budgets.lose_unheard(session, now_ms)
            self.unwritten.budgets.add(session.record.viewer)
            session.touch()  # so that the next write lets it go

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

    # --- ends --------------------------------------------------------------------------

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
        self.budgets.lose_unheard(session, now_ms, but=waits)
        if session.lapse is not None:
            self.budgets.lose_lapsed(session, session.lapse, now_ms)
            self.unwritten.budgets.add(session.record.viewer)

    def fail(self, session: LiveSession, now_ms: int) -> None:
        """Give up on a session that the ledger never had: what was delivered stays unpaid."""
        if session.record.phase != "failed":
            lost_ms = session.delivered_ms + session.pending_ms
            self.budgets.charge(session.record.viewer, lost_ms, now_ms)
            reason = session.record.end_reason or session.deny or "open-refused"
            self.conclude(session, now_ms, phase="failed", end_reason=reason)

    def depart(self, session: LiveSession, now_ms: int) -> None:
        """Forget a session that has ended for good and is so in the journal.

        What came of a lapsed session's connection and went to no other session stays unpaid.
        """
        lapse, reckoned_ms = session.lapse, dict(session.reckoned_ms)
        if lapse is not None:
            self.budgets.lose_lapsed(session, lapse, now_ms)
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

    def awaits_figures(self, session: LiveSession, now: float) -> bool:
        """Tell whether a session's last figures are with a media server that is away.

        One that is dead may yet come back and tell them, so that its session is paid to the end:
        for a while that is waited for, unless the viewer needs what the session holds.
        """
        may_tell = self.servers.is_away if session.hurried else self.servers.may_come_back
        untold = {unheard.boot_id for unheard in session.unheard.values()}
        untold |= {
            held.record.boot_id
            for held in session.connections
            if not held.record.final or held.presumed
        }
        return any(may_tell(boot_id, now) for boot_id in untold)

    def awaits_admitted(self, session: LiveSession, now: float) -> bool:
        """Tell whether a session's newest connection was let in at a media server that was away
        before it had told of it: whether its viewer watches is not known, as with any other's."""
        unheard = session.unheard.get(session.admitted(session.record.number))
        return unheard is not None and self.servers.is_away(unheard.boot_id, now)

    def hurry(self, viewer: str) -> None:
        """Keep none of a viewer's ending sessions for the figures of a media server that is dead:
        a slot, funds or credit that they hold is needed."""
        for session in self.of_viewer(viewer):
            if session.ending and not session.hurried:
                session.hurried = True
                session.look()

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
                session.end(session.deny)
            return min(again, session.deny_since + DENIED_WAIT_S)
        if session.live or session.idle_since is None:
            return again
        if self.awaits_admitted(session, now):
            return min(again, now + AWAY_AGAIN_S)
        last = session.last
        reason = last.end_reason if last is not None and last.end_reason else "vanished"
        if reason in AT_ONCE or now - session.idle_since >= RESUME_WITHIN_S:
            session.end(reason)
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
            elif self.servers.is_away(lapse.connection.boot_id, now):
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
            elif self.servers.is_away(held.record.boot_id, now):
                again = min(again, now + AWAY_AGAIN_S)
            else:
                self._finish(session, held.record, "vanished", now)
                held.presumed = True
        return again

    def may_resume(self, session: LiveSession, now: float) -> bool:
        """Whether a viewer may still come back to a session."""
        if session.done or session.ending or session.deny is not None:
            return False
        if session.idle_since is None or now - session.idle_since < RESUME_WITHIN_S:
            return True
        return self.awaits_admitted(session, now)

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


def _lost_ms(connection: ConnectionRecord) -> int:
    """What was forwarded and will never be paid, as far as is certain."""
    pending_ms = 0 if connection.final else connection.unconfirmed_ms
    return max(0, connection.forwarded_ms - connection.delivered_ms - pending_ms)
