"""Offers that nobody wrote: refused with a 4xx or answered well, and at once in any case."""

from __future__ import annotations

import asyncio

import pytest

from streaming.sfu.sdp import SDP_BYTES_MAX
from tests.sfu.bent_offers import JUDGED_WITHIN_S, KINDS, bent, engine_reads, judged, real_offers

COUNT = 250
ENGINE_COUNT = 6


@pytest.mark.parametrize("kind", KINDS)
def test_bent_offers_are_refused_or_answered_well(kind: str) -> None:
    taken = refused = 0
    kept = []
    for seed in range(COUNT):
        agreed, found = judged(bent(kind, seed).text)
        taken, refused = taken + found.taken, refused + found.refused
        kept += [negotiated for negotiated, _ in agreed[:1]]
    assert taken > COUNT // 20, "this kind bends so hard that it tests refusals only"
    assert refused > COUNT // 20

    async def main() -> None:
        for negotiated in kept[:: max(1, len(kept) // ENGINE_COUNT)]:
            await engine_reads(negotiated)

    asyncio.run(main())


def filled(lines: str, most: int) -> str:
    """An offer of the field with many lines of a kind, as far as 32 KiB go."""
    text = dict(real_offers())["21-inactive-audio-publish"]
    many = []
    size = len(text)
    for number in range(most):
        line = lines.format(n=number, pt=number % 128, other=(number + 1) % 128)
        size += len(line) + 2
        if size > SDP_BYTES_MAX:
            break
        many.append(line)
    return text + "\r\n".join(many)


HEAVY = {
    "formats and feedback for all": ("a=rtpmap:{pt} VP8/90000\r\na=rtcp-fb:* nack pli", 100),
    "feedback": ("a=rtcp-fb:96 x{n}", 480),
    "feedback for all": ("a=rtcp-fb:* ccm  fir", 480),
    "parameters": ("a=fmtp:96 " + "a=1;b{n}=2;" * 60, 120),
    "retransmissions of each other": ("a=rtpmap:{pt} rtx/90000\r\na=fmtp:{pt} apt={other}", 60),
    "extensions": (
        "a=extmap:{pt} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        60,
    ),
    "sources": ("a=ssrc:{n} cname:x", 128),
    "one group": ("a=ssrc-group:FID " + "{n} " * 150, 32),
    "candidates": ("a=candidate:{n} 1 udp 1 192.0.2.{pt} 9 typ host", 128),
    "layers": ("a=rid:{n} send max-width={n};max-height=1;" + "x=1;" * 400, 16),
    "sections": ("m=video 0 UDP/TLS/RTP/SAVPF {pt}", 2),
    "mids": ("a=mid:{n}", 700),
    "unknown": ("a=x{n}", 700),
    "short": ("a=", 700),
    "blank": ("", 10_000),
    "every line": ("a=rtpmap:{pt} VP8/90000", 10_000),
}


@pytest.mark.parametrize("heavy", HEAVY)
def test_no_32_kib_keep_the_loop_for_20_ms(heavy: str) -> None:
    text = filled(*HEAVY[heavy])
    took = min(judged(text)[1].slowest_s for _ in range(3))
    assert took < JUDGED_WITHIN_S


def test_an_offer_as_full_as_it_may_be_is_read_by_the_engine_at_once() -> None:
    text = dict(real_offers())["21-inactive-audio-publish"]
    formats = "\r\n".join(
        f"a=rtpmap:{n} X/90000\r\na=rtcp-fb:{n} nack\r\na=rtcp-fb:{n} nack pli" for n in range(35)
    )
    text += formats + "".join(f"a=ssrc:{n} cname:x\r\n" for n in range(1, 100))
    (negotiated, _), *_ = judged(text)[0]

    async def main() -> list[float]:
        return [await engine_reads(negotiated) for _ in range(3)]

    assert min(asyncio.run(main())) < JUDGED_WITHIN_S


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \r\n",
        "\x00",
        "v=0",
        "=",
        "v=0\r\nm=",
        "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96",
        "\ufeffv=0",
    ],
)
def test_fragments(text: str) -> None:
    assert judged(text)[0] == []
