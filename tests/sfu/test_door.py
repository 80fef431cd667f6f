"""Strangers at the door: datagrams of every kind while somebody publishes and somebody watches."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Any

import pytest

import datagram_fuzz
from streaming.clients import publisher
from streaming.session_state import StreamRef
from streaming.sfu import aiortc_adapter
from streaming.sfu.aiortc_engine import AiortcEngine
from tests.sfu.rig import rig
from tests.sfu.test_media import agrees, until

pytestmark = pytest.mark.media

THROWN_S = 4.0
PLAIN = [
    b"",
    b"\x00",
    b"\x16",
    b"\x80",
    b"\x80\x60",
    b"\x80\xc8" + bytes(6),
    b"\x80\x60" + bytes(30),
    b"\x80\xc8" + bytes(30),
    b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",
    b"\x16\xfe\xfd" + bytes(8) + b"\x00\x0c\x01" + bytes(11),
    b"\x16" + bytes(60),
    b"\x17\xfe\xfd" + bytes(8) + b"\x00\x10" + bytes(16),
    b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
    b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff" * 2000,
    bytes(1400),
]


def transports(engine: AiortcEngine) -> list[Any]:
    """The DTLS transports of the publisher and of the viewer, at the server."""
    (live,) = engine._streams.values()
    assert live.publication is not None
    pcs = [live.publication.pc, *(each._pc for each in live.subscriptions)]
    return [pc.getTransceivers()[0].receiver.transport for pc in pcs]


def all_kinds(seed: int) -> list[bytes]:
    mutator = datagram_fuzz.Mutator(datagram_fuzz.corpus(), seed)
    return PLAIN + datagram_fuzz.corpus() + [mutator.datagram() for _ in range(20)]


async def throw(connection: Any, seed: int, *, as_peer: Any = None) -> None:
    """Every kind at each of a connection's sockets, from a stranger or from the peer itself."""
    datagrams = all_kinds(seed)
    name = f"{connection.local_username}:{connection.remote_username}".encode()
    without_priority = datagram_fuzz.signed(
        b"\x00\x01\x00\x00\x21\x12\xa4\x42transaction!", name, connection.local_password.encode()
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for protocol in connection._protocols:
            there = protocol.transport.get_extra_info("sockname")[:2]
            for data in datagrams:
                if as_peer is not None:
                    as_peer(data, there)
                elif ":" not in there[0]:
                    stranger.sendto(data, there)
            if as_peer is not None:
                as_peer(without_priority, there)
            await asyncio.sleep(0)


def sender_of(peer: Any) -> Any:
    """How a client's own socket sends: from the address that the server knows."""
    pair = peer.transport._connection._nominated[1]
    sock = pair.protocol.transport._sock

    def send(data: bytes, _there: Any) -> None:
        sock.sendto(data, pair.remote_addr)

    return send


def test_media_goes_on_whatever_arrives(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[Any] = []
    made = aiortc_adapter.new_peer

    def new_peer() -> Any:
        clients.append(made())
        return clients[-1]

    monkeypatch.setattr(aiortc_adapter, "new_peer", new_peer)
    monkeypatch.setattr(publisher, "new_peer", new_peer)

    async def main() -> None:
        async with rig() as r, r.publishing():
            watching = asyncio.ensure_future(r.watch(seconds=9, count_only=True))
            await until(lambda: r.relayer.states)
            await asyncio.sleep(1.5)
            engine = r.server.engine
            assert isinstance(engine, AiortcEngine)
            servers = transports(engine)
            ours = {id(each) for each in servers}
            peers = [
                transport
                for pc in clients
                if id(transport := pc.getTransceivers()[0].receiver.transport) not in ours
                and transport.transport._connection._nominated
            ]
            assert len(servers) == len(peers) == 2
            began, number = time.monotonic(), 0
            while time.monotonic() - began < THROWN_S:
                number += 1
                for server in servers:
                    await throw(server.transport._connection, number)
                for peer, server in zip(peers, pairs(servers, peers), strict=True):
                    await throw(server.transport._connection, number, as_peer=sender_of(peer))
                await asyncio.sleep(0.01)
            result = await watching
            assert result.end_reason == "seconds"
            assert result.reconnects == 0
            assert result.watched_ms > 7_500
            await agrees(r, result)
            assert [live.stream for live in engine.all_live()] == [StreamRef(1)]
            rejected = engine.sockets.rejected
            assert rejected["defect"] == 0
            for kind in ("empty", "stranger", "stun-unsigned", "dtls-broken", "dtls-alert"):
                assert rejected[kind] >= number > 3, rejected

    asyncio.run(main())
    bad = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert bad == []
    assert "Traceback" not in caplog.text


def pairs(servers: list[Any], peers: list[Any]) -> list[Any]:
    """The servers' transports in the order of the peers that they are connected with."""
    by_name = {server.transport._connection.local_username: server for server in servers}
    return [by_name[peer.transport._connection.remote_username] for peer in peers]
