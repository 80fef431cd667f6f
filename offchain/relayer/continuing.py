"""Going on after a lapse: a viewer who stays while nothing is delivered gets another session.

A session that is paused or frozen for longer than its grant's gap has ended on the ledger, and its
last total is paid. Its connection stays. When frames come again, the relayer opens the next session
under the same grant, and counts that connection from where the lapsed session stopped.
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec
import trio

from offchain.journal import JournalUnavailable, put_session
from offchain.journal.records import SessionRecord
from offchain.relayer.admission import Admission
from offchain.relayer.core import Core
from offchain.relayer.live_session import Lapse, LiveSession
from offchain.relayer.problems import Refused, journal_unavailable
from offchain.relayer.submit import deny
from offchain.relayer.tokens import Tokens

log = logging.getLogger("paystream.relay.continuing")

LOOK_EVERY_S: Final = 0.5
_PASSING: Final = frozenset(
    {
        "budget-spent",
        "chain-unavailable",
        "held-elsewhere",
        "journal-unavailable",
        "keys-unavailable",
        "opening-undecided",
        "slot-unsettled",
    }
)


class Continuer:
    """Opens the sessions that follow lapsed ones."""

    def __init__(self, core: Core, admission: Admission, tokens: Tokens) -> None:
        self._core = core
        self._admission = admission
        self._tokens = tokens

    async def run(self) -> None:
        """Look for lapsed sessions whose frames have come back."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            for session in list(self._core.book.census.lapsed):
                if session.lapse is not None and self._due(session, session.lapse):
                    await self._go_on(session, session.lapse)

    def _due(self, session: LiveSession, lapse: Lapse) -> bool:
        """Tell whether a lapsed session's viewer needs the next one, and it can be opened."""
        closed = session.done or self._core.view.is_gone(session.ref)
        waits = lapse.live and lapse.fresh_ms > 0 and session.deny is None
        if waits and not closed:
            self._core.book.hurry(session.record.viewer)
        return closed and waits and self._core.view.usable and self._core.journal.healthy

    async def _go_on(self, session: LiveSession, lapse: Lapse) -> None:
        core, before = self._core, session.record

        async def place(reserved: SessionRecord) -> None:
            if reserved.number > lapse.connection.number:
                # an abandoned attempt has used this number under the same name
                raise Refused(409, "number-taken", "join again")
            if reserved.tick_price > before.tick_price:
                # its viewer has seen the lower one
                raise Refused(409, "tick-price-raised", "the operator takes more now: join again")
            record = _taking_over(reserved, before, lapse)
            try:
                await core.journal.commit([put_session(record)])
            except JournalUnavailable:
                raise journal_unavailable() from None
            successor = LiveSession(record, trio.current_time())
            successor.since_block = core.view.best_number
            core.lags.admitted(successor, trio.current_time(), delivers=False)
            core.book.follow(session, successor, core.refill_ms())
            core.submit_bell.ring()
            log.info("event=session-continued session=%s as=%s", session.ref, successor.ref)

        try:
            token = self._tokens.by_digest(before.token_digest, core.steady_ms())
            await self._admission.follow(token, before.stream, place)
        except Refused as refused:
            log.info("event=not-continued session=%s why=%s", session.ref, refused.problem.code)
            if refused.problem.code not in _PASSING:
                reason = "funds" if refused.problem.status == 402 else "session-closed"
                deny(session, reason, trio.current_time())


def _taking_over(reserved: SessionRecord, before: SessionRecord, lapse: Lapse) -> SessionRecord:
    """Make the record that counts a connection from where its lapsed session stopped."""
    last = lapse.connection
    earlier_delivered_ms = earlier_forwarded_ms = 0
    if last.number == before.base_number:
        earlier_delivered_ms = before.base_delivered_ms
        earlier_forwarded_ms = before.base_forwarded_ms
    return msgspec.structs.replace(
        reserved,
        number=last.number,
        finished_number=last.number - 1,
        resume_digest=before.resume_digest,
        renew=before.renew,
        continues=before.continues or (before.grant, before.index),
        base_number=last.number,
        base_delivered_ms=earlier_delivered_ms + last.delivered_ms,
        # what was on its way when the session lapsed is this one's to be paid
        base_forwarded_ms=earlier_forwarded_ms + last.forwarded_ms - last.unconfirmed_ms,
    )
