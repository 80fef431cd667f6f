"""docs/guarantees.md names only tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = re.findall(
    r"`((?:tests|pallet-paystream)/[\w/.-]+)::(\w+)`",
    (ROOT / "docs/guarantees.md").read_text(encoding="utf-8"),
)


def test_the_page_names_tests_at_all() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_keeps_a_promise_exists(file: str, name: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"\b(?:def|fn) {name}\(", source), f"{file} has no test {name}"
