"""An outage that breaks all that was on its way: a path that is good again works it off."""

from __future__ import annotations

import pytest

from streaming.sfu.meter import VIDEO_RULES
from tests.sfu.simulation import Publishing, Viewer, world

LIMIT_MS = VIDEO_RULES.unconfirmed_max_us // 1000


def cut(viewer: Viewer) -> None:
    """Nothing goes through any more, in either direction."""
    viewer._out.arrival_us = viewer._back.arrival_us = lambda *_: None  # type: ignore[method-assign]


def mend(viewer: Viewer) -> None:
    """The path is as it was."""
    for path in (viewer._out, viewer._back):
        del path.arrival_us  # type: ignore[method-assign]


def watching() -> tuple[Publishing, Viewer]:
    publishing = world()
    viewer = Viewer(publishing)
    publishing.clock.run(20)
    return publishing, viewer


@pytest.mark.parametrize("seconds", [2, 3.5, 4.5, 8])
def test_after_an_outage_it_goes_on(seconds: float) -> None:
    publishing, viewer = watching()
    cut(viewer)
    publishing.clock.run(seconds)
    mend(viewer)
    before = viewer.delivered_ms
    publishing.clock.run(40)
    assert viewer.ended is None
    assert viewer.delivered_ms - before > 35_000
    assert viewer.subscriber.meter.unconfirmed_ms < LIMIT_MS // 2


@pytest.mark.parametrize("seconds", [2, 4.5, 8])
def test_who_comes_back_after_an_outage_is_served(seconds: float) -> None:
    """With another network, by the resume secret."""
    publishing, viewer = watching()
    cut(viewer)
    publishing.clock.run(seconds)
    owed_ms = viewer.subscriber.figures().owed_ms
    assert owed_ms <= LIMIT_MS
    viewer.subscriber.hold("ended")
    viewer.subscriber.attach(None, publishing.clock.now_us)
    viewer.ended = "vanished"
    again = Viewer(publishing, owed_ms=owed_ms)
    publishing.clock.run(40)
    assert again.ended is None
    assert again.delivered_ms > 35_000


def test_who_stays_away_is_ended() -> None:
    publishing, viewer = watching()
    cut(viewer)
    publishing.clock.run(15)
    assert viewer.ended == "vanished"
