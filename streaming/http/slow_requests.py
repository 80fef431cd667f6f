"""The HTTP port's connections: a header has some seconds to arrive, an address so many of them.

aiohttp bounds how long a connection may be idle, not how slowly a header comes. This stands
between the socket and aiohttp's protocol and closes what is overdue, without looking into either.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar, cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streaming.http.client_address import ClientAddresses
from streaming.http.problem import ProblemError

KEEP_ALIVE_S = 75.0
"""How long a connection may be idle between two requests: longer than proxies keep theirs."""
LINGER_S = 2.0
"""How long the rest of a refused request's body is thrown away, so that its answer arrives."""

_GONE: Final = web.RequestKey("client_gone", asyncio.Event)
_T = TypeVar("_T")


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

    def begun(self, inner: object) -> asyncio.Event | None:
        """A request's header is complete: `inner` is aiohttp's protocol of it.

        Returns what is set when its client has hung up.
        """
        guarded = self._open.get(inner)  # type: ignore[call-overload]
        if guarded is None:
            return None
        guarded.header_came()
        return cast(asyncio.Event, guarded.gone)

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
        self.gone = asyncio.Event()
        """Set when the client has hung up."""
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
        self.gone.set()
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
        gone = guarded.begun(request.protocol)
        if gone is not None:
            request[_GONE] = gone
        try:
            return await handler(request)
        finally:
            guarded.over(request.protocol)

    return middleware


def has_gone(request: web.Request) -> bool:
    """Whether the request's client has hung up."""
    gone = request.get(_GONE)
    return gone is not None and gone.is_set()


async def while_there(request: web.Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Await what a client waits for, and cancel it when the client hangs up first.

    Raises `ProblemError` then, for an answer that nobody reads.
    """
    gone = request.get(_GONE)
    if gone is None:
        return await work
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone.wait())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    finally:
        working.cancel()
        leaving.cancel()
    if working.cancelled():
        raise ProblemError(408, "client-gone", "the client hung up before it had its answer")
    return working.result()
