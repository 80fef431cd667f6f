"""One Chromium for all tests of the pages, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser
from substrateinterface import Keypair

from streaming.clients.browser import Wallet, chromium
from tests.browser.fake_api import FakeServer
from tests.browser.fake_system import FakeSystem

TEST_WITHIN_S = 180


@dataclass
class Driven:
    """The browser, and the loop on which everything that concerns it runs."""

    browser: Browser
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Any], within_s: float = TEST_WITHIN_S) -> Any:
        """Runs `work` there and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(within_s)


@pytest.fixture(scope="session")
def driven() -> Iterator[Driven]:
    """Chromium with its fake camera."""
    if shutil.which("chromium") is None:
        pytest.fail("Chromium is missing: apt-get install chromium", pytrace=False)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="browser")
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    context = chromium()
    try:
        browser = run(context.__aenter__())
        yield Driven(browser, loop)
        run(context.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A fresh fake system, served on a free port."""
    with FakeServer(FakeSystem()) as server:
        yield server


@dataclass
class Asked:
    """What the pages have asked of a wallet, and whether its user will decline."""

    requests: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    declines: bool = False

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.requests]


def wallet(name: str) -> Wallet:
    """One of the well-known development accounts."""
    keypair = Keypair.create_from_uri(f"//{name}")
    return Wallet(keypair.ss58_address, name, keypair.sign)
