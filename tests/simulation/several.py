"""Several relayers on one journal: their processes, the database between them, and the judges.

Each is the real relayer, with a node, a socket and a clock of its own; they share a signer (its
real policy and journal) and a database. That one is SQLite here, with the tables and statements
that PostgreSQL has, a clock that is the simulation's, and for each relayer a connection that can be
cut. `tests/system/test_several_relayers.py` has the real one.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import trio

from offchain.journal import Journal, JournalError, JournalUnavailable, LeaseLost, Statement
from offchain.journal.guard import Guard
from offchain.journal.leasing import Leasing, drain
from offchain.journal.migrations import Execute, Rows
from offchain.journal.sqlite import SqliteStore
from offchain.journal.store import Select
from offchain.ledger.errors import LedgerError
from offchain.relayer.link import Link
from offchain.relayer.run import Relayer, assembled
from offchain.relayer.several import Several
from tests.relayer.fake_chain import BASE_MS
from tests.signer.judged import JudgedKeyring
from tests.simulation.blockchain import Blockchain
from tests.simulation.chance import Chance, JumpingClock, Threads, determined
from tests.simulation.network import Network
from tests.simulation.node import Endpoint, Node
from tests.simulation.oracles import Bounds, Failure, Judges
from tests.simulation.process import RESTART_S, MachineClock
from tests.simulation.several_servers import SeveralServer
from tests.simulation.stopping import Stopping, stoppable
from tests.simulation.story import Story
from tests.simulation.world import _MEMORY, OPEN_KEY_S, RATE, World, _logged, _single

NAMES: Final = ("one", "two", "three")
WRITE_S: Final = 0.004
"""What a call of the database takes."""
TAKEN_OVER_WITHIN_S: Final = 10.0


class Database:
    """The database's machine."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "journal.sqlite"
        self.down = False
        self.cut: set[str] = set()
        """Relayers that do not reach it."""
        SqliteStore(self.path).close()


class Access:
    """One process's connections to the database: a store."""

    def __init__(self, database: Database, name: str) -> None:
        self.dead = False
        self._database = database
        self._name = name
        self._store = SqliteStore(database.path, owner=False)

    @property
    def place(self) -> str:
        """Where it is."""
        return "the database"

    @property
    def share(self) -> str:
        """Nothing: one writes at a time."""
        return ""

    @property
    def now_ms(self) -> str:
        """The database's clock, which nobody sets."""
        return str(BASE_MS + int(trio.current_time() * 1000))

    def _reach(self) -> None:
        if self.dead or self._database.down or self._name in self._database.cut:
            raise JournalUnavailable("the database is away")

    def write(self, statements: Sequence[Statement], guard: Guard | None = None) -> None:
        """Write, if the database can be reached."""
        self._reach()
        self._store.write(statements, guard)

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Give a transaction, if the database can be reached."""
        self._reach()
        with self._store.transaction() as execute:
            yield execute

    def read(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Read, if the database can be reached."""
        self._reach()
        return self._store.read(sql, values)

    def snapshot(self) -> AbstractContextManager[Select]:
        """Give a snapshot."""
        return self._store.snapshot()

    def end_stalled(self) -> int:
        """Break nothing: a file has one writer."""
        return self._store.end_stalled()

    def verify(self) -> list[str]:
        """Say what is wrong."""
        return self._store.verify()

    def close(self) -> None:
        """Let go of it."""
        self._store.close()


class SeveralProcess(Stopping):
    """A supervised relayer among others: it is started again after each end."""

    def __init__(self, name: str, world: SeveralWorld) -> None:
        super().__init__()
        self.name = name
        self.node = Node(f"node of {name}", world.chain)
        self.network = Network(world.chance.stream(f"network {name}"), world.story, world.nursery)
        self.clock = MachineClock()
        self.relayer: Relayer | None = None
        self.several: Several | None = None
        self.number = 0
        self.lost = 0
        """How often it began anew for it had lost its leases."""
        self.starts_in_s = 0.0
        """How long it takes to connect to its node and to open its keys."""
        self.keep_down = False
        self.mishaps: list[str] = []
        self._world = world
        self._access: list[Access] = []
        self.endpoint: Endpoint | None = None
        self._scope: trio.CancelScope | None = None
        self._changed = trio.Event()

    async def supervise(self) -> None:
        """Run relayers for ever, one after the other."""
        while True:
            while self.keep_down:
                await self._changed.wait()
            self.number += 1
            begins_anew = False
            with self.enter():
                async with trio.open_nursery() as nursery:
                    self._scope = nursery.cancel_scope
                    begins_anew = await self._guarded()
            self._down()
            if not begins_anew:
                await trio.sleep(RESTART_S)

    async def _guarded(self) -> bool:
        endpoint = self.endpoint = Endpoint([self.node], random.Random(self.number))
        try:
            async with trio.open_nursery() as nursery:  # so that tasks are of the process
                nursery.start_soon(self._live, endpoint)
        except BaseExceptionGroup as group:
            cancelled, others = group.split(trio.Cancelled)
            if others is not None and not endpoint.dead:
                return self._ended(others.subgroup(LeaseLost) or others)
            if cancelled is not None:
                raise cancelled from None
        return False

    def _ended(self, group: BaseException) -> bool:
        """Note why a process ended by itself; tell whether it begins anew at once."""
        error = _single(group)
        if isinstance(error, LeaseLost):
            self.lost += 1
            self._world.story.tell("leases-lost", relayer=self.name)
            return True
        if isinstance(error, JournalError | LedgerError | OSError):
            self._world.story.tell("relayer-refuses", relayer=self.name, why=str(error))
        else:
            self.mishaps.append(repr(error))
            self._world.story.tell("relayer-broke", relayer=self.name, why=repr(error))
        return False

    async def _live(self, endpoint: Endpoint) -> None:
        world = self._world
        self._access = [Access(world.database, self.name) for _ in range(2)]
        leasing = Leasing(self._access[1], f"{self.name}/{self.number}")
        journal = Journal(self._access[0], inline=False, guard=leasing.guard)
        several = Several(leasing)
        await endpoint.best_head()
        async with several.living():
            await trio.sleep(self.starts_in_s)
            async with assembled(
                endpoint,
                journal,
                world.keyring,
                unix_ms=self.clock.unix_ms,
                several=several,
            ) as relayer:
                link = Link(
                    relayer.leaser,
                    relayer.requests,
                    f"{self.name}-{self.number}",
                    relayer_id=self.name,
                )
                self.relayer, self.several = relayer, several
                world.story.tell("relayer-up", relayer=self.name, process=self.number)
                self._announce()
                await link.serve(self.network.listen())  # type: ignore[arg-type]

    def _down(self) -> None:
        for access in self._access:
            access.dead = True
            access.close()
        if self.endpoint is not None:
            self.endpoint.dead = True
        self.relayer = self.several = self.endpoint = self._scope = None
        self._access = []
        self.network.unlisten()
        self._announce()

    def _announce(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def kill(self) -> None:
        """End the process as SIGKILL does."""
        if self._scope is None or self.endpoint is None:
            return
        self._world.story.fault("relayer-killed", relayer=self.name)
        for access in self._access:
            access.dead = True
        self.endpoint.dead = True
        self.network.unlisten()
        self._scope.cancel()
        if self.stopped:
            self.go_on()

    async def exit(self) -> None:
        """End the process as SIGTERM does, and keep it down."""
        self.keep_down = True
        if self._scope is not None:
            self._scope.cancel()
        while self._scope is not None:
            await self._changed.wait()

    def allow(self) -> None:
        """Let the supervisor start it again."""
        self.keep_down = False
        self._announce()

    async def started(self) -> None:
        """Wait until a process answers."""
        with trio.fail_after(600):
            while self.relayer is None:
                await self._changed.wait()

    def holds(self, viewer: str) -> bool:
        """Tell whether it would sign for a viewer now."""
        return self.several is not None and not self.stopped and self.several.holds(viewer)


class SeveralWorld(World):
    """One run with three relayers."""

    def __init__(
        self, chance: Chance, story: Story, directory: Path, nursery: trio.Nursery, bounds: Bounds
    ) -> None:
        self.chance = chance
        self.story = story
        self.nursery = nursery
        self.bounds = bounds
        self.chain = Blockchain()
        self.database = Database(directory)
        self.keyring = JudgedKeyring(directory)
        self.judges = Judges(self.chain, story, bounds)
        self.boots = 0
        self.servers = {}
        self.viewers = []
        self.watchings = []
        self.relayers = {name: SeveralProcess(name, self) for name in NAMES}
        self.watch_for_ever = True

    def serve(self, name: str) -> SeveralServer:
        """Start a media server that links to all relayers."""
        self.boots += 1
        networks = [each.network for each in self.relayers.values()]
        server = SeveralServer(name, self.boots, networks, self.story, self.nursery)
        server.watch = self.judges.watch
        self.servers[name] = server
        server.start()
        return server

    def holders(self, viewer: str) -> list[str]:
        """Name the relayers that would sign for a viewer now."""
        return [name for name, each in self.relayers.items() if each.holds(viewer)]

    def holder(self, viewer: str) -> SeveralProcess:
        """Give the one relayer that holds a viewer."""
        (name,) = self.holders(viewer)
        return self.relayers[name]

    async def judge_holders(self) -> None:
        """Hold for ever that no viewer is two relayers'."""
        while True:
            for viewer in self.viewers:
                names = self.holders(viewer.address)
                if len(names) > 1:
                    self.judges.fail("held", f"viewer {viewer.name}", f"is held by {names}")
            await trio.sleep(0.25)

    def drain(self, name: str) -> tuple[int, int]:
        """Let a relayer give up what it holds; how many viewers that still is, and the others."""
        access = Access(self.database, "an operator")
        try:
            found = drain(access, name)
        finally:
            access.close()
        return found.viewers, found.others

    def _ahead(self) -> int:
        endpoints = (each.endpoint for each in self.relayers.values())
        return sum(endpoint.ahead for endpoint in endpoints if endpoint is not None)

    async def own_sessions(self) -> int:
        """Tell how many sessions the relayers hold for open."""
        return sum(
            1 if each.relayer is None else len(each.relayer.core.book.sessions)
            for each in self.relayers.values()
        )

    async def end(self, *, tasks_before: int | None = None) -> list[Failure]:
        """Let all viewers leave, wait for every session's end, and judge."""
        for watching in self.watchings:
            watching.end("left")
        began = trio.current_time()
        await self.blocks(2)
        while trio.current_time() - began < self.bounds.ends_within_s:
            if not self.judges.open_sessions() and not await self.own_sessions():
                break
            await trio.sleep(2)
        waited_s = trio.current_time() - began
        self.judges.judge_ends(await self.own_sessions(), waited_s)
        self.judges.judge_charges()
        self.judges.judge_credit()
        for name, each in self.relayers.items():
            for mishap in each.mishaps:
                self.judges.fail("bounded", f"relayer {name}", f"it ended by itself: {mishap}")
            if each.relayer is not None:
                self.judges.judge_sizes([(name, each.relayer)], 0)
        return self.judges.failures


@asynccontextmanager
async def _world(
    chance: Chance, story: Story, directory: Path, bounds: Bounds
) -> AsyncIterator[SeveralWorld]:
    async with trio.open_nursery() as nursery:
        made = SeveralWorld(chance, story, directory, nursery, bounds)
        for number in (1, 2):
            made.chain.add_stream(number, rate=RATE)
        nursery.start_soon(made.chain.run)
        nursery.start_soon(made.judge_holders)
        for each in made.relayers.values():
            nursery.start_soon(each.supervise)
        made.serve("A")
        for each in made.relayers.values():
            await each.started()
        await made.blocks(6)
        try:
            yield made
        finally:
            made.keyring.close()
        nursery.cancel_scope.cancel()


Told = Callable[[SeveralWorld], Awaitable[None]]


def told_of_several(
    tale: Told, *, seed: int = 0, bounds: Bounds | None = None, keep: bool = True
) -> tuple[Story, Judges, float]:
    """Let a story of three relayers take place: what happened, the judges, simulated time."""
    memory = str(_MEMORY) if _MEMORY.is_dir() else None
    story, chance = Story(keep=keep), Chance(seed)
    seconds, judges = 0.0, None

    async def run(directory: Path, threads: Threads) -> None:
        nonlocal seconds, judges
        threads.seconds = _thread_s
        async with _world(chance, story, directory, bounds or Bounds()) as made:
            judges = made.judges
            await tale(made)
            seconds = trio.current_time()

    with (
        tempfile.TemporaryDirectory(dir=memory) as name,
        determined(chance) as threads,
        stoppable(),
        _logged(story, name),
    ):
        try:
            trio.run(run, Path(name), threads, clock=JumpingClock())
        except BaseExceptionGroup as group:
            raise _single(group) from None
    assert judges is not None
    return story, judges, seconds


def _thread_s(function: Callable[..., Any]) -> float:
    is_key = getattr(function, "__qualname__", "").startswith("Keystore.")
    return OPEN_KEY_S if is_key else WRITE_S
