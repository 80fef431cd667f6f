"""Which session is to be looked at when, so that nobody looks at all of them. No clock."""

from __future__ import annotations

import heapq
import itertools
from typing import Final, Generic, TypeVar

_S = TypeVar("_S")

NEVER: Final = float("inf")
NOW: Final = float("-inf")
TIDY_FROM: Final = 64
"""A heap of fewer places is left as it is."""


class Agenda(Generic[_S]):
    """A heap of moments. Of a session only the earliest counts, until it was looked at.

    A session is looked at several times for each moment that comes, and mostly put off. Its place
    in the heap stays then, and is moved when it comes to the top. Another is taken only for an
    earlier moment, and places that were left are cleared away before they are a third of all.
    """

    def __init__(self, slot: str) -> None:
        """`slot` is the session's attribute in which its moment is noted, as NEVER to begin with.

        `placed_` and that name is the attribute for its place in the heap.
        """
        self._slot = slot
        self._placed = f"placed_{slot}"
        self._now: list[_S] = []
        self._heap: list[tuple[float, int, _S]] = []
        self._numbers = itertools.count()
        self._holding = 0
        """How many sessions have a place: other places were left."""

    def __len__(self) -> int:
        return len(self._now) + len(self._heap)

    def at(self, session: _S, moment: float) -> None:
        """Look at a session at a moment, or earlier if that is noted already."""
        if moment >= getattr(session, self._slot):
            return
        setattr(session, self._slot, moment)
        if moment == NOW:
            self._now.append(session)
        elif moment < getattr(session, self._placed):
            self._place(session, moment)

    def _place(self, session: _S, moment: float) -> None:
        self._holding += getattr(session, self._placed) == NEVER
        setattr(session, self._placed, moment)
        heapq.heappush(self._heap, (moment, next(self._numbers), session))
        if len(self._heap) > max(TIDY_FROM, self._holding * 3 // 2):
            self._heap = [place for place in self._heap if self._is_held(place)]
            heapq.heapify(self._heap)

    def _is_held(self, place: tuple[float, int, _S]) -> bool:
        """Tell whether a session's place is not one that it has left for an earlier."""
        moment, _, session = place
        return bool(getattr(session, self._placed) == moment)

    def due(self, now: float) -> list[_S]:
        """Take out the sessions whose moment has come, in the order of their moments."""
        found, self._now = self._now, []
        for session in found:
            setattr(session, self._slot, NEVER)
        while self._heap and self._heap[0][0] <= now:
            place = heapq.heappop(self._heap)
            if not self._is_held(place):
                continue
            _, _, session = place
            setattr(session, self._placed, NEVER)
            self._holding -= 1
            moment = getattr(session, self._slot)
            if moment <= now:
                setattr(session, self._slot, NEVER)
                found.append(session)
            elif moment < NEVER:
                self._place(session, moment)
        return found
