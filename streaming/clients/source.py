"""Media from a file, encoded once: packets as they are if WebRTC can carry them, or else frames
for aiortc to encode.

Paced by the wall clock, repeated when the file is at its end, frozen on demand.
"""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.container
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.bitstream import BitStreamFilterContext

from streaming.clients.rest_client import ClientError

KEYFRAMES_WITHIN_S = 2.1
"""A late viewer waits for a keyframe, so a file with rarer ones is encoded anew."""
LOOK_AT_S = 12.0
ENCODED_WIDTH_MAX = 640
_CLOCKS = {"video": 90_000, "audio": 48_000}
_TEST_PICTURE = "testsrc2=size=640x360:rate=30"
_TEST_TONE = "sine=frequency=440:beep_factor=4:sample_rate=48000"
TEST_FILE_S = 5
AHEAD_S = 1.0
QUEUED_MAX = 90


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a file is published."""

    path: Path
    has_video: bool
    has_audio: bool
    codec: str | None
    """The video codec whose packets go out as they are, or None to encode."""
    audio_as_is: bool


def plan_for(path: Path) -> Plan:
    """Look into a file. Raises `ClientError` if it is no video, naming what is wrong."""
    try:
        with av.open(str(path)) as container:
            videos = [s for s in container.streams.video if not _is_cover(s)]
            audios = container.streams.audio
            if not videos and not audios:
                raise ClientError(
                    f"{path} has neither picture nor sound; give a video file that ffmpeg reads",
                    code="video-invalid",
                )
            codec = _carried(path, videos[0]) if videos else None
            return Plan(
                path=path,
                has_video=bool(videos),
                has_audio=bool(audios),
                codec=codec,
                audio_as_is=bool(audios) and audios[0].codec_context.name == "opus",
            )
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise ClientError(
            f"{path} cannot be read as a video ({error}); give a file that ffmpeg reads",
            code="video-invalid",
        ) from None


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _carried(path: Path, stream: Any) -> str | None:
    """The codec name if WebRTC carries the packets as they are."""
    name = stream.codec_context.name
    if name == "h264":
        profile = str(stream.codec_context.profile or "")
        if "Baseline" not in profile or stream.codec_context.has_b_frames:
            return None
    elif name not in ("vp8", "libvpx"):
        return None
    if not _keyframes_often(path):
        return None
    return "H264" if name == "h264" else "VP8"


def _keyframes_often(path: Path) -> bool:
    last: float | None = None
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.pts is None:
                continue
            at = float(packet.pts * packet.time_base)
            if last is None:
                if not packet.is_keyframe:
                    return False
                last = at
            elif packet.is_keyframe:
                last = at
            elif at - last > KEYFRAMES_WITHIN_S:
                return False
            if at > LOOK_AT_S:
                break
    return last is not None


def make_test_file(path: Path, seconds: int = TEST_FILE_S) -> None:
    """Write moving test pictures with a clock, and a tone: VP8 and Opus, a keyframe a second."""
    with av.open(str(path), "w", format="webm") as output:
        video: Any = output.add_stream("libvpx", rate=30)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        video.bit_rate = 600_000
        video.gop_size = 30
        video.options = {
            "deadline": "realtime",
            "cpu-used": "-8",
            "lag-in-frames": "0",
            "minrate": "600000",
            "maxrate": "600000",
            "bufsize": "600000",
        }
        audio: Any = output.add_stream("libopus", rate=48_000)
        audio.bit_rate = 64_000
        pictures = av.open(_TEST_PICTURE, format="lavfi")
        tones = av.open(_TEST_TONE, format="lavfi")
        with pictures, tones:
            for frame in _until(pictures, seconds):
                output.mux(video.encode(_plain(frame.reformat(format="yuv420p"))))
            resampler = av.AudioResampler(
                format="s16", layout="stereo", rate=48_000, frame_size=960
            )
            for tone in _until(tones, seconds):
                for part in resampler.resample(tone):
                    output.mux(audio.encode(part))
            output.mux(video.encode(None))
            output.mux(audio.encode(None))


def _until(container: Any, seconds: int) -> Iterator[Any]:
    for frame in container.decode(0):
        if frame.time is not None and frame.time >= seconds:
            return
        yield frame


class Source:
    """A file as two tracks that follow one clock.

    `freeze` stops both for a while; what comes after is late by that while.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._queues: dict[str, asyncio.Queue[Any]] = {}
        self.tracks: dict[str, SourceTrack] = {}
        for kind, there in (("video", plan.has_video), ("audio", plan.has_audio)):
            if there:
                self._queues[kind] = asyncio.Queue()
                self.tracks[kind] = SourceTrack(kind, self)
        self._reader: asyncio.Task[None] | None = None
        self._started_s: float | None = None
        self._frozen_s = 0.0
        self._froze_at_s: float | None = None
        self._thawed = asyncio.Event()
        self._thawed.set()
        self.video_frames = 0
        self.first_frame = asyncio.Event()
        self.failure: ClientError | None = None
        """Why nothing more can be read, if so; `first_frame` is set then, too."""

    def start(self) -> None:
        """Begin to read. Call inside a running loop."""
        if self._reader is None:
            self._reader = asyncio.get_running_loop().create_task(self._read())

    async def freeze(self, seconds: float) -> None:
        """Send neither picture nor sound for so long."""
        self._thawed.clear()
        self._froze_at_s = time.monotonic()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._frozen_s += time.monotonic() - self._froze_at_s
            self._froze_at_s = None
            self._thawed.set()

    async def close(self) -> None:
        """Stop reading and end the tracks."""
        for track in self.tracks.values():
            track.stop()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    async def take(self, kind: str) -> Any:
        """The next packet or frame of a kind, at its time."""
        self.start()
        at_s, item = await self._queues[kind].get()
        await self._thawed.wait()
        if self._started_s is None:
            self._started_s = time.monotonic() - at_s
        while True:
            wait_s = self._started_s + self._frozen_s + at_s - time.monotonic()
            if wait_s <= 0:
                break
            await asyncio.sleep(wait_s)
            await self._thawed.wait()
        clock = _CLOCKS[kind]
        item.pts = round((at_s + self._frozen_s) * clock)
        item.time_base = fractions.Fraction(1, clock)
        if kind == "video":
            self.video_frames += 1
            self.first_frame.set()
        return item

    async def _read(self) -> None:
        try:
            await self._repeat()
        except ClientError as error:
            self.failure = error
        except (av.FFmpegError, OSError, ValueError) as error:
            self.failure = ClientError(
                f"{self._plan.path} cannot be read to its end ({error}); give another file",
                code="video-invalid",
            )
        finally:
            if self.failure is not None:
                self.first_frame.set()

    async def _repeat(self) -> None:
        offset_s = 0.0
        while True:
            length_s = await self._read_once(offset_s)
            if length_s <= 0:
                raise ClientError(
                    f"{self._plan.path} has no frames; give a video file", code="video-invalid"
                )
            offset_s += length_s

    async def _read_once(self, offset_s: float) -> float:
        """Queue the whole file; returns its length."""
        length_s = 0.0
        items = _items(self._plan)
        reading: asyncio.Future[list[Item]] | None = None
        try:
            while True:
                reading = asyncio.ensure_future(asyncio.to_thread(_several, items))
                found = await asyncio.shield(reading)
                if not found:
                    return length_s
                for kind, at_s, duration_s, item in found:
                    length_s = max(length_s, at_s + duration_s)
                    await self._put(kind, (offset_s + at_s, item))
        finally:
            if reading is not None and not reading.done():
                await asyncio.wait([reading])  # the thread is inside the generator
            items.close()

    async def _put(self, kind: str, item: tuple[float, Any]) -> None:
        """Queue one item, not far ahead of its time.

        A track that nobody takes from does not stop the other: its oldest items go.
        """
        while item[0] > self._playhead_s() + AHEAD_S:  # noqa: ASYNC110  (it waits for a clock)
            await asyncio.sleep(0.05)
        queue = self._queues[kind]
        queue.put_nowait(item)
        if queue.qsize() > QUEUED_MAX:
            queue.get_nowait()

    def _playhead_s(self) -> float:
        if self._started_s is None:
            return 0.0
        now_s = time.monotonic() if self._froze_at_s is None else self._froze_at_s
        return now_s - self._started_s - self._frozen_s


Item = tuple[str, float, float, Any]


def _several(items: Any, count: int = 16) -> list[Item]:
    found: list[Item] = []
    for item in items:
        found.append(item)
        if len(found) >= count:
            break
    return found


def _items(plan: Plan) -> Any:
    """(kind, time, duration, packet or frame) of a file, in its order, from time 0."""
    with av.open(str(plan.path)) as container:
        streams: list[Any] = []
        if plan.has_video:
            streams.append(next(s for s in container.streams.video if not _is_cover(s)))
        if plan.has_audio:
            streams.append(container.streams.audio[0])
        annex_b = None
        if plan.codec == "H264":
            annex_b = BitStreamFilterContext("h264_mp4toannexb", streams[0])
        resampler = av.AudioResampler(format="s16", layout="stereo", rate=48_000, frame_size=960)
        first_s: float | None = None
        for packet in container.demux(*streams):
            if packet.pts is None:
                continue
            kind = packet.stream.type
            at_s = float(packet.pts * packet.time_base)
            first_s = at_s if first_s is None else first_s
            for duration_s, item in _carry(plan, kind, packet, annex_b, resampler):
                moment = at_s if item.pts is None else float(item.pts * item.time_base)
                yield kind, max(0.0, moment - first_s), duration_s, item


def _carry(
    plan: Plan, kind: str, packet: Any, annex_b: Any, resampler: Any
) -> Iterator[tuple[float, Any]]:
    if kind == "video" and plan.codec is not None:
        for part in annex_b.filter(packet) if annex_b is not None else [packet]:
            duration = float((part.duration or 0) * part.time_base)
            yield duration or 1 / 30, part
    elif kind == "audio" and plan.audio_as_is:
        yield float((packet.duration or 0) * packet.time_base) or 0.02, packet
    else:
        for frame in packet.decode():
            if kind == "audio":
                for part in resampler.resample(frame):
                    yield 0.02, part
            else:
                yield 1 / 30, _smaller(frame)


def _smaller(frame: Any) -> Any:
    width = min(frame.width, ENCODED_WIDTH_MAX) // 2 * 2
    height = frame.height * width // frame.width // 2 * 2
    return _plain(frame.reformat(width=width, height=height, format="yuv420p"))


def _plain(frame: Any) -> Any:
    """A frame that does not remember having been a keyframe: encoders would make it one again."""
    frame.pict_type = av.video.frame.PictureType.NONE
    return frame


class SourceTrack(MediaStreamTrack):
    """One track of a source, for aiortc's sender."""

    def __init__(self, kind: str, source: Source) -> None:
        super().__init__()
        self.kind = kind
        self._source = source

    async def recv(self) -> Any:
        """The next packet or frame, at its time."""
        if self.readyState != "live":
            raise MediaStreamError
        return await self._source.take(self.kind)
