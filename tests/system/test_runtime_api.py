"""The runtime API and the view functions on a real node, held against storage.

The types below are written by hand from the pallet's, field by field, as a client without metadata
would have them; what the answers must say is computed from the entries of the same block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from substrateinterface.utils.hasher import xxh128

from offchain.keys import dev_key, fresh_key
from offchain.ledger import Close, Ledger, Open, Payee, Renew, Tick, Tier, Tip, open_ledger
from offchain.ledger.entries import asset_from, key_from, subscription_from, tier_from
from offchain.ledger.orders import delegate_key, sign_grant_proof
from offchain.ledger.scale import compact
from offchain.ledger.types import Asset, Grant, Session, Stream, account_id
from offchain.relayer.cadence import ended_at, payable_total
from tests.system.node_process import NodeProcess
from tests.system.test_ledger_client import GAP_MS, RATE, UNIT, Viewing, terms
from tests.system.test_ledger_money import CENT, DAY_MS, MONTH, USD, as_operator

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
TICK_PRICE = 3 * RATE
SHARE = 20_000
YEAR = Tier(price=9 * UNIT, period_ms=365 * DAY_MS, discount=1_000_000)
NOBODY = 10**9
NO_CURSOR = b"\x00"
"""An `Option` of nothing: the first page."""

SESSION: Final = """
    now u64, viewer AccountId, key ApiKey, asset ApiAsset, stream u64, rate_per_second u128,
    tick_price u128, gap_ms u64, funds u128, paid u128, fees u128, left u128, seconds u32,
    seconds_max u32, chargeable_seconds u32, funded_seconds u32, runway_seconds u32,
    started_at u64, opened_at u64, billed_until u64, ticked_at u64, ended_at u64, ended bool,
    settleable_at u64, settleable bool
"""
GRANT: Final = """
    id u64, key ApiKey, asset ApiAsset, rate_max_per_second u128, cap u128, cap_left u128,
    spent u128, vault u128, available u128, tips_left u128, tips_total u128, renewals_left u32,
    renewals_total u32, gap_ms u64, sessions_max u32, open Vec<u32>, next_index u32,
    opened_at u64, tipped_at u64, created_at u64, expires_at u64, ended_at u64, ended bool,
    deposit u128
"""
STREAM: Final = """
    owner AccountId, asset ApiAsset, rate_per_second u128, tick_price u128, tip_min u128,
    funds_min u128, gap_min_ms u64, payees Vec<ApiPayee>, tiers Vec<ApiTier>, status ApiStatus,
    openable bool, changed_at u64, ended_at Option<u64>, earned u128, earned_total u128,
    tips_total u128, subscribed_total u128, refunded_total u128, fees u128, seconds u64,
    sessions_open u32, subscriptions_open u32, deposit u128
"""
SUBSCRIPTION: Final = "tier ApiTier, started_at u64, periods u32, periods_earned u32, deposit u128"


def struct(fields: str) -> dict[str, Any]:
    """Give a struct as scalecodec takes it."""
    return {"type": "struct", "type_mapping": [field.split() for field in fields.split(",")]}


TYPES: Final[dict[str, Any]] = {
    "ApiKey": {
        "type": "enum",
        "type_mapping": [["Sr25519", "[u8; 32]"], ["Ed25519", "[u8; 32]"]],
    },
    "ApiAsset": {"type": "enum", "type_mapping": [["Native", "Null"], ["WithId", "u32"]]},
    "ApiStatus": {"type": "enum", "value_list": ["Active", "Paused", "Ended"]},
    "ApiPayee": struct("account AccountId, share u32"),
    "ApiTier": struct("price u128, period_ms u64, discount u32"),
    "ApiSubscription": struct(SUBSCRIPTION),
    "ApiSession": struct(SESSION),
    "ApiGrant": struct(GRANT),
    "ApiStream": struct(STREAM),
}
ANSWERS: Final = {
    "session": "Option<ApiSession>",
    "vault": "u128",
    "grants": "Vec<ApiGrant>",
    "stream": "Option<ApiStream>",
    "claimable": "Option<(u128, Vec<(AccountId, u128)>)>",
    "subscription": "Option<(ApiSubscription, u128)>",
    "streams_of": "Option<Vec<(u64, ApiStream)>>",
    "sessions_of": "Option<Vec<(u64, u32, ApiSession)>>",
    "subscriptions_of": "Option<Vec<(u64, ApiSubscription, u128)>>",
    "grants_of": "Vec<ApiGrant>",
    "grants_of_key": "Option<Vec<(AccountId, ApiGrant)>>",
}
VIEW_FUNCTIONS: Final = {
    "session": "session(GrantId,SessionIndex) -> Option<SessionViewOf<T>>",
    "vault": "vault(T::AccountId,T::AssetKind) -> BalanceOf<T>",
    "grants": "grants(T::AccountId) -> Vec<GrantViewOf<T>>",
    "stream": "stream(StreamId) -> Option<StreamViewOf<T>>",
    "claimable": "claimable_by(StreamId) -> Option<ClaimableOf<T>>",
    "subscription": (
        "subscription(StreamId,T::AccountId) -> Option<(SubscriptionOf<T>,BalanceOf<T>)>"
    ),
    "streams_of": (
        "streams_of(T::AccountId,Option<StreamId>,u32) -> Option<Vec<OwnedStreamOf<T>>>"
    ),
    "sessions_of": (
        "sessions_of(StreamId,Option<(GrantId,SessionIndex)>,u32) ->"
        " Option<Vec<StreamSessionOf<T>>>"
    ),
    "subscriptions_of": (
        "subscriptions_of(T::AccountId,Option<StreamId>,u32) ->"
        " Option<Vec<ViewerSubscriptionOf<T>>>"
    ),
    "grants_of": "grants_of(T::AccountId,Option<GrantId>,u32) -> Vec<GrantViewOf<T>>",
    "grants_of_key": (
        "grants_of_key(DelegateKey,Option<GrantId>,u32) -> Option<Vec<KeyGrantOf<T>>>"
    ),
}
"""Their signatures, of which their ids are made; metadata of version 16 lists the ids."""


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def asset_bytes(asset: Asset) -> bytes:
    return b"\x00" if asset is None else b"\x01" + u32(asset)


def view_function_id(name: str) -> bytes:
    """Give the 32 bytes that name a view function: its pallet's prefix, its signature's hash."""
    return bytes(xxh128(b"PayStream") + xxh128(VIEW_FUNCTIONS[name].encode()))


class Api:
    """Asks the runtime of one node, both ways, and notes what was asked."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.asked: set[str] = set()
        ledger.runtime.codec.update_type_registry({"types": TYPES})

    async def raw(self, method: str, arguments: bytes, at: str) -> bytes:
        answer = await self.ledger.rpc.call("state_call", [method, "0x" + arguments.hex(), at])
        return bytes.fromhex(answer[2:])

    async def ask(self, name: str, *arguments: bytes, at: str) -> Any:
        """Ask at a block; the view function of that name must give the very same bytes."""
        self.asked.add(name)
        encoded = b"".join(arguments)
        answer = await self.raw(f"PayStreamApi_{name}", encoded, at)
        assert await self.view(name, encoded, at) == answer
        return self.ledger.runtime.decode(ANSWERS[name], answer)

    async def view(self, name: str, arguments: bytes, at: str) -> bytes:
        """Call a view function; its answer is `Result<Vec<u8>, _>` of the answer itself."""
        call = view_function_id(name) + compact(len(arguments)) + arguments
        answer = await self.raw("RuntimeViewFunction_execute_view_function", call, at)
        assert answer[:1] == b"\x00", f"{name} is refused: {answer.hex()}"
        _, length = split_compact(answer[1:])
        return answer[1 + length :]


def split_compact(raw: bytes) -> tuple[int, int]:
    """Read a compact length below 2**30, and how many bytes it takes."""
    length = 1 << (raw[0] & 3)
    return int.from_bytes(raw[:length], "little") >> 2, length


# --- what storage says ---------------------------------------------------------------------


def runway(entry: Session, left: int, tick_seconds: int) -> int:
    """Tell how long money lasts, tick by tick."""
    seconds = 0
    while True:
        bought = min(tick_seconds, left // entry.rate_per_second)
        seconds += bought
        left -= bought * entry.rate_per_second
        left -= min(left, entry.tick_price)
        if bought < tick_seconds:
            return seconds


def session_expected(ledger: Ledger, entry: Session, stops: tuple[int, ...], now: int) -> Any:
    end = ended_at(entry, now, stops)
    left = entry.funds - entry.paid
    funded = left // entry.rate_per_second
    highest = payable_total(entry, now, stops)
    chargeable = min(highest - entry.seconds, funded)
    start = max(entry.billed_until, min(now, end) - entry.gap_ms)
    lasts = runway(entry, left, ledger.constants.min_tick_seconds)
    settleable_at = end + ledger.constants.settlement_window_ms
    assert now < settleable_at, "this test is quicker than the window"
    copied = (
        "viewer stream rate_per_second tick_price gap_ms funds paid fees seconds started_at"
        " opened_at billed_until ticked_at"
    )
    return {name: getattr(entry, name) for name in copied.split()} | {
        "now": now,
        "key": entry.key,
        "asset": entry.asset,
        "left": left,
        "seconds_max": highest,
        "chargeable_seconds": chargeable,
        "funded_seconds": funded,
        "runway_seconds": max(chargeable, min(lasts, (end - start) // 1000)),
        "ended_at": end,
        "ended": end <= now,
        "settleable_at": settleable_at,
        "settleable": False,
    }


def grant_expected(grant: int, entry: Grant, vault: int, now: int) -> Any:
    ended = entry.ended_at <= now
    copied = (
        "rate_max_per_second cap cap_left spent tips_left tips_total renewals_left renewals_total"
        " gap_ms sessions_max next_index opened_at tipped_at created_at expires_at ended_at deposit"
    )
    return {name: getattr(entry, name) for name in copied.split()} | {
        "id": grant,
        "key": entry.key,
        "asset": entry.asset,
        "open": list(entry.open),
        "vault": vault,
        "available": 0 if ended else min(vault, entry.cap_left),
        "ended": ended,
    }


async def stream_expected(ledger: Ledger, stream: int, entry: Stream, at: str) -> Any:
    asset = await ledger.asset_entry(entry.asset, at=at)
    assert asset is not None
    now = await ledger.now_ms(at=at)
    copied = (
        "owner rate_per_second funds_min gap_min_ms status changed_at ended_at earned earned_total"
        " tips_total subscribed_total refunded_total fees seconds sessions_open subscriptions_open"
        " deposit"
    )
    return {name: getattr(entry, name) for name in copied.split()} | {
        "asset": entry.asset,
        "tick_price": asset.tick_price,
        "tip_min": asset.tip_min,
        "payees": list(entry.payees),
        "tiers": list(await ledger.tiers(stream, at=at)),
        "openable": entry.status == "Active"
        and now not in entry.stops
        and asset.status == "Enabled"
        and not await ledger.is_stopped(at=at),
    }


def typed(value: dict[str, Any]) -> dict[str, Any]:
    """Give a decoded answer with asset and key as the ledger client has them."""
    read: dict[str, Any] = {**value, "asset": asset_from(value["asset"])}
    if "key" in value:
        read["key"] = key_from(value["key"])
    if "payees" in value:
        read["payees"] = [Payee(**payee) for payee in value["payees"]]
        read["tiers"] = [tier_from(tier) for tier in value["tiers"]]
    return read


def shares(earned: int, fees: int, payees: Sequence[Payee], share: int) -> tuple[int, list[Any]]:
    """Tell what a claim pays, by the rule of docs/ledger.md."""
    operators = earned * share // 1_000_000
    rest = earned - operators
    return operators + fees, [(p.account, p.share * rest // 1_000_000) for p in payees]


# --- the comparison ------------------------------------------------------------------------


async def best(ledger: Ledger) -> str:
    return (await ledger.best_head()).hash


async def compare_session(api: Api, v: Viewing, index: int = 0) -> dict[str, Any]:
    """Hold a session's answer at the best block against its entry, and give the answer."""
    ledger, at = api.ledger, await best(api.ledger)
    entry = await ledger.session(v.grant, index, at=at)
    assert entry is not None
    stream = await ledger.stream(entry.stream, at=at)
    assert stream is not None
    now = await ledger.now_ms(at=at)
    seen = typed(await api.ask("session", u64(v.grant), u32(index), at=at))
    assert seen == session_expected(ledger, entry, stream.stops, now)
    return seen


async def compare_rest(api: Api, v: Viewing, viewer: str) -> None:
    """Hold every other answer at the best block against the entries."""
    ledger, at = api.ledger, await best(api.ledger)
    who, stream = account_id(viewer), u64(v.stream)
    now = await ledger.now_ms(at=at)
    for asset in (None, USD):
        vault = await ledger.vault(viewer, asset=asset, at=at)
        assert vault > 0
        assert await api.ask("vault", who, asset_bytes(asset), at=at) == vault
    vault = await ledger.vault(viewer, at=at)
    grants = await ledger.grants_of(viewer, at=at)
    seen = [typed(view) for view in await api.ask("grants", who, at=at)]
    assert seen == [grant_expected(id_, grant, vault, now) for id_, grant in grants.items()]

    await compare_stream(api, v, at)
    entry = await ledger.stream(v.stream, at=at)
    assert entry is not None
    share = await ledger.treasury_share(at=at)
    claimable = await api.ask("claimable", stream, at=at)
    assert claimable == shares(entry.earned, entry.fees, entry.payees, share)

    subscription = await ledger.subscription(v.stream, viewer, at=at)
    assert subscription is not None
    paid, rate = await api.ask("subscription", stream, who, at=at)
    assert subscription_from(paid) == subscription
    runs = entry.ended_at is None and subscription.period_end(now) is not None
    full = entry.rate_per_second
    assert rate == (subscription.tier.discounted(full) if runs else full)


async def compare_stream(api: Api, v: Viewing, at: str) -> dict[str, Any]:
    """Hold a stream's answer at a block against its entries, and give the answer."""
    entry = await api.ledger.stream(v.stream, at=at)
    assert entry is not None
    seen = typed(await api.ask("stream", u64(v.stream), at=at))
    assert seen == await stream_expected(api.ledger, v.stream, entry, at)
    return seen


async def compare_lookups(api: Api, v: Viewing, viewer: str) -> None:
    """Hold what belongs to somebody against the entries, by the API and by the client."""
    ledger, at = api.ledger, await best(api.ledger)
    owner, key = dev_key("Alice").address, delegate_key(v.key)
    all_of_it = NO_CURSOR + u32(NOBODY)
    owned = await api.ask("streams_of", account_id(owner), all_of_it, at=at)
    streams = await ledger.streams(at=at)
    assert (
        sorted(id_ for id_, _ in owned)
        == list(streams)
        == list(await ledger.streams_of(owner, at=at))
    )
    for id_, seen in owned:
        assert typed(seen) == await stream_expected(ledger, id_, streams[id_], at)
    assert await api.ask("streams_of", account_id(owner), NO_CURSOR, u32(0), at=at) == []

    watched = await api.ask("sessions_of", u64(v.stream), all_of_it, at=at)
    assert [(grant, index) for grant, index, _ in watched] == [(v.grant, 0)]
    assert watched[0][2] == await api.ask("session", u64(v.grant), u32(0), at=at)
    assert list(await ledger.sessions_of_stream(v.stream, at=at)) == [(v.grant, 0)]
    after_it = b"\x01" + u64(v.grant) + u32(0)
    assert await api.ask("sessions_of", u64(v.stream), after_it, u32(9), at=at) == []

    ((stream, paid, rate),) = await api.ask(
        "subscriptions_of", account_id(viewer), all_of_it, at=at
    )
    assert (paid, rate) == await api.ask("subscription", u64(stream), account_id(viewer), at=at)
    assert await ledger.subscriptions_of(viewer, at=at) == {stream: subscription_from(paid)}

    grants = await api.ask("grants", account_id(viewer), at=at)
    assert await api.ask("grants_of", account_id(viewer), all_of_it, at=at) == grants
    signed = await api.ask("grants_of_key", b"\x00" + key.public, all_of_it, at=at)
    assert signed == [(viewer, grant) for grant in grants]
    assert await ledger.grants_of_key(key, at=at) == await ledger.grants_of(viewer, at=at)


async def staged(ledger: Ledger) -> Viewing:
    """Set a tick price and a share; make a stream with all that it can have; let Bob subscribe."""
    alice, bob, key = dev_key("Alice"), dev_key("Bob"), fresh_key()
    calls = ledger.calls
    await as_operator(ledger, calls.set_tick_price(None, TICK_PRICE))
    await as_operator(ledger, calls.set_treasury_share(SHARE))
    stream, _ = await ledger.create_stream(
        alice,
        rate_per_second=RATE,
        payees=(
            Payee(account=dev_key("Dave").address, share=900_000),
            Payee(account=dev_key("Eve").address, share=100_000),
        ),
        funds_min=10 * RATE,
        gap_min_ms=GAP_MS // 2,
    )
    await ledger.submit_signed(calls.set_tiers(stream, [MONTH, YEAR]), alice)
    proof = sign_grant_proof(key, ledger.genesis_hash, ledger.pallet_index, bob.address)
    given = await terms(ledger, tips_max=UNIT, renewals_max=2)
    grant, _ = await ledger.deposit_and_grant(bob, 10 * UNIT, delegate_key(key), proof, given)
    await ledger.deposit(bob, 500 * CENT, asset=USD)
    await ledger.submit_signed(calls.subscribe(stream, MONTH, 1), bob)
    return Viewing(ledger, stream, grant, key)


async def test_every_function_says_what_storage_says(own_node: NodeProcess) -> None:
    bob = dev_key("Bob").address
    async with open_ledger(own_node.url) as ledger:
        api, v = Api(ledger), await staged(ledger)
        await compare_rest(api, v, bob)
        await open_and_tick(api, v, bob)
        await tip_and_renew(api, v, bob)
        await compare_rest(api, v, bob)
        await compare_lookups(api, v, bob)
        await revoke_and_close(api, v)
        await claim_and_end(api, v)
        await compare_nothing(api)
        source = (ROOT / "pallet-paystream/runtime-api/src/lib.rs").read_text(encoding="utf-8")
        assert api.asked == set(re.findall(r"\bfn (\w+)\(", source)) == set(ANSWERS)


async def open_and_tick(api: Api, v: Viewing, viewer: str) -> None:
    """Open from the grant's view alone, and tick what the session's view allows."""
    (grant,) = await api.ask("grants", account_id(viewer), at=await best(api.ledger))
    opening = Open(
        index=grant["next_index"],
        stream=v.stream,
        rate_per_second=grant["rate_max_per_second"],
        funds=60 * RATE,
        start_at=await api.ledger.now_ms(),
        tick_price_max=TICK_PRICE,
    )
    assert opening.funds <= grant["available"]
    await v.send(opening)
    seen = await compare_session(api, v)
    # Seven ticks of 5 seconds cost 8 each, and the 4 that are left buy 4 seconds more.
    assert (seen["funded_seconds"], seen["runway_seconds"]) == (60, 39)
    await v.wait_for_room(0, 6)
    seen = await compare_session(api, v)
    assert seen["chargeable_seconds"] >= 6
    await v.send(Tick(index=0, seconds=seen["seconds"] + seen["chargeable_seconds"]))
    ticked = await compare_session(api, v)
    assert ticked["seconds"] == seen["seconds"] + seen["chargeable_seconds"]
    assert (ticked["fees"], ticked["paid"]) == (TICK_PRICE, ticked["seconds"] * RATE + TICK_PRICE)


async def tip_and_renew(api: Api, v: Viewing, viewer: str) -> None:
    """Tip and renew from the grant's view alone."""
    (grant,) = await api.ask("grants", account_id(viewer), at=await best(api.ledger))
    await v.send(Tip(index=grant["open"][0], tips=grant["tips_total"] + UNIT // 4))
    await v.send(Renew(index=grant["open"][0], renewals=grant["renewals_total"] + 1))
    (after,) = await api.ask("grants", account_id(viewer), at=await best(api.ledger))
    assert (after["tips_left"], after["renewals_left"]) == (UNIT * 3 // 4, 1)
    assert after["vault"] == grant["vault"] - UNIT // 4 - MONTH.price


async def revoke_and_close(api: Api, v: Viewing) -> None:
    """Revoke: it has ended, and what was delivered before can still be closed."""
    bob = dev_key("Bob")
    await api.ledger.revoke(bob, v.grant)
    await compare_rest(api, v, bob.address)
    seen = await compare_session(api, v)
    assert seen["ended"]
    assert seen["runway_seconds"] == seen["chargeable_seconds"] > 0
    closed = await v.send(Close(index=0, seconds=seen["seconds_max"]))
    assert closed.event("Ticked").fields["charged_seconds"] == seen["chargeable_seconds"]
    at = await best(api.ledger)
    assert await api.ask("session", u64(v.grant), u32(0), at=at) is None
    assert await api.ask("grants", account_id(bob.address), at=at) == []


async def claim_and_end(api: Api, v: Viewing) -> None:
    """What a claim would pay is what it pays; and an ended stream takes no session."""
    ledger, alice = api.ledger, dev_key("Alice")
    treasury, payees = await api.ask("claimable", u64(v.stream), at=await best(ledger))
    receipt = await ledger.claim(alice, v.stream)
    assert receipt.event("TreasuryPaid").fields["amount"] == treasury > 2 * TICK_PRICE
    paid = [e.fields for e in receipt.events if (e.pallet, e.name) == ("PayStream", "Claimed")]
    assert [(fields["payee"], fields["amount"]) for fields in paid] == payees
    await ledger.end_stream(alice, v.stream)
    seen = await compare_stream(api, v, await best(ledger))
    assert (seen["status"], seen["openable"]) == ("Ended", False)
    assert seen["ended_at"] is not None


async def compare_nothing(api: Api) -> None:
    """Ask about what there is not."""
    at, nobody = await best(api.ledger), account_id(fresh_key().address)
    assert await api.ask("session", u64(NOBODY), u32(0), at=at) is None
    assert await api.ask("vault", nobody, asset_bytes(77), at=at) == 0
    assert await api.ask("grants", nobody, at=at) == []
    assert await api.ask("stream", u64(NOBODY), at=at) is None
    assert await api.ask("claimable", u64(NOBODY), at=at) is None
    assert await api.ask("subscription", u64(0), nobody, at=at) is None
    first_page = NO_CURSOR + u32(9)
    assert await api.ask("streams_of", nobody, first_page, at=at) == []
    assert await api.ask("sessions_of", u64(NOBODY), first_page, at=at) == []
    assert await api.ask("subscriptions_of", nobody, first_page, at=at) == []
    assert await api.ask("grants_of", nobody, first_page, at=at) == []
    assert await api.ask("grants_of_key", b"\x01" + nobody, first_page, at=at) == []


async def test_view_functions_are_found_in_the_metadata(node: NodeProcess) -> None:
    async with open_ledger(node.url) as ledger:
        api, at = Api(ledger), await best(ledger)
        metadata = await api.raw("Metadata_metadata_at_version", u32(16), at)
        for name in VIEW_FUNCTIONS:
            assert view_function_id(name) in metadata, name
        # Another one's id: Err(NotFound(id)).
        unknown = view_function_id("vault")[:16] + bytes(16)
        call = unknown + compact(0)
        answer = await api.raw("RuntimeViewFunction_execute_view_function", call, at)
        assert answer == b"\x01\x01" + unknown
