"""The parts of one chain's relayer put together: a journal, a chain and a keyring become tasks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from offchain.journal import Journal
from offchain.keys.signer import Signer
from offchain.relayer.admission import Admission
from offchain.relayer.adoption import Adopter
from offchain.relayer.batches import Batcher
from offchain.relayer.belief import Belief
from offchain.relayer.chain import Chain
from offchain.relayer.confirm import Confirmer
from offchain.relayer.continuing import Continuer
from offchain.relayer.core import Core
from offchain.relayer.credit import CREDIT_MS
from offchain.relayer.delegates import Delegates
from offchain.relayer.keyring import Keyring
from offchain.relayer.leases import Leaser
from offchain.relayer.requests import Requests
from offchain.relayer.settle import Settler
from offchain.relayer.several import Several
from offchain.relayer.submit import Submitter
from offchain.relayer.tenure import Alone
from offchain.relayer.tokens import Tokens
from offchain.relayer.wallet import Wallet

log = logging.getLogger("paystream.relay")


@dataclass
class Relayer:
    """The parts of a running relayer."""

    core: Core
    leaser: Leaser
    requests: Requests
    submitter: Submitter
    confirmer: Confirmer


@asynccontextmanager
async def assembled(
    chain: Chain,
    journal: Journal,
    keyring: Keyring,
    *,
    unix_ms: Callable[[], int],
    cadence_ms: int = 6_000,
    credit_ms: int = CREDIT_MS,
    batch_signer: Signer | None = None,
    several: Several | None = None,
    belief: Belief | None = None,
) -> AsyncIterator[Relayer]:
    """Put a relayer together from its journal and run its tasks for the length of the block.

    `credit_ms` is what may be forwarded to a viewer before a block charges it. `batch_signer`'s
    account sends batches of ticks; without it all take the free lane. `belief` is what
    nodes were held against before there was a relayer.

    `several` holds the leases where other relayers write the journal, too; then what is open is
    read when it is leased.

    Raises JournalUnreadable where the journal belongs to another chain, and LeaseLost.
    """
    journal.bind_chain(chain.genesis_hash)
    core = Core(
        chain=chain,
        journal=journal,
        keyring=keyring,
        unix_ms=unix_ms,
        cadence_ms=cadence_ms,
        credit_ms=credit_ms,
        tenure=several or Alone(),
        belief=belief or Belief(),
    )
    core.belief.restore(journal.known_chain())
    loaded = journal.load() if several is None else journal.load_of([])
    for damage in loaded.damaged:
        log.error("event=journal-damaged detail=%r", damage)
    core.book.restore(loaded, trio.current_time())
    tokens = Tokens(journal, chain.genesis_hash)
    tokens.add(loaded.tokens)
    delegates = Delegates(core)
    delegates.restore(loaded.delegates)
    await delegates.archive_spent(loaded.sessions)
    submitter = Submitter(core)
    if batch_signer is not None:
        submitter.batches = Batcher(core, submitter, batch_signer)
    confirmer = Confirmer(core)
    if core.book.sessions:
        log.info("event=sessions-restored count=%d", len(core.book.sessions))
    async with trio.open_nursery() as nursery:
        wallet = Wallet(core, delegates, nursery)
        admission = Admission(core, delegates, submitter)
        requests = Requests(
            core, tokens=tokens, delegates=delegates, admission=admission, wallet=wallet
        )
        nursery.start_soon(Continuer(core, admission, tokens).run)
        nursery.start_soon(confirmer.follow_best)
        nursery.start_soon(confirmer.follow_finalized)
        nursery.start_soon(confirmer.watch_silence)
        nursery.start_soon(submitter.run)
        nursery.start_soon(Settler(core).run)
        nursery.start_soon(core.keeper.run)
        nursery.start_soon(Adopter(core, delegates).run)
        if several is not None:
            several.bind(core, tokens, delegates)
            nursery.start_soon(several.look)
        yield Relayer(core, Leaser(core, tokens), requests, submitter, confirmer)
        nursery.cancel_scope.cancel()
