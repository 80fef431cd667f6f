"""The real community for the pages' tests, over the stand-in's streams, in a file of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from aiohttp import web

from offchain.keys.signer import dev_key
from streaming.community.community import Community
from streaming.community.database.sqlite import SqliteEngine
from streaming.community.refusal import Refused
from tests.browser.fake_system import GENESIS, FakeSystem

OPERATOR = "Ferdie"
"""The development account that has all streams in its care."""


class FakeHost:
    """A `Host` that knows the stand-in's streams."""

    origin = "http://127.0.0.1"

    def __init__(self, system: FakeSystem) -> None:
        self._system = system

    async def json_of(self, request: web.Request) -> dict[str, Any]:
        return dict(await request.json())

    def address_of(self, request: web.Request) -> str | None:
        return None

    async def ask(self, method: str, params: dict[str, Any], chain: str) -> Any:
        if method == "info":
            return {"genesis_hash": GENESIS}
        if method == "streams":
            return self._system.part(params)
        stream = self._system.streams.get(params["stream"])
        if stream is None:
            raise Refused(404, "stream-not-found", f"There is no stream {params['stream']}.")
        return stream


class FakeCommunity:
    """Mounted by an application, made when it starts and closed when it ends."""

    def __init__(self, system: FakeSystem) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="paystream-community-")
        engine = SqliteEngine(Path(self._directory.name) / "community.sqlite")
        operators = [dev_key(OPERATOR).public_key]
        self.community = Community(engine, FakeHost(system), operators=operators)

    def mount(self, app: web.Application) -> None:
        app.add_routes([*self.community.routes(), *self.community.routes_of_a_chain()])
        app.on_shutdown.append(self._close)

    async def _close(self, _app: web.Application) -> None:
        await self.community.close()
        self._directory.cleanup()
