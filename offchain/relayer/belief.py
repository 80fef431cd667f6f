"""Which nodes are believed: those that are synced, not behind, and of the same finalized chain.

A node that syncs, was restored from a backup, or stands behind a load balancer has blocks in which
sessions are missing that the chain keeps. What such a one says is no fact. What was read as final
outlives the process: the journal keeps the block's number with its hash.
"""

from __future__ import annotations

from typing import Final, Protocol

from offchain.journal import FinalBlock, KnownChain
from offchain.ledger.errors import NodeBehind, NodeDisagrees
from offchain.ledger.types import Head

LINKED_BLOCKS_MAX: Final = 512
"""So far back each block is found by its child, one request each: 17 minutes of blocks of 2 s."""


class AskedNode(Protocol):
    """What a node is asked before it is believed."""

    async def is_syncing(self) -> bool: ...
    async def block_hash(self, number: int) -> str | None: ...


class FollowedNode(AskedNode, Protocol):
    """The same, of the one in use, or of those that a load balancer has behind its address."""

    async def head(self, block_hash: str) -> Head: ...


class NewNode(AskedNode, Protocol):
    """The same, of one that was not used yet."""

    async def genesis_hash(self) -> str | None: ...
    async def best_head(self) -> Head: ...


class Belief:
    """What is known of the chain for good, and what a node is held against."""

    def __init__(self) -> None:
        self.genesis_hash: str | None = None
        """The first block's hash, once a node was used or the journal belongs to a chain."""
        self.floor = 0
        """The last finalized block that an earlier process has read."""
        self.final: FinalBlock | None = None
        """The highest finalized block that was read, and that every later one stands on."""
        self._standing: dict[str, Head] = {}
        """Blocks that stand on `final`, and itself, by their hashes."""
        self.disagreed = 0
        """Times that a node was not taken into use since it has another block where one was final.
        """

    def restore(self, known: KnownChain) -> None:
        """Go on from what the journal holds."""
        self.genesis_hash = known.genesis_hash
        self.floor = known.finalized_block
        self.final = known.final

    def note(self, head: Head) -> None:
        """Note a finalized block that was read."""
        if self.final is None or head.number > self.final.number:
            self.final = FinalBlock(number=head.number, hash=head.hash)
            above = {
                name: each for name, each in self._standing.items() if each.number > head.number
            }
            self._standing = above | {head.hash: head}

    async def check(self, node: AskedNode, head: Head) -> None:
        """Refuse a node, whose block `head` is, if it may not know what the chain knows.

        Raises NodeBehind, NodeDisagrees and what the node's answers raise.
        """
        await self._check_height(node, head)
        final = self.final
        if final is None:
            return
        is_same = head.number == final.number
        found = head.hash if is_same else await node.block_hash(final.number)
        if found is None:  # behind a load balancer another one answers that has not come so far
            raise NodeBehind(f"it has no block {final.number}, which is final: wait until it has")
        self._hold_against(final.number, found)

    async def follow(self, node: FollowedNode, head: Head) -> None:
        """Refuse a block that does not stand on what is final, or comes from a node that is behind.

        Raises NodeBehind, NodeDisagrees and what the node's answers raise.
        """
        final = self.final
        if final is None or head.number - final.number > LINKED_BLOCKS_MAX:
            await self.check(node, head)
            return
        await self._check_height(node, head)
        await self.trail(node, head, final.number)

    async def _check_height(self, node: AskedNode, head: Head) -> None:
        if await node.is_syncing():
            raise NodeBehind("it is syncing: wait until it has caught up")
        if head.number < self.floor:
            raise NodeBehind(
                f"its block {head.number} is below block {self.floor}, which was read as final "
                "before this start: wait until it has caught up"
            )
        if self.final is not None and head.number < self.final.number:
            raise NodeBehind(
                f"its block {head.number} is below block {self.final.number}, which is final: wait "
                "until it has caught up"
            )

    async def trail(self, node: FollowedNode, head: Head, down_to: int) -> dict[int, str]:
        """Name the blocks above `down_to`, up to `head`, that lead to what is final.

        Each is found by its child, which names its hash, and a hash is made of what it names: so
        nobody's blocks get among them, also where each request is answered by another node.
        Nothing is named where it is too far.

        Raises NodeDisagrees where they lead elsewhere, and what the node's answers raise.
        """
        final = self.final
        lowest = 1 + (down_to if final is None else min(down_to, final.number))
        if head.number - lowest >= LINKED_BLOCKS_MAX:
            return {}
        heads = [head]
        while head.number > lowest:
            self._hold_against(head.number, head.hash)
            head = self._standing.get(head.parent_hash) or await _parent(node, head)
            heads.append(head)
        self._hold_against(head.number, head.hash)
        self._hold_against(head.number - 1, head.parent_hash)
        if final is not None:
            self._standing |= {each.hash: each for each in heads if each.number > final.number}
        return {each.number: each.hash for each in heads}

    def _hold_against(self, number: int, found: str) -> None:
        final = self.final
        if final is not None and number == final.number and found != final.hash:
            raise NodeDisagrees(number, expected=final.hash, found=found)

    async def admit(self, node: NewNode) -> None:
        """Refuse a node that is to be used from now on, as `check` does; also one of another chain.

        Raises NodeBehind, NodeDisagrees and what the node's answers raise.
        """
        try:
            self.genesis_hash = await self._admitted(node)
        except NodeDisagrees:
            self.disagreed += 1
            raise

    async def _admitted(self, node: NewNode) -> str | None:
        genesis_hash = await node.genesis_hash()
        if self.genesis_hash is not None and genesis_hash != self.genesis_hash:
            raise NodeDisagrees(0, expected=self.genesis_hash, found=genesis_hash)
        await self.check(node, await node.best_head())
        return genesis_hash


async def _parent(node: FollowedNode, head: Head) -> Head:
    parent = await node.head(head.parent_hash)
    if parent.hash != head.parent_hash:
        raise NodeDisagrees(head.number - 1, expected=head.parent_hash, found=parent.hash)
    return parent
