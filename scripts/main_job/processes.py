"""Children that cannot be left behind, and what processes take."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from offchain.processes import Child, ProcessFailed, Supervisor, descendants

__all__ = [
    "Child",
    "ProcessFailed",
    "Supervisor",
    "anonymous_bytes",
    "cpu_seconds",
    "descendants",
    "memory_bytes",
]


def memory_bytes(pid: int) -> int:
    """Give a process's resident memory, 0 if it has ended."""
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def anonymous_bytes(pid: int) -> int:
    """Give what a process holds in memory apart from mapped files, 0 if it has ended.

    Pages of a mapped database are the kernel's to take back; these are not.
    """
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
    return 0


def cpu_seconds(pid: int) -> float:
    """Give the processor time that a process has used, 0 if it has ended."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
