"""How often something may be done, each on its own and by many who are told apart by a name.

Pure: the clock is given (seconds, monotonic).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

NAMES_MAX: Final = 16_384
"""Of so many names it is known what they did; the longest quiet one is forgotten."""

Clock = Callable[[], float]


class Bucket:
    """Lets `burst` through at once and `rate` a second in the long run."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._left = burst
        self._at = now

    def wait_s(self, now: float) -> float:
        """How long until the next may pass; 0 if it may now. Takes nothing."""
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        return 0.0 if self._left >= 1 else (1 - self._left) / self.rate

    def take(self, now: float) -> float:
        """Let one pass if it may, and return 0; otherwise the seconds that it has to wait."""
        wait = self.wait_s(now)
        if wait == 0:
            self._left -= 1
        return wait


class Pace:
    """A bucket for each name, of which the least lately used are forgotten."""

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str | None) -> float:
        """Count one of a name: 0, or the seconds that it has to wait. None is not limited."""
        if name is None or self._rate <= 0:
            return 0.0
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._rate, self._burst, now)
            if len(self._buckets) > NAMES_MAX:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        return bucket.take(now)
