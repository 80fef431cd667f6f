"""The ledger's pace: it opens a grant's sessions one after the other, so who comes early waits.

Without a fee the ledger takes one open per grant in `MinTickSeconds`, by the clock of its blocks.
A viewer who looks into one stream after the other comes sooner than that. Such an admission takes a
place in its grant's line, and goes on with the block that lets its open into the pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import trio

from offchain.ledger.types import Grant, Head
from offchain.relayer.core import Core
from offchain.relayer.live_session import LiveSession
from offchain.relayer.places import Place
from offchain.relayer.problems import Refused, chain_unavailable

WAIT_SLACK_MS: Final = 5_000
"""Beyond the pace an admission waits for so long: the block before, and the one that lets it in."""
WAIT_MAX_MS: Final = 10_000
"""Longer than this nobody waits, whatever a runtime's pace: players give up on their request."""
BLOCK_MS: Final = 2_000
"""How long an open takes to its block, where one has to guess."""


class Early(msgspec.Struct, frozen=True, kw_only=True):
    """Why an open would come too early: at which best block, and what that block lacks.

    `entry` is the grant as it was read. `due_ms` is the least timestamp of a best block that takes
    the open; None where an earlier open of the grant is still on its way to a block, as `pending`
    of them are. `funds` are what its session would reserve.
    """

    grant: int
    entry: Grant
    seen: Head | None
    due_ms: int | None
    pending: int = 0
    funds: int = 0


class Pacing:
    """Who waits for the ledger's pace, by grant and in the order of coming."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def _pace_ms(self) -> int:
        return self._core.limits.min_tick_seconds * 1000

    def ahead(self, grant: int, entry: Grant, place: Place | None) -> int:
        """Count the admissions that wait for a grant's turn before `place`; None comes last."""
        return self._core.waiting.ahead(entry.viewer, grant, place)

    def _ahead_of(self, place: Place) -> int:
        return self._core.waiting.ahead(place.viewer, place.grant, place)

    def early(self, grant: int, entry: Grant, place: Place | None) -> Early | None:
        """Tell why the grant's next open is too early, None where it is not.

        `entry` is the grant as it was just read; who has no `place` stands behind all that have.
        """
        core = self._core
        seen, due_ms = core.view.best, entry.opened_at + self._pace_ms
        pending = len(self.reserved(grant, entry))
        if pending:
            return Early(grant=grant, entry=entry, seen=seen, due_ms=None, pending=pending)
        if core.view.best_ms < due_ms or self.ahead(grant, entry, place):
            return Early(grant=grant, entry=entry, seen=seen, due_ms=due_ms)
        return None

    def reserved(self, grant: int, entry: Grant) -> list[LiveSession]:
        """List the grant's sessions whose index no final block has decided about, and that the
        grant does not count yet, whatever their viewers have done since."""
        return [
            session
            for session in self._core.book.of_grant(grant)
            if not session.done and session.record.index >= entry.next_index
        ]

    @contextmanager
    def enter(self, early: Early) -> Iterator[Place]:
        """Take a place in the line. Raises Refused (429) where its turn would come too late."""
        wait_max_ms = min(self._pace_ms + WAIT_SLACK_MS, WAIT_MAX_MS)
        ahead = self.ahead(early.grant, early.entry, None)
        if self._turn_comes_in_ms(early, ahead) > wait_max_ms:
            raise self._too_early(early, ahead)
        place = Place(
            grant=early.grant,
            viewer=early.entry.viewer,
            asset=early.entry.asset,
            funds=early.funds,
            leave_at=trio.current_time() + wait_max_ms / 1000,
        )
        self._core.waiting.enter(place)
        try:
            yield place
        finally:
            self._core.waiting.leave(place)
            self._core.new_best.ring()  # whoever is next may be due already

    async def turn(self, place: Place, early: Early) -> None:
        """Wait until it is worth asking again. Raises Refused when that does not come in time."""
        core = self._core
        with trio.move_on_at(place.leave_at):
            while not self._worth_asking(place, early):
                await core.new_best.wait()
            return
        if not core.view.usable:
            raise chain_unavailable()
        raise self._too_early(early, self._ahead_of(place))

    def _worth_asking(self, place: Place, early: Early) -> bool:
        view = self._core.view
        if self._ahead_of(place):
            return False
        if early.due_ms is None:
            return view.best is not early.seen
        return view.best_ms >= early.due_ms

    def _turn_comes_in_ms(self, early: Early, ahead: int) -> int:
        """Guess when a place with so many `ahead` has its turn."""
        step_ms = BLOCK_MS + self._pace_ms
        own_ms = early.pending * step_ms
        if early.due_ms is not None:
            own_ms = max(0, early.due_ms - self._core.view.estimated_ms())
        return own_ms + ahead * step_ms

    def _too_early(self, early: Early, ahead: int) -> Refused:
        wait_s = max(1, -(-self._turn_comes_in_ms(early, ahead) // 1000))
        return Refused(
            429,
            "open-pace",
            f"the ledger opens one session per grant in {self._core.limits.min_tick_seconds} s, "
            f"and others of grant {early.grant} come first: ask again in {wait_s} s",
            retry_after_s=wait_s,
        )
