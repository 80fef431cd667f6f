"""The network: one specification, and a process for each validator."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Final

from loopback_network.story import Command
from loopback_network.validator import NodeFailed, Validator, wait_a_moment
from offchain.site import paystream

READY_SECONDS_MAX: Final = 240.0
"""Four nodes compile the runtime at the same time, perhaps beside a test run."""
SPECIFICATION_SECONDS_MAX: Final = 120.0
PRESET: Final = "local_testnet"


class Network:
    """Validators that know each other. `with` starts them, and ends them whatever happens."""

    def __init__(
        self, validators: int, directory: Path, program: Path, runtime: Path | None = None
    ) -> None:
        """Make keys and specification below `directory`, which only its owner may read.

        `runtime` is the blob with which the chain begins, that of the node without. Raises
        NodeFailed.
        """
        self.directory = directory
        self.validators = [
            Validator(number, directory, program) for number in range(1, validators + 1)
        ]
        self.specification = directory / "network.json"
        self._specify(program, runtime)
        for each in self.validators:
            each.insert_keys(self.specification)

    def __enter__(self) -> Network:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _specify(self, program: Path, runtime: Path | None) -> None:
        keys = self.directory / "validators.json"
        keys.write_text(json.dumps([each.public_keys() for each in self.validators], indent=2))
        command = paystream(
            "chain", "spec", "--preset", PRESET, "--raw", "--node", str(program),
            "--validators", str(keys), "--name", "PayStream Loopback", "--id", "paystream_loopback",
            "--output", str(self.specification),
            *(f"--bootnode={each.address}" for each in self.validators),
            *(() if runtime is None else (f"--runtime={runtime}",)),
        )  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SPECIFICATION_SECONDS_MAX
        )
        if done.returncode != 0:
            raise NodeFailed(done.stderr.strip())

    def start(self) -> None:
        """Start all, and wait until each has all others as peers and finalizes.

        Raises NodeFailed.
        """
        for each in self.validators:
            each.start(self.specification)
        deadline = time.monotonic() + READY_SECONDS_MAX
        for each in self.validators:
            while not self._is_ready(each):
                if time.monotonic() > deadline:
                    raise NodeFailed(each.complaint("finds no peers, or finalizes nothing"))
                wait_a_moment()

    def _is_ready(self, validator: Validator) -> bool:
        if validator.ended():
            raise NodeFailed(validator.complaint("has ended"))
        try:
            return validator.peers() == len(self.validators) - 1 and validator.finalized() > 0
        except NodeFailed:
            return False

    def do(self, command: Command) -> None:
        """Hold a validator, or let one go on."""
        if command.validator is None:
            return
        validator = self.validators[command.validator - 1]
        if command.verb == "stop":
            validator.hold()
        else:
            validator.go_on()

    def watch(self) -> None:
        """Complain if a validator has ended by itself. Raises NodeFailed."""
        for each in self.validators:
            if each.ended():
                raise NodeFailed(each.complaint("has ended"))

    def end(self) -> None:
        """End all."""
        for each in self.validators:
            each.end()
