"""What happens in chat: written to the tables first, then told to who listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from streaming.community.accounts import ClockMs, Session
from streaming.community.addresses import address_of
from streaming.community.audit import Act, record
from streaming.community.chat import messages
from streaming.community.chat.messages import Kept, Message, Said
from streaming.community.chat.rooms import RECENT, Listener, Room, Rooms
from streaming.community.chat.rules import Rules
from streaming.community.chat.settings import settings as settings_of
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned
from streaming.community.refusal import too_often
from streaming.live_frames import frame
from streaming.pace import Clock, Pace

SAID_PER_SECOND: Final = 1
SAID_AT_ONCE: Final = 5
"""Messages of one account; of one address five times as many."""
HISTORY_MAX: Final = 200
_T = TypeVar("_T")


class Chat:
    """The chats of all streams."""

    def __init__(self, database: Database, rules: Rules, *, clock: Clock, wall: ClockMs) -> None:
        self._database = database
        self._rules = rules
        self._wall = wall
        self.rooms = Rooms()
        self._accounts = Pace(SAID_PER_SECOND, SAID_AT_ONCE, clock)
        self._addresses = Pace(SAID_PER_SECOND * 5, SAID_AT_ONCE * 5, clock)
        self._working: set[asyncio.Task[Any]] = set()

    def now_ms(self) -> int:
        """The community's time."""
        return self._wall()

    # --- listening -------------------------------------------------------------------------

    async def join(self, listener: Listener, owned: Owned, chain: str) -> Room:
        """Let a listener hear a stream's chat, from its latest messages on. Raises `Refused`."""
        room = self.rooms.enter(owned, chain)
        try:
            async with room.changing:
                await self._load(room)
                await self._welcome(room, listener, owned)
                room.listeners.add(listener)
        except BaseException:
            self.rooms.leave(room)
            raise
        return room

    async def _load(self, room: Room) -> None:
        if room.recent is None:
            found = await self._database.read(
                lambda execute: messages.latest(execute, room.key, RECENT)
            )
            room.recent = deque((one for one in found if not one["deleted"]), RECENT)

    async def _welcome(self, room: Room, listener: Listener, owned: Owned) -> None:
        who = listener.session

        def look(execute: Execute) -> tuple[dict[str, Any], str]:
            role = "" if who is None else self._rules.roles.of(execute, owned, who.public)
            return settings_of(execute, room.key), role

        settings, role = await self._database.read(look)
        shown = list(room.recent or ())
        listener.offer(room.frame("joined", messages=shown, settings=settings, role=role or None))

    def leave(self, listener: Listener, room: Room) -> None:
        """Let a listener hear a room no more."""
        room.listeners.discard(listener)
        self.rooms.leave(room)

    async def history(
        self, owned: Owned, *, before: int | None, after: int | None, limit: int
    ) -> list[Message]:
        """Give messages in order: after a number, before one, or the latest. Raises `Refused`."""

        def look(execute: Execute) -> list[Message]:
            if after is not None:
                return messages.after(execute, owned.key, after, limit)
            return messages.latest(execute, owned.key, limit, before)

        return await self._database.read(look)

    # --- speaking --------------------------------------------------------------------------

    async def say(
        self, session: Session, owned: Owned, chain: str, said: Said, address: str | None
    ) -> Message:
        """Keep a message and tell it; one that was kept before is given again.

        One that has to wait for a moderator is `held`, and has no number. Raises `Refused`.
        """
        wait_s = self._accounts.take(session.public.hex()) or self._addresses.take(address)
        if wait_s:
            raise too_often(f"an account says {SAID_PER_SECOND} message a second", wait_s)
        at_ms = self._wall()

        def write(execute: Execute) -> Kept:
            return messages.keep(
                execute,
                self._rules,
                owned,
                said,
                digest=session.digest,
                address=address,
                at_ms=at_ms,
            )

        async def change(room: Room) -> Message:
            kept = await self._database.write(write)
            if kept.message is None:
                return {"id": said.id, "number": None, "held": True}
            if kept.is_new:
                room.add(kept.message)
            return kept.message

        return await self.changed(owned, chain, change)

    async def delete(
        self, session: Session, owned: Owned, chain: str, number: int, reason: str
    ) -> None:
        """Empty a message; another's as who moderates, for a reason. Raises `Refused`."""
        at_ms = self._wall()

        def write(execute: Execute) -> None:
            author = messages.delete(execute, self._rules.roles, owned, session, number)
            if author is not None:
                act = Act("delete-message", session.public, author, reason, {"message": number})
                record(execute, owned.key, act, at_ms)

        async def change(room: Room) -> None:
            await self._database.write(write, forgets=True)
            room.remove([number])

        await self.changed(owned, chain, change)

    # --- who is gone -----------------------------------------------------------------------

    def session_ended(self, digest: bytes) -> None:
        """Tell the listeners of a session that it has ended."""
        for listener in {one for room in self.rooms.all() for one in room.listeners}:
            if listener.session is not None and listener.session.digest == digest:
                listener.session = None
                listener.offer(frame("signed_out"))

    def account_deleted(self, public: bytes) -> None:
        """Tell everybody to forget what an account has said, and its listeners that it is gone."""
        for room in self.rooms.all():
            room.erase(address_of(public))
            for listener in tuple(room.listeners):
                if of_account(public)(listener) and listener.session is not None:
                    self.session_ended(listener.session.digest)

    # --- changing --------------------------------------------------------------------------

    async def changed(
        self, owned: Owned, chain: str, change: Callable[[Room], Coroutine[Any, Any, _T]]
    ) -> _T:
        """Change a room: what was begun is written and told though who asked hangs up."""

        async def work() -> _T:
            room = self.rooms.enter(owned, chain)
            try:
                async with room.changing:
                    return await change(room)
            finally:
                self.rooms.leave(room)

        task = asyncio.ensure_future(work())
        self._working.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            task.exception()  # it was raised to whoever waited, if anybody did

    async def settled(self) -> None:
        """Wait until what was begun is done."""
        while self._working:
            await asyncio.wait(self._working)


def of_account(public: bytes) -> Callable[[Listener], bool]:
    """Tell who listens as this account."""
    return lambda listener: listener.session is not None and listener.session.public == public
