"""The relayer's end of the socket, scripted, for tests of the media server (asyncio).

It admits everyone to one stream, gives leases for all that it is told about, acknowledges
final states, and records what it heard. A test changes `answers`, `leases` or the flags to
play a relayer that refuses, waits, is silent or goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streaming.framing import body_length
from streaming.session_state import (
    LEASE_MS,
    PROTOCOL_VERSION,
    ConnectionState,
    Hello,
    HelloAck,
    Lease,
    Leases,
    Problem,
    Request,
    Response,
    States,
    decode_from_server,
    encode_frame,
)

WATCH_TOKEN = "psw_test"
PUBLISH_TOKEN = "psp_test"
STREAM: dict[str, Any] = {
    "id": 1,
    "owner": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
    "asset": "native",
    "symbol": "UNIT",
    "decimals": 12,
    "rate_per_second": "1000",
    "status": "active",
}
TERMS: dict[str, Any] = {
    "genesis_hash": "0x00",
    "stream": 1,
    "owner": STREAM["owner"],
    "asset": "native",
    "symbol": "UNIT",
    "decimals": 12,
    "rate_per_second": "1000",
    "tick_price": "0",
    "viewer": "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
    "delegate": "0x01",
    "proof": "0x02",
    "vault": "7",
    "free_balance": "8",
    "missing": ["funds", "grant"],
    "needs": {
        "deposit": "3600000",
        "cap": "3600000",
        "rate_max_per_second": "1000",
        "sessions_max": 1,
        "gap_ms": 120_000,
    },
    "payable": False,
}
"""What a relayer says with a 402, as far as a challenge is made of it."""

Answer = Callable[[dict[str, Any]], Any]


class FakeRelayer:
    """One listening socket."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.hellos: list[Hello] = []
        self.states: dict[str, ConnectionState] = {}
        self.finals: dict[str, ConnectionState] = {}
        self.messages = 0
        self.publishers: list[Any] = []
        self.requests: list[Request] = []
        self.decide: Callable[[ConnectionState], Lease] = allow
        self.publishers_denied: dict[str, str] = {}
        self.acknowledges = True
        self.silent = False
        self.refuses: str | None = None
        self.chains: tuple[str, ...] = ()
        self.lease_ms = LEASE_MS
        self.number = itertools.count(1)
        self.numbers: dict[tuple[int, int], int] = {}
        self.resumes: dict[str, tuple[int, int]] = {}
        self.sessions = itertools.count(1)
        self.answers: dict[str, Answer] = {
            "info": lambda _p: {"genesis_hash": "0x00", "symbol": "UNIT", "decimals": 12},
            "challenge": lambda p: {"challenge": "c1", "message": f"sign in {p['account']}"},
            "token": lambda _p: {"token": WATCH_TOKEN, "purpose": "watch"},
            "streams": lambda _p: {"streams": [STREAM]},
            "stream": lambda p: {**STREAM, "id": p["stream"]},
            "publish": self._publish,
            "watch": self._watch,
            "admit": self._admit,
            "status": lambda _p: {"ok": True, "failing": {}},
        }
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def _publish(self, params: dict[str, Any]) -> Any:
        if not str(params["token"]).startswith(("psp_", WATCH_TOKEN)):
            return Problem(status=401, code="token-invalid", detail="sign in again")
        return {"stream": params["stream"], "rate_per_second": "1000"}

    def _watch(self, params: dict[str, Any]) -> Any:
        if params["token"] != WATCH_TOKEN:
            return Problem(status=401, code="token-invalid", detail="sign in again")
        return {"stream": params["stream"]}

    def _admit(self, params: dict[str, Any]) -> Any:
        if params["token"] != WATCH_TOKEN:
            return Problem(status=401, code="token-invalid", detail="sign in again")
        known = self.resumes.get(params.get("resume", ""))
        grant, index = known or (1, next(self.sessions))
        number = self.numbers[grant, index] = self.numbers.get((grant, index), 0) + 1
        secret = f"resume-{next(self.number)}"
        self.resumes[secret] = (grant, index)
        return {
            "session": {"grant": grant, "index": index},
            "number": number,
            "resume": secret,
            "rate_per_second": "1000",
            "asset": "native",
            "lease_ms": self.lease_ms,
            "resumed": known is not None,
        }

    async def start(self) -> None:
        """Listen."""
        self.socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.socket))

    async def stop(self) -> None:
        """Go away: hang up on everyone."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, EOFError):
                while True:
                    header = await reader.readexactly(4)
                    body = await reader.readexactly(body_length(header))
                    await self._take(decode_from_server(body), writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _take(self, message: Any, writer: asyncio.StreamWriter) -> None:
        if isinstance(message, Hello):
            self.hellos.append(message)
            ack = HelloAck(
                protocol_version=PROTOCOL_VERSION,
                relayer_boot_id="fake",
                refused=self.refuses,
                chains=self.chains,
            )
            writer.write(encode_frame(ack))
        elif isinstance(message, States):
            self.messages += 1
            self.publishers = message.publishers
            for state in message.connections:
                (self.finals if state.final else self.states)[state.connection] = state
            if self.silent:
                return
            leases = Leases(
                sequence=message.sequence,
                lease_ms=self.lease_ms,
                leases=[self.decide(state) for state in message.connections if not state.final],
                publishers_denied=self.publishers_denied,
                acknowledged=[s.connection for s in message.connections if s.final]
                if self.acknowledges
                else [],
            )
            writer.write(encode_frame(leases))
        elif isinstance(message, Request):
            self.requests.append(message)
            answer = self.answers.get(message.method)
            if answer is not None:
                self._respond(message, answer(message.params), writer)

    def _respond(self, request: Request, result: Any, writer: asyncio.StreamWriter) -> None:
        if isinstance(result, Problem):
            response = Response(id=request.id, problem=result)
        else:
            response = Response(id=request.id, result=result)
        writer.write(encode_frame(response))

    def answer_late(self, request: Request, result: Any) -> None:
        """Answer a request to which `answers` had nothing to say when it came."""
        for writer in self._writers:
            self._respond(request, result, writer)

    def delivered_ms(self) -> int:
        """What all connections delivered, by their last words."""
        latest = {**self.states, **self.finals}
        return sum(state.delivered_ms for state in latest.values())


def unpaid(_params: dict[str, Any]) -> Problem:
    """The refusal of an admission that cannot be paid."""
    return Problem(status=402, code="payment-required", detail="deposit first", terms=TERMS)


def allow(state: ConnectionState) -> Lease:
    """A lease that lets the connection go on."""
    return Lease(connection=state.connection, allowed=True)


def deny(state: ConnectionState) -> Lease:
    """One that ends it."""
    return Lease(connection=state.connection, allowed=False, reason="funds")


def hold_back(state: ConnectionState) -> Lease:
    """One that holds the media back, as the relayer says it."""
    return Lease(connection=state.connection, allowed=False, reason="budget", wait=True)


class FakeSigner:
    """An account without a key: the fake relayer checks no signature."""

    account = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"

    def sign(self, message: bytes) -> bytes:
        """Sixty-four zeros."""
        return bytes(64)
