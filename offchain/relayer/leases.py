"""The answer to each message of states: which connections may go on, and for how long.

Media stops when funds, grant, token or stream end, and waits when too much is unpaid. Nothing here
waits for anything: the server gets its answer within the turn.
"""

from __future__ import annotations

from typing import Final

import trio

from offchain.relayer import credit, funds
from offchain.relayer.book import Departed
from offchain.relayer.core import Core
from offchain.relayer.live_session import LiveSession
from offchain.relayer.submit import deny
from offchain.relayer.tokens import Tokens
from streaming.session_state import (
    LEASE_MS,
    ConnectionState,
    Lease,
    Leases,
    PublisherState,
    States,
)

NOT_INCLUDED_SLACK_MS: Final = 4_000
GAP_MARGIN_MS: Final = 10_000
"""So long before a session would lapse for want of ticks, its media waits."""


class Leaser:
    """Takes states into the book and answers with leases."""

    def __init__(self, core: Core, tokens: Tokens) -> None:
        self._core = core
        self._tokens = tokens
        self._acknowledge: dict[str, int] = {}
        self._usable, self._estimated_ms = False, 0
        """Of the view, at the moment of an answer."""

    def greet(self, boot_id: str) -> None:
        """A media server said hello."""
        self._core.book.greet(boot_id, trio.current_time(), self._core.refill_ms())
        self._acknowledge.clear()

    def lose_sight(self, boot_id: str) -> None:
        """A media server is gone; perhaps it forwards while its leases last."""
        self._core.book.lose_sight(boot_id)

    def answer(self, states: States, boot_id: str) -> Leases:
        """Take every state and lease every connection."""
        core, now = self._core, trio.current_time()
        now_ms = core.refill_ms()
        self._usable, self._estimated_ms = core.view.usable, core.view.estimated_ms()
        core.book.servers.hear(boot_id, now)
        if not core.tenure.lasts:  # others may answer for them by now
            return Leases(sequence=states.sequence, lease_ms=LEASE_MS, leases=[])
        leases = []
        finals: list[str] = []
        for state in states.connections:
            known = core.book.take(state, boot_id, now, now_ms)
            if state.final:
                finals.append(state.connection)
            if not known:
                if self._is_elsewhere(state):
                    continue
                departed = core.book.departed.get(state.session)
                leases.append(_unknown(state, departed))
                continue
            session = core.book.find(state.session)
            if session is None:
                leases.append(_unknown(state))
                continue
            core.lags.delivered(session, session.total_seconds, now)
            leases.append(self._lease(session, state.connection, state.number, now_ms))
        core.book.told_all(boot_id, now, now_ms)
        leases += self._denied(states, boot_id, now_ms)
        acknowledged = self._settle_finals(states, finals)
        if finals:
            core.journal_bell.ring()
            core.submit_bell.ring()
        return Leases(
            sequence=states.sequence,
            lease_ms=LEASE_MS,
            leases=leases,
            publishers_denied=self._denied_publishers(states.publishers, core.steady_ms()),
            acknowledged=acknowledged,
            draining=core.tenure.draining,
        )

    def _is_elsewhere(self, state: ConnectionState) -> bool:
        """Tell whether a session may be another relayer's, who then answers for it."""
        book = self._core.book
        if book.find(state.session) is not None or state.session in book.departed:
            return False
        return not self._core.tenure.over(state.session, state.number)

    def _settle_finals(self, states: States, finals: list[str]) -> list[str]:
        """Acknowledge the finals that are on the disk: a write began after they first came."""
        core = self._core
        done: list[str] = []
        if not finals:
            return done
        by_name = {state.connection: state for state in states.connections}
        for name in finals:
            state = by_name[name]
            session = core.book.find(state.session)
            if session is None:
                self._acknowledge.pop(name, None)  # should it come back, it is written anew
                if not self._is_elsewhere(state):
                    done.append(name)  # its session has ended for good, or never was
                continue
            first = self._acknowledge.setdefault(name, core.keeper.gathered)
            if core.keeper.written > first:
                done.append(name)
        for name in done:
            self._acknowledge.pop(name, None)
        return done

    # --- one connection ------------------------------------------------------------------

    def _denied(self, states: States, boot_id: str, now_ms: int) -> list[Lease]:
        """Tell what was denied since, of this server and not named in its message: at once."""
        denied = self._core.book.census.denied
        if not denied:
            return []
        told, leases = {state.connection for state in states.connections}, []
        for session in list(denied):
            last = session.last
            if last is None or last.boot_id != boot_id:
                continue
            del denied[session]
            if last.connection not in told and not last.final:
                leases.append(self._lease(session, last.connection, last.number, now_ms))
        return leases

    def _lease(self, session: LiveSession, connection: str, number: int, now_ms: int) -> Lease:
        core = self._core
        entry = core.view.sessions.get(session.ref)
        paid_seconds: int | None = session.record.paid_seconds
        paid: int | None = session.record.paid
        if entry is not None:
            paid_seconds, paid = entry.seconds, entry.paid
        elif core.view.entries(session.ref) is None and session.restored:
            paid_seconds = paid = None  # more than the journal knows may have been said
        runway = funds.runway_seconds(core, session) if core.view.best is not None else None
        self._judge(session, runway)
        reason, wait = self._reason(session, number)
        viewer = session.record.viewer
        left_ms = core.book.budgets.left_ms(viewer, now_ms)
        if left_ms <= 0:
            core.book.hurry(viewer)
        if reason is None and left_ms <= 0:
            cause = "money" if runway == 0 else core.book.budgets.cause(viewer, now_ms)
            reason, wait = f"budget:{cause}", True
        lease_ms = credit.lease_ms(left_ms, core.book.budgets.connections(viewer))
        if number == session.record.number:
            session.leased_ms = 0 if reason is not None else lease_ms
        return Lease(
            connection=connection,
            allowed=reason is None,
            reason=reason,
            wait=wait,
            lease_ms=lease_ms,
            paid_seconds=paid_seconds,
            paid=paid,
            runway_seconds=runway,
        )

    def _judge(self, session: LiveSession, runway: int | None) -> None:
        """Deny what has ended for good."""
        if session.deny is not None:
            return
        core, now = self._core, trio.current_time()
        if self._tokens.ended(session.record.token_digest, core.steady_ms()):
            deny(session, "token-ended", now)
        stream = core.view.streams.get(session.record.stream)
        if stream is not None and stream.status != "Active":
            deny(session, "stream-ended", now)
        if runway == 0 and self._usable and session.ref in core.view.sessions:
            deny(session, "funds", now)
        if session.deny is not None:
            core.submit_bell.ring()

    def _reason(self, session: LiveSession, number: int) -> tuple[str | None, bool]:
        """Tell why a connection may not go on, and whether that may pass."""
        core = self._core
        if session.deny is not None:
            return session.deny, False
        if session.lapse is None and (session.ending or session.done):
            return "session-closed", False
        if number < session.record.number:
            return "replaced", False
        if not core.journal.healthy:
            return "journal", True
        if self._chain_too_silent(session):
            return "chain-unavailable", True
        if session.lapse is not None:
            waiting = session.lapse.fresh_ms > core.limits.head_start_max_ms
            return ("not-included", True) if waiting else (None, False)
        if not core.on_chain(session):
            late_ms = self._estimated_ms - session.record.start_at
            if late_ms > core.limits.head_start_max_ms + NOT_INCLUDED_SLACK_MS:
                return "not-included", True
        return None, False

    def _chain_too_silent(self, session: LiveSession) -> bool:
        view = self._core.view
        if view.best is None:
            return True
        entry = view.sessions.get(session.ref)
        if entry is None or self._usable:
            return False
        return self._estimated_ms > entry.ticked_at + entry.gap_ms - GAP_MARGIN_MS

    # --- publishers ------------------------------------------------------------------------

    def _denied_publishers(self, publishers: list[PublisherState], now_ms: int) -> dict[str, str]:
        denied: dict[str, str] = {}
        view = self._core.view
        for publisher in publishers:
            # after a restart, or another relayer's death, this is the first that is heard of it
            self._core.book.wanted.publish(publisher.stream)
            stream = view.streams.get(publisher.stream)
            if stream is not None and stream.status == "Ended":
                denied[str(publisher.stream)] = "stream-ended"
            elif self._tokens.publisher_ended(publisher.stream, now_ms):
                denied[str(publisher.stream)] = "token-ended"
        return denied


def _unknown(state: ConnectionState, departed: Departed | None = None) -> Lease:
    reason = "unknown-session" if departed is None else departed.reason
    return Lease(connection=state.connection, allowed=False, reason=reason)
