"""The media server's end of the socket to the relayer.

Connects, and connects again for ever. Tells what has changed each 500 ms (`telling.py`), keeps
final states until they are acknowledged, and asks requests. What the relayer answers about leases
is handed to `on_leases`; that it is silent, everyone can see from the leases running out.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from streaming.framing import FrameTooLarge, body_length
from streaming.http.problem import ProblemError
from streaming.http.telling import Telling
from streaming.session_state import (
    PROTOCOL_VERSION,
    STATE_INTERVAL_MS,
    ConnectionState,
    FromRelayer,
    FromServer,
    Hello,
    HelloAck,
    Leases,
    PublisherState,
    Request,
    Response,
    States,
    decode_from_relayer,
    encode_frame,
)

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 12.0
WAIT_FOR_LINK_S = 2.0
BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
GREETING_TIMEOUT_S = 5.0
TELL_SOON_S = 0.01
SILENT_AFTER_S = 3.0
"""A relayer answers each state, so every 500 ms."""
UNREAD_BYTES_MAX = 4 << 20

Snapshot = Callable[[], tuple[list[ConnectionState], list[PublisherState]]]


class Link:
    """One media server's connection to its relayer."""

    def __init__(
        self,
        socket: Path,
        hello: Hello,
        snapshot: Snapshot,
        on_leases: Callable[[Leases], None],
        on_acknowledged: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        """`on_acknowledged` hears of final states that need not be told again; by default they are
        settled."""
        self.socket = socket
        self.relayer_id = ""
        """The relayer's name, where it is one of several."""
        self.chains: tuple[str, ...] = ()
        """The names of the chains that the relayer follows beside the one without a name."""
        self.draining = False
        """Whether the relayer wants other requests to go to another."""
        self._heard_s = -1e9
        self._on_acknowledged = on_acknowledged or self.settle
        self._hello = hello
        self._snapshot = snapshot
        self._on_leases = on_leases
        self._finals: dict[str, ConnectionState] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._up = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._requests: dict[int, asyncio.Future[Response]] = {}
        self._ids = itertools.count(1)
        self._sequence = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._telling = Telling()
        self.connects = 0
        self.refused: str | None = None
        """Why the relayer will not talk to this server, if it said so."""

    # --- life ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect. Call inside a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._keep_connected())

    async def close(self, within_s: float = 1.0) -> None:
        """Send what is final, wait for its acknowledgement at most so long, and hang up."""
        if self._up.is_set() and self._finals:
            self._send_states()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), within_s)
        if self._soon is not None:
            self._soon.cancel()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def connected(self) -> bool:
        """Whether the relayer has greeted back and is there."""
        return self._up.is_set()

    @property
    def silent(self) -> bool:
        """Whether the relayer has answered nothing for so long that it may stand still."""
        return time.monotonic() - self._heard_s > SILENT_AFTER_S

    @property
    def unacknowledged(self) -> int:
        """How many final states wait for the relayer's word."""
        return len(self._finals)

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
            except OSError as error:
                if failures == 0:
                    log.warning("no relayer at %s (%s); trying on", self.socket, error)
            else:
                failures = 0
                try:
                    await self._converse(reader, writer)
                except _RefusedError:
                    pass  # it was said when the reason was new
                except (OSError, EOFError, TimeoutError) as error:
                    log.warning("the relayer has gone (%s)", error or type(error).__name__)
                except ProblemError as error:
                    log.warning("the relayer was let go (%s)", error.problem.detail)
                except (msgspec.MsgspecError, FrameTooLarge, UnicodeDecodeError) as error:
                    log.error("the relayer said something unreadable: %s", error)  # noqa: TRY400
                finally:
                    self._hang_up(writer)
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_frame(self._hello))
        ack = await asyncio.wait_for(_read(reader), GREETING_TIMEOUT_S)
        if not isinstance(ack, HelloAck):
            raise EOFError("it did not greet back")  # noqa: TRY004  (the peer's fault, not ours)
        if ack.refused is not None or ack.protocol_version != PROTOCOL_VERSION:
            reason = ack.refused or f"it speaks version {ack.protocol_version}"
            if self.refused != reason:
                log.error("the relayer refuses this server: %s", reason)
            self.refused = reason
            await asyncio.sleep(BACKOFF_S[-1])
            raise _RefusedError(reason)
        self.refused = None
        self.relayer_id, self.chains, self.draining = ack.relayer_id, ack.chains, False
        self._writer = writer
        self._heard_s = time.monotonic()
        self._telling = Telling()
        self.connects += 1
        self._up.set()
        log.info("linked to the relayer at %s", self.socket)
        teller = asyncio.get_running_loop().create_task(self._tell(writer))
        try:
            while True:
                self._take(await _read(reader))
        finally:
            teller.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await teller

    def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        self._up.clear()
        self._writer = None
        writer.close()
        for future in self._requests.values():
            if not future.done():
                future.set_exception(_unavailable("the relayer went away before it answered"))
        self._requests.clear()

    # --- state -----------------------------------------------------------------------

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        while True:
            self._send_states()
            await writer.drain()
            await asyncio.sleep(STATE_INTERVAL_MS / 1000)

    def _send_states(self) -> None:
        if self._writer is None or self._writer.is_closing():
            return  # the reader is about to notice
        connections, publishers = self._snapshot()
        for part in self._telling.choose(self._finals.values(), connections, self._now()):
            self._send(
                States(sequence=next(self._sequence), connections=part, publishers=publishers)
            )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def final(self, state: ConnectionState) -> None:
        """A connection's last state: kept and repeated until it is acknowledged."""
        self._finals[state.connection] = state
        self._settled.clear()

    def tell_soon(self) -> None:
        """Send the state in a moment instead of within 500 ms; once for many that ask."""
        if self._soon is None:
            loop = asyncio.get_running_loop()
            self._soon = loop.call_later(TELL_SOON_S, self._tell_at_last)

    def _tell_at_last(self) -> None:
        self._soon = None
        if self._up.is_set():
            self._send_states()

    def _take(self, message: FromRelayer) -> None:
        self._heard_s = time.monotonic()
        if isinstance(message, Response):
            future = self._requests.pop(message.id, None)
            if future is not None and not future.done():
                future.set_result(message)
        elif isinstance(message, Leases):
            self.draining = message.draining
            self._on_acknowledged(message.acknowledged)
            self._telling.answered(message.leases, self._now())
            self._on_leases(message)

    def settle(self, connections: Sequence[str]) -> None:
        """Forget final states that a relayer has in its journal."""
        for connection in connections:
            self._finals.pop(connection, None)
        if not self._finals:
            self._settled.set()

    # --- requests --------------------------------------------------------------------

    async def request(
        self,
        method: str,
        params: dict[str, Any],
        timeout_s: float = REQUEST_TIMEOUT_S,
        *,
        chain: str = "",
    ) -> Any:
        """Ask the relayer. Raises `ProblemError`: its own, or 503 if it does not answer.

        A question that is given up, by its time or by cancelling, is withdrawn.
        """
        if not self._up.is_set():
            try:
                await asyncio.wait_for(self._up.wait(), WAIT_FOR_LINK_S)
            except TimeoutError:
                raise _unavailable(self.refused or "the relayer is not connected") from None
        if chain and chain not in self.chains:
            raise _chain_unknown(chain)
        number = next(self._ids)
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._requests[number] = future
        try:
            self._send(Request(id=number, method=method, params=params, chain=chain))
            answer = await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            self._withdraw(number)
            raise _unavailable(f"the relayer did not answer within {timeout_s:g} s") from None
        except asyncio.CancelledError:
            self._withdraw(number)
            raise
        except FrameTooLarge:
            raise ProblemError(413, "too-large", "the request is too large; shorten it") from None
        finally:
            self._requests.pop(number, None)
        if answer.problem is not None:
            raise ProblemError.of(answer.problem)
        return answer.result

    def _withdraw(self, number: int) -> None:
        """Tell the relayer that nobody waits for an answer any more."""
        with contextlib.suppress(ProblemError):
            self._send(Request(id=next(self._ids), method="withdraw", params={"request": number}))

    def _send(self, message: FromServer) -> None:
        if self._writer is None or self._writer.is_closing():
            raise _unavailable("the relayer is not connected")
        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._writer.transport.abort()
            raise _unavailable("the relayer reads nothing any more")
        self._writer.write(encode_frame(message))


class _RefusedError(Exception):
    """The relayer will not talk to this server; it is asked again, since that may change."""


async def _read(reader: asyncio.StreamReader) -> FromRelayer:
    header = await reader.readexactly(4)
    return decode_from_relayer(await reader.readexactly(body_length(header)))


def _chain_unknown(chain: str) -> ProblemError:
    return ProblemError(
        404,
        "chain-not-found",
        f"no chain named {chain!r} is followed here: GET /api/v1/info lists those that are",
        field="chain",
    )


def _unavailable(what: str) -> ProblemError:
    return ProblemError(
        503,
        "relayer-unavailable",
        f"{what}; try again in a moment, or see whether `paystream relay` is running",
    )
