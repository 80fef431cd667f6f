"""Every path twice: about the chain without a name, and below `/chains/NAME` about another.

A relayer may follow several chains. Numbers of streams, grants and sessions are a ledger's own, and
so are its accounts, tokens and wallets' calls: whatever is said below a chain's place is said to it
alone. A client of one chain needs no more than its place as the address of the server.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from streaming.http.problem import ProblemError

_PLACE: Final = "/chains/{chain:[a-z0-9-]{1,32}}"


def add_for_each_chain(app: web.Application, *routes: web.RouteDef) -> None:
    """Mount routes for the chain without a name, and for each that has one."""
    app.add_routes(routes)
    for route in routes:
        app.add_routes(
            [web.RouteDef(route.method, _PLACE + route.path, route.handler, route.kwargs)]
        )


@dataclass(frozen=True)
class Elsewhere:
    """What is said of paths that another server answers."""

    code: str
    what: str
    """What is not here, and why."""
    remedy: str
    """What helps where this server knows no other."""


def elsewhere(
    paths: Iterable[str], said: Elsewhere, origin: str | None
) -> tuple[web.RouteDef, ...]:
    """Routes that send whoever asks for these paths to the server at `origin`, by a 404."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        where = said.remedy if origin is None else f"ask {origin}{request.path[:200]}"
        raise ProblemError(404, said.code, f"{said.what}: {where}")

    return tuple(web.route("*", path, refuse) for path in paths)
