"""A real node for tests: started on free ports of the loopback, ended with the test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from offchain.cli.failure import Failure
from offchain.cli.node import find_node

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
REPOSITORY = Path(__file__).resolve().parents[2]


class NodeMissing(Exception):
    """There is no node to test with. The message says how to get one."""


def node_binary() -> Path:
    """Find the node: `PAYSTREAM_NODE`, then where `paystream node` looks. Raises NodeMissing."""
    named = os.environ.get("PAYSTREAM_NODE")
    try:
        return find_node(Path(named) if named else None)
    except Failure as failure:
        raise NodeMissing(failure.message) from None


def free_port() -> int:
    """Give a TCP port of the loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NodeProcess:
    """One development node, its data in `directory`; it can be killed and started again.

    `chain` is the file of another chain's specification, on which Alice writes the blocks.
    """

    def __init__(self, directory: Path, chain: Path | None = None) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}"
        self.log = directory / "node.log"
        self._chain = (
            ["--dev"]
            if chain is None
            else [f"--chain={chain}", "--alice", "--unsafe-force-node-key-generation"]
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises NodeMissing and RuntimeError."""
        binary = node_binary()
        self.directory.mkdir(parents=True, exist_ok=True)
        arguments = [
            str(binary),
            *self._chain,
            "--force-authoring",
            f"--base-path={self.directory / 'chain'}",
            f"--rpc-port={self.port}",
            "--listen-addr=/ip4/127.0.0.1/tcp/0",
            "--no-prometheus",
            "--no-telemetry",
            "--no-mdns",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
                raise RuntimeError(f"the node did not start; its log ends with\n{tail}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "system_health", "params": []})
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}",
            body.encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                return bool(json.load(answer)["result"] is not None)
        except (urllib.error.URLError, OSError, ValueError, KeyError):
            return False

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
