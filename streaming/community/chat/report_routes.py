"""The paths of reports: making one, the queue of who moderates, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from streaming.community.account_routes import AccountRoutes, answer
from streaming.community.audit import read_reason
from streaming.community.chat import reports
from streaming.community.chat.moderation import MUTE_MAX_S
from streaming.community.chat.report_desk import About, Answer, ReportDesk
from streaming.community.host import Host
from streaming.community.ledger import Ledger, owned_now, stream_in
from streaming.community.refusal import Refused
from streaming.community.texts import only, whole

MESSAGE_MAX = 10**18


class ReportRoutes:
    """Handlers of reports and of what waits for a moderator."""

    def __init__(
        self, host: Host, ledger: Ledger, accounts: AccountRoutes, desk: ReportDesk
    ) -> None:
        self._host = host
        self._ledger = ledger
        self._accounts = accounts
        self._desk = desk

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """What is about a stream, below `prefix`."""
        path = f"{prefix}/streams/{{stream}}/chat"
        return [
            web.post(f"{path}/reports", self.report),
            web.post(f"{path}/reports/answer", self.answer),
            web.get(f"{path}/queue", self.queue),
        ]

    def routes_of_all(self, prefix: str) -> list[web.RouteDef]:
        """What is about all streams, below `prefix`."""
        return [
            web.get(f"{prefix}/reports", self.own),
            web.get(f"{prefix}/queue", self.queue_of_all),
        ]

    async def report(self, request: web.Request) -> web.Response:
        """POST streams/{stream}/chat/reports."""
        session = await self._accounts.session(request)
        body = await self._host.json_of(request)
        only(body, ("reason",), ("message", "account", "text"))
        why = reports.read_reason(body["reason"], body.get("text", ""))
        owned = await self._ledger.lately(*stream_in(request))
        return answer(await self._desk.report(session, owned, _about(body), why), 201)

    async def own(self, request: web.Request) -> web.Response:
        """GET reports."""
        session = await self._accounts.session(request)
        return answer({"reports": await self._desk.own(session)})

    async def queue(self, request: web.Request) -> web.Response:
        """GET streams/{stream}/chat/queue."""
        session = await self._accounts.session(request)
        owned, _ = await owned_now(self._ledger, request)
        return answer(await self._desk.queue(session, owned))

    async def queue_of_all(self, request: web.Request) -> web.Response:
        """GET queue."""
        session = await self._accounts.session(request)
        return answer(await self._desk.queue(session, None))

    async def answer(self, request: web.Request) -> web.Response:
        """POST streams/{stream}/chat/reports/answer."""
        session = await self._accounts.session(request)
        body = await self._host.json_of(request)
        only(body, ("answer",), ("message", "account", "seconds", "reason"))
        about, what = _about(body), _answer(body)
        return answer(
            await self._desk.answer(session, *await owned_now(self._ledger, request), about, what)
        )


def _about(body: Mapping[str, Any]) -> About:
    message, who = body.get("message"), body.get("account")
    if (message is None) == (who is None):
        raise Refused(
            400, "field-missing", "give one of message (its number) and account", field="message"
        )
    if message is not None:
        return About(whole(message, "message", least=1, most=MESSAGE_MAX), None)
    if not isinstance(who, str):
        raise Refused(400, "field-invalid", "account is a handle or an address", field="account")
    return About(None, who)


def _answer(body: Mapping[str, Any]) -> Answer:
    kind, seconds = body["answer"], body.get("seconds")
    if kind not in reports.ANSWERS:
        known = ", ".join(reports.ANSWERS)
        raise Refused(400, "field-invalid", f"answer is one of {known}", field="answer")
    if kind == reports.TIME_OUT:
        seconds = whole(seconds, "seconds", least=1, most=MUTE_MAX_S)
    elif seconds is not None:
        raise Refused(400, "field-invalid", "seconds are of a time-out alone", field="seconds")
    if kind == reports.DELETE and body.get("message") is None:
        raise Refused(
            400, "field-invalid", "only a message can be deleted: give its number", field="message"
        )
    return Answer(kind, seconds, read_reason(body.get("reason", "")))
