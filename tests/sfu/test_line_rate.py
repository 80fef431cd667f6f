"""A keyframe of 200 packets that a publisher sends at line rate, while 150 watch."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any

import pytest

from streaming.sfu import sockets
from streaming.sfu.aiortc_adapter import now_us
from streaming.sfu.feed import Feed, Numbering, meter_for
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.rtp import read_packet
from streaming.sfu.sockets import MediaSockets, ServerSocket
from streaming.sfu.subscription import Subscriber

pytestmark = pytest.mark.media

VIEWERS = 150
PACKETS = 200
KEYFRAMES = 4
VP8 = TrackCodec(kind="video", name="VP8", clock_rate=90_000, payload_type=96, rtx_payload_type=97)


class Ingest:
    """Stands in for `Door`: what it is given is media of the publisher's."""

    def __init__(self, track: Track) -> None:
        self.shared = MediaSockets()
        self._track = track

    def received(self, _protocol: Any, data: bytes, _address: tuple[str, int]) -> None:
        found = read_packet(data)
        assert found is not None
        self._track.receive(found[0], found[1], found[2], now_us())


class Protocol:
    """Stands in for aioice's."""

    def connection_made(self, transport: Any) -> None:
        return None

    def connection_lost(self, _error: Exception | None) -> None:
        return None


def keyframe(number: int) -> list[bytes]:
    """All packets of one."""
    packets = []
    for index in range(PACKETS):
        last = index == PACKETS - 1
        header = struct.pack(
            "!BBHII", 0x80, (last and 0x80) | 96, number * PACKETS + index, number * 90_000, 55
        )
        packets.append(header + (b"\x10\x00" if index == 0 else b"\x00\x00").ljust(1_100, b"x"))
    return packets


def watching(published: PublishedTracks, out: socket.socket) -> Subscriber:
    """A viewer whose packets leave by a real socket."""
    feed = Feed(
        "video",
        codec_name="VP8",
        ssrc=900,
        payload_type=120,
        clock_rate=90_000,
        rtx=(901, 121),
        meter=meter_for({"video"}, "video", 90_000),
    )
    where = out.getsockname()

    def send(header: bytes, payload: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            out.sendto(header + payload, where)

    feed.send = send
    subscriber = Subscriber({"video": feed}, now_us(), numbering=Numbering(5))
    # Its pace is another matter: here all leaves at once, which is the most that the loop can do.
    feed.path.may_go = lambda _size, _now: True  # type: ignore[method-assign]
    subscriber.connected = True
    subscriber.attach(published, now_us())
    for reason in ("connecting", "admission"):
        subscriber.release(reason, now_us())
    return subscriber


async def lost_of(buffer_bytes: int) -> int:
    """How many of the packets of all keyframes never came, with so much room in the kernel."""
    asked: list[bytes] = []
    track = Track(VP8, 1, asked.append)
    published = PublishedTracks(1, {"video": track})
    ingest = Ingest(track)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind(("127.0.0.1", 0))
        out.settimeout(0)
        viewers = [watching(published, out) for _ in range(VIEWERS)]
        sock = ingest.shared.bind("127.0.0.1", buffer_bytes)
        server = ServerSocket(sock, Protocol(), ingest)  # type: ignore[arg-type]
        there = sock.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as publisher:
            for number in range(KEYFRAMES):
                for packet in keyframe(number):
                    publisher.sendto(packet, there)
                for _ in range(2 * PACKETS):
                    await asyncio.sleep(0)
        server.close()
        counts = {viewer.counted.packets for viewer in viewers}
        assert len(counts) == 1
        assert ingest.shared.rejected["defect"] == 0
        return KEYFRAMES * PACKETS - counts.pop()


def test_a_keyframe_at_line_rate_loses_nothing_with_150_viewers() -> None:
    shared = MediaSockets()
    sock = shared.bind("127.0.0.1", sockets.INGEST_BUFFER_BYTES)
    granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    shared.close(sock)
    if granted < sockets.INGEST_BUFFER_BYTES:
        pytest.skip("this machine's net.core.rmem_max is small")
    assert asyncio.run(lost_of(sockets.INGEST_BUFFER_BYTES)) == 0


def test_the_usual_buffer_would_lose_packets() -> None:
    """So that the other test can fail."""
    assert asyncio.run(lost_of(64 << 10)) > 0
