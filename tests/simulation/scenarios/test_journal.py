"""What the journal and the page say after a crash, and a journal that is damaged."""

from __future__ import annotations

import sqlite3

import pytest
import trio

from offchain.ledger.orders import Open, Order
from tests.simulation.disk import Moment
from tests.simulation.media_server import Watching
from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


# It once was so: `paid` jumps back after a crash.
def test_what_the_page_says_is_paid_never_falls() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(40)
        w.node.slow_s = 1.5
        await w.crash()
        await trio.sleep(20)
        assert not watching.paid_fell, f"it fell by {watching.paid_fell} s"

    play(tale, judged=("charged",))


def test_a_damaged_row_refuses_no_start() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.relayer.keep_down = True
        w.relayer.kill("now")
        await w.relayer.stopped()
        await trio.sleep(3)
        connection = sqlite3.connect(w.disk.directory / "journal.sqlite")
        with connection:
            connection.execute("UPDATE connections SET record = substr(record, 1, 20)")
        connection.close()
        w.relayer.allow()
        await trio.sleep(10)
        assert w.relayer.up, "it does not start"

    play(tale, judged=("charged",))


async def _joined_while_the_disk_is_slow(w: World) -> Watching:
    """Let a viewer come back whose first attempt no block took while it was there.

    4 s of it were delivered. Writing what admits the viewer again takes so long that other writes
    fall into it, and blocks take no opens then.
    """
    viewer = await w.viewer().ready()
    await w.blocks(3)
    w.chain.takes = no_opens
    first = await viewer.watch()
    await trio.sleep(4)
    first.end("left")
    await trio.sleep(1)
    w.chain.takes = everything
    await trio.sleep(40)
    w.chain.takes = no_opens
    w.disk.slow_s = 3
    w.nursery.start_soon(_heal, w)
    return await viewer.watch()


def no_opens(_grant: int, order: Order) -> bool:
    """Take all but opens into blocks."""
    return not isinstance(order, Open)


def everything(_grant: int, _order: Order) -> bool:
    """Take all into blocks."""
    return True


async def _heal(w: World) -> None:
    await trio.sleep(2)
    w.disk.slow_s = 0


# It once was so: an attempt that was abandoned is taken from the credit twice.
def test_an_abandoned_attempt_is_taken_from_the_credit_once() -> None:
    async def tale(w: World) -> None:
        second = await _joined_while_the_disk_is_slow(w)
        await trio.sleep(20)
        assert second.sent_ms >= 4_500, f"only {second.sent_ms} ms of 6 s: {second.reasons}"

    play(tale, judged=("charged",))


# It once was so: a flush that is under way overwrites the row of a session that was admitted since.
def test_a_session_that_was_just_admitted_survives_a_crash() -> None:
    async def tale(w: World) -> None:
        await _joined_while_the_disk_is_slow(w)
        await trio.sleep(5)
        w.relayer.kill("now")
        w.chain.takes = everything
        await trio.sleep(10)
        assert w.judges.open_sessions()
        await w.end()

    play(tale, judged=("charged", "ends"))


@pytest.mark.parametrize("moment", ["before", "after", "torn"])
@pytest.mark.parametrize("commits", [1, 2, 3, 4, 7])
def test_a_process_that_dies_at_a_commit_goes_on(commits: int, moment: Moment) -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.disk.crash_at(commits, moment)
        watching = await viewer.join()
        await trio.sleep(20)
        if watching is None:
            watching = await viewer.watch()
            await trio.sleep(20)
        watching.end("left")
        await w.end()

    play(tale)
