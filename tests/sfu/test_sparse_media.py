"""Honest streams that look odd: all are served, and what is paid for each is what the guide
says (docs/creator-viewer.md). The viewer asks for a keyframe whenever its picture stands."""

from __future__ import annotations

import dataclasses

import pytest

from streaming.clients.path.model import CLEAR, PathSettings
from tests.sfu.simulation import Camera, Microphone, Publishing, Viewer, world

FEEDBACK = pytest.mark.parametrize("numbered", [True, False], ids=["feedback", "reports alone"])


@dataclasses.dataclass(frozen=True)
class Case:
    """A stream, and how many of 120 seconds are paid."""

    paid_s: tuple[float, float]
    camera: Camera | None = None
    microphone: Microphone | None = None
    frames: int = 0
    """At least so many frames come, of so many that were sent."""


CASES = {
    "a still picture, a frame a second": Case((115, 120), Camera(frame_us=1_000_000), frames=118),
    "a screen share, a frame each 2 s": Case((0, 0), Camera(frame_us=2_000_000), frames=59),
    "a screen share, a second of movement each 6.5 s": Case(
        (17, 19), Camera(gaps_us=(40_000,) * 25 + (2_500_000, 3_000_000)), frames=480
    ),
    "5 frames a second": Case((118, 120), Camera(frame_us=200_000), frames=598),
    "from 30 frames a second to one in 1.2 s": Case(
        (116, 119),
        Camera(gaps_us=(33_000, 40_000, 500_000, 33_000, 1_200_000, 66_000)),
        frames=380,
    ),
    "sound alone": Case((118, 120), microphone=Microphone()),
    "sound alone, silent (DTX)": Case((117, 120), microphone=Microphone(packet_us=400_000, size=8)),
}


@FEEDBACK
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("path", [CLEAR, PathSettings(delay_ms=40, jitter_ms=60)], ids=["", "far"])
def test_odd_streams_are_served_and_paid_as_the_guide_says(
    case: Case, path: PathSettings, numbered: bool
) -> None:
    publishing = world(
        camera=case.camera,
        pictures=case.camera is not None,
        microphone=case.microphone,
        seconds=3,
    )
    viewer = Viewer(publishing, path=path, numbered=numbered)
    publishing.clock.run(120)
    assert viewer.ended is None
    assert viewer.subscriber.reasons == []
    assert viewer.decoder.frames >= case.frames
    least_s, most_s = case.paid_s
    assert least_s * 1000 <= viewer.delivered_ms <= most_s * 1000
    assert viewer.delivered_ms <= viewer.watched_ms + 500


@FEEDBACK
def test_each_gap_of_a_publisher_that_comes_and_goes_is_free(numbered: bool) -> None:
    """Every one begins with the same timestamps, as some programs do."""
    publishing = world()
    viewer = Viewer(publishing, numbered=numbered)
    clock = publishing.clock
    for index in range(10):
        clock.run(7)
        publishing.stop()
        viewer.subscriber.attach(None, clock.now_us)
        clock.run(5)
        publishing = Publishing(clock, Camera(), CLEAR, index + 5)
        viewer.subscriber.attach(publishing.tracks, clock.now_us)
    assert viewer.ended is None
    assert viewer.subscriber.reasons == []
    assert 69_000 < viewer.watched_ms <= 70_000
    assert viewer.watched_ms - 1_000 <= viewer.delivered_ms <= viewer.watched_ms + 500


@FEEDBACK
def test_each_freeze_of_a_publisher_is_free(numbered: bool) -> None:
    publishing = world()
    viewer = Viewer(publishing, numbered=numbered)
    for _ in range(10):
        publishing.clock.run(7)
        publishing.freeze(5)
        publishing.clock.run(5)
    assert viewer.ended is None
    assert viewer.subscriber.reasons == []
    assert viewer.watched_ms - 1_000 <= viewer.delivered_ms <= 70_000


@FEEDBACK
def test_sound_that_goes_on_while_the_picture_is_frozen_is_free(numbered: bool) -> None:
    publishing = world(microphone=Microphone())
    viewer = Viewer(publishing, numbered=numbered)
    publishing.clock.run(10)
    for _ in range(6):
        publishing.freeze(20, ("video",))
        before_ms, heard = viewer.delivered_ms, len(viewer.moments)
        publishing.clock.run(2)
        settled_ms = viewer.delivered_ms
        publishing.clock.run(18)
        assert settled_ms - before_ms <= 1_500
        assert viewer.delivered_ms == settled_ms
        sounds = [moment for moment in viewer.moments[heard:] if moment.kind == "audio"]
        assert len(sounds) > 990
        publishing.clock.run(5)
    assert viewer.ended is None
    assert viewer.delivered_ms <= viewer.watched_ms + 500


def test_a_look_of_three_seconds_costs_no_credit() -> None:
    """What is withheld of each connection, and what is not yet confirmed when the viewer goes
    and is settled then, is no loss of anybody's."""
    publishing = world()
    for seed in range(20):
        viewer = Viewer(publishing, path=PathSettings(delay_ms=20), seed=seed)
        publishing.clock.run(3)
        viewer.subscriber.hold("ended")
        publishing.clock.run(1.6)
        figures = viewer.subscriber.figures()
        assert 2_600 <= figures.delivered_ms <= 3_000
        assert figures.forwarded_ms - figures.delivered_ms <= 1
        assert figures.unpayable_ms == 0
        viewer.subscriber.attach(None, publishing.clock.now_us)
