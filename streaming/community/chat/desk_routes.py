"""The paths of moderation: of a stream's chat, for each chain, and of the operator's view."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from streaming.community.account_routes import AccountRoutes, answer
from streaming.community.audit import LISTED_MAX, read_reason
from streaming.community.chat.desk import Desk, Muted
from streaming.community.chat.filters import read_filter
from streaming.community.chat.moderation import MUTE_MAX_S
from streaming.community.chat.routes import number_in_path, optional_body
from streaming.community.chat.settings import read_settings
from streaming.community.host import Host
from streaming.community.ledger import Ledger, Owned, owned_now, query_number, stream_in
from streaming.community.refusal import Refused
from streaming.community.texts import only, whole

ACTS_DEFAULT: Final = 50


class DeskRoutes:
    """Handlers of what moderators do."""

    def __init__(self, host: Host, ledger: Ledger, accounts: AccountRoutes, desk: Desk) -> None:
        self._host = host
        self._ledger = ledger
        self._accounts = accounts
        self._desk = desk

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """What is about a stream, below `prefix`."""
        path = f"{prefix}/streams/{{stream}}/chat"
        return [
            web.get(f"{path}/settings", self.shown_settings),
            web.put(f"{path}/settings", self.settings),
            web.get(f"{path}/mutes", self.mutes),
            web.put(f"{path}/mutes/{{who}}", self.mute),
            web.delete(f"{path}/mutes/{{who}}", self.unmute),
            web.get(f"{path}/moderators", self.moderators),
            web.put(f"{path}/moderators/{{who}}", self.name_moderator),
            web.delete(f"{path}/moderators/{{who}}", self.dismiss_moderator),
            web.get(f"{path}/filters", self.filters),
            web.post(f"{path}/filters", self.add_filter),
            web.delete(f"{path}/filters/{{number}}", self.remove_filter),
            web.get(f"{path}/held", self.held),
            web.post(f"{path}/held/{{number}}", self.release),
            web.delete(f"{path}/held/{{number}}", self.reject),
            web.get(f"{path}/acts", self.acts),
        ]

    def operator_routes(self, prefix: str) -> list[web.RouteDef]:
        """What is about all streams, below `prefix`."""
        return [
            web.get(f"{prefix}/filters", self.filters),
            web.post(f"{prefix}/filters", self.add_filter),
            web.delete(f"{prefix}/filters/{{number}}", self.remove_filter),
            web.get(f"{prefix}/acts", self.all_acts),
        ]

    # --- settings --------------------------------------------------------------------------

    async def shown_settings(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/settings."""
        return answer(await self._desk.settings(await self._ledger.lately(*stream_in(request))))

    async def settings(self, request: web.Request) -> web.Response:
        """PUT streams/{stream}/chat/settings."""
        session = await self._accounts.session(request)
        given = read_settings(await self._host.json_of(request))
        return answer(
            await self._desk.set_settings(session, *await owned_now(self._ledger, request), given)
        )

    # --- filters -----------------------------------------------------------------------------

    async def filters(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/filters and filters."""
        session = await self._accounts.session(request)
        return answer({"filters": await self._desk.filters(session, await self._one(request))})

    async def add_filter(self, request: web.Request) -> web.Response:
        """POST streams/{stream}/chat/filters and filters."""
        session = await self._accounts.session(request)
        body = await self._host.json_of(request)
        only(body, ("pattern", "action"), ("within_words",))
        wanted = read_filter(body["pattern"], body["action"], body.get("within_words", False))
        return answer(await self._desk.add_filter(session, await self._one(request), wanted), 201)

    async def remove_filter(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/chat/filters/{number} and filters/{number}."""
        session = await self._accounts.session(request)
        number = number_in_path(request, "filter-not-found")
        await self._desk.remove_filter(session, await self._one(request), number)
        return answer({"removed": True})

    async def _one(self, request: web.Request) -> Owned | None:
        """Give the stream of a path, None where it is about all."""
        if "stream" not in request.match_info:
            return None
        return (await owned_now(self._ledger, request))[0]

    # --- what waits --------------------------------------------------------------------------

    async def held(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/held."""
        session = await self._accounts.session(request)
        owned, _ = await owned_now(self._ledger, request)
        return answer({"held": await self._desk.held(session, owned)})

    async def release(self, request: web.Request) -> web.Response:
        """POST streams/{stream}/chat/held/{number}."""
        session = await self._accounts.session(request)
        number = number_in_path(request, "held-not-found")
        return answer(
            await self._desk.release(session, *await owned_now(self._ledger, request), number)
        )

    async def reject(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/chat/held/{number}."""
        session = await self._accounts.session(request)
        number = number_in_path(request, "held-not-found")
        reason = read_reason((await optional_body(self._host, request, "reason")).get("reason", ""))
        await self._desk.reject(session, *await owned_now(self._ledger, request), number, reason)
        return answer({"rejected": True})

    # --- people ----------------------------------------------------------------------------

    async def mutes(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/mutes."""
        session = await self._accounts.session(request)
        owned, _ = await owned_now(self._ledger, request)
        return answer({"mutes": await self._desk.mutes(session, owned)})

    async def mute(self, request: web.Request) -> web.Response:
        """PUT streams/{stream}/chat/mutes/{who}."""
        session = await self._accounts.session(request)
        body = await self._host.json_of(request)
        only(body, ("seconds",), ("reason", "addresses"))
        seconds = body["seconds"]
        if seconds is not None:
            seconds = whole(seconds, "seconds", least=1, most=MUTE_MAX_S)
        addresses = body.get("addresses", False)
        if not isinstance(addresses, bool):
            raise Refused(400, "field-invalid", "addresses is true or false", field="addresses")
        muted = Muted(seconds, read_reason(body.get("reason", "")), addresses)
        who = request.match_info["who"]
        return answer(
            await self._desk.mute(session, *await owned_now(self._ledger, request), who, muted)
        )

    async def unmute(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/chat/mutes/{who}."""
        session = await self._accounts.session(request)
        body = await optional_body(self._host, request, "reason")
        reason = read_reason(body.get("reason", ""))
        who = request.match_info["who"]
        return answer(
            await self._desk.unmute(session, *await owned_now(self._ledger, request), who, reason)
        )

    async def moderators(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/moderators."""
        owned = await self._ledger.lately(*stream_in(request))
        return answer({"moderators": await self._desk.moderators(owned)})

    async def name_moderator(self, request: web.Request) -> web.Response:
        """PUT streams/{stream}/chat/moderators/{who}."""
        return await self._set_moderator(request, moderates=True)

    async def dismiss_moderator(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/chat/moderators/{who}."""
        return await self._set_moderator(request, moderates=False)

    async def _set_moderator(self, request: web.Request, *, moderates: bool) -> web.Response:
        session = await self._accounts.session(request)
        owned, chain = await owned_now(self._ledger, request)
        who = request.match_info["who"]
        return answer(
            await self._desk.set_moderator(session, owned, chain, who, moderates=moderates)
        )

    # --- the log ---------------------------------------------------------------------------

    async def acts(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/acts."""
        session = await self._accounts.session(request)
        owned, _ = await owned_now(self._ledger, request)
        return answer({"acts": await self._desk.acts(session, owned, *_page(request))})

    async def all_acts(self, request: web.Request) -> web.Response:
        """GET acts."""
        session = await self._accounts.session(request)
        return answer({"acts": await self._desk.all_acts(session, *_page(request))})


def _page(request: web.Request) -> tuple[int | None, int]:
    limit = query_number(request, "limit")
    least_and_most = max(1, min(ACTS_DEFAULT if limit is None else limit, LISTED_MAX))
    return query_number(request, "before"), least_and_most
