"""A pool that is full, and how often it is asked."""

from __future__ import annotations

import trio

from tests.simulation.node import dropped
from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


# It once was so: one session asks a full pool 142 times a minute, with 344 commits.
def test_a_full_pool_is_asked_less_and_less_often() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.node.refuses = dropped
        assert w.relayer.endpoint is not None
        asked, commits = w.relayer.endpoint.submissions, w.disk.commits
        await trio.sleep(60)
        asked = w.relayer.endpoint.submissions - asked
        commits = w.disk.commits - commits
        assert asked <= 20, f"asked {asked} times, with {commits} commits"
        assert commits <= 60 + 2 * asked, f"{commits} commits"

    play(tale, judged=("charged",))
