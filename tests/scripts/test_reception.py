"""The measuring viewer's reports, from packets made by hand."""

from __future__ import annotations

import itertools

from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpRtpfbPacket

from measure.reception import Reception
from streaming.sfu.publication import TrackCodec
from streaming.sfu.rtcp import ntp_timestamp, sender_report
from streaming.sfu.rtcp_reader import TransportFeedback, read_compound
from streaming.sfu.rtp import HEADER
from streaming.sfu.transport_cc import extension_header, parse_feedback

VIDEO = TrackCodec(
    kind="video", name="VP8", clock_rate=90_000, payload_type=97, rtx_payload_type=98
)
AUDIO = TrackCodec(kind="audio", name="opus", clock_rate=48_000, payload_type=96)
KEYFRAME, DELTA = b"\x10\x00" + bytes(18), b"\x10\x01" + bytes(18)
FROM_VIDEO, FROM_AUDIO, FROM_REPAIR = 1111, 2222, 3333


def rtp(
    sequence: int,
    payload: bytes = DELTA,
    *,
    payload_type: int = 97,
    marker: int = 0,
    ssrc: int = FROM_VIDEO,
) -> bytes:
    kind = payload_type | marker << 7
    return HEADER.pack(0x80, kind, sequence & 0xFFFF, sequence * 3000, ssrc) + payload


def numbered(packet: bytes, number: int) -> bytes:
    """The same with a transport-wide number."""
    return bytes((0x90,)) + packet[1:12] + extension_header(5, number & 0xFFFF) + packet[12:]


def reception(*, witness: bool = False, numbered_by: int | None = None) -> Reception:
    return Reception(
        {10: VIDEO, 20: AUDIO},
        lambda data: data,
        seed=1,
        witness=witness,
        numbered_by=numbered_by,
    )


def parsed(compounds: list[bytes]) -> list[list[object]]:
    return [list(RtcpPacket.parse(each)) for each in compounds]


def reports_of(found: list[list[object]]) -> list[RtcpRrPacket]:
    return [each for compound in found for each in compound if isinstance(each, RtcpRrPacket)]


def test_picture_and_sound_are_counted_apart() -> None:
    viewer = reception()
    for number in range(6):
        viewer.take(rtp(number, marker=number % 2), 1000 * number)
    viewer.take(rtp(1, bytes(50), payload_type=96, ssrc=FROM_AUDIO), 7000)
    found = viewer.figures()
    assert (found["video"]["packets"], found["video"]["pictures"]) == (6, 3)
    assert found["video"]["octets"] == 6 * 32
    assert (found["audio"]["packets"], found["audio"]["octets"]) == (1, 62)


def test_only_a_witness_looks_for_keyframes() -> None:
    for witness, expected in ((True, 1), (False, 0)):
        viewer = reception(witness=witness)
        viewer.take(rtp(1, KEYFRAME), 0)
        viewer.take(rtp(2, DELTA), 0)
        assert viewer.figures()["video"]["keyframes"] == expected


def test_reports_come_about_each_second_for_the_picture_and_rarely_for_sound() -> None:
    viewer = reception()
    at: dict[int, list[int]] = {FROM_VIDEO: [], FROM_AUDIO: []}
    for step in range(600):  # a minute
        now = step * 100_000
        viewer.take(rtp(step), now)
        viewer.take(rtp(step, payload_type=96, ssrc=FROM_AUDIO), now)
        for report in reports_of(parsed(viewer.feedback(now))):
            for block in report.reports:
                at[block.ssrc].append(now)
    between = {ssrc: [b - a for a, b in itertools.pairwise(times)] for ssrc, times in at.items()}
    assert all(500_000 <= gap <= 1_600_000 for gap in between[FROM_VIDEO])
    assert all(2_500_000 <= gap <= 7_600_000 for gap in between[FROM_AUDIO])
    assert 45 <= len(at[FROM_VIDEO]) <= 75


def feedback_of(compounds: list[bytes]) -> list[tuple[int, list[int]]]:
    """Of each feedback about packets: how many it is about, and which of them came."""
    found = []
    for message in itertools.chain.from_iterable(map(read_compound, compounds)):
        if isinstance(message, TransportFeedback):
            read = parse_feedback(message.fci)
            assert read is not None
            found.append((read.count, [read.base + offset for offset in read.received_offsets]))
    return found


def test_each_packet_is_told_of_every_100_ms_where_it_has_a_number() -> None:
    viewer = reception(numbered_by=5)
    viewer.take(numbered(rtp(1), 700), 0)
    viewer.take(numbered(rtp(1, payload_type=96, ssrc=FROM_AUDIO), 701), 1_000)
    again = numbered(rtp(1, b"\0\1" + DELTA, payload_type=98, ssrc=FROM_REPAIR), 703)
    viewer.take(again, 2_000)
    assert feedback_of(viewer.feedback(90_000)) == []
    assert feedback_of(viewer.feedback(100_000)) == [(4, [700, 701, 703])]
    viewer.take(numbered(rtp(2), 704), 120_000)
    assert feedback_of(viewer.feedback(150_000)) == []
    assert feedback_of(viewer.feedback(200_000)) == [(1, [704])]


def test_without_the_extension_reports_are_all() -> None:
    viewer = reception()
    viewer.take(numbered(rtp(1), 700), 0)
    assert feedback_of(viewer.feedback(2_000_000)) == []


def test_a_loss_is_asked_for_at_once_and_reported_with_it() -> None:
    viewer = reception()
    viewer.take(rtp(65_534), 0)
    viewer.feedback(0)
    assert not viewer.urgent
    viewer.take(rtp(65_534 + 4), 1000)
    assert viewer.urgent
    ((report, nack),) = parsed(viewer.feedback(1000))
    assert isinstance(report, RtcpRrPacket)
    assert isinstance(nack, RtcpRtpfbPacket)
    assert nack.media_ssrc == FROM_VIDEO
    assert [number & 0xFFFF for number in nack.lost] == [65_535, 0, 1]
    assert report.reports[0].packets_lost == 3
    assert not viewer.urgent


def test_what_is_repaired_stays_in_the_reported_loss_as_chromium_has_it() -> None:
    viewer = reception()
    viewer.take(rtp(10), 0)
    viewer.take(rtp(13), 0)
    viewer.feedback(0)
    for number, lost in ((500, 11), (501, 12)):
        payload = lost.to_bytes(2, "big") + DELTA
        viewer.take(rtp(number, payload, payload_type=98, ssrc=FROM_REPAIR), 50_000)
    found = viewer.figures()["video"]
    assert (found["lost"], found["repaired"], found["nacks"]) == (2, 2, 1)
    (report,) = reports_of(parsed(viewer.feedback(2_000_000)))
    blocks = {block.ssrc: block for block in report.reports}
    assert blocks[FROM_VIDEO].packets_lost == 2
    assert blocks[FROM_REPAIR].packets_lost == 0


def test_a_sender_report_is_referred_to() -> None:
    viewer = reception()
    viewer.take(rtp(10), 0)
    ntp = ntp_timestamp(1_700_000_000_000_000)
    compound = sender_report(FROM_VIDEO, b"x", ntp=ntp, rtp_timestamp=0, packets=1, octets=1)
    viewer.take_report(compound, 1_000_000)
    (report,) = reports_of(parsed(viewer.feedback(1_500_000)))
    assert report.reports[0].lsr == (ntp >> 16) & 0xFFFFFFFF
    assert report.reports[0].dlsr == 32_768  # half a second


def test_the_longest_gap_begins_anew_when_it_is_looked_at() -> None:
    viewer = reception()
    for number, now in enumerate((0, 20_000, 400_000, 410_000)):
        viewer.take(rtp(number), now)
    assert viewer.figures()["video"]["gap_max_us"] == 380_000
    viewer.take(rtp(5), 425_000)
    assert viewer.figures()["video"]["gap_max_us"] == 15_000


def test_what_is_no_media_of_ours_is_passed_over() -> None:
    viewer = reception()
    viewer.take(rtp(1, payload_type=111, ssrc=9), 0)
    viewer.take(rtp(1, b"\0", payload_type=98, ssrc=FROM_REPAIR), 0)
    viewer.take_report(b"\x80\xc8\0\1", 0)
    assert viewer.figures()["video"]["packets"] == 0
    assert viewer.feedback(5_000_000) == []
