"""A block's events are decoded once, and what is kept of busy blocks is bounded."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from offchain.ledger.block_events import BLOCKS_KEPT, EVENTS_KEPT, BlockEvents
from offchain.ledger.errors import BlockUnknown
from offchain.ledger.types import Event

EVENT = Event(pallet="PayStream", name="Ticked", fields={}, extrinsic_index=1)


class Node:
    def __init__(self, size: int = 1) -> None:
        self.size = size
        self.asked: list[str] = []

    async def read(self, block_hash: str) -> tuple[Event, ...]:
        self.asked.append(block_hash)
        await trio.sleep(1)
        if block_hash == "unknown":
            raise BlockUnknown(block_hash)
        return (EVENT,) * self.size


async def test_many_who_ask_at_once_are_one_reading(autojump_clock: MockClock) -> None:
    node = Node()
    events = BlockEvents(node.read)
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(events.of, "a")
    assert await events.of("a") == (EVENT,)
    assert node.asked == ["a"]


async def test_a_failure_is_not_kept(autojump_clock: MockClock) -> None:
    node = Node()
    events = BlockEvents(node.read)
    for _ in range(2):
        with pytest.raises(BlockUnknown):
            await events.of("unknown")
    assert node.asked == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("size", "kept"), [(1, BLOCKS_KEPT), (EVENTS_KEPT // 4, 4), (2 * EVENTS_KEPT, 1)]
)
async def test_so_much_is_kept(size: int, kept: int, autojump_clock: MockClock) -> None:
    node = Node(size)
    events = BlockEvents(node.read)
    names = [str(number) for number in range(BLOCKS_KEPT + 10)]
    for name in names:
        await events.of(name)
    node.asked.clear()
    for name in reversed(names):
        if node.asked:
            break
        await events.of(name)
    assert node.asked == [names[-kept - 1]]
