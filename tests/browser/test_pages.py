"""The pages in real Chromium, over a stand-in for server, relayer and chain.

Signatures, SDP, media and the content security policy are real.
"""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from streaming.clients.browser import (
    connect_wallet,
    create_stream_in_browser,
    first_picture,
    pay_and_watch,
    publish_in_browser,
    stop_watching,
    watch_in_browser,
)
from tests.browser.conftest import Asked, Driven, wallet
from tests.browser.fake_api import FakeServer
from tests.browser.fake_system import ALICE, UNIT
from tests.browser.page_scene import BOB, SOON_MS, measured, on_browser, opened, ready, until

pytestmark = pytest.mark.browser

CREATOR = wallet("Alice")


async def silence(fake: FakeServer, within_s: float = 8.0) -> int:
    """Wait until no media comes from one look to the next; give how many frames have come.

    A machine that starves may be silent sooner: this waits for the last frames, it judges nothing.
    """
    before = -1
    async with asyncio.timeout(within_s):
        while before != fake.system.received:
            before = fake.system.received
            await asyncio.sleep(0.5)
    return before


# --- the list -----------------------------------------------------------------------------


@on_browser
async def test_the_list_shows_what_is_live_first_and_what_it_costs(
    driven: Driven, fake: FakeServer
) -> None:
    fake.system.add_stream(live=False)
    fake.system.add_stream(rate=25 * UNIT // 1000)
    async with opened(driven, None, f"{fake.url}/browse") as page:
        rows = page.locator(".stream-row")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text("Stream 2")
        await expect(rows.first).to_contain_text("1.5\u00a0UNIT / min")
        link = rows.first.locator(".stream-link")
        await expect(link).to_have_attribute("href", "/watch?stream=2")
        await expect(rows.nth(1)).to_contain_text("Not live")
        await page.goto(fake.url)
        await expect(rows).to_have_count(1)


@on_browser
async def test_an_empty_list_and_a_failing_server_are_said(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, None, fake.url) as page:
        await expect(page.get_by_text("Nobody is live right now")).to_be_visible()
        fake.system.broken = True
        await page.reload()
        await expect(page.get_by_role("alert")).to_contain_text("The chain cannot be reached")
        fake.system.broken = False
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_text("Nobody is live right now")).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_count(0)


@on_browser
async def test_names_from_the_chain_never_become_markup(driven: Driven, fake: FakeServer) -> None:
    fake.system.add_stream(owner="<img src=x onerror=alert(1)>")
    async with opened(driven, None, fake.url) as page:
        await expect(page.locator(".stream-row")).to_have_count(1)
        assert await page.locator(".stream-row img").count() == 0


# --- before watching ----------------------------------------------------------------------


@on_browser
async def test_without_a_wallet_the_page_says_what_is_needed(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, None, ready(fake)) as page:
        await expect(page.get_by_text("No wallet found in this browser")).to_be_visible()
        await expect(page.locator("#price-second")).to_contain_text("0.001")


@on_browser
async def test_another_assets_stream_is_priced_in_it_with_its_tiers(
    driven: Driven, fake: FakeServer
) -> None:
    number = fake.system.add_stream(rate=1_500)
    tier = {"price": "5000000", "period_ms": 30 * 86_400_000, "discount_ppm": 500_000}
    fake.system.streams[number] |= {
        "asset": "1984", "symbol": "USD", "decimals": 6, "tiers": [tier],
    }  # fmt: skip
    async with opened(driven, None, f"{fake.url}/watch?stream={number}") as page:
        await expect(page.locator("#price-second")).to_have_text("0.0015\u00a0USD")
        await expect(page.locator("#tiers")).to_contain_text("5\u00a0USD for 30 days: 50 % off")
    async with opened(driven, None, fake.url) as page:
        await expect(page.locator(".stream-price").first).to_contain_text("0.09\u00a0USD")


@on_browser
async def test_an_unknown_stream_is_said(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, None, f"{fake.url}/watch?stream=99") as page:
        await expect(page.get_by_text("There is no stream 99")).to_be_visible()
    async with opened(driven, None, f"{fake.url}/watch") as page:
        await expect(page.get_by_text("No stream is named")).to_be_visible()


@on_browser
async def test_a_declined_signature_changes_nothing(driven: Driven, fake: FakeServer) -> None:
    asked = Asked(declines=True)
    async with opened(driven, BOB, ready(fake), asked) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        await expect(page.get_by_text("You declined in the wallet")).to_be_visible()
        asked.declines = False
        await page.get_by_role("button", name="Back").click()
        await page.locator("#sign-in").click()
        await expect(page.locator("#allow")).to_be_visible()
        asked.declines = True
        await page.locator("#allow").click()
        await expect(page.get_by_text("You declined in the wallet")).to_be_visible()
    assert "POST /api/v1/wallet/submit" not in fake.system.requests
    assert fake.system.vaults == {}


@on_browser
async def test_more_than_the_account_holds_cannot_be_chosen(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake, balance=UNIT), Asked()) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        await expect(page.locator("#allow")).to_be_enabled()
        await page.get_by_label("1 h").check()
        await expect(page.locator("#allow")).to_be_disabled()
        await expect(page.get_by_text("Your account holds 1")).to_be_visible()


@on_browser
async def test_a_transaction_that_fails_is_said_in_the_chain_s_words(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        fake.system.fail_next = "The cap is too low. Allow more."
        await page.locator("#allow").click()
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("The cap is too low. Allow more.")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator("#allow")).to_be_visible()


# --- watching -----------------------------------------------------------------------------


@on_browser
async def test_one_text_and_one_transaction_are_signed_then_the_picture_is_there(
    driven: Driven, fake: FakeServer
) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        assert asked.kinds() == ["raw", "payload"]
        await until(lambda: next(iter(fake.system.sessions.values())).delivered() > 2_500)
        await expect(page.locator("ps-cost .amount")).to_contain_text("0.00")
        await expect(page.get_by_text("Time left")).to_be_visible()
        result = await stop_watching(page, BOB)
        session = fake.system.sessions[1, 0]
        assert session.status == "closed"
        assert result["session"] == "1-0"
        assert result["end_reason"] == "left"
        assert result["frames_decoded"] > 20
        assert abs(result["watched_ms"] - session.delivered()) < 1_500
        await expect(page.get_by_text("The rest is back in your vault")).to_be_visible()
        assert fake.system.grants[1]["cap_left"] == 600 * UNIT // 1000 - session.charged


@on_browser
async def test_the_driver_watches_for_as_long_as_it_is_told(
    driven: Driven, fake: FakeServer
) -> None:
    ready(fake)
    result = await watch_in_browser(driven.browser, fake.url, 1, BOB, seconds=3)
    assert 2_000 < result["watched_ms"] < 5_500
    assert result["account"] == BOB.address
    assert result["delegate"].startswith("0x")
    assert result["first_frame_ms"] < 5_000


@on_browser
async def test_a_reload_goes_on_with_the_same_session_without_a_click(
    driven: Driven, fake: FakeServer
) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        await page.wait_for_timeout(1_200)
        before = await measured(page)
        await page.reload()
        await first_picture(page)
        after = await measured(page)
        assert after["session"] == before["session"] == "1-0"
        assert after["watched_ms"] >= before["watched_ms"] > 500
        assert after["reconnects"] == 1
        assert asked.kinds() == ["raw", "payload"], "no further signature"
        assert len(fake.system.sessions) == 1
        await stop_watching(page, BOB)


@on_browser
async def test_a_dry_vault_is_said_and_a_top_up_goes_on(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        fake.system.vaults[BOB.address] = 2 * UNIT // 1000
        used_up = page.locator(".player-title", has_text="Your balance for this stream is used up")
        await expect(used_up).to_be_visible(timeout=SOON_MS)
        await expect(page.locator("#allow")).to_be_visible()
        await page.locator("#allow").click()
        await expect(page.locator("#stop")).to_be_visible(timeout=SOON_MS)
        await first_picture(page)
        await stop_watching(page, BOB)


@on_browser
async def test_what_a_closing_session_returns_is_awaited_and_no_deposit_asked_for(
    driven: Driven, fake: FakeServer
) -> None:
    path, asked = ready(fake), Asked()
    grant = {"deposit": UNIT, "cap": UNIT, "rate_max_per_second": UNIT, "sessions_max": 1}
    call = {"kind": "deposit_and_grant", "expires_at_ms": 2**42, **grant}
    fake.system.apply(BOB.address, call)
    fake.system.hold_back(BOB.address)
    async with opened(driven, BOB, path, asked) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        coming = page.get_by_text("Your balance is coming back")
        await expect(coming.first).to_be_visible(timeout=SOON_MS)
        await asyncio.sleep(2.5)
        await expect(page.locator("#allow")).to_have_count(0)
        fake.system.give_back(BOB.address)
        await expect(page.locator("#watch")).to_be_visible(timeout=SOON_MS)
        # and so where it comes between the terms and the join
        fake.system.hold_back(BOB.address)
        await page.locator("#watch").click()
        await expect(page.locator(".player-title", has_text="coming back")).to_be_visible(
            timeout=SOON_MS
        )
        fake.system.give_back(BOB.address)
        await first_picture(page)
        await stop_watching(page, BOB)
        assert asked.kinds() == ["raw"]


@on_browser
async def test_time_can_be_added_while_watching(driven: Driven, fake: FakeServer) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page:
        await pay_and_watch(page, 5)
        await first_picture(page)
        before = fake.system.vaults[BOB.address]
        await page.get_by_role("button", name="Add time").click()
        await page.get_by_label("30 min").check()
        await page.locator("#allow").click()
        await until(lambda: fake.system.vaults[BOB.address] > before + UNIT)
        assert asked.kinds() == ["raw", "payload", "payload"]
        assert len(fake.system.sessions) == 1, "it is the same session"
        await stop_watching(page, BOB)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("grant-ended", "Your permission to pay has ended"),
        ("stream-ended", "The creator has ended this stream"),
        ("token-ended", "Your sign-in has ended"),
    ],
)
def test_why_the_media_ended_is_said(
    driven: Driven, fake: FakeServer, reason: str, said: str
) -> None:
    async def body() -> None:
        async with opened(driven, BOB, ready(fake), Asked()) as page:
            await pay_and_watch(page, 10)
            await first_picture(page)
            session = fake.system.sessions[1, 0]

            async def end() -> None:
                fake.system.end(session, reason)

            fake.run(end())
            await expect(page.locator(".player-title")).to_contain_text(said, timeout=SOON_MS)
            assert (await measured(page))["end_reason"] == reason
            if reason == "token-ended":
                await expect(page.locator("#sign-in")).to_be_visible()

    driven.run(body())


@on_browser
async def test_a_duplicated_tab_takes_the_session_over(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        async with page.context.expect_page() as opening:
            await page.evaluate("void window.open(window.location.href)")
        other = await opening.value
        await first_picture(other)
        await expect(page.locator(".player-title")).to_contain_text("another tab")
        assert (await measured(page))["end_reason"] == "replaced"
        assert (await measured(other))["session"] == "1-0"
        assert len(fake.system.sessions) == 1, "only one is paid"
        await stop_watching(other, BOB)


@on_browser
async def test_a_token_that_the_server_forgot_asks_to_sign_in(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        await expect(page.locator("#allow")).to_be_visible()
        fake.system.tokens.clear()
        await page.reload()
        await expect(page.get_by_text("Your sign-in has ended")).to_be_visible()
        await page.locator("#sign-in").click()
        await expect(page.locator("#allow")).to_be_visible()


@on_browser
async def test_a_paused_player_is_not_charged(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        await page.locator("ps-player").hover()
        await page.get_by_role("button", name="Pause").click()
        session = fake.system.sessions[1, 0]
        await until(lambda: session.running_since is None)
        await expect(page.locator(".player-title")).to_contain_text("Paused", timeout=SOON_MS)
        await page.locator("ps-player").hover()
        await page.get_by_role("button", name="Play").click()
        await until(lambda: session.running_since is not None)
        await stop_watching(page, BOB)


@on_browser
async def test_a_hidden_player_without_sound_is_not_charged(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        session = fake.system.sessions[1, 0]

        async def hide(hidden: str) -> None:
            await page.evaluate(
                f"const now = {{ value: {hidden}, configurable: true }};"
                "Object.defineProperty(document, 'hidden', now);"
                "document.dispatchEvent(new Event('visibilitychange'))"
            )

        await hide("true")
        await page.wait_for_timeout(500)
        assert session.running_since is not None, "it can still be heard"
        await hide("false")
        await page.locator("ps-player").hover()
        await page.get_by_role("button", name="Mute").click()
        assert session.running_since is not None, "it can still be seen"
        await hide("true")
        await until(lambda: session.running_since is None)
        await hide("false")
        await until(lambda: session.running_since is not None)
        await stop_watching(page, BOB)


@on_browser
async def test_a_frozen_picture_is_said_and_not_measured(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        fake.system.frozen = True
        waiting = page.locator(".player-title", has_text="Waiting for the picture")
        await expect(waiting).to_be_visible(timeout=SOON_MS)
        before = (await measured(page))["watched_ms"]
        await page.wait_for_timeout(1_000)
        assert (await measured(page))["watched_ms"] == before
        fake.system.frozen = False
        await expect(waiting).to_have_count(0)
        await stop_watching(page, BOB)


@on_browser
async def test_a_lost_connection_is_made_again_under_the_same_session(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)

        async def drop() -> None:
            fake.system.broken = True
            for connection, _ in list(fake.system.whep.values()):
                await connection.close()

        fake.run(drop())
        again = page.locator(".player-title", has_text="Connecting again")
        await expect(again).to_be_visible(timeout=SOON_MS)
        fake.system.broken = False
        await expect(again).to_have_count(0, timeout=SOON_MS)
        result = await measured(page)
        assert result["session"] == "1-0"
        assert result["reconnects"] >= 1
        assert len(fake.system.sessions) == 1
        await stop_watching(page, BOB)


@on_browser
async def test_a_stream_that_is_not_live_yet_is_waited_for(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake, live=False), Asked()) as page:
        await pay_and_watch(page, 10)
        waiting = page.locator(".player-title", has_text="Waiting for the creator")
        await expect(waiting).to_be_visible()
        assert fake.system.sessions == {}
        fake.system.streams[1]["live"] = True
        await first_picture(page)
        await stop_watching(page, BOB)


@on_browser
async def test_the_rest_is_withdrawn_and_the_permission_revoked(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        await stop_watching(page, BOB)
        await page.locator("#vault summary").click()
        await page.get_by_label("Withdraw to your account").fill("9999")
        await page.get_by_role("button", name="Withdraw").click()
        await expect(page.get_by_text("Your vault holds less than that")).to_be_visible()
        await page.get_by_label("Withdraw to your account").fill("0.1")
        before = fake.system.balances[BOB.address]
        await page.get_by_role("button", name="Withdraw").click()
        await expect(page.get_by_text("Withdrawn to your account")).to_be_visible()
        assert fake.system.balances[BOB.address] == before + UNIT // 10
        await page.get_by_role("button", name="Revoke").click()
        await expect(page.get_by_text("can pay nothing more")).to_be_visible()
        assert fake.system.grants[1]["ended"]


@on_browser
async def test_a_deposit_alone_is_signed_where_the_permission_suffices(
    driven: Driven, fake: FakeServer
) -> None:
    asked = Asked()
    async with opened(driven, BOB, ready(fake), asked) as page:
        await pay_and_watch(page, 60)
        await first_picture(page)
        await stop_watching(page, BOB)
        fake.system.vaults[BOB.address] = 0
        await page.reload()
        await page.get_by_label("5 min").check()
        await page.locator("#allow").click()
        await expect(page.locator("#stop")).to_be_visible(timeout=SOON_MS)
        await first_picture(page)
        await stop_watching(page, BOB)
    assert len(fake.system.grants) == 1
    assert fake.system.vaults[BOB.address] > 290 * UNIT // 1000


@on_browser
async def test_a_lapsed_session_is_followed_into_the_next(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await pay_and_watch(page, 10)
        await first_picture(page)
        fake.system.lapse(fake.system.sessions[1, 0])
        follows = "() => window.paystream.measure().session === '1-1'"
        await page.wait_for_function(follows, timeout=SOON_MS)
        result = await stop_watching(page, BOB)
        assert result["end_reason"] == "left"
        assert result["reconnects"] == 0


# --- broadcasting -------------------------------------------------------------------------


@on_browser
async def test_a_creator_makes_a_stream_and_goes_live(driven: Driven, fake: FakeServer) -> None:
    number = await create_stream_in_browser(driven.browser, fake.url, CREATOR, "0.06")
    assert fake.system.streams[number]["rate_per_second"] == str(UNIT // 1000)
    done, hold, live = asyncio.Event(), asyncio.Event(), asyncio.Event()
    publishing = asyncio.create_task(
        publish_in_browser(
            driven.browser, fake.url, number, CREATOR, until=done, on_live=live.set, hold=hold
        )
    )
    await asyncio.wait_for(live.wait(), 20)
    assert fake.system.streams[number]["live"]
    badge = driven.browser.contexts[0].pages[0].locator("#badge")
    await until(lambda: fake.system.received)
    hold.set()
    await expect(badge).to_have_text("Paused", timeout=SOON_MS)
    received = await silence(fake)
    hold.clear()
    await expect(badge).to_have_text("Live", timeout=SOON_MS)
    await until(lambda: fake.system.received > received)
    done.set()
    result = await publishing
    assert result == {"stream": number, "reconnects": 0}
    assert not fake.system.streams[number]["live"]


@on_browser
async def test_a_price_of_zero_is_refused_in_the_form(driven: Driven, fake: FakeServer) -> None:
    async with opened(driven, CREATOR, f"{fake.url}/broadcast", Asked()) as page:
        await connect_wallet(page)
        for typed in ("0", "", "-1", "abc"):
            await page.locator("#price").fill(typed)
            await page.locator("#create").click()
            await expect(page.locator("#price")).to_have_attribute("aria-invalid", "true")
        assert fake.system.streams == {}


@on_browser
async def test_a_publisher_comes_back_when_the_server_lost_it(
    driven: Driven, fake: FakeServer
) -> None:
    fake.system.add_stream(live=False)
    async with opened(driven, CREATOR, f"{fake.url}/broadcast", Asked()) as page:
        await go_live(page)
        fake.run(fake.api.drop_publishers())
        await expect(page.locator("#badge")).to_have_text("Connecting again…")
        await expect(page.locator("#badge")).to_have_text("Live", timeout=SOON_MS)
        assert fake.system.streams[1]["live"]
        await page.locator("#stop").click()
        await expect(page.locator("#start")).to_be_visible()


@on_browser
async def test_an_ended_stream_is_refused_with_the_remedy(driven: Driven, fake: FakeServer) -> None:
    fake.system.add_stream(live=False)
    async with opened(driven, CREATOR, f"{fake.url}/broadcast", Asked()) as page:
        await prepare_camera(page)
        fake.system.streams[1]["status"] = "ended"
        await page.locator("#start").click()
        await expect(page.get_by_role("alert")).to_contain_text("Make another one")
        await expect(page.locator("#badge")).to_have_text("Not live")


@on_browser
async def test_a_creator_sees_and_claims_the_earnings(driven: Driven, fake: FakeServer) -> None:
    fake.system.add_stream(live=False)
    fake.system.streams[1]["earned"] = str(UNIT * 3 // 2)
    async with opened(driven, CREATOR, f"{fake.url}/broadcast", Asked()) as page:
        await connect_wallet(page)
        await expect(page.locator("#figures")).to_contain_text("1.5")
        await page.locator("#claim-button").click()
        await expect(page.get_by_text("Claimed", exact=True)).to_be_visible()
        assert fake.system.streams[1]["earned"] == "0"
        await expect(page.locator("#claim-button")).to_be_disabled()


@on_browser
async def test_only_one_s_own_streams_are_offered(driven: Driven, fake: FakeServer) -> None:
    fake.system.add_stream(owner=BOB.address)
    fake.system.add_stream(owner=ALICE)
    async with opened(driven, CREATOR, f"{fake.url}/broadcast", Asked()) as page:
        await connect_wallet(page)
        await expect(page.locator("#own-stream option")).to_have_count(1)
        await expect(page.locator("#own-stream")).to_have_value("2")


async def prepare_camera(page: Page) -> None:
    await connect_wallet(page)
    await page.locator("#devices").click()
    await expect(page.locator("#start")).to_be_enabled()


async def go_live(page: Page) -> None:
    await prepare_camera(page)
    await page.locator("#start").click()
    await expect(page.locator("#badge")).to_have_text("Live", timeout=SOON_MS)


# --- all pages ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/browse", "/creator/alice", "/me", "/watch?stream=1", "/broadcast"]
)
def test_a_page_loads_nothing_from_elsewhere_and_fits_a_phone(
    driven: Driven, fake: FakeServer, path: str
) -> None:
    async def body() -> None:
        ready(fake)
        async with opened(driven, BOB, "about:blank") as page:
            await page.set_viewport_size({"width": 360, "height": 740})
            elsewhere: list[str] = []

            def note(url: str) -> None:
                if not url.startswith((fake.url, "data:", "blob:")):
                    elsewhere.append(url)

            page.on("request", lambda request: note(request.url))
            await page.goto(fake.url + path)
            await page.wait_for_timeout(500)
            assert elsewhere == []
            root = "document.documentElement"
            assert await page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")

    driven.run(body())


@on_browser
async def test_every_control_has_a_name_and_is_reached_by_tab(
    driven: Driven, fake: FakeServer
) -> None:
    async with opened(driven, BOB, ready(fake), Asked()) as page:
        await connect_wallet(page)
        await page.locator("#sign-in").click()
        await expect(page.locator("#allow")).to_be_visible()
        nameless = await page.locator("button:visible, select:visible, input:visible").evaluate_all(
            "all => all.filter(e => !(e.innerText || e.ariaLabel || e.labels?.length)).length"
        )
        assert nameless == 0
        await page.locator("#account").focus()
        reached = set()
        for _ in range(8):
            await page.keyboard.press("Tab")
            reached.add(
                await page.evaluate("document.activeElement.id || document.activeElement.name")
            )
        assert {"time", "allow"} <= reached
