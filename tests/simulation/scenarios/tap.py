"""A tap on what a relayer hands to nodes' pools: it sees each order, and may lose, hold or refuse.

It stays through the relayer's restarts. Scenarios that need no more than a refusal use
`Node.refuses`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec
import trio

from offchain.ledger.errors import NodeUnreachable
from offchain.ledger.orders import Order
from tests.simulation.node import Endpoint


class Handed(msgspec.Struct, frozen=True):
    """One order that was handed to a pool, at a moment of trio's clock."""

    at_s: float
    grant: int
    order: Order
    signature: bytes


class Tap:
    """What went by, and what is done to it."""

    def __init__(self) -> None:
        self.handed: list[Handed] = []
        self.before: Callable[[Handed], Awaitable[None]] = _nothing_to_wait_for
        """Is awaited before the pool hears of an order; what it raises is the pool's answer."""
        self.after: Callable[[Handed], None] = lambda handed: None
        """Is called when a pool has taken one; what it raises is what the relayer hears instead."""

    def since(self, at_s: float) -> list[Handed]:
        """List what was handed over since a moment."""
        return [each for each in self.handed if each.at_s >= at_s]


async def _nothing_to_wait_for(_handed: Handed) -> None:
    pass


def answer_lost(_handed: Handed) -> None:
    """Let the relayer hear nothing of an order that the pool has."""
    raise NodeUnreachable("node", "its answer never came")


@contextmanager
def tapped() -> Iterator[Tap]:
    """Let every order of every relayer process go through a tap for the length of the block."""
    tap = Tap()
    submit = Endpoint.submit_order

    async def submit_order(
        self: Endpoint, grant: int, order: Order, signature: bytes, **named: Any
    ) -> str:
        if self.dead:  # nothing goes out of a process that has ended
            await trio.sleep_forever()
        handed = Handed(trio.current_time(), grant, order, signature)
        tap.handed.append(handed)
        await tap.before(handed)
        answer = await submit(self, grant, order, signature, **named)
        tap.after(handed)
        return answer

    with mock.patch.object(Endpoint, "submit_order", submit_order):
        yield tap
