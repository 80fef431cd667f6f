"""The pallet does what docs/ledger.md says: model and pallet agree on every call.

The long run, of a million calls and more, is `scripts/compare-model`; docs/guarantees.md says when
it was last done.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.model.calls import NAMES, Call
from tests.model.comparison import Coverage, Difference, Story, told_by_chance
from tests.model.errors import UNREACHED, missed
from tests.model.oracle import Oracle, OracleMissing, oracle_binary
from tests.model.traffic import Traffic

pytestmark = pytest.mark.system

STORIES = 150
"""Some 57,000 calls of the pallet. So many because every error is to come up: the rarest,
`AssetWrittenOff`, does so about once in 30 stories, and other draws must not miss it."""


@pytest.fixture(scope="module")
def binary() -> Path:
    try:
        return oracle_binary()
    except OracleMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def oracle(binary: Path) -> Iterator[Oracle]:
    with Oracle(binary) as running:
        yield running


def test_model_and_pallet_agree_on_every_call(oracle: Oracle) -> None:
    coverage = Coverage()
    for number in range(STORIES):
        told_by_chance(oracle, f"ci-{number}", coverage)
    assert coverage.calls > STORIES * 300
    kinds = ("Open", "Fund", "Tick", "Close", "Tip", "Renew")
    assert [name for name in (*NAMES, *kinds) if not coverage.done[name]] == []
    assert missed(coverage.errors) == [], "the pallet never gave these errors"
    assert not UNREACHED.keys() & coverage.errors.keys(), "these can be brought about"


def test_a_difference_would_be_found(oracle: Oracle) -> None:
    """What the comparison is worth: it notices a model that is wrong in one number."""
    story = Story(oracle)
    story.ledger.asset_entries[None].tip_min += 1
    with pytest.raises(Difference, match="tip_min"):
        story.tell(1, lambda _: Call("at", args={"time_ms": story.ledger.now + 1}))


class Machine(RuleBasedStateMachine):
    """The same by Hypothesis, which shortens what it finds."""

    oracle: Oracle

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(self.oracle)
        self.traffic = Traffic(self.story.ledger, Random(0))

    def tell(self, random: Random, draw: Any) -> None:
        self.traffic.random = random
        self.story.tell(1, lambda _: draw())

    @rule(random=st.randoms(use_true_random=False))
    def time_passes(self, random: Random) -> None:
        self.tell(random, self.traffic.time)

    @rule(random=st.randoms(use_true_random=False))
    def a_key_orders(self, random: Random) -> None:
        self.tell(random, self.traffic.submit)

    @rule(random=st.randoms(use_true_random=False))
    def a_batch_comes(self, random: Random) -> None:
        self.tell(random, self.traffic.submit_batch)

    @rule(random=st.randoms(use_true_random=False))
    def money_comes(self, random: Random) -> None:
        self.tell(random, self.traffic.deposit)

    @rule(random=st.randoms(use_true_random=False))
    def a_viewer_grants(self, random: Random) -> None:
        self.tell(random, self.traffic.grant)

    @rule(random=st.randoms(use_true_random=False))
    def a_stream_begins(self, random: Random) -> None:
        self.tell(random, self.traffic.create_stream)

    @rule(random=st.randoms(use_true_random=False))
    def anything_happens(self, random: Random) -> None:
        self.tell(random, self.traffic.call)


def test_model_and_pallet_agree_whatever_hypothesis_tries(oracle: Oracle) -> None:
    Machine.oracle = oracle
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=60,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
