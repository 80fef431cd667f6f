"""`python -m measure`: runs the chosen measurements and tells their figures."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from main_job.failures import Interrupted, first_known
from measure import crowd, door, forward, join, lag, signer, ticks
from measure.figures import Figure, machine, table

EXIT_INTERRUPTED: Final = 130


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    joins: int
    seconds: int
    viewers: int
    decoding: int
    sessions: int
    forward: forward.Effort
    attack_seconds: float


Measurement = Callable[[Sizes], Sequence[Figure]]
MEASUREMENTS: Final[dict[str, tuple[str, Measurement]]] = {
    "join": ("from play to picture", lambda sizes: join.measure(sizes.joins)),
    "lag": ("from delivered to finalized", lambda sizes: lag.measure(min(60, sizes.seconds))),
    "ticks": ("ticks through the relayer", lambda sizes: ticks.measure(sizes.sessions)),
    "signer": ("orders through the signer", lambda sizes: signer.measure(10 * sizes.sessions)),
    "forward": ("forwarding, per core", lambda sizes: forward.measure(sizes.forward)),
    "door": (
        "viewers while strangers crowd the door",
        lambda sizes: door.measure(sizes.attack_seconds),
    ),
    "viewers": (
        "a crowd, and the memory that it takes",
        lambda sizes: crowd.measure(sizes.viewers, sizes.decoding, sizes.seconds),
    ),
}

_EPILOG = """examples:
  scripts/bench                        everything, about 25 minutes
  scripts/bench --only join,lag        two of them
  scripts/bench --quick --json         small sizes, for machines
"""


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures the system on this machine, beside its rivals.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(MEASUREMENTS)
    parser.add_argument("--only", metavar="NAMES", help=f"some of: {names} (comma between)")
    parser.add_argument("--joins", type=int, default=40, help="how many joins (40)")
    parser.add_argument("--viewers", type=int, default=100, help="size of the crowd (100)")
    parser.add_argument("--decoding", type=int, default=5, help="how many of it decode (5)")
    parser.add_argument("--seconds", type=int, default=300, help="how long it watches (300)")
    parser.add_argument(
        "--sessions", type=int, default=200, help="sessions that tick at once (200)"
    )
    parser.add_argument(
        "--feedback",
        choices=("packets", "reports"),
        default="packets",
        help="what viewers of `forward` tell: of each packet, as browsers do, or reports alone",
    )
    parser.add_argument(
        "--quick", action="store_true", help="8 joins, 10 viewers, 30 s, 40 ticks, short climbs"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    chosen = given.only.split(",") if given.only else list(MEASUREMENTS)
    for name in chosen:
        if name not in MEASUREMENTS:
            parser.error(f"--only {name}: there are {names}")
    given.chosen = chosen
    return given


def main() -> int:
    """Measure, and give the exit code: 1 if a measurement failed."""
    given = _parse()
    sizes = Sizes(
        joins=given.joins,
        seconds=given.seconds,
        viewers=given.viewers,
        decoding=given.decoding,
        sessions=given.sessions,
        forward=forward.Effort(),
        attack_seconds=door.ATTACK_SECONDS,
    )
    if given.quick:
        sizes = Sizes(
            joins=8,
            seconds=30,
            viewers=10,
            decoding=2,
            sessions=40,
            forward=forward.QUICK,
            attack_seconds=5.0,
        )
    sizes = dataclasses.replace(
        sizes, forward=dataclasses.replace(sizes.forward, feedback=given.feedback)
    )
    people = Console(stderr=True)
    people.print(machine(), highlight=False)
    results: dict[str, Any] = {"machine": machine(), "command": ["scripts/bench", *sys.argv[1:]]}
    failed = False
    for name in given.chosen:
        title, measurement = MEASUREMENTS[name]
        people.print(f"measuring {name}: {title}", style="dim", highlight=False)
        began = time.monotonic()
        try:
            figures = measurement(sizes)
        except Exception as error:
            if isinstance(first_known(error), Interrupted):
                people.print("stopped")
                return EXIT_INTERRUPTED
            failed = True
            said = str(first_known(error))
            results[name] = {"failed": said}
            people.print(f"{name} failed: {said}", style="red", highlight=False, markup=False)
            continue
        took_s = round(time.monotonic() - began, 1)
        results[name] = {"took_s": took_s, "figures": [each.as_json() for each in figures]}
        (people if given.json else Console()).print(table(f"{title} ({took_s} s)", figures))
    if given.json:
        print(json.dumps(results, indent=2))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
