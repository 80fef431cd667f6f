"""aiortc's inside: each private member that forwarding touches."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCSessionDescription
from aiortc.rtcdtlstransport import (
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    State,
    generate_certificate,
)
from aiortc.rtp import HeaderExtensionsMap
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_certificate, load_certificate
from pylibsrtp import Policy, Session

from streaming.sfu import aiortc_adapter, negotiation, offer, transport_cc
from streaming.sfu.ice import IceListener
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.sockets import READ_BYTES
from tests.sfu.bent_offers import real_offers

VP8 = TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96, rtx_payload_type=97)


def test_aiortc_is_the_version_whose_inside_is_known() -> None:
    assert importlib.metadata.version("aiortc") == "1.16.0"


async def offered(*kinds: str, direction: str = "sendonly") -> tuple[RTCPeerConnection, str]:
    """A peer connection with these media, and its offer."""
    pc = aiortc_adapter.new_peer()
    for kind in kinds:
        pc.addTransceiver(kind, direction=direction)
    await pc.setLocalDescription(await pc.createOffer())
    return pc, str(pc.localDescription.sdp)


def test_private_members_exist_and_behave() -> None:
    async def main() -> None:
        publisher, sdp = await offered("video")
        negotiated = offer.publishing(offer.read(sdp), sound_alone=False)
        server = await negotiation.open_peer(negotiated)
        transceiver = negotiation.transceiver_of(server, negotiated, "video")
        assert [c.name for c in transceiver._codecs] == ["VP8", "rtx"]
        assert [e.uri for e in transceiver._headerExtensions] != []
        codec = aiortc_adapter.keep_first_codec(transceiver)
        assert (codec.name, codec.clock_rate) == ("VP8", 90_000)
        assert codec.rtx_payload_type == codec.payload_type + 1
        assert isinstance(transceiver.sender._ssrc, int)
        assert transceiver.sender._rtx_ssrc != transceiver.sender._ssrc
        assert isinstance(transceiver.sender._stream_id, str)
        assert isinstance(transceiver.sender._track_id, str)
        assert "_RTCRtpReceiver__remote_bitrate_estimator" in vars(transceiver.receiver)

        dtls = transceiver.receiver.transport
        assert isinstance(dtls, RTCDtlsTransport)
        assert dtls._rx_srtp is None
        assert dtls._tx_srtp is None
        connection = dtls.transport._connection
        assert connection._nominated == {}

        IceListener().listen(server, publisher=True)
        _, cname = await negotiation.make_answer(server, negotiated)
        assert cname == server._RTCPeerConnection__cname.encode()  # type: ignore[attr-defined]
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
        client, sdp = await offered("video", "audio", direction="recvonly")
        wanted = {
            "video": VP8,
            "audio": TrackCodec(kind="audio", name="opus", clock_rate=48_000, payload_type=111),
        }
        negotiated = offer.watching(offer.read(sdp), wanted)
        number = negotiated.extension_id(transport_cc.URI)
        assert number is not None
        server = await negotiation.open_peer(negotiated)
        IceListener(["127.0.0.1"]).listen(server, publisher=False)
        answer, _ = await negotiation.make_answer(server, negotiated)
        assert answer.count(f"a=extmap:{number} {transport_cc.URI}") == 2
        assert answer.count("transport-cc") == 2
        await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        assert aiortc_adapter.numbered_by(client) == number
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


# --- what is put in the place of what aiortc negotiates -------------------------------------


def test_profiles_that_aiortc_does_not_know_are_negotiated() -> None:
    text = dict(real_offers())["07-ffmpeg-high-profile-high"]

    async def main() -> None:
        negotiated = offer.publishing(offer.read(text), sound_alone=False)
        pc = await negotiation.open_peer(negotiated)
        IceListener(["127.0.0.1"]).listen(pc, publisher=True)
        said, _ = await negotiation.make_answer(pc, negotiated)
        transceiver = negotiation.transceiver_of(pc, negotiated, "video")
        parameters = pc._RTCPeerConnection__remoteRtp(transceiver)  # type: ignore[attr-defined]
        (codec,) = parameters.codecs
        assert (codec.payloadType, codec.parameters["profile-level-id"]) == (106, "64001f")
        assert [encoding.ssrc for encoding in parameters.encodings] == [2_027_728_186]
        assert pc.getTransceivers()[0].currentDirection == "recvonly"
        assert said.count("a=setup:active\r\n") == 2
        await pc.close()

    asyncio.run(main())


def test_extensions_that_aiortc_does_not_offer_are_read() -> None:
    text = dict(real_offers())["23-setup-active-or-passive-active"]

    async def main() -> None:
        negotiated = offer.publishing(offer.read(text), sound_alone=False)
        pc = await negotiation.open_peer(negotiated)
        IceListener(["127.0.0.1"]).listen(pc, publisher=True)
        await negotiation.make_answer(pc, negotiated)
        transceiver = negotiation.transceiver_of(pc, negotiated, "video")
        parameters = pc._RTCPeerConnection__remoteRtp(transceiver)  # type: ignore[attr-defined]
        extensions = HeaderExtensionsMap()
        extensions.configure(parameters)
        number = negotiated.extension_id(offer.TRANSPORT_SEQUENCE_URI)
        assert number == 3
        written = bytes([number << 4 | 1, 0x12, 0x34, 0])
        assert extensions.get(0xBEDE, written).transport_sequence_number == 0x1234
        await pc.close()

    asyncio.run(main())


def handshake(client: SSL.Connection, server: SSL.Connection) -> None:
    """DTLS between two connections in memory."""
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(20):
        done = 0
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
                done += 1
            except SSL.WantReadError:
                pass
            with contextlib.suppress(SSL.WantReadError):
                while True:
                    other.bio_write(one.bio_read(1500))
        if done == 2:
            return
    pytest.fail("no handshake")


def rsa_context() -> SSL.Context:
    """A peer as GStreamer is: an RSA certificate, and suites that fit it alone."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_a: True)
    context.use_certificate(generate_certificate(key))  # type: ignore[arg-type]
    context.use_privatekey(key)
    context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
    context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM")
    return context


def test_peers_with_rsa_certificates_are_taken_and_gcm_is_preferred() -> None:
    async def main() -> tuple[SSL.Context, list[bytes]]:
        text = dict(real_offers())["31-bundle-only-port-0-gstreamer"]
        negotiated = offer.publishing(offer.read(text), sound_alone=False)
        pc = await negotiation.open_peer(negotiated)
        dtls: Any = pc.getTransceivers()[0].receiver.transport
        assert dtls._role == "server"
        certificate = dtls._RTCDtlsTransport__local_certificate
        context = certificate._create_ssl_context(srtp_profiles=dtls._srtp_profiles)
        profiles = [profile.openssl_profile for profile in dtls._srtp_profiles]
        await pc.close()
        return context, profiles

    context, profiles = asyncio.run(main())
    assert profiles[0] == b"SRTP_AEAD_AES_128_GCM"
    assert len(profiles) == 3
    # We are the client where the offer is passive: the server's certificate decides the suite.
    peer = SSL.Connection(rsa_context())
    handshake(SSL.Connection(context), peer)
    assert peer.get_cipher_name() == "ECDHE-RSA-AES128-GCM-SHA256"
    # We are the server otherwise: our order of SRTP profiles counts, and any certificate does.
    other = rsa_context()
    other.set_cipher_list(b"DEFAULT")
    ours = SSL.Connection(context)
    handshake(SSL.Connection(other), ours)
    assert ours.get_selected_srtp_profile() == b"SRTP_AEAD_AES_128_GCM"
    assert ours.get_peer_certificate(as_cryptography=True) is not None


def certificate_with_negative_serial(key: ec.EllipticCurvePrivateKey) -> X509:
    """As ffmpeg makes every other one: its serial number is random, and has a sign."""
    usual = generate_certificate(key)
    # As DER has it (X.690, 8.3.2): no more octets than number and sign take, so not always 20.
    serial = usual.serial_number.to_bytes(usual.serial_number.bit_length() // 8 + 1, "big")
    der = usual.public_bytes(Encoding.DER)
    assert der.count(serial) == 1
    return load_certificate(FILETYPE_ASN1, der.replace(serial, b"\x81" + serial[1:]))


@pytest.mark.parametrize("shown", ["usual", "negative-serial"])
@pytest.mark.parametrize("told", ["right", "wrong", "unknown"])
def test_a_certificate_is_compared_and_not_read(shown: str, told: str, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = certificate_with_negative_serial(key)
    if shown == "usual":
        certificate = X509.from_cryptography(generate_certificate(key))
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_a: True)
    file = tmp_path / "certificate.der"
    file.write_bytes(dump_certificate(FILETYPE_ASN1, certificate))
    context.use_certificate_file(str(file), FILETYPE_ASN1)
    context.use_privatekey(key)
    context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM")
    digest = certificate.digest("sha256").decode()
    algorithm = "md5" if told == "unknown" else "sha-256"
    value = digest.replace(digest[:2], f"{int(digest[:2], 16) ^ 1:02X}", 1)
    fingerprint = RTCDtlsFingerprint(algorithm, value if told == "wrong" else digest.lower())

    async def main() -> State:
        text = dict(real_offers())["31-bundle-only-port-0-gstreamer"]
        pc = await negotiation.open_peer(offer.publishing(offer.read(text), sound_alone=False))
        dtls: Any = pc.getTransceivers()[0].receiver.transport
        ours = dtls._RTCDtlsTransport__local_certificate
        dtls._ssl = SSL.Connection(ours._create_ssl_context(srtp_profiles=dtls._srtp_profiles))
        handshake(SSL.Connection(context), dtls._ssl)
        dtls._set_state(State.CONNECTING)
        dtls._validate_peer_identity(RTCDtlsParameters([fingerprint]))
        state: State = dtls._state
        await pc.close()
        return state

    state = asyncio.run(main())
    assert state == (State.CONNECTING if told == "right" else State.FAILED)
