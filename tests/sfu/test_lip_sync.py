"""A flash and a beep of one moment are played together, by what a viewer is told of its clocks.

Every frame is a flash here and every packet of sound a beep: each carries the moment of its
capture. When each is to be played follows from its RTP timestamp and the sender reports that
came to the viewer (RFC 3550, 6.4.1), read in two ways: from the newest report, and, as browsers
do, from a line through the last twenty.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.clients.path.model import CLEAR, PathSettings
from streaming.sfu import rtcp
from streaming.sfu.capture_clock import CaptureClock, PublisherClock
from streaming.sfu.rtcp_reader import SenderReport
from tests.sfu.simulation import Camera, Clocks, Microphone, Moment, Publishing, Viewer, world

APART_MAX_MS = 40
RATES = {"video": 90_000, "audio": 48_000}
SOURCES = {"video": 900, "audio": 910}
BUFFERED_US = 200_000
"""A player that bears 150 ms of jitter plays nothing sooner; reports until then are known."""
LINE_OF = 20
"""How many reports browsers draw their line through."""
JITTER = PathSettings(jitter_ms=150, delay_ms=20)
ODD_CLOCKS = Clocks(
    wall_ahead_us=-98_765_432, wall_ppm=40, video_ppm=-60, audio_ppm=150, audio_zero=(1 << 32) - 7
)
Reading = Callable[[list[SenderReport], Moment], float]


def ticks_between(one: int, other: int) -> int:
    return ((one - other + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def by_newest_report(known: list[SenderReport], moment: Moment) -> float:
    """When it is to be played, in microseconds of the server's wall clock."""
    report = known[-1]
    ticks = ticks_between(moment.timestamp, report.rtp_timestamp)
    return rtcp.unix_us(report.ntp) + ticks * 1e6 / RATES[moment.kind]


def by_line(known: list[SenderReport], moment: Moment) -> float:
    """The same from a line of least squares."""
    known = known[-LINE_OF:]
    if len(known) < 2:
        return by_newest_report(known, moment)
    origin = known[0]
    xs = [float(ticks_between(each.rtp_timestamp, origin.rtp_timestamp)) for each in known]
    ys = [float(rtcp.unix_us(each.ntp) - rtcp.unix_us(origin.ntp)) for each in known]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    slope /= sum((x - mean_x) ** 2 for x in xs)
    at = ticks_between(moment.timestamp, origin.rtp_timestamp)
    return rtcp.unix_us(origin.ntp) + mean_y + slope * (at - mean_x)


def known_to(viewer: Viewer, moment: Moment) -> list[SenderReport]:
    """The reports that have come when it is played."""
    until_us = moment.arrived_us + BUFFERED_US
    reports = viewer.reports[SOURCES[moment.kind]]
    known = [report for came_us, report in reports if came_us <= until_us]
    assert known, "played before any report came"
    return known


def apart_ms(viewer: Viewer, since_us: int, reading: Reading) -> dict[int, float]:
    """How much later the sound is played than the picture of the same moment, by moment."""
    played: dict[int, dict[str, float]] = {}
    for moment in viewer.moments:
        if moment.captured_us >= since_us:
            at_us = reading(known_to(viewer, moment), moment)
            played.setdefault(moment.captured_us, {})[moment.kind] = at_us
    return {
        captured_us: (both["audio"] - both["video"]) / 1000
        for captured_us, both in played.items()
        if len(both) == 2
    }


def assert_together(viewer: Viewer, since_us: int, *, least: int = 50) -> None:
    for reading in (by_newest_report, by_line):
        apart = apart_ms(viewer, since_us, reading)
        assert len(apart) >= least
        worst = max(apart.items(), key=lambda each: abs(each[1]))
        assert abs(worst[1]) <= APART_MAX_MS, (
            reading.__name__,
            worst[1],
            (worst[0] - since_us) / 1e6,
        )


@dataclasses.dataclass
class Story:
    """A publisher with sound and picture, and a viewer from `since_us` on."""

    publishing: Publishing
    viewer: Viewer
    since_us: int
    seed: int

    def run(self, seconds: float) -> None:
        self.publishing.clock.run(seconds)

    def pause(self, seconds: float) -> None:
        self.viewer.subscriber.hold("paused")
        self.run(seconds)
        self.viewer.subscriber.release("paused", self.publishing.clock.now_us)

    def freeze(self) -> None:
        self.publishing.freeze(5)

    def another(self, gap_s: float = 1.0) -> None:
        """Another publisher, with other clocks, takes over."""
        clock = self.publishing.clock
        self.publishing.stop()
        self.viewer.subscriber.attach(None, clock.now_us)
        self.run(gap_s)
        clocks = dataclasses.replace(
            ODD_CLOCKS, wall_ahead_us=5_000_000, video_zero=4_000_000_000, audio_zero=3
        )
        self.publishing = Publishing(
            clock,
            Camera(),
            self.publishing._path.settings,
            self.seed + 100,
            microphone=Microphone(),
            clocks=clocks,
        )
        self.viewer.subscriber.attach(self.publishing.tracks, clock.now_us)


def begin(
    *,
    clocks: Clocks = ODD_CLOCKS,
    path_in: PathSettings = CLEAR,
    path: PathSettings = CLEAR,
    seed: int = 1,
    before_s: float = 3.0,
    camera: Camera | None = None,
    says: Callable[[SenderReport], SenderReport | None] | None = None,
) -> Story:
    publishing = world(
        camera=camera,
        path_in=path_in,
        seed=seed,
        microphone=Microphone(),
        clocks=dataclasses.replace(clocks),
        seconds=0,
    )
    if says is not None:
        publishing.says = says
    publishing.clock.run(before_s)
    viewer = Viewer(publishing, path=path, seed=seed)
    return Story(publishing, viewer, publishing.clock.now_us, seed)


PATHS_IN = {"clear": CLEAR, "jitter of 150 ms": JITTER}


def pauses(story: Story) -> None:
    for _ in range(3):
        story.pause(0.7)
        story.run(1.3)


HAPPENINGS: dict[str, Callable[[Story], None]] = {
    "nothing": lambda _story: None,
    "a pause": lambda story: story.pause(4),
    "three short pauses": pauses,
    "a freeze": lambda story: story.freeze(),
    "another source of the picture": lambda story: story.publishing.change_source("video"),
    "another source of the sound": lambda story: story.publishing.change_source("audio"),
    "another publisher": lambda story: story.another(),
    "another publisher at once": lambda story: story.another(0.0),
}


@pytest.mark.parametrize("path_in", PATHS_IN.values(), ids=PATHS_IN)
@pytest.mark.parametrize("happens", HAPPENINGS.values(), ids=HAPPENINGS)
def test_lips_and_sound_stay_together(
    happens: Callable[[Story], None], path_in: PathSettings
) -> None:
    for seed in (1, 2, 3):
        story = begin(path_in=path_in, seed=seed)
        story.run(6)
        happens(story)
        story.run(14)
        assert_together(story.viewer, story.since_us, least=100)


@pytest.mark.parametrize("path_in", PATHS_IN.values(), ids=PATHS_IN)
@pytest.mark.parametrize("before_s", [0.3, 0.9, 2.2])
def test_after_the_catch_up_of_a_join(before_s: float, path_in: PathSettings) -> None:
    """At 0.3 s and 0.9 s no report of the publisher's has come yet, either."""
    for seed in (1, 2, 3):
        story = begin(before_s=before_s, path_in=path_in, seed=seed)
        story.run(10)
        moments = [moment for moment in story.viewer.moments if moment.kind == "video"]
        # What was captured later may still have been on its way.
        caught_up = [each for each in moments if each.captured_us < story.since_us - 200_000]
        assert len(caught_up) >= 25 * (before_s - 0.25)
        assert_together(story.viewer, story.since_us)
        # The burst is over at once: it is played within a few ms before the first live frame.
        first = known_to(story.viewer, caught_up[0])
        burst = [by_newest_report(first, moment) for moment in caught_up]
        assert burst == sorted(burst)
        assert burst[-1] - burst[0] < 60_000


def test_a_picture_that_takes_longer_to_encode_is_still_played_with_its_sound() -> None:
    for path_in in PATHS_IN.values():
        story = begin(camera=Camera(encodes_us=120_000), path_in=path_in)
        story.run(10)
        assert_together(story.viewer, story.since_us)


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_where_reports_of_the_publisher_are_lost(kept: int) -> None:
    """None of them comes, only the first of each track, or one in five."""
    for path_in in PATHS_IN.values():
        chance = random.Random(kept)
        seen = {55: 0, 65: 0}

        def some(report: SenderReport, chance: random.Random = chance) -> SenderReport | None:
            seen[report.ssrc] += 1  # noqa: B023
            if kept == 5:
                return report if chance.random() < 0.2 else None
            return report if seen[report.ssrc] <= kept else None  # noqa: B023

        story = begin(path_in=path_in, says=some)
        story.run(40)
        assert_together(story.viewer, story.since_us)


def test_reports_on_their_way_to_the_viewer_are_lost_too() -> None:
    story = begin(path=PathSettings(loss_percent=20, delay_ms=40), before_s=5)
    story.run(20)
    settled_us = story.since_us + 3_000_000
    assert len(story.viewer.reports[900]) < 20
    assert_together(story.viewer, settled_us)


def jumps(report: SenderReport) -> SenderReport:
    """The wall clock is set by minutes, to and fro."""
    minutes = (report.ntp >> 32) % 3
    return report._replace(ntp=report.ntp + (minutes * 60 << 32))


def set_once(report: SenderReport) -> SenderReport:
    late = rtcp.unix_us(report.ntp) > 1_699_999_918_000_000
    return report._replace(ntp=report.ntp - (3600 << 32)) if late else report


def no_wall_clock(report: SenderReport) -> SenderReport:
    return report._replace(ntp=0)


def misfits(report: SenderReport) -> SenderReport:
    """Each track's RTP time is off by so much as no way explains."""
    off = 5_000_000 if report.ssrc == 55 else -3_000_000
    return report._replace(rtp_timestamp=(report.rtp_timestamp + off) & 0xFFFFFFFF)


def at_random() -> Callable[[SenderReport], SenderReport]:
    chance = random.Random(7)

    def says(report: SenderReport) -> SenderReport:
        return SenderReport(report.ssrc, chance.getrandbits(64), chance.getrandbits(32))

    return says


@pytest.mark.parametrize("path_in", PATHS_IN.values(), ids=PATHS_IN)
@pytest.mark.parametrize("says", [jumps, set_once, no_wall_clock, misfits, at_random()])
def test_reports_that_cannot_be_true_harm_nobody(
    says: Callable[[SenderReport], SenderReport], path_in: PathSettings
) -> None:
    story = begin(says=says, path_in=path_in)
    story.run(20)
    assert_together(story.viewer, story.since_us)


def test_players_clocks_are_not_disturbed_by_a_pause() -> None:
    """What went on at the publisher goes on at the viewer: one line through all reports."""
    story = begin()
    story.run(5)
    story.pause(4)
    story.run(5)
    for reports in story.viewer.reports.values():
        first = reports[0][1]
        rate = 90_000 if first.ssrc == 900 else 48_000
        for _, report in reports:
            ticks = ticks_between(report.rtp_timestamp, first.rtp_timestamp)
            passed_us = rtcp.unix_us(report.ntp) - rtcp.unix_us(first.ntp)
            assert abs(ticks * 1e6 / rate - passed_us) < 5_000


def test_a_report_is_there_with_the_first_packet_and_a_second_soon_after() -> None:
    story = begin()
    story.run(0.25)
    for reports in story.viewer.reports.values():
        assert len(reports) >= 2
    story.pause(3)
    before = {ssrc: len(reports) for ssrc, reports in story.viewer.reports.items()}
    story.run(0.25)
    for ssrc, reports in story.viewer.reports.items():
        assert len(reports) >= before[ssrc] + 2


# --- the clock itself -----------------------------------------------------------------------


def test_timestamps_wrap_without_a_step() -> None:
    clock = CaptureClock(90_000)
    start = (1 << 32) - 45_000
    for index in range(10):
        clock.arrived((start + index * 9_000) & 0xFFFFFFFF, 1_000_000 + index * 100_000)
    assert clock.captured_us((start + 81_000) & 0xFFFFFFFF) == 1_900_000
    assert clock.timestamp_at(1_900_000) in (81_000 - 45_000, 81_000 - 45_001)


def test_a_way_that_has_become_longer_for_good_is_believed_after_a_second() -> None:
    clock = CaptureClock(48_000)
    for index in range(400):
        late_us = 0 if index < 100 else 3_000_000
        clock.arrived(index * 960, index * 20_000 + late_us)
    assert clock.zero_us == 3_000_000


def test_a_report_before_the_first_packet_is_not_used() -> None:
    clock = CaptureClock(48_000)
    PublisherClock([clock]).heard(clock, 5_000_000, 0, 6_000_000)
    assert clock.reported is None
    assert (clock.zero_us, clock.captured_us(5), clock.timestamp_at(7)) == (None, None, None)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["video", "audio", "report", "restart"]),
            st.integers(0, (1 << 32) - 1),
            st.integers(0, (1 << 64) - 1),
            st.integers(0, 3_000_000),
        ),
        max_size=50,
    )
)
def test_whatever_comes_there_is_an_answer(steps: list[tuple[str, int, int, int]]) -> None:
    clocks = {"video": CaptureClock(90_000), "audio": CaptureClock(48_000)}
    publisher = PublisherClock(list(clocks.values()))
    now_us = 1_000_000
    for index, (what, timestamp, ntp, passed_us) in enumerate(steps):
        now_us += passed_us
        which = clocks.get(what, list(clocks.values())[index % 2])
        if what == "report":
            publisher.heard(which, rtcp.unix_us(ntp), timestamp, now_us)
        elif what == "restart":
            which.restart()
        else:
            which.arrived(timestamp, now_us)
    for clock in clocks.values():
        at = clock.timestamp_at(now_us)
        assert at is None or 0 <= at < 1 << 32
        if clock.agreed_us is not None and clock.zero_us is not None:
            assert abs(clock.zero_us - (clock.arrival_us or 0)) <= 2_000_000
