"""The table of docs/guarantees.md: what is taken out of the relayer, and which judge sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.simulation.mutations import Found

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "guarantees.md"
BEGIN: Final = "<!-- written by scripts/simulate --mutations -->\n"
END: Final = "<!-- end of what is written -->\n"


def table(found: Sequence[Found]) -> str:
    """Give the table's lines."""
    lines = ["| taken out | found by | in seeds | in its words |", "| --- | --- | --- | --- |"]
    for each in found:
        oracle = each.oracle or "nobody"
        lines.append(f"| {each.mutation.what} | {oracle} | {each.seeds} | {each.words} |")
    return "\n".join([*lines, ""])


def write(found: Sequence[Found], page: Path = PAGE) -> None:
    """Put the table between its marks. Raises ValueError where the page has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"{page} has no place for the table: it stands between {BEGIN!r} and {END!r}"
        )
    page.write_text(f"{before}{BEGIN}{table(found)}{END}{after}", encoding="utf-8")
