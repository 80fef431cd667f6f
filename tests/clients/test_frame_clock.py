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


def test_sound_is_heard_alone_where_no_picture_counts() -> None:
    clock = FrameClock()
    for at_us in range(0, 30_000_000, 20_000):
        clock.sound(at_us)
        second = at_us // 1_000_000
        filmed = second < 5 or second >= 12 or at_us == 7_000_000
        if filmed and at_us % 40_000 == 0:
            clock.frame(at_us)
    assert clock.watched_ms == 4_960 + 17_960
    assert clock.sound_alone_ms == 7_040
    clock.sound(40_000_000)  # a gap of its own is no sound
    clock.sound(41_000_000)
    clock.end(41_000_000)
    assert clock.sound_alone_ms == 8_040 + 20


def test_sound_that_comes_a_little_before_the_first_picture_is_not_heard_alone() -> None:
    for first_us, alone_ms in ((400_000, 0), (4_000_000, 4_000)):
        clock = FrameClock()
        for at_us in range(0, 4_020_000, 20_000):
            clock.sound(at_us)
            if at_us == first_us:
                clock.frame(at_us)
        assert clock.sound_alone_ms == alone_ms
