"""An in-memory chain with PayStream's rules 2 to 6, on trio's clock: made for jumping clocks.

It speaks the part of `Ledger` that the relayer uses. Blocks come every two seconds, and are final
two blocks later. `reorganise`, `unreachable`, `lose_orders` and `refuse` make its bad days.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import trio

from offchain.keys.signer import Signer, dev_key, verify
from offchain.ledger.errors import (
    BlockUnknown,
    ForeignSignature,
    NodeUnreachable,
    OrderRefused,
    Replayed,
    SignatureMismatch,
    Superseded,
)
from offchain.ledger.orders import Close, Fund, Open, Order, Tick, order_message
from offchain.ledger.types import (
    NATIVE,
    Asset,
    AssetEntry,
    Constants,
    Currency,
    DelegateKey,
    Event,
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

BASE_MS = 1_800_000_000_000
BLOCK_S = 2.0
FINAL_LAG = 2
UNIT = 10**12

CONSTANTS = Constants(
    head_start_max_ms=6_000,
    settlement_window_ms=60_000,
    min_tick_seconds=5,
    fund_below_seconds=60,
    gap_min_ms=10_000,
    gap_max_ms=3_600_000,
    payees_max=8,
    sessions_per_grant_max=16,
    existential_deposit=UNIT // 1000,
)


class Failed(Exception):
    """A rule of the ledger says no."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


@dataclass
class State:
    """The ledger's entries. They are immutable, so a shallow copy is a snapshot."""

    streams: dict[int, Stream] = field(default_factory=dict)
    grants: dict[int, Grant] = field(default_factory=dict)
    sessions: dict[tuple[int, int], Session] = field(default_factory=dict)
    vaults: dict[str, int] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    next_grant: int = 0
    now_ms: int = BASE_MS

    def copy(self) -> State:
        return replace(
            self,
            streams=dict(self.streams),
            grants=dict(self.grants),
            sessions=dict(self.sessions),
            vaults=dict(self.vaults),
            balances=dict(self.balances),
        )


@dataclass
class Block:
    head: Head
    state: State
    events: tuple[Event, ...]


def account(name: str) -> str:
    return address(dev_key(name).public_key)


def changed(entry: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(entry, **fields)


class Rules:
    """One order, or one moment, applied to a state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.events: list[Event] = []

    def emit(self, name: str, **fields: Any) -> None:
        self.events.append(Event(pallet="PayStream", name=name, fields=fields, extrinsic_index=1))

    def ended(self, session: Session) -> Session:
        now, end = self.state.now_ms, session.ended_at
        stops = self.state.streams[session.stream].stops
        stop = next((moment for moment in stops if moment >= session.opened_at), None)
        for moment in (stop, session.ticked_at + session.gap_ms):
            if moment is not None and moment <= now:
                end = min(end, moment)
        return changed(session, ended_at=end)

    def apply(self, grant: int, order: Order) -> None:
        match order:
            case Open():
                self.open(grant, order)
            case Fund():
                self.fund(grant, order)
            case Tick() | Close():
                self.advance(grant, order)

    def open(self, number: int, order: Open) -> None:
        state, now = self.state, self.state.now_ms
        grant = state.grants.get(number)
        if grant is None:
            raise Failed("GrantNotFound")
        if order.index < grant.next_index:
            raise Failed("Stale")
        if order.index > grant.next_index:
            raise Failed("IndexNotNext")
        if grant.ended_at <= now:
            raise Failed("GrantEnded")
        stream = state.streams.get(order.stream)
        if stream is None:
            raise Failed("StreamNotFound")
        if stream.status != "Active":
            raise Failed("StreamNotActive")
        if stream.rate_per_second != order.rate_per_second:
            raise Failed("RateMismatch")
        if order.rate_per_second > grant.rate_max_per_second:
            raise Failed("RateAboveGrant")
        if len(grant.open) >= grant.sessions_max:
            raise Failed("SlotsTaken")
        if grant.opened_at and now - grant.opened_at < CONSTANTS.min_tick_seconds * 1000:
            raise Failed("OpenTooSoon")
        if order.funds < max(stream.funds_min, stream.rate_per_second):
            raise Failed("FundsBelowStream")
        if order.funds > grant.cap_left:
            raise Failed("CapTooLow")
        if order.funds > state.vaults.get(grant.viewer, 0):
            raise Failed("VaultTooLow")
        start = max(
            min(order.start_at, now),
            now - CONSTANTS.head_start_max_ms,
            grant.created_at,
            grant.freed_end_at,
            stream.changed_at,
        )
        state.vaults[grant.viewer] -= order.funds
        state.grants[number] = changed(
            grant,
            cap_left=grant.cap_left - order.funds,
            open=(*grant.open, order.index),
            next_index=order.index + 1,
            opened_at=now,
        )
        state.sessions[number, order.index] = Session(
            viewer=grant.viewer,
            key=grant.key,
            asset=None,
            stream=order.stream,
            rate_per_second=order.rate_per_second,
            gap_ms=grant.gap_ms,
            funds=order.funds,
            seconds=0,
            started_at=start,
            opened_at=now,
            billed_until=start,
            ticked_at=now,
            ended_at=grant.ended_at,
        )
        self.emit(
            "SessionOpened",
            grant=number,
            index=order.index,
            stream=order.stream,
            viewer=grant.viewer,
            rate_per_second=order.rate_per_second,
            funds=order.funds,
            started_at=start,
        )

    def session(self, grant: int, index: int) -> Session:
        session = self.state.sessions.get((grant, index))
        if session is None:
            known = self.state.grants.get(grant)
            # a deleted grant, or an index that was used: whatever is said now is old
            old = known is None or index < known.next_index
            raise Failed("Stale" if old else "SessionNotFound")
        session = self.ended(session)
        if self.state.now_ms > session.ended_at + CONSTANTS.settlement_window_ms:
            raise Failed("SessionEnded")
        return session

    def fund(self, number: int, order: Fund) -> None:
        session = self.session(number, order.index)
        grant = self.state.grants[number]
        more = order.funds - session.funds
        if more <= 0:
            raise Failed("Stale")
        left = session.funds - session.paid
        if left >= CONSTANTS.fund_below_seconds * session.rate_per_second:
            raise Failed("FundTooEarly")
        if more > grant.cap_left:
            raise Failed("CapTooLow")
        if more > self.state.vaults.get(session.viewer, 0):
            raise Failed("VaultTooLow")
        self.state.vaults[session.viewer] -= more
        self.state.grants[number] = changed(grant, cap_left=grant.cap_left - more)
        self.state.sessions[number, order.index] = changed(session, funds=order.funds)
        self.emit("SessionFunded", grant=number, index=order.index, funds=order.funds)

    def advance(self, number: int, order: Tick | Close) -> None:
        session = self.session(number, order.index)
        closing = isinstance(order, Close)
        more = order.seconds - session.seconds
        if more < 0 or (more == 0 and not closing):
            raise Failed("Stale")
        end = min(self.state.now_ms, session.ended_at)
        start = max(session.billed_until, end - session.gap_ms)
        if more * 1000 > max(0, end - start) // 1000 * 1000:
            raise Failed("AheadOfClock")
        affordable = session.funds // session.rate_per_second - session.seconds
        charged = min(more, affordable)
        if not closing and charged < CONSTANTS.min_tick_seconds:
            raise Failed("TickTooSmall")
        session = changed(
            session,
            seconds=session.seconds + charged,
            billed_until=start + 1000 * charged,
            ticked_at=self.state.now_ms
            if self.state.now_ms < session.ended_at
            else session.ticked_at,
        )
        if charged:
            self.charge(number, order.index, session, charged)
        exhausted = charged < more
        if closing or exhausted:
            self.close(number, order.index, session, "Order" if closing else "FundsExhausted")
        else:
            self.state.sessions[number, order.index] = session

    def charge(self, number: int, index: int, session: Session, seconds: int) -> None:
        stream, grant = self.state.streams[session.stream], self.state.grants[number]
        amount = seconds * session.rate_per_second
        self.state.streams[session.stream] = changed(
            stream,
            earned=stream.earned + amount,
            earned_total=stream.earned_total + amount,
            seconds=stream.seconds + seconds,
        )
        self.state.grants[number] = changed(
            grant, spent=grant.spent + amount, seconds=grant.seconds + seconds
        )
        self.emit(
            "Ticked",
            grant=number,
            index=index,
            stream=session.stream,
            seconds=session.seconds,
            charged_seconds=seconds,
            amount=amount,
        )

    def close(self, number: int, index: int, session: Session, reason: str) -> None:
        grant = self.state.grants[number]
        back = session.funds - session.paid
        ended_at = min(session.ended_at, self.state.now_ms)
        self.state.vaults[session.viewer] += back
        self.state.sessions.pop((number, index), None)
        self.state.grants[number] = changed(
            grant,
            cap_left=grant.cap_left + back,
            open=tuple(other for other in grant.open if other != index),
            freed_end_at=max(grant.freed_end_at, ended_at),
        )
        self.emit(
            "SessionClosed",
            grant=number,
            index=index,
            stream=session.stream,
            seconds=session.seconds,
            paid=session.paid,
            refunded=back,
            ended_at=ended_at,
            reason=reason,
        )
        if not self.state.grants[number].open and grant.ended_at <= self.state.now_ms:
            del self.state.grants[number]
            self.emit("GrantDeleted", grant=number)


class FakeCalls:
    """Calls as msgpack, which `FakeChain` understands when they come back signed."""

    def deposit_and_grant(self, amount: int, key: DelegateKey, proof: bytes, terms: Terms) -> bytes:
        return msgspec.msgpack.encode(["deposit_and_grant", amount, key, terms])

    def deposit(self, amount: int, asset: Asset = NATIVE) -> bytes:
        return msgspec.msgpack.encode(["deposit", amount])

    def withdraw(self, amount: int, asset: Asset = NATIVE) -> bytes:
        return msgspec.msgpack.encode(["withdraw", amount])

    def revoke(self, grant: int) -> bytes:
        return msgspec.msgpack.encode(["revoke", grant])

    def create_stream(self, *, rate_per_second: int, asset: Asset = NATIVE) -> bytes:
        return msgspec.msgpack.encode(["create_stream", rate_per_second])

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
        self.pending: list[Callable[[Rules], None]] = []
        self.accepted: list[tuple[int, Order]] = []
        self.on_submit: Callable[[int, Order], None] = lambda grant, order: None
        self._forks = 0
        self._grown = trio.Condition()
        self._push(State(), ())

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

    async def make_block(self, now_ms: int | None = None) -> Block:
        state = self.state.copy()
        state.now_ms = now_ms or BASE_MS + int(trio.current_time() * 1000)
        rules = Rules(state)
        for change in self.pending:
            change(rules)
        self.pending.clear()
        for key, (order, _) in sorted(self.pool.items()):
            if self.hold_opens and isinstance(order, Open):
                continue
            del self.pool[key]
            try:
                rules.apply(key[0], order)
            except Failed:
                continue
        self._push(state, tuple(rules.events))
        async with self._grown:
            self._grown.notify_all()
        return self.best

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
        self.state.streams[number] = Stream(
            owner=account(owner),
            asset=None,
            rate_per_second=rate,
            changed_at=BASE_MS,
            payees=(Payee(account=account(owner), share=1_000_000),),
            funds_min=0,
            gap_min_ms=10_000,
            status="Active",
            stops=(),
            earned=0,
            earned_total=0,
            seconds=0,
            sessions_open=0,
            deposit=0,
        )

    def add_funds(self, viewer: str, vault: int, balance: int = 1000 * UNIT) -> None:
        self.state.vaults[account(viewer)] = vault
        self.state.balances[account(viewer)] = balance

    def add_grant(self, viewer: str, public: bytes, **terms: Any) -> int:
        given = {
            "rate_max_per_second": 10**6,
            "cap": 10**9,
            "sessions_max": 1,
            "gap_ms": 120_000,
            "expires_at": BASE_MS + 10**9,
        } | terms
        return self._grant(
            Rules(self.state),
            account(viewer),
            DelegateKey(scheme="sr25519", public=public),
            Terms(**given),
        )

    def _grant(self, rules: Rules, viewer: str, key: DelegateKey, terms: Terms) -> int:
        state, number = rules.state, rules.state.next_grant
        state.next_grant += 1
        state.grants[number] = Grant(
            viewer=viewer,
            key=key,
            asset=None,
            rate_max_per_second=terms.rate_max_per_second,
            cap=terms.cap,
            cap_left=terms.cap,
            spent=0,
            tips_left=0,
            renewals_left=0,
            gap_ms=terms.gap_ms,
            created_at=state.now_ms,
            expires_at=terms.expires_at,
            sessions_max=terms.sessions_max,
            open=(),
            next_index=0,
            opened_at=0,
            freed_end_at=0,
            seconds=0,
            ended_at=terms.expires_at,
            deposit=0,
        )
        rules.emit("Granted", grant=number, viewer=viewer)
        return number

    def revoke(self, number: int) -> None:
        """End a grant in the next block."""

        def change(rules: Rules) -> None:
            state = rules.state
            grant = state.grants[number]
            state.grants[number] = changed(grant, ended_at=min(grant.ended_at, state.now_ms))
            for index in grant.open:
                session = rules.ended(state.sessions[number, index])
                state.sessions[number, index] = changed(
                    session, ended_at=min(session.ended_at, state.now_ms)
                )
            rules.emit("Revoked", grant=number, viewer=grant.viewer)

        self.pending.append(change)

    def stop_stream(self, number: int, status: str) -> None:
        """Pause or end a stream in the next block."""

        def change(rules: Rules) -> None:
            stream = rules.state.streams[number]
            rules.state.streams[number] = changed(
                stream, status=status, stops=(*stream.stops, rules.state.now_ms)
            )
            rules.emit("StreamUpdated", stream=number, rate_per_second=0, status=status)

        self.pending.append(change)

    def settle_all(self) -> None:
        """Let anyone settle what nobody closed in time, in the next block."""

        def change(rules: Rules) -> None:
            for (number, index), session in list(rules.state.sessions.items()):
                ended = rules.ended(session)
                if rules.state.now_ms > ended.ended_at + CONSTANTS.settlement_window_ms:
                    rules.close(number, index, ended, "Settled")

        self.pending.append(change)

    def drain_vault(self, viewer: str) -> None:
        """Let a viewer withdraw everything in the next block."""

        def change(rules: Rules) -> None:
            rules.state.vaults[account(viewer)] = 0
            rules.emit("Withdrawn", who=account(viewer), asset=None, amount=0)

        self.pending.append(change)

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
        return (await self._at(at)).streams.get(stream)

    async def streams(self, *, at: str | None = None) -> dict[int, Stream]:
        return dict((await self._at(at)).streams)

    async def vault(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int:
        return (await self._at(at)).vaults.get(address(account), 0)

    async def grant(self, grant: int, *, at: str | None = None) -> Grant | None:
        return (await self._at(at)).grants.get(grant)

    async def grants_of(self, account: str | bytes, *, at: str | None = None) -> dict[int, Grant]:
        viewer = address(account)
        grants = (await self._at(at)).grants
        return {number: grant for number, grant in grants.items() if grant.viewer == viewer}

    async def sessions_of(
        self, places: Sequence[tuple[int, int]], *, at: str | None = None
    ) -> dict[tuple[int, int], Session]:
        sessions = (await self._at(at)).sessions
        return {place: sessions[place] for place in places if place in sessions}

    async def balance(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int:
        return (await self._at(at)).balances.get(address(account), 0)

    async def currency(self, asset: Asset = NATIVE, *, at: str | None = None) -> Currency:
        return Currency(asset=asset, symbol=self.symbol, decimals=self.decimals, minimum=1)

    async def asset_entry(self, asset: Asset, *, at: str | None = None) -> AssetEntry | None:
        return AssetEntry(status="Enabled")

    async def tiers(self, stream: int, *, at: str | None = None) -> tuple[Tier, ...]:
        return ()

    async def subscription(
        self, stream: int, account: str | bytes, *, at: str | None = None
    ) -> Subscription | None:
        return None

    async def now_ms(self, *, at: str | None = None) -> int:
        return (await self._at(at)).now_ms

    async def best_head(self) -> Head:
        await self._at(None)
        return self.best.head

    async def finalized_head(self) -> Head:
        await self._at(None)
        return self.final.head

    async def block_hash(self, number: int) -> str | None:
        await self._at(None)
        return self.canonical[number] if number < len(self.canonical) else None

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        await self._at(block_hash)
        return self.blocks[block_hash].events

    @asynccontextmanager
    async def heads(self, kind: str) -> AsyncIterator[AsyncIterator[Head]]:
        async def follow() -> AsyncIterator[Head]:
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
        self.on_submit(grant, order)
        refused = self.refuse(grant, order)
        if refused is not None:
            raise OrderRefused(refused, refused, "made to")
        self._check_signature(grant, order, signature, scheme)
        try:
            Rules(self.state.copy()).apply(grant, order)
        except Failed as failed:
            kind = Replayed if failed.name == "Stale" else OrderRefused
            raise kind(failed.name, failed.name, "a rule says no") from None
        lane = {"Open": 0, "Tick": 1, "Close": 1, "Fund": 2}[type(order).__name__]
        priority = 1 << 20
        if isinstance(order, Tick | Close):
            session = self.state.sessions[grant, order.index]
            priority = 2 * (order.seconds - session.seconds) + isinstance(order, Close)
        waiting = self.pool.get((grant, order.index, lane))
        if waiting is not None and waiting[1] >= priority:
            raise Superseded("Superseded", "Superseded", "the same or a higher total waits")
        if not self.lose_orders:
            self.pool[grant, order.index, lane] = (order, priority)
        self.accepted.append((grant, order))
        return "0x" + "22" * 32

    def _check_signature(self, grant: int, order: Order, signature: bytes, scheme: str) -> None:
        known = self.state.grants.get(grant)
        session = self.state.sessions.get((grant, order.index))
        key = known.key if known else session.key if session else None
        if key is None:
            raise OrderRefused("GrantNotFound", "GrantNotFound", "there is none")
        message = order_message(self.genesis_hash, self.pallet_index, grant, order)
        if not verify(scheme, key.public, message, signature):
            raise ForeignSignature("BadProof", "BadProof", "not by the grant's key")

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
    ) -> Receipt:
        raw = bytes.fromhex(signature.removeprefix("0x"))
        from offchain.ledger.types import account_id

        if not verify("sr25519", account_id(payload.account), payload.message, raw):
            raise SignatureMismatch(payload.account)
        done = trio.Event()
        events: list[Event] = []

        def change(rules: Rules) -> None:
            before = len(rules.events)
            self._run_call(rules, payload)
            events.extend(rules.events[before:])
            done.set()

        self.pending.append(change)
        await done.wait()
        head = self.best.head
        return Receipt(
            tx_hash="0x" + "33" * 32,
            block_hash=head.hash,
            block_number=head.number,
            extrinsic_index=2,
            events=tuple(events),
        )

    def _run_call(self, rules: Rules, payload: SignedPayload) -> None:
        name, *arguments = msgspec.msgpack.decode(payload.call)
        if name == "deposit_and_grant":
            amount, key, terms = arguments
            viewer = payload.account
            rules.state.balances[viewer] -= amount
            rules.state.vaults[viewer] = rules.state.vaults.get(viewer, 0) + amount
            rules.emit("Deposited", who=viewer, asset=None, amount=amount)
            self._grant(
                rules,
                viewer,
                msgspec.convert(key, DelegateKey),
                msgspec.convert(terms, Terms),
            )

    async def finalized(self, receipt: Receipt, *, timeout_s: float = 120.0) -> Receipt:
        while self.final.head.number < receipt.block_number:
            async with self._grown:
                await self._grown.wait()
        return receipt


def sign_text(signer: Signer, text: str) -> str:
    """Sign as a wallet's `signRaw` does."""
    return "0x" + signer.sign(b"<Bytes>" + text.encode() + b"</Bytes>").hex()
