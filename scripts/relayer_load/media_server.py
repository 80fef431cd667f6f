"""The media server of a measurement: the real link over the real socket, and viewers that watch.

    python -m relayer_load.media_server SOCKET SESSIONS

`SESSIONS` is a file of lines `grant index`. Each viewer has been sent a second for each second that
passes, as long as the relayer's lease allows it. At SIGTERM one JSON object is printed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streaming.http.link import Link
from streaming.session_state import (
    PROTOCOL_VERSION,
    ConnectionState,
    Hello,
    Lease,
    Leases,
    PublisherState,
    SessionRef,
)

UNCONFIRMED_MS = 300


class Viewing:
    """One connection: what was delivered, and whether it may go on."""

    __slots__ = ("delivered_ms", "name", "ref", "since", "stopped_s", "until")

    def __init__(self, name: str, ref: SessionRef, now: float, phase_s: float) -> None:
        self.name = name
        self.ref = ref
        self.delivered_ms = 0
        self.since = now + phase_s
        self.until = now + 15.0
        self.stopped_s = 0.0

    def state(self, now: float) -> ConnectionState:
        """Tell what was delivered until now."""
        watched_ms = int((min(now, self.until) - self.since) * 1000)
        self.delivered_ms = max(self.delivered_ms, watched_ms)
        return ConnectionState(
            connection=self.name,
            session=self.ref,
            number=1,
            delivered_ms=self.delivered_ms,
            forwarded_ms=self.delivered_ms + UNCONFIRMED_MS,
            unconfirmed_ms=UNCONFIRMED_MS,
        )

    def leased(self, lease: Lease, now: float, lease_ms: int) -> None:
        """Go on, or wait."""
        if now > self.until:
            self.stopped_s += now - self.until
            self.since += now - self.until
        if lease.allowed:
            self.until = now + (lease_ms if lease.lease_ms is None else lease.lease_ms) / 1000
        else:
            self.until = now


class Server:
    """All of them."""

    def __init__(
        self,
        refs: list[SessionRef],
        spread_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        now = clock()
        self.began = now
        self.viewing = {
            f"c{number}": Viewing(f"c{number}", ref, now, spread_s * number / len(refs))
            for number, ref in enumerate(refs)
        }
        self.answers = 0
        self.leases = 0
        self.denied: dict[str, int] = {}

    def snapshot(self) -> tuple[list[ConnectionState], list[PublisherState]]:
        """Give every connection's state."""
        now = self._clock()
        return [each.state(now) for each in self.viewing.values()], []

    def take(self, answer: Leases) -> None:
        """Let the viewers go on as the relayer says."""
        now = self._clock()
        self.answers += 1
        self.leases += len(answer.leases)
        for lease in answer.leases:
            if not lease.allowed:
                reason = str(lease.reason)
                self.denied[reason] = self.denied.get(reason, 0) + 1
            self.viewing[lease.connection].leased(lease, now, answer.lease_ms)

    def figures(self) -> dict[str, Any]:
        """Sum up."""
        now = self._clock()
        for each in self.viewing.values():
            each.state(now)
        return {
            "seconds": round(now - self.began, 2),
            "answers": self.answers,
            "leases": self.leases,
            "denied": self.denied,
            "delivered_seconds": sum(each.delivered_ms for each in self.viewing.values()) // 1000,
            "stopped_seconds": round(sum(each.stopped_s for each in self.viewing.values()), 1),
            "cpu_s": round(time.process_time(), 2),
        }


async def play(socket: Path, refs: list[SessionRef]) -> dict[str, Any]:
    """Be a media server until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = Server(refs, spread_s=2.0)
    hello = Hello(
        protocol_version=PROTOCOL_VERSION,
        server_id="load",
        boot_id=f"boot-{time.time_ns()}",
        origin="https://load.example",
    )
    link = Link(socket, hello, server.snapshot, server.take)
    link.start()
    await ended.wait()
    figures = server.figures()
    await link.close(0.0)
    return figures


def main() -> None:
    """Read the arguments and play."""
    socket, sessions = sys.argv[1:]
    lines = Path(sessions).read_text().split("\n")
    places = [line.split() for line in lines if line]
    refs = [SessionRef(int(grant), int(index)) for grant, index in places]
    print(json.dumps(asyncio.run(play(Path(socket), refs))))


if __name__ == "__main__":
    main()
