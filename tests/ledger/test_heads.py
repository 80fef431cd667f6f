"""Heads: finalized ones come without gaps, whatever the connection did."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from offchain.ledger.chain import open_heads, read_head, wait_finalized
from offchain.ledger.errors import BlockUnknown
from offchain.ledger.rpc import open_rpc
from tests.ledger.fake_node import FakeChain

URL = "ws://node:9944"
FINALIZED = "chain_subscribeFinalizedHeads"


async def test_finalized_heads_have_no_gaps(autojump_clock: MockClock) -> None:
    chain = FakeChain(20)
    async with (
        open_rpc(URL, connect=chain.connect) as rpc,
        open_heads(rpc, "finalized") as heads,
    ):
        for number in (3, 4, 7):
            await chain.notify(FINALIZED, chain.headers[number])
        assert [(await anext(heads)).number for _ in range(5)] == [3, 4, 5, 6, 7]
        await chain.drop()
        await trio.sleep(1)
        # after its restart a node may stand lower for a moment
        for number in (6, 7, 12):
            await chain.notify(FINALIZED, chain.headers[number])
        seen = [await anext(heads) for _ in range(5)]
        assert [head.number for head in seen] == [8, 9, 10, 11, 12]
        assert [head.hash for head in seen] == [chain.hash(n) for n in range(8, 13)]


async def test_best_heads_come_as_announced(autojump_clock: MockClock) -> None:
    chain = FakeChain(20)
    async with open_rpc(URL, connect=chain.connect) as rpc, open_heads(rpc, "best") as heads:
        for number in (3, 9, 8):
            await chain.notify("chain_subscribeNewHeads", chain.headers[number])
        assert [(await anext(heads)).number for _ in range(3)] == [3, 9, 8]


async def test_waiting_for_finality(autojump_clock: MockClock) -> None:
    chain = FakeChain(20)
    chain.finalized = 5
    async with open_rpc(URL, connect=chain.connect) as rpc, trio.open_nursery() as nursery:
        assert await wait_finalized(rpc, 5) == chain.hash(5)

        async def finalize() -> None:
            await trio.sleep(3)
            for number in (6, 8):
                chain.finalized = number
                await chain.notify(FINALIZED, chain.headers[number])

        nursery.start_soon(finalize)
        assert await wait_finalized(rpc, 7) == chain.hash(7)


async def test_a_block_that_is_not_there(autojump_clock: MockClock) -> None:
    chain = FakeChain()
    chain.answers["chain_getHeader"] = lambda _p: None
    async with open_rpc(URL, connect=chain.connect) as rpc:
        with pytest.raises(BlockUnknown, match="archive"):
            await read_head(rpc, "0x" + "12" * 32)
