"""The keyring whose keys are in another process: `paystream signer`, over its socket.

The relayer holds no secret then. Orders that are due together go in one message. Without the signer
nothing is signed, requests fail at once, and the connection is tried again each second.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from offchain.keys.delegate_keys import MasterDamaged
from offchain.keys.derivation import read_name
from offchain.keys.keystore import KeystoreCorrupt, KeystoreError
from offchain.ledger.orders import Close, Domain, Open, SignedOrder, signature_value
from offchain.ledger.types import Grant
from offchain.relayer.keyring import Asked
from offchain.signer.policy import PASSING, Adopt, GrantTerms, SignOrder
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
    decode_from_signer,
    encode_frame,
)
from offchain.unix_socket import PeerGone, read_frame
from streaming.framing import FrameTooLarge

log = logging.getLogger("paystream.relay.signer")

RETRY_S: Final = 1.0
ANSWER_WITHIN_S: Final = 10.0
WAITING_MAX: Final = 8_192
ASKED_MAX: Final = 4_096
"""Requests that wait for their answer."""
_ANOTHER_KEY: Final = frozenset(
    {"beyond-cap", "grant-expired", "index-jumps", "key-differs", "session-unknown", "terms-differ"}
)
"""Refusals of an open that another grant mends."""
_UNKNOWN: Final = frozenset({"grant-unknown", "session-unknown"})


class SignerUnavailable(KeystoreError):
    """The signer does not answer, or refuses this relayer."""


class SignerWaits(KeystoreError):
    """The signer does not sign an order now, but may later: its clock is behind, or its disk."""


class SignerRefused(KeystoreCorrupt):
    """The signer will not sign for this grant: its viewer has to grant another key."""


class _Question:
    """A request that waits for its answer."""

    __slots__ = ("answer", "done")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: Any = None


class RemoteKeyring:
    """Asks a signer; make one with `open_remote_keyring`."""

    def __init__(self, path: Path, domain: Domain, *, rehearses: bool = False) -> None:
        self._path = path
        self._domain = domain
        self._rehearses = rehearses
        self._orders: list[tuple[SignOrder, _Question]] = []
        self._others: list[FromRelayer] = []
        self._asked: dict[int, list[_Question]] = {}
        self._next_id = 0
        self._bell = trio.Event()
        self._why: str | None = None
        self._master: str | None = None

    def __repr__(self) -> str:
        return f"<keyring of the signer at {self._path}>"

    # --- what the relayer asks -----------------------------------------------------------------

    @property
    def unavailable(self) -> str | None:
        """Say why the signer cannot be asked: it is away, or refuses this relayer."""
        return self._why

    async def delegate(self, viewer: str, number: int) -> tuple[str, bytes]:
        """Give name and public key of a viewer's delegate. Raises KeystoreError."""
        answer = await self._ask(lambda id_: Derive(id=id_, viewer=viewer, number=number))
        if isinstance(answer, Derived):
            self._master = answer.master
            return answer.name, answer.public
        raise self._failure(answer.result)

    async def recognise(self, viewer: str, public: bytes) -> str | None:
        """Look a viewer's delegate up among those of every master of the signer."""
        answer = await self._ask(lambda id_: Recognise(id=id_, viewer=viewer, public=public))
        if isinstance(answer, Recognised):
            return answer.name
        raise self._failure(answer.result)

    def is_current(self, name: str) -> bool:
        """Tell whether a key comes from the newest master, as far as the signer has told."""
        named = read_name(name)
        return named is not None and self._master in (None, named.master)

    async def archive(self, names: list[str]) -> None:
        """Leave the signer's files to the signer."""

    async def prove(self, name: str, domain: Domain, viewer: str) -> bytes:
        """Have it signed that `viewer` may grant a key. Raises KeystoreError."""
        self._check(domain)
        answer = await self._ask(lambda id_: Prove(id=id_, key=name, viewer=viewer))
        result: SignedOne = answer.result
        if result.code is not None:
            raise self._failure(result)
        return signature_value(result.scheme, result.signature)

    async def sign(self, asked: Asked, domain: Domain) -> SignedOrder:
        """Have an order signed, or a close with a higher total. Raises KeystoreError."""
        self._check(domain)
        if len(self._orders) >= WAITING_MAX:
            raise SignerWaits(f"{len(self._orders)} orders wait for the signer at {self._path}")
        result = await self._signed(asked)
        if result.code in _UNKNOWN and await self._adopted(asked):
            result = await self._signed(asked)
        raised = with_floor(asked, result)
        if raised is not None:
            asked, result = raised, await self._signed(raised)
        if result.code is not None:
            raise self._failure(result, opening=isinstance(asked.order, Open))
        return SignedOrder(
            grant=asked.grant, order=asked.order, signature=result.signature, scheme=result.scheme
        )

    async def _signed(self, asked: Asked) -> SignedOne:
        question = _Question()
        self._orders.append((_sign_order(asked), question))
        result: SignedOne = await self._answer(question)
        return result

    async def _adopted(self, asked: Asked) -> bool:
        """Show the signer a running session that it has not opened; tell whether it takes it."""
        entry, running = asked.entry, asked.running
        if entry is None or running is None:
            return False
        session = Adopt(
            grant=asked.grant,
            key=asked.key,
            terms=terms_of(entry),
            opened=Open(
                index=asked.order.index,
                stream=running.stream,
                rate_per_second=running.rate_per_second,
                funds=running.funds,
                start_at=running.started_at,
                tick_price_max=running.tick_price,
            ),
            seconds=running.seconds,
            renewals=entry.renewals_total,
            fence=asked.fence,
        )
        answer = await self._ask(lambda id_: AdoptSession(id=id_, session=session))
        return isinstance(answer, Done) and answer.result.code is None

    def _check(self, domain: Domain) -> None:
        ours = (self._domain.genesis_hash, self._domain.pallet_index)
        if (domain.genesis_hash, domain.pallet_index) != ours:
            raise SignerUnavailable("the signer was greeted for another chain")

    def _failure(self, result: SignedOne, *, opening: bool = False) -> KeystoreError:
        words = f"the signer refuses ({result.code}): {result.detail}"
        if result.code in PASSING:
            return SignerWaits(words)
        if result.code == MasterDamaged.code:
            return MasterDamaged(result.detail)
        if result.code == "key-unusable" or (opening and result.code in _ANOTHER_KEY):
            return SignerRefused(words)
        return KeystoreError(words)

    # --- the conversation ------------------------------------------------------------------------

    async def _ask(self, make: Any) -> Any:
        question = _Question()
        self._others.append(make(self._take_number([question])))
        return await self._answer(question)

    def _take_number(self, questions: list[_Question]) -> int:
        """Number a request; those that were never answered are given up, the oldest first."""
        self._next_id += 1
        while len(self._asked) >= ASKED_MAX:
            for question in self._asked.pop(next(iter(self._asked))):
                question.done.set()
        self._asked[self._next_id] = questions
        return self._next_id

    async def _answer(self, question: _Question) -> Any:
        if self._why is not None:
            self._fail(self._why)
        self._bell.set()
        with trio.move_on_after(ANSWER_WITHIN_S):
            await question.done.wait()
        if question.answer is None:
            raise SignerUnavailable(
                f"the signer at {self._path} does not answer"
                + (f" ({self._why})" if self._why else "")
                + ": check that `paystream signer` runs, and that this user may ask it"
            )
        return question.answer

    def _fail(self, why: str) -> None:
        """Answer all that waits with nothing."""
        self._why = why
        waiting = [question for _, question in self._orders]
        waiting += [question for group in self._asked.values() for question in group]
        self._orders, self._others, self._asked = [], [], {}
        for question in waiting:
            question.done.set()

    async def run(self, stream: trio.SocketStream) -> None:
        """Talk over a connection that `connect` made, and connect again whenever it breaks."""
        connected: trio.SocketStream | None = stream
        while True:
            try:
                if connected is None:
                    connected = await self.connect()
                await self._talk(connected)
            except (SignerUnavailable, MessageBroken, trio.BrokenResourceError) as error:
                log.warning("event=signer-gone why=%r", str(error))
                self._fail(str(error))
            connected = None
            await trio.sleep(RETRY_S)

    async def _talk(self, stream: trio.SocketStream) -> None:
        self._why = None
        log.info("event=signer-connected")
        failure: Exception | None = None
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(self._write, stream, nursery.cancel_scope)
            try:
                await self._read(stream)
            except (SignerUnavailable, MessageBroken, trio.BrokenResourceError) as error:
                failure = error  # carried out of the nursery, which would wrap it
            nursery.cancel_scope.cancel()
        raise failure or SignerUnavailable("it takes nothing any more")

    async def connect(self) -> trio.SocketStream:
        """Connect and greet. Raises SignerUnavailable."""
        sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        try:
            await sock.connect(str(self._path))
        except OSError as error:
            sock.close()
            raise SignerUnavailable(
                f"no signer answers on {self._path} ({error.strerror}): start `paystream signer`"
            ) from None
        stream = trio.SocketStream(sock)
        try:
            with trio.fail_after(ANSWER_WITHIN_S):
                await stream.send_all(
                    encode_frame(
                        Hello(
                            protocol_version=PROTOCOL_VERSION,
                            genesis_hash=self._domain.genesis_hash,
                            pallet_index=self._domain.pallet_index,
                            rehearses=self._rehearses,
                        )
                    )
                )
                ack = await _message(stream)
        except (trio.TooSlowError, trio.BrokenResourceError) as error:
            await stream.aclose()
            raise SignerUnavailable(f"the signer broke off ({error})") from None
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        if not isinstance(ack, HelloAck) or ack.refused is not None:
            await stream.aclose()
            raise SignerUnavailable(
                ack.refused or "it gives no reason" if isinstance(ack, HelloAck) else "no greeting"
            )
        return stream

    async def _write(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            while True:
                for message in self._messages():
                    await stream.send_all(encode_frame(message))
                await self._bell.wait()
                self._bell = trio.Event()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            scope.cancel()

    def _messages(self) -> list[FromRelayer]:
        """Take what waits: all orders of the moment in as few messages as they fit in."""
        messages, self._others = self._others, []
        while self._orders:
            group, self._orders = self._orders[:ORDERS_MAX], self._orders[ORDERS_MAX:]
            number = self._take_number([question for _, question in group])
            messages.append(SignOrders(id=number, orders=[order for order, _ in group]))
        return messages

    async def _read(self, stream: trio.SocketStream) -> None:
        while True:
            message = await _message(stream)
            match message:
                case Signed():
                    results: list[Any] = list(message.results)
                case Derived() | Recognised() | Done():
                    results = [message]
                case _:
                    raise SignerUnavailable("the signer greeted twice")
            questions = self._asked.pop(message.id, [])
            for question, result in zip(questions, results, strict=False):
                question.answer = result
                question.done.set()


def _sign_order(asked: Asked) -> SignOrder:
    entry = asked.entry
    if not isinstance(asked.order, Open) or entry is None:
        return SignOrder(grant=asked.grant, order=asked.order, fence=asked.fence)
    return SignOrder(
        grant=asked.grant,
        order=asked.order,
        key=asked.key,
        terms=terms_of(entry),
        renewals=entry.renewals_total,
        fence=asked.fence,
    )


def with_floor(asked: Asked, result: SignedOne) -> Asked | None:
    """Raise a close to the total that was signed before, where that is why it was refused.

    A relayer that was killed may know a second less than it had signed, and what was signed had
    been delivered. A tick only waits until its total has risen again.
    """
    if result.floor is None or not isinstance(asked.order, Close):
        return None
    order = msgspec.structs.replace(asked.order, seconds=result.floor)
    return msgspec.structs.replace(asked, order=order)


def terms_of(entry: Grant) -> GrantTerms:
    """Give what a grant allowed when it was given."""
    return GrantTerms(
        asset=entry.asset,
        rate_max_per_second=entry.rate_max_per_second,
        cap=entry.cap,
        sessions_max=entry.sessions_max,
        gap_ms=entry.gap_ms,
        expires_at=entry.expires_at,
        tips_max=entry.tips_left + entry.tips_total,
        renewals_max=entry.renewals_left + entry.renewals_total,
    )


async def _message(stream: trio.SocketStream) -> FromSigner:
    try:
        return decode_from_signer(await read_frame(stream))
    except PeerGone as error:
        raise SignerUnavailable(str(error)) from None
    except FrameTooLarge as error:
        raise MessageBroken(str(error)) from None


@asynccontextmanager
async def open_remote_keyring(
    path: Path, domain: Domain, *, rehearses: bool = False
) -> AsyncIterator[RemoteKeyring]:
    """Connect to a signer for the length of the block. Raises SignerUnavailable.

    Who rehearses may ask whose keys are the signer's, and nothing else.
    """
    keyring = RemoteKeyring(path, domain, rehearses=rehearses)
    stream = await keyring.connect()
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(keyring.run, stream)
        yield keyring
        nursery.cancel_scope.cancel()


async def would_greet(path: Path, domain: Domain) -> None:
    """Ask a signer whether it would sign for this chain. Raises SignerUnavailable."""
    await (await RemoteKeyring(path, domain, rehearses=True).connect()).aclose()
