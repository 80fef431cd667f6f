"""What is counted over all sessions, and the few that are told apart, kept as they change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from offchain.journal import SessionRecord
from offchain.journal.records import Phase
from offchain.relayer.agenda import Agenda


class Counted(Hashable, Protocol):
    """What is counted of a session."""

    @property
    def record(self) -> SessionRecord:
        """Its record."""

    @property
    def up(self) -> int:
        """How many of its connections have not ended."""

    @property
    def unpaid_seconds(self) -> int:
        """What was delivered and the best block has not charged."""


_S = TypeVar("_S", bound=Counted)


class Census(Generic[_S]):
    """Counts and lists. The lists are in the order in which sessions came to be on them."""

    def __init__(self) -> None:
        self.agenda: Agenda[_S] = Agenda("look_at")
        """When to see whether a session is to end, and whether an order is due."""
        self.phases: Counter[Phase] = Counter()
        self.opening: dict[_S, None] = {}
        """Those that no block has yet."""
        self.closing: dict[_S, None] = {}
        """Those that are to be closed, or that the ledger has ended."""
        self.lapsed: dict[_S, None] = {}
        """Those that ended for want of ticks, and whose viewers are still there."""
        self.denied: dict[_S, None] = {}
        """Those whose media servers have not been told yet that they must not go on."""
        self.connections = 0
        """How many connections are up."""
        self._unpaid: Counter[int] = Counter()

    @property
    def unpaid_seconds_max(self) -> int:
        """The most that one session has delivered and no best block has charged."""
        return max(self._unpaid, default=0)

    def enter(self, session: _S) -> None:
        """A session has come."""
        self._list(session, session.record.phase)
        self.connections += session.up
        self._unpaid[session.unpaid_seconds] += 1

    def leave(self, session: _S) -> None:
        """A session has gone."""
        self._strike(session, session.record.phase)
        self.lapsed.pop(session, None)
        self.denied.pop(session, None)
        self.connections -= session.up
        self._less_unpaid(session.unpaid_seconds)

    def moved(self, session: _S, before: Phase) -> None:
        """A session has come into another phase."""
        self._strike(session, before)
        self._list(session, session.record.phase)

    def unpaid(self, before: int, seconds: int) -> None:
        """A session's unpaid seconds have changed."""
        self._less_unpaid(before)
        self._unpaid[seconds] += 1

    def _less_unpaid(self, seconds: int) -> None:
        self._unpaid[seconds] -= 1
        if self._unpaid[seconds] <= 0:
            del self._unpaid[seconds]

    def _list(self, session: _S, phase: Phase) -> None:
        self.phases[phase] += 1
        if phase == "opening":
            self.opening[session] = None
        elif phase == "closing":
            self.closing[session] = None

    def _strike(self, session: _S, phase: Phase) -> None:
        self.phases[phase] -= 1
        self.opening.pop(session, None)
        self.closing.pop(session, None)
