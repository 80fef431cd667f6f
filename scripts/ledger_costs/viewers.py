"""Sessions by the thousand: one viewer's vault, many grants, and all their orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from ledger_costs.follower import Follower, now_ms
from ledger_costs.pipeline import Pipeline
from ledger_costs.tick_plan import TickPlan, batch_orders, places, total_seconds
from offchain.keys import LocalKey, Signer, dev_key, fresh_key
from offchain.ledger.client import Ledger
from offchain.ledger.orders import (
    Open,
    Order,
    SignedOrder,
    Tick,
    delegate_key,
    sign_grant_proof,
    sign_order,
)
from offchain.ledger.types import Receipt, Terms

CREATOR: Final = "Alice"
VIEWER: Final = "Bob"
SUBMITTER: Final = "Charlie"
STREAMS: Final = 10
RATE: Final = 10**6
"""Smallest units a second: a millionth of a token."""
FUNDED_SECONDS: Final = 4 * 3_600
GRANTS_AT_ONCE: Final = 100
GAP_MS: Final = 600_000
"""So long a session lives without a tick: measurements have pauses."""
DAY_MS: Final = 86_400_000
OPENING_S_MAX: Final = 300.0
FELL_BEHIND_S: Final = 5.0
"""A load generator that is so far behind its schedule gives up."""
_SIGNED_AT_ONCE: Final = 25
"""Orders between two moments at which heads and answers are listened to."""


class SetupFailed(Exception):
    """The sessions could not be opened. Says what the ledger said."""


@dataclass(kw_only=True)
class Viewers:
    """Open sessions, and what each has been ticked to."""

    ledger: Ledger
    follower: Follower
    pipeline: Pipeline
    streams: list[int]
    keys: dict[int, Signer]
    """By grant."""
    places: list[tuple[int, int]]
    orders: int
    """How many ticks a batch has."""
    announced_us: float
    """What each tick adds to the weight that a batch is announced with."""
    opened_ms: int = 0
    """When the last one was open."""
    totals: list[int] = field(default_factory=list)

    async def tick(self, plan: TickPlan, seconds: float) -> float:
        """Tick by a plan for so long; gives how far this fell behind the plan."""
        began, behind, number = trio.current_time(), 0.0, 0
        while plan.due_s(number) < seconds:
            await trio.sleep_until(began + plan.due_s(number))
            behind = max(behind, trio.current_time() - began - plan.due_s(number))
            if behind > FELL_BEHIND_S or self.pipeline.refused:
                break
            await self._tick(plan.batch(number))
            number += 1
        return behind

    async def _tick(self, which: range) -> None:
        seconds = total_seconds(now_ms(), self.opened_ms)
        batch: list[SignedOrder] = []
        for number in which:
            grant, index = self.places[number]
            batch.append(self.signed(grant, Tick(index=index, seconds=seconds)))
            self.totals[number] = seconds
            if len(batch) % _SIGNED_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
        self.pipeline.send(batch)

    def signed(self, grant: int, order: Order) -> SignedOrder:
        """Sign an order, inline: it takes some 20 us."""
        ledger = self.ledger
        signature = sign_order(
            self.keys[grant], ledger.genesis_hash, ledger.pallet_index, grant, order
        )
        return SignedOrder(grant=grant, order=order, signature=signature)

    async def seconds_of_streams(self) -> int:
        """Read what the ledger has charged on all streams."""
        found = [await self.ledger.stream(stream) for stream in self.streams]
        return sum(stream.seconds for stream in found if stream is not None)


async def open_viewers(
    ledger: Ledger,
    follower: Follower,
    pipeline: Pipeline,
    *,
    sessions: int,
    orders: int | None,
    limit_us: float,
    say: Callable[[str], None],
) -> Viewers:
    """Create streams, deposit, grant and open. Raises SetupFailed and LedgerError."""
    each = ledger.constants.sessions_per_grant_max
    grants_wanted = -(-sessions // each)
    funds = RATE * FUNDED_SECONDS
    say(f"{STREAMS} streams, a deposit and {grants_wanted} grants")
    streams = await _create_streams(ledger)
    viewer = dev_key(VIEWER)
    await ledger.deposit(viewer, 2 * funds * sessions)
    terms = Terms(
        rate_max_per_second=RATE,
        cap=funds * each,
        sessions_max=each,
        gap_ms=GAP_MS,
        expires_at=await ledger.now_ms() + DAY_MS,
    )
    keys = await _grant(ledger, viewer, terms, grants_wanted)
    most = ledger.constants.batch_orders_max
    tick_us = await most_weight_us(ledger, Tick(index=0, seconds=1))
    open_us = await most_weight_us(ledger, _opening(0, streams[0], funds))
    viewers = Viewers(
        ledger=ledger,
        follower=follower,
        pipeline=pipeline,
        streams=streams,
        keys=keys,
        places=places(list(keys), each, sessions),
        orders=min(orders, most) if orders else batch_orders(tick_us, limit_us, most),
        announced_us=tick_us,
        totals=[0] * sessions,
    )
    await _open(viewers, batch_orders(open_us, limit_us, most), funds, say)
    return viewers


async def _create_streams(ledger: Ledger) -> list[int]:
    calls = [ledger.calls.create_stream(rate_per_second=RATE) for _ in range(STREAMS)]
    batch = ledger.runtime.compose_batch(calls)
    receipt = await ledger.submit_signed(batch, dev_key(CREATOR))
    return [int(fields["stream"]) for fields in _fields(receipt, "StreamCreated")]


async def _grant(ledger: Ledger, viewer: LocalKey, terms: Terms, count: int) -> dict[int, Signer]:
    """Give so many grants to as many keys; by grant."""
    granted: dict[int, Signer] = {}

    async def give(signers: Sequence[Signer]) -> None:
        calls = [
            ledger.calls.grant(
                delegate_key(signer),
                sign_grant_proof(signer, ledger.genesis_hash, ledger.pallet_index, viewer.address),
                terms,
            )
            for signer in signers
        ]
        receipt = await ledger.submit_signed(ledger.runtime.compose_batch(calls), viewer)
        found = [int(fields["grant"]) for fields in _fields(receipt, "Granted")]
        granted.update(zip(found, signers, strict=True))

    async with trio.open_nursery() as nursery:
        for first in range(0, count, GRANTS_AT_ONCE):
            signers = [fresh_key() for _ in range(min(GRANTS_AT_ONCE, count - first))]
            nursery.start_soon(give, signers)
    return dict(sorted(granted.items()))


def _fields(receipt: Receipt, name: str) -> list[dict[str, Any]]:
    return [
        event.fields
        for event in receipt.events
        if (event.pallet, event.name) == ("PayStream", name)
    ]


def _opening(index: int, stream: int, funds: int) -> Open:
    # As late as there is: the ledger takes the block's own time.
    return Open(index=index, stream=stream, rate_per_second=RATE, funds=funds, start_at=2**63)


async def _open(viewers: Viewers, orders: int, funds: int, say: Callable[[str], None]) -> None:
    count = len(viewers.places)
    say(f"opening {count} sessions, {orders} a batch")
    await viewers.pipeline.begin()
    first = len(viewers.follower.blocks)
    for start in range(0, count, orders):
        batch: list[SignedOrder] = []
        for number in range(start, min(start + orders, count)):
            grant, index = viewers.places[number]
            stream = viewers.streams[number % len(viewers.streams)]
            batch.append(viewers.signed(grant, _opening(index, stream, funds)))
        viewers.pipeline.send(batch)
        await trio.lowlevel.checkpoint()
    in_time = await viewers.pipeline.drained(OPENING_S_MAX)
    blocks = viewers.follower.blocks[first:]
    counted = sum(block.counted for block in blocks)
    if counted != count or not in_time:
        raise SetupFailed(
            f"{counted} of {count} sessions were opened: "
            + (viewers.pipeline.refused or str(dict(viewers.follower.reasons)) or "too slow")
        )
    viewers.opened_ms = blocks[-1].timestamp_ms
    # Until every session has a second that can be asked for.
    while total_seconds(now_ms(), viewers.opened_ms) < 1:
        await viewers.follower.next_block()


async def most_weight_us(ledger: Ledger, order: Order) -> float:
    """Ask what one more order of a kind adds to what a batch is announced with."""
    weights = []
    for count in (1, 11):
        orders = [
            SignedOrder(grant=grant, order=order, signature=bytes(64)) for grant in range(count)
        ]
        fee = await ledger.fee(ledger.calls.submit_batch(orders), dev_key(SUBMITTER).public_key)
        weights.append(fee.ref_time_ps / 1e6)
    return (weights[1] - weights[0]) / 10
