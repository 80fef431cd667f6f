"""The paths with which people sign in, see their devices, take their data and leave."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from streaming.community import accounts as about_accounts
from streaming.community import audit as about_acts
from streaming.community import cards as about_cards
from streaming.community import profiles as about_profiles
from streaming.community.accounts import DEVICE_CHARS_MAX, Accounts, ClockMs, Session, token_in
from streaming.community.addresses import address_of, public_of
from streaming.community.challenges import Challenges
from streaming.community.chat import messages as about_chat
from streaming.community.chat import reports as about_reports
from streaming.community.database.database import Database
from streaming.community.database.migrations import Execute
from streaming.community.host import Host
from streaming.community.refusal import too_often
from streaming.community.signatures import check_signed
from streaming.community.texts import line, only
from streaming.pace import Clock, Pace

SIGN_INS_PER_MINUTE: Final = 30
"""Of one address; as many at once. Each is a signature to check and a row to write."""
EXPORTS_PER_HOUR: Final = 12


def answer(value: Any, status: int = 200) -> web.Response:
    """Give a value as JSON that nobody on the way keeps."""
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


class AccountRoutes:
    """Handlers of `challenge`, `sessions` and `account`."""

    def __init__(
        self,
        host: Host,
        database: Database,
        accounts: Accounts,
        challenges: Challenges,
        *,
        clock: Clock,
        wall: ClockMs,
    ) -> None:
        self._host = host
        self._database = database
        self._accounts = accounts
        self._challenges = challenges
        self._wall = wall
        self._sign_ins = Pace(SIGN_INS_PER_MINUTE / 60, SIGN_INS_PER_MINUTE, clock)
        self._exports = Pace(EXPORTS_PER_HOUR / 3_600, 3, clock)

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The paths below `prefix`."""
        return [
            web.post(f"{prefix}/challenge", self.challenge),
            web.post(f"{prefix}/sessions", self.sign_in),
            web.get(f"{prefix}/sessions", self.devices),
            web.delete(f"{prefix}/sessions/{{id}}", self.end),
            web.get(f"{prefix}/account/export", self.export),
            web.delete(f"{prefix}/account", self.delete),
        ]

    async def session(self, request: web.Request) -> Session:
        """Give who asks. Raises `Refused` (401)."""
        token = token_in(request.headers.get("Authorization", ""))
        return await self._accounts.session(token)

    async def challenge(self, request: web.Request) -> web.Response:
        """POST challenge."""
        body = await self._host.json_of(request)
        only(body, ("account",))
        name, made = self._challenges.make(public_of(body["account"]), self._wall())
        return answer(
            {"challenge": name, "message": made.message, "expires_at_ms": made.expires_at_ms}
        )

    async def sign_in(self, request: web.Request) -> web.Response:
        """POST sessions."""
        wait_s = self._sign_ins.take(self._host.address_of(request))
        if wait_s:
            raise too_often(
                f"your address signs in more than {SIGN_INS_PER_MINUTE} times a minute", wait_s
            )
        body = await self._host.json_of(request)
        only(body, ("challenge", "signature"), ("device",))
        device = line(body.get("device", ""), "device", chars_max=DEVICE_CHARS_MAX)
        challenge = self._challenges.read(body["challenge"], self._wall())
        check_signed(challenge.public, challenge.message, body["signature"])
        return answer(await self._accounts.sign_in(challenge, device), 201)

    async def devices(self, request: web.Request) -> web.Response:
        """GET sessions."""
        session = await self.session(request)
        return answer(
            {
                "account": address_of(session.public),
                "sessions": await self._accounts.devices(session),
            }
        )

    async def end(self, request: web.Request) -> web.Response:
        """DELETE sessions/{id}."""
        await self._accounts.end(await self.session(request), request.match_info["id"])
        return answer({"ended": True})

    async def export(self, request: web.Request) -> web.Response:
        """GET account/export: everything about the account, as a file."""
        session = await self.session(request)
        wait_s = self._exports.take(session.public.hex())
        if wait_s:
            raise too_often(f"an export can be made {EXPORTS_PER_HOUR} times an hour", wait_s)

        def everything(execute: Execute) -> dict[str, Any]:
            return {
                **about_accounts.exported(execute, session.public),
                **about_profiles.exported(execute, session.public),
                **about_cards.exported(execute, session.public),
                **about_chat.exported(execute, session.public),
                **about_acts.exported(execute, session.public),
                **about_reports.exported(execute, session.public),
            }

        response = answer(await self._database.read(everything))
        response.headers["Content-Disposition"] = 'attachment; filename="paystream-account.json"'
        return response

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE account: for good, with everything about it."""
        await self._accounts.delete(await self.session(request))
        return answer({"deleted": True})
