"""Sessions on the model chain, opened by its calls but without blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from offchain.ledger.orders import Open
from offchain.ledger.types import DelegateKey, Terms
from offchain.relayer.keyring import MemoryKeyring
from relayer_load.model_chain import ModelChain, deposited
from relayer_load.seeding import FUNDED_SECONDS, GAP_MS, RATE, STREAMS, Seeded, Stage, viewer_of
from tests.relayer.fake_chain import BASE_MS, _grant, apply_order, happened


def unix_ms() -> int:
    """Tell the chain's time, which is the machine's."""
    return BASE_MS + int(trio.current_time() * 1000)


@asynccontextmanager
async def model_stage(count: int) -> AsyncIterator[Stage]:
    """Give a chain with so many open sessions, of as many viewers."""
    chain, keyring = ModelChain(), MemoryKeyring()
    seeded = await _seed(chain, keyring, count)
    chain.grow()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chain.run)
        yield Stage(
            chain=chain,
            keyring=keyring,
            seeded=seeded,
            unix_ms=unix_ms,
            spent_s=lambda: chain.spent_s,
        )
        nursery.cancel_scope.cancel()


async def _seed(chain: ModelChain, keyring: MemoryKeyring, count: int) -> list[Seeded]:
    ledger = chain.state.ledger
    ledger.now = unix_ms()
    for stream in range(1, STREAMS + 1):
        chain.add_stream(stream, rate=RATE)
    found = []
    funds = RATE * FUNDED_SECONDS
    for number in range(count):
        viewer = viewer_of(number)
        name, public = await keyring.delegate(viewer, 0)
        deposited(ledger, viewer, 2 * funds)
        terms = Terms(
            rate_max_per_second=RATE,
            cap=2 * funds,
            sessions_max=1,
            gap_ms=GAP_MS,
            expires_at=ledger.now + 10**9,
        )
        key = DelegateKey(scheme="sr25519", public=public)
        grant = int(happened(_grant(ledger, viewer, key, terms))[0].fields["grant"])
        order = Open(
            index=0,
            stream=1 + number % STREAMS,
            rate_per_second=RATE,
            funds=funds,
            start_at=ledger.now,
        )
        happened(apply_order(ledger, grant, order))
        found.append(
            Seeded(
                grant=grant,
                index=0,
                viewer=viewer,
                public=public,
                key_name=name,
                stream=order.stream,
                started_at=ledger.now,
            )
        )
    return found
