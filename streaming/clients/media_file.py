"""What is in a media file, and how WebRTC can carry it: packets as they are, or frames to encode.

Packets go out as they are if every browser takes them: VP8, or H.264 of the Baseline profile,
upright, with square pixels and frequent keyframes; Opus with one or two channels. Everything else
that ffmpeg reads is decoded, turned and made smaller here, and encoded by aiortc. H.264 leaves
here with start codes (ITU-T H.264, annex B), whatever the file has: aiortc's packetizer looks for
them and sends nothing of a picture that has none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
from av.bitstream import BitStreamFilterContext

from streaming.clients.rest_client import ClientError

KEYFRAMES_WITHIN_S = 2.1
"""A late viewer waits for a keyframe, so a file with rarer ones is encoded anew."""
LOOK_AT_S = 12.0
ENCODED_WIDTH_MAX = 640
ENCODED_HEIGHT_MAX = 1280
SOUND_PACKET_BYTES_MAX = 1200
"""A packet of sound is one datagram (RFC 7587, 4.2)."""
SOUND_STEP_S = 0.02
PICTURES_PER_SECOND_DEFAULT = Fraction(30)
"""For files that say neither when a picture is shown nor how many there are a second."""
JUMP_MAX_S = 600.0
"""A longer way forward is another clock's time, as in recordings that were put together."""
FALL_MAX_S = 1.0
_TRANSPOSE = {90: "clock", 270: "cclock"}

Item = tuple[str, float, float, Any]
"""Kind, time, duration (both in seconds), packet or frame."""


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
            video, audio = _video_of(path, container), _audio_of(path, container)
            if video is None and audio is None:
                raise ClientError(
                    f"{path} has neither picture nor sound; give a video file that ffmpeg reads",
                    code="video-invalid",
                )
            return Plan(
                path=path,
                has_video=video is not None,
                has_audio=audio is not None,
                codec=None if video is None else _carried(path, video),
                audio_as_is=audio is not None and _sound_carried(path, audio),
            )
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise ClientError(
            f"{path} cannot be read as a video ({error}); give a file that ffmpeg reads",
            code="video-invalid",
        ) from None


def items(plan: Plan) -> Generator[Item, None, None]:
    """Everything of a file that is published, in the file's order, from time 0.

    Times of one kind always rise. Raises `av.FFmpegError` or `OSError` if the file cannot be read;
    single packets that no decoder takes are left out.
    """
    with av.open(str(plan.path)) as container:
        ways: dict[int, _Way] = {}
        if plan.has_video:
            video = _video_of(plan.path, container)
            ways[video.index] = (
                _Pictures(video) if plan.codec is None else _VideoPackets(video, plan.codec)
            )
        if plan.has_audio:
            audio = _audio_of(plan.path, container)
            ways[audio.index] = _SoundPackets(audio) if plan.audio_as_is else _Sound(audio)
        first_s: float | None = None
        for packet in container.demux(*(way.stream for way in ways.values())):
            if first_s is None and packet.pts is not None:
                first_s = float(packet.pts * packet.time_base)
            way = ways[packet.stream_index]
            for moment_s, duration_s, item in way.take(packet):
                since_s = None if moment_s is None else moment_s - (first_s or 0.0)
                yield way.kind, way.clock.at(since_s), duration_s, item


# --- what is there -----------------------------------------------------------------------


def _video_of(path: Path, container: Any) -> Any:
    pictures = av.stream.Disposition.attached_pic  # the cover of a record
    return _readable(
        path, "picture", [s for s in container.streams.video if not s.disposition & pictures]
    )


def _audio_of(path: Path, container: Any) -> Any:
    return _readable(path, "sound", list(container.streams.audio))


def _readable(path: Path, what: str, streams: list[Any]) -> Any:
    """The first stream that ffmpeg can decode, or None if there is none at all."""
    for stream in streams:
        if stream.codec_context is not None:
            return stream
    if streams:
        raise ClientError(
            f"the {what} of {path} is in a form that this ffmpeg does not read; "
            "convert the file, for instance with: ffmpeg -i FILE out.webm",
            code="video-invalid",
        )
    return None


# --- what can stay as it is --------------------------------------------------------------


def _carried(path: Path, stream: Any) -> str | None:
    """The codec's name if WebRTC carries the packets as they are."""
    name = stream.codec_context.name
    if name == "h264":
        profile = str(stream.codec_context.profile or "")
        if "Baseline" not in profile or stream.codec_context.has_b_frames:
            return None
        codec = "H264"
    elif name in ("vp8", "libvpx"):
        codec = "VP8"
    else:
        return None
    if _aspect(stream) != 1 or not _is_upright(path, stream.index):
        return None
    return codec if _keyframes_often(path, stream.index, codec) else None


def _aspect(stream: Any) -> Fraction:
    """How much wider than high a pixel is shown; 1 where nothing is said."""
    return Fraction(stream.sample_aspect_ratio or 1)


def _is_upright(path: Path, index: int) -> bool:
    """Whether the first picture is shown as it is coded: RTP carries no turning by itself."""
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams[index]):
            return _turn(frame) == 0
    return False


def _keyframes_often(path: Path, index: int, codec: str) -> bool:
    """Whether it begins with a keyframe, has more of them soon, and its times rise."""
    before_s = keyframe_s = None
    for at_s, is_keyframe in _looked_at(path, index, codec):
        if before_s is not None and at_s <= before_s:
            return False
        if is_keyframe:
            keyframe_s = at_s
        elif keyframe_s is None or at_s - keyframe_s > KEYFRAMES_WITHIN_S:
            return False
        before_s = at_s
    return keyframe_s is not None


def _looked_at(path: Path, index: int, codec: str) -> Iterator[tuple[float, bool]]:
    """When the first pictures are shown, and whether decoding can begin with them."""
    first_s: float | None = None
    with av.open(str(path)) as container:
        way = _VideoPackets(container.streams[index], codec)
        for packet in container.demux(way.stream):
            for moment_s, _, part in way.take(packet):
                at_s = way.clock.at(None) if moment_s is None else moment_s
                first_s = at_s if first_s is None else first_s
                if at_s - first_s > LOOK_AT_S:
                    return
                yield at_s, part.is_keyframe and (codec != "H264" or _is_idr(bytes(part)))


def _is_idr(picture: bytes) -> bool:
    """Whether a coded picture with start codes is one that decoding can begin with."""
    at = picture.find(b"\0\0\1")
    while 0 <= at < len(picture) - 3:
        if picture[at + 3] & 0x1F == 5:
            return True
        at = picture.find(b"\0\0\1", at + 3)
    return False


def _sound_carried(path: Path, stream: Any) -> bool:
    context = stream.codec_context
    if context.name not in ("opus", "libopus") or context.layout.nb_channels > 2:
        return False
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams[stream.index]):
            if packet.size > SOUND_PACKET_BYTES_MAX:
                return False
            if packet.pts is not None and packet.pts * packet.time_base > LOOK_AT_S:
                break
    return True


# --- the four ways out -------------------------------------------------------------------


class _Rising:
    """The times of one kind: they rise, also where a file has none or begins another clock."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._shift_s = 0.0
        self._last_s: float | None = None

    def at(self, moment_s: float | None) -> float:
        """The time at which to send what the file has at that moment."""
        last_s = self._last_s
        if last_s is None:
            at_s = max(0.0, moment_s or 0.0)
        elif moment_s is None:
            at_s = last_s + self._step_s
        else:
            at_s = moment_s + self._shift_s
            if not -FALL_MAX_S < at_s - last_s < JUMP_MAX_S:
                self._shift_s += last_s + self._step_s - at_s
                at_s = last_s + self._step_s
            at_s = max(at_s, last_s + 0.001)
        self._last_s = at_s
        return at_s


Part = tuple[float | None, float, Any]
"""The moment that the file gives, if it gives one, duration, and packet or frame."""


class _Way(ABC):
    """How one stream's packets become what is sent."""

    kind: str

    def __init__(self, stream: Any, step_s: float) -> None:
        self.stream = stream
        self.step_s = step_s
        self.clock = _Rising(step_s)

    @abstractmethod
    def take(self, packet: Any) -> Iterator[Part]:
        """What comes out for one packet of the file; an empty one is its end."""

    def _part(self, item: Any) -> Part:
        base = item.time_base
        duration_s = float((item.duration or 0) * base) if base is not None else 0.0
        known = item.pts is not None and base is not None
        return float(item.pts * base) if known else None, duration_s or self.step_s, item


def _picture_step_s(stream: Any) -> float:
    rate = stream.average_rate or stream.guessed_rate or PICTURES_PER_SECOND_DEFAULT
    return float(1 / rate)


class _VideoPackets(_Way):
    kind = "video"

    def __init__(self, stream: Any, codec: str) -> None:
        super().__init__(stream, _picture_step_s(stream))
        self._annex_b: BitStreamFilterContext | None = None
        if codec == "H264":
            self._annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)

    def take(self, packet: Any) -> Iterator[Part]:
        if packet.size:
            for part in [packet] if self._annex_b is None else self._annex_b.filter(packet):
                yield self._part(part)


class _SoundPackets(_Way):
    kind = "audio"

    def __init__(self, stream: Any) -> None:
        super().__init__(stream, SOUND_STEP_S)

    def take(self, packet: Any) -> Iterator[Part]:
        if packet.size:
            yield self._part(packet)


class _Pictures(_Way):
    kind = "video"

    def __init__(self, stream: Any) -> None:
        super().__init__(stream, _picture_step_s(stream))
        self._aspect = _aspect(stream)

    def take(self, packet: Any) -> Iterator[Part]:
        for frame in _decoded(packet):
            moment_s, duration_s, _ = self._part(frame)
            yield moment_s, duration_s, _fitted(frame, self._aspect)


class _Sound(_Way):
    kind = "audio"

    def __init__(self, stream: Any) -> None:
        super().__init__(stream, SOUND_STEP_S)
        self._resampler = av.AudioResampler(
            format="s16", layout="stereo", rate=48_000, frame_size=960
        )

    def take(self, packet: Any) -> Iterator[Part]:
        for frame in _decoded(packet):
            for part in self._resampler.resample(frame):
                moment_s, _, _ = self._part(part)
                yield moment_s, SOUND_STEP_S, part


def _decoded(packet: Any) -> list[Any]:
    """The frames that come out; none of a packet that is damaged."""
    try:
        return list(packet.decode())
    except (av.InvalidDataError, av.EOFError):
        return []


# --- pictures ----------------------------------------------------------------------------


def _fitted(frame: Any, aspect: Fraction) -> Any:
    """A frame with square pixels, upright, not larger than what is encoded, of even size."""
    wide = float(frame.width * aspect)
    scale = min(1.0, ENCODED_WIDTH_MAX / wide, ENCODED_HEIGHT_MAX / frame.height)
    small = frame.reformat(
        width=_even(wide * scale), height=_even(frame.height * scale), format="yuv420p"
    )
    return plain(_upright(small, _turn(frame)))


def _even(size: float) -> int:
    return max(2, int(size) // 2 * 2)


def _turn(frame: Any) -> int:
    """By how many degrees it has to be turned clockwise to be upright: 0, 90, 180 or 270."""
    return int(-round(frame.rotation / 90) * 90 % 360)


def _upright(frame: Any, turn: int) -> Any:
    if turn == 0:
        return frame
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 90_000)
    )
    last = source
    for name, args in [("hflip", ""), ("vflip", "")] if turn == 180 else [_transpose(turn)]:
        step = graph.add(name, args)
        last.link_to(step)
        last = step
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    source.push(frame)
    return sink.pull()


def _transpose(turn: int) -> tuple[str, str]:
    return "transpose", _TRANSPOSE[turn]


def plain(frame: Any) -> Any:
    """A frame that does not remember having been a keyframe: encoders would make it one again."""
    frame.pict_type = av.video.frame.PictureType.NONE
    return frame
