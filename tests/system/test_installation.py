"""A built wheel runs relayer and media server against a node elsewhere, without a compiler."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.node_process import NodeProcess

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.system


def passed(*command: str | Path, **options: Any) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources(place: Path) -> Path:
    """What a build reads, in a place where it may leave what it makes."""
    for package in ("offchain", "streaming"):
        kept = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, place / package, ignore=kept)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, place)
    return place


def pins(place: Path) -> Path:
    """The versions of the lock file, for an installation that knows none of its hashes."""
    found = re.findall(r"^[\w.-]+==\S+", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert len(found) > 30
    constraints = place / "constraints.txt"
    constraints.write_text("\n".join(found) + "\n")
    return constraints


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `paystream` that pipx has installed."""
    place = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    passed(*build, "--wheel-dir", place, sources(place / "sources"))
    (wheel,) = place.glob("paystream-*.whl")
    # nothing is compiled: what has no wheel fails here
    pipx = [sys.executable, "-m", "pipx", "install", "--pip-args=--only-binary :all:", wheel]
    kept = os.environ | {
        "PIPX_HOME": str(place / "pipx"),
        "PIPX_BIN_DIR": str(place / "bin"),
        "PIPX_MAN_DIR": str(place / "man"),
        "PIP_CONSTRAINT": str(pins(place)),
    }
    passed(*pipx, env=kept)
    return place / "bin/paystream"


def environment(command: Path, state: Path) -> dict[str, str]:
    """Nothing of this checkout, and no program but those of the installation."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    password = state / "password"
    password.touch(mode=0o600)
    password.write_text("a password\n")
    return kept | {
        "PATH": str(command.parent),
        "PAYSTREAM_STATE_DIR": str(state),
        "PAYSTREAM_PASSWORD_FILE": str(password),
        "XDG_CONFIG_HOME": str(state),
    }


class Process:
    """A process that says when it is ready."""

    def __init__(self, *command: str | Path, **options: Any) -> None:
        self.popen = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, text=True, **options
        )
        assert self.popen.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.popen.stdout.readline())

    def end(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        self.popen.communicate(timeout=30)
        return self.popen.returncode


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    running: list[Process] = []
    yield running
    for process in reversed(running):
        if process.popen.poll() is None:
            process.end()


def test_it_says_its_version(command: Path, tmp_path: Path) -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    said = passed(command, "--version", cwd=tmp_path, env=environment(command, tmp_path))
    assert said == f"paystream {wanted}\n"


def test_it_serves_a_chain_that_runs_elsewhere(
    command: Path, node: NodeProcess, tmp_path: Path, processes: list[Process]
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    where = {"cwd": tmp_path, "env": environment(command, state)}
    relay = Process(command, "relay", "--chain", node.url, "--metrics-port", "0", **where)
    processes.append(relay)
    serve = Process(command, "serve", "--listen", "127.0.0.1:0", **where)
    processes.append(serve)
    url = serve.ready["url"]
    status = json.loads(
        passed(command, "status", "--chain", node.url, "--server", url, "--json", **where)
    )
    assert "error" not in status
    for path, text in (("/watch", "<ps-player"), ("/static/watch-page.js", "import")):
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            assert text in answer.read().decode()
    assert serve.end() == 0
    assert relay.end() == 0
