"""The REST API: what the relayer answers, with the live state of this server's media."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from streaming.http import openapi
from streaming.http.door import DOOR
from streaming.http.problem import ProblemError
from streaming.http.request_input import (
    ENGINE,
    LINK,
    bearer,
    json_of,
    optional_bearer,
    session_of,
    stream_of,
)
from streaming.http.whep import CONNECTIONS
from streaming.sfu.media_engine import LiveState

BOOT_ID: Final = web.AppKey("boot_id", str)
PREFIX: Final = "/api/v1"


def add_routes(app: web.Application) -> None:
    """Mount `/api/v1/...`, its description, metrics and health."""
    router = app.router
    router.add_get(f"{PREFIX}/info", info)
    router.add_post(f"{PREFIX}/challenge", challenge)
    router.add_post(f"{PREFIX}/token", token)
    router.add_post(f"{PREFIX}/token/renew", renew)
    router.add_get(f"{PREFIX}/streams", streams)
    router.add_get(f"{PREFIX}/streams/{{stream}}", stream_state)
    router.add_get(f"{PREFIX}/streams/{{stream}}/terms", terms)
    router.add_post(f"{PREFIX}/wallet/prepare", wallet_prepare)
    router.add_post(f"{PREFIX}/wallet/submit", wallet_submit)
    router.add_get(f"{PREFIX}/wallet/{{submission}}", wallet_status)
    router.add_get(f"{PREFIX}/sessions", sessions)
    router.add_get(f"{PREFIX}/sessions/{{session}}", session_state)
    router.add_delete(f"{PREFIX}/sessions/{{session}}", close_session)
    router.add_get(f"{PREFIX}/status", status)
    router.add_get("/openapi.json", description)
    router.add_get("/docs", documentation)
    router.add_get("/metrics", metrics)
    router.add_get("/healthz", health)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def _ask(request: web.Request, method: str, params: dict[str, Any]) -> Any:
    return await request.app[LINK].request(method, params)


def _only(body: dict[str, Any], required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Any:
    """The named fields of a body. Raises 400 for one that is missing or unknown."""
    for name in required:
        if name not in body:
            raise ProblemError(400, "field-missing", f"the field {name} is missing", field=name)
    for name in body:
        if name not in required and name not in optional:
            known = ", ".join((*required, *optional))
            raise ProblemError(
                400,
                "field-unknown",
                f"{name[:40]!r} is no field; there are {known}",
                field=name[:40],
            )
    return body


async def info(request: web.Request) -> web.Response:
    """GET info."""
    return _json(await _ask(request, "info", {}))


async def challenge(request: web.Request) -> web.Response:
    """POST challenge."""
    body = _only(await json_of(request), ("account", "purpose"), ("stream",))
    return _json(await _ask(request, "challenge", body))


async def token(request: web.Request) -> web.Response:
    """POST token."""
    body = _only(await json_of(request), ("challenge", "signature"))
    return _json(await _ask(request, "token", body))


async def renew(request: web.Request) -> web.Response:
    """POST token/renew."""
    return _json(await _ask(request, "renew", {"token": bearer(request)}))


def _live_fields(live: LiveState | None) -> dict[str, Any]:
    return {
        "live": live is not None,
        "viewers": 0 if live is None else live.viewers,
        "video_codec": None if live is None else live.video_codec,
        "audio_codec": None if live is None else live.audio_codec,
        "bitrate_bps": 0 if live is None else live.bitrate_bps,
        "frozen_ms": None if live is None else live.frozen_ms,
    }


async def streams(request: web.Request) -> web.Response:
    """GET streams."""
    answer = await _ask(request, "streams", {})
    live = {state.stream: state for state in request.app[ENGINE].all_live()}
    return _json(
        {"streams": [{**one, **_live_fields(live.get(one["id"]))} for one in answer["streams"]]}
    )


async def stream_state(request: web.Request) -> web.Response:
    """GET streams/{stream}."""
    stream = stream_of(request)
    answer = await _ask(request, "stream", {"stream": stream})
    return _json({**answer, **_live_fields(request.app[ENGINE].live(stream))})


async def terms(request: web.Request) -> web.Response:
    """GET streams/{stream}/terms."""
    params = {"token": bearer(request), "stream": stream_of(request)}
    return _json(await _ask(request, "terms", params))


async def wallet_prepare(request: web.Request) -> web.Response:
    """POST wallet/prepare."""
    params = dict(_only(await json_of(request), ("call",), ("account",)))
    held = optional_bearer(request)
    if held is not None:
        params["token"] = held
    return _json(await _ask(request, "wallet_prepare", params))


async def wallet_submit(request: web.Request) -> web.Response:
    """POST wallet/submit."""
    params = _only(await json_of(request), ("submission", "signature"))
    return _json(await _ask(request, "wallet_submit", params))


async def wallet_status(request: web.Request) -> web.Response:
    """GET wallet/{submission}."""
    submission = request.match_info["submission"][:128]
    return _json(await _ask(request, "wallet_status", {"submission": submission}))


async def sessions(request: web.Request) -> web.Response:
    """GET sessions."""
    return _json(await _ask(request, "sessions", {"token": bearer(request)}))


def _session_params(request: web.Request) -> dict[str, Any]:
    session = session_of(request)
    return {"token": bearer(request), "grant": session.grant, "index": session.index}


async def session_state(request: web.Request) -> web.Response:
    """GET sessions/{session}."""
    return _json(await _ask(request, "session", _session_params(request)))


async def close_session(request: web.Request) -> web.Response:
    """DELETE sessions/{session}."""
    return _json(await _ask(request, "close_session", _session_params(request)))


async def status(request: web.Request) -> web.Response:
    """GET status."""
    relayer: Any = None
    problem: str | None = None
    try:
        relayer = await _ask(request, "status", {})
    except ProblemError as error:
        problem = error.problem.detail
    link = request.app[LINK]
    server = {
        "boot_id": request.app[BOOT_ID],
        "connections": len(request.app[CONNECTIONS]),
        "publishers": len(request.app[ENGINE].all_live()),
        "relayer_connected": link.connected,
        "relayer_refuses": link.refused,
        "final_states_unacknowledged": link.unacknowledged,
    }
    return _json({"server": server, "relayer": relayer, "relayer_problem": problem})


async def description(request: web.Request) -> web.Response:  # noqa: ARG001
    """GET /openapi.json."""
    return _json(openapi.DOCUMENT)


async def documentation(request: web.Request) -> web.Response:  # noqa: ARG001
    """GET /docs."""
    return web.Response(text=openapi.page(), content_type="text/html")


async def health(request: web.Request) -> web.Response:
    """GET /healthz."""
    relayer = request.app[LINK].connected
    return _json({"status": "ok", "boot_id": request.app[BOOT_ID], "relayer": relayer})


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics, in Prometheus' text format."""
    live = request.app[ENGINE].all_live()
    states = request.app[CONNECTIONS].states()
    link = request.app[LINK]
    totals = request.app[CONNECTIONS].totals()
    figures = {
        "open_connections": len(states),
        "connections_total": totals.connections,
        "publishers": len(live),
        "ingest_bits_per_second": sum(state.bitrate_bps for state in live),
        "delivered_milliseconds_total": totals.delivered_ms,
        "forwarded_milliseconds_total": totals.forwarded_ms,
        "unconfirmed_milliseconds": sum(state.unconfirmed_ms for state in states),
        "half_open_connections": len(request.app[DOOR].half_open),
        "refused_by_address_total": request.app[DOOR].refusals,
        "packets_sent_total": totals.packets_sent,
        "bytes_sent_total": totals.bytes_sent,
        "relayer_connected": int(link.connected),
        "relayer_connects_total": link.connects,
        "final_states_unacknowledged": link.unacknowledged,
    }
    lines = []
    for name, value in figures.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# TYPE paystream_serve_{name} {kind}", f"paystream_serve_{name} {value}"]
    lines.append("# TYPE paystream_serve_datagrams_turned_away_total counter")
    lines += [
        f'paystream_serve_datagrams_turned_away_total{{kind="{kind}"}} {count}'
        for kind, count in request.app[ENGINE].turned_away().items()
    ]
    return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")
