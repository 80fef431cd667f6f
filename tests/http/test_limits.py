"""Paces, places and remembered refusals, on a clock that the test moves."""

from __future__ import annotations

import pytest

from streaming.http import limits
from streaming.http.limits import ChecksAtOnce, HalfOpen, RefusedTokens
from streaming.http.problem import ProblemError
from streaming.session_state import Problem, StreamRef


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


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
