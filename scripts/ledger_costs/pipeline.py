"""Batches on their way: signed with nonces of our own, sent without waiting for their blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from ledger_costs.follower import Follower
from offchain.keys.signer import Signer
from offchain.ledger.client import Ledger
from offchain.ledger.errors import LedgerError
from offchain.ledger.extrinsics import Context, signed_v4
from offchain.ledger.orders import SignedOrder
from offchain.ledger.submission import submit
from offchain.ledger.types import address

ERA_BLOCKS: Final = 128
"""More than four minutes of blocks: longer than any queue that a measurement lets grow."""


class Pipeline:
    """The batches of one account, in the order of their nonces, which is that of the blocks."""

    def __init__(
        self, ledger: Ledger, signer: Signer, follower: Follower, nursery: trio.Nursery
    ) -> None:
        self._ledger = ledger
        self._signer = signer
        self._follower = follower
        self._nursery = nursery
        self._sent: list[int] = []
        self._nonce = 0
        self._first_block = 0
        self.refused = ""
        """What the pool said to the first batch that it did not take, since `begin`."""
        self.accept_s: list[float] = []
        """How long each batch took from here to the pool's word."""

    async def begin(self) -> None:
        """Count anew, from the nonce that the node knows; nothing may be under way."""
        await self._follower.next_block()
        self._nonce = int(
            await self._ledger.rpc.call(
                "system_accountNextIndex", [address(self._signer.public_key)]
            )
        )
        self._sent = []
        self._first_block = len(self._follower.blocks)
        self.refused = ""

    def send(self, orders: Sequence[SignedOrder]) -> None:
        """Sign a batch and send it; what the pool says comes later."""
        final = self._follower.finalized
        if final is None:
            raise RuntimeError("no block is final yet")
        context = Context(
            genesis_hash=self._ledger.genesis_hash,
            nonce=self._nonce,
            era_blocks=ERA_BLOCKS,
            birth_number=final.number,
            birth_hash=final.hash,
        )
        call = self._ledger.calls.submit_batch(orders)
        extrinsic = signed_v4(self._ledger.runtime, context, self._signer, call)
        self._nonce += 1
        self._sent.append(len(orders))
        self._nursery.start_soon(self._submit, extrinsic)

    async def _submit(self, extrinsic: bytes) -> None:
        began = trio.current_time()
        try:
            await submit(self._ledger.rpc, self._ledger.runtime, extrinsic, order=False)
        except LedgerError as error:
            self.refused = self.refused or str(error)
        else:
            self.accept_s.append(trio.current_time() - began)

    def waiting(self) -> int:
        """Count the orders that were sent and are in no block that was read."""
        blocks = self._follower.blocks[self._first_block :]
        return sum(self._sent[sum(block.batches for block in blocks) :])

    async def drained(self, timeout_s: float) -> bool:
        """Wait until nothing waits; gives whether that came in time."""
        with trio.move_on_after(timeout_s):
            while self.waiting():
                await self._follower.next_block()
        return not self.waiting()
