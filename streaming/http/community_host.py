"""What the community gets of this server: its request reading, its addresses and its link."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from streaming.community.refusal import Refused
from streaming.http.client_address import ClientAddresses
from streaming.http.links import Links
from streaming.http.problem import ProblemError
from streaming.http.request_input import json_of


class CommunityHost:
    """A `streaming.community.host.Host`."""

    def __init__(self, origin: str, link: Links, addresses: ClientAddresses) -> None:
        self.origin = origin
        self._link = link
        self._addresses = addresses

    async def json_of(self, request: web.Request) -> dict[str, Any]:
        """Read the JSON object in a request's body."""
        return await json_of(request)

    def address_of(self, request: web.Request) -> str | None:
        """Give the client's address; None where its pace is not to be limited."""
        return self._addresses.of(request)

    async def ask(self, method: str, params: dict[str, Any], chain: str) -> Any:
        """Ask the relayer. Raises `Refused`."""
        try:
            return await self._link.request(method, params, chain=chain)
        except ProblemError as error:
            raise Refused.of(error.problem) from None
