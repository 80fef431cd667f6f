"""What the tests with other people's programs have in common.

A program that is not here fails the test and is named with its package: `scripts/setup --tests`
brings all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from streaming.session_state import ConnectionState, StreamRef
from streaming.sfu.media_engine import LiveState
from tests.sfu.rig import Rig

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SOON_S = 20.0


def missing(program: str, package: str) -> Any:
    """Fails the test, with the remedy."""
    pytest.fail(f"{program} is missing: {package}; scripts/setup --tests brings it", pytrace=False)


def program(name: str, package: str) -> str:
    """Where a command is, or the test fails."""
    return shutil.which(name) or str(missing(name, f"Debian's {package}"))


async def until(true: Callable[[], object], within_s: float = SOON_S) -> None:
    """Waits until something has come about."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.05)


class Peer:
    """A program that says what happens on its standard output, one JSON object a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.heard: list[dict[str, Any]] = []
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                self.heard.append(json.loads(line))

    def event(self, name: str) -> dict[str, Any] | None:
        """The first of this name, if it has come."""
        return next((event for event in self.heard if event["event"] == name), None)

    async def says(self, name: str, within_s: float = SOON_S) -> dict[str, Any]:
        """Waits for an event."""
        with contextlib.suppress(AssertionError):
            await until(lambda: self.event(name) or self._reading.done(), within_s)
        event = self.event(name)
        assert event is not None, f"it did not say {name!r}, but {self.heard}"
        return event

    async def leave(self) -> dict[str, Any]:
        """Tells it to go; gives its last words."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"leave\n")
        left = await self.says("left")
        assert left["status"] == 200, left
        return left

    async def close(self) -> None:
        """Ends it, whatever it does."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.process.wait()
        await self._reading


@contextlib.asynccontextmanager
async def peer(*command: str) -> AsyncIterator[Peer]:
    """Runs a program that speaks as `Peer` says."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    started = Peer(process)
    try:
        yield started
    finally:
        await started.close()


def live(r: Rig) -> LiveState | None:
    """What the server says of the stream."""
    return r.server.engine.live(StreamRef(1))


async def published(r: Rig, *, seconds: float = 4.0) -> LiveState:
    """What is published can be watched: our own viewer decodes it, and it counts."""
    await until(lambda: live(r))
    result = await r.watch(seconds=seconds)
    assert result.end_reason == "seconds"
    assert result.frames_decoded > seconds * 15
    final = await last_words(r)
    assert result.watched_ms - 1_000 < final.delivered_ms <= result.watched_ms + 500
    state = live(r)
    assert state is not None
    return state


async def held(r: Rig, *, seconds: float) -> set[str]:
    """For which reasons nothing, or no picture, was forwarded to a viewer in this time."""
    reasons: set[str] = set()
    engine: Any = r.server.engine
    for _ in range(round(seconds * 20)):
        await asyncio.sleep(0.05)
        for subscription in engine._streams[StreamRef(1)].subscriptions:
            reasons.update(subscription.held)
    return reasons


async def last_words(r: Rig) -> ConnectionState:
    """The final state of the only viewer there was."""
    await until(lambda: r.relayer.finals)
    (final,) = r.relayer.finals.values()
    return final


def counted(
    final: ConnectionState, *, watched_ms: float, least: float, buffered_ms: float = 0
) -> None:
    """At least such a share of what was watched is paid, and never more than was seen, or was
    about to be: what a player holds back before it shows it, it has."""
    assert final.delivered_ms >= least * watched_ms, (final, watched_ms)
    assert final.delivered_ms <= watched_ms + buffered_ms + 500, (final, watched_ms)
