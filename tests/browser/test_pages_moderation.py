"""The page of who moderates: the queue, words, people and the log, by keyboard and by sight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from streaming.clients.browser import connect_wallet
from streaming.clients.moderation_client import ModerationClient
from tests.browser.conftest import Asked, Driven, wallet
from tests.browser.fake_api import FakeServer
from tests.browser.fake_community import OPERATOR
from tests.browser.fake_system import FakeSystem
from tests.browser.page_scene import BOB, SOON_MS, on_browser, opened, ready
from tests.browser.test_pages_chat import Somebody, log, say, sign_in

pytestmark = pytest.mark.browser
ALICE = wallet("Alice")
HOSTILE = "<b>x</b><img src=x onerror=alert(1)>"


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A fresh system whose people have names."""
    with FakeServer(FakeSystem(has_community=True)) as server:
        yield server


async def at_the_desk(page: Page) -> None:
    await connect_wallet(page)
    await page.get_by_role("button", name="Sign in to moderate").press("Enter")
    await expect(page.locator("#desk")).to_be_visible(timeout=SOON_MS)


async def trouble(fake: FakeServer, alice: Somebody, bob: Somebody, charlie: Somebody) -> None:
    """A report, and a message that waits."""
    await bob.client.keep_profile({"name": f"Bob {HOSTILE}", "handle": "bob"})
    await bob.client.say(1, f"buy my coin {HOSTILE}")
    await charlie.client.report(1, "spam", message=1, text=f"again {HOSTILE}")
    await ModerationClient(alice.client).set_settings(1, links_held=True)
    await bob.client.say(1, "look at https://a.example")


@on_browser
async def test_a_creator_moderates_by_keyboard_alone(driven: Driven, fake: FakeServer) -> None:
    ready(fake)
    async with (
        Somebody(fake, "Alice") as alice,
        Somebody(fake, "Bob") as bob,
        Somebody(fake, "Charlie") as charlie,
    ):
        await trouble(fake, alice, bob, charlie)
        async with opened(driven, ALICE, f"{fake.url}/moderation?stream=1", Asked()) as page:
            await at_the_desk(page)
            queue, acts = page.locator("ps-queue"), page.locator("ps-acts")
            await expect(queue).to_contain_text(f"buy my coin {HOSTILE}")
            await expect(queue).to_contain_text(f"again {HOSTILE}")
            await expect(queue).to_contain_text("it has a link")
            await expect(queue).not_to_contain_text("Charlie")
            assert await page.locator("main img, main script").count() == 0
            await page.get_by_label("Why, for the log").first.fill("an advert")
            delete = queue.get_by_role("button", name="Delete: what")
            await delete.press("Enter")
            await expect(queue.get_by_role("status")).to_have_text("Answered: message deleted.")
            await expect(queue.get_by_role("heading", name="Waiting for you")).to_be_focused()
            await expect(acts).to_contain_text("answered a report about Bob")
            await expect(acts).to_contain_text("an advert")
            await queue.get_by_role("button", name="Release what").press("Enter")
            await expect(queue).to_contain_text("Nothing is reported, and nothing is held.")
            assert [one["text"] for one in await bob.client.messages(1)] == [
                "",
                "look at https://a.example",
            ]
            words = page.locator("ps-words")
            await words.get_by_label("A word, or some").fill("moon")
            await words.get_by_label("A word, or some").press("Enter")
            await expect(words.get_by_role("button", name="Remove “moon”")).to_be_visible()
            assert (await bob.client.say(1, "to the m o o n"))["held"]
            people = page.locator("ps-people")
            await people.get_by_label("A handle, or an address").fill("bob")
            await people.get_by_label("May not speak").select_option("for good")
            await people.get_by_role("button", name="Let them not speak").press("Enter")
            await expect(people.get_by_role("button", name="Let speak: Bob")).to_be_visible()
            with pytest.raises(Exception, match="may no longer speak"):
                await bob.client.say(1, "hello?")
            await people.get_by_label("A handle, or an address").fill("nobody-there")
            await people.get_by_role("button", name="Make a moderator").press("Enter")
            await expect(people.get_by_role("status")).to_contain_text("nobody of this name")
            await people.get_by_role("button", name="Let speak: Bob").press("Enter")
            await expect(people).to_contain_text("Everybody may speak.")


@on_browser
async def test_who_does_not_moderate_is_told(driven: Driven, fake: FakeServer) -> None:
    ready(fake)
    async with opened(driven, BOB, f"{fake.url}/moderation?stream=1", Asked()) as page:
        await connect_wallet(page)
        await page.get_by_role("button", name="Sign in to moderate").click()
        await expect(page.get_by_role("alert")).to_contain_text("You cannot moderate here")
        await expect(page.locator("#desk")).to_be_hidden()
    async with opened(driven, ALICE, f"{fake.url}/moderation", Asked()) as page:
        await connect_wallet(page)
        await page.get_by_role("button", name="Sign in to moderate").click()
        await expect(page.get_by_role("alert")).to_contain_text("only the operator")


@on_browser
async def test_a_link_that_somebody_says_is_asked_of_nobody(
    driven: Driven, fake: FakeServer
) -> None:
    asked: list[str] = []
    async with opened(driven, BOB, ready(fake)) as page, Somebody(fake, "Alice") as alice:
        page.on("request", lambda request: asked.append(request.url))
        await alice.client.say(1, "https://a.example/picture.png")
        await expect(log(page)).to_contain_text("https://a.example/picture.png")
        await page.wait_for_load_state("networkidle")
        assert await log(page).locator("a, img").count() == 0
    assert not [url for url in asked if "a.example" in url]


@on_browser
async def test_a_viewer_reports_and_hears_the_answer(driven: Driven, fake: FakeServer) -> None:
    asked: Any = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page, Somebody(fake, "Alice") as alice:
        async with Somebody(fake, "Charlie") as charlie:
            await charlie.client.keep_profile({"name": "Charlie"})
            await charlie.client.say(1, "buy my coin")
        await sign_in(page, asked)
        message = log(page).locator(".chat-message", has_text="buy my coin")
        await message.get_by_role("button", name="Report what Charlie said").press("Enter")
        await page.get_by_label("Why do you report what Charlie said?").select_option("spam")
        await page.get_by_role("button", name="Report", exact=True).press("Enter")
        status = page.locator("ps-chat").get_by_role("status")
        await expect(status).to_have_text("Reported. You are told what comes of it.")
        desk = ModerationClient(alice.client)
        await desk.answer(1, "delete", message=1)
        await expect(status).to_have_text("What you reported was answered: message deleted.")
        await desk.add_filter(1, "moon", "hold")
        await say(page, "to the moon")
        await expect(status).to_contain_text("It waits for a moderator")
        [waits] = await desk.held(1)
        await desk.reject(1, waits["number"])
        await expect(status).to_contain_text("did not let through")


@on_browser
async def test_a_message_answers_another_and_calls_somebody(
    driven: Driven, fake: FakeServer
) -> None:
    asked: Any = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page, Somebody(fake, "Alice") as alice:
        async with Somebody(fake, "Bob") as bob:
            await bob.client.keep_profile({"name": "Bob", "handle": "bob"})
        await alice.client.keep_profile({"name": "Alice"})
        await sign_in(page, asked)
        await alice.client.say(1, f"@bob, are you there? {HOSTILE}")
        called = log(page).locator(".chat-message.is-to-you")
        await expect(called).to_contain_text("are you there?")
        await called.get_by_role("button", name="Reply to Alice").press("Enter")
        await expect(page.get_by_text("Replying to Alice.")).to_be_visible()
        await say(page, "yes")
        answer = log(page).locator(".chat-message", has_text="In reply to Alice")
        await expect(answer).to_contain_text(f"@bob, are you there? {HOSTILE}")
        await expect(page.get_by_text("Replying to Alice.")).to_be_hidden()
        assert (await alice.client.messages(1))[-1]["reply_to"] == 1
        assert await log(page).locator("img").count() == 0


@on_browser
async def test_the_operator_sees_all_streams(driven: Driven, fake: FakeServer) -> None:
    ready(fake)
    fake.system.add_stream()
    operator = wallet(OPERATOR)
    async with Somebody(fake, "Bob") as bob, Somebody(fake, "Charlie") as charlie:
        for stream in (1, 2):
            await bob.client.say(stream, f"buy my coin on stream {stream}")
            await charlie.client.report(stream, "spam", message=1)
        async with opened(driven, operator, f"{fake.url}/moderation", Asked()) as page:
            await at_the_desk(page)
            queue = page.locator("ps-queue")
            await expect(queue.get_by_role("link", name="Stream 1")).to_be_visible()
            second = queue.get_by_role("listitem").filter(has_text="coin on stream 2")
            await expect(page.locator("ps-people")).to_be_hidden()
            await second.get_by_role("button", name="Delete: what").press("Enter")
            await expect(queue).not_to_contain_text("stream 2")
            await expect(page.locator("ps-acts")).to_contain_text("stream 2")
            words = page.locator("ps-words")
            await words.get_by_label("A word, or some").fill("coin")
            await words.get_by_label("What has them is").select_option("Refuse")
            await words.get_by_role("button", name="Add").press("Enter")
            await expect(words.get_by_role("button", name="Remove “coin”")).to_be_visible()
        with pytest.raises(Exception, match="does not take some of these words"):
            await bob.client.say(1, "c-o-i-n")
