"""The chain as it is: blocks, forks, finality and the pool. Its ledger is the checked model.

A block in which nothing happens shares its parent's ledger, so that hours of them cost little; of a
ledger that is shared, `now` is set before each use. What a node shows of it is `node.py`'s matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec
import trio

from offchain.ledger.errors import LedgerError, NotIncluded
from offchain.ledger.orders import Close, Order, Tick
from offchain.ledger.types import NATIVE, Event, Head
from tests import model
from tests.model import orders as model_orders
from tests.relayer.fake_chain import (
    BASE_MS,
    BLOCK_S,
    CONSTANTS,
    FINAL_LAG,
    LANES,
    LEAST_BALANCE,
    MODEL_CONSTANTS,
    POT,
    TREASURY,
    UNIT,
    account,
    order_of,
    reported,
)

MORTAL_BLOCKS = 64
"""So long an order waits in the pool, and a wallet's transaction is good."""
STATES_KEPT = 256
"""Of so many blocks a node that prunes keeps the state."""
BLOCKS_KEPT = 1_024

Change = Callable[[model.Ledger], list[Event]]
"""A wallet's or anybody's call; it is made again in a fork that takes its block away."""
Key = tuple[int, int, int]
"""Grant, index and lane."""


@dataclass(slots=True)
class Waiting:
    """An order in the pool."""

    order: Order
    priority: int
    until: int


class Followed:
    """A call whose caller waits for a block that has it.

    A fork repeats the call, and what it comes to there is what counts.
    """

    def __init__(self, call: Change) -> None:
        self._call = call
        self._done = trio.Event()
        self._events: list[Event] = []
        self._failed: LedgerError | None = None

    def __call__(self, ledger: model.Ledger) -> list[Event]:
        """Make the call, as a part of a block."""
        self._done.set()
        try:
            self._events = self._call(ledger)
        except LedgerError as error:
            self._failed = error
            return []
        return list(self._events)

    async def outcome(self) -> list[Event]:
        """Wait for its block, and give its events there. Raises LedgerError."""
        await self._done.wait()
        if self._failed is not None:
            raise self._failed
        return self._events


@dataclass(eq=False, slots=True)
class Transaction:
    """What an account of a relayer's has signed and sent: it pays for its place in a block."""

    change: Change
    orders: tuple[tuple[int, Order], ...]
    until: int
    """The last block that may have it."""


@dataclass(slots=True)
class Block:
    """One block, with what it takes to make it again on another fork."""

    head: Head
    time_ms: int
    """Its timestamp."""
    halted_ms: int
    """What the ledger's clock has left out of it."""
    ledger: model.Ledger
    events: tuple[Event, ...]
    orders: tuple[tuple[int, Order], ...]
    changes: tuple[Change, ...]
    transactions: tuple[Transaction, ...] = ()

    @property
    def now_ms(self) -> int:
        """Give what the ledger's clock shows."""
        return self.time_ms - self.halted_ms

    def state(self) -> model.Ledger:
        """Give the ledger at this block; good until the next task runs."""
        self.ledger.now, self.ledger.halted_ms = self.now_ms, self.halted_ms
        return self.ledger


class Blockchain:
    """The truth. `canonical` names the best chain's blocks, oldest first."""

    def __init__(self) -> None:
        self.constants = CONSTANTS
        self.spec_version = 1
        accounts = model.Accounts(LEAST_BALANCE)
        accounts.free[POT, NATIVE] = LEAST_BALANCE
        ledger = model.Ledger(MODEL_CONSTANTS, accounts, pot=POT, treasury=TREASURY)
        ledger.asset_entries[NATIVE] = model.AssetEntry()
        self.blocks: dict[str, Block] = {}
        self.canonical: list[str] = []
        self.heads: dict[str, Head] = {}
        """Every header that there ever was, also of blocks whose states nobody has any more."""
        self.pool: dict[Key, Waiting] = {}
        self.pending: list[Change] = []
        self.transactions: list[Transaction] = []
        self.is_empty = False
        """Blocks take nothing that a relayer has sent."""
        self.finalized = 0
        self.halted = False
        self.late_ms = 0
        """How long after its timestamp a block is there: its author or its readers are busy."""
        self.final_lag = FINAL_LAG
        self.takes: Callable[[int, Order], bool] = lambda grant, order: True
        """Which orders of the pool the next block takes."""
        self.lane_full = False
        self.forks = 0
        self.grown = trio.Event()
        self.on_block: list[Callable[[Block], None]] = []
        self.on_fork: list[Callable[[list[Block]], None]] = []
        self._push((BASE_MS, 0), ledger, [], [], [])

    def set_settlement_window(self, window_ms: int) -> None:
        """Let sessions be closed for so long after their end, as the runtime's constant says."""
        self.constants = msgspec.structs.replace(self.constants, settlement_window_ms=window_ms)
        ledger = self.best.ledger
        ledger.constants = replace(ledger.constants, settlement_window_ms=window_ms)

    # --- reading ---------------------------------------------------------------------------

    @property
    def best(self) -> Block:
        """The best block."""
        return self.blocks[self.canonical[-1]]

    @property
    def height(self) -> int:
        """The best block's number."""
        return len(self.canonical) - 1

    def ledger(self) -> model.Ledger:
        """Give the best block's ledger; good until the next task runs."""
        return self.best.state()

    def final_ledger(self) -> model.Ledger:
        """Give the last finalized block's ledger; good until the next task runs."""
        return self.blocks[self.canonical[self.finalized]].state()

    def newest(self, count: int) -> Iterator[Block]:
        """Give the best chain's newest blocks, newest first."""
        for name in reversed(self.canonical[-count:]):
            yield self.blocks[name]

    # --- blocks ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Make a block every two seconds, while the chain is not halted."""
        while True:
            await trio.sleep(BLOCK_S)
            if not self.halted:
                self.grow()

    def time_ms(self) -> int:
        """Give the world's time."""
        return BASE_MS + int(trio.current_time() * 1000)

    def grow(self) -> Block:
        """Make a block of what waits."""
        block = self._make(self.time_ms() - self.late_ms, self.takes)
        self._announce()
        return block

    def _make(self, time_ms: int, takes: Callable[[int, Order], bool]) -> Block:
        parent = self.best
        number = parent.head.number + 1
        halt_ms = model.halt(parent.ledger.constants, time_ms - parent.time_ms)
        halted_ms = parent.halted_ms + halt_ms
        ledger, events, orders = parent.ledger, list[Event](), list[tuple[int, Order]]()
        changes, self.pending = self.pending, []
        sent = self._ready(number, takes)
        if changes or sent or (self.pool and not self.lane_full):
            ledger = parent.ledger.copy()
            ledger.now, ledger.halted_ms = time_ms - halted_ms, halted_ms
            for change in [*changes, *(each.change for each in sent)]:
                events += change(ledger)
            for key, waiting in sorted(self.pool.items(), key=lambda each: each[0]):
                if waiting.until < number:
                    del self.pool[key]
                    continue
                if self.lane_full or self.is_empty or not takes(key[0], waiting.order):
                    continue
                del self.pool[key]
                known = ledger.grants.get(key[0])
                outcome = ledger.submit(key[0], order_of(waiting.order), known and known.key)
                if isinstance(outcome, list):
                    events += reported(outcome)
                    orders.append((key[0], waiting.order))
        block = self._push((time_ms, halted_ms), ledger, events, orders, changes)
        block.transactions = tuple(sent)
        return block

    def _ready(self, number: int, takes: Callable[[int, Order], bool]) -> list[Transaction]:
        """Take the transactions out of the pool that a block has; drop those that are too old."""
        alive = [each for each in self.transactions if number <= each.until]
        sent = [each for each in alive if not self.is_empty and all(takes(*o) for o in each.orders)]
        self.transactions = [each for each in alive if each not in sent]
        return sent

    def _push(
        self,
        clocks: tuple[int, int],
        ledger: model.Ledger,
        events: list[Event],
        orders: list[tuple[int, Order]],
        changes: list[Change],
    ) -> Block:
        number = len(self.canonical)
        parent = self.canonical[-1] if self.canonical else "0x" + "00" * 32
        name = f"0x{self.forks:032x}{number:032x}"
        head = Head(number=number, hash=name, parent_hash=parent)
        block = Block(head, *clocks, ledger, tuple(events), tuple(orders), tuple(changes))
        self.blocks[name] = block
        self.heads[name] = head
        self.canonical.append(name)
        self.finalized = max(self.finalized, number - self.final_lag)
        if number >= BLOCKS_KEPT:
            self.blocks.pop(self.canonical[number - BLOCKS_KEPT], None)
        for told in self.on_block:
            told(block)
        return block

    def _announce(self) -> None:
        grown, self.grown = self.grown, trio.Event()
        grown.set()

    def reorganise(self, depth: int, *, keep_orders: bool) -> int:
        """Put a longer fork in the newest blocks' place, and tell how deep it went.

        What wallets called is in the fork's first block. Orders and a relayer's transactions are
        so only if they are kept; otherwise the pools have forgotten them.
        """
        depth = min(depth, self.height - self.finalized)
        if depth < 1:
            return 0
        dropped = [self.blocks[name] for name in self.canonical[-depth:]]
        del self.canonical[-depth:]
        self.forks += 1
        for told in self.on_fork:
            told(dropped)
        if not keep_orders:
            self.pool.clear()
            self.transactions.clear()
        for block in dropped:
            self.pending += block.changes
            self.transactions += block.transactions if keep_orders else ()
            for grant, order in block.orders if keep_orders else ():
                lane = LANES[type(order).__name__]
                until = self.height + MORTAL_BLOCKS
                waiting = self.pool.get((grant, order.index, lane))
                if waiting is None:
                    self.pool[grant, order.index, lane] = Waiting(order, 1, until)
        for block in dropped:
            self._make(block.time_ms, self.takes)
        if self.time_ms() > self.best.time_ms:
            self._make(self.time_ms(), self.takes)
        self._announce()
        return depth

    # --- the pool --------------------------------------------------------------------------

    def refusals(self, block: Block, grant: int, order: Order) -> frozenset[str]:
        """Name what a block's ledger has against an order that the grant's key has signed."""
        ledger = block.state()
        known = ledger.grants.get(grant)
        signed = model.SignedOrder(grant, order_of(order), known and known.key)
        found = model_orders.refusals(ledger, signed)
        errors = [*found.always, *found.free]
        if self.lane_full:
            errors.append("FreeLaneFull")
        return frozenset(errors)

    def priority(self, block: Block, grant: int, order: Order) -> int:
        """Rank an order among those of its lane."""
        if isinstance(order, Tick | Close):
            session = block.state().sessions[grant, order.index]
            return 2 * (order.seconds - session.seconds) + isinstance(order, Close)
        return 1 << 20

    def take(self, grant: int, order: Order, priority: int) -> bool:
        """Let an order wait for its block. False: the same or a better one does already."""
        key = (grant, order.index, LANES[type(order).__name__])
        waiting = self.pool.get(key)
        if waiting is not None and waiting.priority >= priority:
            return False
        self.pool[key] = Waiting(order, priority, self.height + MORTAL_BLOCKS)
        return True

    # --- the world outside -----------------------------------------------------------------

    def add_stream(self, number: int, *, rate: int, owner: str = "Creator") -> None:
        """Let a stream be there from the beginning."""
        name = account(owner)
        ledger = self.ledger()
        ledger.streams[number] = model.Stream(
            owner=name,
            asset=NATIVE,
            rate_per_second=rate,
            changed_at=BASE_MS,
            payees=(model.Payee(name, 1_000_000),),
            funds_min=0,
            gap_min_ms=10_000,
            deposit=0,
        )
        ledger.next_stream = max(ledger.next_stream, number + 1)

    def add_money(self, name: str, vault: int, balance: int = 1_000 * UNIT) -> None:
        """Let an account have so much more from the beginning."""
        ledger, who = self.ledger(), account(name)
        ledger.credit(who, NATIVE, vault)
        ledger.asset_entries[NATIVE].owed += vault
        ledger.accounts.add(POT, NATIVE, vault)
        ledger.accounts.add(who, NATIVE, balance)

    def call(self, change: Callable[[model.Ledger], model.Outcome]) -> None:
        """Let somebody make a call in the next block; what is refused has no effect."""

        def made(ledger: model.Ledger) -> list[Event]:
            outcome = change(ledger)
            return reported(outcome) if isinstance(outcome, list) else []

        self.pending.append(made)

    async def included(self, call: Change) -> tuple[Block, list[Event]]:
        """Make somebody's call in the next block, and wait for that. Raises LedgerError."""
        followed = Followed(call)
        self.pending.append(followed)
        events = await followed.outcome()
        return self.best, events

    async def sent(
        self,
        call: Change,
        *,
        until: int,
        timeout_s: float,
        orders: Iterable[tuple[int, Order]] = (),
    ) -> tuple[Block, list[Event]]:
        """Put a relayer's transaction into the pool, and wait for its block for so long.

        Raises LedgerError: the call's own, or NotIncluded, after which a block may still take it.
        """
        followed = Followed(call)
        self.transactions.append(Transaction(followed, tuple(orders), until))
        with trio.move_on_after(timeout_s):
            events = await followed.outcome()
            return self.best, events
        raise NotIncluded("0x" + "33" * 32, "no answer in time", "sending again is harmless")
