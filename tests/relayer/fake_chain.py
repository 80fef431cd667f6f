"""An in-memory chain on trio's clock, made for jumping clocks: its ledger is `tests/model/`.

It speaks the part of `Ledger` that the relayer uses. Blocks come every two seconds, and are final
two blocks later. `reorganise`, `unreachable`, `lose_orders` and `refuse` make its bad days.
`chain.state` shows the ledger's entries as `offchain.ledger.types` has them; `chain.state.ledger`
is the model, for tests that change it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import trio

from offchain.keys.signer import Signer, dev_key
from offchain.ledger.endpoints import NodeStatus
from offchain.ledger.errors import (
    BlockUnknown,
    DispatchFailed,
    LaneFull,
    LedgerError,
    NodeUnreachable,
    OrderRefused,
    Replayed,
    Superseded,
    TransactionRefused,
    by_name,
)
from offchain.ledger.orders import (
    Close,
    Open,
    Order,
    SignedOrder,
    Tick,
)
from offchain.ledger.tables import Names, Tables
from offchain.ledger.types import (
    NATIVE,
    Asset,
    AssetEntry,
    BatchResult,
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
    SignedPayload,
    Stream,
    Subscription,
    Terms,
    Tier,
    address,
)
from tests import model
from tests.model import orders as model_orders
from tests.model.entries import WHOLE
from tests.relayer import signed

BASE_MS = 1_800_000_000_000
BLOCK_S = 2.0
FINAL_LAG = 2
UNIT = 10**12

CONSTANTS = Constants(
    head_start_max_ms=6_000,
    settlement_window_ms=60_000,
    block_gap_max_ms=60_000,
    min_tick_seconds=5,
    fund_below_seconds=60,
    gap_min_ms=10_000,
    gap_max_ms=3_600_000,
    payees_max=8,
    sessions_per_grant_max=16,
    existential_deposit=UNIT // 1000,
    tick_price_max=UNIT,
)


POT, TREASURY = "pot", "treasury"

MODEL_CONSTANTS = model.Constants(
    head_start_max_ms=CONSTANTS.head_start_max_ms,
    settlement_window_ms=CONSTANTS.settlement_window_ms,
    block_gap_max_ms=CONSTANTS.block_gap_max_ms,
    halt_max_ms=86_400_000,
    min_tick_seconds=CONSTANTS.min_tick_seconds,
    fund_below_seconds=CONSTANTS.fund_below_seconds,
    gap_min_ms=CONSTANTS.gap_min_ms,
    gap_max_ms=CONSTANTS.gap_max_ms,
    period_min_ms=CONSTANTS.period_min_ms,
    treasury_share_max=CONSTANTS.treasury_share_max,
    tick_price_max=UNIT,
    max_payees=CONSTANTS.payees_max,
    max_tiers=CONSTANTS.tiers_max,
    max_sessions_per_grant=CONSTANTS.sessions_per_grant_max,
    max_stops=16,
    max_batch_orders=CONSTANTS.batch_orders_max,
    stream_deposit_base=0,
    stream_deposit_per_payee=0,
    stream_deposit_per_tier=0,
    grant_deposit_base=0,
    grant_deposit_per_session=0,
    subscription_deposit=0,
)
LEAST_BALANCE = 1
"""Smaller than the constant: vaults of thousands of units are dust to nobody here."""


class State:
    """The ledger at a block, shown as the client shows it."""

    def __init__(self, ledger: model.Ledger) -> None:
        self.ledger = ledger

    @property
    def now_ms(self) -> int:
        return self.ledger.now

    @property
    def streams(self) -> dict[int, Stream]:
        return {key: shown(Stream, entry) for key, entry in self.ledger.streams.items()}

    @property
    def grants(self) -> dict[int, Grant]:
        return {key: shown(Grant, entry) for key, entry in self.ledger.grants.items()}

    @property
    def sessions(self) -> dict[tuple[int, int], Session]:
        return {key: shown(Session, entry) for key, entry in self.ledger.sessions.items()}

    @property
    def subscriptions(self) -> dict[tuple[int, str], Subscription]:
        entries = self.ledger.subscriptions
        return {key: shown(Subscription, entry) for key, entry in entries.items()}

    @property
    def vaults(self) -> dict[str, int]:
        """The vaults of native money; an empty one is 0."""
        native = {who: left for (who, asset), left in self.ledger.vaults.items() if asset is None}
        return defaultdict(int, native)

    def copy(self) -> State:
        return State(self.ledger.copy())


@dataclass
class Block:
    head: Head
    state: State
    events: tuple[Event, ...]


_Shown = TypeVar("_Shown", bound=msgspec.Struct)
"""A type of the client."""


@functools.cache
def account(name: str) -> str:
    return address(dev_key(name).public_key)


def shown(kind: Any, entry: Any) -> Any:
    """Give an entry of the model as a type of the client: both name their fields alike."""
    fields = {name: getattr(entry, name) for name in kind.__struct_fields__}
    for name, value in fields.items():
        if isinstance(value, list):
            fields[name] = tuple(value)
    if kind is Stream:
        fields["payees"] = tuple(
            Payee(account=payee.account, share=payee.share) for payee in entry.payees
        )
    if kind is Subscription:
        fields["tier"] = Tier(**entry.tier._asdict())
    return kind(**fields)


def _entry(kind: type[_Shown], table: Any, name: Any) -> _Shown | None:
    """Give an entry of one of the model's tables as a type of the client; None if there is none."""
    entry = table.get(name)
    if entry is None:
        return None
    found: _Shown = shown(kind, entry)
    return found


def modelled(kind: Any, value: msgspec.Struct) -> Any:
    """Give an order, terms or an entry of the client as the model's."""
    fields = msgspec.structs.asdict(value)
    return kind(**{k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()})


def order_of(order: Order) -> model.Order:
    kind: Any = getattr(model_orders, type(order).__name__)
    return kind(**msgspec.structs.asdict(order))  # type: ignore[no-any-return]


def apply_order(ledger: model.Ledger, grant: int, order: Order) -> model.Outcome:
    """Take an order whose signature has been checked."""
    known = ledger.grants.get(grant)
    return ledger.submit(grant, order_of(order), known.key if known else None)


def _time_ms() -> int:
    """Give the world's time: its beginning, before anything runs."""
    passed_s = trio.current_time() if trio.lowlevel.in_trio_run() else 0.0
    return BASE_MS + int(passed_s * 1000)


def reported(events: Sequence[model.Event]) -> list[Event]:
    return [
        Event(pallet="PayStream", name=name, fields=fields, extrinsic_index=1)
        for name, fields in events
    ]


class FakeCalls:
    """Calls as msgpack, which `FakeChain` understands when they come back signed; u128 as text."""

    def deposit_and_grant(self, amount: int, key: DelegateKey, proof: bytes, terms: Terms) -> bytes:
        return msgspec.msgpack.encode(["deposit_and_grant", str(amount), key, terms])

    def grant(self, key: DelegateKey, proof: bytes, terms: Terms) -> bytes:
        return msgspec.msgpack.encode(["grant", key, terms])

    def deposit(self, amount: int, asset: Asset = NATIVE) -> bytes:
        return msgspec.msgpack.encode(["deposit", str(amount), asset])

    def withdraw(self, amount: int, asset: Asset = NATIVE) -> bytes:
        return msgspec.msgpack.encode(["withdraw", str(amount), asset])

    def revoke(self, grant: int) -> bytes:
        return msgspec.msgpack.encode(["revoke", grant])

    def create_stream(self, *, rate_per_second: int, asset: Asset = NATIVE) -> bytes:
        return msgspec.msgpack.encode(["create_stream", rate_per_second, asset])

    def claim(self, stream: int) -> bytes:
        return msgspec.msgpack.encode(["claim", stream])


class FakeChain:
    """See the module. `blocks` maps hashes to blocks, `canonical` is the best chain's hashes."""

    genesis_hash = "0x" + "11" * 32
    chain = "Fake"
    pallet_index = 10
    spec_name = "paystream"
    spec_version = 1
    symbol = "UNIT"
    decimals = 12
    ss58_format = 42

    def __init__(self) -> None:
        self.constants = CONSTANTS
        self.calls = FakeCalls()
        self.blocks: dict[str, Block] = {}
        self.canonical: list[str] = []
        self.pool: dict[tuple[int, int, int], tuple[Order, int]] = {}
        self.unreachable = False
        self.lose_orders = False
        self.hold_opens = False
        self.refuse: Callable[[int, Order], str | None] = lambda grant, order: None
        self.pending: list[Callable[[model.Ledger], list[Event]]] = []
        self.accepted: list[tuple[int, Order]] = []
        self.on_submit: Callable[[int, Order], None] = lambda grant, order: None
        self.fee_charged = 0
        """What a wallet's transaction costs."""
        self.fees_lost = 0
        """Fees of transactions that failed."""
        self.syncing = False
        self.endpoints: tuple[NodeStatus, ...] = ()
        self._forks = 0
        self._grown = trio.Condition()
        accounts = model.Accounts(LEAST_BALANCE)
        accounts.free[POT, NATIVE] = LEAST_BALANCE
        ledger = model.Ledger(MODEL_CONSTANTS, accounts, pot=POT, treasury=TREASURY)
        ledger.asset_entries[NATIVE] = model.AssetEntry()
        ledger.now = _time_ms()
        self._push(State(ledger), ())

    def charge(
        self,
        *,
        fee: int,
        existential_deposit: int,
        grant: int = 0,
        session: int = 0,
        stream: int = 0,
    ) -> None:
        """Let transactions, accounts and storage cost something from now on."""
        self.fee_charged = fee
        self.constants = msgspec.structs.replace(
            self.constants,
            existential_deposit=existential_deposit,
            grant_deposit_base=grant,
            grant_deposit_per_session=session,
            stream_deposit_base=stream,
        )
        ledger = self.state.ledger
        ledger.constants = dataclasses.replace(
            ledger.constants,
            grant_deposit_base=grant,
            grant_deposit_per_session=session,
            stream_deposit_base=stream,
        )
        ledger.accounts.existential_deposit = existential_deposit
        ledger.accounts.kinds[NATIVE].minimum = existential_deposit
        more = existential_deposit - ledger.accounts.balance(POT, NATIVE)
        ledger.accounts.add(POT, NATIVE, max(0, more))

    # --- making blocks -------------------------------------------------------------------

    @property
    def best(self) -> Block:
        return self.blocks[self.canonical[-1]]

    @property
    def final(self) -> Block:
        return self.blocks[self.canonical[max(0, len(self.canonical) - 1 - FINAL_LAG)]]

    @property
    def state(self) -> State:
        return self.best.state

    def _push(self, state: State, events: tuple[Event, ...]) -> None:
        number = len(self.canonical)
        parent = self.canonical[-1] if self.canonical else "0x" + "00" * 32
        name = f"0x{self._forks:032x}{number:032x}"
        head = Head(number=number, hash=name, parent_hash=parent)
        self.blocks[name] = Block(head, state, events)
        self.canonical.append(name)

    async def run(self) -> None:
        while True:
            await trio.sleep(BLOCK_S)
            await self.make_block()

    async def make_block(self, time_ms: int | None = None) -> Block:
        self.grow(time_ms)
        async with self._grown:
            self._grown.notify_all()
        return self.best

    def _next_state(self) -> State:
        """Give what the next block changes."""
        return self.state.copy()

    def grow(self, time_ms: int | None = None) -> None:
        """Make a block of what waits; nobody is told."""
        state = self._next_state()
        ledger = state.ledger
        ledger.begin_block(time_ms or _time_ms())
        events = reported(ledger.done())
        for change in self.pending:
            events += change(ledger)
        self.pending.clear()
        for key, (order, _) in sorted(self.pool.items()):
            if self.hold_opens and isinstance(order, Open):
                continue
            del self.pool[key]
            outcome = apply_order(ledger, key[0], order)
            if isinstance(outcome, list):
                events += reported(outcome)
        self._push(state, tuple(events))

    async def reorganise(self, depth: int, *, keep_orders: bool = False) -> None:
        """Drop the newest blocks; the orders in them are lost unless they are kept."""
        assert depth <= FINAL_LAG
        del self.canonical[-depth:]
        self._forks += 1
        if not keep_orders:
            self.pool.clear()
        await self.make_block()

    # --- the world outside -----------------------------------------------------------------

    def add_stream(self, number: int, *, rate: int = 1000, owner: str = "Bob") -> None:
        name = account(owner)
        self.state.ledger.streams[number] = model.Stream(
            owner=name,
            asset=NATIVE,
            rate_per_second=rate,
            changed_at=BASE_MS,
            payees=(model.Payee(name, WHOLE),),
            funds_min=0,
            gap_min_ms=10_000,
            deposit=0,
        )

    def add_funds(
        self, viewer: str, vault: int, balance: int = 1000 * UNIT, asset: Asset = NATIVE
    ) -> None:
        """Let a viewer have exactly so much in vault and account. Makes the asset if need be."""
        ledger, who = self.state.ledger, account(viewer)
        accounts = ledger.accounts
        if asset not in accounts.kinds:
            accounts.kinds[asset] = model.AssetKind(LEAST_BALANCE)
            accounts.add(POT, asset, LEAST_BALANCE)
            happened(ledger.enable_asset(asset, 0))
        more = vault - ledger.vault(who, asset)
        ledger.credit(who, asset, more)
        ledger.asset_entries[asset].owed += more
        accounts.add(POT, asset, more)
        accounts.add(who, asset, balance - accounts.balance(who, asset))

    def add_grant(self, viewer: str, public: bytes, **terms: Any) -> int:
        given = {
            "rate_max_per_second": 10**6,
            "cap": 10**9,
            "sessions_max": 1,
            "gap_ms": 120_000,
            "expires_at": BASE_MS + 10**9,
        } | terms
        ledger, who = self.state.ledger, account(viewer)
        if not ledger.accounts.balance(who, NATIVE):
            self.add_funds(viewer, ledger.vault(who, NATIVE))
        key = DelegateKey(scheme="sr25519", public=public)
        return int(happened(_grant(ledger, who, key, Terms(**given)))[0].fields["grant"])

    def revoke(self, number: int) -> None:
        """End a grant in the next block, if it has not ended."""

        def change(ledger: model.Ledger) -> list[Event]:
            grant = ledger.grants.get(number)
            outcome = ledger.revoke(grant.viewer, number) if grant else []
            return reported(outcome) if isinstance(outcome, list) else []

        self.pending.append(change)

    def stop_stream(self, number: int, status: str) -> None:
        """Pause or end a stream in the next block."""

        def change(ledger: model.Ledger) -> list[Event]:
            owner = ledger.streams[number].owner
            if status == "Ended":
                return happened(ledger.end_stream(owner, number))
            paused = model.StreamChange(paused=True)
            return happened(ledger.update_stream(owner, number, paused))

        self.pending.append(change)

    def transfer_stream(self, number: int, to: str) -> None:
        """Give a stream to another owner in the next block."""

        def change(ledger: model.Ledger) -> list[Event]:
            owner = ledger.streams[number].owner
            return happened(ledger.transfer_stream(owner, number, account(to)))

        self.pending.append(change)

    def settle_all(self) -> None:
        """Let anyone settle what nobody closed in time, in the next block."""

        def change(ledger: model.Ledger) -> list[Event]:
            outcomes = [ledger.settle(*place) for place in list(ledger.sessions)]
            return [
                event
                for outcome in outcomes
                if isinstance(outcome, list)
                for event in reported(outcome)
            ]

        self.pending.append(change)

    def drain_vault(self, viewer: str) -> None:
        """Let a viewer withdraw everything in the next block."""

        def change(ledger: model.Ledger) -> list[Event]:
            who = account(viewer)
            return happened(ledger.withdraw(who, NATIVE, ledger.vault(who, NATIVE)))

        self.pending.append(change)

    def move_on(self, why: str) -> None:
        """There is no other node."""

    # --- Ledger ----------------------------------------------------------------------------

    async def _at(self, at: str | None) -> State:
        await trio.lowlevel.checkpoint()
        self._reach()
        if at is not None and at not in self.blocks:
            raise BlockUnknown(at)
        return self.blocks[at].state if at is not None else self.state

    def _reach(self) -> None:
        if self.unreachable:
            raise NodeUnreachable("fake", "it is switched off")

    async def stream(self, stream: int, *, at: str | None = None) -> Stream | None:
        return _entry(Stream, (await self._at(at)).ledger.streams, stream)

    async def streams(self, *, at: str | None = None) -> dict[int, Stream]:
        return dict((await self._at(at)).streams)

    async def vault(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int:
        return (await self._at(at)).ledger.vault(address(account), asset)

    async def grant(self, grant: int, *, at: str | None = None) -> Grant | None:
        return _entry(Grant, (await self._at(at)).ledger.grants, grant)

    async def grants_of(self, account: str | bytes, *, at: str | None = None) -> dict[int, Grant]:
        viewer = address(account)
        grants = (await self._at(at)).ledger.grants
        own = {number: grant for number, grant in grants.items() if grant.viewer == viewer}
        return {number: shown(Grant, grant) for number, grant in own.items()}

    async def sessions_of(
        self, places: Sequence[tuple[int, int]], *, at: str | None = None
    ) -> dict[tuple[int, int], Session]:
        sessions = (await self._at(at)).ledger.sessions
        return {place: shown(Session, sessions[place]) for place in places if place in sessions}

    async def open_sessions(self, *, at: str | None = None) -> list[tuple[int, int]]:
        return sorted((await self._at(at)).ledger.sessions)

    async def tables(self, names: Names, *, at: str | None = None) -> Tables:
        """Read many entries at once."""
        return self._tables((await self._at(at)).ledger, names)

    def _tables(self, ledger: model.Ledger, names: Names) -> Tables:
        found = Tables()
        found.vaults = {name: ledger.vault(*name) for name in names.vaults}
        tables: tuple[tuple[Any, Any, Any, Any], ...] = (
            (Session, found.sessions, names.sessions, ledger.sessions),
            (Grant, found.grants, names.grants, ledger.grants),
            (Stream, found.streams, names.streams, ledger.streams),
            (Subscription, found.subscriptions, names.subscriptions, ledger.subscriptions),
        )
        for kind, own, wanted, table in tables:
            own.update({name: _entry(kind, table, name) for name in sorted(wanted)})
        return found

    async def balance(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int:
        accounts = (await self._at(at)).ledger.accounts
        return accounts.balance(address(account), asset)

    async def funds(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> Funds:
        accounts, who = (await self._at(at)).ledger.accounts, address(account)
        held = accounts.held.get(who, 0) if asset is None else 0
        return Funds(free=accounts.balance(who, asset), held=held)

    async def fee(self, call: bytes, account: str | bytes) -> Fee:
        self._reach()
        return Fee(
            partial_fee=self.fee_charged, ref_time_ps=1, proof_size_bytes=1, dispatch_class="Normal"
        )

    async def currency(self, asset: Asset = NATIVE, *, at: str | None = None) -> Currency:
        minimum = (await self._at(at)).ledger.accounts.minimum(asset)
        return Currency(asset=asset, symbol=self.symbol, decimals=self.decimals, minimum=minimum)

    async def asset_entry(self, asset: Asset, *, at: str | None = None) -> AssetEntry | None:
        entry = (await self._at(at)).ledger.asset_entries.get(asset)
        return None if entry is None else shown(AssetEntry, entry)

    async def tiers(self, stream: int, *, at: str | None = None) -> tuple[Tier, ...]:
        offered = (await self._at(at)).ledger.tiers.get(stream, ())
        return tuple(Tier(**tier._asdict()) for tier in offered)

    async def subscription(
        self, stream: int, account: str | bytes, *, at: str | None = None
    ) -> Subscription | None:
        subscriptions = (await self._at(at)).ledger.subscriptions
        return _entry(Subscription, subscriptions, (stream, address(account)))

    async def clock(self, *, at: str | None = None) -> Clock:
        ledger = (await self._at(at)).ledger
        return Clock(now_ms=ledger.now, halted_ms=ledger.halted_ms)

    async def best_head(self) -> Head:
        await self._at(None)
        return self.best.head

    async def finalized_head(self) -> Head:
        await self._at(None)
        return self.final.head

    async def is_syncing(self) -> bool:
        await self._at(None)
        return self.syncing

    async def settle(self, grant: int, index: int, *, wait: str = "in_block") -> Receipt:
        self._reach()
        return await self._included(
            lambda ledger: happened(ledger.settle(grant, index, signed=False))
        )

    async def head(self, block_hash: str) -> Head:
        await self._at(block_hash)
        return self.blocks[block_hash].head

    async def block_hash(self, number: int) -> str | None:
        await self._at(None)
        return self.canonical[number] if number < len(self.canonical) else None

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        await self._at(block_hash)
        return self.blocks[block_hash].events

    @asynccontextmanager
    async def heads(self, kind: str) -> AsyncIterator[AsyncIterator[Head]]:
        async def follow() -> AsyncGenerator[Head, None]:
            last: Head | None = None
            while True:
                self._reach()
                head = self.best.head if kind == "best" else self.final.head
                if head != last:
                    if kind == "finalized" and last is not None:
                        for number in range(last.number + 1, head.number):
                            yield self.blocks[self.canonical[number]].head
                    last = head
                    yield head
                else:
                    async with self._grown:
                        await self._grown.wait()

        heads = follow()
        try:
            yield heads
        finally:
            await heads.aclose()

    async def submit_order(
        self, grant: int, order: Order, signature: bytes, *, scheme: str = "sr25519"
    ) -> str:
        await trio.lowlevel.checkpoint()
        self._reach()
        self._take(SignedOrder(grant=grant, order=order, signature=signature, scheme=scheme))
        return "0x" + "22" * 32

    def _take(self, given: SignedOrder) -> None:
        """Take an order into the pool. Raises OrderRefused."""
        grant, order, ledger = given.grant, given.order, self.state.ledger
        self.on_submit(grant, order)
        refused = self.refuse(grant, order)
        if refused is not None:
            raise OrderRefused(refused, refused, "made to")
        signed.check_order(self, ledger.grants, given)
        errors = ledger.refused(grant, order_of(order), ledger.grants[grant].key)
        if errors:
            raise refused_as(errors)
        lane = LANES[type(order).__name__]
        priority = 1 << 20
        if isinstance(order, Tick | Close):
            session = ledger.sessions[grant, order.index]
            priority = 2 * (order.seconds - session.seconds) + isinstance(order, Close)
        waiting = self.pool.get((grant, order.index, lane))
        if waiting is not None and waiting[1] >= priority:
            raise Superseded("Superseded", "Superseded", "the same or a higher total waits")
        if not self.lose_orders:
            self.pool[grant, order.index, lane] = (order, priority)
        self.accepted.append((grant, order))

    # --- wallets ---------------------------------------------------------------------------

    async def signer_payload(self, account: str, call: bytes, *, tip: int = 0) -> SignedPayload:
        self._reach()
        return SignedPayload(
            account=account, json={"address": account}, message=call, call=call, extension=b""
        )

    async def submit_wallet_signed(
        self,
        payload: SignedPayload,
        signature: str,
        *,
        wait: str = "in_block",
        timeout_s: float = 120.0,
        try_first: bool = True,
    ) -> Receipt:
        signed.check_wallet(payload, signature)
        return await self._included(lambda ledger: self._paid_call(ledger, payload))

    def _paid_call(self, ledger: model.Ledger, payload: SignedPayload) -> list[Event]:
        """Take the fee, and do what a wallet has signed. Raises DispatchFailed."""
        if not ledger.accounts.can_send(payload.account, NATIVE, self.fee_charged):
            raise TransactionRefused("Payment", "Payment", "the account cannot pay the fee")
        ledger.accounts.add(payload.account, NATIVE, -self.fee_charged)
        try:
            _wallet_call(ledger.copy(), payload)  # a batch that fails leaves nothing behind
        except DispatchFailed:
            self.fees_lost += self.fee_charged
            raise
        return _wallet_call(ledger, payload)

    async def submit_batch(
        self,
        signer: Signer,
        orders: Sequence[SignedOrder],
        *,
        wait: str = "in_block",
        timeout_s: float = 120.0,
    ) -> BatchResult:
        await trio.lowlevel.checkpoint()
        self._reach()
        places = [(each.grant, each.order.index) for each in orders]

        def change(ledger: model.Ledger) -> list[Event]:
            return happened(ledger.submit_batch([self._verified(ledger, each) for each in orders]))

        if self.lose_orders:
            await trio.sleep(timeout_s)
            raise NodeUnreachable("fake", "the batch is lost")
        self.accepted += [(each.grant, each.order) for each in orders]
        receipt = await self._included(change)
        done = receipt.event("BatchDone").fields
        failures = {
            (event.fields["grant"], event.fields["index"]): failure(event.fields["error"])
            for event in receipt.events
            if event.name == "OrderFailed"
        }
        assert failures.keys() <= set(places)
        return BatchResult(
            receipt=receipt, counted=done["counted"], free=done["free"], failures=failures
        )

    def _verified(self, ledger: model.Ledger, order: SignedOrder) -> model.SignedOrder:
        return signed.attributed(self, ledger.grants, order, order_of(order.order))

    async def _included(self, call: Callable[[model.Ledger], list[Event]]) -> Receipt:
        """Make a call in the next block, and wait for that. Raises DispatchFailed."""
        done = trio.Event()
        events: list[Event] = []
        failed: list[LedgerError] = []

        def change(ledger: model.Ledger) -> list[Event]:
            done.set()
            try:
                events.extend(call(ledger))
            except LedgerError as error:
                failed.append(error)
            return events

        self.pending.append(change)
        await done.wait()
        if failed:
            raise failed[0]
        head = self.best.head
        return Receipt(
            tx_hash="0x" + "33" * 32,
            block_hash=head.hash,
            block_number=head.number,
            extrinsic_index=2,
            events=tuple(events),
        )

    async def finalized(self, receipt: Receipt, *, timeout_s: float = 120.0) -> Receipt:
        while self.final.head.number < receipt.block_number:
            async with self._grown:
                await self._grown.wait()
        return receipt


LANES = {"Open": 0, "Tick": 1, "Close": 1, "Fund": 2, "Tip": 3, "Renew": 4}
"""Which orders of a session take each other's place in the pool."""


def refused_as(names: frozenset[str]) -> OrderRefused:
    """Choose the error that the client would raise; a replay is told before all else."""
    if "OrderStale" in names:
        return Replayed("OrderStale", "OrderStale", "a rule says no")
    kind = LaneFull if names == {"FreeLaneFull"} else OrderRefused
    name = min(names)
    return kind(name, name, "a rule says no")


def failure(names: frozenset[str]) -> DispatchFailed:
    """Choose the error that a block tells: the pallet, too, looks for a replay before all else."""
    name = "OrderStale" if "OrderStale" in names else min(names)
    return by_name(name)("PayStream", name, "A rule says no.")


def happened(outcome: model.Outcome) -> list[Event]:
    """Give a call's events. Raises DispatchFailed where it was refused."""
    if isinstance(outcome, frozenset):
        raise failure(outcome)
    return reported(outcome)


def _grant(ledger: model.Ledger, viewer: str, key: DelegateKey, terms: Terms) -> model.Outcome:
    return ledger.grant(viewer, key, key, modelled(model.Terms, terms))


def _wallet_call(ledger: model.Ledger, payload: SignedPayload) -> list[Event]:
    """Do what a wallet has signed. Raises DispatchFailed."""
    name, *arguments = msgspec.msgpack.decode(payload.call)
    who = payload.account
    match name:
        case "deposit_and_grant":
            amount, key, terms = arguments
            given = msgspec.convert(terms, Terms)
            deposited = happened(ledger.deposit(who, given.asset, int(amount)))
            delegate = msgspec.convert(key, DelegateKey)
            return deposited + happened(_grant(ledger, who, delegate, given))
        case "grant":
            key, terms = arguments
            delegate = msgspec.convert(key, DelegateKey)
            return happened(_grant(ledger, who, delegate, msgspec.convert(terms, Terms)))
        case "deposit" | "withdraw":
            amount, asset = arguments
            return happened(getattr(ledger, name)(who, asset, int(amount)))
        case "revoke":
            return happened(ledger.revoke(who, *arguments))
        case "create_stream":
            rate, asset = arguments
            return happened(ledger.create_stream(who, asset, rate, gap_min_ms=10_000))
        case "claim":
            return happened(ledger.claim(*arguments))
    raise AssertionError(name)


def sign_text(signer: Signer, text: str) -> str:
    """Sign as a wallet's `signRaw` does."""
    return "0x" + signer.sign(b"<Bytes>" + text.encode() + b"</Bytes>").hex()
