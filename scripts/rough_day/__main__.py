"""`python -m rough_day`: the process, from its options to its exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

import trio
from rich.console import Console

from main_job import report
from main_job.failures import FAILURES, Interrupted, first_known, until_signal
from main_job.parts import Dirs, environment
from main_job.processes import Supervisor, descendants
from rough_day.day import Day, Outcome
from rough_day.faults import drawn
from rough_day.options import Options, parse
from rough_day.table import summary

EXIT_OK: Final = 0
EXIT_DISAGREES: Final = 1
EXIT_INTERRUPTED: Final = 130


async def _run(day: Day) -> Outcome:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(until_signal)
        outcome = await day.run()
        nursery.cancel_scope.cancel()
    return outcome


def main() -> int:
    """Live through a rough day and give its exit code."""
    given = parse()
    if given.plan:
        for fault in drawn(given.seed, given.measure):
            print(fault)
        return EXIT_OK
    people = Console(stderr=True)
    root = Path(tempfile.mkdtemp(prefix="paystream-rough-day-"))
    dirs = Dirs(root)
    logs = given.keep_logs or root / "logs"
    supervisor = Supervisor(logs, environment(dirs))
    day = Day(given, supervisor, dirs, lambda text: people.print(text, highlight=False))
    keep = given.keep_logs is not None
    try:
        outcome = trio.run(_run, day)
    except BaseException as error:
        # Without this a second Ctrl-C would leave children behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        failure = first_known(error)
        if isinstance(failure, Interrupted | KeyboardInterrupt):
            people.print("stopped; everything that was started is being ended")
            return EXIT_INTERRUPTED
        keep = True
        if not isinstance(failure, FAILURES):
            raise
        said = f"failed while {day.phase}: {str(failure) or 'it took too long'}"
        people.print(said, style="red", highlight=False, markup=False)
        people.print(f"the logs of all parts are in {logs}", highlight=False)
        return EXIT_DISAGREES
    finally:
        supervisor.end_all()
        left = descendants(os.getpid())
        if keep and logs.is_relative_to(root):
            for entry in root.iterdir():
                if entry != logs:
                    shutil.rmtree(entry, ignore_errors=True)
        else:
            shutil.rmtree(root, ignore_errors=True)
    if left:
        outcome.problems.append(f"processes {left} are left")
        outcome.report["reconciled"] = False
    return _tell(outcome, given, people)


def _tell(outcome: Outcome, given: Options, people: Console) -> int:
    drawn_up = [report.table(outcome.report, outcome.problems, "UNIT", 12), summary(outcome.report)]
    console = people if given.json else Console()
    for part in drawn_up:
        console.print(part)
    if given.json:
        print(json.dumps(outcome.report, indent=2))
    return EXIT_DISAGREES if outcome.problems else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
