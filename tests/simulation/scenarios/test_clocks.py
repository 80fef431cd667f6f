"""The clock of the relayer's machine, set wrongly for a moment."""

from __future__ import annotations

import pytest
import trio

from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


# It once was so: the machine's clock ahead for a second ends every session.
def test_a_clock_that_is_ahead_for_a_second_ends_nothing() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.relayer.clock.ahead_ms = 13 * 3_600_000
        await trio.sleep(1)
        w.relayer.clock.ahead_ms = 0
        await trio.sleep(20)
        assert not watching.final, watching.denied

    play(tale, judged=("charged",))


@pytest.mark.parametrize("hours", [-13, -1])
def test_a_clock_that_is_behind_ends_nothing(hours: int) -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.relayer.clock.ahead_ms = hours * 3_600_000
        await trio.sleep(60)
        w.relayer.clock.ahead_ms = 0
        await trio.sleep(20)
        assert not watching.final, watching.denied
        watching.end("left")
        await w.end()

    play(tale)
