"""`paystream doctor`: each check tells what is wrong and how to mend it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import time
import tomllib
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from typer.testing import CliRunner

from offchain.cli import app
from offchain.cli.checks import Check, machine, running
from offchain.cli.exits import Exit
from offchain.cli.wallets import Names
from offchain.keys import Keystore
from offchain.ledger.errors import NodeUnreachable, WrongRuntime
from offchain.ledger.types import Clock, Head
from streaming.sfu.reach import Reach
from tests.cli.fake_ledger import FakeLedger

ROOT = Path(__file__).resolve().parents[2]


def state_of(check: Check) -> str:
    """A failure or a warning without a remedy is no help."""
    assert check.found
    assert check.remedy or check.state in {"ok", "skipped"}
    return check.state


def test_the_packages_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        name.split(operator)[0]: operator + name.split(operator)[1]
        for name in project["dependencies"]
        for operator in ("==", ">=")
        if operator in name
    }
    assert dict(machine.NEEDED) == wanted
    assert project["requires-python"] == ">=" + ".".join(map(str, machine.PYTHON_LEAST))


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("1.16.0", "==1.16.0", True),
        ("1.16", "==1.16.0", True),
        ("1.17.0", "==1.16.0", False),
        ("15.0.1", ">=15", True),
        ("3.9", ">=3.14", False),
        ("3.14.0rc1", ">=3.14", True),
        ("", ">=1", False),
    ],
)
def test_versions_are_compared_by_number(version: str, wanted: str, fits: bool) -> None:
    assert machine.version_fits(version, wanted) is fits


def test_missing_and_wrong_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = (("aiortc", "==0.0.1"), ("no-such-package", ">=1"))
    monkeypatch.setattr(machine, "NEEDED", needed)
    check = machine.packages()
    assert state_of(check) == "failed"
    assert "no-such-package is missing" in check.found
    assert "is not ==0.0.1" in check.found


def test_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("offchain.cli.node._folders", list)
    assert state_of(machine.ffmpeg()) == "warning"
    assert state_of(machine.node_program(None)) == "warning"
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o700)
    assert state_of(machine.ffmpeg()) == "warning"
    assert state_of(machine.node_program(broken)) == "ok"


def test_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def states(path: Path) -> list[str]:
        return [state_of(check) for check in machine.state_directory(path)]

    state = tmp_path / "state"
    assert states(state) == ["ok", "ok"]
    state.mkdir(mode=0o755)
    assert states(state)[0] == "failed"
    state.chmod(0o700)
    assert states(state)[0] == "ok"
    file = tmp_path / "file"
    file.write_text("")
    assert states(file)[0] == "failed"
    monkeypatch.setattr(machine, "FREE_MIB_LEAST", 1 << 40)
    assert states(state)[1] == "failed"


def test_the_journal_lock(tmp_path: Path) -> None:
    assert "none yet" in machine.journal_lock(tmp_path).found
    (tmp_path / "journal.sqlite").write_text("")
    assert "nobody" in machine.journal_lock(tmp_path).found
    lock = tmp_path / "journal.sqlite.lock"
    lock.write_text("4711\n")
    with lock.open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        check = machine.journal_lock(tmp_path)
    assert state_of(check) == "ok"
    assert "process 4711" in check.found


def test_the_keystore(tmp_path: Path) -> None:
    names = Names(tmp_path / "keys", None)
    assert state_of(machine.keystore(names)) == "warning"
    Keystore(names.keys_dir).new("good", "password")
    assert state_of(machine.keystore(names)) == "ok"
    damaged = names.keys_dir / "bad.json"
    damaged.write_text("{")
    damaged.chmod(0o600)
    check = machine.keystore(names)
    assert state_of(check) == "failed"
    assert str(damaged) in check.found


def test_network() -> None:
    assert state_of(machine.loopback_udp()) == "ok"
    assert state_of(machine.receive_buffer()) in {"ok", "warning"}


def test_media_addresses_are_tried_as_the_server_would(monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(machine.media_addresses(["127.0.0.1"], "127.0.0.1", None))
    assert [state_of(check) for check in found] == ["ok", "warning"]
    assert "only loopback" in found[1].found
    answers = [
        Reach("192.0.2.9", 40000, "unanswered", own=True),
        Reach("203.0.113.9", 40000, "unanswered", own=False),
        Reach("198.51.100.9", 40000, "open", own=True),
    ]
    monkeypatch.setattr("streaming.cli.try_media", lambda _config: answers)
    found = list(machine.media_addresses([], "0.0.0.0", (40000, 40009)))
    assert [state_of(check) for check in found] == ["failed", "warning", "ok"]
    assert "203.0.113.9" in found[1].found


@pytest.mark.parametrize(
    ("ahead_ms", "state"), [(0, "ok"), (6_000, "ok"), (9_000, "failed"), (-3_000, "failed")]
)
def test_the_clock(ahead_ms: int, state: str) -> None:
    assert state_of(running.clock(ahead_ms)) == state


class LiveLedger(FakeLedger):
    """A chain that makes a block at each look."""

    def __init__(self) -> None:
        super().__init__()
        self.height = 10
        self.stuck = False

    async def best_head(self) -> Head:
        return Head(number=self.height + 2, hash="0x12", parent_hash="0x11")

    async def finalized_head(self) -> Head:
        self.height += not self.stuck
        return Head(number=self.height, hash="0x10", parent_hash="0x09")

    @asynccontextmanager
    async def heads(self, kind: str) -> Any:
        yield self

    def __aiter__(self) -> LiveLedger:
        return self

    async def __anext__(self) -> Head:
        if self.stuck:
            await trio.sleep_forever()
        return Head(number=self.height + 3, hash="0x13", parent_hash="0x12")

    async def clock(self, *, at: str | None = None) -> Clock:
        return Clock(now_ms=int(time.time() * 1000) - 3_601_000, halted_ms=3_600_000)


def test_a_chain_that_advances(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = LiveLedger()
    monkeypatch.setattr("offchain.ledger.client.open_ledger", ledger.open)
    found = running.chain("ws://127.0.0.1:1")
    assert [check.name for check in found] == ["Chain", "Runtime", "Blocks", "Clock", "Finality"]
    assert [state_of(check) for check in found] == ["ok"] * 5


def test_a_chain_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = LiveLedger()
    ledger.stuck = True
    monkeypatch.setattr("offchain.ledger.client.open_ledger", ledger.open)
    monkeypatch.setattr(running, "BLOCK_WAIT_S", 0.01)
    monkeypatch.setattr(running, "FINALITY_WAIT_S", 0.01)
    states = {check.name: state_of(check) for check in running.chain("ws://127.0.0.1:1")}
    assert states == {
        "Chain": "ok",
        "Runtime": "ok",
        "Blocks": "failed",
        "Clock": "skipped",
        "Finality": "failed",
    }


@pytest.mark.parametrize(
    ("error", "failing"),
    [(NodeUnreachable("ws://x", "gone"), "Chain"), (WrongRuntime("x", 1, "none"), "Runtime")],
)
def test_a_chain_that_does_not_serve(
    monkeypatch: pytest.MonkeyPatch, error: Exception, failing: str
) -> None:
    @asynccontextmanager
    async def refuse(url: str, *, timeout_s: float) -> Any:
        raise error
        yield

    monkeypatch.setattr("offchain.ledger.client.open_ledger", refuse)
    failed = [each.name for each in running.chain("ws://x") if state_of(each) == "failed"]
    assert failed == [failing]


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_ports(listening: int) -> None:
    server = "http://127.0.0.1:1"
    first, port = running.server(server, f"127.0.0.1:{listening}")
    assert (state_of(first), state_of(port)) == ("failed", "failed")
    assert "not by PayStream" in port.found
    first, port = running.server(server, "127.0.0.1:0")
    assert state_of(port) == "ok"


def test_the_relayers_socket(tmp_path: Path) -> None:
    path = tmp_path / "relay.sock"
    assert state_of(running.relayer_socket(path)) == "failed"
    path.write_text("")
    assert "no socket" in running.relayer_socket(path).found
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        assert "nobody answers" in running.relayer_socket(path).found
        listener.listen()
        assert state_of(running.relayer_socket(path)) == "ok"
        path.chmod(0o666)
        assert "chmod 600" in running.relayer_socket(path).remedy


def test_the_command_fails_if_a_check_does(tmp_path: Path) -> None:
    environment = {
        "PAYSTREAM_STATE_DIR": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path),
        "COLUMNS": "80",
    }
    good = CliRunner().invoke(app, ["doctor", "--machine-only", "--json"], env=environment)
    assert good.exit_code == 0, good.output
    assert json.loads(good.stdout)["ok"] is True
    (tmp_path / "state").mkdir(mode=0o755)
    os.chmod(tmp_path / "state", 0o755)  # noqa: PTH101 - whatever the umask is
    bad = CliRunner().invoke(app, ["doctor", "--machine-only"], env=environment)
    assert bad.exit_code == Exit.FAILED
    assert "chmod 700" in bad.stdout
    assert re.search(r"1 of \d+ checks failed", bad.stdout)
    assert all(len(line) <= 80 for line in bad.stdout.splitlines())
