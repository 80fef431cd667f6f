"""Titles, names and chat on the pages, with the real community behind them, in real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from playwright.async_api import FloatRect, Page, expect

from offchain.cli.rest import AccountSigner
from offchain.keys.signer import dev_key
from streaming.clients.browser import connect_wallet
from streaming.clients.community_client import CommunityClient
from streaming.clients.rest_client import RestClient
from tests.browser.conftest import Asked, Driven, wallet
from tests.browser.fake_api import FakeServer
from tests.browser.fake_system import FakeSystem
from tests.browser.page_scene import BOB, SOON_MS, on_browser, opened, ready

pytestmark = pytest.mark.browser
ALICE = wallet("Alice")
HOSTILE = "<b>x</b><img src=x onerror=alert(1)>"


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A fresh system whose people have names."""
    with FakeServer(FakeSystem(has_community=True)) as server:
        yield server


class Somebody:
    """An account that uses the community as a program."""

    def __init__(self, fake: FakeServer, name: str) -> None:
        self.rest = RestClient(fake.url)
        self.signer = AccountSigner(dev_key(name))
        self.client = CommunityClient(self.rest)

    async def __aenter__(self) -> Somebody:
        await self.rest.__aenter__()
        await self.client.sign_in(self.signer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.rest.__aexit__(None, None, None)


def log(page: Page) -> Any:
    return page.get_by_role("log", name="Messages")


async def sign_in(page: Page, asked: Asked) -> None:
    await connect_wallet(page)
    await page.get_by_role("button", name="Sign in to chat").click()
    await expect(page.get_by_label("Message", exact=True)).to_be_visible(timeout=SOON_MS)
    assert asked.requests[-1][0] == "raw"


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


@on_browser
async def test_streams_are_called_as_their_owners_say(driven: Driven, fake: FakeServer) -> None:
    number = fake.system.add_stream()
    fake.system.add_stream()
    async with Somebody(fake, "Alice") as alice:
        await alice.client.keep_profile({"name": HOSTILE, "handle": "alice"})
        card = {
            "title": f"Tea {HOSTILE}",
            "description": f"**Come** in {HOSTILE} [x](javascript:alert(1)) [y](https://a.example)",
            "category": "Tea",
            "tags": ["hats"],
            "age_min": 12,
        }
        await alice.client.describe(number, card, alice.signer)
    async with opened(driven, None, fake.url) as page:
        row = page.locator(".stream-row", has_text="Tea")
        await expect(row).to_contain_text(f"Tea {HOSTILE}")
        await expect(row).to_contain_text(f"by {HOSTILE}")
        await expect(row).to_contain_text("12+")
        await expect(row).to_contain_text("#hats")
        await expect(page.get_by_role("link", name="Stream 2")).to_be_visible()
        await row.get_by_role("link", name="Tea").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"Tea {HOSTILE}")
        about = page.locator("#description")
        await expect(about.locator("strong")).to_have_text("Come")
        assert await about.locator("img, script").count() == 0
        links = about.locator("a:not(.badge)")
        assert [await links.nth(n).get_attribute("href") for n in range(await links.count())] == [
            "https://a.example"
        ]
        assert (await page.title()).startswith("Tea")


async def places(page: Page, *names: str) -> list[FloatRect]:
    found = [await page.locator(name).bounding_box() for name in names]
    return [each for each in found if each is not None]


@on_browser
async def test_a_long_description_keeps_nobody_from_paying(
    driven: Driven, fake: FakeServer
) -> None:
    url, parts = ready(fake), ("#player", "#panel", "#description")
    async with Somebody(fake, "Alice") as alice:
        card = {"title": "Tea", "description": "Come in and stay. " * 200}
        await alice.client.describe(1, card, alice.signer)
    async with opened(driven, None, url) as page:
        await expect(page.locator("#description")).to_contain_text("Come in")
        await page.set_viewport_size({"width": 360, "height": 740})
        player, panel, about = await places(page, *parts)
        assert player["y"] + player["height"] <= panel["y"] < about["y"]
        assert panel["y"] < 740, "the price is on the first screen"
        await page.set_viewport_size({"width": 1280, "height": 800})
        player, panel, about = await places(page, *parts)
        assert player["x"] + player["width"] < panel["x"]
        assert about["x"] < panel["x"]
        assert about["y"] < player["y"] + player["height"] + 120, "it follows the picture"


@on_browser
async def test_people_talk_by_keyboard_alone(driven: Driven, fake: FakeServer) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page, Somebody(fake, "Alice") as alice:
        await alice.client.keep_profile({"name": "Alice"})
        await expect(log(page)).to_contain_text("Nobody has said anything yet.")
        await alice.client.say(1, f"welcome {HOSTILE}")
        await expect(log(page)).to_contain_text(f"welcome {HOSTILE}")
        await expect(log(page)).to_contain_text("Creator")
        await sign_in(page, asked)
        await page.get_by_text("Your name", exact=True).click()
        name = page.get_by_label("Name", exact=True)
        await expect(page.get_by_label("Handle, which nobody else has")).to_have_value("")
        await name.fill("Bob the viewer")
        await name.press("Enter")
        await expect(
            page.get_by_role("status").filter(has_text="Your name is saved")
        ).to_be_visible()
        await say(page, "hello from Bob")
        await expect(log(page)).to_contain_text("Bob the viewer")
        await expect(log(page)).to_contain_text("hello from Bob")
        await expect(page.get_by_label("Message", exact=True)).to_have_value("")
        heard = await alice.client.messages(1)
        assert [one["text"] for one in heard] == [f"welcome {HOSTILE}", "hello from Bob"]
        assert await log(page).locator("img, script").count() == 0
        await log(page).get_by_role("button", name="Delete what Bob the viewer said").press("Enter")
        await expect(log(page)).not_to_contain_text("hello from Bob")


@on_browser
async def test_a_chat_that_broke_is_there_again_and_says_everything_once(
    driven: Driven, fake: FakeServer
) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page:
        await sign_in(page, asked)
        await say(page, "before")
        await expect(log(page)).to_contain_text("before")
        state = page.locator("ps-chat").get_by_role("status")
        await asyncio.to_thread(fake.run, drop_everybody(fake))
        await expect(state).to_contain_text("trying again")
        await say(page, "in between")
        await expect(log(page)).to_contain_text("in between", timeout=SOON_MS)
        await expect(state).to_be_empty()
        texts = log(page).locator(".chat-text")
        assert await texts.all_inner_texts() == ["before", "in between"]


async def drop_everybody(fake: FakeServer) -> None:
    community: Any = fake.api.community
    for listener in tuple(community._sockets._listeners):
        listener.drop("closing")


@on_browser
async def test_the_creator_keeps_order(driven: Driven, fake: FakeServer) -> None:
    asked = Asked()
    async with opened(driven, ALICE, ready(fake), asked) as page, Somebody(fake, "Bob") as bob:
        await bob.client.keep_profile({"handle": "bob"})
        await bob.client.say(1, "buy my coin")
        await sign_in(page, asked)
        message = log(page).locator(".chat-message", has_text="buy my coin")
        await message.hover()
        await message.get_by_role("button", name="Let @bob not speak for 10 minutes").click()
        status = page.locator("ps-chat").get_by_role("status")
        await expect(status).to_contain_text("@bob may not speak for 10 minutes")
        with pytest.raises(Exception, match="may speak in this chat again"):
            await bob.client.say(1, "buy it now")
        await message.get_by_role("button", name="Delete what @bob said").click()
        await expect(log(page)).to_contain_text("Nobody has said anything yet.")
        assert [one["text"] for one in await bob.client.messages(1)] == [""]


@on_browser
async def test_what_is_refused_is_said_and_not_lost(driven: Driven, fake: FakeServer) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page, Somebody(fake, "Alice") as alice:
        await sign_in(page, asked)
        async with aiohttp.ClientSession() as session:
            await session.put(
                f"{fake.url}/api/v1/streams/1/chat/settings",
                json={"slow_mode_s": 60},
                headers={"Authorization": f"Bearer {alice.client.token}"},
            )
        status = page.locator("ps-chat").get_by_role("status")
        await expect(status).to_contain_text("Slow mode: one message in 60 s")
        await say(page, "one")
        await expect(log(page)).to_contain_text("one")
        await say(page, "two")
        await expect(status).to_contain_text("slow mode: one message in 60 s; try again in")
        await expect(page.get_by_label("Message", exact=True)).to_have_value("two")
        await alice.client.delete_account()


@on_browser
async def test_who_ends_the_session_elsewhere_is_signed_out_here(
    driven: Driven, fake: FakeServer
) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page, Somebody(fake, "Bob") as bob:
        await sign_in(page, asked)
        other = next(one for one in await bob.client.sessions() if not one["current"])
        assert "Chrome" in other["device"]
        await bob.client.end_session(other["id"])
        await expect(page.get_by_role("button", name="Sign in to chat")).to_be_visible()
        assert await page.evaluate("sessionStorage.getItem('paystream.community')") is None


@on_browser
async def test_a_log_that_is_read_stays_where_it_is(driven: Driven, fake: FakeServer) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page, Somebody(fake, "Alice") as alice:
        community: Any = fake.api.community
        community._chat._accounts._rate = 0  # what is said at once here, people say in a minute
        community._chat._addresses._rate = 0
        for number in range(40):
            await alice.client.say(1, f"message number {number}")
        await expect(log(page)).to_contain_text("message number 39")
        place = "document.querySelector('.chat-log')"
        assert await page.evaluate(f"{place}.scrollTop") > 0
        await page.evaluate(f"{place}.scrollTop = 0")
        await alice.client.say(1, "something new")
        newer = page.get_by_role("button", name="Newer messages")
        await expect(newer).to_be_visible()
        assert await page.evaluate(f"{place}.scrollTop") == 0
        await newer.click()
        await expect(newer).to_be_hidden()
        assert await page.evaluate(f"{place}.scrollTop") > 0


@on_browser
async def test_a_server_without_a_community_has_no_chat(driven: Driven, fake: FakeServer) -> None:
    with FakeServer(FakeSystem()) as plain:
        async with opened(driven, BOB, ready(plain)) as page:
            await expect(page.get_by_role("heading", level=1)).to_have_text("Stream 1")
            await expect(page.locator("ps-chat")).to_be_hidden()
            await expect(page.locator("#description")).to_be_hidden()


@on_browser
async def test_a_creator_says_what_the_stream_is_about(driven: Driven, fake: FakeServer) -> None:
    fake.system.add_stream(live=False)
    asked = Asked()
    async with opened(driven, ALICE, f"{fake.url}/broadcast", asked) as page:
        await connect_wallet(page)
        await page.get_by_label("Title", exact=True).fill("A tea party")
        await page.get_by_label("Description (Markdown)").fill("Come **in**")
        await page.get_by_label("Tags, with spaces between").fill("#tea hats")
        await page.get_by_label("For", exact=True).select_option("12")
        await page.get_by_label("Language, as a short tag").fill("en")
        await page.get_by_role("button", name="Add a start").click()
        await page.get_by_label("Begins at, in your time").fill("2030-05-01T20:00")
        await page.get_by_label("What begins").fill("Hats")
        await page.get_by_role("button", name="Sign and save").click()
        state = page.locator("#card").get_by_role("status")
        await expect(state).to_have_text("Saved. Viewers see it at once.", timeout=SOON_MS)
        assert [kind for kind, _ in asked.requests] == ["raw"]
        await expect(page.get_by_label("Stream", exact=True)).to_contain_text("A tea party")
        asked.declines = True
        await page.get_by_label("Title", exact=True).fill("Another")
        await page.get_by_role("button", name="Sign and save").click()
        await expect(state).to_contain_text("You declined in the wallet")
        await page.reload()
        await expect(page.get_by_label("Stream", exact=True)).to_contain_text("A tea party")
        await page.get_by_text("Title and description").click()
        await expect(page.get_by_label("Title", exact=True)).to_have_value("A tea party")
        await expect(page.get_by_label("Description (Markdown)")).to_have_value("Come **in**")
        await expect(page.get_by_label("Tags, with spaces between")).to_have_value("tea hats")
        begins = page.get_by_label("Begins at, in your time")
        await expect(begins).to_have_value("2030-05-01T20:00")
    async with Somebody(fake, "Bob") as bob:
        card = (await bob.client.card(1))["card"]
        assert (card["age_min"], card["language"]) == (12, "en")
        [start] = card["schedule"]
        assert (start["title"], start["starts_at_ms"] % 3_600_000) == ("Hats", 0)
