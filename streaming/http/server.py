"""`paystream serve`: the media server put together, started and ended."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import secrets
import signal
import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler

from streaming import service_manager
from streaming.community.addresses import public_of
from streaming.community.community import Community
from streaming.community.database import opening
from streaming.community.database.engine import Engine
from streaming.community.refusal import Refused
from streaming.http import api, problem, whep, whip
from streaming.http.community_host import CommunityHost
from streaming.http.community_tables import place_of
from streaming.http.config import ServeConfig
from streaming.http.connections import Connections
from streaming.http.door import DOOR, Door
from streaming.http.links import Links
from streaming.http.metrics import Meters
from streaming.http.origin import cross_origin, read_origin, read_origins
from streaming.http.problem import ProblemError
from streaming.http.request_input import ENGINE, LINK, REQUEST_TIMEOUT_S, live_streams
from streaming.http.routes import add_for_each_chain
from streaming.http.self_test import self_test
from streaming.http.slow_requests import (
    KEEP_ALIVE_S,
    LINGER_S,
    HttpConnections,
    mark_requests,
)
from streaming.http.whep_payment import Payments
from streaming.session_state import (
    PROTOCOL_VERSION,
    ConnectionState,
    Hello,
    PublisherState,
    StreamRef,
)
from streaming.sfu.addresses import offered_addresses, resolve_ice_hosts
from streaming.sfu.aiortc_engine import AiortcEngine
from streaming.sfu.media_engine import MediaEngine

log = logging.getLogger(__name__)

PAGES: Final = Path(__file__).parents[1] / "pages"
PAGE_PATHS: Final = (
    ("/", "index"),
    ("/watch", "watch"),
    ("/broadcast", "broadcast"),
    ("/moderation", "moderation"),
)
BACKLOG: Final = 1024


class MediaServer:
    """Engine, link, connections and HTTP application of one process."""

    def __init__(
        self,
        config: ServeConfig,
        origin: str,
        engine: MediaEngine | None = None,
        tables: Engine | None = None,
    ) -> None:
        """`tables` are the community's; without them there is none."""
        self.config = config
        self.boot_id = secrets.token_hex(8)
        self.engine: MediaEngine = engine or AiortcEngine(
            offered_addresses(config.ice_hosts, config.listen_host),
            config.udp_ports,
            nacks_per_second=config.limits.nacks_per_second,
        )
        self.connections = Connections(self.boot_id, config.limits)
        self.door = Door(config.limits, config.trusted_proxies)
        self.payments = Payments(origin)
        self.http_connections: HttpConnections | None = None
        self.operator_connections: HttpConnections | None = None
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            server_id=config.server_id,
            boot_id=self.boot_id,
            origin=origin,
        )
        self.link = Links(config.sockets, hello, self._snapshot, self.connections.take_leases)
        self.connections.link = self.link
        self.community: Community | None = None
        if tables is not None:
            host = CommunityHost(origin, self.link, self.door.addresses)
            named = config.community_operators
            operators = [public_of(one, "--community-operator") for one in named]
            self.community = Community(tables, host, operators=operators)
        self.connections.on_publisher_denied = self._publisher_denied
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def _snapshot(self) -> tuple[list[ConnectionState], list[PublisherState]]:
        publishers = [
            PublisherState(
                stream=stream.number,
                chain=stream.chain,
                video_codec=live.video_codec,
                audio_codec=live.audio_codec,
                viewers=live.viewers,
                bitrate_bps=live.bitrate_bps,
                frozen_ms=live.frozen_ms,
            )
            for stream, live in live_streams(self.engine).items()
        ]
        return self.connections.states(), publishers

    def _publisher_denied(self, stream: StreamRef, reason: str) -> None:
        if self.engine.live(stream) is None:
            return
        log.info("stream %s may no longer be published: %s", stream, reason)
        task = asyncio.get_running_loop().create_task(self.engine.unpublish(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @web.middleware
    async def _refuse_late(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """While going down, take nothing new that a successor should have."""
        if self._closing and request.method != "DELETE":
            raise ProblemError(
                503,
                "shutting-down",
                "this server is going down; try again in a moment",
                headers={"Connection": "close"},
            )
        return await handler(request)

    def application(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(
            middlewares=[
                mark_requests(lambda: self.http_connections),
                cross_origin(read_origins(self.config.cors_origins)),
                _problems,
                self.door.keep_pace,
                self._refuse_late,
            ]
        )
        app[LINK] = self.link
        app[ENGINE] = self.engine
        app[DOOR] = self.door
        app[REQUEST_TIMEOUT_S] = self.config.limits.request_timeout_s
        app[whep.CONNECTIONS] = self.connections
        app[whep.CONNECTIONS_MAX] = self.config.connections_max
        app[whep.PAYMENTS] = self.payments
        app[api.BOOT_ID] = self.boot_id
        whip.add_routes(app)
        whep.add_routes(app)
        api.add_routes(app)
        if self.community is not None:
            app[api.COMMUNITY] = self.community
            app.add_routes(self.community.routes())
            add_for_each_chain(app, *self.community.routes_of_a_chain())
        _add_pages(app)
        return app

    def operator_application(self) -> web.Application:
        """What the operator asks, on a port of its own: metrics and health."""
        app = web.Application(
            middlewares=[mark_requests(lambda: self.operator_connections), _problems]
        )
        app[LINK] = self.link
        app[api.BOOT_ID] = self.boot_id
        app[api.METERS] = Meters(self.engine, self.connections, self.door, self.link)
        api.add_operator_routes(app)
        return app

    async def listen(self, listening: socket.socket) -> Listening:
        """Take requests on a socket that is bound, over TLS where the configuration says so."""
        tls = self.config.tls
        runner, self.http_connections = await self._run(self.application())
        return await self._take(
            runner, self.http_connections, listening, None if tls is None else tls.context()
        )

    async def listen_to_operator(self, listening: socket.socket) -> Listening:
        """Answer the operator on a socket that is bound to loopback."""
        runner, self.operator_connections = await self._run(self.operator_application())
        return await self._take(runner, self.operator_connections, listening, None)

    async def _run(self, application: web.Application) -> tuple[web.AppRunner, HttpConnections]:
        """Set an application up, and what guards its connections."""
        wire = logging.getLogger("streaming.http.wire")
        wire.addFilter(_without_traceback)
        runner = web.AppRunner(
            application,
            access_log=None,
            logger=wire,
            shutdown_timeout=0.5,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
            auto_decompress=False,  # nothing that is sent here is worth packing
        )
        await runner.setup()
        limits = self.config.limits
        return runner, HttpConnections(
            cast(web.Server, runner.server),  # it is there after `setup`
            self.door.addresses,
            header_timeout_s=limits.request_timeout_s,
            per_address=limits.http_connections_per_address,
        )

    async def _take(
        self,
        runner: web.AppRunner,
        connections: HttpConnections,
        listening: socket.socket,
        context: ssl.SSLContext | None,
    ) -> Listening:
        handshake_s = self.config.limits.request_timeout_s or None
        server = await asyncio.get_running_loop().create_server(
            connections,
            sock=listening,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=None if context is None else handshake_s,
        )
        return Listening(runner, server, context)

    def start(self) -> None:
        """Connect to the relayer. Call inside a running loop."""
        self.link.start()
        self.connections.start()

    async def close(self) -> None:
        """End connections with their final states, tell them, close everything: within 3 s."""
        self._closing = True
        await self.connections.close()
        if self.community is not None:
            await self.community.close()
        await self.link.close()
        await self.engine.close()


@dataclass(frozen=True)
class Listening:
    """An open HTTP port."""

    runner: web.AppRunner
    server: asyncio.Server
    context: ssl.SSLContext | None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self.server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take nothing more, and end what is still open."""
        self.server.close()
        await self.runner.cleanup()


_STRANGERS: Final = (HttpProcessingError, web.RequestPayloadError, ConnectionError)


def _without_traceback(record: logging.LogRecord) -> bool:
    """What strangers send is no defect of ours: one line in the log, and only where asked for."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, _STRANGERS):
        return True
    record.msg, record.args = "%s: %r", (record.getMessage(), str(error)[:200])
    record.exc_info = None
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return log.isEnabledFor(logging.DEBUG)


# --- HTTP ----------------------------------------------------------------------------------


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error becomes problem+json; what was not foreseen shows nothing of the inside."""
    try:
        return await handler(request)
    except ProblemError as error:
        return problem.response(error)
    except Refused as refused:
        return problem.response(ProblemError.of(refused.problem))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status, "http")
        detail = f"{request.method} {request.path[:80]}: {error.reason}; see /docs"
        return problem.response(ProblemError(error.status, code, detail, headers=headers))
    except asyncio.CancelledError:
        raise
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.match_info.route.resource)
        return problem.response(
            ProblemError(500, "internal", "the server made a mistake; its log says which")
        )


def _add_pages(app: web.Application) -> None:
    for path, name in PAGE_PATHS:
        app.router.add_get(path, _page(PAGES / f"{name}.html"))
    static = PAGES / "static"
    if static.is_dir():
        app.router.add_static("/static", static)


def _page(path: Path) -> Handler:
    async def serve_page(request: web.Request) -> web.StreamResponse:  # noqa: ARG001
        return web.FileResponse(path, headers={"Cache-Control": "no-cache"})

    return serve_page


# --- the process ----------------------------------------------------------------------------


async def serve(config: ServeConfig) -> None:
    """Run the media server until SIGTERM or SIGINT; SIGHUP reads the certificate again.

    Raises `ServeConfigInvalid`, `IceHostInvalid`, `DatabaseError`, and `OSError` if it cannot
    listen.
    """
    config.check()
    for library in ("aioice", "aiortc"):
        logging.getLogger(library).setLevel(logging.WARNING)  # they tell every packet's path
    hosts = await asyncio.to_thread(resolve_ice_hosts, config.ice_hosts)
    config = dataclasses.replace(config, ice_hosts=hosts)
    await asyncio.to_thread(self_test, config)
    tables, listening, metrics = await asyncio.to_thread(_open, config)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"{'http' if config.tls is None else 'https'}://{shown}:{port}"
    origin = url if config.origin is None else read_origin(config.origin, "--origin")
    server = MediaServer(config, origin, tables=tables)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    taking = await server.listen(listening)
    answering = None if metrics is None else await server.listen_to_operator(metrics)
    try:
        if config.tls is not None and taking.context is not None:
            loop.add_signal_handler(signal.SIGHUP, config.tls.reload, taking.context)
        server.start()
        (config.on_ready or _say_ready)(url, None if answering is None else answering.port)
        watched = loop.create_task(_tell_manager())
        await stop.wait()
        watched.cancel()
        service_manager.notify(service_manager.STOPPING)
        taking.server.close()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.close(), 2.5)
        for each in (taking, answering):
            if each is not None:
                await each.close()


def _open(config: ServeConfig) -> tuple[Engine | None, socket.socket, socket.socket | None]:
    """Open the community's tables and the ports; where one of them cannot be, none stays open."""
    with contextlib.ExitStack() as undo:
        tables = _tables(config)
        if tables is not None:
            undo.callback(tables.close)
        listening = undo.enter_context(_listen(config))
        metrics = _listen_for_metrics(config)
        undo.pop_all()
        return tables, listening, metrics


def _tables(config: ServeConfig) -> Engine | None:
    """Open the community's tables, where there are to be any. Raises `DatabaseError`."""
    place = place_of(config.community_database, config.community_url_file)
    return None if place is None else opening.opened(place)


async def _tell_manager() -> None:
    """Tell the service manager that we are ready, and then that this loop still turns."""
    service_manager.notify(service_manager.READY)
    every_s = service_manager.alive_every_s()
    while every_s is not None:
        service_manager.notify(service_manager.ALIVE)
        await asyncio.sleep(every_s)


def _listen(config: ServeConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.listen_host else socket.AF_INET
    return socket.create_server(
        (config.listen_host, config.listen_port), family=family, backlog=BACKLOG
    )


def _listen_for_metrics(config: ServeConfig) -> socket.socket | None:
    if config.metrics_port is None:
        return None
    return socket.create_server(("127.0.0.1", config.metrics_port))


def _say_ready(url: str, metrics_port: int | None) -> None:
    more = {} if metrics_port is None else {"metrics_port": metrics_port}
    sys.stdout.write(json.dumps({"event": "ready", "url": url, **more}) + "\n")
    sys.stdout.flush()
