"""What measured blocks say: which came late, what fills them, whether a rate holds."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from measure.figures import percentile

SLOT_MS: Final = 2_000
FASTER: Final = 1.25
"""A rate that held is raised to so many times itself."""
SLOWER: Final = 0.7
"""A first rate that did not hold is lowered to so many times itself."""
CLOSE_ENOUGH: Final = 1.08
"""Where the lowest rate that failed is so near the highest that held, that one is the answer."""
STEPS_MAX: Final = 10
FULL_SHARE_MIN: Final = 0.5
"""A reason limits the blocks if at least so many of them ended for it."""

_PREPARED: Final = re.compile(
    r"Prepared block for proposing at (\d+) \((\d+) ms\).*?; end: (\w+); extrinsics_count: (\d+)"
)
_DISCARDED: Final = re.compile(r"Discarding proposal for slot (\d+);")
_IMPORTED: Final = re.compile(r"Imported #(\d+) ")
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})")


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How measured values lie."""

    p50: float
    p99: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Give the spread; None of nothing."""
        if not values:
            return None
        return cls(p50=percentile(values, 50), p99=percentile(values, 99), highest=max(values))

    def as_json(self, digits: int = 1) -> dict[str, float]:
        """Give it rounded."""
        return {
            "p50": round(self.p50, digits),
            "p99": round(self.p99, digits),
            "highest": round(self.highest, digits),
        }


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block as the chain tells it, and when its head reached us."""

    number: int
    timestamp_ms: int
    arrived_ms: float
    weight_us: float
    """All that its extrinsics and hooks were charged, in microseconds of reference time."""
    normal_weight_us: float
    """The part of ordinary extrinsics, which have a limit of their own."""
    counted: int = 0
    failed: int = 0
    batches: int = 0
    """Batches that were carried out, the refused ones included."""
    transfers: int = 0

    @property
    def slot(self) -> int:
        """The slot that it was written in."""
        return self.timestamp_ms // SLOT_MS


@dataclass
class Logged:
    """What the node's log says of a block."""

    took_ms: int = 0
    """How long the node wrote on it, all its extrinsics carried out."""
    end: str = ""
    """Why it took no more extrinsics."""
    prepared_ms: float = 0.0
    imported_ms: float = 0.0
    """When it was in the node's database (unix)."""


@dataclass
class NodeLog:
    """What the node's log says."""

    blocks: dict[int, Logged] = field(default_factory=dict)
    """By number."""
    discarded: set[int] = field(default_factory=set)
    """Slots whose block took the author too long, and was thrown away."""


def read_log(lines: Iterable[str]) -> NodeLog:
    """Read what a node wrote of its own blocks, its clock set to UTC."""
    log = NodeLog()
    found = log.blocks
    for line in lines:
        discarded = _DISCARDED.search(line)
        if discarded is not None:
            log.discarded.add(int(discarded[1]))
        moment = _MOMENT.search(line)
        if moment is None:
            continue
        prepared = _PREPARED.search(line)
        if prepared is not None:
            logged = found.setdefault(int(prepared[1]), Logged())
            logged.took_ms, logged.end = int(prepared[2]), prepared[3]
            logged.prepared_ms = _unix_ms(moment[1])
            continue
        imported = _IMPORTED.search(line)
        if imported is not None:
            found.setdefault(int(imported[1]), Logged()).imported_ms = _unix_ms(moment[1])
    return log


def _unix_ms(moment: str) -> float:
    read = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    return read.timestamp() * 1_000


def missed_slots(blocks: Sequence[Block]) -> int:
    """Count the slots between blocks in which there is none: each is a block that came late."""
    return sum(max(0, later.slot - earlier.slot - 1) for earlier, later in pairwise(blocks))


def piles_up(waiting: Sequence[int], per_slot: float, batch: int) -> bool:
    """Whether more waits after each block: half a slot's orders or two batches over the whole time.

    `waiting` are the orders in the pool right after each block; the line through all of them
    decides, so one block that took little is nothing.
    """
    if len(waiting) < 3:
        return False
    rise = statistics.linear_regression(range(len(waiting)), waiting).slope * (len(waiting) - 1)
    return rise > max(per_slot / 2, 2 * batch)


def growth_per_minute(samples: Sequence[tuple[float, float]]) -> float:
    """Give the slope of (seconds, value) in values per minute, of the later half of the samples.

    The first half has the caches fill.
    """
    later = samples[len(samples) // 2 :]
    if len(later) < 2:
        return 0.0
    seconds, values = zip(*later, strict=True)
    if seconds[0] == seconds[-1]:
        return 0.0
    return statistics.linear_regression(seconds, values).slope * 60


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What blocks held and how long they took."""

    blocks: int
    late: int
    discarded: int
    """Blocks that the author threw away because they took too long: most of the late ones."""
    weight_ms: Spread | None
    took_ms: Spread | None
    in_slot_ms: Spread | None
    """From the slot's beginning until the block was in the database."""
    weight_us: float
    """All weight of the blocks that the log tells of."""
    took_us: float
    """All time that the node wrote on them."""
    normal_share: float
    """The mean weight of ordinary extrinsics, of what they may use."""
    ends: dict[str, int]
    arrival_ms: Spread | None
    """From one best head to the next, as a client sees them."""

    @property
    def took_of_weight(self) -> float:
        """The time that blocks took as a share of the weight that they were charged."""
        return self.took_us / self.weight_us if self.weight_us else 0.0

    def as_json(self) -> dict[str, Any]:
        """Give it for machines."""
        return {
            "blocks": self.blocks,
            "late_blocks": self.late,
            "discarded_blocks": self.discarded,
            "weight_ms": _json(self.weight_ms),
            "took_ms": _json(self.took_ms),
            "took_of_weight": round(self.took_of_weight, 3),
            "imported_after_slot_began_ms": _json(self.in_slot_ms),
            "head_interval_ms": _json(self.arrival_ms),
            "normal_weight_used": round(self.normal_share, 3),
            "ended_for": self.ends,
        }


def _json(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else spread.as_json()


def filling(blocks: Sequence[Block], log: NodeLog, normal_limit_us: float) -> Filling:
    """Put blocks beside what the node's log says of them."""
    told = [(each, log.blocks[each.number]) for each in blocks if each.number in log.blocks]
    slots = range(blocks[0].slot, blocks[-1].slot) if blocks else range(0)
    limit_us = normal_limit_us * len(blocks)
    return Filling(
        blocks=len(blocks),
        late=missed_slots(blocks),
        discarded=sum(slot in slots for slot in log.discarded),
        weight_ms=Spread.of([each.weight_us / 1_000 for each in blocks]),
        took_ms=Spread.of([logged.took_ms for _, logged in told]),
        in_slot_ms=Spread.of(
            [
                logged.imported_ms - block.slot * SLOT_MS
                for block, logged in told
                if logged.imported_ms
            ]
        ),
        weight_us=sum(block.weight_us for block, _ in told),
        took_us=sum(logged.took_ms for _, logged in told) * 1_000,
        normal_share=sum(each.normal_weight_us for each in blocks) / limit_us if limit_us else 0.0,
        ends=dict(Counter(logged.end for _, logged in told if logged.end)),
        arrival_ms=Spread.of(
            [later.arrived_ms - earlier.arrived_ms for earlier, later in pairwise(blocks)]
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One rate that was tried, and what became of it."""

    rate: float
    """Ticks a second that were asked for."""
    counted: int
    in_blocks: int
    """Those of the blocks of `filling`: the last ones may be in later blocks."""
    counted_per_s: float
    failed: int
    waiting: int
    """Orders that waited after the last block."""
    piles: bool
    behind_s: float
    """How far the load generator fell behind its own schedule."""
    filling: Filling
    refused: str = ""
    """Why the node's pool took no more, if it did not."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why orders failed, and how many of them."""
    failed_batches: int = 0
    """Transactions that failed as a whole."""

    @property
    def held(self) -> bool:
        """Whether the node kept up."""
        failed = self.failed or self.failed_batches or self.refused
        return not (failed or self.filling.late or self.piles or self.lags)

    @property
    def lags(self) -> bool:
        """Whether it was the load generator that did not keep up."""
        return self.behind_s > 1.0

    def limit(self) -> str:
        """Say what did not keep up; nothing if all did."""
        if self.failed:
            why = ", ".join(f"{count} {name}" for name, count in self.reasons.items())
            return f"{self.failed} orders failed: {why}"
        if self.failed_batches:
            return f"{self.failed_batches} batches failed"
        if self.refused:
            return f"the pool refused a batch: {self.refused}"
        if self.lags:
            return f"the load generator, {self.behind_s:.1f} s behind"
        if self.filling.late:
            return (
                f"{self.filling.late} blocks came late, {self.filling.discarded} of them because "
                "one took its author more than two thirds of a slot"
            )
        return f"batches piled up: {full_for(self.filling)}" if self.piles else ""

    def as_json(self) -> dict[str, Any]:
        """Give it for machines."""
        return {
            "ticks_per_s": round(self.rate, 1),
            "counted_per_s": round(self.counted_per_s, 1),
            "held": self.held,
            "limit": self.limit(),
            "failed": self.failed,
            "failed_for": self.reasons,
            "failed_batches": self.failed_batches,
            "waiting_at_end": self.waiting,
            "generator_behind_s": round(self.behind_s, 3),
            "weight_us_of_a_tick": round(self.filling.weight_us / max(1, self.in_blocks), 1),
            "time_us_of_a_tick": round(self.filling.took_us / max(1, self.in_blocks), 1),
            **self.filling.as_json(),
        }


def full_for(blocks: Filling) -> str:
    """Say why blocks took no more extrinsics."""
    told = sum(blocks.ends.values())
    for end, words in (
        ("HitBlockWeightLimit", "the blocks' weight"),
        ("HitDeadline", "the time that an author has for a block"),
        ("HitBlockSizeLimit", "the blocks' length"),
    ):
        if told and blocks.ends.get(end, 0) / told >= FULL_SHARE_MIN:
            return f"{words} ({100 * blocks.normal_share:.0f} % of the weight used)"
    return "the pool, which had none ready for blocks that had room"


def next_rate(first: float, tried: Sequence[tuple[float, bool]], highest: float) -> float | None:
    """Give the rate to try next; None when the answer is known closely enough, or after too many.

    `tried` are rates with whether they held; none is above `highest`.
    """
    if not tried:
        return min(first, highest)
    held = max((rate for rate, ok in tried if ok), default=None)
    failed = min((rate for rate, ok in tried if not ok), default=None)
    if len(tried) >= STEPS_MAX or (held is not None and held >= highest):
        return None
    if failed is None:
        return None if held is None else min(held * FASTER, highest)
    if held is None or held > failed:
        return failed * SLOWER if held is None else None
    return None if failed / held <= CLOSE_ENOUGH else (failed * held) ** 0.5
