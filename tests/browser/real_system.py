"""The real thing for tests of the pages: node, relayer and media server, on loopback."""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from substrateinterface import Keypair, SubstrateInterface

from tests.system.node_process import NodeProcess

READY_WITHIN_S = 60.0
END_WITHIN_S = 8.0


class Service:
    """One `paystream` process, ready once it has said so on its standard output."""

    def __init__(self, name: str, arguments: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        self._lines: queue.Queue[str] = queue.Queue()
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "offchain.cli", name, *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, name=f"{name}-output")
        self._reader.start()
        try:
            self.ready = json.loads(self._lines.get(timeout=READY_WITHIN_S))
        except (queue.Empty, ValueError) as error:
            self.end()
            message = f"{name} did not get ready; its log ends with\n{log.read_text()[-2000:]}"
            raise RuntimeError(message) from error

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(END_WITHIN_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


class RealSystem:
    """Node, relayer and server of one test; every part can be ended and started again."""

    def __init__(self, directory: Path, chain: NodeProcess) -> None:
        self._directory = directory
        self._chain = chain
        self._socket = directory / "relay.sock"
        password = directory / "password"
        password.write_text(secrets.token_urlsafe(16))
        password.chmod(0o600)
        kept = {
            name: text for name, text in os.environ.items() if not name.startswith("PAYSTREAM_")
        }
        self._env = kept | {
            "PAYSTREAM_STATE_DIR": str(directory / "state"),
            "PAYSTREAM_PASSWORD_FILE": str(password),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "PAYSTREAM_LOG_LEVEL": "debug",
            "PYTHONUNBUFFERED": "1",
        }
        self.port = 0
        self.relay = self._start_relay()
        self.serve = self.start_serve()

    def _start_relay(self) -> Service:
        arguments = ["--chain", self._chain.url, "--socket", str(self._socket)]
        return Service("relay", arguments, self._env, self._directory / "relay.log")

    def start_serve(self) -> Service:
        """Starts the media server, on the same port as before."""
        listen = f"127.0.0.1:{self.port}"
        arguments = ["--socket", str(self._socket), "--listen", listen]
        self.serve = Service("serve", arguments, self._env, self._directory / "serve.log")
        self.url = str(self.serve.ready["url"])
        self.port = int(self.url.rsplit(":", 1)[1])
        return self.serve

    def restart_relay(self) -> None:
        """Kills the relayer and starts it again."""
        self.relay.end(signal.SIGKILL)
        self.relay = self._start_relay()

    def end(self) -> None:
        self.serve.end()
        self.relay.end()

    def endow(self, account: str, amount: int) -> None:
        """Gives an account a free balance, from one of the development accounts."""
        with SubstrateInterface(url=self._chain.url, ss58_format=42) as chain:
            sender = Keypair.create_from_uri("//Ferdie")
            call = chain.compose_call(
                "Balances", "transfer_keep_alive", {"dest": account, "value": amount}
            )
            chain.submit_extrinsic(
                chain.create_signed_extrinsic(call, sender), wait_for_finalization=True
            )

    def ledger(self, storage: str, *keys: Any) -> Any:
        """What a storage entry of the pallet holds in the finalized state."""
        with SubstrateInterface(url=self._chain.url, ss58_format=42) as chain:
            head = chain.get_chain_finalised_head()
            return chain.query("PayStream", storage, list(keys), block_hash=head).value
