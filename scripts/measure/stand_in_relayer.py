"""`python -m measure.stand_in_relayer SOCKET`: a relayer without a chain, for loads on the server.

It admits whoever brings one of the three tokens below, gives leases for all that it is told about,
and refuses every other token. Prints its port; `GET /figures` gives what the server says that
the viewers of `WATCH_TOKEN` were sent, and how many connections it tells of at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from typing import Any, Final

from measure.control import serve
from streaming.framing import body_length
from streaming.session_state import (
    LEASE_MS,
    PROTOCOL_VERSION,
    ConnectionState,
    FromRelayer,
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

STREAM: Final = 1
PUBLISH_TOKEN: Final = "psp_bench"  # noqa: S105
WATCH_TOKEN: Final = "psw_bench"  # noqa: S105
STRANGER_TOKEN: Final = "psw_stranger"  # noqa: S105
"""Who attacks with a token that is good."""
_GRANTS: Final = {WATCH_TOKEN: 1, STRANGER_TOKEN: 2}
_PRICE: Final = {"rate_per_second": "1000", "asset": "native"}
_SUMMED: Final = ("packets_sent", "packets_lost", "delivered_ms", "forwarded_ms")


class StandInRelayer:
    """One listening socket."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._states: dict[str, ConnectionState] = {}
        self._told = 0
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()

    async def listen(self, socket: str) -> None:
        """Answer from now on."""
        self._server = await asyncio.start_unix_server(self._serve, socket)

    async def close(self) -> None:
        """Listen no longer; the connections have been ended by their servers."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await asyncio.gather(*self._serving)

    async def figures(self) -> dict[str, Any]:
        """What the watching viewers were sent, cumulatively."""
        watching = [state for state in self._states.values() if state.session.grant == 1]
        total = {name: sum(getattr(state, name) for state in watching) for name in _SUMMED}
        ended: dict[str, int] = {}
        for state in watching:
            if state.final:
                reason = state.end_reason or "unknown"
                ended[reason] = ended.get(reason, 0) + 1
        return {**total, "ended": ended, "connections": self._told}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        with contextlib.suppress(OSError, EOFError):
            while True:
                body = await reader.readexactly(body_length(await reader.readexactly(4)))
                answer = self._answer(decode_from_server(body))
                writer.write(encode_frame(answer))
                await writer.drain()
        writer.close()

    def _answer(self, message: Hello | States | Request) -> FromRelayer:
        if isinstance(message, Hello):
            return HelloAck(protocol_version=PROTOCOL_VERSION, relayer_boot_id="bench")
        if isinstance(message, States):
            return self._leases(message)
        found = self._result(message.method, message.params)
        if isinstance(found, Problem):
            return Response(id=message.id, problem=found)
        return Response(id=message.id, result=found)

    def _leases(self, message: States) -> Leases:
        self._told = len(message.connections)
        for state in message.connections:
            self._states[state.connection] = state
        return Leases(
            sequence=message.sequence,
            lease_ms=LEASE_MS,
            leases=[
                Lease(connection=state.connection, allowed=True)
                for state in message.connections
                if not state.final
            ],
            acknowledged=[state.connection for state in message.connections if state.final],
        )

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any] | Problem:
        if "token" not in params:
            return {"ok": True, "id": STREAM, "status": "active", **_PRICE}
        known = (PUBLISH_TOKEN,) if method == "publish" else tuple(_GRANTS)
        if params["token"] not in known:
            return Problem(status=401, code="token-invalid", detail="sign in again")
        if method != "admit":
            return {"stream": params.get("stream", STREAM), **_PRICE}
        number = next(self._numbers)
        return {
            "session": {"grant": _GRANTS[params["token"]], "index": number},
            "number": 1,
            "resume": f"resume-{number}",
            "lease_ms": LEASE_MS,
            "resumed": False,
            **_PRICE,
        }


async def _main(socket: str) -> None:
    relayer = StandInRelayer()
    await relayer.listen(socket)
    await serve(relayer.figures)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
