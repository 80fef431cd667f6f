"""Publishing: WHIP (RFC 9725), one POST with an offer, one DELETE at the end."""

from __future__ import annotations

import secrets
from typing import Final

from aiohttp import web

from streaming.http.problem import ProblemError
from streaming.http.request_input import (
    ENGINE,
    LINK,
    bearer,
    stream_of,
)
from streaming.http.sdp_exchange import SDP_MIME, no_patch, options, problem_of, sdp_of
from streaming.sfu.media_engine import MediaError, Publication

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
