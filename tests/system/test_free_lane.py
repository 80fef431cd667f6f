"""The free lane under attack: one grant's flood on a real node does not delay another's ticks."""

from __future__ import annotations

import itertools

import pytest
import trio

from offchain.keys import dev_key
from offchain.ledger import Tick, open_ledger
from offchain.ledger.errors import OrderRefused
from tests.system.node_process import NodeProcess
from tests.system.test_ledger_client import Viewing, give

pytestmark = pytest.mark.system

SLOTS = 4
HONEST_TICKS = 4
ORDERS_MIN = 300
"""So few that a slow machine reaches them, and many times what one grant may have included."""


async def open_slot(hostile: Viewing, index: int) -> None:
    """Open as soon as the ledger lets it: one grant opens once in MinTickSeconds."""
    async with hostile.ledger.heads("best") as heads:
        async for _ in heads:
            try:
                await hostile.open(index, seconds=120)
            except OrderRefused as refused:
                if refused.name != "OpenTooSoon":
                    raise
            else:
                return
    raise AssertionError("the heads ended")


async def flood(hostile: Viewing, sent: list[str], pending: list[int]) -> None:
    """Ticks of every slot without pause: higher, lower, repeated and wrongly signed ones."""
    for round_ in itertools.count(1):
        for index in range(SLOTS):
            for key in (None, dev_key("Ferdie")):
                sent.append("tick")
                try:
                    await hostile.submit(Tick(index=index, seconds=5 + round_ % 40), key)
                except OrderRefused as refused:
                    sent[-1] = type(refused).__name__
        pending.append(len(await hostile.ledger.rpc.call("author_pendingExtrinsics", [])))


async def test_a_flood_from_one_grant_does_not_delay_anothers_ticks(own_node: NodeProcess) -> None:
    async with open_ledger(own_node.url) as ledger:
        hostile = await give(ledger, dev_key("Bob"), 10**12 * 10, sessions_max=SLOTS)
        honest = await give(ledger, dev_key("Charlie"), 10**12 * 10)
        await honest.open()
        for index in range(SLOTS):
            with trio.fail_after(60):
                await open_slot(hostile, index)

        sent: list[str] = []
        pending: list[int] = []
        late_blocks: list[int] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood, hostile, sent, pending)
            total = 0
            with trio.fail_after(120):
                while len(late_blocks) < HONEST_TICKS or len(sent) < ORDERS_MIN:
                    total += ledger.constants.min_tick_seconds
                    await honest.wait_for_room(0, total)
                    before = (await ledger.best_head()).number
                    receipt = await honest.send(Tick(index=0, seconds=total))
                    late_blocks.append(receipt.block_number - before)
            nursery.cancel_scope.cancel()

    # In the next block, or in the one after it where that one was being made already.
    assert max(late_blocks) <= 2, late_blocks
    # Whatever is sent, at most one order of each slot waits, and the honest one beside them.
    assert max(pending) <= SLOTS + 1
    assert {"ForeignSignature"} < set(sent)
