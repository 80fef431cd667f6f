"""Two at the same work: a leader that does not know that it is none, and a lock that locks nothing.

Each comment names the failure; `docs/failures-of-others.md` has them all.
"""

from __future__ import annotations

import pytest
import trio

from offchain.journal import JournalLocked, open_journal
from tests.simulation.disk import Disk
from tests.simulation.process import RelayerProcess
from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


def copied(w: World) -> Disk:
    """Give a machine whose disk is a copy of the relayer's as it is now."""
    directory = w.disk.directory.parent / "copy"
    directory.mkdir(mode=0o700)
    for path in w.disk.files():
        (directory / path.name).write_bytes(path.read_bytes())
    return Disk(directory, w.chance.stream("copied disk"))


# lightningnetwork/lnd 8913: cut off from those who elected it, the old leader goes on beside the
# new one. Here both have the same keys, and each a journal that calls the sessions its own.
def test_an_old_relayer_that_goes_on_beside_its_copy_costs_no_second_twice() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready(sessions_max=2)
        first = await viewer.watch()
        await trio.sleep(20)
        new = RelayerProcess(
            w.nodes,
            w.network,
            copied(w),
            w.story,
            w.chance.stream("nodes of the copy"),
            fail=w.judges.fail,
        )
        new.keyring = w.relayer.keyring
        w.nursery.start_soon(new.supervise)
        await new.started()
        w.network.cut(lambda wire: True)  # the media server goes over, and the old one lives on
        await trio.sleep(90)
        assert w.relayer.up
        assert new.up
        again = await viewer.watch()  # should the old one have closed what it heard no more of
        await trio.sleep(30)
        for watching in (first, again):
            watching.end("left")
        await trio.sleep(70)
        for watching in (first, again):
            # the old one closes with what it had heard; what came since the last tick is lost
            assert w.unpaid_s(watching) < 8, w.unpaid_s(watching)
        await w.end()
        assert not w.relayer.mishaps + new.mishaps

    play(tale)


# OffchainLabs/nitro 3511: whether the lock could be had is looked at, and it is never taken.
def test_a_second_relayer_does_not_start_on_a_journal_that_is_in_use() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        journal = w.disk.directory / "journal.sqlite"
        with pytest.raises(JournalLocked):
            async with open_journal(journal):
                raise AssertionError("both have it")
        await trio.sleep(12)
        assert w.charged(watching) >= 15
        w.relayer.keep_down = True
        w.relayer.kill("now")
        await w.relayer.stopped()
        async with open_journal(journal) as taken:  # the lock dies with its process
            assert taken.load().sessions
        w.relayer.allow()
        await w.relayer.started()
        await w.end()

    play(tale)
