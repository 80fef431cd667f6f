"""One validator: its keys, its process, and what it says of itself."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from substrateinterface import Keypair, KeypairType

from offchain.site import free_port

COMMAND_SECONDS_MAX: Final = 60.0
ANSWER_SECONDS_MAX: Final = 5.0
END_SECONDS_MAX: Final = 10.0
LOG_TAIL_LINES: Final = 12


class NodeFailed(Exception):
    """A node, or one of its commands, did not do what it should. Says what it said."""


@dataclass(frozen=True)
class SessionKey:
    """One of the keys that a validator signs with in the network's name."""

    key_type: str
    scheme: str
    keypair_type: int


AURA: Final = SessionKey("aura", "sr25519", KeypairType.SR25519)
GRANDPA: Final = SessionKey("gran", "ed25519", KeypairType.ED25519)


class Validator:
    """A node that writes blocks and votes. Its keys are made once, and lie below `directory`."""

    def __init__(self, number: int, directory: Path, program: Path) -> None:
        """Make its keys and choose its ports. Raises NodeFailed."""
        self.number = number
        self.name = f"validator-{number}"
        self.directory = directory / self.name
        self.directory.mkdir(mode=0o700, parents=True)
        self.log = self.directory / "node.log"
        self.rpc_port = free_port()
        self.port = free_port()
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._seeds = {each: "0x" + secrets.token_hex(32) for each in (AURA, GRANDPA)}
        node_key = self.directory / "node-key"
        self.peer_id = self._run("key", "generate-node-key", "--file", str(node_key)).split()[-1]

    @property
    def url(self) -> str:
        """Where its RPC is."""
        return f"ws://127.0.0.1:{self.rpc_port}"

    @property
    def address(self) -> str:
        """Where its peers find it."""
        return f"/ip4/127.0.0.1/tcp/{self.port}/p2p/{self.peer_id}"

    @property
    def pid(self) -> int:
        """Its process, 0 before it was started."""
        return 0 if self._process is None else self._process.pid

    def public_keys(self) -> dict[str, str]:
        """Give what a chain specification says of it."""
        aura, grandpa = (
            Keypair.create_from_seed(self._seeds[each], crypto_type=each.keypair_type).ss58_address
            for each in (AURA, GRANDPA)
        )
        return {"aura": aura, "grandpa": grandpa}

    def insert_keys(self, specification: Path) -> None:
        """Put its keys into its keystore, where only its owner reads them. Raises NodeFailed."""
        for each, seed in self._seeds.items():
            # A secret stands in no command line: the node reads it from a file, which then goes.
            path = self.directory / f"{each.key_type}.suri"
            path.touch(mode=0o600)
            path.write_text(seed)
            try:
                self._run(
                    "key", "insert", f"--base-path={self.directory / 'chain'}",
                    f"--chain={specification}", f"--key-type={each.key_type}",
                    f"--scheme={each.scheme}", f"--suri={path}",
                )  # fmt: skip
            finally:
                path.unlink()

    def start(self, specification: Path) -> None:
        """Start the node; it goes on until it is ended, or this process dies."""
        command = [
            "setpriv", "--pdeathsig", "KILL", "--",
            str(self._program), "--validator", f"--chain={specification}", f"--name={self.name}",
            f"--base-path={self.directory / 'chain'}",
            f"--node-key-file={self.directory / 'node-key'}",
            f"--listen-addr=/ip4/127.0.0.1/tcp/{self.port}", f"--rpc-port={self.rpc_port}",
            "--no-prometheus", "--no-telemetry", "--no-mdns",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def hold(self) -> None:
        """Stop its process where it is: it answers nobody, and misses its slots."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a held process go on."""
        self._send(signal.SIGCONT)

    def ended(self) -> bool:
        """Tell whether its process is gone."""
        return self._process is None or self._process.poll() is not None

    def end(self) -> None:
        """End its process in order, held or not; kill it if that takes too long."""
        if self._process is None:
            return
        self._send(signal.SIGTERM)
        self._send(signal.SIGCONT)
        try:
            self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._send(signal.SIGKILL)
            self._process.wait()
        self._process = None

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def ask(self, method: str, *params: Any) -> Any:
        """Ask its RPC. Raises NodeFailed where it does not answer, or not with a result."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.rpc_port}",
            json.dumps(asked).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310
                answered = json.load(answer)
        except (OSError, ValueError) as error:
            raise NodeFailed(f"{self.name} does not answer: {error}") from None
        if "result" not in answered:
            raise NodeFailed(f"{self.name}, {method}: {answered.get('error')}")
        return answered["result"]

    def best(self) -> int:
        """Give the number of its best block. Raises NodeFailed."""
        return int(self.ask("chain_getHeader")["number"], 16)

    def finalized(self) -> int:
        """Give the number of its newest finalized block. Raises NodeFailed."""
        head = self.ask("chain_getFinalizedHead")
        return int(self.ask("chain_getHeader", head)["number"], 16)

    def peers(self) -> int:
        """Tell how many peers it has. Raises NodeFailed."""
        return int(self.ask("system_health")["peers"])

    def complaint(self, what: str) -> str:
        """Say what is wrong with it, with the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"{self.name} {what}; its log ends with", *lines])

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._program), *arguments],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise NodeFailed(f"{self._program.name} {' '.join(arguments[:2])}: {done.stderr}")
        return done.stdout + done.stderr


def wait_a_moment() -> None:
    """Wait between two looks at a node."""
    time.sleep(0.2)
