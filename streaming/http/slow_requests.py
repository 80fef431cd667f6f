"""The HTTP port's connections: a header has some seconds to arrive, an address so many of them.

aiohttp bounds how long a connection may be idle, not how slowly a header comes. This stands
between the socket and aiohttp's protocol and closes what is overdue, without looking into either.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streaming.http.client_address import ClientAddresses

KEEP_ALIVE_S = 75.0
"""How long a connection may be idle between two requests: longer than proxies keep theirs."""
LINGER_S = 2.0
"""How long the rest of a refused request's body is thrown away, so that its answer arrives."""


class HttpConnections:
    """Makes the protocol of each TCP connection, and knows how many an address has."""

    def __init__(
        self,
        inner: Callable[[], asyncio.Protocol],
        addresses: ClientAddresses,
        *,
        header_timeout_s: float,
        per_address: int,
    ) -> None:
        self._inner = inner
        self._addresses = addresses
        self._header_timeout_s = header_timeout_s
        self._per_address = per_address
        self._counts: Counter[str] = Counter()
        self._open: dict[asyncio.Protocol, GuardedProtocol] = {}
        self.refused = 0
        """HttpConnections that were closed at once because their address had too many."""

    def __call__(self) -> asyncio.Protocol:
        """A protocol for `loop.create_server`."""
        return GuardedProtocol(self._inner(), self, self._header_timeout_s)

    def opened(self, guarded: GuardedProtocol, peer: str) -> bool:
        """Count a connection. Returns whether its address may have it."""
        key = self._addresses.of_peer(peer)
        if key is not None and 0 < self._per_address <= self._counts[key]:
            self.refused += 1
            return False
        if key is not None:
            self._counts[key] += 1
            guarded.key = key
        self._open[guarded.inner] = guarded
        return True

    def closed(self, guarded: GuardedProtocol) -> None:
        """Forget a connection."""
        self._open.pop(guarded.inner, None)
        if guarded.key is not None:
            self._counts[guarded.key] -= 1
            if not self._counts[guarded.key]:
                del self._counts[guarded.key]

    def begun(self, inner: object) -> None:
        """A request's header is complete: `inner` is aiohttp's protocol of it."""
        guarded = self._open.get(inner)  # type: ignore[call-overload]
        if guarded is not None:
            guarded.header_came()

    def over(self, inner: object) -> None:
        """A request has been handled: the next header may begin."""
        guarded = self._open.get(inner)  # type: ignore[call-overload]
        if guarded is not None:
            guarded.in_request = False


class GuardedProtocol(asyncio.Protocol):
    """Passes everything on, and closes a connection whose request's header does not come."""

    def __init__(
        self, inner: asyncio.Protocol, connections: HttpConnections, header_timeout_s: float
    ) -> None:
        self.inner = inner
        self.key: str | None = None
        self.in_request = False
        self._connections = connections
        self._timeout_s = header_timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection has come; it may be one too many."""
        tcp = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        if not self._connections.opened(self, str(name[0]) if name else ""):
            self._refused = True
            tcp.abort()
            return
        self._transport = tcp
        self._await_header()
        self.inner.connection_made(transport)

    def _await_header(self) -> None:
        if self._timeout_s > 0 and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._timeout_s, self._overdue)

    def _overdue(self) -> None:
        self._timer = None
        if self._transport is not None:
            self._transport.abort()

    def header_came(self) -> None:
        """A request has begun: its body has a time of its own."""
        self.in_request = True
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def data_received(self, data: bytes) -> None:
        """Bytes of a header, or of a body."""
        if not self.in_request:
            self._await_header()
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_waiting()
        self._transport = None
        if not self._refused:
            self._connections.closed(self)
            self.inner.connection_lost(exc)


def mark_requests(connections: Callable[[], HttpConnections | None]) -> Middleware:
    """A middleware that tells the connections when a request has begun, and when it is over."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        guarded = connections()
        if guarded is None:
            return await handler(request)
        guarded.begun(request.protocol)
        try:
            return await handler(request)
        finally:
            guarded.over(request.protocol)

    return middleware
