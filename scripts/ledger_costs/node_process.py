"""One development node of our own, its log with milliseconds, and what it takes of the machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from ledger_costs.judging import NodeLog, read_log
from main_job.parts import free_port, node_program
from main_job.processes import (
    Child,
    ProcessFailed,
    Supervisor,
    anonymous_bytes,
    cpu_seconds,
    memory_bytes,
)
from offchain.ledger.client import open_ledger
from offchain.ledger.errors import LedgerError

READY_SECONDS_MAX: Final = 180.0
SAMPLE_S: Final = 5.0
TRIE_CACHE_BYTES: Final = 128 * 1024 * 1024
"""Bound of the node's cache of state. Its default of 1 GiB fills during a run of this length, and
looks like memory that is lost; 10,000 sessions and their trie need a small part of it."""


class Node:
    """A running node."""

    def __init__(self, child: Child, url: str, rpc_port: int) -> None:
        self.child = child
        self.url = url
        self.rpc_port = rpc_port
        self.memory: list[tuple[float, float]] = []
        """Moments (of trio), and bytes of its own, without what it has mapped of its database."""

    @property
    def resident_bytes(self) -> int:
        """All that is in memory of it, the mapped database included."""
        return memory_bytes(self.child.pid)

    @property
    def cpu_s(self) -> float:
        """The processor time that it has used."""
        return cpu_seconds(self.child.pid)

    def log(self) -> NodeLog:
        """Read what it has written of its blocks."""
        with self.child.log.open(errors="replace") as lines:
            return read_log(lines)

    async def sample(self) -> None:
        """Take its memory from time to time, for ever. Raises ProcessFailed when it ends."""
        while True:
            if not self.child.running:
                raise ProcessFailed(self.child.complaint("ended while it was measured"))
            self.memory.append((trio.current_time(), float(anonymous_bytes(self.child.pid))))
            await trio.sleep(SAMPLE_S)


async def start(supervisor: Supervisor, root: Path) -> Node:
    """Start it on free ports of the loopback; it has made a block then. Raises ProcessFailed."""
    port = free_port()
    command = [str(node_program()), "--dev", "--base-path", str(root / "chain")]
    command += ["--rpc-port", str(port), "--listen-addr", "/ip4/127.0.0.1/tcp/0"]
    command += ["--trie-cache-size", str(TRIE_CACHE_BYTES)]
    command += ["--no-prometheus", "--no-telemetry", "--no-mdns", "--detailed-log-output"]
    child = supervisor.start("node", command, {"TZ": "UTC"})
    url = f"ws://127.0.0.1:{port}"
    with trio.move_on_after(READY_SECONDS_MAX):
        while child.running:
            with suppress(LedgerError):
                async with open_ledger(url, timeout_s=2.0) as ledger:
                    if (await ledger.best_head()).number > 0:
                        return Node(child, url, port)
            await trio.sleep(0.2)
    raise ProcessFailed(child.complaint("made no block"))
