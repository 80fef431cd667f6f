"""What the relayer needs of a chain, and what it knows of it: the best block's view.

`ChainView` holds the entries that open sessions rest on, as of the best block. It reads again only
what a block's events have touched, and everything after a reorganisation or a gap. `Chain` is the
part of `offchain.ledger.client.Ledger` that is used; tests put an in-memory one in its place.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeVar

import trio

from offchain.keys.signer import Signer
from offchain.ledger.errors import LedgerError, NodeUnreachable
from offchain.ledger.orders import Order, SignedOrder
from offchain.ledger.types import (
    NATIVE,
    Asset,
    AssetEntry,
    BatchResult,
    Constants,
    Currency,
    DelegateKey,
    Event,
    Fee,
    Funds,
    Grant,
    Head,
    HeadKind,
    Receipt,
    Session,
    SignedPayload,
    Stream,
    Subscription,
    Terms,
    Tier,
    Wait,
)
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.chain")

REQUEST_TIMEOUT_S: Final = 8.0
READS_AT_ONCE: Final = 32
RETRY_S: Final = 1.0
SILENT_AFTER_S: Final = 10.0
"""Without a best block for so long, nobody new is admitted."""
_T = TypeVar("_T")
_K = TypeVar("_K")
_V = TypeVar("_V")


class WalletCalls(Protocol):
    """The calls that a wallet may be asked to sign; see `offchain.ledger.calls.Calls`."""

    def deposit_and_grant(
        self, amount: int, key: DelegateKey, proof: bytes, terms: Terms
    ) -> bytes: ...
    def grant(self, key: DelegateKey, proof: bytes, terms: Terms) -> bytes: ...
    def deposit(self, amount: int, asset: Asset = NATIVE) -> bytes: ...
    def withdraw(self, amount: int, asset: Asset = NATIVE) -> bytes: ...
    def revoke(self, grant: int) -> bytes: ...
    def create_stream(self, *, rate_per_second: int, asset: Asset = NATIVE) -> bytes: ...
    def claim(self, stream: int) -> bytes: ...


class Chain(Protocol):
    """The part of the ledger client that the relayer uses; see `Ledger` for each method."""

    @property
    def genesis_hash(self) -> str: ...
    @property
    def pallet_index(self) -> int: ...
    @property
    def spec_name(self) -> str: ...
    @property
    def spec_version(self) -> int: ...
    @property
    def constants(self) -> Constants: ...
    @property
    def calls(self) -> WalletCalls: ...
    @property
    def symbol(self) -> str: ...
    @property
    def decimals(self) -> int: ...

    async def stream(self, stream: int, *, at: str | None = None) -> Stream | None: ...
    async def streams(self, *, at: str | None = None) -> dict[int, Stream]: ...
    async def vault(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int: ...
    async def grant(self, grant: int, *, at: str | None = None) -> Grant | None: ...
    async def grants_of(
        self, account: str | bytes, *, at: str | None = None
    ) -> dict[int, Grant]: ...
    async def balance(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> int: ...
    async def funds(
        self, account: str | bytes, *, asset: Asset = NATIVE, at: str | None = None
    ) -> Funds: ...
    async def fee(self, call: bytes, account: str | bytes) -> Fee: ...
    async def currency(self, asset: Asset = NATIVE, *, at: str | None = None) -> Currency: ...
    async def asset_entry(self, asset: Asset, *, at: str | None = None) -> AssetEntry | None: ...
    async def tiers(self, stream: int, *, at: str | None = None) -> tuple[Tier, ...]: ...
    async def subscription(
        self, stream: int, account: str | bytes, *, at: str | None = None
    ) -> Subscription | None: ...
    async def now_ms(self, *, at: str | None = None) -> int: ...
    async def best_head(self) -> Head: ...
    async def finalized_head(self) -> Head: ...
    async def block_hash(self, number: int) -> str | None: ...
    def heads(self, kind: HeadKind) -> AbstractAsyncContextManager[AsyncIterator[Head]]: ...
    async def events(self, block_hash: str) -> tuple[Event, ...]: ...
    async def submit_order(
        self, grant: int, order: Order, signature: bytes, *, scheme: str = "sr25519"
    ) -> str: ...
    async def submit_batch(
        self,
        signer: Signer,
        orders: Sequence[SignedOrder],
        *,
        wait: Wait = "in_block",
        timeout_s: float = 120.0,
    ) -> BatchResult: ...
    async def sessions_of(
        self, places: Sequence[tuple[int, int]], *, at: str | None = None
    ) -> dict[tuple[int, int], Session]: ...
    async def signer_payload(self, account: str, call: bytes, *, tip: int = 0) -> SignedPayload: ...
    @property
    def chain(self) -> str: ...
    @property
    def ss58_format(self) -> int: ...
    async def finalized(self, receipt: Receipt, *, timeout_s: float = 120.0) -> Receipt: ...
    async def submit_wallet_signed(
        self,
        payload: SignedPayload,
        signature: str,
        *,
        wait: Wait = "in_block",
        timeout_s: float = 120.0,
    ) -> Receipt: ...


async def bounded(request: Awaitable[_T], seconds: float = REQUEST_TIMEOUT_S) -> _T:
    """Await one request to the node, but not for ever. Raises NodeUnreachable."""
    with trio.move_on_after(seconds):
        return await request
    raise NodeUnreachable("the chain", f"nothing came within {seconds:g} s")


class Interest:
    """Which entries open sessions rest on."""

    def __init__(self) -> None:
        self.sessions: set[SessionRef] = set()
        self.grants: set[int] = set()
        self.streams: set[int] = set()
        self.vaults: set[tuple[str, Asset]] = set()
        self.subscriptions: set[tuple[int, str]] = set()
        """By stream and viewer."""


class ChainView:
    """The entries of interest as of the best block. `None` in a table: the ledger has none."""

    def __init__(self, chain: Chain, interest: Callable[[], Interest]) -> None:
        self.chain = chain
        self._interest = interest
        self.best: Head | None = None
        self.best_ms = 0
        self.finalized: Head | None = None
        self.seen_at = -1e9
        self.reachable = False
        self.sessions: dict[SessionRef, Session | None] = {}
        self.grants: dict[int, Grant | None] = {}
        self.streams: dict[int, Stream | None] = {}
        self.vaults: dict[tuple[str, Asset], int] = {}
        self.subscriptions: dict[tuple[int, str], Subscription | None] = {}
        self._events: dict[str, tuple[Event, ...]] = {}
        self._reading = trio.Lock()

    @property
    def silent_s(self) -> float:
        """For how long no best block has come."""
        return trio.current_time() - self.seen_at

    @property
    def usable(self) -> bool:
        """Whether the view is fresh enough to admit by."""
        return self.reachable and self.best is not None and self.silent_s < SILENT_AFTER_S

    def estimated_ms(self) -> int:
        """Guess the chain's clock: the best block's timestamp and the time since it came."""
        return self.best_ms + max(0, int(self.silent_s * 1000)) if self.best else 0

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        """Give a block's events; the last blocks' are kept."""
        if block_hash not in self._events:
            events = await bounded(self.chain.events(block_hash))
            while len(self._events) >= 64:
                del self._events[next(iter(self._events))]
            self._events[block_hash] = events
        return self._events[block_hash]

    async def advance(self, head: Head) -> None:
        """Move to a best block. Raises LedgerError, and then nothing has moved."""
        async with self._reading:
            await self._advance(head)

    async def _advance(self, head: Head) -> None:
        now_ms = await bounded(self.chain.now_ms(at=head.hash))
        wanted = self._interest()
        if self.best is not None and head.parent_hash == self.best.hash:
            wanted = self._touched(await self.events(head.hash), wanted)
        await self._read(wanted, head.hash)
        self.best, self.best_ms = head, now_ms
        self.seen_at = trio.current_time()
        self.reachable = True
        self._forget()

    async def refresh(self, wanted: Interest) -> None:
        """Read entries at the best block now. Raises LedgerError."""
        async with self._reading:
            await self._read(wanted, self.best.hash if self.best else None)

    def _touched(self, events: tuple[Event, ...], interest: Interest) -> Interest:
        touched = Interest()
        accounts: set[str] = set()
        for event in events:
            if event.pallet != "PayStream":
                continue
            fields = event.fields
            grant, index = fields.get("grant"), fields.get("index")
            if grant is not None and index is not None:
                touched.sessions.add(SessionRef(grant, index))
            if grant is not None and event.name != "Ticked":
                touched.grants.add(grant)
                touched.sessions |= {ref for ref in interest.sessions if ref.grant == grant}
                known = self.grants.get(grant)
                if known is not None:
                    accounts.add(known.viewer)
            if event.name.startswith("Stream"):
                touched.streams.add(fields["stream"])
            accounts |= {fields[name] for name in ("who", "payee", "viewer") if name in fields}
            if event.name.startswith("Subscri"):
                viewer = fields["viewer"]
                touched.subscriptions.add((fields["stream"], viewer))
                # a renewal is an order, and its grant counts it: both are read at one block
                touched.grants |= {
                    number
                    for number, entry in self.grants.items()
                    if entry is not None and entry.viewer == viewer
                }
        # what is wanted and not known yet is read as well
        touched.sessions |= interest.sessions - self.sessions.keys()
        touched.grants |= interest.grants - self.grants.keys()
        touched.streams |= interest.streams - self.streams.keys()
        touched.vaults = {vault for vault in interest.vaults if vault[0] in accounts}
        touched.vaults |= interest.vaults - self.vaults.keys()
        touched.subscriptions |= interest.subscriptions - self.subscriptions.keys()
        touched.sessions &= interest.sessions
        touched.grants &= interest.grants
        touched.streams &= interest.streams
        touched.subscriptions &= interest.subscriptions
        return touched

    async def _read(self, wanted: Interest, at: str | None) -> None:
        sessions: dict[SessionRef, Session | None] = {}
        grants: dict[int, Grant | None] = {}
        streams: dict[int, Stream | None] = {}
        vaults: dict[tuple[str, Asset], int] = {}
        subscriptions: dict[tuple[int, str], Subscription | None] = {}

        async def session_entries() -> None:
            places = [(ref.grant, ref.index) for ref in wanted.sessions]
            found = await bounded(self.chain.sessions_of(places, at=at))
            for ref in wanted.sessions:
                sessions[ref] = found.get((ref.grant, ref.index))

        async def grant(number: int) -> None:
            grants[number] = await bounded(self.chain.grant(number, at=at))

        async def stream(number: int) -> None:
            streams[number] = await bounded(self.chain.stream(number, at=at))

        async def vault(account: str, asset: Asset) -> None:
            balance = await bounded(self.chain.vault(account, asset=asset, at=at))
            vaults[account, asset] = balance

        async def subscription(number: int, viewer: str) -> None:
            found = await bounded(self.chain.subscription(number, viewer, at=at))
            subscriptions[number, viewer] = found

        reads: list[Callable[[], Awaitable[None]]] = []
        if wanted.sessions:
            reads.append(session_entries)
        reads += [functools.partial(grant, number) for number in wanted.grants]
        reads += [functools.partial(stream, number) for number in wanted.streams]
        reads += [functools.partial(vault, *place) for place in wanted.vaults]
        reads += [functools.partial(subscription, *place) for place in wanted.subscriptions]
        await _all(reads)
        self.sessions |= sessions
        self.grants |= grants
        self.streams |= streams
        self.vaults |= vaults
        self.subscriptions |= subscriptions

    def _forget(self) -> None:
        interest = self._interest()
        _keep(self.sessions, interest.sessions)
        _keep(self.grants, interest.grants)
        _keep(self.streams, interest.streams)
        _keep(self.vaults, interest.vaults)
        _keep(self.subscriptions, interest.subscriptions)


async def _all(reads: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Read many entries, some at a time. Raises the first LedgerError."""
    limit = trio.Semaphore(READS_AT_ONCE)
    failures: list[LedgerError] = []

    async def one(read: Callable[[], Awaitable[None]]) -> None:
        async with limit:
            if failures:
                return
            try:
                await read()
            except LedgerError as error:
                failures.append(error)

    async with trio.open_nursery() as nursery:
        for read in reads:
            nursery.start_soon(one, read)
    if failures:
        raise failures[0]


def _keep(table: dict[_K, _V], kept: set[_K]) -> None:
    for key in table.keys() - kept:
        del table[key]
