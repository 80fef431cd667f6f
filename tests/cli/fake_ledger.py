"""A ledger of a few dictionaries, in the place of a chain, for the commands' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from offchain.keys import dev_key
from offchain.ledger.errors import AssetUnknown, NotIndexed, RpcError
from offchain.ledger.types import (
    Asset,
    AssetEntry,
    Clock,
    Constants,
    Currency,
    DelegateKey,
    Event,
    Fee,
    Funds,
    Grant,
    Head,
    Payee,
    Receipt,
    Session,
    Stream,
    Subscription,
    Tier,
)

UNIT = 10**12
USD = 1984
ALICE = dev_key("Alice").address
BOB = dev_key("Bob").address
GENESIS = "0x" + "ab" * 32
NOW_MS = 1_800_000_000_000
KEY = DelegateKey(scheme="sr25519", public=bytes(range(32)))


def stream_entry(**changes: Any) -> Stream:
    """Make a stream of Alice with one claimable UNIT, 70 % hers and 30 % Bob's."""
    entry: dict[str, Any] = {
        "owner": ALICE,
        "asset": None,
        "rate_per_second": UNIT // 1000,
        "changed_at": NOW_MS,
        "payees": (Payee(account=ALICE, share=700_000), Payee(account=BOB, share=300_000)),
        "funds_min": 0,
        "gap_min_ms": 10_000,
        "status": "Active",
        "stops": (),
        "earned": UNIT,
        "earned_total": 3 * UNIT,
        "seconds": 3000,
        "sessions_open": 2,
        "deposit": UNIT // 10,
    }
    return Stream(**(entry | changes))


def grant_entry(**changes: Any) -> Grant:
    """Make a grant of Alice of 5 UNIT, of which 2 are spent."""
    entry: dict[str, Any] = {
        "viewer": ALICE,
        "key": KEY,
        "asset": None,
        "rate_max_per_second": UNIT // 1000,
        "cap": 5 * UNIT,
        "cap_left": 2 * UNIT,
        "spent": 2 * UNIT,
        "tips_left": 0,
        "renewals_left": 0,
        "gap_ms": 120_000,
        "created_at": NOW_MS - 60_000,
        "expires_at": NOW_MS + 86_400_000,
        "sessions_max": 1,
        "open": (0,),
        "next_index": 1,
        "opened_at": NOW_MS,
        "freed_end_at": 0,
        "seconds": 0,
        "ended_at": NOW_MS + 86_400_000,
        "deposit": UNIT // 10,
    }
    return Grant(**(entry | changes))


def session_entry(**changes: Any) -> Session:
    """Make a session of 1 UNIT, of which 100 seconds are paid."""
    entry: dict[str, Any] = {
        "viewer": ALICE,
        "key": KEY,
        "asset": None,
        "stream": 1,
        "rate_per_second": UNIT // 1000,
        "gap_ms": 120_000,
        "funds": UNIT,
        "seconds": 100,
        "started_at": NOW_MS - 120_000,
        "opened_at": NOW_MS - 119_000,
        "billed_until": NOW_MS - 5_000,
        "ticked_at": NOW_MS - 4_000,
        "ended_at": NOW_MS + 86_400_000,
    }
    return Session(**(entry | changes))


class _Calls:
    """Encodes nothing: the name of the call stands for its bytes."""

    def deposit(self, amount: int, asset: Asset = None) -> bytes:
        return f"deposit {amount}{'' if asset is None else f' of {asset}'}".encode()

    def as_operator(self, call: bytes) -> bytes:
        return b"sudo " + call

    def grant(self, key: DelegateKey, proof: bytes, terms: Any) -> bytes:
        return b"grant"

    def deposit_and_grant(self, amount: int, key: DelegateKey, proof: bytes, terms: Any) -> bytes:
        return b"deposit_and_grant"


@dataclass
class FakeLedger:
    """Holds what a test puts in; `sent` collects what was submitted."""

    free: int = 100 * UNIT
    balances: dict[tuple[str, Asset], int] = field(default_factory=dict)
    asset_vaults: dict[tuple[str, int], int] = field(default_factory=dict)
    currencies: dict[int, Currency] = field(
        default_factory=lambda: {USD: Currency(asset=USD, symbol="USD", decimals=6, minimum=10_000)}
    )
    entries: dict[Asset, AssetEntry] = field(
        default_factory=lambda: {
            None: AssetEntry(status="Enabled", owed=UNIT),
            USD: AssetEntry(status="Enabled", tip_min=10_000),
        }
    )
    tiers_of: dict[int, tuple[Tier, ...]] = field(default_factory=dict)
    subscribed: dict[tuple[int, str], Subscription] = field(default_factory=dict)
    share: int = 0
    stopped: bool = False
    indexed: bool = True
    sudo: str | None = ALICE
    guard: str | None = None
    pot: str = "5EYCAe5ijiYfAXEth5DJYpDpVRTpWpm4tZp2Ck4x4MTqKE2A"
    vaults: dict[str, int] = field(default_factory=lambda: {ALICE: 5 * UNIT})
    streams_by_id: dict[int, Stream] = field(default_factory=lambda: {1: stream_entry()})
    grants: dict[int, Grant] = field(default_factory=lambda: {3: grant_entry()})
    sessions_open: dict[tuple[int, int], Session] = field(
        default_factory=lambda: {(3, 0): session_entry()}
    )
    blocks: dict[int, tuple[Event, ...]] = field(default_factory=dict)
    streams_at: dict[int, Stream | None] = field(default_factory=dict)
    pruned_below: int = 0
    events_of_receipt: tuple[Event, ...] = ()
    failure: BaseException | None = None
    partial_fee: int = 12_345_678
    sent: list[tuple[bytes, str, str]] = field(default_factory=list)

    url = "ws://127.0.0.1:9944"
    chain = "Development"
    genesis_hash = GENESIS
    pallet_index = 10
    spec_name = "paystream"
    spec_version = 1
    symbol = "UNIT"
    decimals = 12
    calls = _Calls()
    constants = Constants(
        head_start_max_ms=6_000,
        settlement_window_ms=60_000,
        min_tick_seconds=5,
        fund_below_seconds=60,
        gap_min_ms=10_000,
        gap_max_ms=3_600_000,
        payees_max=8,
        sessions_per_grant_max=16,
        existential_deposit=UNIT // 1000,
        tick_price_max=UNIT // 100,
        stream_deposit_base=UNIT // 20,
        stream_deposit_per_payee=UNIT // 50,
        grant_deposit_base=UNIT // 10,
        grant_deposit_per_session=UNIT // 25,
    )

    async def vault(self, account: str, *, asset: Asset = None, at: str | None = None) -> int:
        if asset is not None:
            return self.asset_vaults.get((account, asset), 0)
        return self.vaults.get(account, 0)

    async def balance(self, account: str, *, asset: Asset = None, at: str | None = None) -> int:
        return self.balances.get((account, asset), self.free)

    async def currency(self, asset: Asset = None, *, at: str | None = None) -> Currency:
        if asset is None:
            return Currency(asset=None, symbol="UNIT", decimals=12, minimum=UNIT // 1000)
        if asset not in self.currencies:
            raise AssetUnknown(asset)
        return self.currencies[asset]

    async def asset_entry(self, asset: Asset, *, at: str | None = None) -> AssetEntry | None:
        return self.entries.get(asset)

    async def asset_entries(self, *, at: str | None = None) -> dict[Asset, AssetEntry]:
        return self.entries

    async def tiers(self, stream: int, *, at: str | None = None) -> tuple[Tier, ...]:
        return self.tiers_of.get(stream, ())

    async def subscription(
        self, stream: int, account: str, *, at: str | None = None
    ) -> Subscription | None:
        return self.subscribed.get((stream, account))

    async def treasury_share(self, *, at: str | None = None) -> int:
        return self.share

    async def is_stopped(self, *, at: str | None = None) -> bool:
        return self.stopped

    async def sudo_key(self) -> str | None:
        return self.sudo

    async def guardian(self) -> str | None:
        return self.guard

    async def stream(self, stream: int, *, at: str | None = None) -> Stream | None:
        number = int(at[2:]) if at is not None and at != "0xbb" else None
        if number is not None and number < self.pruned_below:
            raise RpcError(4003, "State already discarded for 0x00")
        if number is not None and number in self.streams_at:
            return self.streams_at[number]
        return self.streams_by_id.get(stream)

    async def streams(self) -> dict[int, Stream]:
        return self.streams_by_id

    async def grant(self, grant: int, *, at: str | None = None) -> Grant | None:
        return self.grants.get(grant)

    async def grants_of(self, account: str) -> dict[int, Grant]:
        return {number: each for number, each in self.grants.items() if each.viewer == account}

    async def streams_of(self, owner: str) -> dict[int, Stream]:
        self._refuse_unindexed()
        return {number: each for number, each in self.streams_by_id.items() if each.owner == owner}

    async def sessions_of_stream(self, stream: int) -> dict[tuple[int, int], Session]:
        self._refuse_unindexed()
        return {place: each for place, each in self.sessions_open.items() if each.stream == stream}

    async def subscriptions_of(self, viewer: str) -> dict[int, Subscription]:
        self._refuse_unindexed()
        return {stream: each for (stream, who), each in self.subscribed.items() if who == viewer}

    async def grants_of_key(self, key: DelegateKey) -> dict[int, Grant]:
        self._refuse_unindexed()
        return {number: each for number, each in self.grants.items() if each.key == key}

    def _refuse_unindexed(self) -> None:
        if not self.indexed:
            raise NotIndexed

    async def session(self, grant: int, index: int) -> Session | None:
        return self.sessions_open.get((grant, index))

    async def sessions(self, grant: int) -> dict[int, Session]:
        return {place[1]: each for place, each in self.sessions_open.items() if place[0] == grant}

    async def open_sessions(self, *, at: str | None = None) -> list[tuple[int, int]]:
        return sorted(self.sessions_open)

    async def sessions_of(
        self, places: list[tuple[int, int]], *, at: str | None = None
    ) -> dict[tuple[int, int], Session]:
        return {place: self.sessions_open[place] for place in places if place in self.sessions_open}

    async def clock(self, *, at: str | None = None) -> Clock:
        return Clock(now_ms=NOW_MS, halted_ms=0)

    async def now_ms(self, *, at: str | None = None) -> int:
        return (await self.clock(at=at)).now_ms

    async def best_head(self) -> Head:
        return Head(number=12, hash="0x12", parent_hash="0x11")

    async def finalized_head(self) -> Head:
        number = max(self.blocks, default=10)
        return Head(number=number, hash=f"0x{number}", parent_hash="0x09")

    @asynccontextmanager
    async def heads(self, kind: str) -> AsyncIterator[trio.MemoryReceiveChannel[Head]]:
        send, receive = trio.open_memory_channel[Head](1)
        with send, receive:
            send.send_nowait(await self.best_head())
            yield receive

    async def block_hash(self, number: int) -> str | None:
        return f"0x{number}"

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        return self.blocks.get(int(block_hash[2:]), ())

    async def compose(self, pallet: str, call: str, params: dict[str, Any]) -> bytes:
        return f"{pallet}.{call}".encode()

    async def funds(self, account: str, *, asset: Asset = None, at: str | None = None) -> Funds:
        return Funds(free=await self.balance(account, asset=asset))

    async def fee(self, call: bytes, account: str) -> Fee:
        return Fee(
            partial_fee=self.partial_fee, ref_time_ps=1, proof_size_bytes=1, dispatch_class="Normal"
        )

    async def submit_signed(
        self, call: bytes, signer: Any, *, wait: str, try_first: bool = False
    ) -> Receipt:
        assert try_first, "a command sends nothing that was not tried"
        if self.failure is not None:
            raise self.failure
        self.sent.append((call, signer.address, wait))
        fee = event("TransactionFeePaid", pallet="TransactionPayment", actual_fee=7, tip=0)
        return self._receipt(fee)

    async def submit_unsigned(self, call: bytes, *, wait: str) -> Receipt:
        if self.failure is not None:
            raise self.failure
        self.sent.append((call, None, wait))
        return self._receipt()

    def _receipt(self, *more: Event) -> Receipt:
        return Receipt(
            tx_hash="0xaa",
            block_hash="0xbb",
            block_number=42,
            extrinsic_index=1,
            events=(*self.events_of_receipt, *more),
        )

    @asynccontextmanager
    async def open(self, url: str, *, timeout_s: float = 10.0) -> AsyncIterator[FakeLedger]:
        """Stand in for `open_ledger`."""
        yield self


def event(name: str, *, pallet: str = "PayStream", **fields: Any) -> Event:
    """Make an event."""
    return Event(pallet=pallet, name=name, fields=fields, extrinsic_index=1)
