"""Children that cannot be left behind.

Every child is the leader of a process group of its own, so that the terminal's Ctrl-C reaches
only us, and dies with us (`setpriv --pdeathsig`) if we are killed. Orphans of children come to us
(`PR_SET_CHILD_SUBREAPER`) and are ended too. Ending all takes at most
`TERM_WAIT_S + KILL_WAIT_S` seconds.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import trio

TERM_WAIT_S: Final = 3.0
KILL_WAIT_S: Final = 1.0
READY_LINE_BYTES_MAX: Final = 1 << 20
LOG_TAIL_LINES: Final = 12
MARK_VARIABLE: Final = "PAYSTREAM_SUPERVISOR"
"""In the environment of all that a supervisor starts, so that orphans are known again."""

_PR_SET_CHILD_SUBREAPER: Final = 36
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ProcessFailed(Exception):
    """A child ended when it should have run, or did not get ready. Says where its log is."""


class Child:
    """One running child. Its standard error goes to `log`, its standard output is read here."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str]
    ) -> None:
        """Start it now. Raises ProcessFailed if the program cannot be started."""
        self.name = name
        self.log = log
        self.stdout_lines: list[str] = []
        self._closed = trio.Event()
        self._line_came = trio.Condition()
        with log.open("ab") as log_file:
            try:
                # From this thread, not trio's pool: the death signal is tied to the thread.
                self.popen = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "--", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log_file,
                    env=dict(env),
                    start_new_session=True,
                )
            except OSError as error:
                raise ProcessFailed(f"{name} cannot be started: {command[0]}: {error}") from None
        with self.popen.stdout or open(os.devnull, "rb") as stdout:  # noqa: PTH123
            self._stdout = trio.lowlevel.FdStream(os.dup(stdout.fileno()))

    @property
    def pid(self) -> int:
        """The child's process id, which is also its process group."""
        return self.popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.popen.poll() is None

    async def read_stdout(self) -> None:
        """Collect lines until the child closes its standard output; the nursery runs this."""
        pending = b""
        try:
            async with self._stdout:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    async for chunk in self._stdout:
                        *lines, pending = (pending + chunk).split(b"\n")
                        if len(pending) > READY_LINE_BYTES_MAX:
                            pending = b""
                        async with self._line_came:
                            self.stdout_lines += [line.decode(errors="replace") for line in lines]
                            self._line_came.notify_all()
            if pending:
                self.stdout_lines.append(pending.decode(errors="replace"))
        finally:
            # who is cancelled reads no more: then its end is all there is to wait for
            self._closed.set()
        async with self._line_came:
            self._line_came.notify_all()

    async def ready(self, event: str, timeout_s: float) -> dict[str, Any]:
        """Wait for the JSON line that names `event`. Raises ProcessFailed."""
        with trio.move_on_after(timeout_s):
            async with self._line_came:
                while True:
                    for line in self.stdout_lines:
                        with suppress(ValueError):
                            message = json.loads(line)
                            if isinstance(message, dict) and message.get("event") == event:
                                return message
                    if self._closed.is_set():
                        raise ProcessFailed(self.complaint("ended before it was ready"))
                    await self._line_came.wait()
        raise ProcessFailed(self.complaint(f"was not ready within {timeout_s:.0f} s"))

    async def wait(self) -> int:
        """Wait until it has ended, and give its exit code."""
        await self._closed.wait()
        with suppress(ProcessLookupError):  # it may have been waited for already
            ended = os.pidfd_open(self.pid)
            try:
                await trio.lowlevel.wait_readable(ended)
            finally:
                os.close(ended)
        return self.popen.wait()

    def last_json(self) -> dict[str, Any]:
        """Give the last JSON object of its standard output. Raises ProcessFailed."""
        text = "\n".join(self.stdout_lines).strip()
        for candidate in (text, *reversed(self.stdout_lines)):
            with suppress(ValueError):
                value = json.loads(candidate)
                if isinstance(value, dict):
                    return value
        raise ProcessFailed(self.complaint("printed no JSON object at its end"))

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child alone."""
        with suppress(ProcessLookupError):
            self.popen.send_signal(number)

    def send_group(self, number: signal.Signals) -> None:
        """Send a signal to the child and all that it started in its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def complaint(self, what: str) -> str:
        """Say what is wrong with the child, with the end of its log."""
        code = self.popen.poll()
        ended = "" if code is None else f" (exit code {code})"
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        tail = "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"
        return f"{self.name} {what}{ended}. The end of {self.log}:\n{tail}"


class Supervisor:
    """All children of one run, and their logs in one directory."""

    def __init__(self, logs: Path, env: Mapping[str, str]) -> None:
        self.logs = logs
        mark = secrets.token_hex(16)
        self.env = {**env, MARK_VARIABLE: mark}
        self._mark = f"{MARK_VARIABLE}={mark}".encode()
        self.children: list[Child] = []
        self._nursery: trio.Nursery | None = None
        logs.mkdir(parents=True, exist_ok=True)
        if _libc is not None:
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    @contextmanager
    def within(self, nursery: trio.Nursery) -> Iterator[None]:
        """Read children's output in this nursery while the block runs."""
        self._nursery = nursery
        try:
            yield
        finally:
            self._nursery = None

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> Child:
        """Start a child, with `env` added to the common environment. Raises ProcessFailed."""
        if self._nursery is None:
            raise RuntimeError("a supervisor starts children within a nursery only")
        child = Child(name, command, self.logs / f"{name}.log", {**self.env, **(env or {})})
        self.children.append(child)
        self._nursery.start_soon(child.read_stdout)
        return child

    async def end(self, child: Child, wait_s: float = TERM_WAIT_S) -> int:
        """End one child politely, then firmly; give its exit code."""
        child.send(signal.SIGTERM)
        with trio.move_on_after(wait_s, shield=True) as waiting:
            await child.wait()
        if waiting.cancelled_caught:
            child.send_group(signal.SIGKILL)
        return child.popen.wait()

    def end_all(self) -> None:
        """End every child and all that came from them, within `TERM_WAIT_S + KILL_WAIT_S`.

        Blocks on purpose: it runs at the very end, when nothing else may run any more.
        """
        family = {pid for child in self.children for pid in descendants(child.pid)}
        for child in self.children:
            if child.running:
                child.send(signal.SIGTERM)
        _wait_until(lambda: not any(child.running for child in self.children), TERM_WAIT_S)
        for child in self.children:
            child.send_group(signal.SIGKILL)
        _wait_until(lambda: not any(child.running for child in self.children), KILL_WAIT_S)
        # What has lost its parent has come to us; others' children are left alone.
        orphans = [pid for pid in descendants(os.getpid()) if pid in family or self._is_ours(pid)]
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _wait_until(lambda: all(_is_reaped(pid) for pid in orphans), KILL_WAIT_S)

    def _is_ours(self, pid: int) -> bool:
        with suppress(OSError):
            return self._mark in Path(f"/proc/{pid}/environ").read_bytes()
        return False


def _is_reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _wait_until(done: Callable[[], bool], timeout_s: float) -> None:
    limit = time.monotonic() + timeout_s
    while not done() and time.monotonic() < limit:
        time.sleep(0.02)


def descendants(root: int) -> list[int]:
    """Give the ids of all processes below `root`, found in /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                )
    found: list[int] = []
    frontier = [root]
    while frontier:
        frontier = [pid for pid, parent in parents.items() if parent in frontier]
        found += frontier
    return found
