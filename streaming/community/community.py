"""The community put together, and its paths."""

from __future__ import annotations

import time
from typing import Final

from aiohttp import web

from streaming.community.account_routes import AccountRoutes
from streaming.community.accounts import Accounts, ClockMs, now_ms
from streaming.community.challenges import Challenges
from streaming.community.database.database import Database
from streaming.community.database.engine import Engine
from streaming.community.host import Host
from streaming.community.profile_routes import ProfileRoutes
from streaming.community.profiles import Profiles
from streaming.pace import Clock

PREFIX: Final = "/api/v1/community"


class Community:
    """Everything that one server keeps about people."""

    def __init__(
        self, engine: Engine, host: Host, *, clock: Clock = time.monotonic, wall: ClockMs = now_ms
    ) -> None:
        self._database = Database(engine)
        accounts = Accounts(self._database, wall)
        self.accounts = AccountRoutes(
            host, self._database, accounts, Challenges(host.origin), clock=clock, wall=wall
        )
        self._profiles = ProfileRoutes(
            host, self.accounts, Profiles(self._database, wall), clock=clock
        )

    def routes(self) -> list[web.RouteDef]:
        """What is about people, whatever chain they pay on."""
        return [*self.accounts.routes(PREFIX), *self._profiles.routes(PREFIX)]

    async def close(self) -> None:
        """End what is under way and let go of the database."""
        await self._database.close()
