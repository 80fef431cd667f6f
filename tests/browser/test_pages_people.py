"""Home, browse and a creator's page in real Chromium, with the real community behind them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Page, expect

from streaming.clients.browser import connect_wallet
from tests.browser.accessibility import findings
from tests.browser.conftest import Asked, Driven, wallet
from tests.browser.fake_api import FakeServer
from tests.browser.fake_system import UNIT, FakeSystem
from tests.browser.page_scene import BOB, SOON_MS, on_browser, opened
from tests.browser.test_pages_chat import HOSTILE, Somebody

pytestmark = pytest.mark.browser
ALICE: Final = wallet("Alice")
CHARLIE: Final = wallet("Charlie")
Theme = Literal["light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
SIZES: Final = ((320, 700), (1280, 800))
HOUR_MS: Final = 3_600_000


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A fresh system whose people have names."""
    with FakeServer(FakeSystem(has_community=True)) as server:
        yield server


async def a_busy_evening(fake: FakeServer) -> None:
    """Three creators with five streams, two of them live, and something that starts soon."""
    system = fake.system
    for owner, live in ((ALICE, True), (ALICE, False), (BOB, True), (BOB, False), (CHARLIE, False)):
        system.add_stream(owner=owner.address, live=live, rate=UNIT // 500)
    system.streams[3]["viewers_extra"] = 12
    now = int(time.time() * 1000)
    soon = [{"starts_at_ms": now + 2 * HOUR_MS, "title": "Croquet at eight"}]
    async with (
        Somebody(fake, "Alice") as alice,
        Somebody(fake, "Bob") as bob,
        Somebody(fake, "Charlie") as charlie,
    ):
        await alice.client.keep_profile(
            {
                "name": "Alice Liddell",
                "handle": "alice",
                "about": "Down the hole.\nTea at five.",
                "links": [{"label": "My garden", "url": "https://garden.example/?a=1"}],
                "languages": ["en", "pt-BR"],
            }
        )
        await bob.client.keep_profile({"name": "Bob", "handle": "bob"})
        tea = {"title": "A mad tea party", "category": "Talk", "tags": ["tea", "hats"]}
        await alice.client.describe(1, {**tea, "language": "en", "age_min": 12}, alice.signer)
        croquet = {"title": "Croquet", "category": "Sports", "language": "pt-BR", "schedule": soon}
        await alice.client.describe(2, croquet, alice.signer)
        await bob.client.describe(3, {"title": "Rain", "category": "talk"}, bob.signer)
        await charlie.client.describe(5, {"title": "Chocolate", "tags": ["sweet"]}, charlie.signer)


@contextlib.asynccontextmanager
async def signed_in(fake: FakeServer, driven: Driven, path: str) -> AsyncIterator[Page]:
    """A page on which Charlie has signed in."""
    async with opened(driven, CHARLIE, f"{fake.url}/me", Asked()) as page:
        await connect_wallet(page)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("button", name="Edit profile")).to_be_visible(timeout=SOON_MS)
        if path != "/me":
            await page.goto(fake.url + path)
        yield page


def rows(page: Page) -> Any:
    return page.locator(".stream-row")


# --- home ---------------------------------------------------------------------------------


@on_browser
async def test_the_home_shows_who_is_live_and_what_starts(driven: Driven, fake: FakeServer) -> None:
    await a_busy_evening(fake)
    async with opened(driven, None, fake.url) as page:
        await expect(rows(page)).to_have_count(2)
        await expect(rows(page).first).to_contain_text("Rain")  # most people watch it
        await expect(rows(page).first).to_contain_text("12 watching")
        tea = rows(page).nth(1)
        for text in (
            "A mad tea party",
            "Alice Liddell",
            "@alice",
            "Talk",
            "#tea",
            "12+",
            "English",
        ):
            await expect(tea).to_contain_text(text)
        await expect(tea).to_contain_text("0.12\u00a0UNIT / min")
        soon = page.locator("#soon")
        await expect(soon).to_contain_text("Croquet at eight")
        await expect(soon.get_by_role("link", name="Alice Liddell")).to_be_visible()
        await expect(page.locator("#mine")).to_be_hidden()
        await tea.get_by_role("link", name="Alice Liddell").click()
        await page.wait_for_url("**/creator/alice")
        await page.go_back()
        await tea.click(position={"x": 10, "y": 10})  # the row leads to the stream
        await page.wait_for_url("**/watch?stream=1")
        await page.get_by_role("link", name="Alice Liddell").click()
        await page.wait_for_url("**/creator/alice")


@on_browser
async def test_an_empty_home_says_what_to_do(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, None, fake.url) as page:
        await expect(page.get_by_text("Nobody is live right now")).to_be_visible()
        await expect(page.locator("#followed")).to_contain_text("Sign in with your wallet")
        main = page.locator("main")
        await expect(main.get_by_role("link", name="Broadcast")).to_be_visible()
        await main.get_by_role("link", name="Browse all streams").click()
        await expect(page.get_by_text("There are no streams yet")).to_be_visible()


@on_browser
async def test_a_home_that_fails_can_be_tried_again(driven: Driven, fake: FakeServer) -> None:
    await a_busy_evening(fake)
    fake.system.broken = True
    async with opened(driven, None, fake.url) as page:
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("The chain cannot be reached")
        await expect(page.locator(".skeleton")).to_have_count(0)
        fake.system.broken = False
        await page.get_by_role("button", name="Try again").press("Enter")
        await expect(rows(page)).to_have_count(2)
        await expect(alert).to_have_count(0)


def test_a_home_without_a_community_shows_streams_alone(driven: Driven) -> None:
    async def body(bare: FakeServer) -> None:
        bare.system.add_stream()
        bare.system.add_stream(live=False)
        async with opened(driven, None, bare.url) as page:
            await expect(rows(page)).to_have_count(1)
            await expect(rows(page)).to_contain_text("Stream 1")
            await expect(page.locator("#followed")).to_be_empty()
            await expect(page.locator("#soon")).to_be_empty()
            await page.goto(f"{bare.url}/browse")
            await expect(rows(page)).to_have_count(2)
            await expect(page.locator("#filters")).to_be_hidden()
            await rows(page).first.get_by_role("link", name="5Grwva…utQY").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("5Grwva…utQY")
            await expect(rows(page)).to_have_count(2)
            await page.goto(f"{bare.url}/creator/alice")
            await expect(page.get_by_text("This server has no community")).to_be_visible()
            await page.goto(f"{bare.url}/browse?category=tea")
            await expect(page.get_by_text("This server has no community")).to_be_visible()

    with FakeServer(FakeSystem()) as bare:
        driven.run(body(bare))


@on_browser
async def test_whom_one_follows_is_on_the_home_live_ones_first(
    driven: Driven, fake: FakeServer
) -> None:
    await a_busy_evening(fake)
    async with Somebody(fake, "Dave") as dave:
        await dave.client.keep_profile({"name": "Dave"})
    async with signed_in(fake, driven, "/") as page:
        followed = page.locator("#followed")
        await expect(followed).to_contain_text("Nobody yet")
        for path in ("bob", "alice", wallet("Dave").address):
            await page.goto(f"{fake.url}/creator/{path}")
            await page.get_by_role("button", name="Follow", exact=True).press("Enter")
            unfollow = page.get_by_role("button", name="Unfollow")
            await expect(unfollow).to_be_focused()
        await expect(page.locator("#followers")).to_have_text("1 follower")
        await page.goto(fake.url)
        people = followed.locator(".person")
        await expect(people).to_have_count(3)
        await expect(people.nth(2)).to_contain_text("Dave")
        await expect(people.nth(2)).to_contain_text("Not live")
        await expect(followed.get_by_role("link", name="A mad tea party")).to_be_visible()
        await expect(page.locator("#mine")).to_be_visible()


@on_browser
async def test_nothing_moves_while_a_page_comes(driven: Driven, fake: FakeServer) -> None:
    await a_busy_evening(fake)
    watched = (
        "window.shifts = []; new PerformanceObserver((list) => {"
        "for (const one of list.getEntries())"
        "  if (!one.hadRecentInput) window.shifts.push(one.value)"
        "}).observe({ type: 'layout-shift', buffered: true })"
    )
    for path in ("/", "/browse", "/browse?tag=tea", "/creator/alice"):
        for width, height in SIZES:
            async with opened(driven, None, "about:blank") as page:
                await page.set_viewport_size({"width": width, "height": height})
                await page.add_init_script(watched)
                fake.system.delay_s = 0.3
                await page.goto(fake.url + path)
                await expect(rows(page).first).to_be_visible()
                await page.wait_for_timeout(400)
                assert sum(await page.evaluate("window.shifts")) < 0.01, (path, width)


# --- browse -------------------------------------------------------------------------------


@on_browser
async def test_what_is_looked_for_stands_in_the_address(driven: Driven, fake: FakeServer) -> None:
    await a_busy_evening(fake)
    async with opened(driven, None, f"{fake.url}/browse") as page:
        count = page.locator("#count")
        await expect(count).to_have_text("5 streams")
        await page.get_by_label("Category").fill("talk")
        await page.get_by_label("Category").press("Enter")
        await expect(count).to_have_text("2 streams in talk")
        assert page.url == f"{fake.url}/browse?category=talk"
        await page.get_by_label("Words in the title").fill("liddell")
        await page.get_by_role("button", name="Search").press("Enter")
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("A mad tea party")
        await page.go_back()
        await expect(count).to_have_text("2 streams in talk")
        await expect(page.get_by_label("Words in the title")).to_have_value("")
        await page.get_by_role("link", name="Show all").click()
        await expect(count).to_have_text("5 streams")
        await page.get_by_label("Language").select_option("Brazilian Portuguese")
        await page.get_by_role("button", name="Search").click()
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("Croquet")
    async with opened(driven, None, f"{fake.url}/browse?tag=%23sweet&text=choc") as page:
        await expect(rows(page)).to_have_count(1)
        await expect(page.get_by_label("Tag", exact=True)).to_have_value("#sweet")
        assert await page.title() == "“choc”, with #sweet · PayStream"


@on_browser
async def test_a_search_that_finds_nothing_or_is_refused_says_so(
    driven: Driven, fake: FakeServer
) -> None:
    await a_busy_evening(fake)
    async with opened(driven, None, f"{fake.url}/browse?text=walrus") as page:
        await expect(page.get_by_text("Nothing fits")).to_be_visible()
        await page.get_by_role("link", name="Show all streams").click()
        await expect(rows(page)).to_have_count(5)
        await page.goto(f"{fake.url}/browse?language=english")
        await expect(page.get_by_role("alert")).to_contain_text("such as en or pt-BR")
        fake.system.broken = True
        await page.goto(f"{fake.url}/browse")
        await expect(page.get_by_role("alert")).to_contain_text("The chain cannot be reached")
        fake.system.broken = False
        await page.get_by_role("button", name="Try again").click()
        await expect(rows(page)).to_have_count(5)


@on_browser
async def test_more_streams_are_shown_by_and_by(driven: Driven, fake: FakeServer) -> None:
    for _ in range(120):
        fake.system.add_stream(live=False)
    async with opened(driven, None, f"{fake.url}/browse") as page:
        await expect(page.locator("#count")).to_have_text("50 streams so far")
        for shown in (100, 120):
            await page.get_by_role("button", name="Show more").press("Enter")
            await expect(rows(page)).to_have_count(shown)
            first_new = rows(page).nth((shown - 1) // 50 * 50)
            await expect(first_new.locator(".stream-link")).to_be_focused()
        await expect(page.get_by_role("button", name="Show more")).to_have_count(0)
        assert "GET /api/v1/streams" in fake.system.requests


# --- a creator ----------------------------------------------------------------------------


@on_browser
async def test_a_creator_s_page_says_who_and_what_and_when(
    driven: Driven, fake: FakeServer
) -> None:
    await a_busy_evening(fake)
    async with opened(driven, None, f"{fake.url}/creator/Alice") as page:
        profile = page.locator("#profile")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Alice Liddell")
        for text in ("@alice", "0 followers", "English, Brazilian Portuguese", "Tea at five."):
            await expect(profile).to_contain_text(text)
        link = profile.get_by_role("link", name="My garden")
        await expect(link).to_have_attribute("href", "https://garden.example/?a=1")
        assert "nofollow" in (await link.get_attribute("rel") or "")
        await expect(rows(page)).to_have_count(2)
        await expect(rows(page).first).to_contain_text("Live")
        await expect(page.locator("#schedule")).to_contain_text("Croquet at eight")
        await expect(page.get_by_role("button", name="Edit profile")).to_have_count(0)
        assert await page.title() == "Alice Liddell · PayStream"


@on_browser
async def test_who_is_not_signed_in_signs_in_to_follow(driven: Driven, fake: FakeServer) -> None:
    await a_busy_evening(fake)
    asked = Asked()
    async with opened(driven, CHARLIE, f"{fake.url}/creator/alice", asked) as page:
        await page.get_by_role("button", name="Follow", exact=True).click()
        await connect_wallet(page)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("button", name="Unfollow")).to_be_visible(timeout=SOON_MS)
        await expect(page.locator("#followers")).to_have_text("1 follower")
        assert asked.kinds() == ["raw"]
        await page.get_by_role("button", name="Unfollow").press("Enter")
        await expect(page.locator("#followers")).to_have_text("0 followers")
        await expect(page.locator("#mine")).to_be_visible()


@on_browser
async def test_nobody_s_page_is_a_page(driven: Driven, fake: FakeServer) -> None:
    for who in ("nobody", "%3Cimg%20src=x%3E", "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y"):
        async with opened(driven, None, "about:blank") as page:
            answer = await page.goto(f"{fake.url}/creator/{who}")
            assert answer is not None
            assert answer.status == (200 if who.startswith("5F") else 404)
            await expect(page.get_by_role("heading", level=1)).to_have_text(
                "There is nobody of this name here"
            )
            await expect(page.get_by_role("link", name="Browse all streams")).to_be_visible()
            assert await page.locator("main img").count() == 0


@on_browser
async def test_one_s_own_profile_is_edited_and_what_is_wrong_is_at_its_field(
    driven: Driven, fake: FakeServer
) -> None:
    await a_busy_evening(fake)
    async with signed_in(fake, driven, "/me") as page:
        await expect(page.locator("#mine")).to_have_attribute("aria-current", "page")
        edit = page.get_by_role("button", name="Edit profile")
        await edit.press("Enter")
        await expect(page.get_by_role("heading", name="Edit your profile")).to_be_focused()
        name, handle = (
            page.get_by_label("Name", exact=True),
            page.get_by_label("Handle", exact=True),
        )
        await name.fill(f"Charlie {HOSTILE}")
        save = page.get_by_role("button", name="Save")
        for wrong, told in (("A1ice", "looks like @alice"), ("a b", "letters, digits")):
            await handle.fill(wrong)
            await save.press("Enter")
            await expect(page.locator("#profile-handle-wrong")).to_contain_text(told)
            await expect(handle).to_be_focused()
            await expect(handle).to_have_attribute("aria-invalid", "true")
        await handle.fill("charlie")
        links = page.get_by_label("Links", exact=True)
        await links.fill("My site javascript:alert(1)")
        await save.press("Enter")
        await expect(page.locator("#profile-links-wrong")).to_contain_text("none of the web")
        await expect(page.locator("#profile-handle-wrong")).to_be_empty()
        await links.fill("My site https://charlie.example\nhttps://b.example/x")
        languages = page.get_by_label("Languages", exact=True)
        await languages.fill("english")
        await save.press("Enter")
        await expect(page.locator("#profile-languages-wrong")).to_contain_text("such as en")
        await languages.fill("de, en")
        await page.get_by_label("About you").fill("Chocolate.\n<b>Much</b> of it.")
        await save.press("Enter")
        await expect(edit).to_be_focused()
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"Charlie {HOSTILE}")
        await expect(page.locator("#profile")).to_contain_text("<b>Much</b> of it.")
        assert await page.locator("main img, main b").count() == 0
        await expect(page.get_by_role("link", name="b.example/x")).to_be_visible()
    async with Somebody(fake, "Charlie") as charlie:
        kept = await charlie.client.profile("charlie")
        assert kept["languages"] == ["de", "en"]
        assert kept["links"][0] == {"label": "My site", "url": "https://charlie.example"}


@on_browser
async def test_a_session_that_ended_elsewhere_is_no_hindrance(
    driven: Driven, fake: FakeServer
) -> None:
    await a_busy_evening(fake)
    async with signed_in(fake, driven, "/me") as page:
        async with Somebody(fake, "Charlie") as charlie:
            for session in await charlie.client.sessions():
                if session["device"]:
                    await charlie.client.end_session(session["id"])
        await page.goto(f"{fake.url}/creator/alice")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Alice Liddell")
        await expect(page.locator("#mine")).to_be_hidden()
        await page.goto(f"{fake.url}/me")
        await expect(page.get_by_role("heading", level=1)).to_have_text("My page")
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=SOON_MS)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url(f"{fake.url}/")
        await expect(page.locator("#followed")).to_contain_text("Sign in with your wallet")


# --- all of them --------------------------------------------------------------------------


async def looked_over(page: Page, state: str) -> None:
    """No finding of axe in either theme and size, and nothing to scroll sideways."""
    for theme in THEMES:
        await page.emulate_media(color_scheme=theme)
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            root = "document.documentElement"
            wide = await page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
            assert wide <= 0, (state, width)
            assert await findings(page) == [], (state, theme, width)
    await page.emulate_media(color_scheme="light")


@on_browser
async def test_axe_finds_nothing_on_any_of_these_pages(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, None, fake.url) as page:
        await expect(page.get_by_text("Nobody is live right now")).to_be_visible()
        await looked_over(page, "home, empty")
        await page.goto(f"{fake.url}/browse")
        await expect(page.get_by_text("There are no streams yet")).to_be_visible()
        await looked_over(page, "browse, empty")
        fake.system.broken = True
        for path in ("/", "/browse", "/creator/alice"):
            await page.goto(fake.url + path)
            await expect(page.get_by_role("alert")).to_be_visible()
            await looked_over(page, f"{path}, failing")
        fake.system.broken = False
        await a_busy_evening(fake)
        for path in ("/", "/browse", "/creator/alice", "/watch?stream=1"):
            await page.goto(fake.url + path)
            await expect(page.get_by_text("A mad tea party").first).to_be_visible()
            await looked_over(page, path)
        for path, text in (
            ("/browse?text=walrus", "Nothing fits"),
            ("/browse?language=english", "This cannot be looked for"),
            ("/creator/nobody", "There is nobody of this name here"),
            (f"/creator/{BOB.address}", "Rain"),
            ("/me", "No wallet found in this browser"),
        ):
            await page.goto(fake.url + path)
            await expect(page.get_by_text(text).first).to_be_visible()
            await looked_over(page, path)


@on_browser
async def test_axe_finds_nothing_for_who_is_signed_in(driven: Driven, fake: FakeServer) -> None:
    await a_busy_evening(fake)
    async with signed_in(fake, driven, "/me") as page:
        await looked_over(page, "own page")
        await page.get_by_role("button", name="Edit profile").click()
        await page.get_by_label("Handle", exact=True).fill("alice")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#profile-handle-wrong")).to_contain_text("is taken")
        await looked_over(page, "own page, a field refused")
        await page.goto(f"{fake.url}/creator/alice")
        await page.get_by_role("button", name="Follow", exact=True).click()
        await expect(page.get_by_role("button", name="Unfollow")).to_be_visible()
        await looked_over(page, "another's page")
        await page.goto(fake.url)
        await expect(page.locator("#followed .person")).to_have_count(1)
        await looked_over(page, "home, following")


@on_browser
async def test_these_pages_are_walked_by_tab_alone(driven: Driven, fake: FakeServer) -> None:
    await a_busy_evening(fake)
    async with opened(driven, None, fake.url) as page:
        await expect(rows(page)).to_have_count(2)
        names = []
        for _ in range(13):
            await page.keyboard.press("Tab")
            names.append(await page.evaluate("document.activeElement.textContent"))
        assert names[:5] == ["Skip to content", "PayStream", "Home", "Browse", "Broadcast"]
        assert names[5:9] == ["Rain", "Bob", "A mad tea party", "Alice Liddell"]
        assert "Sign in" in names
        assert "Croquet at eight" in names
