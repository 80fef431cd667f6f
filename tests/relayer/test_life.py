"""The table of a session's life: whole, without dead ends, and never over before a final block."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain.relayer.life import (
    FACT_WORDS,
    FACTS,
    STATES,
    TABLE,
    Entries,
    Fact,
    State,
    Torn,
    fact_of,
    outcome_of,
    placed,
    step,
)

ROOT = Path(__file__).resolve().parents[2]
FINAL_ENDS = {"final: over", "final: cannot open"}


def test_each_state_knows_each_fact() -> None:
    assert set(TABLE) == set(STATES)
    for state in STATES:
        assert set(TABLE[state]) == set(FACTS), state
    assert set(FACT_WORDS) == set(FACTS)


def test_the_drawing_in_the_docs_is_the_table() -> None:
    command = [sys.executable, "scripts/session-life", "--check"]
    subprocess.run(command, check=True, cwd=ROOT)


def test_a_table_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        TABLE["open"]["end"] = None  # type: ignore[index]


def test_each_state_is_reached_and_left() -> None:
    reached = {"reserved"}
    for _ in STATES:
        for state in list(reached):
            reached |= {found.state for found in TABLE[state].values() if found is not None}
    assert reached == set(STATES)
    for state in STATES:
        leaves = {found.state for found in TABLE[state].values() if found is not None} - {state}
        assert bool(leaves) == (state != "over")


def test_only_a_final_block_ends_what_may_be_on_the_ledger() -> None:
    for state, fact in itertools.product(STATES, FACTS):
        found = step(state, fact)
        if found is not None and found.state == "over" and state != "reserved":
            assert fact in FINAL_ENDS, (state, fact)


def test_nothing_ends_a_session_that_no_order_was_signed_for_but_itself_and_final_blocks() -> None:
    ends = {fact for fact in FACTS if (found := step("reserved", fact)) and found.state == "over"}
    assert ends == {"end", "refused", *FINAL_ENDS}


def test_whatever_a_state_the_same_fact_twice_changes_it_once() -> None:
    for state, fact in itertools.product(STATES, FACTS):
        first = step(state, fact)
        if first is None:
            continue
        again = step(first.state, fact)
        assert again is None or again.state == first.state, (state, fact)


def test_every_way_to_over_releases_and_never_opened_frees_the_index() -> None:
    for state, fact in itertools.product(STATES, FACTS):
        found = step(state, fact)
        if found is None or found.state != "over":
            continue
        assert "release" in found.follows
        never = outcome_of(fact, was_settled=False) == "never opened"
        assert ("free index" in found.follows) == never, (state, fact)


def test_media_stops_with_every_way_out_of_a_state_that_had_it() -> None:
    for state in ("reserved", "opening", "open"):
        for fact in FACTS:
            found = step(state, fact)
            if found is None or found.state in ("reserved", "opening", "open"):
                continue
            assert fact == "end" or "stop media" in found.follows, (state, fact)


def test_what_a_block_lists_is_closed_or_ticked() -> None:
    for state in STATES:
        for fact in ("best: open", "best: expired"):
            found = step(state, fact)
            if state == "over":
                continue
            assert found is not None
            assert {"tick", "close or settle"} & set(found.follows), (state, fact)


@given(st.lists(st.sampled_from(FACTS), max_size=30))
def test_from_anywhere_a_final_block_leads_out(facts: list[Fact]) -> None:
    state: State = "reserved"
    for fact in facts:
        found = step(state, fact)
        state = state if found is None else found.state
    found = step(state, "final: over")
    assert state == "over" or (found is not None and found.state == "over")


def entries(index: int = 3, **changed: object) -> Entries:
    fields: dict[str, object] = {"block": 10, "final": False, "next_index": index + 1}
    return Entries(**{**fields, **changed})  # type: ignore[arg-type]


def test_three_entries_place_an_index() -> None:
    assert placed(3, entries(next_index=3)) == "not yet"
    assert placed(3, entries(open=(3,), has_entry=True)) == "open"
    assert placed(3, entries(open=(1,))) == "over"
    assert placed(3, entries(next_index=None)) == "over"


def test_entries_of_two_blocks_are_noticed() -> None:
    for torn in (
        entries(next_index=3, has_entry=True),
        entries(next_index=3, open=(3,)),
        entries(open=(3,), has_entry=False),
        entries(open=(), has_entry=True),
        entries(next_index=None, has_entry=True),
    ):
        with pytest.raises(Torn):
            placed(3, torn)


def test_a_missing_grant_says_something_in_a_final_block_alone() -> None:
    assert fact_of(3, entries(next_index=None)) is None
    assert fact_of(3, entries(next_index=None, final=True)) == "final: over"


def test_what_cannot_open_any_more() -> None:
    waiting = entries(next_index=3, final=True)
    assert fact_of(3, waiting) == "final: not yet"
    assert fact_of(3, waiting, refused_at=11) == "final: not yet"
    assert fact_of(3, waiting, refused_at=10) == "final: cannot open"
    ended = entries(next_index=3, final=True, grant_over=True)
    assert fact_of(3, ended) == "final: cannot open"
    assert fact_of(3, entries(next_index=3, grant_over=True), refused_at=1) == "best: not yet"


def test_a_session_past_its_end_is_told_by_the_best_block() -> None:
    there = entries(open=(3,), has_entry=True, expired=True)
    assert fact_of(3, there) == "best: expired"
    assert fact_of(3, entries(open=(3,), has_entry=True)) == "best: open"
    assert fact_of(3, entries(open=(3,), has_entry=True, final=True)) == "final: open"
