"""The load of the measurements: a publisher that counts what it sends, and viewers that report."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

from aiortc import RTCPeerConnection
from aiortc.codecs import HEADER_EXTENSIONS
from pylibsrtp import Error as SrtpError

from measure.reception import Reception
from streaming.clients import peer
from streaming.clients.media_file import plan_for
from streaming.clients.rest_client import RestClient
from streaming.clients.source import Source
from streaming.sfu import aiortc_adapter, transport_cc
from streaming.sfu.aiortc_adapter import now_us

PICTURES_WITHIN_S: Final = 10.0
TEND_EVERY_S: Final = 0.05
VIDEO_CODECS: Final = ("VP8", "H264")


Feedback = Literal["packets", "reports"]
"""What viewers tell: of each packet and receiver reports, as browsers do, or reports alone."""


class LoadFailed(Exception):
    """The load is not what it is to be. Says why."""


class Publisher:
    """Our publisher's file and tracks, and what leaves for the network of each kind."""

    def __init__(self, file: Path) -> None:
        """Raises `ClientError` for a file that cannot be published, LoadFailed without pictures."""
        self._plan = plan_for(file)
        if not self._plan.has_video:
            raise LoadFailed(f"{file} has no picture, and a load without one measures sound alone")
        self._source = Source(self._plan)
        self._pc = aiortc_adapter.new_peer()

    async def start(self, rest: RestClient, path: str, token: str) -> None:
        """Publish, and wait until pictures flow. Raises LoadFailed if none do."""
        for kind, track in self._source.tracks.items():
            transceiver = self._pc.addTransceiver(track, direction="sendonly")
            names = [self._plan.codec or "VP8"] if kind == "video" else ["opus"]
            aiortc_adapter.prefer(transceiver, names, None)
        lost = peer.gone(self._pc)
        await peer.exchange(self._pc, rest, path, token)
        await peer.connected(self._pc, lost)
        await self._pictures_flow()

    async def _pictures_flow(self) -> None:
        try:
            async with asyncio.timeout(PICTURES_WITHIN_S):
                while not (await self.figures())["video"]["packets"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            why = self._source.failure or "nothing of it was packetised"
            raise LoadFailed(
                f"no picture of {self._plan.path} left within {PICTURES_WITHIN_S:.0f} s ({why})"
            ) from None

    async def figures(self) -> dict[str, dict[str, int]]:
        """Packets and payload octets that left, for `video` and `audio` apart."""
        found = {kind: {"packets": 0, "octets": 0} for kind in ("video", "audio")}
        for sender in self._pc.getSenders():
            for stats in (await sender.getStats()).values():
                if stats.type == "outbound-rtp":
                    found[stats.kind]["packets"] += stats.packetsSent
                    found[stats.kind]["octets"] += stats.bytesSent
        return found

    async def close(self) -> None:
        """Stop reading and hang up."""
        await self._source.close()
        await peer.close(self._pc)


def offer_reports_alone() -> None:
    """From now on no offer of this process asks for transport-wide numbers."""
    for extensions in HEADER_EXTENSIONS.values():
        extensions[:] = [each for each in extensions if each.uri != transport_cc.URI]


EARLY_MAX = 256
"""Datagrams of media kept until DTLS is through."""


class Viewer:
    """One viewer: it takes what comes, reports, and asks for what is missing."""

    _numbers = itertools.count()

    def __init__(self, *, witness: bool = False) -> None:
        self.pc: RTCPeerConnection = aiortc_adapter.new_peer()
        self.reception: Reception | None = None
        self._witness = witness
        for kind, names in (("video", VIDEO_CODECS), ("audio", ("opus",))):
            transceiver = self.pc.addTransceiver(kind, direction="recvonly")
            aiortc_adapter.prefer(transceiver, names, None)
            receiver: Any = transceiver.receiver
            receiver.receive = _take_nothing
            self._dtls: Any = receiver.transport
        self._outlet = aiortc_adapter.Outlet(self._dtls)

    async def join(self, rest: RestClient, path: str, token: str) -> None:
        """Watch. Raises `ClientError` for a refusal or a path that does not come about."""
        lost = peer.gone(self.pc)
        await peer.exchange(self.pc, rest, path, token)
        codecs = {
            aiortc_adapter.sources_of(each.sender)[0]: aiortc_adapter.keep_first_codec(each)
            for each in self.pc.getTransceivers()
            if each.currentDirection == "recvonly"
        }
        self.reception = Reception(
            codecs,
            self._unprotect,
            seed=next(self._numbers),
            witness=self._witness,
            numbered_by=aiortc_adapter.numbered_by(self.pc),
        )
        for protocol in self._dtls.transport._connection._protocols:  # noqa: SLF001
            self._stand_before(protocol, self.reception)
        await peer.connected(self.pc, lost)

    def _stand_before(self, protocol: Any, reception: Reception) -> None:
        """Take media where it comes off the socket; DTLS and STUN go the usual way."""
        usual = protocol.datagram_received
        early: list[bytes] = []

        def datagram_received(data: bytes, address: tuple[Any, ...]) -> None:
            if len(data) < 12 or data[0] >> 6 != 2:
                usual(data, address)
            elif self._dtls._rx_srtp is None:  # noqa: SLF001
                early.append(data)  # the first keyframe may come before the keys
                del early[:-EARLY_MAX]
            else:
                for each in (*early, data):
                    self._take(each, reception)
                early.clear()

        protocol.datagram_received = datagram_received

    def _take(self, data: bytes, reception: Reception) -> None:
        if 192 <= data[1] < 224:
            self._take_report(data, reception)
            return
        reception.take(data, now_us())
        if reception.urgent:
            self.tend()

    def _take_report(self, data: bytes, reception: Reception) -> None:
        try:
            reception.take_report(self._dtls._rx_srtp.unprotect_rtcp(data), now_us())  # noqa: SLF001
        except SrtpError:
            return  # one that came twice

    def _unprotect(self, data: bytes) -> bytes:
        try:
            return bytes(self._dtls._rx_srtp.unprotect(data))  # noqa: SLF001
        except SrtpError:
            return b""

    def tend(self) -> None:
        """Send the reports that are due."""
        if self.reception is not None:
            for packet in self.reception.feedback(now_us()):
                self._outlet.send_rtcp(packet)

    def send_rtcp(self, packet: bytes) -> None:
        """Send a compound of RTCP of one's own making."""
        self._outlet.send_rtcp(packet)

    async def close(self) -> None:
        """Hang up."""
        await peer.close(self.pc)


async def _take_nothing(_parameters: Any) -> None:
    return None


async def tend_all(viewers: list[Viewer]) -> None:
    """Let all of them report, some twenty times a second, for ever; the list may grow."""
    while True:
        await asyncio.sleep(TEND_EVERY_S)
        for viewer in viewers:
            viewer.tend()


def summed(viewers: Iterable[Viewer]) -> dict[str, Any]:
    """What all of them received, by kind; of gaps the longest."""
    total: dict[str, Any] = {"viewers": 0, "video": {}, "audio": {}}
    for viewer in viewers:
        total["viewers"] += 1
        if viewer.reception is None:
            continue
        for kind, counts in viewer.reception.figures().items():
            into = total[kind]
            for name, value in counts.items():
                before = into.get(name, 0)
                into[name] = max(before, value) if name == "gap_max_us" else before + value
    return total
