"""Faults by chance on the whole running system; and a chain that has lost what was final."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from main_job.stage import Stage
from offchain.ledger.client import open_ledger
from tests.system.node_process import REPOSITORY, NodeProcess, node_binary
from tests.system.staged import sessions, stage_on, until_delivered, viewer

pytestmark = [pytest.mark.system, pytest.mark.media]

ROUGH_SECONDS_MAX = 600


def rough_day(*options: str) -> dict[str, Any]:
    """Live through a day in which all must agree, and give its report."""
    paths = os.pathsep.join([str(REPOSITORY / "scripts"), str(REPOSITORY)])
    ended = subprocess.run(
        [sys.executable, "-m", "rough_day", "--json", *options],
        env={**os.environ, "PYTHONPATH": paths, "PAYSTREAM_NODE": str(node_binary())},
        capture_output=True,
        text=True,
        timeout=ROUGH_SECONDS_MAX,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def test_kills_stops_a_partition_and_a_restored_node_leave_everything_paid_and_free() -> None:
    report = rough_day(
        *("--seed", "8", "--viewers", "3", "--kills", "5", "--seconds", "75"),
        *("--hold", "20", "--backup-age", "40", "--alone", "10", "--calm", "8"),
    )
    assert report["reconciled"] is True
    assert sum(report["kills"].values()) == 6, "five, and the node that was restored"
    assert report["ended_s"] < 60
    for watching in report["viewers"]:
        assert watching["paid_seconds"] >= 20, "the day was not all faults"
        assert 0 < watching["worst_unpaid_ms"] <= 22_500


# With one validator alone nobody else has the blocks that a restored backup lacks: they are gone,
# and what was paid in them is not paid. The relayer must not take that for the chain.
async def test_a_chain_that_lost_final_blocks_is_refused_for_good_and_the_remedy_is_named(
    own_node: NodeProcess, tmp_path: Path
) -> None:
    async with stage_on(tmp_path / "stage", own_node.url) as stage:
        chain, backup = own_node.directory / "chain", tmp_path / "backup"
        await trio.to_thread.run_sync(own_node.stop)
        await trio.to_thread.run_sync(shutil.copytree, chain, backup)
        await trio.to_thread.run_sync(own_node.start)
        watching = viewer(stage, 600)
        session = await until_delivered(stage, 20_000)
        lost = await best_block(stage)

        await trio.to_thread.run_sync(own_node.kill)
        await trio.to_thread.run_sync(shutil.rmtree, chain)
        await trio.to_thread.run_sync(shutil.copytree, backup, chain)
        await trio.to_thread.run_sync(own_node.start)
        await until_higher(own_node, lost + 5)
        said = await refuses(stage, session)
        assert said.index("the node is behind") < said.index("node-disagrees")

        await stage.kill("relay")
        with trio.move_on_after(RESTART_WAITS_S):
            await stage.start_relayer()
        again = (stage.supervisor.logs / "relay.log").read_text().removeprefix(said)
        assert "waits-for-chain" in again, "its start waits for a node that is believed"
        assert "the node disagrees" in again
        assert "give another --state-dir" in again
        watching.send(signal.SIGINT)
        with trio.fail_after(30):
            await watching.wait()
        assert watching.last_json()["watched_ms"] < 45_000, "the credit has stopped the media"


RESTART_WAITS_S = 15.0
"""So long a relayer is watched that starts beside a node which is not believed."""


async def best_block(stage: Stage) -> int:
    """The best block that the relayer has seen."""
    return int((await stage.rest.get("info"))["best_block"])


async def until_higher(node: NodeProcess, number: int) -> None:
    """Wait until the node's own best block is above `number`."""
    async with open_ledger(node.url) as ledger:
        with trio.fail_after(120):
            async with ledger.heads("best") as heads:
                async for head in heads:
                    if head.number > number:
                        return


async def refuses(stage: Stage, session: dict[str, Any]) -> str:
    """The relayer moves nothing and says why; give what its log has."""
    said = (stage.supervisor.logs / "relay.log").read_text()
    assert "node-disagrees" in said, said
    assert "give another --state-dir" in said
    for now in await sessions(stage):  # none is told by a relayer that has read no block
        assert now["paid_seconds"] >= session["paid_seconds"], "what was final stays paid"
    stream = await stage.ledger.stream(stage.meeting.stream)
    assert stream is None or stream.seconds == 0, "this chain has lost it, and none is charged"
    return said
