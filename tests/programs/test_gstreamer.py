"""GStreamer 1.22's webrtcbin, as whipsink and whepsrc set it up: an RSA certificate, reports each
2 to 7 s, no loopback candidates; and as a viewer that says more often what has come."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator

import pytest

from streaming.clients.path.model import PathSettings
from streaming.clients.path.proxy import PathConfig, path_before
from streaming.sfu.addresses import own_addresses
from tests.http.fake_relayer import PUBLISH_TOKEN, WATCH_TOKEN
from tests.programs.scene import (
    HERE,
    Peer,
    counted,
    held,
    last_words,
    live,
    missing,
    peer,
    published,
    until,
)
from tests.sfu.rig import Rig, rig

pytestmark = pytest.mark.programs

PYTHON = "/usr/bin/python3"
"""Debian's, which alone knows Debian's `gi`."""
PACKAGES = (
    "Debian's gstreamer1.0-nice, gstreamer1.0-plugins-base, -good, -bad and -ugly, "
    "gstreamer1.0-libav, python3-gi, gir1.2-gst-plugins-bad-1.0"
)
FAR = PathSettings(loss_percent=2, delay_ms=40)
BUFFERED_MS = 500
"""What `gstreamer_peer.py` holds back with feedback for each packet, for losses to be repaired."""
NEEDED = """
import gi
for name in ("Gst", "GstWebRTC", "GstSdp"): gi.require_version(name, "1.0")
from gi.repository import Gst, GstWebRTC, GstSdp
Gst.init(None)
names = "webrtcbin nicesrc vp8enc vp8dec x264enc avdec_h264 rtpvp8pay opusenc dtlsenc srtpenc"
absent = [name for name in names.split() if not Gst.ElementFactory.find(name)]
raise SystemExit(", ".join(absent) or None)
"""


@pytest.fixture(scope="module", autouse=True)
def _gstreamer() -> None:
    checked = subprocess.run([PYTHON, "-c", NEEDED], capture_output=True, text=True, check=False)
    if checked.returncode:
        missing(f"GStreamer's webrtcbin ({checked.stderr.strip()[-200:]})", PACKAGES)


@contextlib.asynccontextmanager
async def webrtcbin(
    r: Rig, role: str, codec: str, feedback: str = "packets"
) -> AsyncIterator[Peer]:
    """One that is connected. What `feedback` is of a viewer, `gstreamer_peer.py` says."""
    door, token = ("whip", PUBLISH_TOKEN) if role == "publish" else ("whep", WATCH_TOKEN)
    script = str(HERE / "gstreamer_peer.py")
    async with peer(PYTHON, script, role, f"{r.url}/{door}/1", token, codec, feedback) as started:
        answered = await started.says("answered")
        assert answered["status"] == 201, answered
        await started.says("connected")
        yield started


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_it_publishes(codec: str) -> None:
    async def main() -> None:
        async with rig() as r, webrtcbin(r, "publish", codec) as publisher:
            state = await published(r)
            assert (state.video_codec, state.audio_codec) == (codec, "opus")
            await publisher.leave()
            await until(lambda: live(r) is None)

    asyncio.run(main())


@pytest.mark.parametrize("feedback", ["packets", "reports", "rare-reports"])
def test_it_views(feedback: str) -> None:
    async def main() -> None:
        async with rig() as r, r.publishing(), webrtcbin(r, "watch", "VP8", feedback) as viewer:
            await views(r, viewer, "VP8", seconds=15.0, feedback=feedback)

    asyncio.run(main())


@pytest.mark.parametrize("feedback", ["packets", "rare-reports"])
def test_it_views_over_a_path_that_loses_packets(feedback: str) -> None:
    """Two of a hundred packets lost and forty milliseconds each way, also as it comes: with a
    report each 2 to 7 s, of which none may be waited for by withholding media."""

    async def main() -> None:
        host = own_addresses()[0]
        async with rig(listen_host=host) as r, r.publishing():
            config = PathConfig(to=r.url, viewers=FAR, relay_host=host, seed=7)
            async with path_before(config) as path:
                r.url = path.url
                async with webrtcbin(r, "watch", "VP8", feedback) as viewer:
                    await views(r, viewer, "VP8", seconds=20.0, feedback=feedback)
                out = path.proxy.viewers.to_client
                assert 0.5 < 100 * out.lost / out.packets < 5

    asyncio.run(main())


def test_it_views_what_another_publishes_in_h264() -> None:
    async def main() -> None:
        async with rig() as r, webrtcbin(r, "publish", "H264"):
            await until(lambda: live(r))
            async with webrtcbin(r, "watch", "H264") as viewer:
                await views(r, viewer, "H264", seconds=12.0, feedback="packets")

    asyncio.run(main())


async def views(r: Rig, viewer: Peer, codec: str, *, seconds: float, feedback: str) -> None:
    """It is never held, however rarely it reports, and what it has said it received is paid."""
    await viewer.says("picture")
    # A loss that is not repaired in time stops the picture alone, until the next keyframe.
    assert await held(r, seconds=seconds) <= {"picture-broken"}
    assert not r.relayer.finals
    left = await viewer.leave()
    assert left["frames"][codec] > seconds * 25
    assert left["frames"]["OPUS"] > seconds * 45
    assert left["watched_ms"] > seconds * 900
    final = await last_words(r)
    assert final.end_reason == "left"
    buffered_ms = BUFFERED_MS if feedback == "packets" else 0
    counted(final, watched_ms=left["watched_ms"], least=0.9, buffered_ms=buffered_ms)
