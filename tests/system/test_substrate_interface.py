"""`substrate-interface` connects unmodified: storage, events, constants, signed extrinsics."""

from __future__ import annotations

import pytest
import trio
from substrateinterface import Keypair, SubstrateInterface

from offchain.ledger import Close
from tests.system.node_process import NodeProcess
from tests.system.test_ledger_client import RATE, viewing

pytestmark = pytest.mark.system


def look(url: str, stream: int, block_hash: str) -> dict[str, object]:
    """Read the same things that the ledger client read, and send an extrinsic."""
    with SubstrateInterface(url=url) as chain:
        entry = chain.query("PayStream", "Streams", [stream])
        events = chain.get_events(block_hash=block_hash)
        call = chain.compose_call("PayStream", "deposit", {"asset": "Native", "amount": 5 * 10**12})
        extrinsic = chain.create_signed_extrinsic(call, Keypair.create_from_uri("//Dave"))
        chain.submit_extrinsic(extrinsic)
        return {
            "rate": entry.value["rate_per_second"],
            "seconds": entry.value["seconds"],
            "events": {event.value["event_id"] for event in events},
            "constant": chain.get_constant("PayStream", "MinTickSeconds").value,
            "chain": chain.chain,
            "decimals": chain.token_decimals,
        }


async def test_substrate_interface_reads_and_sends(node: NodeProcess) -> None:
    async with viewing(node, "Charlie") as v:
        await v.open()
        closed = await v.send(Close(index=0, seconds=1))
        before = await v.ledger.vault(Keypair.create_from_uri("//Dave").ss58_address)
        seen = await trio.to_thread.run_sync(look, node.url, v.stream, closed.block_hash)
        assert seen["rate"] == RATE
        assert seen["seconds"] == 1
        assert seen["decimals"] == 12
        assert seen["constant"] == v.ledger.constants.min_tick_seconds
        events = seen["events"]
        assert isinstance(events, set)
        assert {"Ticked", "SessionClosed"} <= events
        async with v.ledger.heads("best") as heads:
            with trio.fail_after(30):
                async for _ in heads:
                    dave = Keypair.create_from_uri("//Dave").ss58_address
                    if await v.ledger.vault(dave) == before + 5 * 10**12:
                        break
