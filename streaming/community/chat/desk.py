"""What moderators do: each act is written with its entry in the log, then told to the room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from streaming.community import audit
from streaming.community.accounts import Session
from streaming.community.addresses import address_of
from streaming.community.audit import Act
from streaming.community.chat import messages, moderation
from streaming.community.chat.chat import Chat, of_account
from streaming.community.chat.roles import MODERATOR, Roles
from streaming.community.chat.rooms import Room
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned
from streaming.community.profiles import account_of
from streaming.community.refusal import too_often
from streaming.pace import Clock, Pace

ACTS_PER_MINUTE: Final = 60
"""Of one account: each is an entry that stays for good."""
SLOW_MODE_MAX_S: Final = 3_600
_T = TypeVar("_T")


class Desk:
    """Moderation of the chats of all streams."""

    def __init__(self, database: Database, chat: Chat, roles: Roles, *, clock: Clock) -> None:
        self._database = database
        self._chat = chat
        self._roles = roles
        self._acts = Pace(ACTS_PER_MINUTE / 60, ACTS_PER_MINUTE, clock)

    async def _act(
        self,
        session: Session,
        owned: Owned,
        chain: str,
        write: Callable[[Execute], _T],
        tell: Callable[[Room, _T], None],
    ) -> _T:
        """Write something and tell it to the room, as one change. Raises `Refused`."""
        wait_s = self._acts.take(session.public.hex())
        if wait_s:
            raise too_often(f"an account moderates {ACTS_PER_MINUTE} times a minute", wait_s)

        async def change(room: Room) -> _T:
            written = await self._database.write(write)
            tell(room, written)
            return written

        return await self._chat.changed(owned, chain, change)

    # --- settings --------------------------------------------------------------------------

    async def set_slow_mode(
        self, session: Session, owned: Owned, chain: str, slow_mode_s: int
    ) -> dict[str, Any]:
        """Set the seconds between two messages of an account. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> dict[str, Any]:
            self._roles.refuse_others(execute, owned, session)
            messages.set_slow_mode(execute, owned.key, slow_mode_s)
            act = Act("settings", session.public, detail={"slow_mode_s": slow_mode_s})
            audit.record(execute, owned.key, act, at_ms)
            return messages.settings(execute, owned.key)

        def tell(room: Room, settings: dict[str, Any]) -> None:
            room.tell(room.frame("settings", settings=settings))

        return await self._act(session, owned, chain, write, tell)

    # --- people ----------------------------------------------------------------------------

    async def mute(
        self,
        session: Session,
        owned: Owned,
        chain: str,
        who: str,
        *,
        seconds: int | None,
        reason: str,
    ) -> dict[str, Any]:
        """Let an account not speak for some seconds, or (None) ever again. Raises `Refused`."""
        at_ms = self._chat.now_ms()
        until_ms = None if seconds is None else at_ms + seconds * 1000

        def write(execute: Execute) -> bytes:
            public = account_of(execute, who)
            self._roles.refuse_below(execute, owned, session, public)
            moderation.mute(execute, owned.key, public, until_ms=until_ms, at_ms=at_ms)
            name, detail = ("ban", None) if seconds is None else ("time-out", {"seconds": seconds})
            act = Act(name, session.public, public, reason, detail)
            audit.record(execute, owned.key, act, at_ms)
            return public

        def tell(room: Room, public: bytes) -> None:
            room.tell(room.frame("muted", until_ms=until_ms), of_account(public))

        public = await self._act(session, owned, chain, write, tell)
        return {"account": address_of(public), "until_ms": until_ms}

    async def unmute(
        self, session: Session, owned: Owned, chain: str, who: str, reason: str
    ) -> dict[str, Any]:
        """Let an account speak again. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> bytes:
            self._roles.refuse_others(execute, owned, session)
            public = account_of(execute, who)
            if moderation.unmute(execute, owned.key, public):
                act = Act("let-speak", session.public, public, reason)
                audit.record(execute, owned.key, act, at_ms)
            return public

        def tell(room: Room, public: bytes) -> None:
            room.tell(room.frame("unmuted"), of_account(public))

        return {"account": address_of(await self._act(session, owned, chain, write, tell))}

    async def mutes(self, session: Session, owned: Owned) -> list[dict[str, Any]]:
        """List who may not speak. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def look(execute: Execute) -> list[dict[str, Any]]:
            self._roles.refuse_others(execute, owned, session)
            return moderation.mutes(execute, owned.key, at_ms)

        return await self._database.read(look)

    async def set_moderator(
        self, session: Session, owned: Owned, chain: str, who: str, *, moderates: bool
    ) -> dict[str, Any]:
        """Name a moderator, or dismiss one, as the owner or the operator. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> bytes:
            self._roles.refuse_but_owner(owned, session)
            public = account_of(execute, who)
            if moderates:
                moderation.name_moderator(execute, owned, public, at_ms)
            elif not moderation.dismiss_moderator(execute, owned.key, public):
                return public
            name = "name-moderator" if moderates else "dismiss-moderator"
            audit.record(execute, owned.key, Act(name, session.public, public), at_ms)
            return public

        def tell(room: Room, public: bytes) -> None:
            role = MODERATOR if moderates else None
            room.tell(room.frame("role", role=role), of_account(public))

        public = await self._act(session, owned, chain, write, tell)
        return {"account": address_of(public), "moderates": moderates}

    async def moderators(self, owned: Owned) -> list[dict[str, Any]]:
        """List who moderates. Raises `Refused`."""
        return await self._database.read(lambda execute: moderation.moderators(execute, owned))

    # --- the log ---------------------------------------------------------------------------

    async def acts(
        self, session: Session, owned: Owned, before: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """List what moderators did in a stream's chat, the latest first. Raises `Refused`."""

        def look(execute: Execute) -> list[dict[str, Any]]:
            self._roles.refuse_others(execute, owned, session)
            return audit.acts(execute, owned.key, before, limit)

        return await self._database.read(look)

    async def all_acts(
        self, session: Session, before: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """List what was done everywhere, as the operator. Raises `Refused`."""
        self._roles.refuse_but_operator(session)
        return await self._database.read(lambda execute: audit.acts(execute, None, before, limit))
