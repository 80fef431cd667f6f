"""Chromium in our own pages, 40 ms away behind a path that loses packets."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from streaming.clients.browser import (
    chromium,
    first_picture,
    page_with_wallet,
    pay_and_watch,
    publish_in_browser,
    stop_watching,
    watch_in_browser,
)
from streaming.clients.path.model import PathSettings
from streaming.clients.path.proxy import PathConfig, path_before
from streaming.session_state import StreamRef
from tests.programs.pages import WALLET, serves_pages
from tests.programs.scene import counted, last_words, published
from tests.sfu.rig import rig, sample_file

pytestmark = pytest.mark.programs

WATCH_S = 20.0
FAR = PathSettings(loss_percent=2, delay_ms=40)
"""Two of a hundred packets lost, and forty milliseconds, each way."""


def test_it_views_over_a_path_that_loses_packets() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            serves_pages(r.relayer)
            config = PathConfig(to=r.url, viewers=FAR)
            async with path_before(config) as path, chromium() as browser:
                seen: list[tuple[bool, bytes]] = []

                def look(_measure: object) -> None:
                    for subscription in r.server.engine._streams[StreamRef(1)].subscriptions:
                        dtls = subscription._pc.getTransceivers()[0].sender.transport
                        profile = dtls._ssl.get_selected_srtp_profile()
                        seen.append((subscription.subscriber.meter.per_packet, profile))

                measured = await watch_in_browser(
                    browser, path.url, 1, WALLET, seconds=WATCH_S, on_progress=look
                )
                assert measured["watched_ms"] > WATCH_S * 900
                final = await last_words(r)
                assert final.end_reason == "left"
                counted(final, watched_ms=measured["watched_ms"], least=0.95)
                # Receipt was known of each packet, and SRTP is the cheapest there is.
                assert seen[-1] == (True, b"SRTP_AEAD_AES_128_GCM")
                out = path.proxy.viewers.to_client
                assert 0.5 < 100 * out.lost / out.packets < 5

    asyncio.run(main())


def test_two_and_a_half_megabits_go_over_three() -> None:
    """A downlink that is hardly wider than the stream, 40 ms away: nothing collapses, the viewer
    is neither held nor reduced to sound, and what it watched is paid."""

    async def main() -> None:
        async with rig() as r, r.publishing(video=sample_file(2_500, (1280, 720))):
            serves_pages(r.relayer)
            config = PathConfig(to=r.url, viewers=PathSettings(rate_kbps=3_000, delay_ms=40))
            async with path_before(config) as path, chromium() as browser:
                reasons: set[str] = set()

                def look(_measure: object) -> None:
                    for subscription in r.server.engine._streams[StreamRef(1)].subscriptions:
                        reasons.update(subscription.held)

                measured = await watch_in_browser(
                    browser, path.url, 1, WALLET, seconds=WATCH_S, on_progress=look
                )
                final = await last_words(r)
            assert not reasons
            assert path.proxy.viewers.to_client.packets > 200 * WATCH_S
            assert measured["watched_ms"] > WATCH_S * 900
            counted(final, watched_ms=measured["watched_ms"], least=0.9)

    asyncio.run(main())


def test_a_pause_that_is_pressed_sends_and_charges_nothing() -> None:
    """The page, the media server and the media are real: what is watched before and after a pause
    of five seconds is charged, and nothing between."""

    async def main() -> None:
        async with rig() as r, r.publishing():
            serves_pages(r.relayer)
            config = PathConfig(to=r.url, viewers=PathSettings(delay_ms=40))
            async with path_before(config) as path, chromium() as browser:
                async with page_with_wallet(browser, WALLET) as page:
                    await page.goto(f"{path.url}/watch?stream=1")
                    await pay_and_watch(page, 10)
                    await first_picture(page)
                    await page.wait_for_timeout(5_000)
                    await page.get_by_role("button", name="Pause", exact=True).click()
                    title = page.locator(".player-title", has_text="Paused")
                    await expect(title).to_be_visible(timeout=4_000)
                    (subscription,) = r.server.engine._streams[StreamRef(1)].subscriptions
                    await page.wait_for_timeout(500)  # what was on its way is confirmed
                    figures = subscription.figures()
                    assert subscription.held == ["paused"]
                    assert figures.delivered_ms > 4_000
                    packets = path.proxy.viewers.to_client.packets
                    await page.wait_for_timeout(4_500)
                    assert subscription.figures() == figures
                    sent = path.proxy.viewers.to_client.packets - packets
                    assert sent < 4.5 * 10, "reports and consent checks go on"
                    await page.get_by_role("button", name="Play", exact=True).click()
                    await expect(title).to_have_count(0, timeout=4_000)
                    await page.wait_for_timeout(5_000)
                    measured = await stop_watching(page, WALLET)
                final = await last_words(r)
                assert final.end_reason == "left"
                assert final.delivered_ms > figures.delivered_ms + 4_000
                assert measured["watched_ms"] < 13_000
                counted(final, watched_ms=measured["watched_ms"], least=0.9)

    asyncio.run(main())


def test_it_publishes_from_our_page() -> None:
    async def main() -> None:
        async with rig() as r, chromium() as browser:
            serves_pages(r.relayer)
            is_live, stop = asyncio.Event(), asyncio.Event()
            publishing = asyncio.ensure_future(
                publish_in_browser(browser, r.url, 1, WALLET, until=stop, on_live=is_live.set)
            )
            try:
                state = await published(r)
                assert (state.video_codec, state.audio_codec) == ("VP8", "opus")
            finally:
                stop.set()
                await publishing

    asyncio.run(main())
