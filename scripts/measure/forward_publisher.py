"""`python -m measure.forward_publisher URL PATH TOKEN FILE`: publishes a file, and counts.

Prints its port once pictures flow; `GET /figures` gives packets and payload octets of picture and
sound. It ends with a word about why if no picture flows.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from measure.control import serve
from measure.load import LoadFailed, Publisher
from streaming.clients.rest_client import ClientError, RestClient


async def _main(url: str, path: str, token: str, file: str) -> None:
    async with RestClient(url) as rest:
        try:
            publisher = Publisher(Path(file))
            await publisher.start(rest, path, token)
        except (ClientError, LoadFailed) as error:
            raise SystemExit(f"the load cannot be published: {error}") from None
        await serve(publisher.figures)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:5]))
