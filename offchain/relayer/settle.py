"""Settling: the way out for sessions whose window is over, so that slot and funds come back.

While the window is open a session's key closes it. After it nobody's key can, and the ledger takes
the settlement from anybody, without signature and fee: it keeps what was paid and returns the rest
to the viewer. So the relayer needs no account for it, and where there is no relayer, anybody does
it (`paystream session settle`).
"""

from __future__ import annotations

import logging
from typing import Final

import trio

from offchain.ledger.errors import DispatchFailed, LedgerError, Superseded
from offchain.relayer.chain import bounded
from offchain.relayer.core import Core
from offchain.relayer.live_session import LiveSession

log = logging.getLogger("paystream.relay.settle")

LOOK_EVERY_S: Final = 5.0
SETTLE_WITHIN_S: Final = 30.0
FAILED_WAITS_S: Final = 60.0
FAILED_WAITS_MAX_S: Final = 3_600.0
"""A call that was included and failed says that the block that was read is older than the one that
it failed in: after so long it is tried again, each time twice as long."""
_KIND: Final = "settle"


class Settler:
    """Settles what can be closed no more, one after the other."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._failed: dict[LiveSession, tuple[int, float]] = {}
        """How often a session's call has failed in a block, and when it is tried again."""

    async def run(self) -> None:
        """Look for sessions whose window is over, for ever."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            closing = list(self._core.book.census.closing)
            waiting = [session for session in closing if self.is_due(session)]
            self._failed = {each: self._failed[each] for each in waiting if each in self._failed}
            if not self._core.view.usable:
                continue
            for session in waiting:
                await self._settle(session)

    def is_due(self, session: LiveSession) -> bool:
        """Tell whether the best block lists a session that it takes no more orders of."""
        is_ours = self._core.tenure.holds(session.record.viewer)
        return is_ours and session.state == "ending" and self._core.is_past_window(session)

    async def _settle(self, session: LiveSession) -> None:
        now = trio.current_time()
        times, again_at = self._failed.get(session, (0, now))
        if not session.may_try(_KIND, now) or now < again_at:
            return
        session.back_off(_KIND, now)
        try:
            await bounded(
                self._core.chain.settle(session.record.grant, session.record.index),
                SETTLE_WITHIN_S,
            )
        except Superseded:
            log.info("event=settled-by-another session=%s", session.ref)
            return
        except LedgerError as error:
            log.warning("event=settle-failed session=%s why=%r", session.ref, str(error))
            if isinstance(error, DispatchFailed):
                wait_s = min(FAILED_WAITS_S * 2**times, FAILED_WAITS_MAX_S)
                self._failed[session] = (times + 1, trio.current_time() + wait_s)
            return
        self._core.count("sessions_settled")
        log.info("event=session-settled session=%s", session.ref)
