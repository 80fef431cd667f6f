"""The lags of one measurement, all of them, for percentiles."""

from __future__ import annotations

from collections import defaultdict


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
        found = sorted(self._seconds[lag])
        return round(1000 * found[min(len(found) - 1, len(found) * 99 // 100)]) if found else None
