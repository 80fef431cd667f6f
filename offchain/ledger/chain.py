"""Blocks and heads: reading them, and following them without gaps."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from offchain.ledger.errors import BlockUnknown
from offchain.ledger.rpc import Caller, Lagged, Reconnected, RpcClient, Subscription
from offchain.ledger.scale import compact
from offchain.ledger.types import Head, HeadKind

_SUBSCRIPTIONS: Final = {
    "best": ("chain_subscribeNewHeads", "chain_unsubscribeNewHeads"),
    "finalized": ("chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads"),
}


def head_from(header: Any) -> Head:
    """Read a header as the node gives it; the hash is computed, since the node leaves it out."""
    number = int(header["number"], 16)
    logs = [bytes.fromhex(log[2:]) for log in header["digest"]["logs"]]
    encoded = (
        bytes.fromhex(header["parentHash"][2:])
        + compact(number)
        + bytes.fromhex(header["stateRoot"][2:])
        + bytes.fromhex(header["extrinsicsRoot"][2:])
        + compact(len(logs))
        + b"".join(logs)
    )
    block_hash = "0x" + hashlib.blake2b(encoded, digest_size=32).hexdigest()
    return Head(number=number, hash=block_hash, parent_hash=header["parentHash"])


class Node:
    """One node, asked before it is used whether it is one to be believed."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def genesis_hash(self) -> str | None:
        """Give the hash of its first block."""
        return await read_block_hash(self._caller, 0)

    async def is_syncing(self) -> bool:
        """Tell whether it says that it is still fetching the chain."""
        return await read_is_syncing(self._caller)

    async def best_head(self) -> Head:
        """Read its best block's header."""
        return await read_head(self._caller)

    async def block_hash(self, number: int) -> str | None:
        """Give the hash of its best chain's block of that number, or None above its top."""
        return await read_block_hash(self._caller, number)


async def read_is_syncing(rpc: Caller) -> bool:
    """Tell whether the node says that it is still fetching the chain."""
    health = await rpc.call("system_health")
    return bool(health["isSyncing"])


async def read_head(rpc: Caller, block_hash: str | None = None) -> Head:
    """Read the header of a block, or of the best one. Raises BlockUnknown."""
    header = await rpc.call("chain_getHeader", [block_hash] if block_hash else [])
    if header is None:
        raise BlockUnknown(block_hash or "best")
    return head_from(header)


async def read_finalized_head(rpc: RpcClient) -> Head:
    """Read the header of the last finalized block."""
    return await read_head(rpc, await rpc.call("chain_getFinalizedHead"))


async def read_block_hash(rpc: Caller, number: int) -> str | None:
    """Give the hash of the best chain's block of that number, or None above its top."""
    block_hash: str | None = await rpc.call("chain_getBlockHash", [number])
    return block_hash


async def find_extrinsic(rpc: RpcClient, block_hash: str, extrinsic: bytes) -> int | None:
    """Give an extrinsic's index in a block, found by its raw bytes."""
    answer = await rpc.call("chain_getBlock", [block_hash])
    if answer is None:
        raise BlockUnknown(block_hash)
    wanted = "0x" + extrinsic.hex()
    extrinsics: list[str] = answer["block"]["extrinsics"]
    return extrinsics.index(wanted) if wanted in extrinsics else None


class Heads:
    """An async iterator of heads that survives the node's restarts.

    Finalized heads come in order and without gaps, whatever the connection did between them.
    Best heads come as the node announces them: forks may repeat a number, gaps are possible.
    """

    def __init__(self, rpc: RpcClient, kind: HeadKind, subscription: Subscription) -> None:
        self._rpc = rpc
        self._kind = kind
        self._subscription = subscription
        self._last: int | None = None
        self._waiting: Head | None = None

    def __aiter__(self) -> Heads:
        return self

    async def __anext__(self) -> Head:
        if self._waiting is not None:
            return await self._next_in_order(self._waiting)
        while True:
            item = await anext(self._subscription)
            if isinstance(item, Reconnected | Lagged):
                continue
            head = head_from(item)
            if self._kind == "best":
                return head
            if self._last is None or head.number > self._last:
                return await self._next_in_order(head)

    async def _next_in_order(self, announced: Head) -> Head:
        """Give the block after the last one given, up to the one that was announced."""
        head = announced
        self._waiting = announced
        if self._last is not None and head.number > self._last + 1:
            block_hash = await read_block_hash(self._rpc, self._last + 1)
            if block_hash is None:
                raise BlockUnknown(f"number {self._last + 1}")
            head = await read_head(self._rpc, block_hash)
        else:
            self._waiting = None
        self._last = head.number
        return head


@asynccontextmanager
async def open_heads(rpc: RpcClient, kind: HeadKind) -> AsyncIterator[Heads]:
    """Follow the best or the finalized heads for the length of a `with` block."""
    subscribe, unsubscribe = _SUBSCRIPTIONS[kind]
    async with rpc.subscribe(subscribe, [], unsubscribe) as subscription:
        yield Heads(rpc, kind, subscription)


async def wait_finalized(rpc: RpcClient, number: int) -> str:
    """Wait until a block of that number is finalized, and give its hash."""
    if (await read_finalized_head(rpc)).number < number:
        async with open_heads(rpc, "finalized") as heads:
            async for head in heads:
                if head.number >= number:
                    break
    block_hash = await read_block_hash(rpc, number)
    if block_hash is None:
        raise BlockUnknown(f"number {number}")
    return block_hash
