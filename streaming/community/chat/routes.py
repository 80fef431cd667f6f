"""The paths of chat beside the WebSocket: history, saying, and moderation, for each chain."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from streaming.community.account_routes import AccountRoutes, answer
from streaming.community.chat.chat import HISTORY_MAX, SLOW_MODE_MAX_S, Chat
from streaming.community.chat.messages import read_said
from streaming.community.chat.moderation import MUTE_MAX_S
from streaming.community.host import Host
from streaming.community.ledger import Ledger, Owned, query_number, stream_in
from streaming.community.refusal import Refused
from streaming.community.texts import only, whole

_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class ChatRoutes:
    """Handlers of `streams/{stream}/chat`."""

    def __init__(self, host: Host, ledger: Ledger, accounts: AccountRoutes, chat: Chat) -> None:
        self._host = host
        self._ledger = ledger
        self._accounts = accounts
        self._chat = chat

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The paths below `prefix`."""
        path = f"{prefix}/streams/{{stream}}/chat"
        return [
            web.get(path, self.history),
            web.post(path, self.say),
            web.put(f"{path}/settings", self.settings),
            web.delete(f"{path}/messages/{{number}}", self.delete),
            web.get(f"{path}/mutes", self.mutes),
            web.put(f"{path}/mutes/{{who}}", self.mute),
            web.delete(f"{path}/mutes/{{who}}", self.unmute),
            web.get(f"{path}/moderators", self.moderators),
            web.put(f"{path}/moderators/{{who}}", self.name_moderator),
            web.delete(f"{path}/moderators/{{who}}", self.dismiss_moderator),
        ]

    async def _now(self, request: web.Request) -> tuple[Owned, str]:
        chain, number = stream_in(request)
        return await self._ledger.now(chain, number), chain

    async def history(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat."""
        owned = await self._ledger.lately(*stream_in(request))
        limit = query_number(request, "limit")
        found = await self._chat.history(
            owned,
            before=query_number(request, "before"),
            after=query_number(request, "after"),
            limit=max(1, min(HISTORY_MAX if limit is None else limit, HISTORY_MAX)),
        )
        return answer({"messages": found})

    async def say(self, request: web.Request) -> web.Response:
        """POST streams/{stream}/chat."""
        session = await self._accounts.session(request)
        body = await self._host.json_of(request)
        only(body, ("id", "text"))
        said = read_said(body["id"], body["text"])
        chain, number = stream_in(request)
        owned = await self._ledger.lately(chain, number)
        address = self._host.address_of(request)
        return answer(await self._chat.say(session, owned, chain, said, address))

    async def settings(self, request: web.Request) -> web.Response:
        """PUT streams/{stream}/chat/settings."""
        session = await self._accounts.session(request)
        body = await self._host.json_of(request)
        only(body, ("slow_mode_s",))
        seconds = whole(body["slow_mode_s"], "slow_mode_s", least=0, most=SLOW_MODE_MAX_S)
        return answer(await self._chat.set_slow_mode(session, *await self._now(request), seconds))

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/chat/messages/{number}."""
        session = await self._accounts.session(request)
        text = request.match_info["number"]
        if not _NUMBER.fullmatch(text):
            raise Refused(404, "message-not-found", "messages have numbers: give one")
        await self._chat.delete(session, *await self._now(request), int(text))
        return answer({"deleted": True})

    async def mutes(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/mutes."""
        session = await self._accounts.session(request)
        owned, _ = await self._now(request)
        return answer({"mutes": await self._chat.mutes(session, owned)})

    async def mute(self, request: web.Request) -> web.Response:
        """PUT streams/{stream}/chat/mutes/{who}."""
        session = await self._accounts.session(request)
        body = await self._host.json_of(request)
        only(body, ("seconds",))
        seconds = body["seconds"]
        if seconds is not None:
            seconds = whole(seconds, "seconds", least=1, most=MUTE_MAX_S)
        who = request.match_info["who"]
        return answer(await self._chat.mute(session, *await self._now(request), who, seconds))

    async def unmute(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/chat/mutes/{who}."""
        session = await self._accounts.session(request)
        who = request.match_info["who"]
        return answer(await self._chat.unmute(session, *await self._now(request), who))

    async def moderators(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/moderators."""
        owned = await self._ledger.lately(*stream_in(request))
        return answer({"moderators": await self._chat.moderators(owned)})

    async def name_moderator(self, request: web.Request) -> web.Response:
        """PUT streams/{stream}/chat/moderators/{who}."""
        return await self._set_moderator(request, moderates=True)

    async def dismiss_moderator(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/chat/moderators/{who}."""
        return await self._set_moderator(request, moderates=False)

    async def _set_moderator(self, request: web.Request, *, moderates: bool) -> web.Response:
        session = await self._accounts.session(request)
        owned, chain = await self._now(request)
        who = request.match_info["who"]
        return answer(
            await self._chat.set_moderator(session, owned, chain, who, moderates=moderates)
        )
