"""Which nodes are believed: those that are synced, not behind, and of the same finalized chain.

A node that syncs, was restored from a backup, or stands behind a load balancer has blocks in which
sessions are missing that the chain keeps. What such a one says is no fact. What was read as final
outlives the process: the journal keeps the block's number with its hash.
"""

from __future__ import annotations

from typing import Protocol

from offchain.journal import FinalBlock, KnownChain
from offchain.ledger.errors import NodeBehind, NodeDisagrees
from offchain.ledger.types import Head


class AskedNode(Protocol):
    """What a node is asked before it is believed."""

    async def is_syncing(self) -> bool: ...
    async def block_hash(self, number: int) -> str | None: ...


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

    async def check(self, node: AskedNode, head: Head) -> None:
        """Refuse a node, whose block `head` is, if it may not know what the chain knows.

        Raises NodeBehind, NodeDisagrees and what the node's answers raise.
        """
        if await node.is_syncing():
            raise NodeBehind("it is syncing: wait until it has caught up")
        if head.number < self.floor:
            raise NodeBehind(
                f"its block {head.number} is below block {self.floor}, which was read as final "
                "before this start: wait until it has caught up"
            )
        final = self.final
        if final is None:
            return
        if head.number < final.number:
            raise NodeBehind(
                f"its block {head.number} is below block {final.number}, which is final: wait "
                "until it has caught up"
            )
        is_same = head.number == final.number
        found = head.hash if is_same else await node.block_hash(final.number)
        if found is None:  # behind a load balancer another one answers that has not come so far
            raise NodeBehind(f"it has no block {final.number}, which is final: wait until it has")
        if found != final.hash:
            raise NodeDisagrees(final.number, expected=final.hash, found=found)

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
