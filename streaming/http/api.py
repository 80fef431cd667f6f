"""The REST API: what the relayer answers, with the live state of this server's media."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from streaming.community.community import Community
from streaming.http import openapi
from streaming.http.links import Links
from streaming.http.metrics import Meters
from streaming.http.problem import ProblemError
from streaming.http.request_input import (
    ENGINE,
    LINK,
    bearer,
    chain_of,
    json_of,
    live_streams,
    optional_bearer,
    query_flag,
    query_ids,
    query_number,
    session_of,
    stream_of,
)
from streaming.http.routes import add_for_each_chain
from streaming.http.whep import CONNECTIONS
from streaming.session_state import StreamRef
from streaming.sfu.media_engine import LiveState

COMMUNITY: Final = web.AppKey("community", Community)
BOOT_ID: Final = web.AppKey("boot_id", str)
METERS: Final = web.AppKey("meters", Meters)
READY_WITHIN_S: Final = 2.0
PREFIX: Final = "/api/v1"
IDS_ASKED_MAX: Final = 500
"""Streams that a relayer is asked for by their numbers; more may be live."""
OWNER_CHARS_MAX: Final = 128
"""Longer than every address: the relayer says what is wrong with what is cut off here."""


def add_routes(app: web.Application) -> None:
    """Mount `/api/v1/...`, its description and health."""
    add_for_each_chain(
        app,
        web.get(f"{PREFIX}/info", info),
        web.post(f"{PREFIX}/challenge", challenge),
        web.post(f"{PREFIX}/token", token),
        web.post(f"{PREFIX}/token/renew", renew),
        web.get(f"{PREFIX}/streams", streams),
        web.get(f"{PREFIX}/streams/{{stream}}", stream_state),
        web.get(f"{PREFIX}/streams/{{stream}}/terms", terms),
        web.post(f"{PREFIX}/wallet/prepare", wallet_prepare),
        web.post(f"{PREFIX}/wallet/submit", wallet_submit),
        web.get(f"{PREFIX}/wallet/{{submission}}", wallet_status),
        web.post(f"{PREFIX}/development/sign", development_sign),
        web.get(f"{PREFIX}/sessions", sessions),
        web.get(f"{PREFIX}/sessions/{{session}}", session_state),
        web.delete(f"{PREFIX}/sessions/{{session}}", close_session),
        web.get(f"{PREFIX}/status", status),
        web.get("/healthz", health),
    )
    app.add_routes(
        [
            web.get("/openapi.json", description),
            web.get("/docs", documentation),
            web.get("/readyz", ready),
        ]
    )


def add_operator_routes(app: web.Application) -> None:
    """Mount what the operator asks: metrics, which are nobody else's, and health."""
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", health),
            web.get("/readyz", ready),
        ]
    )


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def _ask(request: web.Request, method: str, params: dict[str, Any]) -> Any:
    return await request.app[LINK].request(method, params, chain=chain_of(request))


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
    """GET info: the chain's facts, and the names of the others that are followed."""
    return _json({**await _ask(request, "info", {}), "chains": request.app[LINK].chains})


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
    """GET streams: a page of them, by number, and after which one the next page begins."""
    chain, live = chain_of(request), live_streams(request.app[ENGINE])
    part, cut_at = _part_of_streams(request, {each.number for each in live if each.chain == chain})
    answer = await _ask(request, "streams", part)
    following = answer.get("next")
    return _json(
        {
            "streams": [
                {**one, **_live_fields(live.get(StreamRef(one["id"], chain)))}
                for one in await _described(request, answer["streams"])
            ],
            "next": cut_at if following is None else following,
        }
    )


def _part_of_streams(request: web.Request, live: set[int]) -> tuple[dict[str, Any], int | None]:
    """Which streams a query asks for, and after which one there are more of them. Raises 400."""
    asked = {name: query_number(request, name) for name in ("after", "limit")}
    part: dict[str, Any] = {name: number for name, number in asked.items() if number is not None}
    if (owner := request.query.get("owner")) is not None:
        part["owner"] = owner[:OWNER_CHARS_MAX]
    ids = query_ids(request)
    if query_flag(request, "live"):
        ids = frozenset(live) if ids is None else ids & live
    if ids is None:
        return part, None
    above = sorted(each for each in ids if each > part.get("after", -1))
    named = part["ids"] = above[:IDS_ASKED_MAX]
    return part, named[-1] if len(named) < len(above) else None


async def stream_state(request: web.Request) -> web.Response:
    """GET streams/{stream}."""
    stream = stream_of(request)
    answer = await _ask(request, "stream", {"stream": stream.number})
    [answer] = await _described(request, [answer])
    return _json({**answer, **_live_fields(request.app[ENGINE].live(stream))})


async def _described(request: web.Request, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Streams with what their owners say of them, where this server has a community."""
    community = request.app.get(COMMUNITY)
    return found if community is None else await community.describe(chain_of(request), found)


async def terms(request: web.Request) -> web.Response:
    """GET streams/{stream}/terms."""
    params = {"token": bearer(request), "stream": stream_of(request).number}
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


async def development_sign(request: web.Request) -> web.Response:
    """POST development/sign."""
    params = _only(await json_of(request), ("account", "kind", "data"))
    return _json(await _ask(request, "development_sign", params))


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


async def description(request: web.Request) -> web.Response:
    """GET /openapi.json."""
    return _json(openapi.document(community=COMMUNITY in request.app))


async def documentation(request: web.Request) -> web.Response:
    """GET /docs."""
    text = openapi.page(community=COMMUNITY in request.app)
    return web.Response(text=text, content_type="text/html")


async def health(request: web.Request) -> web.Response:
    """GET /healthz."""
    relayer = request.app[LINK].connected
    return _json({"status": "ok", "boot_id": request.app[BOOT_ID], "relayer": relayer})


async def ready(request: web.Request) -> web.Response:
    """GET /readyz: whether a viewer who comes now could be admitted, on one chain at least."""
    link = request.app[LINK]
    if not link.connected:
        failing = {
            "relayer": link.refused or "no relayer is connected: see whether `paystream relay` runs"
        }
        return _json({"ready": False, "failing": failing}, status=503)
    chains = ("", *link.chains)
    found = await asyncio.gather(*(_failing(link, chain) for chain in chains))
    is_ready = not all(found)
    failing = {check: why for each in found for check, why in each.items()}
    return _json({"ready": is_ready, "failing": failing}, status=200 if is_ready else 503)


async def _failing(link: Links, chain: str) -> dict[str, str]:
    """Name what keeps the relayer from admitting a viewer on one of its chains."""
    name = f"relayer.{chain}" if chain else "relayer"
    try:
        relayer = await link.request("status", {}, READY_WITHIN_S, chain=chain)
    except ProblemError as error:
        return {name: error.problem.detail}
    return {f"{name}.{check}": why for check, why in relayer.get("failing", {}).items()}


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics, in Prometheus' text format."""
    return web.Response(
        body=request.app[METERS].text(),
        headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"},
    )
