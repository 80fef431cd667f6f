"""`python -m loopback_network`: the process, from its options to its exit code."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from loopback_network.network import Network
from loopback_network.options import Options, parse
from loopback_network.story import Command, StoryInvalid, read_command
from loopback_network.validator import NodeFailed
from offchain.cli.failure import Failure
from offchain.cli.node import find_node

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130
LOOK_INTERVAL_S: Final = 0.5
NODE_VARIABLE: Final = "PAYSTREAM_NODE"


class Interrupted(Exception):
    """Somebody wants an end."""


class Teller:
    """Says what happens, for people or for programs, on standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def ready(self, network: Network) -> None:
        """Tell where everything is."""
        validators = [
            {"number": each.number, "url": each.url, "address": each.address, "pid": each.pid}
            for each in network.validators
        ]
        self._say(
            {
                "event": "ready",
                "specification": str(network.specification),
                "validators": validators,
            },
            "\n".join(f"{each['number']:>2}  {each['url']}  {each['pid']}" for each in validators),
        )

    def done(self, command: Command) -> None:
        """Tell that a command was carried out."""
        what = {"event": command.verb, "validator": command.validator}
        self._say(what, f"{command.verb} {command.validator}")

    def heads(self, network: Network, held: set[int]) -> None:
        """Tell of the network's newest blocks, by the first validator that answers."""
        for each in network.validators:
            if each.number not in held:
                best, finalized = each.best(), each.finalized()
                self._say(
                    {"event": "heads", "best": best, "finalized": finalized, "held": sorted(held)},
                    f"best {best}, finalized {finalized}",
                )
                return

    def _say(self, event: dict[str, Any], text: str) -> None:
        print(json.dumps(event) if self._as_json else text, flush=True)


class Run:
    """A running network, its story and the commands that come in by standard input."""

    def __init__(self, network: Network, given: Options, teller: Teller) -> None:
        self._network = network
        self._story = list(given.story)
        self._teller = teller
        self._held: set[int] = set()
        self._commands = ""
        self._reads = True

    def until_the_end(self) -> None:
        """Do what story and commands say, until one of them says `end`. Raises NodeFailed."""
        began = time.monotonic()
        while True:
            self._network.watch()
            passed_s = time.monotonic() - began
            due = [act.command for act in self._story if act.at_s <= passed_s]
            self._story = [act for act in self._story if act.at_s > passed_s]
            for command in [*due, *self._read()]:
                if command.verb == "end":
                    return
                self._do(command)

    def _do(self, command: Command) -> None:
        self._network.do(command)
        if command.validator is not None:
            changed = {command.validator}
            self._held = self._held | changed if command.verb == "stop" else self._held - changed
        self._teller.done(command)
        self._teller.heads(self._network, self._held)

    def _read(self) -> list[Command]:
        """Wait a moment for commands, and read those that have come. Wrong ones are said."""
        if not self._reads:
            time.sleep(LOOK_INTERVAL_S)
            return []
        readable, _, _ = select.select([sys.stdin], [], [], LOOK_INTERVAL_S)
        if not readable:
            return []
        read = os.read(sys.stdin.fileno(), 4096)
        self._reads = bool(read)
        *lines, self._commands = (self._commands + read.decode(errors="replace")).split("\n")
        commands = []
        for line in lines:
            try:
                commands.append(read_command(line, len(self._network.validators)))
            except StoryInvalid as error:
                print(error, file=sys.stderr)
        return commands


def _interrupt(*_: object) -> None:
    raise Interrupted


def main() -> int:
    """Run a network and give the exit code."""
    given = parse()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    directory = Path(tempfile.mkdtemp(prefix="paystream-network-"))
    try:
        named = os.environ.get(NODE_VARIABLE)
        program = find_node(Path(named) if named else None)
        network = Network(given.validators, directory, program, given.runtime)
        with network:
            teller = Teller(as_json=given.json)
            teller.ready(network)
            Run(network, given, teller).until_the_end()
    except Interrupted:
        return EXIT_INTERRUPTED
    except (NodeFailed, Failure) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    finally:
        _keep_logs(directory, given.keep_logs)
        shutil.rmtree(directory, ignore_errors=True)
    return EXIT_OK


def _keep_logs(directory: Path, wanted: Path | None) -> None:
    if wanted is None:
        return
    wanted.mkdir(parents=True, exist_ok=True)
    for log in directory.glob("*/node.log"):
        shutil.copy(log, wanted / f"{log.parent.name}.log")


if __name__ == "__main__":
    sys.exit(main())
