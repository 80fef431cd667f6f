"""What strikes, and when: drawn from a seed before anything is started. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Part: TypeAlias = Literal["relayer", "node", "server"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

DOWN_S: Final = (0.2, 4.0)
"""A killed part is started again after a pause within these bounds."""
BACKUP_WITHIN_S: Final = 10.0
"""The backup is taken so soon after the beginning, at the latest."""


@dataclass(frozen=True)
class Kill:
    """SIGKILL; started again after `down_s`."""

    at_s: float
    part: Part
    down_s: float


@dataclass(frozen=True)
class Stop:
    """SIGSTOP, and SIGCONT after `for_s`."""

    at_s: float
    part: Part
    for_s: float


@dataclass(frozen=True)
class Partition:
    """Between relayer and node nothing comes through for `for_s`; no connection breaks."""

    at_s: float
    for_s: float


@dataclass(frozen=True)
class Backup:
    """The node is stopped in order, its files are copied, and it is started again."""

    at_s: float


@dataclass(frozen=True)
class Restore:
    """The node is killed and comes back with the backup's files, `alone_s` without any peer."""

    at_s: float
    alone_s: float


Fault: TypeAlias = Kill | Stop | Partition | Backup | Restore


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How rough the day is. Times in seconds; nothing strikes after `seconds` but what has begun.

    With a `backup_age_s` of 0 no node is restored, and with a `hold_s` of 0 nothing is stopped or
    cut off.
    """

    seconds: float
    kills: int
    parts: Sequence[Part] = PARTS
    hold_s: float = 60.0
    """For how long a part is stopped, and the partition lasts."""
    backup_age_s: float = 120.0
    alone_s: float = 15.0

    @property
    def least_seconds(self) -> float:
        """The shortest day in which all of it has its place."""
        return max(2 * self.hold_s, BACKUP_WITHIN_S + self.backup_age_s) + self.alone_s


def drawn(seed: int, measure: Measure) -> list[Fault]:
    """Draw a day's faults, in the order of their moments; a seed always gives the same.

    Kills come at any moment and to whatever part, so they also hit what is stopped, cut off, or
    being restored. The stop and the partition do not overlap: each is seen alone.
    """
    chance = random.Random(seed)  # noqa: S311 - a story, not a secret
    day: list[Fault] = [
        Kill(
            at_s=chance.uniform(0, measure.seconds),
            part=chance.choice(list(measure.parts)),
            down_s=chance.uniform(*DOWN_S),
        )
        for _ in range(measure.kills)
    ]
    if measure.hold_s:
        half_s = measure.seconds / 2
        first = chance.uniform(0, half_s - measure.hold_s)
        second = half_s + chance.uniform(0, half_s - measure.hold_s)
        moments = [first, second]
        chance.shuffle(moments)
        part = chance.choice(list(measure.parts))
        day.append(Stop(at_s=moments[0], part=part, for_s=measure.hold_s))
        day.append(Partition(at_s=moments[1], for_s=measure.hold_s))
    if measure.backup_age_s:
        backup_s = chance.uniform(0, BACKUP_WITHIN_S)
        oldest_s = measure.seconds - measure.alone_s
        restore_s = chance.uniform(backup_s + measure.backup_age_s, oldest_s)
        day += [Backup(at_s=backup_s), Restore(at_s=restore_s, alone_s=measure.alone_s)]
    return sorted(day, key=lambda fault: fault.at_s)
