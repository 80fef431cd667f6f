"""The socket: who may connect, what may be said, and who replaces whom."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain.journal import open_journal
from offchain.relayer import link as link_module
from offchain.relayer.delegates import MemoryKeyring
from offchain.relayer.link import Link
from offchain.relayer.run import Relayer, assembled
from offchain.unix_socket import SocketGroupRefused, SocketInUse, listening
from streaming.framing import FRAME_BYTES_MAX, body_length
from streaming.session_state import (
    PROTOCOL_VERSION,
    ConnectionState,
    FromRelayer,
    FromServer,
    Hello,
    HelloAck,
    Leases,
    Request,
    Response,
    SessionRef,
    States,
    decode_from_relayer,
    encode_frame,
)
from tests.relayer.fake_chain import FakeChain
from tests.relayer.rig import unix_ms

HELLO = Hello(
    protocol_version=PROTOCOL_VERSION, server_id="s", boot_id="b", origin="https://live.example"
)


class Client:
    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    async def send(self, message: FromServer) -> None:
        await self.stream.send_all(encode_frame(message))

    async def _exactly(self, length: int) -> bytes:
        received = b""
        while len(received) < length:
            part = await self.stream.receive_some(length - len(received))
            if not part:
                raise EOFError
            received += part
        return received

    async def receive(self) -> FromRelayer:
        with trio.fail_after(5):
            return decode_from_relayer(await self._exactly(body_length(await self._exactly(4))))

    async def hello(self, hello: Hello = HELLO) -> HelloAck:
        await self.send(hello)
        ack = await self.receive()
        assert isinstance(ack, HelloAck)
        return ack

    async def closed(self) -> bool:
        with trio.fail_after(5):
            try:
                while await self.stream.receive_some(65_536):
                    pass
            except trio.BrokenResourceError:
                pass
        return True


@asynccontextmanager
async def served(
    path: Path, group: int | None = None, peers: frozenset[int] = frozenset()
) -> AsyncIterator[tuple[Path, Relayer]]:
    where = path / "s" / "relay.sock"
    chain = FakeChain()
    chain.add_stream(1)
    async with (
        open_journal(path / "s" / "journal.sqlite", inline=True) as journal,
        listening(where, group) as listener,
        assembled(chain, journal, MemoryKeyring(), unix_ms=unix_ms) as relayer,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(Link(relayer.leaser, relayer.requests, "r1", peers).serve, listener)
        yield where, relayer
        while _clients:
            await trio.aclose_forcefully(_clients.pop())
        nursery.cancel_scope.cancel()


_clients: list[trio.SocketStream] = []


async def connect(where: Path) -> Client:
    stream = await trio.open_unix_socket(str(where))
    _clients.append(stream)
    return Client(stream)


async def test_the_socket_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as (where, _):
        assert stat.S_IMODE(where.stat().st_mode) == 0o600
        assert stat.S_IMODE(where.parent.stat().st_mode) == 0o700
    assert not where.exists()


async def test_another_user_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "peer_of", lambda stream: (1, os.getuid() + 1))
    async with served(tmp_path) as (where, _):
        client = await connect(where)
        assert await client.closed()


async def test_the_media_server_may_be_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = os.getuid() + 1
    monkeypatch.setattr(link_module, "peer_of", lambda stream: (1, other))
    async with served(tmp_path, group=os.getgid(), peers=frozenset({other})) as (where, _):
        assert stat.S_IMODE(where.stat().st_mode) == 0o660
        assert where.stat().st_gid == os.getgid()
        client = await connect(where)
        await client.send(HELLO)
        assert isinstance(await client.receive(), HelloAck)


SERVER, NEIGHBOUR = 65_534, 65_533
"""Users, each with a group of the same number, that are not the relayer's."""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("named", "user", "group", "heard"),
    [
        (None, SERVER, SERVER, "refused"),
        (SERVER, SERVER, SERVER, "hello-ack"),
        (SERVER, NEIGHBOUR, NEIGHBOUR, "refused"),
        (SERVER, NEIGHBOUR, SERVER, "closed"),
    ],
)
async def test_another_user_is_refused_for_real_unless_named(
    named: int | None, user: int, group: int, heard: str
) -> None:
    """`named` is who `--server-user` names: a user, whose group may open the socket."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        for path in (directory, directory / "s"):
            path.mkdir(exist_ok=True)
            path.chmod(0o711)  # so that nothing but the socket itself is in the way
        peers = frozenset() if named is None else frozenset({named})
        async with served(directory, named, peers) as (where, _):
            assert await trio.to_thread.run_sync(heard_by, user, group, where) == heard


def heard_by(user: int, group: int, path: Path) -> str:
    """Say hello as another user: `refused` by the system, `closed` by the relayer, or greeted."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        heard = b"failed"
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(10)
                sock.connect(str(path))
                sock.sendall(encode_frame(HELLO))
                heard = b"hello-ack" if b"hello-ack" in sock.recv(4_096) else b"closed"
        except PermissionError:
            heard = b"refused"
        except (BrokenPipeError, ConnectionResetError):
            heard = b"closed"
        finally:
            os.write(writer, heard)
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read().decode()


async def test_a_group_that_the_relayer_is_not_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.chown", refuse)
    with pytest.raises(SocketGroupRefused, match="a member of it"):
        async with listening(tmp_path / "relay.sock", 12345):
            pass


async def test_hello_requests_and_states(tmp_path: Path) -> None:
    async with served(tmp_path) as (where, relayer):
        client = await connect(where)
        ack = await client.hello()
        assert (ack.refused, ack.relayer_boot_id) == (None, "r1")
        await client.send(Request(id=7, method="streams", params={}))
        answer = await client.receive()
        assert isinstance(answer, Response)
        assert (answer.id, answer.result["streams"][0]["id"]) == (7, 1)
        state = ConnectionState(
            connection="c", session=SessionRef(9, 9), number=1, delivered_ms=5, final=True
        )
        await client.send(States(sequence=3, connections=[state], publishers=[]))
        leases = await client.receive()
        assert isinstance(leases, Leases)
        assert leases.sequence == 3
        assert (leases.leases[0].allowed, leases.leases[0].reason) == (False, "unknown-session")
        assert leases.acknowledged == ["c"]
        assert relayer.core.book.boot_id == "b"


async def test_a_withdrawn_request_is_left_where_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as (where, relayer):
        left: list[int] = []
        began = trio.Event()

        async def answer(request: Request, origin: str) -> Response:
            if request.method == "quick":
                return Response(id=request.id, result={})
            try:
                began.set()
                await trio.sleep_forever()
            finally:
                left.append(request.id)

        monkeypatch.setattr(relayer.requests, "answer", answer)
        client = await connect(where)
        await client.hello()
        await client.send(Request(id=1, method="slow", params={}))
        await began.wait()
        for mistaken in (2, None, "1"):  # not asked, not named, not a number
            await client.send(Request(id=8, method="withdraw", params={"request": mistaken}))
        await client.send(Request(id=3, method="quick", params={}))
        assert await client.receive() == Response(id=3, result={})
        assert not left
        await client.send(Request(id=9, method="withdraw", params={"request": 1}))
        await client.send(Request(id=4, method="quick", params={}))
        assert await client.receive() == Response(id=4, result={}), "neither 1 nor 9 is answered"
        assert left == [1]


async def test_another_protocol_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with served(tmp_path) as (where, _):
        client = await connect(where)
        ack = await client.hello(Hello(protocol_version=99, server_id="s", boot_id="b", origin="o"))
        assert ack.refused is not None
        assert "99" in ack.refused
        assert "same release" in ack.refused
        assert await client.closed()


async def test_a_server_that_connects_again_replaces_its_older_connection(tmp_path: Path) -> None:
    async with served(tmp_path) as (where, _):
        first, second = await connect(where), await connect(where)
        await first.hello()
        await second.hello()
        assert await first.closed()
        await second.send(Request(id=1, method="info", params={}))
        assert isinstance(await second.receive(), Response)


OTHER = Hello(
    protocol_version=PROTOCOL_VERSION, server_id="s", boot_id="other", origin="https://live.example"
)


async def test_servers_of_other_ids_are_served_beside_each_other(tmp_path: Path) -> None:
    other = Hello(
        protocol_version=PROTOCOL_VERSION, server_id="t", boot_id="u", origin="https://two.example"
    )
    async with served(tmp_path) as (where, _):
        first, second = await connect(where), await connect(where)
        await first.hello()
        ack = await second.hello(other)
        assert ack.refused is None
        for peer in (first, second):
            await peer.send(Request(id=1, method="info", params={}))
            assert isinstance(await peer.receive(), Response)


async def test_a_second_server_of_that_id_is_refused_while_the_first_talks(tmp_path: Path) -> None:
    async with served(tmp_path) as (where, _):
        first, second = await connect(where), await connect(where)
        await first.hello()
        ack = await second.hello(OTHER)
        assert ack.refused is not None
        assert f"process {os.getpid()}" in ack.refused
        assert "end that one" in ack.refused
        assert "--server-id" in ack.refused
        assert await second.closed()
        await first.send(Request(id=1, method="info", params={}))
        assert isinstance(await first.receive(), Response)


async def test_the_second_takes_over_when_the_first_has_gone_or_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as (where, relayer):
        first = await connect(where)
        await first.hello()
        await first.stream.aclose()
        second = await connect(where)
        while (await second.hello(OTHER)).refused is not None:
            second = await connect(where)
        assert relayer.core.book.boot_id == "other"
        monkeypatch.setattr(link_module, "SILENT_AFTER_S", 0.0)
        third = await connect(where)
        assert (await third.hello()).refused is None
        assert await second.closed()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff",
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        (2).to_bytes(4, "big") + b"[]",
        (4).to_bytes(4, "big") + b"null",
        (9).to_bytes(4, "big") + b"\xff" * 9,
        (18).to_bytes(4, "big") + b'{"type":"unknown"}',
        (100_000).to_bytes(4, "big") + b"[" * 100_000,
        (17).to_bytes(4, "big") + b'{"type":"states"}',
        b"\x00\x00\x00\x00",
        b"",
    ],
)
async def test_garbage_ends_its_connection_and_nothing_else(tmp_path: Path, garbage: bytes) -> None:
    async with served(tmp_path) as (where, _):
        for greeted in (False, True):
            bad = await connect(where)
            if greeted:
                await bad.hello()
            await bad.stream.send_all(garbage)
            await bad.stream.send_eof()
            assert await bad.closed()
        good = await connect(where)
        assert (await good.hello()).refused is None


async def test_states_before_hello_and_two_hellos_are_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as (where, _):
        client = await connect(where)
        await client.send(States(sequence=1, connections=[], publishers=[]))
        assert await client.closed()
        client = await connect(where)
        await client.hello()
        await client.send(HELLO)
        assert await client.closed()


HOSTILE: list[tuple[str, dict[str, Any], str]] = [
    ("nothing", {}, "method-unknown"),
    ("__init__", {}, "method-unknown"),
    ("stream", {}, "invalid-params"),
    ("stream", {"stream": "1"}, "invalid-params"),
    ("stream", {"stream": 1.5}, "invalid-params"),
    ("stream", {"stream": True}, "invalid-params"),
    ("stream", {"stream": -1}, "stream-not-found"),
    ("stream", {"stream": 2**64}, "stream-not-found"),
    ("stream", {"stream": 404}, "stream-not-found"),
    ("challenge", {"account": "x" * 10_000, "purpose": "watch"}, "account-invalid"),
    ("challenge", {"account": "0x", "purpose": "watch"}, "account-invalid"),
    ("challenge", {"account": "5GrwvaEF", "purpose": "steal"}, "invalid-params"),
    ("token", {"challenge": "?", "signature": "0x"}, "challenge-unknown"),
    ("renew", {"token": "psw_" + "a" * 10_000}, "token-invalid"),
    ("terms", {"token": "", "stream": 1}, "token-invalid"),
    ("watch", {"token": "psw_x", "stream": 1}, "token-invalid"),
    ("admit", {"token": "psw_x", "stream": 1}, "token-invalid"),
    ("publish", {"token": "psp_x", "stream": 1}, "token-invalid"),
    ("wallet_prepare", {"call": {"kind": "sudo"}, "account": "x"}, "invalid-params"),
    ("wallet_prepare", {"call": {"kind": "revoke", "grant": 1}}, "account-missing"),
    ("wallet_submit", {"submission": "x", "signature": "0x00"}, "submission-unknown"),
    ("wallet_submit", {"submission": "x", "signature": "0" * 9_999}, "signature-invalid"),
    ("wallet_status", {"submission": "x"}, "submission-unknown"),
    ("sessions", {"token": "x"}, "token-invalid"),
    ("session", {"token": "x", "grant": 0, "index": 0}, "token-invalid"),
    ("close_session", {"token": "x", "grant": 0, "index": 0}, "token-invalid"),
]


@pytest.mark.parametrize(("method", "params", "code"), HOSTILE)
async def test_bad_requests_get_a_clear_problem(
    tmp_path: Path, method: str, params: dict[str, Any], code: str
) -> None:
    async with served(tmp_path) as (where, _):
        client = await connect(where)
        await client.hello()
        await client.send(Request(id=1, method=method, params=params))
        response = await client.receive()
        assert isinstance(response, Response)
        assert response.problem is not None
        assert response.problem.code == code
        assert 400 <= response.problem.status < 600
        assert len(response.problem.detail) > 10


async def test_a_mistake_of_ours_is_an_answer_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path) as (where, relayer):

        async def crash(*_: object) -> None:
            raise ZeroDivisionError

        relayer.requests.answer = crash  # type: ignore[method-assign,assignment]
        client = await connect(where)
        await client.hello()
        await client.send(Request(id=5, method="info", params={}))
        response = await client.receive()
        assert isinstance(response, Response)
        assert response.problem is not None
        assert (response.id, response.problem.code) == (5, "relayer-error")


async def test_a_leftover_socket_is_removed_and_a_live_one_is_not(tmp_path: Path) -> None:
    left = tmp_path / "relay.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(left))
    async with listening(left):
        with pytest.raises(SocketInUse, match="another process listens"):
            async with listening(left):
                pass
        assert left.exists()
    assert not left.exists()
    left.write_text("precious")
    with pytest.raises(SocketInUse, match="no socket"):
        async with listening(left):
            pass
    assert left.read_text() == "precious"
