"""The network's options: flags, checked before anything is started."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loopback_network.story import Act, StoryInvalid, read_story

VALIDATORS_MAX: Final = 16
"""As many nodes as one machine is asked to carry; the runtime's own limit is 32."""

_EPILOG = """examples:
  scripts/network                                    four validators, until Ctrl-C
  scripts/network --story "20 stop 4, 60 continue 4, 90 end"
  scripts/network --validators 3 --json              each event a line of JSON

While it runs it reads commands from standard input: `stop 2`, `continue 2`, `end`. Validators stop
by SIGSTOP, so their peers see them fall silent as they would see a machine that hangs.

The chain is the preset local_testnet, so //Alice has sudo and money on it; the validators' keys are
new, and gone when the network ends. It is for tests on this machine alone.

exit codes: 0 ended as it was told to, 1 it failed, 2 wrong options, 130 Ctrl-C
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one run does."""

    validators: int
    story: Sequence[Act]
    runtime: Path | None
    """The blob with which the chain begins; that of the node without."""
    json: bool
    keep_logs: Path | None


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; ends the program with code 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="scripts/network",
        description="A network of several validators on the loopback, each with keys of its own.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--validators", type=int, default=4, metavar="N", help="how many (4)")
    add("--story", metavar="ACTS", help="what happens to whom, each act at a second since ready")
    add("--runtime", type=Path, metavar="FILE", help="begin with this blob (the node's)")
    add("--json", action="store_true", help="each event as a line of JSON on standard output")
    add("--keep-logs", type=Path, metavar="DIR", help="keep the nodes' logs there")
    given = parser.parse_args(arguments)
    if not 1 <= given.validators <= VALIDATORS_MAX:
        parser.error(f"--validators {given.validators}: give 1 to {VALIDATORS_MAX}")
    if given.runtime is not None and not given.runtime.is_file():
        parser.error(f"--runtime {given.runtime}: there is no such file")
    try:
        story = [] if given.story is None else read_story(given.story, given.validators)
    except StoryInvalid as error:
        parser.error(f"--story: {error}")
    return Options(
        validators=given.validators,
        story=story,
        runtime=given.runtime,
        json=given.json,
        keep_logs=given.keep_logs,
    )
