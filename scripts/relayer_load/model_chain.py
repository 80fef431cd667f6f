"""The model of the ledger as a chain for load: blocks change it in place, and none is ever undone.

Reads at any block see the newest one. `spent_s` is the processor time that the chain itself has
used, which is no part of what the relayer beside it costs.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import trio

from offchain.keys.signer import Signer
from offchain.ledger.errors import LedgerError
from offchain.ledger.orders import Order, SignedOrder
from offchain.ledger.tables import Names, Tables
from offchain.ledger.types import NATIVE, BatchResult, Event, Grant, Receipt, Session, Stream
from tests import model
from tests.model import orders as model_orders
from tests.relayer.fake_chain import (
    BASE_MS,
    BLOCK_S,
    LANES,
    MODEL_CONSTANTS,
    POT,
    FakeChain,
    State,
    apply_order,
    failure,
    happened,
    refused_as,
    reported,
    shown,
)

BATCH_ORDERS_MAX: Final = 500
"""As the reference runtime has it."""


class ModelChain(FakeChain):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.spent_s = 0.0
        self.ticks = 0
        self.ticks_refused = 0
        self.constants = msgspec.structs.replace(self.constants, batch_orders_max=BATCH_ORDERS_MAX)
        self.state.ledger.constants = dataclasses.replace(
            MODEL_CONSTANTS, max_batch_orders=BATCH_ORDERS_MAX
        )

    @contextmanager
    def _billed(self) -> Iterator[None]:
        began = time.thread_time()
        try:
            yield
        finally:
            self.spent_s += time.thread_time() - began

    async def run(self) -> None:
        """Make a block every two seconds, for ever."""
        due = trio.current_time()
        while True:
            due += BLOCK_S
            await trio.sleep_until(due)
            self.grow()
            async with self._grown:
                self._grown.notify_all()

    def grow(self) -> None:
        """Make a block of what waits."""
        with self._billed():
            ledger = self.state.ledger
            ledger.now = BASE_MS + int(trio.current_time() * 1000)
            events: list[Event] = []
            for change in self.pending:
                events += change(ledger)
            self.pending.clear()
            for key, (order, _) in self.pool.items():
                events += self._applied(ledger, key[0], order)
            self.pool.clear()
            self.ticks += sum(event.name == "Ticked" for event in events)
            self.ticks_refused += sum(event.name == "OrderFailed" for event in events)
            self._push(State(ledger), tuple(events))
            for name in self.canonical[:-64]:
                self.blocks.pop(name, None)

    def _applied(self, ledger: model.Ledger, grant: int, order: Order) -> list[Event]:
        outcome = apply_order(ledger, grant, order)
        return reported(outcome) if isinstance(outcome, list) else []

    async def submit_order(
        self, grant: int, order: Order, signature: bytes, *, scheme: str = "sr25519"
    ) -> str:
        """Take an order into the next block, without a copy of the ledger to try it on."""
        await trio.lowlevel.checkpoint()
        with self._billed():
            ledger = self.state.ledger
            signed = self._verified(
                ledger, SignedOrder(grant=grant, order=order, signature=signature, scheme=scheme)
            )
            found = model_orders.refusals(ledger, signed)
            errors = frozenset([*found.always, *found.free])
            if errors:
                raise refused_as(errors)
            self.pool[grant, order.index, LANES[type(order).__name__]] = (order, 0)
        return "0x" + "22" * 32

    async def tables(self, names: Names, *, at: str | None = None) -> Tables:  # noqa: ARG002
        """Read many entries at once, as the newest block has them."""
        await trio.lowlevel.checkpoint()
        with self._billed():
            ledger, found = self.state.ledger, Tables()
            found.vaults = {name: ledger.vault(*name) for name in names.vaults}
            found.sessions = dict.fromkeys(names.sessions)
            found.grants = dict.fromkeys(names.grants)
            found.streams = dict.fromkeys(names.streams)
            found.subscriptions = dict.fromkeys(names.subscriptions)
            tables: tuple[tuple[Any, Any, Any], ...] = (
                (Session, found.sessions, ledger.sessions),
                (Grant, found.grants, ledger.grants),
                (Stream, found.streams, ledger.streams),
            )
            for kind, own, table in tables:
                for name in own:
                    entry = table.get(name)
                    if entry is not None:
                        own[name] = shown(kind, entry)
            return found

    async def _included(self, call: Callable[[model.Ledger], list[Event]]) -> Receipt:
        done = trio.Event()
        found: list[Event] = []
        failed: list[LedgerError] = []

        def change(ledger: model.Ledger) -> list[Event]:
            done.set()
            try:
                found.extend(call(ledger))
            except LedgerError as error:
                failed.append(error)
            return found

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
            events=tuple(found),
        )

    async def submit_batch(
        self,
        signer: Signer,  # noqa: ARG002
        orders: Sequence[SignedOrder],
        *,
        wait: str = "in_block",  # noqa: ARG002
        timeout_s: float = 120.0,  # noqa: ARG002
    ) -> BatchResult:
        """Take a batch into the next block."""
        ordered = sorted(orders, key=lambda signed: signed.place)

        def change(ledger: model.Ledger) -> list[Event]:
            return happened(ledger.submit_batch([self._verified(ledger, each) for each in ordered]))

        receipt = await self._included(change)
        with self._billed():
            done = next(event for event in receipt.events if event.name == "BatchDone").fields
            failures = {
                (event.fields["grant"], event.fields["index"]): failure(event.fields["error"])
                for event in receipt.events
                if event.name == "OrderFailed"
            }
        return BatchResult(
            receipt=receipt, counted=done["counted"], free=done["free"], failures=failures
        )


def deposited(ledger: model.Ledger, who: str, vault: int) -> None:
    """Let an account have a vault and some balance, without a call."""
    ledger.credit(who, NATIVE, vault)
    ledger.asset_entries[NATIVE].owed += vault
    ledger.accounts.add(POT, NATIVE, vault)
    ledger.accounts.add(who, NATIVE, 10**12)
