"""What `scripts/watch-paths` says of what it saw."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from watch_paths import Row

ROW = Row(
    program="a player",
    loss_percent=1.0,
    delay_ms=40.0,
    watched_ms=90_000,
    freezes_ms=0,
    delivered_ms=89_400,
    ends=("left",),
    per_packet=True,
    held_ms=0,
    broken_ms=0,
)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, ""),
        ({"watched_ms": 89_500, "delivered_ms": 90_999}, ""),
        ({"watched_ms": 89_499, "delivered_ms": 90_000}, "more than it saw"),
        ({"delivered_ms": 86_100}, ""),
        ({"delivered_ms": 86_099}, "less than 97 %"),
        ({"delivered_ms": 86_099, "loss_percent": 5.0}, ""),
        ({"delivered_ms": 84_299, "loss_percent": 5.0}, "less than 95 %"),
        ({"ends": ("vanished", "left")}, "ended: vanished, left"),
        ({"held_ms": 1_450}, "held for 1.4 s"),
        ({"broken_ms": 1_450}, ""),
    ],
)
def test_what_is_not_as_promised_is_said(change: dict[str, object], fault: str) -> None:
    assert dataclasses.replace(ROW, **change).fault == fault  # type: ignore[arg-type]


def test_whole_seconds_are_paid() -> None:
    assert round(ROW.paid_percent, 1) == 98.9


@pytest.mark.parametrize("given", [("--programs", "lynx"), ("--loss", "101"), ("--loss", "much")])
def test_what_is_not_there_is_refused(given: tuple[str, str]) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "watch_paths", *given],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert asked.returncode == 2
    assert f"{given[0]} {given[1]}" in asked.stderr
