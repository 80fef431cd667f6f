"""What tests of the pages have in common: a page with a wallet, over the stand-in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Final

from playwright.async_api import Page

from streaming.clients.browser import Wallet, answer, inject
from tests.browser.conftest import Asked, Driven, wallet
from tests.browser.fake_api import FakeServer
from tests.browser.fake_system import UNIT

BOB: Final = wallet("Bob")
SOON_MS: Final = 8_000


@contextlib.asynccontextmanager
async def opened(
    driven: Driven, who: Wallet | None, path: str, asked: Asked | None = None
) -> AsyncIterator[Page]:
    """A page with a wallet; whatever its policy refuses or its scripts throw fails the test."""
    context = await driven.browser.new_context(permissions=["camera", "microphone"])
    troubles: list[str] = []

    async def signs(kind: str, request: Mapping[str, Any]) -> str | None:
        assert asked is not None
        assert who is not None
        asked.requests.append((kind, request))
        return None if asked.declines else answer(who, kind, request)

    if who is not None:
        await inject(context, who, signs if asked else None)
    page = await context.new_page()
    page.on("pageerror", lambda error: troubles.append(str(error)))

    def heard(text: str) -> None:
        if "Content Security Policy" in text or "Uncaught" in text:
            troubles.append(text)

    page.on("console", lambda message: heard(message.text))
    try:
        await page.goto(path)
        yield page
    finally:
        await context.close()
    assert troubles == []


def on_browser(
    test: Callable[[Driven, FakeServer], Coroutine[Any, Any, None]],
) -> Callable[[Driven, FakeServer], None]:
    """Runs an asyncio test on the browser's loop."""

    def run(driven: Driven, fake: FakeServer) -> None:
        driven.run(test(driven, fake))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


async def until(condition: Callable[[], object], within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what the fake knows changes in another thread
            await asyncio.sleep(0.05)


async def measured(page: Page) -> dict[str, Any]:
    result: dict[str, Any] = await page.evaluate("window.paystream.measure()")
    return result


def ready(fake: FakeServer, *, balance: int = 100 * UNIT, **stream: Any) -> str:
    """One live stream, money for Bob; gives the address of its watch page."""
    number = fake.system.add_stream(**stream)
    fake.system.fund(BOB.address, balance)
    return f"{fake.url}/watch?stream={number}"
