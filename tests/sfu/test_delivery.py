"""What is paid on real paths: our own objects and a viewer on a made-up clock."""

from __future__ import annotations

import pytest

from streaming.clients.path.model import CLEAR, PathSettings
from tests.sfu.simulation import Camera, Viewer, world

AWAY = 40.0
SEEDS = (1, 2)


def watch(
    path: PathSettings,
    *,
    seconds: float = 30,
    seed: int = 1,
    camera: Camera | None = None,
    path_in: PathSettings = CLEAR,
    numbered: bool = True,
) -> Viewer:
    publishing = world(camera=camera, path_in=path_in, seed=seed)
    viewer = Viewer(publishing, path=path, seed=seed, numbered=numbered)
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
