"""What receiver reports say about loss, seen over a window (RFC 3550, 6.4.1).

A single report says little: a browser sends one with every NACK, three to eight packets apart,
and counts as lost what a retransmission has repaired since.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

WINDOW_US = 1_000_000
WINDOW_PACKETS = 150
LOSS_MAX_PERCENT = 10
_REPAIRS_REMEMBERED = 2048
_SAMPLES_MAX = 512


class _Sample(NamedTuple):
    highest: int
    lost: int
    net_repairs: int
    at_us: int


class ReportWindow:
    """Loss of one source over the last second and 150 packets, less what was repaired."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self._asked: dict[int, None] = {}
        self._repaired = 0
        self._repairs_lost = 0

    def begin(self, covered_to: int, packets_lost: int, now_us: int) -> None:
        """The first packet to be judged is the one after `covered_to`; so many were lost before."""
        self._samples.clear()
        self._samples.append(_Sample(covered_to, packets_lost, self._net_repairs, now_us))

    def add(self, highest: int, packets_lost: int, now_us: int) -> bool:
        """A report: everything up to `highest`, so many lost in all. Whether it is news."""
        samples = self._samples
        if not samples or highest <= samples[-1].highest:
            return False
        samples.append(_Sample(highest, packets_lost, self._net_repairs, now_us))
        while len(samples) > 2 and (len(samples) > _SAMPLES_MAX or self._reaches(samples[1])):
            samples.popleft()
        return True

    def _reaches(self, since: _Sample) -> bool:
        last = self._samples[-1]
        return (
            last.highest - since.highest >= WINDOW_PACKETS and last.at_us - since.at_us >= WINDOW_US
        )

    @property
    def _net_repairs(self) -> int:
        return self._repaired - self._repairs_lost

    def repaired(self, sequence: int) -> None:
        """A packet was sent again on the retransmission source. Counts once."""
        if sequence in self._asked:
            return
        self._asked[sequence] = None
        self._repaired += 1
        if len(self._asked) > _REPAIRS_REMEMBERED:
            del self._asked[next(iter(self._asked))]

    def repairs_lost(self, packets_lost: int) -> None:
        """Loss of the retransmission source itself, cumulative as reported."""
        self._repairs_lost = max(self._repairs_lost, packets_lost)

    @property
    def tolerable(self) -> bool:
        """Whether at most a tenth is missing by now; of a short beginning, a tenth of a full
        window. Ask when there was time for repair."""
        first, last = self._samples[0], self._samples[-1]
        expected = max(last.highest - first.highest, WINDOW_PACKETS)
        missing = last.lost - first.lost - (self._net_repairs - first.net_repairs)
        return missing * 100 <= expected * LOSS_MAX_PERCENT
