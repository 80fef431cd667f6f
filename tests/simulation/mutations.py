"""What the relayer's safety rests on, taken out one at a time: a simulation that sees nothing then
would show nothing.

A mutation puts something else in the place of one named part of the relayer for as long as it is
open. One more is a function here and a line in `MUTATIONS`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final
from unittest import mock

import msgspec

from offchain.journal import Statement, drop_orders, put_order
from offchain.journal.guard import Guard, LeaseLost
from offchain.journal.leasing import Leasing, Standing
from offchain.journal.records import OrderRecord
from offchain.ledger.orders import Close, Tick
from offchain.ledger.types import Constants
from offchain.relayer import batches, cadence, submit
from offchain.relayer.belief import Belief
from offchain.relayer.budgets import Budgets
from offchain.relayer.cadence import SessionView
from offchain.relayer.leases import Leaser
from offchain.relayer.settle import Settler
from offchain.relayer.several import Several
from streaming.session_state import Leases, States
from tests.simulation.month import Outcome, simulate
from tests.simulation.several_rounds import shake

DAYS: Final = 1 / 96
"""How long faults strike in each seed: a quarter of an hour."""
ROUNDS: Final = 6
"""What befalls three relayers in each seed, where it takes several to see it."""
SEEDS_MAX: Final = 20
"""After so many seeds without a finding a mutation counts as not seen."""
LONG_ABSENCES: Final = frozenset({"crash", "disk-full", "node-away"})
"""What may keep a relayer from closing for as long as gap and window last."""
SILENCES: Final = frozenset({"crash", "link-down"})
"""What may keep a relayer from answering a media server."""
LYING_NODES: Final = frozenset({"node-lies"})
_FOR_EVER_MS: Final = 10**9


@dataclass(frozen=True)
class Mutation:
    """Something that is taken out."""

    what: str
    taken_out: Callable[[], AbstractContextManager[None]]
    takes_several: bool = False
    """Whether it is about several relayers on one journal."""
    only: frozenset[str] = frozenset()
    """The faults that lead to it, where all together seldom do."""


@dataclass(frozen=True)
class Found:
    """Which judge saw it, after how many seeds, and in which words; None where none has."""

    mutation: Mutation
    seeds: int
    oracle: str | None
    words: str


class NotClean(Exception):
    """A seed finds something without any mutation, so that it shows nothing about one."""


def find(mutation: Mutation, seeds_max: int = SEEDS_MAX) -> Found:
    """Run seeds with something taken out until a judge sees it. Raises NotClean."""
    for seed in range(seeds_max):
        with mutation.taken_out():
            outcome = _run(seed, mutation.takes_several, mutation.only)
        if outcome.failures:
            as_it_is = _as_it_is(seed, mutation.takes_several, mutation.only)
            if as_it_is.failures:
                raise NotClean(f"seed {seed}: {as_it_is.failures[0].what}")
            first = outcome.failures[0]
            return Found(mutation, seed + 1, first.oracle, first.what)
    return Found(mutation, seeds_max, None, "nothing")


def _run(seed: int, takes_several: bool, only: frozenset[str]) -> Outcome:
    if takes_several:
        return shake(seed, rounds=ROUNDS)
    return simulate(seed, days=DAYS, only=only)


_as_it_is = functools.cache(_run)


def _nothing() -> Statement:
    """Give a statement that changes nothing."""
    return drop_orders(2**40, 0)


@contextmanager
def _orders_are_written(is_written: Callable[[OrderRecord], bool]) -> Iterator[None]:
    def put(record: OrderRecord) -> Statement:
        return put_order(record) if is_written(record) else _nothing()

    with mock.patch.object(submit, "put_order", put), mock.patch.object(batches, "put_order", put):
        yield


@contextmanager
def _deltas() -> Iterator[None]:
    following = cadence.next_lane_one

    def delta(view: SessionView, limits: Constants, cadence_ms: int) -> Tick | Close | None:
        order = following(view, limits, cadence_ms)
        if order is None:
            return None
        return msgspec.structs.replace(order, seconds=order.seconds - view.entry.seconds)

    with mock.patch.object(cadence, "next_lane_one", delta):
        yield


@contextmanager
def _no_clock_bound() -> Iterator[None]:
    with mock.patch.object(cadence, "payable_total", return_value=2**32 - 1):
        yield


@contextmanager
def _no_credit() -> Iterator[None]:
    with mock.patch.object(Budgets, "left_ms", lambda budgets, *_: budgets.credit_ms):
        yield


@contextmanager
def _no_lease() -> Iterator[None]:
    answering = Leaser.answer

    def answer(leaser: Leaser, states: States, boot_id: str) -> Leases:
        answered = answering(leaser, states, boot_id)
        leases = [msgspec.structs.replace(lease, lease_ms=None) for lease in answered.leases]
        return msgspec.structs.replace(answered, lease_ms=_FOR_EVER_MS, leases=leases)

    with mock.patch.object(Leaser, "answer", answer):
        yield


@contextmanager
def _no_settlement() -> Iterator[None]:
    with mock.patch.object(Settler, "is_due", return_value=False):
        yield


@contextmanager
def _no_final_chain() -> Iterator[None]:
    with mock.patch.object(Belief, "_hold_against", return_value=None):
        yield


@contextmanager
def _no_fencing() -> Iterator[None]:
    renewing = Leasing.renew

    def renew(leasing: Leasing) -> Standing:
        try:
            return renewing(leasing)
        except LeaseLost:
            return Standing(others=2, draining=False)

    with (
        mock.patch.object(Leasing, "renew", renew),
        mock.patch.object(Guard, "check", return_value=None),
        # whoever asks the signer is the newest
        mock.patch.object(Several, "fence", side_effect=itertools.count(1)),
    ):
        yield


MUTATIONS: Final = (
    Mutation(
        "orders are in the journal before they are signed",
        lambda: _orders_are_written(lambda record: record.signature is not None),
    ),
    Mutation(
        "what was signed is in the journal before it is sent",
        lambda: _orders_are_written(lambda record: record.signature is None),
    ),
    Mutation("orders are totals (they name what came since the last one)", _deltas),
    Mutation("no total is ahead of the best block's clock", _no_clock_bound),
    Mutation("what is forwarded and not charged stays within the credit", _no_credit),
    Mutation("media flows for as long as its lease lasts", _no_lease, only=SILENCES),
    Mutation("what can be closed no more is settled", _no_settlement, only=LONG_ABSENCES),
    Mutation(
        "a node with another block where one was final is not believed",
        _no_final_chain,
        only=LYING_NODES,
    ),
    Mutation(
        "a relayer whose life another has ended is refused by journal and signer",
        _no_fencing,
        takes_several=True,
    ),
)
