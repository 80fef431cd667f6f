"""Files of many shapes: each comes out as pictures that an RTP parser finds, or is refused."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from streaming.clients.media_file import Plan, items, plan_for
from streaming.clients.rest_client import ClientError
from streaming.clients.source import Source
from streaming.sfu.rtp import KEYFRAME_START

PICTURES = 45
TESTSRC = ["-f", "lavfi", "-i", "testsrc=size={size}:rate=30"]
TONE = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
BASELINE = [
    *("-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p"),
    *("-preset", "ultrafast", "-g", "15", "-keyint_min", "15", "-sc_threshold", "0"),
]
VP8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "15"]
OPUS = ["-c:a", "libopus", "-b:a", "48k", "-ac", "2"]
B_FRAMES = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-b_strategy", "0", "-g", "15"]


def ffmpeg(
    path: Path,
    *options: str,
    size: str = "160x120",
    sound: bool = False,
    pictures: int = PICTURES,
) -> Path:
    """A file of a second and a half."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
    command += [part.format(size=size) for part in TESTSRC]
    command += TONE if sound else []
    length = ["-t", str(pictures / 30)]
    subprocess.run([*command, *options, *length, str(path)], check=True, timeout=60)
    return path


def packetised(plan: Plan) -> list[tuple[float, list[bytes]]]:
    """(time, RTP payloads) of each picture, made as aiortc's sender makes them."""
    codec = plan.codec or "VP8"
    encoder = get_encoder(
        RTCRtpCodecParameters(mimeType=f"video/{codec}", clockRate=90_000, payloadType=96)
    )
    found = []
    for kind, at_s, _, item in items(plan):
        if kind == "video":
            item.pts, item.time_base = round(at_s * 90_000), Fraction(1, 90_000)
            if isinstance(item, av.VideoFrame):
                payloads, _ = encoder.encode(item)
            else:
                payloads, _ = encoder.pack(item)
            found.append((at_s, payloads))
    return found


def sound_times(plan: Plan) -> list[float]:
    return [at_s for kind, at_s, _, _ in items(plan) if kind == "audio"]


def shown(plan: Plan) -> Any:
    """The first decoded picture of a plan whose pictures are encoded anew."""
    return next(item for kind, _, _, item in items(plan) if kind == "video")


def check(plan: Plan, pictures: int = PICTURES, within: int = 2) -> None:
    found = packetised(plan)
    assert abs(len(found) - pictures) <= within
    assert all(payloads and all(payloads) for _, payloads in found)
    begins = KEYFRAME_START[plan.codec or "VP8"]
    assert any(begins(payload) for payload in found[0][1])
    times = [at_s for at_s, _ in found]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize(
    ("name", "options", "codec"),
    [
        ("avcc.mp4", BASELINE, "H264"),
        ("avcc.mkv", BASELINE, "H264"),
        ("avcc.flv", BASELINE, "H264"),
        ("fragments.mp4", [*BASELINE, "-movflags", "frag_keyframe+empty_moov"], "H264"),
        ("annex-b.ts", BASELINE, "H264"),
        ("raw.h264", BASELINE, "H264"),
        ("slices.mp4", [*BASELINE, "-x264-params", "slices=4"], "H264"),
        ("pictures.webm", VP8, "VP8"),
        ("b-frames.mp4", B_FRAMES, None),
        ("b-frames.ts", B_FRAMES, None),
        ("b-frames.h264", B_FRAMES, None),
        ("main.mp4", [*BASELINE, "-profile:v", "main", "-coder", "1", "-bf", "0"], None),
        ("high.mkv", ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"], None),
        ("times-fall.avi", ["-c:v", "mpeg4", "-bf", "2"], None),
        ("vp9.webm", ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"], None),
        ("palette.gif", [], None),
    ],
)
def test_every_container_and_codec_comes_out_as_pictures(
    tmp_path: Path, name: str, options: list[str], codec: str | None
) -> None:
    plan = plan_for(ffmpeg(tmp_path / name, *options))
    assert (plan.has_video, plan.has_audio, plan.codec) == (True, False, codec)
    check(plan, within=15 if name.endswith("gif") else 2)


@pytest.mark.parametrize("extra", ["intra-refresh=1:keyint=15", "open-gop=1:bframes=0:keyint=300"])
def test_what_nobody_can_join_is_encoded(tmp_path: Path, extra: str) -> None:
    """Marks of random access in the container are no keyframes: decoding begins with an IDR."""
    options = [*BASELINE, "-x264-params", extra]
    plan = plan_for(ffmpeg(tmp_path / "refreshed.mp4", *options, pictures=90))
    assert plan.codec is None
    check(plan, pictures=90)


@pytest.mark.parametrize(
    ("name", "options", "as_is"),
    [
        ("both.mp4", [*BASELINE, *OPUS], True),
        ("both.webm", [*VP8, *OPUS], True),
        ("both.ts", [*BASELINE, *OPUS], True),
        ("aac.mp4", [*BASELINE, "-c:a", "aac"], False),
        ("mp3.flv", [*BASELINE, "-c:a", "libmp3lame", "-ar", "44100"], False),
        ("surround.mkv", [*BASELINE, *OPUS, "-ac", "6"], False),
    ],
)
def test_sound_goes_with_it(tmp_path: Path, name: str, options: list[str], as_is: bool) -> None:
    plan = plan_for(ffmpeg(tmp_path / name, *options, sound=True))
    assert (plan.has_audio, plan.audio_as_is) == (True, as_is)
    check(plan)
    times = sound_times(plan)
    assert len(times) >= 70
    assert all(0 < b - a < 0.05 for a, b in itertools.pairwise(times))


@pytest.mark.parametrize(
    ("size", "options", "codec", "expected"),
    [
        ("161x121", VP8, "VP8", None),
        ("161x121", ["-c:v", "libx264", "-pix_fmt", "yuv444p"], None, (160, 120)),
        ("1920x1080", ["-c:v", "mpeg4"], None, (640, 360)),
        ("90x1600", ["-c:v", "mpeg4"], None, (72, 1280)),
        ("1600x8", ["-c:v", "mpeg4"], None, (640, 2)),
        ("160x120", [*BASELINE, "-vf", "setsar=2"], None, (320, 120)),
    ],
)
def test_odd_sizes_and_shapes_keep_their_form(
    tmp_path: Path, size: str, options: list[str], codec: str | None, expected: Any
) -> None:
    path = tmp_path / ("odd.webm" if options is VP8 else "odd.mp4")
    plan = plan_for(ffmpeg(path, *options, "-frames:v", "20", size=size))
    assert plan.codec == codec
    check(plan, pictures=20)
    if expected is not None:
        frame = shown(plan)
        assert (frame.width, frame.height) == expected


def turned(path: Path, degrees: int) -> Path:
    """A picture whose upper left quarter is white, and a file that says how it is turned."""
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"profile": "baseline", "preset": "ultrafast", "g": "10"}
        stream.set_display_rotation(degrees)
        for number in range(20):
            frame = av.VideoFrame(64, 48, "yuv420p")
            luma = frame.planes[0]
            row = bytes([235] * 32 + [16] * (luma.line_size - 32))
            luma.update(row * 24 + bytes([16]) * luma.line_size * 24)
            for plane in frame.planes[1:]:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def bright_corner(frame: Any) -> str:
    luma = frame.planes[0]
    data = bytes(luma)

    def at(x: int, y: int) -> int:
        return data[y * luma.line_size + x]

    right, bottom = frame.width - 5, frame.height - 5
    corners = {"upper left": (4, 4), "upper right": (right, 4)}
    corners |= {"lower left": (4, bottom), "lower right": (right, bottom)}
    return max(corners, key=lambda name: at(*corners[name]))


@pytest.mark.parametrize(
    ("counterclockwise", "corner", "size"),
    [
        (-90, "upper right", (48, 64)),
        (90, "lower left", (48, 64)),
        (180, "lower right", (64, 48)),
    ],
)
def test_a_turned_picture_is_set_upright(
    tmp_path: Path, counterclockwise: int, corner: str, size: tuple[int, int]
) -> None:
    plan = plan_for(turned(tmp_path / "turned.mp4", counterclockwise))
    assert plan.codec is None
    frame = shown(plan)
    assert (frame.width, frame.height) == size
    assert bright_corner(frame) == corner
    check(plan, pictures=20)


def test_an_upright_picture_stays_as_it_is(tmp_path: Path) -> None:
    assert plan_for(turned(tmp_path / "upright.mp4", 0)).codec == "H264"


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    chosen = "select='not(mod(n,7))+not(mod(n,3))'"
    path = ffmpeg(tmp_path / "variable.mkv", *BASELINE, "-vf", chosen, "-vsync", "vfr")
    plan = plan_for(path)
    check(plan, pictures=sum(n % 7 == 0 or n % 3 == 0 for n in range(PICTURES)))
    times = [at_s for at_s, _ in packetised(plan)]
    expected = [n / 30 for n in range(PICTURES) if n % 7 == 0 or n % 3 == 0]
    assert times == pytest.approx(expected, abs=0.01)


def with_cover(path: Path, folder: Path, *inputs: str) -> Path:
    """Media with a picture attached, the attached one first in the file where it can be."""
    cover = folder / "cover.png"
    subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi"),
            *("-i", "testsrc=size=64x64:rate=1:duration=1", "-frames:v", "1", str(cover)),
        ],
        check=True,
        timeout=60,
    )
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(cover), *inputs]
    subprocess.run([*command, str(path)], check=True, timeout=60)
    return path


def test_a_cover_is_no_picture_of_the_film(tmp_path: Path) -> None:
    film = ffmpeg(tmp_path / "film.mp4", *BASELINE)
    maps = ["-i", str(film), "-map", "0:v", "-map", "1:v", "-c", "copy"]
    path = with_cover(tmp_path / "covered.mp4", tmp_path, *maps, "-disposition:v:0", "attached_pic")
    plan = plan_for(path)
    assert plan.codec == "H264"
    check(plan)


def test_a_record_with_a_cover_is_sound_alone(tmp_path: Path) -> None:
    path = with_cover(
        tmp_path / "record.mp3",
        tmp_path,
        *(*TONE, "-t", "1.5", "-map", "0:v", "-map", "1:a", "-c:a", "libmp3lame"),
        *("-disposition:v:0", "attached_pic"),
    )
    plan = plan_for(path)
    assert (plan.has_video, plan.has_audio) == (False, True)
    assert len(sound_times(plan)) >= 70


def test_a_still_picture_is_one_picture(tmp_path: Path) -> None:
    path = ffmpeg(tmp_path / "still.png", "-frames:v", "1")
    check(plan_for(path), pictures=1, within=0)


def test_a_file_that_is_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    whole = ffmpeg(tmp_path / "whole.ts", *B_FRAMES).read_bytes()
    path = tmp_path / "cut.ts"
    path.write_bytes(whole[: len(whole) // 2])
    assert 0 < len(packetised(plan_for(path))) < PICTURES


def test_a_file_that_begins_within_a_picture_is_decoded(tmp_path: Path) -> None:
    whole = ffmpeg(tmp_path / "whole.ts", *BASELINE).read_bytes()
    path = tmp_path / "late.ts"
    path.write_bytes(whole[188 * (len(whole) // 188 // 4) :])
    plan = plan_for(path)
    assert plan.codec is None
    assert packetised(plan)


@pytest.mark.parametrize("content", [b"", b"no video\n" * 500, b"\0" * 5000])
def test_what_is_no_media_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "words.mp4"
    path.write_bytes(content)
    with pytest.raises(ClientError, match=r"words\.mp4.*give a (video )?file"):
        plan_for(path)


def test_a_picture_that_no_decoder_takes_is_said_and_not_waited_for(tmp_path: Path) -> None:
    """Sound alone would go out, and nobody would know why the picture stays away."""
    path = ffmpeg(tmp_path / "broken.mkv", "-c:v", "mpeg4", *OPUS, sound=True)
    data = bytearray(path.read_bytes())
    at = data.find(b"\0\0\1\xb6")
    while at >= 0:  # every coded picture of MPEG-4 loses its start
        data[at : at + 4] = b"\0\0\0\0"
        at = data.find(b"\0\0\1\xb6")
    path.write_bytes(bytes(data))

    async def main() -> ClientError | None:
        source = Source(plan_for(path))
        for kind in source.tracks:
            tasks.append(asyncio.ensure_future(take_all(source, kind)))
        await asyncio.wait_for(source.first_frame.wait(), 10)
        for task in tasks:
            task.cancel()
        await source.close()
        return source.failure

    async def take_all(source: Source, kind: str) -> None:
        while True:
            await source.take(kind)

    tasks: list[asyncio.Future[None]] = []
    failure = asyncio.run(main())
    assert failure is not None
    assert "nothing of the picture" in str(failure)
