"""Forwarding on one core: the embedded engine beside aiortc's own way, with the same load.

Two things are measured of each. At a load that it carries with ease: processor time a packet.
Then more and more viewers come until one core no longer carries them. The meter runs as in
`paystream serve`; viewers report as browsers do (`measure.reception`), or by receiver reports
alone; the publisher is our own, and the measurement fails if no picture of it arrives.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from main_job.processes import Child, Supervisor
from main_job.video import demo_clip
from measure.figures import Figure
from measure.load import Feedback
from measure.window import (
    ARRIVED_PERCENT_MIN,
    BUSY_PERCENT_MAX,
    DELIVERED_PERCENT_MIN,
    LOST_PERCENT_MAX,
    Moment,
    Window,
)

READY_SECONDS_MAX: Final = 90.0
SETTLE_SECONDS: Final = 3.0
STEPS: Final = (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6)
"""Of the viewers that the processor time a packet promises to one core."""
LOAD_PROCESSES_MAX: Final = 4
RIVAL: Final = "aiortc MediaRelay"
TOKEN: Final = "none"  # noqa: S105  (the bare engine asks for none)


class ForwardFailed(Exception):
    """The load was not what it was to be. Says why."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long and how much is measured."""

    viewers: int = 50
    seconds: float = 15.0
    step_seconds: float = 8.0
    steps: Sequence[float] = STEPS
    feedback: Feedback = "packets"


QUICK: Final = Effort(viewers=20, seconds=5.0, step_seconds=5.0, steps=(0.5, 0.8))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came of one engine."""

    with_ease: Window
    carried: Window | None
    """The last step of the climb that was carried, if any was."""
    stopped_by: str


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure both engines, one after the other. Raises ForwardFailed or ProcessFailed."""
    clip = demo_clip()
    logs = Path(tempfile.mkdtemp(prefix="paystream-bench-"))
    supervisor = Supervisor(logs, os.environ)

    async def both() -> tuple[Measured, Measured]:
        async with trio.open_nursery() as nursery:
            with supervisor.within(nursery):
                found = [
                    await _engine(supervisor, name, clip, effort) for name in ("ours", "relay")
                ]
            nursery.cancel_scope.cancel()
        return found[0], found[1]

    try:
        return figures(*trio.run(both))
    finally:
        supervisor.end_all()
        shutil.rmtree(logs, ignore_errors=True)


def figures(ours: Measured, relay: Measured) -> list[Figure]:
    """What is told of both."""
    mine, its = ours.with_ease, relay.with_ease
    beside: dict[str, Any] = {"rival": RIVAL, "load": mine.load, "rival_load": its.load}
    beside |= {"basis": _with_ease(mine), "rival_basis": _with_ease(its)}
    return [
        Figure(
            name="packets a second and core",
            value=mine.packets_per_core,
            rival_value=its.packets_per_core,
            unit="/s",
            **beside,
        ),
        Figure(
            name="processor time a packet",
            value=mine.us_per_packet,
            rival_value=its.us_per_packet,
            unit="us",
            less_is_better=True,
            **beside,
        ),
        Figure(
            name="viewers that one core carries",
            value=0 if ours.carried is None else ours.carried.viewers,
            rival=RIVAL,
            rival_value=0 if relay.carried is None else relay.carried.viewers,
            unit="viewers",
            load=None if ours.carried is None else ours.carried.load,
            rival_load=None if relay.carried is None else relay.carried.load,
            basis=_climbed(ours),
            rival_basis=_climbed(relay),
        ),
    ]


def _with_ease(window: Window) -> str:
    counted = ""
    if window.per_packet is not None:
        how = "packet" if window.per_packet else "receiver report"
        counted = f"; {window.delivered_percent:.1f} % of forwarded time paid, by the {how}"
    return (
        f"{window.packets_per_s:,.0f} packets/s for {window.busy_percent:.0f} % of a core, "
        f"{window.us_per_packet:.1f} us each, everything in the engine's process{counted}"
    )


def _climbed(measured: Measured) -> str:
    window = measured.carried
    if window is None:
        return measured.stopped_by
    delivered = window.delivered_percent
    paid = "" if delivered is None else f", {delivered:.1f} % of forwarded time paid"
    return (
        f"{window.packets_per_s:,.0f} packets/s, {window.us_per_packet:.1f} us each, "
        f"{window.busy_percent:.0f} % of a core busy, {window.lost_percent:.2f} % lost{paid}; "
        f"{measured.stopped_by} (carried: at most {LOST_PERCENT_MAX} % lost, at least "
        f"{ARRIVED_PERCENT_MIN:.0f} % in time and {DELIVERED_PERCENT_MIN:.0f} % paid)"
    )


async def _engine(supervisor: Supervisor, name: str, clip: Path, effort: Effort) -> Measured:
    """Measure one engine with ease, then climb."""
    async with trio.open_nursery() as nursery:
        scene = Scene(supervisor, name, effort.feedback)
        try:
            await scene.set(clip)
            await scene.more(effort.viewers)
            with_ease = await scene.window(effort.seconds)
            if not with_ease.has_pictures:
                raise ForwardFailed(f"{name}: no picture came to {effort.viewers} viewers")
            check_counting(with_ease, effort.feedback)
            carried, why = await _climb(scene, with_ease, effort)
        finally:
            with trio.CancelScope(shield=True):
                await scene.end()
        nursery.cancel_scope.cancel()
    return Measured(with_ease=with_ease, carried=carried, stopped_by=why)


def check_counting(window: Window, feedback: Feedback) -> None:
    """Raises ForwardFailed unless the engine, if it has a meter, counts all viewers by what they
    are to tell."""
    expected = window.viewers if feedback == "packets" else 0
    if window.per_packet not in (None, expected):
        raise ForwardFailed(
            f"the engine knows receipt by the packet of {window.per_packet} viewers, "
            f"not of {expected}: what they told it was not --feedback {feedback}"
        )


async def _climb(scene: Scene, with_ease: Window, effort: Effort) -> tuple[Window | None, str]:
    """Let more and more watch; the last window that was carried, and what ended the climb."""
    failed = with_ease.why_not_carried()
    if failed is not None:
        return None, f"with {with_ease.viewers} {failed}{_whose(with_ease)}"
    carried = with_ease
    for viewers in counts(with_ease, effort.steps):
        await scene.more(viewers - carried.viewers)
        window = await scene.window(effort.step_seconds)
        failed = window.why_not_carried()
        if failed is not None:
            return carried, f"with {viewers} {failed}{_whose(window)}"
        carried = window
    return carried, "more were not tried"


def counts(window: Window, steps: Sequence[float]) -> Iterator[int]:
    """How many viewers to try, from what the processor time a packet promises; they rise."""
    promised = window.viewers * 100 / window.busy_percent
    before = window.viewers
    for step in steps:
        viewers = round(promised * step)
        if viewers > before:
            yield viewers
            before = viewers


def _whose(window: Window) -> str:
    """A word where the load's own processes were at their end, not the engine."""
    busy = window.load_busy_percent
    if busy > BUSY_PERCENT_MAX:
        return f", and the load was {busy:.0f} % busy itself: the engine may carry more"
    return f", the engine {window.busy_percent:.0f} % busy"


class Scene:
    """An engine, a publisher and the load, as processes."""

    def __init__(self, supervisor: Supervisor, name: str, feedback: Feedback) -> None:
        self._supervisor = supervisor
        self._feedback = feedback
        self._name = name
        self._children: list[Child] = []
        self._engine = ""
        self._publisher = ""
        self._loads: list[str] = []

    async def set(self, clip: Path) -> None:
        """Start all of it; the clip is live then. Raises ProcessFailed."""
        self._engine = await self._start("forward_engine", self._name)
        self._publisher = await self._start(
            "forward_publisher", self._engine, "/publish", TOKEN, str(clip)
        )
        cores = len(os.sched_getaffinity(0))
        for _ in range(max(1, min(LOAD_PROCESSES_MAX, cores - 1))):
            self._loads.append(
                await self._start("forward_load", self._engine, "/watch", TOKEN, self._feedback)
            )

    async def _start(self, module: str, *args: str) -> str:
        child = self._supervisor.start(
            f"{self._name}-{module}-{len(self._children)}",
            [sys.executable, "-m", f"measure.{module}", *args],
        )
        self._children.append(child)
        port = (await child.ready("ready", READY_SECONDS_MAX))["port"]
        return f"http://127.0.0.1:{port}"

    async def more(self, viewers: int) -> None:
        """Let so many more watch, spread over the load's processes."""
        share, rest = divmod(viewers, len(self._loads))
        for number, load in enumerate(self._loads):
            await ask(f"{load}/viewers?more={share + (number < rest)}", post=True)

    async def window(self, seconds: float) -> Window:
        """What happens in the next seconds, once what the joins left behind has settled."""
        await trio.sleep(SETTLE_SECONDS)
        first = await self._moment()
        await trio.sleep(seconds)
        return Window(first=first, last=await self._moment())

    async def _moment(self) -> Moment:
        return Moment(
            engine=await ask(f"{self._engine}/figures"),
            publisher=await ask(f"{self._publisher}/figures"),
            loads=[await ask(f"{load}/figures") for load in self._loads],
        )

    async def end(self) -> None:
        """End all of it."""
        for child in reversed(self._children):
            await self._supervisor.end(child)


async def ask(url: str, *, post: bool = False) -> dict[str, Any]:
    """A measuring process's answer. Raises ForwardFailed with its words if it has none."""

    def asked() -> dict[str, Any]:
        request = urllib.request.Request(url, method="POST" if post else "GET")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=READY_SECONDS_MAX) as answer:  # noqa: S310
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            raise ForwardFailed(error.read().decode(errors="replace")) from None
        except OSError as error:
            raise ForwardFailed(f"{url} does not answer ({error})") from None

    return await trio.to_thread.run_sync(asked)
