"""Random days, short ones: what the relayer holds."""

from __future__ import annotations

import functools

import pytest

from tests.simulation.month import Outcome, simulate

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


def test_the_days_are_eventful() -> None:
    assert sum(outcome(seed).sessions for seed in range(SEEDS)) > 3 * SEEDS
    assert sum(sum(outcome(seed).faults.values()) for seed in range(SEEDS)) > 3 * SEEDS
