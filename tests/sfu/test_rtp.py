"""Sequence numbers, keyframes and the packet history."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from streaming.sfu.rtp import (
    KEYFRAME_START,
    History,
    Packet,
    read_packet,
    timestamp_after,
    unwrap16,
)

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


@given(st.integers(1 << 16, 1 << 40), st.integers(-32_768, 32_767))
def test_unwrapping_finds_the_nearest(near: int, offset: int) -> None:
    assert unwrap16((near + offset) & 0xFFFF, near) == near + offset


@given(st.integers(0, 0xFFFFFFFF), st.integers(1, 0x7FFFFFFF))
def test_timestamps_compare_across_the_wrap(start: int, step: int) -> None:
    later = (start + step) & 0xFFFFFFFF
    assert timestamp_after(later, start)
    assert not timestamp_after(start, later)
    assert not timestamp_after(start, start)


@pytest.mark.parametrize(("encoder", "codec"), [(Vp8Encoder(), "VP8"), (H264Encoder(), "H264")])
def test_keyframes_of_real_encoders_are_recognised(encoder: object, codec: str) -> None:
    begins = KEYFRAME_START[codec]
    found = []
    for index in range(8):
        frame = av.VideoFrame(320, 240, "yuv420p")
        for number, plane in enumerate(frame.planes):
            plane.update(bytes([(index * 16 + number) & 0xFF]) * plane.buffer_size)
        frame.pts = index * 3000
        frame.time_base = Fraction(1, 90_000)
        payloads, _ = encoder.encode(frame, force_keyframe=index == 5)  # type: ignore[attr-defined]
        found.append([begins(payload) for payload in payloads])
    assert [any(frame) for frame in found] == [i in (0, 5) for i in range(8)]
    assert found[0][0]
    assert found[5][0]


@given(st.binary(max_size=40))
def test_no_payload_makes_the_keyframe_tests_fail(payload: bytes) -> None:
    for begins in KEYFRAME_START.values():
        assert begins(payload) in (True, False)


@given(
    st.tuples(st.integers(0, 127), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)),
    st.binary(max_size=60),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 20),
)
def test_packets_are_read_as_aiortc_reads_them(
    numbers: tuple[int, int, int], payload: bytes, sources: int, extended: bool, padding: int
) -> None:
    kind, sequence, stamp = numbers
    packet = RtpPacket(kind, 1, sequence, stamp, 77, payload)
    packet.csrc = list(range(sources))
    packet.padding_size = padding
    extensions = HeaderExtensionsMap()
    if extended:
        extensions.configure(
            RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(id=1, uri=MID)])
        )
        packet.extensions.mid = "abc"
    data = packet.serialize(extensions)
    found = read_packet(data)
    assert found is not None
    assert found[:3] == (kind, 77, (sequence, stamp, 1, payload))
    assert bool(found[3]) == extended


@given(st.binary(max_size=64))
def test_rubbish_is_no_packet_and_no_failure(data: bytes) -> None:
    found = read_packet(data)
    assert found is None or data[0] >> 6 == 2


def test_history_keeps_the_newest_and_knows_its_gaps() -> None:
    history = History(8)
    for number in (100, 101, 103, 104):
        history.add(Packet(number, 0, 0, b"x"))
    assert history.get(102) is None
    assert [p.sequence for p in history.since(101)] == [101, 103, 104]
    assert not history.reaches(101)
    assert history.reaches(103)
    history.add(Packet(102, 0, 0, b"x"))
    assert history.reaches(100)
    for number in range(105, 113):
        history.add(Packet(number, 0, 0, b"x"))
    assert history.get(104) is None
    assert not history.reaches(104)
    assert [p.sequence for p in history.since(0)] == list(range(105, 113))
    history.add(Packet(104, 0, 0, b"x"))
    assert history.get(112) is not None
