"""`@polkadot/api` from npm connects unmodified, and signs what we prepare for wallets."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio

from offchain.keys import dev_key
from offchain.ledger import Close, StreamChange, open_ledger
from tests.system.node_process import NodeProcess
from tests.system.test_ledger_client import viewing

pytestmark = pytest.mark.system

SCRIPT = Path(__file__).with_name("polkadot_js.mjs")
MODULES = Path(__file__).parents[1] / "node_modules"


def polkadot_js(url: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Run the script and give what it printed."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("there is no Node.js: install it (apt-get install nodejs)", pytrace=False)
    if not (MODULES / "@polkadot" / "api").is_dir():
        pytest.fail("@polkadot/api is missing: run `npm ci --prefix tests`", pytrace=False)
    arguments = [node, str(SCRIPT), url, json.dumps(payload)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


async def test_polkadot_js_reads_sends_and_signs(node: NodeProcess) -> None:
    alice = dev_key("Alice")
    async with viewing(node, "Charlie") as v:
        await v.open()
        await v.send(Close(index=0, seconds=1))  # a general transaction in a recent block
        stream = v.stream
    async with open_ledger(node.url) as ledger:
        call = ledger.calls.update_stream(stream, StreamChange(rate_per_second=77))
        payload = await ledger.signer_payload(alice.address, call)
        seen = await trio.to_thread.run_sync(polkadot_js, node.url, payload.json)
        assert seen["symbol"] == ledger.symbol == "UNIT"
        assert seen["decimals"] == ledger.decimals == 12
        assert seen["minTickSeconds"] == ledger.constants.min_tick_seconds
        assert [stream, alice.address] in seen["streams"]
        assert "payStream.submit" in seen["calls"]
        assert "system.ExtrinsicSuccess" in seen["remark"]["events"]

        # its own remark took the nonce that the payload names, so only the signature is looked at
        message, public_key = payload.message, alice.public_key
        raw = bytes.fromhex(seen["signature"][2:])
        assert raw[0] == 1
        assert alice.pair.verify(message, raw[1:]), public_key.hex()
