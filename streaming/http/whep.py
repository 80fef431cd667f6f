"""Watching: WHEP, one POST with an offer under a paid session, one DELETE at the end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from aiohttp import web

from streaming.http.connections import Connection, Connections
from streaming.http.problem import ProblemError
from streaming.http.request_input import (
    ENGINE,
    LINK,
    bearer,
    stream_of,
)
from streaming.http.sdp_exchange import SDP_MIME, no_patch, options, problem_of, sdp_of
from streaming.session_state import LEASE_MS, SessionRef
from streaming.sfu.media_engine import MediaError, PreparedSubscription, Subscription

CONNECTIONS: Final = web.AppKey("connections", Connections)
CONNECTIONS_MAX: Final = web.AppKey("connections_max", int)
RESUME: Final = "PayStream-Resume"
SESSION: Final = "PayStream-Session"
RENEW: Final = "PayStream-Renew"


def add_routes(app: web.Application) -> None:
    """Mount `/whep/{stream}` and its resources."""
    app.router.add_post("/whep/{stream}", watch)
    app.router.add_options("/whep/{stream}", options)
    app.router.add_delete("/whep/{stream}/{resource}", leave)
    app.router.add_patch("/whep/{stream}/{resource}", no_patch)
    app.router.add_post("/whep/{stream}/{resource}/pause", pause)
    app.router.add_post("/whep/{stream}/{resource}/resume", resume)


class _Ender:
    """Tells the connection that its subscription has ended, even if it ends before it exists."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._connection: Connection | None = None
        self._reason: str | None = None

    def ended(self, reason: str) -> None:
        if self._connection is None:
            self._reason = reason
        else:
            self._connections.end_soon(self._connection, reason)

    def belongs_to(self, connection: Connection) -> None:
        self._connection = connection
        if self._reason is not None:
            self._connections.end_soon(connection, self._reason)


async def watch(request: web.Request) -> web.Response:
    """Answer a viewer's offer: 201 with the session, or 402 with what paying takes."""
    stream = stream_of(request)
    token = bearer(request)
    offer = await sdp_of(request)
    connections = request.app[CONNECTIONS]
    if len(connections) + connections.joining >= request.app[CONNECTIONS_MAX]:
        raise ProblemError(503, "server-full", "this server has no room for another viewer")
    connections.joining += 1
    try:
        return await _join(request, stream, token, offer)
    finally:
        connections.joining -= 1


async def _join(request: web.Request, stream: int, token: str, offer: str) -> web.Response:
    connections = request.app[CONNECTIONS]
    try:
        prepared = await request.app[ENGINE].prepare(stream, offer)
    except MediaError as error:
        raise problem_of(error) from None
    params: dict[str, Any] = {"token": token, "stream": stream}
    if RESUME in request.headers:
        params["resume"] = request.headers[RESUME][:256]
    if request.headers.get(RENEW) == "1":
        params["renew"] = True
    ender = _Ender(connections)
    admitted, (answer, subscription) = await _admit_and_answer(request, params, prepared, ender)
    session = SessionRef(grant=admitted["session"]["grant"], index=admitted["session"]["index"])
    connection = connections.add(
        session,
        admitted["number"],
        stream,
        subscription,
        lease_ms=admitted.get("lease_ms", LEASE_MS),
    )
    ender.belongs_to(connection)
    request.app[LINK].tell_soon()
    subscription.release("admission")
    return web.Response(
        status=201,
        text=answer,
        content_type=SDP_MIME,
        headers={
            "Location": f"/whep/{stream}/{connection.resource}",
            SESSION: str(session),
            RESUME: str(admitted["resume"]),
            "Access-Control-Expose-Headers": f"Location, {SESSION}, {RESUME}",
        },
    )


async def _admit_and_answer(
    request: web.Request, params: dict[str, Any], prepared: PreparedSubscription, ender: _Ender
) -> tuple[dict[str, Any], tuple[str, Subscription]]:
    """Let the relayer admit while the answer is being made; drop the one if the other fails."""
    answering = asyncio.ensure_future(prepared.answer(ender.ended))
    try:
        admitted: dict[str, Any] = await request.app[LINK].request("admit", params)
        return admitted, await answering
    except BaseException:
        with contextlib.suppress(Exception):
            _, subscription = await answering
            await subscription.close()
        await prepared.close()
        raise


def _connection(request: web.Request) -> Connection:
    connection = request.app[CONNECTIONS].by_resource(request.match_info["resource"])
    if connection is None or connection.stream != stream_of(request):
        raise ProblemError(
            404, "connection-not-found", "there is no such connection; it may have ended already"
        )
    return connection


async def leave(request: web.Request) -> web.Response:
    """End a connection: stop, wait at most 1.6 s for the tail's report, and say the sum."""
    connection = _connection(request)
    delivered_ms = await request.app[CONNECTIONS].end(connection, "left")
    return web.json_response({"delivered_ms": delivered_ms, "session": str(connection.session)})


async def pause(request: web.Request) -> web.Response:
    """The player is paused or hidden: send nothing, count nothing."""
    request.app[CONNECTIONS].pause(_connection(request))
    return web.Response(status=204)


async def resume(request: web.Request) -> web.Response:
    """The player goes on."""
    request.app[CONNECTIONS].resume(_connection(request))
    return web.Response(status=204)
