"""Pages of a server whose other half is another one: each half's pages show both, in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from offchain.keys.signer import dev_key
from tests.browser.conftest import Asked, Driven
from tests.browser.page_scene import BOB, SOON_MS, opened
from tests.browser.test_pages_chat import log, sign_in
from tests.browser.test_pages_moderation import ALICE, at_the_desk
from tests.community.people import COMMUNITY, Person, describe
from tests.http.halves import halves

pytestmark = pytest.mark.browser


def test_pages_of_either_half_show_streams_with_their_titles_and_chat(
    driven: Driven, tmp_path: Path
) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            alice = await Person(both.community, dev_key("Alice")).sign_in()
            await alice.ask("PUT", f"{COMMUNITY}/profile", json={"name": "Alice"})
            await describe(alice, 1, {"title": "A mad tea party"})
            for number, at in enumerate((both.media, both.community)):
                said = {"id": f"message-{number}", "text": f"hello {number}"}
                await alice.ask("POST", "/api/v1/streams/1/chat", json=said)
                async with opened(driven, None, at.url) as page:
                    row = page.locator(".stream-row", has_text="A mad tea party")
                    await expect(row).to_contain_text("by Alice", timeout=SOON_MS)
                    await row.get_by_role("link", name="Alice").click()
                    await expect(page.get_by_role("heading", name="Alice")).to_be_visible()
                    await expect(row).to_be_visible()
                    await page.goto(f"{at.url}/browse?text=mad+alice")
                    await expect(row).to_contain_text("Live", timeout=SOON_MS)
                asked = Asked()
                async with opened(driven, BOB, f"{at.url}/watch?stream=1", asked) as page:
                    heading = page.get_by_role("heading", name="A mad tea party")
                    await expect(heading).to_be_visible(timeout=SOON_MS)
                    await expect(log(page)).to_contain_text(f"hello {number}", timeout=SOON_MS)
                    await sign_in(page, asked)
                    await page.get_by_label("Message", exact=True).fill(f"from page {number}")
                    await page.keyboard.press("Enter")
                    await expect(log(page)).to_contain_text(f"from page {number}", timeout=SOON_MS)
                    signed = bytes.fromhex(asked.requests[-1][1]["data"].removeprefix("0x"))
                    assert both.community.url in signed.decode()  # whom the session is for

    driven.run(main())


def test_a_creator_moderates_at_the_page_of_either_half(driven: Driven, tmp_path: Path) -> None:
    async def main() -> None:
        async with halves(tmp_path) as both:
            bob = await Person(both.community, dev_key("Bob")).sign_in()
            alice = await Person(both.community, dev_key("Alice")).sign_in()
            held = {"pattern": "moon", "action": "hold"}
            await alice.ask("POST", "/api/v1/streams/1/chat/filters", json=held)
            for number, at in enumerate((both.media, both.community), start=1):
                said = {"id": f"message-{number}", "text": "to the moon"}
                await bob.ask("POST", "/api/v1/streams/1/chat", json=said)
                async with opened(driven, ALICE, f"{at.url}/moderation?stream=1", Asked()) as page:
                    await at_the_desk(page)
                    queue = page.locator("ps-queue")
                    await expect(queue).to_contain_text("to the moon")
                    await queue.get_by_role("button", name="Release what").press("Enter")
                    await expect(queue).to_contain_text("Nothing is reported, and nothing is held.")
                _, _, chat = await both.community.ask("GET", "/api/v1/streams/1/chat")
                assert len(chat["messages"]) == number

    driven.run(main())
