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
from offchain.relayer.belief import LINKED_BLOCKS_MAX, Belief
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


class Chained:
    """A node with a chain of blocks, named by their numbers; some are another chain's."""

    def __init__(self, height: int, *, forked_at: int = 1_000_000) -> None:
        self.asked = 0
        self.names = [f"{'f' if number >= forked_at else 'b'}{number}" for number in range(height)]

    @property
    def best(self) -> Head:
        return self._at(len(self.names) - 1)

    def _at(self, number: int) -> Head:
        return Head(number=number, hash=self.names[number], parent_hash=self.names[number - 1])

    async def is_syncing(self) -> bool:
        return False

    async def block_hash(self, number: int) -> str | None:
        return f"b{number}"  # as the other node says, behind the same address

    async def head(self, block_hash: str) -> Head:
        self.asked += 1
        return self._at(int(block_hash[1:]))


async def test_a_block_is_followed_back_to_what_is_final_whoever_answers() -> None:
    belief, node = Belief(), Chained(30)
    belief.note(Head(number=20, hash="b20", parent_hash="b19"))
    await belief.follow(node, node.best)
    assert node.asked == 8
    await belief.follow(node, node.best)
    node.names.append("b30")
    await belief.follow(node, node.best)
    assert node.asked == 8, "what is known to stand on it is not read again"
    assert await belief.trail(node, node.best, 25) == {n: f"b{n}" for n in range(21, 31)}
    assert await belief.trail(node, node.best, 17) == {n: f"b{n}" for n in range(18, 31)}
    for forked_at in (1, 20):
        liar = Chained(32, forked_at=forked_at)
        with pytest.raises(NodeDisagrees, match="block 20 is f20"):
            await belief.follow(liar, liar.best)
        with pytest.raises(NodeDisagrees, match="block 20 is f20"):
            await belief.trail(liar, liar.best, 22)
    belief.note(node.best)
    with pytest.raises(NodeDisagrees, match="block 30 is f30"):
        await belief.follow(Chained(31, forked_at=21), Chained(31, forked_at=21).best)


async def test_a_header_that_is_not_the_one_asked_for_is_no_link() -> None:
    class Swapping(Chained):
        async def head(self, block_hash: str) -> Head:
            return Head(number=22, hash="b22", parent_hash="b21")

    belief, node = Belief(), Swapping(26, forked_at=21)
    belief.note(Head(number=20, hash="b20", parent_hash="b19"))
    with pytest.raises(NodeDisagrees, match="block 24 is b22"):
        await belief.follow(node, node.best)


async def test_what_is_too_far_to_be_followed_is_compared_by_its_number() -> None:
    belief, node = Belief(), Chained(LINKED_BLOCKS_MAX + 3)
    belief.note(Head(number=1, hash="b1", parent_hash="b0"))
    await belief.follow(node, node.best)
    assert await belief.trail(node, node.best, 1) == {}
    assert node.asked == 0
    belief.final = FinalBlock(number=1, hash="another")
    with pytest.raises(NodeDisagrees, match="block 1 is b1"):
        await belief.follow(node, node.best)


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
