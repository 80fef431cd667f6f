"""The commands against a real node, a real relayer and a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain.cli.exits import Exit
from offchain.keys import dev_key, fresh_key
from offchain.ledger.client import Ledger, open_ledger
from offchain.ledger.errors import OrderRefused
from offchain.ledger.orders import Tick
from tests.system.node_process import REPOSITORY, NodeProcess, free_port
from tests.system.test_ledger_client import RATE, give

pytestmark = pytest.mark.system

UNIT = 10**12
READY_S = 60.0


@dataclass
class Shell:
    """Runs commands with a home of their own; ends what it started."""

    home: Path
    chain: str
    port: int = field(default_factory=free_port)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "XDG_CONFIG_HOME": str(self.home),
            "PAYSTREAM_STATE_DIR": str(self.home / "state"),
            "PAYSTREAM_PASSWORD_FILE": str(self.home / "password"),
            "PAYSTREAM_CHAIN": self.chain,
            "PAYSTREAM_SERVER": f"http://127.0.0.1:{self.port}",
            "PYTHONUNBUFFERED": "1",
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "offchain.cli", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def data(self, *arguments: str) -> Any:
        ran = self.run(*arguments, "--json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def refused(self, code: Exit, *arguments: str) -> str:
        ran = self.run(*arguments)
        assert ran.returncode == code, f"{ran.returncode}: {ran.stdout}{ran.stderr}"
        errors = [line for line in ran.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert "Traceback" not in ran.stderr
        return errors[0]

    def start(self, event: str, *arguments: str) -> subprocess.Popen[str]:
        """Start what runs on, and wait until it says that it is ready."""
        log = (self.home / f"{arguments[0]}.log").open("w")
        with log:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd=REPOSITORY,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (self.home / f"{arguments[0]}.log").read_text()
        assert json.loads(line)["event"] == event
        return process

    def end(self, process: subprocess.Popen[str], number: signal.Signals) -> int:
        """Ask a process to end; it has five seconds, and some for a machine that is busy."""
        asked = time.monotonic()
        process.send_signal(number)
        code = process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
        self.started.remove(process)
        assert time.monotonic() - asked < 10
        return code

    def end_all(self) -> None:
        for process in list(self.started):
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def shell(node: NodeProcess, tmp_path: Path) -> Iterator[Shell]:
    password = tmp_path / "password"
    password.write_text("correct horse battery staple\n")
    password.chmod(0o600)
    made = Shell(tmp_path, node.url)
    yield made
    made.end_all()


def test_a_streams_life(shell: Shell) -> None:
    owner, other = ("--key", "//Ferdie"), dev_key("Eve").address
    shares = ("--payee", "//Ferdie=75%", "--payee", f"{other}=25%")
    create = ("stream", "create", "--rate", "0.002 UNIT", *shares, *owner)
    dry = shell.data(*create, "--dry-run")
    assert dry["fee"] > 0
    made = shell.data(*create)
    stream = str(made["stream"])
    assert made["finalized"] is True
    assert made["rate_per_second"] == UNIT // 500
    # the estimate and what was paid are of one size; the length of the encoding may differ a bit
    assert abs(made["fee"] - dry["fee"]) < dry["fee"]
    shown = shell.data("stream", "show", stream)
    assert [each["share_ppm"] for each in shown["payees"]] == [750_000, 250_000]
    assert shell.data("stream", "pause", stream, *owner)["status"] == "Paused"
    assert "paused already" in shell.refused(Exit.REFUSED, "stream", "pause", stream, *owner)
    assert shell.data("stream", "resume", stream, *owner)["status"] == "Active"
    assert "belongs to" in shell.refused(Exit.REFUSED, "stream", "pause", stream, "--key", "//Eve")
    listed = shell.data("stream", "list", "--account", "//Ferdie")["streams"]
    assert made["stream"] in [each["stream"] for each in listed]
    assert "nothing to claim" in shell.refused(Exit.REFUSED, "claim", "--stream", stream, *owner)
    assert shell.data("stream", "end", stream, "--yes", *owner)["status"] == "Ended"


def test_a_vaults_life(shell: Shell) -> None:
    shell.data("keys", "import", "viewer", "--dev", "Eve")
    key = ("--key", "viewer")
    before = shell.data("vault", "show", "--account", "viewer")
    told = shell.data("vault", "deposit", "3 UNIT", *key)
    assert told["vault_after"] == before["vault"] + 3 * UNIT
    after = shell.data("vault", "show")
    assert int(after["free"]) == int(before["free"]) - 3 * UNIT - told["fee"]
    assert shell.data("vault", "withdraw", "0.5 UNIT", *key)["amount"] == UNIT // 2
    assert "more than" in shell.refused(Exit.REFUSED, "vault", "withdraw", "9999 UNIT", *key)
    assert "at most" in shell.refused(Exit.REFUSED, "vault", "deposit", "2000000 UNIT", *key)
    (shell.home / "password").write_text("wrong")
    assert "password" in shell.refused(Exit.KEYS, "vault", "withdraw", "1 UNIT", *key)


def test_no_chain_no_server_and_no_traceback(shell: Shell) -> None:
    nowhere = ("--chain", f"ws://127.0.0.1:{free_port()}")
    assert "paystream node" in shell.refused(Exit.CHAIN, "stream", "list", *nowhere)
    assert "paystream node" in shell.refused(Exit.CHAIN, "relay", *nowhere, "--chain-wait", "0")
    watch = ("watch", "--stream", "0", "--key", "//Eve")
    assert "paystream serve" in shell.refused(Exit.SERVER, *watch)


@pytest.mark.media
def test_the_whole_way_by_commands(shell: Shell) -> None:
    stream = str(shell.data("stream", "create", "--rate", "0.001 UNIT", "--key", "//Bob")["stream"])
    relay = shell.start("ready", "relay")
    serve = shell.start("ready", "serve", "--listen", f"127.0.0.1:{shell.port}")
    beside = shell.data("relay", "--dry-run", "--batch-account", "//Ferdie")
    states = {each["name"]: each["state"] for each in beside["checks"]}
    assert {name for name, state in states.items() if state != "ok"} <= {
        "Journal", "Socket", "Disk space",
    }  # fmt: skip
    assert (states["Journal"], states["Batch account"]) == ("warning", "ok")
    assert "journal" in shell.refused(Exit.MACHINE, "relay", "--socket", str(shell.home / "other"))
    taken = shell.refused(Exit.MACHINE, "serve", "--listen", f"127.0.0.1:{shell.port}")
    assert "in use" in taken

    checks = {each["name"]: each for each in shell.data("doctor")["checks"]}
    assert {name for name, each in checks.items() if each["state"] == "failed"} == set()
    assert "in use by the relayer" in checks["Journal"]["found"]

    publish = shell.start("live", "publish", "--stream", stream, "--key", "//Bob")
    watch = ("watch", "--stream", stream, "--key", "//Charlie", "--seconds", "8", "--count-only")
    unpaid = shell.refused(Exit.SERVER_REFUSED, *watch)
    assert "--deposit AMOUNT --cap AMOUNT" in unpaid
    seen = shell.data(*watch, "--deposit", "1 UNIT", "--cap", "1 UNIT")
    assert seen["end_reason"] == "seconds"
    assert seen["watched_ms"] > 6_000
    status = shell.data("status")
    assert (status["chain"]["ok"], status["server"]["ok"], status["relayer"]["ok"]) == (True,) * 3
    assert status["server"]["publishers"] == 1

    closed = shell.data("session", "close", seen["session"], "--key", "//Charlie")
    assert closed["status"] == "closed"
    history = shell.data("session", "list", "--history", "--key", "//Charlie")["sessions"]
    mine = next(each for each in history if each["session"] == seen["session"])
    assert mine["paid"] == mine["paid_seconds"] * UNIT // 1000
    assert mine["paid_seconds"] * 1000 <= mine["delivered_ms"] <= seen["watched_ms"] + 500

    assert shell.end(publish, signal.SIGINT) == 0
    claimed = shell.data("claim", "--stream", stream, "--key", "//Bob")
    assert claimed["claimed"] == mine["paid"]
    agreed = shell.data("reconcile", "--stream", stream, "--delivered", "--key", "//Bob")
    assert agreed["reconciled"] is True
    assert agreed["sessions"][0]["paid"] == mine["paid"]
    grants = shell.data("grant", "list", "--account", "//Charlie")["grants"]
    grant = str(next(each["grant"] for each in grants if not each["open"]))
    assert shell.data("grant", "revoke", grant, "--key", "//Charlie")["deleted"] is True

    assert shell.end(serve, signal.SIGTERM) == 0
    assert shell.end(relay, signal.SIGTERM) == 0
    alone = shell.data("relay", "--dry-run")
    assert all(each["state"] in {"ok", "warning"} for each in alone["checks"])
    assert next(each for each in alone["checks"] if each["name"] == "Socket")["state"] == "ok"
    (shell.home / "password").write_text("another")
    assert "password" in shell.refused(Exit.KEYS, "relay")


async def age(ledger: Ledger, grant: int, index: int) -> None:
    """Let a session that has ended be past its window: its ten minutes are too long to wait for.

    The chain's superuser writes into its entry that all of it was so much earlier.
    """
    entry = await ledger.session(grant, index)
    assert entry is not None
    assert entry.ended_at <= await ledger.now_ms()
    key = ledger.runtime.key("PayStream", "Sessions", grant, index)
    value = bytes.fromhex((await ledger.rpc.call("state_getStorage", [key])).removeprefix("0x"))
    for moment in {entry.started_at, entry.billed_until, entry.ticked_at, entry.ended_at}:
        earlier = moment - ledger.constants.settlement_window_ms
        value = value.replace(moment.to_bytes(8, "little"), earlier.to_bytes(8, "little"))
    call = await ledger.compose("System", "set_storage", {"items": [(key, "0x" + value.hex())]})
    await ledger.submit_signed(ledger.calls.as_operator(call), dev_key("Alice"), wait="finalized")


async def test_a_session_that_nobody_closed_is_settled_by_anyone(shell: Shell) -> None:
    viewer = dev_key("Ferdie")
    async with open_ledger(shell.chain) as ledger:
        v = await give(ledger, viewer, UNIT, fresh_key())
        await v.open(seconds=100)
        await v.wait_for_room(0, 10)
        await v.send(Tick(index=0, seconds=10))
        entry = await ledger.session(v.grant, 0)
        assert entry is not None
        # by nobody: no key, no account, no fee
        named = ("session", "settle", "--grant", str(v.grant), "--index", "0")
        with pytest.raises(OrderRefused, match="WindowOpen"):
            await ledger.settle(v.grant, 0)
        assert "is running" in await trio.to_thread.run_sync(shell.refused, Exit.REFUSED, *named)
        await ledger.revoke(viewer, v.grant)
        early = await trio.to_thread.run_sync(shell.refused, Exit.REFUSED, *named)
        assert "may still close it" in early
        await age(ledger, v.grant, 0)
        vault = await ledger.vault(viewer.address)
        dry = await trio.to_thread.run_sync(shell.data, *named, "--dry-run")
        assert (dry["viewer"], dry["paid"]) == (viewer.address, 10 * RATE)
        told = await trio.to_thread.run_sync(shell.data, *named)
        assert (told["refunded"], told["grant_ends"]) == (dry["refunded"], dry["grant_ends"])
        assert told["refunded"] == entry.funds - 10 * RATE
        assert (told["account"], told["fee"], told["grant_ends"]) == (None, 0, True)
        assert await ledger.vault(viewer.address) == vault + told["refunded"]
        gone = await trio.to_thread.run_sync(shell.refused, Exit.REFUSED, *named)
        assert f"no grant {v.grant}" in gone


async def test_the_last_claim_of_a_stream_needs_nobody(shell: Shell) -> None:
    owner = dev_key("Eve")
    async with open_ledger(shell.chain) as ledger:
        stream, _ = await ledger.create_stream(owner, rate_per_second=RATE)
        with pytest.raises(OrderRefused, match="ClaimNotLast"):
            await ledger.claim_last(stream)
        await ledger.end_stream(owner, stream)
        told = await trio.to_thread.run_sync(shell.data, "claim", "--stream", str(stream))
        assert (told["account"], told["fee"], told["claimed"]) == (None, 0, 0)
        assert await ledger.stream(stream) is None


async def test_what_reconcile_names_it_sends_once(shell: Shell) -> None:
    viewer = dev_key("Eve")
    async with open_ledger(shell.chain) as ledger:
        v = await give(ledger, viewer, UNIT, fresh_key())
        await v.open(seconds=100)
        await v.wait_for_room(0, 10)
        await v.send(Tick(index=0, seconds=10))
        entry = await ledger.session(v.grant, 0)
        assert entry is not None
        mend = ("reconcile", "--stream", str(entry.stream), "--mend", "--yes", "--key", "//Dave")
        await ledger.revoke(viewer, v.grant, wait="finalized")
        early = await trio.to_thread.run_sync(shell.run, *mend, "--json")
        assert early.returncode == Exit.FAILED, early.stderr
        assert "only its viewer's key" in json.loads(early.stdout)["sent"][0]["problem"]
        await age(ledger, v.grant, 0)
        vault, dave = await ledger.vault(viewer.address), dev_key("Dave").address
        paid_from = await ledger.balance(dave)
        told = await trio.to_thread.run_sync(shell.data, *mend)
        (sent,) = told["sent"]
        assert (sent["session"], sent["sent"]) == (f"{v.grant}-0", True)
        assert (told["reconciled"], told["mends"]) == (True, [])
        assert await ledger.vault(viewer.address) == vault + entry.funds - 10 * RATE
        assert await ledger.balance(dave) == paid_from - sent["fee"]
        again = await trio.to_thread.run_sync(shell.data, *mend)
        assert (again["sent"], again["reconciled"]) == ([], True)
