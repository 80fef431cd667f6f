"""A process with the relayer's own code, and a media server's process beside it.

    python -m relayer_load.host DIRECTORY CHAIN CLOCK SESSIONS CADENCE_S SECONDS VISITS [PROFILE]

`CHAIN` is `model` or `node`, `CLOCK` `real` or `simulated`; that is for the model alone. `VISITS`
is how many viewers a second come and go beside the sessions, with sessions of their own. On the
simulated clock, which waits for nothing but work, figures do not depend on who else uses the
machine: processor time for each simulated second.
"""

from __future__ import annotations

import cProfile
import gc
import json
import pstats
import subprocess
import sys
import time
from contextlib import AbstractAsyncContextManager
from math import ceil
from pathlib import Path
from typing import Any, Final

import trio
from trio.testing import MockClock

from offchain.journal import open_journal
from offchain.keys.signer import dev_key
from offchain.ledger.tables import Names
from offchain.relayer.credit import least_credit_ms
from offchain.relayer.link import Link
from offchain.relayer.run import Relayer, assembled
from offchain.unix_socket import listening
from relayer_load import rival
from relayer_load.lag_figures import Lagged
from relayer_load.model_stage import model_stage
from relayer_load.node_stage import node_stage
from relayer_load.seeding import Seeded, Stage, write_journal
from relayer_load.told import ServerInside
from relayer_load.visits import Visits
from relayer_load.weighing import bytes_of
from streaming.session_state import SessionRef

SETTLES_S: Final = 12.0
LONG_S: Final = 600.0
"""Who measures for so long learns, too, whether what is kept stays the same."""
QUARTERS: Final = 4
RIVAL_ORDERS: Final = 100


class Host:
    """One measurement."""

    def __init__(
        self, directory: Path, chain: str, clock: str, count: int, visits_per_s: float
    ) -> None:
        self.directory = directory
        self.chain = chain
        self.simulated = clock == "simulated"
        self.count = count
        self.visits_per_s = visits_per_s
        self.server: subprocess.Popen[bytes] | None = None
        self.figures: dict[str, Any] = {"chain": chain, "clock": clock, "sessions": count}

    def _stage(self, visitors: int) -> AbstractAsyncContextManager[Stage]:
        if self.chain == "model":
            return model_stage(self.count, visitors)
        return node_stage(self.count, visitors, self.directory)

    async def run(
        self, cadence_s: float, seconds: float, profiler: cProfile.Profile | None
    ) -> None:
        """Seed, start the relayer on what is in its journal, and measure."""
        settles_s = max(SETTLES_S, 1.5 * cadence_s)
        cadence_ms, path = int(cadence_s * 1000), self.directory / "journal.sqlite"
        async with self._stage(ceil(self.visits_per_s * (settles_s + seconds))) as stage:
            await write_journal(path, stage, inline=self.simulated)
            gc.collect()
            if not self.simulated:  # it is there before the relayer, and waits for it
                self.server = _media_server(self.directory, stage.seeded)
            restart = _Restart(stage)
            async with (
                open_journal(path, inline=self.simulated) as journal,
                assembled(
                    stage.chain,
                    journal,
                    stage.keyring,
                    unix_ms=stage.unix_ms,
                    cadence_ms=cadence_ms,
                    credit_ms=max(20_000, least_credit_ms(cadence_ms)),
                    batch_signer=dev_key("Charlie"),
                ) as relayer,
                trio.open_nursery() as nursery,
            ):
                if not self.simulated:  # binding takes a thread, over which that clock would jump
                    nursery.start_soon(self._serve, relayer)
                with trio.fail_after(300):
                    while not relayer.core.view.usable:
                        await relayer.core.new_best.wait()
                self.figures |= {"cadence_s": cadence_s} | restart.figures()
                measured = _Measured(self, relayer, stage)
                await measured.measure(nursery, settles_s, seconds, profiler)
                self.figures["bytes_per_session"] = _bytes_per_session(relayer, stage)
                if stage.url is not None:
                    self.figures |= await trio.to_thread.run_sync(
                        rival.measure, stage.url, stage, RIVAL_ORDERS
                    )
                nursery.cancel_scope.cancel()

    async def _serve(self, relayer: Relayer) -> None:
        async with listening(self.directory / "relay.sock") as listener:
            await Link(relayer.leaser, relayer.requests, "load").serve(listener)


class _Restart:
    """How long a relayer takes from its start until it follows the chain."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._began, self._cpu_s = time.monotonic(), self._spent_s()

    def _spent_s(self) -> float:
        return time.process_time() - self._stage.spent_s()

    def figures(self) -> dict[str, float]:
        """Tell it, as of now."""
        return {
            "restart_s": round(time.monotonic() - self._began, 2),
            "restart_cpu_s": round(self._spent_s() - self._cpu_s, 2),
        }


class _Measured:
    """What a running relayer costs, with its media server there."""

    def __init__(self, host: Host, relayer: Relayer, stage: Stage) -> None:
        self._host = host
        self._relayer = relayer
        self._stage = stage
        self._inside: ServerInside | None = None
        self._visits: Visits | None = None
        self._lagged = Lagged()
        self._weighing_s = 0.0
        self._kept_bytes: list[int] = []

    @property
    def _others_s(self) -> float:
        """Processor time of this process that is not the relayer's."""
        inside = [each for each in (self._inside, self._visits) if each is not None]
        return self._stage.spent_s() + sum(each.spent_s for each in inside) + self._weighing_s

    @property
    def _ticks(self) -> int:
        return self._relayer.core.counters.get("orders_sent_tick", 0)

    async def measure(
        self,
        nursery: trio.Nursery,
        settles_s: float,
        seconds: float,
        profiler: cProfile.Profile | None,
    ) -> None:
        """Let it settle, and measure for so many seconds."""
        core, figures = self._relayer.core, self._host.figures
        core.lags.observe = self._lagged
        if self._host.server is None:
            refs = [SessionRef(each.grant, each.index) for each in self._stage.seeded]
            self._inside = ServerInside(self._relayer, refs)
            nursery.start_soon(self._inside.run)
        if self._host.visits_per_s:
            self._visits = Visits(self._relayer, self._stage.visitors, self._host.visits_per_s)
            nursery.start_soon(self._visits.run)
        await trio.sleep(settles_s)
        if self._host.simulated:  # on a real one, others would wait for it
            figures["bytes_per_session_before"] = _bytes_per_session(self._relayer, self._stage)
        self._lagged.clear()
        if self._visits is not None:
            self._visits.begin()
        began, cpu_s, others_s, ticks = (
            trio.current_time(),
            time.process_time(),
            self._others_s,
            self._ticks,
        )
        if profiler is not None:
            profiler.enable()
        await self._pass(seconds)
        if profiler is not None:
            profiler.disable()
        took_s = trio.current_time() - began
        own_s = time.process_time() - cpu_s - (self._others_s - others_s)
        figures |= {
            "seconds": round(took_s, 1),
            "cpu_cores": round(own_s / took_s, 3),
            "orders_per_second": round((self._ticks - ticks) / took_s, 1),
            "orders_due_per_second": round(1000 * self._host.count / core.cadence_ms, 1),
            "lag_durable_ms_p99": self._lagged.p99_ms("journaled"),
            "lag_included_ms_p99": self._lagged.p99_ms("included"),
            "counters": dict(core.counters),
        }
        if self._kept_bytes:
            figures["kept_bytes"] = self._kept_bytes
        if self._visits is not None:
            figures |= self._visits.figures()
        if self._host.server is not None:
            self._host.server.terminate()
            output, _ = await trio.to_thread.run_sync(self._host.server.communicate)
            figures["media_server"] = json.loads(output)
        elif self._inside is not None:
            figures["media_server"] = self._inside.server.figures()

    async def _pass(self, seconds: float) -> None:
        """Let the time pass; on the simulated clock weigh what is kept each quarter."""
        if not self._host.simulated or seconds < LONG_S:
            await trio.sleep(seconds)
            return
        self._weigh()
        for _ in range(QUARTERS):
            await trio.sleep(seconds / QUARTERS)
            self._weigh()

    def _weigh(self) -> None:
        began = time.process_time()
        self._kept_bytes.append(_kept_bytes(self._relayer, self._stage))
        self._weighing_s += time.process_time() - began


def _media_server(directory: Path, seeded: list[Seeded]) -> subprocess.Popen[bytes]:
    sessions = directory / "sessions"
    sessions.write_text("".join(f"{each.grant} {each.index}\n" for each in seeded))
    command = [sys.executable, "-m", "relayer_load.media_server", str(directory / "relay.sock")]
    return subprocess.Popen([*command, str(sessions)], stdout=subprocess.PIPE)


def _bytes_per_session(relayer: Relayer, stage: Stage) -> int:
    return _kept_bytes(relayer, stage) // len(relayer.core.book.sessions)


def _kept_bytes(relayer: Relayer, stage: Stage) -> int:
    """Weigh what the relayer keeps of its sessions: book, entries, tokens, keys' names.

    All tokens and keys are in it, those of viewers who have left or not come yet, too.
    """
    core = relayer.core
    tables = [getattr(core.view, kind) for kind in Names.__slots__]
    parts = [relayer.leaser, relayer.submitter, relayer.confirmer]
    roots = [core.book, core.key_names, core.lags, *parts, *tables]
    # among them what measures: the relayer keeps no list of its lags
    shared = [stage.chain, stage.keyring, stage.seeded, core, core.view, core.journal]
    shared.append(core.lags.observe)
    return bytes_of(roots, shared)


def _end(server: subprocess.Popen[bytes] | None) -> None:
    """Leave no media server behind, whatever became of the measurement."""
    if server is not None and server.poll() is None:
        server.kill()
        server.wait()


def main() -> None:
    """Read the arguments and measure."""
    directory, chain, clock, count, cadence_s, seconds, visits, *profile = sys.argv[1:]
    host = Host(Path(directory), chain, clock, int(count), float(visits))
    profiler = cProfile.Profile(time.thread_time) if profile else None
    try:
        trio.run(
            host.run,
            float(cadence_s),
            float(seconds),
            profiler,
            clock=MockClock(autojump_threshold=0) if host.simulated else None,
        )
    finally:
        _end(host.server)
    sys.stdout.write(json.dumps(host.figures) + "\n")
    if profiler is not None:
        with Path(profile[0]).open("w") as file:
            stats = pstats.Stats(profiler, stream=file)
            stats.sort_stats("tottime").print_stats(60)


if __name__ == "__main__":
    main()
