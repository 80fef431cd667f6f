"""What happened in a run, line by line, and its digest: two runs of one seed have the same."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from typing import Any

import trio


class Story:
    """The log of one run. Times are simulated seconds since its start."""

    def __init__(self, *, keep: bool = True) -> None:
        self.lines: list[str] = []
        self.faults: Counter[str] = Counter()
        """How often each kind of fault has struck."""
        self._keep = keep
        self._digest = hashlib.sha256()

    def tell(self, what: str, /, **fields: Any) -> None:
        """Note that something happened now."""
        told = " ".join(f"{name}={value}" for name, value in fields.items())
        line = f"{trio.current_time():10.3f} {what} {told}".rstrip()
        self._digest.update(line.encode() + b"\n")
        if self._keep:
            self.lines.append(line)

    def fault(self, kind: str, /, **fields: Any) -> None:
        """Note that a fault strikes now."""
        self.faults[kind] += 1
        self.tell(f"FAULT {kind}", **fields)

    @property
    def digest(self) -> str:
        """Sum up every line so far."""
        return self._digest.hexdigest()


class RelayerLog(logging.Handler):
    """Puts the relayer's log into a story, without what differs from run to run."""

    def __init__(self, story: Story, directory: str) -> None:
        super().__init__(logging.INFO)
        self._story = story
        self._directory = directory

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message."""
        text = record.getMessage().replace(self._directory, "<state>")
        self._story.tell(f"  {record.name.removeprefix('paystream.')}: {text}")
        if record.exc_info and record.exc_info[1] is not None:
            self._story.tell(f"  raised {record.exc_info[1]!r}".replace(self._directory, "<state>"))
