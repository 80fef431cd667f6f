"""An offer judged: what of it is taken, before anything is done because of it. Pure.

`read` says whether an offer can be used at all; `publishing` (WHIP, RFC 9725) and `watching`
(WHEP) decide what each section is answered with. Whatever they return can be served: nothing
fails later because of an offer. Every refusal is a `MediaError` with a stable code, and names the
line and the remedy.

Sources: RFC 8829 (JSEP), RFC 8843 (BUNDLE), RFC 8839 and 8840 (ICE in SDP), RFC 8842 (DTLS),
RFC 8122 (fingerprints), RFC 8859 (which attributes a bundle shares), RFC 8285 (extensions).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streaming.sfu import codecs, sdp
from streaming.sfu.codecs import Format
from streaming.sfu.media_engine import MediaError
from streaming.sfu.publication import TrackCodec
from streaming.sfu.remote_transport import Transport, judge
from streaming.sfu.sdp import Attributes, Description, Line, Section, unreadable
from streaming.sfu.simulcast import RID_URI, Layer, best_layer, sources_of

TRANSPORT_SEQUENCE_URI: Final = (
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)
SEND_TIME_URI: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
EXTENSIONS_FROM_PUBLISHERS: Final = {
    "video": (TRANSPORT_SEQUENCE_URI, SEND_TIME_URI),
    "audio": (TRANSPORT_SEQUENCE_URI,),
}
"""RTP header extensions that a publisher is asked to write, where it offers them."""
EXTENSIONS_TO_VIEWERS: Final = {
    "video": (TRANSPORT_SEQUENCE_URI,),
    "audio": (TRANSPORT_SEQUENCE_URI,),
}
"""RTP header extensions that we may write towards a viewer, where it offers them."""
PROFILES: Final = frozenset(
    f"{over}RTP/{profile}"
    for over in ("UDP/TLS/", "TCP/TLS/", "TCP/DTLS/", "")
    for profile in ("SAVPF", "SAVP", "AVPF", "AVP")
)
"""What RFC 8829 (5.1.2) asks to take; what counts is that there is a fingerprint."""
DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
_EXTENSION: Final = re.compile(r"([0-9]{1,2})(?:/([a-z]+))?\s+(\S{1,256})(?:\s.*)?")
_SENDS: Final = ("sendrecv", "sendonly")
_RECEIVES: Final = ("sendrecv", "recvonly")


@dataclass(frozen=True)
class AnsweredSection:
    """What one media section of an offer is answered with."""

    index: int
    kind: str
    mid: str | None
    profile: str
    first_format: str
    codec: TrackCodec | None = None
    """What is forwarded; None where the section is rejected."""
    direction: str = "inactive"
    """Ours: `recvonly` from a publisher, `sendonly` to a viewer, or `inactive`."""
    parameters: Mapping[str, str] | None = None
    """What we say in `fmtp`."""
    feedback: tuple[str, ...] = ()
    extensions: tuple[tuple[int, str], ...] = ()
    sources: tuple[int, ...] = ()
    """What a publisher announces: its source, and its retransmissions'."""
    layer: Layer | None = None
    """Of a simulcast offer: the layer that is taken."""

    @property
    def active(self) -> bool:
        """Whether media flows in it."""
        return self.codec is not None and self.direction != "inactive"


@dataclass(frozen=True)
class Negotiated:
    """Everything that has been agreed on with one offer."""

    sections: tuple[AnsweredSection, ...]
    bundle: tuple[str, ...]
    """Tags of the answer's BUNDLE group; empty where the offer has none."""
    transport: Transport

    @property
    def accepted(self) -> tuple[AnsweredSection, ...]:
        """The sections that are not rejected."""
        return tuple(section for section in self.sections if section.codec is not None)

    @property
    def codecs(self) -> dict[str, TrackCodec]:
        """The codec of each kind that flows."""
        return {s.kind: s.codec for s in self.sections if s.codec is not None and s.active}

    def section(self, kind: str) -> AnsweredSection:
        """The section in which `kind` flows. Raises `KeyError`."""
        for section in self.sections:
            if section.kind == kind and section.active:
                return section
        raise KeyError(kind)

    def extension_id(self, uri: str, kind: str | None = None) -> int | None:
        """The id of an RTP header extension, of one kind or of any; it is the same in all."""
        for section in self.sections:
            if section.active and kind in (None, section.kind):
                for number, known in section.extensions:
                    if known == uri:
                        return number
        return None

    def has_feedback(self, kind: str, feedback: str) -> bool:
        """Whether `rtcp-fb` such as `nack` or `transport-cc` has been agreed on for a kind."""
        return any(s.active and s.kind == kind and feedback in s.feedback for s in self.sections)


@dataclass(frozen=True)
class Offer:
    """An offer that can be read, and whose transport can be used."""

    description: Description
    taken: Mapping[str, Section]
    """The sections of sound and picture that the offer does not itself disable."""
    formats: Mapping[str, list[Format]]
    """Of each taken section, by its kind."""
    mids: Mapping[int, str]
    bundle: tuple[str, ...]

    def direction(self, section: Section) -> str:
        """`sendrecv` unless the section, or the session, says otherwise (RFC 8866, 6.7)."""
        return (
            _direction(section.attributes) or _direction(self.description.attributes) or "sendrecv"
        )


# --- whether it can be used at all -------------------------------------------------------


def read(text: str) -> Offer:
    """Read an offer and judge all that publishing and watching have in common.

    Raises `MediaError`: 400 for what is no SDP or contradicts itself, 413 for what is too long,
    422 for what cannot be used.
    """
    description = sdp.parse(text)
    if not description.sections:
        raise MediaError(
            422, "no-media", "the offer has no media section; add a video transceiver to it"
        )
    mids = _mids(description)
    taken = _taken(description)
    formats = {kind: codecs.formats_of(section) for kind, section in taken.items()}
    offer = Offer(description, taken, formats, mids, _bundle(description, taken, mids))
    for section in taken.values():
        offer.direction(section)
    if taken:
        _transport(offer, offer_order(offer))
    return offer


def _mids(description: Description) -> dict[int, str]:
    found: dict[int, str] = {}
    lines: dict[str, Line] = {}
    for section in description.sections:
        line = sdp.one(section.attributes, "mid")
        if line is None:
            continue
        if not sdp.TOKEN.fullmatch(line.value):
            raise unreadable(
                f"{line} is no token of at most 64 characters; name the section plainly"
            )
        if line.value in lines:
            raise unreadable(
                f"{line} is also that of {lines[line.value]}; give each section its own"
            )
        lines[line.value] = line
        found[section.index] = line.value
    return found


def _taken(description: Description) -> dict[str, Section]:
    taken: dict[str, Section] = {}
    for section in description.sections:
        # Port 0 disables a section, unless it says that it comes in the bundle only (RFC 8843, 6).
        disabled = section.port == 0 and "bundle-only" not in section.attributes
        if section.kind not in ("audio", "video") or disabled:
            continue
        if section.kind in taken:
            raise MediaError(
                422,
                "too-many-sections",
                f"{section.line} is a second {section.kind} section; one each is taken: send "
                "another picture or sound as another stream",
            )
        if section.profile not in PROFILES:
            raise MediaError(
                422,
                "protocol-unsupported",
                f"{section.line} is not sent by RTP over DTLS; use UDP/TLS/RTP/SAVPF",
            )
        taken[section.kind] = section
    scopes = [description.attributes, *(section.attributes for section in taken.values())]
    if taken and not any("rtcp-mux" in attributes for attributes in scopes):
        raise MediaError(
            422,
            "rtcp-mux-required",
            f"{next(iter(taken.values())).line} has no a=rtcp-mux; send RTCP on the same port",
        )
    return taken


def _bundle(
    description: Description, taken: Mapping[str, Section], mids: Mapping[int, str]
) -> tuple[str, ...]:
    """The tags of the BUNDLE group in which all that is taken stands."""
    needed = {mids.get(section.index) for section in taken.values()}
    for line in description.attributes.get("group", ()):
        semantics, *tags = line.value.split() or [""]
        if semantics == "BUNDLE" and needed <= set(tags):
            return tuple(dict.fromkeys(tags))
    if len(taken) > 1:
        groups = description.attributes.get("group", ())
        lines = [line for line in groups if line.value.startswith("BUNDLE")]
        where = lines[0] if lines else list(taken.values())[1].line
        raise MediaError(
            422,
            "bundle-required",
            f"{where}: the offer does not bundle its sections; use bundlePolicy max-bundle, so "
            "that a=group:BUNDLE names the mid of each",
        )
    return ()


def offer_order(offer: Offer) -> list[Section]:
    """The taken sections in the order of the BUNDLE group: the first is the tagged one."""
    order = {mid: index for index, mid in enumerate(offer.bundle)}
    return sorted(
        offer.taken.values(),
        key=lambda s: (order.get(offer.mids.get(s.index, ""), len(order)), s.index),
    )


def _direction(attributes: Attributes) -> str | None:
    lines = [attributes[name][0] for name in DIRECTIONS if name in attributes]
    if len(lines) > 1:
        raise unreadable(f"{lines[1]} contradicts {lines[0]}; give a section one direction")
    return lines[0].name if lines else None


# --- the transport -----------------------------------------------------------------------


def _transport(offer: Offer, order: list[Section]) -> Transport:
    """From the tagged section, else the session, else another section (RFC 8843, 9)."""
    description = offer.description
    others = [section for section in description.sections if section not in order]
    inherited = [section.attributes for section in [*order[1:], *others]]
    return judge([order[0].attributes, description.attributes, *inherited], order[0].line)


# --- what each section is answered with --------------------------------------------------


def publishing(offer: Offer, *, sound_alone: bool) -> Negotiated:
    """What a publisher's offer is answered with. Raises `MediaError` (422)."""
    sending = {k: s for k, s in offer.taken.items() if offer.direction(s) in _SENDS}
    if not sending:
        raise MediaError(
            422,
            "no-media",
            f"{offer.description.sections[0].line}: the offer sends neither picture nor sound; "
            "add a video track to it",
        )
    if "video" not in sending and not sound_alone:
        raise MediaError(
            422,
            "no-video",
            f"{sending['audio'].line}: the offer has no video section that sends; add a video "
            "track, or publish sound alone by adding ?sound_alone=1 to the address",
        )
    chosen: dict[str, Format] = {}
    for kind, section in sending.items():
        first = codecs.first_usable(offer.formats[kind], kind)
        if first is None:
            detail = _nothing_usable(section, offer.formats[kind])
            raise MediaError(422, "codec-unsupported", detail)
        chosen[kind] = first
    return _negotiated(offer, chosen, publisher=True)


def _nothing_usable(section: Section, formats: list[Format]) -> str:
    offered = codecs.titles(formats, section.kind)
    if section.kind == "audio":
        return f"{section.line} offers {offered}; sound is taken as Opus: offer opus/48000/2"
    return (
        f"{section.line} offers {offered}; the picture is taken as VP8, or as H.264 in the "
        f"profile {codecs.PROFILES_TAKEN} and packetization-mode 0 or 1: choose one of them in "
        "the encoder"
    )


def watching(offer: Offer, streams: Mapping[str, TrackCodec]) -> Negotiated:
    """What a viewer's offer is answered with, of a stream in these codecs by kind.

    Raises `MediaError` (422).
    """
    receiving = {
        k: s for k, s in offer.taken.items() if k in streams and offer.direction(s) in _RECEIVES
    }
    needed = "video" if "video" in streams else "audio"
    if needed not in receiving:
        raise MediaError(
            422,
            f"no-{needed}",
            f"{offer.description.sections[0].line}: the stream has {needed}, and the offer has "
            f"no {needed} section that receives; add a recvonly {needed} transceiver",
        )
    chosen: dict[str, Format] = {}
    for kind, section in receiving.items():
        best = codecs.best_for(offer.formats[kind], streams[kind])
        if best is None:
            detail = _cannot_decode(section, offer.formats[kind], streams[kind])
            raise MediaError(422, "codec-unsupported", detail)
        chosen[kind] = best
    return _negotiated(offer, chosen, publisher=False)


def _cannot_decode(section: Section, formats: list[Format], stream: TrackCodec) -> str:
    what = codecs.title(stream)
    details = ""
    if stream.name == "H264":
        mode = stream.packetization_mode or 0
        details = f" (profile-level-id {stream.profile}, packetization-mode {mode})"
    remedy = f"watch with a player that decodes {what}"
    shared = codecs.first_usable(formats, section.kind)
    codec = None if shared is None else codecs.usable(shared, section.kind)
    if codec is not None and codecs.title(codec) != what:
        remedy += f", or let the creator publish {codecs.title(codec)}"
    return (
        f"the stream is {what}{details}; {section.line} offers "
        f"{codecs.titles(formats, section.kind)}: {remedy}"
    )


def _negotiated(offer: Offer, chosen: Mapping[str, Format], *, publisher: bool) -> Negotiated:
    numbers: dict[int, Line] = {}
    answered: dict[int, AnsweredSection] = {}
    extensions = _Extensions(publisher=publisher)
    # What flows is settled first, so that an idle section never stands in its way.
    order = offer_order(offer)
    for section in sorted(order, key=lambda s: s.kind not in chosen):
        one = chosen.get(section.kind)
        idle = one is None
        if one is None:
            one = codecs.first_usable(offer.formats[section.kind], section.kind)
        if one is None or not _free(numbers, one, section, refuse_shared=not idle):
            continue
        answered[section.index] = _answered(
            offer, section, one, extensions, publisher=publisher, idle=idle
        )
    accepted = [section for section in order if section.index in answered]
    sections = tuple(
        answered.get(s.index) or _rejected(offer, s) for s in offer.description.sections
    )
    mids = {offer.mids.get(section.index) for section in accepted}
    bundle = tuple(tag for tag in offer.bundle if tag in mids)
    return Negotiated(sections, bundle, _transport(offer, accepted))


def _free(numbers: dict[int, Line], one: Format, section: Section, *, refuse_shared: bool) -> bool:
    """Whether no other section uses the payload types: packets are told apart by them."""
    own = [number for number in (one.payload_type, one.rtx) if number is not None]
    for number in own:
        if number in numbers:
            if refuse_shared:
                raise unreadable(
                    f"{section.line} uses payload type {number} as {numbers[number]} does; in a "
                    "bundle each format has its own"
                )
            return False
    numbers.update(dict.fromkeys(own, section.line))
    return True


def _answered(
    offer: Offer,
    section: Section,
    one: Format,
    extensions: _Extensions,
    *,
    publisher: bool,
    idle: bool,
) -> AnsweredSection:
    sends = publisher and not idle
    layer = best_layer(section.attributes) if sends and section.kind == "video" else None
    wanted = extensions.wanted(section.kind)
    if layer is not None and not layer.first:
        wanted = (*wanted, RID_URI)
    found = () if idle else extensions.of(section, wanted)
    if layer is not None and RID_URI not in {uri for _, uri in found}:
        layer = Layer(layer.rid, first=True)
    return dataclasses.replace(
        _rejected(offer, section),
        codec=codecs.usable(one, section.kind),
        direction="inactive" if idle else "recvonly" if publisher else "sendonly",
        parameters=_parameters(one, publisher=publisher),
        feedback=tuple(f for f in codecs.FEEDBACK[section.kind] if f in one.feedback),
        extensions=found,
        sources=sources_of(section.attributes) if sends else (),
        layer=layer,
    )


def _parameters(one: Format, *, publisher: bool) -> Mapping[str, str]:
    name = one.name.lower()
    if name == "opus":
        return codecs.OPUS_FROM_PUBLISHERS if publisher else codecs.OPUS_TO_VIEWERS
    if name != "h264":
        return {}
    # Profile and mode are symmetric: the offer's own come back (RFC 6184, 8.2.2).
    said = {"packetization-mode": str(codecs.packetization_mode(one.parameters) or 0)}
    if one.parameters.get("level-asymmetry-allowed") == "1":
        said["level-asymmetry-allowed"] = "1"
    if "profile-level-id" in one.parameters:
        said["profile-level-id"] = one.parameters["profile-level-id"]
    return said


def _rejected(offer: Offer, section: Section) -> AnsweredSection:
    return AnsweredSection(
        index=section.index,
        kind=section.kind,
        mid=offer.mids.get(section.index),
        profile=section.profile,
        first_format=section.formats[0],
    )


class _Extensions:
    """Chooses header extensions so that an id means one thing in all sections (RFC 8843, 9.2)."""

    def __init__(self, *, publisher: bool) -> None:
        self._wanted = EXTENSIONS_FROM_PUBLISHERS if publisher else EXTENSIONS_TO_VIEWERS
        self._directions = (None, *(_SENDS if publisher else _RECEIVES))
        self._number: dict[str, int] = {}
        self._uri: dict[int, str] = {}

    def wanted(self, kind: str) -> tuple[str, ...]:
        return self._wanted[kind]

    def of(self, section: Section, wanted: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
        found: list[tuple[int, str]] = []
        for line in section.attributes.get("extmap", ()):
            match = _EXTENSION.fullmatch(line.value)
            if match is None or match.group(2) not in self._directions:
                continue
            number, uri = int(match.group(1)), match.group(3)
            # Ids above 14 need headers of two bytes, which nobody has to understand.
            if uri not in wanted or not 1 <= number <= 14 or uri in {known for _, known in found}:
                continue
            if self._number.get(uri, number) == number and self._uri.get(number, uri) == uri:
                self._number[uri], self._uri[number] = number, uri
                found.append((number, uri))
        return tuple(found)
