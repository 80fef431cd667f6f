"""The main job in each of its modes, from real processes, and what it must refuse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from main_job.accounts import PAYEE_FUNDS
from main_job.processes import descendants
from offchain.keys import dev_key
from offchain.ledger import open_ledger
from offchain.reconcile import judge
from tests.system.node_process import NodeProcess, node_binary

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 300
USD = 1984
"""The development chain's stablecoin; its smallest unit is a millionth."""
USD_UNIT = 10**6
USD_RATE = USD_UNIT // 1000
USD_MIN = USD_UNIT // 100
"""The least that an account may hold of it."""

pytestmark = pytest.mark.demo


def environment(**more: str) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / "scripts"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "PAYSTREAM_NODE": str(node_binary()), **more}


def demo(*options: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "main_job", "--json", *options]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )


def reconciled(*options: str, **more: str) -> dict[str, Any]:
    """Run the demo, which must reconcile; standard output is one JSON object and nothing else."""
    ended = demo(*options, **more)
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    assert report["reconciled"] is True
    assert judge(report, killed=report["relayer_restarts"] > 0) == []
    return report


def test_one_viewer_is_reconciled() -> None:
    report = reconciled("--seconds", "12")
    assert list(report) == [
        "genesis_hash",
        "stream",
        "viewers",
        "payees",
        "claim_block",
        "finalized_block",
        "relayer_restarts",
        "path",
        "reconciled",
    ]
    assert report["path"] is None
    assert list(report["stream"]) == [
        "id",
        "rate_per_second",
        "earned",
        "claimed",
        "treasury",
        "unclaimed",
    ]
    (viewer,) = report["viewers"]
    assert list(viewer) == [
        "account",
        "delegate",
        "session",
        "watched_ms",
        "freezes_ms",
        "frames_decoded",
        "delivered_ms",
        "ticks",
        "paid_seconds",
        "rate_per_second",
        "paid",
        "fees",
        "vault_before",
        "vault_after",
        "close_reason",
        "blocks",
    ]
    assert viewer["paid_seconds"] >= 9
    assert viewer["frames_decoded"] >= 30 * 9
    blocks = viewer["blocks"]
    assert blocks["opened"] < blocks["last_tick"] <= blocks["closed"] < report["claim_block"]
    assert report["claim_block"] <= report["finalized_block"]
    assert sum(payee["received"] for payee in report["payees"]) == report["stream"]["earned"] > 0


def test_three_viewers_pay_nothing_for_a_frozen_publisher(node: NodeProcess) -> None:
    """On a node that runs already, as `--chain` says."""
    report = reconciled("--viewers", "3", "--seconds", "20", "--stall", "5", "--chain", node.url)
    assert len({viewer["account"] for viewer in report["viewers"]}) == 3
    for viewer in report["viewers"]:
        assert 11 <= viewer["paid_seconds"] <= 16, "20 s less the freeze of 5 s"
        assert viewer["watched_ms"] < 16_500, "the viewer saw the freeze, too"
        assert 4_000 < viewer["freezes_ms"] < 8_000


async def test_a_stablecoin_is_reconciled_in_its_own_units(node: NodeProcess) -> None:
    report = reconciled("--asset", "usd", "--seconds", "12", "--chain", node.url)
    (viewer,), stream = report["viewers"], report["stream"]
    assert viewer["paid_seconds"] >= 9
    assert stream["rate_per_second"] == viewer["rate_per_second"] == USD_RATE
    assert stream["earned"] == viewer["paid"] == viewer["paid_seconds"] * USD_RATE
    # What the report says in units is what the ledger has of this asset, and of no other.
    async with open_ledger(node.url) as ledger:
        entry = await ledger.stream(stream["id"])
        assert entry is not None
        assert (entry.asset, entry.earned_total) == (USD, stream["earned"])
        assert await ledger.vaults(viewer["account"]) == {USD: viewer["vault_after"]}
        for payee in report["payees"]:
            held = await ledger.balance(payee["account"], asset=USD)
            assert held == USD_MIN + payee["received"]
            assert await ledger.balance(payee["account"]) == PAYEE_FUNDS, "nothing native came"


async def test_what_the_operator_takes_is_reconciled(own_node: NodeProcess) -> None:
    """A price on each tick, and a share of claims, whose rest need not split evenly."""
    price, share_ppm = 7, 25_000
    async with open_ledger(own_node.url) as ledger:
        calls = ledger.calls
        for call in (calls.set_tick_price(USD, price), calls.set_treasury_share(share_ppm)):
            await ledger.submit_signed(calls.as_operator(call), dev_key("Alice"))
    report = reconciled("--asset", "usd", "--seconds", "12", "--chain", own_node.url)
    (viewer,), stream = report["viewers"], report["stream"]
    assert viewer["fees"] == price * viewer["ticks"] > 0
    assert viewer["vault_before"] - viewer["vault_after"] == viewer["paid"] + viewer["fees"]
    assert stream["treasury"] == viewer["fees"] + stream["earned"] * share_ppm // 10**6
    assert stream["claimed"] == sum(payee["received"] for payee in report["payees"])
    assert stream["claimed"] < stream["earned"]


def test_a_killed_relayer_goes_on_where_it_was() -> None:
    report = reconciled("--kill-relayer", "--seconds", "24")
    assert report["relayer_restarts"] == 1
    (viewer,) = report["viewers"]
    assert viewer["ticks"] >= 2
    assert "+" not in viewer["session"], "one session, not two"


def test_a_long_way_is_reconciled_and_stands_in_the_report(node: NodeProcess) -> None:
    path = ("--delay-ms", "40", "--jitter-ms", "20", "--rate-kbps", "5000", "--seed", "7")
    report = reconciled("--seconds", "12", *path, "--chain", node.url)
    assert report["path"] == {
        "loss": 0,
        "delay_ms": 40,
        "jitter_ms": 20,
        "rate_kbps": 5000,
        "loss_in": 0,
        "seed": 7,
    }
    (viewer,) = report["viewers"]
    assert viewer["paid_seconds"] >= 9
    assert viewer["freezes_ms"] < 2_000


@pytest.mark.browser
def test_pages_over_a_path_that_loses_packets_are_reconciled() -> None:
    report = reconciled("--browser", "--seconds", "30", "--loss", "2", "--delay-ms", "40")
    (viewer,) = report["viewers"]
    assert viewer["delivered_ms"] >= 0.95 * viewer["watched_ms"] - 1_000
    assert viewer["delivered_ms"] <= viewer["watched_ms"] + 500


@pytest.mark.browser
def test_pages_in_a_browser_are_reconciled() -> None:
    report = reconciled("--browser", "--seconds", "12")
    (viewer,) = report["viewers"]
    assert viewer["frames_decoded"] > 100
    assert viewer["freezes_ms"] < 4_000
    assert viewer["paid_seconds"] >= 8


def test_a_meter_that_counts_three_seconds_too_many_is_found_out() -> None:
    server = f"{sys.executable} -m tests.system.faulty_server"
    ended = demo("--seconds", "12", PAYSTREAM_DEMO_SERVE=server)
    assert ended.returncode == 1, ended.stderr
    report = json.loads(ended.stdout)
    assert report["reconciled"] is False
    assert "NOT RECONCILED" in ended.stderr
    assert "only" in ended.stderr
    assert "were watched" in ended.stderr


def test_a_video_that_is_none_is_named_without_a_traceback(tmp_path: Path) -> None:
    video = tmp_path / "film.mp4"
    video.write_text("this is no film")
    ended = demo("--seconds", "10", "--video", str(video))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "film.mp4" in ended.stderr
    assert "Traceback" not in ended.stderr


@contextmanager
def running_demo(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "main_job", *options]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def alive(pids: list[int]) -> list[str]:
    found = []
    for pid in pids:
        entry = Path(f"/proc/{pid}")
        if entry.exists() and (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind_within_five_seconds(number: signal.Signals) -> None:
    with running_demo("--seconds", "600") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "watching" in line and "delivered" in line:
                break
        children = descendants(process.pid)
        assert len(children) >= 5, "node, relayer, server, publisher and viewer"
        before = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=10)
        assert time.monotonic() - before < 5
        assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
        while alive(children):
            assert time.monotonic() - before < 5, alive(children)
