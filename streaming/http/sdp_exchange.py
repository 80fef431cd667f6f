"""What WHIP and WHEP share: an SDP offer in a POST, an answer, and no PATCH (RFC 9725, 4)."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from streaming.http.problem import ProblemError
from streaming.http.request_input import body_of
from streaming.sfu.media_engine import MediaError
from streaming.sfu.sdp import SDP_BYTES_MAX

SDP_MIME: Final = "application/sdp"


async def sdp_of(request: web.Request) -> str:
    """The SDP offer in the body. Raises 413, 415 or 400."""
    if request.content_type != SDP_MIME:
        raise ProblemError(
            415,
            "content-type",
            f"the body is {request.content_type}; send an SDP offer as Content-Type: {SDP_MIME}",
            headers={"Accept-Post": SDP_MIME},
        )
    body = await body_of(request, SDP_BYTES_MAX, "an SDP offer")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise ProblemError(400, "sdp-invalid", "the body is no text; send an SDP offer") from None


def problem_of(error: MediaError) -> ProblemError:
    """The HTTP problem for an offer that the engine cannot serve."""
    return ProblemError(error.status, error.code, error.detail, field="sdp")


async def no_patch(request: web.Request) -> web.Response:  # noqa: ARG001
    """Candidates come in the offer, and ICE is not restarted: connect again instead."""
    raise ProblemError(
        405,
        "no-trickle",
        "send all candidates in the offer (no trickle, no ICE restart); connect again instead, "
        "a viewer with its resume secret",
        headers={"Allow": "DELETE"},
    )


def session_options(allow: str) -> Handler:
    """A handler of OPTIONS on a session's resource: `allow` are the methods that it has."""

    async def handler(request: web.Request) -> web.StreamResponse:  # noqa: ARG001
        return web.Response(status=204, headers={"Allow": allow})

    return handler


async def options(request: web.Request) -> web.Response:  # noqa: ARG001
    """What may be posted here."""
    return web.Response(status=204, headers={"Accept-Post": SDP_MIME, "Allow": "OPTIONS, POST"})
