"""The meter's rules, by example and by property."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.session_state import GAP_MAX_MS
from streaming.sfu.meter import AUDIO_RULES, PENDING_MAX, VIDEO_RULES, Meter

FRAME_US = 40_000
TICKS = 3600
"""Of the RTP clock, a frame."""
PACKETS = 2
"""A frame."""


@dataclass
class Run:
    """Frames on their way: two packets each, of one media clock."""

    meter: Meter = field(default_factory=Meter)
    now_us: int = 0
    sequence: int = 1000
    timestamp: int = 7_000

    def frame(
        self, *, key: bool = False, after_us: int = FRAME_US, ticks: int | None = None
    ) -> int:
        """Forward one frame; returns the number of its last packet."""
        self.now_us += after_us
        self.timestamp += ticks if ticks is not None else after_us * 90 // 1000
        first = self.sequence + 1
        self.sequence += PACKETS
        self.meter.starts_frame(self.now_us, first, self.timestamp & 0xFFFFFFFF, keyframe=key)
        self.meter.ends_frame(self.sequence)
        return self.sequence

    def frames(self, count: int, *, key_first: bool = True) -> int:
        for index in range(count):
            self.frame(key=key_first and index == 0)
        return self.sequence

    def report(self, highest: int, lost: int, sent_to: int) -> bool:
        """A receiver report, and the time that it takes to be judged."""
        news = self.meter.report(highest, lost, sent_to, self.now_us)
        self.meter.settle(self.now_us + self.meter.rules.report_settles_us)
        return news

    def receive(self, first: int, last: int, *, without: tuple[int, ...] = ()) -> bool:
        """Feedback that all of these have come; returns whether the chain broke."""
        self.meter.per_packet = True
        for sequence in range(first, last + 1):
            if sequence not in without:
                self.meter.received([sequence])
        return self.meter.settle(self.now_us)


def test_nothing_counts_before_it_is_known_to_be_held() -> None:
    run = Run()
    run.frames(61)
    assert run.meter.delivered_ms == 0
    assert run.meter.pending_ms == 2_400
    assert run.meter.forwarded_ms == 2_200
    assert run.meter.waiting


def test_held_frames_count_the_media_time_between_them_less_the_withheld() -> None:
    run = Run()
    last = run.frames(61)
    assert not run.receive(1001, last)
    assert run.meter.delivered_ms == 2_200
    assert run.meter.pending_ms == 0
    assert not run.meter.waiting


def test_a_frame_counts_when_its_last_packet_has_come_and_not_before() -> None:
    run = Run()
    last = run.frames(61)
    run.receive(1001, last - 1)
    assert run.meter.delivered_ms == 2_160
    run.receive(last, last)
    assert run.meter.delivered_ms == 2_200


def test_the_withheld_is_taken_once_a_connection() -> None:
    run = Run()
    run.frames(26)
    for _ in range(5):
        run.meter.interrupt()
        run.frames(26)
    run.receive(1001, run.sequence)
    assert run.meter.delivered_ms == 6 * 1_000 - 200


def test_a_frame_without_a_marker_ends_where_the_next_begins() -> None:
    run = Run()
    run.frames(26)
    frame = run.sequence + 1
    run.meter.starts_frame(run.now_us + FRAME_US, frame, run.timestamp + TICKS, keyframe=False)
    run.receive(1001, frame + 2)
    assert run.meter.delivered_ms == 800
    run.meter.starts_frame(
        run.now_us + 2 * FRAME_US, frame + 3, run.timestamp + 2 * TICKS, keyframe=False
    )
    run.receive(frame, frame + 2)
    assert run.meter.delivered_ms == 840


def test_a_report_is_judged_when_there_was_time_for_repair() -> None:
    run = Run()
    run.frames(100)
    run.meter.report(run.sequence, 60, run.sequence, run.now_us)
    for sequence in range(1001, 1061):
        run.meter.repaired(sequence)
    run.meter.settle(run.now_us + 399_999)
    assert run.meter.delivered_ms == 0
    run.meter.settle(run.now_us + 400_000)
    assert run.meter.delivered_ms == 99 * 40 - 200


# --- time -----------------------------------------------------------------------------------


def test_a_freeze_is_free() -> None:
    run = Run()
    run.frames(26)
    run.frame(after_us=5_000_000)
    run.frames(25, key_first=False)
    run.receive(1001, run.sequence)
    assert run.meter.delivered_ms == 2_000 - 200


def test_a_picture_a_second_is_not_free_and_one_each_two_seconds_is() -> None:
    slow, sparse = Run(), Run()
    for index in range(5):
        slow.frame(key=index == 0, after_us=1_000_000)
        sparse.frame(key=index == 0, after_us=2_000_000)
    for run in (slow, sparse):
        run.receive(1001, run.sequence)
    assert slow.meter.delivered_ms == 3_800
    assert sparse.meter.delivered_ms == 0
    assert sparse.meter.unconfirmed_ms == 0


def test_the_gap_at_the_limit_counts_and_the_one_above_does_not() -> None:
    run = Run()
    run.frame(key=True)
    run.frame(after_us=1_500_000)
    run.frame(after_us=1_500_001, ticks=135_001)
    run.receive(1001, run.sequence)
    assert run.meter.delivered_ms == 1_300


def test_media_time_never_runs_ahead_of_the_servers_clock() -> None:
    """A publisher whose timestamps claim ten times the time that passes."""
    run = Run()
    for index in range(100):
        run.frame(key=index == 0, ticks=10 * TICKS)
    run.receive(1001, run.sequence)
    assert run.meter.delivered_ms == 99 * 40 - 200


def test_what_comes_in_a_burst_counts_when_its_time_has_passed() -> None:
    run = Run()
    run.frame(key=True)
    for _ in range(10):
        run.frame(after_us=0, ticks=TICKS)
    run.frame(after_us=11 * FRAME_US, ticks=TICKS)
    run.receive(1001, run.sequence)
    assert run.meter.delivered_ms == 11 * 40 - 200


def test_frames_out_of_order_count_nothing_and_move_nothing() -> None:
    run = Run()
    run.frames(26)
    run.frame(ticks=-2 * TICKS)
    run.frame(ticks=3 * TICKS)
    run.receive(1001, run.sequence)
    assert run.meter.delivered_ms == 1_040 - 200


def test_timestamps_wrap() -> None:
    run = Run(timestamp=(1 << 32) - 10 * TICKS)
    run.frames(26)
    run.receive(1001, run.sequence)
    assert run.meter.delivered_ms == 800


# --- the chain ------------------------------------------------------------------------------


def test_a_lost_packet_that_is_repaired_in_time_costs_nothing() -> None:
    run = Run()
    run.frames(26)
    assert not run.receive(1001, run.sequence, without=(1020,))
    assert run.meter.delivered_ms == (9 - 1) * 40 - 200
    run.frames(5, key_first=False)
    assert not run.receive(1053, run.sequence)
    assert not run.receive(1020, 1020)
    assert run.meter.delivered_ms == 30 * 40 - 200


def test_what_is_merely_not_reported_breaks_nothing() -> None:
    run = Run()
    run.frames(60)
    assert not run.receive(1001, 1040)
    assert run.meter.pending_ms == 40 * 40


def test_a_packet_that_stays_missing_breaks_the_chain() -> None:
    run = Run()
    run.frames(26)
    assert run.receive(1001, run.sequence, without=(1020,)) is False
    run.now_us += 700_000
    assert run.receive(0, -1)
    assert run.meter.delivered_ms == 8 * 40 - 200
    assert run.meter.unpayable_ms == 17 * 40
    assert run.meter.unconfirmed_ms == 17 * 40
    assert run.meter.pending_ms == 0


def test_from_a_break_to_the_next_held_keyframe_nothing_counts() -> None:
    run = Run()
    run.frames(10)
    run.frame()  # its first packet, 1021, is lost for good
    run.frames(10, key_first=False)
    run.frame(key=True)
    run.frames(29, key_first=False)
    assert not run.receive(1001, run.sequence, without=(1021,))
    assert run.meter.delivered_ms == 29 * 40 + 9 * 40 - 200
    assert run.meter.unpayable_ms == 12 * 40
    assert not run.meter.waiting


def test_a_keyframe_that_is_not_held_mends_nothing() -> None:
    run = Run()
    run.frames(10)
    run.frame()  # 1021 is lost
    run.frame(key=True)  # 1023 is lost
    run.frames(30, key_first=False)
    assert run.receive(1001, run.sequence, without=(1021, 1023))
    assert run.meter.delivered_ms == 9 * 40 - 200


def test_after_a_break_counting_begins_with_the_keyframe_that_is_sent_next() -> None:
    run = Run()
    run.frames(10)
    run.frames(40, key_first=False)
    assert run.receive(1001, run.sequence, without=(1021,))
    before = run.meter.delivered_ms
    run.frames(26)
    assert not run.receive(1101, run.sequence)
    assert run.meter.delivered_ms == before + 1_000


def test_a_late_packet_may_show_that_its_frame_is_a_keyframe() -> None:
    run = Run()
    run.frames(10)
    run.frame()
    run.frame()
    run.meter.turns_keyframe(run.timestamp)
    run.frames(30, key_first=False)
    assert not run.receive(1001, run.sequence, without=(1021,))
    assert run.meter.delivered_ms == 9 * 40 + 30 * 40 - 200


def test_sound_has_no_chain() -> None:
    run = Run(Meter(AUDIO_RULES))
    run.frames(60)
    assert not run.receive(1001, run.sequence, without=(1021, 1041))
    assert not run.receive(0, -1)
    assert run.meter.delivered_ms == 59 * 40 - 2 * 40 - 200


def test_a_hole_on_the_way_in_breaks_the_chain_like_any_other() -> None:
    run = Run()
    run.frames(10)
    run.sequence += 1  # never forwarded
    run.frames(40, key_first=False)
    assert run.receive(1001, run.sequence, without=(1021,))
    assert run.meter.delivered_ms == 9 * 40 - 200


# --- the bound ------------------------------------------------------------------------------


def test_silence_stops_forwarding_within_four_seconds_and_gives_up_after_ten_more() -> None:
    run = Run()
    run.meter.per_packet = True
    sent = 0
    while run.meter.may_forward(run.now_us):
        run.frame(key=sent == 0)
        sent += 1
    assert 3_500 <= run.meter.pending_ms <= 3_540
    assert not run.meter.given_up(run.now_us + 9_999_999)
    assert run.meter.given_up(run.now_us + 10_000_000)


def test_reports_alone_have_nine_seconds() -> None:
    run = Run()
    run.meter.reports_alone = True
    sent = 0
    while run.meter.may_forward(run.now_us):
        run.frame(key=sent == 0)
        sent += 1
    assert 9_000 <= run.meter.pending_ms <= 9_040


def test_once_stopped_a_quarter_of_the_bound_has_to_be_confirmed() -> None:
    run = Run()
    run.meter.per_packet = True
    run.frame(key=True)
    while run.meter.may_forward(run.now_us):
        run.frame()
    run.receive(1001, 1001 + 2 * 10)
    assert not run.meter.may_forward(run.now_us)
    run.receive(1001, 1001 + 2 * 20)
    assert run.meter.may_forward(run.now_us)


def test_what_was_broken_is_worked_off_by_a_twentieth_of_what_is_confirmed() -> None:
    run = Run()
    run.frames(10)
    run.frames(40, key_first=False)
    run.receive(1001, run.sequence, without=(1021,))
    assert run.meter.unconfirmed_ms == 40 * 40
    run.frames(501)
    run.receive(1101, run.sequence)
    assert run.meter.unconfirmed_ms == 40 * 40 - 500 * 2
    assert run.meter.unpayable_ms == 40 * 40


def test_what_is_owed_is_bounded_with_the_rest_and_never_charged() -> None:
    run = Run()
    run.meter.owe(3_000_000)
    run.meter.per_packet = True
    sent = 0
    while run.meter.may_forward(run.now_us):
        run.frame(key=sent == 0)
        sent += 1
    assert 500 <= run.meter.pending_ms <= 540
    assert run.meter.unpayable_ms == 0
    assert run.meter.owed_ms == 3_000 + run.meter.pending_ms


def test_a_later_connection_begins_with_what_this_one_withheld() -> None:
    run = Run()
    run.frames(4)
    run.receive(1001, run.sequence)
    assert run.meter.owed_ms == 120
    run.frames(30, key_first=False)
    run.receive(1001, run.sequence)
    assert run.meter.owed_ms == 200


def test_memory_is_bounded() -> None:
    run = Run()
    run.meter.per_packet = True
    while run.meter.may_forward(run.now_us):
        run.frame(key=True, after_us=1, ticks=0)
    assert run.meter.pending_frames == PENDING_MAX


# --- reports alone ----------------------------------------------------------------------------


def test_a_report_counts_what_it_covers() -> None:
    run = Run()
    run.frames(61)
    assert run.report(run.sequence - 1, 0, run.sequence)
    assert run.meter.delivered_ms == 59 * 40 - 200
    assert run.report(run.sequence, 0, run.sequence)
    assert run.meter.delivered_ms == 60 * 40 - 200


def test_a_report_is_judged_by_a_window_and_not_alone() -> None:
    """Browsers report with each NACK: one packet lost of three is no tenth lost."""
    run = Run()
    run.frames(61)
    assert run.report(1003, 1, run.sequence)
    assert run.report(1006, 2, run.sequence)
    assert run.report(run.sequence, 2, run.sequence)
    assert run.meter.delivered_ms == 60 * 40 - 200


def lossy(percent: int, *, repaired: bool = False, repairs_lost: int = 0) -> Run:
    """Ten seconds of 100 packets a second, so many of each hundred reported lost."""
    run = Run()
    lost = 0
    run.frame(key=True)
    for _ in range(10):
        first = run.sequence + 1
        run.frames(50, key_first=False)
        lost += percent
        if repaired:
            for sequence in range(first, first + percent):
                run.meter.repaired(sequence)
        run.meter.repairs_lost(repairs_lost)
        run.report(run.sequence, lost, run.sequence)
    return run


def test_up_to_a_tenth_is_tolerated() -> None:
    assert lossy(10).meter.delivered_ms == 500 * 40 - 200
    assert lossy(11).meter.delivered_ms < 8_000


def test_what_was_repaired_is_not_lost() -> None:
    assert lossy(20, repaired=True).meter.delivered_ms == 500 * 40 - 200


def test_unless_the_repair_was_lost_too() -> None:
    run = Run()
    run.frame(key=True)
    lost = gone = 0
    for _ in range(10):
        first = run.sequence + 1
        run.frames(50, key_first=False)
        lost, gone = lost + 20, gone + 15
        for sequence in range(first, first + 20):
            run.meter.repaired(sequence)
        run.meter.repairs_lost(gone)
        run.report(run.sequence, lost, run.sequence)
    assert run.meter.delivered_ms < 8_000


def test_a_packet_that_is_asked_for_twice_is_repaired_once() -> None:
    run = Run()
    run.frame(key=True)
    lost = 0
    for _ in range(10):
        run.frames(50, key_first=False)
        lost += 20
        for _ in range(20):
            run.meter.repaired(run.sequence)
        run.report(run.sequence, lost, run.sequence)
    assert run.meter.delivered_ms < 8_000


def test_what_is_refused_is_unpayable_and_stops_forwarding() -> None:
    run = lossy(50)
    assert run.meter.unpayable_ms > 9_000
    assert not run.meter.may_forward(run.now_us)


@pytest.mark.parametrize("reported", [0, 999, 5_000])
def test_reports_of_what_was_not_sent_or_is_old_count_nothing(reported: int) -> None:
    run = Run()
    run.frames(26)
    run.report(reported, 0, run.sequence)
    assert run.meter.delivered_ms == 0


def test_reports_are_read_by_their_low_sixteen_bits_across_the_wrap() -> None:
    run = Run(sequence=(1 << 16) - 20)
    run.frames(26)
    run.report(run.sequence & 0xFFFF, 0, run.sequence)
    assert run.meter.delivered_ms == 800


def test_a_lost_picture_breaks_off_what_was_not_reported() -> None:
    run = Run()
    run.frames(26)
    run.report(1030, 0, run.sequence)
    run.meter.break_off()
    assert run.meter.delivered_ms == 14 * 40 - 200
    assert run.meter.unpayable_ms == 11 * 40
    run.frames(26)
    run.report(run.sequence, 0, run.sequence)
    assert run.meter.delivered_ms == 14 * 40 + 1_000 - 200


def test_what_came_before_a_hole_still_counts() -> None:
    run = Run()
    run.frames(26)
    run.meter.excuse(1031)
    run.report(run.sequence, 0, run.sequence)
    assert run.meter.delivered_ms == 14 * 40 - 200
    # What nobody could decode is not held against the viewer.
    assert (run.meter.unconfirmed_ms, run.meter.unpayable_ms) == (0, 0)
    assert run.meter.forwarded_ms == run.meter.delivered_ms


def test_what_waits_for_a_packet_of_the_publishers_is_not_counted_yet() -> None:
    run = Run()
    run.frames(26)
    run.meter.awaited = 1031
    run.report(run.sequence, 0, run.sequence)
    assert run.meter.delivered_ms == 0
    run.meter.awaited = None
    run.meter.settle(run.now_us + 400_000)
    assert run.meter.delivered_ms == 800


def test_once_there_is_feedback_about_packets_reports_count_nothing() -> None:
    run = Run()
    run.frames(26)
    run.receive(1001, 1010)
    assert not run.report(run.sequence, 0, run.sequence)
    assert run.meter.delivered_ms == 0


# --- by property ------------------------------------------------------------------------------

STEP = st.one_of(
    st.tuples(st.just("frame"), st.booleans(), st.integers(0, 3_000_000)),
    st.tuples(st.just("receive"), st.integers(-5, 200), st.integers(0, 200)),
    st.tuples(st.just("report"), st.integers(0, 70_000), st.integers(-5, 500)),
    st.tuples(st.just("interrupt"), st.just(0), st.just(0)),
    st.tuples(st.just("break"), st.integers(0, 1400), st.just(0)),
    st.tuples(st.just("lost"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 2_000_000), st.just(0)),
)


@settings(max_examples=300)
@given(st.lists(STEP, max_size=80), st.booleans())
def test_whatever_is_said_no_more_counts_than_was_forwarded_in_the_time_that_passed(
    steps: list[tuple[str, int, int]], chained: bool
) -> None:
    run = Run(Meter() if chained else Meter(AUDIO_RULES))
    meter, before = run.meter, 0
    for what, one, two in steps:
        if what == "frame" and meter.may_forward(run.now_us):
            run.frame(key=bool(one), after_us=two)
        elif what == "receive":
            run.receive(1001 + one, min(1001 + one + two, run.sequence))
        elif what == "report":
            meter.report(one, two, run.sequence, run.now_us)
        elif what == "interrupt":
            meter.interrupt()
        elif what == "break":
            meter.excuse(one)
        elif what == "lost":
            meter.break_off()
        elif what == "wait":
            run.now_us += one
            meter.settle(run.now_us)
        assert before <= meter.delivered_ms <= meter.forwarded_ms
        assert meter.delivered_ms * 1000 <= run.now_us
        assert meter.pending_ms >= 0
        parts = meter.delivered_ms + meter.pending_ms + meter.unpayable_ms
        assert abs(parts - meter.forwarded_ms) <= 203
        # One more frame than the bound may be on its way, and what it breaks is worked off.
        assert meter.unconfirmed_ms <= meter.unconfirmed_limit_us // 1000 + 1_500 or (
            meter.unpayable_ms > 0
        )
        before = meter.delivered_ms


def test_a_lost_picture_leaves_what_a_report_has_covered_to_its_judgement() -> None:
    run = Run()
    run.frames(26)
    run.meter.report(1030, 0, run.sequence, run.now_us)
    run.meter.break_off()
    assert run.meter.delivered_ms == 0
    run.meter.settle(run.now_us + 400_000)
    assert run.meter.delivered_ms == 14 * 40 - 200


def test_the_longest_gap_that_counts_is_one_figure() -> None:
    """The meter's, and what players of ours and others' programs of the tests count by."""
    assert VIDEO_RULES.gap_max_us == AUDIO_RULES.gap_max_us == 1000 * GAP_MAX_MS
    programs = Path(__file__).parents[1] / "programs"
    for name in ("gstreamer_peer.py", "test_aiortc.py"):
        text = (programs / name).read_text()
        (seconds,) = re.findall(r"^GAP_MAX_S = ([\d.]+)$", text, re.MULTILINE)
        assert 1000 * float(seconds) == GAP_MAX_MS, name
