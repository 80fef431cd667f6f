"""SDP read line by line, in linear time and within bounds. Pure.

Offers come from strangers. Here is only what a line says (RFC 8866, 5 and 9); what it means for
a connection is judged in `offer`. Nothing here looks at a character more than a few times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from streaming.sfu.media_engine import MediaError

SDP_BYTES_MAX: Final = 32 * 1024
LINES_MAX: Final = 1000
"""Chromium's longest offer with sound and picture has some 250."""
LINE_CHARS_MAX: Final = 2048
SECTIONS_MAX: Final = 4
FORMATS_MAX: Final = 128
"""Formats of one section: there are no more payload types (RFC 3550, 5.1)."""
ATTRIBUTES_MAX: Final = {
    "candidate": 128,
    "extmap": 64,
    "fingerprint": 16,
    "fmtp": 128,
    "group": 16,
    "rid": 16,
    "rtcp-fb": 512,
    "rtpmap": 128,
    "ssrc": 128,
    "ssrc-group": 32,
}
"""How often an attribute may stand in one section, or before the first."""
_SHOWN_CHARS: Final = 60
_SECRET: Final = ("ice-pwd", "crypto", "key")
# Lines end in CRLF, or LF alone (RFC 8866, 5). What other programs might take for the end of a
# line is refused, so that all agree where one ends: control characters, NEL, LS and PS.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LINE: Final = re.compile("([a-z])=(.*)")
_MEDIA: Final = re.compile(
    r"([a-z][a-z0-9-]{0,31}) ([0-9]{1,5})(?:/[0-9]{1,5})? ([A-Za-z/]{1,64}) "
)
TOKEN: Final = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,64}")
"""What a mid or a group's tag is made of (RFC 8866, 9)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `m=` with its value, or `a=` with the attribute's name and value."""

    number: int
    """Counted from 1, as editors do."""
    name: str
    """The attribute's name; `m=` for a media line."""
    value: str

    def __str__(self) -> str:
        """How a refusal names it: number and beginning."""
        if self.name == "m=":
            text = f"m={self.value}"
        elif self.name in _SECRET:
            text = f"a={self.name}:..."
        else:
            text = f"a={self.name}:{self.value}" if self.value else f"a={self.name}"
        return f"line {self.number} ({_shown(text)})"


Attributes = dict[str, list[Line]]


@dataclass(slots=True)
class Section:
    """One media section (`m=`) and its attributes."""

    line: Line
    index: int
    kind: str
    """`audio`, `video`, or what else the line says."""
    port: int
    profile: str
    """The transport protocol, as `UDP/TLS/RTP/SAVPF`."""
    formats: list[str]
    attributes: Attributes = field(default_factory=dict)


@dataclass(slots=True)
class Description:
    """A session description: what holds for all sections, and the sections."""

    attributes: Attributes
    sections: list[Section]


def unreadable(detail: str) -> MediaError:
    """The refusal of what is no SDP, or contradicts itself."""
    return MediaError(400, "sdp-invalid", detail)


def one(attributes: Attributes, name: str) -> Line | None:
    """The line of an attribute that is said once; the same again does no harm.

    Raises `MediaError` (400) where two lines differ.
    """
    lines = attributes.get(name)
    if not lines:
        return None
    for line in lines[1:]:
        if line.value != lines[0].value:
            raise unreadable(f"{line} contradicts {lines[0]}; say a={name} once in a section")
    return lines[0]


def number_of(text: str, highest: int) -> int | None:
    """A decimal number of ASCII digits, 0 to `highest`; None if it is none."""
    if not (0 < len(text) <= 10 and text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= highest else None


def parse(text: str) -> Description:
    """Read a description. Raises `MediaError` (400, 413 or 422), which names the line."""
    _check_size(text)
    lines = text.split("\n")
    if len(lines) > LINES_MAX:
        raise unreadable(f"the SDP has more than {LINES_MAX} lines; offer fewer codecs or sections")
    session: Attributes = {}
    sections: list[Section] = []
    attributes = session
    begun = False
    for number, raw in enumerate(lines, 1):
        content = raw.rstrip("\r")
        if not content.strip():
            continue
        kind, value = _parts(number, content)
        if not begun:
            if kind != "v":
                raise unreadable(f"line {number} ({_shown(content)}) is no SDP: it begins with v=0")
            begun = True
        elif kind == "m":
            sections.append(_section(Line(number, "m=", value), len(sections)))
            attributes = sections[-1].attributes
        elif kind == "a":
            _add(attributes, number, value)
    return Description(session, sections)


def _check_size(text: str) -> None:
    if not text.strip():
        raise MediaError(400, "sdp-empty", "the request has no body; send the SDP offer in it")
    if len(text) > SDP_BYTES_MAX or len(text.encode("utf-8", "replace")) > SDP_BYTES_MAX:
        raise MediaError(
            413,
            "too-large",
            f"the SDP has more than {SDP_BYTES_MAX} bytes; offer fewer codecs or sections",
        )


def _parts(number: int, content: str) -> tuple[str, str]:
    if len(content) > LINE_CHARS_MAX:
        raise unreadable(f"line {number} is longer than {LINE_CHARS_MAX} characters; shorten it")
    odd = _CONTROL.search(content)
    if odd is not None:
        raise unreadable(
            f"line {number} ({_shown(content)}) contains the control character "
            f"U+{ord(odd.group()):04X}; end lines with CR LF and leave other controls out"
        )
    found = _LINE.fullmatch(content)
    if found is None:
        raise unreadable(
            f"line {number} ({_shown(content)}) is no SDP: a line is a letter, = and a value"
        )
    return found.group(1), found.group(2).strip()


def _section(line: Line, index: int) -> Section:
    if index >= SECTIONS_MAX:
        raise MediaError(
            422,
            "too-many-sections",
            f"{line} is one media section too many; offer at most {SECTIONS_MAX}",
        )
    found = _MEDIA.match(line.value)
    port = None if found is None else number_of(found.group(2), 65_535)
    if found is None or port is None:
        raise unreadable(f"{line} cannot be read; write kind, port, protocol and formats")
    formats = line.value[found.end() :].split()
    if not formats or len(formats) > FORMATS_MAX:
        raise unreadable(f"{line} has {len(formats)} formats; offer 1 to {FORMATS_MAX}")
    return Section(line, index, found.group(1), port, found.group(3), formats)


def _add(attributes: Attributes, number: int, text: str) -> None:
    name, _, value = text.partition(":")
    line = Line(number, name.strip(), value.strip())
    lines = attributes.setdefault(line.name, [])
    if len(lines) >= ATTRIBUTES_MAX.get(line.name, LINES_MAX):
        raise unreadable(
            f"{line} is one too many: a section has at most {len(lines)} a={line.name}"
        )
    lines.append(line)


def _shown(text: str) -> str:
    cut = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."
    return "".join(c if c.isprintable() else "?" for c in cut)
