"""What finalized blocks say of one stream, read while the job runs.

The reconciliation rests on this. It knows neither the relayer's journal nor the meter.
"""

from __future__ import annotations

from dataclasses import dataclass

import trio

from offchain.cli.audit import History, SessionHistory, SessionName
from offchain.ledger.client import Ledger
from offchain.ledger.types import Head


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What surrounded a session's opening."""

    before_hash: str
    """The block before it: the viewer's vault there is the vault before."""
    delegate: str
    """The grant's public key, in hexadecimal."""


class ChainFacts:
    """A stream's history in finalized blocks, from the moment that following it began."""

    def __init__(self, stream: int) -> None:
        self.history = History(stream)
        self.openings: dict[SessionName, Opening] = {}
        self.first_tick_blocks: dict[SessionName, int] = {}
        self.claim_block: int | None = None
        self.finalized = 0
        self.finalized_hash = ""
        self.changed = trio.Condition()

    @property
    def sessions(self) -> dict[SessionName, SessionHistory]:
        """The sessions by grant and index."""
        return self.history.sessions

    async def follow(self, ledger: Ledger) -> None:
        """Read every finalized block from now on, without a gap; ends by cancellation."""
        async with ledger.heads("finalized") as heads:
            async for head in heads:
                await self.read(ledger, head)

    async def wait_for(self, number: int) -> None:
        """Wait until this block is finalized and read."""
        async with self.changed:
            while self.finalized < number:
                await self.changed.wait()

    async def read(self, ledger: Ledger, head: Head) -> None:
        """Take in one finalized block; they come in order."""
        claimed = self.history.claimed_total
        self.history.read(head.number, await ledger.events(head.hash))
        if self.history.claimed_total != claimed:
            self.claim_block = head.number
        for name, session in self.sessions.items():
            if session.last_tick_block is not None:
                self.first_tick_blocks.setdefault(name, session.last_tick_block)
            if session.opened_block == head.number:
                grant = await ledger.grant(name[0], at=head.hash)
                delegate = "0x" + grant.key.public.hex() if grant is not None else ""
                self.openings[name] = Opening(before_hash=head.parent_hash, delegate=delegate)
        async with self.changed:
            self.finalized, self.finalized_hash = head.number, head.hash
            self.changed.notify_all()
