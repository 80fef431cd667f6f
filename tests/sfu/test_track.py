"""Files as they are published: as they are where WebRTC carries them, encoded where not."""

from __future__ import annotations

import asyncio
import itertools
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streaming.clients.media_file import plan_for
from streaming.clients.rest_client import ClientError
from streaming.clients.source import Source, make_test_file


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "pictures.webm"
    make_test_file(path, seconds=1)
    return path


def encoded(path: Path, codec: str, frames: int, **options: str) -> Path:
    """A small video of one codec, a keyframe as rarely as the options say."""
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = options
        for index in range(frames):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([index % 256]) * plane.buffer_size)
            frame.pts, frame.time_base = index, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def test_our_own_pictures_go_out_as_they_are(pictures: Path) -> None:
    plan = plan_for(pictures)
    assert (plan.codec, plan.has_audio, plan.audio_as_is) == ("VP8", True, True)


@pytest.mark.parametrize(
    ("name", "codec", "options", "expected"),
    [
        ("baseline.mp4", "libx264", {"profile": "baseline", "g": "30"}, "H264"),
        ("high.mp4", "libx264", {"profile": "high", "bf": "2", "g": "30"}, None),
        (
            "rare.mp4",
            "libx264",
            {"profile": "baseline", "g": "1000", "x264-params": "scenecut=0"},
            None,
        ),
        ("mpeg4.mp4", "mpeg4", {}, None),
    ],
)
def test_what_players_could_not_show_is_encoded(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], expected: str | None
) -> None:
    path = encoded(tmp_path / name, codec, 90, **options)
    assert plan_for(path).codec == expected


def test_a_file_is_repeated_without_a_jump_in_time(pictures: Path) -> None:
    async def main() -> None:
        source = Source(plan_for(pictures))
        start = time.monotonic()
        stamps = []
        for _ in range(40):
            stamps.append((await source.take("video")).pts)
        took = time.monotonic() - start
        await source.close()
        steps = [b - a for a, b in itertools.pairwise(stamps)]
        assert all(2_000 < step < 6_000 for step in steps)
        assert took > 1.2

    asyncio.run(main())


def test_frozen_is_silent_and_what_follows_is_late_by_as_much(pictures: Path) -> None:
    async def main() -> None:
        source = Source(plan_for(pictures))
        first = await source.take("video")
        freezing = asyncio.ensure_future(source.freeze(0.4))
        await asyncio.sleep(0)
        start = time.monotonic()
        second = await source.take("video")
        await freezing
        await source.close()
        assert time.monotonic() - start > 0.38
        assert second.pts - first.pts > 0.4 * 90_000

    asyncio.run(main())


def test_what_cannot_be_read_is_told_and_not_waited_for(tmp_path: Path, pictures: Path) -> None:
    async def main() -> None:
        source = Source(plan)
        source.start()
        await asyncio.wait_for(source.first_frame.wait(), 5)
        assert isinstance(source.failure, ClientError)
        assert str(pictures) in str(source.failure)
        await source.close()

    plan = plan_for(pictures)
    pictures.rename(tmp_path / "elsewhere.webm")
    try:
        asyncio.run(main())
    finally:
        (tmp_path / "elsewhere.webm").rename(pictures)
