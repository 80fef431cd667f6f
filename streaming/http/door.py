"""The door: what is checked about a request before anything of it is believed or even read.

Address and pace first, then the token's form, then the relayer's word about the token. Bodies of
requests that fail any of these are not read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from streaming.http.client_address import ClientAddresses
from streaming.http.limits import (
    ChecksAtOnce,
    HalfOpen,
    Limits,
    RefusedTokens,
    too_many,
)
from streaming.http.problem import ProblemError
from streaming.http.request_input import LINK, bearer
from streaming.pace import Clock, Pace
from streaming.session_state import StreamRef

UNAUTHORIZED: Final = 401


class Door:
    """All that is counted by address, for one server."""

    def __init__(
        self,
        limits: Limits,
        trusted_proxies: Iterable[str] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        """Raises `client_address.ProxyInvalid`."""
        self.limits = limits
        self.addresses = ClientAddresses(trusted_proxies)
        self.half_open = HalfOpen(limits.half_open_per_address, limits.half_open_per_stream, clock)
        self._requests = Pace(limits.requests_per_second, limits.requests_per_second * 4, clock)
        self._joins = Pace(limits.joins_per_minute / 60, limits.joins_per_minute / 4, clock)
        self._refused = RefusedTokens(clock)
        self._checks = ChecksAtOnce()
        self.refusals = 0
        """Requests that a limit by address has refused since the start."""

    @web.middleware
    async def keep_pace(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests of an address that asks too often."""
        address = self.addresses.of(request)
        wait = self._requests.take(address)
        if wait:
            self.refusals += 1
            raise too_many(
                429,
                "too-many-requests",
                f"your address {address} sends more than {self.limits.requests_per_second:g} "
                "requests a second",
                wait,
            )
        return await handler(request)

    def take_join(self, request: web.Request) -> str | None:
        """Count an offer. Returns the client's address. Raises `ProblemError` 429."""
        address = self.addresses.of(request)
        wait = self._joins.take(address)
        if wait:
            self.refusals += 1
            raise too_many(
                429,
                "too-many-joins",
                f"your address {address} sends more than {self.limits.joins_per_minute:g} offers "
                "a minute",
                wait,
            )
        return address

    async def ask_about_token(
        self,
        request: web.Request,
        method: str,
        stream: StreamRef,
        address: str | None,
        token: str | None = None,
    ) -> str:
        """Let the relayer judge the request's token. Returns it. Raises `ProblemError`.

        `method` is `watch` or `publish`. `token` is one that did not come as a bearer's. A token
        that was just refused is not asked about again.
        """
        token = bearer(request) if token is None else token
        token_there = f"{stream.chain}/{token}"  # what one chain refuses another may know
        self._refused.check(token_there)
        params: dict[str, Any] = {"token": token, "stream": stream.number}
        with self._checks.one(address):
            try:
                await request.app[LINK].request(method, params, chain=stream.chain)
            except ProblemError as error:
                if error.problem.status == UNAUTHORIZED:
                    self._refused.remember(token_there, error)
                raise
        return token


DOOR: Final = web.AppKey("door", Door)
