"""The socket that the media server connects to: local, one user, one server at a time.

The socket file has mode 0600 and the peer's user id is checked as well. A server that connects
again replaces its older connection; another server is refused while the first one talks, so that
two never take the link from each other in turn. Every queue is bounded: states are answered at
once, requests at most `REQUESTS_AT_ONCE` at a time.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import trio

from offchain.relayer.leases import Leaser
from offchain.relayer.requests import Requests
from streaming.session_state import (
    PROTOCOL_VERSION,
    FromRelayer,
    FromServer,
    Hello,
    HelloAck,
    Leases,
    MessageTooLarge,
    Problem,
    Request,
    Response,
    States,
    body_length,
    decode_from_server,
    encode_frame,
)

log = logging.getLogger("paystream.relay.link")

REQUESTS_AT_ONCE: Final = 256
OUTGOING_MAX: Final = 1_024
HELLO_WITHIN_S: Final = 5.0
WRITE_WITHIN_S: Final = 10.0
SILENT_AFTER_S: Final = 5.0
"""A server that has said nothing for so long (it tells its state each 500 ms) gives way."""
_UCRED: Final = struct.Struct("3i")


class SocketInUse(Exception):
    """Another process answers on the socket's path."""


class PeerGone(Exception):
    """The other side closed the connection, or broke its rules."""


class Link:
    """Serves one media server at a time."""

    def __init__(self, leaser: Leaser, requests: Requests, boot_id: str) -> None:
        self._leaser = leaser
        self._requests = requests
        self._boot_id = boot_id
        self._current: _Peer | None = None

    async def serve(self, listener: trio.SocketListener) -> None:
        """Accept connections for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                stream = await listener.accept()
                nursery.start_soon(self._handle, stream)

    async def _handle(self, stream: trio.SocketStream) -> None:
        with trio.CancelScope() as scope:
            async with stream:
                try:
                    await self._talk(stream, scope)
                except (PeerGone, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    log.info("event=link-closed why=%r", str(error))
        if self._current is not None and self._current.scope is scope:
            self._current = None

    async def _talk(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        process, owner = peer_of(stream)
        if owner != os.getuid():
            log.warning("event=link-refused uid=%d", owner)
            return
        hello: FromServer | None = None
        with trio.move_on_after(HELLO_WITHIN_S):
            hello = await read_message(stream)
        if not isinstance(hello, Hello):
            raise PeerGone("it did not say hello")
        if hello.protocol_version != PROTOCOL_VERSION:
            await self._refuse(
                stream,
                f"the media server speaks version {hello.protocol_version}, this relayer version "
                f"{PROTOCOL_VERSION}: run both from the same release of paystream",
            )
            return
        current = self._current
        if current is not None and current.keeps_out(hello, trio.current_time()):
            await self._refuse(
                stream,
                f"another media server ({current.server_id[:80]!r}, process {current.process}) "
                "is connected to this relayer and talks to it: end that one, or start this one "
                "with the --socket of a relayer of its own",
            )
            return
        if current is not None:
            log.info("event=link-replaced")
            current.scope.cancel()
        peer = _Peer(hello, process, scope, trio.current_time())
        self._current = peer
        self._leaser.greet(hello.boot_id)
        log.info("event=link-open server=%r origin=%r", hello.server_id[:80], hello.origin[:200])
        await self._converse(stream, hello, peer)

    async def _refuse(self, stream: trio.SocketStream, why: str) -> None:
        refusal = HelloAck(
            protocol_version=PROTOCOL_VERSION, relayer_boot_id=self._boot_id, refused=why
        )
        log.warning("event=link-refused why=%r", why)
        await stream.send_all(encode_frame(refusal))

    async def _converse(self, stream: trio.SocketStream, hello: Hello, peer: _Peer) -> None:
        send, receive = trio.open_memory_channel[FromRelayer](OUTGOING_MAX)
        failure: PeerGone | trio.BrokenResourceError | trio.ClosedResourceError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, stream, receive, nursery.cancel_scope)
            send.send_nowait(
                HelloAck(protocol_version=PROTOCOL_VERSION, relayer_boot_id=self._boot_id)
            )
            conversation = _Conversation(send, nursery, hello)
            try:
                while True:
                    message = await read_message(stream)
                    peer.heard_s = trio.current_time()
                    self._take(message, conversation)
            except (PeerGone, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def _take(self, message: FromServer, conversation: _Conversation) -> None:
        match message:
            case States():
                conversation.send(self._lease(message, conversation.hello.boot_id))
            case Request():
                if conversation.waiting >= REQUESTS_AT_ONCE:
                    conversation.send(Response(id=message.id, problem=_BUSY))
                    return
                conversation.waiting += 1
                conversation.nursery.start_soon(self._answer, message, conversation)
            case Hello():
                raise PeerGone("it said hello twice")

    def _lease(self, states: States, boot_id: str) -> Leases:
        try:
            return self._leaser.answer(states, boot_id)
        except Exception:
            # the journal and the ticks of all others must go on; without leases media stops
            log.exception("event=states-crashed")
            raise PeerGone("its states could not be taken") from None

    async def _answer(self, request: Request, conversation: _Conversation) -> None:
        try:
            response = await self._requests.answer(request, conversation.hello.origin)
        except Exception:
            # a mistake of ours must neither end the link nor leave the asker without an answer
            log.exception("event=request-crashed method=%r", request.method[:60])
            response = Response(id=request.id, problem=_CRASHED)
        finally:
            conversation.waiting -= 1
        conversation.send(response)

    async def _write(
        self,
        stream: trio.SocketStream,
        receive: trio.MemoryReceiveChannel[FromRelayer],
        scope: trio.CancelScope,
    ) -> None:
        try:
            async for message in receive:
                with trio.fail_after(WRITE_WITHIN_S):
                    await stream.send_all(_framed(message))
        except (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
            log.info("event=link-stalled")
            scope.cancel()


class _Peer:
    """The media server that is connected, and when it last said something (trio's clock)."""

    def __init__(self, hello: Hello, process: int, scope: trio.CancelScope, now: float) -> None:
        self.server_id = hello.server_id
        self.boot_id = hello.boot_id
        self.process = process
        self.scope = scope
        self.heard_s = now

    def keeps_out(self, hello: Hello, now: float) -> bool:
        """Tell whether it is another than the one that says hello, and alive."""
        return hello.boot_id != self.boot_id and now - self.heard_s < SILENT_AFTER_S


class _Conversation:
    """One greeted connection."""

    def __init__(
        self, channel: trio.MemorySendChannel[FromRelayer], nursery: trio.Nursery, hello: Hello
    ) -> None:
        self._channel = channel
        self.nursery = nursery
        self.hello = hello
        self.waiting = 0

    def send(self, message: FromRelayer) -> None:
        """Queue a message. A server that reads nothing is cut off. Raises PeerGone."""
        try:
            self._channel.send_nowait(message)
        except trio.WouldBlock:
            self.nursery.cancel_scope.cancel()


_BUSY: Final = Problem(
    status=503,
    code="busy",
    detail="the relayer has too much to answer: try again in a second",
    retry_after_s=1,
)
_CRASHED: Final = Problem(
    status=500,
    code="relayer-error",
    detail="the relayer made a mistake with this request, and wrote it to its log",
)
_TOO_LARGE: Final = Problem(
    status=500, code="answer-too-large", detail="the answer is too large for one message"
)


def _framed(message: FromRelayer) -> bytes:
    try:
        return encode_frame(message)
    except MessageTooLarge:
        if not isinstance(message, Response):
            raise
        return encode_frame(Response(id=message.id, problem=_TOO_LARGE))


async def read_message(stream: trio.SocketStream) -> FromServer:
    """Read one message. Raises PeerGone where there is none, or none that can be read."""
    header = await _exactly(stream, 4)
    try:
        return decode_from_server(await _exactly(stream, body_length(header)))
    except (MessageTooLarge, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        log.warning("event=link-broken why=%r", str(error)[:200])
        raise PeerGone("it sent what cannot be read") from None


async def _exactly(stream: trio.SocketStream, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        part = await stream.receive_some(length - len(received))
        if not part:
            raise PeerGone("it closed the connection")
        received += part
    return bytes(received)


def peer_of(stream: trio.SocketStream) -> tuple[int, int]:
    """Give the process at the other end, and the user that it runs as (SO_PEERCRED)."""
    raw = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    process, user, _ = _UCRED.unpack(raw)
    return int(process), int(user)


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[trio.SocketListener]:
    """Listen on a unix socket, readable by its owner alone, and remove it at the end.

    Raises SocketInUse, and OSError where the path cannot be used.
    """
    if _left_behind(path):
        with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM) as probe:
            try:
                await probe.connect(str(path))
            except OSError:
                _remove(path)
            else:
                raise SocketInUse(
                    f"another process listens on {path}: stop it, or give this relayer another "
                    "--socket"
                )
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM) as sock:
        await sock.bind(str(path))
        inode = _private(path)  # before `listen`, so nobody has connected yet
        sock.listen(8)
        try:
            yield trio.SocketListener(sock)
        finally:
            _remove(path, inode)


def _left_behind(path: Path) -> bool:
    """Tell whether a socket is there; anything else is left alone. Raises SocketInUse."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise SocketInUse(f"{path} is there and is no socket: name another --socket")
    return True


def _private(path: Path) -> int:
    path.chmod(0o600)
    return path.stat().st_ino


def _remove(path: Path, inode: int | None = None) -> None:
    """Remove a socket, unless another process has put its own in the place."""
    with suppress(FileNotFoundError):
        if inode is None or path.stat().st_ino == inode:
            path.unlink()
