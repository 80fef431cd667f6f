"""A rough day from first to last: set up, watch through the faults, leave, claim, compare."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from main_job import feed, report
from main_job.accounts import UNIT, VIEWER_FEES
from main_job.chain_facts import ChainFacts
from main_job.parts import Dirs
from main_job.processes import Child, ProcessFailed, Supervisor
from main_job.rest import RestFailed
from main_job.stage import Plan, Stage, open_stage
from main_job.state import JobState, ViewerState
from main_job.video import demo_clip
from rough_day import judges
from rough_day.faults import Fault, drawn
from rough_day.options import Options
from rough_day.town import NAMES, Town, sockets
from rough_day.unpaid import Account, Unpaid

RATE: Final = UNIT // 1_000
DEPOSIT_UNITS: Final = 50
BATCH_ACCOUNT: Final = "//Ferdie"
"""A funded development account. Where the relayer was away for longer than gap and window, no key
closes a session any more: that every session ends is a promise of one that settles."""
ALL_WATCH_SECONDS_MAX: Final = 120.0
WATCH_AGAIN_SECONDS_MAX: Final = 90.0
"""After the last fault: until every viewer sees pictures again."""
LEAVE_SECONDS_MAX: Final = 60.0
CLOSE_SECONDS_MAX: Final = 120.0
"""After the viewers have left: until every session is finally closed."""
FINAL_SECONDS_MAX: Final = 60.0
SETTLE_SECONDS_MAX: Final = 60.0
"""Until the relayer's own book is empty, and sockets are given back."""
READ_EVERY_S: Final = 0.2


@dataclass(kw_only=True)
class Outcome:
    """What a day came to. `problems` empty means that all agrees."""

    report: dict[str, Any]
    problems: list[str]


@dataclass
class Day:
    """One rough day; `say` hears of all that happens, with the time since it became rough."""

    options: Options
    supervisor: Supervisor
    dirs: Dirs
    say: Callable[[str], None]
    phase: str = "starting"
    began: float | None = None
    done: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, text: str) -> None:
        at_s = 0.0 if self.began is None else time.monotonic() - self.began
        self.done.append({"at_s": round(at_s, 1), "what": text})
        self.say(f"{at_s:6.1f} s  {text}")

    def enter(self, phase: str) -> None:
        self.phase = phase
        self.say(f"          {phase}")

    async def run(self) -> Outcome:
        """Do it all. Raises ProcessFailed, ReportFailed, RestFailed or LedgerError."""
        async with trio.open_nursery() as nursery:
            with self.supervisor.within(nursery):
                outcome = await self._run(nursery)
            nursery.cancel_scope.cancel()
        return outcome

    async def _run(self, nursery: trio.Nursery) -> Outcome:
        town = Town(self.supervisor, self.dirs, self.tell)
        self.enter("starting the chain")
        chain = await town.start_chain(nursery)
        plan = Plan(
            viewers=self.options.viewers,
            rate_per_second=RATE,
            viewer_funds=VIEWER_FEES + DEPOSIT_UNITS * UNIT,
            chain=town.truth,
            relayer_chain=town.relayer_chain,
            batch_account=BATCH_ACCOUNT,
        )
        async with AsyncExitStack() as stack:
            stage = await stack.enter_async_context(
                open_stage(self.supervisor, self.dirs, plan, self.enter)
            )
            town.take(stage, chain)
            beside = await stack.enter_async_context(trio.open_nursery())
            stack.callback(beside.cancel_scope.cancel)
            beside.start_soon(stage.guard)
            return await _Played(self, town, stage, beside).play()


class _Played:
    """A day on its stage."""

    def __init__(self, day: Day, town: Town, stage: Stage, beside: trio.Nursery) -> None:
        self._day = day
        self._options = day.options
        self._town = town
        self._stage = stage
        self._beside = beside
        people, number = stage.people, stage.meeting.stream
        self._accounts = dict(
            zip(people.viewer_names, (key.address for key in people.viewers), strict=True)
        )
        self._facts = ChainFacts(number)
        self._unpaid = Unpaid(number, {each: Account() for each in self._accounts.values()})
        state = JobState(seconds=0, rate_per_second=RATE)
        state.viewers = [ViewerState(name, account) for name, account in self._accounts.items()]
        self._state = state
        self._sessions = feed.Sessions(stage.rest, state)

    async def play(self) -> Outcome:
        """Watch through the day and judge it."""
        day, stage, town = self._day, self._stage, self._town
        payees_before = {
            payee.account: await stage.ledger.balance(payee.account)
            for payee in stage.people.payees
        }
        self._beside.start_soon(self._facts.follow, stage.ledger)
        self._beside.start_soon(self._follow_best)
        day.enter("publishing")
        await stage.publish(await trio.to_thread.run_sync(demo_clip))
        before = self._sockets()
        day.enter("viewers deposit and grant")
        crowd = self._start_viewers()
        self._beside.start_soon(self._listen, crowd)
        self._beside.start_soon(self._sessions.follow)
        await self._until_all_watch(crowd)
        town.on_server_killed = lambda: self._unpaid.server_killed(_now_ms())
        town.on_relayer_away = lambda: self._unpaid.relayer_away(_now_ms())
        town.on_relayer_back = lambda: self._unpaid.relayer_back(_now_ms())
        await self._be_rough()
        day.enter("calm")
        again_s = await self._until_all_watch_again(crowd)
        day.tell(f"every viewer watches, {again_s:.1f} s after the last fault was over")
        await trio.sleep(self._options.calm_s)
        day.enter("leaving")
        left_at = time.monotonic()
        seen = await self._leave(crowd)
        await self._until_closed()
        ended_s = time.monotonic() - left_at
        day.tell(f"every session is closed, {ended_s:.1f} s after the viewers began to leave")
        problems = await self._left_over(before)
        await self._claim()
        times = {"again_s": round(again_s, 1), "ended_s": round(ended_s, 1)}
        return await self._judged(seen, payees_before, times, problems)

    # --- while it is rough ---------------------------------------------------------------

    def _start_viewers(self) -> Child:
        stage = self._stage
        command = [sys.executable, "-m", "rough_day.staying", "--server", stage.meeting.server]
        command += ["--stream", str(stage.meeting.stream), "--deposit", f"{DEPOSIT_UNITS} UNIT"]
        for name in stage.people.viewer_names:
            command += ["--key", name]
        return stage.supervisor.start("viewers", command)

    async def _listen(self, crowd: Child) -> None:
        """Take what the viewers say they have watched."""
        read = 0
        while True:
            at_ms = _now_ms()
            for line in crowd.stdout_lines[read:]:
                read += 1
                with suppress(ValueError):
                    told = json.loads(line)
                    if told.get("event") == "watched":
                        account = self._accounts[told["name"]]
                        self._unpaid.watched(account, int(told["watched_ms"]), at_ms)
            await trio.sleep(READ_EVERY_S)

    async def _follow_best(self) -> None:
        """Read every best block of the truth, in order."""
        ledger, last = self._stage.ledger, None
        async with ledger.heads("best") as heads:
            async for head in heads:
                first = head.number if last is None else last + 1
                for number in range(first, head.number + 1):
                    block_hash = await ledger.block_hash(number)
                    if block_hash is not None:
                        events = await ledger.events(block_hash)
                        self._unpaid.block(number, events, _now_ms())
                last = head.number

    async def _until_all_watch(self, crowd: Child) -> None:
        begun = dict.fromkeys(self._accounts.values(), 0)
        await self._until_watched(crowd, begun, ALL_WATCH_SECONDS_MAX)

    async def _until_all_watch_again(self, crowd: Child) -> float:
        """Give how long it took, in seconds. Raises ProcessFailed."""
        since = trio.current_time()
        before = {account: entry.watched_ms for account, entry in self._unpaid.accounts.items()}
        await self._until_watched(crowd, before, WATCH_AGAIN_SECONDS_MAX)
        return trio.current_time() - since

    async def _until_watched(self, crowd: Child, before: dict[str, int], within_s: float) -> None:
        """Wait until each viewer has watched more than it had. Raises ProcessFailed."""
        late = list(before)
        with trio.move_on_after(within_s):
            while late:
                if not crowd.running:
                    raise ProcessFailed(crowd.complaint("ended while it was to watch"))
                await trio.sleep(READ_EVERY_S)
                now = self._unpaid.accounts
                late = [each for each in late if now[each].watched_ms <= before[each]]
        if late:
            raise ProcessFailed(
                crowd.complaint(f"has {len(late)} who see nothing in {within_s:g} s")
            )

    async def _be_rough(self) -> None:
        day = self._day
        day.enter("it becomes rough")
        day.began = time.monotonic()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for fault in drawn(self._options.seed, self._options.measure):
                nursery.start_soon(self._strike, fault, began)

    async def _strike(self, fault: Fault, began: float) -> None:
        await trio.sleep_until(began + fault.at_s)
        await self._town.suffer(fault)

    # --- its end -------------------------------------------------------------------------

    async def _leave(self, crowd: Child) -> dict[str, dict[str, Any]]:
        crowd.send(signal.SIGTERM)
        with trio.move_on_after(LEAVE_SECONDS_MAX) as waiting:
            if await crowd.wait() != 0:
                raise ProcessFailed(crowd.complaint("failed"))
        if waiting.cancelled_caught:
            raise ProcessFailed(crowd.complaint("did not leave"))
        seen = crowd.last_json()
        at_ms = _now_ms()
        for name, account in self._accounts.items():
            self._unpaid.watched(account, int(seen[name]["watched_ms"]), at_ms)
        return seen

    async def _until_closed(self) -> None:
        facts = self._facts
        with trio.move_on_after(CLOSE_SECONDS_MAX) as waiting:
            async with facts.changed:
                while any(each.closed_block is None for each in facts.sessions.values()):
                    await facts.changed.wait()
        if waiting.cancelled_caught:
            left = [name for name, each in facts.sessions.items() if each.closed_block is None]
            raise report.ReportFailed(
                f"{CLOSE_SECONDS_MAX:.0f} s after the viewers left, sessions {left} are not closed"
            )

    def _sockets(self) -> dict[str, int]:
        parts = self._stage.parts
        return {part: sockets(parts[NAMES[part]].pid) for part in ("relayer", "server")}

    async def _left_over(self, before: dict[str, int]) -> list[str]:
        """Wait until the relayer's book is empty and sockets are back; say what stays."""
        found: list[str] = []
        with trio.move_on_after(SETTLE_SECONDS_MAX):
            while True:
                found = judges.sockets_left(before, self._sockets())
                with suppress(RestFailed):
                    await self._sessions.poll()
                    answer = await self._stage.rest.get("sessions")
                    found += judges.open_in_book(answer["sessions"])
                    if not found:
                        return []
                await trio.sleep(feed.POLL_S)
        return found

    async def _claim(self) -> None:
        stage = self._stage
        await stage.unpublish()
        receipt = await stage.ledger.claim(stage.people.owner, stage.meeting.stream)
        with trio.fail_after(FINAL_SECONDS_MAX):
            await self._facts.wait_for(receipt.block_number)

    async def _judged(
        self,
        seen: dict[str, dict[str, Any]],
        payees_before: dict[str, int],
        times: dict[str, float],
        problems: list[str],
    ) -> Outcome:
        town, facts, stage = self._town, self._facts, self._stage
        viewers = [
            report.ViewerAccount(
                account=account,
                watched_ms=int(seen[name]["watched_ms"]),
                freezes_ms=int(seen[name]["freezes_ms"]),
                frames_decoded=int(seen[name]["frames_decoded"]),
            )
            for name, account in self._accounts.items()
        ]
        result, findings = await report.build(
            stage.ledger,
            facts,
            viewers,
            delivered_ms=self._sessions.delivered_ms,
            payees_before=payees_before,
            relayer_restarts=town.restarts["relayer"],
        )
        refusals: Counter[str] = Counter()
        for each in seen.values():
            refusals.update(each["refusals"])
        for row, (name, account) in zip(result["viewers"], self._accounts.items(), strict=True):
            row["connections"] = seen[name]["connections"]
            row["untold_ms"] = self._unpaid.accounts[account].untold_ms
            row["worst_unpaid_ms"] = self._unpaid.accounts[account].worst_ms
        result |= {
            "seed": self._options.seed,
            "done": self._day.done,
            "kills": dict(town.kills),
            "restarts": dict(town.restarts),
            "failed_starts": dict(town.failed_starts),
            "refusals": dict(refusals),
            **times,
        }
        problems += judges.disagreements(result, findings)
        ledger = await judges.Ending.read(stage.ledger, facts, tuple(self._accounts.values()))
        problems += ledger.problems()
        result["reconciled"] = not problems
        return Outcome(report=result, problems=problems)


def _now_ms() -> int:
    return int(trio.current_time() * 1000)
