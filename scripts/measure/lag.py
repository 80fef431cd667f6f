"""From a delivered second to its tick in a block, and to that block's finality."""

from __future__ import annotations

import bisect
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import trio

from main_job import parts
from main_job.rest import RestFailed
from main_job.stage import Stage
from measure.figures import Figure, percentile
from measure.staged import on_stage
from offchain.ledger.types import HeadKind

POLL_S: Final = 0.1
CADENCE_S: Final = 6


class _Delivered:
    """When the server called how much delivered, on this process's clock."""

    def __init__(self) -> None:
        self._ms: list[int] = []
        self._at: list[float] = []

    def add(self, delivered_ms: int) -> None:
        """Note a figure now."""
        if not self._ms or delivered_ms > self._ms[-1]:
            self._ms.append(delivered_ms)
            self._at.append(time.monotonic())

    def when(self, seconds: int) -> float | None:
        """When so many seconds had been delivered, if they have."""
        place = bisect.bisect_left(self._ms, seconds * 1000)
        return self._at[place] if place < len(self._at) else None


def measure(seconds: int) -> Sequence[Figure]:
    """Watch for so long, and compare the blocks with what was delivered when."""
    lags = on_stage(lambda stage: _watch(stage, seconds), viewers=1)
    figures = []
    for kind, target in (("best", ""), ("finalized", "15")):
        said = "included" if kind == "best" else "finalized"
        for percent in (50, 99):
            figures.append(
                Figure(
                    name=f"delivered to {said}, oldest second of a tick, p{percent}",
                    value=percentile(lags[kind], percent),
                    unit="s",
                    target=target,
                    note=f"{len(lags[kind])} ticks, cadence {CADENCE_S} s",
                )
            )
    return figures


async def _watch(stage: Stage, seconds: int) -> dict[str, list[float]]:
    delivered = _Delivered()
    lags: dict[str, list[float]] = {"best": [], "finalized": []}
    viewer = parts.start_viewer(
        stage.supervisor,
        stage.meeting,
        stage.people.viewer_names[0],
        seconds=seconds,
        money="5",
        count_only=True,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_poll, stage, delivered)
        nursery.start_soon(_follow, stage, "best", delivered, lags["best"])
        nursery.start_soon(_follow, stage, "finalized", delivered, lags["finalized"])
        await viewer.wait()
        nursery.cancel_scope.cancel()
    return lags


async def _poll(stage: Stage, delivered: _Delivered) -> None:
    while True:
        with suppress(RestFailed):
            for session in (await stage.rest.get("sessions"))["sessions"]:
                delivered.add(int(session["delivered_ms"]))
        await trio.sleep(POLL_S)


async def _follow(stage: Stage, kind: HeadKind, delivered: _Delivered, lags: list[float]) -> None:
    """Note, at each tick in a block of this kind, how long ago its oldest second was delivered."""
    seen = 0
    async with stage.ledger.heads(kind) as heads:
        async for head in heads:
            for event in await stage.ledger.events(head.hash):
                if (event.pallet, event.name) != ("PayStream", "Ticked"):
                    continue
                total = int(event.fields["seconds"])
                since = delivered.when(seen + 1)
                if total > seen and since is not None:
                    lags.append(time.monotonic() - since)
                seen = max(seen, total)
