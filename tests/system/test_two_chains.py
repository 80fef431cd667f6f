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

from offchain.journal import chains_in
from offchain.journal.leasing import LASTS_MS
from offchain.keys.signer import dev_key
from offchain.ledger.client import Ledger, open_ledger
from tests.journal.database import running
from tests.relayer.fake_chain import account
from tests.system.node_process import REPOSITORY, NodeProcess, node_binary
from tests.system.relayer_stage import write_secret
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

    def __init__(self, urls: tuple[str, str], directory: Path, *more: str) -> None:
        super().__init__(urls[0], directory)
        self._other = urls[1]
        self._more = more

    def launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    sys.executable, "-m", "offchain.cli", "relay", "--chain", self.url,
                    "--chain", f"asia={self._other}", "--state-dir", str(self.directory),
                    "--socket", str(self.socket), "--password-file", str(self.password),
                    *self._more,
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
    await _play(relayer, own_node, other_node)


async def test_the_same_with_a_database_a_signer_for_each_and_a_relayer_id(
    own_node: NodeProcess, other_node: NodeProcess, tmp_path: Path
) -> None:
    with running() as database, signer(tmp_path, "here") as here, signer(tmp_path, "there") as asia:
        url = tmp_path / "journal-url"
        write_secret(url, database.fresh())
        relayer = OfTwo(
            (own_node.url, other_node.url), tmp_path / "state", "--relayer-id", "one",
            "--journal-url-file", str(url), "--signer", str(here), "--chain-signer", f"asia={asia}",
        )  # fmt: skip
        await _play(relayer, own_node, other_node, back_after_s=LASTS_MS / 1000 + 1)
        assert chains_in(url.read_text()) == ["", "asia"]
    assert not list((tmp_path / "state").rglob("*.sqlite"))
    assert not (tmp_path / "state" / "delegates").exists()


@contextmanager
def signer(path: Path, name: str) -> Iterator[Path]:
    """Run a signer for the length of the block, and give its socket."""
    password, socket = path / f"{name}-password", path / f"{name}.sock"
    write_secret(password, "for tests only")
    with (path / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "offchain.cli", "signer", "--signer", str(socket),
                "--state-dir", str(path / name), "--password-file", str(password),
            ],
            cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), (path / f"{name}.log").read_text()
        yield socket
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


async def _play(
    relayer: OfTwo, own_node: NodeProcess, other_node: NodeProcess, *, back_after_s: float = 0
) -> None:
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
                await _watch_both(meter, ledgers, back_after_s)
                nursery.cancel_scope.cancel()
        finally:
            if relayer.process is not None:
                assert relayer.end(signal.SIGTERM) == 0, relayer.log.read_text()
    assert "Traceback" not in relayer.log.read_text()
    assert "session=asia/0-0" in relayer.log.read_text()


async def _watch_both(meter: Meter, ledgers: dict[str, Ledger], back_after_s: float) -> None:
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
    await trio.sleep(back_after_s)  # until then another life of its name lasts
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
