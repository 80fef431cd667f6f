"""A packet that is lost on its way in and that nobody can repair freezes every viewer, where the
publisher ignores requests for keyframes: the frozen seconds are free."""

from __future__ import annotations

import pytest

from streaming.clients.path.model import CLEAR, PathSettings
from streaming.sfu.rtp import read_packet
from tests.sfu.simulation import Camera, Publishing, Viewer, world

RARE = Camera(answers=False, keyframe_every_us=8_000_000)
REPORT_SLACK_MS = 500


def swallow(publishing: Publishing, every: int, frames: int = 1) -> list[int]:
    """Lose each so manyth packet of the picture for good, retransmissions included."""
    lost: list[int] = []

    def never(packet: bytes) -> bool:
        found = read_packet(packet)
        assert found is not None
        payload_type, _, (sequence, _, _, payload), _ = found
        if payload_type == 97:
            sequence = int.from_bytes(payload[:2], "big")
        if sequence % every < frames:
            lost.append(sequence)
            return True
        return False

    publishing.never_arrives = never
    return lost


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize(
    "path", [CLEAR, PathSettings(delay_ms=40, loss_percent=2)], ids=["clear", "lossy"]
)
@pytest.mark.parametrize("every", [250, 600, 1500])
def test_the_frozen_seconds_are_free(every: int, path: PathSettings, numbered: bool) -> None:
    for seed in (1, 2):
        publishing = world(camera=RARE, seed=seed)
        viewer = Viewer(publishing, path=path, seed=seed, numbered=numbered)
        publishing.clock.run(8)
        lost = swallow(publishing, every)
        publishing.clock.run(60)
        assert len(lost) > 2
        assert publishing.asked > 3
        assert 3_000 < viewer.watched_ms < 66_000
        assert viewer.ended is None
        assert viewer.delivered_ms <= viewer.watched_ms + REPORT_SLACK_MS
        assert viewer.delivered_ms >= viewer.watched_ms - 1_500
