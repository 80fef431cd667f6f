"""What may go wrong in a run and is told without a traceback."""

from __future__ import annotations

import signal
from typing import Final

import trio

from main_job.price import PriceInvalid
from main_job.processes import ProcessFailed
from main_job.report import ReportFailed
from main_job.rest import RestFailed
from main_job.video import VideoFailed
from offchain.ledger.errors import LedgerError

FAILURES: Final = (
    PriceInvalid,
    ProcessFailed,
    ReportFailed,
    RestFailed,
    LedgerError,
    VideoFailed,
    trio.TooSlowError,
)


class Interrupted(Exception):
    """A signal asked us to end."""


async def until_signal() -> None:
    """Wait for Ctrl-C or another request to end. Raises Interrupted."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            raise Interrupted


def first_known(error: BaseException) -> BaseException:
    """Give what a person should read out of nested groups: a known failure, if there is one."""
    leaves: list[BaseException] = []
    pending = [error]
    while pending:
        each = pending.pop()
        if isinstance(each, BaseExceptionGroup):
            pending += each.exceptions
        else:
            leaves.append(each)
    for kind in (Interrupted, KeyboardInterrupt, *FAILURES):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]
