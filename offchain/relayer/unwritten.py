"""What has changed since the journal last had it: names only, the values are read when it is."""

from __future__ import annotations

from streaming.session_state import SessionRef


class Unwritten:
    """Names of sessions, connections and budgets that the journal does not have as they are."""

    __slots__ = ("budgets", "connections", "finalized", "sessions")

    def __init__(self) -> None:
        self.sessions: set[SessionRef] = set()
        self.connections: dict[SessionRef, tuple[int, ...]] = {}
        """Numbers of connections, by session."""
        self.budgets: set[str] = set()
        """Viewers."""
        self.finalized = False
        """Whether another block was read."""

    def __bool__(self) -> bool:
        return bool(self.sessions or self.connections or self.budgets or self.finalized)

    def connection(self, ref: SessionRef, number: int) -> None:
        """Note that a connection's state has changed."""
        noted = self.connections.get(ref, ())
        if number not in noted:
            self.connections[ref] = (*noted, number)

    def forget(self, ref: SessionRef) -> None:
        """Drop what is noted of a session: it has left, and its rows are another's to write."""
        self.sessions.discard(ref)
        self.connections.pop(ref, None)

    def take(self) -> Unwritten:
        """Give what is noted so far, and begin anew."""
        taken = Unwritten()
        taken.add(self)
        self.sessions, self.connections, self.budgets = set(), {}, set()
        self.finalized = False
        return taken

    def add(self, other: Unwritten) -> None:
        """Note again what could not be written."""
        self.sessions |= other.sessions
        for ref, numbers in other.connections.items():
            for number in numbers:
                self.connection(ref, number)
        self.budgets |= other.budgets
        self.finalized = self.finalized or other.finalized
