"""libdatachannel 0.24, the library inside OBS, set up as OBS does it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.http.fake_relayer import PUBLISH_TOKEN
from tests.programs.scene import HERE, ROOT, live, missing, peer, program, published, until
from tests.sfu.rig import rig

pytestmark = pytest.mark.programs

MODULE = ROOT / "tests/node_modules/node-datachannel"
PICTURES = (
    "-f lavfi -i testsrc2=size=640x360:rate=30 -t 2 -pix_fmt yuv420p -c:v libx264 -profile:v high "
    "-preset ultrafast -tune zerolatency -g 60 -bsf:v h264_metadata=aud=insert -f h264"
)
"""Two seconds with one keyframe, so repeated that it comes each 2 s, and deaf to requests. High,
under a label that says Baseline, as OBS sends it."""


@pytest.mark.parametrize("style", ["gathered", "bare"])
def test_it_publishes(style: str, tmp_path: Path) -> None:
    if not MODULE.exists():
        missing("libdatachannel", "npm's node-datachannel")
    node = program("node", "nodejs")
    pictures = tmp_path / "pictures.h264"
    command = [program("ffmpeg", "ffmpeg"), "-v", "error", *PICTURES.split(), str(pictures)]
    subprocess.run(command, check=True)

    async def main() -> None:
        async with rig() as r:
            script, url = str(HERE / "libdatachannel_peer.mjs"), f"{r.url}/whip/1"
            given = (script, url, PUBLISH_TOKEN, str(MODULE), style, str(pictures))
            async with peer(node, *given) as publisher:
                answered = await publisher.says("answered")
                assert answered["status"] == 201, answered
                await publisher.says("connected")
                state = await published(r)
                assert (state.video_codec, state.audio_codec) == ("H264", "opus")
                await publisher.leave()
                await until(lambda: live(r) is None)

    asyncio.run(main())
