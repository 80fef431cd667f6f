"""What the community gets of this server: its request reading, its addresses, and the ledger."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from streaming.community.refusal import Refused
from streaming.http.client_address import ClientAddresses
from streaming.http.problem import ProblemError
from streaming.http.request_input import json_of


class Asked(Protocol):
    """Whoever answers for the ledger: the relayers' links, or the media server's REST API."""

    async def request(self, method: str, params: dict[str, Any], *, chain: str = "") -> Any:
        """Ask about a chain. Raises `ProblemError`."""


class CommunityHost:
    """A `streaming.community.host.Host`."""

    def __init__(self, origin: str, ledger: Asked, addresses: ClientAddresses) -> None:
        self.origin = origin
        self._ledger = ledger
        self._addresses = addresses

    async def json_of(self, request: web.Request) -> dict[str, Any]:
        """Read the JSON object in a request's body."""
        return await json_of(request)

    def address_of(self, request: web.Request) -> str | None:
        """Give the client's address; None where its pace is not to be limited."""
        return self._addresses.of(request)

    async def ask(self, method: str, params: dict[str, Any], chain: str) -> Any:
        """Ask who answers for the ledger. Raises `Refused`."""
        try:
            return await self._ledger.request(method, params, chain=chain)
        except ProblemError as error:
            raise Refused.of(error.problem) from None
