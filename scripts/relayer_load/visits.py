"""Viewers who come and go beside the load, at an even rate, as connections of another media server.

Each is admitted as the door would have it, watches for some seconds and leaves, with a grant of its
own: the ledger opens one session a grant in some seconds. `spent_s` is the processor time of the
media server's part.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import msgspec
import trio

from offchain.relayer.run import Relayer
from relayer_load.lag_figures import p99_ms
from relayer_load.media_server import Viewing
from relayer_load.seeding import Seeded, token_of
from relayer_load.told import told
from streaming.session_state import (
    STATE_INTERVAL_MS,
    ConnectionState,
    Leases,
    Request,
    SessionRef,
    States,
    decode_from_relayer,
    encode_frame,
)

STAYS_S: Final = 10.0
BOOT: Final = "boot@visits"
ORIGIN: Final = "https://visits.example"


class Visits:
    """Lets `waiting` join in turn, so many a second; run it once."""

    def __init__(self, relayer: Relayer, waiting: Sequence[Seeded], per_second: float) -> None:
        self.spent_s = 0.0
        self._relayer = relayer
        self._waiting = iter(waiting)
        self._every_s = 1 / per_second
        self._watching: dict[str, tuple[Viewing, float]] = {}
        """By connection: who is there, and until when."""
        self._sequence = 0
        self.begin()

    def begin(self) -> None:
        """Count anew from now on."""
        self._joined = self._left = 0
        self._refused: Counter[str] = Counter()
        self._admission_s: list[float] = []
        self._began = trio.current_time()

    def figures(self) -> dict[str, Any]:
        """Sum up what came since `begin`."""
        took_s = trio.current_time() - self._began
        return {
            "joins_per_second": round(self._joined / took_s, 1),
            "leaves_per_second": round(self._left / took_s, 1),
            "joins_refused": dict(self._refused),
            "admission_ms_p99": p99_ms(self._admission_s),
        }

    async def run(self) -> None:
        """Let them come and go until none is left that could come, and for ever then."""
        self._relayer.leaser.greet(BOOT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell)
            due = trio.current_time()
            for number, visitor in enumerate(self._waiting):
                due += self._every_s
                await trio.sleep_until(due)
                nursery.start_soon(self._join, number, visitor)

    async def _join(self, number: int, visitor: Seeded) -> None:
        params = {"token": token_of(visitor.grant), "stream": visitor.stream}
        request, asked = Request(id=number, method="admit", params=params), trio.current_time()
        response = await self._relayer.requests.answer(request, ORIGIN)
        if response.problem is not None or response.result is None:
            code = "no-answer" if response.problem is None else response.problem.code
            self._refused[code] += 1
            return
        now, name = trio.current_time(), f"v{number}"
        session = response.result["session"]
        ref = SessionRef(session["grant"], session["index"])
        self._watching[name] = (Viewing(name, ref, now, 0.0), now + STAYS_S)
        self._joined += 1
        self._admission_s.append(now - asked)

    async def _tell(self) -> None:
        while True:
            await trio.sleep(STATE_INTERVAL_MS / 1000)
            if self._watching:
                answer = told(self._relayer, self._frame(), BOOT)
                with self._billed():
                    self._take(cast(Leases, decode_from_relayer(answer[4:])))

    def _frame(self) -> bytes:
        with self._billed():
            now = trio.current_time()
            self._sequence += 1
            states = [_state(each, now, left=now >= at) for each, at in self._watching.values()]
            return encode_frame(States(sequence=self._sequence, connections=states, publishers=[]))

    def _take(self, answer: Leases) -> None:
        now = trio.current_time()
        for lease in answer.leases:
            self._watching[lease.connection][0].leased(lease, now, answer.lease_ms)
        for name in answer.acknowledged:
            del self._watching[name]
            self._left += 1

    @contextmanager
    def _billed(self) -> Iterator[None]:
        began = time.thread_time()
        try:
            yield
        finally:
            self.spent_s += time.thread_time() - began


def _state(viewing: Viewing, now: float, *, left: bool) -> ConnectionState:
    state = viewing.state(now)
    if not left:
        return state
    return msgspec.structs.replace(state, unconfirmed_ms=0, final=True, end_reason="left")
