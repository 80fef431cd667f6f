"""Run rounds of what befalls three real relayers; the exit status says whether all was well."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from tests.system.node_process import NodeMissing, NodeProcess
from tests.system.relayer_rounds import KINDS, Report, Round, Rounds
from tests.system.relayer_stage import several

ROUNDS_MAX: Final = 10_000

_EPILOG = """what befalls the relayer that holds most viewers:
  kill      SIGKILL, and it is started again
  stop      SIGSTOP, and SIGCONT when others have taken over, up to a minute later
  drain     `paystream relay drain`, SIGTERM, and it is started again
  cut       the database is silent to it alone; chain, media server and signer are there
  refuse    the database refuses it alone
  restart   nothing; the database is killed instead, and started up to ten seconds later

Ctrl-C lets the round under way be the last, and judges.

exit codes: 0 nothing charged wrongly and all in time, 1 something else, 2 wrong options or no node
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds and give the exit code."""
    given = _options(arguments)
    root = Path(tempfile.mkdtemp(prefix="paystream-rounds-"))
    node = NodeProcess(root / "node")
    try:
        node.start()
        report = trio.run(_run, node, root, given)
    except NodeMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    finally:
        node.stop()
        if given.keep_logs is not None:
            given.keep_logs.mkdir(parents=True, exist_ok=True)
            for log in root.glob("*.log"):
                shutil.copy(log, given.keep_logs)
        shutil.rmtree(root, ignore_errors=True)
    _tell(report, as_json=given.json)
    return 1 if report.failures else 0


async def _run(node: NodeProcess, root: Path, given: argparse.Namespace) -> Report:
    async with several(node, root) as (database, lines, ledger):
        rounds = Rounds(database, lines, ledger, root, seed=given.seed)
        async with trio.open_nursery() as nursery:
            await nursery.start(_until_interrupted, rounds)
            report = await rounds.run(given.rounds, given.kinds, _print_round)
            nursery.cancel_scope.cancel()
    return report


async def _until_interrupted(
    rounds: Rounds, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            rounds.enough = True


def _print_round(each: Round) -> None:
    print(_line(each), file=sys.stderr, flush=True)


def _line(each: Round) -> str:
    taken = "" if each.taken_over_s is None else f", taken over in {each.taken_over_s:.1f} s"
    told = f"{each.number:4} {each.kind:8} {each.victim} ({each.viewers} viewers){taken}"
    told += f", {each.longer_s:g} s longer, at most {each.unpaid_most_ms} ms unpaid"
    told += f", {each.late_most_s:.1f} s late, load {each.load:.1f}"
    for what in each.slow_by_load:
        told += f"\n     slow, as the machine was: {what}"
    for what in each.problems:
        told += f"\n     WRONG: {what}"
    return told


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.as_json(), indent=2))
        return
    sums = report.as_json()
    for name in ("kinds", "slowest_take_over_s", "unpaid_most_ms", "delivered_ms", "paid_s"):
        print(f"{name}: {sums[name]}")
    for failure in report.failures:
        print(f"WRONG: {failure}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/relayer-rounds",
        description="Three relayers on one PostgreSQL, a signer, a node and five viewers: what "
        "befalls them in rounds, and whether anybody paid for what was not delivered.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--rounds", type=int, default=len(KINDS), help=f"how many, some 40 s each ({len(KINDS)})")
    add("--kinds", default=",".join(KINDS), help=f"which ({','.join(KINDS)})")
    add("--seed", type=int, default=1, help="of order and lengths (1)")
    add("--json", action="store_true", help="one JSON object on standard output")
    add("--keep-logs", type=Path, metavar="DIR", help="put the parts' logs there")
    given = parser.parse_args(arguments)
    given.kinds = tuple(given.kinds.split(","))
    for kind in given.kinds:
        if kind not in KINDS:
            parser.error(f"--kinds {kind}: give {', '.join(KINDS)}, or some of them with commas")
    if not 1 <= given.rounds <= ROUNDS_MAX:
        parser.error(f"--rounds {given.rounds}: give 1 to {ROUNDS_MAX}")
    return given


if __name__ == "__main__":
    sys.exit(main())
