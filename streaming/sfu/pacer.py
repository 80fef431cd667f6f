"""Paced sending to one viewer, and how much of the sending may be repair. Pure: times are
integers in microseconds that are passed in.

A queue of a router at the viewer's end holds 50 to 200 ms of its line. A keyframe, or the
catch-up of a join, that leaves at the speed of the server's line overflows it; so packets
leave at a rate, and what comes faster waits here.

Sources: RFC 8698 (section 5) and draft-ietf-rmcat-gcc-02 (section 4) on pacing; the pacing
factor of 2.5 and the draining of a queue that has become old are libwebrtc's.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from streaming.sfu.sliding import SlidingSum

Item = TypeVar("Item")

RATE_MIN_BPS = 10_000
"""A lower rate is taken as this."""
BURST_US = 10_000
"""How much of the rate may leave at once: fewer wake-ups than one for each packet."""
REPAIR_BYTES_MIN = 100
"""What a retransmission costs is not its bytes alone."""
NACKS_PER_SECOND = 100
"""Of one viewer that are answered, unless the operator chooses otherwise."""
LATE_US = 50_000
"""A wake-up that is late by up to this catches up; what is beyond is forgone."""


def catch_up_bps(stream_bps: int) -> int:
    """The highest rate of a join's catch-up: 2.5 times the stream's."""
    return stream_bps * 5 // 2


def pacing_bps(stream_bps: int, target_bps: int | None = None) -> int:
    """At which rate to send a stream to a viewer whose path is estimated at `target_bps`.

    Never below 1.25 times the stream's rate: waiting here is no better than waiting in the
    path, and a path that cannot carry the picture is told by `estimate.PathJudge`. Never
    above 2.5 times.
    """
    most = catch_up_bps(stream_bps)
    if target_bps is None:
        return most
    return max(stream_bps * 5 // 4, min(most, target_bps))


class Pacer(Generic[Item]):
    """Sends at a rate; the order of what is queued is kept.

    For each packet: `offer` it; if that says no, `push` it. While `next_us` is not None, call
    `due` at that time and send what it returns.
    """

    def __init__(
        self, rate_bps: int, *, bytes_max: int = 4_000_000, age_max_us: int = 2_000_000
    ) -> None:
        """`bytes_max` bounds the queue. When its oldest packet has waited for `age_max_us`,
        the rate rises so that the queue is gone within the same time again."""
        self.bytes_max = bytes_max
        self.age_max_us = age_max_us
        self.queued_bytes = 0
        self._queue: deque[tuple[Item, int, int]] = deque()
        self._free_ns = 0
        """When all that was sent has been paid for at the rate."""
        self._empty_by_us: int | None = None
        self._ns_per_byte = 0
        self._least_ns_per_byte = 0
        self.set_rate(rate_bps)

    def set_rate(self, rate_bps: int, ceiling_bps: int | None = None) -> None:
        """From now on send at this rate (bits a second). A queue that has become old raises it
        up to `ceiling_bps`, without a bound if that is None."""
        self._ns_per_byte = 8_000_000_000 // max(rate_bps, RATE_MIN_BPS)
        ceiling = 0 if ceiling_bps is None else 8_000_000_000 // max(ceiling_bps, RATE_MIN_BPS)
        self._least_ns_per_byte = min(ceiling, self._ns_per_byte)

    def offer(self, size: int, now_us: int) -> bool:
        """Whether a packet of this size in bytes is to be sent at once; it is then counted."""
        if self._queue:
            return False
        now_ns = now_us * 1000
        free = self._free_ns
        if free < now_ns:
            self._free_ns = now_ns + size * self._ns_per_byte
            return True
        if free < now_ns + BURST_US * 1000:
            self._free_ns = free + size * self._ns_per_byte
            return True
        return False

    def spend(self, size: int, now_us: int) -> None:
        """Count a packet that was sent past the queue (a retransmission, sound)."""
        free, now_ns = self._free_ns, now_us * 1000
        self._free_ns = (free if free > now_ns else now_ns) + size * self._ns_per_byte

    def push(self, item: Item, size: int, now_us: int) -> bool:
        """Queue a packet. False, and not queued, if the queue would exceed its bytes."""
        if self.queued_bytes + size > self.bytes_max:
            return False
        self._queue.append((item, size, now_us))
        self.queued_bytes += size
        return True

    def due(self, now_us: int) -> list[Item]:
        """What is to be sent now, oldest first."""
        queue = self._queue
        if not queue:
            return []
        ns_per_byte = self._pace(now_us)
        now_ns = now_us * 1000
        free = max(self._free_ns, now_ns - LATE_US * 1000)
        until = now_ns + BURST_US * 1000
        items: list[Item] = []
        while queue and free < until:
            item, size, _ = queue.popleft()
            self.queued_bytes -= size
            free += size * ns_per_byte
            items.append(item)
        self._free_ns = free
        if not queue:
            self._empty_by_us = None
        return items

    def _pace(self, now_us: int) -> int:
        """Nanoseconds a byte: fewer from when the queue has become old until it is empty."""
        if self._empty_by_us is None:
            if now_us - self._queue[0][2] < self.age_max_us:
                return self._ns_per_byte
            self._empty_by_us = now_us + self.age_max_us
        left_us = max(self._empty_by_us - now_us, BURST_US)
        needed = left_us * 1000 // max(self.queued_bytes, 1)
        return max(self._least_ns_per_byte, min(self._ns_per_byte, needed))

    @property
    def next_us(self) -> int | None:
        """When `due` has something, or None when nothing waits."""
        return -(-self._free_ns // 1000) if self._queue else None

    def age_us(self, now_us: int) -> int:
        """How long the oldest packet has waited; 0 when nothing waits."""
        return now_us - self._queue[0][2] if self._queue else 0

    def overfull(self, now_us: int) -> bool:
        """Whether more waits than should: older than `age_max_us`, or more than nine tenths
        of the bytes. What to drop, if anything, is the caller's choice."""
        if 10 * self.queued_bytes > 9 * self.bytes_max:
            return True
        return self.age_us(now_us) > self.age_max_us

    def clear(self) -> list[Item]:
        """Take everything out of the queue, oldest first."""
        items = [item for item, _, _ in self._queue]
        self._queue.clear()
        self.queued_bytes = 0
        self._empty_by_us = None
        return items

    def __len__(self) -> int:
        return len(self._queue)


class RetransmitBudget:
    """How much of a viewer's retransmissions is answered.

    A share of the stream's rate over the last second, with a minimum for thin streams, and a
    number of NACK packets, and of packets that they name, a second. The default share of 50 %
    repairs a gap of 300 ms and some single losses within one second; who asks for everything
    costs half a stream more.
    """

    def __init__(
        self,
        *,
        share_percent: int = 50,
        minimum_bps: int = 100_000,
        nacks_per_second: int = NACKS_PER_SECOND,
        named_max: int = 20_000,
    ) -> None:
        """`nacks_per_second` of 0 is no limit. `named_max` is six times what is named of a stream
        of 8 Mbit/s that loses 40 %, each packet ten times."""
        self._share_percent = share_percent
        self._minimum = minimum_bps // 8
        self._nacks_per_second = nacks_per_second
        self._bytes = SlidingSum(100_000, 10)
        self._named_max = named_max
        self._nacks = SlidingSum(100_000, 10)
        self._named = SlidingSum(100_000, 10)
        self._bytes_max = self._minimum
        self.refused = 0
        """Retransmissions refused, ever."""

    def set_rates(self, stream_bps: int, room_bps: int | None = None) -> None:
        """The rate of the stream that is being sent, bits a second; and where the path is full
        (`estimate.Estimator.room_bps`) what it has room for beside the stream.

        Repair that does not fit the path pushes out what it is to repair, which is then
        repaired: on a full path it gets the room there is, though a tenth of the stream.
        """
        most = stream_bps * self._share_percent // 100
        if room_bps is not None:
            most = min(most, max(room_bps, stream_bps // 10))
        self._bytes_max = max(most // 8, self._minimum)

    def nack(self, named: int, now_us: int) -> bool:
        """Whether to answer a NACK that came now and names so many packets."""
        self._nacks.advance(now_us)
        self._named.advance(now_us)
        too_often = 0 < self._nacks_per_second <= self._nacks.total
        if too_often or self._named.total >= self._named_max:
            return False
        self._nacks.add(1, now_us)
        self._named.add(named, now_us)
        return True

    def take(self, size: int, now_us: int) -> bool:
        """Whether to send a retransmission of this size in bytes now; it is then counted, as
        `REPAIR_BYTES_MIN` at least."""
        size = max(size, REPAIR_BYTES_MIN)
        self._bytes.advance(now_us)
        if self._bytes.total + size > self._bytes_max:
            self.refused += 1
            return False
        self._bytes.add(size, now_us)
        return True
