"""Bends real datagrams and throws them at a connection: see `scripts/fuzz-datagrams --help`.

A publisher, or a viewer, that is connected over loopback stands on the other side. Half of what is
thrown comes from its own address and knows its keys: STUN is signed again after it was bent, RTP
and RTCP are encrypted again, so that what lies behind the signatures is reached too: of a viewer
what it tells of the packets that it was sent. Everything follows from the seed, but for the keys
and numbers that both sides draw.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import gc
import json
import logging
import random
import struct
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aioice import stun
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtcdtlstransport import RTCDtlsTransport

from streaming.sfu import aiortc_adapter, rtcp, sockets
from streaming.sfu.aiortc_adapter import now_us
from streaming.sfu.aiortc_engine import (
    AiortcEngine,
    AiortcPublication,
    AiortcSubscription,
    LiveStream,
)
from streaming.sfu.publication import PublishedTracks, Track, TrackCodec
from streaming.sfu.rtcp_reader import BitrateEstimate, Message
from streaming.sfu.sockets import Address, Door
from streaming.sfu.transport_cc import build_feedback

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "tests" / "data" / "datagrams"
BLOCKED_MS_MAX = 20.0
SENT_BEFORE = 5
"""Pictures that a viewer is sent before the first datagram, and again with each honest word."""
PACKETS = 40
HONEST = b"\x10\x00honest"
NUMBERS = (0, 1, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)


def corpus() -> list[bytes]:
    """The committed datagrams, in the order of their names."""
    return [path.read_bytes() for path in sorted(CORPUS.glob("*.bin"))]


class Mutator:
    """Bends datagrams, always in the same way for the same seed."""

    def __init__(self, seeds: list[bytes], seed: int) -> None:
        self._seeds = seeds
        self.own: list[bytes] = []
        """What the peer itself could say now; half of what is bent, where there is any."""
        self.random = random.Random(seed)  # noqa: S311

    def datagram(self) -> bytes:
        """One datagram: seldom random or empty, mostly a real one that was bent."""
        rng = self.random
        if rng.random() < 0.05:
            return rng.randbytes(rng.choice((0, 1, 2, 12, 20, rng.randrange(2048))))
        seeds = self.own if self.own and rng.random() < 0.5 else self._seeds
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
            self._bend(data)
        if seeds is self.own and len(data) > 4 and rng.random() < 0.7:
            del data[len(data) & ~3 :]
            data[2:4] = (len(data) // 4 - 1).to_bytes(2, "big")
        if len(data) > 20 and data[0] < 4 and rng.random() < 0.6:
            data[2:4] = (len(data) - 20).to_bytes(2, "big")
        return bytes(data[:2048])

    def _bend(self, data: bytearray) -> None:
        rng = self.random
        at = rng.randrange(len(data) + 1)
        size = rng.choice((1, 2, 4, rng.randrange(1, 64)))
        kind = rng.randrange(8)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + size]
        elif kind == 4:
            data[at:at] = rng.randbytes(size)
        elif kind == 5:
            data[at:at] = data[at : at + size] * rng.randrange(1, 5)
        elif kind == 6:
            data[at : at + 2] = rng.choice(NUMBERS).to_bytes(2, "big")
        else:
            other = rng.choice(self._seeds)
            data[at:] = other[rng.randrange(len(other)) :]


def signed(data: bytes, name: bytes, password: bytes) -> bytes:
    """A bent STUN message with a valid USERNAME and MESSAGE-INTEGRITY behind its attributes."""
    attributes, at = b"", 20
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        end = at + 4 + length + (-length & 3)
        if kind not in (0x0006, 0x0008, 0x8028):
            attributes += data[at:end].ljust(end - at, b"\0") if end - at < 600 else data[at:]
        at = end
    attributes += struct.pack("!HH", 6, len(name)) + name + bytes(-len(name) & 3)
    attributes += bytes(-len(attributes) & 3)
    message = data[:2] + len(attributes).to_bytes(2, "big") + data[4:20] + attributes
    message += struct.pack("!HH", 8, 20) + stun.message_integrity(message, password)
    message = stun.set_body_length(message, len(message) - 20 + stun.FINGERPRINT_LENGTH)
    return message + struct.pack("!HHI", 0x8028, 4, stun.message_fingerprint(message))


def framed(data: bytes) -> bytes:
    """A bent DTLS datagram as one record, and one message, whose lengths are right."""
    body = data[13:]
    if data[0] == 22 and len(body) > 12 and data[3:5] == b"\0\0":
        length = (len(body) - 12).to_bytes(3, "big")
        body = body[:1] + length + body[4:6] + b"\0\0\0" + length + body[12:]
    return data[:1] + b"\xfe\xfd" + data[3:11] + len(body).to_bytes(2, "big") + body


@dataclass
class Report:
    """What came of it."""

    thrown: int = 0
    slowest_ms: float = 0.0
    """The longest that one datagram kept the loop, in processor time."""
    rejected: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    """What was written to the log from `warning` on."""
    frames_sent: int = 0
    frames_received: int = 0
    state: str = ""

    @property
    def findings(self) -> list[str]:
        """What must not be."""
        found = list(self.log)
        if self.slowest_ms > BLOCKED_MS_MAX:
            found.append(f"one datagram took {self.slowest_ms:.1f} ms")
        if self.state != "connected":
            found.append(f"the connection is {self.state}")
        if self.frames_received != self.frames_sent:
            found.append(f"{self.frames_received} of {self.frames_sent} frames arrived")
        return found


class _Ears(logging.Handler):
    def __init__(self, report: Report) -> None:
        super().__init__(logging.WARNING)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report.log.append(logging.Formatter().format(record))


class Peer(ABC):
    """A server's connection with somebody, and that peer's side of it."""

    def __init__(self, server: RTCPeerConnection, client: RTCPeerConnection) -> None:
        self.server = server
        self.dtls: Any = server.getTransceivers()[0].receiver.transport
        self.connection: Any = self.dtls.transport._connection
        self.protocol = self.connection._protocols[0]
        transport: Any = self.protocol.transport
        self.door: Door = transport._door
        self.client: Any = client.getTransceivers()[0].receiver.transport
        self.name = f"{self.connection.local_username}:{self.connection.remote_username}".encode()
        self.password = self.connection.local_password.encode()
        self.outlet = aiortc_adapter.Outlet(self.client)
        self._arrived = 0

    @property
    def peer(self) -> Address:
        """The peer's address."""
        pair = self.connection._nominated.get(1)
        address: Address = ("127.7.0.1", 9) if pair is None else pair.remote_addr
        return address

    async def frame(self) -> int:
        """Say something honestly, and whether it has arrived."""
        before = self._arrived
        self.speak()
        for _ in range(200):
            await asyncio.sleep(0.001)
            if self._arrived > before:
                return 1
        return 0

    @abstractmethod
    def speak(self) -> None:
        """Say something honestly."""

    def own(self) -> list[bytes]:
        """What only this peer could say, as far as that is more than the corpus has."""
        return []

    def sealed(self, data: bytes) -> bytes:
        """RTP or RTCP as the peer encrypts it, or as it is where that cannot be done."""
        session = self.client._tx_srtp
        with contextlib.suppress(Exception):
            if data[1] in range(192, 224):
                return bytes(session.protect_rtcp(data))
            # Not the source of the honest pictures, whose numbers must not run away.
            return bytes(session.protect(data[:8] + b"\0\0\0" + data[11:]))
        return data


class Target(Peer):
    """A publisher: what it says are pictures."""

    def __init__(
        self, engine: AiortcEngine, publication: AiortcPublication, client: RTCPeerConnection
    ) -> None:
        super().__init__(publication.pc, client)
        self.engine = engine
        self.publication = publication
        self._sequence = 0
        self._track = publication.published.tracks["video"]
        self._track.receive = self._receive  # type: ignore[method-assign]

    def _receive(
        self, payload_type: int, ssrc: int, packet: tuple[int, int, int, bytes], now_us: int
    ) -> None:
        self._arrived += packet[3] == HONEST
        type(self._track).receive(self._track, payload_type, ssrc, packet, now_us)

    def speak(self) -> None:
        """Send one picture of one packet."""
        self._sequence += 1
        kind = 0x80 | self._track.codec.payload_type
        stamp = self._sequence * 3000
        header = struct.pack("!BBHII", 0x80, kind, self._sequence & 0xFFFF, stamp, 77)
        self.outlet.send(header, HONEST)


class Viewer(Peer):
    """A viewer: what it says is what has come to it of the pictures that it is sent."""

    def __init__(
        self, subscription: AiortcSubscription, track: Track, client: RTCPeerConnection
    ) -> None:
        super().__init__(subscription._pc, client)
        self._subscriber = subscription.subscriber
        self._track = track
        self._said = 0
        self._sequence = 0
        self._subscriber.heard = self._heard  # type: ignore[method-assign]
        for _ in range(SENT_BEFORE):
            self._picture()

    def _heard(self, messages: list[Message], now_us: int) -> None:
        honest = BitrateEstimate(self._said << 10)
        self._arrived += honest in messages
        type(self._subscriber).heard(self._subscriber, messages, now_us)

    def _picture(self) -> None:
        key = self._sequence % (10 * PACKETS) == 0
        stamp = self._sequence // PACKETS * 3000
        for part in range(PACKETS):
            payload = (b"\x10\x00" if key and not part else b"\x00\x01").ljust(1000, b"p")
            packet = (self._sequence & 0xFFFF, stamp, int(part == PACKETS - 1), payload)
            self._track.receive(self._track.codec.payload_type, 77, packet, now_us())
            self._sequence += 1

    def speak(self) -> None:
        """Say that so many bits a second would fit, a number that nobody else says, and see
        another picture."""
        self._said = (self._said + 1) & 0x3FFFF or 1
        self._picture()
        feed = self._subscriber.feeds["video"]
        body = b"REMB\x01" + (10 << 18 | self._said).to_bytes(3, "big")
        remb = struct.pack("!BBHII", 0x8F, 206, 5, 2, 0) + body + struct.pack("!I", feed.ssrc)
        self.outlet.send_rtcp(remb)

    def own(self) -> list[bytes]:
        """Reports, feedback and requests about what it was just sent."""
        feed = self._subscriber.feeds["video"]
        newest, ssrc = feed._out, feed.ssrc
        said = [
            rtcp.picture_loss(2, ssrc),
            rtcp.negative_acknowledgement(2, ssrc, [newest - 7 * i & 0xFFFF for i in range(60)]),
            struct.pack("!BBHIIIIIII", 0x81, 201, 7, 2, ssrc, 9, newest & 0xFFFFFFFF, 0, 0, 0),
            struct.pack("!BBHIIIIIII", 0x81, 201, 7, 2, feed.rtx_ssrc or 0, 9, 9, 0, 0, 0),
            struct.pack("!BBHII", 0x8F, 206, 5, 2, 0) + b"REMB\x01\x10\0\xff" + bytes(4),
        ]
        if self._subscriber._numbering is not None:
            base = self._subscriber._numbering.history.next - 150
            said += [
                build_feedback(
                    2,
                    ssrc,
                    base=base & 0xFFFF,
                    reference=9,
                    number=newest & 0xFF,
                    received_offsets=list(range(0, 150, step)),
                    arrivals_us=list(range(0, 150_000, 1_000 * step)),
                )
                for step in (1, 2, 7)
            ]
        return said


@contextlib.asynccontextmanager
async def connected(*, handshake: bool = True) -> AsyncIterator[Target]:
    """A publisher over loopback; without `handshake` one that never answers DTLS."""
    engine = AiortcEngine()
    client = aiortc_adapter.new_peer()
    client.addTransceiver("video", direction="sendonly")
    await client.setLocalDescription(await client.createOffer())
    try:
        publication = await engine.publish(1, client.localDescription.sdp, sound_alone=False)
        mute = patch.object(RTCDtlsTransport, "start", _never) if not handshake else None
        dtls: Any = publication.pc.getTransceivers()[0].receiver.transport
        with mute or contextlib.nullcontext():
            answer = RTCSessionDescription(sdp=publication.answer, type="answer")
            await client.setRemoteDescription(answer)
            for _ in range(5000):
                states = [pc.connectionState for pc in (publication.pc, client)]
                if (
                    states == ["connected"] * 2
                    if handshake
                    else dtls.transport.state == "completed"
                ):
                    break
                await asyncio.sleep(0.002)
        yield Target(engine, publication, client)
    finally:
        await client.close()
        await engine.close()


@contextlib.asynccontextmanager
async def watching() -> AsyncIterator[Viewer]:
    """A viewer over loopback, of pictures that nobody has sent."""
    engine = AiortcEngine()
    client = aiortc_adapter.new_peer()
    transceiver = client.addTransceiver("video", direction="recvonly")
    receiver: Any = transceiver.receiver
    receiver.receive = _decodes_nothing
    codec = TrackCodec(
        kind="video", name="VP8", clock_rate=90_000, payload_type=96, rtx_payload_type=97
    )
    track = Track(codec, 1, lambda _packet: None)
    live = engine._streams.setdefault(1, LiveStream(1))
    nobody = aiortc_adapter.new_peer()
    live.follow(AiortcPublication(nobody, PublishedTracks(1, {"video": track}), ""))
    try:
        await client.setLocalDescription(await client.createOffer())
        prepared = await engine.prepare(1, client.localDescription.sdp)
        answer, subscription = await prepared.answer(lambda _reason: None)
        await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        for _ in range(5000):
            if [client.connectionState, subscription._pc.connectionState] == ["connected"] * 2:
                break
            await asyncio.sleep(0.002)
        subscription.release("admission")
        yield Viewer(subscription, track, client)
    finally:
        await client.close()
        await engine.close()


async def _decodes_nothing(_parameters: Any) -> None:
    """Stands in for a client's decoder: there is nothing in the pictures."""


async def _never(self: RTCDtlsTransport, _parameters: Any) -> None:
    """Stands in for a client that does nothing after ICE."""


async def _fuzz(target: Peer, mutator: Mutator, inputs: int, report: Report) -> None:
    rng = mutator.random
    frames = max(inputs // 50, 10)
    every = max(inputs // frames, 1)
    for number in range(inputs):
        if number % every == 0:
            mutator.own = target.own()
        data = mutator.datagram()
        own = rng.random() < 0.7
        address = target.peer if own else ("127.7.0.1", rng.randrange(1024, 65536))
        if data and data[0] < 4 and len(data) >= 20 and rng.random() < 0.5:
            data = signed(data, target.name, target.password)
        elif own and len(data) > 12 and 127 < data[0] < 192 and rng.random() < 0.7:
            data = target.sealed(data)
        elif own and len(data) > 13 and 19 < data[0] < 64 and rng.random() < 0.5:
            data = framed(data)
        began = time.thread_time()
        target.door.received(target.protocol, data, address)
        await asyncio.sleep(0)  # what it has set going in the loop is its doing, too
        await asyncio.sleep(0)
        report.slowest_ms = max(report.slowest_ms, (time.thread_time() - began) * 1000)
        report.thrown += 1
        if number % every == 0 and target.dtls._rx_srtp is not None:
            report.frames_sent += 1
            report.frames_received += await target.frame()


async def fuzz(inputs: int, seed: int, *, handshake: bool = True, viewer: bool = False) -> Report:
    """Throw so many datagrams at one connection, of a publisher or of a viewer."""
    report = Report()
    ears = _Ears(report)
    logging.getLogger().addHandler(ears)
    # A limit of requests a second would keep most of them from what lies behind it.
    gc.disable()  # a collection is no datagram's doing
    unlimited = patch.object(sockets, "STUN_REQUESTS_A_SECOND", 1 << 60)
    try:
        with unlimited:
            peers = watching() if viewer else connected(handshake=handshake)
            async with peers as target:
                await _fuzz(target, Mutator(corpus(), seed), inputs, report)
                await asyncio.sleep(0.01)
                report.rejected = dict(target.door.shared.rejected)
                report.state = target.server.connectionState
                if not handshake:
                    report.state = "connected"  # who bends its own handshake has none
    finally:
        gc.enable()
        logging.getLogger().removeHandler(ears)
    return report


def main() -> int:
    """Entry point. Gives 1 where something was found."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz-datagrams", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="how many datagrams")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--handshake",
        action="store_true",
        help="throw them at connections whose DTLS has not come about, 250 at each",
    )
    parser.add_argument(
        "--viewer", action="store_true", help="throw them at connections of viewers"
    )
    given = parser.parse_args()
    if given.viewer and given.handshake:
        parser.error("--viewer: give it without --handshake")
    total: collections.Counter[str] = collections.Counter()
    findings: list[str] = []
    thrown, slowest = 0, 0.0
    each = 250 if given.handshake else 10_000
    while thrown < given.inputs:
        inputs = min(each, given.inputs - thrown)
        made = fuzz(inputs, given.seed + thrown, handshake=not given.handshake, viewer=given.viewer)
        report = asyncio.run(made)
        thrown += report.thrown
        slowest = max(slowest, report.slowest_ms)
        total.update(report.rejected)
        if report.findings:
            findings = report.findings
            sys.stderr.write(f"seed {given.seed + thrown - inputs}, {inputs} inputs:\n")
            sys.stderr.write("\n".join(findings) + "\n")
            break
    found = {"inputs": thrown, "slowest_ms": round(slowest, 2), "rejected": dict(total)}
    print(json.dumps(found))
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
