"""Which formats of an offer can be forwarded, and which viewers can decode a stream. Pure.

Sources: RFC 6184 (H.264), RFC 7741 (VP8), RFC 7587 (Opus), RFC 4588 (retransmission), RFC 4585
(feedback), RFC 5761 (payload types beside RTCP).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from streaming.sfu.publication import TrackCodec
from streaming.sfu.sdp import Section, number_of, unreadable

FEEDBACK: Final = {
    "video": ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"),
    "audio": ("nack", "transport-cc"),
}
"""The `rtcp-fb` that we answer where the offer has them, in this order."""
OPUS_FROM_PUBLISHERS: Final = {
    "minptime": "10",
    "useinbandfec": "1",
    "usedtx": "1",
    "stereo": "1",
    "sprop-stereo": "1",
}
"""What a publisher's encoder is asked for: both channels, repair in band, silence unsent."""
OPUS_TO_VIEWERS: Final = {"sprop-stereo": "1", "stereo": "1", "useinbandfec": "1"}
_CLOCKS: Final = {
    "vp8": ("VP8", "video", 90_000),
    "h264": ("H264", "video", 90_000),
    "opus": ("opus", "audio", 48_000),
}
_RTPMAP: Final = re.compile(r"([0-9]{1,3})\s+([^/\s]{1,64})/([0-9]{1,9})(?:/([0-9]{1,3}))?")
_PROFILE: Final = re.compile("[0-9a-fA-F]{6}")
_UNSTATED: Final = "42e01f"
"""What browsers take for offered where `profile-level-id` is missing."""
PROFILES_TAKEN: Final = "Constrained Baseline, Baseline, Main or High"


@dataclass(slots=True)
class Format:
    """One format of a section: what `rtpmap`, `fmtp` and `rtcp-fb` say about a payload type."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int | None
    parameters: dict[str, str] = field(default_factory=dict)
    feedback: list[str] = field(default_factory=list)
    rtx: int | None = None
    """The payload type of its retransmissions."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile and level of H.264, from `profile-level-id` (RFC 6184, 8.1)."""

    name: str
    rank: int
    """A decoder of one rank decodes the lower ones, too."""
    level: int
    """Ten times the level; 1b is 9."""


def h264_profile(text: str | None) -> Profile | None:
    """What a `profile-level-id` says; None for profiles that are not forwarded.

    Baseline ranks with Constrained Baseline: what sets them apart (flexible macroblock order,
    redundant slices) is made by no encoder and read by no decoder in use.
    """
    text = _UNSTATED if text is None else text
    if not _PROFILE.fullmatch(text):
        return None
    idc, constraints, level = bytes.fromhex(text)
    if level == 11 and constraints & 0x10 and idc in (0x42, 0x4D):
        level = 9
    if idc == 0x42:
        return Profile("Constrained Baseline" if constraints & 0x40 else "Baseline", 0, level)
    if idc == 0x4D:
        if constraints & 0x80:
            return Profile("Constrained Baseline", 0, level)
        return Profile("Main", 1, level)
    if idc == 0x64:
        return Profile("Constrained High" if constraints & 0x0C == 0x0C else "High", 2, level)
    return None


def packetization_mode(parameters: dict[str, str]) -> int | None:
    """0, 1 or 2; 0 where nothing is said (RFC 6184, 8.1)."""
    return number_of(parameters.get("packetization-mode", "0"), 2)


def formats_of(section: Section) -> list[Format]:
    """A section's formats in the order of its media line, with their retransmissions.

    Payload types 64 to 95 cannot be told from RTCP (RFC 5761, 4) and are left out, as is what
    has no `rtpmap`. Raises `MediaError` (400) for an `rtpmap` that cannot be read.
    """
    found = _maps(section)
    for line in section.attributes.get("fmtp", ()):
        head, _, rest = line.value.partition(" ")
        one = _named(found, head)
        if one is not None:
            _add_parameters(one, rest)
    _add_feedback(section, found)
    listed = dict.fromkeys(number_of(text, 127) for text in section.formats)
    formats = [found[number] for number in listed if number is not None and number in found]
    _pair_retransmissions(formats)
    return formats


def _maps(section: Section) -> dict[int, Format]:
    found: dict[int, Format] = {}
    for line in section.attributes.get("rtpmap", ()):
        match = _RTPMAP.fullmatch(line.value)
        number = None if match is None else number_of(match.group(1), 127)
        if match is None or number is None:
            raise unreadable(f"{line} cannot be read; write payload type, codec and clock rate")
        if 64 <= number <= 95:
            continue
        channels = None if match.group(4) is None else int(match.group(4))
        one = Format(number, match.group(2), int(match.group(3)), channels)
        other = found.setdefault(number, one)
        if (other.name, other.clock_rate) != (one.name, one.clock_rate):
            raise unreadable(f"{line} names payload type {number} again; give each codec its own")
    return found


def _named(formats: dict[int, Format], text: str) -> Format | None:
    number = number_of(text, 127)
    return None if number is None else formats.get(number)


def _add_parameters(one: Format, text: str) -> None:
    for part in text.split(";"):
        name, _, value = part.partition("=")
        one.parameters.setdefault(name.strip().lower(), value.strip())


def _add_feedback(section: Section, found: dict[int, Format]) -> None:
    for_all: dict[str, None] = {}
    for line in section.attributes.get("rtcp-fb", ()):
        head, _, rest = line.value.partition(" ")
        wanted = " ".join(rest.split())
        if wanted not in FEEDBACK[section.kind]:
            continue
        if head == "*":
            for_all[wanted] = None
            continue
        one = _named(found, head)
        if one is not None and wanted not in one.feedback:
            one.feedback.append(wanted)
    for one in found.values():
        one.feedback += [wanted for wanted in for_all if wanted not in one.feedback]


def _pair_retransmissions(formats: list[Format]) -> None:
    by_number = {one.payload_type: one for one in formats}
    for one in formats:
        if one.name.lower() != "rtx":
            continue
        base = _named(by_number, one.parameters.get("apt", ""))
        if (
            base is not None
            and base.rtx is None
            and base is not one
            and base.clock_rate == one.clock_rate
        ):
            base.rtx = one.payload_type


def usable(one: Format, kind: str) -> TrackCodec | None:
    """The format as a codec that can be forwarded; None where it cannot."""
    known = _CLOCKS.get(one.name.lower())
    if known is None or known[1:] != (kind, one.clock_rate):
        return None
    if kind == "audio" and one.channels not in (None, 2):
        return None
    name = known[0]
    profile = mode = None
    if name == "H264":
        mode = packetization_mode(one.parameters)
        profile = one.parameters.get("profile-level-id", _UNSTATED).lower()
        if mode not in (0, 1) or h264_profile(profile) is None:
            return None
    return TrackCodec(
        kind=kind,
        name=name,
        clock_rate=one.clock_rate,
        payload_type=one.payload_type,
        rtx_payload_type=one.rtx,
        profile=profile,
        packetization_mode=mode,
    )


def first_usable(formats: Sequence[Format], kind: str) -> Format | None:
    """The first format that can be forwarded: an offer lists what it prefers first.

    H.264 Main and High come after all others: Firefox and many telephones cannot decode them, so
    a publisher that can send something else (Safari offers High first) is asked for that.
    """
    fitting = [(one, codec) for one in formats if (codec := usable(one, kind)) is not None]
    return min(fitting, key=lambda pair: _for_some_only(pair[1]), default=(None,))[0]


def _for_some_only(codec: TrackCodec) -> bool:
    profile = h264_profile(codec.profile)
    return codec.name == "H264" and profile is not None and profile.rank > 0


def decodes(one: Format, stream: TrackCodec) -> bool:
    """Whether a viewer that offers this format can decode a stream.

    For H.264: the profile's rank, and the level unless asymmetry is allowed (RFC 6184, 8.2.2).
    A receiver of mode 1 takes packets of mode 0 (RFC 6184, 6.3), not the other way.
    """
    own = usable(one, stream.kind)
    if own is None or not covers(own, stream):
        return False
    offered, sent = h264_profile(own.profile), h264_profile(stream.profile)
    if stream.name != "H264" or offered is None or sent is None:
        return True
    stated = "profile-level-id" in one.parameters
    symmetric = one.parameters.get("level-asymmetry-allowed", "0") != "1"
    return not (stated and symmetric and offered.level < sent.level)


def covers(own: TrackCodec, stream: TrackCodec) -> bool:
    """Whether whoever decodes one codec decodes a stream, whatever its level."""
    if own.name != stream.name:
        return False
    if own.name != "H264":
        return True
    offered, sent = h264_profile(own.profile), h264_profile(stream.profile)
    if offered is None or sent is None or offered.rank < sent.rank:
        return False
    return (own.packetization_mode or 0) >= (stream.packetization_mode or 0)


def best_for(formats: Sequence[Format], stream: TrackCodec) -> Format | None:
    """The format in which a viewer is sent a stream: the nearest profile, then its own order."""
    fitting = [one for one in formats if decodes(one, stream)]
    return min(fitting, key=lambda one: _distance(one, stream), default=None)


def _distance(one: Format, stream: TrackCodec) -> tuple[int, bool, bool]:
    own = h264_profile(one.parameters.get("profile-level-id"))
    sent = h264_profile(stream.profile)
    if stream.name != "H264" or own is None or sent is None:
        return (0, False, False)
    mode = packetization_mode(one.parameters)
    return (own.rank, own.name != sent.name, mode != stream.packetization_mode)


def title(codec: TrackCodec) -> str:
    """A codec as people say it: `VP8`, `H.264 High`, `Opus`."""
    if codec.name != "H264":
        return "Opus" if codec.name == "opus" else codec.name
    profile = h264_profile(codec.profile)
    return "H.264" if profile is None else f"H.264 {profile.name}"


def titles(formats: Sequence[Format], kind: str) -> str:
    """What a section offers, for a refusal: codecs by name, each once."""
    found: dict[str, None] = {}
    for one in formats:
        if one.name.lower() in ("rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "cn"):
            continue
        codec = usable(one, kind)
        if codec is not None:
            mode = " in packetization-mode 0" if codec.packetization_mode == 0 else ""
            found[title(codec) + mode] = None
        else:
            found[_foreign(one)] = None
    named = list(found)
    if len(named) > 8:
        named = [*named[:8], "others"]
    return ", ".join(named) if named else "nothing known"


def _foreign(one: Format) -> str:
    name = _plain(one.name[:24])
    if name.lower() == "h264":
        stated = _plain(one.parameters.get("profile-level-id", "")[:12])
        return f"H.264 with profile-level-id {stated}"
    return name


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isascii() and c.isprintable())
