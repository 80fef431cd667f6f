"""A relayer from its start to its end: one process, with one or several chains.

`run_relayer` is what `paystream relay` calls. `assembly.assembled` is one chain's relayer without
the process around it, over any chain and keyring: tests drive it with a fake chain and a clock that
jumps. Where several chains are followed, `chains.py` sends each message to its own.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import trio

from offchain.chain_names import state_dir_of, working_for
from offchain.journal import (
    Journal,
    JournalError,
    JournalUnreadable,
    LeaseLost,
    open_journal,
    open_shared_journal,
)
from offchain.ledger.background import open_background
from offchain.ledger.client import Ledger, open_ledger
from offchain.ledger.errors import LedgerError, NodeNotBelieved, NodeUnreachable
from offchain.ledger.orders import Domain
from offchain.relayer import development, metrics
from offchain.relayer.assembly import Relayer, assembled
from offchain.relayer.belief import Belief
from offchain.relayer.chains import ChainNamedTwice, Chains
from offchain.relayer.core import Core
from offchain.relayer.keyring import Keyring, KeystoreKeyring
from offchain.relayer.link import Link
from offchain.relayer.remote_keyring import open_remote_keyring
from offchain.relayer.settings import RelayerConfig, SettingsInvalid
from offchain.relayer.several import Several
from offchain.service import Ending, single, tell_manager, until_signal
from offchain.unix_socket import listening
from streaming import service_manager

__all__ = ["Relayer", "RelayerConfig", "SettingsInvalid", "assembled", "run_relayer"]

log = logging.getLogger("paystream.relay")

LAST_WRITE_WITHIN_S: Final = 3.0
"""After the tasks have ended; a thread that is writing is waited for until the end's own bound."""
WAIT_FIRST_S: Final = 0.5
WAIT_MAX_S: Final = 15.0
"""Between two tries to find a node at the start."""
TELL_EVERY_S: Final = 60.0


async def run_relayer(config: RelayerConfig) -> None:
    """Run a relayer until SIGTERM or SIGINT; then the journal is flushed, within `ENDS_WITHIN_S`.

    Waits for a node that is there and believed, for as long as the settings say. Prints one JSON
    line on standard output when it is ready. Raises JournalError, KeystoreError,
    LedgerError (NodeUnreachable, WrongRuntime), SocketInUse and OSError.
    """
    _own_directory(config.state_dir)
    ending = Ending("the journal's last write")
    await until_signal(lambda: _run_again(config, ending), ending, log)


async def _run_again(config: RelayerConfig, ending: Ending) -> None:
    """Run; from the start where another relayer has ended this one's leases: all that it has in
    memory is another's then."""
    while True:
        try:
            return await _run(config, ending)
        except Exception as error:
            lost = _lost(error)
            if lost is None:
                raise
            log.warning("event=leases-lost why=%r", str(lost))


@asynccontextmanager
async def _written_at_the_end(
    relayer: AbstractAsyncContextManager[Relayer],
) -> AsyncIterator[Relayer]:
    """Run a relayer, and write what has changed when its tasks have ended, cancelled or not."""
    core: Core | None = None
    try:
        async with relayer as running:
            core = running.core
            yield running
    finally:
        if core is not None:
            with trio.move_on_after(LAST_WRITE_WITHIN_S, shield=True):
                try:
                    await core.keeper.flush()
                except JournalError as error:
                    log.error("event=journal-failed detail=%r", str(error))  # noqa: TRY400


OpenKeyring: TypeAlias = Callable[[str, Domain], AbstractAsyncContextManager[Keyring]]
"""Opens the keyring that signs for a chain, by its name."""


@dataclass
class _Followed:
    """One of the chains: its name, nodes and journal, and what it answers about itself."""

    name: str
    urls: tuple[str, ...]
    journal: Journal
    several: Several | None
    starting: metrics.Starting


async def _run(config: RelayerConfig, ending: Ending) -> None:
    async with AsyncExitStack() as stack:
        followed = []
        for name, urls in config.chains.items():
            journal, several = await stack.enter_async_context(_journal(config, name))
            followed.append(_Followed(name, urls, journal, several, metrics.Starting()))
        stack.callback(setattr, ending, "waits_for", "the journal to be closed")
        server = config.server_account()
        listener = await stack.enter_async_context(
            listening(config.socket_path, None if server is None else server.pw_gid)
        )
        desk = await stack.enter_async_context(open_background())
        ready: dict[str, object] = {"event": "ready", "socket": str(config.socket_path)}
        if config.metrics_port is not None:
            listeners = await trio.open_tcp_listeners(config.metrics_port, host="127.0.0.1")
            answers = metrics.of_each({each.name: each.starting for each in followed})
            desk.start_soon(metrics.serve, answers, listeners[0])
            ready["metrics_port"] = listeners[0].socket.getsockname()[1]
        chains = Chains(config.chains)
        for each in followed:
            genesis_hash = each.journal.bound_to()
            if genesis_hash is not None:  # before an address can lead another name there
                chains.claim(each.name, genesis_hash)
        peers = frozenset() if server is None else frozenset({server.pw_uid})
        link = Link(
            chains.leaser,
            chains.requests,
            secrets.token_hex(8),
            peers,
            relayer_id=config.relayer_id or "",
            chains=chains.named,
        )
        open_keyring = await _keyrings(config)
        begun = trio.Event()
        async with trio.open_nursery() as nursery:
            for each in followed:
                follower = _Follower(
                    config=config,
                    followed=each,
                    chains=chains,
                    open_keyring=open_keyring,
                    link=link,
                    begun=begun,
                    ending=ending,
                )
                nursery.start_soon(follower.run)
            await begun.wait()
            nursery.start_soon(link.serve, listener)
            sys.stdout.write(json.dumps(ready | {"pid": os.getpid()}) + "\n")
            sys.stdout.flush()
            log.info("event=ready socket=%s", config.socket_path)
            nursery.start_soon(tell_manager)


@dataclass(kw_only=True)
class _Follower:
    """Follows one chain, from the search for a node to the end."""

    config: RelayerConfig
    followed: _Followed
    chains: Chains
    open_keyring: OpenKeyring
    link: Link
    begun: trio.Event
    """Set when the first of the chains is there."""
    ending: Ending

    async def run(self) -> None:
        """Follow the chain. What keeps one of several from beginning is told, and tried again: it
        keeps no other. Of one alone it ends the relayer. Raises LedgerError and JournalError."""
        with working_for(self.followed.name):
            while True:
                async with AsyncExitStack() as stack:
                    try:
                        relayer = await self._begin(stack)
                    except (LedgerError, JournalUnreadable, ChainNamedTwice) as error:
                        if self.chains.is_alone():
                            raise
                        log.error("event=chain-not-followed why=%r", str(error))  # noqa: TRY400
                        self.followed.starting.why = str(error)
                    else:
                        self._serve(relayer)
                        await trio.sleep_forever()
                await trio.sleep(WAIT_MAX_S)

    async def _begin(self, stack: AsyncExitStack) -> Relayer:
        config, followed = self.config, self.followed
        belief = Belief()
        belief.restore(followed.journal.known_chain())
        ledger = await _connected(stack, config, followed, belief)
        self.chains.claim(followed.name, ledger.genesis_hash)
        if config.development_accounts:
            await development.check(ledger)
        keyring = await stack.enter_async_context(self.open_keyring(followed.name, ledger))
        stack.callback(setattr, self.ending, "waits_for", "the connections to chain and signer")
        relayer = await stack.enter_async_context(
            _written_at_the_end(
                assembled(
                    ledger,
                    followed.journal,
                    keyring,
                    unix_ms=lambda: time.time_ns() // 1_000_000,
                    cadence_ms=config.cadence_ms,
                    credit_ms=config.credit_ms,
                    batch_signer=config.batch_signer,
                    several=followed.several,
                    belief=belief,
                )
            )
        )
        if config.development_accounts:
            relayer.requests.allow_development_accounts()
            log.warning("event=development-accounts genesis=%s", ledger.genesis_hash)
        return relayer

    def _serve(self, relayer: Relayer) -> None:
        self.chains.serve(self.followed.name, relayer)
        link = self.link
        self.followed.starting.then = metrics.Answers(relayer.core, lambda: link.connected)
        self.begun.set()


async def _connected(
    stack: AsyncExitStack, config: RelayerConfig, followed: _Followed, belief: Belief
) -> Ledger:
    """Connect to a node that is there and believed, waiting for one. Raises LedgerError.

    What it waits for is in the log, when it changes and every so often, in `/readyz`, and in what
    the service manager shows.
    """
    began = told_at = trio.current_time()
    pause_s, starting = WAIT_FIRST_S, followed.starting
    while True:
        try:
            opened = open_ledger(followed.urls, admit=belief.admit)
            return await stack.enter_async_context(opened)
        except (NodeUnreachable, NodeNotBelieved) as error:
            why, now = str(error), trio.current_time()
            if now - began >= config.chain_wait_s:
                raise
        if why != starting.why or now - told_at >= TELL_EVERY_S:
            log.warning("event=waits-for-chain seconds=%d why=%r", int(now - began), why)
            service_manager.notify(service_manager.status(f"waits for the chain: {why}"))
            starting.why, told_at = why, now
        await trio.sleep(pause_s)
        pause_s = min(pause_s * 2, WAIT_MAX_S)


@asynccontextmanager
async def _journal(
    config: RelayerConfig, chain: str
) -> AsyncIterator[tuple[Journal, Several | None]]:
    """Own a chain's journal, or share it. Raises JournalError."""
    if config.relayer_id is None:
        if chain:
            _own_directory(state_dir_of(config.state_dir, chain))
        async with open_journal(config.journal_place(chain)) as journal:
            yield journal, None
        return
    life = f"{config.relayer_id}/{secrets.token_hex(8)}"
    async with open_shared_journal(config.journal_place(chain), life) as shared:
        several = Several(shared.leasing)
        async with several.living():
            yield shared.journal, several


async def _keyrings(config: RelayerConfig) -> OpenKeyring:
    """Give what opens a chain's keyring: its signer's, or our own, which is one for all chains.

    Raises KeystoreError.
    """
    if config.signer is not None:
        sockets = {"": config.signer, **config.more_signers}
        return lambda name, domain: open_remote_keyring(sockets[name], domain)
    keyring = KeystoreKeyring(config.keystore_dir, config.password, config.password_again)
    await keyring.check()
    return lambda _name, _domain: nullcontext(keyring)


def _own_directory(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        raise SettingsInvalid(
            f"the state directory {path} is open to other users: run `chmod 700 {path}`"
        )


def _lost(error: Exception) -> BaseException | None:
    """Give the loss of the leases out of what ended a relayer, if that is among it."""
    if isinstance(error, ExceptionGroup):
        losses = error.subgroup(LeaseLost)
        return None if losses is None else single(losses.exceptions[0])
    return error if isinstance(error, LeaseLost) else None
