"""Forwarding by the packet: numbers that run on, repairs, keyframes, receipt."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.sfu.feed import Feed, Numbering, meter_for
from streaming.sfu.meter import AUDIO_RULES, Meter
from streaming.sfu.pacer import REPAIR_BYTES_MIN
from streaming.sfu.publication import KEYFRAME_AGAIN_US, PublishedTracks, Track, TrackCodec
from streaming.sfu.rtcp_reader import Nack, ReceptionReport, SenderReport, read_compound
from streaming.sfu.rtp import Packet
from streaming.sfu.subscription import Subscriber
from streaming.sfu.transport_cc import build_feedback

VP8 = TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96, rtx_payload_type=97)
OPUS = TrackCodec(kind="audio", name="opus", clock_rate=48_000, payload_type=111)
KEYFRAME = b"\x10\x00key"
DELTA = b"\x10\x01delta"
FRAME_US = 33_333


class Publishing:
    """A track that is fed by hand: two packets a frame."""

    def __init__(self, codec: TrackCodec = VP8, first: int = 1000) -> None:
        self.asked: list[bytes] = []
        self.track = Track(codec, 77, self.asked.append)
        self.published = PublishedTracks(1, {codec.kind: self.track})
        self.sequence = first
        self.timestamp = 5_000
        self.now = 1_000_000

    def packet(self, payload: bytes, marker: int = 0, *, lose: bool = False) -> tuple[Any, ...]:
        self.sequence = (self.sequence + 1) & 0xFFFF
        packet = (self.sequence, self.timestamp, marker, payload)
        if not lose:
            self.track.receive(self.track.codec.payload_type, 55, packet, self.now)
        return packet

    def frame(self, *, key: bool = False, lose_second: bool = False) -> tuple[Any, ...]:
        self.timestamp = (self.timestamp + 3000) & 0xFFFFFFFF
        self.now += FRAME_US
        self.packet(KEYFRAME if key else DELTA)
        return self.packet(b"\x00rest", 1, lose=lose_second)

    def repair(self, packet: tuple[Any, ...]) -> None:
        sequence, timestamp, marker, payload = packet
        wrapped = (9, timestamp, marker, sequence.to_bytes(2, "big") + payload)
        self.track.receive(97, 56, wrapped, self.now)


class Receiving:
    """A viewer whose packets are kept."""

    def __init__(
        self,
        publishing: Publishing,
        *,
        rtx: bool = True,
        numbered: bool = False,
        nacks_per_second: int = 100,
    ) -> None:
        self.meter = Meter()
        self.numbering = Numbering(5) if numbered else None
        self.feed = Feed(
            "video",
            codec_name="VP8",
            ssrc=900,
            payload_type=120,
            clock_rate=90_000,
            rtx=(901, 121) if rtx else None,
            meter=self.meter,
        )
        self.subscriber = Subscriber(
            {"video": self.feed},
            publishing.now,
            numbering=self.numbering,
            nacks_per_second=nacks_per_second,
        )
        self.packets: list[bytes] = []
        self.feed.send = lambda header, payload: self.packets.append(header + payload)
        self.subscriber.connected = True
        self.subscriber.release("connecting", publishing.now)
        self.subscriber.attach(publishing.published, publishing.now)

    def start(self, now: int) -> Receiving:
        self.subscriber.release("admission", now)
        return self

    def headers(self) -> list[tuple[int, int, int, int, int]]:
        """(payload type, marker, sequence number, timestamp, source) of each packet."""
        found = []
        for packet in self.packets:
            _, kind, sequence, timestamp, ssrc = struct.unpack("!BBHII", packet[:12])
            found.append((kind & 0x7F, kind >> 7, sequence, timestamp, ssrc))
        return found

    def sequences(self) -> list[int]:
        return [header[2] for header in self.headers()]


def consecutive(numbers: list[int]) -> bool:
    return all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(numbers))


def test_packets_go_out_as_the_viewers_own() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    publishing.frame()
    headers = receiving.headers()
    assert [(h[0], h[1], h[4]) for h in headers] == [(120, 0, 900), (120, 1, 900)] * 2
    assert consecutive(receiving.sequences())
    assert [p[12:] for p in receiving.packets] == [KEYFRAME, b"\x00rest", DELTA, b"\x00rest"]
    assert (headers[2][3] - headers[0][3]) & 0xFFFFFFFF == 3000


def test_nothing_before_a_keyframe() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame()
    publishing.frame()
    assert receiving.packets == []
    assert receiving.meter.frames_forwarded == 0
    publishing.frame(key=True)
    assert len(receiving.packets) == 2


def test_a_late_viewer_gets_the_picture_since_the_last_keyframe_at_once() -> None:
    publishing = Publishing()
    publishing.frame(key=True)
    for _ in range(10):
        publishing.frame()
    receiving = Receiving(publishing).start(publishing.now)
    assert len(receiving.packets) == 22
    publishing.frame()
    headers = receiving.headers()
    assert consecutive(receiving.sequences())
    stamps = [h[3] for h in headers][::2]
    steps = [(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(stamps)]
    assert steps == [90] * 10 + [3000]
    assert publishing.asked == []


def test_where_the_last_keyframe_is_old_the_publisher_is_asked() -> None:
    publishing = Publishing()
    publishing.frame(key=True)
    for _ in range(80):
        publishing.frame()
    receiving = Receiving(publishing).start(publishing.now)
    assert receiving.packets == []
    assert len(publishing.asked) == 1


def test_keyframes_are_asked_for_only_so_often() -> None:
    publishing = Publishing()
    publishing.frame()
    for _ in range(20):
        publishing.published.request_keyframe(publishing.now)
    assert len(publishing.asked) == 1
    publishing.track.tend(publishing.now + KEYFRAME_AGAIN_US)
    assert len(publishing.asked) == 2
    publishing.frame(key=True)
    publishing.track.tend(publishing.now + 2 * KEYFRAME_AGAIN_US)
    assert len(publishing.asked) == 2


def test_a_pause_leaves_no_gap_and_begins_with_a_keyframe() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    receiving.subscriber.hold("paused")
    for _ in range(100):
        publishing.frame()
    receiving.subscriber.release("paused", publishing.now)
    publishing.frame()
    assert len(receiving.packets) == 2
    publishing.frame(key=True)
    assert len(receiving.packets) == 4
    assert consecutive(receiving.sequences())
    before, after = receiving.headers()[0][3], receiving.headers()[2][3]
    assert abs(((after - before) & 0xFFFFFFFF) - 102 * 3000) < 200


def test_another_publisher_goes_on_where_the_first_ended() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    other = Publishing(first=60_000)
    other.now, other.timestamp = publishing.now + 2_000_000, 4_000_000_000
    receiving.subscriber.attach(None, other.now)
    receiving.subscriber.attach(other.published, other.now)
    other.frame()
    other.frame(key=True)
    assert len(receiving.packets) == 4
    assert consecutive(receiving.sequences())
    publishing.frame(key=True)
    assert len(receiving.packets) == 4


def test_a_packet_that_the_publisher_resent_is_passed_on_in_its_place() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    lost = publishing.frame(lose_second=True)
    publishing.frame()
    assert len(publishing.asked) == 1
    # A receiver report goes before it, as browsers do (RFC 4585, 3.1): 32 bytes of one block.
    assert struct.unpack("!H", publishing.asked[0][44:46])[0] == lost[0]
    assert not consecutive(receiving.sequences())
    publishing.repair(lost)
    publishing.repair(lost)
    sequences = receiving.sequences()
    assert len(sequences) == 6
    assert consecutive(sorted(sequences))
    assert receiving.meter.frames_forwarded == 3


@pytest.mark.parametrize("rtx", [True, False])
def test_a_viewers_loss_is_repaired_from_history(rtx: bool) -> None:
    publishing = Publishing()
    receiving = Receiving(publishing, rtx=rtx).start(publishing.now)
    publishing.frame(key=True)
    publishing.frame()
    original = receiving.packets[2]
    sequence = receiving.sequences()[2]
    receiving.subscriber.heard([Nack(900, [sequence, (sequence + 5000) & 0xFFFF])], publishing.now)
    assert len(receiving.packets) == 5
    again = receiving.packets[4]
    if rtx:
        assert receiving.headers()[4][0] == 121
        assert receiving.headers()[4][4] == 901
        assert again[12:] == sequence.to_bytes(2, "big") + original[12:]
        assert again[4:8] == original[4:8]
    else:
        assert again == original


def test_retransmission_is_bounded_by_a_share_of_the_streams_rate() -> None:
    """Whoever asks for everything again and again gets half of the stream's rate more."""
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.published.bitrate_bps = 600_000
    receiving.subscriber.tend(publishing.now, 0)
    for index in range(100):
        publishing.timestamp += 3000
        publishing.now += FRAME_US
        publishing.packet(KEYFRAME if index == 0 else DELTA)
        publishing.packet(bytes(1_000), 1)
    forwarded = len(receiving.packets)
    sequences = receiving.sequences()
    for _ in range(40):
        publishing.now += 25_000
        receiving.subscriber.heard([Nack(900, sequences)], publishing.now)
    again = sum(len(packet) for packet in receiving.packets[forwarded:])
    assert 30_000 < again < 45_000


def test_a_packet_is_not_sent_again_while_its_repair_is_on_its_way() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    publishing.frame()
    asked = [Nack(900, receiving.sequences()[:1])]
    for _ in range(5):
        receiving.subscriber.heard(asked, publishing.now)
    assert len(receiving.packets) == 5
    receiving.subscriber.heard(asked, publishing.now + 20_000)
    assert len(receiving.packets) == 6


def test_who_asks_more_often_than_a_repair_takes_has_it_sent_again_nevertheless() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    asked = [Nack(900, receiving.sequences()[:1])]
    for step in range(9):
        receiving.subscriber.heard(asked, publishing.now + 15_000 * step)
    assert len(receiving.packets) == 2 + 5


def test_a_viewer_s_nacks_have_the_pace_that_the_operator_chose() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing, nacks_per_second=2).start(publishing.now)
    publishing.frame(key=True)
    publishing.frame()
    for sequence in receiving.sequences():
        receiving.subscriber.heard([Nack(900, [sequence])], publishing.now)
    assert len(receiving.packets) == 4 + 2


def test_looking_for_packets_that_a_viewer_names_has_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.published.bitrate_bps = 50_000
    for index in range(400):
        publishing.frame(key=index == 0)
        if index % 30 == 29:
            receiving.subscriber.heard([report(receiving, 0)], publishing.now)
            receiving.subscriber.tend(publishing.now + 400_000, 0)
    sequences = receiving.sequences()
    assert len(sequences) == 800
    looked = 0
    kept = publishing.track.history.get

    def get(sequence: int) -> Packet | None:
        nonlocal looked
        looked += 1
        return kept(sequence)

    monkeypatch.setattr(publishing.track.history, "get", get)
    nothing = [(sequences[-1] + 1 + ahead) & 0xFFFF for ahead in range(800)]
    for named in (nothing, sequences[-1:] * 800, sequences):
        looked, before = 0, len(receiving.packets)
        publishing.now += 2_000_000
        for _ in range(100):
            publishing.now += 10_000
            receiving.subscriber.heard([Nack(900, named)], publishing.now)
        # Once the budget is used up nothing is looked for, however much of it is there; a
        # repair of a few bytes costs more than these.
        assert looked <= len(receiving.packets) - before + 25
        assert len(receiving.packets) - before <= 12_500 // REPAIR_BYTES_MIN + 15


def test_reports_reach_the_meter_and_silence_stops_the_media() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    for index in range(60):
        publishing.frame(key=index == 0)
    receiving.subscriber.heard([report(receiving, 0)], publishing.now)
    receiving.subscriber.tend(publishing.now + 400_000, 0)
    assert receiving.meter.delivered_ms == (59 * 3000 * 1_000_000 // 90_000 - 200_000) // 1000
    for _ in range(400):
        publishing.frame()
    assert 8_900 <= receiving.meter.unconfirmed_ms <= 9_040
    assert receiving.subscriber.held_for("unconfirmed")
    assert receiving.subscriber.tend(publishing.now, 0) is None
    assert receiving.subscriber.tend(publishing.now + 10_000_000, 0) == "vanished"


def test_a_report_after_silence_lets_the_media_go_on() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    for index in range(300):
        publishing.frame(key=index == 0)
    assert receiving.subscriber.held_for("unconfirmed")
    receiving.subscriber.heard([report(receiving, 0)], publishing.now)
    assert receiving.subscriber.tend(publishing.now + 400_000, 0) is None
    assert not receiving.subscriber.held_for("unconfirmed")


def report(receiving: Receiving, lost: int) -> ReceptionReport:
    return ReceptionReport(900, lost, receiving.sequences()[-1], 0, 0)


@settings(max_examples=40)
@given(
    st.integers(0, 0xFFFF),
    st.lists(st.sampled_from(["key", "delta", "pause", "loss", "other"]), max_size=60),
)
def test_whatever_happens_sequence_numbers_never_repeat_and_the_wrap_is_seamless(
    first: int, steps: list[str]
) -> None:
    publishing = Publishing(first=first)
    receiving = Receiving(publishing).start(publishing.now)
    receiving.feed._out = (1 << 16) + 65_530
    for step in steps:
        if step == "pause":
            receiving.subscriber.hold("paused")
            publishing.frame()
            receiving.subscriber.release("paused", publishing.now)
        elif step == "other":
            publishing, before = Publishing(first=(first * 7) & 0xFFFF), publishing
            publishing.now = before.now
            receiving.subscriber.attach(publishing.published, publishing.now)
        elif step == "loss":
            publishing.repair(publishing.frame(lose_second=True))
        else:
            publishing.frame(key=step == "key")
        if receiving.packets:
            receiving.subscriber.heard([report(receiving, 0)], publishing.now)
    sequences = receiving.sequences()
    assert len(set(sequences)) == len(sequences)
    expected = {(65_531 + index) & 0xFFFF for index in range(len(sequences))}
    assert set(sequences) == expected


def test_sound_and_picture_keep_their_distance_by_the_publishers_reports() -> None:
    picture, sound = Publishing(), Publishing(OPUS)
    published = PublishedTracks(1, {"video": picture.track, "audio": sound.track})
    picture.frame(key=True)
    sound.packet(b"x")
    now = picture.now
    from streaming.sfu.rtcp import ntp_timestamp

    assert picture.track.ssrc is not None
    sound.track.ssrc = 66
    published.heard(SenderReport(55, ntp_timestamp(10_000_000), 90_000), now)
    published.heard(SenderReport(66, ntp_timestamp(10_500_000), 48_000), now + 520_000)
    later = now + 1_000_000
    video = published.rtp_time("video", later)
    audio = published.rtp_time("audio", later)
    assert video == 90_000 + 90_000
    assert audio == 48_000 + 24_000


def test_sound_alone_is_counted_by_its_packets() -> None:
    publishing = Publishing(OPUS)
    meter = meter_for({"audio"}, "audio", 48_000)
    assert meter is not None
    assert meter_for({"audio", "video"}, "audio", 48_000) is None
    feed = Feed(
        "audio",
        codec_name="opus",
        ssrc=900,
        payload_type=111,
        clock_rate=48_000,
        rtx=None,
        meter=meter,
    )
    sent: list[bytes] = []
    feed.send = lambda header, payload: sent.append(header + payload)
    subscriber = Subscriber({"audio": feed}, publishing.now)
    subscriber.connected = True
    subscriber.attach(publishing.published, publishing.now)
    subscriber.release("connecting", publishing.now)
    subscriber.release("admission", publishing.now)
    for _ in range(51):
        publishing.now += 20_000
        publishing.timestamp += 960
        publishing.packet(b"sound")
    assert len(sent) == 51
    last = struct.unpack("!H", sent[-1][2:4])[0]
    subscriber.heard([ReceptionReport(900, 0, last, 0, 0)], publishing.now)
    meter.settle(publishing.now + 400_000)
    assert meter.delivered_ms == 800


def test_another_source_of_the_same_publisher_is_taken_once_the_first_is_silent() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    packet = (7, 900, 1, KEYFRAME)
    publishing.track.receive(96, 66, packet, publishing.now + 1_000_000)
    assert len(receiving.packets) == 2
    publishing.track.receive(96, 66, packet, publishing.now + 3_000_000)
    assert len(receiving.packets) == 3
    assert consecutive(receiving.sequences())


def test_another_source_is_asked_for_a_keyframe_at_once() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    asked = len(publishing.asked)
    later = publishing.now + 3_000_000
    publishing.track.receive(96, 66, (7, 900, 1, DELTA), later)
    assert len(publishing.asked) == asked + 1
    assert receiving.feed.packets == 2
    publishing.track.receive(96, 66, (8, 4_500, 1, KEYFRAME), later + 40_000)
    assert receiving.feed.packets == 3


def test_two_sources_at_once_leave_the_first() -> None:
    """Layers of one picture, or two programs by mistake; dense, and with a picture each 1.5 s."""
    for gap_us, each in ((40_000, 4), (300_000, 1), (1_500_000, 6)):
        publishing = Publishing()
        asked = 0
        for frame in range(12_000_000 // gap_us):
            now = publishing.now + frame * gap_us
            stamp = frame * gap_us * 9 // 100
            for source in (66, 55) if frame % 2 else (55, 66):  # now one is first, now the other
                for part in range(each):
                    what = (frame * each + part, stamp, int(part == each - 1), KEYFRAME)
                    publishing.track.receive(96, source, what, now + (source == 66) * 5_000)
            asked = asked or len(publishing.asked)
            assert publishing.track.ssrc == 55
        assert publishing.track.octets == 12_000_000 // gap_us * each * len(KEYFRAME)
        assert len(publishing.asked) == asked


@pytest.mark.parametrize("sequences", [[7, 9, 11, 13, 15], [7, 8, 7, 8, 7, 8]])
def test_packets_that_do_not_follow_each_other_are_no_source(sequences: list[int]) -> None:
    publishing = Publishing()
    publishing.frame(key=True)
    for number, sequence in enumerate(sequences):
        later = publishing.now + 300_000 + number * 100_000
        publishing.track.receive(96, 66, (sequence, 900, 1, KEYFRAME), later)
    assert publishing.track.ssrc == 55


@pytest.mark.parametrize("ahead", [65, 1_000, 30_000])
def test_a_retransmission_that_names_a_future_number_empties_nothing(ahead: int) -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    newest = publishing.track.history.newest
    named = (publishing.sequence + ahead) & 0xFFFF
    publishing.repair((named, publishing.timestamp, 0, b"\x00late"))
    assert publishing.track.history.newest == newest
    assert publishing.track.history.reaches(newest - 1)
    assert len(receiving.packets) == 2


def test_a_number_is_used_with_one_content_only() -> None:
    """With AES-GCM a nonce that repeats for other bytes gives the key's authentication away.

    A sound packet older than what is kept comes again (with other bytes, as only an attacker or
    a confused encoder sends them); so do kept ones, and the viewer asks for each of them.
    """
    publishing = Publishing(OPUS)
    meter = Meter(AUDIO_RULES, 48_000)
    feed = Feed(
        "audio",
        codec_name="opus",
        ssrc=900,
        payload_type=111,
        clock_rate=48_000,
        rtx=None,
        meter=meter,
    )
    sent: dict[int, set[bytes]] = {}

    def send(header: bytes, payload: bytes) -> None:
        number = struct.unpack("!H", header[2:4])[0]
        sent.setdefault(number, set()).add(header + payload)

    feed.send = send
    subscriber = Subscriber({"audio": feed}, publishing.now, numbering=Numbering(5))
    subscriber.connected = True
    subscriber.attach(publishing.published, publishing.now)
    for reason in ("connecting", "admission"):
        subscriber.release(reason, publishing.now)
    packets = []
    for index in range(300):
        publishing.now += 20_000
        publishing.timestamp += 960
        packets.append(publishing.packet(b"sound %d" % index))
        if index % 50 == 49:  # forwarding begins anew: another offset of the timestamps
            subscriber.hold("paused")
            subscriber.release("paused", publishing.now)
        for old in (packets[0], packets[max(0, index - 130)], packets[max(0, index - 5)]):
            again = (old[0], old[1], 1, b"other bytes")
            publishing.track.receive(111, 55, again, publishing.now)
        meter.per_packet = True
        meter.received([feed._out])
        meter.settle(publishing.now)
        asked = sorted(sent)[-20:]
        subscriber.heard([Nack(900, asked)], publishing.now)
    assert len(sent) == 300
    assert all(len(contents) == 1 for contents in sent.values())


@pytest.mark.parametrize("rtx", [True, False])
def test_after_a_restart_a_number_still_has_one_content_only(rtx: bool) -> None:
    publishing = Publishing(first=40_000)
    receiving = Receiving(publishing, rtx=rtx, numbered=True).start(publishing.now)
    for index in range(6):
        publishing.frame(key=index == 0)
    before = receiving.sequences()
    publishing.sequence = 4_000
    for index in range(6):
        publishing.frame(key=index == 0)
    assert consecutive(receiving.sequences())
    for _ in range(3):
        publishing.now += 100_000
        asked = receiving.sequences()[:24]
        receiving.subscriber.heard([Nack(900, asked)], publishing.now)
        receiving.feed.probe_newest(publishing.now)
        for low in before:
            receiving.feed.probe((1 << 16) + low, publishing.now)
    contents: dict[tuple[int, int], set[bytes]] = {}
    for packet, header in zip(receiving.packets, receiving.headers(), strict=True):
        contents.setdefault((header[4], header[2]), set()).add(packet)
    assert len(receiving.packets) > 40
    assert all(len(each) == 1 for each in contents.values())


def test_receipt_of_sound_that_is_not_counted_is_not_kept() -> None:
    publishing = Publishing(OPUS)
    picture = Feed(
        "video",
        codec_name="VP8",
        ssrc=900,
        payload_type=120,
        clock_rate=90_000,
        rtx=None,
        meter=Meter(),
    )
    sound = Feed(
        "audio",
        codec_name="opus",
        ssrc=902,
        payload_type=111,
        clock_rate=48_000,
        rtx=None,
        meter=None,
    )
    numbering = Numbering(5)
    subscriber = Subscriber({"video": picture, "audio": sound}, publishing.now, numbering=numbering)
    subscriber.connected = True
    subscriber.release("connecting", publishing.now)
    subscriber.attach(publishing.published, publishing.now)
    subscriber.release("admission", publishing.now)
    for number in range(20):
        base = numbering.history.next
        publishing.packet(b"sound", 1)
        publishing.now += 20_000
        feedback = build_feedback(
            1,
            902,
            base=base,
            reference=0,
            number=number,
            received_offsets=[0],
            arrivals_us=[20_000 * number],
        )
        subscriber.heard(read_compound(feedback), publishing.now)
    assert sound.packets == 20
    assert not subscriber._sound.meter._ahead


@pytest.mark.parametrize(("lost_percent", "carried"), [(5, True), (40, False)])
def test_a_path_that_only_reports_tell_of_is_judged_too(lost_percent: int, carried: bool) -> None:
    """With 40 % lost before repair the sound goes on alone, rather than everything end."""
    picture, sound = Publishing(), Publishing(OPUS)
    published = PublishedTracks(1, {"video": picture.track, "audio": sound.track})
    feeds = {
        kind: Feed(
            kind,
            codec_name=codec.name,
            ssrc=ssrc,
            payload_type=codec.payload_type,
            clock_rate=codec.clock_rate,
            rtx=None,
            meter=meter_for({"video", "audio"}, kind, codec.clock_rate),
        )
        for kind, codec, ssrc in (("video", VP8, 900), ("audio", OPUS, 950))
    }
    subscriber = Subscriber(feeds, picture.now)
    subscriber.connected = True
    subscriber.attach(published, picture.now)
    for reason in ("connecting", "admission"):
        subscriber.release(reason, picture.now)
    lost = 0
    for index in range(240):
        picture.frame(key=index == 0)
        if index % 15 == 14:
            lost += 30 * lost_percent // 100
            block = ReceptionReport(900, lost, feeds["video"]._out & 0xFFFFFFFF, 0, 0)
            subscriber.heard([block], picture.now)
        if index % 3 == 0:
            subscriber.tend(picture.now, 0)
    assert ("path" not in subscriber.reasons) == carried
