"""What each viewer has watched and not paid, at every moment, as somebody outside counts it.

What was watched comes from the viewers' own clocks, what was paid from the best blocks of a node
that nothing happens to. The relayer's word is not asked. The count follows the relayer's promise
(`offchain/relayer/credit.py`): what an ended session left unpaid comes back by a second a minute,
rounding is not in it, nor what a killed media server had not told. It tells every 500 ms; while the
relayer is away it goes on for the length of a lease, and what it forwards then dies with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from offchain.cli.audit import History
from offchain.ledger.types import Event
from streaming.session_state import LEASE_MS

CREDIT_MS: Final = 20_000
REFILL_DIVISOR: Final = 60
SLACK_MS: Final = 2_500
"""Two states, an answer, and what was not confirmed; as for the simulation's judge."""
ROUNDING_MS: Final = 1_000
"""Of each session that has ended."""
UNTOLD_MS: Final = 1_000
"""What a media server that is killed takes with it: a state's interval, and a report's."""
HEARD_AGAIN_MS: Final = 2_000
"""So long after its start the relayer has heard what the media server kept for it."""


@dataclass
class Account:
    """One viewer's. All in milliseconds; `at_ms` on any clock that does not jump."""

    watched_ms: int = 0
    paid_ms: int = 0
    worst_ms: int = 0
    """The most that was ever unpaid."""
    untold_ms: int = 0
    """What was watched while the relayer was away, and died with the media server; in all."""
    _ended_ms: int = 0
    """What ended sessions left unpaid, in all."""
    _lost_ms: float = 0.0
    """The same, less what has come back."""
    _forgiven_ms: int = 0
    _told_ms: int | None = None
    """What was watched when the relayer fell silent; None while it hears."""
    _hears_from_ms: int = 0
    _at_ms: int = 0

    @property
    def _at_risk_ms(self) -> int:
        return self.watched_ms - self.paid_ms - self._ended_ms

    def unpaid_ms(self, at_ms: int) -> int:
        """Tell what is unpaid at a moment."""
        came_back_ms = max(0, at_ms - self._at_ms) / REFILL_DIVISOR
        self._lost_ms, self._at_ms = max(0.0, self._lost_ms - came_back_ms), max(at_ms, self._at_ms)
        return int(self._lost_ms) + self._at_risk_ms - self._forgiven_ms

    def look(self, at_ms: int) -> None:
        """Remember the worst."""
        self.worst_ms = max(self.worst_ms, self.unpaid_ms(at_ms))

    def relayer_away(self, at_ms: int) -> None:
        """The relayer hears nothing from now on."""
        if self._told_ms is None or at_ms >= self._hears_from_ms:
            self._told_ms = self.watched_ms
        self._hears_from_ms = sys.maxsize

    def relayer_back(self, at_ms: int) -> None:
        """The relayer is there again."""
        self._hears_from_ms = at_ms + HEARD_AGAIN_MS

    def server_killed(self, at_ms: int) -> None:
        """Forgive what the media server cannot have told."""
        untold_ms = 0
        if self._told_ms is not None and at_ms < self._hears_from_ms:
            untold_ms = min(LEASE_MS, self.watched_ms - self._told_ms)
            self._told_ms = self.watched_ms
        self.untold_ms += untold_ms
        self._forgiven_ms += UNTOLD_MS + untold_ms

    def ended(self, at_ms: int) -> None:
        """Take what the viewer's sessions have left unpaid; none of them is open."""
        self.unpaid_ms(at_ms)
        left_ms = max(0, self._at_risk_ms)
        self._ended_ms += left_ms
        self._lost_ms += max(0, left_ms - ROUNDING_MS - self._forgiven_ms)
        self._forgiven_ms = 0


@dataclass
class Unpaid:
    """All viewers of one stream, by account."""

    stream: int
    accounts: dict[str, Account]
    _history: History = field(init=False)

    def __post_init__(self) -> None:
        """Begin with an empty history."""
        self._history = History(self.stream)

    @property
    def worst_ms(self) -> int:
        """The most that any viewer ever had unpaid."""
        return max((account.worst_ms for account in self.accounts.values()), default=0)

    def watched(self, account: str, watched_ms: int, at_ms: int) -> None:
        """Take a viewer's own total."""
        entry = self.accounts[account]
        entry.watched_ms = max(entry.watched_ms, watched_ms)
        entry.look(at_ms)

    def server_killed(self, at_ms: int) -> None:
        """The media server was killed."""
        for entry in self.accounts.values():
            entry.server_killed(at_ms)

    def relayer_away(self, at_ms: int) -> None:
        """The relayer was killed or stopped."""
        for entry in self.accounts.values():
            entry.relayer_away(at_ms)

    def relayer_back(self, at_ms: int) -> None:
        """The relayer is there again."""
        for entry in self.accounts.values():
            entry.relayer_back(at_ms)

    def block(self, number: int, events: Iterable[Event], at_ms: int) -> None:
        """Take in a best block; they come in order."""
        self._history.read(number, events)
        for account, entry in self.accounts.items():
            sessions = [
                session for session in self._history.sessions.values() if session.viewer == account
            ]
            was_ms = entry.paid_ms
            entry.paid_ms = 1000 * sum(session.charged_seconds for session in sessions)
            closed_now = any(session.closed_block == number for session in sessions)
            if closed_now and all(session.closed_block is not None for session in sessions):
                entry.ended(at_ms)
            elif entry.paid_ms != was_ms:
                entry.look(at_ms)
