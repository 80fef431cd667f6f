"""What the command line mounts: the server and the two clients, each one async function.

They run on asyncio (`asyncio.run(run_serve(config))`), raise `ClientError` with a message for
people, and print nothing but what the configuration's callbacks print.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from streaming.clients.config import PublishConfig, PublishResult, WatchConfig, WatchResult
from streaming.clients.finding import Finding
from streaming.clients.signer import Signer
from streaming.http.config import ServeConfig, half
from streaming.http.limits import Limits
from streaming.http.tls import CertificateFiles

if TYPE_CHECKING:
    from pathlib import Path

    from streaming.http.community_tables import Verified
    from streaming.http.self_test import Reach

__all__ = [
    "CertificateFiles",
    "Finding",
    "Limits",
    "PublishConfig",
    "PublishResult",
    "ServeConfig",
    "Signer",
    "WatchConfig",
    "WatchResult",
    "examine_whep",
    "half",
    "run_publish",
    "run_serve",
    "run_watch",
    "try_media",
    "verify_acts",
]


async def run_serve(config: ServeConfig) -> None:
    """Run the media server, the community, or both until SIGTERM or SIGINT, then end within 3 s.

    Raises `OSError` if the port cannot be listened on, `streaming.http.config.ServeConfigInvalid`
    and `streaming.sfu.addresses.IceHostInvalid`.
    """
    from streaming.http.process import serve  # noqa: PLC0415  (aiohttp takes a while to import)

    await serve(config)


def try_media(config: ServeConfig) -> list[Reach]:
    """Try every address that WebRTC peers would be offered, without a server; a second at most.

    Raises `streaming.sfu.addresses.IceHostInvalid`.
    """
    from streaming.http.self_test import try_media as tried  # noqa: PLC0415

    return tried(config)


def verify_acts(database: Path | None, url_file: Path | None, noted: str | None = None) -> Verified:
    """Check the log of moderators' acts in a community's tables; `noted` is an earlier head.

    One of the two is given. Raises `streaming.community.database.errors.DatabaseError`.
    """
    from streaming.http import community_tables  # noqa: PLC0415  (for this command alone)

    place = community_tables.place_of(database, url_file)
    if place is None:
        raise ValueError("a database or a file with its URL is needed")
    return community_tables.verify_acts(place, noted)


async def run_publish(config: PublishConfig) -> PublishResult:
    """Publish a file (or test pictures) until its time is over or the task is cancelled.

    Raises `streaming.clients.rest_client.ClientError`: a file that is no video, a refused token, an
    ended stream, a server that was never reached.
    """
    from streaming.clients.publisher import publish  # noqa: PLC0415

    return await publish(config)


async def run_watch(config: WatchConfig) -> WatchResult:
    """Watch a stream until its time is over, the media ends, or the task is cancelled.

    Raises `streaming.clients.rest_client.ClientError` if it never began: a refused token, a stream
    that nobody publishes, terms that are not met (`problem` then holds the server's words).
    """
    from streaming.clients.viewer import watch  # noqa: PLC0415

    return await watch(config)


async def examine_whep(url: str, token: str | None = None) -> AsyncIterator[Finding]:
    """Judge a WHEP resource by the rules of `docs/whep-402.md`; with a watch token, by all.

    Raises `streaming.clients.rest_client.ClientError`: no address, or nobody answers there.
    """
    from streaming.clients.whep_conformance import examine  # noqa: PLC0415

    async for finding in examine(url, token):
        yield finding
