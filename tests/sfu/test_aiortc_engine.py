"""The engine in this process: offers of the field answered, and who is served by whom."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from streaming.sfu import aiortc_adapter, offer, sdp
from streaming.sfu.aiortc_engine import AiortcEngine, AiortcPublication, LiveStream
from streaming.sfu.media_engine import MediaError
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.rtcp_reader import TransportFeedback, read_compound
from streaming.sfu.transport_cc import extension_header, parse_feedback
from tests.sfu.bent_offers import real_offers
from tests.sfu.test_offer import OPUS, PUBLISHERS, REFUSED, STREAMS, VP8, h264

FIELD = dict(real_offers())


def publication(engine: AiortcEngine, *codecs: TrackCodec) -> AiortcPublication:
    """A publication of stream 1 with these codecs, without a publisher."""
    tracks = {codec.kind: Track(codec, 1, lambda _packet: None) for codec in codecs}
    made = AiortcPublication.__new__(AiortcPublication)
    made.published = PublishedTracks(1, tracks)
    engine._streams.setdefault(1, LiveStream(1)).follow(made)
    return made


async def closed(engine: AiortcEngine) -> None:
    for live in engine._streams.values():
        live.publication = None
    await engine.close()


def test_publishers_of_the_field_are_answered_with_our_addresses() -> None:
    async def main() -> None:
        engine = AiortcEngine(["203.0.113.9"])
        for name in PUBLISHERS:
            made = await engine.publish(1, FIELD[name], sound_alone=False)
            asked, got = sdp.parse(FIELD[name]), sdp.parse(made.answer)
            assert [s.kind for s in got.sections] == [s.kind for s in asked.sections]
            for section in got.sections:
                candidates = section.attributes.get("candidate", [])
                hosts = {line.value.split(" ")[4] for line in candidates}
                assert hosts == ({"203.0.113.9"} if section.port else set())
                assert section.port in {0, *(int(c.value.split(" ")[5]) for c in candidates)}
            assert {"video"} <= set(made.published.tracks) <= {"video", "audio"}
            await made.close()
        assert engine._connecting == set()
        await closed(engine)

    asyncio.run(main())


@pytest.mark.parametrize("name", [name for name in REFUSED if "watch" not in name])
def test_what_is_refused_opens_no_connection(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.sfu.negotiation.open_peer", None)

    async def main() -> None:
        engine = AiortcEngine()
        with pytest.raises(MediaError) as raised:
            await engine.publish(1, FIELD[name], sound_alone=False)
        assert raised.value.code == REFUSED[name][1]
        await closed(engine)

    asyncio.run(main())


def test_a_viewer_is_answered_in_the_streams_codec() -> None:
    text = FIELD["13-safari-ios-h264-first-watch"]

    async def main() -> None:
        engine = AiortcEngine()
        with pytest.raises(MediaError) as raised:
            await engine.prepare(1, text)
        assert (raised.value.status, raised.value.code) == (409, "not-live")
        for stream, number in (("high", 96), ("baseline", 98), ("vp8", 104)):
            publication(engine, STREAMS[stream], OPUS)
            prepared = await engine.prepare(1, text)
            said, subscription = await prepared.answer(lambda _reason: None)
            video = next(s for s in sdp.parse(said).sections if s.kind == "video")
            assert video.formats[0] == str(number)
            feed = subscription.subscriber.feeds["video"]
            (group,) = video.attributes["ssrc-group"]
            assert group.value.split(" ")[:2] == ["FID", str(feed.ssrc)]
            cname = subscription.subscriber.cname.decode()
            assert video.attributes["ssrc"][0].value == f"{feed.ssrc} cname:{cname}"
            await subscription.close()
        await closed(engine)

    asyncio.run(main())


def test_a_viewer_that_cannot_decode_the_next_publisher_is_ended() -> None:
    text = FIELD["11-firefox-watch"]

    async def main() -> list[str]:
        engine = AiortcEngine()
        ended: list[str] = []
        publication(engine, h264("42001f"), OPUS)
        prepared = await engine.prepare(1, text)
        _, subscription = await prepared.answer(ended.append)
        publication(engine, h264("42e01f", 0), OPUS)
        assert ended == []
        publication(engine, h264("640028"), OPUS)
        assert ended == ["publisher-gone"]
        await subscription.close()
        await closed(engine)
        return ended

    asyncio.run(main())


@pytest.mark.parametrize(
    ("first", "next_", "ends"),
    [
        (VP8, h264("640028"), ["publisher-gone"]),
        (h264("42001f"), VP8, ["publisher-gone"]),
        (h264("42001f"), h264("42e01f", 0), []),
        (VP8, VP8, []),
    ],
)
def test_a_publisher_that_comes_while_a_viewer_is_admitted_is_judged_too(
    first: TrackCodec, next_: TrackCodec, ends: list[str]
) -> None:
    async def main() -> None:
        engine = AiortcEngine()
        ended: list[str] = []
        publication(engine, first, OPUS)
        prepared = await engine.prepare(1, FIELD["11-firefox-watch"])
        publication(engine, next_, OPUS)
        _, subscription = await prepared.answer(ended.append)
        assert ended == ends
        assert ("ended" in subscription.held) == bool(ends)
        await subscription.close()
        await closed(engine)

    asyncio.run(main())


def test_a_stream_without_sound_is_watched_without() -> None:
    text = FIELD["31-bundle-only-port-0-gstreamer-watch"]

    async def main() -> None:
        engine = AiortcEngine()
        publication(engine, VP8)
        prepared = await engine.prepare(1, text)
        said, subscription = await prepared.answer(lambda _reason: None)
        assert "a=inactive" in said
        assert set(subscription.subscriber.feeds) == {"video"}
        number = subscription.negotiated.extension_id(offer.TRANSPORT_SEQUENCE_URI)
        assert number is None
        assert subscription.negotiated.has_feedback("video", "transport-cc")
        await subscription.close()
        await closed(engine)

    asyncio.run(main())


@pytest.mark.parametrize("name", ["15-chrome-android-publish", "13-safari-ios-h264-first-publish"])
def test_publishers_are_told_which_of_their_packets_have_come(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their transport-wide numbers: what a publisher's own estimate of its path rests on."""
    ports: list[Any] = []
    said: list[bytes] = []
    now_us = [5_000_000]

    class Port(aiortc_adapter.IngestPort):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            ports.append(self)

    monkeypatch.setattr(aiortc_adapter, "IngestPort", Port)
    monkeypatch.setattr(aiortc_adapter, "now_us", lambda: now_us[0])
    monkeypatch.setattr(aiortc_adapter.Outlet, "send_rtcp", lambda _self, data: said.append(data))

    async def main() -> None:
        engine = AiortcEngine()
        made = await engine.publish(1, FIELD[name], sound_alone=False)
        (port,) = ports
        codec = made.published.tracks["video"].codec
        identifier = _identifier_of(made.answer)
        for number in range(65_500, 65_580):
            if number % 10 == 3:
                continue  # lost on its way
            header = struct.pack("!BBHII", 0x90, codec.payload_type, number & 0xFFFF, 900, 77)
            numbered = extension_header(identifier, number & 0xFFFF)
            port._media(header + numbered + b"\x10picture")
            now_us[0] += 2_500
            made.published.tend(now_us[0])
        made.published.tend(now_us[0] + 200_000)
        await made.close()
        await closed(engine)

    asyncio.run(main())
    came: set[int] = set()
    for packet in said:
        for message in read_compound(packet):
            if isinstance(message, TransportFeedback):
                read = parse_feedback(message.fci)
                assert read is not None
                came |= {(read.base + offset) & 0xFFFF for offset in read.received_offsets}
    assert came == {number & 0xFFFF for number in range(65_500, 65_580) if number % 10 != 3}


def _identifier_of(answer: str) -> int:
    video = next(section for section in sdp.parse(answer).sections if section.kind == "video")
    values = [line.value for line in video.attributes["extmap"]]
    (found,) = (value for value in values if value.endswith(offer.TRANSPORT_SEQUENCE_URI))
    return int(found.split(" ")[0].split("/")[0])
