"""Run seeds, or tell the story of one, and say by the exit status whether all was in order."""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from simulate_faults import mutation_table
from tests.simulation.month import DAYS, Outcome, simulate
from tests.simulation.mutations import MUTATIONS, SEEDS_MAX, find
from tests.simulation.oracles import Bounds
from tests.simulation.several_rounds import shake

SEEDS = 20
ALLOCATED_PER_COLLECTION = 50_000
"""Python's own 700 would look for rings among the objects of a run thousands of times."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and report. 0: all is in order; 1: it is not; 2: it cannot be run so.

    In order is that nothing was found, and with mutations that each was.
    """
    options = _options().parse_args(arguments)
    gc.set_threshold(ALLOCATED_PER_COLLECTION)
    if os.environ.get("PYTHONHASHSEED") != "0":
        print("start this with scripts/simulate: seeds do not replay otherwise", file=sys.stderr)
        return 2
    if options.mutations:
        return _mutated(write=options.write)
    bounds = Bounds(credit_ms=int(options.credit * 1000))
    run = partial(simulate, days=options.days, bounds=bounds)
    if options.rounds is not None:
        run = partial(shake, rounds=options.rounds, bounds=bounds)
    if options.seed is not None:
        return _told(run(options.seed, keep=True), options)
    began = time.perf_counter()
    outcomes = []
    seeds = range(options.first, options.first + options.seeds)
    for outcome in _each(run, seeds, options.jobs):
        outcomes.append(outcome)
        if not options.json:
            print(_line(outcome), flush=True)
    _report(outcomes, options, time.perf_counter() - began)
    return 1 if any(outcome.failures for outcome in outcomes) else 0


def _mutated(*, write: bool) -> int:
    """Take out one thing after the other, and say, or write into the page, what saw it."""
    found = []
    for mutation in MUTATIONS:
        one = find(mutation)
        found.append(one)
        print(f"{mutation.what}: {one.oracle or 'NOBODY'} after {one.seeds} seeds", flush=True)
    if write:
        mutation_table.write(found)
    return 0 if all(one.oracle for one in found) else 1


def _each(run: partial[Outcome], seeds: range, jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(run, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, gc.set_threshold, (ALLOCATED_PER_COLLECTION,)) as pool:
        yield from pool.imap(run, seeds)


def _line(outcome: Outcome) -> str:
    state = "ok" if not outcome.failures else f"{len(outcome.failures)} FAILURES"
    first = (
        f"seed {outcome.seed}: {state}, {outcome.sessions} sessions, "
        f"{sum(outcome.faults.values())} faults, {outcome.simulated_s:,.0f} s in "
        f"{outcome.wall_s:.1f} s, {outcome.digest[:16]}"
    )
    found = [f"  {failure.oracle}: {failure.what}" for failure in outcome.failures]
    return "\n".join([first, *found])


def _told(outcome: Outcome, options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps(_described([outcome], options, outcome.wall_s)))
    else:
        print("\n".join(outcome.lines))
        print(_line(outcome))
        print(f"digest {outcome.digest}")
    return 1 if outcome.failures else 0


def _report(outcomes: list[Outcome], options: argparse.Namespace, wall_s: float) -> None:
    described = _described(outcomes, options, wall_s)
    if options.json:
        print(json.dumps(described))
        return
    failed = len({failure["seed"] for failure in described["failures"]})
    print(
        f"{len(outcomes)} seeds, {failed} with failures; {described['simulated_s']:,.0f} s "
        f"simulated in {wall_s:,.0f} s: {described['times_real_time']:,.0f} times real time"
    )
    if failed:
        seed = described["failures"][0]["seed"]
        story = (
            f"--days {options.days:g}" if options.rounds is None else f"--rounds {options.rounds}"
        )
        print(f"told again by: scripts/simulate --seed {seed} {story}")


def _described(
    outcomes: list[Outcome], options: argparse.Namespace, wall_s: float
) -> dict[str, Any]:
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults += outcome.faults
    simulated_s = sum(outcome.simulated_s for outcome in outcomes)
    return {
        "seeds": len(outcomes),
        "failures": [
            {"seed": outcome.seed, "oracle": failure.oracle, "what": failure.what}
            for outcome in outcomes
            for failure in outcome.failures
        ],
        "days": options.days,
        "rounds": options.rounds,
        "simulated_s": round(simulated_s, 3),
        "wall_s": round(wall_s, 3),
        "times_real_time": round(simulated_s / wall_s, 1),
        "faults": dict(sorted(faults.items())),
    }


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Run the relayer through days of faults on a simulated clock.",
    )
    parser.add_argument("--seeds", type=_positive, default=SEEDS, help="how many (default 20)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seed", type=int, help="tell the story of this seed alone")
    parser.add_argument(
        "--days", type=_days, default=DAYS, help="how long faults strike (default 1/24: an hour)"
    )
    parser.add_argument(
        "--rounds",
        type=_positive,
        help="three relayers on one journal instead, which so many things befall",
    )
    parser.add_argument(
        "--credit", type=float, default=20.0, help="seconds on credit per viewer (default 20)"
    )
    parser.add_argument("--jobs", type=_positive, default=1, help="processes (default 1)")
    parser.add_argument(
        "--mutations",
        action="store_true",
        help="take out what the relayer's safety rests on, one thing at a time, and see whether "
        f"that is found within {SEEDS_MAX} seeds",
    )
    parser.add_argument(
        "--write", action="store_true", help="put what --mutations found into docs/guarantees.md"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few: give at least 1")
    return number


def _days(text: str) -> float:
    above, _, below = text.partition("/")
    days = float(above) / float(below or 1)
    if not 0 < days <= 366:
        raise argparse.ArgumentTypeError(f"{text} days: give more than 0 and at most 366")
    return days


if __name__ == "__main__":
    sys.exit(main())
