"""Nodes that misbehave, between a relayer and the chain; a relayer's end of them is `Endpoint`.

A node may be away, slow, pruned, behind (restored from a backup, or still syncing), behind a load
balancer with others, deaf on its subscriptions, cut off from its peers, and full.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import trio

from offchain.keys.signer import Signer
from offchain.ledger.endpoints import Endpoint as Known
from offchain.ledger.endpoints import Endpoints, NodeStatus, Trouble
from offchain.ledger.errors import (
    BlockUnknown,
    DispatchFailed,
    LedgerError,
    NodeNotBelieved,
    NodeUnreachable,
    NotIncluded,
    OrderRefused,
    Replayed,
    Superseded,
    TransactionRefused,
)
from offchain.ledger.extrinsics import ERA_BLOCKS
from offchain.ledger.orders import Order, SignedOrder
from offchain.ledger.tables import Names, Tables
from offchain.ledger.types import (
    NATIVE,
    Asset,
    AssetEntry,
    BatchResult,
    Clock,
    Constants,
    Currency,
    Event,
    Fee,
    Funds,
    Grant,
    Head,
    Receipt,
    Session,
    SignedPayload,
    Stream,
    Subscription,
    Tier,
    address,
)
from offchain.relayer.belief import NewNode
from tests import model
from tests.relayer import signed
from tests.relayer.fake_chain import (
    FakeCalls,
    _wallet_call,
    failure,
    happened,
    order_of,
    refused_as,
    shown,
)
from tests.simulation.blockchain import BLOCKS_KEPT, STATES_KEPT, Block, Blockchain

HANGS_S = 10.0
"""After so long the client gives up a request to a node that does not answer."""
FOLLOWED_S = 120.0
"""So long the client follows a transaction to its block, unless it is told otherwise."""
RETURN_EVERY_S = 60.0
"""How often a preferred node that was left is tried."""
Admit = Callable[[NewNode], Awaitable[None]]
Refusal = Callable[[int, Order], LedgerError | None]
OnOrder = Callable[[int, Order], None]
"""Told of each order that goes out, by its grant."""


def unwatched(_grant: int, _order: Order) -> None:
    """Nobody looks on."""


def nothing_against(_grant: int, _order: Order) -> LedgerError | None:
    """Let every order pass."""
    return None


class Node:
    """One node's view of the chain, and its manners."""

    def __init__(self, name: str, chain: Blockchain) -> None:
        self.name = name
        self.chain = chain
        self.behind = 0
        """How many blocks its best one is below the chain's."""
        self.catches_up = 0
        """How many blocks it makes up for with each new one; 0 stays behind."""
        self.away: str | None = None
        """`refuses` or `hangs` while it cannot be asked."""
        self.forked_at: int | None = None
        """From this block on it follows a fork that nobody else has."""
        self.lies = False
        """In that fork nobody has a session: each ended there, and it gives events of it, too."""
        self._forged: dict[str, int] = {}
        """The blocks of its fork that it has named, by their hashes."""
        self.archive = False
        self.swallows = False
        """It is cut off from its peers: what its pool takes reaches nobody."""
        self.refuses: Refusal = nothing_against
        self.loses_answers = 0.0
        """The share of what it was sent that it takes, and whose sender hears nothing of it."""
        self.slow_s = 0.0
        self.mute_before = -1
        """Subscriptions numbered up to this one say nothing any more."""
        self.subscriptions = 0
        chain.on_block.append(self.catch_up)

    def catch_up(self, _block: Block) -> None:
        if self.behind and self.catches_up:
            self.behind = max(0, self.behind - self.catches_up)

    @property
    def height(self) -> int:
        """The number of its best block."""
        return max(0, self.chain.height - self.behind)

    @property
    def finalized(self) -> int:
        """The number of its last finalized block."""
        return max(0, min(self.chain.finalized, self.height - self.chain.final_lag))

    def block_at(self, number: int) -> Block:
        """Give the block of a number on its best chain. Raises BlockUnknown."""
        block = self.chain.blocks.get(self.chain.canonical[number])
        if block is None:
            raise BlockUnknown(f"number {number}")
        return block

    @property
    def is_syncing(self) -> bool:
        """Whether it says that it is catching up."""
        return self.behind > 0 and self.catches_up > 0

    def head_at(self, number: int) -> Head:
        """Give a header of its best chain; those are never pruned."""
        parent = self._name(number - 1) if number else "0x" + "00" * 32
        return Head(number=number, hash=self._name(number), parent_hash=parent)

    def head_of(self, name: str) -> Head:
        """Give a header by its hash; those are never pruned. Raises BlockUnknown."""
        if self.forked_at is not None and name in self._forged:
            return self.head_at(self._forged[name])
        head = self.chain.heads.get(name)
        if head is None or head.number > self.height:
            raise BlockUnknown(name)
        return head

    def hash_at(self, number: int) -> str | None:
        """Give the hash of its best chain's block of that number."""
        return self._name(number) if number <= self.height else None

    def _name(self, number: int) -> str:
        name = self.chain.canonical[number]
        if self.forked_at is None or number < self.forked_at:
            return name
        forged = "0x" + "f" * 32 + name[-32:]
        self._forged[forged] = number
        return forged

    def _lie(self, number: int) -> Block:
        """Give a block of its fork, which says of every session that it ended."""
        true, head = self.block_at(number), self.head_at(number)
        ledger = true.state().copy()
        closed = tuple(
            Event(
                pallet="PayStream",
                name="SessionClosed",
                fields={"grant": grant, "index": index, "seconds": 0, "paid": 0, "reason": "Order"},
                extrinsic_index=1,
            )
            for grant, index in sorted(ledger.sessions)
        )
        ledger.sessions.clear()
        for entry in ledger.grants.values():
            entry.open = []
        return replace(true, head=head, ledger=ledger, events=closed)

    def block(self, at: str | None) -> Block:
        """Give the block that a read is about. Raises BlockUnknown."""
        lies = self.lies and self.forked_at is not None
        if at is None:
            forged = lies and self.height >= (self.forked_at or 0)
            return self._lie(self.height) if forged else self.block_at(self.height)
        if lies and at in self._forged:
            return self._lie(self._forged[at])
        block = self.chain.blocks.get(at)
        if block is None or block.head.number > self.height:
            raise BlockUnknown(at)
        kept = BLOCKS_KEPT if self.archive else STATES_KEPT
        if block.head.number <= self.height - kept:
            raise BlockUnknown(at)
        return block

    @property
    def keeps_silent(self) -> bool:
        """Whether whoever asks it cannot learn what the chain does now."""
        is_muted = self.mute_before >= self.subscriptions
        is_apart = self.forked_at is not None
        return self.away is not None or self.behind > 0 or is_muted or is_apart

    def silence(self) -> None:
        """Let every subscription that there is die without a word."""
        self.mute_before = self.subscriptions

    async def reached(self) -> None:
        """Let a request get here. Raises NodeUnreachable."""
        if self.away == "hangs":
            await trio.sleep(HANGS_S)
            raise NodeUnreachable(self.name, "it does not answer")
        if self.slow_s:
            await trio.sleep(self.slow_s)
        else:
            await trio.lowlevel.checkpoint()
        if self.away is not None:
            raise NodeUnreachable(self.name, "it is switched off")

    def takes_transactions(self) -> None:
        """Look for room in the pool. Raises TransactionRefused."""
        if self.refuses is dropped:
            raise TransactionRefused("Dropped", "Dropped", "the node's pool is full")
        if self.refuses is stale:
            raise TransactionRefused("Stale", "Stale", "its nonce was used")

    async def answered(self, numbers: random.Random) -> None:
        """Let the answer to what was sent get back. Raises NodeUnreachable."""
        if self.loses_answers and numbers.random() < self.loses_answers:
            await trio.sleep(numbers.choice((0.0, HANGS_S)))
            raise NodeUnreachable(self.name, "its answer is lost")


class Endpoint:
    """What a relayer has of its nodes: the `Chain` of `offchain.relayer.chain`.

    With several nodes it is a load balancer's: subscriptions stay with one node, and each request
    goes to any.
    """

    genesis_hash = "0x" + "11" * 32
    chain = "Simulated"
    pallet_index = 10
    spec_name = "paystream"
    symbol = "UNIT"
    decimals = 12
    ss58_format = 42

    def __init__(
        self,
        nodes: list[Node],
        numbers: random.Random,
        on_order: OnOrder = unwatched,
    ) -> None:
        self.nodes = nodes
        self.ahead = 0
        """How many orders were refused for being ahead of the chain's clock."""
        self.calls = FakeCalls()
        self.dead = False
        """Its process has ended: nothing goes out, and nothing comes in."""
        self.asked = 0
        self.submissions = 0
        self._numbers = numbers
        self.endpoints: tuple[NodeStatus, ...] = ()
        self._on_order = on_order

    @property
    def spec_version(self) -> int:
        """The version of the runtime, which an upgrade raises."""
        return self.nodes[0].chain.spec_version

    @property
    def constants(self) -> Constants:
        """The pallet's constants."""
        return self.nodes[0].chain.constants

    @property
    def _chain(self) -> Blockchain:
        return self.nodes[0].chain

    async def _node(self) -> Node:
        if self.dead:
            await trio.sleep_forever()
        self.asked += 1
        node = self.nodes[0]
        if len(self.nodes) > 1:
            node = self._numbers.choice(self.nodes)
        await node.reached()
        if self.dead:
            await trio.sleep_forever()
        return node

    async def _at(self, at: str | None) -> model.Ledger:
        return (await self._node()).block(at).state()

    def move_on(self, why: str) -> None:
        """There is no other address."""

    # --- entries ---------------------------------------------------------------------------

    async def stream(self, stream: int, *, at: str | None = None) -> Stream | None:
        """Read a stream."""
        entry = (await self._at(at)).streams.get(stream)
        return None if entry is None else shown(Stream, entry)

    async def streams(self, *, at: str | None = None) -> dict[int, Stream]:
        """Read all streams."""
        entries = (await self._at(at)).streams
        return {number: shown(Stream, entry) for number, entry in entries.items()}

    async def vault(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int:
        """Read a vault's balance."""
        return (await self._at(at)).vault(address(account), asset)

    async def grant(self, grant: int, *, at: str | None = None) -> Grant | None:
        """Read a grant."""
        entry = (await self._at(at)).grants.get(grant)
        return None if entry is None else shown(Grant, entry)

    async def grants_of(self, account: str | bytes, *, at: str | None = None) -> dict[int, Grant]:
        """Read a viewer's grants."""
        viewer = address(account)
        entries = (await self._at(at)).grants
        return {
            number: shown(Grant, entry)
            for number, entry in entries.items()
            if entry.viewer == viewer
        }

    async def sessions_of(
        self, places: Sequence[tuple[int, int]], *, at: str | None = None
    ) -> dict[tuple[int, int], Session]:
        """Read some sessions; those that are not there are left out."""
        entries = (await self._at(at)).sessions
        return {place: shown(Session, entries[place]) for place in places if place in entries}

    async def open_sessions(self, *, at: str | None = None) -> list[tuple[int, int]]:
        """List (grant, index) of every open session."""
        return sorted((await self._at(at)).sessions)

    async def sessions(
        self, grant: int | None = None, *, at: str | None = None
    ) -> dict[tuple[int, int], Session]:
        """Read all sessions, or a grant's."""
        entries = (await self._at(at)).sessions
        return {
            place: shown(Session, entry)
            for place, entry in entries.items()
            if grant is None or place[0] == grant
        }

    async def session(self, grant: int, index: int, *, at: str | None = None) -> Session | None:
        """Read a session."""
        entry = (await self._at(at)).sessions.get((grant, index))
        return None if entry is None else shown(Session, entry)

    async def tables(self, names: Names, *, at: str | None = None) -> Tables:
        """Read many entries at once: from one node, in one call."""
        ledger, found = await self._at(at), Tables()
        tables: tuple[tuple[Any, Any, Any, Any], ...] = (
            (Session, names.sessions, found.sessions, ledger.sessions),
            (Grant, names.grants, found.grants, ledger.grants),
            (Stream, names.streams, found.streams, ledger.streams),
            (Subscription, names.subscriptions, found.subscriptions, ledger.subscriptions),
        )
        for kind, wanted, own, entries in tables:
            for name in sorted(wanted):
                own[name] = shown(kind, entries[name]) if name in entries else None
        found.vaults = {name: ledger.vault(*name) for name in names.vaults}
        return found

    async def balance(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int:
        """Read what an account has free."""
        return (await self._at(at)).accounts.balance(address(account), asset)

    async def funds(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> Funds:
        """Read what an account has free and held."""
        accounts, who = (await self._at(at)).accounts, address(account)
        held = accounts.held.get(who, 0) if asset is None else 0
        return Funds(free=accounts.balance(who, asset), held=held)

    async def fee(self, call: bytes, account: str | bytes) -> Fee:
        """Tell what a call costs: nothing here."""
        await self._node()
        return Fee(partial_fee=0, ref_time_ps=1, proof_size_bytes=1, dispatch_class="Normal")

    async def currency(self, asset: Asset = NATIVE, *, at: str | None = None) -> Currency:
        """Tell how an asset is written."""
        minimum = (await self._at(at)).accounts.minimum(asset)
        return Currency(asset=asset, symbol=self.symbol, decimals=self.decimals, minimum=minimum)

    async def asset_entry(self, asset: Asset, *, at: str | None = None) -> AssetEntry | None:
        """Read what the ledger holds of an asset."""
        entry = (await self._at(at)).asset_entries.get(asset)
        return None if entry is None else shown(AssetEntry, entry)

    async def tiers(self, stream: int, *, at: str | None = None) -> tuple[Tier, ...]:
        """Read the subscriptions that a stream offers."""
        offered = (await self._at(at)).tiers.get(stream, ())
        return tuple(Tier(**tier._asdict()) for tier in offered)

    async def subscription(
        self, stream: int, account: str | bytes, *, at: str | None = None
    ) -> Subscription | None:
        """Read a viewer's subscription."""
        entry = (await self._at(at)).subscriptions.get((stream, address(account)))
        return None if entry is None else shown(Subscription, entry)

    # --- blocks ----------------------------------------------------------------------------

    async def clock(self, *, at: str | None = None) -> Clock:
        """Read the ledger's clock at a block."""
        block = (await self._node()).block(at)
        return Clock(now_ms=block.now_ms, halted_ms=block.halted_ms)

    async def best_head(self) -> Head:
        """Read the best block's header."""
        node = await self._node()
        return node.head_at(node.height)

    async def finalized_head(self) -> Head:
        """Read the last finalized block's header."""
        node = await self._node()
        return node.head_at(node.finalized)

    async def is_syncing(self) -> bool:
        """Tell whether the node says that it is catching up."""
        return (await self._node()).is_syncing

    async def head(self, block_hash: str) -> Head:
        """Read a block's header. Raises BlockUnknown."""
        return (await self._node()).head_of(block_hash)

    async def block_hash(self, number: int) -> str | None:
        """Give the hash of the best chain's block of that number."""
        return (await self._node()).hash_at(number)

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        """Read a block's events. Raises BlockUnknown where its state is pruned."""
        return (await self._node()).block(block_hash).events

    @asynccontextmanager
    async def heads(self, kind: str) -> AsyncIterator[AsyncIterator[Head]]:
        """Follow best or finalized heads, through the node's absences."""
        node = await self._node()
        if len(self.nodes) > 1:
            node = self.nodes[0]
        node.subscriptions += 1
        follow = self._best_heads if kind == "best" else self._finalized_heads
        heads = follow(node, node.subscriptions)
        try:
            yield heads
        finally:
            await heads.aclose()

    def _is_deaf(self, node: Node, number: int) -> bool:
        return self.dead or node.away is not None or number <= node.mute_before

    async def _best_heads(self, node: Node, number: int) -> AsyncGenerator[Head, None]:
        last = ""
        while True:
            grown = self._chain.grown
            if not self._is_deaf(node, number):
                head = node.head_at(node.height)
                if head.hash != last:
                    last = head.hash
                    yield head
            await grown.wait()

    async def _finalized_heads(self, node: Node, number: int) -> AsyncGenerator[Head, None]:
        last = -1
        while True:
            grown = self._chain.grown
            if not self._is_deaf(node, number):
                first = node.finalized if last < 0 else last + 1
                for height in range(first, node.finalized + 1):
                    last = height
                    yield node.head_at(height)
            await grown.wait()

    # --- orders ----------------------------------------------------------------------------

    async def submit_order(
        self, grant: int, order: Order, signature: bytes, *, scheme: str = "sr25519"
    ) -> str:
        """Hand an order to a node's pool. Raises OrderRefused and NodeUnreachable."""
        if not self.dead:
            self._on_order(grant, order)
        node = await self._node()
        self.submissions += 1
        refused = node.refuses(grant, order)
        if refused is not None:
            raise refused
        block = node.block(None)
        given = SignedOrder(grant=grant, order=order, signature=signature, scheme=scheme)
        signed.check_order(self, block.state().grants, given)
        errors = self._chain.refusals(block, grant, order)
        self.ahead += "AheadOfClock" in errors
        if errors:
            raise refused_as(errors)
        priority = self._chain.priority(block, grant, order)
        if not node.swallows and not self._chain.take(grant, order, priority):
            raise Superseded("Superseded", "Superseded", "the same or a higher total waits")
        await node.answered(self._numbers)
        return "0x" + "22" * 32

    async def submit_batch(
        self,
        signer: Signer,
        orders: Sequence[SignedOrder],
        *,
        wait: str = "in_block",
        timeout_s: float = 120.0,
    ) -> BatchResult:
        """Send orders in one transaction. Raises TransactionRefused, NotIncluded."""
        for each in orders if not self.dead else ():
            self._on_order(each.grant, each.order)

        def change(ledger: model.Ledger) -> list[Event]:
            return happened(ledger.submit_batch([self._verified(ledger, each) for each in orders]))

        named = [(each.grant, each.order) for each in orders]
        receipt = await self._sent(change, named, timeout_s)
        done = receipt.event("BatchDone").fields
        failures = {
            (event.fields["grant"], event.fields["index"]): failure(event.fields["error"])
            for event in receipt.events
            if event.name == "OrderFailed"
        }
        return BatchResult(
            receipt=receipt, counted=done["counted"], free=done["free"], failures=failures
        )

    def _verified(self, ledger: model.Ledger, order: SignedOrder) -> model.SignedOrder:
        return signed.attributed(self, ledger.grants, order, order_of(order.order))

    async def settle(self, grant: int, index: int, *, wait: str = "in_block") -> Receipt:
        """Close a session whose window is over. Raises DispatchFailed, as a batch else."""
        return await self._sent(lambda ledger: happened(ledger.settle(grant, index, signed=False)))

    async def _sent(
        self,
        call: Callable[[model.Ledger], list[Event]],
        orders: Sequence[tuple[int, Order]] = (),
        timeout_s: float = FOLLOWED_S,
    ) -> Receipt:
        """Send a transaction that is good for its era, and follow it to its block."""
        node = await self._node()
        node.takes_transactions()
        until = node.height + ERA_BLOCKS
        if node.swallows:
            await trio.sleep(timeout_s)
            raise NotIncluded("0x" + "33" * 32, "no answer in time", "sending again is harmless")
        block, events = await self._chain.sent(
            call, orders=orders, until=until, timeout_s=timeout_s
        )
        await node.answered(self._numbers)
        return _receipt(block, events)

    # --- wallets ---------------------------------------------------------------------------

    async def signer_payload(self, account: str, call: bytes, *, tip: int = 0) -> SignedPayload:
        """Compose what a wallet is to sign; the signature covers the call, birth and version."""
        node = await self._node()
        json = {
            "address": account,
            "method": "0x" + call.hex(),
            "blockNumber": hex(node.height),
            "specVersion": hex(self.spec_version),
        }
        return SignedPayload(account=account, json=json, message=call, call=call, extension=b"")

    async def submit_wallet_signed(
        self,
        payload: SignedPayload,
        signature: str,
        *,
        wait: str = "in_block",
        timeout_s: float = 120.0,
        try_first: bool = True,
    ) -> Receipt:
        """Send what a wallet has signed, and wait for its block."""
        node = await self._node()
        signed.check_wallet(payload, signature)
        birth, version = (int(payload.json[name], 16) for name in ("blockNumber", "specVersion"))
        if version != self.spec_version:
            raise TransactionRefused("BadProof", "BadProof", "it is for another runtime")
        if node.height >= birth + ERA_BLOCKS:
            raise TransactionRefused("AncientBirthBlock", "AncientBirthBlock", "too long ago")
        if node.swallows:
            await trio.sleep(timeout_s)
            raise NodeUnreachable(node.name, "the transaction is lost")
        return await self._included(lambda ledger: _signed_call(ledger, payload))

    async def _included(self, call: Callable[[model.Ledger], list[Event]]) -> Receipt:
        return _receipt(*await self._chain.included(call))

    async def finalized(self, receipt: Receipt, *, timeout_s: float = 120.0) -> Receipt:
        """Wait until a block is final."""
        while self._chain.finalized < receipt.block_number:
            await self._chain.grown.wait()
        return receipt


class Addresses(Endpoint):
    """A relayer's end of several nodes, each with its address: one is in use at a time.

    It does as the client does with its `offchain.ledger.endpoints`, but for the network: what is
    away leads to the next, each is asked before it is used, and a preferred one is come back to.
    """

    def __init__(
        self,
        nodes: list[Node],
        numbers: random.Random,
        admit: Admit,
        on_order: OnOrder = unwatched,
    ) -> None:
        super().__init__(nodes, numbers, on_order)
        self.moves = 0
        self._known = Endpoints([f"ws://{node.name}" for node in nodes])
        self._by_name = {each.name: node for each, node in zip(self._known.all, nodes, strict=True)}
        self._admit = admit
        self._turn = trio.Lock()
        self._looked_at = 0.0
        self._next_at = 0.0
        """When the next address is tried, while none is in use."""

    def move_on(self, why: str) -> None:
        """Leave the node in use."""
        if self._known.current is not None:
            self._leave("left", why)

    def _leave(self, trouble: Trouble, why: str) -> None:
        assert self._known.current is not None
        self._fails(self._known.current, trouble, why)

    def _fails(self, endpoint: Known, trouble: Trouble, why: str) -> None:
        now = trio.current_time()
        self._known.fail(endpoint, trouble, why, now)
        self.endpoints = self._known.statuses()
        self._next_at = now + self._known.choose(now)[1]

    async def _node(self) -> Node:
        if self.dead:
            await trio.sleep_forever()
        async with self._turn:
            node = await self._in_use()
        self.asked += 1
        await node.reached()
        if self.dead:
            await trio.sleep_forever()
        return node

    async def _in_use(self) -> Node:
        """Give the node in use, or the next that is to be believed. Raises NodeUnreachable."""
        current = self._known.current
        if current is not None and self._by_name[current.name].away == "refuses":
            self._leave("unreachable", "it is switched off")
        elif current is not None and trio.current_time() - self._looked_at < RETURN_EVERY_S:
            return self._by_name[current.name]
        self._looked_at = trio.current_time()
        current = self._known.current
        if current is None:
            return await self._next()
        for each in self._known.better(trio.current_time()):
            if await self._is_fit(each):
                return self._use(each)
        return self._by_name[current.name]

    async def _next(self) -> Node:
        """Take the next address that is fit, where its turn has come. Raises NodeUnreachable."""
        while trio.current_time() >= self._next_at:
            endpoint, _ = self._known.choose(trio.current_time())
            if await self._is_fit(endpoint):
                return self._use(endpoint)
        raise NodeUnreachable("the nodes", "none can be used")

    def _use(self, endpoint: Known) -> Node:
        self.moves += 1
        self._known.use(endpoint, trio.current_time())
        self.endpoints = self._known.statuses()
        return self._by_name[endpoint.name]

    async def _is_fit(self, endpoint: Known) -> bool:
        try:
            await self._admit(_Asked(self._by_name[endpoint.name], self.genesis_hash))
        except NodeNotBelieved as error:
            self._fails(endpoint, "refused", str(error))
        except LedgerError as error:
            self._fails(endpoint, "unreachable", str(error))
        else:
            return True
        return False

    @asynccontextmanager
    async def heads(self, kind: str) -> AsyncIterator[AsyncIterator[Head]]:
        """Follow heads at whichever node is in use: a subscription is made anew at each."""
        await self._node()
        heads = self._heads_of_all(kind)
        try:
            yield heads
        finally:
            await heads.aclose()

    async def _heads_of_all(self, kind: str) -> AsyncGenerator[Head, None]:
        node, number, last = None, 0, -1
        name = ""
        while True:
            grown = self._chain.grown
            current = self._known.current
            used = None if current is None else self._by_name[current.name]
            if used is not None and (used is not node or used.away is not None):
                node, name = used, ""
                node.subscriptions += used.away is None
                number = node.subscriptions
            if node is not None and used is node and not self._is_deaf(node, number):
                if kind == "best":
                    head = node.head_at(node.height)
                    if head.hash != name:
                        name = head.hash
                        yield head
                else:
                    for height in range(
                        last + 1 if last >= 0 else node.finalized, node.finalized + 1
                    ):
                        last = height
                        yield node.head_at(height)
            await grown.wait()


class _Asked:
    """One node, asked before it is used."""

    def __init__(self, node: Node, genesis_hash: str) -> None:
        self._node = node
        self._genesis_hash = genesis_hash

    async def genesis_hash(self) -> str | None:
        await self._node.reached()
        return self._genesis_hash

    async def is_syncing(self) -> bool:
        await self._node.reached()
        return self._node.is_syncing

    async def best_head(self) -> Head:
        await self._node.reached()
        return self._node.head_at(self._node.height)

    async def block_hash(self, number: int) -> str | None:
        await self._node.reached()
        return self._node.hash_at(number)


def _receipt(block: Block, events: Sequence[Event]) -> Receipt:
    return Receipt(
        tx_hash="0x" + "33" * 32,
        block_hash=block.head.hash,
        block_number=block.head.number,
        extrinsic_index=2,
        events=tuple(events),
    )


def _signed_call(ledger: model.Ledger, payload: SignedPayload) -> list[Event]:
    """Do what a wallet has signed; a batch that fails leaves nothing behind."""
    _wallet_call(ledger.copy(), payload)
    return _wallet_call(ledger, payload)


def stale(grant: int, order: Order) -> LedgerError | None:
    """Refuse every order as one that the ledger has."""
    return Replayed("OrderStale", "OrderStale", "a rule says no")


def dropped(grant: int, order: Order) -> LedgerError | None:
    """Refuse every order for want of room, as a full pool does (1016)."""
    return OrderRefused("Dropped", "Dropped", "the node's pool is full")


__all__ = ["Addresses", "DispatchFailed", "Endpoint", "Node", "dropped", "nothing_against", "stale"]
