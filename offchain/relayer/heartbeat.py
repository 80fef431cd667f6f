"""How one of several relayers shows that it lives: it renews its leases each second.

When it could not for as long as they last, they may be another's, and it does nothing for anybody
until it can again; when another has ended its life meanwhile, it raises LeaseLost. A clock that
nobody sets counts how long they last.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import trio

from offchain.journal import JournalError, JournalUnavailable
from offchain.journal.leasing import Leasing, NameTaken, Standing

log = logging.getLogger("paystream.relay.several")

BEGIN_EVERY_S: Final = 1.0
RENEW_EVERY_S: Final = 1.0
MARGIN_S: Final = 1.0
"""So long before its leases run out it stops: what it does then takes a moment."""
_T = TypeVar("_T")


class Heartbeat:
    """One relayer's life in the database."""

    def __init__(
        self,
        leasing: Leasing,
        *,
        lasts_ms: int,
        inline: bool,
        on_draining: Callable[[], None],
    ) -> None:
        """`inline` asks the database in the calling thread, for simulations. `on_draining` is told
        once that no viewer is to be taken any more."""
        self._leasing = leasing
        self._lasts_s = lasts_ms / 1000
        self._inline = inline
        self._on_draining = on_draining
        self._thread = trio.CapacityLimiter(1)
        self._until = -1e9
        self._steady_since: float | None = None
        """Since when every renewal has come through."""
        self._standing = Standing(others=0, draining=False)

    @property
    def lasts(self) -> bool:
        """Whether its leases are certain to last yet."""
        return trio.current_time() < self._until

    @property
    def is_steady(self) -> bool:
        """Whether it has renewed for as long as leases last: others that have not are dead."""
        since = self._steady_since
        return since is not None and trio.current_time() - since >= self._lasts_s

    @property
    def draining(self) -> bool:
        """Whether it is to take no viewer any more."""
        return self._standing.draining

    @property
    def others(self) -> int:
        """How many other relayers live."""
        return self._standing.others

    async def ask(self, ask: Callable[..., _T], *arguments: Any) -> _T:
        """Ask the database, in a thread of its own. Raises as `ask` does."""
        if self._inline:
            return ask(*arguments)
        return await trio.to_thread.run_sync(ask, *arguments, limiter=self._thread)

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Live for the length of the block, in which whatever is slow to start may take its time.

        Raises NameTaken, JournalUnavailable, and LeaseLost when another has ended this life.
        """
        await self._begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._renew)
            try:
                yield
            finally:
                await self._end()
            nursery.cancel_scope.cancel()

    async def _begin(self) -> None:
        """Begin to live, before anything is written.

        An earlier life of this name, that was killed, is waited for. Raises NameTaken where it goes
        on, and JournalUnavailable.
        """
        deadline = trio.current_time() + self._lasts_s + BEGIN_EVERY_S
        while True:
            try:
                await self.ask(self._leasing.begin)
            except NameTaken:
                if trio.current_time() >= deadline:
                    raise
                await trio.sleep(BEGIN_EVERY_S)
            else:
                return

    async def _renew(self) -> None:
        """Live on for ever. Raises LeaseLost when another relayer has ended this life."""
        while True:
            began = trio.current_time()
            try:
                standing = await self.ask(self._leasing.renew)
            except JournalUnavailable as error:
                if self._steady_since is not None:
                    log.warning("event=leases-not-renewed why=%r", str(error))
                self._steady_since = None
            else:
                self._until = began + self._lasts_s - MARGIN_S
                self._steady_since = began if self._steady_since is None else self._steady_since
                if standing.draining and not self.draining:
                    self._on_draining()
                self._standing = standing
            await trio.sleep(RENEW_EVERY_S)

    async def _end(self) -> None:
        """Let others take over at once: the journal has everything."""
        with trio.move_on_after(3, shield=True):
            try:
                await self.ask(self._leasing.end)
            except JournalError as error:
                log.warning("event=leases-not-ended why=%r", str(error))
