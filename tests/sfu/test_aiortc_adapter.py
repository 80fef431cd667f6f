"""Forwarding by the packet: numbers that run on, repairs, keyframes; and aiortc's inside."""

from __future__ import annotations

import asyncio
import importlib.metadata
import itertools
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpRouter
from aiortc.rtp import RtcpReceiverInfo
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from streaming.sfu import aiortc_adapter
from streaming.sfu.meter import Meter
from streaming.sfu.publication import KEYFRAME_AGAIN_US, PublishedTracks, Track, TrackCodec
from streaming.sfu.subscription import Feed, Subscriber, meter_for

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
        self.publisher = PublishedTracks(1, {codec.kind: self.track})
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

    def __init__(self, publishing: Publishing, *, rtx: bool = True) -> None:
        self.meter = Meter()
        self.feed = Feed(
            "video",
            codec_name="VP8",
            ssrc=900,
            payload_type=120,
            clock_rate=90_000,
            rtx=(901, 121) if rtx else None,
            meter=self.meter,
        )
        self.viewer = Subscriber({"video": self.feed}, publishing.now)
        self.packets: list[bytes] = []
        self.feed.send = lambda header, payload: self.packets.append(header + payload)
        self.viewer.connected = True
        self.viewer.release("connecting", publishing.now)
        self.viewer.attach(publishing.publisher, publishing.now)

    def start(self, now: int) -> Receiving:
        self.viewer.release("admission", now)
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
    for _ in range(60):
        publishing.frame()
    receiving = Receiving(publishing).start(publishing.now)
    assert receiving.packets == []
    assert len(publishing.asked) == 1


def test_keyframes_are_asked_for_only_so_often() -> None:
    publishing = Publishing()
    publishing.frame()
    for _ in range(20):
        publishing.publisher.request_keyframe(publishing.now)
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
    receiving.viewer.hold("paused")
    for _ in range(100):
        publishing.frame()
    receiving.viewer.release("paused", publishing.now)
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
    receiving.viewer.attach(None, other.now)
    receiving.viewer.attach(other.publisher, other.now)
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
    assert struct.unpack("!H", publishing.asked[0][12:14])[0] == lost[0]
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
    receiving.viewer.lost_packets(900, [sequence, (sequence + 5000) & 0xFFFF])
    assert len(receiving.packets) == 5
    again = receiving.packets[4]
    if rtx:
        assert receiving.headers()[4][0] == 121
        assert receiving.headers()[4][4] == 901
        assert again[12:] == sequence.to_bytes(2, "big") + original[12:]
        assert again[4:8] == original[4:8]
    else:
        assert again == original


def test_retransmission_is_bounded() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    publishing.frame(key=True)
    for _ in range(50):
        receiving.viewer.lost_packets(900, receiving.sequences()[:2] * 10)
    assert len(receiving.packets) <= 402


def test_reports_reach_the_meter_and_silence_stops_the_media() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    for index in range(60):
        publishing.frame(key=index == 0)
    receiving.viewer.reports([report(receiving, 0)], publishing.now)
    assert receiving.meter.delivered_ms == (59 * FRAME_US - 200_000) // 1000
    for _ in range(300):
        publishing.frame()
    assert receiving.meter.unconfirmed_ms <= 4_000
    assert receiving.viewer.held_for("unconfirmed")
    assert receiving.viewer.tend(publishing.now, 0) is None
    assert receiving.viewer.tend(publishing.now + 10_000_000, 0) == "vanished"


def test_a_report_after_silence_lets_the_media_go_on() -> None:
    publishing = Publishing()
    receiving = Receiving(publishing).start(publishing.now)
    for index in range(200):
        publishing.frame(key=index == 0)
    assert receiving.viewer.held_for("unconfirmed")
    receiving.viewer.reports([report(receiving, 0)], publishing.now)
    assert receiving.viewer.tend(publishing.now, 0) is None
    assert not receiving.viewer.held_for("unconfirmed")


def report(receiving: Receiving, lost: int) -> RtcpReceiverInfo:
    return RtcpReceiverInfo(
        ssrc=900,
        fraction_lost=0,
        packets_lost=lost,
        highest_sequence=receiving.sequences()[-1],
        jitter=0,
        lsr=0,
        dlsr=0,
    )


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
            receiving.viewer.hold("paused")
            publishing.frame()
            receiving.viewer.release("paused", publishing.now)
        elif step == "other":
            publishing, before = Publishing(first=(first * 7) & 0xFFFF), publishing
            publishing.now = before.now
            receiving.viewer.attach(publishing.publisher, publishing.now)
        elif step == "loss":
            publishing.repair(publishing.frame(lose_second=True))
        else:
            publishing.frame(key=step == "key")
        if receiving.packets:
            receiving.viewer.reports([report(receiving, 0)], publishing.now)
    sequences = receiving.sequences()
    assert len(set(sequences)) == len(sequences)
    expected = {(65_531 + index) & 0xFFFF for index in range(len(sequences))}
    assert set(sequences) == expected


def test_sound_and_picture_keep_their_distance_by_the_publishers_reports() -> None:
    picture, sound = Publishing(), Publishing(OPUS)
    publisher = PublishedTracks(1, {"video": picture.track, "audio": sound.track})
    picture.frame(key=True)
    sound.packet(b"x")
    now = picture.now
    from streaming.sfu.rtcp import ntp_timestamp

    publisher.sender_report(picture.track, ntp_timestamp(10_000_000), 90_000, now)
    publisher.sender_report(sound.track, ntp_timestamp(10_500_000), 48_000, now + 520_000)
    later = now + 1_000_000
    video = publisher.rtp_time("video", later)
    audio = publisher.rtp_time("audio", later)
    assert video == 90_000 + 90_000
    assert audio == 48_000 + 24_000


def test_sound_alone_is_counted_by_its_packets() -> None:
    publishing = Publishing(OPUS)
    meter = meter_for({"audio"}, "audio")
    assert meter is not None
    assert meter_for({"audio", "video"}, "audio") is None
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
    viewer = Subscriber({"audio": feed}, publishing.now)
    viewer.connected = True
    viewer.attach(publishing.publisher, publishing.now)
    viewer.release("connecting", publishing.now)
    viewer.release("admission", publishing.now)
    for _ in range(51):
        publishing.now += 20_000
        publishing.timestamp += 960
        publishing.packet(b"sound")
    assert len(sent) == 51
    last = struct.unpack("!H", sent[-1][2:4])[0]
    info = RtcpReceiverInfo(900, 0, 0, last, 0, 0, 0)
    viewer.reports([info], publishing.now)
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


# --- aiortc's private members that the forwarder uses -----------------------------------------


def test_aiortc_is_the_version_whose_inside_is_known() -> None:
    assert importlib.metadata.version("aiortc") == "1.16.0"


def test_private_members_exist_and_behave() -> None:
    async def main() -> None:
        server = aiortc_adapter.new_peer()
        publisher = aiortc_adapter.new_peer()
        publisher.addTransceiver("video", direction="sendonly")
        await publisher.setLocalDescription(await publisher.createOffer())
        transceiver = server.addTransceiver("video", direction="recvonly")
        aiortc_adapter.prefer(transceiver, ["VP8"], None)
        await aiortc_adapter.read_offer(server, publisher.localDescription.sdp)
        assert [c.name for c in transceiver._codecs] == ["VP8", "rtx"]
        assert [e.uri for e in transceiver._headerExtensions] != []
        codec = aiortc_adapter.keep_first_codec(transceiver)
        assert (codec.name, codec.clock_rate) == ("VP8", 90_000)
        assert codec.rtx_payload_type == codec.payload_type + 1
        assert isinstance(transceiver.sender._ssrc, int)
        assert transceiver.sender._rtx_ssrc != transceiver.sender._ssrc
        assert "_RTCRtpReceiver__remote_bitrate_estimator" in vars(transceiver.receiver)

        dtls = transceiver.receiver.transport
        assert isinstance(dtls, RTCDtlsTransport)
        assert isinstance(dtls._rtp_router, RtpRouter)
        assert dtls._tx_srtp is None
        connection = dtls.transport._connection
        assert connection._nominated == {}
        assert connection._local_candidates == []
        assert connection._local_candidates_start is False
        assert connection._local_candidates_end is False

        aiortc_adapter.offer_ice_hosts(server, ["127.0.0.1"])
        answer = await aiortc_adapter.make_answer(server)
        assert [c.host for c in connection._local_candidates] == ["127.0.0.1"]
        assert connection._local_candidates_end is True
        assert aiortc_adapter.cname_of(answer) != b"paystream"
        assert connection._protocols
        aiortc_adapter.read_little(publisher)
        for peer in (publisher, server):
            for protocol in peer.getTransceivers()[
                0
            ].receiver.transport.transport._connection._protocols:
                assert protocol.transport.max_size == aiortc_adapter.READ_BYTES
        await publisher.close()
        await server.close()

    asyncio.run(main())


def test_a_replaced_receiver_starts_no_decoder_and_closes_cleanly() -> None:
    async def main() -> None:
        import threading

        before = threading.active_count()
        pc = aiortc_adapter.new_peer()
        transceiver = pc.addTransceiver("video", direction="recvonly")
        track = Track(VP8, 1, lambda _p: None)
        aiortc_adapter.IngestPort(track, transceiver, lambda *_a: None)
        assert transceiver.receiver.receive.__func__ is not RTCRtpReceiver.receive  # type: ignore[attr-defined]
        assert threading.active_count() == before
        await asyncio.wait_for(pc.close(), 1)

    asyncio.run(main())


def test_senders_and_receivers_are_started_through_their_attributes() -> None:
    """`__connect` has to look `send` and `receive` up on the instance, or hooks do nothing."""
    import inspect

    source = inspect.getsource(RTCPeerConnection._RTCPeerConnection__connect)  # type: ignore[attr-defined]
    assert "transceiver.sender.send(" in source
    assert "transceiver.receiver.receive(" in source
    stop = inspect.getsource(RTCRtpSender.stop)
    assert "if self.__started:" in stop
    assert "if self.__started:" in inspect.getsource(RTCRtpReceiver.stop)


def test_packets_protected_in_the_work_area_are_pylibsrtps_own() -> None:
    key = bytes(range(28))

    def session(kind: int) -> Session:
        profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
        return Session(Policy(key=key, ssrc_type=kind, srtp_profile=profile))

    sent: list[bytes] = []
    pair = SimpleNamespace(
        remote_addr=("127.0.0.1", 9),
        protocol=SimpleNamespace(
            transport=SimpleNamespace(
                _sock=SimpleNamespace(sendto=lambda data, _address: sent.append(bytes(data)))
            )
        ),
    )
    connection = SimpleNamespace(_nominated={1: pair})
    dtls: Any = SimpleNamespace(
        _tx_srtp=session(Policy.SSRC_ANY_OUTBOUND),
        transport=SimpleNamespace(_connection=connection),
    )
    outlet = aiortc_adapter.Outlet(dtls)
    header = struct.pack("!BBHII", 0x80, 96, 5, 6, 7)
    outlet.send(header, b"payload" * 100)
    outlet.send(header, bytes(aiortc_adapter.DATAGRAM_BYTES_MAX))
    assert outlet.dropped == 1
    receiver = session(Policy.SSRC_ANY_INBOUND)
    assert [receiver.unprotect(packet) for packet in sent] == [header + b"payload" * 100]
    connection._nominated.clear()
    outlet.send(header, b"x")
    assert len(sent) == 1


def test_what_retransmission_repaired_is_reported_as_received() -> None:
    async def main() -> None:
        from aiortc.rtcrtpreceiver import StreamStatistics
        from aiortc.rtp import RtpPacket

        pc = aiortc_adapter.new_peer()
        transceiver = pc.addTransceiver("video", direction="recvonly")
        await pc.createOffer()
        aiortc_adapter.count_repairs(pc)
        aiortc_adapter.count_repairs(pc)
        receiver = transceiver.receiver
        rtx = next(c for c in transceiver._codecs if c.name == "rtx")
        statistics = StreamStatistics(90_000)
        receiver._RTCRtpReceiver__remote_streams[50] = statistics  # type: ignore[attr-defined]
        receiver._RTCRtpReceiver__rtx_ssrc[51] = 50  # type: ignore[attr-defined]
        for sequence in (1, 2, 4):
            statistics.add(RtpPacket(97, 0, sequence, sequence))
        assert statistics.packets_lost == 1
        again = RtpPacket(rtx.payloadType, 0, 9, 3, 51, b"\x00\x03\x10\x01x")
        await receiver._handle_rtp_packet(again, arrival_time_ms=0)
        assert statistics.packets_lost == 0
        await pc.close()

    asyncio.run(main())


def test_feedback_that_names_no_source_is_routed_to_zero() -> None:
    router = RtpRouter()

    class Port:
        _ssrc = 0

        async def _handle_rtcp_packet(self, packet: object) -> None:
            return None

    port = Port()
    router.register_sender(port, 0)
    from aiortc.rtp import RTCP_PSFB_FIR, RtcpPsfbPacket

    packet = RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=1, media_ssrc=0)
    assert router.route_rtcp(packet) == {port}


def test_offers_are_stripped_of_addresses_to_send_to() -> None:
    sdp = (
        "v=0\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n"
        "a=candidate:2 1 udp 1 4b1d.local 9 typ host\r\na=end-of-candidates\r\na=mid:0\r\n"
    )
    assert aiortc_adapter.passive_offer(sdp) == "v=0\r\na=mid:0\r\n"
