"""What finalized blocks say of one stream: read from their events, and from nothing else.

The reconciliation rests on this. It knows neither the relayer's journal nor the meter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import trio

from offchain.ledger.client import Ledger
from offchain.ledger.types import Event, Head
from streaming.session_state import SessionRef

PALLET: Final = "PayStream"


@dataclass
class SessionFacts:
    """One session's life on the chain. Blocks are numbers, money the smallest unit."""

    ref: SessionRef
    viewer: str
    delegate: str
    rate_per_second: int
    opened_block: int
    before_hash: str
    """The block before the opening: the vault there is the vault before."""
    ticks: list[tuple[int, int, int]] = field(default_factory=list)
    """Block, seconds charged and amount of each."""
    closed_block: int | None = None
    closed_hash: str | None = None
    close_reason: str | None = None
    closed_seconds: int = 0
    closed_paid: int = 0

    @property
    def paid_seconds(self) -> int:
        """The sum of what its ticks charged."""
        return sum(seconds for _, seconds, _ in self.ticks)

    @property
    def paid(self) -> int:
        """The sum of its ticks' amounts."""
        return sum(amount for _, _, amount in self.ticks)

    @property
    def last_tick_block(self) -> int | None:
        """The block of the last tick, if there was one."""
        return self.ticks[-1][0] if self.ticks else None


@dataclass
class ChainFacts:
    """All of one stream's sessions and claims in finalized blocks."""

    stream: int
    finalized: int = 0
    finalized_hash: str = ""
    sessions: dict[SessionRef, SessionFacts] = field(default_factory=dict)
    claimed: int = 0
    claim_block: int | None = None
    changed: trio.Condition = field(default_factory=trio.Condition)

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
        for event in await ledger.events(head.hash):
            if event.pallet == PALLET:
                await self._take(ledger, head, event)
        async with self.changed:
            self.finalized, self.finalized_hash = head.number, head.hash
            self.changed.notify_all()

    async def _take(self, ledger: Ledger, head: Head, event: Event) -> None:
        fields = event.fields
        if fields.get("stream") != self.stream:
            return
        if event.name == "Claimed":
            self.claimed += fields["amount"]
            self.claim_block = head.number
            return
        if "grant" not in fields:
            return
        ref = SessionRef(fields["grant"], fields["index"])
        if event.name == "SessionOpened":
            grant = await ledger.grant(ref.grant, at=head.hash)
            self.sessions[ref] = SessionFacts(
                ref=ref,
                viewer=fields["viewer"],
                delegate="0x" + grant.key.public.hex() if grant else "",
                rate_per_second=fields["rate_per_second"],
                opened_block=head.number,
                before_hash=head.parent_hash,
            )
        elif (session := self.sessions.get(ref)) is None:
            return
        elif event.name == "Ticked":
            session.ticks.append((head.number, fields["charged_seconds"], fields["amount"]))
        elif event.name == "SessionClosed":
            session.closed_block, session.closed_hash = head.number, head.hash
            session.close_reason = str(fields["reason"])
            session.closed_seconds, session.closed_paid = fields["seconds"], fields["paid"]
