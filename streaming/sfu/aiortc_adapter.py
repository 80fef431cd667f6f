"""aiortc made to forward: encoded packets come in and go out, nothing is decoded.

aiortc has no hook where an SFU needs one, so this module replaces a receiver's `receive`
and a sender's `send` before they start (no decoder thread, no jitter buffer, no encoder), takes
packets and reports from the DTLS transport itself, and protects and sends packets without the
coroutine chain between. Each private member touched here is named in
`tests/sfu/test_aiortc_adapter.py`, and aiortc is pinned.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import (
    RTCRtcpFeedback,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from aiortc.rtp import RtpPacket
from pylibsrtp._binding import ffi, lib

from streaming.sfu import rtcp, transport_cc
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.rtcp import LossDetector
from streaming.sfu.rtcp_reader import SenderReport, read_compound
from streaming.sfu.rtp import read_packet, unwrap16
from streaming.sfu.sockets import DATAGRAM_BYTES_MAX, READ_BYTES, Door
from streaming.sfu.subscription import Subscriber

log = logging.getLogger(__name__)

SRTP_TRAILER_BYTES_MAX = 144
"""libsrtp's `SRTP_MAX_TRAILER_LEN`."""


def now_us() -> int:
    """The server's monotonic clock in microseconds."""
    return time.monotonic_ns() // 1000


# --- what aiortc negotiates ----------------------------------------------------------------

_NUMBERED_ID = 5
"""Of the transport-wide number in our own offers; answers take the offer's."""


def _negotiate_numbers() -> None:
    """Let aiortc offer and answer transport-wide numbers and their feedback: it can read the
    extension, and has no setting for it."""
    for kind, extensions in HEADER_EXTENSIONS.items():
        if all(known.uri != transport_cc.URI for known in extensions):
            extensions.append(
                RTCRtpHeaderExtensionParameters(id=_NUMBERED_ID, uri=transport_cc.URI)
            )
            for codec in CODECS[kind]:
                if codec.name != "rtx":
                    codec.rtcpFeedback.append(RTCRtcpFeedback(type="transport-cc"))


_negotiate_numbers()


# --- negotiation -------------------------------------------------------------------------


def new_peer() -> RTCPeerConnection:
    """A peer connection without STUN servers, one transport for everything."""
    return RTCPeerConnection(
        RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    )


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


def negotiated_extension(transceiver: RTCRtpTransceiver, uri: str) -> int | None:
    """The id under which the peer takes (or sends) a header extension."""
    return next((found.id for found in transceiver._headerExtensions if found.uri == uri), None)


def numbered_by(pc: RTCPeerConnection) -> int | None:
    """The extension that carries transport-wide numbers on every track that flows, if one does:
    numbers that only some packets carry would leave holes."""
    ids = {
        negotiated_extension(transceiver, transport_cc.URI)
        for transceiver in pc.getTransceivers()
        if transceiver.direction != "inactive"
    }
    return ids.pop() if len(ids) == 1 else None


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


# --- the way out -------------------------------------------------------------------------


_work = ffi.new("char[]", DATAGRAM_BYTES_MAX + SRTP_TRAILER_BYTES_MAX)
_bytes = ffi.buffer(_work)
_view = memoryview(_bytes)
_length = ffi.new("int *")
_protect = lib.srtp_protect


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
        if pair is not self._pair or self._srtp is None:
            if pair is None:
                return
            self._use(pair)
            if self._srtp is None:
                return
        begin = len(header)
        length = begin + len(payload)
        if length > DATAGRAM_BYTES_MAX:
            self.dropped += 1
            return
        _bytes[0:begin] = header
        _bytes[begin:length] = payload
        _length[0] = length
        if _protect(self._srtp, _work, _length) != 0:
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
    """Stands in for a peer's senders: sends what its subscriber is forwarded, and hands it
    what the viewer says about it."""

    def __init__(self, subscriber: Subscriber, pc: RTCPeerConnection, door: Door) -> None:
        self._subscriber = subscriber
        self._dtls: RTCDtlsTransport = pc.getTransceivers()[0].receiver.transport
        self._outlet = Outlet(self._dtls)
        self._timer: asyncio.TimerHandle | None = None
        intake = MediaIntake(self._dtls, on_rtp=_ignore_media, on_rtcp=self._heard)
        door.on_media = intake.take
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
        for feed in self._subscriber.feeds.values():
            feed.send = self._outlet.send
        self._subscriber.send_rtcp = self._outlet.send_rtcp
        self._subscriber.path.wake_at = self._wake_at
        self._subscriber.connected = True
        self._subscriber.release("connecting", now_us())

    def _heard(self, data: bytes) -> None:
        self._subscriber.heard(read_compound(data), now_us())

    def _wake_at(self, at_us: int) -> None:
        """Have the packets that wait sent at that time; once, however often it is asked."""
        if self._timer is None:
            delay_s = max(at_us - now_us(), 0) / 1_000_000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._due)

    def _due(self) -> None:
        self._timer = None
        self._subscriber.path.due(now_us())


# --- the way in --------------------------------------------------------------------------


class MediaIntake:
    """Takes a peer's SRTP and SRTCP packets where they come off the socket, and decrypts them.

    aiortc's own way (a queue, a task, two parsers) costs several times as much a packet.
    Everything else (STUN, DTLS) goes the usual way.
    """

    def __init__(
        self,
        dtls: RTCDtlsTransport,
        *,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
    ) -> None:
        self._dtls = dtls
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._srtp: Any = None
        # What comes before there are keys queues up in aiortc, and is decrypted there.
        queued: Any = dtls
        queued._handle_rtp_data = self._queued_rtp
        queued._handle_rtcp_data = self._queued_rtcp

    async def _queued_rtp(self, data: bytes, arrival_time_ms: int) -> None:  # noqa: ARG002
        self._on_rtp(data)

    async def _queued_rtcp(self, data: bytes) -> None:
        self._on_rtcp(data)

    def stand_before_sockets(self) -> None:
        """Take the datagrams of a client's own sockets, which no `Door` reads."""
        for protocol in self._dtls.transport._connection._protocols:
            self._stand_before(protocol)

    def _stand_before(self, protocol: Any) -> None:
        usual = protocol.datagram_received

        def datagram_received(data: bytes, address: tuple[Any, ...]) -> None:
            # Until DTLS is through, packets have to queue up behind it.
            media = len(data) > 12 and 127 < data[0] < 192
            if not (media and self._srtp_session() and self.take(data)):
                usual(data, address)

        protocol.datagram_received = datagram_received

    def _srtp_session(self) -> bool:
        session = self._dtls._rx_srtp
        if self._srtp is None and session is not None:
            self._srtp = session._srtp[0]
        return self._srtp is not None

    def take(self, data: bytes) -> bool:
        """One SRTP or SRTCP packet, once there are keys; whether it is authentic."""
        length = len(data)
        if length > DATAGRAM_BYTES_MAX or not self._srtp_session():
            return False
        _bytes[0:length] = data
        _length[0] = length
        if 191 < data[1] < 224:  # RTCP (RFC 5761, 4)
            if lib.srtp_unprotect_rtcp(self._srtp, _work, _length) != 0:
                return False
            self._on_rtcp(_bytes[0 : _length[0]])
        else:
            if lib.srtp_unprotect(self._srtp, _work, _length) != 0:
                return False
            self._on_rtp(_bytes[0 : _length[0]])
        return True


def _ignore_media(_data: bytes) -> None:
    return None


class IngestPort:
    """Stands in for a peer's receivers: hands packets to tracks, undecoded, and tells the peer
    what has arrived of them."""

    def __init__(
        self,
        pc: RTCPeerConnection,
        published: PublishedTracks,
        numbered_by: int | None,
        send_rtcp: Callable[[bytes], None],
        door: Door | None = None,
    ) -> None:
        """`numbered_by` is the extension that carries transport-wide numbers, if any does;
        `door` reads the sockets of a server, a client's are read as they are."""
        self._dtls: RTCDtlsTransport = pc.getTransceivers()[0].receiver.transport
        self._published = published
        self._numbered_by = numbered_by
        self._tracks: dict[int, Track] = {}
        for track in published.tracks.values():
            self._tracks[track.codec.payload_type] = track
            if track.codec.rtx_payload_type is not None:
                self._tracks[track.codec.rtx_payload_type] = track
        if numbered_by is not None:
            ssrc = next(iter(published.tracks.values())).rtcp_ssrc
            published.feedback = transport_cc.Receiver(ssrc, 0)
            published.send_feedback = send_rtcp
        for transceiver in pc.getTransceivers():
            self._replace(transceiver)
        intake = MediaIntake(self._dtls, on_rtp=self._media, on_rtcp=self._control)
        if door is None:
            intake.stand_before_sockets()
        else:
            door.on_media = intake.take

    def _replace(self, transceiver: RTCRtpTransceiver) -> None:
        async def receive(parameters: RTCRtpReceiveParameters) -> None:
            """Start nothing: no decoder, no jitter buffer."""

        transceiver.receiver.receive = receive  # type: ignore[method-assign]

    def _media(self, data: bytes) -> None:
        found = read_packet(data)
        if found is None:
            return
        payload_type, ssrc, packet, extension = found
        now = now_us()
        if extension and self._numbered_by is not None:
            number = transport_cc.transport_sequence(extension, self._numbered_by)
            if number is not None and self._published.feedback is not None:
                self._published.feedback.media_ssrc = ssrc
                self._published.feedback.add(number, now)
        track = self._tracks.get(payload_type)
        if track is not None:
            track.receive(payload_type, ssrc, packet, now)

    def _control(self, data: bytes) -> None:
        for message in read_compound(data):
            if isinstance(message, SenderReport):
                self._published.heard(message, now_us())


class ReceiverFeedback:
    """Lets aiortc's own receivers say what browsers say, and they do not: what has arrived by
    transport-wide number, and again and again which packets of the picture are missing."""

    EVERY_S = 0.05

    def __init__(self, pc: RTCPeerConnection) -> None:
        transceivers = pc.getTransceivers()
        self._ssrc = transceivers[0].sender._ssrc
        self._outlet = Outlet(transceivers[0].receiver.transport)
        self._arrivals = transport_cc.Receiver(self._ssrc, 0)
        self._losses = LossDetector()
        self._newest: int | None = None
        self._media_ssrc = 0
        for transceiver in transceivers:
            self._stand_before(transceiver)

    def _stand_before(self, transceiver: RTCRtpTransceiver) -> None:
        receiver: Any = transceiver.receiver
        usual = receiver._handle_rtp_packet

        async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
            number = packet.extensions.transport_sequence_number
            if number is not None:
                self._arrivals.media_ssrc = packet.ssrc
                self._arrivals.add(number, now_us())
            if transceiver.kind == "video":
                repairs = {c.payloadType for c in transceiver._codecs if c.name == "rtx"}
                self._note(packet, repair=packet.payload_type in repairs)
            await usual(packet, arrival_time_ms)

        receiver._handle_rtp_packet = handle

    def _note(self, packet: RtpPacket, *, repair: bool) -> None:
        """Remember which packet of the picture has come, at first or again."""
        if repair:
            if len(packet.payload) <= 2 or self._newest is None:
                return
            sequence = int.from_bytes(packet.payload[:2], "big")
        else:
            sequence = packet.sequence_number
            self._media_ssrc = packet.ssrc
        near = sequence if self._newest is None else self._newest
        number = unwrap16(sequence, near)
        self._newest = max(near, number)
        self._losses.add(number)

    async def send_for_ever(self) -> None:
        """Send feedback each 100 ms, and requests as they are due, until cancelled."""
        while True:
            await asyncio.sleep(self.EVERY_S)
            now = now_us()
            while (packet := self._arrivals.due(now)) is not None:
                self._outlet.send_rtcp(packet)
            missing = self._losses.due(now)
            if missing:
                nack = rtcp.negative_acknowledgement(self._ssrc, self._media_ssrc, missing)
                self._outlet.send_rtcp(nack)


async def close_quietly(pc: RTCPeerConnection, within_s: float = 1.0) -> None:
    """Close a peer connection; one that does not close in time is left to the collector."""
    try:
        await asyncio.wait_for(pc.close(), within_s)
    except TimeoutError:
        log.warning("a peer connection did not close within %.1f s", within_s)
