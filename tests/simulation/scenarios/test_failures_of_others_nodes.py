"""Nodes that stop, lie, lag or forget, and what that did to other relayers.

Each comment names the failure; `docs/failures-of-others.md` has them all.
"""

from __future__ import annotations

import trio

from offchain.journal.records import SessionRecord
from tests.simulation.blockchain import Block
from tests.simulation.media_server import Watching
from tests.simulation.node import Node
from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


def journaled(w: World, watching: Watching) -> SessionRecord:
    """Give what the relayer's journal holds of a session."""
    assert w.relayer.relayer is not None
    ref = watching.ref
    record = w.relayer.relayer.core.journal.session(ref.grant, ref.index)
    assert record is not None
    return record


# informalsystems/hermes 1026: the node was restarted, and its events are never listened to again.
def test_a_node_that_was_restarted_is_followed_again() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        subscriptions = w.node.subscriptions
        w.node.away = "refuses"
        w.node.silence()
        await trio.sleep(25)
        w.node.away = None
        await trio.sleep(20)
        assert w.node.subscriptions >= subscriptions + 1
        assert w.unpaid_s(watching) < 14
        await w.end()

    play(tale)


# informalsystems/hermes 4428: a subscription ends without an error, and nobody waits for the next.
def test_a_subscription_to_finality_alone_that_died_is_made_anew() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        w.node.silence()
        await trio.sleep(90)
        read = (await w.ask("info"))["finalized_block"]
        assert read >= w.chain.finalized - 3, f"{read} of {w.chain.finalized}"
        watching.end("left")
        await trio.sleep(16)
        assert journaled(w, watching).close_reason == "Order"
        await w.end()

    play(tale)


# cosmos/relayer 1268: one node that does not answer ends the whole process.
def test_a_node_that_hangs_ends_no_process() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        process = w.relayer.number
        w.node.away = "hangs"
        for _ in range(6):
            await trio.sleep(10)
            assert await w.status() is not None, "it answers nobody"
        w.node.away = None
        await trio.sleep(25)
        assert w.relayer.number == process
        assert not watching.final, watching.denied
        watching.end("left")
        await trio.sleep(10)
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# subquery/subql 1999: the block comes from one node, its events from another that does not have it
# and says that there are none.
def test_what_a_node_behind_a_balancer_does_not_have_is_not_taken_for_nothing() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await w.blocks(6)
        watching = await viewer.watch()
        await trio.sleep(10)
        other = Node("other", w.chain)
        other.behind = 4
        w.nodes.append(other)
        await trio.sleep(60)
        w.nodes.remove(other)
        await trio.sleep(20)
        watching.end("left")
        await trio.sleep(20)
        passed_over = [line for line in w.story.lines if "finalized-blocks-unread" in line]
        assert not passed_over, f"{len(passed_over)} blocks: {passed_over[0]}"
        record = journaled(w, watching)
        assert record.close_reason == "Order"
        assert record.paid_seconds == w.charged(watching)
        assert record.paid == 1_000 * w.charged(watching)
        await w.end()

    play(tale)


# litentry/heima 807: a node that has stopped growing answers every ping, so it passes for alive.
def test_a_node_that_stands_still_lets_in_nobody_and_loses_nobody() -> None:
    async def tale(w: World) -> None:
        viewer, late = await w.viewer("Alice").ready(), await w.viewer("Charlie").ready()
        watching = await viewer.watch()
        await trio.sleep(12)

        def stands(_block: Block) -> None:
            w.node.behind += 1

        w.chain.on_block.append(stands)
        await trio.sleep(14)
        assert await late.join(2) is None
        assert late.problems[-1].code == "chain-unavailable"
        await trio.sleep(20)
        w.chain.on_block.remove(stands)
        w.node.catches_up = 20
        await trio.sleep(16)
        w.node.catches_up = 0
        assert not watching.final, watching.denied
        watching.end("left")
        await trio.sleep(10)
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# celestiaorg/celestia-node 4753: another node's lower height is taken for a fork.
def test_a_lower_head_from_another_node_is_no_fork() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await w.blocks(15)
        watching = await viewer.watch()
        await trio.sleep(10)
        other = Node("other", w.chain)
        other.behind = 16  # when it is asked, its block has the grant and not the session
        w.nodes.insert(0, other)
        w.node.silence()  # so that the next subscription is with the other one
        await trio.sleep(30)
        assert not watching.final, watching.denied
        w.nodes.remove(other)
        other.silence()
        await trio.sleep(30)
        assert not [line for line in w.story.lines if "open-reorganised" in line]
        assert not watching.final, watching.denied
        watching.end("left")
        await trio.sleep(10)
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# informalsystems/hermes 2155: what the node has pruned is asked for again and again, and nothing
# behind it is ever looked at.
def test_blocks_that_the_node_has_dropped_are_passed_over() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        await w.crash(down_s=700)
        await trio.sleep(30)
        assert w.relayer.endpoint is not None
        asked = w.relayer.endpoint.asked
        await trio.sleep(60)
        assert w.relayer.endpoint.asked - asked <= 600
        read = (await w.ask("info"))["finalized_block"]
        assert read >= w.chain.finalized - 3, f"{read} of {w.chain.finalized}"
        await w.end()

    play(tale, judged=("charged", "ends"))


# hyperlane-xyz/hyperlane-monorepo 311: what was done is in a block that a fork takes away, and it
# still counts as done.
def test_an_open_that_a_fork_takes_away_is_sent_again() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.chain.final_lag = 12
        await w.blocks(4)
        watching = await viewer.watch()
        await trio.sleep(5)
        assert w.judges.open_sessions() == [watching.ref]
        w.chain.takes = lambda grant, order: False
        assert w.chain.reorganise(3, keep_orders=False) == 3
        assert not w.judges.open_sessions(), "it is there still"
        w.chain.takes = lambda grant, order: True
        w.chain.final_lag = 2
        await trio.sleep(12)
        assert w.judges.open_sessions() == [watching.ref]
        await trio.sleep(12)
        assert w.charged(watching) >= 15
        assert not watching.final, watching.denied
        await w.end()

    play(tale)


# ponder-sh/ponder 1524: what happens while old blocks are being read is never read.
def test_what_ends_while_old_blocks_are_read_is_read_too() -> None:
    async def tale(w: World) -> None:
        first, second = await w.viewer("Alice").ready(), await w.viewer("Charlie").ready()
        one, two = await first.watch(1), await second.watch(2)
        await trio.sleep(20)
        w.chain.takes = lambda grant, order: False
        one.end("left")
        await trio.sleep(4)
        w.relayer.keep_down = True
        w.relayer.kill("now")
        w.chain.takes = lambda grant, order: True
        await w.blocks(2)
        assert w.judges.open_sessions() == [two.ref], "its close came into no block"
        await trio.sleep(60)
        w.node.slow_s = 0.4  # reading what was missed takes longer than a block
        w.relayer.allow()
        await w.relayer.started()
        await trio.sleep(6)
        two.end("left")
        await trio.sleep(40)
        w.node.slow_s = 0.0
        await trio.sleep(20)
        for watching in (one, two):
            record = journaled(w, watching)
            assert record.phase == "closed"
            assert record.close_reason == "Order", record.close_reason
            assert record.paid_seconds == w.charged(watching)
            assert record.paid == 1_000 * w.charged(watching)
        await w.end()

    play(tale)
