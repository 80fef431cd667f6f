"""The paths of chat beside the WebSocket: history, saying and deleting, for each chain."""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import web

from streaming.community.account_routes import AccountRoutes, answer
from streaming.community.audit import read_reason
from streaming.community.chat.chat import HISTORY_MAX, Chat
from streaming.community.chat.messages import read_said
from streaming.community.host import Host
from streaming.community.ledger import Ledger, owned_now, query_number, stream_in
from streaming.community.refusal import Refused
from streaming.community.texts import only

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
            web.delete(f"{path}/messages/{{number}}", self.delete),
        ]

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
        only(body, ("id", "text"), ("reply_to",))
        said = read_said(body["id"], body["text"], body.get("reply_to"))
        chain, number = stream_in(request)
        owned = await self._ledger.lately(chain, number)
        address = self._host.address_of(request)
        told = await self._chat.say(session, owned, chain, said, address)
        return answer(told, 202 if told.get("held") else 200)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE streams/{stream}/chat/messages/{number}."""
        session = await self._accounts.session(request)
        number = number_in_path(request, "message-not-found")
        reason = read_reason((await optional_body(self._host, request, "reason")).get("reason", ""))
        await self._chat.delete(session, *await owned_now(self._ledger, request), number, reason)
        return answer({"deleted": True})


def number_in_path(request: web.Request, code: str) -> int:
    """Give the `number` of a path. Raises `Refused` (404, under this code)."""
    text = request.match_info["number"]
    if not _NUMBER.fullmatch(text):
        raise Refused(404, code, "what is listed here has numbers: give one")
    return int(text)


async def optional_body(host: Host, request: web.Request, *fields: str) -> dict[str, Any]:
    """Read a body that may be left out, and has no other fields. Raises `Refused`."""
    body = await host.json_of(request) if request.can_read_body else {}
    only(body, (), fields)
    return body
