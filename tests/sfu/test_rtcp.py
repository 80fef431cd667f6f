"""Reports, negative acknowledgements and clocks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from types import FrameType
from typing import Any

from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpRtpfbPacket, RtcpSrPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.sfu import rtcp


def test_stats_count_loss_and_the_extended_number() -> None:
    stats = rtcp.ReceiveStats(90_000)
    assert stats.block(1, 0) is None
    base = stats.add(65_530, 0, 0)
    for step in range(1, 20):
        if step in (5, 6):
            continue
        assert stats.add((65_530 + step) & 0xFFFF, step * 3000, step * 33_333) == base + step
    block = stats.block(7, 700_000)
    assert block is not None
    assert block.ssrc == 7
    assert block.packets_lost == 2
    assert block.fraction_lost == (2 << 8) // 20
    assert block.highest_sequence == 65_530 + 19
    block = stats.block(7, 900_000)
    assert block is not None
    assert block.packets_lost == 2
    assert block.fraction_lost == 0


def test_reports_name_the_senders_last_report() -> None:
    stats = rtcp.ReceiveStats(48_000)
    stats.add(1, 0, 0)
    stats.sender_report(0x0123456789ABCDEF, 1_000_000)
    block = stats.block(1, 1_500_000)
    assert block is not None
    assert (block.lsr, block.dlsr) == (0x456789AB, 32_768)


def test_missing_packets_are_asked_for_again_and_then_given_up() -> None:
    losses = rtcp.LossDetector()
    assert not losses.add(65_534)
    assert losses.add(65_538)
    assert losses.due(0) == [65_535, 0, 1]
    assert losses.due(10_000) == []
    losses.add(65_536)
    assert losses.due(60_000) == [65_535, 1]
    now = 60_000
    for _ in range(rtcp.NACK_TRIES - 2):
        now += 60_000
        assert losses.due(now) == [65_535, 1]
    assert losses.due(now + 60_000) == []
    assert losses.missing == 0
    assert losses.abandoned == 2


def test_a_jump_asks_for_a_bounded_number() -> None:
    losses = rtcp.LossDetector()
    losses.add(0)
    losses.add(30_000)
    assert len(losses.due(0)) == rtcp.NACK_WINDOW
    assert losses.missing == rtcp.NACK_WINDOW


def test_looking_for_what_is_due_costs_only_what_is_due() -> None:
    losses = rtcp.LossDetector()
    losses.add(0)
    losses.add(rtcp.NACK_WINDOW)
    assert len(losses.due(0)) == rtcp.NACK_WINDOW - 1
    losses.add(rtcp.NACK_WINDOW + 3)
    lines = 0

    def count(_frame: FrameType, event: str, _arg: object) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return count

    sys.settrace(count)
    try:
        asked = losses.due(10_000)
    finally:
        sys.settrace(None)
    assert asked == [rtcp.NACK_WINDOW + 1, rtcp.NACK_WINDOW + 2]
    assert lines < 50


def test_whoever_leaves_a_hole_with_each_packet_is_not_asked_for_ever_more() -> None:
    losses = rtcp.LossDetector()
    asked = 0
    for packet in range(1_000):
        losses.add(packet * rtcp.NACK_WINDOW)
        asked += len(losses.due(packet * 1_000))
    # In 17 times 60 ms.
    assert asked <= 17 * (rtcp.NACK_MAX + rtcp.NACK_WINDOW)
    assert losses.missing <= rtcp.NACK_WINDOW
    assert losses.abandoned + losses.missing == 999 * (rtcp.NACK_WINDOW - 1)
    assert losses.take_given_up() == 1
    assert losses.oldest is None or losses.oldest >= 998 * rtcp.NACK_WINDOW


@settings(max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.randoms())
def test_every_missing_packet_is_asked_for_each_60_ms(steps: list[int], chance: Random) -> None:
    """As whoever looks through all of them each time would do it."""
    losses = rtcp.LossDetector()
    losses.add(0)
    asked: dict[int, list[int]] = {}
    newest, now, come = 0, 0, set()
    for step in steps:
        newest += step
        losses.add(newest)
        asked.update({number: [] for number in range(newest - step + 1, newest)})
        late = [number for number in asked if number not in come and chance.random() < 0.05]
        for number in late:
            come.add(number)
            losses.add(number)
        now += chance.choice([1_000, 20_000, 59_000, 60_000])
        expected = [
            number
            for number, times in sorted(asked.items())
            if number not in come
            and number >= newest - rtcp.NACK_WINDOW
            and len(times) < rtcp.NACK_TRIES
            and (not times or now - times[-1] >= rtcp.NACK_AGAIN_US)
        ]
        assert losses.due(now) == expected
        for number in expected:
            asked[number].append(now)


@given(st.integers(0, 1 << 20), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_a_nack_names_exactly_the_missing(start: int, steps: list[int]) -> None:
    numbers = []
    for step in steps:
        start += step
        numbers.append(start & 0xFFFF)
    (packet,) = RtcpPacket.parse(rtcp.negative_acknowledgement(1, 2, numbers))
    assert isinstance(packet, RtcpRtpfbPacket)
    assert (packet.ssrc, packet.media_ssrc) == (1, 2)
    assert sorted(n & 0xFFFF for n in packet.lost) == sorted(numbers)


@given(st.integers(0, 4_000_000_000_000_000))
def test_ntp_times_come_back_to_the_microsecond(moment: int) -> None:
    assert abs(rtcp.unix_us(rtcp.ntp_timestamp(moment)) - moment) <= 1


def test_what_is_built_is_parsed_by_aiortc() -> None:
    sr, _sdes = RtcpPacket.parse(_a_sender_report())
    assert isinstance(sr, RtcpSrPacket)
    assert (sr.sender_info.rtp_timestamp, sr.sender_info.packet_count) == (0, 9)
    stats = rtcp.ReceiveStats(90_000)
    stats.add(3, 0, 0)
    block = stats.block(1, 0)
    assert block is not None
    (rr,) = RtcpPacket.parse(rtcp.receiver_report(6, [block]))
    assert isinstance(rr, RtcpRrPacket)
    assert rr.reports[0].highest_sequence == 3
    assert len(RtcpPacket.parse(rtcp.picture_loss(1, 2))) == 1


def _a_sender_report() -> bytes:
    return rtcp.sender_report(
        5, b"name", ntp=1 << 40, rtp_timestamp=1 << 33, packets=9, octets=1 << 33
    )
