"""Bad days in any order: whatever happens, nobody pays for what was not delivered.

Each example is a sequence of joins, leaves, freezes, reloads, crashes of either process, lost
orders, silence of the node and short reorganisations. At its end everything works again, all
viewers leave, and the ledger is held against what the media server delivered.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.relayer.fake_chain import FINAL_LAG, account
from tests.relayer.rig import RATE, Rig, Server, Watching, rig

VIEWERS = ("Alice", "Bob", "Charlie")

ACTIONS = (
    "join",
    "join",
    "join",
    "leave",
    "vanish",
    "reload",
    "freeze",
    "thaw",
    "crash",
    "server-crash",
    "lose-orders",
    "find-orders",
    "node-away",
    "node-back",
    "reorganise",
    "hold-opens",
    "free-opens",
    "revoke",
)
action = st.sampled_from(ACTIONS)
step = st.tuples(action, st.sampled_from(VIEWERS), st.sampled_from([0.3, 1.1, 4.0, 9.7, 40.0]))


class Story:
    """One example as it happens."""

    def __init__(self, r: Rig) -> None:
        self.r = r
        self.tokens: dict[str, str] = {}
        self.all: list[Watching] = []
        self.last: dict[str, Watching] = {}

    async def begin(self) -> None:
        for name in VIEWERS:
            self.tokens[name] = await self.r.ready_viewer(name, sessions_max=2, gap_ms=80_000)

    async def join(self, name: str, resume: str | None = None) -> None:
        if not self.r.relayer_up:
            return
        response = await self.r.ask("admit", token=self.tokens[name], stream=1, resume=resume)
        if response.problem is not None:
            assert response.problem.status in (402, 409, 429, 503), response.problem
            return
        watching = self.r.server.attach(response.result)
        self.all.append(watching)
        self.last[name] = watching

    async def act(self, what: str, name: str) -> None:
        r, last = self.r, self.last.get(name)
        match what:
            case "join":
                await self.join(name)
            case "leave" | "vanish" if last is not None and not last.final:
                r.server.leave(last, "left" if what == "leave" else "vanished")
            case "reload" if last is not None:
                await self.join(name, last.resume)
            case "freeze" | "thaw" if last is not None:
                last.frozen = what == "freeze"
            case "crash" if r.relayer_up:
                await r.crash()
                await trio.sleep(1.5)
                r.chain.unreachable = False
                await r.start()
            case "server-crash":
                self.kill_server()
            case "lose-orders" | "find-orders":
                r.chain.lose_orders = what == "lose-orders"
            case "hold-opens" | "free-opens":
                r.chain.hold_opens = what == "hold-opens"
            case "node-away" | "node-back":
                r.chain.unreachable = what == "node-away"
            case "reorganise" if len(r.chain.canonical) > FINAL_LAG + 1:
                await r.chain.reorganise(FINAL_LAG)
            case "revoke":
                for number, grant in r.chain.state.grants.items():
                    if grant.viewer == account(name):
                        r.chain.revoke(number)

    def kill_server(self) -> None:
        """Everything that the server had not told is gone, and its viewers with it."""
        for watching in self.r.server.connections:
            watching.final = True
        self.r.server.silent = True
        self.r.server.connections = []
        self.r.server = Server(self.r, f"boot-{len(self.all)}-{trio.current_time():.1f}")
        if self.r.relayer_up:
            self.r.server.greet()
        self.r.nursery.start_soon(self.r.server.run)

    async def end(self) -> None:
        chain = self.r.chain
        chain.unreachable = chain.lose_orders = chain.hold_opens = False
        await trio.sleep(12)
        for watching in self.all:
            if not watching.final:
                self.r.server.leave(watching)
        # what is left open lapses, or is abandoned when the pool has forgotten it
        with trio.fail_after(600):
            while self.r.relayer.core.book.sessions:
                chain.settle_all()
                await trio.sleep(5)

    def check(self) -> None:
        r = self.r
        delivered_ms = sum(watching.delivered_ms for watching in self.all)
        assert r.earned() * 1000 <= delivered_ms
        for number, grant in r.chain.state.grants.items():
            held = sum(
                session.funds - session.paid
                for (owner, _), session in r.chain.state.sessions.items()
                if owner == number
            )
            assert grant.cap_left + grant.spent + held == grant.cap
        spent = sum(RATE * 3600 - r.chain.state.vaults[account(name)] for name in VIEWERS)
        held = sum(s.funds - s.paid for s in r.chain.state.sessions.values())
        assert spent == r.earned() * RATE + held
        recorded = 0
        for name in VIEWERS:
            recorded += sum(
                record.paid_seconds
                for record in r.relayer.core.journal.ended_sessions(viewer=account(name))
            )
        assert recorded <= r.earned()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(step, min_size=4, max_size=22))
@example([("join", "Bob", 0.3), ("revoke", "Bob", 0.3)])  # its grant is gone before it opens
def test_nobody_pays_for_what_was_not_delivered(
    steps: list[tuple[str, str, float]],
) -> None:
    with tempfile.TemporaryDirectory() as path:

        async def run() -> None:
            async with rig(Path(path)) as r:
                story = Story(r)
                await story.begin()
                for what, name, seconds in steps:
                    await story.act(what, name)
                    await trio.sleep(seconds)
                await story.end()
                story.check()

        trio.run(run, clock=MockClock(autojump_threshold=0))
