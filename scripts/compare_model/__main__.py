"""Tell many stories of one seed on model and pallet, and show the first that differs, shortened."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.model.comparison import (
    STORY_CALLS,
    Coverage,
    DifferentStory,
    loaded_story,
    shrunk,
    told_again,
    told_by_chance,
)
from tests.model.errors import missed
from tests.model.oracle import Oracle, OracleMissing, oracle_binary

TELL_EVERY_S = 10


def main(arguments: list[str] | None = None) -> int:
    """Compare, report, and say by the exit status whether all agreed."""
    options = _options().parse_args(arguments)
    try:
        binary = options.oracle or oracle_binary()
    except OracleMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    if options.replay:
        with Oracle(binary) as oracle:
            found = told_again(oracle, loaded_story(options.replay))
        print(found or "model and pallet agree")
        return 1 if found else 0
    coverage = Coverage()
    began = time.monotonic()
    try:
        _compare(binary, options.seed, options.calls, coverage)
    except DifferentStory as different:
        print(f"\n{different}")
        print("leaving out what does not matter ...")
        different.calls = shrunk(binary, different)
        different.save(options.save)
        with Oracle(binary) as oracle:
            print(f"{len(different.calls)} calls remain: {told_again(oracle, different.calls)}")
        print(f"told again by: scripts/compare-model --replay {options.save}")
        return 1
    took = time.monotonic() - began
    print(report(coverage))
    print(
        f"seed {options.seed}: {coverage.calls:,} calls of the pallet, no difference; "
        f"{took:.0f} s, {coverage.calls / took:,.0f} calls/s"
    )
    unreached = missed(coverage.errors)
    if unreached:
        print(f"errors that were never given: {', '.join(unreached)}")
    return 1 if unreached and options.calls >= 200_000 else 0


def _compare(binary: Path, seed: int, calls: int, coverage: Coverage) -> None:
    """Tell stories until there are enough calls. Raises DifferentStory."""
    number, told = 0, time.monotonic()
    with Oracle(binary) as oracle:
        while coverage.calls < calls:
            told_by_chance(oracle, f"{seed}-{number}", coverage)
            number += 1
            if time.monotonic() - told >= TELL_EVERY_S:
                told = time.monotonic()
                print(f"{coverage.calls:,} calls in {number} stories agree", flush=True)


def report(coverage: Coverage) -> str:
    """Show how often each call, event and error came up."""
    done = coverage.done.keys() | coverage.refused.keys()
    lines = [
        "calls, done and refused:",
        *(f"  {name:22}{coverage.done[name]:9}{coverage.refused[name]:9}" for name in sorted(done)),
        "events:",
        *(f"  {name:22}{coverage.events[name]:9}" for name in sorted(coverage.events)),
        "errors:",
        *(f"  {name:22}{coverage.errors[name]:9}" for name in sorted(coverage.errors)),
    ]
    return "\n".join(lines)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/compare-model", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="whose stories are told (default 1)")
    parser.add_argument(
        "--calls",
        type=int,
        default=20_000,
        help=f"how many calls of the pallet, in stories of {STORY_CALLS} (default 20000)",
    )
    parser.add_argument(
        "--oracle", type=Path, help="the compiled oracle, if not where cargo puts it"
    )
    parser.add_argument("--replay", type=Path, help="tell a saved story again, with every check")
    parser.add_argument(
        "--save",
        type=Path,
        default=Path("different-story.jsonl"),
        help="where to save a story that differs (default different-story.jsonl)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
