"""What a rough day came to, in a few lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def summary(result: Mapping[str, Any]) -> Table:
    """Draw the day's figures; fits 80 columns."""
    viewers = result["viewers"]
    watched_ms = sum(viewer["watched_ms"] for viewer in viewers)
    paid_s = sum(viewer["paid_seconds"] for viewer in viewers)
    worst_ms = max(viewer["worst_unpaid_ms"] for viewer in viewers)
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim")
    lines.add_column()
    lines.add_row("seed", str(result["seed"]))
    lines.add_row("killed", _counts(result["kills"]))
    lines.add_row("started again", _counts(result["restarts"]))
    if result["failed_starts"]:
        lines.add_row("starts that failed first", _counts(result["failed_starts"]))
    lines.add_row("watched", f"{watched_ms / 1000:.1f} s")
    lines.add_row("paid", f"{paid_s} s")
    lines.add_row("unpaid", f"{watched_ms / 1000 - paid_s:.1f} s of all viewers together")
    untold_ms = sum(viewer["untold_ms"] for viewer in viewers)
    lines.add_row(
        "of that never told",
        f"{untold_ms / 1000:.1f} s at most: the server died while the relayer was away",
    )
    lines.add_row("most on credit", f"{worst_ms / 1000:.1f} s of one viewer, 20 s are allowed")
    lines.add_row("sessions", str(sum(len(each["session"].split("+")) for each in viewers)))
    lines.add_row("connections", str(sum(viewer["connections"] for viewer in viewers)))
    lines.add_row("what ended or refused them", _counts(result["refusals"]) or "nothing")
    lines.add_row("all watched again", f"{result['again_s']:.1f} s after the last fault")
    lines.add_row("all closed", f"{result['ended_s']:.1f} s after the viewers began to leave")
    return lines


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
