"""The one place where datagrams come off the sockets of a server's peer connections.

Whatever the network brings is read in bounded portions, sorted by its first byte (RFC 7983) and
looked at before aioice and aiortc see it: neither is made for strangers' datagrams. What is
turned away is counted by kind and written nowhere. Each private member touched here is named in
`tests/sfu/test_sockets.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from aioice import stun
from aioice.ice import CandidatePair
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtp import RtcpPacket, RtpPacket

log = logging.getLogger(__name__)

Address = tuple[str, int]

DATAGRAM_BYTES_MAX: Final = 1500
"""pylibsrtp refuses longer ones, and aiortc's task ends with that."""
READ_BYTES: Final = 2048
"""What one read of a socket asks for. More than any datagram of ICE, DTLS or media."""
DATAGRAMS_A_TURN: Final = 128
"""How many datagrams one socket may bring before others have their turn."""
TURN_S: Final = 0.005
"""How long the sockets together go on reading in one turn of the loop. Each reads one in any
case; what is left waits in the kernel."""
ALONE_S: Final = 0.02
"""What comes so long after the last is taken to come alone, as viewers' reports do. Longer than
a turn of a busy loop, so that a flood is not taken for that."""
INGEST_BUFFER_BYTES: Final = 4 << 20
"""Room in the kernel for a publisher: a keyframe at line rate while the loop sends to viewers."""
EGRESS_BUFFER_BYTES: Final = 256 << 10
"""Room in the kernel for a viewer, who sends reports."""
ADDRESSES_MAX: Final = 16
"""From how many addresses one peer may come at a time."""
STUN_ANSWER_BYTES: Final = 64
STUN_ANSWER_BYTES_MAX: Final = 76
"""What a check is answered with: the longer one over IPv6, and where roles conflict. An address
that is new gets no answer longer than its question. ffmpeg 8.0 asks with 76 bytes, everybody else
with more."""
STUN_REQUESTS_A_SECOND: Final = 100
ROLE_CONFLICTS_MAX: Final = 3
QUEUE_MAX: Final = 1024
"""How many datagrams may wait for aiortc."""
QUEUE_EARLY_MAX: Final = 64
"""How many may wait before there are keys."""
RTP_BYTES_MIN: Final = 12
SOURCES_MAX: Final = 64
"""How many sources (SSRC) one peer may send from: libsrtp keeps something for each, for good."""
HANDSHAKE_BYTES_MAX: Final = 1 << 15
"""The longest message of a DTLS handshake: a chain of certificates."""

REJECTED: Final = {
    "empty": "no byte in it",
    "short": "shorter than the least RTP or RTCP packet",
    "oversized": f"longer than {DATAGRAM_BYTES_MAX} bytes",
    "unknown": "a first byte of no protocol that is spoken here",
    "stranger": "media or DTLS from an address that has passed no STUN check",
    "stun-broken": "STUN that cannot be read",
    "stun-unsigned": "a STUN request without this connection's name and password",
    "stun-small": "a STUN request that is shorter than its answer, from a new address",
    "stun-addresses": f"a STUN request from yet another address after {ADDRESSES_MAX}",
    "stun-rate": f"more than {STUN_REQUESTS_A_SECOND} STUN requests in a second",
    "stun-unasked": "a STUN answer that nobody waits for",
    "stun-conflict": "one role conflict after the other",
    "dtls-broken": "DTLS records that do not fit together",
    "dtls-alert": "a DTLS alert that is not encrypted",
    "srtp-sources": f"media of yet another source after {SOURCES_MAX}",
    "srtp-undecryptable": "media that does not fit the keys",
    "rtp-broken": "RTP that cannot be read, from a peer with the right keys",
    "rtcp-broken": "RTCP that cannot be read, from a peer with the right keys",
    "queue-full": "more than can wait",
    "defect": "a mistake of this server; the first one is in the log",
}
"""Why datagrams are turned away, by the names under which they are counted."""

OnMedia = Callable[[bytes], bool]
"""Takes one SRTP or SRTCP datagram once there are keys, and says whether it was authentic."""


class PortsTaken(OSError):
    """Every UDP port that sockets may have is in use."""


class UdpPorts:
    """Gives out UDP ports: any free one, or those of a range, the longest unused first."""

    def __init__(self, first_last: tuple[int, int] | None = None) -> None:
        self.first_last = first_last
        self._free: dict[str, deque[int]] = {}

    def bind(self, address: str) -> socket.socket:
        """A socket for this address, which does not block.

        One that is not of this machine is a NAT's in front of it: then the socket is bound to all
        addresses. Raises `PortsTaken`, or `OSError` (no descriptor left, no such family).
        """
        version = ipaddress.ip_address(address).version
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                self._bind(sock, address)
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                self._bind(sock, "0.0.0.0" if version == 4 else "::")  # noqa: S104
        except BaseException:
            sock.close()
            raise
        return sock

    def _bind(self, sock: socket.socket, host: str) -> None:
        if self.first_last is None:
            sock.bind((host, 0))
            return
        first, last = self.first_last
        free = self._free.setdefault(host, deque(range(first, last + 1)))
        for _ in range(min(len(free), 256)):
            port = free.popleft()
            try:
                sock.bind((host, port))
            except OSError as error:
                free.append(port)
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return
        raise PortsTaken(
            errno.EADDRINUSE, f"every UDP port from {first} to {last} at {host} is in use"
        )

    def close(self, sock: socket.socket) -> None:
        """Close a socket of `bind`; its port may be given out again."""
        if self.first_last is not None:
            with contextlib.suppress(OSError):
                host, port = sock.getsockname()[:2]
                self._free[str(host)].append(port)
        sock.close()


class ReadBudget:
    """How long the sockets together may read in one turn of the loop."""

    def __init__(self) -> None:
        self._until: float | None = None

    def until(self, loop: asyncio.AbstractEventLoop) -> float:
        """When this turn's reading ends, on `time.monotonic`."""
        if self._until is None:
            self._until = time.monotonic() + TURN_S
            loop.call_soon(self._next_turn)
        return self._until

    def _next_turn(self) -> None:
        self._until = None


class MediaSockets:
    """What all sockets of one engine share: ports, buffers, counts."""

    def __init__(self, udp_ports: tuple[int, int] | None = None) -> None:
        self.ports = UdpPorts(udp_ports)
        self.budget = ReadBudget()
        self.rejected: dict[str, int] = dict.fromkeys(REJECTED, 0)
        """How many datagrams were turned away, by the kinds of `REJECTED`."""
        self.open = 0
        """How many sockets are open."""
        self._told_of_buffer = False

    def bind(self, address: str, buffer_bytes: int) -> socket.socket:
        """A socket with room in the kernel. Raises as `UdpPorts.bind` does."""
        sock = self.ports.bind(address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        # Linux gives twice what it grants (socket(7)).
        granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        if granted < buffer_bytes // 2 and not self._told_of_buffer:
            self._told_of_buffer = True
            log.warning(
                "sockets have room for %d KiB instead of %d: bursts of publishers may be lost; "
                "`sysctl -w net.core.rmem_max=%d`",
                granted >> 10,
                buffer_bytes >> 10,
                INGEST_BUFFER_BYTES,
            )
        self.open += 1
        return sock

    def close(self, sock: socket.socket) -> None:
        """Close a socket of `bind`."""
        self.open -= 1
        self.ports.close(sock)

    def defect(self) -> None:
        """Count a mistake of ours; the first is told with its traceback. Call while handling it."""
        if not self.rejected["defect"]:
            log.exception("a datagram could not be dealt with; further ones are only counted")
        self.rejected["defect"] += 1


class ServerSocket(asyncio.DatagramTransport):
    """An asyncio transport that reads a burst as a whole, not one datagram a turn.

    It sends at once or not at all: what the kernel has no room for is lost, as on any path.
    """

    def __init__(self, sock: socket.socket, protocol: Any, door: Door) -> None:
        super().__init__({"socket": sock, "sockname": sock.getsockname()})
        self._sock = sock
        self._protocol = protocol
        self._door = door
        self._shared = door.shared
        self._loop = asyncio.get_running_loop()
        self._closing = False
        self._read_s = -1e9
        protocol.connection_made(self)
        self._loop.add_reader(sock, self._drain)

    def _drain(self) -> None:
        # Asking whether there is more costs as much as reading it. So what comes alone is read
        # alone; if more is there after all, the loop comes back at once, and all is read.
        if time.monotonic() - self._read_s > ALONE_S:
            self._read()
        else:
            until = self._shared.budget.until(self._loop)
            for _ in range(DATAGRAMS_A_TURN):
                if not self._read() or self._closing or time.monotonic() >= until:
                    break
        self._read_s = time.monotonic()

    def _read(self) -> bool:
        """Take one datagram, if there is one."""
        try:
            data, address = self._sock.recvfrom(READ_BYTES)
        except OSError:  # nothing more, or an ICMP error of what was sent before
            return False
        try:
            self._door.received(self._protocol, data, (address[0], address[1]))
        except Exception:
            self._shared.defect()
        return True

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Send one datagram, or lose it."""
        if not self._closing:
            with contextlib.suppress(OSError):
                self._sock.sendto(data, addr)

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self._closing

    def close(self) -> None:
        """Close it at once."""
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._sock)
        self._shared.close(self._sock)
        self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close it at once."""
        self.close()


class Door:
    """Stands between the sockets of one peer connection and aioice and aiortc.

    `on_media`, where it is set, takes SRTP and SRTCP directly once there are keys; otherwise
    they queue up for aiortc. DTLS always does.
    """

    def __init__(self, connection: Any, dtls: RTCDtlsTransport, shared: MediaSockets) -> None:
        self.shared = shared
        self.on_media: OnMedia | None = None
        self._sources: set[bytes] = set()
        self._heard_s = -1e9
        self._media_from: Address | None = None
        self._connection = connection
        self._dtls = dtls
        self._name = f"{connection.local_username}:".encode()
        self._password = connection.local_password.encode()
        self._known: set[Address] = set()
        self._conflicts = 0
        self._second = 0
        self._requests = 0
        hooks: Any = dtls
        hooks._handle_rtp_data = self._handle_rtp
        hooks._handle_rtcp_data = self._handle_rtcp

    def _reject(self, kind: str) -> None:
        self.shared.rejected[kind] += 1

    def heard_s(self, address: Address) -> float:
        """When authentic media last came from this address, on `time.monotonic`."""
        return self._heard_s if address == self._media_from else -1e9

    def received(self, protocol: Any, data: bytes, address: Address) -> None:
        """Sort one datagram by its first byte (RFC 7983) and pass it on, or count it."""
        length = len(data)
        if not length:
            self._reject("empty")
        elif length > DATAGRAM_BYTES_MAX:
            self._reject("oversized")
        elif 127 < data[0] < 192:
            self._media(data, address)
        elif data[0] < 4:
            self._stun(protocol, data, address)
        elif 19 < data[0] < 64:
            self._datagram_of_dtls(data, address)
        else:
            self._reject("unknown")

    # --- media -----------------------------------------------------------------------

    def _media(self, data: bytes, address: Address) -> None:
        if address not in self._known:
            self._reject("stranger")
        elif len(data) < RTP_BYTES_MIN:
            self._reject("short")
        elif self._dtls._rx_srtp is None:
            self._queue(data, QUEUE_EARLY_MAX)
        elif len(self._sources) >= SOURCES_MAX and _source(data) not in self._sources:
            self._reject("srtp-sources")
        elif self.on_media is None:
            self._media_from = address
            self._queue(data, QUEUE_MAX)
        elif self.on_media(data):
            self._media_from = address
            self._authentic(data)
        else:
            self._reject("srtp-undecryptable")

    def _authentic(self, data: bytes) -> None:
        self._heard_s = time.monotonic()
        self._sources.add(_source(data))

    async def _handle_rtp(self, data: bytes, arrival_time_ms: int) -> None:
        """What aiortc does with RTP that it has decrypted, for whatever is in it."""
        self._authentic(data)
        try:
            packet = RtpPacket.parse(data, self._dtls._rtp_header_extensions_map)
            receiver = self._dtls._rtp_router.route_rtp(packet)
        except Exception:  # whatever the parser stumbles over
            self._reject("rtp-broken")
            return
        if receiver is not None:
            try:
                await receiver._handle_rtp_packet(packet, arrival_time_ms=arrival_time_ms)
            except Exception:
                self.shared.defect()

    async def _handle_rtcp(self, data: bytes) -> None:
        """What aiortc does with RTCP that it has decrypted, for whatever is in it."""
        self._authentic(data)
        router = self._dtls._rtp_router
        try:
            routed = [(packet, router.route_rtcp(packet)) for packet in RtcpPacket.parse(data)]
        except Exception:  # whatever the parser stumbles over
            self._reject("rtcp-broken")
            return
        for packet, recipients in routed:
            for recipient in recipients:
                try:
                    await recipient._handle_rtcp_packet(packet)
                except Exception:
                    self.shared.defect()

    # --- DTLS ------------------------------------------------------------------------

    def _datagram_of_dtls(self, data: bytes, address: Address) -> None:
        if address not in self._known:
            self._reject("stranger")
            return
        fault = dtls_fault(data)
        if fault is not None:
            self._reject(fault)
        else:
            self._queue(data, QUEUE_EARLY_MAX)

    def _queue(self, data: bytes, most: int) -> None:
        queue = self._connection._queue
        if queue.qsize() >= most:
            self._reject("queue-full")
        else:
            queue.put_nowait((data, 1))

    # --- STUN ------------------------------------------------------------------------

    def _stun(self, protocol: Any, data: bytes, address: Address) -> None:
        # The cheap questions first: strangers' requests must not cost a parser's time.
        if len(data) < 20 or len(data) & 3 or data[4:8] != b"\x21\x12\xa4\x42":
            self._reject("stun-broken")
            return
        request = data[0] == 0 and data[1] == 1
        if request and self._name not in data:
            self._reject("stun-unsigned")
            return
        if not request and data[8:20] not in protocol.transactions:
            if data[:2] != b"\x00\x11":  # an indication keeps a NAT's mapping, and wants nothing
                self._reject("stun-unasked")
            return
        try:
            message = stun.parse_message(data)
        except Exception:  # struct.error, UnicodeDecodeError, ValueError, ...
            self._reject("stun-broken")
            return
        if request:
            self._stun_request(protocol, message, len(data), address)
        elif message.message_class in (stun.Class.RESPONSE, stun.Class.ERROR):
            self._stun_answer(protocol, message, address)
        else:
            self._reject("stun-broken")

    def _stun_request(
        self, protocol: Any, message: stun.Message, length: int, address: Address
    ) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._requests = second, 0
        self._requests += 1
        if self._requests > STUN_REQUESTS_A_SECOND:
            self._reject("stun-rate")
            return
        name = message.attributes.get("USERNAME")
        if not (
            isinstance(name, str)
            and self._connection._valid_username(name)
            and message.check_message_integrity(self._password)
        ):
            self._reject("stun-unsigned")
            return
        if address not in self._known:
            long = ":" in address[0] or "ICE-CONTROLLED" in message.attributes
            if length < (STUN_ANSWER_BYTES_MAX if long else STUN_ANSWER_BYTES):
                self._reject("stun-small")
                return
            if len(self._known) >= ADDRESSES_MAX and not self._forget_idle():
                self._reject("stun-addresses")
                return
            self._known.add(address)
        message.attributes.setdefault("PRIORITY", 0)  # ffmpeg 8.0 sends none
        self._connection.request_received(message, address, protocol)

    def _stun_answer(self, protocol: Any, message: stun.Message, address: Address) -> None:
        if message.error_code == 487:
            self._conflicts += 1
            if self._conflicts > ROLE_CONFLICTS_MAX:
                self._reject("stun-conflict")
                return
        protocol.transactions[message.transaction_id].response_received(message, address)

    def _forget_idle(self) -> bool:
        """Forget the addresses that are neither used nor being checked. Says if one was."""
        connection = self._connection
        nominated = list(connection._nominated.values())
        ended = (CandidatePair.State.FAILED, CandidatePair.State.SUCCEEDED)
        kept = [p for p in connection._check_list if p in nominated or p.state not in ended]
        connection._check_list[:] = kept
        used = {pair.remote_addr for pair in kept}
        used.update(address for _, address, _ in connection._early_checks)
        connection._remote_candidates[:] = [pair.remote_candidate for pair in kept]
        forgotten = self._known - used
        self._known &= used
        return bool(forgotten)


def _source(data: bytes) -> bytes:
    """The source of an RTP or RTCP packet, which is never encrypted."""
    return data[4:8] if 191 < data[1] < 224 else data[8:12]


_HANDSHAKE, _ALERT, _CHANGE_CIPHER = 22, 21, 20


def dtls_fault(data: bytes) -> str | None:
    """Why a datagram cannot be DTLS of an honest peer, or None.

    Looks at records and, where they are not encrypted, at what is in them (RFC 6347, 4.1 and
    4.2.2): a record that does not fit together ends OpenSSL's handshake instead of being dropped.
    An alert that is not encrypted could be anybody's, so it ends nothing.
    """
    if data[0] & 0xE0 == 0x20:  # DTLS 1.3's ciphertext (RFC 9147, 4) is encrypted throughout
        return None if len(data) > 18 else "dtls-broken"
    at = 0
    while at < len(data):
        body = at + 13
        end = body + int.from_bytes(data[body - 2 : body], "big")
        kind, version = data[at], data[at + 1 : at + 3]
        if not body < end <= len(data) or kind not in range(20, 27):
            return "dtls-broken"
        if version not in (b"\xfe\xff", b"\xfe\xfd"):
            return "dtls-broken"
        if data[at + 3 : at + 5] == b"\x00\x00":
            if kind == _ALERT:
                return "dtls-alert"
            if kind == _CHANGE_CIPHER:
                fits = data[body:end] == b"\x01"
            else:
                fits = kind == _HANDSHAKE and _handshake_fits(data, body, end)
            if not fits:
                return "dtls-broken"
        at = end
    return None


def _handshake_fits(data: bytes, at: int, end: int) -> bool:
    while at < end:
        body = at + 12
        if body > end:
            return False
        total = int.from_bytes(data[at + 1 : at + 4], "big")
        offset = int.from_bytes(data[at + 6 : at + 9], "big")
        length = int.from_bytes(data[at + 9 : at + 12], "big")
        if total > HANDSHAKE_BYTES_MAX or offset + length > total or body + length > end:
            return False
        if not length and total:
            return False
        at = body + length
    return True
