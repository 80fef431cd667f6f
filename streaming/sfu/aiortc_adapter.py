"""aiortc made to forward: encoded packets come in and go out, nothing is decoded.

aiortc has no hook where an SFU needs one, so this module replaces a receiver's `receive`
and a sender's `send` before they start (no decoder thread, no jitter buffer, no encoder), takes
packets and reports from the DTLS transport itself, and protects and sends packets without the
coroutine chain between. Each private member touched here is named in
`tests/sfu/test_aiortc_adapter.py`, and aiortc is pinned.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from aioice.candidate import candidate_foundation
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
)
from pylibsrtp._binding import ffi, lib

from streaming.sfu.publication import Track, TrackCodec
from streaming.sfu.rtp import read_packet
from streaming.sfu.subscription import Subscriber

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
DATAGRAM_BYTES_MAX = 1600
READ_BYTES = 2048
"""What one read of a socket asks for. More than any datagram of ICE, DTLS or media."""
SRTP_TRAILER_BYTES_MAX = 144
"""libsrtp's `SRTP_MAX_TRAILER_LEN`."""


def now_us() -> int:
    """The server's monotonic clock in microseconds."""
    return time.monotonic_ns() // 1000


# --- negotiation -------------------------------------------------------------------------


def new_peer() -> RTCPeerConnection:
    """A peer connection without STUN servers, one transport for everything."""
    return RTCPeerConnection(
        RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    )


def passive_offer(sdp: str) -> str:
    """The offer without its candidates.

    Whoever reaches the server tells its address by doing so. Without candidates the server
    sends nothing to addresses that strangers name, and resolves no mDNS name (1 s each).
    """
    lines = [
        line
        for line in sdp.replace("\r\n", "\n").split("\n")
        if not line.startswith(("a=candidate:", "a=end-of-candidates"))
    ]
    return "\r\n".join(lines)


def prefer(transceiver: RTCRtpTransceiver, names: Sequence[str], profile: str | None) -> None:
    """Let a transceiver negotiate these codecs only, and retransmission of them."""
    capabilities = RTCRtpSender.getCapabilities(transceiver.kind).codecs
    wanted = [c for c in capabilities if c.name in names]
    wanted.sort(key=lambda c: (names.index(c.name), _profile(c.parameters) != profile))
    transceiver.setCodecPreferences([*wanted, *(c for c in capabilities if c.name == "rtx")])


def keep_first_codec(transceiver: RTCRtpTransceiver) -> TrackCodec:
    """Reduce what was negotiated to one codec, with its retransmission, and describe it."""
    codecs = transceiver._codecs
    first = codecs[0]
    rtx = next(
        (c for c in codecs if c.name == "rtx" and c.parameters.get("apt") == first.payloadType),
        None,
    )
    transceiver._codecs = [first] if rtx is None else [first, rtx]
    return TrackCodec(
        kind=transceiver.kind,
        name=first.name,
        clock_rate=first.clockRate,
        payload_type=_payload_type(first),
        rtx_payload_type=None if rtx is None else _payload_type(rtx),
        profile=_profile(first.parameters),
    )


def without_extensions(transceiver: RTCRtpTransceiver) -> None:
    """Negotiate no RTP header extensions: forwarded packets carry none."""
    transceiver._headerExtensions = []


def sources_of(sender: RTCRtpSender) -> tuple[int, int]:
    """The source a sender announces, and that of its retransmissions."""
    return sender._ssrc, sender._rtx_ssrc


def _payload_type(codec: RTCRtpCodecParameters) -> int:
    if codec.payloadType is None:
        raise ValueError(f"{codec.name} has no payload type")
    return codec.payloadType


def _profile(parameters: dict[str, Any]) -> str | None:
    profile = parameters.get("profile-level-id")
    return None if profile is None else str(profile)


def offer_ice_hosts(pc: RTCPeerConnection, hosts: Sequence[str]) -> None:
    """Offer exactly these addresses as host candidates. Call before the answer is set.

    An address that is not of this machine is offered with the port of a socket on all
    addresses: a NAT in front of the machine maps it.
    """
    for transceiver in pc.getTransceivers():
        connection: Any = transceiver.receiver.transport.transport._connection

        async def gather(connection: Any = connection) -> None:
            if connection._local_candidates_start:
                return
            connection._local_candidates_start = True
            for host in hosts:
                found = await connection.get_component_candidates(1, [host])
                if not found:
                    found = await _behind_nat(connection, host)
                connection._local_candidates += found
            connection._local_candidates_end = True
            _read_little(connection)

        connection.gather_candidates = gather


def read_little(pc: RTCPeerConnection) -> None:
    """Read datagrams into buffers of their own size. Call when candidates have been gathered.

    asyncio makes 256 KiB of room for each, which costs ten times as much as reading it.
    """
    for transceiver in pc.getTransceivers():
        _read_little(transceiver.receiver.transport.transport._connection)


def _read_little(connection: Any) -> None:
    for protocol in connection._protocols:
        # Of asyncio's own transports only; another loop's have no such limit.
        if hasattr(protocol.transport, "max_size"):
            protocol.transport.max_size = READ_BYTES


async def _behind_nat(connection: Any, host: str) -> list[Any]:
    wildcard = "0.0.0.0" if ipaddress.ip_address(host).version == 4 else "::"  # noqa: S104
    found: list[Any] = await connection.get_component_candidates(1, [wildcard])
    for candidate in found:
        candidate.host = host
        candidate.foundation = candidate_foundation("host", "udp", host)
    return found


async def read_offer(pc: RTCPeerConnection, sdp: str) -> None:
    """Apply a remote offer. Raises whatever aiortc raises for one it cannot read."""
    await pc.setRemoteDescription(RTCSessionDescription(sdp=passive_offer(sdp), type="offer"))


async def make_answer(pc: RTCPeerConnection) -> str:
    """Set and return the answer, with all candidates in it."""
    await pc.setLocalDescription(await pc.createAnswer())
    return str(pc.localDescription.sdp)


def cname_of(sdp: str) -> bytes:
    """The canonical name that a description announces for its sources."""
    found = re.search(r"^a=ssrc:\d+ cname:(\S+)", sdp, re.MULTILINE)
    return (found.group(1) if found else "paystream").encode()


# --- the way out -------------------------------------------------------------------------


_work = ffi.new("char[]", DATAGRAM_BYTES_MAX + SRTP_TRAILER_BYTES_MAX)
_bytes = ffi.buffer(_work)
_view = memoryview(_bytes)
_length = ffi.new("int *")


class Outlet:
    """The sending side of one peer's transport: protect, then straight to the socket.

    Header and payload are put together in one work area that all outlets share, protected
    there and sent from there: pylibsrtp's own way costs four copies and two allocations more.
    What the kernel does not take at once is dropped, as on any congested path; the viewer
    asks for it again. Nothing queues up here.
    """

    def __init__(self, dtls: RTCDtlsTransport) -> None:
        self._dtls = dtls
        self._nominated = dtls.transport._connection._nominated
        self._pair: object | None = None
        self._sendto: Callable[[memoryview | bytes, tuple[str, int]], object] = _unsent
        self._srtp: Any = None
        self._address: tuple[str, int] = ("", 0)
        self.dropped = 0

    def send(self, header: bytes, payload: bytes) -> None:
        """Protect and send one RTP packet."""
        pair = self._nominated.get(1)
        if pair is None:
            return
        if pair is not self._pair or self._srtp is None:
            self._use(pair)
            if self._srtp is None:
                return
        length = 12 + len(payload)
        if length > DATAGRAM_BYTES_MAX:
            self.dropped += 1
            return
        _bytes[0:12] = header
        _bytes[12:length] = payload
        _length[0] = length
        if lib.srtp_protect(self._srtp, _work, _length) != 0:
            self.dropped += 1
            return
        try:
            self._sendto(_view[: _length[0]], self._address)
        except OSError:
            self.dropped += 1

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send one (compound) RTCP packet."""
        pair = self._nominated.get(1)
        srtp = self._dtls._tx_srtp
        if pair is None or srtp is None:
            return
        if pair is not self._pair:
            self._use(pair)
        try:
            self._sendto(srtp.protect_rtcp(packet), self._address)
        except OSError:
            self.dropped += 1

    def _use(self, pair: Any) -> None:
        self._pair = pair
        session = self._dtls._tx_srtp
        self._srtp = None if session is None else session._srtp[0]
        self._address = pair.remote_addr
        transport = pair.protocol.transport
        raw = getattr(transport, "_sock", None)
        self._sendto = transport.sendto if raw is None else raw.sendto


def _unsent(_packet: memoryview | bytes, _address: tuple[str, int]) -> object:
    return None


class EgressPort:
    """Stands in for a peer's senders: takes the reports and requests of its viewer."""

    def __init__(self, viewer: Subscriber, pc: RTCPeerConnection) -> None:
        self._viewer = viewer
        self._dtls: RTCDtlsTransport = pc.getTransceivers()[0].receiver.transport
        self._outlet = Outlet(self._dtls)
        self._ssrc = 0
        self._waiting = {t.mid for t in pc.getTransceivers() if t.direction == "sendonly"}
        for transceiver in pc.getTransceivers():
            self._replace(transceiver)

    def _replace(self, transceiver: RTCRtpTransceiver) -> None:
        async def send(parameters: RTCRtpSendParameters) -> None:  # noqa: ARG001
            self._waiting.discard(transceiver.mid)
            if not self._waiting:
                self._start()

        transceiver.sender.send = send  # type: ignore[method-assign]
        idle: Any = transceiver.receiver
        idle._RTCRtpReceiver__remote_bitrate_estimator = None  # 100 kB that nothing will use

    def _start(self) -> None:
        router = self._dtls._rtp_router
        for feed in self._viewer.feeds.values():
            router.register_sender(self, feed.ssrc)
            feed.send = self._outlet.send
        router.register_sender(self, 0)  # FIR names its source in its body only
        self._viewer.send_rtcp = self._outlet.send_rtcp
        self._viewer.connected = True
        self._viewer.release("connecting", now_us())

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            self._viewer.reports(packet.reports, now_us())
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self._viewer.lost_packets(packet.media_ssrc, packet.lost)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
            self._viewer.lost_picture(now_us())


# --- the way in --------------------------------------------------------------------------


class IngestPort:
    """Stands in for a peer's receiver: hands packets to a track, undecoded."""

    def __init__(
        self,
        track: Track,
        transceiver: RTCRtpTransceiver,
        on_sender_report: Callable[[Track, int, int, int], None],
    ) -> None:
        self._track = track
        self._dtls: RTCDtlsTransport = transceiver.receiver.transport
        self._on_sender_report = on_sender_report
        self._ssrc = transceiver.sender._ssrc
        self._estimator: RemoteBitrateEstimator | None = None
        transceiver.receiver.receive = self._receive  # type: ignore[method-assign]

    async def _receive(self, parameters: RTCRtpReceiveParameters) -> None:
        self._dtls._register_rtp_receiver(self, parameters)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        sent_at = packet.extensions.abs_send_time
        if sent_at is not None and self._track.codec.kind == "video":
            self._estimate(packet, sent_at, arrival_time_ms)
        self._track.receive(
            packet.payload_type,
            packet.ssrc,
            (packet.sequence_number, packet.timestamp, packet.marker, packet.payload),
            now_us(),
        )

    def _estimate(self, packet: RtpPacket, sent_at: int, arrival_time_ms: int) -> None:
        """Tell the publisher how fast it may send (REMB), as aiortc's own receiver does."""
        if self._estimator is None:
            self._estimator = RemoteBitrateEstimator()  # 2 ms and 100 kB: only where needed
        estimate = self._estimator.add(
            abs_send_time=sent_at,
            arrival_time_ms=arrival_time_ms,
            payload_size=len(packet.payload) + packet.padding_size,
            ssrc=packet.ssrc,
        )
        if estimate is not None:
            feedback = RtcpPsfbPacket(
                fmt=RTCP_PSFB_APP, ssrc=self._ssrc, media_ssrc=0, fci=pack_remb_fci(*estimate)
            )
            Outlet(self._dtls).send_rtcp(bytes(feedback))

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            self._on_sender_report(
                self._track,
                packet.sender_info.ntp_timestamp,
                packet.sender_info.rtp_timestamp,
                now_us(),
            )

    def _handle_disconnect(self) -> None:
        return None


class DirectIntake:
    """Takes a peer's media packets where they come off the socket.

    aiortc's own way (a queue, a task, two parsers) costs several times as much a packet; a
    process that plays many counting viewers cannot afford it. Everything that is not RTP goes
    the usual way.
    """

    def __init__(self, pc: RTCPeerConnection, tracks: Sequence[Track]) -> None:
        self._dtls: RTCDtlsTransport = pc.getTransceivers()[0].receiver.transport
        self._srtp: Any = None
        self._tracks: dict[int, Track] = {}
        for track in tracks:
            self._tracks[track.codec.payload_type] = track
            if track.codec.rtx_payload_type is not None:
                self._tracks[track.codec.rtx_payload_type] = track
        for protocol in self._dtls.transport._connection._protocols:
            self._stand_before(protocol)

    def _stand_before(self, protocol: Any) -> None:
        usual = protocol.datagram_received

        def datagram_received(data: bytes, address: tuple[Any, ...]) -> None:
            # Until DTLS is through, packets have to queue up behind it.
            media = len(data) > 12 and 127 < data[0] < 192 and not 191 < data[1] < 209
            if not (media and self._take(data)):
                usual(data, address)

        protocol.datagram_received = datagram_received

    def _take(self, data: bytes) -> bool:
        if self._srtp is None:
            session = self._dtls._rx_srtp
            if session is None:
                return False
            self._srtp = session._srtp[0]
        length = len(data)
        if length > DATAGRAM_BYTES_MAX:
            return True
        _bytes[0:length] = data
        _length[0] = length
        if lib.srtp_unprotect(self._srtp, _work, _length) != 0:
            return True
        found = read_packet(_bytes[0 : _length[0]])
        if found is None:
            return True
        payload_type, ssrc, packet = found
        track = self._tracks.get(payload_type)
        if track is not None:
            track.receive(payload_type, ssrc, packet, now_us())
        return True


def count_repairs(pc: RTCPeerConnection) -> None:
    """Let aiortc's own receivers report what retransmission repaired as received.

    They count the retransmission as another source's packet, and the packet itself as lost for
    good. Call before media flows; twice does no harm.
    """
    for transceiver in pc.getTransceivers():
        receiver: Any = transceiver.receiver
        if "_handle_rtp_packet" not in vars(receiver):
            receiver._handle_rtp_packet = _counting_repairs(receiver, transceiver)


def _counting_repairs(receiver: Any, transceiver: RTCRtpTransceiver) -> Any:
    usual = receiver._handle_rtp_packet

    async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
        repairs = {c.payloadType for c in transceiver._codecs if c.name == "rtx"}
        if packet.payload_type in repairs and len(packet.payload) > 2:
            original = receiver._RTCRtpReceiver__rtx_ssrc.get(packet.ssrc)
            stream = receiver._RTCRtpReceiver__remote_streams.get(original)
            if stream is not None:
                stream.packets_received += 1
        await usual(packet, arrival_time_ms)

    return handle


async def close_quietly(pc: RTCPeerConnection, within_s: float = 1.0) -> None:
    """Close a peer connection; one that does not close in time is left to the collector."""
    try:
        await asyncio.wait_for(pc.close(), within_s)
    except TimeoutError:
        log.warning("a peer connection did not close within %.1f s", within_s)
