"""Publishing: WHIP (RFC 9725), one POST with an offer, one DELETE at the end."""

from __future__ import annotations

import secrets
from typing import Final

from aiohttp import web

from streaming.http_input import (
    ENGINE,
    LINK,
    SDP_MIME,
    bearer,
    problem_of,
    sdp_of,
    stream_of,
)
from streaming.media_engine import MediaError, Publication
from streaming.problem import ProblemError

PUBLICATIONS: Final = web.AppKey("publications", dict[str, Publication])


def add_routes(app: web.Application) -> None:
    """Mount `/whip/{stream}` and its resources."""
    app[PUBLICATIONS] = {}
    app.router.add_post("/whip/{stream}", publish)
    app.router.add_options("/whip/{stream}", options)
    app.router.add_delete("/whip/{stream}/{resource}", unpublish)
    app.router.add_patch("/whip/{stream}/{resource}", no_patch)


async def publish(request: web.Request) -> web.Response:
    """Answer a publisher's offer with 201, the answer and the resource's address."""
    stream = stream_of(request)
    token = bearer(request)
    offer = await sdp_of(request)
    sound_alone = request.query.get("sound_alone") == "1"
    await request.app[LINK].request("publish", {"token": token, "stream": stream})
    try:
        publication = await request.app[ENGINE].publish(stream, offer, sound_alone=sound_alone)
    except MediaError as error:
        raise problem_of(error) from None
    resources = request.app[PUBLICATIONS]
    for name in [name for name, other in resources.items() if other.stream == stream]:
        del resources[name]
    resource = secrets.token_urlsafe(18)
    resources[resource] = publication
    return web.Response(
        status=201,
        text=publication.answer,
        content_type=SDP_MIME,
        headers={"Location": f"/whip/{stream}/{resource}"},
    )


async def unpublish(request: web.Request) -> web.Response:
    """End a publication. Its address is a secret of its publisher."""
    resources = request.app[PUBLICATIONS]
    publication = resources.get(request.match_info["resource"])
    if publication is None or publication.stream != stream_of(request):
        raise ProblemError(
            404, "publication-not-found", "there is no such publication; it may have ended already"
        )
    del resources[request.match_info["resource"]]
    await publication.close()
    return web.Response()


async def no_patch(request: web.Request) -> web.Response:  # noqa: ARG001
    """Candidates come in the offer, and ICE is not restarted: connect again instead."""
    raise ProblemError(
        405,
        "no-trickle",
        "send all candidates in the offer (no trickle, no ICE restart); connect again instead",
        headers={"Allow": "DELETE"},
    )


async def options(request: web.Request) -> web.Response:  # noqa: ARG001
    """What may be posted here."""
    return web.Response(status=204, headers={"Accept-Post": SDP_MIME, "Allow": "OPTIONS, POST"})
