"""Numbers that jam other relayers: account nonces and sequences that run away from the chain.

Ours are a session's index, which the grant on the chain hands out, and its total of seconds, which
may be sent any number of times. Each comment names the failure; `docs/failures-of-others.md` has
them all.
"""

from __future__ import annotations

import trio

from offchain.ledger.errors import LedgerError, NodeUnreachable
from offchain.ledger.orders import Open, Order, Tick
from tests import model
from tests.simulation.media_server import Watching
from tests.simulation.node import dropped, nothing_against, stale
from tests.simulation.oracles import until
from tests.simulation.scenarios.stage import play
from tests.simulation.scenarios.tap import Handed, tapped
from tests.simulation.wallets import Viewer
from tests.simulation.world import World


def submitted_by_a_stranger(w: World, viewer: Viewer, order: model.Order) -> None:
    """Let somebody who has a copy of the viewer's delegate key bring an order of his own."""
    ((number, grant),) = viewer.grants().items()
    w.chain.call(lambda ledger: ledger.submit(number, order, grant.key))


# OpenZeppelin/openzeppelin-relayer 818: a number that a failed try has burned jams all after it.
def test_opens_that_the_pool_refused_burn_no_index() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await w.blocks(3)
        w.node.refuses = dropped
        for _ in range(6):
            assert await viewer.join() is None
            await trio.sleep(4)
        w.node.refuses = nothing_against
        watching = await viewer.watch()
        assert watching.ref.index == 0
        await trio.sleep(20)
        assert w.charged(watching) >= 10
        await w.end()

    play(tale)


# OpenZeppelin/openzeppelin-relayer 843: numbers that were given out and never broadcast look taken.
def test_opens_that_reached_nobody_are_sent_again_each_in_its_turn() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(sessions_max=4)
        await w.blocks(3)
        w.node.swallows = True
        lost = [await viewer.join(1), await viewer.join(2)]
        await trio.sleep(30)
        assert not w.judges.opened
        w.node.swallows = False
        await trio.sleep(40)
        ((_, grant),) = viewer.grants().items()
        known = {each.ref.index for each in lost if each is not None}
        assert known
        assert grant.next_index == max(known) + 1, "an index is still waited for"
        watching = await viewer.watch(2)
        await trio.sleep(20)
        assert w.charged(watching) >= 10
        await w.end()

    play(tale)


# OpenZeppelin/openzeppelin-relayer 836: two at work on one request take two numbers, and pay twice.
def test_two_joins_at_once_open_one_session() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await w.blocks(3)
        w.node.slow_s, w.disk.slow_s = 0.2, 0.2
        let_in: list[Watching] = []

        async def join() -> None:
            watching = await viewer.join()
            if watching is not None:
                let_in.append(watching)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(join)
        w.node.slow_s = w.disk.slow_s = 0.0
        await trio.sleep(30)
        assert len({(each.ref, each.number) for each in let_in}) == len(let_in)
        assert w.judges.opened == 1
        await w.end()

    play(tale)


# OpenZeppelin/openzeppelin-relayer 681: "nonce too low" is taken for a fault of the node, asked
# again at once, and pauses every node for everybody.
def test_a_pool_that_calls_one_sessions_ticks_stale_is_neither_stormed_nor_given_up() -> None:
    async def tale(w: World) -> None:
        first, second = await w.viewer("Alice").ready(), await w.viewer("Charlie").ready()
        one = await first.watch(1)
        await trio.sleep(12)

        def stale_for_one(grant: int, order: Order) -> LedgerError | None:
            return stale(grant, order) if grant == one.ref.grant else None

        with tapped() as tap:
            w.node.refuses = stale_for_one
            began = trio.current_time()
            two = await second.watch(2)
            assert trio.current_time() - began < 1, "others have to wait"
            await trio.sleep(40)
            asked = sum(each.grant == one.ref.grant for each in tap.handed)
            assert asked <= 20, f"it was asked {asked} times in 40 s"
        assert w.charged(two) >= 30
        w.node.refuses = nothing_against
        await trio.sleep(20)
        one.end("left")
        await trio.sleep(10)
        assert w.unpaid_s(one) < 2, w.unpaid_s(one)
        await w.end()

    play(tale)


# informalsystems/hermes 3547 and 1402: what could not be broadcast raises the sequence as well.
def test_a_tick_that_was_not_broadcast_is_no_step_ahead() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        failed: list[Handed] = []

        async def fail_twice(handed: Handed) -> None:
            if isinstance(handed.order, Tick) and len(failed) < 2:
                failed.append(handed)
                raise NodeUnreachable("node", "it could not be broadcast")

        with tapped() as tap:
            tap.before = fail_twice
            assert await until(lambda: len(failed) == 2, 20, 0.1)
            at_s = trio.current_time()
            await trio.sleep(5)
            taken = [each for each in tap.since(at_s) if isinstance(each.order, Tick)]
            assert taken, "it waits for a tick that nobody has"
            assert taken[0].at_s - at_s < 3.5
        await w.blocks(1)
        assert w.unpaid_s(watching) < 12
        await w.end()

    play(tale)


# informalsystems/hermes 1264: the sequence in memory is far ahead of the chain's, for ever.
def test_a_fork_that_took_ticks_away_is_followed_down() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(6)
        w.chain.final_lag = 12
        await trio.sleep(22)
        watching.frozen = True  # so that what is due is not more than it has sent before
        await trio.sleep(7)
        before = w.charged(watching)
        assert w.chain.reorganise(9, keep_orders=False) == 9
        assert w.charged(watching) < before, "the fork took nothing"
        w.chain.final_lag = 2
        await trio.sleep(8)
        assert w.charged(watching) >= before
        await w.end()

    play(tale)


# raiden-network/raiden 5044, joshstevens19/rrelayer 36: the same key is used beside the relayer,
# and the number that it had in mind is gone.
def test_an_index_that_somebody_else_has_used_is_passed_over() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(sessions_max=2)
        await w.blocks(3)
        stranger = model.Open(
            index=0, stream=2, rate_per_second=1_000, funds=50_000, start_at=w.chain.best.now_ms
        )
        submitted_by_a_stranger(w, viewer, stranger)
        await w.blocks(1)
        watching = await viewer.watch(1)
        assert watching.ref.index == 1
        await trio.sleep(20)
        assert w.charged(watching) >= 10

    play(tale, judged=("credit",))


# lightningnetwork/lnd 7600: what a rival has made void is broadcast again every minute, for ever.
def test_an_open_whose_index_was_taken_meanwhile_is_not_sent_for_ever() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(sessions_max=2)
        await w.blocks(3)
        w.chain.takes = lambda grant, order: not isinstance(order, Open)
        watching = await viewer.watch(1)
        stranger = model.Open(
            index=0, stream=2, rate_per_second=1_000, funds=50_000, start_at=w.chain.best.now_ms
        )
        submitted_by_a_stranger(w, viewer, stranger)
        await w.blocks(1)
        w.chain.takes = lambda grant, order: True
        await trio.sleep(10)
        assert watching.final, "somebody else's session cannot pay for it"
        with tapped() as tap:
            await trio.sleep(60)
            assert not [each for each in tap.handed if isinstance(each.order, Open)]
        again = await viewer.watch(1)
        await trio.sleep(20)
        assert w.charged(again) >= 10
        await w.end()

    play(tale, judged=("credit", "ends"))


# smartcontractkit/chainlink 12451: killed between broadcasting and noting it, it counts twice.
def test_a_process_killed_when_the_pool_has_the_open_skips_no_index() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await w.blocks(3)

        def killed(handed: Handed) -> None:
            w.relayer.kill("the pool has it")

        with tapped() as tap:
            tap.after = killed
            assert await viewer.join() is None
            tap.after = lambda handed: None
            watching = await viewer.watch()
            assert watching.ref.index == 0, "the index that it had is gone"
            await trio.sleep(20)
        ((_, grant),) = viewer.grants().items()
        assert grant.next_index == 1
        assert w.charged(watching) >= 10
        await w.end()

    play(tale)
