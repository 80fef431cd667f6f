"""Sums and minima over the recent past, in slices: cheap, and without a memory of each event.
Pure: times are integers in microseconds that are passed in, and do not go back far."""

from __future__ import annotations


class SlidingSum:
    """The sum of what was added within the last `slices` slices, and in the one that runs."""

    __slots__ = ("_amounts", "_at", "_slice_us", "total")

    def __init__(self, slice_us: int, slices: int) -> None:
        self._slice_us = slice_us
        self._amounts = [0] * (slices + 1)
        self._at = 0
        self.total = 0
        """As of the last call of `add` or `advance`."""

    def add(self, amount: int, now_us: int) -> None:
        """Count an amount (it may be negative)."""
        if now_us // self._slice_us > self._at:
            self.advance(now_us)
        self._amounts[self._at % len(self._amounts)] += amount
        self.total += amount

    def advance(self, now_us: int) -> None:
        """Forget what is too old now."""
        at = now_us // self._slice_us
        if at <= self._at:
            return
        amounts = self._amounts
        size = len(amounts)
        if at == self._at + 1:
            self.total -= amounts[at % size]
            amounts[at % size] = 0
        else:
            for each in range(max(self._at + 1, at - size + 1), at + 1):
                self.total -= amounts[each % size]
                amounts[each % size] = 0
        self._at = at


class SlidingMinimum:
    """The least value of the last one to two spans of `span_us`."""

    __slots__ = ("_before", "_now", "_span_us", "_until_us")

    def __init__(self, span_us: int) -> None:
        self._span_us = span_us
        self._before: int | None = None
        self._now: int | None = None
        self._until_us = 0

    def add(self, value: int, now_us: int) -> None:
        """Take a value that was measured now."""
        if now_us >= self._until_us:
            old = now_us >= self._until_us + self._span_us
            self._before = None if old else self._now
            self._now = None
            self._until_us = now_us + self._span_us
        if self._now is None or value < self._now:
            self._now = value

    @property
    def least(self) -> int | None:
        """None before the first value."""
        if self._before is None or (self._now is not None and self._now < self._before):
            return self._now
        return self._before
