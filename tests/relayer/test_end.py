"""A relayer's end as a real process: signals that come again do not keep it from its last write."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from offchain.service import UNFINISHED
from tests.system.node_process import REPOSITORY

RELAYER = """
import logging, sys, time
from contextlib import asynccontextmanager
from pathlib import Path
import trio
from offchain import service
from offchain.relayer import run
from offchain.relayer.keeping import Keeper
from offchain.relayer.settings import RelayerConfig
from tests.relayer.fake_chain import FakeChain

directory, flush_takes_s, within_s = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
logging.basicConfig(level=logging.INFO)

@asynccontextmanager
async def opened(urls, *, admit):
    yield FakeChain()

async def flush(self, *, probe=False):
    await trio.to_thread.run_sync(time.sleep, flush_takes_s)
    (directory / "flushed").touch()

async def idle(self):
    await trio.sleep_forever()

run.open_ledger, Keeper.flush, Keeper.run = opened, flush, idle
service.until_signal.__kwdefaults__["within_s"] = within_s
config = RelayerConfig(chain_urls=("ws://x",), state_dir=directory, password="x" * 9)
trio.run(run.run_relayer, config)
"""


@contextmanager
def relayer(path: Path, flush_takes_s: float, within_s: float) -> Iterator[subprocess.Popen[str]]:
    """Start a relayer on a chain in memory, whose last write takes so long; wait for its start."""
    path.chmod(0o700)
    with subprocess.Popen(
        [sys.executable, "-c", RELAYER, str(path), str(flush_takes_s), str(within_s)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def until_said(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(words)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_is_told_what_is_waited_for_and_ends_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    with relayer(tmp_path, flush_takes_s=1.0, within_s=5.0) as process:
        process.send_signal(number)
        until_said(process, "event=stopping")
        process.send_signal(number)
        line = until_said(process, "event=still-stopping")
        assert "the journal's last write" in line
        assert 3.0 < float(line.rpartition("at_most_s=")[2]) <= 5.0
        assert process.wait(10) == 0
        assert (tmp_path / "flushed").exists()


def test_a_third_signal_ends_it_at_once(tmp_path: Path) -> None:
    with relayer(tmp_path, flush_takes_s=30.0, within_s=30.0) as process:
        process.send_signal(signal.SIGTERM)
        until_said(process, "event=stopping")
        process.send_signal(signal.SIGTERM)
        until_said(process, "event=still-stopping")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 128 + signal.SIGTERM
        assert "stopped-unfinished" in until_said(process, "the journal's last write")
        assert not (tmp_path / "flushed").exists()


def test_an_end_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    with relayer(tmp_path, flush_takes_s=30.0, within_s=0.5) as process:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == UNFINISHED
        assert time.monotonic() - began < 5
        until_said(process, "event=stopped-unfinished")
