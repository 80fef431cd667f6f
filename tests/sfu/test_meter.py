"""The meter's rules, by example and by property."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.sfu.meter import AUDIO_RULES, PENDING_MAX, Meter

FRAME_US = 33_333


def feed(meter: Meter, frames: int, *, start_us: int = 0, sequence: int = 1000) -> tuple[int, int]:
    """Forward `frames` frames of two packets each; returns time and sequence of the last."""
    now = start_us
    for index in range(frames):
        now = start_us + index * FRAME_US
        sequence += 2
        meter.frame(now, sequence, first_sequence=sequence - 1)
    return now, sequence


def test_nothing_counts_before_a_report() -> None:
    meter = Meter()
    feed(meter, 60)
    assert meter.delivered_ms == 0
    assert meter.forwarded_ms == 59 * FRAME_US // 1000
    assert meter.unconfirmed_ms == meter.forwarded_ms


def test_a_report_confirms_what_it_covers_less_the_withheld() -> None:
    meter = Meter()
    _, last = feed(meter, 61)
    assert meter.report(last, 0, last)
    assert meter.delivered_ms == (60 * FRAME_US - 200_000) // 1000
    assert not meter.waiting


def test_a_report_covers_only_whole_frames() -> None:
    meter = Meter()
    _, last = feed(meter, 61)
    meter.report(last - 1, 0, last)
    assert meter.delivered_ms == (59 * FRAME_US - 200_000) // 1000


def test_a_freeze_is_free_and_costs_another_withholding() -> None:
    meter = Meter()
    now, last = feed(meter, 61)
    _, last = feed(meter, 61, start_us=now + 5_000_000, sequence=last)
    meter.report(last, 0, last)
    assert meter.delivered_ms == 2 * (60 * FRAME_US - 200_000) // 1000


def test_one_frame_a_second_is_not_free() -> None:
    meter = Meter()
    for second in range(4):
        meter.frame(second * 1_000_000, second + 1, first_sequence=1)
    meter.report(4, 0, 4)
    assert meter.delivered_ms == 2800


def test_the_gap_at_the_limit_counts_and_the_one_above_does_not() -> None:
    meter = Meter()
    meter.frame(0, 1)
    meter.frame(1_500_000, 2)
    meter.frame(3_000_001, 3)
    meter.report(3, 0, 3)
    assert meter.delivered_ms == 1300


def test_a_pause_is_free_even_if_short() -> None:
    meter = Meter()
    now, last = feed(meter, 61)
    meter.interrupt()
    feed(meter, 61, start_us=now + 700_000, sequence=last)
    meter.report(last + 122, 0, last + 122)
    assert meter.delivered_ms == 2 * (60 * FRAME_US - 200_000) // 1000


def test_loss_at_a_tenth_counts_and_above_does_not() -> None:
    counted = Meter()
    _, last = feed(counted, 50)
    counted.report(last, 10, last)
    assert counted.delivered_ms > 0

    refused = Meter()
    _, last = feed(refused, 50)
    refused.report(last, 11, last)
    assert refused.delivered_ms == 0
    assert refused.unconfirmed_ms == refused.forwarded_ms


def test_loss_is_that_of_the_interval_not_of_the_whole() -> None:
    meter = Meter()
    now, last = feed(meter, 31)
    meter.report(last, 62, last)
    assert meter.delivered_ms == 0
    _, last = feed(meter, 31, start_us=now + FRAME_US, sequence=last)
    meter.report(last, 62, last)
    assert meter.delivered_ms == (31 * FRAME_US - 200_000) // 1000


def test_a_repair_under_way_is_believed_when_the_next_report_shows_it() -> None:
    meter = Meter()
    now, last = feed(meter, 31)
    meter.report(last, 20, last)
    assert meter.delivered_ms == 0
    _, last = feed(meter, 31, start_us=now + FRAME_US, sequence=last)
    meter.report(last, 2, last)
    runs = [30 * FRAME_US, 31 * FRAME_US]
    assert meter.delivered_ms == sum(run - 200_000 for run in runs) // 1000
    assert meter.unconfirmed_ms == 0


def test_a_repair_that_comes_later_still_is_not() -> None:
    meter = Meter()
    now, last = feed(meter, 31)
    meter.report(last, 20, last)
    now, last = feed(meter, 31, start_us=now + FRAME_US, sequence=last)
    meter.report(last, 20, last)
    _, last = feed(meter, 31, start_us=now + FRAME_US, sequence=last)
    meter.report(last, 0, last)
    assert meter.delivered_ms == (62 * FRAME_US - 200_000) // 1000


def test_refused_time_is_worked_off_by_a_tenth_of_what_is_confirmed() -> None:
    meter = Meter()
    now, last = feed(meter, 31)
    meter.report(last, 62, last)
    refused = meter.unconfirmed_ms
    for _ in range(11):
        now, last = feed(meter, 30, start_us=now + FRAME_US, sequence=last)
        meter.report(last, 62, last)
    assert refused == 999
    assert meter.unconfirmed_ms == 0


def test_reports_are_read_by_their_low_sixteen_bits_across_the_wrap() -> None:
    meter = Meter()
    _, last = feed(meter, 61, sequence=65_500)
    assert last > 65_536
    meter.report(last & 0xFFFF, 0, last)
    assert meter.delivered_ms == (60 * FRAME_US - 200_000) // 1000


def test_a_report_ahead_of_what_was_sent_counts_nothing() -> None:
    meter = Meter()
    _, last = feed(meter, 61)
    assert not meter.report(last + 5, 0, last)
    assert meter.delivered_ms == 0


def test_old_and_repeated_reports_change_nothing() -> None:
    meter = Meter()
    _, last = feed(meter, 61)
    meter.report(last, 0, last)
    before = meter.delivered_ms
    assert not meter.report(last, 0, last)
    assert not meter.report(last - 20, 0, last)
    assert meter.delivered_ms == before


def test_silence_stops_forwarding_at_four_seconds_and_gives_up_after_ten_more() -> None:
    meter = Meter()
    now, sequence = 0, 1
    while meter.may_forward(now):
        meter.frame(now, sequence)
        now += FRAME_US
        sequence += 1
    assert 3_900 <= meter.unconfirmed_ms <= 4_000
    assert not meter.given_up(now + 9_999_999)
    assert meter.given_up(now + 10_000_000)


def test_a_late_report_lets_forwarding_go_on() -> None:
    meter = Meter()
    now, sequence = 0, 0
    while meter.may_forward(now):
        sequence += 1
        meter.frame(now, sequence)
        now += FRAME_US
    meter.report(sequence, 0, sequence)
    assert meter.may_forward(now)
    assert not meter.given_up(now + 20_000_000)


def test_sound_waits_longer_because_browsers_report_it_rarely() -> None:
    meter = Meter(AUDIO_RULES)
    now, sequence = 0, 0
    while now < 7_500_000:
        assert meter.may_forward(now)
        sequence += 1
        meter.frame(now, sequence)
        now += 20_000


def test_memory_is_bounded_and_merging_loses_no_time() -> None:
    meter = Meter()
    count = PENDING_MAX * 3
    for index in range(count):
        meter.frame(index * 100, index + 1)
    assert meter.pending_frames == PENDING_MAX
    meter.report(count, 0, count)
    assert meter.delivered_ms == ((count - 1) * 100 - 200_000) // 1000


@dataclass
class Frame:
    gap_us: int
    packets: int
    reported: int | None
    """Packets behind the newest that the report after this frame covers."""
    lost: int
    interrupted: bool


frames = st.lists(
    st.builds(
        Frame,
        gap_us=st.integers(0, 2_500_000),
        packets=st.integers(1, 40),
        reported=st.one_of(st.none(), st.integers(0, 100)),
        lost=st.integers(0, 5),
        interrupted=st.booleans(),
    ),
    max_size=60,
)


def play(script: list[Frame], base: int) -> list[tuple[int, int, int]]:
    """(delivered, forwarded, unconfirmed) after each frame, forwarding only when allowed."""
    meter = Meter()
    now, sequence, lost = 0, base, 0
    figures = []
    for frame in script:
        now += frame.gap_us
        if frame.interrupted:
            meter.interrupt()
        if meter.may_forward(now):
            first = sequence + 1
            sequence += frame.packets
            meter.frame(now, sequence, first_sequence=first)
        if frame.reported is not None:
            lost += frame.lost
            meter.report((sequence - frame.reported) & 0xFFFF, lost, sequence)
        figures.append((meter.delivered_ms, meter.forwarded_ms, meter.unconfirmed_ms))
    return figures


@given(frames)
def test_never_more_than_forwarded_nor_than_the_time_that_passed(script: list[Frame]) -> None:
    elapsed = 0
    before = 0
    for frame, (delivered, forwarded, unconfirmed) in zip(script, play(script, 10), strict=True):
        elapsed += frame.gap_us
        assert before <= delivered <= forwarded <= elapsed // 1000
        assert unconfirmed <= 4_000
        before = delivered


@settings(max_examples=60)
@given(frames, st.integers(1, 1 << 20))
def test_where_the_sequence_numbers_start_makes_no_difference(
    script: list[Frame], base: int
) -> None:
    assert play(script, base) == play(script, base + 65_530)


@given(frames)
def test_without_reports_nothing_is_ever_owed(script: list[Frame]) -> None:
    silent = [Frame(f.gap_us, f.packets, None, 0, f.interrupted) for f in script]
    assert all(delivered == 0 for delivered, _, _ in play(silent, 10))
