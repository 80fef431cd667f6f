"""A relayer from its start to its end: one task per concern.

`run_relayer` is what `paystream relay` calls. `assembled` is the same without the process around
it, over any chain and keyring: tests drive it with a fake chain and a clock that jumps.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from offchain.journal import Journal, JournalUnavailable, open_journal
from offchain.keys.signer import Signer
from offchain.ledger.client import open_ledger
from offchain.relayer import metrics
from offchain.relayer.admission import Admission
from offchain.relayer.batches import Batcher
from offchain.relayer.chain import Chain
from offchain.relayer.confirm import Confirmer
from offchain.relayer.continuing import Continuer
from offchain.relayer.core import Core, Keyring
from offchain.relayer.delegates import Delegates, KeystoreKeyring
from offchain.relayer.leases import Leaser
from offchain.relayer.link import Link, listening
from offchain.relayer.requests import Requests
from offchain.relayer.settings import RelayerConfig, SettingsInvalid
from offchain.relayer.submit import Submitter
from offchain.relayer.tokens import Tokens
from offchain.relayer.wallet import Wallet

__all__ = ["RelayerConfig", "SettingsInvalid", "assembled", "run_relayer"]

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
    batch_signer: Signer | None = None,
) -> AsyncIterator[Relayer]:
    """Put a relayer together from its journal and run its tasks for the length of the block.

    `batch_signer`'s account sends batches of ticks; without it all take the free lane.

    Raises JournalUnreadable where the journal belongs to another chain.
    """
    journal.bind_chain(chain.genesis_hash)
    core = Core(
        chain=chain, journal=journal, keyring=keyring, unix_ms=unix_ms, cadence_ms=cadence_ms
    )
    loaded = journal.load()
    core.book.restore(loaded, trio.current_time())
    tokens = Tokens(journal, chain.genesis_hash)
    tokens.restore(loaded.tokens)
    delegates = Delegates(core)
    delegates.restore(loaded.delegates)
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
        nursery.start_soon(core.keep_journal)
        yield Relayer(core, Leaser(core, tokens), requests, submitter, confirmer)
        nursery.cancel_scope.cancel()
    await _last_flush(core)


async def _last_flush(core: Core) -> None:
    with trio.move_on_after(3, shield=True):
        try:
            await core.flush()
        except JournalUnavailable as error:
            log.error("event=journal-failed detail=%r", str(error))  # noqa: TRY400


async def run_relayer(config: RelayerConfig) -> None:
    """Run a relayer until SIGTERM or SIGINT; then the journal is flushed.

    Prints one JSON line on standard output when it is ready. Raises JournalError, KeystoreError,
    LedgerError (NodeUnreachable, WrongRuntime), SocketInUse and OSError.
    """
    _own_directory(config.state_dir)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, nursery.cancel_scope)
        try:
            await _run(config)
        except Exception as error:  # carried out of the nursery, which would wrap it in a group
            failure = _single(error)
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    log.info("event=stopped")


async def _run(config: RelayerConfig) -> None:
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(open_journal(config.journal_path))
        listener = await stack.enter_async_context(listening(config.socket_path))
        ledger = await stack.enter_async_context(open_ledger(config.chain_url))
        keyring = KeystoreKeyring(config.keystore_dir, config.password)
        await keyring.check()
        relayer = await stack.enter_async_context(
            assembled(
                ledger,
                journal,
                keyring,
                unix_ms=lambda: time.time_ns() // 1_000_000,
                cadence_ms=config.cadence_ms,
                batch_signer=config.batch_signer,
            )
        )
        async with trio.open_nursery() as nursery:
            ready = {"event": "ready", "socket": str(config.socket_path), "pid": os.getpid()}
            if config.metrics_port is not None:
                listeners = await trio.open_tcp_listeners(config.metrics_port, host="127.0.0.1")
                nursery.start_soon(metrics.serve, relayer.core, listeners[0])
                ready["metrics_port"] = listeners[0].socket.getsockname()[1]
            link = Link(relayer.leaser, relayer.requests, secrets.token_hex(8))
            nursery.start_soon(link.serve, listener)
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            log.info("event=ready socket=%s", config.socket_path)


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("event=stopping signal=%s", signal.Signals(number).name)
            scope.cancel()
            return


def _own_directory(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        raise SettingsInvalid(
            f"the state directory {path} is open to other users: run `chmod 700 {path}`"
        )


def _single(error: BaseException) -> BaseException:
    """Take the one error out of a group of one, so that its message reaches the user."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
