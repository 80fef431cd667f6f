"""Measured figures, and how they are told."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value. `target` is what it should be, in the same unit."""

    name: str
    value: float
    unit: str
    target: str = ""
    rival: str = ""
    """Who was measured beside it, in the same run."""
    rival_value: float | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give it without what is empty."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the nearest-rank percentile of measured values. Raises ValueError if there are none."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def machine() -> str:
    """Name the machine: processor, cores, memory, system."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}"


def table(title: str, figures: Sequence[Figure]) -> Table:
    """Draw figures for people."""
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    drawn.add_column("what")
    drawn.add_column("measured", justify="right", no_wrap=True)
    drawn.add_column("target", justify="right")
    drawn.add_column("beside it")
    for figure in figures:
        beside = figure.rival
        if figure.rival_value is not None:
            beside += f": {_number(figure.rival_value)} {figure.unit}"
        drawn.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            figure.target,
            " ".join(part for part in (beside, figure.note) if part),
        )
    return drawn


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
