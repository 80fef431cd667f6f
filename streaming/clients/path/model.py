"""What one direction of a path does to packets: seeded, without sockets and clock. Pure.

Packets go in with their times, the times of their arrival come out, or nothing for one that the
path loses. The same seed, packets and times give the same result. Each kind of chance is drawn
from a source of its own: the n-th packet is lost or not whatever the jitter is.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 28
"""IPv4 and UDP headers: they use the rate, too."""
QUEUE_MS_DEFAULT: Final = 200.0
REORDER_PERCENT_DEFAULT: Final = 10.0
JITTER_STEP_US: Final = 50_000
"""For so long the added delay stays the same. A new one for each packet would be no jitter at
all once packets are close together: in order, each waits for the slowest before it."""
OUTAGE_SPREAD: Final = 0.5
"""Seeded outages are this share of `outage_every_ms` earlier or later than the mean."""
_RTCP_TYPES: Final = range(64, 96)


@dataclass(frozen=True, kw_only=True)
class PathSettings:
    """What a path does in one direction. Raises ValueError, naming the field and its range."""

    loss_percent: float = 0.0
    """How many packets of a hundred are lost, each on its own, 0 to 100."""
    outages: tuple[tuple[float, float], ...] = ()
    """Bursts of loss as (start, length) in ms from the first packet on: all is lost."""
    outage_ms: float = 0.0
    """Length of further bursts that come by chance; none if 0."""
    outage_every_ms: float = 5_000.0
    """Mean time from the start of one of these to the start of the next."""
    delay_ms: float = 0.0
    """How long each packet takes, one way."""
    jitter_ms: float = 0.0
    """Up to so much longer, evenly spread, another delay each 50 ms; order is kept."""
    reorder_ms: float = 0.0
    """Some packets take up to so much longer still, and others overtake them."""
    reorder_percent: float = REORDER_PERCENT_DEFAULT
    """How many of a hundred do, if `reorder_ms` is given."""
    rate_kbps: float | None = None
    """What the link carries, in kbit/s with IP and UDP headers; anything if absent."""
    queue_ms: float = QUEUE_MS_DEFAULT
    """A packet that would wait longer than this for its turn is dropped."""
    rtp_alone: bool = False
    """Loss and outages strike RTP only; STUN, DTLS and RTCP always pass."""

    def __post_init__(self) -> None:
        for name in ("loss_percent", "reorder_percent"):
            if not 0 <= getattr(self, name) <= 100:
                raise ValueError(f"{name} {getattr(self, name)}: give 0 to 100")
        for name in ("outage_ms", "delay_ms", "jitter_ms", "reorder_ms", "queue_ms"):
            if not 0 <= getattr(self, name) <= 60_000:
                raise ValueError(f"{name} {getattr(self, name)}: give 0 to 60000")
        if self.outage_every_ms <= self.outage_ms:
            raise ValueError(f"outage_every_ms {self.outage_every_ms}: give more than outage_ms")
        if self.rate_kbps is not None and not 1 <= self.rate_kbps <= 10_000_000:
            raise ValueError(f"rate_kbps {self.rate_kbps}: give 1 to 10000000")
        if any(start < 0 or length <= 0 for start, length in self.outages):
            raise ValueError("outages: give each a start from 0 on and a length above 0, in ms")


CLEAR: Final = PathSettings()
"""A path that takes no time and loses nothing."""


@dataclass
class Counts:
    """What became of packets; paths may share one."""

    packets: int = 0
    """Given to the path."""
    bytes: int = 0
    lost: int = 0
    """By chance."""
    lost_in_outages: int = 0
    dropped_by_queue: int = 0
    unsent: int = 0
    """Refused by the socket at the end: nobody listens there, or its buffer is full."""
    overrun: int = 0
    """Lost by the kernel before the relay read them: the machine is too busy for this path."""

    @property
    def passed(self) -> int:
        """What the path has carried, or is carrying."""
        return self.packets - self.lost - self.lost_in_outages - self.dropped_by_queue

    def as_dict(self) -> dict[str, int]:
        """Every figure by name."""
        return {**dataclasses.asdict(self), "passed": self.passed}


def is_rtp(packet: bytes) -> bool:
    """Whether it is RTP, and not RTCP, STUN or DTLS (RFC 7983, 7; RFC 5761, 4)."""
    return len(packet) > 1 and packet[0] >> 6 == 2 and packet[1] & 0x7F not in _RTCP_TYPES


class Path:
    """One direction of one path. `settings` may be replaced while it is used."""

    def __init__(self, settings: PathSettings, seed: str, counts: Counts | None = None) -> None:
        """`seed` is any text; two directions of one connection should have different ones."""
        self.settings = settings
        self.counts = counts or Counts()
        self._loss, self._jitter, self._order, self._outage = (
            # Chance that can be repeated is what is wanted here, no secret.
            random.Random(f"{seed}/{kind}")  # noqa: S311
            for kind in ("loss", "jitter", "order", "outage")
        )
        self._began_us: int | None = None
        self._free_us = 0.0
        self._latest_us = 0
        self._step: int | None = None
        self._added_us = 0.0
        self._outage_from_us: float | None = None

    def arrival_us(self, packet: bytes, now_us: int) -> int | None:
        """When a packet sent now arrives; None if it never does. Times must not go back."""
        counts, settings = self.counts, self.settings
        counts.packets += 1
        counts.bytes += len(packet)
        if self._began_us is None:
            self._began_us = now_us
        # Drawn for every packet, so that the n-th is lost or not whatever else is set.
        by_chance = self._loss.random() * 100 < settings.loss_percent
        left_us = self._leaves_queue_us(len(packet), now_us)
        if left_us is None:
            counts.dropped_by_queue += 1
            return None
        if not settings.rtp_alone or is_rtp(packet):
            if self._in_outage(now_us):
                counts.lost_in_outages += 1
                return None
            if by_chance:
                counts.lost += 1
                return None
        return self._ordered_us(left_us + settings.delay_ms * 1000 + self._jitter_us(now_us))

    def _leaves_queue_us(self, size: int, now_us: int) -> float | None:
        """When its last bit has left, after those before it; None if the queue is full."""
        rate_kbps = self.settings.rate_kbps
        if rate_kbps is None:
            return now_us
        starts_us = max(float(now_us), self._free_us)
        if starts_us - now_us > self.settings.queue_ms * 1000:
            return None
        self._free_us = starts_us + (size + HEADER_BYTES) * 8000 / rate_kbps
        return self._free_us

    def _in_outage(self, now_us: int) -> bool:
        since_us = now_us - (self._began_us or 0)
        return _covers(self.settings.outages, since_us / 1000) or self._in_seeded(since_us)

    def _in_seeded(self, since_us: int) -> bool:
        length_us = self.settings.outage_ms * 1000
        if not length_us:
            return False
        every_us = self.settings.outage_every_ms * 1000
        if self._outage_from_us is None:
            self._outage_from_us = self._gap_us(every_us)
        while since_us >= self._outage_from_us + length_us:
            self._outage_from_us += max(length_us, self._gap_us(every_us))
        return since_us >= self._outage_from_us

    def _gap_us(self, mean_us: float) -> float:
        return mean_us * self._outage.uniform(1 - OUTAGE_SPREAD, 1 + OUTAGE_SPREAD)

    def _jitter_us(self, now_us: int) -> float:
        if not self.settings.jitter_ms:
            return 0.0
        step = (now_us - (self._began_us or 0)) // JITTER_STEP_US
        if step != self._step:
            self._step = step
            self._added_us = self._jitter.uniform(0, self.settings.jitter_ms * 1000)
        return self._added_us

    def _ordered_us(self, arrival_us: float) -> int:
        """Not before those that were sent before it, unless it is one of those overtaken."""
        at_us = max(round(arrival_us), self._latest_us)
        settings = self.settings
        if settings.reorder_ms and self._order.random() * 100 < settings.reorder_percent:
            return at_us + round(self._order.uniform(0, settings.reorder_ms * 1000))
        self._latest_us = at_us
        return at_us


def _covers(outages: Sequence[tuple[float, float]], at_ms: float) -> bool:
    return any(start <= at_ms < start + length for start, length in outages)
