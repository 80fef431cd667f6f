"""Subscribers' sessions: the discounted rate, the end of its period, renewals; and tick prices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock

from offchain.ledger.orders import Renew
from tests import model
from tests.relayer.fake_chain import BASE_MS, account
from tests.relayer.rig import RATE, Rig, Watching, rig

HOUR_MS = 3_600_000
PRICE = RATE * 100
TIER = model.Tier(PRICE, HOUR_MS, 500_000)
LEFT_S = 60
"""How long the running period still lasts when a test begins."""
ALICE, BOB = account("Alice"), account("Bob")


@asynccontextmanager
async def subscribed(
    path: Path, *, periods: int = 1, left_s: int = LEFT_S, **terms: Any
) -> AsyncIterator[tuple[Rig, str]]:
    """A viewer with money, a grant, and a subscription whose running period soon ends."""
    async with rig(path) as r:
        token = await r.ready_viewer(vault=RATE * 3_600, **terms)
        ledger = r.chain.state.ledger
        assert isinstance(ledger.set_tiers(BOB, 1, [TIER]), list)
        assert isinstance(ledger.subscribe(ALICE, 1, TIER, periods), list)
        until = BASE_MS + int(trio.current_time() * 1000) + left_s * 1000
        ledger.subscriptions[1, ALICE].started_at = until - HOUR_MS
        await trio.sleep(3)
        yield r, token


def sessions(r: Rig) -> dict[int, Any]:
    return {index: entry for (_, index), entry in r.chain.state.sessions.items()}


def renewals(r: Rig) -> list[Renew]:
    return [order for _, order in r.chain.accepted if isinstance(order, Renew)]


async def test_a_subscriber_pays_the_discounted_rate_until_the_period_ends(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path) as (r, token):
        terms = await r.result("terms", token=token, stream=1)
        assert (terms["rate_per_second"], terms["full_rate_per_second"]) == ("500", "1000")
        assert terms["subscription"]["periods"] == 1
        watching = await r.watch(token)
        await trio.sleep(20)
        (session,) = sessions(r).values()
        period_end = r.chain.state.subscriptions[1, ALICE].paid_until
        assert (session.rate_per_second, session.ended_at) == (RATE // 2, period_end)
        await trio.sleep(LEFT_S)
        await then_goes_on_at(r, watching, RATE)
        assert not renewals(r)


async def then_goes_on_at(r: Rig, watching: Watching, rate: int) -> None:
    """The next session is open, at this rate, and the viewer has not noticed."""
    await trio.sleep(30)
    assert list(sessions(r)) == [1]
    session = sessions(r)[1]
    assert session.rate_per_second == rate
    assert session.seconds > 10
    assert watching.playing
    assert not watching.final
    assert all(lease.allowed for lease in watching.history)


async def test_another_paid_period_is_used_without_a_renewal(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path, periods=2, renewals_max=5) as (r, token):
        watching = await r.watch(token)
        await trio.sleep(LEFT_S)
        await then_goes_on_at(r, watching, RATE // 2)
        assert not renewals(r)


async def test_what_the_grant_does_not_allow_ends_with_the_period(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path, rate_max_per_second=RATE // 2) as (r, token):
        watching = await r.watch(token)
        await trio.sleep(20)
        assert sessions(r)[0].rate_per_second == RATE // 2
        await r.until(lambda: watching.final)
        assert watching.lease is not None
        assert watching.lease.reason == "funds"
        await trio.sleep(20)
        assert not sessions(r)


async def test_a_viewer_who_asks_is_renewed_once_and_goes_on_at_the_discount(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path, renewals_max=2) as (r, token):
        watching = r.server.attach(await r.result("admit", token=token, stream=1, renew=True))
        await trio.sleep(LEFT_S)
        await then_goes_on_at(r, watching, RATE // 2)
        assert {order.renewals for order in renewals(r)} == {1}
        (grant,) = r.chain.state.grants.values()
        assert (grant.renewals_total, grant.renewals_left) == (1, 1)
        assert r.chain.state.subscriptions[1, ALICE].periods == 2


async def test_nobody_is_renewed_who_did_not_ask_or_may_not(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path / "asked-not", renewals_max=2) as (r, token):
        watching = await r.watch(token)
        await trio.sleep(LEFT_S)
        await then_goes_on_at(r, watching, RATE)
        assert not renewals(r)
    async with subscribed(tmp_path / "allowed-not") as (r, token):
        watching = r.server.attach(await r.result("admit", token=token, stream=1, renew=True))
        await trio.sleep(LEFT_S)
        await then_goes_on_at(r, watching, RATE)
        assert not renewals(r)


async def test_a_renewal_that_is_refused_is_not_tried_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path, renewals_max=2) as (r, token):
        watching = r.server.attach(await r.result("admit", token=token, stream=1, renew=True))
        await trio.sleep(10)
        tried: list[int] = []

        def refuse(grant: int, order: Any) -> str | None:
            if not isinstance(order, Renew):
                return None
            tried.append(grant)
            return "TierNotOffered"

        r.chain.refuse = refuse
        await trio.sleep(LEFT_S - 10)
        await then_goes_on_at(r, watching, RATE)
        assert len(tried) == 1


async def test_a_renewal_that_comes_too_early_waits(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path, renewals_max=2) as (r, token):
        watching = r.server.attach(await r.result("admit", token=token, stream=1, renew=True))
        tried: list[int] = []

        def refuse(grant: int, order: Any) -> str | None:
            if not isinstance(order, Renew):
                return None
            tried.append(grant)
            return "RenewTooEarly" if len(tried) == 1 else None

        r.chain.refuse = refuse
        await trio.sleep(LEFT_S)
        await then_goes_on_at(r, watching, RATE // 2)
        assert len(tried) == 2
        assert r.chain.state.subscriptions[1, ALICE].periods == 2


async def test_a_killed_relayer_renews_no_second_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path, renewals_max=5) as (r, token):
        r.server.attach(await r.result("admit", token=token, stream=1, renew=True))
        await r.until(lambda: renewals(r))
        await r.crash()
        await r.start()
        await trio.sleep(1)
        await r.crash()
        await trio.sleep(5)
        await r.start()
        await trio.sleep(60)
        (grant,) = r.chain.state.grants.values()
        assert grant.renewals_total == 1
        assert r.chain.state.subscriptions[1, ALICE].periods == 2


async def test_a_renewal_lost_in_a_reorganisation_is_made_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with subscribed(tmp_path, renewals_max=5) as (r, token):
        r.server.attach(await r.result("admit", token=token, stream=1, renew=True))
        await r.until(lambda: any(g.renewals_total for g in r.chain.state.grants.values()))
        await r.chain.reorganise(2)
        assert not any(g.renewals_total for g in r.chain.state.grants.values())
        await trio.sleep(40)
        (grant,) = r.chain.state.grants.values()
        assert grant.renewals_total == 1


async def test_a_free_rate_is_ticked_and_paid_with_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(vault=PRICE)
        ledger = r.chain.state.ledger
        free = model.Tier(PRICE, HOUR_MS, 1_000_000)
        assert isinstance(ledger.set_tiers(BOB, 1, [free]), list)
        assert isinstance(ledger.subscribe(ALICE, 1, free, 1), list)
        await trio.sleep(3)
        watching = await r.watch(token)
        await trio.sleep(40)
        (session,) = sessions(r).values()
        assert (session.rate_per_second, session.funds, session.paid) == (0, 0, 0)
        assert session.seconds > 20
        assert watching.playing


async def test_a_tick_price_is_in_cost_and_runway(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as r:
        token = await r.ready_viewer(vault=RATE * 600)
        price = RATE * 6  # a tick costs what the six seconds between two ticks do
        assert isinstance(r.chain.state.ledger.set_tick_price(None, price), list)
        terms = await r.result("terms", token=token, stream=1)
        assert terms["tick_price"] == str(price)
        assert terms["needs"]["cap"] == str(2 * 3_600 * RATE)
        watching = await r.watch(token)
        await trio.sleep(31)
        (session,) = sessions(r).values()
        assert session.fees > 0
        assert watching.lease is not None
        assert watching.lease.runway_seconds is not None
        assert 260 <= watching.lease.runway_seconds <= 280
        assert watching.lease.paid == session.seconds * RATE + session.fees
        (shown,) = (await r.result("sessions", token=token))["sessions"]
        assert shown["paid"] == str(session.paid)
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
        await trio.sleep(10)
        (shown,) = (await r.result("sessions", token=token))["sessions"]
        vault = r.chain.state.vaults[ALICE]
        assert int(shown["paid"]) == RATE * 600 - vault
