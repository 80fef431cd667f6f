"""A running stage with a live stream, for measurements that play on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import trio

from main_job.failures import until_signal
from main_job.parts import Dirs, environment
from main_job.processes import Supervisor
from main_job.stage import Plan, Stage, open_stage
from main_job.video import demo_clip

RATE: Final = 10**9
FUNDS: Final = 200 * 10**12
Found = TypeVar("Found")


def on_stage(
    play: Callable[[Stage], Awaitable[Found]], *, viewers: int, publish: bool = True
) -> Found:
    """Start everything, let `play` measure, end everything; gives what `play` gave."""
    dirs = Dirs(Path(tempfile.mkdtemp(prefix="paystream-bench-")))
    supervisor = Supervisor(dirs.root / "logs", environment(dirs))

    async def staged() -> Found:
        plan = Plan(viewers=viewers, rate_per_second=RATE, viewer_funds=FUNDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_signal)
            with supervisor.within(nursery):
                async with open_stage(supervisor, dirs, plan, lambda _phase: None) as stage:
                    if publish:
                        await stage.publish(await trio.to_thread.run_sync(demo_clip))
                    found = await play(stage)
            nursery.cancel_scope.cancel()
        return found

    try:
        return trio.run(staged)
    finally:
        supervisor.end_all()
        shutil.rmtree(dirs.root, ignore_errors=True)
