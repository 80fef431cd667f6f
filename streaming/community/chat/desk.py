"""What moderators do: each act is written with its entry in the log, then told to the room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from streaming.community import audit
from streaming.community.accounts import Session
from streaming.community.addresses import address_of
from streaming.community.audit import ALL_STREAMS, Act, Detail
from streaming.community.chat import address_bans, filters, held, messages, moderation
from streaming.community.chat.chat import Chat, of_account
from streaming.community.chat.filters import Filter
from streaming.community.chat.messages import Message, Said
from streaming.community.chat.roles import MODERATOR
from streaming.community.chat.rooms import Room
from streaming.community.chat.rules import Rules
from streaming.community.chat.settings import set_settings, settings
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.ledger import Owned, StreamKey
from streaming.community.profiles import account_of
from streaming.community.refusal import too_often
from streaming.pace import Clock, Pace

ACTS_PER_MINUTE: Final = 60
"""Of one account: each is an entry that stays for good."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Muted:
    """For how long somebody may not speak (None: for good), why, and whether from there nobody."""

    seconds: int | None
    reason: str = ""
    addresses: bool = False


class Desk:
    """Moderation of the chats of all streams."""

    def __init__(self, database: Database, chat: Chat, rules: Rules, *, clock: Clock) -> None:
        self._database = database
        self._chat = chat
        self._roles = rules.roles
        self._filters = rules.filters
        self._acts = Pace(ACTS_PER_MINUTE / 60, ACTS_PER_MINUTE, clock)

    async def act(
        self,
        session: Session,
        owned: Owned,
        chain: str,
        write: Callable[[Execute], _T],
        tell: Callable[[Room, _T], None],
        *,
        forgets: bool = False,
    ) -> _T:
        """Write something and tell it to the room, as one change. Raises `Refused`."""
        self._take_act(session)

        async def change(room: Room) -> _T:
            written = await self._database.write(write, forgets=forgets)
            tell(room, written)
            return written

        return await self._chat.changed(owned, chain, change)

    def _take_act(self, session: Session) -> None:
        wait_s = self._acts.take(session.public.hex())
        if wait_s:
            raise too_often(f"an account moderates {ACTS_PER_MINUTE} times a minute", wait_s)

    # --- settings --------------------------------------------------------------------------

    async def settings(self, owned: Owned) -> dict[str, Any]:
        """Give how a chat is set. Raises `Refused`."""
        return await self._database.read(lambda execute: settings(execute, owned.key))

    async def set_settings(
        self, session: Session, owned: Owned, chain: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Set how a chat is; what is not given stays. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> dict[str, Any]:
            self._roles.refuse_others(execute, owned, session)
            kept = set_settings(execute, owned.key, given)
            act = Act("settings", session.public, detail=given)
            audit.record(execute, owned.key, act, at_ms)
            return kept

        def tell(room: Room, settings: dict[str, Any]) -> None:
            room.tell(room.frame("settings", settings=settings))

        return await self.act(session, owned, chain, write, tell)

    # --- filters: of a stream, or (None) of all ----------------------------------------------

    async def filters(self, session: Session, owned: Owned | None) -> list[dict[str, Any]]:
        """List the words that are looked for. Raises `Refused`."""

        def look(execute: Execute) -> list[dict[str, Any]]:
            return filters.listed(execute, self._of_filters(execute, owned, session))

        return await self._database.read(look)

    async def add_filter(
        self, session: Session, owned: Owned | None, wanted: Filter
    ) -> dict[str, Any]:
        """Look for a word from now on. Raises `Refused`."""
        self._take_act(session)
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> int:
            key = self._of_filters(execute, owned, session)
            number = self._filters.add(execute, key, wanted, by=session.public, at_ms=at_ms)
            detail: Detail = {"action": wanted.action, "within_words": wanted.within_words}
            act = Act("add-filter", session.public, reason=wanted.pattern, detail=detail)
            audit.record(execute, key, act, at_ms)
            return number

        return {"number": await self._database.write(write)}

    async def remove_filter(self, session: Session, owned: Owned | None, number: int) -> None:
        """Look for a word no more. Raises `Refused`."""
        self._take_act(session)
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> None:
            key = self._of_filters(execute, owned, session)
            pattern = self._filters.remove(execute, key, number)
            act = Act("remove-filter", session.public, reason=pattern)
            audit.record(execute, key, act, at_ms)

        await self._database.write(write)

    def _of_filters(self, execute: Execute, owned: Owned | None, session: Session) -> StreamKey:
        if owned is None:
            self._roles.refuse_but_operator(session)
            return ALL_STREAMS
        self._roles.refuse_others(execute, owned, session)
        return owned.key

    # --- what waits --------------------------------------------------------------------------

    async def held(self, session: Session, owned: Owned) -> list[dict[str, Any]]:
        """List messages that wait for a moderator, the oldest first. Raises `Refused`."""

        def look(execute: Execute) -> list[dict[str, Any]]:
            self._roles.refuse_others(execute, owned, session)
            return held.listed(execute, owned.key)

        return await self._database.read(look)

    async def release(
        self, session: Session, owned: Owned, chain: str, number: int
    ) -> dict[str, Any]:
        """Let a message that waits be said now. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> Message:
            self._roles.refuse_others(execute, owned, session)
            waits = held.take(execute, owned.key, number)
            said = Said(waits.client_id, waits.text, waits.reply_to)
            message = messages.add(execute, owned.key, waits.public, said, role="", at_ms=at_ms)
            act = Act(
                "release", session.public, waits.public, detail={"message": message["number"]}
            )
            audit.record(execute, owned.key, act, at_ms)
            return message

        def tell(room: Room, message: Message) -> None:
            room.add(message)

        return await self.act(session, owned, chain, write, tell)

    async def reject(
        self, session: Session, owned: Owned, chain: str, number: int, reason: str
    ) -> None:
        """Let a message that waits never be said. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> held.Held:
            self._roles.refuse_others(execute, owned, session)
            waits = held.take(execute, owned.key, number)
            act = Act("reject", session.public, waits.public, reason)
            audit.record(execute, owned.key, act, at_ms)
            return waits

        def tell(room: Room, waits: held.Held) -> None:
            room.tell(room.frame("rejected", id=waits.client_id), of_account(waits.public))

        await self.act(session, owned, chain, write, tell, forgets=True)

    # --- people ----------------------------------------------------------------------------

    async def mute(
        self,
        session: Session,
        owned: Owned,
        chain: str,
        who: str,
        muted: Muted,
    ) -> dict[str, Any]:
        """Let an account not speak for a while, or ever again. Raises `Refused`."""
        at_ms = self._chat.now_ms()
        until_ms = None if muted.seconds is None else at_ms + muted.seconds * 1000

        def write(execute: Execute) -> tuple[bytes, int]:
            public = account_of(execute, who)
            self._roles.refuse_below(execute, owned, session, public)
            moderation.mute(execute, owned.key, public, until_ms=until_ms, at_ms=at_ms)
            addresses = 0
            if muted.addresses:
                addresses = address_bans.ban(
                    execute, owned.key, public, until_ms=until_ms, at_ms=at_ms
                )
            if muted.seconds is None:
                held.drop(execute, owned.key, public)
            name = "ban" if muted.seconds is None else "time-out"
            detail: dict[str, int | bool] = {"addresses": muted.addresses}
            if muted.seconds is not None:
                detail["seconds"] = muted.seconds
            act = Act(name, session.public, public, muted.reason, detail)
            audit.record(execute, owned.key, act, at_ms)
            return public, addresses

        def tell(room: Room, done: tuple[bytes, int]) -> None:
            room.tell(room.frame("muted", until_ms=until_ms), of_account(done[0]))

        public, addresses = await self.act(session, owned, chain, write, tell)
        return {"account": address_of(public), "until_ms": until_ms, "addresses": addresses}

    async def unmute(
        self, session: Session, owned: Owned, chain: str, who: str, reason: str
    ) -> dict[str, Any]:
        """Let an account speak again. Raises `Refused`."""
        at_ms = self._chat.now_ms()

        def write(execute: Execute) -> bytes:
            self._roles.refuse_others(execute, owned, session)
            public = account_of(execute, who)
            address_bans.lift(execute, owned.key, public)
            if moderation.unmute(execute, owned.key, public):
                act = Act("let-speak", session.public, public, reason)
                audit.record(execute, owned.key, act, at_ms)
            return public

        def tell(room: Room, public: bytes) -> None:
            room.tell(room.frame("unmuted"), of_account(public))

        return {"account": address_of(await self.act(session, owned, chain, write, tell))}

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

        public = await self.act(session, owned, chain, write, tell)
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
