"""`python -m main_job`: the demo's process, from its options to its exit code."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio
from rich.console import Console

from main_job import options, report
from main_job.demo import Job, Outcome
from main_job.failures import FAILURES, Interrupted, first_known, until_signal
from main_job.parts import Dirs, environment
from main_job.processes import Supervisor
from main_job.state import JobState
from main_job.view import REFRESH_PER_SECOND, View

EXIT_OK: Final = 0
EXIT_DISAGREES: Final = 1
EXIT_INTERRUPTED: Final = 130


async def _draw(view: View) -> None:
    while True:
        view.refresh()
        await trio.sleep(1 / REFRESH_PER_SECOND)


async def _run(job: Job, view: View) -> Outcome:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(until_signal)
        nursery.start_soon(_draw, view)
        outcome = await job.run()
        nursery.cancel_scope.cancel()
    return outcome


def main() -> int:
    """Run the demo and give its exit code."""
    given = options.parse()
    # The live view and all words for people go to standard error: the result has the other.
    people = Console(stderr=True)
    state = JobState(seconds=given.seconds, rate_per_second=given.rate_per_second or 0)
    view = View(state, people)
    dirs = Dirs(Path(tempfile.mkdtemp(prefix="paystream-demo-")))
    logs = given.keep_logs or dirs.root / "logs"
    supervisor = Supervisor(logs, environment(dirs))
    job = Job(given, state, supervisor, dirs)
    keep = given.keep_logs is not None
    try:
        with view.shown():
            outcome = trio.run(_run, job, view)
    except BaseException as error:
        # Without this a second Ctrl-C would leave children behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        failure = first_known(error)
        if isinstance(failure, Interrupted | KeyboardInterrupt):
            people.print("stopped; everything that was started is being ended")
            return EXIT_INTERRUPTED
        if not isinstance(failure, FAILURES):
            raise
        keep = True
        what = str(failure) or f"it took too long ({state.phase})"
        said = f"failed while {state.phase}: {what}"
        people.print(said, style="red", highlight=False, markup=False)
        people.print(f"the logs of all parts are in {logs}", highlight=False)
        return EXIT_DISAGREES
    finally:
        supervisor.end_all()
        if keep and logs.is_relative_to(dirs.root):
            _remove_all_but(dirs.root, logs)
        else:
            shutil.rmtree(dirs.root, ignore_errors=True)
    return _tell(outcome, given, state, people)


def _tell(outcome: Outcome, given: options.Options, state: JobState, people: Console) -> int:
    table = report.table(outcome.report, outcome.problems, state.symbol, state.decimals)
    if given.json:
        people.print(table)
        print(json.dumps(outcome.report, indent=2))
    else:
        Console().print(table)
    return EXIT_DISAGREES if outcome.problems else EXIT_OK


def _remove_all_but(root: Path, kept: Path) -> None:
    """Remove keys, chain and journal; the logs stay for whoever looks for the reason."""
    for entry in root.iterdir():
        if entry != kept:
            with suppress(OSError):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


if __name__ == "__main__":
    sys.exit(main())
