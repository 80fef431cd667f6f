"""What `paystream doctor` looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: its state, what was found, and how to mend it."""

    name: str
    state: State
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Check:
    """Say that something is as it should be."""
    return Check(name, "ok", found)


def warning(name: str, found: str, remedy: str) -> Check:
    """Say that something will hinder some, not all."""
    return Check(name, "warning", found, remedy)


def failed(name: str, found: str, remedy: str) -> Check:
    """Say that something must be mended."""
    return Check(name, "failed", found, remedy)


def skipped(name: str, why: str) -> Check:
    """Say that something could not be looked at."""
    return Check(name, "skipped", why)
