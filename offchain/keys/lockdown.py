"""Keeps a process's memory to itself: no core file, no debugger, no swap, as far as Linux allows.

A key that is in memory can be read by whoever reads that memory. Other users cannot anyway; these
measures keep it from core files on a disk, from a debugger of the same user, and from the swap.
Root is not kept out by any of them.
"""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Final

import msgspec

_PR_SET_DUMPABLE: Final = 4
_PR_GET_DUMPABLE: Final = 3
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_MCL_ONFAULT: Final = 4
LOCKED_BYTES_MIN: Final = 1 << 30
"""With a smaller limit on locked memory, locking what comes later could end the process."""


class Lockdown(msgspec.Struct, frozen=True, kw_only=True):
    """What took effect. `missing` names what did not, and the remedy."""

    dumpable: bool
    memory_locked: bool
    missing: tuple[str, ...]


def lock_down() -> Lockdown:
    """Take the measures for this process and those that it starts; what cannot be had is told."""
    missing: list[str] = []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        missing.append(f"debuggers cannot be kept off ({os.strerror(ctypes.get_errno())})")
    locked = _lock_memory(libc)
    if not locked:
        missing.append(
            "memory may be swapped: set LimitMEMLOCK=infinity in the unit, or encrypt the swap"
        )
    dumpable = bool(libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0))
    return Lockdown(dumpable=dumpable, memory_locked=locked, missing=tuple(missing))


def _lock_memory(libc: ctypes.CDLL) -> bool:
    """Lock what is there and what comes, page by page as it is touched."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and soft < LOCKED_BYTES_MIN:
        return False
    return bool(libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0)
