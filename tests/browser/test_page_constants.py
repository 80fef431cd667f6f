"""Figures that pages and server share are the same on both sides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streaming import session_state

STATIC = Path(__file__).parents[2] / "streaming" / "pages" / "static"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("picture-meter.js", "GAP_MAX_MS"),
        ("wanted-state.js", "LEASE_MS"),
        ("viewing.js", "RESUME_WITHIN_MS"),
    ],
)
def test_a_constant_of_the_pages_is_the_server_s(module: str, name: str) -> None:
    text = (STATIC / module).read_text()
    found = re.findall(rf"^(?:export )?const {name} = ([\d_]+);", text, re.MULTILINE)
    assert [int(number) for number in found] == [getattr(session_state, name)]
