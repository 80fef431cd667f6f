"""An HTTP proxy before `paystream serve` that puts a relay into each WHIP and WHEP answer.

All else passes as it is, at once: the path is the media's alone. Clients and server need not know
of it, but the server must be told the proxy's URL as its `--origin`, to which tokens are bound.
It works as long as the server sends nothing to candidates of the offer, which `serve` never does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from streaming.clients.path import answer
from streaming.clients.path.model import CLEAR, Counts, Path, PathSettings
from streaming.clients.path.relay import Ends, Relay

log = logging.getLogger(__name__)

STATISTICS: Final = "/_path"
"""Reserved: GET gives the statistics, and is not passed on."""
BODY_BYTES_MAX: Final = 16 << 20
"""More than the server takes, so that its own refusals are seen."""
REQUEST_SECONDS_MAX: Final = 60.0
LOOK_EVERY_S: Final = 5.0
LINGER_S: Final = 1.0
"""A relay stays for so long after its connection was deleted: the last words are on the way."""
_OFFERED: Final = re.compile(r"/(whep|whip)/[^/]+/?")
_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
     "te", "trailer", "transfer-encoding", "upgrade", "expect", "content-length")
)  # fmt: skip
"""Between two neighbours only (RFC 9110, 7.6.1); the length is written anew."""


class Side:
    """The viewers' side or the publishers' side: settings, and what became of packets."""

    def __init__(self, name: str, settings: PathSettings, seed: int, *, media_to_client: bool):
        """The rate limits the direction in which the media goes, and no other."""
        self._name = name
        self._seed = seed
        self._media_to_client = media_to_client
        self.settings = settings
        self.connections = 0
        """All until now."""
        self.relays: dict[str, Relay] = {}
        """The present ones, by the path of their WHIP or WHEP resource."""
        self.to_client, self.to_server = Counts(), Counts()

    def relay(self, ends: Ends) -> Relay:
        """A relay for another connection. Raises OSError."""
        to_client, to_server = self._directions(self.settings)
        seed = f"{self._seed}/{self._name}/{self.connections}"
        self.connections += 1
        return Relay(
            ends,
            Path(to_client, f"{seed}/to client", self.to_client),
            Path(to_server, f"{seed}/to server", self.to_server),
        )

    def _directions(self, settings: PathSettings) -> tuple[PathSettings, PathSettings]:
        unlimited = replace(settings, rate_kbps=None)
        return (settings, unlimited) if self._media_to_client else (unlimited, settings)

    def change(self, settings: PathSettings) -> None:
        """Use other settings from now on, also for connections that are there already."""
        self.settings = settings
        for relay in self.relays.values():
            for path, new in zip(relay.paths, self._directions(settings), strict=True):
                path.settings = new

    def close_idle(self) -> None:
        """Close the relays of connections that are gone without a word."""
        for resource, relay in list(self.relays.items()):
            if relay.idle():
                self.close(resource, relay)

    def close(self, resource: str, relay: Relay) -> None:
        """Close one relay."""
        relay.close()
        if self.relays.get(resource) is relay:
            del self.relays[resource]

    def statistics(self) -> dict[str, Any]:
        """Connections, and packets by direction."""
        return {
            "connections": self.connections,
            "open": len(self.relays),
            "to_client": self.to_client.as_dict(),
            "to_server": self.to_server.as_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class PathConfig:
    """Options of a path."""

    to: str
    """URL of the server."""
    listen_host: str = "127.0.0.1"
    listen_port: int = 0
    relay_host: str | None = None
    """Address that stands in the answers: one of this machine; `listen_host` if absent. Firefox
    and GStreamer reach no loopback address: give them another one."""
    viewers: PathSettings = CLEAR
    publishers: PathSettings = CLEAR
    seed: int = 1


class PathProxy:
    """The proxy and its relays. Make it within a running loop; see `path_before`."""

    def __init__(self, config: PathConfig) -> None:
        self._to = config.to.rstrip("/")
        self._near = urlsplit(config.to).hostname or ""
        self._relay_host = config.relay_host or config.listen_host
        self._session = aiohttp.ClientSession(
            # A connection for each request: the server may go and come back in between.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        self.viewers = Side("viewers", config.viewers, config.seed, media_to_client=True)
        self.publishers = Side("publishers", config.publishers, config.seed, media_to_client=False)
        self._looking = asyncio.get_running_loop().create_task(self._close_idle())

    def statistics(self) -> dict[str, Any]:
        """What became of packets, by side and direction."""
        return {
            "viewers": self.viewers.statistics(),
            "publishers": self.publishers.statistics(),
        }

    def application(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_get(STATISTICS, self._tell)
        app.router.add_route("*", "/{anything:.*}", self._pass)
        return app

    async def close(self) -> None:
        """Close all relays."""
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking
        for side in (self.viewers, self.publishers):
            for resource, relay in list(side.relays.items()):
                side.close(resource, relay)
        await self._session.close()

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.viewers.close_idle()
            self.publishers.close_idle()

    async def _tell(self, _request: web.Request) -> web.Response:
        return web.json_response(self.statistics())

    async def _pass(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            async with self._session.request(
                request.method,
                URL(self._to + request.raw_path, encoded=True),
                data=body if request.body_exists else None,
                headers=_passed_on(request.headers),
                allow_redirects=False,
            ) as answered:
                content = await answered.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            said = f"the path cannot reach {self._to}: {error or type(error).__name__}\n"
            return web.Response(status=502, text=said)
        headers = _passed_on(answered.headers)
        if "Content-Length" in answered.headers and not content:
            headers["Content-Length"] = answered.headers["Content-Length"]  # of a HEAD
        if request.method == "DELETE" and answered.status < 300:
            self._deleted(request.path)
        if request.method == "POST" and answered.status == 201:
            try:
                content = self._through_relay(request, headers, content)
            except (answer.NoCandidateError, OSError) as error:
                log.warning("%s: %s", request.path, error)
                return web.Response(status=502, text=f"no path for this connection: {error}\n")
        return web.Response(
            status=answered.status, reason=answered.reason, headers=headers, body=content
        )

    def _through_relay(
        self, request: web.Request, headers: CIMultiDict[str], content: bytes
    ) -> bytes:
        offered = _OFFERED.fullmatch(request.path)
        if offered is None:
            return content
        side = self.viewers if offered[1] == "whep" else self.publishers
        sdp = content.decode()
        server = answer.server_of(sdp, self._near)
        relay = side.relay(Ends(host=self._relay_host, server=server))
        location = URL(headers.get("Location", ""))
        side.relays[request.url.join(location).path] = relay
        return answer.through(sdp, relay.address).encode()

    def _deleted(self, resource: str) -> None:
        for side in (self.viewers, self.publishers):
            relay = side.relays.get(resource)
            if relay is not None:
                asyncio.get_running_loop().call_later(LINGER_S, side.close, resource, relay)


def _passed_on(headers: Any) -> CIMultiDict[str]:
    """All headers but those of one hop."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    dropped = _HOP_BY_HOP | named
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in dropped
    )


@dataclass(frozen=True)
class RunningPath:
    """A path that stands, and the URL that clients are given."""

    proxy: PathProxy
    url: str


@contextlib.asynccontextmanager
async def path_before(config: PathConfig) -> AsyncIterator[RunningPath]:
    """Run a path while the block does. Raises OSError if it cannot listen."""
    proxy = PathProxy(config)
    runner = web.AppRunner(proxy.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.listen_host, config.listen_port).start()
        host, port = runner.addresses[0][:2]
        shown = f"[{host}]" if ":" in host else host
        yield RunningPath(proxy, f"http://{shown}:{port}")
    finally:
        await runner.cleanup()
        await proxy.close()
