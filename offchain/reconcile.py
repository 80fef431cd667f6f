"""Holds what was watched, metered, paid and received against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

WATCHED_LEAD_MS: Final = 500
"""The server may count this much more than the viewer saw: two clocks, and frames on their way."""
UNPAID_MS_MAX: Final = 2_500
"""The viewer may have seen this much more move than was paid: what is withheld, the unfinished
second, and the tail that no report confirmed."""
UNPAID_KILLED_MS_MAX: Final = 4_500
"""The same where a process was killed: it loses at most 2 seconds more, in the viewer's favour."""


def judge(report: Mapping[str, Any], *, killed: bool = False, tails: int = 1) -> list[str]:
    """Give everything that disagrees in a report of the main job, in words; empty if nothing does.

    `report` has the shape that `scripts/demo --json` prints (`reconciled` is not read), `killed`
    says that a process was killed on the way, `tails` how often a viewer's media may have ended:
    each time may leave so much more unpaid, or unseen. Amounts are in the smallest unit. Of a
    viewer's `fees` and `freezes_ms` and a stream's `treasury` and `unclaimed`, what is missing is
    taken for 0. A freeze is free, and of those that are shorter than the meter's gap the viewer's
    own clock has counted the time: for them nothing need be paid.
    """
    found = [
        f"viewer {viewer['account']}: {problem}"
        for viewer in report["viewers"]
        for problem in _viewer(viewer, UNPAID_KILLED_MS_MAX if killed else UNPAID_MS_MAX, tails)
    ]
    return found + list(_money(report))


def _viewer(viewer: Mapping[str, Any], unpaid_ms_max: int, tails: int) -> Iterator[str]:
    paid, seconds, rate = viewer["paid"], viewer["paid_seconds"], viewer["rate_per_second"]
    fees = viewer.get("fees", 0)
    watched_ms, delivered_ms = viewer["watched_ms"], viewer["delivered_ms"]
    if paid != seconds * rate:
        yield f"paid {paid} is not {seconds} s at {rate} a second"
    left_vault = viewer["vault_before"] - viewer["vault_after"]
    if paid + fees != left_vault:
        also = f" and {fees} of tick prices" if fees else ""
        yield f"paid {paid}{also}, but {left_vault} left the vault"
    if seconds * 1000 > delivered_ms:
        yield f"paid {seconds} s, but only {delivered_ms} ms were delivered"
    if delivered_ms > watched_ms + WATCHED_LEAD_MS * tails:
        yield f"{delivered_ms} ms are called delivered, but only {watched_ms} ms were watched"
    frozen_ms = viewer.get("freezes_ms", 0)
    unpaid_ms = watched_ms - frozen_ms - seconds * 1000
    if unpaid_ms >= unpaid_ms_max * tails:
        less = f", {frozen_ms} of them frozen" if frozen_ms else ""
        yield f"watched {watched_ms} ms{less}, but paid only {seconds} s: {unpaid_ms} ms are unpaid"


def _money(report: Mapping[str, Any]) -> Iterator[str]:
    stream, payees = report["stream"], report["payees"]
    paid = sum(viewer["paid"] for viewer in report["viewers"])
    fees = sum(viewer.get("fees", 0) for viewer in report["viewers"])
    earned, claimed = stream["earned"], stream["claimed"]
    treasury, unclaimed = stream.get("treasury", 0), stream.get("unclaimed", 0)
    received = sum(payee["received"] for payee in payees)
    agrees = (
        paid == earned
        and claimed == received
        and earned + fees == claimed + treasury + unclaimed
        and treasury >= fees
        # Shares are rounded down, so the stream keeps less than one unit for each payee.
        and 0 <= unclaimed < max(1, len(payees))
    )
    if agrees:
        return
    amounts = {
        "paid by viewers": paid,
        "of tick prices": fees,
        "earned by the stream": earned,
        "claimed": claimed,
        "received by payees": received,
        "received by the operator": treasury,
        "unclaimed": unclaimed,
    }
    yield "money disagrees: " + ", ".join(f"{name} {value}" for name, value in amounts.items())
