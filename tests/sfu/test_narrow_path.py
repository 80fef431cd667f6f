"""A path that cannot carry the picture carries the sound: no collapse, and nothing is paid for a
picture that nobody can see."""

from __future__ import annotations

import pytest

from streaming.clients.path.model import CLEAR, PathSettings
from streaming.sfu.sound_alone import FREE_US
from streaming.sfu.subscription import HOPELESS_US
from tests.sfu.simulation import Microphone, Viewer, world

AWAY = PathSettings(delay_ms=40)
FEEDBACK = pytest.mark.parametrize("numbered", [True, False], ids=["feedback", "reports alone"])


def narrow(kbps: float) -> PathSettings:
    """Of a stream of 640 kbit/s."""
    return PathSettings(rate_kbps=kbps, delay_ms=40)


@FEEDBACK
@pytest.mark.parametrize("kbps", [150, 300, 450, 560])
def test_who_chose_it_hears_and_pays_for_the_sound(kbps: float, numbered: bool) -> None:
    publishing = world(microphone=Microphone())
    viewer = Viewer(publishing, path=narrow(kbps), back=AWAY, numbered=numbered)
    viewer.subscriber.choose_sound(publishing.clock.now_us, chosen=True)
    publishing.clock.run(120)
    assert viewer.ended is None
    sound_ms = viewer.subscriber._sound.meter.delivered_ms
    assert 90_000 < sound_ms < 120_000
    assert viewer.delivered_ms - sound_ms <= viewer.watched_ms + 500


@FEEDBACK
@pytest.mark.parametrize("kbps", [150, 450])
def test_who_has_not_chosen_hears_ten_seconds_and_has_a_minute_to_choose(
    kbps: float, numbered: bool
) -> None:
    publishing = world(microphone=Microphone())
    viewer = Viewer(publishing, path=narrow(kbps), back=AWAY, numbered=numbered)
    clock = publishing.clock
    clock.run(60)
    assert viewer.ended is None
    assert {"path", "sound-alone"} <= set(viewer.subscriber.reasons)
    assert viewer.subscriber._sound.given_us <= FREE_US + 1_000_000
    assert viewer.delivered_ms <= viewer.watched_ms + 500
    heard_ms = len([moment for moment in viewer.moments if moment.kind == "audio"]) * 20
    viewer.subscriber.choose_sound(clock.now_us, chosen=True)
    clock.run(60)
    assert viewer.ended is None
    more_ms = len([moment for moment in viewer.moments if moment.kind == "audio"]) * 20 - heard_ms
    assert more_ms > 48_000
    assert viewer.subscriber._sound.meter.delivered_ms >= more_ms - 6_000


@FEEDBACK
@pytest.mark.parametrize("watched", [0, 30])
def test_the_picture_comes_back_with_the_path(watched: float, numbered: bool) -> None:
    publishing = world(microphone=Microphone())
    viewer = Viewer(publishing, path=AWAY, back=AWAY, numbered=numbered)
    clock = publishing.clock
    clock.run(watched)
    viewer._out.settings = narrow(300)
    clock.run(8)
    assert "path" in viewer.subscriber.reasons
    viewer._out.settings = CLEAR
    clock.run(12)
    before_ms = viewer.delivered_ms
    clock.run(30)
    assert viewer.ended is None
    assert viewer.subscriber.reasons == []
    assert viewer.delivered_ms - before_ms > 27_000


@FEEDBACK
def test_who_chooses_nothing_is_ended_after_that_minute(numbered: bool) -> None:
    publishing = world(microphone=Microphone())
    viewer = Viewer(publishing, path=narrow(150), back=AWAY, numbered=numbered)
    publishing.clock.run(60 + 2 * HOPELESS_US / 1e6)
    assert viewer.ended == "unconfirmed"


def test_the_minute_begins_anew_after_a_pause() -> None:
    publishing = world(microphone=Microphone())
    viewer = Viewer(publishing, path=narrow(300), back=AWAY)
    clock = publishing.clock
    clock.run(50)
    viewer.subscriber.hold("paused")
    clock.run(3 * HOPELESS_US / 1e6)
    viewer.subscriber.release("paused", clock.now_us)
    clock.run(50)
    assert viewer.ended is None


def test_sound_that_is_chosen_late_goes_on_although_the_picture_used_up_the_bound() -> None:
    publishing = world(microphone=Microphone())
    viewer = Viewer(publishing, path=narrow(300), back=AWAY)
    clock = publishing.clock
    clock.run(45)
    viewer.subscriber.choose_sound(clock.now_us, chosen=True)
    for _ in range(15):
        clock.run(1)
        assert "unconfirmed" not in viewer.subscriber.reasons
    assert viewer.subscriber._sound.meter.delivered_ms > 13_000
