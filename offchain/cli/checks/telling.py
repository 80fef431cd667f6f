"""How checks are told: each as it is made, then their sum; for programs, all in one object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from offchain.cli.checks import Check
from offchain.cli.output import Output

STYLES: Final = {
    "ok": ("ok", "bold green"),
    "warning": ("warning", "bold yellow"),
    "failed": ("failed", "bold red"),
    "skipped": ("skipped", "dim"),
}


def told(out: Output, checks: Iterable[Check]) -> list[Check]:
    """Make the checks, and show each as soon as it is made unless one object is asked for."""
    found = []
    for check in checks:
        found.append(check)
        if not out.json_mode:
            _show(out, check)
    return found


def all_well(found: Iterable[Check]) -> bool:
    """Tell whether no check failed; warnings do not count."""
    return all(check.state != "failed" for check in found)


def as_data(found: Iterable[Check]) -> dict[str, Any]:
    """Give the checks for programs."""
    found = list(found)
    return {
        "ok": all_well(found),
        "checks": [
            {
                "name": each.name,
                "state": each.state,
                "found": each.found,
                "remedy": each.remedy or None,
            }
            for each in found
        ],
    }


def _show(out: Output, check: Check) -> None:
    from rich.table import Table
    from rich.text import Text

    word, style = STYLES[check.state]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=7)
    grid.add_column(width=16, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(word, style=style), Text(check.name, style="cyan"), Text(check.found))
    if check.remedy:
        grid.add_row("", "", Text(f"→ {check.remedy}", style="bold"))
    out.show(grid)


def show_sum(out: Output, found: list[Check]) -> None:
    """Say how many failed."""
    from rich.text import Text

    states = [each.state for each in found]
    bad, warned = states.count("failed"), states.count("warning")
    if bad:
        out.show("", Text(f"{bad} of {len(states)} checks failed.", style="bold red"))
    else:
        more = f" {warned} warning(s)." if warned else ""
        out.show("", Text(f"Nothing is wrong.{more}", style="bold green"))
