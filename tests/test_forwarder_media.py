"""Real WebRTC on loopback: publisher, server, viewers, and what each says about it."""

from __future__ import annotations

import asyncio

import pytest

from tests.media_rig import rig

pytestmark = pytest.mark.media


def test_what_is_delivered_is_what_was_watched() -> None:
    async def main() -> None:
        async with rig() as r, r.publishing():
            result = await r.watch(seconds=8)
            assert result.end_reason == "seconds"
            assert result.frames_decoded > 200
            assert result.first_frame_ms is not None
            assert result.first_frame_ms < 1000
            assert 7_500 < result.watched_ms < 8_600
            delivered = r.relayer.delivered_ms()
            assert result.delivered_ms == delivered
            assert delivered <= result.watched_ms + 500
            assert delivered > result.watched_ms - 1_000
            (final,) = r.relayer.finals.values()
            assert final.end_reason == "left"

    asyncio.run(main())
