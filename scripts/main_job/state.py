"""What is known about the running job at this moment; the view draws it, nothing else."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

NOTES_MAX: Final = 4

Phase = Literal[
    "starting the node",
    "starting relayer and media server",
    "creating accounts and the stream",
    "publishing",
    "viewers deposit and grant",
    "watching",
    "closing the sessions",
    "claiming",
    "waiting for finality",
    "reconciling",
]
PHASES: Final[tuple[Phase, ...]] = (
    "starting the node",
    "starting relayer and media server",
    "creating accounts and the stream",
    "publishing",
    "viewers deposit and grant",
    "watching",
    "closing the sessions",
    "claiming",
    "waiting for finality",
    "reconciling",
)

ViewerPhase = Literal["preparing", "opening", "watching", "leaving", "closed", "failed"]


@dataclass
class ViewerState:
    """One viewer, as far as stream owner and chain tell."""

    name: str
    account: str
    phase: ViewerPhase = "preparing"
    session: str = ""
    delivered_ms: int = 0
    paid_seconds: int = 0
    paid: int = 0
    runway_seconds: int | None = None


@dataclass
class JobState:
    """The whole job. Money in the smallest unit, times in seconds."""

    seconds: int
    rate_per_second: int
    symbol: str = "UNIT"
    decimals: int = 12
    phase: Phase = PHASES[0]
    stream: int | None = None
    earned: int = 0
    claimed: int = 0
    best_block: int = 0
    finalized_block: int = 0
    relayer_restarts: int = 0
    frozen: bool = False
    viewers: list[ViewerState] = field(default_factory=list)
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=NOTES_MAX))
    started: float = field(default_factory=time.monotonic)
    watching_since: float | None = None

    def note(self, text: str) -> None:
        """Remember an event, with the time since the start."""
        self.notes.append(f"{time.monotonic() - self.started:5.1f} s  {text}")

    @property
    def watched_s(self) -> float:
        """Time since watching began, at most what was asked for."""
        if self.watching_since is None:
            return 0.0
        if PHASES.index(self.phase) > PHASES.index("watching"):
            return float(self.seconds)
        return min(float(self.seconds), time.monotonic() - self.watching_since)
