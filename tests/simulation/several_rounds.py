"""Rounds of what befalls several relayers: killed, stopped, cut off, drained, and all together."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from offchain.journal import JournalUnavailable
from tests.simulation.habits import Habits
from tests.simulation.month import Outcome
from tests.simulation.oracles import Bounds, until
from tests.simulation.several import NAMES, SeveralProcess, SeveralWorld, told_of_several

ROUNDS: Final = 20
AWAY_S: Final = 15.0
"""The mean time between two visits: nearly always somebody watches."""
VIEWERS: Final = ("Alice", "Charlie", "Dave", "Eve", "Ferdie")
TOGETHER: Final = 0.25
"""The chance that a second thing happens while the first has not passed."""


class Befalls:
    """What strikes relayers, one round after the other."""

    def __init__(self, world: SeveralWorld, numbers: random.Random) -> None:
        self._world = world
        self._numbers = numbers
        self._busy: set[str] = set()
        """Relayers that something is happening to."""
        self._kinds: dict[str, Callable[[SeveralProcess], Awaitable[None]]] = {
            "killed": self._killed,
            "stopped": self._stopped,
            "cut-off": self._cut_off,
            "drained": self._drained,
            "unlinked": self._unlinked,
            "database-away": self._database_away,
        }

    async def run(self, rounds: int) -> None:
        """Let so many rounds pass."""
        async with trio.open_nursery() as nursery:
            for _ in range(rounds):
                if self._numbers.random() < TOGETHER:
                    nursery.start_soon(self._strike)
                    await trio.sleep(self._numbers.uniform(0, 8))
                await self._strike()
                await trio.sleep(self._numbers.uniform(1, 25))
        for each in self._world.relayers.values():
            await each.started()

    async def _strike(self) -> None:
        free = [name for name in NAMES if name not in self._busy]
        if not free:
            return
        name = self._numbers.choice(free)
        kind = self._numbers.choice(list(self._kinds))
        self._busy.add(name)
        try:
            self._world.story.fault(kind, relayer=name)
            await self._kinds[kind](self._world.relayers[name])
        finally:
            self._busy.discard(name)

    async def _killed(self, process: SeveralProcess) -> None:
        process.keep_down = True
        process.starts_in_s = self._numbers.choice((0, 0, 10))
        process.kill()
        await trio.sleep(self._numbers.choice((0, 0, 3, 30)))
        process.allow()
        await process.started()

    async def _stopped(self, process: SeveralProcess) -> None:
        process.stop()
        await trio.sleep(self._numbers.choice((2, 5, 6, 7, 20, 60, 60)))
        process.go_on()

    async def _cut_off(self, process: SeveralProcess) -> None:
        cut = self._world.database.cut
        cut.add(process.name)
        await trio.sleep(self._numbers.choice((1, 4, 6, 8, 30)))
        cut.discard(process.name)

    async def _drained(self, process: SeveralProcess) -> None:
        await until(lambda: self._is_drained(process.name), 15, 0.5)
        await process.exit()
        await trio.sleep(self._numbers.choice((0, 10)))
        process.allow()
        await process.started()

    def _is_drained(self, name: str) -> bool:
        try:
            held, others = self._world.drain(name)
        except JournalUnavailable:
            return False
        return not held or not others

    async def _unlinked(self, process: SeveralProcess) -> None:
        for server in self._world.servers:
            process.network.take_down(server)
        await trio.sleep(self._numbers.choice((1, 8, 20)))
        for server in self._world.servers:
            process.network.weather(server).down = False

    async def _database_away(self, _process: SeveralProcess) -> None:
        self._world.database.down = True
        await trio.sleep(self._numbers.choice((1, 4, 7, 15)))
        self._world.database.down = False


def shake(
    seed: int, *, rounds: int = ROUNDS, bounds: Bounds | None = None, keep: bool = False
) -> Outcome:
    """Run a seed. `keep` keeps the story's lines."""
    began = time.perf_counter()

    async def tale(w: SeveralWorld) -> None:
        w.serve("B")
        befalls = Befalls(w, w.chance.stream("befalls"))
        with trio.CancelScope() as lives:
            async with trio.open_nursery() as nursery:
                for name in VIEWERS:
                    numbers = w.chance.stream(f"viewer {name}")
                    habits = Habits(w.viewer(name), numbers, AWAY_S)
                    nursery.start_soon(habits.run)
                await befalls.run(rounds)
                lives.cancel()
        await w.end()
        await w.judge_doors()

    story, judges, seconds = told_of_several(tale, seed=seed, bounds=bounds, keep=keep)
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
