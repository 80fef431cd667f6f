"""What a relayer's account sends: full pools, empty blocks, its era, and answers that are lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from offchain.keys.signer import dev_key
from offchain.ledger.errors import (
    DispatchFailed,
    LedgerError,
    NodeUnreachable,
    NotIncluded,
    OrderRefused,
    TransactionRefused,
)
from offchain.ledger.extrinsics import ERA_BLOCKS
from offchain.ledger.types import Event
from tests import model
from tests.relayer.fake_chain import failure, refused_as
from tests.simulation.blockchain import Blockchain
from tests.simulation.node import Endpoint, Node, dropped, stale

OPERATOR = dev_key("Ferdie")


def _connected() -> tuple[Blockchain, Node, Endpoint]:
    chain = Blockchain()
    node = Node("node", chain)
    return chain, node, Endpoint([node], random.Random(1))


async def _error(endpoint: Endpoint, *, is_batch: bool = False) -> LedgerError:
    """Send something that fails in whichever block takes it."""
    try:
        if is_batch:
            await endpoint.submit_batch(OPERATOR, [], timeout_s=7)
        else:
            await endpoint.settle(0, 0)
    except LedgerError as error:
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("is_batch", [True, False])
async def test_a_pool_refuses_transactions_as_it_does_orders(is_batch: bool) -> None:
    chain, node, endpoint = _connected()
    for manner in (dropped, stale):
        node.refuses = manner
        assert isinstance(await _error(endpoint, is_batch=is_batch), TransactionRefused)
    assert not chain.transactions


async def test_a_block_may_take_what_was_waited_for_in_vain(autojump_clock: MockClock) -> None:
    chain, _, endpoint = _connected()
    chain.is_empty = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chain.run)
        assert isinstance(await _error(endpoint, is_batch=True), NotIncluded)
        assert trio.current_time() == 7
        (transaction,) = chain.transactions
        chain.is_empty = False
        await trio.sleep(2)
        assert chain.best.transactions == (transaction,)
        nursery.cancel_scope.cancel()


async def test_no_block_takes_a_transaction_whose_era_is_over(autojump_clock: MockClock) -> None:
    chain, _, endpoint = _connected()
    chain.is_empty = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_error, endpoint)
        await trio.sleep(1)
        for _ in range(ERA_BLOCKS):
            assert chain.transactions
            chain.grow()
        chain.is_empty = False
        chain.grow()
        assert (chain.transactions, chain.best.transactions) == ([], ())
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kept", [True, False])
async def test_a_fork_repeats_a_transaction_or_forgets_it(
    autojump_clock: MockClock, kept: bool
) -> None:
    chain, _, endpoint = _connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_error, endpoint)
        await trio.sleep(1)
        chain.grow()
    assert len(chain.best.transactions) == 1
    chain.reorganise(1, keep_orders=kept)
    assert len(chain.blocks[chain.canonical[1]].transactions) == kept


async def test_what_is_taken_may_have_its_answer_lost(autojump_clock: MockClock) -> None:
    chain, node, endpoint = _connected()
    node.loses_answers = 1.0
    made: list[int] = []

    def call(ledger: model.Ledger) -> list[Event]:
        made.append(ledger.now)
        return []

    async with trio.open_nursery() as nursery:
        nursery.start_soon(chain.run)
        with pytest.raises(NodeUnreachable):
            await endpoint._sent(call)
        nursery.cancel_scope.cancel()
    assert len(made) == 1
    assert len(chain.blocks[chain.canonical[1]].transactions) == 1


@pytest.mark.parametrize("tell", [failure, refused_as])
def test_a_replay_is_told_before_all_else(
    tell: Callable[[frozenset[str]], LedgerError],
) -> None:
    """As the pallet does it: a relayer takes any other refusal for one of what never opened."""
    error = tell(frozenset({"GrantEnded", "OrderStale", "VaultTooLow"}))
    assert isinstance(error, DispatchFailed | OrderRefused)
    assert error.name == "OrderStale"
