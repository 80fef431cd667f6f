"""A measuring process behind plain HTTP on loopback: it tells figures, and takes orders."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Figures = Callable[[], Awaitable[dict[str, Any]]]


def used_s() -> float:
    """Processor time that this process has used until now, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def serve(figures: Figures, posts: Mapping[str, Answer] | None = None) -> None:
    """Print `{"event": "ready", "port": ...}` and answer until the process is ended.

    `GET /figures` gives what `figures` gives, with `at_s` (monotonic) and `busy_s` (processor
    time), both of the same moment.
    """

    async def tell(_request: web.Request) -> web.Response:
        found = await figures()
        return web.json_response({**found, "at_s": time.monotonic(), "busy_s": used_s()})

    app = web.Application()
    app.add_routes([web.get("/figures", tell)])
    app.add_routes([web.post(path, answer) for path, answer in (posts or {}).items()])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"event": "ready", "port": runner.addresses[0][1]}), flush=True)
    await asyncio.Event().wait()
