"""Random days, short ones: what the relayer holds."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest

from offchain.keys.signer import Signer
from offchain.ledger.orders import SignedOrder, Tick
from offchain.ledger.types import BatchResult
from tests.simulation.month import Outcome, Setting, simulate
from tests.simulation.node import Endpoint

SEEDS = 20
DAYS = 1 / 144
"""Ten minutes of faults."""


@functools.cache
def outcome(seed: int) -> Outcome:
    return simulate(seed, days=DAYS)


def failures(seed: int, *oracles: str) -> list[str]:
    return [
        f"seed {seed}, {each.oracle}: {each.what}"
        for each in outcome(seed).failures
        if each.oracle in oracles
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_second_is_charged_that_was_not_delivered(seed: int) -> None:
    assert not failures(seed, "charged")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_everything_that_is_kept_is_bounded(seed: int) -> None:
    assert not failures(seed, "bounded")


def test_credit_holds() -> None:
    found = [each for seed in range(SEEDS) for each in failures(seed, "credit")]
    assert not found, "\n".join(found)


def test_every_session_ends() -> None:
    found = [each for seed in range(SEEDS) for each in failures(seed, "ends")]
    assert not found, "\n".join(found)


def test_a_share_of_the_seeds_has_another_setting() -> None:
    settings = [Setting.drawn(seed) for seed in range(100)]
    assert 20 < sum(each.in_batches for each in settings) < 50
    assert 25 < sum(each.long_window for each in settings) < 75
    assert 20 < sum(each.addresses for each in settings) < 50


@pytest.mark.parametrize("seed", [0, 2])
def test_ticks_go_in_batches_where_the_setting_says_so(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    ticks: list[Tick] = []
    send = Endpoint.submit_batch

    async def submit_batch(
        self: Endpoint, signer: Signer, orders: Sequence[SignedOrder], **named: Any
    ) -> BatchResult:
        ticks.extend(each.order for each in orders if isinstance(each.order, Tick))
        return await send(self, signer, orders, **named)

    monkeypatch.setattr(Endpoint, "submit_batch", submit_batch)
    simulate(seed, days=1 / 288)
    assert bool(ticks) is Setting.drawn(seed).in_batches


def test_the_days_are_eventful() -> None:
    assert sum(outcome(seed).sessions for seed in range(SEEDS)) > 3 * SEEDS
    assert sum(sum(outcome(seed).faults.values()) for seed in range(SEEDS)) > 3 * SEEDS
