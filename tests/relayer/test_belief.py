"""Which node is believed: what was final before a restart is final after it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offchain.journal import FinalBlock
from offchain.ledger.errors import NodeBehind, NodeDisagrees
from offchain.ledger.types import Head
from offchain.relayer import readiness
from offchain.relayer.belief import Belief
from offchain.relayer.metrics import Answers
from tests.relayer.fake_chain import FINAL_LAG, FakeChain
from tests.relayer.rig import RATE, Rig, rig


async def another_fork(made: Rig, *, longer_by: int) -> FakeChain:
    """Give a chain that is as long as the rig's and more, all of other blocks, with its streams."""
    chain = FakeChain()
    chain.add_stream(1, rate=RATE)
    chain._forks = 7
    while len(chain.canonical) < len(made.chain.canonical) + longer_by:
        await chain.make_block(made.chain.best.state.now_ms)
    return chain


async def test_a_node_with_another_block_where_one_was_final_is_not_believed_after_a_restart(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(tmp_path) as made:
        await trio.sleep(30)
        await made.crash()
        known = made.chain
        made.chain = await another_fork(made, longer_by=FINAL_LAG + 40)
        made.nursery.start_soon(made.chain.run)
        await made.nursery.start(made._run)
        await trio.sleep(10)
        core = made.relayer.core
        final = core.book.final
        assert final is not None
        assert not core.view.usable
        why = readiness.failing(core, linked=True)["chain"]
        assert f"its block {final.number} is" in why
        assert final.hash in why
        assert core.counters["nodes_disagreed"] == 1
        assert sum("event=node-disagrees" in each for each in caplog.messages) == 1
        # the right one comes back
        made.chain = known
        core.chain = core.view.chain = known
        await trio.sleep(30)
        assert core.view.usable
        assert readiness.failing(core, linked=True) == {}


async def test_the_same_chain_is_believed_after_a_restart(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with rig(tmp_path) as made:
        await trio.sleep(30)
        await made.stop()
        await trio.sleep(30)
        await made.start()
        core = made.relayer.core
        assert core.view.belief.final is not None
        assert core.view.belief.final.hash == made.chain.canonical[core.view.belief.final.number]


class Asked:
    """A node that has some blocks."""

    def __init__(self, **blocks: str) -> None:
        self.blocks = {int(number[1:]): name for number, name in blocks.items()}

    async def is_syncing(self) -> bool:
        return False

    async def block_hash(self, number: int) -> str | None:
        return self.blocks.get(number)


async def test_a_block_that_is_missing_is_no_disagreement() -> None:
    belief = Belief()
    belief.note(Head(number=5, hash="0xaa", parent_hash="0x99"))
    best = Head(number=7, hash="0xcc", parent_hash="0xbb")
    await belief.check(Asked(n5="0xaa"), best)
    with pytest.raises(NodeBehind, match="no block 5"):
        await belief.check(Asked(), best)
    with pytest.raises(NodeDisagrees, match="block 5 is 0xab"):
        await belief.check(Asked(n5="0xab"), best)
    with pytest.raises(NodeBehind, match="below block 5"):
        await belief.check(Asked(), Head(number=4, hash="0x99", parent_hash="0x98"))


class New(Asked):
    """A node that was not used yet."""

    async def genesis_hash(self) -> str:
        return "0x00"

    async def best_head(self) -> Head:
        return Head(number=7, hash="0xcc", parent_hash="0xbb")


async def test_a_node_that_is_refused_for_its_fork_is_counted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Also where it never came into use, as after a restart."""
    async with rig(tmp_path) as made:
        core = made.relayer.core
        counted = "paystream_relay_nodes_disagreed_total"
        answers = Answers(core, lambda: True)
        assert f"\n{counted} 0.0\n" in answers.text().decode()
        core.belief.genesis_hash, core.belief.floor = "0x00", 0
        core.belief.final = FinalBlock(number=5, hash="0xaa")
        with pytest.raises(NodeBehind):
            await core.belief.admit(New())
        for _ in range(2):
            with pytest.raises(NodeDisagrees):
                await core.belief.admit(New(n5="0xab"))
        await core.belief.admit(New(n5="0xaa"))
        core.count("nodes_disagreed")
        assert f"\n{counted} 3.0\n" in answers.text().decode()
