"""The socket that media servers connect to: local, of known users, each id one at a time.

The peer's user id is checked (`offchain.unix_socket`). A server that connects again replaces its
older connection; another server is refused while the first one talks, so that two never take the
link from each other in turn. Every queue is bounded: states are answered at once, requests at most
`REQUESTS_AT_ONCE` at a time for each chain.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import msgspec
import trio

from offchain.unix_socket import PeerGone, peer_of, read_frame
from streaming.framing import FrameTooLarge
from streaming.session_state import (
    PROTOCOL_VERSION,
    FromRelayer,
    FromServer,
    Hello,
    HelloAck,
    Leases,
    Problem,
    Request,
    Response,
    States,
    decode_from_server,
    encode_frame,
)

log = logging.getLogger("paystream.relay.link")

REQUESTS_AT_ONCE: Final = 256
OUTGOING_MAX: Final = 1_024
HELLO_WITHIN_S: Final = 5.0
WRITE_WITHIN_S: Final = 10.0
SERVERS_MAX: Final = 64
SILENT_AFTER_S: Final = 5.0
"""A server that has said nothing for so long (it tells its state each 500 ms) gives way."""
UNSEEN_AFTER_S: Final = 3.0
"""One that has said nothing for so long is reckoned with as one whose link is gone."""
LOOK_EVERY_S: Final = 1.0


class Leasing(Protocol):
    """What answers states with leases."""

    def greet(self, boot_id: str) -> None:
        """A media server said hello."""

    def lose_sight(self, boot_id: str) -> None:
        """It is gone, and its connections may still be forwarded to."""

    def answer(self, states: States, boot_id: str) -> Leases:
        """Take every state and lease every connection."""


class Answering(Protocol):
    """What answers questions."""

    async def answer(self, request: Request, origin: str) -> Response:
        """Answer one request of the server whose public origin is `origin`. Never raises."""


class Link:
    """Serves media servers, each under its id one at a time."""

    def __init__(
        self,
        leaser: Leasing,
        requests: Answering,
        boot_id: str,
        peers: frozenset[int] = frozenset(),
        *,
        relayer_id: str = "",
        chains: tuple[str, ...] = (),
    ) -> None:
        """`peers` are the ids of users whose media server may connect, beside our own.

        `relayer_id` is this relayer's name among several, `chains` are the names of those that it
        follows beside the one without a name.
        """
        self._relayer_id = relayer_id
        self._chains = chains
        self._peers = peers | {os.getuid()}
        self._leaser = leaser
        self._requests = requests
        self._boot_id = boot_id
        self._servers: dict[str, _Peer] = {}

    @property
    def connected(self) -> bool:
        """Whether a media server is greeted and there."""
        return bool(self._servers)

    async def serve(self, listener: trio.SocketListener) -> None:
        """Accept connections for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look)
            while True:
                stream = await listener.accept()
                nursery.start_soon(self._handle, stream)

    async def _look(self) -> None:
        """Notice servers that say nothing though their connection is open, for ever."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            now = trio.current_time()
            for peer in self._servers.values():
                if peer.unseen_since(now):
                    self._leaser.lose_sight(peer.boot)

    async def _handle(self, stream: trio.SocketStream) -> None:
        with trio.CancelScope() as scope:
            async with stream:
                try:
                    await self._talk(stream, scope)
                except (PeerGone, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    log.info("event=link-closed why=%r", str(error))
        for server_id, peer in list(self._servers.items()):
            if peer.scope is scope:
                del self._servers[server_id]
                self._leaser.lose_sight(peer.boot)

    async def _talk(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        process, owner = peer_of(stream)
        if owner not in self._peers:
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
        current = self._servers.get(hello.server_id)
        if current is None and len(self._servers) >= SERVERS_MAX:
            await self._refuse(stream, f"{SERVERS_MAX} media servers are connected: end one")
            return
        if current is not None and current.keeps_out(hello, trio.current_time()):
            await self._refuse(
                stream,
                f"another media server with the id {current.server_id[:80]!r} (process "
                f"{current.process}) is connected to this relayer and talks to it: end that one, "
                "or start this one with a --server-id of its own",
            )
            return
        if current is not None:
            log.info("event=link-replaced")
            current.scope.cancel()
        peer = _Peer(hello, process, scope, trio.current_time())
        self._servers[hello.server_id] = peer
        self._leaser.greet(boot_of(hello))
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
                HelloAck(
                    protocol_version=PROTOCOL_VERSION,
                    relayer_boot_id=self._boot_id,
                    relayer_id=self._relayer_id,
                    chains=self._chains,
                )
            )
            conversation = _Conversation(send, nursery, hello)
            try:
                while True:
                    message = await read_message(stream)
                    peer.heard_s, peer.unseen = trio.current_time(), False
                    self._take(message, conversation)
            except (PeerGone, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def _take(self, message: FromServer, conversation: _Conversation) -> None:
        match message:
            case States():
                conversation.send(self._lease(message, boot_of(conversation.hello)))
            case Request(method="withdraw"):
                conversation.withdraw(message.params.get("request"))
            case Request():
                chain = self._followed(message)
                if conversation.waiting[chain] >= REQUESTS_AT_ONCE:
                    conversation.send(Response(id=message.id, problem=_BUSY))
                    return
                conversation.waiting[chain] += 1
                conversation.nursery.start_soon(self._answer, message, conversation)
            case Hello():
                raise PeerGone("it said hello twice")

    def _followed(self, request: Request) -> str:
        """The chain whose room a request takes: a name that means none has no room of its own."""
        return request.chain if request.chain in self._chains else ""

    def _lease(self, states: States, boot_id: str) -> Leases:
        try:
            return self._leaser.answer(states, boot_id)
        except Exception:
            # the journal and the ticks of all others must go on; without leases media stops
            log.exception("event=states-crashed")
            raise PeerGone("its states could not be taken") from None

    async def _answer(self, request: Request, conversation: _Conversation) -> None:
        response: Response | None = None
        try:
            with conversation.withdrawable(request.id):
                response = await self._requests.answer(request, conversation.hello.origin)
        except Exception:
            # a mistake of ours must neither end the link nor leave the asker without an answer
            log.exception("event=request-crashed method=%r", request.method[:60])
            response = Response(id=request.id, problem=_CRASHED)
        finally:
            conversation.waiting[self._followed(request)] -= 1
        if response is not None:
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
        self.boot = boot_of(hello)
        self.process = process
        self.scope = scope
        self.heard_s = now
        self.unseen = False

    def unseen_since(self, now: float) -> bool:
        """Tell whether it has just been silent for too long: once of each silence."""
        seen, self.unseen = not self.unseen, now - self.heard_s >= UNSEEN_AFTER_S
        return seen and self.unseen

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
        self.waiting: Counter[str] = Counter()
        """How many requests are being answered about each chain: one that halts, and answers late,
        takes no room from another."""
        self._scopes: dict[int, trio.CancelScope] = {}

    @contextmanager
    def withdrawable(self, request: int) -> Iterator[None]:
        """Answer a request until it is withdrawn: then what is inside is left where it waits."""
        with trio.CancelScope() as scope:
            self._scopes[request] = scope
            try:
                yield
            finally:
                if self._scopes.get(request) is scope:
                    del self._scopes[request]

    def withdraw(self, request: object) -> None:
        """Nobody waits for a request's answer any more. One that is answered stays so."""
        scope = self._scopes.get(request) if isinstance(request, int) else None
        if scope is not None:
            scope.cancel()

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


def boot_of(hello: Hello) -> str:
    """Name a media server's boot: what a server of another id says is not about it."""
    return f"{hello.boot_id}@{hello.server_id}"


def _framed(message: FromRelayer) -> bytes:
    try:
        return encode_frame(message)
    except FrameTooLarge:
        if not isinstance(message, Response):
            raise
        return encode_frame(Response(id=message.id, problem=_TOO_LARGE))


async def read_message(stream: trio.SocketStream) -> FromServer:
    """Read one message. Raises PeerGone where there is none, or none that can be read."""
    try:
        return decode_from_server(await read_frame(stream))
    except (FrameTooLarge, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        log.warning("event=link-broken why=%r", str(error)[:200])
        raise PeerGone("it sent what cannot be read") from None
