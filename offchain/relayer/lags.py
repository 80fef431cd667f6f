"""How far media runs behind an admission, and money behind the media.

From an admission to the block that opens its session and to the first delivered second; from a
delivered second to the disk, to its charge in a block, and from there to finality. Pure bookkeeping
without a clock of its own. Of each session the oldest second that no block has charged is followed,
one at a time and in the session itself, so that it costs a few numbers however long it is. All
moments and durations are seconds of the caller's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

BLOCKS_MAX: Final = 512
"""Blocks that wait for finality and are measured; of more the oldest are forgotten."""

Observe = Callable[[str, float], None]
"""Takes a measured lag and its seconds; it is one of `opened`, `delivered`, `journaled`, `included`
and `finalized`."""


class Followed(Protocol):
    """What is noted of a session here."""

    reported_seconds: int | None
    """The delivered seconds that it has come to; None before any were reported."""
    included_from: int
    """With so many charged seconds its oldest second that waits is in a block."""
    waits_since: float | None
    """When that second was reported; None where none waits."""
    opens_since: float | None
    """When it was admitted; None where that was before this start, or a block has opened it."""
    delivers_since: float | None
    """The same, until its first second is delivered."""


class Lags:
    """Measures each lag as soon as it is over."""

    def __init__(self) -> None:
        self.observe: Observe | None = None
        """Where measurements go; without it they are dropped."""
        self.delivered_seconds = 0
        """Whole seconds that were reported delivered, over all sessions, since the start."""
        self._unjournaled_since: float | None = None
        self._included: dict[int, float] = {}

    def admitted(self, session: Followed, now: float, *, delivers: bool = True) -> None:
        """A session is reserved. One that goes on with a connection that is there does not first
        have to bring it about that anything is delivered."""
        session.opens_since = now
        session.delivers_since = now if delivers else None

    def opened(self, session: Followed, now: float) -> None:
        """A best block has a session. One that a reorganisation takes away opens once more, and was
        measured."""
        since, session.opens_since = session.opens_since, None
        if since is not None:
            self._tell("opened", now - since)

    def delivered(self, session: Followed, total_seconds: int, now: float) -> None:
        """A session's delivered seconds have come to a total."""
        before = session.reported_seconds
        if before == total_seconds:
            return
        since = session.delivers_since
        if since is not None and total_seconds > 0:
            session.delivers_since = None
            self._tell("delivered", now - since)
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
