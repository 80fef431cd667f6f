"""The load of the measurements for real: pictures leave, arrive, and are reported."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from measure.load import Publisher, Viewer, summed, tend_all
from streaming.clients.rest_client import RestClient
from tests.clients.test_media_file import B_FRAMES, BASELINE, OPUS, VP8, ffmpeg
from tests.http.fake_relayer import PUBLISH_TOKEN, WATCH_TOKEN
from tests.sfu.rig import rig

pytestmark = pytest.mark.media
VIEWERS = 3
WATCHED_S = 5.0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        # MP4's H.264 is length-prefixed: the load once sent its sound alone.
        ("avcc.mp4", [*BASELINE, *OPUS]),
        ("annex-b.ts", [*BASELINE, "-c:a", "aac"]),
        ("vp8.webm", [*VP8, *OPUS]),
        ("b-frames.mkv", [*B_FRAMES, *OPUS]),
    ],
)
def test_pictures_flow_and_are_paid(tmp_path: Path, name: str, options: list[str]) -> None:
    async def main() -> None:
        async with rig() as stage, RestClient(stage.url) as rest:
            publisher = Publisher(file)
            await publisher.start(rest, "/whip/1", PUBLISH_TOKEN)
            viewers = [Viewer(witness=number == 0) for number in range(VIEWERS)]
            tending = asyncio.ensure_future(tend_all(viewers))
            for viewer in viewers:
                await viewer.join(rest, "/whep/1", WATCH_TOKEN)
            await asyncio.sleep(WATCHED_S)
            sent, came = await publisher.figures(), summed(viewers)
            tending.cancel()
            for viewer in viewers:
                await viewer.close()
            await publisher.close()
            forwarded_ms = sum(state.forwarded_ms for state in stage.relayer.states.values())
        assert sent["video"]["packets"] > 60
        assert sent["audio"]["packets"] > 100
        assert came["video"]["pictures"] > VIEWERS * WATCHED_S * 15
        assert came["audio"]["packets"] > VIEWERS * WATCHED_S * 25
        assert summed(viewers[:1])["video"]["keyframes"] >= 1
        # The meter stops viewers without reports after 4 s.
        assert forwarded_ms > VIEWERS * 1000
        assert stage.relayer.delivered_ms() > 0.5 * forwarded_ms

    file = ffmpeg(tmp_path / name, *options, sound=True)
    asyncio.run(main())
