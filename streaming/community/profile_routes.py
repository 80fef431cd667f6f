"""The paths of profiles and follows."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from streaming.community.account_routes import AccountRoutes, answer
from streaming.community.host import Host
from streaming.community.profiles import Profiles
from streaming.community.refusal import too_often
from streaming.pace import Clock, Pace

CHANGES_PER_MINUTE: Final = 60
"""Of one account: profile, follows and unfollows."""


class ProfileRoutes:
    """Handlers of `profile`, `profiles` and `follows`."""

    def __init__(
        self, host: Host, accounts: AccountRoutes, profiles: Profiles, *, clock: Clock
    ) -> None:
        self._host = host
        self._accounts = accounts
        self._profiles = profiles
        self._changes = Pace(CHANGES_PER_MINUTE / 60, CHANGES_PER_MINUTE / 2, clock)

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The paths below `prefix`."""
        return [
            web.put(f"{prefix}/profile", self.keep),
            web.get(f"{prefix}/profiles/{{who}}", self.profile),
            web.get(f"{prefix}/follows", self.followed),
            web.put(f"{prefix}/follows/{{who}}", self.follow),
            web.delete(f"{prefix}/follows/{{who}}", self.unfollow),
        ]

    async def keep(self, request: web.Request) -> web.Response:
        """PUT profile."""
        session = await self._accounts.session(request)
        self._take_change(session.public)
        return answer(await self._profiles.keep(session, await self._host.json_of(request)))

    async def profile(self, request: web.Request) -> web.Response:
        """GET profiles/{who}."""
        signed_in = "Authorization" in request.headers
        asking = await self._accounts.session(request) if signed_in else None
        return answer(await self._profiles.of(request.match_info["who"], asking))

    async def followed(self, request: web.Request) -> web.Response:
        """GET follows."""
        session = await self._accounts.session(request)
        return answer({"follows": await self._profiles.followed(session)})

    async def follow(self, request: web.Request) -> web.Response:
        """PUT follows/{who}."""
        session = await self._accounts.session(request)
        self._take_change(session.public)
        return answer(await self._profiles.follow(session, request.match_info["who"]))

    async def unfollow(self, request: web.Request) -> web.Response:
        """DELETE follows/{who}."""
        session = await self._accounts.session(request)
        self._take_change(session.public)
        return answer(await self._profiles.unfollow(session, request.match_info["who"]))

    def _take_change(self, public: bytes) -> None:
        wait_s = self._changes.take(public.hex())
        if wait_s:
            raise too_often(
                f"an account changes at most {CHANGES_PER_MINUTE} things a minute", wait_s
            )
