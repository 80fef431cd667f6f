"""Watching: WHEP, one POST with an offer under a paid session, one DELETE at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from streaming.http.connections import Connection, Connections
from streaming.http.door import DOOR
from streaming.http.limits import HalfOpenPlace, too_many
from streaming.http.pausing import NUMBER_MAX
from streaming.http.problem import ProblemError
from streaming.http.request_input import ENGINE, LINK, json_of, place_of, stream_of
from streaming.http.routes import add_for_each_chain
from streaming.http.sdp_exchange import (
    SDP_MIME,
    no_patch,
    options,
    problem_of,
    sdp_of,
    session_options,
)
from streaming.http.slow_requests import has_gone, while_there
from streaming.http.whep_payment import (
    RECEIPT,
    UNAUTHORIZED,
    Payments,
    Shown,
    verification_failed,
)
from streaming.session_state import LEASE_MS, SessionRef, StreamRef
from streaming.sfu.media_engine import MediaError, PreparedSubscription, Subscription

CONNECTIONS: Final = web.AppKey("connections", Connections)
CONNECTIONS_MAX: Final = web.AppKey("connections_max", int)
PAYMENTS: Final = web.AppKey("payments", Payments)
RESUME: Final = "PayStream-Resume"
SESSION: Final = "PayStream-Session"
RENEW: Final = "PayStream-Renew"
FULL_RETRY_S: Final = 10
ADMIT_WITHIN_S: Final = 15.0
"""How long the relayer may take to admit: it lets a viewer wait for the ledger's pace."""


def add_routes(app: web.Application) -> None:
    """Mount `/whep/{stream}` and its resources."""
    one = "/whep/{stream}/{resource}"
    add_for_each_chain(
        app,
        web.post("/whep/{stream}", watch),
        web.options("/whep/{stream}", options),
        web.get(one, state, allow_head=False),
        web.delete(one, leave),
        web.patch(one, no_patch),
        web.options(one, session_options("DELETE, GET, OPTIONS")),
        web.post(f"{one}/pause", pause),
        web.post(f"{one}/sound", sound),
        web.post(f"{one}/resume", resume),
    )


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
    """Answer a viewer's offer: 201 with the session, or 402 with what paying takes.

    The token first, then the whole offer, and only then the relayer's admission.
    """
    stream = stream_of(request)
    address = request.app[DOOR].take_join(request)
    async with request.app[PAYMENTS].asking(request, stream):
        return await _watch(request, stream, address)


async def _watch(request: web.Request, stream: StreamRef, address: str | None) -> web.Response:
    door = request.app[DOOR]
    connections = request.app[CONNECTIONS]
    connections_max = request.app[CONNECTIONS_MAX]
    if len(connections) + connections.joining >= connections_max:
        raise too_many(
            503,
            "server-full",
            f"this server has no room for another viewer: {connections_max} watch "
            "(--connections-max)",
            FULL_RETRY_S,
        )
    payments = request.app[PAYMENTS]
    connections.joining += 1
    try:
        shown = payments.shown(request, stream)
        with payments.answering(shown):
            token = await _token(request, stream, address, shown)
            place = door.half_open.enter(address, stream)
            try:
                return await _join(request, stream, token, place, shown)
            except BaseException:
                door.half_open.leave(place)
                raise
    finally:
        connections.joining -= 1


async def _token(
    request: web.Request, stream: StreamRef, address: str | None, shown: Shown | None
) -> str:
    """The watch token, bare or in a credential, once the relayer has taken it. Raises 401, 402."""
    door = request.app[DOOR]
    if shown is None:
        return await door.ask_about_token(request, "watch", stream, address)
    try:
        return await door.ask_about_token(request, "watch", stream, address, shown.token)
    except ProblemError as error:
        if error.problem.status == UNAUTHORIZED:
            raise verification_failed(error) from None
        raise


async def _join(
    request: web.Request,
    stream: StreamRef,
    token: str,
    place: HalfOpenPlace,
    shown: Shown | None,
) -> web.Response:
    connections = request.app[CONNECTIONS]
    offer = await sdp_of(request)
    try:
        prepared = await request.app[ENGINE].prepare(stream, offer)
    except MediaError as error:
        raise problem_of(error) from None
    ender = _Ender(connections)
    params = _admission(request, stream, token, shown)
    admitted, answer, subscription = await _admit_and_answer(
        request, stream, params, prepared, ender
    )
    named = admitted["session"]
    session = SessionRef(named["grant"], named["index"], stream.chain)
    connection = connections.add(
        session,
        admitted["number"],
        stream,
        subscription,
        lease_ms=admitted.get("lease_ms", LEASE_MS),
    )
    place.over = _connected_or_ended(connection)
    ender.belongs_to(connection)
    request.app[LINK].tell_soon()
    subscription.release("admission")
    if has_gone(request):
        connections.end_soon(connection, "left")
    return web.Response(
        status=201,
        text=answer,
        content_type=SDP_MIME,
        headers={
            "Location": f"{place_of(request)}/whep/{stream.number}/{connection.resource}",
            SESSION: session.on_chain,
            RESUME: str(admitted["resume"]),
            RECEIPT: request.app[PAYMENTS].receipt(session, stream, admitted, shown),
            "Cache-Control": "private",
            "Access-Control-Expose-Headers": f"Location, {SESSION}, {RESUME}, {RECEIPT}",
        },
    )


def _admission(
    request: web.Request, stream: StreamRef, token: str, shown: Shown | None
) -> dict[str, Any]:
    params: dict[str, Any] = {"token": token, "stream": stream.number}
    if shown is not None:
        params["rate_max_per_second"] = shown.rate_per_second
        if shown.tick_price is not None:
            params["tick_price_max"] = shown.tick_price
    if RESUME in request.headers:
        params["resume"] = request.headers[RESUME][:256]
    if request.headers.get(RENEW) == "1":
        params["renew"] = True
    return params


def _connected_or_ended(connection: Connection) -> Callable[[], bool]:
    return lambda: connection.subscription.connected or connection.end_reason is not None


async def _admit_and_answer(
    request: web.Request,
    stream: StreamRef,
    params: dict[str, Any],
    prepared: PreparedSubscription,
    ender: _Ender,
) -> tuple[dict[str, Any], str, Subscription]:
    """Have the relayer admit, then answer; whatever fails, the prepared offer is dropped."""
    try:
        asked = request.app[LINK].request("admit", params, ADMIT_WITHIN_S, chain=stream.chain)
        admitted: dict[str, Any] = await while_there(request, asked)
        answer, subscription = await prepared.answer(ender.ended)
    except BaseException as error:
        await prepared.close()
        if isinstance(error, MediaError):
            raise problem_of(error) from None
        raise
    return admitted, answer, subscription


def _connection(request: web.Request) -> Connection:
    connection = request.app[CONNECTIONS].by_resource(request.match_info["resource"])
    if connection is None or connection.stream != stream_of(request):
        raise ProblemError(
            404, "connection-not-found", "there is no such connection; it may have ended already"
        )
    return connection


async def state(request: web.Request) -> web.Response:
    """Whether media flows to a connection, and if not, why."""
    return _now(_connection(request).shown())


async def leave(request: web.Request) -> web.Response:
    """End a connection: stop, wait for the tail's report, and say the sum.

    At most 1.6 s, or 7.6 s where receiver reports alone tell what has come.
    """
    connection = _connection(request)
    ending = _ended(request.app[CONNECTIONS], connection)
    delivered_ms = await while_there(request, ending)
    return web.json_response({"delivered_ms": delivered_ms, "session": connection.session.on_chain})


async def _ended(connections: Connections, connection: Connection) -> int:
    """The sum of one whose viewer leaves. It ends also where nobody waits for that any more."""
    ending = connections.end_soon(connection, "left")
    try:
        return await asyncio.shield(ending)
    except asyncio.CancelledError:
        connections.hurry(connection)
        raise


async def pause(request: web.Request) -> web.Response:
    """The player is paused or hidden: send nothing, count nothing."""
    connection = _connection(request)
    request.app[CONNECTIONS].pause(connection, await _number_of(request))
    return _now(connection.playing())


async def resume(request: web.Request) -> web.Response:
    """The player goes on; answered when it does."""
    connection = _connection(request)
    await request.app[CONNECTIONS].resume(connection, await _number_of(request))
    return _now(connection.playing())


async def sound(request: web.Request) -> web.Response:
    """Where the path carries no picture: go on with sound alone and pay for it, or wait."""
    connection = _connection(request)
    body = await json_of(request)
    alone = body.get("sound_alone")
    if not isinstance(alone, bool):
        raise ProblemError(
            400,
            "sound-alone-invalid",
            "say whether to go on with sound alone: send sound_alone as true or false",
            field="sound_alone",
        )
    request.app[CONNECTIONS].choose_sound(connection, _number_in(body), alone=alone)
    return _now(connection.hearing())


async def _number_of(request: web.Request) -> int | None:
    """The number of a pause or resumption, if its body has one. Raises 400."""
    return _number_in(await json_of(request)) if request.can_read_body else None


def _number_in(body: dict[str, Any]) -> int | None:
    number = body.get("number")
    if number is None:
        return None
    if type(number) is not int or not 1 <= number <= NUMBER_MAX:
        raise ProblemError(
            400,
            "number-invalid",
            "the number is no whole number from 1 on: count the connection's pauses and "
            "resumptions, each one higher than the last",
            field="number",
        )
    return number


def _now(value: dict[str, Any]) -> web.Response:
    return web.json_response(value, headers={"Cache-Control": "no-store"})
