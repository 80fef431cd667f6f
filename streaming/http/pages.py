"""The pages: files as they lie there, told where the other half of the server is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

PAGES: Final = Path(__file__).parents[1] / "pages"
PAGE_PATHS: Final = (
    ("/", "index"),
    ("/browse", "browse"),
    ("/creator/{who}", "creator"),
    ("/me", "creator"),
    ("/watch", "watch"),
    ("/broadcast", "broadcast"),
    ("/moderation", "moderation"),
)
Knows = Callable[[str], Awaitable[bool]]
"""Tells whether there is somebody of a handle or address."""


def add_pages(
    app: web.Application,
    *,
    media: str | None = None,
    community: str | None = None,
    knows: Knows | None = None,
) -> None:
    """Mount the pages. `media` and `community` are origins, where another server has that half.

    Without `knows` it is the page alone that says that there is nobody of a name.
    """
    told = "".join(
        f'    <meta name="paystream-{half}" content="{escape(origin)}">\n'
        for half, origin in (("media", media), ("community", community))
        if origin is not None
    )
    for path, name in PAGE_PATHS:
        app.router.add_get(path, _page(PAGES / f"{name}.html", told, knows))
    static = PAGES / "static"
    if static.is_dir():
        app.router.add_static("/static", static)


def _page(path: Path, told: str, knows: Knows | None) -> Handler:
    headers = {"Cache-Control": "no-cache"}
    text = path.read_text(encoding="utf-8").replace("  </head>", f"{told}  </head>", 1)

    async def serve(request: web.Request) -> web.StreamResponse:
        who = request.match_info.get("who")
        is_there = who is None or knows is None or await knows(who)
        if is_there and not told:
            return web.FileResponse(path, headers=headers)
        status = 200 if is_there else 404
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)

    return serve
