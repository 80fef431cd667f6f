"""ICE on the server's side: what is offered, how little waiting costs, whose silence is borne."""

from __future__ import annotations

import asyncio
import errno
import inspect
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import stun
from aioice.ice import Connection
from aiortc import RTCPeerConnection
from aiortc.rtcicetransport import RTCIceGatherer, RTCIceTransport

import datagram_fuzz
from streaming.sfu import aiortc_adapter, ice
from streaming.sfu.aiortc_engine import AiortcEngine
from streaming.sfu.ice import CONSENT_EXPIRES_S, IceListener, keep_consent
from streaming.sfu.media_engine import MediaError
from tests.sfu.test_sockets import free_range

LOOPBACKS = ("127.0.0.2", "127.0.0.1")


async def offer_of(direction: str = "sendonly") -> tuple[RTCPeerConnection, str]:
    pc = aiortc_adapter.new_peer()
    pc.addTransceiver("video", direction=direction)
    await pc.setLocalDescription(await pc.createOffer())
    return pc, pc.localDescription.sdp


async def until(true: Callable[[], bool]) -> None:
    """Let the loop turn until it is so, some seconds at most."""
    for _ in range(5000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come about")


def candidates(answer: str) -> list[list[str]]:
    return [line.split() for line in answer.splitlines() if line.startswith("a=candidate:")]


def test_addresses_are_offered_in_their_order_with_falling_priorities() -> None:
    async def main() -> None:
        engine = AiortcEngine(LOOPBACKS)
        pc, offer = await offer_of()
        publication = await engine.publish(1, offer, sound_alone=False)
        found = candidates(publication.answer)
        assert [line[4] for line in found] == list(LOOPBACKS)
        assert int(found[0][3]) > int(found[1][3])
        assert found[0][0] != found[1][0]
        assert engine.sockets.open == 2
        assert (engine.half_open(), engine.half_open(1), engine.half_open(2)) == (1, 1, 0)
        await publication.close()
        await engine.close()
        await pc.close()
        assert engine.sockets.open == engine.half_open() == 0

    asyncio.run(main())


def test_ports_of_the_range_and_then_a_503_that_leaves_nothing_open() -> None:
    first, last = free_range(1)

    async def main() -> None:
        engine = AiortcEngine(("127.0.0.1",), (first, last))
        pc, offer = await offer_of()
        publication = await engine.publish(1, offer, sound_alone=False)
        assert [line[5] for line in candidates(publication.answer)] == [str(first)]
        with pytest.raises(MediaError, match=f"from {first} to {last}") as raised:
            await engine.publish(2, offer, sound_alone=False)
        assert (raised.value.status, raised.value.code) == (503, "udp-ports-taken")
        assert engine.sockets.open == 1
        await publication.close()
        await (await engine.publish(2, offer, sound_alone=False)).close()
        await engine.close()
        await pc.close()

    asyncio.run(main())


def test_a_viewer_is_refused_before_anybody_admits_it() -> None:
    first, last = free_range(1)

    async def main() -> None:
        async with datagram_fuzz.connected() as target:
            engine = target.engine
            engine.sockets.ports.first_last = (first, last)
            viewers = [await offer_of("recvonly") for _ in range(2)]
            prepared = await engine.prepare(1, viewers[0][1])
            with pytest.raises(MediaError) as raised:
                await engine.prepare(1, viewers[1][1])
            assert raised.value.code == "udp-ports-taken"
            answer, subscription = await prepared.answer(lambda _reason: None)
            assert [line[5] for line in candidates(answer)] == [str(first)]
            assert engine.half_open(1) == 1
            await subscription.close()
            for pc, _ in viewers:
                await pc.close()
            assert engine.half_open() == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EMFILE, "descriptors"), (errno.EAFNOSUPPORT, "no-socket")]
)
def test_no_socket_at_all_is_a_503(
    monkeypatch: pytest.MonkeyPatch, number: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        engine = AiortcEngine(("127.0.0.1",))

        def bind(_address: str) -> socket.socket:
            raise OSError(number, "no")

        monkeypatch.setattr(engine.sockets.ports, "bind", bind)
        pc, offer = await offer_of()
        for _ in range(2):
            with pytest.raises(MediaError) as raised:
                await engine.publish(1, offer, sound_alone=False)
            assert (raised.value.status, raised.value.code) == (503, code)
        await engine.close()
        await pc.close()

    asyncio.run(main())
    assert len(caplog.records) == (code == "no-socket")


def test_a_half_open_connection_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    async def main() -> None:
        engine = AiortcEngine()
        pc, offer = await offer_of()
        publication = await engine.publish(1, offer, sound_alone=False)
        transport: Any = publication.pc.getTransceivers()[0].receiver.transport.transport
        for _ in range(20):
            await asyncio.sleep(0)
        assert transport.state == "checking"
        assert transport._connection._early_checks_done
        monkeypatch.setattr(Connection, "_check_periodic", lambda _c: asked.append(0) or True)
        await asyncio.sleep(0.1)
        await publication.close()
        await engine.close()
        await pc.close()
        assert transport.state in ("closed", "failed")

    asyncio.run(main())
    assert asked == []


class Ffmpeg:
    """ICE as ffmpeg 8.0 does it: no PRIORITY, and no answer to a check once it is connected."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))
        self.server = connection._protocols[0].transport.get_extra_info("sockname")

    def ask(self) -> None:
        name = f"{self.connection.local_username}:{self.connection.remote_username}".encode()
        header = b"\x00\x01\x00\x04\x21\x12\xa4\x42transaction!"
        request = datagram_fuzz.signed(
            header + b"\x00\x25\x00\x00", name, self.connection.local_password.encode()
        )
        self.socket.sendto(request, self.server)

    async def answer(self) -> int:
        """Answer the first check that comes; gives how many datagrams came until then."""
        loop = asyncio.get_running_loop()
        for number in range(10):
            data, sender = await loop.sock_recvfrom(self.socket, 2048)
            message = stun.parse_message(data)
            if message.message_class == stun.Class.REQUEST:
                response = stun.Message(
                    message_method=stun.Method.BINDING,
                    message_class=stun.Class.RESPONSE,
                    transaction_id=message.transaction_id,
                )
                response.attributes["XOR-MAPPED-ADDRESS"] = sender
                response.add_message_integrity(self.connection.remote_password.encode())
                self.socket.sendto(bytes(response), self.server)
                return number + 1
        raise AssertionError("no check came")


def test_checks_without_priority_make_a_pair() -> None:
    async def main() -> None:
        engine = AiortcEngine()
        pc, offer = await offer_of()
        publication = await engine.publish(1, offer, sound_alone=False)
        transport: Any = publication.pc.getTransceivers()[0].receiver.transport.transport
        await until(lambda: transport._connection.remote_password is not None)
        peer = Ffmpeg(transport._connection)
        peer.ask()
        assert await asyncio.wait_for(peer.answer(), 5) == 2
        await until(lambda: transport.state == "completed")
        pair = transport._connection._nominated[1]
        assert pair.remote_addr == peer.socket.getsockname()
        assert not any(engine.sockets.rejected.values())
        peer.socket.close()
        await publication.close()
        await engine.close()
        await pc.close()

    asyncio.run(asyncio.wait_for(main(), 10))


class Consent:
    """A peer, a clock that jumps, and a door that hears media until it falls silent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, answers: int, media_until_s: float):
        self.now = 100.0
        self.checks = 0
        self.closed = False
        self.remote_password = "p" * 22
        self._answers = answers
        self._media_until_s = 100.0 + media_until_s
        pair = SimpleNamespace(protocol=self, remote_addr=("192.0.2.77", 5000))
        self._nominated = {1: pair}
        self._query_consent_task: Any = object()
        monkeypatch.setattr(ice, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(
            ice, "asyncio", SimpleNamespace(sleep=self.sleep, create_task=asyncio.create_task)
        )

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def build_request(self, pair: Any, *, nominate: bool) -> None:
        assert not nominate

    async def request(self, _request: None, _address: Any, **options: Any) -> None:
        assert options["integrity_key"] == b"p" * 22
        self.checks += 1
        if self.checks > self._answers:
            self.now += 1.5
            raise stun.TransactionTimeout

    def heard_s(self, address: tuple[str, int]) -> float:
        assert address == ("192.0.2.77", 5000)
        return min(self.now, self._media_until_s)

    async def close(self) -> None:
        self.closed = True

    def run(self, *, media_is_consent: bool) -> float:
        """How long the connection lives, in seconds."""
        peer: Any = self
        asyncio.run(keep_consent(peer, peer, media_is_consent=media_is_consent))
        assert self.closed
        assert self._query_consent_task is None
        return self.now - 100.0


def test_who_answers_no_checks_is_gone_after_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    lived_s = Consent(monkeypatch, answers=0, media_until_s=0).run(media_is_consent=False)
    assert CONSENT_EXPIRES_S <= lived_s < CONSENT_EXPIRES_S + 8
    lived_s = Consent(monkeypatch, answers=20, media_until_s=0).run(media_is_consent=False)
    assert 20 * 4 + CONSENT_EXPIRES_S <= lived_s < 20 * 6 + CONSENT_EXPIRES_S + 8


def test_a_publishers_media_is_consent_and_a_viewers_reports_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lived_s = Consent(monkeypatch, answers=0, media_until_s=300).run(media_is_consent=True)
    assert 300 + CONSENT_EXPIRES_S <= lived_s < 300 + CONSENT_EXPIRES_S + 8
    lived_s = Consent(monkeypatch, answers=0, media_until_s=300).run(media_is_consent=False)
    assert lived_s < CONSENT_EXPIRES_S + 8


def test_private_members_of_aioice() -> None:
    async def main() -> None:
        server = aiortc_adapter.new_peer()
        server.addTransceiver("video", direction="recvonly")
        door = IceListener().listen(server, publisher=True)
        transport: Any = server.getTransceivers()[0].receiver.transport.transport
        connection = transport._connection
        assert connection._local_candidates_start is connection._local_candidates_end is True
        assert [c.host for c in connection.local_candidates] == ["127.0.0.1"]
        assert len(connection._protocols) == 1
        assert connection._early_checks_done is False
        assert connection._query_consent_task is None
        assert connection._check_list_state.empty()
        await transport.iceGatherer.gather()
        assert len(connection.local_candidates) == 1
        assert door.heard_s(("192.0.2.77", 5000)) < 0
        await server.close()

    asyncio.run(main())
    assert "await self._connection.connect()" in inspect.getsource(RTCIceTransport.start)
    assert "await self._connection.gather_candidates()" in inspect.getsource(RTCIceGatherer.gather)
    usual = inspect.getsource(Connection.connect)
    assert "asyncio.create_task(self.query_consent())" in usual
    assert "self.check_incoming(*early_check)" in usual
