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


def test_each_time_that_media_was_ended_by_force_may_leave_a_tail_unpaid() -> None:
    rough = report()
    for viewer in rough["viewers"]:
        viewer["watched_ms"] += 12_000
        viewer["delivered_ms"] += 11_000
    assert "are unpaid" in judge(rough, killed=True, tails=2)[0]
    assert judge(rough, killed=True, tails=3) == []
    rough["viewers"][0]["delivered_ms"] = rough["viewers"][0]["watched_ms"] + 1_400
    assert judge(rough, killed=True, tails=3) == []
    assert "were watched" in judge(rough, killed=True, tails=2)[0]


def test_a_freeze_need_not_be_paid_and_more_than_it_must_be() -> None:
    lossy = report()
    lossy["viewers"][0]["watched_ms"] += 2_100
    assert "3000 ms are unpaid" in judge(lossy)[0]
    lossy["viewers"][0]["freezes_ms"] = 2_100
    assert judge(lossy) == []
    lossy["viewers"][0]["watched_ms"] += 1_700
    assert "watched 33700 ms, 2100 of them frozen, but paid only 29 s" in judge(lossy)[0]


def of_an_operator() -> dict[str, Any]:
    """The same where each tick costs 5 and the operator has 3 % of what is earned and 1 is left."""
    priced = report()
    for viewer, ticks in zip(priced["viewers"], (5, 6), strict=True):
        viewer["fees"] = 5 * ticks
        viewer["vault_after"] -= 5 * ticks
    share = 59 * RATE * 3 // 100
    priced["stream"] |= {"claimed": 59 * RATE - share - 1, "treasury": share + 55, "unclaimed": 1}
    first = 59 * RATE * 7 // 10
    priced["payees"][0]["received"] = first
    priced["payees"][1]["received"] = 59 * RATE - share - 1 - first
    return priced


def test_an_operators_prices_and_share_disagree_with_nothing() -> None:
    assert judge(of_an_operator()) == []


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


@pytest.mark.parametrize(
    ("path", "added", "said"),
    [
        ("viewers.0.fees", 1, "and 26 of tick prices, but 29000000025 left the vault"),
        ("viewers.1.vault_after", 30, "and 30 of tick prices, but 30000000000 left the vault"),
        ("stream.treasury", -1, "received by the operator"),
        ("stream.unclaimed", 1, "unclaimed 2"),
        ("stream.claimed", 1, "claimed"),
        ("payees.0.received", 1, "received by payees"),
    ],
)
def test_each_disagreement_about_the_operators_part_is_named(
    path: str, added: int, said: str
) -> None:
    changed = of_an_operator()
    _set(path, added)(changed)
    assert any(said in problem for problem in judge(changed))


def _moved(changed: dict[str, Any], amount: int) -> None:
    """Payees have so much less than they claimed at first, and all sums still fit."""
    changed["stream"]["claimed"] -= amount
    changed["payees"][0]["received"] -= amount


@pytest.mark.parametrize(("more", "agrees"), [(0, True), (1, False)])
def test_no_more_is_left_than_shares_round_down(more: int, agrees: bool) -> None:
    changed = of_an_operator()
    _moved(changed, more)
    changed["stream"]["unclaimed"] += more
    assert (judge(changed) == []) is agrees


@pytest.mark.parametrize(("less", "agrees"), [(0, True), (1, False)])
def test_the_operator_has_the_tick_prices_at_least(less: int, agrees: bool) -> None:
    changed = of_an_operator()
    share = changed["stream"]["treasury"] - 55
    _moved(changed, -share - less)
    changed["stream"]["treasury"] = 55 - less
    assert (judge(changed) == []) is agrees


@pytest.mark.parametrize(("unpaid_ms", "agrees"), [(4_499, True), (4_500, False)])
def test_a_killed_process_may_lose_two_seconds_more(unpaid_ms: int, agrees: bool) -> None:
    changed = report()
    changed["viewers"][0]["watched_ms"] = 29_000 + unpaid_ms
    assert (judge(changed, killed=True) == []) is agrees
    assert judge(changed) != []
