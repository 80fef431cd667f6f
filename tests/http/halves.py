"""Media and community as two servers, with a relayer of a test's own behind the first."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from streaming.community.database import opening
from streaming.http.community_server import CommunityServer
from streaming.http.config import ServeConfig
from tests.http.rig import HttpRig, http_rig


@dataclasses.dataclass
class Halves:
    """Both servers, each with a rig to ask it by."""

    media: HttpRig
    community: HttpRig
    server: CommunityServer


@contextlib.asynccontextmanager
async def halves(folder: Path, **options: Any) -> AsyncIterator[Halves]:
    """Run both; everything down at the end."""
    listening = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with http_rig(only="media", community_origin=origin) as media:
        config = ServeConfig(
            socket=folder / "no-relayer.sock",
            only="community",
            media_origin=media.url,
            community_database=folder / "community.sqlite",
            **options,
        )
        config.check()
        server = CommunityServer(config, origin, opening.opened(folder / "community.sqlite"))
        taking = await server.listen(listening)
        answering = await server.listen_to_operator(socket.create_server(("127.0.0.1", 0)))
        server.start()
        try:
            rig = dataclasses.replace(media, url=origin, listening=taking, answering=answering)
            yield Halves(media, rig, server)
        finally:
            await server.close()
            await taking.close()
            await answering.close()
