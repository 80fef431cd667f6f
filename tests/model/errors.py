"""The names of the pallet's errors, and which of them no call can bring about here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

UNREACHED: dict[str, str] = {
    "BlockFull": "a story's blocks never have so many calls; its test is in submit_batch.rs",
    "NotSeller": "no other pallet sells there; its test is in seller.rs",
    "CallFiltered": "the oracle's runtime filters no call; its tests are in authorize.rs",
}
"""Errors that the comparison cannot bring about, each with its reason."""


def error_names() -> set[str]:
    """Read the names from the pallet's own list."""
    source = (ROOT / "pallet-paystream/src/lib.rs").read_text(encoding="utf-8")
    listed = source.split("pub enum Error<T> {", 1)[1].split("\n\t}\n", 1)[0]
    return set(re.findall(r"^\t\t(\w+),$", listed, flags=re.MULTILINE))


def missed(given: Iterable[str]) -> list[str]:
    """Give the errors that could be brought about and are not among the `given`."""
    return sorted(error_names() - set(given) - UNREACHED.keys())
