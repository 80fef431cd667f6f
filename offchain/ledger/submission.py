"""Handing in a transaction and following it to its block, whatever happens on the way.

The node tells a watched transaction's way in a subscription that ends with the connection, and some
of its ends (`invalid`, `usurped`, `dropped`, `finalityTimeout`) are easy to wait behind for ever.
Here each of them is an answer, a lost connection leads to a search in the blocks, and everything
has a time limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio

from offchain.ledger.chain import (
    find_extrinsic,
    open_heads,
    read_block_hash,
    read_head,
    wait_finalized,
)
from offchain.ledger.errors import (
    BlockUnknown,
    DispatchFailed,
    NodeUnreachable,
    NotIncluded,
    RpcError,
    Superseded,
    TransactionRefused,
)
from offchain.ledger.extrinsics import extrinsic_hash
from offchain.ledger.refusals import ALREADY_IN_POOL, from_validity, refusal
from offchain.ledger.rpc import RpcClient
from offchain.ledger.runtime import Runtime
from offchain.ledger.types import Wait

_EXTERNAL: Final = b"\x02"
_SEARCH_BLOCKS_MAX: Final = 256
_AGAIN_AFTER_S: Final = 0.5


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an extrinsic is."""

    block_hash: str
    block_number: int
    extrinsic_index: int


async def submit(rpc: RpcClient, runtime: Runtime, extrinsic: bytes, *, order: bool) -> str:
    """Hand in a transaction and give its hash when the pool has it.

    "Already in the pool" counts as taken. Raises TransactionRefused (for orders OrderRefused) and
    NodeUnreachable; after the latter the pool may have it or not, and sending again is harmless.
    """
    try:
        await rpc.call("author_submitExtrinsic", ["0x" + extrinsic.hex()], retry=False)
    except RpcError as error:
        if error.code != ALREADY_IN_POOL:
            raise refusal(runtime, error, order=order) from None
    return extrinsic_hash(extrinsic)


async def check(
    rpc: RpcClient, runtime: Runtime, extrinsic: bytes, *, order: bool
) -> TransactionRefused | None:
    """Ask the best block's runtime whether it would take a transaction, without handing it in."""
    best = await read_head(rpc)
    argument = _EXTERNAL + extrinsic + bytes.fromhex(best.hash[2:])
    method = "TaggedTransactionQueue_validate_transaction"
    raw = await rpc.call("state_call", [method, "0x" + argument.hex(), best.hash])
    return from_validity(runtime, bytes.fromhex(raw[2:]), order=order)


async def dry_run(rpc: RpcClient, runtime: Runtime, extrinsic: bytes) -> DispatchFailed | None:
    """Execute a signed transaction on the best block's state, and keep nothing of it.

    Gives what it would fail with although its fee is taken. None means that it would succeed, that
    the pool would refuse it without a fee, or that this node cannot tell.
    """
    best = await read_head(rpc)
    params = ["BlockBuilder_apply_extrinsic", "0x" + extrinsic.hex(), best.hash]
    try:
        raw = bytes.fromhex((await rpc.call("state_call", params))[2:])
    except RpcError:
        return None
    if raw[:2] != b"\x00\x01":
        return None
    error = runtime.decode(runtime.type_string("sp_runtime", "DispatchError"), raw[2:])
    return runtime.dispatch_error(error, ". It was not sent, and no fee was paid")


class Tracker:
    """Follows one transaction. `from_number` is the best block's number before it was sent."""

    def __init__(
        self, rpc: RpcClient, runtime: Runtime, extrinsic: bytes, *, order: bool, from_number: int
    ) -> None:
        self._rpc = rpc
        self._runtime = runtime
        self._extrinsic = extrinsic
        self._order = order
        self._searched = from_number
        self._on_accepted: Callable[[], None] | None = None
        self.hash = extrinsic_hash(extrinsic)

    async def run(
        self, wait: Wait, timeout_s: float, on_accepted: Callable[[], None] | None = None
    ) -> Place:
        """Hand it in and follow it to a block (`in_block`) or to finality.

        `on_accepted` is called once the pool has it, perhaps more than once.
        Raises TransactionRefused where the pool does not take it, Superseded where a better order
        took its place, and NotIncluded where it was taken and then left out or `timeout_s` is over.
        """
        self._on_accepted = on_accepted
        with trio.move_on_after(timeout_s):
            while True:
                try:
                    block_hash = await self._watch(wait)
                except NodeUnreachable:
                    place = await self._search(math.inf)
                except TransactionRefused:
                    # it may have been handed in before a lost connection, and be in a block
                    try:
                        place = await self._look_through(math.inf)
                    except (NodeUnreachable, BlockUnknown):
                        await trio.sleep(_AGAIN_AFTER_S)
                        continue
                    if place is None:
                        raise
                else:
                    place = await self._place(block_hash)
                if place is None:
                    continue
                if wait == "in_block":
                    return place
                settled = await self._finalized(place)
                if settled is not None:
                    return settled
        raise NotIncluded(
            self.hash,
            "no answer in time",
            f"it was not {'finalized' if wait == 'finalized' else 'included'} within "
            f"{timeout_s:g} s. Check that the chain makes blocks; sending again is harmless",
        )

    async def _watch(self, wait: Wait) -> str:
        """Follow the node's own reports to a block's hash."""
        try:
            async with self._rpc.subscribe(
                "author_submitAndWatchExtrinsic",
                ["0x" + self._extrinsic.hex()],
                "author_unwatchExtrinsic",
                renew=False,
            ) as statuses:
                self._accepted()
                async for status in statuses:
                    block_hash = await self._read(status, wait)
                    if block_hash is not None:
                        return block_hash
        except RpcError as error:
            if error.code != ALREADY_IN_POOL:
                raise refusal(self._runtime, error, order=self._order) from None
        # in the pool by another hand, and so not ours to watch: look for it in the blocks
        self._accepted()
        return await self._wait_in_blocks()

    def _accepted(self) -> None:
        if self._on_accepted is not None:
            self._on_accepted()

    async def _read(self, status: Any, wait: Wait) -> str | None:
        kind, detail = next(iter(status.items())) if isinstance(status, dict) else (status, None)
        match kind:
            case "inBlock" if wait == "in_block":
                return str(detail)
            case "finalized" | "finalityTimeout":
                return str(detail)
            case "usurped":
                if self._order:
                    raise Superseded(
                        "Superseded",
                        "Superseded",
                        "an order with a higher total took its place: nothing is to be done",
                    )
                raise NotIncluded(
                    self.hash, kind, "another transaction with its nonce took its place"
                )
            case "dropped":
                raise NotIncluded(self.hash, kind, "the node's pool is full: send it again")
            case "invalid":
                why = await check(self._rpc, self._runtime, self._extrinsic, order=self._order)
                if why is not None:
                    raise why
                raise NotIncluded(self.hash, kind, "it became invalid: sign it again")
        return None

    async def _place(self, block_hash: str) -> Place | None:
        index = await find_extrinsic(self._rpc, block_hash, self._extrinsic)
        if index is None:
            return None
        head = await read_head(self._rpc, block_hash)
        return Place(block_hash=block_hash, block_number=head.number, extrinsic_index=index)

    async def _wait_in_blocks(self) -> str:
        async with open_heads(self._rpc, "best") as heads:
            async for head in heads:
                place = await self._search(head.number)
                if place is not None:
                    return place.block_hash
        raise NodeUnreachable(self._rpc.url, "the heads ended")

    async def _search(self, up_to: float) -> Place | None:
        """Look through the best chain's blocks since the transaction was made."""
        try:
            return await self._look_through(up_to)
        except (NodeUnreachable, BlockUnknown):
            await trio.sleep(_AGAIN_AFTER_S)
            return None

    async def _look_through(self, up_to: float) -> Place | None:
        best = await read_head(self._rpc)
        first = max(self._searched + 1, best.number - _SEARCH_BLOCKS_MAX)
        for number in range(first, int(min(best.number, up_to)) + 1):
            block_hash = await read_block_hash(self._rpc, number)
            place = await self._place(block_hash) if block_hash else None
            if place is not None:
                return place
        return None

    async def _finalized(self, place: Place) -> Place | None:
        """Wait until a block's number is finalized; None where another block took its place."""
        block_hash = await wait_finalized(self._rpc, place.block_number)
        if block_hash == place.block_hash:
            return place
        return await self._place(block_hash)
