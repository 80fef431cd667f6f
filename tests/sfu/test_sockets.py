"""What comes off a server's sockets: read in portions, sorted, and turned away with a count."""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
import struct
import time
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import stun
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtp import HeaderExtensionsMap, RtcpPacket, RtpPacket

import datagram_fuzz
from streaming.sfu import sockets
from streaming.sfu.sockets import (
    ADDRESSES_MAX,
    DATAGRAM_BYTES_MAX,
    QUEUE_EARLY_MAX,
    QUEUE_MAX,
    REJECTED,
    ROLE_CONFLICTS_MAX,
    SOURCES_MAX,
    STUN_REQUESTS_A_SECOND,
    Door,
    MediaSockets,
    PortsTaken,
    ServerSocket,
    UdpPorts,
    dtls_fault,
)

PEER = ("192.0.2.77", 5000)
STRANGER = ("192.0.2.66", 6000)
SRTP = bytes([0x80, 96]) + bytes(30)
SRTCP = bytes([0x80, 200]) + bytes(30)
REMOTE = "remote00"
CORPUS = {path.stem: path.read_bytes() for path in sorted(datagram_fuzz.CORPUS.glob("*.bin"))}


class Wire:
    """Where a protocol's answers go."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []

    def sendto(self, data: bytes, addr: Any = None) -> None:
        self.sent.append((data, addr))


class Rig:
    """A door with aioice behind it, and a peer's transport that does nothing."""

    def __init__(self) -> None:
        self.connection = Connection(ice_controlling=False)
        self.connection.remote_username = REMOTE
        self.connection.remote_password = "p" * 22
        self.dtls: Any = SimpleNamespace(
            _rx_srtp=None,
            _rtp_header_extensions_map=HeaderExtensionsMap(),
            _rtp_router=SimpleNamespace(route_rtp=lambda _p: None, route_rtcp=lambda _p: set()),
        )
        self.shared = MediaSockets()
        self.door = Door(self.connection, self.dtls, self.shared)
        self.protocol: Any = StunProtocol(self.connection)
        self.wire = Wire()
        self.protocol.transport = self.wire
        self.protocol.local_candidate = SimpleNamespace(component=1, host="192.0.2.1", port=4000)

    def request(self, *attributes: tuple[int, bytes], name: str | None = None) -> bytes:
        """A signed request as ffmpeg 8.0 sends it: USERNAME, USE-CANDIDATE, no PRIORITY."""
        body = b"".join(
            struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) & 3)
            for kind, value in (attributes or ((0x25, b""),))
        )
        header = struct.pack("!HHI12s", 1, len(body), stun.COOKIE, b"transaction!")
        name = name or f"{self.connection.local_username}:{REMOTE}"
        return datagram_fuzz.signed(
            header + body, name.encode(), self.connection.local_password.encode()
        )

    def receive(self, data: bytes, address: tuple[str, int] = PEER) -> None:
        self.door.received(self.protocol, data, address)

    def prove(self, address: tuple[str, int] = PEER) -> None:
        self.receive(self.request(), address)
        self.wire.sent.clear()

    def queued(self) -> list[bytes]:
        queue = self.connection._queue
        return [queue.get_nowait()[0] for _ in range(queue.qsize())]  # type: ignore[index]

    @property
    def rejected(self) -> dict[str, int]:
        return {kind: count for kind, count in self.shared.rejected.items() if count}


@pytest.fixture
def rig() -> Iterator[Rig]:
    with asyncio.Runner() as runner:

        async def made() -> Rig:
            return Rig()

        yield runner.run(made())


# --- sorting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (bytes(DATAGRAM_BYTES_MAX + 1), "oversized"),
        (b"\x04", "unknown"),
        (b"GET / HTTP/1.1\r\n", "unknown"),
        (b"\xff" * 40, "unknown"),
        (b"\x80", "short"),
        (SRTP[:11], "short"),
        (b"\x00", "stun-broken"),
        (bytes(20), "stun-broken"),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(11), "stun-broken"),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), "stun-unsigned"),
        (b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), "stun-unasked"),
        (b"\x01\x11\x00\x00\x21\x12\xa4\x42" + bytes(12), "stun-unasked"),
        (b"\x16", "dtls-broken"),
        (b"\x15\xfe\xfd" + bytes(9) + b"\x03\x02\x28", "dtls-broken"),
        (b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28", "dtls-alert"),
    ],
)
def test_what_is_none_of_ours_is_counted_and_goes_nowhere(rig: Rig, data: bytes, kind: str) -> None:
    rig.prove()
    rig.receive(data)
    assert rig.rejected == {kind: 1}
    assert rig.queued() == []
    assert rig.wire.sent == []
    assert kind in REJECTED


@pytest.mark.parametrize("data", [SRTP, SRTCP, CORPUS["aiortc-dtls-22-1-1"], b"\x16"])
def test_strangers_media_and_handshakes_go_no_further(rig: Rig, data: bytes) -> None:
    rig.receive(data, STRANGER)
    rig.prove()
    rig.receive(data, (PEER[0], PEER[1] + 1))
    assert rig.rejected == {"stranger": 2}
    assert rig.queued() == []


def test_what_real_peers_send_gets_through(rig: Rig) -> None:
    rig.prove()
    for name, data in CORPUS.items():
        if "stun" not in name:
            rig.receive(data)
            assert rig.queued() == [data], name
    assert rig.rejected == {}


# --- STUN ------------------------------------------------------------------------------------


def test_a_request_without_priority_is_answered_with_no_more_than_was_asked(rig: Rig) -> None:
    question = rig.request()
    assert len(question) == 76
    for address in (PEER, ("2001:db8::77", 5000)):
        rig.receive(question, address)
        ((answer, to),) = rig.wire.sent
        assert to == address
        assert len(answer) <= len(question)
        assert stun.parse_message(answer).message_class == stun.Class.RESPONSE
        rig.wire.sent.clear()
    first = rig.connection._early_checks[0][0]
    assert first.attributes["PRIORITY"] == 0
    assert rig.rejected == {}


def test_nobody_without_the_password_is_answered(rig: Rig) -> None:
    name = f"{rig.connection.local_username}:{REMOTE}".encode()
    question = rig.request()
    forged = [
        datagram_fuzz.signed(question, name, b"q" * 22),
        question[:-32] + question[-8:],  # no MESSAGE-INTEGRITY
        rig.request(name="else:" + REMOTE),
        rig.request(name=f"{rig.connection.local_username}:{REMOTE}x"),
    ]
    for data in forged:
        rig.receive(data, STRANGER)
    assert rig.wire.sent == []
    assert sum(rig.rejected.values()) == len(forged)
    assert set(rig.rejected) <= {"stun-unsigned", "stun-broken"}
    rig.receive(SRTP, STRANGER)
    assert rig.rejected["stranger"] == 1


@pytest.mark.parametrize(
    "attribute",
    [
        (0x24, b"\x01"),  # PRIORITY of one byte
        (0x802A, b"\x01\x02"),  # ICE-CONTROLLING of two
        (0x20, b"\x00\x09\x00\x00"),  # XOR-MAPPED-ADDRESS of no family
        (0x09, b"\x00"),  # ERROR-CODE without a code
        (0x14, b"\xff\xfe"),  # REALM that is no text
    ],
)
def test_broken_attributes_are_counted(rig: Rig, attribute: tuple[int, bytes]) -> None:
    rig.receive(rig.request(attribute))
    assert rig.rejected == {"stun-broken": 1}
    assert rig.wire.sent == []


def test_no_new_address_gets_an_answer_longer_than_its_question(rig: Rig) -> None:
    rig.connection.remote_username = None
    name = f"{rig.connection.local_username}:x"
    conflict = (0x8029, b"\xff" * 8)  # we are controlled, too
    for number, attribute in enumerate([(0x25, b""), conflict] * 2):
        question = rig.request(attribute, name=name)[:-8]  # no FINGERPRINT
        question = question[:2] + (len(question) - 20).to_bytes(2, "big") + question[4:]
        new = (("192.0.2.66", "2001:db8::66")[number // 2], 6000 + number)
        rig.receive(question, new)
        assert rig.wire.sent == []
        assert rig.rejected == {"stun-small": number + 1}
        rig.receive(rig.request(), new)
        rig.receive(question, new)
        first, second = rig.wire.sent
        assert len(first[0]) in (sockets.STUN_ANSWER_BYTES, sockets.STUN_ANSWER_BYTES_MAX)
        assert len(question) < len(second[0]) <= sockets.STUN_ANSWER_BYTES_MAX
        rig.wire.sent.clear()


def test_a_peer_comes_from_some_addresses_at_a_time_and_idle_ones_are_forgotten(rig: Rig) -> None:
    for port in range(ADDRESSES_MAX):
        rig.receive(rig.request(), ("192.0.2.77", 5000 + port))
    rig.receive(rig.request(), STRANGER)
    assert rig.rejected == {"stun-addresses": 1}
    rig.connection._early_checks.clear()
    pairs = [
        SimpleNamespace(
            state=state,
            component=1,
            remote_addr=("192.0.2.77", 7000 + number),
            remote_candidate=number,
        )
        for number, state in enumerate(
            [CandidatePair.State.IN_PROGRESS] * 14
            + [CandidatePair.State.SUCCEEDED, CandidatePair.State.FAILED]
        )
    ]
    checks: Any = rig.connection._check_list
    checks[:] = pairs
    rig.connection._nominated[1] = pairs[14]  # type: ignore[assignment]
    rig.door._known = {pair.remote_addr for pair in pairs}
    rig.receive(rig.request(), STRANGER)
    assert STRANGER in rig.door._known
    assert pairs[15].remote_addr not in rig.door._known
    rig.receive(rig.request(), PEER)
    assert rig.rejected == {"stun-addresses": 2}
    rig.receive(SRTP, PEER)
    assert rig.rejected["stranger"] == 1


def test_requests_have_a_pace(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [10.0]
    monkeypatch.setattr(sockets, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    for _ in range(STUN_REQUESTS_A_SECOND + 5):
        rig.receive(rig.request())
    assert rig.rejected == {"stun-rate": 5}
    clock[0] += 1
    rig.receive(rig.request())
    assert rig.rejected == {"stun-rate": 5}


def test_indications_keep_a_mapping_and_ask_for_nothing(rig: Rig) -> None:
    rig.receive(b"\x00\x11\x00\x00\x21\x12\xa4\x42" + bytes(12))
    assert (rig.rejected, rig.wire.sent) == ({}, [])


def test_one_role_conflict_after_the_other_ends_nothing(rig: Rig) -> None:
    answered: list[int | None] = []
    transaction = SimpleNamespace(response_received=lambda m, _a: answered.append(m.error_code))
    rig.protocol.transactions[b"transaction!"] = transaction
    conflict = stun.Message(
        message_method=stun.Method.BINDING,
        message_class=stun.Class.ERROR,
        transaction_id=b"transaction!",
    )
    conflict.attributes["ERROR-CODE"] = (487, "Role Conflict")
    conflict.add_fingerprint()
    for _ in range(ROLE_CONFLICTS_MAX + 2):
        rig.receive(bytes(conflict))
    assert answered == [487] * ROLE_CONFLICTS_MAX
    assert rig.rejected == {"stun-conflict": 2}


# --- media -----------------------------------------------------------------------------------


def test_media_waits_for_keys_and_then_goes_where_it_is_asked_for(rig: Rig) -> None:
    rig.prove()
    for _ in range(QUEUE_EARLY_MAX + 3):
        rig.receive(SRTP)
    assert len(rig.queued()) == QUEUE_EARLY_MAX
    assert rig.rejected == {"queue-full": 3}
    rig.dtls._rx_srtp = object()
    for _ in range(QUEUE_MAX + 1):
        rig.receive(SRTCP)
    assert len(rig.queued()) == QUEUE_MAX
    assert rig.rejected == {"queue-full": 4}
    taken: list[bytes] = []
    rig.door.on_media = lambda data: taken.append(data) is None and data is not SRTCP
    rig.receive(SRTP)
    assert rig.door.heard_s(PEER) > 0
    assert rig.door.heard_s(STRANGER) < 0
    rig.receive(SRTCP)
    assert taken == [SRTP, SRTCP]
    assert rig.queued() == []
    assert rig.rejected["srtp-undecryptable"] == 1


def test_sources_are_few(rig: Rig) -> None:
    rig.prove()
    rig.dtls._rx_srtp = object()
    taken: list[bytes] = []
    rig.door.on_media = lambda data: taken.append(data) is None
    for source in range(SOURCES_MAX + 10):
        rig.receive(SRTP[:8] + source.to_bytes(4, "big") + SRTP[12:])
    rig.receive(SRTCP)  # of source 0
    assert len(taken) == SOURCES_MAX + 1
    assert rig.rejected == {"srtp-sources": 10}


def test_what_peers_with_keys_break_ends_nothing(rig: Rig) -> None:
    async def main() -> None:
        report = bytes.fromhex("81c9") + b"\x00\x07" + bytes(28)
        await rig.dtls._handle_rtcp_data(report)
        await rig.dtls._handle_rtp_data(SRTP, arrival_time_ms=1)
        assert rig.rejected == {}
        for data in (b"\x81\xc9\x00\x01", b"\x8f\xce\x00\x02" + bytes(8), b"\x80\xca\x00\x01aaaa"):
            await rig.dtls._handle_rtcp_data(data)
        await rig.dtls._handle_rtp_data(b"\x90\x60" + bytes(10) + b"\xbe\xde\xff\xff", 1)

    asyncio.run(main())
    assert set(rig.rejected) <= {"rtcp-broken", "rtp-broken"}
    assert rig.rejected["rtp-broken"] == 1


def test_a_mistake_of_ours_is_told_once_and_ends_nothing(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    class Port:
        async def _handle_rtp_packet(self, packet: Any, arrival_time_ms: int) -> None:
            raise RuntimeError("ours")

    rig.dtls._rtp_router.route_rtp = lambda _p: Port()

    async def main() -> None:
        for _ in range(3):
            await rig.dtls._handle_rtp_data(SRTP, arrival_time_ms=1)

    asyncio.run(main())
    assert rig.rejected == {"defect": 3}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


# --- DTLS ------------------------------------------------------------------------------------


def record(body: bytes, kind: int = 22, epoch: int = 0, version: int = 0xFEFD) -> bytes:
    return struct.pack("!BHHIHH", kind, version, epoch, 0, 7, len(body)) + body


def message(body: bytes, total: int | None = None, offset: int = 0, kind: int = 1) -> bytes:
    total = len(body) if total is None else total
    return (
        bytes([kind])
        + total.to_bytes(3, "big")
        + b"\x00\x00"
        + offset.to_bytes(3, "big")
        + len(body).to_bytes(3, "big")
        + body
    )


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (record(message(b"x" * 40)), None),
        (record(message(b"x" * 40) + message(b"", kind=14)), None),
        (record(message(b"x" * 40, 100, 60)), None),
        (record(b"\x01", 20) + record(b"e" * 40, 22, 1), None),
        (record(b"e" * 40, 23, 1), None),
        (record(b"e" * 40, 21, 1), None),
        (b"\x2f" + bytes(40), None),
        (record(message(b"x" * 40, version := 41, 5)), "dtls-broken"),
        (record(message(b"x" * 40))[:-1], "dtls-broken"),
        (record(message(b"x" * 40)) + b"\x16", "dtls-broken"),
        (record(message(b"x" * 40)[:-4]), "dtls-broken"),
        (record(message(b"", total=40)), "dtls-broken"),
        (record(message(b"x", total=1 << 20)), "dtls-broken"),
        (record(b"x" * 11), "dtls-broken"),
        (record(b""), "dtls-broken"),
        (record(b"\x02", 20), "dtls-broken"),
        (record(b"hello", 23), "dtls-broken"),
        (record(b"hello", 27, 1), "dtls-broken"),
        (record(b"e" * 40, 23, 1, version=0x0303), "dtls-broken"),
        (record(b"\x02\x28", 21), "dtls-alert"),
        (b"\x2f" + bytes(17), "dtls-broken"),
    ],
)
def test_dtls_of_no_honest_peer(data: bytes, fault: str | None) -> None:
    assert dtls_fault(data) == fault


# --- sockets ---------------------------------------------------------------------------------


class Counting:
    """A door that counts, and notes how many turns of the loop it took."""

    def __init__(self) -> None:
        self.shared = MediaSockets()
        self.seen: list[bytes] = []
        self.fails = False

    def received(self, protocol: Any, data: bytes, address: tuple[str, int]) -> None:
        self.seen.append(data)
        if self.fails:
            raise RuntimeError("ours")


class Closed:
    """Stands in for aioice's protocol."""

    transport: Any = None
    lost = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost = True


def bursts(seconds: float, count: int, sockets_: int = 1, alone_s: float = 60.0) -> list[list[int]]:
    """How many datagrams each socket had read after each turn of the loop."""

    async def main() -> list[list[int]]:
        doors = [Counting() for _ in range(sockets_)]
        shared = doors[0].shared
        made = []
        for door in doors:
            door.shared = shared
            sock = shared.bind("127.0.0.1", 1 << 20)
            made.append(ServerSocket(sock, Closed(), door))  # type: ignore[arg-type]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for number in range(count):
                    sender.sendto(number.to_bytes(2, "big"), sock.getsockname())
        turns = []
        while any(len(door.seen) < count for door in doors):
            await asyncio.sleep(0)
            turns.append([len(door.seen) for door in doors])
            assert len(turns) < 5000
        for each in made:
            each.close()
        await asyncio.sleep(0)
        return turns

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sockets, "TURN_S", seconds)
        patch.setattr(sockets, "ALONE_S", alone_s)
        return asyncio.run(main())


def test_a_burst_is_read_in_a_few_turns_of_the_loop() -> None:
    turns = bursts(60.0, 200)
    assert len([turn for turn in turns if turn[0]]) <= 3


def test_what_comes_after_a_while_is_read_alone() -> None:
    """Whoever reads once more finds nothing, as a rule; what there is brings another turn."""
    turns = bursts(60.0, 20, alone_s=-1.0)
    read = [now[0] - before[0] for before, now in pairwise([[0], *turns])]
    assert max(read) == 1
    first = next(turn for turn in bursts(60.0, 20) if turn[0])
    assert first == [1]


def test_no_socket_keeps_the_loop_from_the_others() -> None:
    turns = bursts(0.0, 20, sockets_=3)
    assert all(max(turn) - min(turn) <= 1 for turn in turns)
    assert len([turn for turn in turns if turn[0]]) >= 20


def test_a_closed_socket_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        door = Counting()
        door.fails = True
        protocol = Closed()
        sock = door.shared.bind("127.0.0.1", 1 << 16)
        made = ServerSocket(sock, protocol, door)  # type: ignore[arg-type]
        assert protocol.transport is made
        assert made.get_extra_info("sockname") == sock.getsockname()
        made.sendto(b"to itself", sock.getsockname())
        made.sendto(b"again", sock.getsockname())
        made.sendto(b"to nowhere", ("127.0.0.1", 0))
        await asyncio.sleep(0.01)
        assert len(door.seen) == 2
        assert door.shared.rejected["defect"] == 2
        assert (door.shared.open, made.is_closing()) == (1, False)
        made.close()
        made.abort()
        made.sendto(b"too late", ("127.0.0.1", 9))
        await asyncio.sleep(0)
        assert (door.shared.open, made.is_closing(), protocol.lost) == (0, True, True)

    asyncio.run(main())
    assert len(caplog.records) == 1


def test_a_small_buffer_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    shared = MediaSockets()
    for _ in range(2):
        shared.close(shared.bind("127.0.0.1", 1 << 30))
    assert len(caplog.records) == 1
    assert "net.core.rmem_max" in caplog.text


def test_keyframes_at_line_rate_wait_in_the_kernel() -> None:
    """200 packets and more, sent while the loop is busy, and read afterwards."""
    shared = MediaSockets()
    sock = shared.bind("127.0.0.1", sockets.INGEST_BUFFER_BYTES)
    try:
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < sockets.INGEST_BUFFER_BYTES:
            pytest.skip("this machine's net.core.rmem_max is small")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(800):
                sender.sendto(bytes(1200), sock.getsockname())
        assert sum(1 for _ in range(800) if sock.recv(1200)) == 800
    finally:
        shared.close(sock)


def test_the_buffer_is_raised() -> None:
    shared = MediaSockets()
    small, large = shared.bind("127.0.0.1", 1 << 15), shared.bind("127.0.0.1", 1 << 17)
    sizes = [s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for s in (small, large)]
    assert sizes[1] > sizes[0]
    for sock in (small, large):
        shared.close(sock)


# --- ports -----------------------------------------------------------------------------------


def free_range(size: int) -> tuple[int, int]:
    """Ports in a row that nobody has at the moment."""
    for first in range(42_000, 60_000, 97):
        held = []
        try:
            for port in range(first, first + size):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                held[-1].bind(("0.0.0.0", port))
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
        return first, first + size - 1
    raise AssertionError("no ports are free")


def test_ports_come_from_the_range_and_go_back_to_its_end() -> None:
    first, last = free_range(3)
    ports = UdpPorts((first, last))
    made = [ports.bind("127.0.0.1") for _ in range(3)]
    assert [sock.getsockname()[1] for sock in made] == [first, first + 1, last]
    with pytest.raises(PortsTaken, match=f"{first} to {last}"):
        ports.bind("127.0.0.1")
    ports.close(made[1])
    ports.close(made[0])
    again = [ports.bind("127.0.0.1") for _ in range(2)]
    assert [sock.getsockname()[1] for sock in again] == [first + 1, first]
    for sock in (*again, made[2]):
        ports.close(sock)


def test_a_port_of_another_program_is_passed_over() -> None:
    first, last = free_range(2)
    ports = UdpPorts((first, last))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", first))
        sock = ports.bind("127.0.0.1")
        assert sock.getsockname()[1] == last
        with pytest.raises(PortsTaken):
            ports.bind("127.0.0.1")
        ports.close(sock)


def test_an_address_of_a_nat_is_bound_to_all() -> None:
    ports = UdpPorts()
    sock = ports.bind("203.0.113.9")
    assert sock.getsockname()[0] == "0.0.0.0"
    assert sock.getblocking() is False
    ports.close(sock)


# --- the inside of aioice and aiortc that is used ---------------------------------------------


def test_private_members_of_aioice() -> None:
    async def main() -> None:
        connection = Connection(ice_controlling=False)
        assert connection._queue.qsize() == 0
        assert connection._check_list == connection._remote_candidates == []
        assert connection._nominated == {}
        connection.remote_username = "b"
        assert connection._valid_username(f"{connection.local_username}:b")
        assert not connection._valid_username(f"{connection.local_username}:c")
        assert StunProtocol(connection).transactions == {}
        assert connection._early_checks.maxlen

    asyncio.run(main())
    assert 'message.attributes["PRIORITY"]' in inspect.getsource(Connection.check_incoming)
    assert "self._queue.put_nowait((data, component))" in inspect.getsource(
        Connection.data_received
    )


def test_private_members_of_aiortc() -> None:
    source = inspect.getsource(RTCDtlsTransport._recv_next)
    assert "await self._handle_rtcp_data(data)" in source
    assert "await self._handle_rtp_data(data, arrival_time_ms=arrival_time_ms)" in source
    assert "data = await self.transport._recv()" in source
    assert "self._rx_srtp" in source
    assert RtpPacket.parse(SRTP, HeaderExtensionsMap()).payload_type == 96
    assert RtcpPacket.parse(bytes.fromhex("81c9") + b"\x00\x07" + bytes(28))


# --- fuzzing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("inputs", "handshake"), [(4_000, True), (1_000, False)])
def test_bent_datagrams_end_nothing(inputs: int, handshake: bool) -> None:
    report = asyncio.run(datagram_fuzz.fuzz(inputs, 20, handshake=handshake))
    assert report.thrown == inputs
    assert report.findings == []
    assert report.rejected["defect"] == 0
    assert len([kind for kind, count in report.rejected.items() if count]) > 7


def test_whatever_a_viewer_says_ends_nothing() -> None:
    """Reports, feedback and requests about what it was sent, bent and encrypted by its own keys."""
    report = asyncio.run(datagram_fuzz.fuzz(4_000, 20, viewer=True))
    assert report.thrown == 4_000
    assert report.findings == []
    assert report.frames_received > 70
    assert report.rejected["defect"] == 0


def test_a_datagram_that_keeps_the_loop_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it keeps it only once the loop goes on with what was handed over."""
    intake = Door.received
    kept: list[int] = []

    def received(door: Door, protocol: Any, data: bytes, address: Any) -> None:
        intake(door, protocol, data, address)
        kept.append(1)
        if len(kept) % 10 == 0:  # some of the first come before there is a connection
            asyncio.get_running_loop().call_soon(_keep_the_processor, 0.03)

    monkeypatch.setattr(Door, "received", received)
    report = asyncio.run(datagram_fuzz.fuzz(20, 20, viewer=True))
    assert any("one datagram took" in finding for finding in report.findings)


def _keep_the_processor(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
