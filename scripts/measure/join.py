"""From "play" to the first decoded picture, with funds and grant there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import trio

from main_job import parts
from main_job.processes import ProcessFailed
from main_job.stage import Stage
from measure.figures import Figure, percentile
from measure.staged import on_stage

ACCOUNTS: Final = 4
"""Joins go round: under one grant, a free open comes at most once in 5 s."""
WATCH_S: Final = 3
JOIN_SECONDS_MAX: Final = 90.0


def measure(joins: int) -> Sequence[Figure]:
    """Measure so many joins, one after the other, on a running stage."""
    times_ms = on_stage(lambda stage: _joins(stage, joins), viewers=ACCOUNTS)
    note = f"{len(times_ms)} joins, one at a time; decoded by our own client"
    return [
        Figure(
            name="play to first picture, p50",
            value=percentile(times_ms, 50),
            unit="ms",
            target="500",
            note=note,
        ),
        Figure(name="play to first picture, p99", value=percentile(times_ms, 99), unit="ms"),
    ]


async def _joins(stage: Stage, joins: int) -> list[float]:
    for name in stage.people.viewer_names:
        await _join(stage, name)  # deposits and grants
    names = stage.people.viewer_names
    return [
        float((await _join(stage, names[number % len(names)]))["first_frame_ms"])
        for number in range(joins)
    ]


async def _join(stage: Stage, name: str) -> dict[str, Any]:
    viewer = parts.start_viewer(
        stage.supervisor,
        stage.meeting,
        name,
        seconds=WATCH_S,
        money="5",
        count_only=False,
    )
    with trio.move_on_after(JOIN_SECONDS_MAX):
        if await viewer.wait() == 0:
            result = viewer.last_json()
            if result["first_frame_ms"] is not None:
                return result
    raise ProcessFailed(viewer.complaint("saw no picture"))
