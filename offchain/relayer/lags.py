"""How far money runs behind the media: from delivered to journaled, included and finalized.

Pure bookkeeping without a clock of its own. Of each session the oldest second that no block has
charged is followed, one at a time and in the session itself, so that it costs two numbers however
long it is. All moments and durations are seconds of the caller's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

BLOCKS_MAX: Final = 512
"""Blocks that wait for finality and are measured; of more the oldest are forgotten."""

Observe = Callable[[str, float], None]
"""Takes a measured lag: `journaled`, `included` or `finalized`, and its seconds."""


class Followed(Protocol):
    """What is noted of a session here."""

    reported_seconds: int | None
    """The delivered seconds that it has come to; None before any were reported."""
    included_from: int
    """With so many charged seconds its oldest second that waits is in a block."""
    waits_since: float | None
    """When that second was reported; None where none waits."""


class Lags:
    """Measures each lag as soon as it is over."""

    def __init__(self) -> None:
        self.observe: Observe | None = None
        """Where measurements go; without it they are dropped."""
        self.delivered_seconds = 0
        """Whole seconds that were reported delivered, over all sessions, since the start."""
        self._unjournaled_since: float | None = None
        self._included: dict[int, float] = {}

    def delivered(self, session: Followed, total_seconds: int, now: float) -> None:
        """A session's delivered seconds have come to a total."""
        before = session.reported_seconds
        if before == total_seconds:
            return
        session.reported_seconds = total_seconds
        if before is None or total_seconds < before:
            return  # what was delivered before this start was measured then
        self.delivered_seconds += total_seconds - before
        if session.waits_since is None:
            session.included_from, session.waits_since = total_seconds, now
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

    def included(self, session: Followed, seconds: int, block: int, now: float) -> None:
        """The best block has charged a session's seconds up to a total."""
        since = session.waits_since
        if since is None or seconds < session.included_from:
            return
        session.waits_since = None
        self._tell("included", now - since)
        self._included.setdefault(block, now)
        while len(self._included) > BLOCKS_MAX:
            del self._included[next(iter(self._included))]

    def finalized(self, block: int, now: float) -> None:
        """Everything up to a block is final."""
        for number in [number for number in self._included if number <= block]:
            self._tell("finalized", now - self._included.pop(number))

    def _tell(self, lag: str, seconds: float) -> None:
        if self.observe is not None:
            self.observe(lag, max(0.0, seconds))
