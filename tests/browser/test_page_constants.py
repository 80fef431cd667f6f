"""Figures that pages and server share are the same on both sides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streaming import session_state
from streaming.community.chat import reports

STATIC = Path(__file__).parents[2] / "streaming" / "pages" / "static"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("picture-meter.js", "GAP_MAX_MS"),
        ("sdk/wanted-state.js", "LEASE_MS"),
        ("viewing.js", "RESUME_WITHIN_MS"),
    ],
)
def test_a_constant_of_the_pages_is_the_server_s(module: str, name: str) -> None:
    text = (STATIC / module).read_text()
    found = re.findall(rf"^(?:export )?const {name} = ([\d_]+);", text, re.MULTILINE)
    assert [int(number) for number in found] == [getattr(session_state, name)]


def keys_of(module: str, name: str) -> tuple[str, ...]:
    """The keys of an object of strings."""
    _, _, text = (STATIC / module).read_text().partition(f"{name} = {{")
    return tuple(re.findall(r'^ *"?([\w-]+)"?:', text.partition("};")[0], re.MULTILINE))


def test_what_is_reported_and_answered_is_the_same_on_both_sides() -> None:
    panel = (STATIC / "components" / "chat-panel.js").read_text()
    [found] = re.findall(r"^const REPORT_REASONS = \[(.*)\];", panel, re.MULTILINE)
    assert tuple(re.findall(r'"(\w+)"', found)) == reports.REASONS
    assert keys_of("act-texts.js", "ANSWERS") == reports.ANSWERS


def test_the_log_of_the_pages_knows_every_act() -> None:
    folder = Path(reports.__file__).parent
    source = "".join(path.read_text() for path in sorted(folder.glob("*.py")))
    named = set(re.findall(r'Act\(\s*"([\w-]+)"', source))
    assert "answer-report" in named
    named |= {"ban", "time-out", "name-moderator", "dismiss-moderator"}
    assert set(keys_of("act-texts.js", "ACTS")) == named
