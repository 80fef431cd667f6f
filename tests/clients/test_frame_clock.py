"""What a viewer counts as watched and as a freeze, from the times of its frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from streaming.clients.frame_clock import GAPS_MIN, FrameClock


def after_gaps(gaps_ms: Iterable[int]) -> FrameClock:
    """A clock that has seen frames with these gaps between them."""
    clock = FrameClock()
    for at_ms in itertools.accumulate(gaps_ms, initial=1_000):
        clock.frame(at_ms * 1_000)
    return clock


USUAL = [40] * 30


@pytest.mark.parametrize(
    ("gaps_ms", "freezes_ms"),
    [
        (USUAL, 0),
        ([*USUAL, 199, *USUAL], 0),
        ([*USUAL, 200, *USUAL], 160),
        ([*USUAL, 5_040, *USUAL, 1_040], 6_000),
        ([*USUAL, 300, 300, 300, 40], 3 * 260),
        ([100] * 30 + [300, 301], 201),
        ([2_000] * 30, 0),
        ([40] * (GAPS_MIN - 1) + [1_000], 0),
        ([40] * GAPS_MIN + [1_000], 960),
    ],
    ids=[
        "none",
        "too short",
        "short",
        "two",
        "three together",
        "three times the usual gap",
        "a frame every other second",
        "too early to tell",
        "just known",
    ],
)
def test_a_freeze_is_what_a_gap_is_longer_than_the_usual_one(
    gaps_ms: list[int], freezes_ms: int
) -> None:
    assert after_gaps(gaps_ms).freezes_ms == freezes_ms


def test_a_slower_pace_is_usual_after_half_of_thirty_gaps() -> None:
    clock = after_gaps([*USUAL, *[1_000] * 60])
    # Of 30 gaps the middle is between the 15th and the 16th: the 16th slow one finds 520 ms.
    assert clock.freezes_ms == 15 * 960
    assert clock.watched_ms == 30 * 40 + 60_000


def test_a_picture_that_stands_at_the_end_stood_still_until_then() -> None:
    clock = after_gaps(USUAL)
    last_us = clock.last_us or 0
    clock.end(last_us + 3_040_000)
    assert clock.freezes_ms == 3_000
    clock.frame(last_us + 3_100_000)
    clock.end(last_us + 9_000_000)
    assert clock.freezes_ms == 3_000, "nobody looks any more"


def test_a_gap_above_one_and_a_half_seconds_counts_nothing() -> None:
    clock = after_gaps([40, 1_500, 1_501, 40])
    assert clock.watched_ms == 1_580
    assert clock.frames == 5
