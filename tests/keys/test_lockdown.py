"""Core files, debuggers and the swap are kept off: in other processes, since it is for good."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WITHIN_S = 60
"""A process that has not said by then what is waited for is ended."""
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


RAISED = "resource.setrlimit(resource.RLIMIT_MEMLOCK, (-1, -1))"


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


def can_raise_the_memory_limit() -> bool:
    """Only root raises a hard limit, and in a container not even root may."""
    tried = subprocess.run(
        [sys.executable, "-c", f"import resource; {RAISED}"], capture_output=True, check=False
    )
    return tried.returncode == 0


def test_what_memory_is_not_locked_is_told() -> None:
    lowered = "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))"
    _, locked, missing, _, kilobytes = locked_down(lowered)
    assert (locked, kilobytes) == (False, 0)
    assert "LimitMEMLOCK" in missing[0]  # type: ignore[index]


def test_memory_is_locked_where_the_limit_is_high_enough() -> None:
    if not can_raise_the_memory_limit():
        pytest.skip("the limit on locked memory cannot be raised here: it takes CAP_SYS_RESOURCE")
    _, locked, missing, _, kilobytes = locked_down(RAISED)
    assert (locked, missing) == (True, [])
    assert kilobytes > 1_000  # type: ignore[operator]


@contextmanager
def running(directory: Path, *arguments: str, until: str) -> Iterator[int]:
    """Start a process that may write core files; give its number once it has said a word.

    Root starts it in another group than its own: what `/proc` has of a process that is closed to
    debuggers belongs to root and to root's group, whoever runs it.
    """
    password = directory / "password"
    password.write_text("correct horse")
    password.chmod(0o600)
    variables = {
        "PYTHONPATH": str(ROOT),
        "PAYSTREAM_STATE_DIR": str(directory / "state"),
        "PAYSTREAM_PASSWORD_FILE": str(password),
        "XDG_CONFIG_HOME": str(directory),
    }
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=os.environ | variables, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            group=65_534 if os.getuid() == 0 else None,
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    late = threading.Timer(WITHIN_S, process.kill)
    late.start()
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if until in line:
                break
        else:
            pytest.fail(f"it ended before it said {until!r}: {said}")
        yield process.pid
    finally:
        late.cancel()
        process.kill()
        process.communicate()


def writes_core_files(pid: int) -> bool:
    limits = Path(f"/proc/{pid}/limits").read_text()
    (limit,) = re.findall(r"Max core file size +(\S+)", limits)
    return bool(limit != "0")


def is_open_to_debuggers(pid: int) -> bool:
    found = Path(f"/proc/{pid}/status").stat()
    return (found.st_uid, found.st_gid) != (0, 0)


@pytest.mark.parametrize(
    ("arguments", "until"),
    [
        (["signer"], "paystream.signer ready"),
        (["relay", "--chain", "ws://127.0.0.1:1"], "paystream.relay waits-for-chain"),
    ],
)
def test_a_started_process_that_holds_keys_is_closed(
    tmp_path: Path, arguments: list[str], until: str
) -> None:
    with running(tmp_path, "-m", "offchain.cli", *arguments, until=until) as pid:
        assert not writes_core_files(pid)
        assert not is_open_to_debuggers(pid)


def test_one_that_keeps_nothing_to_itself_is_found_open(tmp_path: Path) -> None:
    """Without this the test above could be content with a machine that allows nothing anyway."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("the hard limit on core files is 0 here: every process has none")
    waits = "import signal; print('there', flush=True); signal.pause()"
    with running(tmp_path, "-c", waits, until="there") as pid:
        assert writes_core_files(pid)
        assert is_open_to_debuggers(pid)
