"""Firefox ESR in our own pages: it gathers no loopback candidates, and its camera sends VP8."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streaming.clients.path.model import PathSettings
from streaming.clients.path.proxy import PathConfig, path_before
from streaming.session_state import StreamRef
from streaming.sfu.addresses import own_addresses
from tests.programs.firefox import Firefox, firefox
from tests.programs.pages import before_pages, serves_pages
from tests.programs.scene import counted, last_words, live, published, until
from tests.sfu.rig import Rig, rig

pytestmark = pytest.mark.programs

WATCH_S = 15.0
FAR = PathSettings(loss_percent=2, delay_ms=40)
"""Two of a hundred packets lost, and forty milliseconds, each way."""
LATE_MS = 500
"""Beside other work it presents its first picture late, and stays as late: when it leaves, it has
so much that it has not shown. `scripts/watch-paths` allows nothing for that."""
CONNECTED = "Boolean(document.querySelector('#account'))"


@contextlib.asynccontextmanager
async def opened(r: Rig, path: str) -> AsyncIterator[Firefox]:
    """One of our pages, with the wallet connected."""
    serves_pages(r.relayer)
    async with firefox(before_pages()) as page:
        await page.go(r.url + path)
        connect = (
            "[...document.querySelectorAll('button')].find(b => /Connect test/i.test(b.innerText))"
        )
        await page.until(f"Boolean({connect}) || {CONNECTED}")
        await page.run(f"{connect}?.click()")
        await page.until(CONNECTED)
        yield page


@contextlib.asynccontextmanager
async def behind(r: Rig) -> AsyncIterator[None]:
    """The clients come over a path that loses packets. Firefox takes no loopback address, not even
    as the one that the server sees it at: neither end of the path may have one."""
    config = PathConfig(to=r.url, viewers=FAR, relay_host=own_addresses()[0])
    async with path_before(config) as path:
        r.url = path.url
        yield


def test_it_views_in_our_page() -> None:
    async def main() -> None:
        server = rig(listen_host=own_addresses()[0])
        async with server as r, r.publishing(), behind(r), opened(r, "/watch?stream=1") as page:
            await page.click("#sign-in")
            await page.click("#watch")
            await page.until("window.paystream.measure().frames_decoded > 0")
            await asyncio.sleep(WATCH_S)
            engine: Any = r.server.engine
            (subscription,) = engine._streams[StreamRef(1)].subscriptions
            assert subscription.subscriber.meter.per_packet
            await page.click("#stop")
            await page.until("window.paystream.state() === 'idle'")
            measured = await page.run("window.paystream.measure()")
            assert measured["watched_ms"] > WATCH_S * 900
            assert measured["frames_decoded"] > WATCH_S * 20
            final = await last_words(r)
            assert final.end_reason == "left"
            # The start and one broken chain are free, and more than a twentieth of so short a time.
            watched_ms = measured["watched_ms"]
            counted(final, watched_ms=watched_ms, least=0.9, buffered_ms=LATE_MS)

    asyncio.run(main())


def test_it_publishes_from_our_page() -> None:
    async def main() -> None:
        async with rig() as r, opened(r, "/broadcast") as page:
            await page.until("Boolean(document.querySelector('#own-stream'))")
            await page.click("#devices")
            await page.click("#start")
            await page.until("Boolean(document.querySelector('#badge.live'))")
            state = await published(r)
            assert (state.video_codec, state.audio_codec) == ("VP8", "opus")
            await page.click("#stop")
            await until(lambda: live(r) is None)

    asyncio.run(main())
