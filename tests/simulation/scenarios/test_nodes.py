"""Nodes that are pruned, deaf, behind, or several behind one address."""

from __future__ import annotations

import re

import pytest
import trio

from offchain.ledger.errors import OrderRefused
from offchain.relayer import confirm
from tests.simulation.node import Node, nothing_against
from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


def _told_unread(w: World) -> int:
    """Tell how many finalized blocks the one line of the log names that nobody could read."""
    (line,) = (each for each in w.story.lines if "finalized-blocks-unread" in each)
    found = re.search(r"from=(\d+) to=(\d+) ", line)
    assert found is not None, line
    return int(found[2]) - int(found[1]) + 1


async def _counted_unread(w: World) -> int:
    return int((await w.ask("status"))["counters"]["finalized_blocks_unread"])


# It once was so: after 256 missed blocks finality is not read for a day, and nobody is told.
def test_finality_is_read_again_after_more_blocks_than_a_node_keeps() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.node.away = "refuses"
        await trio.sleep(640)
        w.node.away = None
        await trio.sleep(120)
        read = (await w.ask("info"))["finalized_block"]
        assert read >= w.chain.finalized - 10, f"{read} of {w.chain.finalized}"
        assert _told_unread(w) == await _counted_unread(w) > 0

    play(tale, judged=("charged",))


# It once was so: away for more blocks than a node keeps, it reads no finality ever again.
def test_finality_is_read_again_after_a_long_absence_of_the_relayer() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        await w.crash(down_s=640)
        await trio.sleep(120)
        read = (await w.ask("info"))["finalized_block"]
        assert read is not None
        assert read >= w.chain.finalized - 10, f"{read} of {w.chain.finalized}"
        assert _told_unread(w) == await _counted_unread(w) > 0

    play(tale, judged=("charged",))


# It once was so: what came in a long absence was passed over without a word, even at an archive.
def test_more_blocks_than_are_caught_up_with_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "CATCH_UP_BLOCKS_MAX", 280)

    async def tale(w: World) -> None:
        w.node.archive = True
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        await w.crash(down_s=640)
        await trio.sleep(60)
        assert _told_unread(w) == await _counted_unread(w) > 0

    play(tale, judged=("charged",))


# It once was so: at a node that was restored from a backup, absent entries look closed.
def test_a_restored_node_ends_no_session() -> None:
    async def tale(w: World) -> None:
        await trio.sleep(600)
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(60)
        # it comes back with a state in which this grant was never given
        w.node.away = "refuses"
        await trio.sleep(4)
        w.node.behind, w.node.catches_up = 120, 4
        w.node.away = None
        await trio.sleep(20)
        assert not watching.final, watching.denied
        await trio.sleep(120)
        assert not watching.final, watching.denied
        watching.end("left")
        await trio.sleep(30)
        assert not w.judges.open_sessions()
        assert w.unpaid_s(watching) < 3, w.unpaid_s(watching)

    play(tale, judged=("charged",))


# It once was so: the node with the right chain answered what the other was held against, and a
# session was over for good, and the chain lost, by blocks that were never final.
@pytest.mark.parametrize("seed", range(4))
def test_a_node_that_lies_behind_a_load_balancer_decides_nothing(seed: int) -> None:
    async def tale(w: World) -> None:
        await trio.sleep(60)
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        other = Node("other", w.chain)
        w.nodes.append(other)
        w.node.forked_at, w.node.lies = w.node.finalized - 1, True
        await trio.sleep(60)
        w.node.forked_at, w.node.lies = None, False
        w.nodes.remove(other)
        w.chain.on_block.remove(other.catch_up)
        await trio.sleep(20)
        assert not any("session-closed" in line for line in w.story.lines), "by a block of the fork"
        assert (await w.ask("info"))["finalized_block"] >= w.chain.finalized - 10
        assert (await w.ask("status"))["counters"]["nodes_disagreed"] > 0
        watching.end("left")
        await trio.sleep(30)
        assert not w.judges.open_sessions()

    play(tale, seed=seed, judged=("charged", "decided"))


# It once was so: a node that was away and came back without what was known was not named.
def test_a_node_that_comes_back_behind_is_called_so() -> None:
    async def tale(w: World) -> None:
        await trio.sleep(600)
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(60)
        w.node.away = "refuses"
        await trio.sleep(30)
        w.node.behind, w.node.catches_up = 120, 0
        w.node.away = None
        await trio.sleep(120)
        told = [line for line in w.story.lines if "chain-lost" in line]
        assert len(told) == 2, told
        assert "the node is behind" in told[1]
        w.node.catches_up = 40

    play(tale, judged=("charged",))


# It once was so: for 10 s after the last block a node that is behind was believed each second anew.
def test_a_node_that_is_behind_is_not_reached_before_it_has_a_block_that_counts() -> None:
    async def tale(w: World) -> None:
        await trio.sleep(600)
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(60)
        w.node.behind, w.node.catches_up = 120, 0
        await trio.sleep(120)
        told = [line for line in w.story.lines if "the node is behind" in line]
        assert len(told) == 1, told
        w.node.catches_up = 40

    play(tale, judged=("charged",))


# It once was so: at a node that is still syncing, absent entries look closed for good.
def test_a_session_that_a_syncing_node_does_not_show_is_not_closed_in_the_journal() -> None:
    async def tale(w: World) -> None:
        await trio.sleep(600)
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(60)
        await w.crash(down_s=1)
        w.node.behind, w.node.catches_up = 200, 3
        await trio.sleep(40)
        assert w.judges.open_sessions()
        assert await w.own_sessions() == 1

    play(tale, judged=("charged",))


# It once was so: behind a load balancer, a node that lags denies who watches or stalls the view.
def test_a_node_that_is_behind_a_load_balancer_with_others_denies_nobody() -> None:
    async def tale(w: World) -> None:
        other = Node("other", w.chain)
        other.behind = 6
        w.nodes.append(other)
        await w.crash()
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        for _ in range(60):
            await trio.sleep(2)
            assert not watching.final, watching.denied
        watching.end("left")
        await trio.sleep(60)
        assert w.unpaid_s(watching) < 3, w.unpaid_s(watching)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: a subscription that dies silently is never made anew.
def test_a_subscription_that_died_silently_is_made_anew() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.node.silence()
        await trio.sleep(60)
        watching.end("left")
        await trio.sleep(30)
        assert w.unpaid_s(watching) < 3, w.unpaid_s(watching)
        best = (await w.ask("info"))["best_block"]
        assert best >= w.chain.height - 5, f"{best} of {w.chain.height}"

    play(tale, judged=("charged",))


# It once was so: while a subscription is silent, nothing bounds what is unpaid.
def test_a_subscription_that_died_silently_costs_no_more_than_the_credit() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.node.silence()
        await trio.sleep(80)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: an open was given up for good, because a node without the grant refused it, and
# what another node had taken of it came into a block all the same.
def test_an_open_that_a_node_behind_its_grant_refuses_is_not_given_up() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.chain.takes = lambda grant, order: False
        await viewer.watch()
        await w.blocks(1)
        w.node.refuses = lambda grant, order: OrderRefused("GrantNotFound", "GrantNotFound", "none")
        await w.blocks(10)  # five of them final
        w.node.refuses = nothing_against
        w.chain.takes = lambda grant, order: True
        await w.blocks(2)
        assert w.judges.opened == 1
        await w.blocks(5)
        assert "session-never-opened" not in " ".join(w.story.lines)

    play(tale, judged=("charged", "credit", "ends", "decided"))
