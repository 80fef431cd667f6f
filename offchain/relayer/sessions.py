"""Sessions and their connections in memory, rebuilt from the journal. No I/O, no clock.

A session is what the ledger knows; a connection is one peer connection under it. Connections
report cumulative figures, of which the latest wins; a session's delivered time is their sum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from offchain.journal import Loaded
from offchain.journal_schema import (
    BudgetState,
    ConnectionRecord,
    PackedStates,
    SessionRecord,
    SessionState,
)
from offchain.relayer import budget
from offchain.relayer.budget import Budget
from streaming.session_state import RESUME_WITHIN_MS, ConnectionState, SessionRef

SILENT_CONNECTION_S: Final = 30.0
"""Without any word of its server for so long, a connection counts as ended: its lease ran out."""
CONNECTIONS_KEPT: Final = 32
DEPARTED_KEPT: Final = 1024
ORPHAN_AFTER_S: Final = 3.0
"""A session without any connection for so long was admitted, and its viewer never heard."""
DENIED_WAIT_S: Final = 6.0
"""How long a denied session waits for its connection's last state."""
RESUME_WITHIN_S: Final = RESUME_WITHIN_MS / 1000
AT_ONCE: Final = frozenset({"left", "denied"})
"""Ends after which no viewer is waited for."""


class Sent:
    """The last order of one lane that the pool has accepted."""

    __slots__ = ("at", "kind", "total")

    def __init__(self, kind: str, total: int, at: float) -> None:
        self.kind = kind
        self.total = total
        self.at = at


class Lapse:
    """A lapsed session's connection that stays: what it had delivered, and what came since."""

    __slots__ = ("connection", "fresh_ms", "live", "seen")

    def __init__(self, connection: ConnectionRecord, now: float) -> None:
        self.connection = connection
        self.fresh_ms = 0
        self.live = True
        self.seen = now


class LiveSession:
    """One session that has not ended for good."""

    def __init__(self, record: SessionRecord, now: float) -> None:
        self.record = record
        self.connections: dict[int, ConnectionRecord] = {}
        self.seen: dict[int, float] = {}
        self.charged_ms: dict[int, int] = {}
        """Of each connection: what of it was taken out of its viewer's budget."""
        self.idle_since: float | None = now
        self.closing_since: float | None = None
        self.deny: str | None = None
        self.deny_since = now
        self.restored = False
        """It comes from the journal: whether its viewer ever got an answer is unknown."""
        self.sent: dict[str, Sent] = {}
        self.busy: set[str] = set()
        self.crowded_out: set[str] = set()
        """Kinds of orders for which the free lane had no room."""
        self.gone_block: int | None = None
        """The best block at which the ledger was first seen to have ended it."""
        self.lapse: Lapse | None = None
        """It ended for want of ticks, and its viewer is still there."""
        self.renewal_refused = False
        """The ledger does not renew its viewer's subscription: the next one pays the full price."""
        self.foreign = False
        """The ledger's session of this index is on another stream: it is closed, not billed."""
        self.dirty = False

    @property
    def ref(self) -> SessionRef:
        """The session's name on the ledger."""
        return SessionRef(self.record.grant, self.record.index)

    @property
    def delivered_ms(self) -> int:
        """What the meter stands by, over all of the session's connections."""
        live = sum(connection.delivered_ms for connection in self.connections.values())
        return self.record.finished_ms + live

    @property
    def total_seconds(self) -> int:
        """The whole seconds that are to be paid."""
        return self.delivered_ms // 1000

    @property
    def unconfirmed_ms(self) -> int:
        """What was forwarded lately and may still be paid."""
        return sum(connection.unconfirmed_ms for connection in self.connections.values())

    @property
    def live(self) -> bool:
        """Whether a connection is up."""
        return any(not connection.final for connection in self.connections.values())

    @property
    def done(self) -> bool:
        """Whether the ledger has finally ended it, or never began it."""
        return self.record.phase in ("closed", "failed")

    @property
    def ending(self) -> bool:
        """Whether it is to be closed."""
        return self.record.end_reason is not None

    def change(self, **fields: object) -> None:
        """Replace fields of the record; the journal gets it with the next write."""
        self.record = msgspec.structs.replace(self.record, **fields)
        self.dirty = True

    def end(self, reason: str, now: float) -> None:
        """Decide that the session is over. The first reason stays."""
        if self.record.end_reason is None:
            self.change(end_reason=reason)
        if self.closing_since is None:
            self.closing_since = now


class Book:
    """Every session that has not ended for good, and every viewer's budget."""

    def __init__(self) -> None:
        self.sessions: dict[SessionRef, LiveSession] = {}
        self._by_viewer: dict[str, dict[SessionRef, LiveSession]] = {}
        self.budgets: dict[str, Budget] = {}
        self.finalized_block = 0
        self.aliases: dict[SessionRef, SessionRef] = {}
        """Sessions that go on under another name than the one the media server knows."""
        self.departed: dict[SessionRef, str] = {}
        """Why the sessions that ended lately did, for connections that have not heard."""
        self.boot_id: str | None = None
        self.changed = False

    def __iter__(self) -> Iterator[LiveSession]:
        return iter(list(self.sessions.values()))

    def add(self, session: LiveSession) -> None:
        """Take in a session, in place of an earlier attempt with its name."""
        self._remove(session.ref)
        self.sessions[session.ref] = session
        self._by_viewer.setdefault(session.record.viewer, {})[session.ref] = session

    def _remove(self, ref: SessionRef) -> None:
        session = self.sessions.pop(ref, None)
        if session is not None:
            own = self._by_viewer[session.record.viewer]
            del own[ref]
            if not own:
                del self._by_viewer[session.record.viewer]

    def find(self, named: SessionRef) -> LiveSession | None:
        """Give the session that the media server means."""
        return self.sessions.get(self.aliases.get(named, named))

    def follow(self, lapsed: LiveSession, successor: LiveSession) -> None:
        """Let a session take over a lapsed one's connection."""
        self.add(successor)
        self._alias(successor)
        lapsed.lapse = None
        lapsed.dirty = True

    def _alias(self, session: LiveSession) -> None:
        if session.record.continues is not None:
            self.aliases[SessionRef(*session.record.continues)] = session.ref

    def of_viewer(self, viewer: str) -> list[LiveSession]:
        """List a viewer's sessions."""
        return list(self._by_viewer.get(viewer, {}).values())

    # --- journal -----------------------------------------------------------------------

    def restore(self, loaded: Loaded, now: float) -> None:
        """Go on from what the journal holds; silence is counted from `now`."""
        for record in loaded.sessions:
            session = LiveSession(record, now)
            session.closing_since = now if session.ending else None
            session.restored = True
            self.add(session)
            self._alias(session)
        if loaded.states is None:
            return
        self.finalized_block = loaded.states.finalized_block
        for packed in loaded.states.budgets:
            self.budgets[packed.viewer] = Budget(packed.spent_ms, packed.at_ms)
        for state in loaded.states.sessions:
            kept = self.sessions.get(SessionRef(state.grant, state.index))
            if kept is None:
                continue
            for connection in state.connections:
                if connection.number > kept.record.finished_number:
                    kept.connections[connection.number] = connection
                    kept.seen[connection.number] = now
            kept.idle_since = None if kept.live else now

    def packed(self, now_ms: int) -> PackedStates:
        """Give the record of everything that changes each second."""
        for viewer in [
            viewer
            for viewer, state in self.budgets.items()
            if budget.refilled(state, now_ms).spent_ms == 0
        ]:
            del self.budgets[viewer]
        return PackedStates(
            sessions=[
                SessionState(
                    session.record.grant, session.record.index, list(session.connections.values())
                )
                for session in self.sessions.values()
                if session.connections
            ],
            budgets=[
                BudgetState(viewer, state.spent_ms, state.at_ms)
                for viewer, state in self.budgets.items()
            ],
            finalized_block=self.finalized_block,
        )

    # --- from the media server ---------------------------------------------------------

    def greet(self, boot_id: str, now: float) -> None:
        """Note the media server's boot: connections of an earlier one have ended."""
        self.boot_id = boot_id
        for session in self.sessions.values():
            if session.lapse is not None and session.lapse.connection.boot_id != boot_id:
                self._leave_lapsed(session)
        for session in self.sessions.values():
            for connection in list(session.connections.values()):
                if connection.boot_id != boot_id and not connection.final:
                    self._finish(session, connection, "vanished", now)
                else:
                    session.seen[connection.number] = now

    def take(self, state: ConnectionState, boot_id: str, now: float, now_ms: int) -> bool:
        """Take one connection's state. Returns whether it belongs to a session that is known.

        Figures never fall: of an older and a newer state the higher counts.
        """
        session = self.find(state.session)
        if session is None or state.number > session.record.number or state.number < 1:
            return False
        if session.lapse is not None and state.number == session.lapse.connection.number:
            self._take_lapsed(session, session.lapse, state, now, now_ms)
            return True
        if state.number <= session.record.finished_number:
            return True
        known = session.connections.get(state.number)
        if known is not None and (known.connection, known.boot_id) != (state.connection, boot_id):
            return False
        session.seen[state.number] = now
        if known is not None and known.final:
            return True
        delivered_ms, forwarded_ms = state.delivered_ms, state.forwarded_ms
        if state.number == session.record.base_number:
            delivered_ms -= session.record.base_delivered_ms
            forwarded_ms -= session.record.base_forwarded_ms
        # Whole milliseconds of three figures differ by one now and then: charged is the most.
        before_ms = max(
            session.charged_ms.get(state.number, 0), 0 if known is None else _lost_ms(known)
        )
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
        session.connections[state.number] = record
        self.changed = True
        lost_ms = _lost_ms(record)
        session.charged_ms[state.number] = max(before_ms, lost_ms)
        self.charge(session.record.viewer, lost_ms - before_ms, now_ms)
        session.idle_since = None if session.live else now
        if state.final:
            self._tidy(session)
        return True

    def lapse(self, session: LiveSession, now: float) -> None:
        """End a session that lapsed while its viewer stayed."""
        connection = session.connections[session.record.number]
        session.lapse = Lapse(connection, now)
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
        before_ms = lapse.connection.delivered_ms
        if state.number == session.record.base_number:
            before_ms += session.record.base_delivered_ms
        lapse.fresh_ms = max(lapse.fresh_ms, state.delivered_ms - before_ms)
        if state.final and lapse.live:
            self.charge(session.record.viewer, lapse.fresh_ms, now_ms)
            self._leave_lapsed(session)

    def _leave_lapsed(self, session: LiveSession) -> None:
        if session.lapse is not None:
            session.lapse.live = False
            session.dirty = True  # so that the next write lets it go
            self.changed = True

    def _finish(
        self, session: LiveSession, connection: ConnectionRecord, reason: str, now: float
    ) -> None:
        session.connections[connection.number] = msgspec.structs.replace(
            connection, final=True, end_reason=reason
        )
        self.changed = True
        if not session.live:
            session.idle_since = now

    def _tidy(self, session: LiveSession) -> None:
        """Fold the oldest ended connections into the record when there are many."""
        while len(session.connections) > CONNECTIONS_KEPT:
            first = session.connections[min(session.connections)]
            if not first.final:
                return
            session.change(
                finished_ms=session.record.finished_ms + first.delivered_ms,
                finished_number=first.number,
            )
            del session.connections[first.number]
            session.seen.pop(first.number, None)
            session.charged_ms.pop(first.number, None)

    # --- budgets -----------------------------------------------------------------------

    def charge(self, viewer: str, lost_ms: int, now_ms: int) -> None:
        """Take what will never be paid out of a viewer's budget."""
        if lost_ms > 0:
            current = self.budgets.get(viewer, Budget())
            self.budgets[viewer] = budget.spend(current, lost_ms, now_ms)

    def budget_left_ms(self, viewer: str, now_ms: int, settled: frozenset[SessionRef]) -> int:
        """Tell how much more a viewer may watch unpaid.

        `settled` are the sessions that are in a block: of those that are to be opened, what was
        delivered is at risk as well.
        """
        at_risk_ms = self._at_risk_ms(viewer, settled)
        return budget.left_ms(self.budgets.get(viewer, Budget()), now_ms, at_risk_ms)

    def budget_wait_s(self, viewer: str, now_ms: int, settled: frozenset[SessionRef]) -> int:
        """Tell after how many seconds a viewer may watch unpaid again, at the latest."""
        at_risk_ms = self._at_risk_ms(viewer, settled)
        return budget.wait_s(self.budgets.get(viewer, Budget()), now_ms, at_risk_ms)

    def _at_risk_ms(self, viewer: str, settled: frozenset[SessionRef]) -> int:
        at_risk_ms = 0
        for session in self.of_viewer(viewer):
            if not session.done:
                at_risk_ms += session.unconfirmed_ms
                if session.record.phase == "opening" and session.ref not in settled:
                    at_risk_ms += session.delivered_ms
        return at_risk_ms

    def conclude(self, session: LiveSession, **fields: object) -> None:
        """End a session for good: what was delivered goes into its record."""
        session.change(
            **fields,
            finished_ms=session.delivered_ms,
            finished_number=session.record.number,
        )
        session.connections.clear()
        session.seen.clear()
        self.changed = True

    def fail(self, session: LiveSession, now_ms: int) -> None:
        """Give up on a session that the ledger never had: what was delivered stays unpaid."""
        if session.record.phase != "failed":
            self.charge(session.record.viewer, session.delivered_ms, now_ms)
            reason = session.record.end_reason or session.deny or "open-refused"
            self.conclude(session, phase="failed", end_reason=reason)

    def depart(self, session: LiveSession) -> None:
        """Forget a session that has ended for good and is so in the journal."""
        if self.sessions.get(session.ref) is session:
            self._remove(session.ref)
        names = [name for name, meant in self.aliases.items() if meant == session.ref]
        for name in names:
            del self.aliases[name]
        for name in [session.ref, *names]:
            while len(self.departed) >= DEPARTED_KEPT:
                del self.departed[next(iter(self.departed))]
            self.departed[name] = session.deny or "session-closed"

    # --- ends --------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """End connections that fell silent, and sessions whose viewer did not come back."""
        for session in self.sessions.values():
            lapse = session.lapse
            if lapse is not None and lapse.live and now - lapse.seen >= SILENT_CONNECTION_S:
                self._leave_lapsed(session)
            if session.done:
                continue
            for connection in list(session.connections.values()):
                silent_s = now - session.seen.get(connection.number, now)
                if not connection.final and silent_s >= SILENT_CONNECTION_S:
                    self._finish(session, connection, "vanished", now)
            if session.ending:
                continue
            if session.deny is not None:
                if not session.live or now - session.deny_since >= DENIED_WAIT_S:
                    session.end(session.deny, now)
                continue
            if session.live or session.idle_since is None:
                continue
            last = session.connections.get(session.record.number)
            reason = last.end_reason if last is not None and last.end_reason else "vanished"
            if reason in AT_ONCE or now - session.idle_since >= RESUME_WITHIN_S:
                session.end(reason, now)

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


def _lost_ms(connection: ConnectionRecord) -> int:
    """What was forwarded and will never be paid, as far as is certain."""
    pending_ms = 0 if connection.final else connection.unconfirmed_ms
    return max(0, connection.forwarded_ms - connection.delivered_ms - pending_ms)


def digest(secret: str) -> bytes:
    """What is kept of a token or a resume secret."""
    return hashlib.sha256(secret.encode()).digest()
