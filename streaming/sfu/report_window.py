"""What receiver reports say about loss, seen over a window (RFC 3550, 6.4.1).

A single report says little: a browser sends one with every NACK, three to eight packets apart,
and counts as lost what a retransmission has repaired since.
"""

from __future__ import annotations

from collections import deque

WINDOW_US = 1_000_000
WINDOW_PACKETS = 150
LOSS_MAX_PERCENT = 10
_REPAIRS_REMEMBERED = 2048
_SAMPLES_MAX = 512


class ReportWindow:
    """Loss of one source over the last second and 150 packets, less what was repaired."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int, int]] = deque()  # (highest, net loss, time)
        self._asked: dict[int, None] = {}
        self._repaired = 0
        self._repairs_lost = 0

    def begin(self, covered_to: int, now_us: int) -> None:
        """The first packet to be reported is the one after `covered_to`."""
        self._samples.append((covered_to, 0, now_us))

    def add(self, highest: int, packets_lost: int, now_us: int) -> bool:
        """A report: everything up to `highest`, so many lost in all. Whether it is news."""
        if not self._samples or highest <= self._samples[-1][0]:
            return False
        samples = self._samples
        samples.append((highest, packets_lost - self._repaired + self._repairs_lost, now_us))
        while len(samples) > 2 and (
            len(samples) > _SAMPLES_MAX
            or (highest - samples[1][0] >= WINDOW_PACKETS and now_us - samples[1][2] >= WINDOW_US)
        ):
            samples.popleft()
        return True

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
        """Whether at most a tenth is missing; of a short beginning, a tenth of a full window."""
        first, last = self._samples[0], self._samples[-1]
        expected = max(last[0] - first[0], WINDOW_PACKETS)
        return (last[1] - first[1]) * 100 <= expected * LOSS_MAX_PERCENT
