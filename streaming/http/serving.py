"""What every HTTP server of ours has: its ports, its limits, and how it refuses."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from streaming.community.refusal import Refused
from streaming.http import problem
from streaming.http.config import ServeConfig
from streaming.http.door import DOOR, Door
from streaming.http.origin import cross_origin, read_origins
from streaming.http.problem import ProblemError
from streaming.http.request_input import REQUEST_TIMEOUT_S
from streaming.http.slow_requests import (
    KEEP_ALIVE_S,
    LINGER_S,
    HttpConnections,
    mark_requests,
)

log = logging.getLogger(__name__)

BACKLOG: Final = 1024


class HttpServer(ABC):
    """One process's HTTP: what the public asks, and what the operator asks on another port."""

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.boot_id = secrets.token_hex(8)
        self.door = Door(config.limits, config.trusted_proxies)
        self.http_connections: HttpConnections | None = None
        self.operator_connections: HttpConnections | None = None
        self._closing = False

    @abstractmethod
    def application(self) -> web.Application:
        """The HTTP application."""

    @abstractmethod
    def operator_application(self) -> web.Application:
        """What the operator asks, on a port of its own."""

    @abstractmethod
    def start(self) -> None:
        """Begin what runs beside requests. Call inside a running loop."""

    @abstractmethod
    async def close(self) -> None:
        """End everything: within 3 s."""

    def _public_application(self) -> web.Application:
        """An application without paths, with what stands before every request of the public."""
        config = self.config
        app = web.Application(
            middlewares=[
                mark_requests(lambda: self.http_connections),
                cross_origin(read_origins(config.cors_origins), config.elsewhere),
                _problems,
                self.door.keep_pace,
                self._refuse_late,
            ]
        )
        app[DOOR] = self.door
        app[REQUEST_TIMEOUT_S] = config.limits.request_timeout_s
        return app

    def _operator_middlewares(self) -> list[Middleware]:
        return [mark_requests(lambda: self.operator_connections), _problems]

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
