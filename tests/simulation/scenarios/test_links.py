"""The link between media servers and the relayer, lost for a while or wanted by two."""

from __future__ import annotations

import pytest
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


async def _away(w: World, seconds: float, *, window_ms: int = 600_000) -> None:
    """Let the first server's link be away, under the reference runtime's window."""
    w.chain.set_settlement_window(window_ms)
    w.network.take_down("A")
    await trio.sleep(seconds)


# It once was so: a server that was away for more than 45 s lost 13 s of each of its viewers.
@pytest.mark.parametrize("away_s", [61, 130, 400, 590])
def test_a_link_that_is_away_for_minutes_loses_nothing(away_s: float) -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        await _away(w, away_s)
        w.network.weather("A").down = False
        await trio.sleep(30)
        assert not w.judges.open_sessions()
        assert watching.held_ms >= 30_000
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged", "credit"))


def test_a_session_is_not_kept_for_the_figures_of_a_server_that_never_comes_back() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        await _away(w, 595)
        assert w.judges.open_sessions()
        await trio.sleep(20)
        assert not w.judges.open_sessions()

    play(tale, judged=("charged", "credit"))


def test_nor_for_longer_than_its_key_can_close_it() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        charged = w.charged(watching)
        await _away(w, 170, window_ms=60_000)
        assert not w.judges.open_sessions()
        assert w.charged(watching) > charged, "it was settled"

    play(tale, judged=("charged", "credit"))


@pytest.mark.parametrize(
    "terms",
    [
        pytest.param({"sessions_max": 1}, id="the slot"),
        pytest.param({"sessions_max": 2, "cap": 40_000}, id="the cap"),
        pytest.param({"sessions_max": 2, "vault": 40_000}, id="the funds"),
    ],
)
def test_who_comes_elsewhere_need_not_wait_for_it(terms: dict[str, int]) -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(**terms)
        await viewer.watch()
        await trio.sleep(20)
        await _away(w, 100)
        assert w.judges.open_sessions()
        began = trio.current_time()
        watching = await viewer.watch(server=other)
        assert trio.current_time() - began < 10, viewer.problems[-1]
        await trio.sleep(20)
        assert watching.denied is None
        watching.end("left")
        await trio.sleep(20)
        assert w.charged(watching) >= 10, watching.reasons

    play(tale, judged=("charged", "credit"))


def test_who_comes_elsewhere_without_need_of_it_leaves_it_waiting() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(sessions_max=2)
        first = await viewer.watch()
        await trio.sleep(20)
        await _away(w, 100)
        second = await viewer.watch(server=other)
        await trio.sleep(5)
        second.end("left")
        await trio.sleep(10)
        w.network.weather("A").down = False
        await trio.sleep(30)
        for watching in (first, second):
            assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged", "credit"))


def test_whose_credit_it_takes_has_it_closed() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(sessions_max=2)
        await viewer.watch()
        await trio.sleep(20)
        await _away(w, 100)
        watching = await viewer.watch(server=other)
        await trio.sleep(60)
        assert len(w.judges.open_sessions()) == 1
        await trio.sleep(300)
        watching.end("left")
        await trio.sleep(20)
        assert w.charged(watching) >= 200, watching.reasons

    play(tale, judged=("charged", "credit"))


# It once was so: 15 s after such an admission its session was closed, and nothing of it was paid.
@pytest.mark.parametrize("away_s", [31, 130])
def test_a_link_that_breaks_with_an_admission_loses_nothing(away_s: float) -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await _away(w, away_s)
        assert bool(w.judges.open_sessions())
        w.network.weather("A").down = False
        await trio.sleep(13)
        watching.end("left")
        await trio.sleep(30)
        assert not w.judges.open_sessions()
        assert watching.held_ms >= (25_000 if away_s < 45 else 5_000), watching.denied
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale, judged=("charged", "credit"))


@pytest.mark.parametrize("end", ["left", "vanished"])
def test_nor_does_one_that_breaks_when_a_viewer_has_come_back(end: str) -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        first = await viewer.watch()
        await trio.sleep(20)
        first.end(end)
        second = await viewer.join(resume=first.resume)
        assert second is not None
        assert second.resumed
        w.server.watching.remove(second)
        w.server.tell()  # the first one's last state comes, and nothing of the second
        await trio.sleep(0.01)
        await _away(w, 31)
        w.server.watching.append(second)
        w.network.weather("A").down = False
        await trio.sleep(13)
        second.end("left")
        await trio.sleep(30)
        assert not w.judges.open_sessions()
        assert second.held_ms >= 15_000, second.denied
        assert w.unpaid_s(second) < 3, w.unpaid_s(second)

    play(tale, judged=("charged", "credit"))


def test_who_was_let_in_when_the_link_broke_comes_back_elsewhere() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready()
        first = await viewer.watch()
        await _away(w, 20)
        second = await viewer.join(server=other, resume=first.resume)
        assert second is not None, viewer.problems[-1]
        assert second.resumed
        await trio.sleep(20)
        second.end("left")
        w.network.weather("A").down = False
        await trio.sleep(30)
        assert not w.judges.open_sessions()
        assert w.unpaid_s(first) < 3, w.unpaid_s(first)

    play(tale, judged=("charged", "credit"))
