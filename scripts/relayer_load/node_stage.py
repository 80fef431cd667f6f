"""Sessions on a real development node.

Seeding takes short ways, and only seeding: the development chain's sudo gives each viewer a balance
and calls deposit and grant in the viewer's name, and opens go in batches.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from ledger_costs import node_process
from main_job.parts import Dirs, environment
from main_job.processes import Supervisor
from offchain.keys import dev_key
from offchain.ledger.client import Ledger, open_ledger
from offchain.ledger.orders import Open, SignedOrder, sign_grant_proof, sign_order
from offchain.ledger.scale import compact
from offchain.ledger.types import DelegateKey, Terms, account_id
from offchain.relayer.keyring import MemoryKeyring
from relayer_load.seeding import FUNDED_SECONDS, GAP_MS, RATE, STREAMS, Seeded, Stage, viewer_of

UNIT: Final = 10**12
VIEWERS_AT_ONCE: Final = 60
GRANTING_AT_ONCE: Final = 8
OPENS_AT_ONCE: Final = 150
RATE_ON_NODE: Final = RATE * 1_000
_MARK: Final = b"\xa5" * 32
_MARK_PROOF: Final = b"\x5a" * 64


class SeedingFailed(Exception):
    """Sessions could not be opened before the measurement. Says how many."""


def unix_ms() -> int:
    """Tell the machine's time."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def node_stage(count: int, visitors: int, root: Path) -> AsyncIterator[Stage]:
    """Give a node's ledger with so many open sessions, and visitors with a grant.

    Raises ProcessFailed and LedgerError.
    """
    dirs = Dirs(root)
    supervisor = Supervisor(dirs.root / "logs", environment(dirs))
    try:
        async with trio.open_nursery() as nursery:
            with supervisor.within(nursery):
                node = await node_process.start(supervisor, dirs.root)
                async with open_ledger(node.url, timeout_s=60) as ledger:
                    keyring = MemoryKeyring()
                    granted = await _seed(ledger, keyring, count + visitors)
                    seeded = granted[:count]
                    await _open(ledger, keyring, seeded)
                    yield Stage(
                        chain=ledger,
                        keyring=keyring,
                        seeded=seeded,
                        visitors=granted[count:],
                        unix_ms=unix_ms,
                        spent_s=lambda: 0.0,  # it is another process
                        url=node.url,
                    )
            nursery.cancel_scope.cancel()
    finally:
        supervisor.end_all()


async def _seed(ledger: Ledger, keyring: MemoryKeyring, count: int) -> list[Seeded]:
    operator = dev_key("Alice")
    calls = [ledger.calls.create_stream(rate_per_second=RATE_ON_NODE) for _ in range(STREAMS)]
    receipt = await ledger.submit_signed(ledger.runtime.compose_batch(calls), operator)
    streams = [e.fields["stream"] for e in receipt.events if e.name == "StreamCreated"]
    funds = RATE_ON_NODE * FUNDED_SECONDS
    terms = Terms(
        rate_max_per_second=RATE_ON_NODE,
        cap=2 * funds,
        sessions_max=1,
        gap_ms=GAP_MS,
        expires_at=await ledger.now_ms() + 86_400_000,
    )
    mark = DelegateKey(scheme="sr25519", public=_MARK)
    # composed once: what differs between viewers is put into the bytes
    template = ledger.calls.deposit_and_grant(2 * funds, mark, _MARK_PROOF, terms)
    seeded: list[Seeded] = []
    limit = trio.CapacityLimiter(GRANTING_AT_ONCE)

    async def give(numbers: range) -> None:
        calls, names = [], {}
        for number in numbers:
            viewer = viewer_of(number)
            name, public = await keyring.delegate(viewer, 0)
            proof = sign_grant_proof(
                await keyring.open(name), ledger.genesis_hash, ledger.pallet_index, viewer
            )
            names[viewer] = (name, public)
            granting = template.replace(_MARK_PROOF, proof).replace(_MARK, public)
            calls.append(_endowed(ledger, viewer, 4 * funds + 10 * UNIT))
            calls.append(_as(ledger, viewer, granting))
        async with limit:
            receipt = await ledger.submit_signed(ledger.runtime.compose_batch(calls), operator)
        for event in receipt.events:
            if event.name == "Granted":
                viewer = event.fields["viewer"]
                name, public = names[viewer]
                seeded.append(
                    Seeded(
                        grant=event.fields["grant"],
                        index=0,
                        viewer=viewer,
                        public=public,
                        key_name=name,
                        stream=streams[len(seeded) % STREAMS],
                        started_at=0,
                        rate_per_second=RATE_ON_NODE,
                    )
                )

    async with trio.open_nursery() as nursery:
        for first in range(0, count, VIEWERS_AT_ONCE):
            nursery.start_soon(give, range(first, min(count, first + VIEWERS_AT_ONCE)))
    if len(seeded) < count:
        raise SeedingFailed(f"{count - len(seeded)} of {count} viewers could not grant")
    return seeded


async def _open(ledger: Ledger, keyring: MemoryKeyring, seeded: list[Seeded]) -> None:
    async def send(part: list[Seeded]) -> None:
        orders = []
        for each in part:
            order = Open(
                index=0,
                stream=each.stream,
                rate_per_second=RATE_ON_NODE,
                funds=RATE_ON_NODE * FUNDED_SECONDS,
                start_at=2**63,
            )
            signature = sign_order(
                await keyring.open(each.key_name),
                ledger.genesis_hash,
                ledger.pallet_index,
                each.grant,
                order,
            )
            orders.append(SignedOrder(grant=each.grant, order=order, signature=signature))
        result = await ledger.submit_batch(dev_key("Charlie"), orders)
        if result.failures:
            raise next(iter(result.failures.values()))

    async with trio.open_nursery() as nursery:
        for first in range(0, len(seeded), OPENS_AT_ONCE):
            nursery.start_soon(send, seeded[first : first + OPENS_AT_ONCE])


def _endowed(ledger: Ledger, viewer: str, balance: int) -> bytes:
    head = ledger.runtime.call_head("Balances", "force_set_balance")
    return ledger.calls.as_operator(head + b"\x00" + account_id(viewer) + compact(balance))


def _as(ledger: Ledger, viewer: str, call: bytes) -> bytes:
    return ledger.runtime.call_head("Sudo", "sudo_as") + b"\x00" + account_id(viewer) + call
