"""Publishing: WHIP (RFC 9725), one POST with an offer, one DELETE at the end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from streaming.http.door import DOOR
from streaming.http.problem import ProblemError
from streaming.http.request_input import ENGINE, place_of, stream_of
from streaming.http.routes import add_for_each_chain
from streaming.http.sdp_exchange import (
    SDP_MIME,
    no_patch,
    options,
    problem_of,
    sdp_of,
    session_options,
)
from streaming.session_state import StreamRef
from streaming.sfu.media_engine import MediaError, Publication

CONNECTING_PER_STREAM_MAX: Final = 2
"""A stream's publications that were answered and send nothing yet; the oldest gives way."""


@dataclass(frozen=True)
class Published:
    """One publication and the secret address of it."""

    resource: str
    publication: Publication


class Publications:
    """All that still exist, by resource: an address is good until its publication is closed."""

    def __init__(self) -> None:
        self._by_resource: dict[str, Published] = {}

    def _forget_closed(self) -> None:
        for resource, one in list(self._by_resource.items()):
            if one.publication.phase == "closed":
                del self._by_resource[resource]

    def get(self, resource: str, stream: StreamRef) -> Publication:
        """The publication at an address. Raises `ProblemError` 404."""
        self._forget_closed()
        one = self._by_resource.get(resource)
        if one is None or one.publication.stream != stream:
            raise ProblemError(
                404,
                "publication-not-found",
                "there is no such publication; it may have ended already",
            )
        return one.publication

    async def add(self, publication: Publication) -> str:
        """Give a publication its address. Too old a half-open one of its stream gives way; the
        one that is live stays until the engine has replaced it."""
        self._forget_closed()
        connecting = [
            one
            for one in self._by_resource.values()
            if one.publication.stream == publication.stream
            and one.publication.phase == "connecting"
        ]
        resource = secrets.token_urlsafe(18)
        self._by_resource[resource] = Published(resource, publication)
        for one in connecting[: max(0, len(connecting) + 1 - CONNECTING_PER_STREAM_MAX)]:
            self._by_resource.pop(one.resource, None)
            await one.publication.close()
        return resource

    def remove(self, resource: str) -> None:
        """Forget an address."""
        self._by_resource.pop(resource, None)

    def __len__(self) -> int:
        self._forget_closed()
        return len(self._by_resource)


PUBLICATIONS: Final = web.AppKey("publications", Publications)


def add_routes(app: web.Application) -> None:
    """Mount `/whip/{stream}` and its resources."""
    app[PUBLICATIONS] = Publications()
    one = "/whip/{stream}/{resource}"
    add_for_each_chain(
        app,
        web.post("/whip/{stream}", publish),
        web.options("/whip/{stream}", options),
        web.delete(one, unpublish),
        web.patch(one, no_patch),
        web.options(one, session_options("DELETE, OPTIONS")),
    )


async def publish(request: web.Request) -> web.Response:
    """Answer a publisher's offer with 201, the answer and the resource's address."""
    stream = stream_of(request)
    door = request.app[DOOR]
    address = door.take_join(request)
    await door.ask_about_token(request, "publish", stream, address)
    place = door.half_open.enter(address, stream, publishing=True)
    try:
        offer = await sdp_of(request)
        sound_alone = request.query.get("sound_alone") == "1"
        publication = await request.app[ENGINE].publish(stream, offer, sound_alone=sound_alone)
    except BaseException as error:
        door.half_open.leave(place)
        if isinstance(error, MediaError):
            raise problem_of(error) from None
        raise
    place.over = _no_longer_connecting(publication)
    resource = await request.app[PUBLICATIONS].add(publication)
    return web.Response(
        status=201,
        text=publication.answer,
        content_type=SDP_MIME,
        headers={"Location": f"{place_of(request)}/whip/{stream.number}/{resource}"},
    )


def _no_longer_connecting(publication: Publication) -> Callable[[], bool]:
    return lambda: publication.phase != "connecting"


async def unpublish(request: web.Request) -> web.Response:
    """End a publication. Its address is a secret of its publisher."""
    publications = request.app[PUBLICATIONS]
    resource = request.match_info["resource"]
    publication = publications.get(resource, stream_of(request))
    publications.remove(resource)
    await publication.close()
    return web.Response()
