"""The live terminal view, and the plain lines that stand in for it without a terminal.

Both draw a `JobState` and write to standard error: standard output is for the result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from main_job.state import PHASES, JobState, ViewerState
from offchain.amounts import format_amount, format_duration

VIEWERS_SHOWN_MAX: Final = 12
REFRESH_PER_SECOND: Final = 4
PLAIN_INTERVAL_S: Final = 5.0
FRACTION_DIGITS: Final = 6

_PHASE_STYLES: Final = {
    "preparing": "dim",
    "opening": "yellow",
    "watching": "green",
    "leaving": "yellow",
    "closed": "blue",
    "failed": "bold red",
}


def render(state: JobState) -> RenderableType:
    """Draw the state; it fits a terminal of 80 columns."""
    parts: list[RenderableType] = [_progress(state), _stream(state), _viewers(state)]
    if state.notes:
        parts.append(Text("\n".join(state.notes), style="dim", no_wrap=True, overflow="ellipsis"))
    return Panel(
        Group(*parts),
        title="PayStream",
        subtitle="Ctrl-C ends everything",
        border_style="cyan",
        padding=(0, 1),
    )


def _progress(state: JobState) -> RenderableType:
    step = PHASES.index(state.phase) + 1
    line = Table.grid(expand=True)
    line.add_column(ratio=1, no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    title = Text.assemble((f"{step}/{len(PHASES)} ", "dim"), (state.phase, "bold"))
    if state.frozen:
        title.append("  the publisher is frozen: nobody pays", style="yellow")
    line.add_row(
        title,
        Text.assemble(
            ("block ", "dim"),
            f"{state.best_block}",
            ("  final ", "dim"),
            f"{state.finalized_block}",
        ),
    )
    bar = ProgressBar(total=max(1, state.seconds), completed=state.watched_s)
    below = Table.grid(expand=True, padding=(0, 1))
    below.add_column(ratio=1)
    below.add_column(justify="right", no_wrap=True)
    below.add_row(bar, f"{math.floor(state.watched_s)} / {state.seconds} s")
    return Group(line, below)


def _stream(state: JobState) -> RenderableType:
    if state.stream is None:
        return Text("no stream yet", style="dim")
    money = Table.grid(padding=(0, 3))
    for _ in range(3):
        money.add_column(no_wrap=True)
    rate = format_amount(state.rate_per_second, state.symbol, state.decimals)
    money.add_row(
        Text.assemble((f"stream {state.stream}  ", "bold"), (f"{rate}/s", "")),
        Text.assemble(("earned ", "dim"), (_money(state, state.earned), "green")),
        Text.assemble(("claimed ", "dim"), _money(state, state.claimed)),
    )
    return money


def _money(state: JobState, value: int) -> str:
    """An amount without its symbol and with a constant number of digits, so that columns stand."""
    number = format_amount(value, state.symbol, state.decimals).removesuffix(f" {state.symbol}")
    whole, _, fraction = number.partition(".")
    return f"{whole}.{fraction.ljust(min(FRACTION_DIGITS, state.decimals), '0')}"


def _runway(seconds: int | None) -> str:
    return "-" if seconds is None else format_duration(seconds)


def _viewers(state: JobState) -> RenderableType:
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
    table.add_column("viewer", no_wrap=True)
    table.add_column("session", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("delivered", justify="right", no_wrap=True)
    table.add_column("paid", justify="right", no_wrap=True)
    table.add_column(f"cost in {state.symbol}", justify="right", no_wrap=True)
    table.add_column("lasts", justify="right", no_wrap=True)
    for viewer in state.viewers[:VIEWERS_SHOWN_MAX]:
        table.add_row(
            viewer.name,
            viewer.session or "-",
            Text(viewer.phase, style=_PHASE_STYLES[viewer.phase]),
            f"{viewer.delivered_ms / 1000:.1f} s",
            f"{viewer.paid_seconds} s",
            _money(state, viewer.paid),
            _runway(viewer.runway_seconds),
        )
    hidden = state.viewers[VIEWERS_SHOWN_MAX:]
    if hidden:
        table.add_row(*_rest(state, hidden), style="dim")
    return table


def _rest(state: JobState, hidden: list[ViewerState]) -> tuple[str, ...]:
    runways = [viewer.runway_seconds for viewer in hidden if viewer.runway_seconds is not None]
    return (
        f"+ {len(hidden)} more",
        "",
        "",
        f"{sum(viewer.delivered_ms for viewer in hidden) / 1000:.1f} s",
        f"{sum(viewer.paid_seconds for viewer in hidden)} s",
        _money(state, sum(viewer.paid for viewer in hidden)),
        _runway(min(runways, default=None)),
    )


def plain_line(state: JobState) -> str:
    """One line for logs, without control characters."""
    delivered_s = sum(viewer.delivered_ms for viewer in state.viewers) / 1000
    paid_s = sum(viewer.paid_seconds for viewer in state.viewers)
    watching = sum(viewer.phase == "watching" for viewer in state.viewers)
    parts = [
        f"{time.monotonic() - state.started:6.1f} s",
        f"{PHASES.index(state.phase) + 1}/{len(PHASES)} {state.phase}",
        f"block {state.best_block} final {state.finalized_block}",
    ]
    if state.viewers and PHASES.index(state.phase) >= PHASES.index("watching"):
        parts += [
            f"{watching} of {len(state.viewers)} watching",
            f"delivered {delivered_s:.1f} s",
            f"paid {paid_s} s",
            f"earned {format_amount(state.earned, state.symbol, state.decimals)}",
        ]
    return " | ".join(parts)


class View:
    """Draws while the job runs: a live panel on a terminal, a line now and then elsewhere."""

    def __init__(self, state: JobState, console: Console) -> None:
        self.state = state
        self.console = console
        self._live: Live | None = None
        self._last_plain = -PLAIN_INTERVAL_S
        self._last_phase: str | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it while the block runs; on a terminal the last picture stays."""
        if not self.console.is_terminal:
            yield
            return
        with Live(
            render(self.state), console=self.console, auto_refresh=False, redirect_stderr=False
        ) as live:
            self._live = live
            try:
                yield
                live.update(render(self.state), refresh=True)
            finally:
                self._live = None

    def refresh(self) -> None:
        """Draw the state as it is now; without a terminal only now and then, and each phase."""
        if self._live is not None:
            self._live.update(render(self.state), refresh=True)
            return
        if self.console.is_terminal:
            return
        now = time.monotonic()
        if self.state.phase != self._last_phase or now - self._last_plain >= PLAIN_INTERVAL_S:
            self._last_phase, self._last_plain = self.state.phase, now
            self.console.print(plain_line(self.state), highlight=False, soft_wrap=True)
