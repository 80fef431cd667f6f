"""What the relayer's safety rests on is missed when it is gone: the judges can see."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from pathlib import Path
from unittest import mock

import pytest

from simulate_faults import mutation_table
from tests.simulation import mutations
from tests.simulation.month import simulate
from tests.simulation.mutations import MUTATIONS, Found, Mutation, NotClean, find
from tests.simulation.oracles import Failure

PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"


@pytest.mark.parametrize("mutation", MUTATIONS[:2], ids=lambda mutation: mutation.what)
def test_what_is_taken_out_is_missed(mutation: Mutation) -> None:
    """Those that every seed shows; `scripts/simulate --mutations` has them all."""
    found = find(mutation)
    assert (found.oracle, found.seeds) == ("written", 1)


def test_a_missing_fence_is_seen_where_there_are_several() -> None:
    assert find(MUTATIONS[-1]).oracle == "held"


def test_what_changes_nothing_is_found_by_nobody() -> None:
    found = find(Mutation("nothing", contextlib.nullcontext), seeds_max=1)
    assert found.oracle is None


def test_a_seed_that_finds_something_anyway_shows_nothing() -> None:
    fails = [Failure("credit", "too much")]
    outcome = dataclasses.replace(simulate(0, days=1 / 2_000), failures=tuple(fails))
    with (
        mock.patch.object(mutations, "simulate", return_value=outcome),
        mock.patch.object(mutations, "_as_it_is", return_value=outcome),
        pytest.raises(NotClean, match="seed 0: too much"),
    ):
        find(MUTATIONS[0])


def test_the_page_has_every_mutation() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = text.partition(mutation_table.BEGIN)[2].partition(mutation_table.END)[0]
    named = re.findall(r"^\| (.+?) \| (\w+) \|", written, re.MULTILINE)
    assert [what for what, _ in named] == [mutation.what for mutation in MUTATIONS]
    assert "nobody" not in {oracle for _, oracle in named}


def test_the_table_is_put_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{mutation_table.BEGIN}old\n{mutation_table.END}after\n")
    mutation_table.write([Found(MUTATIONS[0], 3, "written", "it says so")], page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert f"| {MUTATIONS[0].what} | written | 3 | it says so |" in text


def test_a_page_without_a_place_for_the_table_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="no place for the table"):
        mutation_table.write([], page)
