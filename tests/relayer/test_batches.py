"""Orders in batches: many at once in one transaction, and the free lane for whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio
from trio.testing import MockClock

from offchain.journal import open_journal
from offchain.keys.signer import dev_key
from offchain.ledger.errors import NotIncluded, by_name
from offchain.ledger.orders import SignedOrder, encode_order
from offchain.ledger.types import BatchResult
from offchain.relayer.batches import CROWD, FAILED_IN_A_ROW, HANDFUL
from tests.relayer.fake_chain import BLOCK_S, FakeChain
from tests.relayer.rig import Rig, Watching, rig

VIEWERS = HANDFUL + 4


class BatchingChain(FakeChain):
    """Keeps the batches that came; a batch, or some of its orders, can be made to fail."""

    def __init__(self, uneven_s: float = 0.0) -> None:
        super().__init__()
        self.uneven_s = uneven_s
        self.batches: list[list[SignedOrder]] = []
        self.batch_blocks: list[int] = []
        self.refuse_batch: Exception | None = None
        self.refusals_left: int | None = None
        """How many batches are refused; None while all are."""
        self.failing: dict[tuple[int, int], str] = {}

    async def run(self) -> None:
        late_s = self.uneven_s
        while True:
            await trio.sleep(BLOCK_S + late_s)
            await self.make_block()
            late_s = -late_s

    async def submit_batch(
        self, signer: Any, orders: Sequence[SignedOrder], **options: Any
    ) -> BatchResult:
        if self.refuse_batch is not None and self.refusals_left != 0:
            if self.refusals_left is not None:
                self.refusals_left -= 1
            raise self.refuse_batch
        self.batches.append(list(orders))
        self.batch_blocks.append(self.best.head.number)
        failing = dict(self.failing)
        taken = [signed for signed in orders if signed.place not in failing]
        if taken:
            result = await super().submit_batch(signer, taken, **options)
        else:
            nothing = await self._included(lambda ledger: [])
            result = BatchResult(receipt=nothing, counted=0, free=0, failures={})
        return BatchResult(
            receipt=result.receipt,
            counted=result.counted,
            free=result.free,
            failures=result.failures
            | {
                place: by_name(name)("PayStream", name, "a rule says no")
                for place, name in failing.items()
            },
        )


@asynccontextmanager
async def crowd(path: Path, uneven_s: float = 0.0) -> AsyncIterator[tuple[Rig, BatchingChain]]:
    """A relayer with a batch account on a chain that takes batches.

    Every other block comes `uneven_s` late.
    """
    async with rig(path, started=False) as r:
        chain = BatchingChain(uneven_s)
        chain.add_stream(1, rate=1000)
        r.chain = chain
        r.batch_signer = dev_key("Ferdie")
        r.nursery.start_soon(chain.run)
        await r.start()
        yield r, chain


async def joined(r: Rig, viewers: int = VIEWERS) -> list[Watching]:
    """Let viewers join at once, so that their ticks are due together."""
    tokens = [await r.ready_viewer(f"Viewer{number}") for number in range(viewers)]
    return [await r.watch(token) for token in tokens]


async def held(r: Rig, chain: BatchingChain) -> tuple[int, int]:
    """Let a viewer join whose open no block takes from the pool; give the session's place."""
    chain.hold_opens = True
    watching = await r.watch(await r.ready_viewer("Viewer"))
    return watching.ref.grant, watching.ref.index


async def test_many_due_ticks_go_in_one_transaction_a_block(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        await joined(r)
        await trio.sleep(60)
        assert chain.batches
        assert all(len(batch) > HANDFUL for batch in chain.batches)
        assert len(set(chain.batch_blocks)) == len(chain.batch_blocks)
        for batch in chain.batches:
            places = [signed.place for signed in batch]
            assert places == sorted(set(places))
        assert r.relayer.core.counters["batches_sent"] >= len(chain.batches) - 1  # one under way
        paid = [session.seconds for session in chain.state.sessions.values()]
        assert len(paid) == VIEWERS
        assert min(paid) > 40


async def test_a_handful_takes_the_free_lane(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with crowd(tmp_path) as (r, chain):
        await joined(r, HANDFUL)
        await trio.sleep(60)
        assert not chain.batches
        assert min(session.seconds for session in chain.state.sessions.values()) > 40


async def test_a_crowds_ticks_are_gathered_over_a_block(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        for number in range(CROWD + 12):
            await r.watch(await r.ready_viewer(f"Viewer{number}"))
            await trio.sleep(0.3)  # so that never more than two are due at a time
        await trio.sleep(40)
        assert chain.batches
        assert min(len(batch) for batch in chain.batches) > HANDFUL
        assert min(session.seconds for session in chain.state.sessions.values()) > 20


async def test_a_crowds_cadence_ends_with_a_block_that_comes_a_moment_early(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Real blocks are not spaced to the millisecond: a tick that just misses one waits a whole
    block, and a cadence of three blocks would last four."""
    async with crowd(tmp_path, uneven_s=0.2) as (r, chain):
        await joined(r, CROWD + 6)
        await trio.sleep(20)
        chain.batches.clear()
        await trio.sleep(60)
        ticks = Counter(signed.place for batch in chain.batches for signed in batch)
        assert len(ticks) == CROWD + 6
        assert set(ticks.values()) == {10}, "one in 6 s"


LATE = NotIncluded("0x01", "no answer in time", "send it again")


async def test_failed_batches_delay_nobody(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with crowd(tmp_path) as (r, chain):
        chain.refuse_batch = LATE
        await joined(r)
        await trio.sleep(30)
        assert r.relayer.core.counters["batches_failed"] == 1
        assert min(session.seconds for session in chain.state.sessions.values()) > 20
        chain.refuse_batch = None
        await trio.sleep(60)
        assert chain.batches


async def test_one_failed_batch_keeps_no_other_order_from_batches(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        chain.constants = msgspec.structs.replace(chain.constants, batch_orders_max=10)
        chain.refuse_batch, chain.refusals_left = LATE, 1
        watching = await joined(r, 4 * HANDFUL)
        await r.until(lambda: r.relayer.core.counters.get("batches_failed"))
        failed_at = chain.best.head.number
        await trio.sleep(20)
        assert r.relayer.core.counters["batches_failed"] == 1
        together = {
            signed.place
            for batch, block in zip(chain.batches, chain.batch_blocks, strict=True)
            if block > failed_at
            for signed in batch
        }
        assert len(watching) - 10 <= len(together) < len(watching)  # all but the failed one's
        assert min(session.seconds for session in chain.state.sessions.values()) > 10


async def test_after_batches_that_fail_in_a_row_all_take_the_free_lane(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        chain.constants = msgspec.structs.replace(chain.constants, batch_orders_max=10)
        chain.refuse_batch, chain.refusals_left = LATE, FAILED_IN_A_ROW
        await joined(r, 4 * HANDFUL)
        await r.until(lambda: chain.refusals_left == 0)
        tried = len(chain.batches)  # those that were begun together with the last that failed
        await trio.sleep(30)
        assert len(chain.batches) == tried
        assert min(session.seconds for session in chain.state.sessions.values()) > 20


async def test_a_batch_that_cost_its_fee_in_vain_is_not_tried_again_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        chain.refuse_batch = by_name("Paused")("PayStream", "Paused", "a rule says no")
        await joined(r)
        await trio.sleep(30)
        assert r.relayer.core.counters["batches_failed"] == 1
        assert min(session.seconds for session in chain.state.sessions.values()) > 20


async def test_one_bad_order_harms_no_other(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with crowd(tmp_path) as (r, chain):
        watching = await joined(r)
        stale, refused, foreign = (one.ref for one in watching[:3])
        chain.failing = {
            (stale.grant, stale.index): "OrderStale",
            (refused.grant, refused.index): "AheadOfClock",
            (foreign.grant, foreign.index): "SignatureInvalid",
        }
        await r.until(lambda: chain.batches)
        chain.failing = {}
        await trio.sleep(40)
        refs = {(one.ref.grant, one.ref.index) for one in watching}
        seconds = {place: chain.state.sessions[place].seconds for place in refs - {
            (foreign.grant, foreign.index)}}  # fmt: skip
        assert min(seconds.values()) > 30
        assert watching[2].end_reason == "denied"


async def test_a_tick_for_which_the_block_is_too_full_goes_alone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        watching = await joined(r)
        one = watching[0].ref
        chain.failing = {(one.grant, one.index): "BlockFull"}
        await r.until(lambda: chain.batches)
        (order,) = (
            signed.order for signed in chain.batches[0] if signed.place == (one.grant, one.index)
        )
        await r.until(lambda: (one.grant, order) in chain.accepted)
        assert len(chain.batches) == 1


async def test_opens_and_closes_find_another_way_where_the_free_lane_is_full(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        chain.state.ledger.free_lane_full = True
        watching = await r.watch(await r.ready_viewer("Viewer"))
        ref = (watching.ref.grant, watching.ref.index)
        await r.until(lambda: ref in chain.state.sessions, seconds=10)
        assert kinds(chain) == [["Open"]]
        await trio.sleep(20)
        r.server.leave(watching)
        await r.until(lambda: ref not in chain.state.sessions, seconds=10)
        assert kinds(chain) == [["Open"], ["Close"]]
        await r.until(lambda: r.closed(watching))
        assert r.earned() >= 15


async def test_an_open_that_blocks_leave_in_the_pool_goes_another_way(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        ref = await held(r, chain)
        began = trio.current_time()
        await r.until(lambda: ref in chain.state.sessions)
        assert 6 <= trio.current_time() - began <= 10
        assert kinds(chain) == [["Open"]]


async def test_what_a_batch_cannot_bring_begins_again_in_the_free_lane(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        ref = await held(r, chain)
        chain.failing = {ref: "OpenTooSoon"}
        await r.until(lambda: chain.batches)
        failed = trio.current_time()
        chain.failing = {}
        await r.until(lambda: ref in chain.state.sessions)
        assert kinds(chain) == [["Open"], ["Open"]]
        assert trio.current_time() - failed > 6


async def test_without_a_crowd_opens_and_closes_are_free(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        watching = await r.watch(await r.ready_viewer("Viewer"))
        await trio.sleep(20)
        r.server.leave(watching)
        await r.until(lambda: r.closed(watching))
        assert not chain.batches


def kinds(chain: BatchingChain) -> list[list[str]]:
    """Name the orders of the batches that came."""
    return [[type(signed.order).__name__ for signed in batch] for batch in chain.batches]


async def test_what_is_in_a_batch_was_journaled_before(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        await joined(r)
        await r.until(lambda: chain.batches)
        await r.crash()
        batch = chain.batches[-1]
        async with open_journal(r.path, inline=True) as journal:
            orders = {(each.grant, each.index, each.lane): each for each in journal.load().orders}
        for signed in batch:
            kept = orders[*signed.place, 1]
            assert kept.signature is not None
            if kept.body == encode_order(signed.order):
                assert kept.signature == signed.signature
        await r.start()
        await trio.sleep(60)
        assert min(session.seconds for session in chain.state.sessions.values()) > 40


async def test_more_ticks_than_a_batch_carries_go_in_several_of_one_block(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with crowd(tmp_path) as (r, chain):
        most = chain.constants.batch_orders_max
        chain.constants = msgspec.structs.replace(chain.constants, batch_orders_max=10)
        assert most > 2 * VIEWERS  # or it would need several anyway
        await joined(r, 2 * VIEWERS)
        await trio.sleep(60)
        by_block = Counter(chain.batch_blocks)
        assert max(by_block.values()) > 1
        assert all(len(batch) <= 10 for batch in chain.batches)
        assert min(session.seconds for session in chain.state.sessions.values()) > 40
