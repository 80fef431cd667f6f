"""A process on trio under whoever started it: ready, alive, and its orderly end.

The first SIGTERM or SIGINT begins the end. A second one changes nothing and is told what is still
waited for; a third ends the process at once, and so does the bound.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

from streaming import service_manager

ENDS_WITHIN_S: Final = 5.0
"""How long an orderly end may take."""
UNFINISHED: Final = 1
"""Exit code of a process that had to leave something undone when the bound was over."""
_AT_ONCE: Final = 3


@dataclass
class Ending:
    """What an end waits for, in words; who ends sets it as it goes."""

    waits_for: str


async def tell_manager() -> None:
    """Tell the service manager that we are ready, and then that this loop still turns."""
    service_manager.notify(service_manager.READY)
    every_s = service_manager.alive_every_s()
    while every_s is not None:
        service_manager.notify(service_manager.ALIVE)
        await trio.sleep(every_s)


async def until_signal(
    work: Callable[[], Awaitable[None]],
    ending: Ending,
    log: logging.Logger,
    *,
    within_s: float = ENDS_WITHIN_S,
) -> None:
    """Run `work` until it returns or a signal cancels it; what it then does counts as the end.

    Raises what `work` raises, alone where it came in a group of one. Does not return where the end
    takes longer than `within_s`, or a third signal comes: the process is gone then.
    """
    failure: BaseException | None = None
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(_follow, signals, _End(scope, nursery, ending, log, within_s))
            with scope:
                try:
                    await work()
                except Exception as error:  # carried out of the nursery, which would wrap it
                    failure = single(error)
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    log.info("event=stopped")


class _End:
    """An end from its first signal on."""

    def __init__(
        self,
        scope: trio.CancelScope,
        nursery: trio.Nursery,
        ending: Ending,
        log: logging.Logger,
        within_s: float,
    ) -> None:
        self._scope = scope
        self._nursery = nursery
        self._ending = ending
        self._log = log
        self._within_s = within_s
        self._due = 0.0

    def begin(self, name: str) -> None:
        """Cancel the work, and bound what follows."""
        self._log.info("event=stopping signal=%s", name)
        service_manager.notify(service_manager.STOPPING)
        self._due = trio.current_time() + self._within_s
        self._nursery.start_soon(self._bound)
        self._scope.cancel()

    def insisted(self, name: str) -> None:
        """Say what is waited for."""
        self._log.warning(
            "event=still-stopping signal=%s waits_for=%r at_most_s=%.1f",
            name,
            self._ending.waits_for,
            max(0.0, self._due - trio.current_time()),
        )

    def at_once(self, number: int) -> None:
        """End the process as the signal would have."""
        self._leave(128 + number)

    async def _bound(self) -> None:
        await trio.sleep_until(self._due)
        self._leave(UNFINISHED)

    def _leave(self, code: int) -> None:
        # A thread that waits for a disk can be neither cancelled nor joined.
        self._log.error("event=stopped-unfinished waited_for=%r", self._ending.waits_for)
        os._exit(code)


async def _follow(signals: AsyncIterator[int], end: _End) -> None:
    count = 0
    async for number in signals:
        count += 1
        if count == 1:
            end.begin(signal.Signals(number).name)
        elif count < _AT_ONCE:
            end.insisted(signal.Signals(number).name)
        else:
            end.at_once(number)


def single(error: BaseException) -> BaseException:
    """Take the one error out of a group of one, so that its message reaches the user."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
