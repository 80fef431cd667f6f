"""`paystream serve --only community`: people without media.

Nothing here parses packets or opens a datagram socket, and no relayer is linked: what it must know
of the ledger it asks the media server (`ledger_over_rest.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streaming.community.community import Community
from streaming.community.database.engine import Engine
from streaming.community.refusal import Refused
from streaming.http import asyncapi, openapi
from streaming.http.community_host import CommunityHost
from streaming.http.config import ServeConfig
from streaming.http.ledger_over_rest import LedgerOverRest
from streaming.http.pages import add_pages
from streaming.http.routes import Elsewhere, add_for_each_chain, elsewhere
from streaming.http.serving import HttpServer

PREFIX: Final = "paystream_community"
MEDIA_ELSEWHERE: Final = Elsewhere(
    code="media-elsewhere",
    what="media and payment are not on this server (--only community)",
    remedy="the operator names their server with --media-origin",
)


class CommunityServer(HttpServer):
    """The community and the HTTP application of its process."""

    def __init__(self, config: ServeConfig, origin: str, tables: Engine) -> None:
        """Raises `ValueError` for a configuration without `media_origin` (see `check`)."""
        super().__init__(config)
        if config.media_origin is None:
            raise ValueError("media_origin is missing")
        self._origin = origin
        self._media_origin = config.media_origin
        self._ledger = LedgerOverRest(config.media_origin)
        host = CommunityHost(origin, self._ledger, self.door.addresses)
        self.community = Community(tables, host, operators=config.operator_keys)

    def application(self) -> web.Application:
        """The HTTP application."""
        app = self._public_application()
        app.add_routes(
            [
                *self._health(),
                web.get("/openapi.json", _description),
                web.get("/docs", _documentation),
                asyncapi.route(self._origin),
                *self.community.routes(),
            ]
        )
        add_for_each_chain(app, *self.community.routes_of_a_chain())
        paths = [path for path in openapi.MEDIA_PATHS if path not in openapi.COMMUNITY_ALONE_PATHS]
        add_for_each_chain(app, *elsewhere(paths, MEDIA_ELSEWHERE, self._media_origin))
        add_pages(app, media=self._media_origin, knows=self.community.knows)
        return app

    def operator_application(self) -> web.Application:
        """What the operator asks, on a port of its own: metrics and health."""
        app = web.Application(middlewares=self._operator_middlewares())
        meters = CommunityMeters(self)
        answer = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}

        async def metrics(request: web.Request) -> web.Response:  # noqa: ARG001
            return web.Response(body=meters.text(), headers=answer)

        app.add_routes([web.get("/metrics", metrics), *self._health()])
        return app

    def _health(self) -> list[web.RouteDef]:
        return [web.get("/healthz", self._alive), web.get("/readyz", self._ready)]

    async def _alive(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """GET /healthz."""
        return _json({"status": "ok", "boot_id": self.boot_id})

    async def _ready(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """GET /readyz: whether who comes now could sign in, and be told of streams."""
        failing = {}
        for name, check in (
            ("database", self.community.check_tables),
            ("media", self.community.check_ledger),
        ):
            try:
                await check()
            except Refused as refused:
                failing[name] = refused.problem.detail
        return _json({"ready": not failing, "failing": failing}, status=503 if failing else 200)

    def start(self) -> None:
        """Nothing runs beside requests."""

    async def close(self) -> None:
        """Tell every page to connect again, and let go of the tables."""
        self._closing = True
        await self.community.close()
        await self._ledger.close()


class CommunityMeters(Collector):
    """What is measured of it, in a registry of its own."""

    def __init__(self, server: CommunityServer) -> None:
        self._server = server
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(namespace=PREFIX, registry=self._registry)

    def text(self) -> bytes:
        """Give one scrape."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Give every family, as things are now."""
        yield GaugeMetricFamily(
            f"{PREFIX}_listeners",
            "Alive. Pages that hear what is live.",
            float(self._server.community.listeners),
        )
        yield CounterMetricFamily(
            f"{PREFIX}_refused_by_address",
            "Safe. Requests that a limit refused.",
            float(self._server.door.refusals),
        )


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def _description(request: web.Request) -> web.Response:  # noqa: ARG001
    """GET /openapi.json."""
    return _json(openapi.document(media=False, community=True))


async def _documentation(request: web.Request) -> web.Response:  # noqa: ARG001
    """GET /docs."""
    return web.Response(text=openapi.page(media=False, community=True), content_type="text/html")
