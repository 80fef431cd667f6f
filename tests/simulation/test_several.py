"""Rounds of deaths, stops and partitions among three relayers, by seed."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.simulation.several_rounds import shake
from tests.simulation.stopping import Stopping, stoppable


@pytest.mark.parametrize("seed", range(2))
def test_whatever_befalls_three_relayers_nobody_pays_twice(seed: int) -> None:
    outcome = shake(seed, rounds=10, keep=True)
    assert not outcome.failures, "\n".join((*map(str, outcome.failures), *outcome.lines[-100:]))
    assert outcome.sessions


def test_a_seed_tells_the_same_story_twice() -> None:
    one, other = (shake(11, rounds=4, keep=True) for _ in range(2))
    assert one.lines == other.lines


def test_a_process_that_is_stopped_does_nothing_and_wakes_late() -> None:
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(trio.current_time())
            await trio.sleep(1)

    async def run() -> None:
        process = Stopping()
        async with trio.open_nursery() as nursery:
            with process.enter():
                nursery.start_soon(tick)
            await trio.sleep(2.5)
            process.stop()
            await trio.sleep(60)
            assert len(ticks) == 3
            process.go_on()
            await trio.sleep(1.2)
            nursery.cancel_scope.cancel()

    with stoppable():
        trio.run(run, clock=MockClock(autojump_threshold=0))
    began = ticks[0]
    assert [round(at - began, 1) for at in ticks] == [0, 1, 2, 62.5, 63.5]
