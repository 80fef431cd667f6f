"""The demo's supervisor: children get ready, tell why they failed, and are never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from main_job.processes import ProcessFailed, Supervisor, descendants

PRINTS_READY = 'import json; print(json.dumps({"event": "ready", "url": "u"}), flush=True)'
SLEEPS = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PRINTS_READY}; {SLEEPS}"
WITH_ORPHAN = (
    "import subprocess, sys; "
    f"subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], start_new_session=True); {PRINTS_READY}"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "logs", dict(os.environ))
    yield made
    made.end_all()


async def test_a_child_that_says_ready_is_ready(supervisor: Supervisor) -> None:
    async with trio.open_nursery() as nursery:
        with supervisor.within(nursery):
            child = supervisor.start("part", python(f"{PRINTS_READY}; {SLEEPS}"))
            assert (await child.ready("ready", 20))["url"] == "u"
            assert await supervisor.end(child) == -signal.SIGTERM
        nursery.cancel_scope.cancel()


async def test_a_child_that_ends_early_is_quoted(supervisor: Supervisor) -> None:
    async with trio.open_nursery() as nursery:
        with supervisor.within(nursery):
            child = supervisor.start("part", python("raise SystemExit('the port is in use')"))
            with pytest.raises(ProcessFailed, match="the port is in use") as failure:
                await child.ready("ready", 20)
        nursery.cancel_scope.cancel()
    assert "part ended before it was ready" in str(failure.value)
    assert str(child.log) in str(failure.value)


async def test_a_program_that_is_missing_is_named(supervisor: Supervisor) -> None:
    async with trio.open_nursery() as nursery:
        with supervisor.within(nursery):
            child = supervisor.start("part", ["no-such-program"])
            with pytest.raises(ProcessFailed, match="no-such-program"):
                await child.ready("ready", 20)
        nursery.cancel_scope.cancel()


async def test_the_end_leaves_nothing_within_five_seconds(supervisor: Supervisor) -> None:
    others = set(descendants(os.getpid()))
    async with trio.open_nursery() as nursery:
        with supervisor.within(nursery):
            for number, code in enumerate((STUBBORN, WITH_ORPHAN, f"{PRINTS_READY}; {SLEEPS}")):
                child = supervisor.start(f"part-{number}", python(code))
                await child.ready("ready", 20)
        nursery.cancel_scope.cancel()
    family = set(descendants(os.getpid())) - others
    assert len(family) >= 3
    before = time.monotonic()
    supervisor.end_all()
    assert time.monotonic() - before < 5
    assert not family & set(descendants(os.getpid()))


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(python(SLEEPS)) as process:
        yield process
        process.kill()


async def test_what_others_have_started_is_left_alone(
    supervisor: Supervisor, other: subprocess.Popen[bytes]
) -> None:
    async with trio.open_nursery() as nursery:
        with supervisor.within(nursery):
            child = supervisor.start("part", python(f"{PRINTS_READY}; {SLEEPS}"))
            await child.ready("ready", 20)
        nursery.cancel_scope.cancel()
    supervisor.end_all()
    assert not child.running
    assert other.poll() is None
