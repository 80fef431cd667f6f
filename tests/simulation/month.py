"""One seed's run: viewers live, faults strike, all comes to rest, and the judges speak."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import trio

from tests.simulation.faults import Faults
from tests.simulation.habits import Habits
from tests.simulation.oracles import Bounds, Failure
from tests.simulation.world import World, told

DAY_S = 86_400
DAYS = 1 / 24
"""How long faults strike, unless it is said otherwise: an hour; the end of all comes on top."""
VIEWERS = ("Alice", "Charlie", "Dave")


@dataclass(frozen=True)
class Outcome:
    """What came of one seed."""

    seed: int
    failures: tuple[Failure, ...]
    digest: str
    """Of every line of the story: the same in every run of this seed."""
    lines: tuple[str, ...]
    faults: Counter[str]
    simulated_s: float
    wall_s: float
    sessions: int
    """How many sessions the chain has had."""


def simulate(
    seed: int,
    *,
    days: float = DAYS,
    only: frozenset[str] = frozenset(),
    bounds: Bounds | None = None,
    keep: bool = False,
) -> Outcome:
    """Run a seed. `only` names the kinds of faults there are, all unless any are named.

    `keep` keeps the story's lines.
    """
    began = time.perf_counter()

    async def tale(w: World) -> None:
        faults = Faults(w, w.chance.stream("faults"), only)
        with trio.CancelScope() as lives:
            async with trio.open_nursery() as nursery:
                for name in VIEWERS:
                    habits = Habits(w.viewer(name), w.chance.stream(f"viewer {name}"))
                    nursery.start_soon(habits.run)
                await faults.run(days * DAY_S)
                lives.cancel()
        await w.stop_server("B")  # it may be there still
        await w.relayer.started()
        await w.end()
        await w.judge_doors()

    story, judges, seconds = told(tale, seed=seed, bounds=bounds, keep=keep)
    return Outcome(
        seed=seed,
        failures=tuple(judges.failures),
        digest=story.digest,
        lines=tuple(story.lines),
        faults=story.faults,
        simulated_s=seconds,
        wall_s=time.perf_counter() - began,
        sessions=judges.opened,
    )
