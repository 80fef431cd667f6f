"""Relayers as processes on one database, one signer and a real node: killed, stopped, cut off."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tests.system.node_process import NodeProcess
from tests.system.relayer_rounds import KINDS, Rounds
from tests.system.relayer_stage import several

log = logging.getLogger(__name__)
pytestmark = pytest.mark.system

ROUNDS = int(os.environ.get("PAYSTREAM_RELAYER_ROUNDS", str(len(KINDS))))
"""Each takes some 40 s of the real clock; `scripts/relayer-rounds` runs more of them."""


async def test_rounds_of_what_befalls_relayers_and_their_database(
    node: NodeProcess, tmp_path: Path
) -> None:
    async with several(node, tmp_path) as (database, lines, ledger):
        rounds = Rounds(database, lines, ledger, tmp_path, seed=16)
        report = await rounds.run(ROUNDS, KINDS)
        log.info("%s", report.as_json())
        assert not report.failures
        assert len(report.rounds) == ROUNDS
