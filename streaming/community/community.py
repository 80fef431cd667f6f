"""The community put together, and its paths."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web

from streaming.community.account_routes import AccountRoutes
from streaming.community.accounts import Accounts, ClockMs, now_ms
from streaming.community.addresses import is_address, public_of
from streaming.community.card_routes import CardRoutes
from streaming.community.cards import Cards
from streaming.community.challenges import Challenges
from streaming.community.chat.chat import Chat
from streaming.community.chat.desk import Desk
from streaming.community.chat.desk_routes import DeskRoutes
from streaming.community.chat.filters import Filters
from streaming.community.chat.report_desk import ReportDesk
from streaming.community.chat.report_routes import ReportRoutes
from streaming.community.chat.roles import Roles
from streaming.community.chat.routes import ChatRoutes
from streaming.community.chat.rules import Rules
from streaming.community.chat.socket import Sockets
from streaming.community.database.database import Database
from streaming.community.database.engine import Engine
from streaming.community.host import Host
from streaming.community.ledger import Ledger, Owned, StreamKey
from streaming.community.profile_routes import ProfileRoutes
from streaming.community.profiles import Profiles
from streaming.community.refusal import Refused
from streaming.pace import Clock

STREAMS_PREFIX: Final = "/api/v1"
PREFIX: Final = f"{STREAMS_PREFIX}/community"


class Community:
    """Everything that one server keeps about people."""

    def __init__(
        self,
        engine: Engine,
        host: Host,
        *,
        operators: Iterable[bytes] = (),
        clock: Clock = time.monotonic,
        wall: ClockMs = now_ms,
    ) -> None:
        """`operators` are the public keys of those who have all streams in their care."""
        self._database = Database(engine)
        accounts = Accounts(self._database, wall)
        self.accounts = AccountRoutes(
            host, self._database, accounts, Challenges(host.origin), clock=clock, wall=wall
        )
        self._people = Profiles(self._database, wall)
        self._profiles = ProfileRoutes(host, self.accounts, self._people, clock=clock)

        self._ledger = Ledger(host, clock)
        self._cards = Cards(self._database, wall)
        self._card_routes = CardRoutes(
            host, self._ledger, self.accounts, self._cards, clock=clock, wall=wall
        )
        rules = Rules(Roles(operators), Filters())
        chat = Chat(self._database, rules, clock=clock, wall=wall)
        self._chat = chat
        self._chat_routes = ChatRoutes(host, self._ledger, self.accounts, chat)
        desk = Desk(self._database, chat, rules, clock=clock)
        self._desk_routes = DeskRoutes(host, self._ledger, self.accounts, desk)
        report_desk = ReportDesk(self._database, chat, desk, rules.roles, clock=clock)
        self._report_routes = ReportRoutes(host, self._ledger, self.accounts, report_desk)
        self._sockets = Sockets(host, self._ledger, accounts, chat)
        accounts.on_ended, accounts.on_deleted = chat.session_ended, chat.account_deleted

    def routes(self) -> list[web.RouteDef]:
        """What is about people, whatever chain they pay on."""
        live = web.get(f"{PREFIX}/live", self._sockets.open)
        return [
            *self.accounts.routes(PREFIX),
            *self._profiles.routes(PREFIX),
            *self._desk_routes.operator_routes(PREFIX),
            *self._report_routes.routes_of_all(PREFIX),
            live,
        ]

    def routes_of_a_chain(self) -> list[web.RouteDef]:
        """What is about a chain's streams."""
        return [
            *self._card_routes.routes(STREAMS_PREFIX),
            *self._chat_routes.routes(STREAMS_PREFIX),
            *self._desk_routes.routes(STREAMS_PREFIX),
            *self._report_routes.routes(STREAMS_PREFIX),
        ]

    async def describe(self, chain: str, streams: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add to streams, as the relayer lists them, what their owners say: `card`, `owner_name`.

        Without what cannot be read at the moment: the ledger's part does not wait for it.
        """
        try:
            genesis = await self._ledger.genesis(chain)
            owned = [
                Owned(StreamKey(genesis, one["id"]), public_of(one["owner"])) for one in streams
            ]
            known = await self._cards.listed(owned)
        except Refused:
            return streams
        return [{**stream, **known[one.key]} for stream, one in zip(streams, owned, strict=True)]

    async def knows(self, who: str) -> bool:
        """Tell whether a handle is somebody's. An address always is: it may own streams."""
        if is_address(who):
            return True
        try:
            await self._people.of(who, None)
        except Refused as refused:
            return refused.problem.status != 404
        return True

    @property
    def listeners(self) -> int:
        """How many pages hear what is live."""
        return len(self._sockets)

    async def check_tables(self) -> None:
        """Raises `Refused` where the tables cannot be read."""
        await self._database.read(lambda execute: execute("SELECT 1"))

    async def check_ledger(self) -> None:
        """Raises `Refused` where nobody answers for the ledger."""
        await self._ledger.check()

    async def close(self) -> None:
        """End what is under way and let go of the database."""
        await self._sockets.close()
        await self._chat.settled()
        await self._database.close()
