"""How far money runs behind the media: from delivered to journaled, included and finalized.

Pure bookkeeping without a clock of its own. Of each session the oldest second that no block has
charged is followed, one at a time, so that a session costs one small tuple however long it is. All
moments and durations are seconds of the caller's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streaming.session_state import SessionRef

BLOCKS_MAX: Final = 512
"""Blocks that wait for finality and are measured; of more the oldest are forgotten."""

Observe = Callable[[str, float], None]
"""Takes a measured lag: `journaled`, `included` or `finalized`, and its seconds."""


class Lags:
    """Measures each lag as soon as it is over."""

    def __init__(self) -> None:
        self.observe: Observe | None = None
        """Where measurements go; without it they are dropped."""
        self.delivered_seconds = 0
        """Whole seconds that were reported delivered, over all sessions, since the start."""
        self._totals: dict[SessionRef, int] = {}
        self._unpaid: dict[SessionRef, tuple[int, float]] = {}
        self._unjournaled_since: float | None = None
        self._included: dict[int, float] = {}

    def delivered(self, ref: SessionRef, total_seconds: int, now: float) -> None:
        """A session's delivered seconds have come to a total."""
        before = self._totals.get(ref)
        self._totals[ref] = total_seconds
        if before is None or total_seconds <= before:
            return  # what was delivered before this start was measured then
        self.delivered_seconds += total_seconds - before
        self._unpaid.setdefault(ref, (total_seconds, now))
        if self._unjournaled_since is None:
            self._unjournaled_since = now

    def journaling(self) -> float | None:
        """A snapshot is being written. Give the moment of the oldest second that is new in it."""
        since, self._unjournaled_since = self._unjournaled_since, None
        return since

    def journaled(self, since: float | None, now: float, *, written: bool) -> None:
        """The snapshot that `journaling` began is on the disk, or was not written."""
        if since is None:
            return
        if written:
            self._tell("journaled", now - since)
        else:
            self._unjournaled_since = since

    def included(self, ref: SessionRef, seconds: int, block: int, now: float) -> None:
        """The best block has charged a session's seconds up to a total."""
        waiting = self._unpaid.get(ref)
        if waiting is None or seconds < waiting[0]:
            return
        del self._unpaid[ref]
        self._tell("included", now - waiting[1])
        self._included.setdefault(block, now)
        while len(self._included) > BLOCKS_MAX:
            del self._included[next(iter(self._included))]

    def finalized(self, block: int, now: float) -> None:
        """Everything up to a block is final."""
        for number in [number for number in self._included if number <= block]:
            self._tell("finalized", now - self._included.pop(number))

    def forget(self, ref: SessionRef) -> None:
        """A session has ended for good."""
        self._totals.pop(ref, None)
        self._unpaid.pop(ref, None)

    def _tell(self, lag: str, seconds: float) -> None:
        if self.observe is not None:
            self.observe(lag, max(0.0, seconds))
