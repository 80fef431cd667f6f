"""An honest viewer who looks into streams for three seconds each (case 51) stays welcome."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from offchain.relayer.pacing import WAIT_MAX_MS
from streaming.session_state import Problem, Request
from tests.relayer.rig import ORIGIN, Rig, Watching, rig

LOOKS = 20
WITHHELD_MS = 200
PACE_S = 8
"""The ledger's five seconds, rounded up to blocks of two, and a block for the open itself."""
CLOSED_WITHIN_S = 20


async def look(r: Rig, token: str, stream: int = 1, seconds: float = 3.0) -> Watching:
    """Watch for so long and leave. What the server withholds is in neither of its figures."""
    watching = await r.watch(token, stream)  # raises when it is refused
    watching.delivered_ms = -WITHHELD_MS
    await trio.sleep(seconds)
    assert watching.lease is not None
    assert watching.lease.allowed
    watching.forwarded_ms = watching.delivered_ms
    r.server.leave(watching)
    return watching


async def problem(r: Rig, token: str, stream: int = 1) -> Problem:
    answer = await r.ask("admit", token=token, stream=stream)
    assert answer.problem is not None, answer.result
    return answer.problem


async def test_twenty_looks_of_three_seconds_without_a_pause_are_served_and_paid(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Nothing of a look is taken from the credit but what two clocks differ by, and no open is
    thrown away: each look has an index of its own, and its whole seconds are paid."""
    async with rig(tmp_path) as r:
        r.chain.add_stream(2)
        token = await r.ready_viewer(sessions_max=2)
        looks = []
        for number in range(LOOKS):
            asked_s = trio.current_time()
            looks.append(await look(r, token, stream=1 + number % 2))
            assert trio.current_time() - asked_s <= PACE_S + 3
        assert [one.ref.index for one in looks] == list(range(LOOKS))
        await trio.sleep(CLOSED_WITHIN_S)
        paid = sum(one.delivered_ms // 1000 for one in looks)
        assert r.earned(1) + r.earned(2) == paid == 2 * LOOKS
        assert not r.relayer.core.book.budgets.spent


async def test_one_session_at_a_time_is_enough_for_looks(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(sessions_max=1)
        for _ in range(LOOKS):
            await look(r, token)
            await trio.sleep(0.5)  # until the relayer has heard that its only place is free
        await trio.sleep(CLOSED_WITHIN_S)
        assert r.earned() == 2 * LOOKS


async def test_who_comes_too_early_waits_and_who_would_wait_too_long_hears_the_pace(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(sessions_max=4)
        began = trio.current_time()
        await r.watch(token)
        assert trio.current_time() - began < 0.1
        refused: list[Problem] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(r.watch, token)
            await trio.testing.wait_all_tasks_blocked()
            refused.append(await problem(r, token))
            assert trio.current_time() - began < 0.1, "it is told at once"
        assert 5 < trio.current_time() - began <= PACE_S
        (early,) = refused
        assert (early.status, early.code) == (429, "open-pace")
        assert early.retry_after_s == 14
        assert "one session per grant in 5 s" in early.detail
        assert f"ask again in {early.retry_after_s} s" in early.detail
        await trio.sleep(early.retry_after_s - (trio.current_time() - began))
        await r.watch(token)


async def test_nobody_waits_longer_than_its_bound(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(sessions_max=2)
        await r.watch(token)
        r.chain.hold_opens = True
        asked_s = trio.current_time()
        refused = await problem(r, token)
        assert (refused.status, refused.code) == (429, "open-pace")
        assert trio.current_time() - asked_s == WAIT_MAX_MS / 1000
        asked_s = trio.current_time()
        with trio.move_on_after(3):
            await problem(r, token)
        r.chain.unreachable = True
        refused = await problem(r, token)
        assert (refused.status, refused.code) == (503, "chain-unavailable")


async def test_a_viewer_who_has_gone_waits_no_longer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(sessions_max=2)
        await r.watch(token)
        gone = Request(id=99, method="admit", params={"token": token, "stream": 1})
        began = trio.current_time()
        with trio.move_on_after(1):
            await r.relayer.requests.answer(gone, ORIGIN)
        second = await r.watch(token)
        assert second.ref.index == 1
        assert trio.current_time() - began <= PACE_S, "nobody was before it"
        await trio.sleep(20)
        assert len(r.chain.state.sessions) == 2


async def test_coming_back_waits_for_nobody(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(sessions_max=2)
        first = await r.watch(token)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(r.watch, token)
            await trio.sleep(1)
            began = trio.current_time()
            again = await r.watch(token, resume=first.resume)
            assert (again.ref, again.number) == (first.ref, 2)
            assert trio.current_time() == began


async def test_an_index_stays_a_sessions_own_after_its_viewer_has_left(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Until a block has decided about it, whatever its viewer did."""
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(sessions_max=2)
        r.chain.add_stream(2)
        r.chain.hold_opens = True
        first = await look(r, token)
        async with trio.open_nursery() as nursery:
            seconds: list[Watching] = []

            async def second() -> None:
                seconds.append(await r.watch(token, stream=2))

            nursery.start_soon(second)
            await trio.sleep(1)
            assert not seconds
            r.chain.hold_opens = False
        assert [first.ref.index, seconds[0].ref.index] == [0, 1]
        await trio.sleep(CLOSED_WITHIN_S)
        assert r.earned(1) == first.delivered_ms // 1000 == 2
