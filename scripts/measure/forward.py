"""Packets a second and core of the embedded engine, beside aiortc's own way of forwarding.

Measured is the engine's processor time at a load that it carries with ease; the clip has about
600 kbit/s of pictures. The meter runs, as it does in `paystream serve`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from main_job.processes import Child, Supervisor
from main_job.video import demo_clip
from measure.figures import Figure

VIEWERS: Final = 50
SECONDS: Final = 15
READY_SECONDS_MAX: Final = 90.0


def measure() -> Sequence[Figure]:
    """Measure both engines, one after the other, with the same load."""
    clip = demo_clip()
    logs = Path(tempfile.mkdtemp(prefix="paystream-bench-"))
    supervisor = Supervisor(logs, os.environ)

    async def both() -> tuple[tuple[float, float], tuple[float, float]]:
        async with trio.open_nursery() as nursery:
            with supervisor.within(nursery):
                ours = await _engine(supervisor, "ours", clip)
                relay = await _engine(supervisor, "relay", clip)
            nursery.cancel_scope.cancel()
        return ours, relay

    try:
        (per_core, per_viewer), (relay_per_core, relay_per_viewer) = trio.run(both)
    finally:
        supervisor.end_all()
        shutil.rmtree(logs, ignore_errors=True)
    note = f"{VIEWERS} viewers, {SECONDS} s, 600 kbit/s and sound"
    return [
        Figure(
            name="packets a second and core",
            value=per_core,
            unit="/s",
            rival="aiortc MediaRelay",
            rival_value=relay_per_core,
            note=note,
        ),
        Figure(
            name="viewers a core",
            value=per_core / per_viewer,
            unit="viewers",
            rival="aiortc MediaRelay",
            rival_value=relay_per_core / relay_per_viewer,
        ),
    ]


async def _engine(supervisor: Supervisor, name: str, clip: Path) -> tuple[float, float]:
    """Give packets for each second of processor time, and packets a second for each viewer."""
    engine = supervisor.start(
        f"engine-{name}", [sys.executable, "-m", "measure.forward_engine", name]
    )
    port = (await engine.ready("ready", READY_SECONDS_MAX))["port"]
    url = f"http://127.0.0.1:{port}"
    load = supervisor.start(
        f"load-{name}",
        [sys.executable, "-m", "measure.forward_load", url, str(VIEWERS), str(clip)],
    )
    await load.ready("ready", READY_SECONDS_MAX)
    await trio.sleep(2)
    packets, busy_s = await _figures(url)
    await trio.sleep(SECONDS)
    packets_later, busy_later_s = await _figures(url)
    await _end(supervisor, load, engine)
    sent = packets_later - packets
    return sent / (busy_later_s - busy_s), sent / SECONDS / VIEWERS


async def _figures(url: str) -> tuple[int, float]:
    def ask() -> tuple[int, float]:
        with urllib.request.urlopen(f"{url}/figures", timeout=10) as answer:  # noqa: S310
            found = json.loads(answer.read())
        return int(found["packets"]), float(found["busy_s"])

    return await trio.to_thread.run_sync(ask)


async def _end(supervisor: Supervisor, *children: Child) -> None:
    for child in children:
        await supervisor.end(child)
