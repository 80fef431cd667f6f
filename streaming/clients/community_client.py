"""The community of a server as a typed client: accounts, profiles, cards and chat."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final
from urllib.parse import quote, urlencode

from streaming.clients.rest_client import RestClient
from streaming.clients.signer import Signer

PREFIX: Final = "/api/v1/community"


class CommunityClient:
    """What one person does in a server's community. Every method raises `ClientError`."""

    def __init__(self, rest: RestClient, token: str | None = None) -> None:
        """`token` is a session's, where somebody has signed in before."""
        self._rest = rest
        self.token = token

    def __repr__(self) -> str:
        return f"<community of {self._rest.server}>"

    async def sign_in(self, signer: Signer, device: str = "") -> dict[str, Any]:
        """Begin a session for one signature: `account`, `id`, `expires_at_ms` and `token`."""
        asked = {"account": signer.account}
        challenge = await self.ask("POST", f"{PREFIX}/challenge", json=asked)
        signature = await asyncio.to_thread(signer.sign, str(challenge["message"]).encode())
        body = {
            "challenge": challenge["challenge"],
            "signature": "0x" + signature.hex(),
            "device": device,
        }
        begun = await self.ask("POST", f"{PREFIX}/sessions", json=body)
        self.token = str(begun["token"])
        return begun

    async def sign_out(self) -> None:
        """End this session."""
        await self.ask("DELETE", f"{PREFIX}/sessions/current")
        self.token = None

    async def sessions(self) -> list[dict[str, Any]]:
        """Where this account is signed in."""
        return list((await self.ask("GET", f"{PREFIX}/sessions"))["sessions"])

    async def end_session(self, session: str) -> None:
        """End one of this account's sessions."""
        await self.ask("DELETE", f"{PREFIX}/sessions/{quote(session, safe='')}")

    async def export(self) -> dict[str, Any]:
        """Everything that is kept about this account."""
        return await self.ask("GET", f"{PREFIX}/account/export")

    async def delete_account(self) -> None:
        """Delete this account with everything about it, for good."""
        await self.ask("DELETE", f"{PREFIX}/account")
        self.token = None

    async def profile(self, who: str) -> dict[str, Any]:
        """Somebody's profile, by handle or address."""
        return await self.ask("GET", f"{PREFIX}/profiles/{quote(who, safe='')}")

    async def keep_profile(self, profile: dict[str, Any]) -> dict[str, Any]:
        """Replace this account's profile: `name`, `handle`, `about`, `links`, `languages`."""
        return await self.ask("PUT", f"{PREFIX}/profile", json=profile)

    async def follow(self, who: str, *, follows: bool = True) -> dict[str, Any]:
        """Follow somebody, or no more."""
        path = f"{PREFIX}/follows/{quote(who, safe='')}"
        return await self.ask("PUT" if follows else "DELETE", path)

    async def follows(self) -> list[dict[str, Any]]:
        """Whom this account follows."""
        return list((await self.ask("GET", f"{PREFIX}/follows"))["follows"])

    async def card(self, stream: int) -> dict[str, Any]:
        """What a stream is about, with its owner's signature."""
        return await self.ask("GET", _card(stream))

    async def cards(
        self,
        *,
        after: int | None = None,
        limit: int | None = None,
        **wanted: str | int | None,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """What owners say of a page of their streams, and the `after` of the next page.

        `wanted` is what they must say: `category`, `language`, `tag`, `text`, `starts_within_s`; or
        whose they are: `owner`, an address. A page of what fits may be empty, and another follow.
        """
        asked = {"after": after, "limit": limit, **wanted}
        given = {name: value for name, value in asked.items() if value not in (None, "")}
        body = await self.ask("GET", f"/api/v1/cards?{urlencode(given)}")
        return list(body["cards"]), body["next"]

    async def describe(self, stream: int, card: dict[str, Any], signer: Signer) -> dict[str, Any]:
        """Say what a stream of the signer's is about, for one signature."""
        asked = {**card, "account": signer.account}
        prepared = await self.ask("POST", _card(stream), json=asked)
        signature = await asyncio.to_thread(signer.sign, str(prepared["message"]).encode())
        signed = {"version": prepared["version"], "signature": "0x" + signature.hex()}
        return await self.ask("PUT", _card(stream), json={**prepared["card"], **signed})

    async def remove_card(self, stream: int) -> None:
        """Remove what was said of a stream of one's own."""
        await self.ask("DELETE", _card(stream))

    async def messages(self, stream: int, *, after: int | None = None) -> list[dict[str, Any]]:
        """A chat's latest messages, or the first after a number, in order."""
        query = "" if after is None else f"?after={after}"
        return list((await self.ask("GET", f"{_chat(stream)}{query}"))["messages"])

    async def say(
        self, stream: int, text: str, message_id: str | None = None, *, reply_to: int | None = None
    ) -> dict[str, Any]:
        """Say something, in answer to a message or not.

        Give the id of an earlier try to send the same message again.
        """
        body: dict[str, Any] = {"id": message_id or new_message_id(), "text": text}
        if reply_to is not None:
            body["reply_to"] = reply_to
        return await self.ask("POST", _chat(stream), json=body)

    async def report(
        self, stream: int, reason: str, *, message: int | None = None, who: str = "", text: str = ""
    ) -> int:
        """Report a message, or an account (`who`); gives the report's number."""
        target = {"account": who} if message is None else {"message": message}
        body = {**target, "reason": reason, "text": text}
        return int((await self.ask("POST", f"{_chat(stream)}/reports", json=body))["number"])

    async def reports(self) -> list[dict[str, Any]]:
        """What this account has reported, with the answers."""
        return list((await self.ask("GET", f"{PREFIX}/reports"))["reports"])

    async def ask(self, method: str, path: str, json: Any = None) -> dict[str, Any]:
        """Ask one thing, signed in if somebody is."""
        _, _, body = await self._rest.call(method, path, token=self.token, json=json)
        return dict(body)


def new_message_id() -> str:
    """An id for a message, to be sent again with it where no answer came."""
    return secrets.token_urlsafe(12)


def _card(stream: int) -> str:
    return f"/api/v1/streams/{stream}/card"


def _chat(stream: int) -> str:
    return f"/api/v1/streams/{stream}/chat"
