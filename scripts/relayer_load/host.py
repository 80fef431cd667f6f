"""A process with the relayer's own code, and a media server's process beside it.

    python -m relayer_load.host DIRECTORY CHAIN CLOCK SESSIONS CADENCE_S SECONDS [PROFILE]

`CHAIN` is `model` or `node`, `CLOCK` `real` or `simulated`; that is for the model alone. On the
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
from relayer_load.weighing import bytes_of
from streaming.session_state import SessionRef

SETTLES_S: Final = 12.0
RIVAL_ORDERS: Final = 100


class Host:
    """One measurement."""

    def __init__(self, directory: Path, chain: str, clock: str, count: int) -> None:
        self.directory = directory
        self.chain = chain
        self.simulated = clock == "simulated"
        self.count = count
        self.server: subprocess.Popen[bytes] | None = None
        self.figures: dict[str, Any] = {"chain": chain, "clock": clock, "sessions": count}

    def _stage(self) -> AbstractAsyncContextManager[Stage]:
        if self.chain == "model":
            return model_stage(self.count)
        return node_stage(self.count, self.directory)

    async def run(
        self, cadence_s: float, seconds: float, profiler: cProfile.Profile | None
    ) -> None:
        """Seed, start the relayer on what is in its journal, and measure."""
        cadence_ms, settles_s = int(cadence_s * 1000), max(SETTLES_S, 1.5 * cadence_s)
        path, socket = self.directory / "journal.sqlite", self.directory / "relay.sock"
        async with self._stage() as stage:
            await write_journal(
                path,
                stage.seeded,
                stage.chain.genesis_hash,
                stage.unix_ms(),
                inline=self.simulated,
            )
            gc.collect()
            if not self.simulated:  # it is there before the relayer, and waits for it
                self.server = _media_server(self.directory, stage.seeded)
            began, cpu_began, chain_began = (
                time.monotonic(),
                time.process_time(),
                stage.spent_s(),
            )
            async with (
                open_journal(path, inline=self.simulated) as journal,
                listening(socket) as listener,
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
                link = Link(relayer.leaser, relayer.requests, "load")
                nursery.start_soon(link.serve, listener)
                with trio.fail_after(300):
                    while not relayer.core.view.usable:
                        await relayer.core.new_best.wait()
                self.figures |= {
                    "cadence_s": cadence_s,
                    "restart_s": round(time.monotonic() - began, 2),
                    "restart_cpu_s": round(
                        time.process_time() - cpu_began - stage.spent_s() + chain_began, 2
                    ),
                }
                measured = _Measured(self, relayer, stage)
                await measured.measure(nursery, settles_s, seconds, profiler)
                self.figures["bytes_per_session"] = _weight(relayer, stage) // self.count
                if stage.url is not None:
                    self.figures |= await trio.to_thread.run_sync(
                        rival.measure, stage.url, stage, RIVAL_ORDERS
                    )
                nursery.cancel_scope.cancel()


class _Measured:
    """What a running relayer costs, with its media server there."""

    def __init__(self, host: Host, relayer: Relayer, stage: Stage) -> None:
        self._host = host
        self._relayer = relayer
        self._stage = stage
        self._inside: ServerInside | None = None
        self._lagged = Lagged()

    @property
    def _others_s(self) -> float:
        """Processor time of this process that is not the relayer's."""
        inside_s = 0.0 if self._inside is None else self._inside.spent_s
        return self._stage.spent_s() + inside_s

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
        await trio.sleep(settles_s)
        self._lagged.clear()
        began, cpu_s, others_s, ticks = (
            trio.current_time(),
            time.process_time(),
            self._others_s,
            self._ticks,
        )
        if profiler is not None:
            profiler.enable()
        await trio.sleep(seconds)
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
        if self._host.server is not None:
            self._host.server.terminate()
            output, _ = await trio.to_thread.run_sync(self._host.server.communicate)
            figures["media_server"] = json.loads(output)
        elif self._inside is not None:
            figures["media_server"] = self._inside.server.figures()


def _media_server(directory: Path, seeded: list[Seeded]) -> subprocess.Popen[bytes]:
    sessions = directory / "sessions"
    sessions.write_text("".join(f"{each.grant} {each.index}\n" for each in seeded))
    command = [sys.executable, "-m", "relayer_load.media_server", str(directory / "relay.sock")]
    return subprocess.Popen([*command, str(sessions)], stdout=subprocess.PIPE)


def _weight(relayer: Relayer, stage: Stage) -> int:
    """Weigh what the relayer keeps of its sessions: book, entries, tokens, keys' names, lags."""
    core = relayer.core
    tables = [getattr(core.view, kind) for kind in Names.__slots__]
    parts = [relayer.leaser, relayer.submitter, relayer.confirmer]
    roots = [core.book, core.key_names, core.lags, *parts, *tables]
    shared = [stage.chain, stage.keyring, stage.seeded, core, core.view, core.journal]
    return bytes_of(roots, shared)


def _end(server: subprocess.Popen[bytes] | None) -> None:
    """Leave no media server behind, whatever became of the measurement."""
    if server is not None and server.poll() is None:
        server.kill()
        server.wait()


def main() -> None:
    """Read the arguments and measure."""
    directory, chain, clock, count, cadence_s, seconds, *profile = sys.argv[1:]
    host = Host(Path(directory), chain, clock, int(count))
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
