"""The answer to each message of states: which connections may go on, and for how long.

Media stops when funds, grant, token or stream end, and waits when too much is unpaid. Nothing here
waits for anything: the server gets its answer within the turn.
"""

from __future__ import annotations

from typing import Final

import trio

from offchain.relayer.core import Core
from offchain.relayer.sessions import LiveSession
from offchain.relayer.submit import deny
from offchain.relayer.tokens import Tokens
from streaming.session_state import (
    LEASE_MS,
    ConnectionState,
    Lease,
    Leases,
    PublisherState,
    SessionRef,
    States,
)

NOT_INCLUDED_SLACK_MS: Final = 4_000
CHAIN_SILENT_MAX_S: Final = 60.0
"""For so long media goes on while the chain says nothing."""
GAP_MARGIN_MS: Final = 10_000
"""So long before a session would lapse for want of ticks, its media waits."""


class Leaser:
    """Takes states into the book and answers with leases."""

    def __init__(self, core: Core, tokens: Tokens) -> None:
        self._core = core
        self._tokens = tokens
        self._acknowledge: dict[str, int] = {}

    def greet(self, boot_id: str) -> None:
        """A media server said hello."""
        self._core.book.greet(boot_id, trio.current_time())
        self._acknowledge.clear()

    def answer(self, states: States, boot_id: str) -> Leases:
        """Take every state and lease every connection."""
        core, now = self._core, trio.current_time()
        now_ms = core.unix_ms()
        settled = core.settled()
        leases = []
        finals: list[str] = []
        for state in states.connections:
            known = core.book.take(state, boot_id, now, now_ms)
            if state.final:
                finals.append(state.connection)
            if not known:
                reason = core.book.departed.get(state.session, "unknown-session")
                leases.append(Lease(connection=state.connection, allowed=False, reason=reason))
                continue
            leases.append(self._lease(state, settled, now_ms))
        acknowledged = self._settle_finals(states, finals)
        if finals:
            core.journal_bell.ring()
            core.submit_bell.ring()
        return Leases(
            sequence=states.sequence,
            lease_ms=LEASE_MS,
            leases=leases,
            publishers_denied=self._denied_publishers(states.publishers, now_ms),
            acknowledged=acknowledged,
        )

    def _settle_finals(self, states: States, finals: list[str]) -> list[str]:
        """Acknowledge the finals that a commit has covered since they first came."""
        core = self._core
        done = []
        by_name = {state.connection: state for state in states.connections}
        for name in finals:
            state = by_name[name]
            session = core.book.find(state.session)
            if session is None:
                done.append(name)  # its session has ended for good, or never was
                continue
            first = self._acknowledge.setdefault(name, core.snapshots)
            if core.flushes > first:
                done.append(name)
            else:
                core.book.changed = True
        for name in done:
            self._acknowledge.pop(name, None)
        return done

    # --- one connection ------------------------------------------------------------------

    def _lease(self, state: ConnectionState, settled: frozenset[SessionRef], now_ms: int) -> Lease:
        core = self._core
        session = core.book.find(state.session)
        if session is None:
            return Lease(connection=state.connection, allowed=False, reason="unknown-session")
        entry = core.view.sessions.get(session.ref)
        paid_seconds, paid = session.record.paid_seconds, session.record.paid
        if entry is not None:
            paid_seconds, paid = entry.seconds, entry.paid
        runway = core.runway_seconds(session) if core.view.best is not None else None
        self._judge(session, runway, now_ms)
        reason, wait = self._reason(session, state, settled, now_ms)
        return Lease(
            connection=state.connection,
            allowed=reason is None,
            reason=reason,
            wait=wait,
            paid_seconds=paid_seconds,
            paid=paid,
            runway_seconds=runway,
        )

    def _judge(self, session: LiveSession, runway: int | None, now_ms: int) -> None:
        """Deny what has ended for good."""
        core, now = self._core, trio.current_time()
        if session.deny is not None:
            return
        if self._tokens.ended(session.record.token_digest, now_ms):
            deny(session, "token-ended", now)
        stream = core.view.streams.get(session.record.stream)
        if stream is not None and stream.status != "Active":
            deny(session, "stream-ended", now)
        if runway == 0 and core.view.usable and session.ref in core.view.sessions:
            deny(session, "funds", now)
        if session.deny is not None:
            core.submit_bell.ring()

    def _reason(
        self,
        session: LiveSession,
        state: ConnectionState,
        settled: frozenset[SessionRef],
        now_ms: int,
    ) -> tuple[str | None, bool]:
        """Tell why a connection may not go on, and whether that may pass."""
        core = self._core
        if session.deny is not None:
            return session.deny, False
        if session.lapse is None and (session.ending or session.done):
            return "session-closed", False
        if state.number < session.record.number:
            return "replaced", False
        if not core.journal.healthy:
            return "journal", True
        if self._chain_too_silent(session):
            return "chain-unavailable", True
        if session.lapse is not None:
            waiting = session.lapse.fresh_ms > core.limits.head_start_max_ms
            return ("not-included", True) if waiting else (None, False)
        if session.ref not in settled:
            late_ms = core.view.estimated_ms() - session.record.start_at
            if late_ms > core.limits.head_start_max_ms + NOT_INCLUDED_SLACK_MS:
                return "not-included", True
        if core.book.budget_left_ms(session.record.viewer, now_ms, settled) <= 0:
            return "budget", True
        return None, False

    def _chain_too_silent(self, session: LiveSession) -> bool:
        view = self._core.view
        if view.best is None or view.silent_s > CHAIN_SILENT_MAX_S:
            return True
        entry = view.sessions.get(session.ref)
        if entry is None or view.usable:
            return False
        return view.estimated_ms() > entry.ticked_at + entry.gap_ms - GAP_MARGIN_MS

    # --- publishers ------------------------------------------------------------------------

    def _denied_publishers(self, publishers: list[PublisherState], now_ms: int) -> dict[str, str]:
        denied: dict[str, str] = {}
        view = self._core.view
        for publisher in publishers:
            stream = view.streams.get(publisher.stream)
            if stream is not None and stream.status == "Ended":
                denied[str(publisher.stream)] = "stream-ended"
            elif self._tokens.publisher_ended(publisher.stream, now_ms):
                denied[str(publisher.stream)] = "token-ended"
        return denied
