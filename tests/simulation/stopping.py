"""Processes that stand still as after SIGSTOP: none of their tasks runs, and time goes on.

Trio's deadlines of such tasks pass, what they wait for comes, and all of it is found at once when
the process is woken. It rests on `Runner.reschedule` and `runq`, which are private to trio's pinned
version, as the order of tasks is (`chance.py`).
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import trio


class Stopping:
    """A process that can be stopped; `enter` lets a task and all that it starts be of it."""

    def __init__(self) -> None:
        self.stopped = False
        self._held_back: list[trio.lowlevel.Task] = []

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Let the tasks that are started in the block be of this process."""
        token = _owner.set(self)
        try:
            yield
        finally:
            _owner.reset(token)

    def stop(self) -> None:
        """SIGSTOP: from now on none of its tasks runs."""
        self.stopped = True
        runq = _runner().runq
        own = [task for task in runq if task.context.get(_owner) is self]
        for task in own:
            runq.remove(task)
        self._held_back += own

    def go_on(self) -> None:
        """SIGCONT: all that has become due meanwhile happens now, in any order."""
        self.stopped = False
        _runner().runq.extend(self._held_back)
        self._held_back = []

    def hold_back(self, task: trio.lowlevel.Task) -> None:
        """Let a task wait that was to run."""
        self._held_back.append(task)


_owner: contextvars.ContextVar[Stopping | None] = contextvars.ContextVar("owner", default=None)


def _runner() -> Any:
    return trio._core._run.GLOBAL_RUN_CONTEXT.runner


@contextmanager
def stoppable() -> Iterator[None]:
    """Let processes be stopped in trio's runs within the block."""
    kind = trio._core._run.Runner
    schedule = kind.reschedule

    def reschedule(runner: Any, task: trio.lowlevel.Task, *next_send: Any, **named: Any) -> None:
        schedule(runner, task, *next_send, **named)
        owner = task.context.get(_owner)
        if owner is not None and owner.stopped:
            owner.hold_back(runner.runq.pop())

    with mock.patch.object(kind, "reschedule", reschedule):
        yield
