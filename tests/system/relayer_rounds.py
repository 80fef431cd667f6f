"""Rounds of what befalls three relayers on one database, each judged by the chain and a clock.

In each round something befalls the relayer that holds most viewers, or the database; then others
hold what it held, everybody watches on, and no block has charged what was not delivered. What is
only slow is told apart from what is wrong: on a machine that cannot keep a clock, times say
nothing, money still does.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from offchain.keys.signer import dev_key
from offchain.ledger.client import Ledger
from tests.journal.database import Server
from tests.relayer.fake_chain import account
from tests.system.node_process import REPOSITORY
from tests.system.relayer_stage import NAMES, Lines, Shared, holders
from tests.system.test_relayer import RATE

VIEWERS: Final = ("Alice", "Charlie", "Dave", "Eve", "Ferdie")
KINDS: Final = ("kill", "stop", "drain", "cut", "refuse", "restart")
"""SIGKILL; SIGSTOP, then SIGCONT; drained; a database that is silent to one relayer, or refuses
it, while chain and media server are reached; the database killed and started."""
TAKEN_OVER_WITHIN_S: Final = 10.0
TOLERATED_S: Final = 90.0
"""A take-over that needs longer is none, however slow the machine is."""
LONGER_S: Final = (1, 5, 10, 50)
"""How long it stays so after others have taken over: up to a minute in all."""
AWAY_S: Final = (0, 3, 10)
"""How long the database is away."""
CREDIT_MS: Final = 20_000
SLACK_MS: Final = 2_500
"""Two states, an answer, and what was not confirmed; as for the other judges."""
LATE_S: Final = 1.0
"""A judge that wakes so much too late is on a machine whose times say nothing."""
HOURS: Final = 6
"""What viewers grant is enough for."""


@dataclass
class Round:
    """What befell whom, and how long it took."""

    number: int
    kind: str
    victim: str
    viewers: int = 0
    """Whom the victim held."""
    taken_over_s: float | None = None
    longer_s: float = 0.0
    unpaid_most_ms: int = 0
    late_most_s: float = 0.0
    """By how much the judge woke too late: what the machine takes from everybody."""
    load: float = 0.0
    problems: list[str] = field(default_factory=list)
    slow_by_load: list[str] = field(default_factory=list)

    def slow(self, what: str) -> None:
        """Note what took too long: a problem only where the judge itself kept time."""
        (self.slow_by_load if self.late_most_s >= LATE_S else self.problems).append(what)


@dataclass
class Report:
    """All rounds, and what came of the money at their end."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    delivered_ms: int = 0
    paid_s: int = 0
    began_anew: int = 0
    """How often a relayer forgot all and began anew, as its leases had been ended."""

    @property
    def failures(self) -> list[str]:
        """Everything that must not be."""
        of_rounds = [
            f"round {each.number}: {what}" for each in self.rounds for what in each.problems
        ]
        return of_rounds + self.problems

    def as_json(self) -> dict[str, Any]:
        """Give what `--json` prints."""
        taken = [each.taken_over_s for each in self.rounds if each.taken_over_s is not None]
        return {
            "seed": self.seed,
            "kinds": dict(Counter(each.kind for each in self.rounds)),
            "failures": self.failures,
            "slow_by_load": [what for each in self.rounds for what in each.slow_by_load],
            "slowest_take_over_s": max(taken, default=None),
            "unpaid_most_ms": max((each.unpaid_most_ms for each in self.rounds), default=0),
            "delivered_ms": self.delivered_ms,
            "paid_s": self.paid_s,
            "began_anew": self.began_anew,
            "rounds": [asdict(each) for each in self.rounds],
        }


def drawn(numbers: random.Random, rounds: int, kinds: Sequence[str]) -> list[str]:
    """Draw what befalls in each round: each kind as often as any other, in no order."""
    bag: list[str] = []
    while len(bag) < rounds:
        bag += numbers.sample(list(kinds), len(kinds))
    return bag[:rounds]


class Rounds:
    """Five viewers who watch all along, and what happens meanwhile."""

    def __init__(
        self, database: Server, lines: Lines, ledger: Ledger, path: Path, *, seed: int
    ) -> None:
        self._database, self._lines, self._ledger = database, lines, ledger
        self._url = path / "journal-url"
        self._numbers = random.Random(seed)
        self._tokens: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self.report = Report(seed)
        self._now = Round(0, "", "")
        self.enough = False
        """Whether no further round is to begin."""

    async def run(
        self, rounds: int, kinds: Sequence[str], told: Callable[[Round], None] = lambda _: None
    ) -> Report:
        """Let so many rounds pass, then let everybody leave, and judge."""
        await self._begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_time)
            nursery.start_soon(self._watch_unpaid)
            for number, kind in enumerate(drawn(self._numbers, rounds, kinds), 1):
                if self.enough:
                    break
                await self._round(number, kind)
                told(self._now)
            nursery.cancel_scope.cancel()
        await self._end()
        return self.report

    async def _begin(self) -> None:
        stream, _ = await self._ledger.create_stream(dev_key("Bob"), rate_per_second=RATE)
        enough = str(RATE * 3600 * HOURS)
        until_ms = await self._ledger.now_ms() + 3_600_000 * HOURS
        for viewer in VIEWERS:
            token = self._tokens[viewer] = await self._lines.sign_in(viewer)
            terms = {"cap": enough, "deposit": enough, "expires_at_ms": until_ms}
            await self._lines.pay(self._ledger, viewer, token, stream, **terms)
            self._names[viewer] = await self._lines.watch(token, stream)
        await trio.sleep(8)

    # --- one round -------------------------------------------------------------------------

    async def _round(self, number: int, kind: str) -> None:
        held = list(holders(self._url.read_text()).values())
        victim = self._lines.lines[max(NAMES, key=held.count)].relayer
        assert isinstance(victim, Shared)
        named = "the database" if kind == "restart" else victim.name
        now = self._now = Round(number, kind, named, held.count(victim.name))
        self.report.rounds.append(now)
        if kind == "restart":
            await self._restart(now)
        elif kind == "drain":
            await self._drain(now, victim)
        else:
            await self._take_away(now, victim)
        await self._all_watch(now)
        await trio.sleep(self._numbers.uniform(3, 8))
        await self._judge(now)
        now.load = os.getloadavg()[0]

    async def _restart(self, now: Round) -> None:
        now.longer_s = self._numbers.choice(AWAY_S)
        await trio.to_thread.run_sync(self._database.stop)
        await trio.sleep(now.longer_s)
        await trio.to_thread.run_sync(self._database.start)

    async def _drain(self, now: Round, victim: Shared) -> None:
        command = [
            sys.executable, "-m", "offchain.cli", "relay", "drain", victim.name,
            "--journal-url-file", str(self._url), "--json",
        ]  # fmt: skip
        done = await trio.run_process(command, capture_stdout=True, cwd=REPOSITORY)
        handed_over = json.loads(done.stdout)["handed_over"]
        if handed_over != now.viewers:
            now.problems.append(f"{handed_over} handed over of {now.viewers}")
        now.taken_over_s = await self._taken_over(now, victim, self._own(victim))
        if await victim.end_by(signal.SIGTERM) != 0:
            now.problems.append("did not end in good order")
        await victim.start()

    async def _take_away(self, now: Round, victim: Shared) -> None:
        own = self._own(victim)
        async with self._struck(now.kind, victim):
            now.taken_over_s = await self._taken_over(now, victim, own)
            if now.kind != "kill":
                now.longer_s = self._numbers.choice(LONGER_S)
                await trio.sleep(now.longer_s)
        if now.taken_over_s > TAKEN_OVER_WITHIN_S:
            now.slow(f"taken over after {now.taken_over_s:.1f} s")

    @asynccontextmanager
    async def _struck(self, kind: str, victim: Shared) -> AsyncIterator[None]:
        """Let something befall a relayer for the length of the block."""
        assert victim.process is not None
        if kind == "kill":
            await victim.end_by(signal.SIGKILL)
            yield
            await victim.start()
            return
        if kind == "stop":
            victim.process.send_signal(signal.SIGSTOP)
        elif kind == "cut":
            victim.cable.hold()
        else:
            victim.cable.tear_out()
        yield
        victim.process.send_signal(signal.SIGCONT)
        victim.cable.release()
        victim.cable.plug_in()

    def _own(self, victim: Shared) -> set[str]:
        held = holders(self._url.read_text())
        return {viewer for viewer, name in held.items() if name == victim.name}

    async def _taken_over(self, now: Round, victim: Shared, own: set[str]) -> float:
        """Give the seconds until others hold what it held."""
        began = trio.current_time()
        with trio.move_on_after(TOLERATED_S):
            while True:
                held = holders(self._url.read_text())
                if all(held.get(viewer, victim.name) != victim.name for viewer in own):
                    return trio.current_time() - began
                await trio.sleep(0.2)
        now.problems.append(f"nobody took over within {TOLERATED_S:g} s")
        return TOLERATED_S

    # --- judging -----------------------------------------------------------------------------

    async def _all_watch(self, now: Round) -> None:
        """Wait until each viewer is held by somebody, and media goes on."""
        began = trio.current_time()
        with trio.move_on_after(TOLERATED_S):
            while missing := self._who_waits():  # noqa: ASYNC110 (the database is asked)
                await trio.sleep(0.2)
            if trio.current_time() - began > 2 * TAKEN_OVER_WITHIN_S:
                now.slow(f"everybody watched again after {trio.current_time() - began:.1f} s")
            return
        now.problems.append(f"{', '.join(missing)} did not watch on within {TOLERATED_S:g} s")

    def _who_waits(self) -> list[str]:
        held = holders(self._url.read_text())
        goes_on = {viewer: self._lines.goes_on(name) for viewer, name in self._names.items()}
        return [each for each in VIEWERS if not (account(each) in held and goes_on[each])]

    async def _judge(self, now: Round) -> None:
        now.problems += self._lines.denied
        self._lines.denied.clear()
        for each in self._lines.lines.values():
            process = each.relayer.process
            if process is None or process.poll() is not None:
                now.problems.append(f"relayer {each.name} has ended")

    async def _keep_time(self) -> None:
        while True:
            began = trio.current_time()
            await trio.sleep(0.5)
            late_s = trio.current_time() - began - 0.5
            self._now.late_most_s = max(self._now.late_most_s, late_s)

    async def _watch_unpaid(self) -> None:
        """Hold each best block against what was delivered."""
        async with self._ledger.heads("best") as heads:
            async for head in heads:
                refs = {name: self._lines.states[name]["session"] for name in self._names.values()}
                entries = await self._ledger.sessions_of(
                    [(ref.grant, ref.index) for ref in refs.values()], at=head.hash
                )
                for name, ref in refs.items():
                    entry = entries.get((ref.grant, ref.index))
                    if entry is not None:
                        self._hold_against(name, entry.seconds)

    def _hold_against(self, name: str, paid_s: int) -> None:
        now, unpaid_ms = self._now, self._lines.states[name]["delivered_ms"] - paid_s * 1000
        if unpaid_ms < 0:
            now.problems.append(f"{name} was charged {-unpaid_ms} ms that were not delivered")
        if unpaid_ms > max(CREDIT_MS + SLACK_MS, now.unpaid_most_ms):
            now.problems.append(f"{name}: {unpaid_ms} ms were delivered and unpaid")
        now.unpaid_most_ms = max(now.unpaid_most_ms, unpaid_ms)

    async def _end(self) -> None:
        """Let everybody leave: each has paid what was delivered, to the second, once."""
        found = self.report.problems
        for name in self._names.values():
            self._lines.leave(name)
        for viewer, name in self._names.items():
            session = await self._lines.closed(self._tokens[viewer], name)
            delivered_ms = int(self._lines.states[name]["delivered_ms"])
            seconds = int(session["finalized_seconds"])
            self.report.delivered_ms += delivered_ms
            self.report.paid_s += seconds
            if not 0 <= delivered_ms - seconds * 1000 < 2_000:
                found.append(f"{viewer}: {delivered_ms} ms were delivered, {seconds} s are paid")
            if int(session["paid"]) != seconds * RATE:
                found.append(f"{viewer}: {seconds} s cost {session['paid']}")
        for line in self._lines.lines.values():
            text = line.relayer.log.read_text()
            self.report.began_anew += text.count(" leases-lost ")
            if "Traceback" in text:
                found.append(f"a traceback is in the log of relayer {line.name}")
