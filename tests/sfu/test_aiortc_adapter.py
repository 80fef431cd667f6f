"""aiortc's inside: each private member that forwarding touches."""

from __future__ import annotations

import asyncio
import importlib.metadata
import struct
from types import SimpleNamespace
from typing import Any

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.rtcdtlstransport import RTCDtlsTransport
from pylibsrtp import Policy, Session

from streaming.sfu import aiortc_adapter, transport_cc
from streaming.sfu.ice import IceListener
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.sockets import READ_BYTES

VP8 = TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96, rtx_payload_type=97)


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
        assert dtls._rx_srtp is None
        assert dtls._tx_srtp is None
        connection = dtls.transport._connection
        assert connection._nominated == {}

        IceListener().listen(server, publisher=True)
        answer = await aiortc_adapter.make_answer(server)
        assert aiortc_adapter.cname_of(answer) != b"paystream"
        assert connection._protocols
        aiortc_adapter.read_little(publisher)
        protocols = publisher.getTransceivers()[0].receiver.transport.transport._connection
        for protocol in protocols._protocols:
            assert protocol.transport.max_size == READ_BYTES
        await publisher.close()
        await server.close()

    asyncio.run(main())


def test_a_replaced_receiver_starts_no_decoder_and_closes_cleanly() -> None:
    async def main() -> None:
        import threading

        before = threading.active_count()
        pc = aiortc_adapter.new_peer()
        transceiver = pc.addTransceiver("video", direction="recvonly")
        published = PublishedTracks(1, {"video": Track(VP8, 1, lambda _p: None)})
        aiortc_adapter.IngestPort(pc, published, None, lambda _p: None)
        assert getattr(transceiver.receiver.receive, "__func__", None) is not RTCRtpReceiver.receive  # type: ignore[attr-defined]
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


def test_transport_wide_numbers_are_negotiated() -> None:
    async def main() -> None:
        server, client = aiortc_adapter.new_peer(), aiortc_adapter.new_peer()
        for kind in ("video", "audio"):
            client.addTransceiver(kind, direction="recvonly")
            server.addTransceiver(kind, direction="sendonly")
        await client.setLocalDescription(await client.createOffer())
        await aiortc_adapter.read_offer(server, client.localDescription.sdp)
        number = aiortc_adapter.numbered_by(server)
        assert number is not None
        answer = await aiortc_adapter.make_answer(server)
        assert answer.count(f"a=extmap:{number} {transport_cc.URI}") == 2
        assert answer.count("transport-cc") >= 2
        for transceiver in server.getTransceivers():
            aiortc_adapter.keep_extensions(transceiver, [])
        assert aiortc_adapter.numbered_by(server) is None
        await client.close()
        await server.close()

    asyncio.run(main())


def test_media_is_taken_off_the_socket_once_there_are_keys() -> None:
    key = bytes(range(28))
    profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM

    def session(kind: int) -> Session:
        return Session(Policy(key=key, ssrc_type=kind, srtp_profile=profile))

    usual: list[bytes] = []
    protocol = SimpleNamespace(datagram_received=lambda data, _address: usual.append(data))
    dtls: Any = SimpleNamespace(
        _rx_srtp=None,
        transport=SimpleNamespace(_connection=SimpleNamespace(_protocols=[protocol])),
    )
    media: list[bytes] = []
    control: list[bytes] = []
    intake = aiortc_adapter.MediaIntake(dtls, on_rtp=media.append, on_rtcp=control.append)
    intake.stand_before_sockets()
    sender = session(Policy.SSRC_ANY_OUTBOUND)
    rtp = struct.pack("!BBHII", 0x80, 96, 5, 6, 7) + b"payload"
    rtcp = struct.pack("!BBHI", 0x80, 201, 1, 7)
    protocol.datagram_received(sender.protect(rtp), ("127.0.0.1", 9))
    assert len(usual) == 1  # behind DTLS
    dtls._rx_srtp = session(Policy.SSRC_ANY_INBOUND)
    for datagram in (b"", b"\x80", b"\x80" * 13, bytes(2000), b"\x80\xc9" + bytes(2000)):
        protocol.datagram_received(datagram, ("127.0.0.1", 9))
    rtp = struct.pack("!BBHII", 0x80, 96, 6, 6, 7) + b"payload"
    protocol.datagram_received(sender.protect(rtp), ("127.0.0.1", 9))
    protocol.datagram_received(sender.protect_rtcp(rtcp), ("127.0.0.1", 9))
    assert media == [rtp]
    assert control == [rtcp]


def test_offers_are_stripped_of_addresses_to_send_to() -> None:
    sdp = (
        "v=0\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n"
        "a=candidate:2 1 udp 1 4b1d.local 9 typ host\r\na=end-of-candidates\r\na=mid:0\r\n"
    )
    assert aiortc_adapter.passive_offer(sdp) == "v=0\r\na=mid:0\r\n"
