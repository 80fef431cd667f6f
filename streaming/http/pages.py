"""The pages: files as they lie there, told where the other half of the server is."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

PAGES: Final = Path(__file__).parents[1] / "pages"
PAGE_PATHS: Final = (
    ("/", "index"),
    ("/watch", "watch"),
    ("/broadcast", "broadcast"),
    ("/moderation", "moderation"),
)


def add_pages(
    app: web.Application, *, media: str | None = None, community: str | None = None
) -> None:
    """Mount the pages. `media` and `community` are origins, where another server has that half."""
    told = "".join(
        f'    <meta name="paystream-{half}" content="{escape(origin)}">\n'
        for half, origin in (("media", media), ("community", community))
        if origin is not None
    )
    for path, name in PAGE_PATHS:
        app.router.add_get(path, _page(PAGES / f"{name}.html", told))
    static = PAGES / "static"
    if static.is_dir():
        app.router.add_static("/static", static)


def _page(path: Path, told: str) -> Handler:
    headers = {"Cache-Control": "no-cache"}

    async def serve_file(request: web.Request) -> web.StreamResponse:  # noqa: ARG001
        return web.FileResponse(path, headers=headers)

    if not told:
        return serve_file
    text = path.read_text(encoding="utf-8").replace("  </head>", f"{told}  </head>", 1)

    async def serve_told(request: web.Request) -> web.StreamResponse:  # noqa: ARG001
        return web.Response(text=text, content_type="text/html", headers=headers)

    return serve_told
