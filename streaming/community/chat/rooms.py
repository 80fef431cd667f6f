"""Who listens to which stream's chat at the moment, and what reaches them in what order.

Nothing here waits for a listener: what one is to hear goes into a queue of its own, and one whose
queue is full is dropped and told so, while the others hear on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from streaming.community.accounts import Session
from streaming.community.chat.messages import Message
from streaming.community.ledger import Owned, StreamKey
from streaming.live_frames import frame

QUEUE_MAX: Final = 256
QUEUE_BYTES_MAX: Final = 512 * 1024
"""Twice what who joins can be shown at most, so that one who asks for it again and again and reads
nothing costs no more."""
RECENT: Final = 100
"""Messages that who joins is shown."""


class Listener:
    """One WebSocket: what it has not been sent yet, and who has signed in over it."""

    def __init__(self, queue_max: int = QUEUE_MAX) -> None:
        self.session: Session | None = None
        self.dropped: str | None = None
        """Why it hears nothing more; None while it does."""
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._queue_max = queue_max
        self._some = asyncio.Event()

    def offer(self, data: bytes) -> None:
        """Queue what it is to hear; one that is too far behind is dropped."""
        if self.dropped is not None:
            return
        self._queued_bytes += len(data)
        if len(self._queue) >= self._queue_max or self._queued_bytes > QUEUE_BYTES_MAX:
            self.drop("slow")
            return
        self._queue.append(data)
        self._some.set()

    def drop(self, why: str) -> None:
        """Let it hear nothing more."""
        self._queue.clear()
        self.dropped = self.dropped or why
        self._some.set()

    async def next(self) -> bytes | None:
        """Wait for what is to be sent next; None when it is dropped."""
        while not self._queue:
            if self.dropped is not None:
                return None
            self._some.clear()
            await self._some.wait()
        data = self._queue.popleft()
        self._queued_bytes -= len(data)
        return data


class Room:
    """A stream's chat while somebody is in it. Whoever changes it holds `changing`."""

    def __init__(self, key: StreamKey, chain: str) -> None:
        self.key = key
        self.listeners: set[Listener] = set()
        self.changing = asyncio.Lock()
        """Held from before a change is written until everybody has it in the queue: so what who
        joins is shown and what comes after it have neither a gap nor a message twice."""
        self.recent: deque[Message] | None = None
        self.users = 0
        self._where = {"stream": key.number, "chain": chain}

    def frame(self, kind: str, **fields: Any) -> bytes:
        """Write a message about this room."""
        return frame(kind, **self._where, **fields)

    def tell(self, data: bytes, to: Callable[[Listener], bool] | None = None) -> None:
        """Queue it for everybody in the room, or for some."""
        for listener in tuple(self.listeners):
            if to is None or to(listener):
                listener.offer(data)

    def add(self, message: Message) -> None:
        """Tell a new message."""
        if self.recent is not None:
            self.recent.append(message)
        self.tell(self.frame("message", message=message))

    def remove(self, numbers: Iterable[int]) -> None:
        """Tell that messages are deleted."""
        gone = set(numbers)
        if self.recent is not None:
            kept = [one for one in self.recent if one["number"] not in gone]
            self.recent = deque(kept, RECENT)
        for number in sorted(gone):
            self.tell(self.frame("deleted", number=number))

    def erase(self, account: str) -> None:
        """Tell that an account is gone with all that it said."""
        if self.recent is not None:
            kept = [one for one in self.recent if one["author"]["account"] != account]
            self.recent = deque((_without_mention(one, account) for one in kept), RECENT)
        self.tell(self.frame("erased", account=account))


def _without_mention(message: Message, account: str) -> Message:
    mentions = [one for one in message.get("mentions", ()) if one["account"] != account]
    return {**message, "mentions": mentions}


class Rooms:
    """The rooms that somebody is in."""

    def __init__(self) -> None:
        self._rooms: dict[StreamKey, Room] = {}

    def enter(self, owned: Owned, chain: str) -> Room:
        """Give a stream's room, which stays until it is left as often."""
        room = self._rooms.get(owned.key)
        if room is None:
            room = self._rooms[owned.key] = Room(owned.key, chain)
        room.users += 1
        return room

    def leave(self, room: Room) -> None:
        """Forget a room that nobody is in any more."""
        room.users -= 1
        if room.users == 0:
            del self._rooms[room.key]

    def all(self) -> list[Room]:
        """Every room that somebody is in."""
        return list(self._rooms.values())
