"""frame-omni-bencher on the runtime's WebAssembly, and what its raw results say.

The bencher gives, for each benchmark, how long every repetition took and which storage it touched.
A weight is what FRAME charges: time, and the database's price for each key read and written.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

READ_US: Final = 8.0
"""ParityDB's price of a read (`ParityDbWeight` of frame_support)."""
WRITE_US: Final = 50.0
"""ParityDB's price of a write."""
BASE_EXTRINSIC_US: Final = 108.157
"""`ExtrinsicBaseWeight` of frame_support, which the runtime charges for every extrinsic: decoding,
dispatch, and the check of one signature."""


class BencherFailed(Exception):
    """The bencher did not measure. The message holds its last lines."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What something costs in a block."""

    time_us: float
    reads: float
    writes: float

    @property
    def weight_us(self) -> float:
        """The weight, in microseconds of reference time."""
        return self.time_us + self.reads * READ_US + self.writes * WRITE_US

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            time_us=self.time_us - other.time_us,
            reads=self.reads - other.reads,
            writes=self.writes - other.writes,
        )


@dataclass(frozen=True)
class Benchmark:
    """The raw results of one benchmark."""

    time_results: Sequence[dict[str, Any]]
    db_results: Sequence[dict[str, Any]]

    def at(self, component: int | None = None) -> Cost:
        """Give the cost at one value of the component, or of a benchmark without components."""
        return Cost(
            time_us=statistics.median(_picked(self.time_results, component, "extrinsic_time"))
            / 1_000,
            reads=max(_picked(self.db_results, component, "reads")),
            writes=max(_picked(self.db_results, component, "writes")),
        )

    def components(self) -> list[int]:
        """Give the measured values of the component, ascending."""
        return sorted({_component(result) for result in self.time_results})

    def slope(self) -> Cost:
        """Give what one more of the component costs: the line through all medians."""
        values = self.components()
        if len(values) < 2:
            raise BencherFailed("a slope needs two values of the component: give more --steps")
        costs = [self.at(value) for value in values]

        def line(figures: Sequence[float]) -> float:
            return statistics.linear_regression(values, figures).slope

        return Cost(
            time_us=line([cost.time_us for cost in costs]),
            reads=line([cost.reads for cost in costs]),
            writes=line([cost.writes for cost in costs]),
        )


def _component(result: dict[str, Any]) -> int:
    components = result["components"]
    return int(components[0][1]) if components else 0


def _picked(results: Sequence[dict[str, Any]], component: int | None, field: str) -> list[float]:
    picked = [
        float(result[field])
        for result in results
        if component is None or _component(result) == component
    ]
    if not picked:
        raise BencherFailed(f"nothing was measured at {component}")
    return picked


def measure(
    bencher: Path,
    runtime: Path,
    pallet: str,
    extrinsics: Sequence[str],
    *,
    steps: int,
    repeat: int,
) -> dict[str, Benchmark]:
    """Measure some benchmarks of a pallet. Raises BencherFailed."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [
            str(bencher),
            *("v1", "benchmark", "pallet", "--runtime", str(runtime)),
            *("--genesis-builder", "runtime", "--genesis-builder-preset", "development"),
            *("--pallet", pallet, "--extrinsic", ",".join(extrinsics)),
            *("--steps", str(steps), "--repeat", str(repeat)),
            *("--json-file", str(results), "--quiet"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not results.exists():
            said = (done.stderr or done.stdout).strip().splitlines()[-5:]
            raise BencherFailed("frame-omni-bencher failed: " + " / ".join(said))
        batches = json.loads(results.read_text())
    return {
        _name(batch["benchmark"]): Benchmark(batch["time_results"], batch["db_results"])
        for batch in batches
    }


def _name(raw: str | list[int]) -> str:
    return raw if isinstance(raw, str) else bytes(raw).decode()
