"""substrate-interface's own way with the same ticks: compose, sign, submit, one after the other.

Its connection's thread waits for each answer; both its processor time and the clock are told, since
a shared machine stretches the one and hardly the other.
"""

from __future__ import annotations

import time
from typing import Any, Final

from substrateinterface import Keypair, SubstrateInterface

from relayer_load.seeding import Stage

SECONDS: Final = 1_000_000
"""A total that no block takes, so that the relayer's own ticks are left alone."""


def measure(url: str, stage: Stage, count: int) -> dict[str, Any]:
    """Submit so many ticks as batches of one, signed by an account of the chain.

    The node takes each into its pool; that the ledger then refuses the order costs the rival
    nothing that is measured.
    """
    with SubstrateInterface(url) as substrate:
        sender = Keypair.create_from_uri("//Dave")
        nonce = substrate.get_account_nonce(sender.ss58_address) or 0
        key = Keypair.create_from_uri("//Eve")
        began, cpu_began = time.monotonic(), time.thread_time()
        for number in range(count):
            grant = stage.seeded[number % len(stage.seeded)].grant
            signature = key.sign(grant.to_bytes(8, "little") + number.to_bytes(4, "little"))
            order = {
                "grant": grant,
                "order": {"Tick": {"index": 0, "seconds": SECONDS}},
                "signature": {"Sr25519": "0x" + signature.hex()},
            }
            call = substrate.compose_call("PayStream", "submit_batch", {"orders": [[order]]})
            extrinsic = substrate.create_signed_extrinsic(call, sender, nonce=nonce + number)
            substrate.submit_extrinsic(extrinsic, wait_for_inclusion=False)
        took_s, cpu_s = time.monotonic() - began, time.thread_time() - cpu_began
    return {
        "rival": "substrate-interface: compose, sign, submit, one by one",
        "rival_orders": count,
        "rival_orders_per_second": round(count / took_s, 1),
        "rival_orders_per_cpu_second": round(count / cpu_s, 1),
    }
