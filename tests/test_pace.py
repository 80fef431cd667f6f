"""Buckets, each on its own and by name, on a clock that the test moves."""

from __future__ import annotations

import pytest

from streaming import pace as pacing
from streaming.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_the_rate() -> None:
    clock = Clock()
    pace = Pace(2, 4, clock)
    assert [pace.take("a") for _ in range(4)] == [0, 0, 0, 0]
    assert pace.take("a") == pytest.approx(0.5)
    assert pace.take("b") == 0
    clock.now += 0.5
    assert pace.take("a") == 0
    assert pace.take("a") == pytest.approx(0.5)
    clock.now += 3600
    assert [pace.take("a") == 0 for _ in range(5)] == [True] * 4 + [False]


def test_no_limit_and_nobody_to_limit() -> None:
    clock = Clock()
    assert all(Pace(0, 0, clock).take("a") == 0 for _ in range(100))
    assert all(Pace(1, 1, clock).take(None) == 0 for _ in range(100))


def test_names_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "NAMES_MAX", 3)
    pace = Pace(1, 1, Clock())
    for name in "abc":
        assert pace.take(name) == 0
    assert pace.take("a") > 0  # used lately, so another goes
    assert pace.take("d") == 0
    assert pace.take("a") > 0
    assert pace.take("b") == 0
