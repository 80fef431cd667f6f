"""Measured figures, and how they are told."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Load:
    """What each viewer really got while something was measured, picture and sound apart."""

    viewers: int
    seconds: float
    picture_kbps: float
    """RTP with its header and SRTP's tag, as it arrived."""
    sound_kbps: float
    picture_packets_per_s: float
    sound_packets_per_s: float
    pictures_per_s: float

    def __str__(self) -> str:
        return (
            f"{self.viewers} viewers, {self.picture_kbps:.0f} + {self.sound_kbps:.0f} kbit/s each "
            f"({self.picture_packets_per_s:.0f} + {self.sound_packets_per_s:.0f} packets/s, "
            f"{self.pictures_per_s:.0f} pictures/s)"
        )


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
    less_is_better: bool = False
    load: Load | None = None
    """What was carried meanwhile."""
    rival_load: Load | None = None
    basis: str = ""
    """What the figure rests on: how it was reached from what was measured."""
    rival_basis: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the rival, if there is one; below 1 it is worse."""
        if not self.rival_value or not self.value:
            return None
        ours = self.value / self.rival_value
        return 1 / ours if self.less_is_better else ours

    def as_json(self) -> dict[str, Any]:
        """Give it without what is empty, with its `ratio` to the rival."""
        found = {**asdict(self), "ratio": self.ratio}
        del found["less_is_better"]
        return {name: value for name, value in found.items() if value not in ("", None)}


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


def table(title: str, figures: Sequence[Figure]) -> Group:
    """Draw figures for people: a table, and below it what was carried and what they rest on."""
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    drawn.add_column("what")
    drawn.add_column("measured", justify="right", no_wrap=True)
    drawn.add_column("target", justify="right")
    drawn.add_column("beside it")
    below: dict[str, list[str]] = {}
    for figure in figures:
        drawn.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            figure.target,
            " ".join(part for part in (_beside(figure), figure.note) if part),
        )
        below.setdefault(_rests_on(figure), []).append(figure.name)
    below.pop("", None)
    return Group(drawn, *(f"  {'; '.join(names)}:\n{text}" for text, names in below.items()))


def _rests_on(figure: Figure) -> str:
    lines = []
    for whose, load, basis in (
        ("", figure.load, figure.basis),
        (f"{figure.rival}: ", figure.rival_load, figure.rival_basis),
    ):
        rests = "; ".join(part for part in (str(load or ""), basis) if part)
        if rests:
            lines.append(f"    {whose}{rests}")
    return "\n".join(lines)


def _beside(figure: Figure) -> str:
    if figure.rival_value is None:
        return figure.rival
    beside = f"{figure.rival}: {_number(figure.rival_value)} {figure.unit}"
    if figure.ratio is not None:
        beside += f" (ratio {figure.ratio:.2g})"
    return beside


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
