"""Several nodes, each with its address: the relayer goes on at the next one, and comes back."""

from __future__ import annotations

import pytest
import trio

from tests.simulation.node import Addresses, Node
from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


async def two_nodes(w: World) -> Node:
    """Give the relayer a second node, with an address of its own."""
    other = await w.give_addresses()
    await trio.sleep(10)
    return other


def in_use(w: World) -> str | None:
    """Name the node in use."""
    assert isinstance(w.relayer.endpoint, Addresses)
    return next((each.node for each in w.relayer.endpoint.endpoints if each.in_use), None)


def refuses(node: Node) -> None:
    node.away = "refuses"


def hangs(node: Node) -> None:
    node.away = "hangs"


def falls_silent(node: Node) -> None:
    node.silence()


def is_restored(node: Node) -> None:
    node.behind, node.catches_up = 60, 1


def is_stuck_behind(node: Node) -> None:
    node.behind = 60


def follows_a_fork(node: Node) -> None:
    node.forked_at = node.finalized - 1


def lies(node: Node) -> None:
    node.forked_at, node.lies = node.finalized - 1, True


@pytest.mark.parametrize(
    "trouble", [refuses, hangs, falls_silent, is_restored, is_stuck_behind, follows_a_fork, lies]
)
def test_what_is_wrong_with_a_node_leads_to_the_next_and_costs_nobody_anything(
    trouble: object,
) -> None:
    async def tale(w: World) -> None:
        await trio.sleep(200)
        await two_nodes(w)
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        assert in_use(w) == "ws://node"
        assert callable(trouble)
        trouble(w.node)
        await trio.sleep(40)
        assert in_use(w) == "ws://other"
        await trio.sleep(60)
        assert not watching.final, watching.denied
        assert watching.held_ms >= 105_000, "media waited for a node"
        assert w.unpaid_s(watching) < 14, w.unpaid_s(watching)
        watching.end("left")
        await trio.sleep(30)
        assert not w.judges.open_sessions()
        assert w.unpaid_s(watching) < 3, w.unpaid_s(watching)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


def test_the_first_node_is_come_back_to_when_it_is_well() -> None:
    async def tale(w: World) -> None:
        await two_nodes(w)
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        refuses(w.node)
        await trio.sleep(60)
        assert in_use(w) == "ws://other"
        w.node.away = None
        await trio.sleep(90)
        assert in_use(w) == "ws://node"
        endpoint = w.relayer.endpoint
        assert isinstance(endpoint, Addresses)
        moves = endpoint.moves
        await trio.sleep(300)
        assert endpoint.moves == moves, "it stays where it is well"
        watching.end("left")
        await trio.sleep(30)
        assert w.unpaid_s(watching) < 3, w.unpaid_s(watching)

    play(tale, judged=("charged", "credit"))


def test_a_node_on_another_fork_is_refused_and_said_so() -> None:
    async def tale(w: World) -> None:
        await trio.sleep(60)
        await two_nodes(w)
        follows_a_fork(w.node)
        await trio.sleep(60)
        status = await w.status()
        assert status is not None
        first, second = status["chain_nodes"]
        assert (first["in_use"], second["in_use"]) == (False, True)
        assert "disagrees" in first["why"]
        assert first["left"] == 1
        assert status["counters"]["nodes_disagreed"] == 1
        # after a restart too, when it is the first that is asked
        await w.crash()
        await trio.sleep(20)
        status = await w.status()
        assert status is not None
        first, second = status["chain_nodes"]
        assert (first["refused"], second["in_use"]) == (1, True)
        assert "disagrees" in first["why"]

    play(tale, judged=("charged",))


def test_a_chain_that_stood_still_is_followed_at_once_wherever_it_is_asked() -> None:
    """Each node in turn was left for falling silent, and for longer each time."""

    async def tale(w: World) -> None:
        await two_nodes(w)
        viewer = await w.viewer().ready()
        w.chain.halted = True
        await trio.sleep(540)
        w.chain.halted = False
        await trio.sleep(15)
        watching = await viewer.watch()
        await trio.sleep(20)
        assert not watching.final, watching.denied
        watching.end("left")
        await trio.sleep(30)
        assert w.unpaid_s(watching) < 3, w.unpaid_s(watching)

    play(tale, judged=("charged", "credit"))
