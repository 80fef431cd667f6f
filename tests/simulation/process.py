"""The relayer's process: the real code between a simulated disk, clock, network and node.

All that is known here of how a relayer is put together is in `_live`: it does what
`offchain.relayer.run` does, with simulated parts. A process dies at once: from then on nothing that
its tasks still do while they are cancelled reaches disk, chain or network.
"""

from __future__ import annotations

import contextvars
import random
from collections.abc import Callable

import trio

from offchain.journal import JournalError, open_journal
from offchain.keys.signer import Signer, dev_key
from offchain.ledger.errors import LedgerError
from offchain.relayer.belief import Belief
from offchain.relayer.keyring import Keyring, MemoryKeyring
from offchain.relayer.link import Link
from offchain.relayer.run import Relayer, assembled
from tests.relayer.fake_chain import BASE_MS
from tests.simulation.disk import Disk
from tests.simulation.network import Network
from tests.simulation.node import Addresses, Endpoint, Node
from tests.simulation.story import Story
from tests.simulation.witness import Witness, WitnessedKeyring

RESTART_S = 2.0
"""How long the supervisor waits before it starts a process again."""
_number: contextvars.ContextVar[int] = contextvars.ContextVar("relayer process", default=0)


class MachineClock:
    """The wall clock of the relayer's machine, which somebody may set."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def unix_ms(self) -> int:
        """Tell the time as the machine believes it."""
        return BASE_MS + int(trio.current_time() * 1000) + self.ahead_ms


class _StepCrash(trio.abc.Instrument):
    """Kills a process after so many steps of its tasks: at any await there is."""

    def __init__(self, process: RelayerProcess, steps: int) -> None:
        self._process = process
        self._number = process.number
        self._left = steps

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.context.get(_number) != self._number:
            return
        self._left -= 1
        if self._left == 0:
            self._process.disarm(self)
            self._process.kill("at an await", self._number)


class RelayerProcess:
    """A supervised relayer: it is started again after each end, unless it is kept down."""

    def __init__(
        self,
        nodes: list[Node],
        network: Network,
        disk: Disk,
        story: Story,
        numbers: random.Random,
        *,
        fail: Callable[[str, str, str], None],
    ) -> None:
        self.nodes = nodes
        self.separate = False
        """Whether several nodes have an address each, instead of one for all."""
        self.clock = MachineClock()
        self.keyring: Keyring = MemoryKeyring()
        self.batch_signer: Signer | None = dev_key("Relayer")
        """Whose account sends batches, from the next start on; None: the relayer has none."""
        self.cadence_ms = 6_000
        self.relayer: Relayer | None = None
        self.endpoint: Endpoint | None = None
        self.number = 0
        """Counts the processes."""
        self.keep_down = False
        self.mishaps: list[str] = []
        """Ends that nobody caused: mistakes of the relayer."""
        self.refused_to_start = 0
        self.submissions = 0
        self.tasks_at_start = 0
        self._armed: set[_StepCrash] = set()
        self._journal = disk.directory / "journal.sqlite"
        self._witness = Witness(self._journal, fail)
        self._network = network
        self._disk = disk
        self._story = story
        self._numbers = numbers
        self._scope: trio.CancelScope | None = None
        self._changed = trio.Event()
        self._task: trio.lowlevel.Task | None = None
        disk.lost = self.kill

    @property
    def up(self) -> bool:
        """Whether it answers."""
        return self.relayer is not None

    # --- life ------------------------------------------------------------------------------

    async def supervise(self) -> None:
        """Run relayers for ever, one after the other."""
        while True:
            while self.keep_down:
                await self._change()
            self.number += 1
            await self._run_one()
            self._disk.thaw()
            await trio.sleep(RESTART_S)

    async def _run_one(self) -> None:
        token = _number.set(self.number)
        try:
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                nursery.start_soon(self._guarded)
        finally:
            _number.reset(token)
            self._down()

    async def _guarded(self) -> None:
        self._task = trio.lowlevel.current_task()
        number = self.number
        try:
            await self._live()
        except (JournalError, LedgerError, OSError) as error:
            self.refused_to_start += 1
            self._story.tell("relayer-refuses", why=type(error).__name__)
        except Exception as error:
            if self.number == number and self._scope is not None and self._is_dead:
                return  # what a process does while it is being killed is nobody's mistake
            self._mishap(error)

    def _mishap(self, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        self.mishaps.append(f"{type(error).__name__}: {error}")
        self._story.tell("relayer-broke", why=repr(error))

    async def _live(self) -> None:
        self._disk.power += 1
        async with open_journal(self._journal) as journal:
            belief = Belief()
            belief.restore(journal.known_chain())
            self.endpoint = endpoint = self._end_of(belief)
            await endpoint.best_head()  # as the client does when it connects
            async with assembled(
                endpoint,
                journal,
                WitnessedKeyring(self.keyring, self._witness),
                unix_ms=self.clock.unix_ms,
                cadence_ms=self.cadence_ms,
                batch_signer=self.batch_signer,
                belief=belief,
            ) as relayer:
                link = Link(relayer.leaser, relayer.requests, f"relayer-{self.number}")
                self.relayer = relayer
                self.tasks_at_start = self.tasks()
                self._story.tell("relayer-up", process=self.number)
                self._announce()
                await link.serve(self._network.listen())  # type: ignore[arg-type]

    def _end_of(self, belief: Belief) -> Endpoint:
        if self.separate:
            return Addresses(self.nodes, self._numbers, belief.admit, self._witness.sends)
        return Endpoint(self.nodes, self._numbers, self._witness.sends)

    def _down(self) -> None:
        if self.endpoint is not None:
            self.submissions += self.endpoint.submissions
            self.endpoint.dead = True
        self._witness.look_away()
        self.relayer = self.endpoint = self._scope = self._task = None
        self._network.unlisten()
        self._announce()

    def _announce(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _change(self) -> None:
        await self._changed.wait()

    # --- ends ------------------------------------------------------------------------------

    @property
    def _is_dead(self) -> bool:
        return self.endpoint is None or self.endpoint.dead

    def kill(self, why: str, number: int | None = None) -> None:
        """End the process as SIGKILL does."""
        if self._scope is None or number not in (None, self.number) or self._is_dead:
            return
        self._story.tell("relayer-killed", where=why)
        if self.endpoint is not None:
            self.endpoint.dead = True
        self._disk.freeze()
        self._network.unlisten()
        self._scope.cancel()

    def kill_at_step(self, steps: int) -> None:
        """End the process after so many more steps of its tasks."""
        crash = _StepCrash(self, steps)
        self._armed.add(crash)
        trio.lowlevel.add_instrument(crash)

    def disarm(self, crash: _StepCrash) -> None:
        """Let one of them not happen, or not again."""
        self._armed.discard(crash)
        trio.lowlevel.remove_instrument(crash)

    def disarm_all(self) -> None:
        """Let nothing end the process any more."""
        for crash in list(self._armed):
            self.disarm(crash)

    async def stopped(self) -> None:
        """Wait until the process has gone."""
        while self._scope is not None:
            await self._change()

    async def started(self, within_s: float = 600.0) -> None:
        """Wait until a process answers."""
        with trio.fail_after(within_s):
            while self.relayer is None:
                await self._change()

    def allow(self) -> None:
        """Let the supervisor start it again."""
        self.keep_down = False
        self._announce()

    # --- inspection ------------------------------------------------------------------------

    def over(self) -> set[tuple[int, int]]:
        """Give what its journal holds for over, while it is up."""
        return self._witness.over() if self.up and not self._is_dead else set()

    def tasks(self) -> int:
        """Count the tasks of the process."""
        if self._task is None:
            return 0
        return _descendants(self._task)


def _descendants(task: trio.lowlevel.Task) -> int:
    return sum(
        1 + _descendants(child) for nursery in task.child_nurseries for child in nursery.child_tasks
    )
