"""Assets, batches, tips, tiers, subscriptions and the operator's calls on a real node."""

from __future__ import annotations

from typing import Any

import pytest

from offchain.keys import LocalKey, dev_key, fresh_key
from offchain.ledger import (
    Close,
    Ledger,
    Open,
    Order,
    Renew,
    SignedOrder,
    Tick,
    Tier,
    Tip,
    errors,
    open_ledger,
)
from offchain.ledger.entries import message_from
from offchain.ledger.errors import DispatchFailed, OrderRefused, Replayed
from offchain.ledger.orders import OrderInvalid, delegate_key, sign_grant_proof
from tests.system.node_process import NodeProcess
from tests.system.test_ledger_client import RATE, UNIT, Viewing, give, terms, viewing

pytestmark = pytest.mark.system

USD = 1984
CENT = 10_000
DAY_MS = 86_400_000
MONTH = Tier(price=UNIT, period_ms=30 * DAY_MS, discount=500_000)


def signed(v: Viewing, order: Order, key: LocalKey | None = None) -> SignedOrder:
    return SignedOrder(grant=v.grant, order=order, signature=v.sign(order, key))


async def as_operator(ledger: Ledger, call: bytes) -> Any:
    return await ledger.submit_signed(ledger.calls.as_operator(call), dev_key("Alice"))


# --- batches -------------------------------------------------------------------------------


async def test_a_batch_counts_what_is_right_and_names_what_is_not(node: NodeProcess) -> None:
    ferdie = dev_key("Ferdie")
    async with open_ledger(node.url) as ledger:
        one = await give(ledger, dev_key("Bob"), 10 * UNIT)
        other = await give(ledger, dev_key("Charlie"), 10 * UNIT)
        third = await give(ledger, dev_key("Dave"), 10 * UNIT)
        for v in (one, other, third):
            await v.open()
        await third.wait_for_room(0, 6)
        orders = [
            signed(third, Tick(index=0, seconds=6), fresh_key()),
            signed(other, Tick(index=0, seconds=500)),
            signed(one, Tick(index=0, seconds=6)),
        ]
        result = await ledger.submit_batch(ferdie, orders)
        assert (result.counted, result.free) == (1, 1)
        failures = {place: error.name for place, error in result.failures.items()}
        assert failures == {
            (other.grant, 0): "AheadOfClock",
            (third.grant, 0): "SignatureInvalid",
        }
        assert isinstance(result.failures[other.grant, 0], errors.by_name("AheadOfClock"))
        assert "next block" in result.failures[other.grant, 0].docs
        session = await ledger.session(one.grant, 0)
        assert session is not None
        assert session.seconds == 6

        # a batch of nothing but good ticks costs nothing
        for v in (one, other):
            await v.wait_for_room(0, 12)
        before = await ledger.free_balance(ferdie.address)
        both = [signed(other, Tick(index=0, seconds=12)), signed(one, Tick(index=0, seconds=12))]
        result = await ledger.submit_batch(ferdie, both, wait="finalized")
        assert (result.counted, result.free, result.failures) == (2, 2, {})
        assert await ledger.free_balance(ferdie.address) == before
        result = await ledger.submit_batch(ferdie, both)
        assert {error.name for error in result.failures.values()} == {"OrderStale"}

        with pytest.raises(OrderInvalid, match="0 orders"):
            await ledger.submit_batch(ferdie, [])
        for v in (one, other, third):
            await v.send(Close(index=0, seconds=12))


# --- tips, refunds, transfers --------------------------------------------------------------


async def test_tips_from_the_wallet_and_from_the_key(node: NodeProcess) -> None:
    bob = dev_key("Bob")
    async with open_ledger(node.url) as ledger:
        v = await give(ledger, bob, 10 * UNIT, tips_max=UNIT)
        receipt = await ledger.submit_signed(
            ledger.calls.tip(v.stream, UNIT // 2, "Thänk you".encode()), bob
        )
        tipped = receipt.event("Tipped").fields
        assert message_from(tipped["message"]) == "Thänk you"
        assert (tipped["viewer"], tipped["amount"], tipped["grant"]) == (
            bob.address,
            UNIT // 2,
            None,
        )
        await v.open()
        order = Tip(index=0, tips=UNIT // 10, message=b"\xffraw")
        tipped = (await v.send(order)).event("Tipped").fields
        assert (tipped["amount"], tipped["grant"]) == (UNIT // 10, v.grant)
        with pytest.raises(Replayed):
            await v.submit(order)
        with pytest.raises(OrderRefused) as refused:
            await v.submit(Tip(index=0, tips=2 * UNIT))
        assert refused.value.reason == "TipsTooLow"
        grant, stream = await ledger.grant(v.grant), await ledger.stream(v.stream)
        assert grant is not None
        assert stream is not None
        assert (grant.tips_total, grant.tips_left) == (UNIT // 10, UNIT - UNIT // 10)
        assert stream.tips_total == stream.earned == UNIT // 2 + UNIT // 10

        vault = await ledger.vault(bob.address)
        alice, eve = dev_key("Alice"), dev_key("Eve")
        await ledger.submit_signed(ledger.calls.refund(v.stream, bob.address, UNIT // 2), alice)
        assert await ledger.vault(bob.address) == vault + UNIT // 2
        with pytest.raises(errors.by_name("EarningsTooLow")):
            await ledger.submit_signed(ledger.calls.refund(v.stream, bob.address, UNIT), alice)
        await ledger.submit_signed(ledger.calls.transfer_stream(v.stream, eve.address), alice)
        stream = await ledger.stream(v.stream)
        assert stream is not None
        assert (stream.owner, stream.earned, stream.refunded_total) == (eve.address, 0, UNIT // 2)
        assert [payee.account for payee in stream.payees] == [eve.address]
        await v.send(Close(index=0, seconds=1))


# --- subscriptions -------------------------------------------------------------------------


async def test_the_life_of_a_subscription(node: NodeProcess) -> None:
    alice, bob = dev_key("Alice"), dev_key("Bob")
    async with viewing(node, "Bob", renewals_max=2) as v:
        ledger = v.ledger
        await ledger.submit_signed(ledger.calls.set_tiers(v.stream, [MONTH]), alice)
        assert await ledger.tiers(v.stream) == (MONTH,)
        with pytest.raises(errors.by_name("TierNotOffered")):
            await ledger.submit_signed(
                ledger.calls.subscribe(v.stream, Tier(price=1, period_ms=DAY_MS, discount=0), 1),
                bob,
            )
        await ledger.submit_signed(ledger.calls.subscribe(v.stream, MONTH, 1), bob)
        subscription = await ledger.subscription(v.stream, bob.address)
        assert subscription is not None
        assert (subscription.tier, subscription.periods, subscription.periods_earned) == (
            MONTH,
            1,
            1,
        )
        assert await ledger.subscriptions(v.stream) == {bob.address: subscription}
        assert subscription.deposit > 0

        half = MONTH.discounted(RATE)
        now_ms = await ledger.now_ms()
        opening = Open(
            index=0, stream=v.stream, rate_per_second=half, funds=100 * half, start_at=now_ms
        )
        await v.send(opening)
        session = await ledger.session(v.grant, 0)
        assert session is not None
        assert session.ended_at == min(
            (await ledger.grant(v.grant)).ended_at,  # type: ignore[union-attr]
            subscription.started_at + MONTH.period_ms,
        )
        await v.send(Renew(index=0, renewals=1))
        renewed = await ledger.subscription(v.stream, bob.address)
        assert renewed is not None
        assert renewed.periods == 2
        with pytest.raises(OrderRefused) as refused:
            await v.submit(Renew(index=0, renewals=2))
        assert refused.value.reason == "RenewTooEarly"
        with pytest.raises(OrderRefused) as refused:
            await v.submit(Renew(index=0, renewals=3))
        assert refused.value.reason == "RenewalNotNext"
        await v.wait_for_room(0, 5)
        ticked = await v.send(Tick(index=0, seconds=5))
        assert ticked.event("Ticked").fields["amount"] == 5 * half

        vault = await ledger.vault(bob.address)
        cancelled = await ledger.submit_signed(ledger.calls.cancel_subscription(v.stream), bob)
        assert cancelled.event("SubscriptionCancelled").fields["refunded"] == UNIT
        assert await ledger.vault(bob.address) == vault + UNIT
        with pytest.raises(errors.by_name("SubscriptionRunning")):
            await ledger.submit_signed(
                ledger.calls.settle_subscription(v.stream, bob.address), alice
            )
        await ledger.end_stream(alice, v.stream)
        await ledger.submit_signed(ledger.calls.settle_subscription(v.stream, bob.address), alice)
        assert await ledger.subscription(v.stream, bob.address) is None


# --- assets --------------------------------------------------------------------------------


async def test_a_stream_is_paid_in_a_stablecoin(node: NodeProcess) -> None:
    alice, eve = dev_key("Alice"), dev_key("Eve")
    async with open_ledger(node.url) as ledger:
        currency = await ledger.currency(USD)
        assert (currency.symbol, currency.decimals, currency.minimum) == ("USD", 6, CENT)
        entries = await ledger.asset_entries()
        assert list(entries)[:2] == [None, USD]
        assert {entry.status for entry in entries.values()} == {"Enabled"}
        assert await ledger.asset_entry(77) is None
        rate = 1_000
        stream, _ = await ledger.create_stream(alice, rate_per_second=rate, asset=USD)
        key = fresh_key()
        proof = sign_grant_proof(key, ledger.genesis_hash, ledger.pallet_index, eve.address)
        given = await terms(ledger, rate_max_per_second=rate, cap=1_000_000, asset=USD)
        balance = await ledger.balance(eve.address, asset=USD)
        grant, _ = await ledger.deposit_and_grant(eve, 1_000_000, delegate_key(key), proof, given)
        assert await ledger.balance(eve.address, asset=USD) == balance - 1_000_000
        assert (await ledger.vaults(eve.address))[USD] == 1_000_000
        v = Viewing(ledger, stream, grant, key)
        now_ms = await ledger.now_ms()
        opening = Open(
            index=0, stream=stream, rate_per_second=rate, funds=100 * rate, start_at=now_ms
        )
        await v.send(opening)
        await v.wait_for_room(0, 20)
        await v.send(Close(index=0, seconds=20))
        before = await ledger.balance(alice.address, asset=USD)
        await ledger.claim(eve, stream)
        assert await ledger.balance(alice.address, asset=USD) == before + 20 * rate
        await ledger.withdraw(eve, 1_000_000 - 20 * rate, asset=USD)
        assert await ledger.balance(eve.address, asset=USD) == balance - 20 * rate
        assert await ledger.vaults(eve.address) == {
            asset: amount
            for asset, amount in (await ledger.vaults(eve.address)).items()
            if asset is None
        }
        owed = await ledger.asset_entry(USD)
        assert owed is not None
        assert await ledger.balance(ledger.pot, asset=USD) >= owed.owed + CENT


# --- the operator --------------------------------------------------------------------------


async def test_what_the_operator_sets_is_read_and_paid(own_node: NodeProcess) -> None:
    alice = dev_key("Alice")
    async with open_ledger(own_node.url) as ledger:
        calls, price = ledger.calls, RATE // 10
        assert await ledger.sudo_key() == alice.address
        await as_operator(ledger, calls.set_tick_price(None, price))
        await as_operator(ledger, calls.set_treasury_share(20_000))
        entry = await ledger.asset_entry(None)
        assert entry is not None
        assert entry.tick_price == price
        assert await ledger.treasury_share() == 20_000

        v = await give(ledger, dev_key("Bob"), 10 * UNIT)
        with pytest.raises(OrderRefused, match="TickPriceAboveOrder"):
            await v.open(tick_price_max=price - 1)
        await v.open(tick_price_max=price)
        await v.wait_for_room(0, 10)
        ticked = (await v.send(Tick(index=0, seconds=10))).event("Ticked").fields
        assert (ticked["amount"], ticked["fee"]) == (10 * RATE, price)
        session = await ledger.session(v.grant, 0)
        assert session is not None
        assert (session.fees, session.paid) == (price, 10 * RATE + price)
        await v.send(Close(index=0, seconds=10))
        claimed = await ledger.claim(dev_key("Bob"), v.stream)
        share = 10 * RATE * 20_000 // 1_000_000
        assert claimed.event("TreasuryPaid").fields["amount"] == price + share

        await as_operator(ledger, calls.set_stopped(stopped=True))
        assert await ledger.is_stopped()
        with pytest.raises(errors.by_name("Stopped")):
            await ledger.deposit(dev_key("Bob"), UNIT)
        await ledger.withdraw(dev_key("Bob"), await ledger.vault(dev_key("Bob").address))
        await as_operator(ledger, calls.set_stopped(stopped=False))
        await as_operator(ledger, calls.disable_asset(USD))
        with pytest.raises(errors.by_name("AssetNotEnabled")):
            await ledger.create_stream(alice, rate_per_second=1, asset=USD)
        with pytest.raises(errors.by_name("AssetAlive")):
            await as_operator(ledger, calls.write_off_asset(USD))
        await as_operator(ledger, calls.enable_asset(USD, tip_min=CENT))
        with pytest.raises(DispatchFailed):
            await ledger.submit_signed(calls.set_stopped(stopped=True), alice)
