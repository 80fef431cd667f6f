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
async def model_stage(count: int, visitors: int) -> AsyncIterator[Stage]:
    """Give a chain with so many open sessions of as many viewers, and visitors with a grant."""
    chain, keyring = ModelChain(), MemoryKeyring()
    granted = await _seed(chain, keyring, count + visitors)
    seeded = granted[:count]
    for each in seeded:
        _open(chain, each)
    chain.grow()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chain.run)
        yield Stage(
            chain=chain,
            keyring=keyring,
            seeded=seeded,
            visitors=granted[count:],
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
        found.append(
            Seeded(
                grant=grant,
                index=0,
                viewer=viewer,
                public=public,
                key_name=name,
                stream=1 + number % STREAMS,
                started_at=ledger.now,
            )
        )
    return found


def _open(chain: ModelChain, each: Seeded) -> None:
    order = Open(
        index=each.index,
        stream=each.stream,
        rate_per_second=each.rate_per_second,
        funds=each.rate_per_second * FUNDED_SECONDS,
        start_at=each.started_at,
    )
    happened(apply_order(chain.state.ledger, each.grant, order))
