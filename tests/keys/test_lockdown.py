"""Core files, debuggers and the swap are kept off: in other processes, since it is for good."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import json, resource
{before}
from offchain.keys.lockdown import lock_down
found = lock_down()
core = resource.getrlimit(resource.RLIMIT_CORE)
locked = [line for line in open("/proc/self/status") if line.startswith("VmLck")][0]
bytearray(1 << 24)  # what comes later is no trouble
print(json.dumps([found.dumpable, found.memory_locked, list(found.missing), core,
                  int(locked.split()[1])]))
"""


def locked_down(before: str = "") -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found: list[object] = json.loads(done.stdout)
    return found


def test_no_core_file_and_no_debugger() -> None:
    dumpable, _, missing, core, _ = locked_down()
    assert dumpable is False
    assert core == [0, 0]
    assert not [each for each in missing if "debugger" in each]  # type: ignore[attr-defined]


def test_memory_is_locked_where_the_limit_is_high_enough() -> None:
    raised = "resource.setrlimit(resource.RLIMIT_MEMLOCK, (-1, -1))"
    lowered = "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))"
    _, locked, missing, _, kilobytes = locked_down(lowered)
    assert (locked, kilobytes) == (False, 0)
    assert "LimitMEMLOCK" in missing[0]  # type: ignore[index]
    try:
        _, locked, missing, _, kilobytes = locked_down(raised)
    except subprocess.CalledProcessError:
        return  # only root raises the limit
    assert (locked, missing) == (True, [])
    assert kilobytes > 1_000  # type: ignore[operator]
