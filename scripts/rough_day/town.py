"""The processes that a rough day happens to, and how each is hurt and mended.

The chain's only validator is the truth: nothing happens to it. The relayer has a node of its own,
which follows the validator, as an operator's does. A cable leads from the relayer to its node, and
another from the node to the validator.
"""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from main_job.parts import Dirs, free_port, node_program
from main_job.processes import Child, ProcessFailed, Supervisor
from main_job.stage import Stage
from offchain import site
from offchain.ledger.client import open_ledger
from rough_day.cable import Cable
from rough_day.faults import Backup, Fault, Kill, Part, Partition, Restore, Stop

START_AGAIN_S: Final = 1.0
"""As a service manager does: what does not come up is started again after so long."""
START_TRIES: Final = 120
NAMES: Final[dict[Part, str]] = {"relayer": "relay", "node": "node", "server": "serve"}
"""What the parts are called on the stage, and their logs."""


class Town:
    """Validator, node and cables; with `stage` also relayer and media server.

    `tell` hears of everything that is done.
    """

    def __init__(self, supervisor: Supervisor, dirs: Dirs, tell: Callable[[str], None]) -> None:
        self._supervisor = supervisor
        self._dirs = dirs
        self._tell = tell
        self._program = node_program()
        self._rpc_port, self._truth_port = free_port(), free_port()
        self._peer = ""
        self._locks: dict[Part, trio.Lock] = {part: trio.Lock() for part in NAMES}
        self._stage: Stage | None = None
        self.truth = f"ws://127.0.0.1:{self._truth_port}"
        self.to_node = Cable(self._rpc_port)
        self.to_peer = Cable(free_port())
        self.kills: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self.failed_starts: Counter[str] = Counter()
        self.on_server_killed: Callable[[], None] = lambda: None
        self.on_relayer_away: Callable[[], None] = lambda: None
        self.on_relayer_back: Callable[[], None] = lambda: None

    @property
    def relayer_chain(self) -> str:
        """Where the relayer reaches its node."""
        return f"ws://127.0.0.1:{self.to_node.port}"

    @property
    def stage(self) -> Stage:
        """The stage, once it is set."""
        if self._stage is None:
            raise RuntimeError("the stage is not set yet")
        return self._stage

    # --- building it ---------------------------------------------------------------------

    async def start_chain(self, nursery: trio.Nursery) -> dict[str, Child]:
        """Start cables, validator and node; give the two. Raises ProcessFailed."""
        await nursery.start(self.to_node.serve)
        await nursery.start(self.to_peer.serve)
        listen = f"/ip4/127.0.0.1/tcp/{self.to_peer.to}"
        validator = self._supervisor.start(
            "validator", self._command("validator", self._truth_port, "--dev", listen)
        )
        await site.makes_blocks(validator, self.truth)
        async with open_ledger(self.truth) as ledger:
            self._peer = str(await ledger.rpc.call("system_localPeerId"))
        return {"validator": validator, "node": await self._start_node()}

    def _command(self, name: str, rpc_port: int, chain: str, listen: str) -> list[str]:
        command = [str(self._program), chain, "--base-path", str(self._dirs.root / name)]
        command += ["--rpc-port", str(rpc_port), "--listen-addr", listen]
        return [*command, "--no-prometheus", "--no-telemetry", "--no-mdns"]

    async def _start_node(self) -> Child:
        peer = f"/ip4/127.0.0.1/tcp/{self.to_peer.port}/p2p/{self._peer}"
        command = self._command("node", self._rpc_port, "--chain=dev", "/ip4/127.0.0.1/tcp/0")
        # Over the cable it is asked for by another port than its own, which it refuses otherwise.
        command += ["--rpc-cors", "all", "--reserved-only", "--reserved-nodes", peer]
        node = self._supervisor.start("node", command)
        await site.makes_blocks(node, f"ws://127.0.0.1:{self._rpc_port}")
        return node

    def take(self, stage: Stage, chain: dict[str, Child]) -> None:
        """Take the stage that was built on the chain."""
        stage.parts |= chain
        self._stage = stage

    # --- what happens to it --------------------------------------------------------------

    async def suffer(self, fault: Fault) -> None:
        """Let a fault happen, from its beginning to its end. Raises ProcessFailed."""
        match fault:
            case Kill():
                await self._kill(fault)
            case Stop():
                await self._stop(fault)
            case Partition():
                await self._cut_off(fault)
            case Backup():
                await self._back_up()
            case Restore():
                await self._restore(fault)

    async def _kill(self, kill: Kill) -> None:
        async with self._locks[kill.part]:
            self._tell(f"SIGKILL {kill.part}, down for {kill.down_s:.1f} s")
            await self._kill_now(kill.part)
            await trio.sleep(kill.down_s)
            await self._start_again(kill.part)

    async def _kill_now(self, part: Part) -> None:
        self.kills[part] += 1
        await self.stage.kill(NAMES[part])
        if part == "server":
            self.on_server_killed()
        elif part == "relayer":
            self.on_relayer_away()

    async def _stop(self, stop: Stop) -> None:
        async with self._locks[stop.part]:
            child = self.stage.parts[NAMES[stop.part]]
            self._tell(f"SIGSTOP {stop.part} for {stop.for_s:g} s")
            child.send(signal.SIGSTOP)
            if stop.part == "relayer":
                self.on_relayer_away()
        await trio.sleep(stop.for_s)
        if child.running:
            child.send(signal.SIGCONT)
            self._tell(f"SIGCONT {stop.part}")
            if stop.part == "relayer":
                self.on_relayer_back()
        else:
            self._tell(f"SIGCONT {stop.part}: it was killed meanwhile")

    async def _cut_off(self, partition: Partition) -> None:
        self._tell(f"the relayer is cut off from its node for {partition.for_s:g} s")
        self.to_node.hold()
        await trio.sleep(partition.for_s)
        self.to_node.release()
        self._tell("the relayer reaches its node again")

    async def _back_up(self) -> None:
        async with self._locks["node"]:
            self._tell("the node is stopped for its backup")
            await self._supervisor.end(self.stage.parts.pop("node"), wait_s=10.0)
            await _copy(self._dirs.root / "node", self._dirs.root / "backup")
            await self._start_again("node")

    async def _restore(self, restore: Restore) -> None:
        async with self._locks["node"]:
            self._tell(
                f"the node is restored from its backup, for {restore.alone_s:g} s without peers"
            )
            await self._kill_now("node")
            self.to_peer.hold()
            await _copy(self._dirs.root / "backup", self._dirs.root / "node")
            await self._start_again("node")
        await trio.sleep(restore.alone_s)
        self.to_peer.release()
        self._tell("the restored node finds its peer")

    async def _start_again(self, part: Part) -> None:
        """Start a part until it is up, as a service manager does. Raises ProcessFailed."""
        for attempt in range(1, START_TRIES + 1):
            try:
                await self._start(part)
                break
            except ProcessFailed:
                await self._end_all_of(NAMES[part])
                self.failed_starts[part] += 1
                if attempt == START_TRIES:
                    raise
                await trio.sleep(START_AGAIN_S)
        self.restarts[part] += 1
        self._tell(f"{part} is up again")

    async def _start(self, part: Part) -> None:
        if part == "relayer":
            await self.stage.start_relayer()
            self.on_relayer_back()
        elif part == "server":
            await self.stage.start_server()
        else:
            self.stage.parts["node"] = await self._start_node()

    async def _end_all_of(self, name: str) -> None:
        for child in self._supervisor.children:
            if child.name == name and child.running:
                await self._supervisor.end(child)


async def _copy(source: Path, target: Path) -> None:
    """Put a copy of a folder in the place of another; a database's files are mostly holes."""
    await trio.to_thread.run_sync(lambda: shutil.rmtree(target, ignore_errors=True))
    await trio.run_process(["cp", "--archive", "--sparse=always", str(source), str(target)])


def sockets(pid: int) -> int:
    """Count a process's sockets, 0 if it has ended."""
    found = 0
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed while we look
                found += str(entry.readlink()).startswith("socket:")
    return found
