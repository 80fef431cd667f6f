"""Which session is to be looked at when, so that nobody looks at all of them. No clock."""

from __future__ import annotations

import heapq
import itertools
from typing import Final, Generic, TypeVar

_S = TypeVar("_S")

NEVER: Final = float("inf")
NOW: Final = float("-inf")


class Agenda(Generic[_S]):
    """A heap of moments. Of a session only the earliest counts, until it was looked at."""

    def __init__(self, slot: str) -> None:
        """`slot` is the session's attribute in which its moment is noted."""
        self._slot = slot
        self._heap: list[tuple[float, int, _S]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, session: _S, moment: float) -> None:
        """Look at a session at a moment, or earlier if that is noted already."""
        if moment < getattr(session, self._slot):
            setattr(session, self._slot, moment)
            heapq.heappush(self._heap, (moment, next(self._numbers), session))

    def due(self, now: float) -> list[_S]:
        """Take out the sessions whose moment has come, in the order of their moments."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            moment, _, session = heapq.heappop(self._heap)
            if getattr(session, self._slot) == moment:  # else it was looked at earlier
                setattr(session, self._slot, NEVER)
                found.append(session)
        return found
