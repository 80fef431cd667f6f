"""Which session is to be looked at when, so that nobody looks at all of them. No clock."""

from __future__ import annotations

import heapq
import itertools
from typing import Final, Generic, TypeVar

_S = TypeVar("_S")

NEVER: Final = float("inf")
NOW: Final = float("-inf")


class Agenda(Generic[_S]):
    """A heap of moments. Of a session only the earliest counts, until it was looked at.

    A session is looked at several times for each moment that comes, and mostly put off. Its place
    in the heap stays then, and is moved when it comes to the top. Another is taken only for an
    earlier moment: who notes the earliest first has one place, however often it is looked at.
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
        setattr(session, self._placed, moment)
        heapq.heappush(self._heap, (moment, next(self._numbers), session))

    def due(self, now: float) -> list[_S]:
        """Take out the sessions whose moment has come, in the order of their moments."""
        found, self._now = self._now, []
        for session in found:
            setattr(session, self._slot, NEVER)
        while self._heap and self._heap[0][0] <= now:
            placed, _, session = heapq.heappop(self._heap)
            if getattr(session, self._placed) != placed:
                continue  # it has come to an earlier place since, and left that, too
            setattr(session, self._placed, NEVER)
            moment = getattr(session, self._slot)
            if moment <= now:
                setattr(session, self._slot, NEVER)
                found.append(session)
            elif moment < NEVER:
                self._place(session, moment)
        return found
