"""The pallet in memory: calls go in as JSON lines, and what came of them comes back.

The binary is `paystream-oracle` (`pallet-paystream/oracle`).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.model.calls import Call, encoded

ROOT = Path(__file__).parent.parent.parent


class OracleMissing(Exception):
    """The oracle is not compiled. The message says how to do it."""


def oracle_binary() -> Path:
    """Find the oracle: `PAYSTREAM_ORACLE`, else beside the node (`PAYSTREAM_NODE`, else `.node`).

    Raises OracleMissing.
    """
    named = os.environ.get("PAYSTREAM_ORACLE")
    node = Path(os.environ.get("PAYSTREAM_NODE", ROOT / ".node/paystream-node"))
    binary = Path(named) if named else node.parent / "paystream-oracle"
    if not binary.is_file():
        raise OracleMissing(
            f"there is no oracle at {binary}: build it with `scripts/setup --chain-only`"
        )
    return binary


class OracleDied(Exception):
    """The oracle has ended: a call has made the pallet panic, which nothing may."""


class Oracle:
    """A running oracle, as a context manager."""

    def __init__(self, binary: Path) -> None:
        self._process = subprocess.Popen(
            [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.pot: int = self.reset()

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def reset(self) -> int:
        """Begin the ledger anew; give the pot's account."""
        return int(self._ask('{"reset":true}')["pot"])

    def run(self, calls: Sequence[Call], dumps: Sequence[int] = ()) -> list[dict[str, Any]]:
        """Make calls in turn, and give what came of each; of `dumps` all entries afterwards too."""
        lines = [encoded(call) for call in calls]
        for place in dumps:
            lines[place]["dump"] = True
        answers: list[dict[str, Any]] = self._ask(json.dumps(lines, separators=(",", ":")))
        return answers

    def _ask(self, line: str) -> Any:
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        try:
            stdin.write(line.encode() + b"\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise OracleDied(stderr.read().decode(errors="replace"))
        return json.loads(answer)
