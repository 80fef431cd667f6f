"""`python -m ledger_costs`: measures what the ledger costs and tells it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from ledger_costs import load
from ledger_costs.bencher import BencherFailed, Cost
from ledger_costs.load import NodeCosts, Sizes
from ledger_costs.ratios import TARGETS, Costs, measure_costs
from ledger_costs.viewers import SetupFailed
from main_job.failures import FAILURES, Interrupted, first_known
from measure.figures import machine, table

EXIT_INTERRUPTED: Final = 130
_EPILOG = """examples:
  scripts/bench-ledger                   every order's weight beside a transfer's
  scripts/bench-ledger --node            and a node under load, about 25 minutes
  scripts/bench-ledger --node-only --sessions 200 --minutes 1
  scripts/bench-ledger --json            one object, for machines
"""
_NAMES: Final = {
    "tick": "a free tick",
    "batch_item": "one more tick in a batch",
    "open": "an open",
    "close": "a close",
    "claim": "a claim, one payee",
}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench-ledger",
        description="Measures what the ledger's orders cost, beside a transfer, in one run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bencher", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--runtime", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=5, help="values of each component (5)")
    parser.add_argument("--repeat", type=int, default=10, help="measurements of each (10)")
    parser.add_argument("--node", action="store_true", help="load a node, too")
    parser.add_argument("--node-only", action="store_true", help="load a node, weigh nothing")
    parser.add_argument(
        "--sessions", type=int, default=10_000, help="open sessions on the node (10000)"
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="how long all of them tick (10)"
    )
    parser.add_argument(
        "--batch", type=int, help="ticks in a batch (as many as an eighth of a block may weigh)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    if given.sessions < 1 or given.minutes < 0.2:
        parser.error("give at least 1 of --sessions and 0.2 of --minutes")
    return given


def _table(costs: Costs) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="dim")
    drawn.add_column("what")
    for name in ("time", "reads", "writes", "weight", "x transfer", "target"):
        drawn.add_column(name, justify="right")

    def row(title: str, cost: Cost, ratio: float, target: str) -> None:
        drawn.add_row(
            title,
            f"{cost.time_us:.0f} us",
            f"{cost.reads:.2g}",
            f"{cost.writes:.2g}",
            f"{cost.weight_us:.0f} us",
            f"{ratio:.2f}",
            target,
        )

    row("balances.transfer_keep_alive", costs.transfer, 1.0, "")
    for name, ratio in costs.ratios().items():
        target = f"<= {TARGETS[name]}" if name in TARGETS else ""
        row(_NAMES[name], getattr(costs, name), ratio, target)
    return drawn


def _weigh(given: argparse.Namespace, people: Console, out: Console) -> Costs:
    """Measure the weights. Raises BencherFailed."""
    people.print("measuring the weights", style="dim")
    costs = measure_costs(given.bencher, given.runtime, given.steps, given.repeat)
    out.print(_table(costs))
    return costs


def _load(given: argparse.Namespace, people: Console, out: Console) -> NodeCosts:
    """Load a node. Raises what `load.measure` raises."""
    sizes = Sizes(sessions=given.sessions, minutes=given.minutes, orders=given.batch)
    costs = load.measure(sizes, lambda words: people.print(words, style="dim", highlight=False))
    out.print(table("a node under load", costs.figures()))
    return costs


def as_object(command: list[str], costs: Costs | None, node: NodeCosts | None) -> dict[str, Any]:
    """Give what `--json` prints: what was not measured is left out. docs/benchmarks.md has it.

    `transfer_keep_alive_us` is a weight in microseconds, `ratios` are multiples of it.
    """
    told: dict[str, Any] = {"machine": machine(), "command": command}
    if costs is not None:
        told["transfer_keep_alive_us"] = round(costs.transfer.weight_us, 1)
        told["ratios"] = costs.ratios()
    if node is not None:
        told["node"] = node.as_json()
    return told


def main() -> int:
    """Measure, and give the exit code: 1 if a measurement failed."""
    given = _parse()
    people = Console(stderr=True)
    out = people if given.json else Console()
    people.print(machine(), highlight=False)
    try:
        costs = None if given.node_only else _weigh(given, people, out)
        node = _load(given, people, out) if given.node or given.node_only else None
    except Exception as error:
        known = first_known(error)
        if isinstance(known, Interrupted):
            people.print("stopped")
            return EXIT_INTERRUPTED
        if not isinstance(known, (*FAILURES, BencherFailed, SetupFailed)):
            raise
        people.print(str(known), style="red", highlight=False, markup=False)
        return 1
    if given.json:
        print(json.dumps(as_object(_command(), costs, node), indent=2))
    return 0


def _command() -> list[str]:
    """Give what was typed: the script adds two options of its own before it."""
    typed = sys.argv[1:]
    return ["scripts/bench-ledger", *(typed[4:] if typed[:1] == ["--bencher"] else typed)]


if __name__ == "__main__":
    sys.exit(main())
