"""What the relayer needs of a chain, and what it knows of it: the best block's view.

`ChainView` holds the entries that open sessions rest on, as of the best block. It reads again only
what a block's events have touched, and everything after a reorganisation or a gap. `Chain` is the
part of `offchain.ledger.client.Ledger` that is used; tests put an in-memory one in its place.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, TypeVar

import msgspec
import trio

from offchain.keys.signer import Signer
from offchain.ledger.endpoints import NodeStatus
from offchain.ledger.errors import NodeUnreachable
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
from offchain.relayer.belief import Belief
from offchain.relayer.cadence import ended_at
from offchain.relayer.interest import Interest, Wanted
from offchain.relayer.life import Entries
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.chain")

REQUEST_TIMEOUT_S: Final = 8.0
READ_TOGETHER: Final = 4_096
"""So many entries are asked for before the next are."""
RETRY_S: Final = 1.0
SILENT_AFTER_S: Final = 10.0
"""Without a best block for so long, nobody new is admitted."""
_T = TypeVar("_T")


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

    @property
    def endpoints(self) -> Sequence[NodeStatus]: ...
    def move_on(self, why: str) -> None: ...

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
    async def clock(self, *, at: str | None = None) -> Clock: ...
    async def best_head(self) -> Head: ...
    async def finalized_head(self) -> Head: ...
    async def is_syncing(self) -> bool: ...
    async def head(self, block_hash: str) -> Head: ...
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
    async def open_sessions(self, *, at: str | None = None) -> list[tuple[int, int]]: ...
    async def tables(self, names: Names, *, at: str | None = None) -> Tables: ...
    async def settle(self, grant: int, index: int, *, wait: Wait = "in_block") -> Receipt: ...
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
        try_first: bool = True,
    ) -> Receipt: ...


async def bounded(request: Awaitable[_T], seconds: float = REQUEST_TIMEOUT_S) -> _T:
    """Await one request to the node, but not for ever. Raises NodeUnreachable."""
    with trio.move_on_after(seconds):
        return await request
    raise NodeUnreachable("the chain", f"nothing came within {seconds:g} s")


class ChainView:
    """The entries of interest as of the best block. `None` in a table: the ledger has none."""

    def __init__(self, chain: Chain, wanted: Wanted, belief: Belief) -> None:
        self.chain = chain
        self.wanted = wanted
        self.changed: dict[SessionRef, None] = {}
        """Sessions that rest on entries that were read, until somebody takes note of them."""
        self.best: Head | None = None
        self.best_ms = 0
        """What the ledger's clock shows at the best block."""
        self.halted_ms = 0
        """How far it is behind that block's timestamp, because the chain stood still."""
        self.finalized: Head | None = None
        self.seen_at = -1e9
        self.reachable = False
        self.why: str | None = None
        """What came of the node instead of a best block; None while one is followed."""
        self.sessions: dict[SessionRef, Session | None] = {}
        self.grants: dict[int, Grant | None] = {}
        self.streams: dict[int, Stream | None] = {}
        self.vaults: dict[tuple[str, Asset], int] = {}
        self.subscriptions: dict[tuple[int, str], Subscription | None] = {}
        self._reading = trio.Lock()
        self.closed_with: dict[SessionRef, int] = {}
        """The totals with which sessions were closed, by the best blocks' events."""
        self.belief = belief
        self._asked = _Asked(self)

    @property
    def best_number(self) -> int:
        """The best block's number; 0 before there is one."""
        return self.best.number if self.best is not None else 0

    @property
    def silent_s(self) -> float:
        """For how long no best block has come."""
        return trio.current_time() - self.seen_at

    @property
    def usable(self) -> bool:
        """Whether the view is fresh enough to admit by."""
        return self.reachable and self.best is not None and self.silent_s < SILENT_AFTER_S

    @property
    def silent_ms(self) -> int:
        """For how long no best block has come, and never below zero."""
        return max(0, int(self.silent_s * 1000))

    @property
    def best_time_ms(self) -> int:
        """The best block's timestamp."""
        return self.best_ms + self.halted_ms

    def estimated_ms(self) -> int:
        """Guess the ledger's clock in the next block: it moves by so much at the most."""
        moves_ms = min(self.silent_ms, self.chain.constants.block_gap_max_ms)
        return self.best_ms + moves_ms if self.best else 0

    def estimated_time_ms(self) -> int:
        """Guess the chain's clock: the best block's timestamp and the time since it came."""
        return self.best_time_ms + self.silent_ms if self.best else 0

    async def events(self, block_hash: str) -> tuple[Event, ...]:
        """Give a block's events; the client keeps the last blocks'."""
        return await bounded(self.chain.events(block_hash))

    async def advance(self, head: Head) -> None:
        """Move to a best block. Raises LedgerError, and then nothing has moved."""
        async with self._reading:
            await self._advance(head)

    async def _advance(self, head: Head) -> None:
        await self.check(head)
        clock = await bounded(self.chain.clock(at=head.hash))
        if self.best is not None and head.parent_hash == self.best.hash:
            names = self._touched(await self.events(head.hash))
        else:
            names = self.wanted.everything()
        await self._read(names, head.hash)
        self.best, self.best_ms, self.halted_ms = head, clock.now_ms, clock.halted_ms
        self.seen_at = trio.current_time()
        self.reachable = True
        self.why = None
        self._forget()

    async def check(self, head: Head) -> None:
        """Refuse a node that is not to be believed. Raises NodeNotBelieved, LedgerError."""
        await self.belief.follow(self._asked, head)

    async def trail(self, head: Head, down_to: int) -> dict[int, str]:
        """Name the finalized blocks above `down_to`, up to `head`: see `Belief.trail`.

        Raises NodeDisagrees, LedgerError.
        """
        return await self.belief.trail(self._asked, head, down_to)

    def believe(self, head: Head) -> None:
        """Note a finalized block that was read."""
        self.belief.note(head)
        self.finalized = head

    # --- facts ---------------------------------------------------------------------------

    def entries(self, ref: SessionRef) -> Entries | None:
        """Give what the best block says of a session; None while that has not been read."""
        if self.best is None or ref not in self.sessions or ref.grant not in self.grants:
            return None
        return _entries(
            self.best.number,
            final=False,
            grant=self.grants[ref.grant],
            session=self.sessions[ref],
            now_ms=self.best_ms,
            stops=self.stops(self.sessions[ref]),
        )

    def forget(self, ref: SessionRef) -> None:
        """Read a session's entries anew with the next block."""
        self.sessions.pop(ref, None)
        self.grants.pop(ref.grant, None)
        self.wanted.unread.sessions.add((ref.grant, ref.index))
        self.wanted.unread.grants.add(ref.grant)

    def is_gone(self, ref: SessionRef) -> bool:
        """Tell whether the best block has had a session and has it no more."""
        entries = self.entries(ref)
        if entries is None or entries.next_index is None or entries.has_entry:
            return False
        return ref.index < entries.next_index and ref.index not in entries.open

    def stops(self, session: Session | None) -> tuple[int, ...]:
        """Give when the stream of a session has paused or ended."""
        stream = self.streams.get(session.stream) if session is not None else None
        return stream.stops if stream is not None else ()

    async def entries_at(self, head: Head, refs: Sequence[SessionRef]) -> dict[SessionRef, Entries]:
        """Read what a finalized block says of some sessions. Raises LedgerError."""
        names = Interest()
        names.sessions = {(ref.grant, ref.index) for ref in refs}
        names.grants = {ref.grant for ref in refs}
        tables = await self._tables(names, head.hash)
        clock = await bounded(self.chain.clock(at=head.hash))
        return {
            ref: _entries(
                head.number,
                final=True,
                grant=tables.grants[ref.grant],
                session=tables.sessions[ref.grant, ref.index],
                now_ms=clock.now_ms,
            )
            for ref in refs
        }

    async def refresh(self, names: Interest) -> None:
        """Read entries at the best block now. Raises LedgerError."""
        async with self._reading:
            await self._read(names, self.best.hash if self.best else None)

    async def foresee(self, names: Interest) -> None:
        """Read entries of sessions that are about to be taken in. Raises LedgerError."""
        async with self._reading:
            found = await self._tables(names, self.best.hash if self.best else None)
            for kind in Names.__slots__:
                for name, entry in getattr(found, kind).items():
                    self._keep(kind, name, entry)

    def _touched(self, events: tuple[Event, ...]) -> Interest:
        """Name what a block's events have changed, of what is wanted, and what was never read."""
        touched, wanted = Interest(), self.wanted
        for kind in Names.__slots__:
            getattr(touched, kind).update(getattr(wanted.unread, kind))
        accounts: set[str] = set()
        for event in events:
            if event.pallet != "PayStream":
                continue
            fields = event.fields
            grant, index = fields.get("grant"), fields.get("index")
            if grant is not None and index is not None:
                touched.sessions.add((grant, index))
                if event.name == "SessionClosed" and wanted.wants("sessions", (grant, index)):
                    self.closed_with[SessionRef(grant, index)] = fields["seconds"]
            if event.name == "Ticked":
                continue
            if grant is not None:
                touched.grants.add(grant)
                touched.sessions.update(
                    (ref.grant, ref.index) for ref in wanted.by_grant.get(grant, ())
                )
                known = self.grants.get(grant)
                if known is not None:
                    accounts.add(known.viewer)
            if event.name.startswith("Stream"):
                touched.streams.add(fields["stream"])
            accounts.update(fields[name] for name in ("who", "payee", "viewer") if name in fields)
            if event.name.startswith("Subscri"):
                viewer = fields["viewer"]
                touched.subscriptions.add((fields["stream"], viewer))
                # a renewal is an order, and its grant counts it: both are read at one block
                touched.grants.update(ref.grant for ref in wanted.by_viewer.get(viewer, ()))
        touched.vaults.update(place for who in accounts for place in wanted.vaults_of(who))
        return wanted.of(touched)

    async def _read(self, names: Interest, at: str | None) -> None:
        """Read entries and take them over, if they are still wanted then."""
        found, wanted = await self._tables(names, at), self.wanted
        for kind in Names.__slots__:
            unread: set[Any] = getattr(wanted.unread, kind)
            for name, entry in getattr(found, kind).items():
                unread.discard(name)
                if not wanted.wants(kind, name):
                    continue
                if kind != "streams" or _stands_otherwise(self.streams.get(name), entry):
                    self.changed.update(dict.fromkeys(wanted.resting_on(kind, name)))
                self._keep(kind, name, entry)
            if not unread:
                unread.clear()  # an empty set still has the room that it once needed

    def _keep(self, kind: str, name: Any, entry: Any) -> None:
        if kind == "sessions":
            ref = self.wanted.ref(*name)
            self.sessions[ref] = _sharing(entry, self.grants.get(ref.grant))
        else:
            own: dict[Any, Any] = getattr(self, kind)
            own[name] = entry

    async def _tables(self, names: Interest, at: str | None) -> Tables:
        found = Tables()
        for part in names.parts(READ_TOGETHER):
            found.update(await bounded(self.chain.tables(part, at=at)))
        return found

    def _forget(self) -> None:
        wanted = self.wanted
        gone, wanted.unwanted = wanted.unwanted, Interest()
        for kind in Names.__slots__:
            own: dict[Any, Any] = getattr(self, kind)
            for name in getattr(gone, kind):
                if not wanted.wants(kind, name):
                    own.pop(SessionRef(*name) if kind == "sessions" else name, None)
        for grant, index in gone.sessions:
            self.closed_with.pop(SessionRef(grant, index), None)


class _Asked:
    """The node that is followed, asked for what it is believed by, and not for ever."""

    def __init__(self, view: ChainView) -> None:
        self._view = view

    async def is_syncing(self) -> bool:
        return await bounded(self._view.chain.is_syncing())

    async def head(self, block_hash: str) -> Head:
        return await bounded(self._view.chain.head(block_hash))

    async def block_hash(self, number: int) -> str | None:
        return await bounded(self._view.chain.block_hash(number))


def _stands_otherwise(known: Stream | None, entry: Stream | None) -> bool:
    """Tell whether a stream was stopped, or goes on: that is all that its sessions follow.

    It is read with each of them that comes, and another count is no reason to look at the others.
    """
    if known is None or entry is None:
        return True
    return (known.status, known.stops) != (entry.status, entry.stops)


def _sharing(entry: Session | None, grant: Grant | None) -> Session | None:
    """Let a session's entry have its grant's names of viewer and key: they are the same."""
    if entry is None or grant is None or entry.key is grant.key:
        return entry
    if (entry.viewer, entry.key) != (grant.viewer, grant.key):
        return entry
    return msgspec.structs.replace(entry, viewer=grant.viewer, key=grant.key)


def _entries(
    block: int,
    *,
    final: bool,
    grant: Grant | None,
    session: Session | None,
    now_ms: int,
    stops: tuple[int, ...] = (),
) -> Entries:
    return Entries(
        block=block,
        final=final,
        next_index=None if grant is None else grant.next_index,
        open=() if grant is None else grant.open,
        has_entry=session is not None,
        expired=session is not None and ended_at(session, now_ms, stops) <= now_ms,
        grant_over=grant is None or grant.ended_at <= now_ms,
    )
