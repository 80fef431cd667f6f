"""One seed's run: viewers live, faults strike, all comes to rest, and the judges speak."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from unittest import mock

import trio

from offchain.relayer import batches
from tests.simulation.chance import Chance
from tests.simulation.faults import Faults
from tests.simulation.habits import Habits
from tests.simulation.oracles import Bounds, Failure
from tests.simulation.world import World, told

DAY_S = 86_400
DAYS = 1 / 24
"""How long faults strike, unless it is said otherwise: an hour; the end of all comes on top."""
VIEWERS = ("Alice", "Charlie", "Dave")
WINDOW_MS = 600_000
"""The settlement window of the reference runtime; the model's is a minute."""


@dataclass(frozen=True)
class Setting:
    """What is so from the beginning to the end of a seed."""

    in_batches: bool
    """Every tick goes in a batch, as those of thousands of viewers do."""
    long_window: bool
    """Sessions can be closed for as long as at the reference runtime."""
    addresses: bool = False
    """There are two nodes, and the relayer knows the address of each."""

    @classmethod
    def drawn(cls, seed: int) -> Setting:
        """Draw it from a stream of its own."""
        numbers = Chance(seed).stream("setting")
        return cls(numbers.random() < 1 / 3, numbers.random() < 1 / 2, numbers.random() < 1 / 3)

    @contextlib.contextmanager
    def holds(self) -> Iterator[None]:
        """Let the relayer's threshold for batches be so, for the length of the block."""
        with contextlib.ExitStack() as stack:
            for name in ("HANDFUL", "CROWD") if self.in_batches else ():
                stack.enter_context(mock.patch.object(batches, name, 0))
            yield


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
    setting, bounds = Setting.drawn(seed), bounds or Bounds()
    if setting.long_window:
        bounds = replace(bounds, ends_within_s=bounds.ends_within_s + WINDOW_MS / 1000)

    async def tale(w: World) -> None:
        w.story.tell(
            "setting",
            batches=setting.in_batches,
            long_window=setting.long_window,
            addresses=setting.addresses,
        )
        if setting.addresses:
            await w.give_addresses()
        if setting.long_window:
            w.chain.set_settlement_window(WINDOW_MS)
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

    with setting.holds():
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
