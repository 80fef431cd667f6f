"""The judgement over a whole run: every way in which a report can disagree is seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from offchain.reconcile import judge

RATE = 1_000_000_000


def report() -> dict[str, Any]:
    """A run that agrees: two viewers, 29 and 30 paid seconds, two payees."""
    viewers = [
        {
            "account": f"viewer-{number}",
            "watched_ms": seconds * 1000 + 900,
            "delivered_ms": seconds * 1000 + 400,
            "paid_seconds": seconds,
            "rate_per_second": RATE,
            "paid": seconds * RATE,
            "vault_before": 10**12,
            "vault_after": 10**12 - seconds * RATE,
        }
        for number, seconds in enumerate((29, 30))
    ]
    return {
        "stream": {"id": 0, "rate_per_second": RATE, "earned": 59 * RATE, "claimed": 59 * RATE},
        "viewers": viewers,
        "payees": [
            {"account": "a", "received": 59 * RATE * 7 // 10},
            {"account": "b", "received": 59 * RATE * 3 // 10},
        ],
    }


def test_a_run_that_agrees_has_no_disagreement() -> None:
    assert judge(report()) == []


def _set(path: str, value: int) -> Callable[[dict[str, Any]], None]:
    def change(changed: dict[str, Any]) -> None:
        place: Any = changed
        *way, last = path.split(".")
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[last] += value

    return change


@pytest.mark.parametrize(
    ("path", "added", "said"),
    [
        ("viewers.0.paid", 1, "is not 29 s"),
        ("viewers.0.vault_after", -1, "left the vault"),
        ("viewers.0.delivered_ms", -401, "were delivered"),
        ("viewers.0.delivered_ms", 1001, "were watched"),
        ("viewers.0.watched_ms", 1600, "are unpaid"),
        ("stream.earned", 1, "earned by the stream"),
        ("stream.claimed", -1, "claimed"),
        ("payees.1.received", -1, "received by payees"),
    ],
)
def test_each_disagreement_is_named(path: str, added: int, said: str) -> None:
    changed = copy.deepcopy(report())
    _set(path, added)(changed)
    assert any(said in problem for problem in judge(changed))


@pytest.mark.parametrize(("unpaid_ms", "agrees"), [(4_499, True), (4_500, False)])
def test_a_killed_process_may_lose_two_seconds_more(unpaid_ms: int, agrees: bool) -> None:
    changed = report()
    changed["viewers"][0]["watched_ms"] = 29_000 + unpaid_ms
    assert (judge(changed, killed=True) == []) is agrees
    assert judge(changed) != []
