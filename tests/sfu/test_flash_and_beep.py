"""A flash and a beep a second, through our publisher, the server and a decoder.

When each is to be played follows from the decoded frame's RTP time and the sender reports that
came (RFC 3550, 6.4.1). What is exact is in `test_lip_sync`; here the publisher's own reports are
as punctual as a busy machine lets it be, so the middle one of the offsets is judged.
"""

from __future__ import annotations

import array
import asyncio
import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpSrPacket

from streaming.clients.viewer import _Watching
from streaming.sfu.aiortc_adapter import now_us
from tests.sfu.rig import rig

pytestmark = pytest.mark.media

SECONDS = 5
FLASH_FRAMES = 3
BEEP_SAMPLES = 4_800
LOUD = 6_000
RATES = {"video": 90_000, "audio": 48_000}
APART_MAX_MS = 40


def make_flash_and_beep(path: Path) -> None:
    """White pictures and a tone at the beginning of each second; else black and silent."""
    with av.open(str(path), "w", format="webm") as output:
        video: Any = output.add_stream("libvpx", rate=30)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        video.gop_size = 30
        video.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}
        audio: Any = output.add_stream("libopus", rate=48_000)
        audio.layout = "stereo"
        for index in range(SECONDS * 30):
            picture = av.VideoFrame(160, 120, "yuv420p")
            luma = 235 if index % 30 < FLASH_FRAMES else 16
            for plane, value in zip(picture.planes, (luma, 128, 128), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            picture.pts, picture.time_base = index, Fraction(1, 30)
            output.mux(video.encode(picture))
        tone = [round(20_000 * math.sin(2 * math.pi * n / 48)) for n in range(BEEP_SAMPLES)]
        for start in range(0, SECONDS * 48_000, 960):
            at = start % 48_000
            part = tone[at : at + 960] if at < BEEP_SAMPLES else [0] * 960
            samples = array.array("h", [each for value in part for each in (value, value)])
            sound = av.AudioFrame(format="s16", layout="stereo", samples=960)
            sound.planes[0].update(samples.tobytes())
            sound.sample_rate, sound.pts, sound.time_base = 48_000, start, Fraction(1, 48_000)
            output.mux(audio.encode(sound))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))


class Seen:
    """What one track's decoder gave: the RTP times of its signals, and the sender's reports."""

    def __init__(self, receiver: Any, on_picture: Callable[[int], None]) -> None:
        self.on_picture = on_picture
        self.receiver = receiver
        self.kind: str = receiver.track.kind
        self.signals: list[int] = []
        self.reports: list[Any] = []
        self._on = True
        usual = receiver._handle_rtcp_packet

        async def handle(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                self.reports.append(packet.sender_info)
            await usual(packet)

        receiver._handle_rtcp_packet = handle

    async def read(self) -> None:
        while True:
            try:
                frame: Any = await self.receiver.track.recv()
            except MediaStreamError:
                return
            origin = self.receiver._RTCRtpReceiver__timestamp_mapper._origin
            if self.kind == "video":
                self.on_picture(now_us())
                luma = bytes(frame.planes[0])
                self._take(origin + frame.pts, on=luma[len(luma) // 2] > 128)
            else:
                samples = array.array("h", bytes(frame.planes[0]))[::2]
                loud = next((n for n, value in enumerate(samples) if abs(value) > LOUD), None)
                self._take(origin + frame.pts + (loud or 0), on=loud is not None)

    def _take(self, timestamp: int, *, on: bool) -> None:
        if on and not self._on:
            self.signals.append(timestamp)
        self._on = on

    def played_s(self) -> list[float]:
        """Wall times of the signals by the last report."""
        report = self.reports[-1]
        times = []
        for timestamp in self.signals:
            ticks = ((timestamp - report.rtp_timestamp + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
            times.append(report.ntp_timestamp / (1 << 32) + ticks / RATES[self.kind])
        return times


def test_a_flash_and_a_beep_are_played_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flash-and-beep.webm"
    make_flash_and_beep(path)
    seen: dict[str, Seen] = {}

    def decode(self: Any, track: Any) -> None:
        receivers = [each.receiver for each in self._pc.getTransceivers()]
        (receiver,) = [each for each in receivers if each.track is track]
        seen[track.kind] = Seen(receiver, self._clock.frame)
        self._spawn(seen[track.kind].read())

    monkeypatch.setattr(_Watching, "_decode", decode)

    async def main() -> None:
        async with rig() as r, r.publishing(video=path):
            await asyncio.sleep(1.5)
            await asyncio.wait_for(r.watch(seconds=9), 40)

    asyncio.run(main())
    flashes, beeps = seen["video"].played_s(), seen["audio"].played_s()
    assert len(flashes) >= 6
    assert len(beeps) >= 6
    apart_ms = [min((b - f for b in beeps), key=abs) * 1000 for f in flashes[1:-1]]
    assert abs(statistics.median(apart_ms)) <= APART_MAX_MS, apart_ms
