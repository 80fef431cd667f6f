"""The media server put together: engine, link to the relayer, connections, and what it mounts."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiohttp import web

from streaming.community.community import Community
from streaming.community.database.engine import Engine
from streaming.http import api, asyncapi, openapi_community, whep, whip
from streaming.http.community_host import CommunityHost
from streaming.http.config import ServeConfig
from streaming.http.connections import Connections
from streaming.http.links import Links
from streaming.http.metrics import Meters
from streaming.http.pages import add_pages
from streaming.http.request_input import ENGINE, LINK, live_streams
from streaming.http.routes import Elsewhere, add_for_each_chain, elsewhere
from streaming.http.serving import HttpServer
from streaming.http.whep_payment import Payments
from streaming.session_state import (
    PROTOCOL_VERSION,
    ConnectionState,
    Hello,
    PublisherState,
    StreamRef,
)
from streaming.sfu.addresses import offered_addresses
from streaming.sfu.aiortc_engine import AiortcEngine
from streaming.sfu.media_engine import MediaEngine

log = logging.getLogger(__name__)


COMMUNITY_ELSEWHERE: Final = Elsewhere(
    code="community-elsewhere",
    what="accounts, cards and chat are not on this server (--only media)",
    remedy="the operator starts `paystream serve --only community`, and names its address to this "
    "server with --community-origin",
)


class MediaServer(HttpServer):
    """Engine, link, connections and HTTP application of one process."""

    def __init__(
        self,
        config: ServeConfig,
        origin: str,
        engine: MediaEngine | None = None,
        tables: Engine | None = None,
    ) -> None:
        """`tables` are the community's; without them there is none."""
        super().__init__(config)
        self._origin = origin
        self.engine: MediaEngine = engine or AiortcEngine(
            offered_addresses(config.ice_hosts, config.listen_host),
            config.udp_ports,
            nacks_per_second=config.limits.nacks_per_second,
        )
        self.connections = Connections(self.boot_id, config.limits)
        self.payments = Payments(origin)
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
            self.community = Community(tables, host, operators=config.operator_keys)
        self.connections.on_publisher_denied = self._publisher_denied
        self._tasks: set[asyncio.Task[None]] = set()

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

    def application(self) -> web.Application:
        """The HTTP application."""
        app = self._public_application()
        app[LINK] = self.link
        app[ENGINE] = self.engine
        app[whep.CONNECTIONS] = self.connections
        app[whep.CONNECTIONS_MAX] = self.config.connections_max
        app[whep.PAYMENTS] = self.payments
        app[api.BOOT_ID] = self.boot_id
        whip.add_routes(app)
        whep.add_routes(app)
        api.add_routes(app)
        if self.community is not None:
            app[api.COMMUNITY] = self.community
            app.add_routes([asyncapi.route(self._origin), *self.community.routes()])
            add_for_each_chain(app, *self.community.routes_of_a_chain())
        elif self.config.only == "media":
            where = self.config.community_origin
            add_for_each_chain(app, *elsewhere(openapi_community.PATHS, COMMUNITY_ELSEWHERE, where))
        knows = None if self.community is None else self.community.knows
        add_pages(app, community=self.config.community_origin, knows=knows)
        return app

    def operator_application(self) -> web.Application:
        """What the operator asks, on a port of its own: metrics and health."""
        app = web.Application(middlewares=self._operator_middlewares())
        app[LINK] = self.link
        app[api.BOOT_ID] = self.boot_id
        app[api.METERS] = Meters(self.engine, self.connections, self.door, self.link)
        api.add_operator_routes(app)
        return app

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
