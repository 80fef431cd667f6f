"""Publishers whose timestamps jump, whose packets are lost for good, and what viewers pay then."""

from __future__ import annotations

import pytest

from streaming.clients.path.model import CLEAR, PathSettings
from streaming.sfu.meter import VIDEO_RULES
from tests.sfu.simulation import Camera, Microphone, Publishing, Viewer, world


@pytest.mark.parametrize("hours", [-1, 1, 8])
def test_a_clock_that_jumps_ends_no_counting(hours: int) -> None:
    """Eight hours ahead are more than half of the timestamps' circle: as good as back."""
    publishing = world(seconds=4)
    viewer = Viewer(publishing)
    publishing.clock.run(5)
    publishing.clocks.video_zero += hours * 3_600 * 90_000
    before_ms = viewer.delivered_ms
    frames = viewer.decoder.frames
    publishing.clock.run(20)
    assert viewer.decoder.frames - frames > 480
    assert viewer.delivered_ms - before_ms > 19_000
    assert publishing.tracks.frozen_ms(publishing.clock.now_us) < 100


def test_who_joins_at_a_picture_that_is_out_of_order_owes_little() -> None:
    publishing = world(seconds=4)
    track, clock = publishing.track, publishing.clock
    track.request_keyframe(clock.now_us)
    clock.run(0.3)
    newest = track.history.get(track.history.newest)
    assert newest is not None
    newest.timestamp -= 100_000  # one that is shown before the keyframe it follows
    viewer = Viewer(publishing)
    clock.run(0.2)
    assert viewer.subscriber.meter.unconfirmed_ms < VIDEO_RULES.unconfirmed_max_us // 1000
    clock.run(5)
    assert viewer.ended is None
    assert viewer.delivered_ms > 4_000


@pytest.mark.parametrize(
    ("by", "hours"),
    [(-30_000, 0), (-30_000, -1), (-1_026, 0), (-900, 1), (-100, -1), (3_001, 8), (30_000, 0)],
)
def test_a_source_that_is_restarted_goes_on_at_once(by: int, hours: int) -> None:
    """Its numbers jump, and perhaps its clock: nobody waits until the numbers have caught up."""
    publishing = world(microphone=Microphone(), seconds=4)
    viewer = Viewer(publishing)
    clock = publishing.clock
    clock.run(5)
    asked, sent, out = publishing.asked, viewer.feed.packets, viewer.feed._out
    for kind in ("video", "audio"):
        publishing.sequences[kind] += by
    publishing.clocks.video_zero += hours * 3_600 * 90_000
    publishing.clocks.audio_zero += hours * 3_600 * 48_000
    before_ms, frames, moments = viewer.delivered_ms, viewer.decoder.frames, len(viewer.moments)
    clock.run(5)
    assert publishing.asked == asked + 1
    assert viewer.decoder.frames - frames >= 120
    assert sum(moment.kind == "audio" for moment in viewer.moments[moments:]) >= 245
    assert viewer.delivered_ms - before_ms > 4_500
    # The viewer sees no hole, and no number twice.
    assert viewer.feed._out - out == viewer.feed.packets - sent
    assert viewer.feed.lost == 0
    assert publishing.tracks.frozen_ms(clock.now_us) < 100


@pytest.mark.parametrize("by", [-30_000, 30_000])
def test_a_single_packet_with_another_number_begins_nothing(by: int) -> None:
    publishing = world(seconds=4)
    viewer = Viewer(publishing)
    publishing.clock.run(5)
    asked, frames = publishing.asked, viewer.decoder.frames
    for _ in range(20):
        stray = ((publishing.sequences["video"] + by) & 0xFFFF, 7, 0, b"\x10\x00stray")
        publishing.track.receive(96, 55, stray, publishing.clock.now_us)
        publishing.clock.run(0.2)
    assert publishing.asked == asked
    assert viewer.decoder.frames - frames >= 99
    assert viewer.feed.lost == 0


class Deaf(Publishing):
    """A camera that answers requests for keyframes, and resends nothing."""

    def _resend(self, kind: str, sequence: int) -> None:
        return None


@pytest.mark.parametrize("numbered", [True, False])
def test_what_the_publisher_loses_stops_no_viewer(numbered: bool) -> None:
    publishing = world(camera=Camera(), path_in=PathSettings(loss_percent=0.5))
    publishing.__class__ = Deaf
    viewer = Viewer(publishing, path=CLEAR, numbered=numbered)
    publishing.clock.run(90)
    assert viewer.ended is None
    assert not viewer.subscriber.held_for("unconfirmed")
    assert viewer.decoder.frames > 300
    assert viewer.delivered_ms <= viewer.watched_ms + 500


class Timed(Publishing):
    """A publisher whose timestamps are a share of the time, or leap with each frame."""

    share = 1.0
    leap = 0

    def _stamp(self, kind: str) -> int:
        stamp = super()._stamp(kind) - self.clocks.video_zero
        if self.leap:
            return self.clocks.video_zero + (stamp // 3_600) * self.leap
        return self.clocks.video_zero + round(stamp * self.share)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize(
    ("share", "leap"),
    [(0.0, 0), (0.0001, 0), (0.5, 0), (1.0, 180_000)],
    ids=["equal", "creeping", "half", "leaping"],
)
def test_what_flows_and_counts_no_time_is_not_sent_for_long(
    share: float, leap: int, numbered: bool
) -> None:
    publishing = world(seconds=4)
    viewer = Viewer(publishing, numbered=numbered)
    publishing.clock.run(5)
    publishing.__class__ = Timed
    publishing.share, publishing.leap = share, leap  # type: ignore[attr-defined]
    publishing.clocks.video_zero += 10**8
    publishing.clock.run(1)
    octets, began_ms = viewer.feed.octets, viewer.delivered_ms
    per_second = 75 * 1_000
    publishing.clock.run(60)
    sent_s = (viewer.feed.octets - octets) / per_second
    uncounted_s = sent_s - (viewer.delivered_ms - began_ms) / 1_000
    limit_s = (VIDEO_RULES.unconfirmed_max_us if numbered else VIDEO_RULES.unreported_max_us) / 1e6
    assert uncounted_s < limit_s + VIDEO_RULES.gap_max_us / 1e6 + 0.06 * sent_s
    assert viewer.ended == "untimed"  # its receipt was known all the time


@pytest.mark.parametrize("share", [0.97, 0.999, 1.03])
def test_a_clock_that_is_a_little_wrong_is_not_felt(share: float) -> None:
    publishing = world(seconds=4)
    publishing.__class__ = Timed
    publishing.share = share  # type: ignore[attr-defined]
    viewer = Viewer(publishing)
    publishing.clock.run(400)
    assert viewer.ended is None
    assert not viewer.subscriber.reasons
    assert viewer.decoder.frames > 9_900


@pytest.mark.parametrize("every_us", [1_400_000, 5_000_000])
def test_a_picture_every_few_seconds_goes_on(every_us: int) -> None:
    publishing = world(camera=Camera(frame_us=every_us, packets=40), seconds=4)
    viewer = Viewer(publishing)
    publishing.clock.run(600)
    assert viewer.ended is None
    assert viewer.decoder.frames >= 600_000_000 // every_us - 2
