"""A journal that was lost, or put back from an older copy: it costs tails, and no slots."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from offchain.keys.signer import dev_key, key_of_seed
from offchain.relayer.keyring import MemoryKeyring
from tests import model
from tests.model import orders as model_orders
from tests.simulation.disk import Disk
from tests.simulation.media_server import MediaServer, Watching
from tests.simulation.network import Network
from tests.simulation.node import Node, dropped, nothing_against
from tests.simulation.process import RelayerProcess
from tests.simulation.scenarios.stage import play
from tests.simulation.world import RATE, World

NAMES = ("Alice", "Charlie", "Dave")


async def three_watch(w: World) -> list[Watching]:
    """Let three viewers watch for a minute."""
    viewers = [await w.viewer(name).ready() for name in NAMES]
    watchings = [await viewer.watch() for viewer in viewers]
    await trio.sleep(60)
    return watchings


async def restart_with(w: World, files: dict[Path, bytes]) -> None:
    """Kill the relayer, and start it on other files of its journal."""
    w.relayer.keep_down = True
    w.relayer.kill("now")
    await w.relayer.stopped()
    for path in w.disk.directory.glob("*.sqlite*"):
        path.unlink()
    for path, content in files.items():
        path.write_bytes(content)
        path.chmod(0o600)
    w.relayer.allow()
    await w.relayer.started()


def free_again(w: World) -> None:
    """Hold that every slot is free and every coin is somebody's."""
    ledger = w.chain.ledger()
    assert not ledger.sessions
    for grant in ledger.grants.values():
        assert not grant.open
        assert grant.cap_left + grant.spent == grant.cap


def test_a_journal_that_was_deleted_while_three_watched_costs_no_slot() -> None:
    async def tale(w: World) -> None:
        await three_watch(w)
        charged = sum(w.judges.charged.values())
        await restart_with(w, {})
        await trio.sleep(60)
        free_again(w)
        assert sum(w.judges.charged.values()) >= charged, "what was charged stays so"
        assert charged >= 3 * 45
        # the same grants, of the same keys, let them watch again
        for viewer in w.viewers:
            assert await viewer.sign_in() is not None
            watching = await viewer.watch()
            await trio.sleep(10)
            watching.end("left")
        assert [len(viewer.grants()) for viewer in w.viewers] == [1, 1, 1]
        await w.end()

    play(tale)


def test_an_older_journal_that_was_put_back_costs_no_slot() -> None:
    async def tale(w: World) -> None:
        early = await w.viewer("Alice").ready()
        first = await early.watch()
        await trio.sleep(10)
        copy = {path: path.read_bytes() for path in w.disk.files()}
        await trio.sleep(5)
        late = [await w.viewer(name).ready() for name in ("Charlie", "Dave")]
        for viewer in late:
            await viewer.watch()
        await trio.sleep(60)
        await restart_with(w, copy)
        await trio.sleep(60)
        # whom the copy knows goes on, and the others' slots are free
        assert not first.final, first.denied
        assert len(w.chain.ledger().sessions) == 1
        first.end("left")
        await trio.sleep(20)
        free_again(w)
        assert w.unpaid_s(first) < 3, w.unpaid_s(first)
        await w.end()

    play(tale)


def test_a_session_of_a_lost_journal_is_settled_after_its_window() -> None:
    async def tale(w: World) -> None:
        await three_watch(w)
        w.relayer.keep_down = True
        w.relayer.kill("now")
        await w.relayer.stopped()
        for path in w.disk.directory.glob("*.sqlite*"):
            path.unlink()
        await trio.sleep(600)  # gap and window are over
        w.relayer.allow()
        await w.relayer.started()
        await trio.sleep(60)
        free_again(w)
        await w.end()

    play(tale)


def _opened(ledger: model.Ledger, grant: int) -> model.Outcome:
    order = model_orders.Open(
        index=0, stream=1, rate_per_second=RATE, funds=100 * RATE, start_at=ledger.now
    )
    return ledger.submit(grant, order, ledger.grants[grant].key)


def test_sessions_of_other_relayers_are_left_alone() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer("Alice").ready()
        watching = await viewer.watch()
        stranger = w.viewer("Bob")
        w.chain.add_money("Bob", 3_600_000)
        stranger.grant(stranger.key.public_key)
        await w.blocks(1)
        (grant,) = stranger.grants()

        w.chain.call(lambda ledger: _opened(ledger, grant))
        await trio.sleep(200)
        assert (grant, 0) in w.chain.ledger().sessions
        assert w.relayer.relayer is not None
        assert "sessions_adopted" not in w.relayer.relayer.core.counters
        watching.end("left")
        await trio.sleep(20)

    play(tale, judged=("charged",))


async def _another_relayer(w: World, master: bytes) -> tuple[RelayerProcess, MediaServer]:
    """Start a relayer of somebody else's, with keys, journal and media server of its own."""
    directory = w.disk.directory.parent / "another"
    directory.mkdir(mode=0o700)
    disk = Disk(directory, w.chance.stream("disk of another"))
    network = Network(w.chance.stream("network of another"), w.story, w.nursery)
    numbers = w.chance.stream("nodes of another")
    nodes = [Node("node of another", w.chain)]
    process = RelayerProcess(nodes, network, disk, w.story, numbers, fail=w.judges.fail)
    process.keyring = MemoryKeyring(key_of_seed(master))
    process.batch_signer = dev_key("Ferdie")
    w.nursery.start_soon(process.supervise)
    await process.started()
    server = MediaServer("another", 1, network, w.story, w.nursery)
    server.watch = w.judges.watch
    server.start()
    return process, server


@pytest.mark.parametrize(("master", "adopted"), [(7, 0), (0, 1)], ids=["own keys", "same keys"])
def test_two_relayers_on_one_ledger_are_each_paid_and_adopt_what_is_of_their_keys(
    master: int, adopted: int
) -> None:
    async def tale(w: World) -> None:
        another, server = await _another_relayer(w, bytes([master] * 32))
        own = await w.viewer("Alice").ready()
        watching = [await own.watch()]
        others = await w.viewer("Charlie").ready(server=server)
        watching.append(await others.watch(server=server))
        await trio.sleep(30)
        w.node.refuses = dropped  # the first one's session looks like nobody's for a while
        await trio.sleep(90)
        w.node.refuses = nothing_against
        await trio.sleep(30)
        assert another.relayer is not None
        assert another.relayer.core.counters.get("sessions_adopted", 0) == adopted
        if not adopted:
            for each in watching:
                each.end("left")
            await trio.sleep(20)
            assert [w.unpaid_s(each) < 2 for each in watching] == [True, True]
            assert [w.charged(each) >= 60 for each in watching] == [True, True]
            assert not w.judges.open_sessions()
        another.keep_down = True
        another.kill("the end")
        await another.stopped()

    play(tale, judged=("charged", "credit", "written") if not adopted else ())
