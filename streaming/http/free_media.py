"""What the viewers of each grant were given and never pay for: catch-ups, and sound alone.

Each session may have some of it, and opening one costs its viewer nothing. So that nobody lives on
beginnings, all of a grant's sessions together have a bound. Beyond it a session begins as one that
is gone on with: with the next keyframe, and without free sound. Nobody is refused.

Pure: the clock is given (seconds, monotonic).
"""

from __future__ import annotations

from typing import Final, TypeAlias

FREE_MS: Final = 20_000
"""As much as the relayer's credit, by default."""
BACK_MS_PER_S: Final = 1000 / 60
"""What comes back: a second a minute."""
GRANTS_MAX: Final = 4096
"""Of so many it is remembered; the longest quiet one is forgotten."""


Grant: TypeAlias = tuple[str, int]
"""A grant: the chain that has it, and its number there."""


class FreeMedia:
    """What each grant has had, less what has come back."""

    def __init__(self) -> None:
        self._had: dict[Grant, tuple[float, float]] = {}
        """Milliseconds, and when they were that many."""

    def take(self, grant: Grant, free_ms: int, now: float) -> None:
        """A connection has ended, and had so much."""
        if free_ms <= 0:
            return
        had_ms = self._had_ms(grant, now)
        self._had.pop(grant, None)
        self._had[grant] = (had_ms + free_ms, now)
        if len(self._had) > GRANTS_MAX:
            del self._had[next(iter(self._had))]

    def used_up(self, grant: Grant, now: float, open_ms: int = 0) -> bool:
        """Whether no more is given; `open_ms` is what open connections have had until now."""
        return self._had_ms(grant, now) + open_ms >= FREE_MS

    def _had_ms(self, grant: Grant, now: float) -> float:
        had_ms, at = self._had.get(grant, (0.0, now))
        return max(0.0, had_ms - (now - at) * BACK_MS_PER_S)
