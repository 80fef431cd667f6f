"""SIGKILL at any moment: nothing is charged twice, and at most two seconds are lost."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.relayer.rig import Rig, Server, Watching, rig

LOST_MS_MAX = 2_000


async def admitted(r: Rig, token: str) -> Watching:
    """Ask until there is an answer, as a player does while the relayer starts again."""
    while True:
        if r.relayer_up:
            with trio.move_on_after(5):
                response = await r.ask("admit", token=token, stream=1)
                if response.problem is None and r.relayer_up:
                    return r.server.attach(response.result)
        await trio.sleep(0.5)


def check(r: Rig, watching: Watching) -> None:
    paid_ms = r.earned() * 1000
    assert paid_ms <= watching.delivered_ms
    assert watching.delivered_ms - paid_ms < LOST_MS_MAX + 1_000  # and the unfinished second
    grant = r.chain.state.grants[0]
    assert grant.spent + grant.cap_left == grant.cap
    assert not grant.open


class Killer:
    """Kills the relayer at the n-th write of the journal, just before or just after it."""

    def __init__(self, r: Rig, at: int, *, before: bool) -> None:
        self.rig, self.left, self.before = r, at, before
        self.killed = trio.Event()
        journal = r.relayer.core.journal
        self.execute = journal._execute
        journal._execute = self  # type: ignore[method-assign,assignment]

    def __call__(self, statements: list[Any]) -> Any:
        self.left -= 1
        if self.left < 0 and self.killed.is_set():
            return None  # the process is gone: nothing reaches the disk any more
        if self.left == 0 and self.before:
            self.kill()
            return None  # as if the process ended here: what follows is cancelled
        result = self.execute(statements)
        if self.left == 0:
            self.kill()
        return result

    def kill(self) -> None:
        assert self.rig._scope is not None
        self.rig._scope.cancel()
        self.killed.set()


async def killed_at(path: Path, at: int, *, before: bool, down_s: float) -> None:
    async with rig(path) as r:
        token = await r.ready_viewer()
        killer = Killer(r, at, before=before)
        async with trio.open_nursery() as nursery:
            watching: list[Watching] = []

            async def watch() -> None:
                watching.append(await admitted(r, token))
                await trio.sleep(25.3)
                r.server.leave(watching[0])

            nursery.start_soon(watch)
            with trio.move_on_after(60):
                await killer.killed.wait()
                while r.relayer_up:
                    await trio.lowlevel.checkpoint()
                await trio.sleep(down_s)
                await r.start()
        await r.until(lambda: r.closed(watching[0]) and not r.chain.state.sessions)
        check(r, watching[0])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    at=st.integers(1, 60),
    before=st.booleans(),
    down_s=st.sampled_from([0.1, 1.0, 5.0, 20.0]),
)
def test_killed_at_any_write(at: int, before: bool, down_s: float) -> None:
    with tempfile.TemporaryDirectory() as path:

        async def run() -> None:
            await killed_at(Path(path), at, before=before, down_s=down_s)

        trio.run(run, clock=MockClock(autojump_threshold=0))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    times=st.lists(st.floats(0.05, 12.0), min_size=1, max_size=4),
    down_s=st.floats(0.0, 10.0),
)
def test_killed_again_and_again(times: list[float], down_s: float) -> None:
    with tempfile.TemporaryDirectory() as path:

        async def run() -> None:
            async with rig(Path(path)) as r:
                watching = await r.watch(await r.ready_viewer())
                for seconds in times:
                    await trio.sleep(seconds)
                    await r.crash()
                    await trio.sleep(down_s)
                    await r.start()
                await trio.sleep(10)
                r.server.leave(watching)
                await r.until(lambda: r.closed(watching) and not r.chain.state.sessions)
                check(r, watching)

        trio.run(run, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("relayer_too", [False, True])
async def test_the_media_server_is_killed(
    tmp_path: Path, autojump_clock: MockClock, relayer_too: bool
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        watching = await r.watch(token)
        await trio.sleep(20.2)
        r.server.connections.clear()  # whatever it knew is gone
        reported_ms = watching.delivered_ms
        if relayer_too:
            await r.crash()
        r.server.boot_id = "boot-2"
        await trio.sleep(2)
        if relayer_too:
            await r.start()
        else:
            r.server.greet()
        await r.until(lambda: r.closed(watching) and not r.chain.state.sessions)
        assert reported_ms - LOST_MS_MAX - 1_000 < r.earned() * 1000 <= reported_ms


async def test_a_viewer_goes_on_with_the_session_after_the_server_was_killed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer()
        first = await r.watch(token)
        await trio.sleep(10.2)
        r.server.connections.clear()
        r.server = Server(r, "boot-2")
        r.server.greet()
        r.nursery.start_soon(r.server.run)
        await trio.sleep(3)
        again = await r.watch(token, resume=first.resume)
        assert (again.ref, again.number) == (first.ref, 2)
        await trio.sleep(10.2)
        r.server.leave(again)
        await r.until(lambda: r.closed(again))
        total_ms = first.delivered_ms + again.delivered_ms
        assert total_ms - 1_500 < r.earned() * 1000 <= total_ms
        assert r.chain.state.grants[0].next_index == 1
