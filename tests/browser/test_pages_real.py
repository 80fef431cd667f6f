"""The pages in real Chromium with its fake camera, over the real server, relayer and node."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from streaming.clients.browser import (
    connect_wallet,
    create_stream_in_browser,
    first_picture,
    page_with_wallet,
    pay_and_watch,
    publish_in_browser,
    stop_watching,
    watch_in_browser,
)
from tests.browser.conftest import Driven, wallet
from tests.browser.real_system import RealSystem
from tests.system.node_process import NodeMissing, NodeProcess

pytestmark = [pytest.mark.browser, pytest.mark.system]

CREATOR = wallet("Alice")
RATE = 10**9
PRICE_PER_MINUTE = "0.06"
AGREE_MS = 2_500
"""How far the viewer's own measure may be above what is paid."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSystem]:
    """Node, relayer and server for all tests here; each has a viewer and a stream of its own."""
    directory = tmp_path_factory.mktemp("pages")
    chain = NodeProcess(directory / "node")
    try:
        chain.start()
    except NodeMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    try:
        running = RealSystem(directory, chain)
        try:
            yield running
        finally:
            running.end()
    finally:
        chain.stop()


@contextlib.asynccontextmanager
async def broadcast(
    driven: Driven, system: RealSystem, hold: asyncio.Event | None = None
) -> AsyncIterator[int]:
    """A stream made and published by the broadcast page; gives its id."""
    stream = await create_stream_in_browser(driven.browser, system.url, CREATOR, PRICE_PER_MINUTE)
    done, live = asyncio.Event(), asyncio.Event()
    publishing = asyncio.create_task(
        publish_in_browser(
            driven.browser, system.url, stream, CREATOR, until=done, on_live=live.set, hold=hold
        )
    )
    waiting = asyncio.create_task(live.wait())
    try:
        await asyncio.wait([publishing, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=40)
        if publishing.done():
            publishing.result()
        assert live.is_set(), "the publisher did not get live"
        yield stream
    finally:
        done.set()
        await asyncio.wait([publishing], timeout=30)
        waiting.cancel()


async def until(condition: Callable[[], Any], within_s: float = 40.0) -> Any:
    """What `condition` gives, asked in a thread, as soon as it is true."""
    async with asyncio.timeout(within_s):
        while True:
            if found := await asyncio.to_thread(condition):
                return found
            await asyncio.sleep(0.5)


async def measured(page: Page) -> dict[str, Any]:
    result: dict[str, Any] = await page.evaluate("window.paystream.measure()")
    return result


def ids(session: str) -> tuple[int, int]:
    grant, index = session.split("-")
    return int(grant), int(index)


def test_a_stream_is_made_watched_paid_and_closed_by_the_pages_alone(
    driven: Driven, system: RealSystem, tmp_path: Path
) -> None:
    viewer = wallet("Bob")

    async def body() -> None:
        async with broadcast(driven, system) as stream:
            seen = await watch_in_browser(
                driven.browser, system.url, stream, viewer, seconds=12, watch_minutes=10
            )
            grant, index = ids(seen["session"])
            assert seen["end_reason"] == "left"
            await until(lambda: system.ledger("Sessions", grant, index) is None)
            entry = await asyncio.to_thread(system.ledger, "Streams", stream)
            paid_seconds = entry["seconds"]
            assert entry["earned_total"] == paid_seconds * RATE
            assert paid_seconds >= 9
            assert -500 <= seen["watched_ms"] - paid_seconds * 1000 < AGREE_MS
            assert seen["first_frame_ms"] < 5_000
            vault = await asyncio.to_thread(system.ledger, "Vaults", viewer.address, "Native")
            assert vault == 600 * RATE - entry["earned_total"]

    driven.run(body())


def test_a_reload_goes_on_with_the_same_session(driven: Driven, system: RealSystem) -> None:
    viewer = wallet("Charlie")

    async def body() -> None:
        async with (
            broadcast(driven, system) as stream,
            page_with_wallet(driven.browser, viewer) as page,
        ):
            await page.goto(f"{system.url}/watch?stream={stream}")
            await pay_and_watch(page, 10)
            await first_picture(page)
            await page.wait_for_timeout(4_000)
            before = await measured(page)
            await page.reload()
            await first_picture(page)
            await page.wait_for_timeout(3_000)
            after = await measured(page)
            assert after["session"] == before["session"]
            assert after["reconnects"] == 1
            result = await stop_watching(page, viewer)
            grant, index = ids(result["session"])
            await until(lambda: system.ledger("Sessions", grant, index) is None)
            entry = await asyncio.to_thread(system.ledger, "Streams", stream)
            # The frames lost over the reload are in neither of the two.
            assert 0 <= result["watched_ms"] + 500 - entry["seconds"] * 1000 < AGREE_MS + 2_000

    driven.run(body())


def test_a_paused_publisher_costs_nothing(driven: Driven, system: RealSystem) -> None:
    viewer = wallet("Dave")

    async def body() -> None:
        hold = asyncio.Event()
        async with (
            broadcast(driven, system, hold) as stream,
            page_with_wallet(driven.browser, viewer) as page,
        ):
            await page.goto(f"{system.url}/watch?stream={stream}")
            await pay_and_watch(page, 10)
            await first_picture(page)
            await page.wait_for_timeout(3_000)
            hold.set()
            waiting = page.locator(".player-title", has_text="Waiting for the picture")
            await expect(waiting).to_be_visible(timeout=8_000)
            delivered = page.locator("ps-cost .figure", has_text="Delivered")
            await page.wait_for_timeout(1_500)
            before = await delivered.inner_text()
            await page.wait_for_timeout(2_500)
            assert await delivered.inner_text() == before
            hold.clear()
            await expect(waiting).to_have_count(0, timeout=8_000)
            await stop_watching(page, viewer)

    driven.run(body())


def test_a_revoked_permission_ends_the_media_and_is_said(
    driven: Driven, system: RealSystem
) -> None:
    viewer = wallet("Eve")

    async def body() -> None:
        async with (
            broadcast(driven, system) as stream,
            page_with_wallet(driven.browser, viewer) as page,
        ):
            await page.goto(f"{system.url}/watch?stream={stream}")
            await pay_and_watch(page, 10)
            await first_picture(page)
            await page.locator("#vault summary").click()
            await page.get_by_role("button", name="Revoke").click()
            title = page.locator(".player-title", has_text="Your permission to pay has ended")
            await expect(title).to_be_visible(timeout=30_000)
            assert (await measured(page))["end_reason"] == "grant-ended"
            await expect(page.locator("#allow")).to_be_visible(timeout=15_000)

    driven.run(body())


def test_publisher_and_viewer_come_back_when_the_server_was_killed(
    driven: Driven, system: RealSystem
) -> None:
    viewer = wallet("Ferdie")

    async def body() -> None:
        async with (
            broadcast(driven, system) as stream,
            page_with_wallet(driven.browser, viewer) as page,
        ):
            await page.goto(f"{system.url}/watch?stream={stream}")
            await pay_and_watch(page, 10)
            await first_picture(page)
            await page.wait_for_timeout(3_000)
            await asyncio.to_thread(system.serve.end, signal.SIGKILL)
            await asyncio.to_thread(system.start_serve)
            frames = (await measured(page))["frames_decoded"]
            more = f"() => window.paystream.measure().frames_decoded > {frames + 20}"
            await page.wait_for_function(more, timeout=60_000, polling=500)
            result = await stop_watching(page, viewer)
            assert result["reconnects"] >= 1

    driven.run(body())


def test_a_dry_vault_ends_the_media_and_a_top_up_goes_on(
    driven: Driven, system: RealSystem
) -> None:
    viewer = wallet("Ferdie//stash")

    async def body() -> None:
        await asyncio.to_thread(system.endow, viewer.address, 100 * 10**12)
        async with (
            broadcast(driven, system) as stream,
            page_with_wallet(driven.browser, viewer) as page,
        ):
            await page.goto(f"{system.url}/watch?stream={stream}")
            await pay_and_watch(page, 1)
            await first_picture(page)
            title = page.locator(
                ".player-title", has_text="Your balance for this stream is used up"
            )
            await expect(title).to_be_visible(timeout=90_000)
            result = await measured(page)
            assert result["end_reason"] == "funds"
            assert result["watched_ms"] < 64_000, "no more than 3 s are given away"
            grant, index = ids(result["session"])
            await until(lambda: system.ledger("Sessions", grant, index) is None)
            entry = await asyncio.to_thread(system.ledger, "Streams", stream)
            assert entry["seconds"] == 60
            await page.locator("#allow").click(timeout=15_000)
            await expect(page.locator("#stop")).to_be_visible(timeout=30_000)
            await first_picture(page)
            again = await stop_watching(page, viewer)
            assert again["session"] != result["session"]

    driven.run(body())


def test_a_killed_relayer_ends_no_session(driven: Driven, system: RealSystem) -> None:
    viewer = wallet("Dave//stash")

    async def body() -> None:
        await asyncio.to_thread(system.endow, viewer.address, 100 * 10**12)
        async with (
            broadcast(driven, system) as stream,
            page_with_wallet(driven.browser, viewer) as page,
        ):
            await page.goto(f"{system.url}/watch?stream={stream}")
            await pay_and_watch(page, 10)
            await first_picture(page)
            await page.wait_for_timeout(4_000)
            session = (await measured(page))["session"]
            away = asyncio.get_running_loop().time()
            await asyncio.to_thread(system.restart_relay)
            away = asyncio.get_running_loop().time() - away
            await page.wait_for_timeout(6_000)
            result = await stop_watching(page, viewer)
            assert result["session"] == session, f"the relayer was away for {away:.1f} s: {result}"
            grant, index = ids(result["session"])
            await until(lambda: system.ledger("Sessions", grant, index) is None)
            entry = await asyncio.to_thread(system.ledger, "Streams", stream)
            assert -500 <= result["watched_ms"] - entry["seconds"] * 1000 < AGREE_MS + 2_000

    driven.run(body())


def test_a_deposit_above_the_balance_is_refused_before_it_is_signed(
    driven: Driven, system: RealSystem
) -> None:
    poor = wallet("Poor//viewer")

    async def body() -> None:
        async with (
            broadcast(driven, system) as stream,
            page_with_wallet(driven.browser, poor) as page,
        ):
            await page.goto(f"{system.url}/watch?stream={stream}")
            await connect_wallet(page)
            await page.locator("#sign-in").click()
            await expect(page.locator("#allow")).to_be_disabled(timeout=15_000)
            await expect(page.get_by_text("Your account holds 0")).to_be_visible()

    driven.run(body())
