"""Which sessions a batch ticks, and when: the same number of batches in equal steps, for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BATCH_SHARE_MAX: Final = 1 / 8
"""The most of a block's ordinary weight that one batch may be announced with.

A batch is announced with each tick on a stream of its own, and pays what it weighed. A block takes
no batch whose announced weight it has no room for, so big batches leave much of it empty, and small
ones pay for more signatures and fees.
"""
SAFETY_MS: Final = 3_000
"""Ticks ask for the time until so long ago: the block that takes them began no earlier."""


def batch_orders(most_weight_us: float, limit_us: float, highest: int) -> int:
    """Give how many orders a batch has, of the most that one of them weighs."""
    return max(1, min(highest, int(limit_us * BATCH_SHARE_MAX / most_weight_us)))


@dataclass(frozen=True, kw_only=True)
class TickPlan:
    """All places in turn, in batches of neighbours; `cadence_s` from one tick to the next."""

    places: int
    orders: int
    cadence_s: float

    @property
    def batches(self) -> int:
        """Batches of one round."""
        return -(-self.places // self.orders)

    @property
    def per_s(self) -> float:
        """Ticks a second."""
        return self.places / self.cadence_s

    def batch(self, number: int) -> range:
        """Give the places of a batch; numbers go on over the rounds."""
        first = number % self.batches * self.orders
        return range(first, min(first + self.orders, self.places))

    def due_s(self, number: int) -> float:
        """Give when a batch is due after the beginning."""
        return number * self.cadence_s / self.batches


def places(grants: Sequence[int], sessions_each: int, count: int) -> list[tuple[int, int]]:
    """Give (grant, index) of so many sessions, ascending, each grant filled before the next."""
    ascending = sorted(grants)
    return [(ascending[number // sessions_each], number % sessions_each) for number in range(count)]


def total_seconds(now_ms: float, opened_ms: int) -> int:
    """Give the seconds that every session has a right to, all of them open since `opened_ms`."""
    return max(0, int(now_ms - SAFETY_MS - opened_ms) // 1_000)
