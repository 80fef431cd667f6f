"""Publishers whose timestamps jump, whose packets are lost for good, and what viewers pay then."""

from __future__ import annotations

import pytest

from streaming.clients.path.model import CLEAR, PathSettings
from streaming.sfu.meter import VIDEO_RULES
from tests.sfu.simulation import Camera, Publishing, Viewer, world


class Jumping(Publishing):
    """A camera whose timestamps can be set anew while it runs."""

    def jump(self, by_ticks: int) -> None:
        self._timestamp = (self._timestamp + by_ticks) & 0xFFFFFFFF


def jumping() -> Jumping:
    publishing = world()
    publishing.__class__ = Jumping
    assert isinstance(publishing, Jumping)
    publishing._timestamp = 1_000_000_000
    publishing.clock.run(3.0)
    return publishing


@pytest.mark.parametrize("hours", [-1, 8])
def test_a_clock_that_jumps_ends_no_counting(hours: int) -> None:
    """Eight hours ahead are more than half of the timestamps' circle: as good as back."""
    publishing = jumping()
    viewer = Viewer(publishing)
    publishing.clock.run(5)
    publishing.jump(hours * 3_600 * 90_000)
    before_ms = viewer.delivered_ms
    frames = viewer.decoder.frames
    publishing.clock.run(20)
    assert viewer.decoder.frames - frames > 480
    assert viewer.delivered_ms - before_ms > 19_000
    assert publishing.tracks.frozen_ms(publishing.clock.now_us) < 100


def test_who_joins_at_a_picture_that_is_out_of_order_owes_little() -> None:
    publishing = jumping()
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
