"""What is written because of an offer: the answer, and the plain offer our engine reads. Pure.

No text of a stranger's goes on to aiortc, whose parser takes time that grows with the square of
what it reads: only numbers, credentials and fingerprints that were checked. The answer has a
section for each of the offer's, in its order, under its own mids and payload types.

Sources: RFC 3264 (6), RFC 8829 (5.3), RFC 8843 (7.3), RFC 8853 (5.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streaming.sfu.offer import AnsweredSection, Negotiated
from streaming.sfu.publication import TrackCodec

_STAND_INS = {
    "VP8": "VP8/90000",
    "H264": "H264/90000",
    "opus": "opus/48000/2",
}
_STAND_IN_PROFILE = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
_NOWHERE = "c=IN IP4 0.0.0.0"


@dataclass(frozen=True)
class Source:
    """What we send a track as."""

    ssrc: int
    rtx_ssrc: int
    track: str
    """Its `msid`: stream and track."""


@dataclass(frozen=True)
class Local:
    """Our side of the transport, as the engine made it."""

    session: str
    """The numbers of `o=` that name the session and its version."""
    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]
    host: str
    port: int
    cname: str
    sources: Mapping[int, Source]
    """By the index of the section."""


def engine_offer(negotiated: Negotiated) -> str:
    """The least offer that says the same: accepted sections, one codec each, no candidates.

    Its mids are the sections' indices. H.264 stands in a profile that the engine knows; what was
    agreed on takes its place when the offer has been read.
    """
    transport = negotiated.transport
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    indices = " ".join(str(section.index) for section in negotiated.accepted)
    lines.append(f"a=group:BUNDLE {indices}")
    for section in negotiated.accepted:
        codec = section.codec
        if codec is None:
            continue
        lines += [
            f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {codec.payload_type}",
            _NOWHERE,
            f"a=mid:{section.index}",
            f"a={_REVERSED[section.direction]}",
            "a=rtcp-mux",
            f"a=ice-ufrag:{transport.ufrag}",
            f"a=ice-pwd:{transport.password}",
            *(f"a=fingerprint:{name} {value}" for name, value in transport.fingerprints),
            f"a=setup:{'active' if transport.setup == 'passive' else 'passive'}",
            f"a=rtpmap:{codec.payload_type} {_STAND_INS[codec.name]}",
        ]
        if codec.name == "H264":
            lines.append(f"a=fmtp:{codec.payload_type} {_STAND_IN_PROFILE}")
        lines += [f"a=ssrc:{ssrc} cname:publisher" for ssrc in section.sources]
    return _text(lines)


_REVERSED = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


def answer(negotiated: Negotiated, local: Local) -> str:
    """The answer to the offer that was negotiated about."""
    lines = ["v=0", f"o=- {local.session} IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if negotiated.bundle:
        lines.append(f"a=group:BUNDLE {' '.join(negotiated.bundle)}")
    if local.sources:
        lines.append("a=msid-semantic: WMS *")
    for section in negotiated.sections:
        if section.codec is None:
            lines += _rejected(section)
        else:
            lines += _accepted(section, section.codec, negotiated, local)
    return _text(lines)


def _rejected(section: AnsweredSection) -> Iterator[str]:
    yield f"m={section.kind} 0 {section.profile} {section.first_format}"
    yield _NOWHERE
    if section.mid is not None:
        yield f"a=mid:{section.mid}"
    if section.kind in ("audio", "video"):
        yield "a=inactive"


def _accepted(
    section: AnsweredSection, codec: TrackCodec, negotiated: Negotiated, local: Local
) -> Iterator[str]:
    numbers = [codec.payload_type]
    if codec.rtx_payload_type is not None:
        numbers.append(codec.rtx_payload_type)
    formats = " ".join(map(str, numbers))
    yield f"m={section.kind} {local.port} {section.profile} {formats}"
    yield f"c=IN {'IP6' if ':' in local.host else 'IP4'} {local.host}"
    if section.mid is not None:
        yield f"a=mid:{section.mid}"
    yield f"a={section.direction}"
    yield "a=rtcp-mux"
    for number, uri in section.extensions:
        yield f"a=extmap:{number} {uri}"
    yield from _codec(section, codec)
    if section.layer is not None and not section.layer.first:
        yield f"a=rid:{section.layer.rid} recv"
        yield f"a=simulcast:recv {section.layer.rid}"
    source = local.sources.get(section.index)
    if source is not None and section.direction == "sendonly":
        yield from _source(source, codec, local.cname)
    yield from _transport(negotiated, local)


def _codec(section: AnsweredSection, codec: TrackCodec) -> Iterator[str]:
    channels = "/2" if section.kind == "audio" else ""
    yield f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"
    for feedback in section.feedback:
        yield f"a=rtcp-fb:{codec.payload_type} {feedback}"
    if section.parameters:
        said = ";".join(f"{name}={value}" for name, value in section.parameters.items())
        yield f"a=fmtp:{codec.payload_type} {said}"
    if codec.rtx_payload_type is not None:
        yield f"a=rtpmap:{codec.rtx_payload_type} rtx/{codec.clock_rate}"
        yield f"a=fmtp:{codec.rtx_payload_type} apt={codec.payload_type}"


def _source(source: Source, codec: TrackCodec, cname: str) -> Iterator[str]:
    yield f"a=msid:{source.track}"
    if codec.rtx_payload_type is not None:
        yield f"a=ssrc-group:FID {source.ssrc} {source.rtx_ssrc}"
    yield f"a=ssrc:{source.ssrc} cname:{cname}"
    if codec.rtx_payload_type is not None:
        yield f"a=ssrc:{source.rtx_ssrc} cname:{cname}"


def _transport(negotiated: Negotiated, local: Local) -> Iterator[str]:
    for candidate in local.candidates:
        yield f"a=candidate:{candidate}"
    yield "a=end-of-candidates"
    yield f"a=ice-ufrag:{local.ufrag}"
    yield f"a=ice-pwd:{local.password}"
    for name, value in local.fingerprints:
        yield f"a=fingerprint:{name} {value}"
    yield f"a=setup:{negotiated.transport.setup}"


def _text(lines: list[str]) -> str:
    return "\r\n".join(lines) + "\r\n"
