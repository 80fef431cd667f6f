"""Orders that were lost, dropped, banned or stuck on their way in other relayers.

Each comment names the failure; `docs/failures-of-others.md` has them all.
"""

from __future__ import annotations

from unittest import mock

import pytest
import trio

from offchain.ledger.errors import (
    Banned,
    DispatchFailed,
    LedgerError,
    NodeUnreachable,
    OrderRefused,
)
from offchain.ledger.orders import Close, Order, Tick
from offchain.ledger.types import BatchResult
from tests.simulation.media_server import Watching
from tests.simulation.node import Endpoint, dropped, nothing_against
from tests.simulation.scenarios.stage import play
from tests.simulation.scenarios.tap import Handed, answer_lost, tapped
from tests.simulation.world import World


async def crowd(w: World, count: int, *, apart_s: float = 0.0) -> list[Watching]:
    """Let so many viewers watch that their ticks go in batches."""
    viewers = [await w.viewer(f"Viewer{number}").ready() for number in range(count)]
    await w.blocks(3)
    let_in: list[Watching] = []
    for viewer in viewers:
        watching = await viewer.join()
        assert watching is not None, viewer.problems
        let_in.append(watching)
        await trio.sleep(apart_s)
    return let_in


# paritytech/parity-bridges-common 1903: a lost transaction makes the relay drop what it knew.
def test_ticks_that_the_pools_lose_are_sent_again_with_all_that_came_since() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)

        def lost(handed: Handed) -> None:
            w.chain.pool.clear()

        with tapped() as tap:
            tap.after = lost
            before = w.charged(watching)
            await trio.sleep(20)
            assert w.charged(watching) == before, "they were not lost"
        await trio.sleep(9)
        assert w.charged(watching) >= before + 15
        assert not watching.final, watching.denied
        await w.end()

    play(tale)


# paritytech/parity-bridges-common 532: sent again while it waits, it is refused for its priority
# (1014), and the client that sent it is never used again.
def test_a_total_that_waits_in_the_pool_already_keeps_no_later_one_back() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        before = w.charged(watching)
        w.chain.takes = lambda grant, order: False
        w.chain.halted = True  # so that what is payable stays: the same total again and again
        with tapped() as tap:
            tap.after = answer_lost  # whatever is heard of it, its lane is free again
            await trio.sleep(16)
            totals = [each.order.seconds for each in tap.handed if isinstance(each.order, Tick)]
            assert len(totals) > len(set(totals)), "no total was sent twice"
        w.chain.halted = False
        w.chain.takes = lambda grant, order: True
        await trio.sleep(14)
        assert w.charged(watching) >= before + 20
        await w.end()

    play(tale)


# livepeer/go-livepeer 4013: a redemption that reverts in its block is dropped, and its ticket lost.
def test_a_batch_that_reverts_loses_none_of_its_orders() -> None:
    reverted: list[int] = []

    async def submit_batch(self: Endpoint, *orders: object, **named: object) -> BatchResult:
        reverted.append(1)
        await trio.sleep(2)
        raise DispatchFailed("Utility", "Reverted", "it reverts")

    async def tale(w: World) -> None:
        watchings = await crowd(w, 12)
        await trio.sleep(60)
        for watching in watchings:
            watching.end("left")
        await w.end()
        assert reverted
        unpaid = [w.unpaid_s(watching) for watching in watchings]
        assert max(unpaid) < 2, unpaid

    with mock.patch.object(Endpoint, "submit_batch", submit_batch):
        play(tale)


# The same for a single order: whatever it is refused for, its seconds are not forgotten.
@pytest.mark.parametrize("kind", [Tick, Close])
def test_an_order_that_is_refused_for_no_known_reason_is_not_dropped(kind: type[Order]) -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)

        def reverts(_grant: int, order: Order) -> LedgerError | None:
            if not isinstance(order, kind):
                return None
            return OrderRefused("Custom", "Custom", "it reverts without a word")

        w.node.refuses = reverts
        if kind is Close:
            watching.end("left")
        await trio.sleep(14)
        w.node.refuses = nothing_against
        await trio.sleep(14)
        watching.end("left")
        await trio.sleep(12)
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# connext/monorepo 4315: after three refusals a router tries no more until it is started again.
def test_a_session_is_paid_soon_after_a_minute_of_refusals_without_a_restart() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        process = w.relayer.number
        w.node.refuses = dropped
        with tapped() as tap:
            await trio.sleep(60)
            assert len(tap.handed) > 3
        w.node.refuses = nothing_against
        await trio.sleep(16)  # the longest wait between two tries, and two blocks
        assert w.relayer.number == process
        watching.end("left")
        await trio.sleep(6)
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# JAMdotTech/py-polkadot-sdk 156: the same bytes are sent again, which the pool has banned (1012).
def test_what_the_pool_has_banned_goes_out_with_another_signature() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        before = w.charged(watching)
        banned: set[bytes] = set()

        async def ban(handed: Handed) -> None:
            if handed.signature in banned:
                raise Banned("Banned", "Banned", "for half an hour")
            if len(banned) < 2 and isinstance(handed.order, Tick):
                banned.add(handed.signature)
                raise OrderRefused("Dropped", "Dropped", "full")

        with tapped() as tap:
            tap.before = ban
            w.chain.halted = True  # so that nothing else becomes payable, and the total stays
            await trio.sleep(8)
            w.chain.halted = False
            await trio.sleep(12)
            assert len(banned) == 2
        assert w.charged(watching) >= before + 10
        await w.end()

    play(tale)


# informalsystems/hermes 2164: what reached no pool is dropped, and no later look finds it.
def test_a_close_that_reached_nobody_is_found_and_sent_again() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.node.swallows = True
        watching.end("left")
        await trio.sleep(20)
        assert w.judges.open_sessions(), "it reached somebody"
        w.node.swallows = False
        await trio.sleep(10)
        assert not w.judges.open_sessions()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# hyperlane-xyz/hyperlane-monorepo 9380: one slow origin keeps everybody's messages waiting.
def test_orders_that_hang_keep_nobody_elses_waiting() -> None:
    async def tale(w: World) -> None:
        slow = [await w.viewer(f"Slow{number}").ready() for number in range(6)]
        quick = await w.viewer("Quick").ready()
        await w.blocks(3)
        hanging = [await viewer.join() for viewer in slow]
        watching = await quick.watch(2)
        grants = {each.ref.grant for each in hanging if each is not None}
        assert len(grants) == 6
        await trio.sleep(8)

        async def hang(handed: Handed) -> None:
            if handed.grant in grants:
                await trio.sleep(30)
                raise NodeUnreachable("node", "it hangs")

        with tapped() as tap:
            tap.before = hang
            began = trio.current_time()
            await trio.sleep(40)
            waited = [
                later.at_s - earlier.at_s
                for earlier, later in zip(*_ticks_of(tap.since(began), watching), strict=False)
            ]
            assert len(waited) >= 5, "it had to wait"
            assert max(waited) <= 7, waited
        await trio.sleep(20)
        await w.end()

    play(tale)


def _ticks_of(handed: list[Handed], watching: Watching) -> tuple[list[Handed], list[Handed]]:
    own = [each for each in handed if each.grant == watching.ref.grant]
    return own, own[1:]
