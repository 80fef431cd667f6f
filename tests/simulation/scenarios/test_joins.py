"""Joins at awkward moments."""

from __future__ import annotations

import trio

from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


# It once was so: a join while a block is being read is denied as closed.
def test_a_join_while_a_block_is_read_is_no_other_than_any() -> None:
    async def tale(w: World) -> None:
        viewers = [await w.viewer(f"Viewer{n}").ready() for n in range(40)]
        w.node.slow_s = 0.05
        for viewer in viewers:
            await viewer.join()
            await trio.sleep(0.33)
        await trio.sleep(10)
        denied = [each.denied for each in w.watchings if each.denied]
        assert len(w.watchings) == 40
        assert not denied, f"{len(denied)} of 40: {denied}"

    play(tale, judged=("charged",))


# It once was so: leaving one stream and joining another before the block takes the same index.
def test_zapping_before_the_block_loses_neither_session() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(sessions_max=2)
        await w.blocks(3)
        first = await viewer.watch(1)
        await trio.sleep(0.3)
        first.end("left")
        await trio.sleep(0.7)
        second = await viewer.watch(2)
        await trio.sleep(30)
        assert not second.final, second.denied
        second.end("left")
        await trio.sleep(20)
        assert w.unpaid_s(second) < 2, w.unpaid_s(second)

    play(tale, judged=("charged",))
