"""Sessions that never end: past their window, or taken by a block after they were given up."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import pytest
import trio

from offchain.ledger.orders import Close, Open, Order
from offchain.relayer.settle import Settler
from tests.simulation.node import dropped, nothing_against
from tests.simulation.scenarios.stage import play
from tests.simulation.wallets import Viewer
from tests.simulation.world import World


# It once was so: nothing ever settles a session whose window is over.
def test_a_session_ends_when_the_chain_was_halted_for_an_hour() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.chain.halted = True
        await trio.sleep(3600)
        w.chain.halted = False
        await w.end()

    play(tale, judged=("charged", "ends"))


# It once was so: gap and window ran while no block came, and what was not ticked before was lost.
def test_an_hour_without_blocks_ends_no_session_and_loses_nothing() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.chain.halted = True
        await trio.sleep(3600)
        w.chain.halted = False
        await trio.sleep(60)
        assert watching.held_ms >= 85_000, (watching.held_ms, watching.denied)
        watching.end("left")
        await trio.sleep(30)
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        assert len(w.judges.charged) == 1, "it was one session all the time"

    play(tale, judged=("charged", "credit", "ends"))


# It once was so: every node compiled an upgrade for half a minute, and blocks came so much later
# than they say; the close waited 20 s for the clock, and took what it showed.
@pytest.mark.parametrize("halted_s", [15, 35, 300])
def test_who_leaves_while_blocks_are_late_has_it_paid_when_they_are_not(halted_s: int) -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.chain.halted = True
        await trio.sleep(12)
        watching.end("left")
        await trio.sleep(halted_s - 12)
        w.chain.late_ms = halted_s * 1000
        w.chain.halted = False
        await trio.sleep(10)
        w.chain.late_ms = 0
        await w.end()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged", "credit", "ends"))


# It once was so: nothing ever settles a session whose window is over.
def test_a_session_ends_when_the_relayer_was_away_for_four_minutes() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        await w.crash(down_s=240)
        await w.end()

    play(tale, judged=("charged", "ends"))


# It once was so: a window of a minute was over before the relayer was back.
def test_ten_minutes_without_the_relayer_lose_nothing() -> None:
    async def tale(w: World) -> None:
        w.chain.set_settlement_window(600_000)
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        await w.crash(down_s=600)
        await w.end()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged", "credit", "ends"))


def _disk(w: World, *, away: bool) -> None:
    w.disk.full = away


def _chain(w: World, *, away: bool) -> None:
    w.chain.halted = away


def _node(w: World, *, away: bool) -> None:
    w.node.away = "refuses" if away else None


def _pool(w: World, *, away: bool) -> None:
    w.node.refuses = dropped if away else nothing_against


def _answers(w: World, *, away: bool) -> None:
    w.node.loses_answers = float(away)


# It once was so: what was not ticked before gap and window were over was lost.
@pytest.mark.parametrize("put_away", [_disk, _chain, _node, _pool, _answers])
def test_ten_minutes_without_what_a_tick_needs_lose_nothing(
    put_away: Callable[..., None],
) -> None:
    async def tale(w: World) -> None:
        w.chain.set_settlement_window(600_000)
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        put_away(w, away=True)
        await trio.sleep(600)
        put_away(w, away=False)
        before_ms = watching.held_ms
        await trio.sleep(60)
        assert watching.held_ms >= before_ms + 40_000, "it goes on"
        await w.end()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged", "credit", "ends"))


# It once was so: nothing ever settles a session whose window is over.
def test_a_session_ends_when_the_disk_was_full_for_four_minutes() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.disk.full = True
        await trio.sleep(240)
        w.disk.full = False
        await w.end()

    play(tale, judged=("charged", "ends"))


# It once was so: nothing ever settles a session whose window is over.
def test_a_session_ends_when_the_pool_took_nothing_for_four_minutes() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.node.refuses = dropped
        await trio.sleep(240)
        w.node.refuses = nothing_against
        await w.end()

    play(tale, judged=("charged", "ends"))


# It once was so: nothing ever settles a session whose window is over.
def test_a_viewer_whose_session_is_past_its_window_can_watch_again() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        await w.crash(down_s=240)
        watching.end("left")
        await trio.sleep(1_500)  # what was lost has come back to the credit
        again = await viewer.watch()
        await trio.sleep(20)
        assert w.charged(again) >= 5, again.reasons

    play(tale, judged=("charged",))


async def _past_its_window(w: World, *, sessions_max: int = 1) -> Viewer:
    """Let a viewer leave while the relayer is away, for longer than gap and window.

    With little on credit, as it is where the media server has died with the relayer.
    """
    viewer = await w.viewer().ready(sessions_max=sessions_max)
    watching = await viewer.watch()
    await trio.sleep(20)
    w.relayer.keep_down = True
    w.relayer.kill("now")
    await w.relayer.stopped()
    watching.end("left")
    await trio.sleep(240)
    w.relayer.allow()
    await w.relayer.started()
    await w.blocks(1)
    return viewer


# It once was so: the next session was admitted, its open could come into no block, and its viewer
# watched until the credit was used up.
def test_a_slot_is_taken_while_its_session_waits_for_somebody_to_settle_it() -> None:
    async def tale(w: World) -> None:
        with mock.patch.object(Settler, "is_due", return_value=False):
            viewer = await _past_its_window(w)
            for _ in range(10):
                assert await viewer.join() is None
                problem = viewer.problems[-1]
                assert (problem.status, problem.code) == (409, "slot-unsettled")
                await trio.sleep(6)
            w.chain.call(lambda ledger: ledger.settle(0, 0))
            await w.blocks(2)
        watching = await viewer.join()
        assert watching is not None, viewer.problems[-1]
        await trio.sleep(20)
        assert w.charged(watching) >= 5
        await w.end()

    play(tale)


# It once was so: the viewer was let in on credit before the relayer had settled.
def test_a_viewer_asks_again_until_the_relayer_has_settled_a_slot() -> None:
    async def tale(w: World) -> None:
        w.relayer.batch_signer = None  # it takes no account
        viewer = await _past_its_window(w)
        assert await viewer.join() is None
        problem = viewer.problems[-1]
        assert (problem.status, problem.code) == (409, "slot-unsettled")
        assert problem.retry_after_s == 10
        await trio.sleep(problem.retry_after_s)
        watching = await viewer.join()
        assert watching is not None, viewer.problems[-1]
        await trio.sleep(20)
        assert w.charged(watching) >= 5
        await w.end()

    play(tale)


def test_a_session_that_waits_to_be_settled_holds_one_slot_and_no_more() -> None:
    async def tale(w: World) -> None:
        with mock.patch.object(Settler, "is_due", return_value=False):
            viewer = await _past_its_window(w, sessions_max=2)
            watching = await viewer.join()
            assert watching is not None, viewer.problems[-1]
            await trio.sleep(20)
            assert w.charged(watching) >= 5
            assert await viewer.join(2) is None
            assert viewer.problems[-1].code == "slot-unsettled"
            w.chain.call(lambda ledger: ledger.settle(0, 0))
            await w.blocks(2)
        assert await viewer.join(2) is not None, viewer.problems[-1]
        assert await viewer.join() is None
        assert viewer.problems[-1].code == "slot-taken"

    play(tale, judged=("charged", "credit"))


# It once was so: an open that a block takes after the relayer gave it up holds slot and funds.
def test_an_open_that_comes_late_is_ended() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()

        def no_opens(grant: int, order: Order) -> bool:
            return not isinstance(order, Open)

        w.chain.takes = no_opens
        watching = await viewer.watch()
        await trio.sleep(1)
        w.chain.halted = True
        await trio.sleep(200)
        w.chain.halted = False
        # the first block that comes leaves it in the pool, and the relayer gives up
        await w.blocks(2)
        watching.end("left")
        await trio.sleep(20)
        w.chain.takes = lambda grant, order: True
        await w.blocks(2)
        (grant,) = viewer.grants().values()
        assert grant.next_index == 1, "it never came"
        await w.end()

    play(tale, judged=("charged", "ends"))


def test_a_close_that_a_deep_fork_takes_away_is_sent_again() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        w.chain.final_lag = 12
        await trio.sleep(20)
        watching.end("left")
        while w.judges.open_sessions():
            await w.blocks(1)

        def no_closes(grant: int, order: Order) -> bool:
            return not isinstance(order, Close)

        w.chain.takes = no_closes
        assert w.chain.reorganise(8, keep_orders=False) == 8
        w.chain.takes = lambda grant, order: True
        w.chain.final_lag = 2
        await w.end()

    play(tale, judged=("charged", "ends"))
