"""A media server and its viewers' connections, as far as the relayer can tell it from a real one.

It follows `streaming/http/link.py` (connect again for ever, tell the state each 500 ms, keep final
states until they are acknowledged) and `streaming/http/connections.py` (hold the media when a lease
runs out or says wait, end what is denied). It knows what each viewer truly has: `held_ms`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import trio

from streaming.session_state import (
    PROTOCOL_VERSION,
    ConnectionState,
    FromServer,
    Hello,
    HelloAck,
    Lease,
    Leases,
    Problem,
    PublisherState,
    Request,
    Response,
    SessionRef,
    States,
    decode_from_relayer,
    encode_frame,
)
from tests.simulation.network import Network, Wire
from tests.simulation.story import Story

ORIGIN = "https://live.example"
STATES_EVERY_S = 0.5
IDLE_STATES_EVERY_S = 2.0
"""A server without a connection tells its state less often than a real one: nothing depends on it
but the time that a run takes."""
REQUEST_TIMEOUT_S = 12.0
WAIT_FOR_LINK_S = 2.0
BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
GREETING_TIMEOUT_S = 5.0
ABANDON_MS = 120_000
WITHHELD_MS = 200
LAG_MS = 400
"""How long after a frame was sent it is known that its viewer has it."""


class Watching:
    """One connection of a viewer."""

    def __init__(self, viewer: str, stream: int, admitted: dict[str, Any], name: str) -> None:
        self.viewer = viewer
        self.stream = stream
        self.connection = name
        self.ref = SessionRef(admitted["session"]["grant"], admitted["session"]["index"])
        self.number: int = admitted["number"]
        self.resume: str = admitted["resume"]
        self.resumed: bool = admitted["resumed"]
        self.began_ms = self.at_ms = now_ms()
        self.lease_until_ms = self.at_ms + int(admitted["lease_ms"])
        self.sent_ms = 0
        self.lost_ms = 0
        """Of what was sent: what never arrived, or could not be decoded."""
        self.told_ms = 0
        self.told_sent_ms = 0
        """Of what was sent: what the relayer was told of."""
        self.frozen = False
        """Nothing comes from the publisher, or the viewer has stopped the picture."""
        self.waits = False
        self.final = False
        self.end_reason: str | None = None
        self.denied: str | None = None
        self.acknowledged = False
        self.gone = False
        """Its server has crashed, and knows nothing of it any more."""
        self.lease: Lease | None = None
        self.leased_by: list[tuple[float, str, Lease]] = []
        """The last leases that several relayers gave: when, and by which."""
        self.reasons: list[str] = []
        """Why it had to wait or to end, each once in a row."""
        self.paid_fell = 0
        """By how many seconds at most the page saw the paid ones fall."""

    @property
    def held_ms(self) -> int:
        """What the viewer truly has."""
        return self.sent_ms - self.lost_ms

    @property
    def flows(self) -> bool:
        """Whether media goes out, if its lease lasts."""
        return not (self.final or self.gone or self.waits or self.frozen)

    def advance(self, at_ms: int) -> None:
        """Let the media flow until a moment."""
        if self.flows:
            self.sent_ms += max(0, min(at_ms, self.lease_until_ms) - self.at_ms)
        self.at_ms = max(at_ms, self.at_ms)

    def state(self) -> ConnectionState:
        """Give what the server tells of it."""
        if self.final:
            confirmed_ms = self.told_ms
        else:
            confirmed_ms = max(self.told_ms, self.held_ms - LAG_MS - WITHHELD_MS)
        self.told_ms = confirmed_ms
        unconfirmed_ms = 0 if self.final else self.held_ms - confirmed_ms
        return ConnectionState(
            connection=self.connection,
            session=self.ref,
            number=self.number,
            delivered_ms=confirmed_ms,
            forwarded_ms=self.sent_ms,
            unconfirmed_ms=unconfirmed_ms,
            final=self.final,
            end_reason=self.end_reason,
        )

    def end(self, reason: str) -> None:
        """Stop for good. Who vanishes or is replaced leaves a tail that nobody confirms."""
        if self.final or self.gone:
            return
        self.advance(now_ms())
        if reason not in ("vanished", "replaced", "unconfirmed"):
            self.told_ms = max(self.told_ms, self.held_ms - WITHHELD_MS)
        self.state()
        self.final, self.end_reason = True, reason


class MediaServer:
    """One server process. `crash` and a new one of the same name are a restart."""

    def __init__(
        self, name: str, boot: int, network: Network, story: Story, nursery: trio.Nursery
    ) -> None:
        self.name = name
        self.boot_id = f"{name}-{boot}"
        self.watching: list[Watching] = []
        self.publishers: list[PublisherState] = []
        self.publishers_denied: dict[str, str] = {}
        self.refused: str | None = None
        self.watch: Callable[[Watching], None] = lambda watching: None
        """Is told of each connection whenever it was brought up to date."""
        self._network = network
        self._story = story
        self._nursery = nursery
        self._ids = itertools.count(1)
        self._sequence = itertools.count(1)
        self._names = itertools.count(1)
        self._wire: Wire | None = None
        self._up = trio.Event()
        self._asked: dict[int, trio.MemorySendChannel[Response]] = {}
        self._scope = trio.CancelScope()
        self.crashed = False

    @property
    def linked(self) -> bool:
        """Whether the relayer has greeted back and is there."""
        return self._wire is not None

    def start(self) -> None:
        """Begin to connect."""
        self._nursery.start_soon(self._run)

    def crash(self) -> None:
        """End as SIGKILL does: what was not told is gone, and every viewer with it."""
        self.crashed = True
        for watching in self.watching:
            watching.advance(now_ms())
            watching.gone = True
        self.watching = []
        if self._wire is not None:
            self._wire.close()
        self._scope.cancel()

    def attach(self, viewer: str, stream: int, admitted: dict[str, Any]) -> Watching:
        """Let a viewer who was admitted watch."""
        name = f"{self.boot_id}-c{next(self._names)}"
        watching = Watching(viewer, stream, admitted, name)
        for older in self.watching:
            if older.ref == watching.ref and older.number < watching.number:
                older.end("replaced")
        self.watching.append(watching)
        return watching

    # --- the link --------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        with self._scope:
            while True:
                wire = None
                try:
                    wire = self._network.connect(self.name)
                    failures = 0
                    await self._converse(wire)
                except (OSError, EOFError, trio.TooSlowError):
                    pass
                finally:
                    self._hang_up(wire)
                self.look()
                await trio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1

    def _hang_up(self, wire: Wire | None) -> None:
        if wire is not None:
            wire.close()
        if self._wire is not None:
            self._wire = None
            self._up = trio.Event()
        for channel in self._asked.values():
            channel.close()
        self._asked.clear()

    async def _converse(self, wire: Wire) -> None:
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            server_id=self.name,
            boot_id=self.boot_id,
            origin=ORIGIN,
        )
        wire.send(wire.to_relayer, encode_frame(hello))
        with trio.fail_after(GREETING_TIMEOUT_S):
            ack = await self._read(wire)
        if not isinstance(ack, HelloAck):
            raise EOFError("it did not greet back")  # noqa: TRY004  (the peer's fault)
        self.refused = ack.refused
        if ack.refused is not None:
            await trio.sleep(BACKOFF_S[-1])
            raise EOFError("refused")
        self._wire = wire
        self._up.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, wire)
            while True:
                message = await wire.to_server.get()
                if not message:
                    break
                self._take(decode_from_relayer(message[4:]))
            nursery.cancel_scope.cancel()

    async def _read(self, wire: Wire) -> Any:
        frame = await wire.to_server.get()
        if not frame:
            raise EOFError("it went away")
        return decode_from_relayer(frame[4:])

    async def _tell(self, wire: Wire) -> None:
        while not wire.closed:
            self.tell(wire)
            await trio.sleep(STATES_EVERY_S if self.watching else IDLE_STATES_EVERY_S)

    def tell(self, wire: Wire | None = None) -> None:
        """Tell the whole state now."""
        wire = self._wire if wire is None else wire
        if wire is None:
            return
        self.look()
        states = States(
            sequence=next(self._sequence),
            connections=[watching.state() for watching in self.watching],
            publishers=self.publishers,
        )
        self._send(wire, states)
        for watching in self.watching:
            watching.told_sent_ms = watching.sent_ms

    def look(self) -> None:
        """Let the media flow until now, and end what has had no lease for too long."""
        at_ms = now_ms()
        for watching in self.watching:
            watching.advance(at_ms)
            if not watching.final and at_ms > watching.lease_until_ms + ABANDON_MS:
                watching.denied = watching.denied or "abandoned"
                watching.end("denied")
            self.watch(watching)

    def _send(self, wire: Wire, message: FromServer) -> None:
        if not wire.closed:
            wire.send(wire.to_relayer, encode_frame(message))

    def _take(self, message: Any) -> None:
        if isinstance(message, Response):
            channel = self._asked.pop(message.id, None)
            if channel is not None:
                channel.send_nowait(message)
        elif isinstance(message, Leases):
            self._take_leases(message)

    def _take_leases(self, leases: Leases) -> None:
        at_ms = now_ms()
        by_name = {watching.connection: watching for watching in self.watching}
        for watching in self.watching:
            watching.advance(at_ms)
            watching.lease_until_ms = at_ms + leases.lease_ms
        for lease in leases.leases:
            known = by_name.get(lease.connection)
            if known is not None:
                self._take_lease(known, lease)
        for name in leases.acknowledged:
            if name in by_name:
                by_name[name].acknowledged = True
        if leases.acknowledged:
            self.watching = [watching for watching in self.watching if not watching.acknowledged]

    def _take_lease(self, watching: Watching, lease: Lease) -> None:
        before = watching.lease
        if lease.lease_ms is not None:
            until_ms = now_ms() + lease.lease_ms
            watching.lease_until_ms = min(watching.lease_until_ms, until_ms)
        said_before = None if before is None else before.paid_seconds
        paid_seconds = lease.paid_seconds
        if paid_seconds is None:  # it has just begun: what it said before stays
            paid_seconds = said_before or 0
            lease = msgspec.structs.replace(lease, paid_seconds=paid_seconds)
        if said_before is not None and said_before > paid_seconds:
            watching.paid_fell = max(watching.paid_fell, said_before - paid_seconds)
        watching.lease = lease
        reason = lease.reason
        if reason is not None and (not watching.reasons or watching.reasons[-1] != reason):
            watching.reasons.append(reason)
            self._story.tell("held", connection=watching.connection, why=reason, wait=lease.wait)
        if lease.wait:
            watching.waits = True
        elif lease.allowed:
            watching.waits = False
        elif not watching.final:
            watching.denied = reason
            watching.end("replaced" if reason == "replaced" else "denied")

    # --- requests --------------------------------------------------------------------------

    async def ask(self, method: str, **params: Any) -> Response:
        """Ask the relayer; where it does not answer, the answer is a problem."""
        with trio.move_on_after(WAIT_FOR_LINK_S):
            while self._wire is None:
                await self._up.wait()
        wire, number = self._wire, next(self._ids)
        if wire is None:
            return _unavailable(number)
        send, receive = trio.open_memory_channel[Response](1)
        self._asked[number] = send
        self._send(wire, Request(id=number, method=method, params=params))
        with trio.move_on_after(REQUEST_TIMEOUT_S):
            try:
                return await receive.receive()
            except trio.EndOfChannel:
                return _unavailable(number)
        self._asked.pop(number, None)
        return _unavailable(number)


def _unavailable(number: int) -> Response:
    problem = Problem(status=503, code="relayer-unavailable", detail="it did not answer")
    return Response(id=number, problem=problem)


def now_ms() -> int:
    """Give a clock that only rises, in whole milliseconds."""
    return int(trio.current_time() * 1000)
