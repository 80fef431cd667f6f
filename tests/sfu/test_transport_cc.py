"""Transport-wide numbers, the feedback about them, and what a sender learns from it."""

from __future__ import annotations

import random
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.sfu import transport_cc
from streaming.sfu.transport_cc import Feedback, Outcome, Receiver, SendHistory, parse_feedback

HEAD = 12
"""Bytes of a feedback packet before its control information."""


def fci(base: int, count: int, chunks: list[int], deltas: bytes, number: int = 0) -> bytes:
    words = b"".join(struct.pack("!H", chunk) for chunk in chunks)
    return struct.pack("!HHI", base, count, 7 << 8 | number) + words + deltas


def feedback(base: int, received: list[int], count: int | None = None, number: int = 0) -> Feedback:
    """About numbers from `base`, of which these offsets arrived, a millisecond apart."""
    return Feedback(
        base=base,
        count=count if count is not None else received[-1] + 1,
        reference=10,
        number=number,
        received_offsets=received,
        arrivals_us=[1000 * (1 + at) for at in range(len(received))],
    )


def parsed(packet: bytes) -> Feedback:
    found = parse_feedback(packet[HEAD:])
    assert found is not None
    return found


def history(packets: int, first: int = 0, capacity: int = 4096) -> SendHistory:
    sent = SendHistory(capacity, first)
    for key in range(packets):
        assert sent.assign(key, 1000 + key % 100, 10_000 * key) == (first + key) & 0xFFFF
    return sent


# --- the number in a packet ---


def test_the_extension_is_a_one_byte_block() -> None:
    assert transport_cc.extension_header(3, 0x1234) == bytes.fromhex("bede0001 31 1234 00")


@given(st.integers(1, 14), st.integers(0, 0xFFFF))
def test_the_number_is_read_back(identifier: int, sequence: int) -> None:
    block = transport_cc.extension_header(identifier, sequence)
    assert transport_cc.transport_sequence(block, identifier) == sequence
    assert transport_cc.transport_sequence(block, identifier % 14 + 1) is None


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("bede0002 10ff 0000 314142 00", 0x4142),  # behind another, and padding
        ("bede0001 f1 4142 31", None),  # 15 ends the block
        ("bede0001 30 41 0000", None),  # one byte is no number
        ("bede0001 0000 00 31", None),  # cut off
        ("bede0001 32 414243", 0x4142),  # what follows the number is not ours
        ("bede0000 314142", None),  # outside the length that the block says
        ("bede0001 3141", None),
        ("1000 0003 01 00 00 07 03 aabbcc 03 02 4142", 0x4142),  # two-byte form, empty element
        ("100f 0001 03 02 4142", 0x4142),  # application bits
        ("1000 0001 03 01 41 00", None),
        ("1000 0001 03", None),
        ("abcd 0001 31 4142 00", None),  # another profile
        ("bede", None),
        ("", None),
    ],
)
def test_forms_of_the_header_extension(block: str, expected: int | None) -> None:
    assert transport_cc.transport_sequence(bytes.fromhex(block), 3) == expected


@given(st.binary(max_size=64), st.integers(1, 255))
def test_no_extension_block_raises(block: bytes, identifier: int) -> None:
    for form in (block, b"\xbe\xde\x00\x03" + block, b"\x10\x00\x00\x03" + block):
        found = transport_cc.transport_sequence(form, identifier)
        assert found is None or 0 <= found <= 0xFFFF


# --- reading feedback ---


def test_a_run_of_small_deltas() -> None:
    found = parse_feedback(fci(65_534, 3, [0x2003], bytes([4, 0, 255]), number=9))
    assert found is not None
    assert (found.base, found.count, found.reference, found.number) == (65_534, 3, 7, 9)
    assert found.received_offsets == [0, 1, 2]
    assert found.arrivals_us == [1000, 1000, 64_750]


def test_vectors_runs_and_deltas_of_two_bytes() -> None:
    # 14 of one bit, a run of 5 missing, 7 of two bits (the last three beyond the count).
    chunks = [0x8000 | 0b10_0000_0000_0001, 5, 0xC000 | 0b01_00_10_01_00_00_01]
    deltas = bytes([1, 2, 3]) + struct.pack("!h", -3) + bytes([4])
    found = parse_feedback(fci(100, 23, chunks, deltas))
    assert found is not None
    assert found.received_offsets == [0, 13, 19, 21, 22]
    assert found.arrivals_us == [250, 750, 1500, 750, 1750]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        fci(0, 1, [], b""),
        fci(0, 0, [0x2001], b"\0"),  # about nothing
        fci(0, 2, [0x2002], b"\0"),  # a delta too few
        fci(0, 2, [0x4002], b"\0\0\0"),  # half a large delta
        fci(0, 15, [0x8001], b""),  # a chunk too few
        fci(0, 2, [0x6002], b"\0\0"),  # reserved status in a run
        fci(0, 7, [0xF000], b"\0" * 7),  # and in a vector
        fci(0, 2, [0x0000, 0x2002], b"\0\0"),  # a run of none
        fci(0, 0xFFFF, [0x3FFF] * 8, b""),  # more received than bytes
    ],
)
def test_malformed_feedback_is_nothing(data: bytes) -> None:
    assert parse_feedback(data) is None


@given(st.binary(max_size=80), st.integers(0, 0xFFFF))
def test_no_feedback_raises(data: bytes, count: int) -> None:
    for form in (data, struct.pack("!HHI", 1, count, 0) + data):
        found = parse_feedback(form)
        if found is not None:
            assert len(found.received_offsets) == len(found.arrivals_us) <= len(form)
            assert all(0 <= offset < found.count for offset in found.received_offsets)
            assert sorted(set(found.received_offsets)) == found.received_offsets


def test_work_is_bounded_by_the_bytes() -> None:
    """Small packets that tell of 65,535 numbers, again and again."""
    sent = history(5000)
    nothing = fci((5000 - 4096) & 0xFFFF, 0xFFFF, [0x1FFF] * 9, b"")
    vectors = fci(0, 0xFFFF, [0xBFFF] * 580, b"\1" * 20)
    began = time.process_time()
    for _ in range(300):
        found = parse_feedback(nothing)
        assert found is not None
        sent.take(found, 0)
        assert parse_feedback(vectors) is None
    # Each would take milliseconds if every number were looked at one by one.
    assert time.process_time() - began < 0.6


# --- writing feedback ---


@st.composite
def receptions(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 3, 8, 20, 300]), min_size=1, max_size=60))
    steps = st.sampled_from([0, 1, 40, 255, 256, -1, -300, 5000])
    offsets, arrivals, at, ticks = [], [], -1, 0
    for gap in gaps:
        at += gap
        ticks += draw(steps)
        offsets.append(at)
        arrivals.append(ticks * 250)
    return offsets, arrivals


@given(receptions(), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFF), st.integers(0, 255))
def test_what_is_built_is_read_back(
    reception: tuple[list[int], list[int]], base: int, reference: int, number: int
) -> None:
    offsets, arrivals = reception
    packet = transport_cc.build_feedback(
        0x01020304,
        0x05060708,
        base=base,
        reference=reference,
        number=number,
        received_offsets=offsets,
        arrivals_us=arrivals,
    )
    assert packet[0] & 0xDF == 0x8F
    assert packet[1] == 205
    assert packet[4:12] == bytes(range(1, 9))
    assert len(packet) == 4 * (struct.unpack_from("!H", packet, 2)[0] + 1)
    assert not packet[0] & 0x20 or 0 < packet[-1] < 4
    found = parsed(packet)
    assert (found.base, found.reference, found.number) == (base, reference, number)
    assert found.count == offsets[-1] + 1
    assert found.received_offsets == offsets
    assert found.arrivals_us == arrivals


def test_feedback_is_small() -> None:
    """Twenty in a row are one run; with one missing they are two vectors."""

    def size(offsets: list[int]) -> int:
        return len(
            transport_cc.build_feedback(
                1,
                2,
                base=0,
                reference=0,
                number=0,
                received_offsets=offsets,
                arrivals_us=[250 * at for at in range(len(offsets))],
            )
        )

    assert size(list(range(20))) == 20 + 2 + 20 + 2  # and padding
    assert size([at for at in range(20) if at != 5]) == 20 + 4 + 19 + 1


@pytest.mark.parametrize(
    ("offsets", "arrivals", "told"),
    [
        ([], [], "received_offsets"),
        ([3, 3], [0, 0], "ascend"),
        ([0, 0xFFFF], [0, 0], "65534"),
        ([0, 1], [0, 8_192_000], "8.19"),
    ],
)
def test_what_cannot_be_written_is_refused(
    offsets: list[int], arrivals: list[int], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        transport_cc.build_feedback(
            1,
            2,
            base=0,
            reference=0,
            number=0,
            received_offsets=offsets,
            arrivals_us=arrivals,
        )


# --- the receiver ---


def test_the_receiver_reports_from_the_first_not_yet_reported() -> None:
    receiver = Receiver(1, 2)
    assert receiver.due(0) is None
    for at, sequence in enumerate((65_534, 65_535, 1)):
        receiver.add(sequence, 5_000_000 + 10_000 * at)
    receiver.add(1, 5_030_000)  # twice: the first arrival counts
    assert receiver.due(5_099_999) is None
    first = receiver.due(5_100_000)
    assert first is not None
    found = parsed(first)
    assert (found.base, found.number, found.received_offsets) == (65_534, 0, [0, 1, 3])
    start = found.reference * 64_000
    assert [start + at for at in found.arrivals_us] == [5_000_000, 5_010_000, 5_020_000]
    assert receiver.due(5_300_000) is None  # nothing new
    receiver.add(3, 5_301_000)
    second = receiver.due(5_301_000)
    assert second is not None
    found = parsed(second)
    assert (found.base, found.number, found.received_offsets) == (2, 1, [1])


def test_a_late_packet_begins_the_next_report() -> None:
    receiver = Receiver(1, 2, 50_000)
    for sequence in (0, 1, 3, 4):
        receiver.add(sequence, 1000 * sequence)
    receiver.due(50_000)
    receiver.add(5, 60_000)
    receiver.add(2, 61_000)
    packet = receiver.due(100_000)
    assert packet is not None
    found = parsed(packet)
    assert found.base == 2
    assert found.received_offsets == [0, 1, 2, 3]
    assert found.arrivals_us[1] - found.arrivals_us[0] == -58_000


def test_what_was_reported_long_ago_is_forgotten() -> None:
    receiver = Receiver(1, 2)
    for sequence in range(10):
        if sequence != 3:
            receiver.add(sequence, 0)
    assert receiver.due(100_000)
    receiver.add(10, 700_000)
    assert receiver.due(700_000)
    receiver.add(3, 800_000)
    packet = receiver.due(800_000)
    assert packet is not None
    # Those that arrived more than half a second before are no longer known: not again
    # reported as received, which the sender knows already.
    assert parsed(packet).received_offsets == [0, 7]


def test_what_one_packet_cannot_hold_takes_several() -> None:
    receiver = Receiver(1, 2)
    received = [number for number in range(3000) if number % 3]
    for number in received:
        receiver.add(number, 30 * number)
    told: list[int] = []
    packets = 0
    while packet := receiver.due(200_000):
        assert len(packet) <= 1150
        found = parsed(packet)
        assert found.number == packets
        told += [found.base + offset for offset in found.received_offsets]
        packets += 1
    assert told == received
    assert packets > 1
    receiver.add(3000, 250_000)
    receiver.add(3001, 9_000_000)
    assert receiver.due(9_000_000)  # further apart than a delta holds
    assert receiver.due(9_000_000)
    assert receiver.due(9_000_000) is None


def test_wild_numbers_cost_a_bounded_window() -> None:
    receiver = Receiver(1, 2)
    chance = random.Random(3)
    for step in range(2000):
        receiver.add(chance.randrange(0x10000), step * 100)
    while packet := receiver.due(400_000):
        assert len(packet) <= 1150
        assert parsed(packet).count <= 8192


# --- the sender's history ---


def test_the_history_tells_received_and_missing_once() -> None:
    sent = history(10, first=65_530)
    outcome = sent.take(feedback(65_530, [0, 1, 3, 6]), 200_000)
    assert outcome.received == [0, 1, 3, 6]
    assert outcome.received_bytes == 1000 + 1001 + 1003 + 1006
    assert (outcome.last_sent_us, outcome.last_arrival_us) == (60_000, 644_000)
    assert outcome.least_delay_us == 644_000 - 60_000
    assert outcome.missing == [2, 4, 5]
    assert outcome.missing_bytes == 3011
    assert outcome.unknown == []
    again = sent.take(feedback(65_530, [0, 1, 3, 6]), 200_000)
    assert (again.received, again.missing, again.unknown) == ([], [], [])


def test_the_usual_feedback_is_taken_whole() -> None:
    sent = history(10)
    outcome = sent.take(feedback(0, [0, 1, 2]), 0)
    assert (outcome.received, outcome.received_bytes) == ([0, 1, 2], 1000 + 1001 + 1002)
    assert (outcome.last_sent_us, outcome.last_arrival_us) == (20_000, 643_000)
    assert outcome.least_delay_us == 643_000 - 20_000
    assert outcome.late == 0
    assert sent.take(feedback(3, [0, 1], number=1), 0).received == [3, 4]


def told(outcome: Outcome | None) -> dict[str, object]:
    assert outcome is not None
    return {name: getattr(outcome, name) for name in Outcome.__slots__}


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.2])
def test_what_is_heard_is_what_would_be_taken(loss: float) -> None:
    """Through wraps of the numbers, of the ring and of the feedback packets' count."""
    chance = random.Random(7)
    heard, taken = SendHistory(256, 65_000), SendHistory(256, 65_000)
    receiver, whole = Receiver(1, 2), 0
    for now in range(0, 60_000_000, 10_000):
        number = heard.assign(now, now % 999, now)
        assert taken.assign(now, now % 999, now) == number
        if chance.random() >= loss:
            receiver.add(number, now + 30_000 + chance.randrange(200))
        packet = receiver.due(now)
        if packet is None or chance.random() < loss / 2:
            continue
        found = told(heard.hear(packet[HEAD:], now))
        assert found == told(taken.take(parsed(packet), now))
        assert told(heard.hear(packet[HEAD:], now)) == told(taken.take(parsed(packet), now))
        whole += not found["missing"] and not found["unknown"]
    assert whole > 10


def test_malformed_feedback_is_not_heard() -> None:
    sent, other = history(20), history(20)
    sent.hear(fci(0, 3, [0x2003], bytes(3)), 0)
    other.hear(fci(0, 3, [0x2003], bytes(3)), 0)
    for bad in (fci(3, 3, [0x2003], bytes(2), 1), fci(3, 0, [0x2000], bytes(9), 1), b"", b"\0" * 9):
        assert sent.hear(bad, 0) is None
    for bad in (fci(3, 40, [0x2028], bytes(40), 1), fci(4, 2, [0x2002], bytes(2), 1)):
        assert told(sent.hear(bad, 0)) == told(other.take(parsed(bytes(HEAD) + bad), 0))


def test_a_late_packet_is_received_after_all() -> None:
    sent = history(6)
    assert sent.take(feedback(0, [0, 3]), 0).missing == [1, 2]
    outcome = sent.take(feedback(2, [0, 1, 3], number=1), 0)
    assert (outcome.received, outcome.late, outcome.missing) == ([2, 5], 1, [4])
    assert outcome.late_bytes == 1002
    # What has once been received is never missing.
    outcome = sent.take(feedback(0, [5], number=2), 0)
    assert (outcome.received, outcome.missing) == ([], [])


def test_a_lost_feedback_packet_leaves_unknown_ones() -> None:
    sent = history(12)
    sent.take(feedback(0, [0, 1]), 0)
    outcome = sent.take(feedback(5, [0, 2], number=2), 0)
    assert outcome.unknown == [2, 3, 4]
    assert (outcome.received, outcome.missing) == ([5, 7], [6])
    # The one believed lost was only overtaken.
    outcome = sent.take(feedback(2, [0, 2], number=1), 0)
    assert (outcome.received, outcome.missing, outcome.unknown) == ([2, 4], [3], [])
    assert outcome.late == 0
    # An overtaken one tells nothing about the hole behind it.
    outcome = sent.take(feedback(11, [0], number=1), 0)
    assert (outcome.received, outcome.missing, outcome.unknown) == ([11], [], [])


def test_a_hole_without_lost_feedback_is_missing() -> None:
    """GStreamer begins its feedback with the first packet that arrived."""
    sent = history(12)
    sent.take(feedback(0, [0]), 0)
    outcome = sent.take(feedback(3, [0], number=1), 0)
    assert (outcome.missing, outcome.unknown) == ([1, 2], [])


def test_the_first_feedback_judges_what_came_before_it() -> None:
    assert history(12).take(feedback(3, [0]), 0).missing == [0, 1, 2]
    assert history(12).take(feedback(3, [0], number=2), 0).unknown == [0, 1, 2]
    assert history(12).take(feedback(3, [0], number=255), 0).unknown == [0, 1, 2]


@pytest.mark.parametrize("modulus", [255, 256])
def test_the_feedback_count_wraps_at_255_or_256(modulus: int) -> None:
    sent = history(2000)
    for step in range(600):
        outcome = sent.take(feedback(3 * step + 1, [0, 1], number=step % modulus), 0)
        assert outcome.received == [3 * step + 1, 3 * step + 2]
        assert outcome.missing == [3 * step]


def test_who_has_counted_to_255_has_lost_a_packet_at_254_and_0() -> None:
    sent = history(2000)
    for step in range(511):
        sent.take(feedback(step, [0], number=step & 0xFF), 0)
    assert sent.take(feedback(513, [0], number=0), 0).unknown == [511, 512]


def test_inventions_are_ignored() -> None:
    sent = history(10, first=100)
    outcome = sent.take(feedback(110, [0, 1, 2]), 0)  # never sent
    assert (outcome.received, outcome.missing, outcome.unknown) == ([], [], [])
    outcome = sent.take(feedback(90, [3], count=5), 0)  # before the first
    assert (outcome.received, outcome.missing, outcome.unknown) == ([], [], [])
    outcome = sent.take(feedback(98, list(range(40))), 0)  # and both around the true ones
    assert outcome.received == list(range(10))
    assert sent.take(feedback(100, [9], number=1), 0).missing == []
    sent.assign(77, 1, 0)
    assert sent.take(feedback(110, [0], number=1), 0).received == [77]


def test_the_future_is_not_taken_for_the_past() -> None:
    """The slots of numbers that were not yet sent hold packets of the turn before."""
    sent = history(5000)
    outcome = sent.take(feedback(4998, [0, 1, 2, 3]), 0)
    assert (outcome.received, outcome.unknown) == ([4998, 4999], [])
    outcome = history(5000).take(feedback(4995, [0, 2, 9]), 0)
    assert (outcome.received, outcome.missing[-3:]) == ([4995, 4997], [4996, 4998, 4999])
    # Nor the newest for what has left the ring in whose slots they are.
    outcome = history(5000).take(feedback(902, [0, 1, 2, 3]), 0)
    assert outcome.received == [904, 905]


def test_nothing_is_said_about_what_has_left_the_ring() -> None:
    sent = history(4096 + 50)
    outcome = sent.take(feedback(0, list(range(0, 60, 2))), 0)
    assert outcome.received == [50, 52, 54, 56, 58]
    assert outcome.missing == [51, 53, 55, 57]
    assert outcome.unknown == []
    outcome = sent.take(feedback(4140, [0], number=2), 0)
    assert outcome.unknown == list(range(59, 4140))
    with pytest.raises(ValueError, match="power of two"):
        SendHistory(5000)


def test_numbers_and_times_wrap() -> None:
    """Three turns of the numbers, two of the reference time."""
    sent = SendHistory(4096)
    at_us = 0
    step_us = (2 << 24) // 1990 * 64_000 + 750  # two turns of the reference time
    key = 0
    for step in range(2000):
        base = sent.next & 0xFFFF
        keys = list(range(key, key + 100))
        for each in keys:
            sent.assign(each, 1, 0)
        key += 100
        at_us += step_us
        packet = transport_cc.build_feedback(
            1,
            2,
            base=base,
            reference=at_us // 64_000,
            number=step & 0xFF,
            received_offsets=list(range(100)),
            arrivals_us=[at_us % 64_000] * 100,
        )
        outcome = sent.take(parsed(packet), 0)
        assert outcome.received == keys
        assert outcome.last_arrival_us == outcome.least_delay_us == at_us
    assert at_us > (2 << 24) * 64_000


def test_both_ends_agree_over_a_bad_path() -> None:
    """Loss, reordering and duplicates one way; lost and reordered feedback the other."""
    chance = random.Random(11)
    sent, receiver = SendHistory(4096, 65_000), Receiver(1, 2, 50_000)
    arrivals: dict[int, int] = {}
    known: set[int] = set()
    reported: set[int] = set()
    on_the_way: list[tuple[int, int]] = []
    back: list[tuple[int, bytes]] = []
    for now in range(0, 20_000_000, 5_000):
        key = now // 5_000
        number = sent.assign(key, 1000, now)
        if chance.random() > 0.1:
            on_the_way.append((now + 40_000 + chance.randrange(30_000), number))
            arrivals[number] = key
        if chance.random() < 0.05 and on_the_way:
            on_the_way.append((now + 50_000, on_the_way[-1][1]))
        for at, arrived in sorted(item for item in on_the_way if item[0] <= now):
            receiver.add(arrived, at)
        on_the_way = [item for item in on_the_way if item[0] > now]
        while packet := receiver.due(now):
            if chance.random() > 0.1:
                back.append((now + chance.randrange(90_000), packet))
        for _, packet in sorted(item for item in back if item[0] <= now):
            outcome = sent.take(parsed(packet), now)
            assert not known & set(outcome.received)
            known |= set(outcome.received)
            reported |= set(outcome.missing) | set(outcome.unknown)
        back = [item for item in back if item[0] > now]
    came = {key for key in arrivals.values() if key < 3900}
    assert known <= set(arrivals.values())
    assert len(came & known) > 0.85 * len(came)
    # Of each packet something is known, in the end: it came, it did not, or nobody can tell.
    assert set(range(3900)) <= known | reported
