"""A whole site as one supervised group of processes: node, signer, relayer, media server.

What dies is started again after a pause that grows while it keeps dying. The group ends as one: in
the order in which nothing is lost, and without anything left behind.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from offchain.ledger.client import open_ledger
from offchain.ledger.errors import LedgerError
from offchain.processes import Child, ProcessFailed, Supervisor

NODE_SECONDS_MAX: Final = 180.0
READY_SECONDS_MAX: Final = 60.0
PAUSE_FIRST_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0
STEADY_S: Final = 60.0
"""What has run for so long before it died begins again with the first pause."""
END_WITHIN_S: Final = 6.0
"""How long one part may take to end: the relayer flushes its journal within 5 s."""

Ready = Callable[[Child], Awaitable[Mapping[str, Any]]]
Tell = Callable[[Mapping[str, Any]], None]


def paystream(*arguments: str) -> list[str]:
    """Give the command line of a `paystream` command in this environment."""
    return [sys.executable, "-m", "offchain.cli", *arguments]


def free_port() -> int:
    """Give a TCP port of the loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def node_command(program: Path, base: Path, rpc_port: int) -> list[str]:
    """Give the command line of a development chain that no other node finds."""
    command = [str(program), "--dev", "--base-path", str(base), "--rpc-port", str(rpc_port)]
    return [*command, "--port", "0", "--no-prometheus", "--no-telemetry", "--no-mdns"]


async def makes_blocks(node: Child, url: str) -> None:
    """Wait until a node of ours has made a block. Raises ProcessFailed."""
    with trio.move_on_after(NODE_SECONDS_MAX):
        while node.running:
            with suppress(LedgerError):
                async with open_ledger(url, timeout_s=2.0) as ledger:
                    if (await ledger.best_head()).number > 0:
                        return
            await trio.sleep(0.2)
    raise ProcessFailed(node.complaint("made no block"))


async def says_ready(child: Child) -> Mapping[str, Any]:
    """Wait for what `paystream signer`, `relay` and `serve` print. Raises ProcessFailed."""
    return await child.ready("ready", READY_SECONDS_MAX)


def pause_s(deaths: int) -> float:
    """Tell how long to wait after so many deaths in a row, in seconds."""
    return float(min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** min(deaths - 1, 16)))


@dataclass
class Part:
    """One process of the group."""

    name: str
    command: Sequence[str]
    ready: Ready
    child: Child | None = None
    started: int = 0
    said: Mapping[str, Any] = field(default_factory=dict)
    """What it said when it was ready last."""


class Site:
    """The parts that run, in the order in which they were started."""

    def __init__(self, supervisor: Supervisor, tell: Tell) -> None:
        """`tell` gets `{"event", "part", ...}` of what happens later on: `ended`, `restarted`."""
        self._supervisor = supervisor
        self._tell = tell
        self.parts: list[Part] = []
        self.logs = supervisor.logs

    async def add(self, nursery: trio.Nursery, part: Part) -> Mapping[str, Any]:
        """Start a part, wait until it is ready, and keep it running from then on.

        Gives what it said. Raises ProcessFailed: what cannot start once is a mistake to be mended.
        """
        self.parts.append(part)
        await self._start(part)
        nursery.start_soon(self._keep, part)
        return part.said

    async def _start(self, part: Part) -> None:
        part.started += 1
        part.child = self._supervisor.start(part.name, part.command)
        part.said = await part.ready(part.child)

    async def _keep(self, part: Part) -> None:
        deaths, since = 0, trio.current_time()
        while True:
            if part.child is not None:
                code = await part.child.wait()
                if trio.current_time() - since >= STEADY_S:
                    deaths = 0
                deaths += 1
                wait_s = pause_s(deaths)
                said = {"event": "ended", "part": part.name, "exit_code": code}
                self._tell({**said, "again_in_s": wait_s, "log": str(part.child.log)})
                await trio.sleep(wait_s)
            since = trio.current_time()
            try:
                await self._start(part)
            except ProcessFailed:
                if part.child is not None and part.child.running:
                    await self._supervisor.end(part.child)
                continue
            self._tell({"event": "restarted", "part": part.name, "count": part.started - 1})

    async def end(self) -> None:
        """End the parts, the last started first, so that each can still tell the one before it."""
        for part in reversed(self.parts):
            if part.child is not None and part.child.running:
                await self._supervisor.end(part.child, END_WITHIN_S)
