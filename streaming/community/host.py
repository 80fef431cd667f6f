"""What the community needs of the server that mounts it: requests read, and the relayer asked."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web


class Host(Protocol):
    """The server around the community. What it refuses it raises as `Refused`."""

    origin: str
    """The public address that people sign for."""

    async def json_of(self, request: web.Request) -> dict[str, Any]:
        """Read the JSON object in a request's body, of a bounded size within a bounded time."""

    def address_of(self, request: web.Request) -> str | None:
        """Give the client's address; None where its pace is not to be limited."""

    async def ask(self, method: str, params: dict[str, Any], chain: str) -> Any:
        """Ask the relayer about the chain of this name; the empty one is the chain without."""
