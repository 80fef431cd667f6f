"""The events of the latest blocks: each block's are read and decoded once, whoever asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from offchain.ledger.types import Event

BLOCKS_KEPT: Final = 64
EVENTS_KEPT: Final = 32_768
"""Of busy blocks fewer are kept, so that memory does not grow with what happens in them."""


class BlockEvents:
    """Reads events by `read`, and keeps the latest blocks'."""

    def __init__(self, read: Callable[[str], Awaitable[tuple[Event, ...]]]) -> None:
        self._read = read
        self._kept: dict[str, tuple[Event, ...]] = {}
        self._count = 0
        # who asks for a block that is being read waits for that, instead of reading it again
        self._reading = trio.Lock()

    async def of(self, block_hash: str) -> tuple[Event, ...]:
        """Give a block's events. Raises what `read` raises, and then nothing is kept."""
        if block_hash not in self._kept:
            async with self._reading:
                if block_hash not in self._kept:
                    self._keep(block_hash, await self._read(block_hash))
        return self._kept[block_hash]

    def _keep(self, block_hash: str, events: tuple[Event, ...]) -> None:
        while self._kept and (
            len(self._kept) >= BLOCKS_KEPT or self._count + len(events) > EVENTS_KEPT
        ):
            self._count -= len(self._kept.pop(next(iter(self._kept))))
        self._kept[block_hash] = events
        self._count += len(events)
