"""What the watch page says is so: pause, stop, and why the server holds back, in real Chromium.

The stand-in loses requests, answers late, and asks to wait.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from streaming.clients.browser import connect_wallet, first_picture, pay_and_watch, stop_watching
from tests.browser.conftest import Asked, Driven
from tests.browser.fake_api import FakeServer
from tests.browser.fake_system import UNIT, FakeIntents, FakeSession, Problem
from tests.browser.page_scene import BOB, SOON_MS, measured, on_browser, opened, ready, until

pytestmark = pytest.mark.browser


async def press(page: Page, name: str) -> None:
    await page.locator("ps-player").hover()
    await page.get_by_role("button", name=name, exact=True).click()


def said(page: Page, text: str | re.Pattern[str]) -> Locator:
    return page.locator(".player-message", has_text=text)


def session_of(fake: FakeServer) -> FakeSession:
    return fake.system.sessions[1, 0]


def intents_of(fake: FakeServer) -> FakeIntents:
    return next(iter(fake.system.intents.values()))


async def watching(page: Page) -> None:
    await pay_and_watch(page, 10)
    await first_picture(page)


# --- pause --------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lost", "unanswered", "busy"])
def test_a_pause_is_repeated_until_it_is_answered(
    driven: Driven, fake: FakeServer, fault: str
) -> None:
    async def body() -> None:
        async with opened(driven, BOB, ready(fake), Asked()) as page:
            await watching(page)
            fake.system.faults = [fault]
            await press(page, "Pause")
            await expect(said(page, "Pausing…")).to_be_visible()
            await expect(said(page, "Nothing is charged")).to_have_count(0)
            await expect(said(page, "Nothing is charged")).to_be_visible(timeout=SOON_MS)
            assert session_of(fake).running_since is None
            assert {number for _, number in intents_of(fake).heard} == {1}
            await stop_watching(page, BOB)

    driven.run(body())


@on_browser
async def test_a_pause_that_is_overtaken_pauses_nothing(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        fake.system.faults = ["late"]
        await press(page, "Pause")
        await until(lambda: not fake.system.faults)
        await press(page, "Play")
        await until(lambda: len(intents_of(fake).heard) == 2)
        assert intents_of(fake).heard == [("resume", 2), ("pause", 1)]
        assert session_of(fake).running_since is not None
        await page.wait_for_timeout(500)
        await expect(page.locator(".player-message")).to_be_hidden()
        await stop_watching(page, BOB)


@on_browser
async def test_a_pause_that_somebody_undid_is_asked_for_again(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        await press(page, "Pause")
        await expect(said(page, "Nothing is charged")).to_be_visible(timeout=SOON_MS)
        intents = intents_of(fake)
        intents.paused, intents.number = False, 5
        await until(lambda: intents.paused, within_s=12)
        assert intents.number == 6
        await stop_watching(page, BOB)


@on_browser
async def test_a_server_that_knows_no_numbers_is_believed_when_it_consents(
    driven: Driven, fake: FakeServer
) -> None:
    fake.system.knows_numbers = False
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        await press(page, "Pause")
        await expect(said(page, "Nothing is charged")).to_be_visible(timeout=SOON_MS)
        await page.wait_for_timeout(6_500)
        asked = [line for line in fake.system.requests if line.startswith("GET /whep/")]
        assert len(asked) == 1, "it is not asked again what it cannot say"
        await stop_watching(page, BOB)


@on_browser
async def test_a_silent_server_is_said_and_the_page_closes_its_end(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        fake.system.broken = True
        await press(page, "Pause")
        await expect(said(page, "Pausing…")).to_be_visible(timeout=SOON_MS)
        await expect(said(page, "does not answer")).to_be_visible(timeout=25_000)
        await expect(said(page, "Nothing is charged")).to_have_count(0)
        connection, session = next(iter(fake.system.whep.values()))
        await until(lambda: connection.connectionState in {"closed", "failed", "disconnected"})
        fake.system.broken = False
        await expect(said(page, "Nothing is charged")).to_be_visible(timeout=SOON_MS)
        assert session.running_since is None
        frames = (await measured(page))["frames_decoded"]
        await press(page, "Play")
        more = f"() => window.paystream.measure().frames_decoded > {frames + 5}"
        await page.wait_for_function(more, timeout=SOON_MS)
        result = await stop_watching(page, BOB)
        assert result["session"] == "1-0"


@on_browser
async def test_a_hidden_picture_in_a_window_of_its_own_goes_on(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        await press(page, "Mute")
        await page.evaluate(
            "const set = (name, value) =>"
            "  Object.defineProperty(document, name, { value, configurable: true });"
            "set('pictureInPictureElement', document.querySelector('video'));"
            "set('hidden', true);"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        await page.wait_for_timeout(1_000)
        assert session_of(fake).running_since is not None
        await page.evaluate("document.querySelector('video').pause()")
        await until(lambda: session_of(fake).running_since is None)


@on_browser
async def test_a_page_that_goes_away_stops_the_media_on_its_way_out(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        await page.goto(fake.url)
        await until(lambda: ("pause", 1) in intents_of(fake).heard)
        assert session_of(fake).running_since is None


# --- stop ---------------------------------------------------------------------------------


@on_browser
async def test_a_lost_stop_is_repeated(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        fake.system.stops_lost = 1
        result = await stop_watching(page, BOB)
        assert fake.system.stops_lost == 0
        assert result["end_reason"] == "left"
        assert session_of(fake).status == "closed"


@on_browser
async def test_a_stop_outlives_the_page(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        fake.system.delay_s = 0.5
        await page.locator("#stop").click()
        await page.goto("about:blank")
        await until(lambda: session_of(fake).status == "closed")


# --- why the server holds back ------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        ("wait", "Waiting for the chain"),
        ("lease", "Waiting for the payment service"),
        ("unconfirmed", "Your connection reports nothing"),
        ("untimed", "The stream's clock stands still"),
        ("picture-broken", "The picture was damaged"),
        ("budget", "Waiting for the chain"),
        ("budget:money", "Waiting for your payment"),
    ],
)
def test_what_the_server_waits_for_is_said(
    driven: Driven, fake: FakeServer, reason: str, title: str
) -> None:
    async def body() -> None:
        async with opened(driven, BOB, ready(fake), Asked()) as page:
            await watching(page)
            fake.system.frozen = True
            fake.system.reasons = [reason]
            await expect(said(page, title)).to_be_visible(timeout=SOON_MS)
            await expect(said(page, "Nothing is charged")).to_be_visible()
            fake.system.frozen, fake.system.reasons = False, []
            await expect(page.locator(".player-message")).to_be_hidden(timeout=SOON_MS)
            await stop_watching(page, BOB)

    driven.run(body())


@on_browser
async def test_sound_without_a_picture_is_the_viewers_choice(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        fake.system.frozen, fake.system.reasons = True, ["path"]
        await expect(said(page, "cannot carry the picture")).to_be_visible(timeout=SOON_MS)
        await expect(said(page, re.compile(r"free for ([89]|10) s"))).to_be_visible()
        fake.system.sound_free_ms = 4_000  # another player of the grant has had some, say
        await expect(said(page, re.compile(r"free for [34] s"))).to_be_visible(timeout=SOON_MS)
        fake.system.sound_free_ms = 0
        await expect(said(page, "Go on with the sound alone")).to_be_visible(timeout=SOON_MS)
        sound, wait = page.locator("#path-sound"), page.locator("#path-wait")
        await sound.focus()
        await page.wait_for_timeout(1_200)
        await expect(sound).to_be_focused()
        await wait.click()
        await expect(said(page, "Nothing is charged")).to_be_visible(timeout=SOON_MS)
        assert intents_of(fake).sound_alone is False
        fake.system.faults = ["lost"]
        await sound.click()
        await expect(said(page, "Telling the server")).to_be_visible()
        await expect(said(page, "its seconds are paid")).to_be_visible(timeout=SOON_MS)
        assert intents_of(fake).sound_alone is True
        await expect(sound).to_be_hidden()
        fake.system.frozen, fake.system.reasons = False, []
        await expect(page.locator(".player-message")).to_be_hidden(timeout=SOON_MS)
        await stop_watching(page, BOB)


@on_browser
async def test_questions_are_few(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)

        async def asked(within_s: float) -> int:
            before = len(fake.system.requests)
            await asyncio.sleep(within_s)
            new = fake.system.requests[before:]
            return sum("/whep/" in line or "/sessions" in line for line in new)

        assert await asked(5) <= 6
        await press(page, "Pause")
        await expect(said(page, "Nothing is charged")).to_be_visible(timeout=SOON_MS)
        assert await asked(6) <= 3
        await stop_watching(page, BOB)


@on_browser
async def test_a_freeze_is_in_the_page_s_own_measure_and_a_pause_is_not(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        await page.wait_for_timeout(2_000)
        await press(page, "Pause")
        await page.wait_for_timeout(3_000)
        await press(page, "Play")
        await page.wait_for_timeout(2_500)
        before = (await measured(page))["freezes_ms"]
        assert before < 1_500
        fake.system.frozen = True
        await page.wait_for_timeout(3_000)
        fake.system.frozen = False
        await page.wait_for_timeout(2_500)
        after: dict[str, Any] = await stop_watching(page, BOB)
        assert 2_400 < after["freezes_ms"] - before < 6_000


# --- the door -----------------------------------------------------------------------------


@on_browser
async def test_a_viewer_without_the_format_is_told_which_it_is(
    driven: Driven, fake: FakeServer
) -> None:
    detail = "the stream's picture is H.264 (high profile), which the offer does not take"
    fake.system.refusals = [Problem(422, "no-video", detail)]
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        await page.locator("#allow").click()
        await expect(said(page, "H.264 (high profile)")).to_be_visible(timeout=SOON_MS)
        await expect(said(page, "Your browser cannot play")).to_be_visible()


@on_browser
async def test_who_looks_into_many_streams_is_asked_to_wait_and_is_served(
    driven: Driven, fake: FakeServer
) -> None:
    fake.system.refusals = [
        Problem(429, "budget-spent", "Too much is not charged yet.", retry_after_s=3)
    ]
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await expect(said(page, "is tried again in")).to_be_visible(timeout=SOON_MS)
        text = await page.locator(".player-message").inner_text()
        assert "connection" not in text.lower()
        await first_picture(page)
        await stop_watching(page, BOB)


@on_browser
async def test_a_join_that_waits_for_the_ledger_says_so(driven: Driven, fake: FakeServer) -> None:
    fake.system.opening_s = 4
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await expect(said(page, "Opening your session…")).to_be_visible(timeout=SOON_MS)
        text = await page.locator(".player-message").inner_text()
        assert "connect" not in text.lower()
        await first_picture(page)
        await stop_watching(page, BOB)


@on_browser
async def test_a_stop_gives_the_place_in_the_line_up(driven: Driven, fake: FakeServer) -> None:
    fake.system.opening_s = 4
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await expect(said(page, "Opening your session…")).to_be_visible(timeout=SOON_MS)
        await page.locator("#stop").click()
        await expect(said(page, "Stopped")).to_be_visible(timeout=2_000)
        await until(lambda: fake.system.left_alone == 1)
        assert not fake.system.sessions


@on_browser
async def test_a_browser_that_refuses_the_changed_offer_watches_all_the_same(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await page.evaluate(
            "const real = RTCPeerConnection.prototype.setLocalDescription;"
            "RTCPeerConnection.prototype.setLocalDescription = function (given) {"
            "  if (given?.sdp?.includes('stereo=1')) throw new DOMException('no');"
            "  return real.call(this, ...arguments);"
            "};"
            "undefined"
        )
        await watching(page)
        assert "stereo=1" not in fake.system.offers[0]
        await stop_watching(page, BOB)


@on_browser
async def test_chromium_takes_the_offer_of_stereo_and_repair(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await watching(page)
        sound = fake.system.offers[0].split("m=audio")[1].split("m=video")[0]
        assert ";stereo=1" in sound
        assert " nack\r\n" in sound
        await stop_watching(page, BOB)


# --- money and keys -----------------------------------------------------------------------


@on_browser
async def test_all_that_an_account_needs_is_in_the_sum(driven: Driven, fake: FakeServer) -> None:
    fake.system.extra_terms = {
        "storage_deposit": str(UNIT // 5),
        "fees": str(UNIT // 100),
        "existential_deposit": str(UNIT // 1000),
    }
    needed = 600 * UNIT // 1000 + UNIT // 5 + UNIT // 100 + UNIT // 1000
    asked = Asked()
    async with opened(driven, BOB, ready(fake, balance=needed - 1), asked) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        await expect(page.locator("#step dl")).to_contain_text("0.811\u00a0UNIT")
        await expect(page.locator("#allow")).to_be_disabled()
        await expect(page.get_by_text("It lacks")).to_contain_text("0.000000000001")
        await page.locator("input[name=time][value='300']").check()
        await expect(page.locator("#allow")).to_be_enabled()
        assert asked.kinds() == ["raw"]
        fake.system.fund(BOB.address, needed)
        await page.reload()
        await page.locator("#allow:enabled").click()
        await first_picture(page)
        (grant,) = fake.system.grants.values()
        assert grant["sessions_max"] == 1, "as many as the terms reckon with"
        await stop_watching(page, BOB)


@on_browser
async def test_fees_that_another_asset_cannot_pay_are_said(
    driven: Driven, fake: FakeServer
) -> None:
    fake.system.extra_terms = {
        "storage_deposit": str(UNIT // 5),
        "fees": str(UNIT // 100),
        "existential_deposit": str(UNIT // 1000),
    }
    fake.system.native[BOB.address] = UNIT // 10
    address = ready(fake)
    asset = {"asset": "1984", "symbol": "USD", "decimals": 6}
    fake.system.streams[1] |= asset
    fake.system.terms_unit = asset
    async with opened(driven, BOB, address, Asked()) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        await expect(page.locator("#allow")).to_be_disabled()
        await expect(page.get_by_text("It lacks")).to_contain_text("0.111\u00a0UNIT")


@on_browser
async def test_accounts_of_another_kind_of_key_are_named(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await page.evaluate(
            "const enable = window.injectedWeb3.test.enable;"
            "window.injectedWeb3.test.enable = async (name) => {"
            "  const wallet = await enable(name);"
            "  const [own] = await wallet.accounts.get();"
            "  const other = { ...own, name: 'Carol', type: 'ecdsa' };"
            "  const ether = { address: '0x52908400098527886E0F7030069857D2E4169EE7',"
            "                  name: 'Eth', type: 'ethereum' };"
            "  return { ...wallet, accounts: { get: async () => [other, ether, own] } };"
            "}"
        )
        await connect_wallet(page)
        await expect(page.locator("#account option")).to_have_count(1)
        await expect(page.locator("ps-wallet")).to_contain_text("Carol (ecdsa), Eth (ethereum)")


@on_browser
async def test_a_signature_that_comes_too_late_hears_so(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await page.evaluate(
            "let skipped = 0; const real = performance.now.bind(performance);"
            "performance.now = () => real() + skipped;"
            "const { enable } = window.injectedWeb3.test;"
            "window.injectedWeb3.test.enable = async (name) => {"
            "  const wallet = await enable(name); const { signRaw } = wallet.signer;"
            "  wallet.signer.signRaw = async (raw) => { skipped += 360_000; return signRaw(raw); };"
            "  return wallet;"
            "}"
        )
        await connect_wallet(page)
        fake.system.forget_challenges = True
        await page.locator("#sign-in").click()
        await expect(page.get_by_role("alert")).to_contain_text("6 min after it was asked for")
        await expect(page.get_by_role("alert")).to_contain_text("Sign in again")
