"""Real offers bent line by line, from a seed; and what must hold for every one of them."""

from __future__ import annotations

import functools
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streaming.sfu import negotiation, offer, sdp
from streaming.sfu.aiortc_adapter import close_quietly
from streaming.sfu.answer import Local, Source, answer
from streaming.sfu.media_engine import MediaError
from streaming.sfu.offer import Negotiated, Offer
from streaming.sfu.publication import TrackCodec

OFFERS = Path(__file__).parent.parent / "data" / "offers"
JUDGED_WITHIN_S = 0.020
"""How long an offer may keep the loop, from its text to the answer's (processor time)."""
STREAMS = (
    {
        "video": TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96),
        "audio": TrackCodec(kind="audio", name="opus", clock_rate=48_000, payload_type=111),
    },
    {
        "video": TrackCodec(
            kind="video",
            name="H264",
            clock_rate=90_000,
            payload_type=102,
            profile="640028",
            packetization_mode=1,
        ),
    },
    {"audio": TrackCodec(kind="audio", name="opus", clock_rate=48_000, payload_type=97)},
)
LOCAL = Local(
    session="1 1",
    ufrag="ours",
    password="0123456789abcdefghijkl",
    fingerprints=(("sha-256", ":".join(["AB"] * 32)),),
    candidates=("1 1 udp 1 192.0.2.1 5000 typ host",),
    host="192.0.2.1",
    port=5000,
    cname="us",
    sources={index: Source(ssrc=index + 1, rtx_ssrc=index + 9, track="s t") for index in range(4)},
)
_ENDS = ("\r", "\n", "\r\n", "\n\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\r\r\n")
_WORDS = (
    "a=candidate:1 1 udp 1 192.0.2.66 9 typ host",
    "a=ice-lite",
    "a=setup:holdconn",
    "a=bundle-only",
    "a=rtcp-fb:* nack",
    "a=inactive",
    "a=sendrecv",
    "a=ssrc-group:SIM 1 2 3",
    "a=simulcast:send 1;2,3 recv 4",
    "a=fmtp:96 apt=96",
    "m=video 9 UDP/TLS/RTP/SAVPF 96",
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    "a=group:BUNDLE 1 0 9",
    "a=mid:0",
    "a=extmap:15/sendrecv urn:x",
)
_ODD = "\u0661\u00b2\uff11\U0001f600\u202e\u00a0\x00\x7f\ufeff\u0130e\u0301"


@functools.cache
def real_offers() -> tuple[tuple[str, str], ...]:
    """Name and text of each offer of the field."""
    return tuple((p.stem, p.read_text(encoding="utf-8")) for p in sorted(OFFERS.glob("*.sdp")))


# --- bending -----------------------------------------------------------------------------


def _drop(chance: random.Random, lines: list[str]) -> None:
    at = chance.randrange(len(lines))
    del lines[at : at + chance.choice((1, 1, 1, 5, 40))]


def _double(chance: random.Random, lines: list[str]) -> None:
    at = chance.randrange(len(lines))
    many = chance.choice((1, 1, 2, 50, 600))
    lines[at:at] = lines[at : at + chance.choice((1, 3))] * many


def _swap(chance: random.Random, lines: list[str]) -> None:
    for _ in range(chance.choice((1, 1, 30))):
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]


def _truncate(chance: random.Random, lines: list[str]) -> None:
    at = chance.randrange(len(lines))
    lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
    if chance.random() < 0.2:
        del lines[at + 1 :]


def _number(chance: random.Random, lines: list[str]) -> None:
    with_numbers = [index for index, line in enumerate(lines) if re.search("[0-9]", line)]
    if not with_numbers:
        return
    at = chance.choice(with_numbers)
    found = list(re.finditer("[0-9]+", lines[at]))
    one = chance.choice(found)
    odd = (0, 1, 13, 72, 95, 96, 127, 128, 255, 65_536, 1 << 32, 10**30, -1, int(one.group()) + 1)
    text = str(chance.choice(odd))
    lines[at] = lines[at][: one.start()] + text + lines[at][one.end() :]


def _splice(chance: random.Random, lines: list[str]) -> None:
    _, other = chance.choice(real_offers())
    theirs = other.replace("\r\n", "\n").split("\n")
    begin = chance.randrange(len(theirs))
    taken = theirs[begin : begin + chance.choice((1, 3, 20, 150))]
    if chance.random() < 0.3:
        taken = [chance.choice(_WORDS)]
    at = chance.randrange(len(lines) + 1)
    lines[at : at + chance.choice((0, 1, len(taken)))] = taken


def _ends(chance: random.Random, lines: list[str]) -> None:
    at = chance.randrange(len(lines))
    if chance.random() < 0.5:
        lines[at] += chance.choice(_ENDS) + chance.choice(_WORDS)
    else:
        cut = chance.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:cut] + chance.choice(_ENDS) + lines[at][cut:]


def _unicode(chance: random.Random, lines: list[str]) -> None:
    at = chance.randrange(len(lines))
    cut = chance.randrange(len(lines[at]) + 1)
    odd = chance.choice(_ODD) * chance.choice((1, 1, 3, 3000))
    lines[at] = lines[at][:cut] + odd + lines[at][cut + chance.choice((0, 1)) :]


KINDS: dict[str, Callable[[random.Random, list[str]], None]] = {
    "drop": _drop,
    "double": _double,
    "swap": _swap,
    "truncate": _truncate,
    "number": _number,
    "splice": _splice,
    "ends": _ends,
    "unicode": _unicode,
}


@dataclass(frozen=True)
class Bent:
    """One bent offer."""

    name: str
    text: str


def bent(kind: str, seed: int) -> Bent:
    """The offer that a kind of bending makes of a seed: mostly once, at times more."""
    chance = random.Random(f"{kind} {seed}")
    name, text = chance.choice(real_offers())
    lines = text.replace("\r\n", "\n").split("\n")
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        KINDS[kind](chance, lines)
        if not lines:
            lines = [""]
    return Bent(name, chance.choice(("\r\n", "\n")).join(lines))


# --- what must hold ----------------------------------------------------------------------


@dataclass
class Found:
    """What became of one offer."""

    taken: int = 0
    refused: int = 0
    slowest_s: float = 0.0


def judged(text: str) -> tuple[list[tuple[Negotiated, str]], Found]:
    """Judge an offer for publishing and for watching each of `STREAMS`.

    Returns what was taken with its answer. The time is that of all of them together. Raises
    `AssertionError` where one of the rules is broken, and whatever else the judge raises.
    """
    taken: list[tuple[Negotiated, str]] = []
    refused: list[MediaError] = []
    read: Offer | None = None
    began = time.thread_time()
    try:
        read = offer.read(text)
    except MediaError as error:
        refused.append(error)
    for stream in (None, *STREAMS):
        if read is None:
            break
        try:
            if stream is None:
                negotiated = offer.publishing(read, sound_alone=True)
            else:
                negotiated = offer.watching(read, stream)
            taken.append((negotiated, answer(negotiated, LOCAL)))
        except MediaError as error:
            refused.append(error)
    took = time.thread_time() - began
    for refusal in refused:
        check_refusal(refusal)
    for negotiated, said in taken:
        assert read is not None
        check_answer(read.description, negotiated, said)
    return taken, Found(taken=len(taken), refused=len(refused), slowest_s=took)


def check_refusal(error: MediaError) -> None:
    """A refusal's form: a 4xx, a code that is a word, one line of text that can be shown."""
    assert 400 <= error.status < 500, error.status
    assert re.fullmatch("[a-z-]+", error.code), error.code
    assert error.detail.isprintable(), error.detail
    assert len(error.detail) < 600, error.detail


def check_answer(asked: sdp.Description, negotiated: Negotiated, said: str) -> None:
    """The answer's form: as many sections, the offer's own numbers, nothing smuggled in."""
    got = sdp.parse(said)
    assert [s.kind for s in got.sections] == [s.kind for s in asked.sections]
    assert [s.profile for s in got.sections] == [s.profile for s in asked.sections]
    mids = [_value(s, "mid") for s in got.sections]
    assert mids == [_value(s, "mid") for s in asked.sections]
    assert any(s.port for s in got.sections)
    tags = [line.value.split()[1:] for line in got.attributes.get("group", [])]
    accepted = {mid for mid, s in zip(mids, got.sections, strict=True) if s.port}
    assert len(tags) <= 1
    assert not tags or set(tags[0]) == accepted
    assert tags or len(accepted) == 1
    numbers: list[str] = []
    for theirs, ours in zip(asked.sections, got.sections, strict=True):
        assert set(ours.formats) <= set(theirs.formats)
        candidates = [line.value for line in ours.attributes.get("candidate", [])]
        assert candidates == (list(LOCAL.candidates) if ours.port else [])
        if ours.port:
            numbers += ours.formats
            assert len(ours.attributes["rtpmap"]) == len(ours.formats)
            for line in ours.attributes.get("extmap", []):
                number, uri = line.value.split(" ")
                assert any(
                    re.match(rf"0*{number}(/[a-z]+)?\s+{re.escape(uri)}", other.value)
                    for other in theirs.attributes["extmap"]
                )
    assert len(set(numbers)) == len(numbers)
    assert negotiated.codecs


def _value(section: sdp.Section, name: str) -> str | None:
    lines = section.attributes.get(name)
    return lines[0].value if lines else None


async def engine_reads(negotiated: Negotiated) -> float:
    """aiortc reads the offer and makes an answer of ours. Returns the processor time it took."""
    began = time.thread_time()
    pc = await negotiation.open_peer(negotiated)
    took = time.thread_time() - began
    try:
        said = (await pc.createAnswer()).sdp
        assert said.count("m=") == len(negotiated.accepted)
    finally:
        await close_quietly(pc)
    return took
