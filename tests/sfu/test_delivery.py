"""What is paid on real paths: our own objects and a viewer on a made-up clock."""

from __future__ import annotations

import random

import pytest

from streaming.clients.path.model import CLEAR, PathSettings
from streaming.http.connections import TAIL_BY_REPORTS_S, TAIL_S
from streaming.sfu.publication import CATCH_UP_AGE_MAX_US
from tests.sfu.simulation import Camera, Viewer, world

AWAY = 40.0
SEEDS = (1, 2)
RECEIVER_REPORT = 201


def watch(
    path: PathSettings,
    *,
    seconds: float = 30,
    seed: int = 1,
    camera: Camera | None = None,
    path_in: PathSettings = CLEAR,
    back: PathSettings | None = None,
    numbered: bool = True,
) -> Viewer:
    publishing = world(camera=camera, path_in=path_in, seed=seed)
    viewer = Viewer(publishing, path=path, back=back, seed=seed, numbered=numbered)
    publishing.clock.run(seconds)
    return viewer


def assert_paid(viewer: Viewer, share: float) -> None:
    assert viewer.ended is None
    assert not viewer.subscriber.held_for("unconfirmed")
    assert viewer.delivered_ms <= viewer.watched_ms + 500
    assert viewer.delivered_ms >= share * viewer.watched_ms - 1_000, (
        viewer.delivered_ms,
        viewer.watched_ms,
    )


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize(("loss", "share"), [(0, 0.99), (1, 0.98), (2, 0.97), (5, 0.95)])
def test_a_lossy_downlink_that_shows_no_freeze_is_paid(
    loss: float, share: float, numbered: bool
) -> None:
    for seed in SEEDS:
        path = PathSettings(loss_percent=loss, delay_ms=AWAY)
        viewer = watch(path, seed=seed, numbered=numbered)
        assert viewer.watched_ms > 28_000
        assert_paid(viewer, share)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize(
    "path",
    [
        PathSettings(outage_ms=300, outage_every_ms=10_000, delay_ms=AWAY),
        PathSettings(jitter_ms=150, delay_ms=AWAY),
        PathSettings(reorder_ms=50, delay_ms=AWAY),
        PathSettings(outage_ms=300, outage_every_ms=10_000, jitter_ms=150, reorder_ms=50),
    ],
    ids=["bursts of 300 ms", "jitter of 150 ms", "reordered within 50 ms", "all of it"],
)
def test_the_tolerated_path_is_paid(path: PathSettings, numbered: bool) -> None:
    for seed in SEEDS:
        viewer = watch(path, seed=seed, numbered=numbered)
        assert viewer.watched_ms > 25_000
        assert_paid(viewer, 0.95)


@pytest.mark.parametrize("gathers_ms", [300, 450])
def test_who_gathers_feedback_for_long_has_time_to_be_repaired(gathers_ms: int) -> None:
    """As GStreamer does with the RTCP that it allows itself: what is lost twice comes late, but
    it comes, and is shown."""
    for seed in SEEDS:
        publishing = world(seed=seed)
        path = PathSettings(loss_percent=5, delay_ms=AWAY)
        viewer = Viewer(publishing, path=path, seed=seed)
        gathered: list[bytes] = []

        def gather(packet: bytes, gathered: list[bytes] = gathered) -> None:
            gathered.append(packet)

        def tell(viewer: Viewer = viewer, gathered: list[bytes] = gathered) -> None:
            while gathered:
                viewer.says_now(gathered.pop(0))

        viewer.says = gather
        publishing.clock.every(gathers_ms * 1000, tell)
        publishing.clock.run(60)
        assert viewer.watched_ms > 50_000
        assert_paid(viewer, 0.95)


@pytest.mark.parametrize("numbered", [True, False])
def test_up_to_fifteen_percent_of_loss_seconds_count(numbered: bool) -> None:
    viewer = watch(PathSettings(loss_percent=15, delay_ms=AWAY), numbered=numbered)
    assert viewer.watched_ms > 28_000
    assert_paid(viewer, 0.95)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize(("loss", "share"), [(0, 0.97), (1, 0.97), (2, 0.97), (5, 0.95)])
def test_whole_seconds_are_paid_and_nothing_is_ever_held(
    loss: float, share: float, numbered: bool
) -> None:
    """As long as the real programs are watched, and looked at ten times a second."""
    for seed in SEEDS:
        publishing = world(seed=seed)
        path = PathSettings(loss_percent=loss, delay_ms=AWAY)
        viewer = Viewer(publishing, path=path, seed=seed, numbered=numbered)
        for _ in range(900):
            publishing.clock.run(0.1)
            assert viewer.subscriber.reasons == []
        watched_ms = viewer.watched_ms
        viewer.subscriber.hold("ended")
        publishing.clock.run(TAIL_S)
        assert viewer.ended is None
        assert watched_ms > 89_000
        assert viewer.delivered_ms // 1000 * 1000 >= share * watched_ms
        assert viewer.delivered_ms <= viewer.watched_ms + 500


@pytest.mark.parametrize("numbered", [True, False])
def test_at_twenty_percent_less_counts(numbered: bool) -> None:
    for seed in SEEDS:
        path = PathSettings(loss_percent=20, delay_ms=AWAY)
        viewer = watch(path, seed=seed, numbered=numbered)
        assert 0.8 * viewer.watched_ms <= viewer.delivered_ms <= viewer.watched_ms + 500


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("loss", [20, 25, 30, 40, 60])
def test_beyond_that_less_counts_but_never_more_than_was_watched(
    loss: float, numbered: bool
) -> None:
    for seed in SEEDS:
        path = PathSettings(loss_percent=loss, delay_ms=AWAY)
        viewer = watch(path, seed=seed, numbered=numbered)
        assert viewer.delivered_ms <= viewer.watched_ms + 500


@pytest.mark.parametrize("numbered", [True, False])
def test_at_thirty_percent_it_ends_and_says_that_receipt_fails(numbered: bool) -> None:
    for seed in SEEDS:
        path = PathSettings(loss_percent=30, delay_ms=AWAY)
        viewer = watch(path, seconds=60, seed=seed, numbered=numbered)
        assert viewer.ended == "unconfirmed"


@pytest.mark.parametrize("loss", [0, 2])
def test_a_stream_of_2500_kbps_over_a_downlink_of_3000_does_not_collapse(loss: float) -> None:
    camera = Camera(packets=9, keyframe_packets=60, size=1_200, keyframe_every_us=2_000_000)
    path = PathSettings(rate_kbps=3_000, delay_ms=AWAY, loss_percent=loss)
    viewer = watch(path, back=PathSettings(delay_ms=AWAY), camera=camera)
    assert viewer.watched_ms > 26_000
    assert_paid(viewer, 0.95)


def test_the_catch_up_of_a_join_is_paced() -> None:
    """Two seconds of the past go out at 2.5 times the stream's rate, beside what is live."""
    camera = Camera(packets=3, keyframe_every_us=60_000_000)
    publishing = world(camera=camera)
    publishing.clock.run(1.2)
    viewer = Viewer(publishing, path=CLEAR)
    publishing.clock.run(0.5)
    rate_bps = viewer.bytes * 8 / 0.5
    assert 1_200_000 < rate_bps < 1_650_000
    assert viewer.decoder.frames > 20


def reports_rarely(viewer: Viewer, seed: int) -> None:
    """As webrtcbin does by itself: a report each 2 to 7 s, and none with a request for repair."""
    chance = random.Random(seed)
    due_us = [viewer.clock.now_us + round(chance.uniform(2, 7) * 1e6)]

    def says(packet: bytes) -> bytes | None:
        if packet[1] != RECEIVER_REPORT:
            return packet
        if viewer.clock.now_us < due_us[0]:
            octets = 4 * (int.from_bytes(packet[2:4], "big") + 1)
            return packet[octets:] or None
        due_us[0] = viewer.clock.now_us + round(chance.uniform(2, 7) * 1e6)
        return packet

    viewer.says = says


@pytest.mark.parametrize(
    ("loss", "least", "mean"), [(0, 0.97, 0.98), (1, 0.97, 0.98), (2, 0.97, 0.98), (5, 0.94, 0.97)]
)
def test_who_reports_rarely_is_paid_for_once_the_last_report_is_waited_for(
    loss: float, least: float, mean: float
) -> None:
    """At 5 % one in eight asks for a keyframe: what came since its last report does not count."""
    shares: list[float] = []
    for seed in range(1, 9):
        publishing = world(seed=seed)
        path = PathSettings(loss_percent=loss, delay_ms=AWAY)
        viewer = Viewer(publishing, path=path, seed=seed, numbered=False)
        reports_rarely(viewer, seed)
        publishing.clock.run(90)
        watched_ms = viewer.watched_ms
        viewer.subscriber.hold("ended")
        assert viewer.subscriber.reports_alone
        publishing.clock.run(TAIL_BY_REPORTS_S)
        assert viewer.ended is None
        assert not viewer.subscriber.waiting
        assert viewer.delivered_ms <= viewer.watched_ms
        shares.append(viewer.delivered_ms // 1000 * 1000 / watched_ms)
    assert min(shares) >= least, shares
    assert sum(shares) / len(shares) >= mean, shares


def test_who_tells_of_each_packet_needs_no_rare_report_at_the_end() -> None:
    publishing = world()
    viewer = Viewer(publishing, path=PathSettings(loss_percent=2, delay_ms=AWAY))
    publishing.clock.run(30)
    viewer.subscriber.hold("ended")
    assert viewer.subscriber.waiting
    assert not viewer.subscriber.reports_alone
    publishing.clock.run(TAIL_S)
    assert not viewer.subscriber.waiting


@pytest.mark.parametrize("begins_whole", [True, False])
def test_another_source_without_a_gap_is_seen_within_half_a_second(begins_whole: bool) -> None:
    publishing = world()
    viewer = Viewer(publishing, path=PathSettings(delay_ms=20))
    publishing.clock.run(10)
    asked, frames, watched_ms = publishing.asked, viewer.decoder.frames, viewer.watched_ms
    publishing.change_source("video", silent_s=0, begins_whole=begins_whole)
    publishing.clock.run(0.3)
    assert publishing.asked > asked
    publishing.clock.run(0.2)
    assert viewer.decoder.frames > frames + 3
    publishing.clock.run(9.5)
    assert viewer.watched_ms > watched_ms + 9_500
    assert watched_ms + 9_000 < viewer.delivered_ms <= viewer.watched_ms + 500


@pytest.mark.parametrize("age_s", [2.0, 3.0])
def test_a_late_viewer_of_a_publisher_that_answers_nothing_begins_within_the_stated_bound(
    age_s: float,
) -> None:
    """With its last keyframe where that is at most 2.5 s old, or with the next; what comes before
    is neither sent nor charged."""
    camera = Camera(answers=False, keyframe_every_us=8_000_000)
    publishing = world(camera=camera, seconds=0.2)
    publishing.clock.run(8 - 0.2 + age_s)
    viewer = Viewer(publishing, path=PathSettings(delay_ms=20))
    publishing.clock.run(0.3)
    within = age_s <= CATCH_UP_AGE_MAX_US / 1e6
    assert (viewer.decoder.frames > 0) == within
    publishing.clock.run(8 - age_s - 0.5)
    assert (viewer.decoder.frames > 0) == within
    if not within:
        assert (viewer.bytes, viewer.delivered_ms) == (0, 0)
    publishing.clock.run(3)
    assert viewer.decoder.frames > 50
    assert 0 < viewer.delivered_ms <= viewer.watched_ms + 500
