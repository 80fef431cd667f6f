"""The upgrade rehearsal: chains of earlier versions are upgraded while people watch and pay."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio

from main_job.processes import Child
from main_job.stage import Stage
from offchain.keys.signer import dev_key
from offchain.ledger.client import Ledger
from offchain.ledger.types import Session
from tests.system.node_process import NodeProcess, node_binary
from tests.system.staged import (
    RATE,
    UNIT,
    stage_on,
    until_all_delivered,
    until_closed,
    viewer,
)

RUNTIMES = Path(__file__).resolve().parents[1] / "data"
"""Earlier runtimes by their spec version, compressed as the chain stores them."""
VERSION = 4
WATCH_SECONDS = 45
VIEWERS = 2
DEPOSIT = 5 * UNIT
NO_WEIGHT = bytes(2)
"""A `Weight` of no time and no proof, each a compact zero."""

pytestmark = pytest.mark.demo


def exported(directory: Path) -> dict[str, Any]:
    """The development chain's specification, as the node of today writes it."""
    command = [str(node_binary()), "export-chain-spec", "--chain", "dev"]
    done = subprocess.run(command, capture_output=True, check=True, cwd=directory, timeout=120)
    specification: dict[str, Any] = json.loads(done.stdout)
    return specification


def of_version(version: int, specification: dict[str, Any], path: Path) -> Path:
    """The same chain, but for its runtime: its genesis is built by that runtime's own preset."""
    genesis = specification["genesis"]["runtimeGenesis"]
    genesis["code"] = "0x" + (RUNTIMES / f"paystream_runtime_{version}.wasm.zst").read_bytes().hex()
    path.write_text(json.dumps(specification))
    return path


async def upgrade(ledger: Ledger, code: str) -> int:
    """Set the code as root, and give the number of the block that did it."""
    set_code = await ledger.compose("System", "set_code", {"code": code})
    head = ledger.runtime.call_head("Sudo", "sudo_unchecked_weight")
    call = head + set_code + NO_WEIGHT
    receipt = await ledger.submit_signed(call, dev_key("Alice"), wait="finalized")
    assert receipt.event("CodeUpdated", pallet="System")
    return receipt.block_number


async def past(stage: Stage, number: int) -> None:
    """Wait until the best block has at least this number."""
    with trio.fail_after(60):
        async with stage.ledger.heads("best") as heads:
            async for head in heads:
                if head.number >= number:
                    return


async def in_the_ledger(
    stage: Stage, sessions: list[dict[str, Any]]
) -> dict[str, tuple[int, Session]]:
    """Read sessions that the server names; give grant and entry of each, by viewer."""
    found = {}
    for session in sessions:
        grant = int(session["grant"])
        entry = await stage.ledger.session(grant, int(session["index"]))
        assert entry is not None
        found[entry.viewer] = grant, entry
    return found


async def check_lookups(stage: Stage, grants: set[int]) -> None:
    """What was there before the upgrade is in the indexes, which the migration has built."""
    ledger = stage.ledger
    with trio.fail_after(60):
        async with ledger.heads("best") as heads:
            async for head in heads:
                if await ledger.is_indexed(at=head.hash):
                    break
    at = head.hash
    watched = await ledger.sessions_of_stream(stage.meeting.stream, at=at)
    assert {grant for grant, _ in watched} == grants
    assert stage.meeting.stream in await ledger.streams_of(stage.people.owner.address, at=at)
    for (grant, _), session in watched.items():
        assert grant in await ledger.grants_of_key(session.key, at=at)


async def paid_seconds(stage: Stage, watched: Child, grant: int, before: Session) -> int:
    """Check a viewer who has left against the ledger; give how many seconds were paid."""
    entry = await stage.ledger.grant(grant)
    assert entry is not None
    seen = watched.last_json()
    assert before.seconds < entry.seconds, "seconds were paid after the upgrade too"
    assert 0 <= seen["watched_ms"] - 1_000 * entry.seconds < 2_500
    assert entry.spent == entry.seconds * RATE
    assert await stage.ledger.vault(seen["account"]) == DEPOSIT - entry.spent
    return entry.seconds


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_viewers_watch_and_pay_across_an_upgrade(version: int, tmp_path: Path) -> None:
    specification = exported(tmp_path)
    code = specification["genesis"]["runtimeGenesis"]["code"]
    node = NodeProcess(
        tmp_path / "node", chain=of_version(version, specification, tmp_path / "chain.json")
    )
    node.start()
    try:
        async with stage_on(tmp_path / "stage", node.url, viewers=VIEWERS) as stage:
            assert stage.ledger.spec_version == version
            watching = [viewer(stage, WATCH_SECONDS, number=number) for number in range(VIEWERS)]
            sessions = await until_all_delivered(stage, VIEWERS, 8_000)
            upgraded = await upgrade(stage.ledger, code)
            # The block that sets the code still holds the old entries: the next one migrates them.
            await past(stage, upgraded + 1)
            before = await in_the_ledger(stage, sessions)
            assert len(before) == VIEWERS
            assert [entry.fees for _, entry in before.values()] == [0] * VIEWERS
            await check_lookups(stage, {grant for grant, _ in before.values()})

            for each in watching:
                assert await each.wait() == 0, each.complaint("failed")
            for grant, _ in before.values():
                await until_closed(stage, grant)

            assert stage.ledger.spec_version == VERSION
            paid = [
                await paid_seconds(stage, each, *before[each.last_json()["account"]])
                for each in watching
            ]
            stream = await stage.ledger.stream(stage.meeting.stream)
            assert stream is not None
            assert stream.seconds == sum(paid)
            assert stream.earned_total == sum(paid) * RATE
            claimed = await stage.ledger.claim(stage.people.owner, stage.meeting.stream)
            assert claimed.block_number > upgraded
            with trio.fail_after(60):
                await stage.ledger.finalized(claimed)
    finally:
        node.stop()
