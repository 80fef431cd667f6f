"""`paystream signer`: the process around the judge, with its socket.

One task judges and signs, so that orders which are asked for together share one wait for the disk.
A peer is known by its user (SO_PEERCRED) or by a group of its process (SO_PEERGROUPS), and by
nothing that it says.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from offchain.keys.delegate_keys import DelegateKeys
from offchain.keys.keystore import KeystoreError
from offchain.service import Ending, tell_manager, until_signal
from offchain.signer.journal import SignerJournalError, open_signer_journal
from offchain.signer.judge import Judge
from offchain.signer.policy import PolicyRefused, SignOrder
from offchain.signer.protocol import (
    ORDERS_MAX,
    PROTOCOL_VERSION,
    AdoptSession,
    Derive,
    Derived,
    Done,
    FromRelayer,
    FromSigner,
    Hello,
    HelloAck,
    MessageBroken,
    Prove,
    Recognise,
    Recognised,
    Signed,
    SignedOne,
    SignOrders,
    decode_from_relayer,
    encode_frame,
)
from offchain.signer.settings import SignerSettings
from offchain.unix_socket import PeerGone, groups_of, listening, peer_of, read_frame
from streaming.framing import FrameTooLarge

log = logging.getLogger("paystream.signer")

GROUP_MAX: Final = 512
"""Orders that share one wait for the disk, and hold the loop while they are signed."""
WAITING_MAX: Final = 64
"""Requests of one peer that wait; then it is not read any more."""
HELLO_WITHIN_S: Final = 5.0
WRITE_WITHIN_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class SignerConfig:
    """Where a signer has its files, and what opens its keys. `password` shows in no repr.

    `password_again` reads it once more, for what was encrypted with another one since.
    """

    state_dir: Path
    keys_dir: Path
    socket: Path
    password: str
    settings: SignerSettings
    password_again: Callable[[], str | None] = lambda: None

    def __repr__(self) -> str:
        return f"<signer in {self.state_dir}>"


class _Asked:
    """A request, and the way back to who asked."""

    __slots__ = ("answer", "message")

    def __init__(
        self, message: FromRelayer, answer: Callable[[FromSigner], Awaitable[None]]
    ) -> None:
        self.message = message
        self.answer = answer


class SignerServer:
    """Serves relayers over a local socket."""

    def __init__(self, judge: Judge, settings: SignerSettings) -> None:
        self._judge = judge
        self._settings = settings
        self._send, self._receive = trio.open_memory_channel[_Asked](WAITING_MAX)
        self._thread = trio.CapacityLimiter(1)

    async def serve(self, listener: trio.SocketListener) -> None:
        """Answer for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._work)
            while True:
                stream = await listener.accept()
                nursery.start_soon(self._handle, stream)

    # --- peers -----------------------------------------------------------------------------

    async def _handle(self, stream: trio.SocketStream) -> None:
        async with stream:
            if not self._allowed(stream):
                return
            try:
                await self._talk(stream)
            except (
                PeerGone,
                MessageBroken,
                trio.TooSlowError,
                trio.BrokenResourceError,
                trio.ClosedResourceError,
            ) as error:
                log.info("event=relayer-gone why=%r", str(error))

    def _allowed(self, stream: trio.SocketStream) -> bool:
        process, user = peer_of(stream)
        settings = self._settings
        if user == os.getuid() or user in settings.users:
            return True
        if settings.group is not None and settings.group in groups_of(stream):
            return True
        log.warning("event=peer-refused uid=%d pid=%d", user, process)
        return False

    async def _talk(self, stream: trio.SocketStream) -> None:
        with trio.fail_after(HELLO_WITHIN_S):
            hello = await read_message(stream)
        if not isinstance(hello, Hello):
            raise PeerGone("it did not say hello")
        refused = await trio.to_thread.run_sync(self._greet, hello, limiter=self._thread)
        await stream.send_all(
            encode_frame(HelloAck(protocol_version=PROTOCOL_VERSION, refused=refused))
        )
        if refused is not None:
            log.warning("event=relayer-refused why=%r", refused)
            return
        if not hello.rehearses:
            log.info("event=relayer-connected")
        turn, room = trio.Lock(), trio.Semaphore(WAITING_MAX)

        async def answer(message: FromSigner) -> None:
            try:
                async with turn:
                    with trio.fail_after(WRITE_WITHIN_S):
                        await stream.send_all(encode_frame(message))
            except (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
                await stream.aclose()  # the reader finds out
            finally:
                room.release()

        while True:
            await room.acquire()
            message = await read_message(stream)
            if isinstance(message, Hello):
                raise PeerGone("it said hello twice")
            if hello.rehearses and not isinstance(message, Recognise):
                raise PeerGone("who rehearses has nothing made, signed or kept")
            if isinstance(message, SignOrders) and len(message.orders) > ORDERS_MAX:
                raise PeerGone(f"it sent more than {ORDERS_MAX} orders at once")
            await self._send.send(_Asked(message, answer))

    def _greet(self, hello: Hello) -> str | None:
        if hello.protocol_version != PROTOCOL_VERSION:
            return (
                f"the relayer speaks version {hello.protocol_version}, this signer version "
                f"{PROTOCOL_VERSION}: run both from the same release of paystream"
            )
        only = self._settings.genesis_hash
        if only is not None and only != hello.genesis_hash:
            return f"the policy is for the chain with genesis {only}, not {hello.genesis_hash}"
        try:
            self._judge.bind(hello.genesis_hash, hello.pallet_index, keep=not hello.rehearses)
        except (SignerJournalError, PolicyRefused) as error:
            return str(error)
        return None

    # --- work ------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Take what waits, judge and sign it in a thread, and answer."""
        async with trio.open_nursery() as nursery:
            while True:
                group = [await self._receive.receive()]
                orders = _count(group[0])
                while orders < GROUP_MAX:
                    try:
                        group.append(self._receive.receive_nowait())
                    except trio.WouldBlock:
                        break
                    orders += _count(group[-1])
                answers = await trio.to_thread.run_sync(
                    self._answers, [each.message for each in group], limiter=self._thread
                )
                for asked, message in zip(group, answers, strict=True):
                    nursery.start_soon(asked.answer, message)

    def _answers(self, messages: list[FromRelayer]) -> list[FromSigner]:
        """Answer a group: all of its orders in one go, the rest one by one."""
        orders: list[SignOrder] = []
        for message in messages:
            if isinstance(message, SignOrders):
                orders += message.orders
        results = self._judge.sign(orders) if orders else []
        at = 0
        answers: list[FromSigner] = []
        for message in messages:
            if isinstance(message, SignOrders):
                count = len(message.orders)
                answers.append(Signed(id=message.id, results=results[at : at + count]))
                at += count
            else:
                answers.append(self._other(message))
        return answers

    def _other(self, message: FromRelayer) -> FromSigner:
        match message:
            case Derive() | Recognise():
                try:
                    return self._named(message)
                except (PolicyRefused, KeystoreError) as error:
                    code = getattr(error, "code", "key-unusable")
                    return Done(id=message.id, result=SignedOne(code=code, detail=str(error)))
            case Prove():
                return Done(id=message.id, result=self._judge.prove(message.key, message.viewer))
            case AdoptSession():
                return Done(id=message.id, result=self._judge.adopt(message.session))
        raise AssertionError(message)

    def _named(self, message: Derive | Recognise) -> Derived | Recognised:
        if isinstance(message, Recognise):
            found = self._judge.recognise(message.viewer, message.public)
            return Recognised(id=message.id, name=found)
        name, public, master = self._judge.derive(message.viewer, message.number)
        return Derived(id=message.id, name=name, public=public, master=master)


def _count(asked: _Asked) -> int:
    return len(asked.message.orders) if isinstance(asked.message, SignOrders) else 1


async def read_message(stream: trio.SocketStream) -> FromRelayer:
    """Read one message. Raises PeerGone and MessageBroken."""
    try:
        return decode_from_relayer(await read_frame(stream))
    except FrameTooLarge as error:
        raise MessageBroken(str(error)) from None


async def run_signer(config: SignerConfig) -> None:
    """Run a signer until SIGTERM or SIGINT. Prints one JSON line when it is ready.

    Raises SignerJournalError, KeystoreError, SocketInUse and OSError.
    """
    ending = Ending("the orders that are being signed")
    await until_signal(lambda: _run(config), ending, log)


async def _run(config: SignerConfig) -> None:
    with open_signer_journal(config.state_dir / "signer.sqlite") as journal:
        keys = DelegateKeys(config.keys_dir, config.password, config.password_again)
        keys.check()
        judge = Judge(config.settings.policy, journal, keys)
        async with listening(config.socket) as listener:
            _open_to_peers(config.socket, config.settings)
            server = SignerServer(judge, config.settings)
            ready = {"event": "ready", "socket": str(config.socket), "pid": os.getpid()}
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            log.info("event=ready socket=%s", config.socket)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tell_manager)
                await server.serve(listener)


def _open_to_peers(path: Path, settings: SignerSettings) -> None:
    """Let those reach the socket who may ask. Who they are is checked again at each connection."""
    if settings.group is not None:
        os.chown(path, -1, settings.group)
        path.chmod(0o660)
    elif settings.users - {os.getuid()}:
        path.chmod(0o666)
