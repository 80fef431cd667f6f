"""The link between media servers and the relayer, lost for a while or wanted by two."""

from __future__ import annotations

import trio

from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


# It once was so: 31 s without the link make an honest connection vanish for good.
def test_half_a_minute_without_the_link_ends_no_connection() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.network.take_down("A")
        await trio.sleep(31)
        w.network.weather("A").down = False
        await trio.sleep(13)
        watching.end("left")
        await trio.sleep(30)
        assert watching.held_ms >= 40_000, watching.denied
        assert w.unpaid_s(watching) < 3, w.unpaid_s(watching)

    play(tale, judged=("charged",))


# It once was so: a connection that counts as vanished is forwarded to, and never paid.
def test_half_a_minute_without_the_link_costs_no_more_than_the_credit() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.network.take_down("A")
        await trio.sleep(31)
        w.network.weather("A").down = False
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: two media servers on one socket: the second one's viewers are not let in.
def test_two_media_servers_are_both_paid() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        first, second = await w.viewer("Alice").ready(), await w.viewer("Charlie").ready()
        one = await first.watch(1)
        two = await second.watch(2, server=other)
        await trio.sleep(40)
        one.end("left")
        two.end("left")
        await trio.sleep(30)
        for watching in (one, two):
            assert watching.held_ms >= 39_000, watching.denied
            assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged",))


# It once was so: a second media server that finds the first one silent for 5 s takes its viewers.
def test_a_media_server_that_was_silent_for_six_seconds_is_paid() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(10)
        w.serve("B")
        await trio.sleep(10)
        w.network.take_down("A")
        await trio.sleep(6)
        w.network.weather("A").down = False
        await trio.sleep(20)
        watching.end("left")
        await trio.sleep(30)
        assert watching.held_ms >= 45_000, watching.denied
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged",))


# It once was so: a process that starts anew holds for final what the one before only presumed.
def test_what_was_delivered_without_the_link_is_paid_by_a_new_process() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.network.take_down("A")
        w.node.swallows = True
        await trio.sleep(70)  # its lease gave it 15 s, and it is taken for gone since
        await w.crash()
        w.network.weather("A").down = False
        await trio.sleep(2)
        w.node.swallows = False
        await trio.sleep(30)
        assert not w.judges.open_sessions()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged",))
