"""The main job from first to last: set up, watch, claim, wait for finality, compare."""

from __future__ import annotations

import signal
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from main_job import accounts, feed, parts, report
from main_job.chain_facts import ChainFacts
from main_job.omni_node import start_omni_node
from main_job.options import Options
from main_job.parts import Dirs
from main_job.price import read_price
from main_job.processes import Child, ProcessFailed, Supervisor
from main_job.rest import RestFailed
from main_job.stage import Plan, Stage, open_stage
from main_job.state import JobState, Phase, ViewerState
from main_job.video import demo_clip
from offchain.amounts import format_amount
from offchain.ledger.client import Ledger

WATCH_MARGIN_S: Final = 180.0
CLOSE_SECONDS_MAX: Final = 120.0
FINAL_SECONDS_MAX: Final = 120.0
RELAYER_AWAY_S: Final = 1.0
FIRST_TICK_SECONDS_MAX: Final = 60.0
LAST_POLL_TRIES: Final = 10


@dataclass(kw_only=True)
class Outcome:
    """What a run found. `problems` empty means reconciled."""

    report: dict[str, Any]
    problems: list[str]


@dataclass
class Job:
    """One run of the main job."""

    options: Options
    state: JobState
    supervisor: Supervisor
    dirs: Dirs
    killed_at_block: int | None = None
    _deposit: int = 0
    """What each viewer puts into the vault."""
    _watching: trio.Event = field(default_factory=trio.Event)

    async def run(self) -> Outcome:
        """Do it all. Raises ProcessFailed, ReportFailed, RestFailed or LedgerError."""
        async with trio.open_nursery() as nursery:
            with self.supervisor.within(nursery):
                outcome = await self._run()
            # What still runs now only serves: nothing of it is waited for.
            nursery.cancel_scope.cancel()
        return outcome

    async def _run(self) -> Outcome:
        async with AsyncExitStack() as stack:
            stage = await stack.enter_async_context(
                open_stage(
                    self.supervisor,
                    self.dirs,
                    self._plan,
                    self._enter,
                    chain=self.options.chain,
                    start_node=self._start_node,
                )
            )
            ledger = stage.ledger
            self.state.stream = stage.meeting.stream
            facts = ChainFacts(stage.meeting.stream)
            feeds = await stack.enter_async_context(trio.open_nursery())
            stack.callback(feeds.cancel_scope.cancel)
            feeds.start_soon(feed.follow_heads, ledger, self.state)
            feeds.start_soon(feed.poll_earnings, ledger, self.state)
            feeds.start_soon(self._follow_facts, facts, stage)
            feeds.start_soon(stage.guard)
            return await self._play(stage, facts)

    async def _start_node(self, supervisor: Supervisor, dirs: Dirs) -> tuple[Child, str]:
        program = self.options.omni_node
        if program is None:
            return await parts.start_node(supervisor, dirs)
        return await start_omni_node(supervisor, dirs, program)

    async def _plan(self, ledger: Ledger) -> Plan:
        """Plan the run in the asset that it is paid in. Raises PriceInvalid."""
        price = await read_price(ledger, self.options)
        money, deposit = price.money, price.deposit
        self.state.symbol, self.state.decimals = money.symbol, money.decimals
        self.state.rate_per_second, self._deposit = price.rate_per_second, deposit
        is_native = money.asset is None
        return Plan(
            viewers=self.options.viewers,
            rate_per_second=price.rate_per_second,
            viewer_funds=accounts.VIEWER_FEES + (deposit if is_native else 0),
            chain=self.options.chain,
            asset=money.asset,
            viewer_assets=0 if is_native else price.viewer_funds,
            path=self.options.path,
        )

    async def _play(self, stage: Stage, facts: ChainFacts) -> Outcome:
        payees_before = {
            payee.account: await stage.ledger.balance(payee.account, asset=stage.asset)
            for payee in stage.people.payees
        }
        sessions = feed.Sessions(stage.rest, self.state)
        watched = await self._media(stage, facts, sessions)
        await self._settle(stage, facts, sessions)
        self._enter("reconciling")
        result, findings = await report.build(
            stage.ledger,
            facts,
            watched,
            delivered_ms=sessions.delivered_ms,
            payees_before=payees_before,
            relayer_restarts=self.state.relayer_restarts,
            path=self.options.path,
        )
        problems = report.disagreements(result, findings, self.killed_at_block)
        result["reconciled"] = not problems
        return Outcome(report=result, problems=problems)

    async def _media(
        self, stage: Stage, facts: ChainFacts, sessions: feed.Sessions
    ) -> list[report.ViewerAccount]:
        """Publish and watch; give what the viewers' own processes saw."""
        self._enter("publishing")
        video = self.options.video
        if video is None and not self.options.browser:
            video = await trio.to_thread.run_sync(demo_clip, abandon_on_cancel=True)
        publisher = await stage.publish(video, self.options.stall_s)

        self._enter("viewers deposit and grant")
        viewers = self._start_viewers(stage)
        async with trio.open_nursery() as beside:
            beside.start_soon(sessions.follow, self._notice_watching)
            beside.start_soon(self._midway, stage, publisher, facts)
            seen = await self._seen(viewers)
            beside.cancel_scope.cancel()
        self._enter("closing the sessions")
        await stage.unpublish()
        people = stage.people
        return [
            report.ViewerAccount(
                account=key.address,
                watched_ms=int(seen[name]["watched_ms"]),
                freezes_ms=int(seen[name]["freezes_ms"]),
                frames_decoded=int(seen[name]["frames_decoded"]),
            )
            for name, key in zip(people.viewer_names, people.viewers, strict=True)
        ]

    def _start_viewers(self, stage: Stage) -> list[Child]:
        people, seconds = stage.people, self.options.seconds
        names = people.viewer_names
        for name, key in zip(names, people.viewers, strict=True):
            self.state.viewers.append(ViewerState(name, key.address))
        if self.options.browser:
            return [
                parts.start_viewers_in_browser(
                    self.supervisor, stage.meeting, names, seconds=seconds
                )
            ]
        money = format_amount(self._deposit, self.state.symbol, self.state.decimals)
        decoding, counting = names[: self.options.decoding], names[self.options.decoding :]
        started = [
            parts.start_viewer(
                self.supervisor, stage.meeting, name, seconds=seconds, money=money, count_only=False
            )
            for name in decoding
        ]
        if counting:
            started.append(
                parts.start_crowd(
                    self.supervisor, stage.meeting, counting, seconds=seconds, money=money
                )
            )
        return started

    async def _seen(self, viewers: list[Child]) -> dict[str, dict[str, Any]]:
        """Wait for the viewers, and give what each saw, by name."""
        seen: dict[str, dict[str, Any]] = {}
        limit_s = self.options.seconds + self.options.stall_s + WATCH_MARGIN_S
        limit_s += self.options.viewers
        with trio.move_on_after(limit_s) as waiting:
            for viewer in viewers:
                if await viewer.wait() != 0:
                    raise ProcessFailed(viewer.complaint("failed"))
                found = viewer.last_json()
                seen |= {viewer.name: found} if "watched_ms" in found else found
        if waiting.cancelled_caught:
            late = next(viewer for viewer in viewers if viewer.running)
            raise ProcessFailed(late.complaint("did not come to its end"))
        return seen

    def _notice_watching(self) -> None:
        watching = [viewer for viewer in self.state.viewers if viewer.delivered_ms > 0]
        if self.state.watching_since is None and len(watching) == len(self.state.viewers):
            self._enter("watching")
            self.state.watching_since = time.monotonic()
            self._watching.set()

    async def _midway(self, stage: Stage, publisher: Child, facts: ChainFacts) -> None:
        """What happens in the middle: the publisher's freeze, the relayer's death."""
        await self._watching.wait()
        await trio.sleep(max(0.0, (self.options.seconds - self.options.stall_s) / 2))
        if self.options.stall_s:
            publisher.send(signal.SIGUSR1)
            self.state.note(f"the publisher freezes for {self.options.stall_s} s")
            self.state.frozen = True
            await trio.sleep(self.options.stall_s)
            self.state.frozen = False
        if self.options.kill_relayer:
            await self._kill_relayer(stage, facts)

    async def _kill_relayer(self, stage: Stage, facts: ChainFacts) -> None:
        with trio.move_on_after(FIRST_TICK_SECONDS_MAX):
            async with facts.changed:
                while not all(session.ticks for session in facts.sessions.values()):
                    await facts.changed.wait()
        self.killed_at_block = self.state.best_block
        await stage.kill("relay")
        self.state.note("relayer killed with SIGKILL; the media goes on")
        await trio.sleep(RELAYER_AWAY_S)
        await stage.start_relayer()
        self.state.relayer_restarts += 1
        self.state.note("relayer started again; the sessions go on")

    async def _settle(self, stage: Stage, facts: ChainFacts, sessions: feed.Sessions) -> None:
        """Wait until all sessions are finally closed, claim, and wait until that is final."""
        with trio.move_on_after(CLOSE_SECONDS_MAX) as waiting:
            async with facts.changed:
                while not self._all_closed(facts):
                    await facts.changed.wait()
        if waiting.cancelled_caught:
            raise report.ReportFailed(
                f"not every session was closed within {CLOSE_SECONDS_MAX:.0f} s: "
                f"see relay.log in {self.supervisor.logs}"
            )
        await self._last_poll(sessions)
        if facts.history.charged:
            self._enter("claiming")
            receipt = await stage.ledger.claim(stage.people.owner, stage.meeting.stream)
            self._enter("waiting for finality")
            with trio.fail_after(FINAL_SECONDS_MAX):
                await facts.wait_for(receipt.block_number)
        self.state.claimed = facts.history.claimed_total

    def _all_closed(self, facts: ChainFacts) -> bool:
        viewers = {session.viewer for session in facts.sessions.values()}
        closed = all(session.closed_block is not None for session in facts.sessions.values())
        return closed and viewers == {viewer.account for viewer in self.state.viewers}

    async def _last_poll(self, sessions: feed.Sessions) -> None:
        """Read the journal's last figures; a relayer just started again may need a moment."""
        for _ in range(LAST_POLL_TRIES - 1):
            with suppress(RestFailed):
                await sessions.poll()
                return
            await trio.sleep(feed.POLL_S)
        await sessions.poll()

    async def _follow_facts(self, facts: ChainFacts, stage: Stage) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(facts.follow, stage.ledger)
            while True:
                async with facts.changed:
                    await facts.changed.wait()
                    self.state.finalized_block = facts.finalized
                    self.state.claimed = facts.history.claimed_total

    def _enter(self, phase: Phase) -> None:
        self.state.phase = phase
