"""Session after session: what is never counted has one bound over all of a grant's sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streaming.http.free_media import BACK_MS_PER_S, FREE_MS, GRANTS_MAX, FreeMedia
from tests.http.rig import http_rig
from tests.http.test_whep import join
from tests.sfu.simulation import Camera, Microphone, Publishing, Viewer, world

MOST_A_SESSION_MS = 12_600
"""A catch-up and the free sound, of the session that reaches the bound."""


def session_after_session(
    publishing: Publishing,
    seconds: float,
    *,
    count: int,
    begin: Callable[[Viewer], None] = lambda _viewer: None,
) -> tuple[int, list[Viewer]]:
    """So many sessions of one grant, each so long, as the server begins them; what was free."""
    free, viewers, clock = FreeMedia(), [], publishing.clock
    given_ms = 0
    for seed in range(count):
        owed_ms = 0 if free.used_up(1, clock.now_us / 1e6) else None
        viewer = Viewer(publishing, seed=seed, owed_ms=owed_ms)
        begin(viewer)
        clock.run(seconds)
        viewer.subscriber.hold("ended")
        clock.run(0.5)
        free_ms = viewer.subscriber.figures().free_ms
        free.take(1, free_ms, clock.now_us / 1e6)
        given_ms += free_ms
        viewer.subscriber.attach(None, clock.now_us)
        viewers.append(viewer)
    return given_ms, viewers


def narrow(viewer: Viewer) -> None:
    """It says that its path carries no picture."""
    viewer.subscriber.path.carries_picture = lambda *_a, **_k: False  # type: ignore[method-assign]


def test_sound_alone_in_session_after_session_is_no_free_radio() -> None:
    publishing = world(camera=Camera(packets=1, keyframe_packets=2), microphone=Microphone())
    given_ms, viewers = session_after_session(publishing, 8, count=40, begin=narrow)
    heard_ms = sum(viewer.heard_us for viewer in viewers) // 1000
    most_ms = FREE_MS + MOST_A_SESSION_MS + 40 * 8.5 * BACK_MS_PER_S
    assert 20_000 < heard_ms <= most_ms
    assert abs(given_ms - heard_ms) < 3_000


def test_catch_ups_in_session_after_session_are_bounded_and_all_are_served() -> None:
    camera = Camera(packets=1, keyframe_packets=2, keyframe_every_us=2_500_000, answers=False)
    publishing = world(camera=camera, seconds=3)
    given_ms, viewers = session_after_session(publishing, 3.9, count=40)
    assert FREE_MS <= given_ms <= FREE_MS + MOST_A_SESSION_MS + 40 * 4.4 * BACK_MS_PER_S
    assert all(viewer.decoder.frames > 25 for viewer in viewers)
    assert all(viewer.ended is None for viewer in viewers)


def test_what_was_had_comes_back_and_each_grant_has_its_own() -> None:
    free = FreeMedia()
    free.take(1, FREE_MS, 0.0)
    assert free.used_up(1, 0.0)
    assert not free.used_up(1, 1.0)
    assert free.used_up(1, 1.0, open_ms=20)
    assert not free.used_up(2, 0.0)
    free.take(1, 17, 1.0)
    assert free.used_up(1, 1.0)


def test_the_longest_quiet_grants_are_forgotten() -> None:
    free = FreeMedia()
    for grant in range(GRANTS_MAX + 1):
        free.take(grant, FREE_MS, 0.0)
    assert not free.used_up(0, 0.0)
    assert free.used_up(1, 0.0)


def test_a_session_begins_as_one_that_is_gone_on_with_once_a_grant_has_had_it_all() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await join(r)
            r.engine.subscriptions[0].free_ms = FREE_MS + 1_000
            await join(r)  # another session of the same grant
            assert r.engine.subscriptions[1].rejoined_owing_ms == 0
            for one in list(r.server.connections._by_id.values()):
                await r.server.connections.end(one, "left", 0)
            await join(r)
            assert r.engine.subscriptions[2].rejoined_owing_ms == 0

    asyncio.run(main())
