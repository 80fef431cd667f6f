"""The lags of one measurement, all of them, for percentiles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


class Lagged:
    """Keeps each lag that the relayer measures."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def __call__(self, lag: str, seconds: float) -> None:
        """Take one."""
        self._seconds[lag].append(seconds)

    def clear(self) -> None:
        """Begin anew."""
        self._seconds.clear()

    def p99_ms(self, lag: str) -> int | None:
        """Give the lag that one in a hundred exceeds; None where there was none."""
        return p99_ms(self._seconds[lag])


def p99_ms(seconds: Sequence[float]) -> int | None:
    """Give the duration that one in a hundred exceeds; None where there is none."""
    found = sorted(seconds)
    return round(1000 * found[min(len(found) - 1, len(found) * 99 // 100)]) if found else None
