"""What happens in chat: written to the tables first, then told to who listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from streaming.community.accounts import ClockMs, Session
from streaming.community.addresses import address_of
from streaming.community.chat import messages, moderation
from streaming.community.chat.messages import Message, Said
from streaming.community.chat.rooms import RECENT, Listener, Room, Rooms
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned
from streaming.community.refusal import too_often
from streaming.live_frames import frame
from streaming.pace import Clock, Pace

SAID_PER_SECOND: Final = 1
SAID_AT_ONCE: Final = 5
"""Messages of one account; of one address five times as many."""
SLOW_MODE_MAX_S: Final = 3_600
HISTORY_MAX: Final = 200
_T = TypeVar("_T")


class Chat:
    """The chats of all streams."""

    def __init__(self, database: Database, *, clock: Clock, wall: ClockMs) -> None:
        self._database = database
        self._wall = wall
        self.rooms = Rooms()
        self._accounts = Pace(SAID_PER_SECOND, SAID_AT_ONCE, clock)
        self._addresses = Pace(SAID_PER_SECOND * 5, SAID_AT_ONCE * 5, clock)
        self._working: set[asyncio.Task[Any]] = set()

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
            role = "" if who is None else moderation.role_of(execute, owned, who.public)
            return messages.settings(execute, room.key), role

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
        """Keep a message and tell it; one that was kept before is given again. Raises `Refused`."""
        wait_s = self._accounts.take(session.public.hex()) or self._addresses.take(address)
        if wait_s:
            raise too_often(f"an account says {SAID_PER_SECOND} message a second", wait_s)
        at_ms = self._wall()

        async def change(room: Room) -> Message:
            message, is_new = await self._database.write(
                lambda execute: messages.keep(execute, owned, session.digest, said, at_ms)
            )
            if is_new:
                room.add(message)
            return message

        return await self._changed(owned, chain, change)

    async def delete(self, session: Session, owned: Owned, chain: str, number: int) -> None:
        """Empty a message. Raises `Refused`."""

        async def change(room: Room) -> None:
            await self._database.write(
                lambda execute: messages.delete(execute, owned, session, number), forgets=True
            )
            room.remove([number])

        await self._changed(owned, chain, change)

    # --- moderating ------------------------------------------------------------------------

    async def set_slow_mode(
        self, session: Session, owned: Owned, chain: str, slow_mode_s: int
    ) -> dict[str, Any]:
        """Set the seconds between two messages of an account. Raises `Refused`."""

        def write(execute: Execute) -> dict[str, Any]:
            moderation.refuse_others(execute, owned, session)
            messages.set_slow_mode(execute, owned.key, slow_mode_s)
            return messages.settings(execute, owned.key)

        async def change(room: Room) -> dict[str, Any]:
            settings = await self._database.write(write)
            room.tell(room.frame("settings", settings=settings))
            return settings

        return await self._changed(owned, chain, change)

    async def mute(
        self, session: Session, owned: Owned, chain: str, who: str, seconds: int | None
    ) -> dict[str, Any]:
        """Let an account not speak for some seconds, or (None) ever again. Raises `Refused`."""
        at_ms = self._wall()
        until_ms = None if seconds is None else at_ms + seconds * 1000

        async def change(room: Room) -> dict[str, Any]:
            public = await self._database.write(
                lambda execute: moderation.mute(
                    execute, owned, session, who, until_ms=until_ms, at_ms=at_ms
                )
            )
            room.tell(room.frame("muted", until_ms=until_ms), _is(public))
            return {"account": address_of(public), "until_ms": until_ms}

        return await self._changed(owned, chain, change)

    async def unmute(self, session: Session, owned: Owned, chain: str, who: str) -> dict[str, Any]:
        """Let an account speak again. Raises `Refused`."""

        async def change(room: Room) -> dict[str, Any]:
            public = await self._database.write(
                lambda execute: moderation.unmute(execute, owned, session, who)
            )
            room.tell(room.frame("unmuted"), _is(public))
            return {"account": address_of(public)}

        return await self._changed(owned, chain, change)

    async def mutes(self, session: Session, owned: Owned) -> list[dict[str, Any]]:
        """List who may not speak. Raises `Refused`."""
        at_ms = self._wall()
        return await self._database.read(
            lambda execute: moderation.mutes(execute, owned, session, at_ms)
        )

    async def set_moderator(
        self, session: Session, owned: Owned, chain: str, who: str, *, moderates: bool
    ) -> dict[str, Any]:
        """Name a moderator, or dismiss one. Raises `Refused`."""
        at_ms = self._wall()

        def write(execute: Execute) -> bytes:
            if moderates:
                return moderation.name_moderator(execute, owned, session, who, at_ms)
            return moderation.dismiss_moderator(execute, owned, session, who)

        async def change(room: Room) -> dict[str, Any]:
            public = await self._database.write(write)
            role = moderation.MODERATOR if moderates else None
            room.tell(room.frame("role", role=role), _is(public))
            return {"account": address_of(public), "moderates": moderates}

        return await self._changed(owned, chain, change)

    async def moderators(self, owned: Owned) -> list[dict[str, Any]]:
        """List who moderates. Raises `Refused`."""
        return await self._database.read(lambda execute: moderation.moderators(execute, owned))

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
                if _is(public)(listener) and listener.session is not None:
                    self.session_ended(listener.session.digest)

    # --- changing --------------------------------------------------------------------------

    async def _changed(
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


def _is(public: bytes) -> Callable[[Listener], bool]:
    return lambda listener: listener.session is not None and listener.session.public == public
