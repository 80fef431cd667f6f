"""Lost sound on its way in: asked for again, not for ever, and never a matter of keyframes."""

from __future__ import annotations

import itertools

from streaming.clients.path.model import PathSettings
from streaming.sfu import rtcp
from streaming.sfu.rtp import read_packet
from tests.sfu.simulation import Microphone, Publishing, Viewer, world

LOSSY = PathSettings(loss_percent=5, delay_ms=30)
DTX = Microphone(packet_us=400_000, size=8)


def heard(viewer: Viewer) -> set[int]:
    return {moment.captured_us for moment in viewer.moments if moment.kind == "audio"}


def sound_alone(path_in: PathSettings, microphone: Microphone) -> tuple[Publishing, Viewer]:
    publishing = world(pictures=False, microphone=microphone, path_in=path_in)
    return publishing, Viewer(publishing)


def test_lost_sound_is_asked_for_and_comes() -> None:
    publishing, viewer = sound_alone(LOSSY, Microphone())
    publishing.clock.run(30)
    assert 50 < len(set(publishing.asked_sound)) < 110
    assert len(heard(viewer)) >= 1_495


def test_the_silence_between_packets_of_dtx_is_no_loss() -> None:
    publishing, viewer = sound_alone(PathSettings(delay_ms=30), DTX)
    publishing.clock.run(30)
    assert publishing.asked_sound == []
    assert len(heard(viewer)) >= 74


def test_a_lost_packet_of_dtx_is_asked_for_once_the_next_has_come() -> None:
    publishing, viewer = sound_alone(PathSettings(delay_ms=30), DTX)
    lost = lose_next(publishing, for_good=False)
    publishing.clock.run(10)
    assert publishing.asked_sound == lost
    times = sorted(heard(viewer))
    assert all(b - a == 400_000 for a, b in itertools.pairwise(times))


def test_sound_that_never_comes_is_asked_for_eight_times_and_costs_no_keyframe() -> None:
    publishing = world(microphone=Microphone())
    viewer = Viewer(publishing)
    publishing.clock.run(2)
    asked = publishing.asked
    lost = lose_next(publishing, for_good=True)
    publishing.clock.run(10)
    assert publishing.asked_sound == lost * rtcp.NACK_TRIES
    assert publishing.asked == asked
    assert viewer.subscriber.reasons == []
    assert viewer.watched_ms > 11_000
    assert viewer.delivered_ms >= viewer.watched_ms - 1_000


def test_sound_is_repaired_for_viewers_without_a_retransmission_source() -> None:
    publishing = world(pictures=False, microphone=Microphone())
    viewer = Viewer(publishing, path=LOSSY)
    publishing.clock.run(30)
    assert viewer.feed.rtx_ssrc is None
    assert len(heard(viewer)) >= 1_495
    assert viewer.delivered_ms >= 29_000


def lose_next(publishing: Publishing, *, for_good: bool) -> list[int]:
    """Let the next packet of sound not arrive, at first or however often it is sent."""
    lost: list[int] = []

    def never(packet: bytes) -> bool:
        found = read_packet(packet)
        assert found is not None
        payload_type, _, (sequence, *_), _ = found
        if payload_type != 111:
            return False
        if not lost:
            lost.append(sequence)
            return True
        return for_good and sequence == lost[0]

    publishing.never_arrives = never
    return lost
