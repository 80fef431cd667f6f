"""Media from a file as two tracks: what `media_file` reads, at its time.

Paced by the wall clock, repeated when the file is at its end, frozen on demand.
"""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from streaming.clients.media_file import Item, Plan, items, plain
from streaming.clients.rest_client import ClientError

_CLOCKS = {"video": 90_000, "audio": 48_000}
_TEST_TONE = "sine=frequency=440:beep_factor=4:sample_rate=48000"
TEST_FILE_S = 5
TEST_PICTURE_KBPS = 600
TEST_PICTURE_SIZE = (640, 360)
AHEAD_S = 1.0
QUEUED_MAX = 250
"""Of one kind: more than a second of the fastest cameras."""


def make_test_file(
    path: Path,
    seconds: int = TEST_FILE_S,
    *,
    kbps: int = TEST_PICTURE_KBPS,
    size: tuple[int, int] = TEST_PICTURE_SIZE,
) -> None:
    """Write moving test pictures with a clock, and a tone: VP8 and Opus, a keyframe a second.

    `kbps` is the pictures' constant rate in kbit/s, `size` their width and height in pixels.
    """
    width, height = size
    with av.open(str(path), "w", format="webm") as output:
        video: Any = output.add_stream("libvpx", rate=30)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.bit_rate = kbps * 1_000
        video.gop_size = 30
        video.options = {
            "deadline": "realtime",
            "cpu-used": "-8",
            "lag-in-frames": "0",
            "minrate": f"{kbps}k",
            "maxrate": f"{kbps}k",
            "bufsize": f"{kbps}k",
        }
        audio: Any = output.add_stream("libopus", rate=48_000)
        audio.bit_rate = 64_000
        pictures = av.open(f"testsrc2=size={width}x{height}:rate=30", format="lavfi")
        tones = av.open(_TEST_TONE, format="lavfi")
        with pictures, tones:
            for frame in _until(pictures, seconds):
                output.mux(video.encode(plain(frame.reformat(format="yuv420p"))))
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
            length_s, kinds = await self._read_once(offset_s)
            missing = [kind for kind in self.tracks if kind not in kinds]
            if missing:
                what = "picture" if missing[0] == "video" else "sound"
                raise ClientError(
                    f"nothing of the {what} of {self._plan.path} can be decoded; convert the "
                    "file, for instance with: ffmpeg -i FILE out.webm",
                    code="video-invalid",
                )
            offset_s += length_s

    async def _read_once(self, offset_s: float) -> tuple[float, set[str]]:
        """Queue the whole file; returns its length, and of what kinds there was something."""
        length_s, kinds = 0.0, set[str]()
        file = items(self._plan)
        reading: asyncio.Future[list[Item]] | None = None
        try:
            while True:
                reading = asyncio.ensure_future(asyncio.to_thread(_several, file))
                found = await asyncio.shield(reading)
                if not found:
                    return length_s, kinds
                for kind, at_s, duration_s, item in found:
                    length_s = max(length_s, at_s + duration_s)
                    kinds.add(kind)
                    await self._put(kind, (offset_s + at_s, item))
        finally:
            if reading is not None and not reading.done():
                await asyncio.wait([reading])  # the thread is inside the generator
            file.close()

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


def _several(file: Generator[Item, None, None], count: int = 16) -> list[Item]:
    found: list[Item] = []
    for item in file:
        found.append(item)
        if len(found) >= count:
            break
    return found


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
