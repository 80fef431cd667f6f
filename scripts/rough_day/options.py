"""The rough day's options: flags, checked before anything is started."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from rough_day.faults import PARTS, Measure, Part

SECONDS_MAX: Final = 86_400
KILLS_MAX: Final = 10_000
VIEWERS_MAX: Final = 100

_EPILOG = """examples:
  scripts/rough-day                         20 kills in five minutes, five viewers
  scripts/rough-day --seed 7                another day
  scripts/rough-day --kills 50 --kill server --seconds 600
  scripts/rough-day --seed 7 --plan         only says what would strike when

exit codes: 0 all agrees, 1 something disagrees or failed, 2 wrong options, 130 Ctrl-C
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one run does. Times in seconds."""

    viewers: int
    seed: int
    measure: Measure
    calm_s: float
    """How long viewers watch on after the last fault is over."""
    plan: bool
    """Only tell what would strike."""
    json: bool
    keep_logs: Path | None


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; ends the program with code 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="scripts/rough-day",
        description="Viewers watch and pay while relayer, node and media server are killed, "
        "stopped, cut off and restored; and the proof that all of it adds up.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--viewers", type=int, default=5, help="how many viewers (5)")
    add("--kills", type=int, default=20, help="how often something gets SIGKILL (20)")
    add(
        "--kill",
        default=",".join(PARTS),
        metavar="PARTS",
        help=f"of which parts ({','.join(PARTS)})",
    )
    add("--seed", type=int, default=1, help="of all that chance does (1)")
    add("--seconds", type=float, default=300, help="for how long it is rough (300)")
    add(
        "--hold",
        type=float,
        default=60,
        metavar="S",
        help="how long a part is stopped with SIGSTOP, and the partition lasts; 0 for neither (60)",
    )
    add(
        "--backup-age",
        type=float,
        default=120,
        metavar="S",
        help="how old the backup is that the node comes back from; 0 for none (120)",
    )
    add(
        "--alone",
        type=float,
        default=15,
        metavar="S",
        help="for how long that node then finds no peer (15)",
    )
    add(
        "--calm",
        type=float,
        default=20,
        metavar="S",
        help="how long viewers watch on after the last fault (20)",
    )
    add("--plan", action="store_true", help="only say what would strike when")
    add("--json", action="store_true", help="one JSON object on standard output")
    add("--keep-logs", type=Path, metavar="DIR", help="keep the parts' logs there")
    given = parser.parse_args(arguments)
    parts = tuple(name for name in given.kill.split(",") if name)
    for name in parts:
        if name not in PARTS:
            parser.error(f"--kill {name}: give {', '.join(PARTS)}, or some of them with commas")
    if not parts:
        parser.error(f"--kill: give at least one of {', '.join(PARTS)}")
    for flag, value, least, most in (
        ("--viewers", given.viewers, 1, VIEWERS_MAX),
        ("--kills", given.kills, 0, KILLS_MAX),
        ("--seconds", given.seconds, 1, SECONDS_MAX),
        ("--hold", given.hold, 0, SECONDS_MAX),
        ("--backup-age", given.backup_age, 0, SECONDS_MAX),
        ("--alone", given.alone, 0, SECONDS_MAX),
        ("--calm", given.calm, 0, SECONDS_MAX),
    ):
        if not least <= value <= most:
            parser.error(f"{flag} {value:g}: give {least} to {most}")
    measure = Measure(
        seconds=given.seconds,
        kills=given.kills,
        parts=cast("tuple[Part, ...]", parts),
        hold_s=given.hold,
        backup_age_s=given.backup_age,
        alone_s=given.alone,
    )
    if measure.seconds < measure.least_seconds:
        parser.error(
            f"--seconds {given.seconds:g}: what --hold, --backup-age and --alone ask for takes at "
            f"least {measure.least_seconds:g}"
        )
    return Options(
        viewers=given.viewers,
        seed=given.seed,
        measure=measure,
        calm_s=given.calm,
        plan=given.plan,
        json=given.json,
        keep_logs=given.keep_logs,
    )
