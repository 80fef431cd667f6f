"""The pages that say what is held name only tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = {
    page: (ROOT / "docs" / page).read_text(encoding="utf-8")
    for page in ("guarantees.md", "security.md", "failures-of-others.md")
}
NAMED = [
    place
    for text in PAGES.values()
    for place in re.findall(r"`((?:tests|pallet-paystream)/[\w/.-]+)::(\w+)`", text)
]
NAMED += [
    ("tests/signer/test_policy.py", name)
    for name in re.findall(r"`(test_\w+)`", PAGES["security.md"])
]


def test_the_page_names_tests_at_all() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_keeps_a_promise_exists(file: str, name: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"\b(?:def|fn) {name}\(", source), f"{file} has no test {name}"


WITHOUT_A_BOUND = ("root on the machine",)


def test_each_thing_to_steal_or_take_over_names_a_test() -> None:
    """Only of what nothing is said to keep out there is none."""
    about, _, _ = PAGES["security.md"].partition("## The signer")
    rows = [line for line in about.splitlines() if line.startswith("| ")]
    rows = [line for line in rows if not line.startswith(("| what |", "| process |", "| ---"))]
    assert len(rows) >= 18
    bare = [line.split(" |")[0].strip("| ") for line in rows if "::" not in line]
    assert bare == list(WITHOUT_A_BOUND)


SCENARIOS = ROOT / "tests" / "simulation" / "scenarios"
ROW = re.compile(r"\| [^|]+ \| (\[\d+\]\(https://github\.com/[\w.-]+/[\w.-]+/(?:issues|pull)/\d+\)"
                 r"(?:, )?)+ \| [^|]+ \| [^|]+ \| `tests/simulation/[\w/.]+::\w+` \|")  # fmt: skip


def test_every_failure_of_others_is_one_that_somebody_reported_and_has_its_scenario() -> None:
    lines = PAGES["failures-of-others.md"].splitlines()
    rows = [line for line in lines if line.startswith("| ") and "---" not in line]
    rows = [line for line in rows if not line.startswith("| project")]
    assert len(rows) >= 25
    assert [line for line in rows if not ROW.fullmatch(line)] == []


def test_every_scenario_of_a_failure_of_others_is_on_the_page() -> None:
    named = {(file, name) for file, name in NAMED if "failures_of_others" in file}
    there = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in SCENARIOS.glob("test_failures_of_others_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert there == named
