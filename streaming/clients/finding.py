"""What was found of one rule of a specification."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One rule: whether it is kept (None where it could not be tried), and what to change."""

    name: str
    kept: bool | None
    found: str
    remedy: str = ""
