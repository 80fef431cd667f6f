"""Queues, drops and rooms, without a socket or a table."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from streaming.community.chat.rooms import Listener, Room, Rooms
from streaming.community.ledger import Owned, StreamKey

KEY = StreamKey("0x00", 1)


def message(number: int, account: str = "a") -> dict[str, Any]:
    return {"number": number, "author": {"account": account}}


async def queued(listener: Listener) -> list[dict[str, Any]]:
    """All that is there, without waiting for more."""
    listener.offer(b"null")
    found: list[Any] = []
    while (data := await listener.next()) != b"null" and data is not None:
        found.append(json.loads(data))
    return found


def test_one_who_is_too_far_behind_is_dropped_and_the_others_hear_on() -> None:
    async def main() -> None:
        room = Room(KEY, "")
        slow, quick = Listener(queue_max=3), Listener(queue_max=100)
        room.listeners = {slow, quick}
        for number in range(1, 5):
            room.add(message(number))
        assert (slow.dropped, quick.dropped) == ("slow", None)
        assert await slow.next() is None
        assert [one["message"]["number"] for one in await queued(quick)] == [1, 2, 3, 4]
        room.add(message(5))
        assert await slow.next() is None, "nothing comes after the drop"

    asyncio.run(main())


def test_a_queue_is_bounded_in_bytes_too() -> None:
    """One who joins a full room over and over and reads nothing gets no memory for it."""

    async def main() -> None:
        listener = Listener()
        shown = b"x" * 200_000
        for _ in range(2):
            listener.offer(shown)
            assert await listener.next() == shown
        listener.offer(shown)
        listener.offer(shown)
        assert listener.dropped is None
        listener.offer(shown)
        assert listener.dropped == "slow"
        assert not listener._queue

    asyncio.run(main())


def test_who_waits_is_woken_by_what_comes_and_by_the_drop() -> None:
    async def main() -> None:
        listener = Listener()
        waiting = asyncio.create_task(listener.next())
        await asyncio.sleep(0)
        listener.offer(b"x")
        assert await waiting == b"x"
        waiting = asyncio.create_task(listener.next())
        await asyncio.sleep(0)
        listener.drop("closing")
        assert await waiting is None
        listener.drop("slow")
        assert listener.dropped == "closing", "the first reason is the reason"

    asyncio.run(main())


def test_a_room_shows_the_latest_without_what_is_gone() -> None:
    async def main() -> None:
        room, listener = Room(KEY, "asia"), Listener()
        room.recent = deque(maxlen=3)
        room.listeners.add(listener)
        for number, account in ((1, "a"), (2, "b"), (3, "a"), (4, "b")):
            room.add(message(number, account))
        assert [one["number"] for one in room.recent] == [2, 3, 4]
        room.remove([3, 1])
        assert [one["number"] for one in room.recent] == [2, 4]
        room.erase("b")
        assert list(room.recent) == []
        told = await queued(listener)
        assert [(one["type"], one["stream"], one["chain"]) for one in told] == [
            *[("message", 1, "asia")] * 4,
            *[("deleted", 1, "asia")] * 2,
            ("erased", 1, "asia"),
        ]

    asyncio.run(main())


def test_a_room_is_forgotten_when_the_last_has_left() -> None:
    rooms, owned = Rooms(), Owned(KEY, bytes(32))
    first = rooms.enter(owned, "")
    assert rooms.enter(owned, "") is first
    rooms.leave(first)
    assert rooms.all() == [first]
    rooms.leave(first)
    assert rooms.all() == []
