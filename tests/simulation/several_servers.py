"""A media server with a link to each of several relayers, as `streaming/http/links.py` has them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import Any

import trio

from streaming.session_state import (
    PROTOCOL_VERSION,
    Hello,
    HelloAck,
    Leases,
    Problem,
    Request,
    Response,
    States,
    decode_from_relayer,
    encode_frame,
)
from tests.simulation.media_server import (
    BACKOFF_S,
    GREETING_TIMEOUT_S,
    IDLE_STATES_EVERY_S,
    ORIGIN,
    REQUEST_TIMEOUT_S,
    STATES_EVERY_S,
    MediaServer,
    now_ms,
)
from tests.simulation.network import Network, Wire
from tests.simulation.story import Story

SILENT_AFTER_S = 3.0
_ASK_ANOTHER = frozenset({"held-elsewhere", "challenge-unknown", "submission-unknown"})


class _Line:
    """One link: to whichever process of one relayer listens."""

    def __init__(self, server: SeveralServer, number: int, network: Network) -> None:
        self.number = number
        self.wire: Wire | None = None
        self.relayer_id = ""
        self.draining = False
        self.heard_at = 0.0
        self._server = server
        self._network = network
        self._asked: dict[int, trio.MemorySendChannel[Response]] = {}

    async def run(self) -> None:
        failures = 0
        while True:
            wire = None
            try:
                wire = self._network.connect(self._server.name)
                failures = 0
                await self._converse(wire)
            except (OSError, EOFError, trio.TooSlowError):
                pass
            finally:
                self._hang_up(wire)
            await trio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1

    def _hang_up(self, wire: Wire | None) -> None:
        if wire is not None:
            wire.close()
        self.wire = None
        for channel in self._asked.values():
            channel.close()
        self._asked.clear()

    async def _converse(self, wire: Wire) -> None:
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            server_id=self._server.name,
            boot_id=self._server.boot_id,
            origin=ORIGIN,
        )
        wire.send(wire.to_relayer, encode_frame(hello))
        with trio.fail_after(GREETING_TIMEOUT_S):
            frame = await wire.to_server.get()
        ack = decode_from_relayer(frame[4:]) if frame else None
        if not isinstance(ack, HelloAck) or ack.refused is not None:
            raise EOFError("it did not greet back")
        self.relayer_id, self.draining, self.wire = ack.relayer_id, False, wire
        self.heard_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell)
            while frame := await wire.to_server.get():
                self._take(decode_from_relayer(frame[4:]))
            nursery.cancel_scope.cancel()

    async def _tell(self) -> None:
        while self.wire is not None and not self.wire.closed:
            self._server.tell_line(self)
            await trio.sleep(STATES_EVERY_S if self._server.watching else IDLE_STATES_EVERY_S)

    def _take(self, message: Any) -> None:
        self.heard_at = trio.current_time()
        if isinstance(message, Response):
            channel = self._asked.pop(message.id, None)
            if channel is not None:
                channel.send_nowait(message)
        elif isinstance(message, Leases):
            self.draining = message.draining
            self._server.take_leases_of(self, message)

    async def ask(self, number: int, method: str, params: dict[str, Any]) -> Response:
        if self.wire is None:
            return _unavailable(number)
        send, receive = trio.open_memory_channel[Response](1)
        self._asked[number] = send
        if not self.wire.closed:
            request = Request(id=number, method=method, params=params)
            self.wire.send(self.wire.to_relayer, encode_frame(request))
        with trio.move_on_after(REQUEST_TIMEOUT_S):
            try:
                return await receive.receive()
            except trio.EndOfChannel:
                return _unavailable(number)
        self._asked.pop(number, None)
        return _unavailable(number)


class SeveralServer(MediaServer):
    """A media server that tells several relayers, and asks the one that knows."""

    def __init__(
        self,
        name: str,
        boot: int,
        networks: Sequence[Network],
        story: Story,
        nursery: trio.Nursery,
    ) -> None:
        super().__init__(name, boot, networks[0], story, nursery)
        self.lines = [_Line(self, number, network) for number, network in enumerate(networks)]
        self._request_ids = itertools.count(1)
        self._sequences = itertools.count(1)

    async def _run(self) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                for line in self.lines:
                    nursery.start_soon(line.run)
                while True:  # media ends without a lease though nobody can be told
                    self.look()
                    await trio.sleep(STATES_EVERY_S)

    @property
    def linked(self) -> bool:
        """Whether any relayer has greeted back and is there."""
        return any(line.wire is not None for line in self.lines)

    def tell(self, wire: Wire | None = None) -> None:
        """Tell the whole state now, to all."""
        for line in self.lines:
            self.tell_line(line)

    def tell_line(self, line: _Line) -> None:
        """Tell one relayer the whole state."""
        if line.wire is None or line.wire.closed:
            return
        self.look()
        states = States(
            sequence=next(self._sequences),
            connections=[watching.state() for watching in self.watching],
            publishers=self.publishers,
        )
        line.wire.send(line.wire.to_relayer, encode_frame(states))
        for watching in self.watching:
            watching.told_sent_ms = watching.sent_ms

    def take_leases_of(self, line: _Line, leases: Leases) -> None:
        """Take what one relayer says of the connections that it holds."""
        at_ms = now_ms()
        by_name = {watching.connection: watching for watching in self.watching}
        for lease in leases.leases:
            known = by_name.get(lease.connection)
            if known is None:
                continue
            known.advance(at_ms)
            known.lease_until_ms = at_ms + leases.lease_ms
            known.leased_by.append((trio.current_time(), line.relayer_id, lease))
            del known.leased_by[:-400]
            self._take_lease(known, lease)
        for name in leases.acknowledged:
            if name in by_name:
                by_name[name].acknowledged = True
        self.publishers_denied |= leases.publishers_denied
        if leases.acknowledged:
            self.watching = [watching for watching in self.watching if not watching.acknowledged]

    async def ask(self, method: str, **params: Any) -> Response:
        """Ask whichever relayer knows; where none does, the answer is a problem."""
        left = self._in_order(params)
        answer = _unavailable(0)
        while left:
            line = left.pop(0)
            answer = await line.ask(next(self._request_ids), method, params)
            if answer.problem is None or answer.problem.code not in _ASK_ANOTHER:
                return answer
            if answer.problem.relayer:
                left = [each for each in left if each.relayer_id == answer.problem.relayer]
        return answer

    def _in_order(self, params: dict[str, Any]) -> list[_Line]:
        up = [line for line in self.lines if line.wire is not None]
        who = str(params.get("token") or params.get("account") or "")
        if who:
            up.sort(key=lambda line: hashlib.sha256(f"{line.number} {who}".encode()).digest())
        now = trio.current_time()
        up.sort(key=lambda line: line.draining or now - line.heard_at > SILENT_AFTER_S)
        return up


def _unavailable(number: int) -> Response:
    problem = Problem(status=503, code="relayer-unavailable", detail="it did not answer")
    return Response(id=number, problem=problem)
