"""A crowd of viewers on one machine, reconciled, and the memory of node, server and relayer."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from main_job.processes import cpu_seconds, descendants, memory_bytes
from measure.figures import Figure

SAMPLE_S: Final = 2.0
MIB: Final = 2**20
_PARTS: Final = {
    "node": "paystream-node",
    "relayer": "offchain.cli relay",
    "server": "offchain.cli serve",
}


class CrowdFailed(Exception):
    """The crowd's run failed or did not reconcile. Carries its own words."""


def measure(viewers: int, decoding: int, seconds: int) -> Sequence[Figure]:
    """Run the main job with a crowd, and sample memory and processor time. Raises CrowdFailed."""
    command = [sys.executable, "-m", "main_job", "--json", "--viewers", str(viewers)]
    command += ["--decoding", str(decoding), "--seconds", str(seconds)]
    peak: dict[str, int] = {}
    busy: dict[str, float] = {}
    with tempfile.TemporaryFile("w+") as words:
        job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True)
        try:
            while job.poll() is None:
                _sample(job.pid, peak, busy)
                time.sleep(SAMPLE_S)
            output = job.communicate()[0]
        finally:
            job.terminate()
            job.wait()
        words.seek(0)
        said = words.read()
    if job.returncode != 0:
        raise CrowdFailed(f"the main job ended with code {job.returncode}:\n{said[-2000:]}")
    report = json.loads(output)
    return [
        *_crowd_figures(report, viewers, decoding),
        *_part_figures(peak, busy, viewers, seconds),
    ]


def _crowd_figures(report: dict[str, object], viewers: int, decoding: int) -> list[Figure]:
    rows = report["viewers"]
    if not isinstance(rows, list):
        raise CrowdFailed("the report has no list of viewers")
    return [
        Figure(
            name="viewers of one stream, reconciled",
            value=viewers,
            unit="viewers",
            target="100",
            note=f"{decoding} decode",
        ),
        Figure(
            name="seconds paid, all viewers",
            value=sum(row["paid_seconds"] for row in rows),
            unit="s",
            note=f"watched {sum(row['watched_ms'] for row in rows) / 1000:.0f} s",
        ),
    ]


def _part_figures(
    peak: dict[str, int], busy: dict[str, float], viewers: int, seconds: int
) -> list[Figure]:
    limit = f"{150 + viewers}"
    return [
        Figure(
            name=f"memory of the {name}, highest",
            value=peak[name] / MIB,
            unit="MiB",
            target="" if name == "node" else limit,
            note=f"processor {100 * busy[name] / seconds:.0f} % of one core",
        )
        for name in _PARTS
        if name in peak
    ]


def _sample(root: int, peak: dict[str, int], busy: dict[str, float]) -> None:
    for pid in descendants(root):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        for name, words in _PARTS.items():
            if words in line:
                peak[name] = max(peak.get(name, 0), memory_bytes(pid))
                busy[name] = max(busy.get(name, 0.0), cpu_seconds(pid))
