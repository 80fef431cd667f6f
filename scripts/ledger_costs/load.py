"""A node under the load of many viewers: what it takes, and how much of it the node takes.

First all sessions tick at their cadence for minutes. Then the rate rises in steps until the node
does not keep up. Last, signed transfers are measured on the same node, as the rival.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from ledger_costs import node_process, transfers
from ledger_costs.follower import Follower
from ledger_costs.judging import (
    SLOT_MS,
    Block,
    Filling,
    Spread,
    Step,
    filling,
    growth_per_minute,
    next_rate,
    piles_up,
)
from ledger_costs.node_process import Node
from ledger_costs.pipeline import Pipeline
from ledger_costs.tick_plan import TickPlan
from ledger_costs.transfers import TransferRefused, Transfers
from ledger_costs.viewers import SUBMITTER, SetupFailed, Viewers, open_viewers
from main_job.failures import first_known, until_signal
from main_job.parts import Dirs, environment
from main_job.processes import Supervisor
from measure.figures import Figure
from offchain.keys import dev_key
from offchain.ledger.client import Ledger, open_ledger

CADENCE_S: Final = 10.0
CADENCE_S_MIN: Final = 1.25
"""A tick has to ask for a second at least."""
STEP_S: Final = 24.0
DRAINED_S_MAX: Final = 90.0
ANSWER_S_MAX: Final = 60.0
REST_S_MAX: Final = 2_400.0
"""How long everything but the steady minutes may take."""
MIB: Final = 2**20


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured; `orders` is the length of a batch, chosen by its weight if None."""

    sessions: int
    minutes: float
    orders: int | None = None


@dataclass(frozen=True, kw_only=True)
class Steady:
    """What all sessions at their cadence were to the node."""

    step: Step
    seconds: float
    finality_s: Spread | None
    behind_blocks: int
    """The most blocks between the best and the final one."""
    accepted_ms: Spread | None
    """From handing in a batch to the pool's word."""
    waiting: int
    """The most orders that waited after a block."""
    memory_mib: list[float]
    """The node's own at the beginning, then each minute, without its mapped database."""
    memory_mib_per_minute: float
    """Its growth in the later half."""
    resident_mib: float
    """All that is in memory at the end, the mapped database included."""
    node_cpu: float
    """Share of one core."""
    generator_cpu: float
    ledger_seconds: int
    ticked_seconds: int

    def as_json(self) -> dict[str, Any]:
        """Give it for machines."""
        return {
            **self.step.as_json(),
            "seconds": round(self.seconds, 1),
            "ticks_counted": self.step.counted,
            "ticks_failed": self.step.failed,
            "ledger_seconds": self.ledger_seconds,
            "ticked_seconds": self.ticked_seconds,
            "finality_lag_s": self.finality_s and self.finality_s.as_json(2),
            "finality_lag_blocks_highest": self.behind_blocks,
            "batch_accepted_ms": self.accepted_ms and self.accepted_ms.as_json(),
            "waiting_highest": self.waiting,
            "memory_mib": [round(each, 1) for each in self.memory_mib],
            "resident_mib": round(self.resident_mib, 1),
            "memory_mib_per_minute_later_half": round(self.memory_mib_per_minute, 2),
            "node_cpu_cores": round(self.node_cpu, 3),
            "generator_cpu_cores": round(self.generator_cpu, 3),
        }


@dataclass(frozen=True, kw_only=True)
class NodeCosts:
    """All that was measured on a node."""

    sizes: Sizes
    orders: int
    announced_us: float
    """What each tick adds to the weight that a batch is announced with."""
    orders_that_fit: int
    """How many ticks the heaviest extrinsic has that a block may hold."""
    normal_limit_ms: float
    steady: Steady
    steps: list[Step]
    sums_agree: bool
    """Whether the ledger's seconds were those that were ticked after the steps, too."""
    rivals: list[Transfers]

    @property
    def best(self) -> Step | None:
        """The highest rate that held."""
        held = [step for step in (self.steady.step, *self.steps) if step.held]
        return max(held, key=lambda step: step.rate, default=None)

    @property
    def rival(self) -> Transfers | None:
        """The fastest transfers."""
        return max(self.rivals, key=lambda each: each.per_s, default=None)

    @property
    def limit(self) -> str:
        """What did not keep up at the lowest rate that failed."""
        failed = [step for step in (self.steady.step, *self.steps) if not step.held]
        if not failed:
            return "nothing: a higher rate takes more sessions"
        return min(failed, key=lambda step: step.rate).limit()

    @property
    def of_transfers(self) -> float | None:
        """The highest rate of ticks as a multiple of that of transfers."""
        if self.best is None or self.rival is None or not self.rival.per_s:
            return None
        return self.best.counted_per_s / self.rival.per_s

    def as_json(self) -> dict[str, Any]:
        """Give it for machines."""
        best = self.best
        return {
            "sessions": self.sizes.sessions,
            "cadence_s": CADENCE_S,
            "orders_in_a_batch": self.orders,
            "tick_announced_us": round(self.announced_us, 1),
            "orders_that_fit_a_block": self.orders_that_fit,
            "normal_weight_limit_ms": round(self.normal_limit_ms, 1),
            "steady": self.steady.as_json(),
            "highest": {
                "ticks_per_s": round(best.counted_per_s, 1) if best else 0.0,
                "limit": self.limit,
                "sums_agree": self.sums_agree,
                "step": best.as_json() if best else None,
                "tried": [step.as_json() for step in self.steps],
            },
            "rival": self.rival and self.rival.as_json(),
            "rivals_per_s": {str(each.waiting): round(each.per_s, 1) for each in self.rivals},
            "ticks_of_transfers": self.of_transfers and round(self.of_transfers, 2),
        }

    def figures(self) -> list[Figure]:
        """Give what people want to know."""
        steady, step, blocks = self.steady, self.steady.step, self.steady.step.filling
        figures = [
            Figure(
                name="ticks counted",
                value=step.counted,
                unit="",
                note=f"{self.sizes.sessions} sessions, every {CADENCE_S:.0f} s, "
                f"{steady.seconds / 60:.1f} minutes, {self.orders} a batch",
            ),
            Figure(name="ticks failed", value=step.failed, unit="", target="0"),
            Figure(
                name="seconds in the ledger, not those ticked",
                value=steady.ledger_seconds - steady.ticked_seconds,
                unit="s",
                target="0",
                note=f"of {steady.ticked_seconds}",
            ),
            Figure(
                name="late blocks",
                value=blocks.late,
                unit="",
                target="0",
                note=f"of {blocks.blocks}",
            ),
            Figure(
                name="time of a block, of its weight",
                value=100 * blocks.took_of_weight,
                unit="%",
                note=_both(blocks),
            ),
            Figure(
                name="finality behind the head, p99",
                value=steady.finality_s.p99 if steady.finality_s else 0.0,
                unit="s",
                note=f"at most {steady.behind_blocks} blocks",
            ),
            Figure(
                name="the node's memory",
                value=steady.memory_mib[-1],
                unit="MiB",
                note=f"{steady.memory_mib[0]:.0f} before; later half "
                f"{steady.memory_mib_per_minute:+.1f} MiB a minute; "
                f"{steady.resident_mib:.0f} with the mapped database",
            ),
            Figure(
                name="the node's processor",
                value=100 * steady.node_cpu,
                unit="% of a core",
                note=f"load generator {100 * steady.generator_cpu:.0f} %",
            ),
        ]
        best = self.best
        if best is not None:
            figures.append(
                Figure(
                    name="highest rate of ticks that held",
                    value=best.counted_per_s,
                    unit="/s",
                    rival="signed transfers" if self.rival else "",
                    rival_value=self.rival.per_s if self.rival else None,
                    note=f"{_both(best.filling)}; limit: {self.limit}",
                )
            )
        return figures


def _both(blocks: Filling) -> str:
    if blocks.weight_ms is None or blocks.took_ms is None:
        return ""
    return f"median {blocks.took_ms.p50:.0f} ms of {blocks.weight_ms.p50:.0f} ms"


def measure(sizes: Sizes, say: Callable[[str], None]) -> NodeCosts:
    """Start a node, load it, end it; `say` is told what happens.

    Raises ProcessFailed, SetupFailed, LedgerError, Interrupted or TooSlowError,
    in groups perhaps (`main_job.failures.first_known`).
    """
    dirs = Dirs(Path(tempfile.mkdtemp(prefix="paystream-load-")))
    supervisor = Supervisor(dirs.root / "logs", environment(dirs))

    async def run() -> NodeCosts:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_signal)
            with supervisor.within(nursery), trio.fail_after(60 * sizes.minutes + REST_S_MAX):
                say("starting the node")
                node = await node_process.start(supervisor, dirs.root)
                nursery.start_soon(node.sample)
                async with open_ledger(node.url, timeout_s=ANSWER_S_MAX) as ledger:
                    found = await _play(node, ledger, sizes, say)
            nursery.cancel_scope.cancel()
        return found

    try:
        return trio.run(run)
    finally:
        supervisor.end_all()
        shutil.rmtree(dirs.root, ignore_errors=True)


async def _play(node: Node, ledger: Ledger, sizes: Sizes, say: Callable[[str], None]) -> NodeCosts:
    limits = ledger.runtime.constant("System", "BlockWeights")
    limit_us = limits["per_class"]["normal"]["max_total"]["ref_time"] / 1e6
    heaviest_us = limits["per_class"]["normal"]["max_extrinsic"]["ref_time"] / 1e6
    async with trio.open_nursery() as nursery:
        follower = Follower(ledger)
        nursery.start_soon(follower.follow)
        nursery.start_soon(follower.follow_finality)
        pipeline = Pipeline(ledger, dev_key(SUBMITTER), follower, nursery)
        viewers = await open_viewers(
            ledger,
            follower,
            pipeline,
            sessions=sizes.sessions,
            orders=sizes.orders,
            limit_us=limit_us,
            say=say,
        )
        load = _Load(node, viewers, limit_us, say)
        steady = await load.steady(60 * sizes.minutes)
        say(
            f"{steady.step.counted} ticks counted, {steady.step.failed} failed, "
            f"{steady.step.filling.late} late blocks: {steady.step.limit() or 'held'}"
        )
        steps = await load.steps(steady.step)
        agree = await viewers.seconds_of_streams() == sum(viewers.totals)
        say(f"the rival: {transfers.PREPARED_MAX} signed transfers")
        rivals: list[Transfers] = []
        try:
            rivals = await transfers.measure(ledger, node, follower, limit_us)
        except* TransferRefused as refused:
            say(f"the rival was not measured: {first_known(refused)}")
        nursery.cancel_scope.cancel()
    return NodeCosts(
        sizes=sizes,
        orders=viewers.orders,
        announced_us=viewers.announced_us,
        orders_that_fit=int(heaviest_us / viewers.announced_us),
        normal_limit_ms=limit_us / 1_000,
        steady=steady,
        steps=steps,
        sums_agree=agree,
        rivals=rivals,
    )


class _Load:
    """The measurements on open sessions."""

    def __init__(
        self, node: Node, viewers: Viewers, limit_us: float, say: Callable[[str], None]
    ) -> None:
        self._node = node
        self._viewers = viewers
        self._follower = viewers.follower
        self._pipeline = viewers.pipeline
        self._limit_us = limit_us
        self._say = say
        self._waiting: list[int] = []

    async def steady(self, seconds: float) -> Steady:
        """Tick all sessions at their cadence."""
        follower, pipeline = self._follower, self._pipeline
        plan = self._plan(CADENCE_S)
        self._say(f"{plan.per_s:.0f} ticks a second, {plan.orders} a batch, for {seconds:.0f} s")
        pipeline.accept_s.clear()
        follower.behind_blocks.clear()
        began, node_s, own_s = trio.current_time(), self._node.cpu_s, time.process_time()
        step, blocks = await self._step(plan, seconds)
        took_s = trio.current_time() - began
        node_s, own_s = self._node.cpu_s - node_s, time.process_time() - own_s
        behind_blocks = max(follower.behind_blocks, default=0)
        await trio.sleep(2 * CADENCE_S)  # the last ones become final
        memory = [each for each in self._node.memory if began <= each[0] <= began + seconds]
        return Steady(
            step=step,
            seconds=seconds,
            finality_s=Spread.of(
                [
                    (follower.finality_ms[block.number] - block.arrived_ms) / 1_000
                    for block in blocks
                    if block.number in follower.finality_ms
                ]
            ),
            behind_blocks=behind_blocks,
            accepted_ms=Spread.of([1_000 * each for each in pipeline.accept_s]),
            waiting=max(self._waiting, default=0),
            memory_mib=[value / MIB for value in each_minute(memory)],
            memory_mib_per_minute=growth_per_minute(memory) / MIB,
            resident_mib=self._node.resident_bytes / MIB,
            node_cpu=node_s / took_s,
            generator_cpu=own_s / took_s,
            ledger_seconds=await self._viewers.seconds_of_streams(),
            ticked_seconds=sum(self._viewers.totals),
        )

    async def steps(self, first: Step) -> list[Step]:
        """Raise the rate until the node does not keep up."""
        highest = len(self._viewers.places) / CADENCE_S_MIN
        tried = [(first.rate, first.held)]
        steps: list[Step] = []
        while not self._pipeline.refused and not self._pipeline.waiting():
            rate = next_rate(first.rate, tried, highest)
            if rate is None:
                break
            step, _ = await self._step(self._plan(len(self._viewers.places) / rate), STEP_S)
            tried.append((rate, step.held))
            steps.append(step)
            self._say(f"{rate:.0f} ticks a second: {step.limit() or 'held'}")
        return steps

    def _plan(self, cadence_s: float) -> TickPlan:
        return TickPlan(
            places=len(self._viewers.places), orders=self._viewers.orders, cadence_s=cadence_s
        )

    async def _step(self, plan: TickPlan, seconds: float) -> tuple[Step, list[Block]]:
        """Tick by a plan for so long, then wait until all of it is in blocks."""
        follower, pipeline = self._follower, self._pipeline
        await pipeline.begin()
        first = len(follower.blocks)
        self._waiting = []
        reasons, failed_batches = follower.reasons.copy(), follower.failed_extrinsics
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            behind_s = await self._viewers.tick(plan, seconds)
            nursery.cancel_scope.cancel()
        until = len(follower.blocks)
        waiting = pipeline.waiting()
        await pipeline.drained(DRAINED_S_MAX)
        # With the first block of afterwards, for it may be the late one.
        blocks = follower.blocks[first : until + 1]
        if len(blocks) < 3:
            raise SetupFailed(f"the node made {len(blocks)} blocks in {seconds:.0f} s")
        seen_s = (blocks[-1].timestamp_ms - blocks[0].timestamp_ms) / 1_000
        step = Step(
            rate=plan.per_s,
            counted=sum(block.counted for block in follower.blocks[first:]),
            in_blocks=sum(block.counted for block in blocks),
            counted_per_s=sum(block.counted for block in blocks[1:]) / seen_s,
            failed=sum(block.failed for block in follower.blocks[first:]),
            waiting=waiting,
            piles=piles_up(self._waiting[1:], SLOT_MS / 1_000 * plan.per_s, plan.orders),
            behind_s=behind_s,
            filling=filling(blocks, self._node.log(), self._limit_us),
            refused=pipeline.refused,
            reasons=dict(follower.reasons - reasons),
            failed_batches=follower.failed_extrinsics - failed_batches,
        )
        return step, blocks

    async def _watch(self) -> None:
        """Note what waits after each block."""
        while True:
            await self._follower.next_block()
            self._waiting.append(self._pipeline.waiting())


def each_minute(samples: list[tuple[float, float]]) -> list[float]:
    """Give the first value, then the last one of each minute."""
    if not samples:
        return []
    began = samples[0][0]
    by_minute = {int((moment - began) // 60): value for moment, value in samples}
    return [samples[0][1], *by_minute.values()]
