"""What a viewer may watch that no block has charged, whatever fails."""

from __future__ import annotations

import pytest
import trio

from offchain.ledger.errors import LedgerError, OrderRefused
from offchain.ledger.orders import Order, Tick
from tests.simulation.media_server import MediaServer, now_ms
from tests.simulation.scenarios.stage import lapsed, play
from tests.simulation.wallets import Viewer
from tests.simulation.world import World


async def _watched(w: World, fault: str) -> None:
    viewer = await w.viewer().ready()
    watching = await viewer.watch()
    await trio.sleep(20)
    match fault:
        case "halted":
            w.chain.halted = True
        case "hangs" | "refuses":
            w.node.away = fault
        case "cut off":
            w.node.swallows = True
        case "full lane":
            w.chain.lane_full = True
        case "ticks refused":
            w.node.refuses = no_ticks
    await trio.sleep(150)
    w.chain.halted = w.chain.lane_full = w.node.swallows = False
    w.node.away = None
    w.node.refuses = lambda grant, order: None
    await trio.sleep(20)
    watching.end("left")
    await trio.sleep(20)
    w.judges.judge_credit()


def no_ticks(_grant: int, order: Order) -> LedgerError | None:
    """Refuse ticks alone."""
    return OrderRefused("Dropped", "Dropped", "full") if isinstance(order, Tick) else None


# It once was so: unpaid delivery has no bound but at the opening.
@pytest.mark.parametrize(
    "fault", ["halted", "hangs", "refuses", "cut off", "full lane", "ticks refused"]
)
def test_what_is_unpaid_stays_within_the_credit(fault: str) -> None:
    async def tale(w: World) -> None:
        await _watched(w, fault)

    play(tale, judged=("charged", "credit"))


# It once was so: unpaid delivery has no bound but at the opening.
def test_what_is_unpaid_stays_within_the_credit_while_the_relayer_is_away() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await viewer.watch()
        await trio.sleep(20)
        w.node.swallows = True
        await trio.sleep(12)
        w.relayer.keep_down = True
        w.relayer.kill("now")
        await trio.sleep(60)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


def test_on_a_good_day_half_of_the_credit_is_enough() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(120)
        watching.end("left")
        await w.end()
        worst_ms = w.judges.accounts[viewer.address].worst_ms
        assert 5_000 < worst_ms <= 14_000, worst_ms

    play(tale)


# It once was so: what comes after a lapsed session is over, and before another, is on no account.
def test_what_comes_between_a_lapsed_session_and_the_next_is_on_the_credit() -> None:
    async def tale(w: World) -> None:
        watching = await lapsed(w, 18_500)
        w.chain.halted = True
        await trio.sleep(15)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(20)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


def test_what_the_next_session_pays_is_back_on_the_credit() -> None:
    async def tale(w: World) -> None:
        watching = await lapsed(w, 0)
        w.chain.halted = True
        await trio.sleep(15)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(10)
        assert w.relayer.relayer is not None
        spent = w.relayer.relayer.core.book.budgets.spent
        assert spent[watching.viewer].spent_ms > 5_000
        w.chain.halted = False
        await trio.sleep(12)
        assert w.judges.opened == 2
        assert watching.viewer not in spent or spent[watching.viewer].spent_ms < 1_000

    play(tale, judged=("charged", "credit"))


# It once was so: of a session that is over, a new process hears what its connection brought since,
# and puts it on no account.
def test_what_comes_after_a_lapsed_session_is_over_outlives_a_crash() -> None:
    async def tale(w: World) -> None:
        watching = await lapsed(w, 0)
        w.chain.halted = True
        await trio.sleep(15)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(10)
        await w.crash()
        w.chain.halted = False
        await trio.sleep(10)
        await w.viewers[0].watch()
        w.node.swallows = True
        await trio.sleep(60)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: what came after a session lapsed is forgotten with the process that knew it.
def test_what_a_lapsed_session_left_unpaid_outlives_a_crash() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(gap_ms=30_000)
        watching = await viewer.watch()
        await trio.sleep(10)
        w.relayer.keep_down = True
        w.relayer.kill("now")
        await trio.sleep(50)  # its lease gave it 15 s, and the session has lapsed since
        w.chain.takes = lambda grant, order: False
        w.relayer.allow()
        await w.relayer.started()
        await trio.sleep(4)
        watching.end("left")
        await trio.sleep(4)
        await w.crash()
        w.chain.takes = lambda grant, order: True
        await w.blocks(30)
        await viewer.watch()
        w.node.swallows = True
        await trio.sleep(60)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


async def _lose(w: World, viewer: Viewer, lost_ms: int) -> None:
    """Let a viewer watch so much that never arrives, and leave."""
    watching = await viewer.watch()
    watching.lost_ms = lost_ms
    await trio.sleep(lost_ms / 1000 + 5)
    watching.end("left")
    await trio.sleep(10)
    assert not w.judges.open_sessions()


# It once was so: what was lost while the machine's clock was behind is back when that is set right.
def test_a_clock_that_is_set_right_gives_no_credit_back() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        w.relayer.clock.ahead_ms = -3_600_000
        await _lose(w, viewer, 15_000)
        w.relayer.clock.ahead_ms = 0
        w.node.swallows = True
        await viewer.watch()
        await trio.sleep(30)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: a new connection has a whole lease before the first answer, whatever is left.
def test_who_is_let_in_with_little_credit_has_as_short_a_lease() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        await _lose(w, viewer, 15_000)
        watching = await viewer.watch()
        await w.crash(down_s=30)
        assert watching.sent_ms < 6_000, watching.sent_ms
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: each return to a session that waits for a block brings some more of it.
def test_who_comes_back_again_and_again_is_sent_no_more_than_the_credit() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(10)
        w.chain.halted = True
        await trio.sleep(40.06)  # just after states were told: it is long until the next
        assert watching.waits
        for _ in range(15):
            watching.end("left")
            again = await viewer.join(resume=watching.resume)
            assert again is not None
            watching = again
            await trio.sleep(1)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: what waits for another session comes back as if it were lost, while it waits.
def test_what_waits_for_the_next_session_does_not_come_back_meanwhile() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(gap_ms=30_000)
        watching = await viewer.watch()
        await trio.sleep(12)
        watching.advance(now_ms())
        watching.frozen = True
        await trio.sleep(50)
        assert not w.judges.open_sessions()  # it lapsed
        w.node.away = "hangs"
        await trio.sleep(30)
        watching.advance(now_ms())
        watching.frozen = False
        await trio.sleep(400)
        assert watching.waits
        watching.end("left")
        w.node.away = None
        w.node.refuses = no_ticks
        await trio.sleep(30)
        await viewer.watch()
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


async def _watch_unpaid(w: World, viewer: Viewer, server: MediaServer) -> None:
    """Let a viewer watch the second stream at a media server, and no block charge any of it."""
    w.node.refuses = no_ticks
    await viewer.watch(2, server=server)
    await trio.sleep(40)
    w.judges.judge_credit()


# It once was so (seed 6088): what a media server without its link still forwards while its leases
# last is on no account, and its viewer is sent as much again by another.
@pytest.mark.parametrize("stays_s", [5, 20, 60])
@pytest.mark.parametrize("crashes", [False, True])
def test_who_goes_elsewhere_brings_along_what_nobody_has_told_of(
    stays_s: int, crashes: bool
) -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready()
        await viewer.watch(1)
        await trio.sleep(20)
        w.network.take_down("A")
        await trio.sleep(stays_s)
        if crashes:
            await w.crash()
            await trio.sleep(3)
        await _watch_unpaid(w, viewer, other)

    play(tale, judged=("charged", "credit"))


# Else a viewer whose first server is gone could not watch at another for a quarter of an hour.
def test_what_was_thought_to_be_forwarded_and_was_not_is_back() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready()
        watching = await viewer.watch(1)
        await trio.sleep(20)
        watching.advance(now_ms())
        watching.frozen = True  # nothing comes from the publisher any more
        await trio.sleep(8)
        w.network.take_down("A")
        await trio.sleep(5)
        await viewer.watch(2, server=other)
        await trio.sleep(60)
        assert w.relayer.relayer is not None
        spent = w.relayer.relayer.core.book.budgets.spent
        assert spent[viewer.address].spent_ms > 10_000
        w.network.weather("A").down = False
        await trio.sleep(5)
        assert viewer.address not in spent or spent[viewer.address].spent_ms < 1_000

    play(tale, judged=("charged", "credit"))


# It once was so (seed 6181): a lapsed session that is over is forwarded to while the relayer is
# away, and the process that comes next knows of no such session.
def test_what_a_lapsed_session_is_sent_while_the_relayer_is_away_is_on_the_credit() -> None:
    async def tale(w: World) -> None:
        watching = await lapsed(w, 0)
        watching.advance(now_ms())
        watching.frozen = False
        await w.crash(down_s=30)
        assert watching.sent_ms > 30_000, "its lease has let it go on"
        await w.viewers[0].watch()
        w.node.refuses = no_ticks
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: a link that comes back and breaks before anything is told makes less of what is
# forwarded in between.
def test_a_link_that_breaks_again_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(sessions_max=2)
        await viewer.watch(1)
        await trio.sleep(20)
        w.network.take_down("A")
        await trio.sleep(1)
        monkeypatch.setattr(w.server, "tell", lambda wire: None)
        w.network.weather("A").down = False
        await trio.sleep(1.5)
        w.network.take_down("A")
        await _watch_unpaid(w, viewer, other)

    play(tale, judged=("charged", "credit"))


# It once was so: one session has two connections, and what one server tells counts for the other.
def test_who_comes_back_elsewhere_brings_along_what_nobody_has_told_of() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        w.network.take_down("A")
        await trio.sleep(1)
        w.node.refuses = no_ticks
        again = await viewer.join(server=other, resume=watching.resume)
        assert again is not None
        assert again.resumed
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: a process that comes after another takes what had come back of the credit for
# spent, and two leases for shorter than they are.
@pytest.mark.parametrize("before", ["something was lost", "two watch"])
def test_what_nobody_has_told_of_is_no_less_after_a_crash(before: str) -> None:
    async def tale(w: World) -> None:
        other, third = w.serve("B"), w.serve("C")
        viewer = await w.viewer().ready(sessions_max=3)
        if before == "something was lost":
            await _lose(w, viewer, 15_000)
            await trio.sleep(600)
        else:
            await viewer.watch(2, server=other)
        await viewer.watch(1)
        await trio.sleep(20)
        w.network.take_down("A")
        w.network.take_down("B")
        await w.crash()
        await trio.sleep(3)
        await _watch_unpaid(w, viewer, third)

    play(tale, judged=("charged", "credit"))


def _spent_ms(w: World, viewer: Viewer) -> int:
    """Tell what is taken out of a viewer's credit."""
    assert w.relayer.relayer is not None
    core = w.relayer.relayer.core
    return core.credit_ms - core.book.budgets.left_ms(viewer.address, core.refill_ms())


# It once was so: of who vanished before a restart nobody tells any more, and a lease stays taken.
def test_who_vanished_before_a_restart_has_the_whole_credit() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(20)
        watching.end("vanished")
        await trio.sleep(8)
        await w.crash()
        await trio.sleep(60)
        assert not w.judges.open_sessions()
        assert _spent_ms(w, viewer) < 1_000

    play(tale)


# It once was so: what is over when its server starts anew stays taken; what is open comes back.
@pytest.mark.parametrize("over", ["lapsed", "given up"])
def test_what_a_server_of_an_earlier_boot_had_is_back(over: str) -> None:
    async def tale(w: World) -> None:
        if over == "lapsed":
            await lapsed(w, 0)
        else:
            await (await w.viewer().ready(gap_ms=30_000)).watch()
            await trio.sleep(20)
            w.network.take_down("A")
            await trio.sleep(120)
            assert _spent_ms(w, w.viewers[0]) > 8_000
        w.network.weather("A").down = False
        w.crash_server("A")
        await trio.sleep(5)
        assert not w.judges.open_sessions()
        assert _spent_ms(w, w.viewers[0]) < 1_000

    play(tale, judged=("charged", "credit"))


# It once was so: what was taken too early comes back by itself, and then once more.
def test_what_was_taken_too_early_is_given_back_once() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(gap_ms=30_000)
        watching = await viewer.watch()
        await trio.sleep(20)
        watching.advance(now_ms())
        watching.frozen = True
        w.network.take_down("A")
        await trio.sleep(1_200)
        assert _spent_ms(w, viewer) == 0
        lost = await viewer.watch(2, server=other)
        lost.lost_ms = 15_000
        await trio.sleep(25)
        w.network.weather("A").down = False
        await trio.sleep(5)
        w.node.refuses = no_ticks
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: a server that says nothing any more is there as long as its connection is open.
@pytest.mark.parametrize("stays_s", [0, 2, 10])
def test_what_a_silent_server_may_forward_is_on_the_credit(stays_s: int) -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(sessions_max=2)
        await viewer.watch(1)
        await trio.sleep(20)
        w.network.weather("A").lost = 1.0
        w.node.refuses = no_ticks
        await trio.sleep(stays_s)
        await viewer.watch(2, server=other)
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: what the journal has ahead for who waits comes back there while they wait.
def test_who_waits_for_long_is_sent_no_more_while_the_relayer_is_away() -> None:
    async def tale(w: World) -> None:
        watching = await lapsed(w, 0)
        await trio.sleep(900)
        watching.advance(now_ms())
        watching.frozen = False
        await w.crash(down_s=30)
        await w.viewers[0].watch()
        w.node.refuses = no_ticks
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: what is at risk when a session is over makes less of what the journal has ahead,
# and a block charges it soon after.
def test_what_a_block_charges_later_is_ahead_too() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(gap_ms=120_000, sessions_max=2)
        watching = await viewer.watch(1)
        await trio.sleep(10)
        watching.advance(now_ms())
        watching.frozen = True
        await trio.sleep(95)
        other = await viewer.watch(2)
        await trio.sleep(8)
        w.node.refuses = no_ticks
        while len(w.judges.open_sessions()) == 2:
            await w.blocks(1)
        await w.blocks(3)
        w.node.refuses = lambda grant, order: None
        await w.blocks(3)
        other.advance(now_ms())
        other.frozen = True
        await w.blocks(5)
        watching.advance(now_ms())
        watching.frozen = False
        await w.crash(down_s=30)
        w.node.refuses = no_ticks
        other.frozen = False
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: what was taken too early stays taken when the process that knew why is gone.
@pytest.mark.parametrize("why", ["waits after a lapse", "its server was away"])
def test_what_was_taken_too_early_is_back_after_a_restart(why: str) -> None:
    async def tale(w: World) -> None:
        if why == "waits after a lapse":
            await lapsed(w, 0)
        else:
            watching = await (await w.viewer().ready(gap_ms=30_000)).watch()
            await trio.sleep(20)
            watching.advance(now_ms())
            watching.frozen = True
            await trio.sleep(3)
            w.network.take_down("A")
            await trio.sleep(120)
            assert _spent_ms(w, w.viewers[0]) > 8_000
        assert not w.judges.open_sessions()
        await w.crash()
        w.network.weather("A").down = False
        await trio.sleep(10)
        assert _spent_ms(w, w.viewers[0]) < 1_000

    play(tale, judged=("charged", "credit"))


def test_what_was_not_taken_too_early_stays_taken_after_a_restart() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        await (await w.viewer().ready(gap_ms=30_000)).watch()
        await trio.sleep(20)
        w.network.take_down("A")
        await trio.sleep(120)
        await w.crash()
        w.network.weather("A").down = False
        await trio.sleep(5)
        assert _spent_ms(w, w.viewers[0]) > 8_000
        w.node.refuses = no_ticks
        await w.viewers[0].watch(2, server=other)
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


# It once was so: of who was just let in, nothing is known but the lease, and that was forgotten.
def test_who_was_let_in_when_the_link_broke_is_reckoned_with() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(sessions_max=2)
        await viewer.watch(1)
        w.network.take_down("A")
        w.node.refuses = no_ticks
        await trio.sleep(1)
        await viewer.watch(2, server=other)
        await trio.sleep(40)
        w.judges.judge_credit()

    play(tale, judged=("charged", "credit"))


def test_who_was_let_in_and_never_came_has_the_whole_credit() -> None:
    async def tale(w: World) -> None:
        w.serve("B")
        viewer = await w.viewer().ready()
        answer = await w.server.ask("admit", token=viewer.token or "", stream=1, resume=None)
        assert answer.problem is None
        w.network.take_down("B")
        await trio.sleep(20)
        w.network.weather("B").down = False
        await trio.sleep(60)
        assert not w.judges.open_sessions()
        assert _spent_ms(w, viewer) < 1_000

    play(tale, judged=("charged", "credit"))


# One connection of a session waits after a lapse, and of another nobody has told.
def test_what_a_restart_knows_of_one_connection_is_nothing_about_another() -> None:
    async def tale(w: World) -> None:
        other = w.serve("B")
        viewer = await w.viewer().ready(gap_ms=30_000)
        watching = await viewer.watch()
        await trio.sleep(20)
        watching.advance(now_ms())
        watching.frozen = True
        await trio.sleep(3)
        w.network.take_down("A")
        await trio.sleep(1)
        again = await viewer.join(server=other, resume=watching.resume)
        assert again is not None
        again.frozen = True
        while w.judges.open_sessions():
            await w.blocks(1)
        await w.blocks(4)
        watching.end("left")
        await w.crash()
        await trio.sleep(10)
        assert _spent_ms(w, viewer) > 8_000  # of A's, of which nobody has told yet
        w.network.weather("A").down = False
        await trio.sleep(10)
        assert _spent_ms(w, viewer) < 1_000

    play(tale, judged=("charged", "credit"))
