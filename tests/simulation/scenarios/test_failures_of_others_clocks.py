"""Clocks of machines and of chains that are wrong or jump, and what others concluded from them.

Each comment names the failure; `docs/failures-of-others.md` has them all.
"""

from __future__ import annotations

import pytest
import trio

from tests.simulation.scenarios.stage import play
from tests.simulation.world import World

DAY_MS = 86_400_000


# informalsystems/hermes 3139 and 1445: with the machine's clock half a minute behind, each block is
# from the future.
@pytest.mark.parametrize("seconds", [-30, 30])
def test_a_clock_that_is_always_half_a_minute_wrong_is_no_matter(seconds: int) -> None:
    async def tale(w: World) -> None:
        w.relayer.clock.ahead_ms = seconds * 1_000
        await w.crash()
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(60)
        assert not watching.reasons, watching.reasons
        assert w.charged(watching) >= 50
        watching.end("left")
        await w.end()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)


# informalsystems/hermes 2180: by the machine's clock everything has expired, and it does nothing.
def test_a_clock_that_is_years_ahead_expires_nothing() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        w.relayer.clock.ahead_ms = 900 * DAY_MS
        await w.crash()
        await trio.sleep(20)
        assert not watching.final, watching.denied
        other = await w.viewer("Charlie").ready()
        second = await other.watch(2)
        await trio.sleep(20)
        assert w.charged(second) >= 10
        await w.end()

    play(tale)


# lightningnetwork/lnd 5340: the clock is an hour ahead for a moment, and when that hour comes all
# that was noted then falls due. Ten minutes do as well here.
def test_nothing_happens_when_the_moment_comes_that_a_jump_had_shown() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(vault=10_000_000)
        watching = await viewer.watch()
        await trio.sleep(30)
        w.relayer.clock.ahead_ms = 600_000
        await trio.sleep(1)
        w.relayer.clock.ahead_ms = 0
        await trio.sleep(640)
        assert not watching.final, watching.denied
        assert not watching.reasons, watching.reasons
        watching.end("left")
        await w.end()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)


# dymensionxyz/dymint 469: no block comes for long, the next one's clock is far ahead of the last,
# and that difference is taken for what has happened.
def test_time_that_passed_without_blocks_is_not_charged() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        watching.frozen = True
        w.chain.halted = True
        await trio.sleep(80)
        w.chain.halted = False
        await w.blocks(2)
        watching.frozen = False
        await trio.sleep(20)
        assert w.charged(watching) * 1_000 <= watching.held_ms
        assert watching.held_ms < 60_000
        watching.end("left")
        await w.end()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)
