"""Keeps the view's state true: chain heads, and what the stream's owner may see of sessions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import trio

from main_job.rest import Rest, RestFailed
from main_job.state import JobState
from offchain.cli.audit import SessionName
from offchain.ledger.client import Ledger
from offchain.ledger.errors import LedgerError

POLL_S: Final = 0.5
_VIEWER_PHASES: Final = {
    "opening": "opening",
    "open": "watching",
    "closing": "leaving",
    "closed": "closed",
    "failed": "failed",
}


async def follow_heads(ledger: Ledger, state: JobState) -> None:
    """Keep the chain's height in the state."""
    async with ledger.heads("best") as heads:
        async for head in heads:
            state.best_block = head.number


async def poll_earnings(ledger: Ledger, state: JobState) -> None:
    """Keep the stream's earnings in the state, as the best block has them."""
    while True:
        # Without a node the last figure stays; whoever needs the node will complain.
        with suppress(LedgerError):
            if state.stream is not None and (stream := await ledger.stream(state.stream)):
                state.earned = stream.earned_total
        await trio.sleep(POLL_S * 2)


class Sessions:
    """The stream's sessions as its owner's token shows them, polled."""

    def __init__(self, rest: Rest, state: JobState) -> None:
        self._rest = rest
        self._state = state
        self.delivered_ms: dict[SessionName, int] = {}

    async def follow(self, on_poll: Callable[[], None] = lambda: None) -> None:
        """Poll until cancelled. While the relayer is away the last figures stay."""
        while True:
            # A killed relayer comes back; a dead server is noticed by the job itself.
            with suppress(RestFailed):
                await self.poll()
            on_poll()
            await trio.sleep(POLL_S)

    async def poll(self) -> None:
        """Read the sessions once. Raises RestFailed."""
        for session in (await self._rest.get("sessions"))["sessions"]:
            self._take(session)

    def _take(self, session: dict[str, Any]) -> None:
        grant, index = int(session["grant"]), int(session["index"])
        self.delivered_ms[grant, index] = int(session["delivered_ms"])
        for viewer in self._state.viewers:
            if viewer.account == session["viewer"]:
                viewer.session = f"{grant}-{index}"
                viewer.phase = _VIEWER_PHASES.get(session["status"], "watching")  # type: ignore[assignment]
                viewer.delivered_ms = int(session["delivered_ms"])
                viewer.paid_seconds = int(session["paid_seconds"])
                viewer.paid = int(session["paid"])
                runway = session.get("runway_seconds")
                viewer.runway_seconds = None if runway is None else int(runway)
