"""Everything together: chain, nodes, disk, network, servers, viewers, relayer and judges."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio

from tests.simulation.blockchain import Blockchain
from tests.simulation.chance import Chance, JumpingClock, Threads, determined
from tests.simulation.disk import Disk, under
from tests.simulation.media_server import MediaServer, Watching
from tests.simulation.network import Network
from tests.simulation.node import Node
from tests.simulation.oracles import Bounds, Failure, Judges
from tests.simulation.process import RelayerProcess
from tests.simulation.story import RelayerLog, Story
from tests.simulation.wallets import Viewer

RATE = 1_000
OPEN_KEY_S = 0.11
LET_IN_WITHIN_S = 60.0
"""A node that hung is noticed after three blocks, and followed again a block later."""
"""What a thread takes to open or to store an encrypted key: measured, see `offchain/keys`."""
_MEMORY = Path("/dev/shm")


class World:
    """One run."""

    def __init__(
        self, chance: Chance, story: Story, disk: Disk, nursery: trio.Nursery, bounds: Bounds
    ) -> None:
        self.chance = chance
        self.story = story
        self.nursery = nursery
        self.bounds = bounds
        self.chain = Blockchain()
        self.node = Node("node", self.chain)
        self.nodes = [self.node]
        self.network = Network(chance.stream("network"), story, nursery)
        self.disk = disk
        self.judges = Judges(self.chain, story, bounds)
        numbers = chance.stream("nodes")
        self.relayer = RelayerProcess(
            self.nodes, self.network, disk, story, numbers, fail=self.judges.fail
        )
        self.judges.blind = lambda: (
            not self.relayer.up or any(node.keeps_silent for node in self.nodes)
        )
        self.judges.answer_ms = lambda: int(1000 * max(node.slow_s for node in self.nodes))
        self.judges.over = self.relayer.over
        self.boots = 0
        self.servers: dict[str, MediaServer] = {}
        self.viewers: list[Viewer] = []
        self.watchings: list[Watching] = []

    # --- media servers ---------------------------------------------------------------------

    @property
    def server(self) -> MediaServer:
        """The first media server."""
        return self.servers["A"]

    async def give_addresses(self) -> Node:
        """Give the relayer a second node, each with an address of its own, by a start anew."""
        other = Node("other", self.chain)
        self.nodes.append(other)
        self.relayer.separate = True
        await self.crash()
        return other

    def serve(self, name: str) -> MediaServer:
        """Start a media server, in the place of the last of that name."""
        self.boots += 1
        server = MediaServer(name, self.boots, self.network, self.story, self.nursery)
        server.watch = self.judges.watch
        self.servers[name] = server
        server.start()
        return server

    def crash_server(self, name: str) -> None:
        """Let a media server end as by SIGKILL, and start another."""
        server = self.servers[name]
        watching = list(server.watching)
        server.crash()
        for each in watching:
            self.judges.crashed(each, max(0, each.sent_ms - each.told_sent_ms))
        self.serve(name)

    async def stop_server(self, name: str) -> None:
        """Let a media server end in good order: its viewers' connections first."""
        server = self.servers.pop(name, None)
        if server is None:
            return
        for watching in server.watching:
            watching.end("shutdown")
        server.tell()
        await trio.sleep(1)
        server.crash()

    def attached(self, watching: Watching, resume: str | None) -> None:
        """A viewer was admitted, who asked with a session's secret or without."""
        self.watchings.append(watching)
        self.judges.attached(watching, resume)

    # --- what stories do -------------------------------------------------------------------

    def viewer(self, name: str = "Alice") -> Viewer:
        """Let somebody with a wallet come by."""
        viewer = Viewer(self, name)
        self.viewers.append(viewer)
        return viewer

    async def blocks(self, count: int) -> None:
        """Wait for blocks."""
        for _ in range(count):
            await self.chain.grown.wait()

    async def crash(self, *, down_s: float = 0.0) -> None:
        """Kill the relayer, keep it down for a while, and wait until it is back."""
        self.relayer.keep_down = True
        self.relayer.kill("now")
        await self.relayer.stopped()
        await trio.sleep(down_s)
        self.relayer.allow()
        await self.relayer.started()

    def charged(self, watching: Watching) -> int:
        """Tell how many seconds the best chain has charged for a connection's session."""
        group = self.judges.groups[watching.ref]
        return sum(self.judges.charged.get(ref, 0) for ref in group.sessions)

    def unpaid_s(self, watching: Watching) -> float:
        """Tell how many seconds its viewer has that no block has charged."""
        group = self.judges.groups[watching.ref]
        return group.held_ms / 1000 - self.charged(watching)

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the relayer something that it must answer."""
        answer = await self.server.ask(method, **params)
        assert answer.problem is None, answer.problem
        return dict(answer.result)

    async def status(self) -> dict[str, Any] | None:
        """Ask the relayer how it does; None where it does not answer."""
        answer = await self.server.ask("status")
        return None if answer.problem is not None else dict(answer.result)

    # --- the end ---------------------------------------------------------------------------

    async def own_sessions(self) -> int:
        """Tell how many sessions the relayer holds for open; 1 where it does not answer."""
        status = await self.status()
        return 1 if status is None else sum(status["sessions"].values())

    async def end(self, *, tasks_before: int | None = None) -> list[Failure]:
        """Let all viewers leave, wait for every session's end, and judge."""
        for watching in self.watchings:
            watching.end("left")
        began = trio.current_time()
        await self.blocks(2)  # after a halt nothing was ever said before the next block
        own = 1
        while trio.current_time() - began < self.bounds.ends_within_s:
            if not self.judges.open_sessions():
                own = await self.own_sessions()
                if not own:
                    break
            await trio.sleep(2)
        own = await self.own_sessions()
        waited_s = trio.current_time() - began
        self.story.tell("everything-should-have-ended", waited_s=f"{waited_s:.0f}")
        status = await self.status() or {}
        self.story.tell(
            "relayer-says",
            **{name: status.get(name) for name in ("sessions", "best_block", "finalized_block")},
            best=self.chain.height,
            finalized=self.chain.finalized,
        )
        self.judges.judge_ends(own, waited_s)
        self.judges.judge_charges()
        self.judges.judge_credit()
        self._judge_bounds()
        for mishap in self.relayer.mishaps:
            self.judges.fail("bounded", "relayer", f"it ended by itself: {mishap}")
        return self.judges.failures

    async def judge_doors(self) -> None:
        """Hold that everybody who can pay is let in again when all has ended, and pays to the
        second with orders that the ledger takes."""
        refused, numbers = self._ahead(), self.chance.stream("doors")
        for viewer in self.viewers:
            if viewer.token is None or not viewer.grants():
                continue
            watching = await self._let_in(viewer)
            if watching is None:
                problem = viewer.problems[-1]
                if problem.status in (409, 500, 503):
                    self.judges.fail("ends", f"viewer {viewer.name}", f"not let in: {problem}")
                continue
            # not in step with the blocks: for some the chain's clock is behind when they leave
            await trio.sleep(numbers.uniform(16, 24))
            watching.end("left")
            await trio.sleep(20)
            if watching.denied != "funds":  # a cap that is nearly used up pays no whole visit
                self.judges.judge_paid(watching)
        self.judges.judge_orders(self._ahead() - refused)

    async def _let_in(self, viewer: Viewer) -> Watching | None:
        """Ask as a player does: again, for as long as the answer says that it passes."""
        deadline = trio.current_time() + LET_IN_WITHIN_S
        while True:
            watching = await viewer.join()
            waits_s = None if watching is not None else viewer.problems[-1].retry_after_s
            if waits_s is None or trio.current_time() + waits_s > deadline:
                return watching
            await trio.sleep(max(waits_s, 1))

    def _ahead(self) -> int:
        """Tell how many orders of this process were ahead of the chain's clock."""
        return self.relayer.endpoint.ahead if self.relayer.endpoint is not None else 0

    def _judge_bounds(self) -> None:
        process = self.relayer
        self.disk.measure()
        if process.relayer is None:
            return
        self.judges.judge_sizes([("relayer", process.relayer)], self.disk.bytes_max)
        served = 3 * len(self.servers)  # a talk, its writer, and one answer under way
        self.judges.judge_tasks(process.tasks_at_start + served + 1, process.tasks())


@contextmanager
def _logged(story: Story, directory: str) -> Iterator[None]:
    """Let the relayer's log go into the story, and nowhere else."""
    log = logging.getLogger("paystream")
    handler = RelayerLog(story, directory)
    kept = (log.level, log.propagate)
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = kept
        log.setLevel(kept[0])


def _thread_time(world: World, threads: Threads) -> None:
    def seconds(function: Callable[..., Any]) -> float:
        is_key = getattr(function, "__qualname__", "").startswith("Keystore.")
        return OPEN_KEY_S if is_key else world.disk.slow_s

    threads.seconds = seconds


@asynccontextmanager
async def world(
    chance: Chance, story: Story, disk: Disk, bounds: Bounds, threads: Threads
) -> AsyncIterator[World]:
    """Make a world whose chain, relayer and media server run for the length of the block."""
    async with trio.open_nursery() as nursery:
        made = World(chance, story, disk, nursery, bounds)
        _thread_time(made, threads)
        for number in (1, 2):
            made.chain.add_stream(number, rate=RATE)
        nursery.start_soon(made.chain.run)
        nursery.start_soon(made.relayer.supervise)
        made.serve("A")
        await made.relayer.started()
        await made.blocks(2)
        yield made
        made.relayer.keep_down = True
        made.relayer.kill("the end")
        await made.relayer.stopped()
        nursery.cancel_scope.cancel()


Told = Callable[[World], Awaitable[None]]


def told(
    tale: Told, *, seed: int = 0, bounds: Bounds | None = None, keep: bool = True
) -> tuple[Story, Judges, float]:
    """Let a story take place in a world of its own: what happened, the judges, simulated time."""
    memory = str(_MEMORY) if _MEMORY.is_dir() else None
    story, chance = Story(keep=keep), Chance(seed)
    seconds, judges = 0.0, None

    async def run(disk: Disk, threads: Threads) -> None:
        nonlocal seconds, judges
        async with world(chance, story, disk, bounds or Bounds(), threads) as made:
            judges = made.judges
            await tale(made)
            seconds = trio.current_time()

    with tempfile.TemporaryDirectory(dir=memory) as name, determined(chance) as threads:
        directory = Path(name) / "state"
        directory.mkdir(mode=0o700)
        disk = Disk(directory, chance.stream("disk"))
        with under(disk), _logged(story, str(directory)):
            try:
                trio.run(run, disk, threads, clock=JumpingClock())
            except BaseExceptionGroup as group:
                raise _single(group) from None
    assert judges is not None
    return story, judges, seconds


def _single(error: BaseException) -> BaseException:
    """Take the first error out of a group, so that a test shows what it asserted."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
