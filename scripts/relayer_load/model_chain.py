"""The model of the ledger as a chain for load: blocks change it in place, and none is ever undone.

Reads at any block see the newest one. `spent_s` is the processor time that the chain itself has
used, which is no part of what the relayer beside it costs.
"""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from offchain.ledger.orders import SignedOrder
from offchain.ledger.tables import Names, Tables
from offchain.ledger.types import NATIVE, Grant, address
from tests import model
from tests.relayer.fake_chain import MODEL_CONSTANTS, POT, FakeChain, State, shown

BATCH_ORDERS_MAX: Final = 500
"""As the reference runtime has it."""
BLOCKS_KEPT: Final = 64


class ModelChain(FakeChain):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.spent_s = 0.0
        self._grants_of: dict[str, list[int]] = defaultdict(list)
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

    def _next_state(self) -> State:
        return self.state

    def grow(self, time_ms: int | None = None) -> None:
        """Make a block of what waits, and forget what came long before it."""
        with self._billed():
            super().grow(time_ms)
            self.accepted.clear()
            if len(self.canonical) > BLOCKS_KEPT:
                self.blocks.pop(self.canonical[-BLOCKS_KEPT - 1], None)

    def _take(self, given: SignedOrder) -> None:
        with self._billed():
            super()._take(given)

    async def grants_of(self, account: str | bytes, *, at: str | None = None) -> dict[int, Grant]:
        """Read an account's grants: here all are made before the first is asked for."""
        grants, viewer = (await self._at(at)).ledger.grants, address(account)
        with self._billed():
            if not self._grants_of:
                for number, grant in grants.items():
                    self._grants_of[grant.viewer].append(number)
            own = [number for number in self._grants_of[viewer] if number in grants]
            return {number: shown(Grant, grants[number]) for number in own}

    def _tables(self, ledger: model.Ledger, names: Names) -> Tables:
        with self._billed():
            return super()._tables(ledger, names)


def deposited(ledger: model.Ledger, who: str, vault: int) -> None:
    """Let an account have a vault and some balance, without a call."""
    ledger.credit(who, NATIVE, vault)
    ledger.asset_entries[NATIVE].owed += vault
    ledger.accounts.add(POT, NATIVE, vault)
    ledger.accounts.add(who, NATIVE, 10**12)
