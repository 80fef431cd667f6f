"""Reports, negative acknowledgements and clocks."""

from __future__ import annotations

from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpRtpfbPacket, RtcpSrPacket
from hypothesis import given
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
