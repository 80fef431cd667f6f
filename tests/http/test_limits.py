"""Paces, places and remembered refusals, on a clock that the test moves."""

from __future__ import annotations

import pytest

from streaming.http import limits
from streaming.http.limits import ChecksAtOnce, HalfOpen, Pace, RefusedTokens
from streaming.http.problem import ProblemError
from streaming.session_state import Problem, StreamRef


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


def test_addresses_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDRESSES_MAX", 3)
    pace = Pace(1, 1, Clock())
    for name in "abc":
        assert pace.take(name) == 0
    assert pace.take("a") > 0  # used lately, so another goes
    assert pace.take("d") == 0
    assert pace.take("a") > 0
    assert pace.take("b") == 0


def test_half_open_places_come_back_when_they_connect() -> None:
    clock = Clock()
    half_open = HalfOpen(2, 3, clock)
    first, second = half_open.enter("a", StreamRef(1)), half_open.enter("a", StreamRef(1))
    clock.now += 4.2
    with pytest.raises(ProblemError) as raised:
        half_open.enter("a", StreamRef(2))
    assert raised.value.problem.status == 429
    assert raised.value.headers == {"Retry-After": "11"}
    for words in ("address a", "at most 2", "ask again in 11 s"):
        assert words in raised.value.problem.detail
    half_open.enter("b", StreamRef(1))
    with pytest.raises(ProblemError) as raised:
        half_open.enter("c", StreamRef(1))
    assert (raised.value.problem.status, raised.value.headers) == (503, {"Retry-After": "11"})
    assert half_open.enter("c", StreamRef(1), publishing=True)
    first.over = lambda: True
    half_open.leave(second)
    half_open.leave(second)
    assert len(half_open) == 2
    half_open.enter("a", StreamRef(1))
    half_open.enter(None, StreamRef(2))
    half_open.enter(None, StreamRef(2))
    half_open.enter(None, StreamRef(2))


def test_a_refused_token_is_not_asked_about_again_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    refused = RefusedTokens(clock)
    problem = Problem(status=401, code="token-expired", detail="sign in again")
    refused.remember("psw_1", ProblemError.of(problem))
    refused.check("psw_2")
    with pytest.raises(ProblemError) as raised:
        refused.check("psw_1")
    assert raised.value.problem == problem
    clock.now += limits.REFUSED_FOR_S
    refused.check("psw_1")
    assert "psw_1" not in repr(vars(refused))
    monkeypatch.setattr(limits, "REFUSED_TOKENS_MAX", 2)
    for name in ("a", "b", "c"):
        refused.remember(name, ProblemError.of(problem))
    refused.check("a")
    with pytest.raises(ProblemError):
        refused.check("b")


def test_checks_of_one_address_at_a_time() -> None:
    checks = ChecksAtOnce(1)
    with checks.one("a"):
        with pytest.raises(ProblemError) as raised, checks.one("a"):
            pass
        assert (raised.value.problem.status, raised.value.headers) == (429, {"Retry-After": "1"})
        with checks.one("b"), checks.one(None), checks.one(None):
            pass
    with checks.one("a"):
        pass
