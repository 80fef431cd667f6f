"""Faults of every kind, drawn from the seed: what strikes, when, how hard, and for how long.

Each kind is a method that strikes, waits, and takes back what it did. Several may be at work at a
time. `calm` ends them all.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from offchain.ledger.orders import Open
from offchain.ledger.types import NATIVE
from tests import model
from tests.relayer.fake_chain import account
from tests.simulation.disk import Moment
from tests.simulation.node import Node, dropped, nothing_against, stale
from tests.simulation.strangers import STRANGE_CALLS, Stranger
from tests.simulation.world import RATE, World

EVERY_S: Final = 100.0
"""The mean time between two faults."""
HOUR_MS: Final = 3_600_000
LEAST_FINAL_BLOCKS: Final = 30
TICK_PRICES: Final = (0, RATE // 2, RATE * 5)
"""Nothing, little beside what a tick charges, and about as much."""
Fault = Callable[[], Awaitable[None]]


class Faults:
    """Draws faults and lets them strike."""

    def __init__(self, world: World, numbers: random.Random, only: frozenset[str] = frozenset()):
        self.world = world
        self.numbers = numbers
        self.kinds: dict[str, tuple[int, Fault]] = {
            name: kind for name, kind in self._all().items() if not only or name in only
        }
        self._scope = trio.CancelScope()

    def _all(self) -> dict[str, tuple[int, Fault]]:
        """Name every kind, with how often it comes beside the others."""
        return {
            "crash": (4, self.crash),
            "crash-at-await": (6, self.crash_at_await),
            "crash-at-commit": (6, self.crash_at_commit),
            "disk-full": (2, self.disk_full),
            "disk-slow": (2, self.disk_slow),
            "frames": (3, self.frames),
            "link-cut": (2, self.link_cut),
            "link-down": (2, self.link_down),
            "server-crash": (2, self.server_crash),
            "second-server": (2, self.second_server),
            "subscription-silent": (2, self.subscription_silent),
            "fork": (6, self.fork),
            "halt": (2, self.halt),
            "node-away": (4, self.node_away),
            "node-slow": (3, self.node_slow),
            "node-behind": (2, self.node_behind),
            "node-lies": (2, self.node_lies),
            "balancer": (2, self.balancer),
            "node-cut-off": (2, self.node_cut_off),
            "answers-lost": (3, self.answers_lost),
            "pool-full": (2, self.pool_full),
            "pool-says-stale": (1, self.pool_says_stale),
            "lane-full": (2, self.lane_full),
            "opens-wait": (2, self.opens_wait),
            "nothing-included": (2, self.nothing_included),
            "clock-jump": (3, self.clock_jump),
            "upgrade": (1, self.upgrade),
            "revoked": (2, self.revoked),
            "funds-gone": (2, self.funds_gone),
            "price-changed": (2, self.price_changed),
            "tick-price": (2, self.tick_price_changed),
            "stream-paused": (1, self.stream_paused),
            "strangers": (1, self.strangers),
        }

    async def run(self, seconds: float) -> None:
        """Let faults strike for so long, then end all."""
        names = list(self.kinds)
        weights = [self.kinds[name][0] for name in names]
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                while True:
                    await trio.sleep(self.numbers.expovariate(1 / EVERY_S))
                    name = self.numbers.choices(names, weights)[0]
                    nursery.start_soon(self.kinds[name][1])
        self.calm()

    def calm(self) -> None:
        """End every fault."""
        w = self.world
        w.story.tell("calm")
        w.chain.halted = w.chain.lane_full = w.chain.is_empty = False
        w.chain.final_lag = 2
        w.chain.takes = lambda grant, order: True
        if not w.relayer.separate:
            del w.nodes[1:]
        for node in w.nodes:
            node.forked_at, node.lies = None, False
            node.away, node.behind, node.swallows, node.slow_s = None, 0, False, 0.0
            node.refuses, node.loses_answers = nothing_against, 0.0
        w.disk.full, w.disk.slow_s = False, 0.0
        w.disk.disarm()
        w.relayer.disarm_all()
        for weather in w.network.weathers.values():
            weather.lost = weather.repeated = weather.late = 0.0
            weather.down = False
        w.relayer.clock.ahead_ms = 0
        w.relayer.allow()
        self._resume_streams()
        self._take_for_ticks(0)

    # --- drawing ---------------------------------------------------------------------------

    def _between(self, low: float, high: float) -> float:
        """Draw a number, small ones far more often than large ones."""
        return float(low * (high / low) ** self.numbers.random())

    def _strikes(self, kind: str, **fields: Any) -> None:
        self.world.story.fault(kind, **fields)

    async def _for(self, kind: str, low_s: float, high_s: float, **fields: Any) -> None:
        seconds = round(self._between(low_s, high_s), 3)
        self._strikes(kind, seconds=seconds, **fields)
        await trio.sleep(seconds)

    # --- the relayer's process, disk and clock ---------------------------------------------

    async def crash(self) -> None:
        """SIGKILL, and down for a while."""
        self.world.relayer.keep_down = True
        self.world.relayer.kill("now")
        await self._for("crash", 0.1, 600)
        self.world.relayer.allow()

    async def crash_at_await(self) -> None:
        """SIGKILL after some steps of its tasks: at any await."""
        steps = self.numbers.randint(1, 2_000)
        self._strikes("crash-at-await", steps=steps)
        self.world.relayer.kill_at_step(steps)

    async def crash_at_commit(self) -> None:
        """SIGKILL or loss of power at one of the next commits."""
        moments: tuple[Moment, ...] = ("before", "after", "torn")
        moment = self.numbers.choice(moments)
        commits = self.numbers.randint(1, 12)
        self._strikes(f"crash-at-commit-{moment}", commits=commits)
        self.world.disk.crash_at(commits, moment)

    async def disk_full(self) -> None:
        """Let every write fail."""
        self.world.disk.full = True
        await self._for("disk-full", 1, 400)
        self.world.disk.full = False

    async def disk_slow(self) -> None:
        """Let every write take long."""
        self.world.disk.slow_s = self._between(0.02, 4)
        await self._for("disk-slow", 5, 120, each=f"{self.world.disk.slow_s:.2f}")
        self.world.disk.slow_s = 0.0

    async def clock_jump(self) -> None:
        """Set the machine's clock, and set it right again."""
        ahead_ms = int(self._between(1_000, 14 * HOUR_MS)) * self.numbers.choice((-1, 1))
        self.world.relayer.clock.ahead_ms = ahead_ms
        kind = "clock-ahead" if ahead_ms > 0 else "clock-behind"
        await self._for(kind, 0.5, 600, ms=ahead_ms)
        self.world.relayer.clock.ahead_ms = 0

    # --- the link and the media servers ----------------------------------------------------

    async def frames(self) -> None:
        """Let frames be lost, told twice, and late."""
        weather = self.world.network.weather(self.numbers.choice(list(self.world.servers)))
        weather.lost, weather.repeated, weather.late = (
            self.numbers.choice((0.0, 0.02, 0.2)) for _ in range(3)
        )
        await self._for("frames", 5, 90)
        weather.lost = weather.repeated = weather.late = 0.0

    async def link_cut(self) -> None:
        """Break the connections; they are made again."""
        self._strikes("link-cut")
        self.world.network.cut(lambda wire: True)

    async def link_down(self) -> None:
        """Let a server reach nothing."""
        name = self.numbers.choice(list(self.world.servers))
        self.world.network.take_down(name)
        await self._for("link-down", 1, 700, server=name)
        self.world.network.weather(name).down = False

    async def server_crash(self) -> None:
        """SIGKILL of a media server, which starts anew."""
        name = self.numbers.choice(list(self.world.servers))
        self._strikes("server-crash", server=name)
        self.world.crash_server(name)

    async def second_server(self) -> None:
        """Let another media server want the same relayer, and end after a while."""
        if "B" in self.world.servers:
            return
        self.world.serve("B")
        await self._for("second-server", 10, 600)
        await self.world.stop_server("B")

    # --- the chain -------------------------------------------------------------------------

    async def fork(self) -> None:
        """Reorganise 1 to 10 blocks; deep ones while finality stalls."""
        depth = self.numbers.randint(1, 10)
        chain = self.world.chain
        if depth > chain.final_lag:
            chain.final_lag = 12
            await trio.sleep(2.0 * depth + 4)
        keep = self.numbers.random() < 0.5
        depth = chain.reorganise(depth, keep_orders=keep)
        self._strikes("fork-with-orders" if keep else "fork-without-orders", depth=depth)
        chain.final_lag = 2

    async def halt(self) -> None:
        """Let no block come, for up to an hour."""
        self.world.chain.halted = True
        await self._for("halt", 5, 3_600)
        self.world.chain.halted = False

    async def lane_full(self) -> None:
        """Let the free lane have no room."""
        self.world.chain.lane_full = True
        await self._for("lane-full", 4, 150)
        self.world.chain.lane_full = False

    async def opens_wait(self) -> None:
        """Let blocks take no open, so that some come late and some are forgotten."""
        self.world.chain.takes = lambda grant, order: not isinstance(order, Open)
        await self._for("opens-wait", 4, 250)
        self.world.chain.takes = lambda grant, order: True

    async def nothing_included(self) -> None:
        """Let blocks take nothing: after 64 of them the pool forgets."""
        self.world.chain.is_empty = True
        await self._for("nothing-included", 10, 300)
        self.world.chain.is_empty = False

    async def upgrade(self) -> None:
        """Let the runtime's version rise: what wallets signed for the last one is refused."""
        self.world.chain.spec_version += 1
        self._strikes("upgrade", version=self.world.chain.spec_version)

    # --- nodes -----------------------------------------------------------------------------

    def _one_node(self) -> Node:
        """Draw one of the nodes that have an address each, or give the first."""
        w = self.world
        return self.numbers.choice(w.nodes) if w.relayer.separate else w.node

    async def node_away(self) -> None:
        """Let the node refuse or hang; for so long, too, that it has pruned what was missed."""
        node = self._one_node()
        node.away = self.numbers.choice(("refuses", "hangs"))
        await self._for(f"node-{node.away}", 1, 900)
        node.away = None

    async def node_slow(self) -> None:
        """Let every answer take long."""
        node = self._one_node()
        node.slow_s = round(self._between(0.01, 3), 3)
        await self._for("node-slow", 5, 120, each=node.slow_s)
        node.slow_s = 0.0

    async def node_behind(self) -> None:
        """Let the node come back from a backup, or as one that is syncing."""
        node = self._one_node()
        node.away = "refuses"
        await trio.sleep(2)
        node.behind = min(int(self._between(3, 400)), self.world.chain.height)
        node.catches_up = self.numbers.choice((0, 2, 4, 20))
        node.away = None
        await self._for("node-behind", 10, 120, blocks=node.behind, catches_up=node.catches_up)
        node.behind = 0

    async def node_lies(self) -> None:
        """Let the node have a chain of its own, in which every session has ended."""
        if self.world.chain.finalized < LEAST_FINAL_BLOCKS:
            return  # what a relayer has not read as final it cannot hold against a node
        node = self._one_node()
        node.forked_at, node.lies = self.numbers.randint(1, 5), True
        await self._for("node-lies", 3, 300)
        node.forked_at, node.lies = None, False

    async def balancer(self) -> None:
        """Put a second node, which is behind, with the first behind one address."""
        if len(self.world.nodes) > 1:
            return
        other = Node("other", self.world.chain)
        other.behind = self.numbers.randint(1, 12)
        self.world.nodes.append(other)
        await self._for("balancer", 10, 200, blocks=other.behind)
        if other in self.world.nodes:
            self.world.nodes.remove(other)
        self.world.chain.on_block.remove(other.catch_up)

    async def node_cut_off(self) -> None:
        """Let the node take orders that reach nobody."""
        node = self._one_node()
        node.swallows = True
        await self._for("node-cut-off", 3, 200)
        node.swallows = False

    async def subscription_silent(self) -> None:
        """Let the subscriptions die without a word."""
        self._strikes("subscription-silent")
        self._one_node().silence()
        await trio.lowlevel.checkpoint()

    async def answers_lost(self) -> None:
        """Let the node take what it is sent, and its answers never come."""
        node = self._one_node()
        node.loses_answers = self.numbers.choice((0.3, 1.0))
        await self._for("answers-lost", 3, 200, share=node.loses_answers)
        node.loses_answers = 0.0

    async def pool_full(self) -> None:
        """Let the pool have no room (1016)."""
        node = self._one_node()
        node.refuses = dropped
        await self._for("pool-full", 3, 200)
        node.refuses = nothing_against

    async def pool_says_stale(self) -> None:
        """Let the pool answer that the ledger has every order already, as one behind may."""
        node = self._one_node()
        node.refuses = stale
        await self._for("pool-says-stale", 3, 30)
        node.refuses = nothing_against

    # --- people ----------------------------------------------------------------------------

    async def revoked(self) -> None:
        """Let a viewer revoke every grant."""
        viewer = self.numbers.choice(self.world.viewers)
        self._strikes("revoked", viewer=viewer.name)
        viewer.revoke()

    async def funds_gone(self) -> None:
        """Let a viewer withdraw everything."""
        viewer = self.numbers.choice(self.world.viewers)
        self._strikes("funds-gone", viewer=viewer.name)
        viewer.withdraw_all()

    async def price_changed(self) -> None:
        """Change a stream's rate, in whichever block has what else is on its way."""
        stream = self.numbers.choice((1, 2))
        now = self.world.chain.ledger().streams[stream].rate_per_second
        rates = [rate for rate in (RATE, RATE // 2, RATE * 3) if rate != now]
        rate = self.numbers.choice(rates)
        self._strikes("price-changed", stream=stream, rate=rate)
        self._update(stream, model.StreamChange(rate_per_second=rate))

    async def tick_price_changed(self) -> None:
        """Change what the operator takes for each tick, in whichever block has what else."""
        now = self.world.chain.ledger().asset_entries[NATIVE].tick_price
        price = self.numbers.choice([each for each in TICK_PRICES if each != now])
        self._strikes("tick-price", price=price)
        self._take_for_ticks(price)

    def _take_for_ticks(self, price: int) -> None:
        self.world.chain.call(lambda ledger: ledger.set_tick_price(NATIVE, price))

    async def stream_paused(self) -> None:
        """Pause a stream for a while."""
        stream = self.numbers.choice((1, 2))
        self._update(stream, model.StreamChange(paused=True))
        await self._for("stream-paused", 5, 120, stream=stream)
        self._update(stream, model.StreamChange(paused=False))

    def _update(self, stream: int, change: model.StreamChange) -> None:
        owner = account("Creator")
        self.world.chain.call(lambda ledger: ledger.update_stream(owner, stream, change))

    def _resume_streams(self) -> None:
        for stream in (1, 2):
            change = model.StreamChange(rate_per_second=RATE, paused=False)
            self._update(stream, change)

    async def strangers(self) -> None:
        """Let a stranger ask for much."""
        kind = self.numbers.choice(STRANGE_CALLS)
        self._strikes(f"strangers-{kind}")
        await Stranger(self.world, self.numbers).ask_for_much(kind)
