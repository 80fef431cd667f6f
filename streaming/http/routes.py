"""Every path twice: about the chain without a name, and below `/chains/NAME` about another.

A relayer may follow several chains. Numbers of streams, grants and sessions are a ledger's own, and
so are its accounts, tokens and wallets' calls: whatever is said below a chain's place is said to it
alone. A client of one chain needs no more than its place as the address of the server.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

_PLACE: Final = "/chains/{chain:[a-z0-9-]{1,32}}"


def add_for_each_chain(app: web.Application, *routes: web.RouteDef) -> None:
    """Mount routes for the chain without a name, and for each that has one."""
    app.add_routes(routes)
    for route in routes:
        app.add_routes(
            [web.RouteDef(route.method, _PLACE + route.path, route.handler, route.kwargs)]
        )
