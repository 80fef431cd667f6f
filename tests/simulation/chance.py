"""Where chance comes from: one seed, and from it a stream of numbers for each concern.

`determined` takes over every other source that the relayer's code could draw from: trio's order of
tasks, the module `secrets`, and threads (whose work is done in place, in simulated time).
"""

from __future__ import annotations

import base64
import contextlib
import math
import random
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final
from unittest import mock

import trio

Seconds = Callable[[Callable[..., Any]], float]
"""Tells the simulated time that a thread takes for a function."""


IDLE_ROUNDS_MAX: Final = 1_000


class JumpingClock(trio.abc.Clock):
    """A clock that stands still while anything can run, and then jumps to the next deadline.

    As `trio.testing.MockClock` with a threshold of 0 does, in half the rounds of trio's loop: that
    asks for the time to sleep only when no task can run.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._idle = 0

    def start_clock(self) -> None:
        """Begin at 0."""

    def current_time(self) -> float:
        """Give the simulated time."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Jump to a deadline; where there is none, nothing will ever happen again."""
        if deadline == math.inf:
            self._idle += 1  # trio's own start and end are without a deadline for some rounds
            if self._idle > IDLE_ROUNDS_MAX:
                raise Standstill
            return 0
        self._idle = 0
        self._now = max(self._now, deadline)
        return 0


class Standstill(Exception):
    """Every task waits for another one, and none for a moment."""


class Chance:
    """All randomness of one run. Streams of different names do not disturb each other."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.drawn: dict[str, random.Random] = {}

    def stream(self, name: str) -> random.Random:
        """Give the numbers of one concern."""
        if name not in self.drawn:
            self.drawn[name] = random.Random(f"{self.seed} {name}")
        return self.drawn[name]


def _at_once(_function: Callable[..., Any]) -> float:
    return 0.0


class Threads:
    """What stands in for trio's threads; `seconds` is asked how long each call takes."""

    def __init__(self) -> None:
        self.seconds: Seconds = _at_once

    async def run_sync(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        limiter: trio.CapacityLimiter | None = None,
        abandon_on_cancel: bool = False,
        thread_name: str | None = None,
    ) -> Any:
        """Do what `trio.to_thread.run_sync` does, without a thread."""
        await trio.lowlevel.checkpoint()
        # as with a thread, what has begun is finished even if its caller is cancelled
        seconds = self.seconds(function)
        if seconds or (limiter is not None and not limiter.available_tokens):
            with trio.CancelScope(shield=not abandon_on_cancel):
                async with limiter or contextlib.nullcontext():
                    await trio.sleep(seconds)
                    return function(*arguments)
        return function(*arguments)


@contextlib.contextmanager
def determined(chance: Chance) -> Iterator[Threads]:
    """Let everything that happens in the block follow from the seed."""
    numbers = chance.stream("secrets")
    threads = Threads()
    scheduler = trio._core._run
    kept = (scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate())

    def token_bytes(count: int | None = None) -> bytes:
        return numbers.randbytes(32 if count is None else count)

    def token_hex(count: int | None = None) -> str:
        return token_bytes(count).hex()

    def token_urlsafe(count: int | None = None) -> str:
        return base64.urlsafe_b64encode(token_bytes(count)).rstrip(b"=").decode()

    with (
        mock.patch.object(secrets, "token_bytes", token_bytes),
        mock.patch.object(secrets, "token_hex", token_hex),
        mock.patch.object(secrets, "token_urlsafe", token_urlsafe),
        mock.patch.object(trio.to_thread, "run_sync", threads.run_sync),
    ):
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
        scheduler._r.seed(f"{chance.seed} tasks")
        try:
            yield threads
        finally:
            scheduler._ALLOW_DETERMINISTIC_SCHEDULING = kept[0]  # type: ignore[misc]
            scheduler._r.setstate(kept[1])
