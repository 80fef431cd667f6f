"""The tables for code on an event loop: one thread writes, another reads, and few may wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from streaming.community.database.engine import Engine
from streaming.community.database.errors import DatabaseError
from streaming.community.database.migrations import Execute
from streaming.community.refusal import Refused

log = logging.getLogger(__name__)

WAITING_MAX: Final = 1_000
"""More pieces of work than these do not wait for a thread: who asks is refused at once."""
_T = TypeVar("_T")


class Database:
    """An engine, used from an event loop. Pieces of work are plain functions of `Execute`."""

    def __init__(self, engine: Engine, waiting_max: int = WAITING_MAX) -> None:
        self._engine = engine
        self._writer = ThreadPoolExecutor(1, "community-writer")
        self._reader = ThreadPoolExecutor(1, "community-reader")
        self._waiting_max = waiting_max
        self._waiting = 0
        self._closed = False

    async def write(self, work: Callable[[Execute], _T], *, forgets: bool = False) -> _T:
        """Run `work` in a transaction, on the disk when this returns; all of it or nothing.

        With `forgets` nothing of what it deleted is left behind in the file. Raises what `work`
        does, and `Refused` (503).
        """

        def transact() -> _T:
            with self._engine.writing() as execute:
                result = work(execute)
            if forgets:
                self._engine.forget()
            return result

        return await self._run(self._writer, transact)

    async def read(self, work: Callable[[Execute], _T]) -> _T:
        """Run queries that all see the same moment. Raises `Refused` (503)."""

        def look() -> _T:
            with self._engine.reading() as execute:
                return work(execute)

        return await self._run(self._reader, look)

    async def _run(self, thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        if self._closed or self._waiting >= self._waiting_max:
            raise Refused(
                503,
                "community-busy",
                f"{self._waiting} requests wait for the community's database; try again in a "
                "moment",
                wait_s=1,
            )
        self._waiting += 1
        try:
            future = asyncio.get_running_loop().run_in_executor(thread, work)
            # what was begun is not undone by whoever hangs up; its thread counts until it is done
            future.add_done_callback(self._done)
        except BaseException:
            self._waiting -= 1
            raise
        try:
            return await asyncio.shield(future)
        except DatabaseError as error:
            log.error("event=community-database why=%r", str(error))  # noqa: TRY400
            raise Refused(
                503,
                "community-unavailable",
                "accounts and chat cannot be reached at the moment; try again in a moment",
                wait_s=2,
            ) from None

    def _done(self, future: asyncio.Future[_T]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # it was said to whoever waited, if anybody did

    async def close(self) -> None:
        """Let what was begun end, and let go of the tables; once."""
        if self._closed:
            return
        self._closed = True
        for thread in (self._writer, self._reader):
            await asyncio.to_thread(thread.shutdown)
        self._engine.close()
