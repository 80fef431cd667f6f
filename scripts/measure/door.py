"""The load at the door: what 20 paying viewers notice while strangers crowd a media server.

The real `paystream serve` with a relayer that has no chain behind it (`measure.stand_in_relayer`),
our publisher, 20 viewers that report as browsers do; and one after the other half-open
connections, slow requests, posts without a token, and NACKs of everything. All on loopback, each
bounded in time. Beside each figure stands that of the same viewers undisturbed, in the same run.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from main_job.parts import paystream
from main_job.processes import Child, Supervisor, cpu_seconds
from main_job.video import demo_clip
from measure.figures import Figure
from measure.forward import READY_SECONDS_MAX, ask
from measure.stand_in_relayer import PUBLISH_TOKEN, STREAM, WATCH_TOKEN
from measure.window import Moment, Window

VIEWERS: Final = 20
ATTACK_SECONDS: Final = 15.0
ATTACK_SECONDS_MAX: Final = 60.0
REST_SECONDS: Final = 3.0
ATTACKS: Final = {
    "half-open": "1,000 half-open connections",
    "slow": "300 slow requests",
    "posts": "posts without a good token",
    "nacks": "2,000 NACKs a second, each of 340 packets",
}
UNDISTURBED: Final = "undisturbed"
SERVE_VARIABLE: Final = "PAYSTREAM_BENCH_SERVE"
"""More options for `paystream serve`, such as other limits."""


@dataclass(frozen=True, kw_only=True)
class Disturbed:
    """What the viewers noticed of one attack."""

    window: Window
    gap_max_ms: float
    """The longest time between two packets of the picture, of all viewers."""
    tally: Mapping[str, int]


def measure(seconds: float = ATTACK_SECONDS) -> Sequence[Figure]:
    """Measure undisturbed, then each attack. Raises ForwardFailed or ProcessFailed."""
    clip = demo_clip()
    root = Path(tempfile.mkdtemp(prefix="paystream-bench-"))
    supervisor = Supervisor(root / "logs", os.environ)

    async def all_of_them() -> dict[str, Disturbed]:
        async with trio.open_nursery() as nursery:
            with supervisor.within(nursery):
                found = {}
                for kind in (UNDISTURBED, *ATTACKS):
                    # Each has a server of its own: one may be dead after the attack before.
                    place = _Place(supervisor, root / kind)
                    await place.open(clip)
                    found[kind] = await place.noticed(kind, seconds)
                    await place.close()
            nursery.cancel_scope.cancel()
        return found

    try:
        return figures(trio.run(all_of_them))
    finally:
        supervisor.end_all()
        shutil.rmtree(root, ignore_errors=True)


def figures(found: Mapping[str, Disturbed]) -> list[Figure]:
    """Three for each attack, beside the same undisturbed."""
    told: list[Figure] = []
    quiet = found[UNDISTURBED]
    for kind, title in ATTACKS.items():
        disturbed = found[kind]
        what = ", ".join(f"{name}: {count:,}" for name, count in disturbed.tally.items())
        beside: dict[str, Any] = {
            "rival": UNDISTURBED,
            "less_is_better": True,
            "load": disturbed.window.load,
            "rival_load": quiet.window.load,
            "basis": f"{_seen(disturbed.window)}; {what}",
            "rival_basis": _seen(quiet.window),
        }
        told += [
            Figure(
                name=f"pictures lost, {title}",
                value=_pictures_lost(disturbed.window, quiet.window),
                rival_value=0.0,
                unit="%",
                **beside,
            ),
            Figure(
                name=f"longest gap in the picture, {title}",
                value=disturbed.gap_max_ms,
                rival_value=quiet.gap_max_ms,
                unit="ms",
                **beside,
            ),
            Figure(
                name=f"processor of the server, {title}",
                value=disturbed.window.busy_percent,
                rival_value=quiet.window.busy_percent,
                unit="% of a core",
                **beside,
            ),
        ]
    return told


def _pictures_lost(disturbed: Window, quiet: Window) -> float:
    """Of those that came undisturbed, in percent: also what nobody sent any more is lost."""
    return max(0.0, 100 * (1 - disturbed.pictures_per_s / quiet.pictures_per_s))


def _seen(window: Window) -> str:
    delivered = window.delivered_percent
    paid = "nothing" if delivered is None else f"{delivered:.1f} %"
    ended = window.last.engine.get("ended") or "none"
    return (
        f"{window.lost_percent:.2f} % of the packets lost, {paid} of forwarded time paid, "
        f"viewers ended: {ended}"
    )


class _Place:
    """Server, stand-in relayer, publisher and viewers, as processes."""

    def __init__(self, supervisor: Supervisor, root: Path) -> None:
        self._supervisor = supervisor
        root.mkdir()
        self._name = root.name
        self._socket = root / "relay.sock"
        self._children: list[Child] = []
        self._pid = 0
        self.url = ""
        self._relayer = self._publisher = self._load = ""

    async def open(self, clip: Path) -> None:
        """Everything up, and the viewers watching. Raises ProcessFailed or ForwardFailed."""
        self._relayer = await self._start("stand_in_relayer", str(self._socket))
        more = shlex.split(os.environ.get(SERVE_VARIABLE, ""))
        command = [*paystream("serve"), "--socket", str(self._socket)]
        server = self._supervisor.start(
            f"{self._name}-serve", [*command, "--listen", "127.0.0.1:0", *more]
        )
        self._children.append(server)
        self.url = str((await server.ready("ready", READY_SECONDS_MAX))["url"])
        self._pid = server.pid
        self._publisher = await self._start(
            "forward_publisher", self.url, f"/whip/{STREAM}", PUBLISH_TOKEN, str(clip)
        )
        self._load = await self._start("forward_load", self.url, f"/whep/{STREAM}", WATCH_TOKEN)
        await ask(f"{self._load}/viewers?more={VIEWERS}", post=True)
        await trio.sleep(REST_SECONDS)

    async def _start(self, module: str, *args: str) -> str:
        child = self._child(module, *args)
        return f"http://127.0.0.1:{(await child.ready('ready', READY_SECONDS_MAX))['port']}"

    def _child(self, module: str, *args: str) -> Child:
        command = [sys.executable, "-m", f"measure.{module}", *args]
        child = self._supervisor.start(f"{self._name}-{module}", command)
        self._children.append(child)
        return child

    async def noticed(self, kind: str, seconds: float) -> Disturbed:
        """What the viewers notice while it lasts."""
        first = await self._moment()
        tally: Mapping[str, int] = {}
        if kind == UNDISTURBED:
            await trio.sleep(seconds)
        else:
            attack = self._child("door_attack", kind, self.url, str(seconds))
            await attack.ready("begins", READY_SECONDS_MAX)
            first = await self._moment()
            tally = (await attack.ready("over", ATTACK_SECONDS_MAX))["tally"]
        last = await self._moment()
        gap_us = max(load["video"]["gap_max_us"] for load in last.loads)
        return Disturbed(
            window=Window(first=first, last=last), gap_max_ms=gap_us / 1000, tally=tally
        )

    async def close(self) -> None:
        """End all of it."""
        for child in reversed(self._children):
            await self._supervisor.end(child)

    async def _moment(self) -> Moment:
        relayer = await ask(f"{self._relayer}/figures")
        engine = {**relayer, "busy_s": cpu_seconds(self._pid), "at_s": time.monotonic()}
        return Moment(
            engine=engine,
            publisher=await ask(f"{self._publisher}/figures"),
            loads=[await ask(f"{self._load}/figures")],
        )
