"""`python -m measure.forward_load URL PATH TOKEN [packets|reports]`: viewers that report.

They tell what a browser tells (`packets`), or receiver reports are all that they send.

Prints its port. `POST /viewers?more=N` lets N more watch and answers when all are connected, with
how many; `GET /figures` gives what came, picture and sound apart, and `witness`: what the first of
them saw, who decrypts the picture.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

from aiohttp import web

from measure.control import serve
from measure.load import Viewer, offer_reports_alone, summed, tend_all
from streaming.clients.rest_client import ClientError, RestClient

JOINS_AT_ONCE: Final = 8


class _Crowd:
    """All viewers of this process."""

    def __init__(self, rest: RestClient, path: str, token: str) -> None:
        self._rest, self._path, self._token = rest, path, token
        self._joining = asyncio.Semaphore(JOINS_AT_ONCE)
        self.viewers: list[Viewer] = []

    async def more(self, request: web.Request) -> web.Response:
        """Let more watch."""
        joins = [self._join() for _ in range(int(request.query["more"]))]
        refused = [said for said in await asyncio.gather(*joins) if said is not None]
        if refused:
            return web.Response(status=502, text=f"{len(refused)} could not watch: {refused[0]}")
        return web.json_response({"viewers": len(self.viewers)})

    async def _join(self) -> str | None:
        async with self._joining:
            viewer = Viewer(witness=not self.viewers)
            self.viewers.append(viewer)
            try:
                await viewer.join(self._rest, self._path, self._token)
            except ClientError as error:
                self.viewers.remove(viewer)
                await viewer.close()
                return str(error)
        return None

    async def figures(self) -> dict[str, Any]:
        """What came to all, and what the witness saw of the picture."""
        found = summed(self.viewers)
        return {**found, "witness": summed(self.viewers[:1])["video"]}


async def _main(url: str, path: str, token: str, feedback: str = "packets") -> None:
    if feedback == "reports":
        offer_reports_alone()
    async with RestClient(url) as rest:
        crowd = _Crowd(rest, path, token)
        tending = asyncio.ensure_future(tend_all(crowd.viewers))
        await serve(crowd.figures, {"/viewers": crowd.more})
        tending.cancel()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:5]))
