"""The upgrade rehearsal: a chain of the first release is upgraded while people watch and pay."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio

from main_job.stage import Stage
from offchain.keys.signer import dev_key
from tests.system.node_process import NodeProcess, node_binary
from tests.system.staged import stage_on, until_closed, until_delivered, viewer

FIRST_RELEASE = Path(__file__).resolve().parents[1] / "data" / "paystream_runtime_1.wasm.zst"
"""The runtime of the first release (spec version 1), compressed as the chain stores it."""
WATCH_SECONDS = 45
NO_WEIGHT = bytes(2)
"""A `Weight` of no time and no proof, each a compact zero."""

pytestmark = pytest.mark.demo


def exported(directory: Path) -> dict[str, Any]:
    """The development chain's specification, as the node of today writes it."""
    command = [str(node_binary()), "export-chain-spec", "--chain", "dev"]
    done = subprocess.run(command, capture_output=True, check=True, cwd=directory, timeout=120)
    specification: dict[str, Any] = json.loads(done.stdout)
    return specification


def of_the_first_release(specification: dict[str, Any], path: Path) -> Path:
    """The same chain, but for its runtime: its genesis is built by that runtime's own preset."""
    genesis = specification["genesis"]["runtimeGenesis"]
    genesis["code"] = "0x" + FIRST_RELEASE.read_bytes().hex()
    path.write_text(json.dumps(specification))
    return path


async def upgrade(stage: Stage, code: str) -> int:
    """Set the code as root, and give the number of the block that did it."""
    set_code = await stage.ledger.compose("System", "set_code", {"code": code})
    head = stage.ledger.runtime.call_head("Sudo", "sudo_unchecked_weight")
    call = head + set_code + NO_WEIGHT
    receipt = await stage.ledger.submit_signed(call, dev_key("Alice"), wait="finalized")
    assert receipt.event("CodeUpdated", pallet="System")
    return receipt.block_number


async def past(stage: Stage, number: int) -> None:
    """Wait until the best block has at least this number."""
    with trio.fail_after(60):
        async with stage.ledger.heads("best") as heads:
            async for head in heads:
                if head.number >= number:
                    return


async def test_viewers_watch_and_pay_across_an_upgrade_from_the_first_release(
    tmp_path: Path,
) -> None:
    specification = exported(tmp_path)
    code = specification["genesis"]["runtimeGenesis"]["code"]
    node = NodeProcess(
        tmp_path / "node", chain=of_the_first_release(specification, tmp_path / "chain.json")
    )
    node.start()
    try:
        async with stage_on(tmp_path / "stage", node.url) as stage:
            assert stage.ledger.spec_version == 1
            watching = viewer(stage, WATCH_SECONDS)
            session = await until_delivered(stage, 8_000)
            grant, index = int(session["grant"]), int(session["index"])
            upgraded = await upgrade(stage, code)
            # The block that sets the code still holds the old entries: the next one migrates them.
            await past(stage, upgraded + 1)
            before = await stage.ledger.session(grant, index)
            assert before is not None
            assert before.fees == 0

            assert await watching.wait() == 0, watching.complaint("failed")
            await until_closed(stage, grant)

            assert stage.ledger.spec_version == 2
            ticked = before.seconds
            paid = (await stage.ledger.stream(stage.meeting.stream)).seconds  # type: ignore[union-attr]
            seen = watching.last_json()
            assert ticked < paid, "seconds were paid after the upgrade too"
            assert 0 <= seen["watched_ms"] - 1_000 * paid < 2_500
            claimed = await stage.ledger.claim(stage.people.owner, stage.meeting.stream)
            assert claimed.block_number > upgraded
            with trio.fail_after(60):
                await stage.ledger.finalized(claimed)
    finally:
        node.stop()
