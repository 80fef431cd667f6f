"""One viewer on two real chains at once: one relayer, one socket, two ledgers that agree."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain.keys.signer import dev_key
from offchain.ledger.client import Ledger, open_ledger
from tests.relayer.fake_chain import account
from tests.system.node_process import REPOSITORY, NodeProcess, node_binary
from tests.system.test_relayer import RATE, Meter, RelayerProcess

pytestmark = pytest.mark.system

NAMES = ("", "asia")


def another_chain(path: Path) -> Path:
    """Write a development chain's specification with another genesis: other balances."""
    command = [str(node_binary()), "export-chain-spec", "--chain", "dev"]
    done = subprocess.run(command, capture_output=True, check=True, cwd=path.parent, timeout=120)
    specification: dict[str, Any] = json.loads(done.stdout)
    specification |= {"name": "Asia", "id": "asia"}
    genesis = specification["genesis"]["runtimeGenesis"]
    genesis["patch"]["balances"]["balances"][0][1] += 1
    path.write_text(json.dumps(specification))
    return path


@pytest.fixture
def other_node(tmp_path: Path) -> Iterator[NodeProcess]:
    """A node of another chain."""
    process = NodeProcess(tmp_path / "other", chain=another_chain(tmp_path / "asia.json"))
    process.start()
    try:
        yield process
    finally:
        process.stop()


class OfTwo(RelayerProcess):
    """`paystream relay` that follows two chains."""

    def __init__(self, urls: tuple[str, str], directory: Path) -> None:
        super().__init__(urls[0], directory)
        self._other = urls[1]

    def launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    sys.executable, "-m", "offchain.cli", "relay", "--chain", self.url,
                    "--chain", f"asia={self._other}", "--state-dir", str(self.directory),
                    "--socket", str(self.socket), "--password-file", str(self.password),
                ],
                cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip


@contextmanager
def on(meter: Meter, chain: str) -> Iterator[Meter]:
    """Ask about one of the chains in this block. One at a time."""
    meter.chain = chain
    try:
        yield meter
    finally:
        meter.chain = ""


async def until_both_are_there(meter: Meter) -> None:
    await meter.until(lambda: meter.connected, 10)
    with trio.fail_after(30):
        for chain in NAMES:
            with on(meter, chain):
                while (await meter.response("info", {})).problem is not None:  # noqa: ASYNC110
                    await trio.sleep(0.2)


async def reconciled(ledger: Ledger, stream: int, session: dict[str, Any], vault: int) -> None:
    """Hold what the relayer says against the finalized ledger of its chain."""
    final = (await ledger.finalized_head()).hash
    entry = await ledger.stream(stream, at=final)
    assert entry is not None
    assert session["paid_seconds"] == session["delivered_ms"] // 1000
    assert entry.earned == session["paid_seconds"] * RATE == int(session["paid"])
    assert vault - await ledger.vault(account("Alice"), at=final) == entry.earned


async def test_one_viewer_watches_a_stream_on_each_of_two_chains(
    own_node: NodeProcess, other_node: NodeProcess, tmp_path: Path
) -> None:
    relayer = OfTwo((own_node.url, other_node.url), tmp_path / "state")
    async with open_ledger(own_node.url) as here, open_ledger(other_node.url) as there:
        assert here.genesis_hash != there.genesis_hash
        ledgers = dict(zip(NAMES, (here, there), strict=True))
        await relayer.start()
        try:
            async with trio.open_nursery() as nursery:
                meter = Meter(relayer, nursery)
                nursery.start_soon(meter.run)
                nursery.start_soon(meter.deliver)
                await until_both_are_there(meter)
                await _watch_both(meter, ledgers)
                nursery.cancel_scope.cancel()
        finally:
            if relayer.process is not None:
                assert relayer.end(signal.SIGTERM) == 0, relayer.log.read_text()
    assert "Traceback" not in relayer.log.read_text()
    assert "session=asia/0-0" in relayer.log.read_text()


async def _watch_both(meter: Meter, ledgers: dict[str, Ledger]) -> None:
    streams, tokens, vaults, names = {}, {}, {}, {}
    for chain, ledger in ledgers.items():
        streams[chain], _ = await ledger.create_stream(dev_key("Bob"), rate_per_second=RATE)
        with on(meter, chain):
            tokens[chain] = await meter.sign_in("Alice")
            await meter.pay(ledger, "Alice", tokens[chain], streams[chain])
            vaults[chain] = await ledger.vault(account("Alice"))
            names[chain] = await meter.watch(tokens[chain], streams[chain])
    assert streams[""] == streams["asia"] == 0
    refs = [meter.states[name]["session"] for name in names.values()]
    assert [str(ref) for ref in refs] == ["0-0", "asia/0-0"]
    await trio.sleep(15)
    assert meter.relayer.end(signal.SIGKILL) == -signal.SIGKILL
    await meter.relayer.start()
    await until_both_are_there(meter)
    await trio.sleep(15)
    meter.leave(names["asia"])
    with on(meter, "asia"):
        session = await meter.closed(tokens["asia"], names["asia"])
    await reconciled(ledgers["asia"], streams["asia"], session, vaults["asia"])
    assert session["delivered_ms"] == meter.states[names["asia"]]["delivered_ms"] >= 25_000
    # the other is being watched all the while
    await trio.sleep(6)
    meter.leave(names[""])
    session = await meter.closed(tokens[""], names[""])
    await reconciled(ledgers[""], streams[""], session, vaults[""])
    assert session["delivered_ms"] == meter.states[names[""]]["delivered_ms"]
    assert session["delivered_ms"] > meter.states[names["asia"]]["delivered_ms"] + 5_000
