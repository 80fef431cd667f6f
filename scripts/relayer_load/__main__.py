"""Measure a relayer with many sessions on the model chain and on a node, beside its rival."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

PARTS: Final = {
    # chain, clock, sessions, cadence, seconds, joins and leaves a second
    "node": ("node", "real", 2_000, 6.0, 30.0, 10.0),
    "crowd": ("model", "simulated", 10_000, 6.0, 12.0, 100.0),
    "town": ("model", "simulated", 50_000, 30.0, 30.0, 100.0),
}
QUICK: Final = {"node": (300, 2.0), "crowd": (2_000, 20.0), "town": (5_000, 10.0)}
"""Sessions, and joins and leaves a second."""
WITHIN_S: Final = 900.0
"""Beside what is measured, and at most four times as long as that."""
SHOWN: Final = (
    "sessions",
    "cadence_s",
    "cpu_cores",
    "orders_per_second",
    "lag_durable_ms_p99",
    "lag_included_ms_p99",
    "bytes_per_session",
    "restart_s",
    "rival_orders_per_second",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report. 0: measured; 1: a part failed, and says why on standard error."""
    options = _options().parse_args(arguments)
    found, failed = {}, False
    for part in options.only or PARTS:
        figures = _measured(part, options)
        failed |= figures is None
        if figures is None:
            continue
        found[part] = figures
        if not options.json:
            print(_told(part, figures), flush=True)
    if options.json:
        print(json.dumps(found))
    return int(failed)


def _measured(part: str, options: argparse.Namespace) -> dict[str, Any] | None:
    chain, clock, sessions, cadence_s, seconds, visits = PARTS[part]
    if options.quick:
        sessions, visits = QUICK[part]
    sessions = options.sessions or sessions
    seconds = options.seconds or seconds
    visits = visits if options.visits is None else options.visits
    directory = Path(tempfile.mkdtemp(prefix="paystream-relayer-"))
    command = [sys.executable, "-m", "relayer_load.host", str(directory), chain, clock]
    command += [str(sessions), str(cadence_s), str(seconds), str(visits)]
    within_s = WITHIN_S + 4 * seconds
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=within_s, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"{part}: not done within {within_s:.0f} s", file=sys.stderr)
        return None
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if done.returncode:
        print(f"{part}: {done.stderr[-2_000:]}", file=sys.stderr)
        return None
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {name: figures.get(name) for name in SHOWN} | {"basis": figures | _machine()}


def _machine() -> dict[str, Any]:
    return {"load": [round(each, 1) for each in os.getloadavg()], "cores": os.cpu_count()}


def _told(part: str, figures: dict[str, Any]) -> str:
    basis = figures["basis"]
    about = f"{figures['sessions']} sessions at {figures['cadence_s']:g} s on the {basis['chain']}"
    orders = f"{figures['orders_per_second']} of {basis['orders_due_per_second']} due"
    durable, included = figures["lag_durable_ms_p99"], figures["lag_included_ms_p99"]
    lines = [
        f"{part}: {about} chain, {basis['clock']} clock, load {basis['load'][0]}",
        f"  orders a second   {orders}, {figures['cpu_cores']} of a core",
        f"  p99 of lags       durable {durable} ms, included {included} ms",
        f"  bytes a session   {figures['bytes_per_session']}",
        f"  restart           {figures['restart_s']} s, {basis['restart_cpu_s']} s of processor",
    ]
    if "kept_bytes" in basis:
        kept = ", ".join(f"{each / 2**20:.1f}" for each in basis["kept_bytes"])
        lines.append(f"  kept, each quarter  {kept} MiB")
    if "joins_per_second" in basis:
        joins, leaves = basis["joins_per_second"], basis["leaves_per_second"]
        lines.append(f"  beside them       {joins} joins and {leaves} leaves a second")
    if figures["rival_orders_per_second"] is not None:
        own = figures["orders_per_second"] / figures["cpu_cores"]
        rival = basis["rival_orders_per_cpu_second"]
        lines.append(
            f"  rival             {basis['rival']}: {figures['rival_orders_per_second']}/s; a "
            f"second of processor: {rival} beside {own:.0f}, ratio {own / rival:.1f}"
        )
    return "\n".join(lines)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-relayer", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), help="some of the parts")
    parser.add_argument("--quick", action="store_true", help="fewer sessions")
    parser.add_argument("--sessions", type=int, help="so many, in each part")
    parser.add_argument("--seconds", type=float, help="measure for so long")
    parser.add_argument("--visits", type=float, help="joins and leaves a second beside them")
    parser.add_argument("--json", action="store_true", help="print one object")
    return parser


if __name__ == "__main__":
    sys.exit(main())
