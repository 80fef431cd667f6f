"""Four validators on the loopback: an author that stops, finality that lags, an upgrade, and ticks
that reach a node before the block that they were signed by."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import IO, Any

import pytest
import trio

from loopback_network.network import Network
from loopback_network.validator import Validator
from main_job.video import demo_clip
from offchain.keys import dev_key
from offchain.ledger import Tick, open_ledger
from offchain.ledger.errors import OrderRefused
from offchain.ledger.types import Head
from offchain.reconcile import judge
from tests.system.node_process import node_binary
from tests.system.test_demo import ROOT, environment
from tests.system.test_ledger_client import Viewing, give
from tests.system.test_upgrade import RUNTIMES, VERSION, upgrade

pytestmark = pytest.mark.demo

VALIDATORS = 4
UNIT = 10**12
BEFORE = 3
"""The version with which the network begins: the newest earlier one that `tests/data` has."""
SLOT_MS = 2_000
LAG_BLOCKS = 4
"""So many blocks are not final while two of four are away, before they are let go on."""
GOSSIP_S = 0.5
"""What a transaction has to be at all peers of a node."""
PATIENCE_S = 90


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """All tests use it, in their order: the first upgrades it from an earlier runtime."""
    directory = tmp_path_factory.mktemp("network")
    blob = RUNTIMES / f"paystream_runtime_{BEFORE}.wasm.zst"
    with Network(VALIDATORS, directory, node_binary(), blob) as running:
        yield running


@pytest.fixture(autouse=True)
def _all_go_on(network: Network) -> Iterator[None]:
    yield
    for each in network.validators:
        each.go_on()


@pytest.fixture
def upgraded(network: Network) -> Network:
    """The network with this version's runtime, also where the first test did not run."""
    first = network.validators[0]
    if version_at(first) != VERSION:
        trio.run(upgrade_on, first.url, this_versions_code())
        until(lambda: version_at(first) == VERSION, "the new runtime is not there")
    return network


def version_at(validator: Validator) -> int:
    return int(validator.ask("state_getRuntimeVersion")["specVersion"])


def until(said: Callable[[], bool], what: str) -> None:
    """Wait until something holds of the network."""
    deadline = time.monotonic() + PATIENCE_S
    while not said():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def this_versions_code() -> str:
    """The runtime's blob in hexadecimal digits, as the node has it."""
    exported = subprocess.run(
        [str(node_binary()), "export-chain-spec", "--chain", "local"],
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return str(json.loads(exported.stdout)["genesis"]["runtimeGenesis"]["code"])


async def upgrade_on(url: str, code: str) -> int:
    async with open_ledger(url) as ledger:
        return await upgrade(ledger, code)


def read_until(lines: IO[str], word: str) -> None:
    said = []
    for line in lines:
        said.append(line)
        if word in line:
            return
    raise AssertionError("".join(said))


def test_an_upgrade_reaches_all_and_who_was_away_for_it(network: Network) -> None:
    first, *_, last = network.validators
    assert {version_at(each) for each in network.validators} == {BEFORE}
    last.hold()
    upgraded = trio.run(upgrade_on, first.url, this_versions_code())
    until(lambda: first.finalized() > upgraded, first.complaint("does not go on"))
    last.go_on()
    until(lambda: last.finalized() > upgraded, last.complaint("does not catch up"))
    assert {version_at(each) for each in network.validators} == {VERSION}


def test_the_demo_reconciles_without_an_author(upgraded: Network) -> None:
    """In an asset with six decimals. It stops while the viewer watches, and stays away."""
    first, *_, last = upgraded.validators
    demo_clip()
    command = [sys.executable, "-m", "main_job", "--json", "--seconds", "20", "--asset", "usd"]
    command += ["--chain", first.url]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            assert demo.stderr is not None
            read_until(demo.stderr, "delivered")
            last.hold()
            output, said = demo.communicate(timeout=PATIENCE_S * 3)
        finally:
            demo.kill()
    assert demo.returncode == 0, said
    report: dict[str, Any] = json.loads(output)
    assert report["reconciled"] is True
    assert judge(report, killed=False) == []
    assert last.ended() is False


def test_finality_waits_for_two_thirds_and_comes_back(network: Network) -> None:
    first, second, *others = network.validators
    for each in others:
        each.hold()
    # What was voted for before may still become final.
    time.sleep(2 * SLOT_MS / 1000)
    best, final = first.best(), first.finalized()
    until(lambda: first.best() >= best + LAG_BLOCKS, "two of four write no blocks")
    assert first.finalized() == second.finalized() == final
    for each in others:
        each.go_on()
    for each in network.validators:
        until(lambda: each.finalized() >= best + LAG_BLOCKS, each.complaint("finalizes nothing"))  # noqa: B023
    hashes = {each.ask("chain_getBlockHash", best + LAG_BLOCKS) for each in network.validators}
    assert len(hashes) == 1


@asynccontextmanager
async def watching(validator: Validator) -> AsyncIterator[Viewing]:
    async with open_ledger(validator.url) as ledger:
        yield await give(ledger, dev_key("Charlie"), 10 * UNIT)


async def test_a_node_a_block_behind_takes_what_the_next_block_allows(upgraded: Network) -> None:
    """Its clock says a slot less than its neighbour's, by which the tick was signed."""
    async with watching(upgraded.validators[0]) as viewing:
        await viewing.open()
        await viewing.wait_for_room(0, 6)
        total, _ = await _allowed(viewing, await viewing.ledger.best_head())
        total += SLOT_MS // 1000
        order = Tick(index=0, seconds=total)
        signature = viewing.sign(order)
        receipt = await viewing.ledger.watch_order(viewing.grant, order, signature)
        assert receipt.event("Ticked").fields["amount"] > 0
        far = Tick(index=0, seconds=total + 60)
        with pytest.raises(OrderRefused) as refused:
            await viewing.submit(far)
        assert refused.value.reason == "AheadOfClock"


async def _allowed(viewing: Viewing, head: Head) -> tuple[int, int]:
    """The highest total of the session that a block's clock allows, and what the ledger has."""
    session = await viewing.ledger.session(viewing.grant, 0, at=head.hash)
    assert session is not None
    now_ms = await viewing.ledger.now_ms(at=head.hash)
    return session.seconds + (now_ms - session.billed_until) // 1000, session.seconds


async def test_a_tick_that_comes_before_its_block_is_in_a_block_of_who_had_not_seen_it(
    upgraded: Network,
) -> None:
    """The last validator stands still while a block is made and a tick is signed by it. Then it is
    alone: it hears the tick, and has nobody to ask for the block."""
    first, *others, last = upgraded.validators
    async with watching(first) as viewing, open_ledger(last.url) as there:
        await viewing.open()
        await viewing.wait_for_room(0, viewing.ledger.constants.min_tick_seconds + 1)
        until(lambda: last.best() == first.best(), last.complaint("lags"))
        last.hold()
        async with viewing.ledger.heads("best") as heads:
            await anext(heads)
            head = await anext(heads)
        for each in others:
            each.hold()
        total, _ = await _allowed(viewing, head)
        await viewing.submit(Tick(index=0, seconds=total))
        await trio.sleep(GOSSIP_S)
        first.hold()
        last.go_on()
        with trio.fail_after(PATIENCE_S):
            async with there.heads("best") as heads:
                async for mine in heads:
                    session = await there.session(viewing.grant, 0, at=mine.hash)
                    assert mine.hash != head.hash, "it was to be without that block"
                    if session is not None and session.seconds == total:
                        break
        for each in upgraded.validators:
            each.go_on()
        # Nobody has turned anybody away for it, and they agree again.
        until(lambda: all(_has_peers(each) for each in upgraded.validators), "peers are lost")
        until(lambda: first.finalized() > head.number, first.complaint("finalizes nothing"))


def _has_peers(validator: Validator) -> bool:
    return validator.peers() == VALIDATORS - 1
