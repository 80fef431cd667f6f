"""Whether `paystream relay` would start with these settings, as far as can be told without it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from offchain.cli.chain import with_ledger
from offchain.cli.checks import Check, State, failed, ok, skipped, warning
from offchain.cli.checks.machine import journal_lock, state_directory, told
from offchain.cli.money import Money
from offchain.cli.ports import is_port_free
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.keys import LocalKey
    from offchain.ledger.client import Ledger
    from offchain.relayer.settings import RelayerConfig

SOCKET_PATH_BYTES_MAX: Final = 107
BATCHES_AFFORDED: Final = 100
"""So many transactions of its own a batch account should be able to pay."""


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What the relayer would be started with."""

    chains: tuple[str, ...]
    """Every endpoint; the relayer uses the first that is there."""
    state: Path
    socket: Path
    delegates: Path
    password_file: Path | None
    signer: Path | None
    batch_account: str | None
    batch_wallets: Wallets
    metrics_port: int | None
    journal: Path | str
    cadence_ms: int
    development_accounts: bool
    configured: Callable[[], RelayerConfig]
    """Checks the settings. Raises SettingsInvalid."""


def before_the_chain(what: Rehearsed) -> Iterator[Check]:
    """Check what needs no chain: settings, files, keys, socket and port."""
    yield _settings(what)
    yield from state_directory(what.state)
    holder = _holder(what)
    yield _journal(what, holder)
    yield _keys(what)
    yield _socket(what, holder)
    if what.metrics_port:
        yield _metrics_port(what.metrics_port, holder)


def _settings(what: Rehearsed) -> Check:
    try:
        what.configured()
    except Exception as error:
        return failed("Settings", told(error), "see `paystream relay --help`")
    return ok("Settings", f"a tick each {what.cadence_ms / 1000:g} s")


def _holder(what: Rehearsed) -> str | None:
    """Give who holds the journal's lock, if a relayer runs on it."""
    if isinstance(what.journal, str):
        return None
    lock = journal_lock(what.state)
    return lock.found if lock.found.startswith("in use") else None


def _journal(what: Rehearsed, holder: str | None) -> Check:
    from offchain.journal import upkeep

    name = "Journal"
    if isinstance(what.journal, Path) and not what.journal.exists():
        return ok(name, f"{what.journal} would be made")
    try:
        loaded = upkeep.still_open(what.journal)
    except Exception as error:
        return failed(name, told(error), "`paystream journal verify` tells more")
    if loaded.damaged:
        return warning(name, "; ".join(loaded.damaged), "`paystream journal verify` tells more")
    if holder is not None:
        return warning(name, holder, "end that relayer before this one starts")
    return ok(name, f"{len(loaded.sessions)} open session(s)")


def _keys(what: Rehearsed) -> Check:
    """Open every master, make none, and leave the files as they are."""
    from offchain.keys import Keystore, KeystoreCorrupt
    from offchain.keys.delegate_keys import master_numbers

    name, damaged = "Delegates' keys", []
    if what.signer is not None:
        return ok(name, f"with the signer at {what.signer}")
    try:
        store = Keystore(what.delegates)
        password = Wallets(what.delegates, what.password_file).password(
            f"Password of the delegates' keys in {what.delegates}"
        )
        numbers = master_numbers(store)
        for number in numbers:
            try:
                store.load(f"master-{number}", password)
            except KeystoreCorrupt as error:
                damaged.append(str(error))
    except Exception as error:
        return failed(name, told(error), "restore the keys, or name their --password-file")
    if damaged:
        remedy = "restore it from a backup, or make another master with `paystream keys rotate`"
        return warning(name, "; ".join(damaged), remedy)
    if not numbers:
        return ok(name, f"a master would be made in {what.delegates}")
    return ok(name, f"{len(numbers)} master(s) in {what.delegates} open with the password")


def _socket(what: Rehearsed, holder: str | None) -> Check:
    name, path = "Socket", what.socket
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        return failed(
            name,
            f"{path} has more than {SOCKET_PATH_BYTES_MAX} bytes",
            "name a shorter path with --socket",
        )
    try:
        is_there = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        is_there = False
    except OSError as error:
        return failed(name, f"{path}: {error.strerror}", "check owner and mode of its directory")
    else:
        if not is_there:
            return failed(name, f"{path} is there and is no socket", "name another --socket")
    if is_there and _answers(path):
        remedy = "end that process, or name another --socket"
        found = f"another process listens on {path}"
        return warning(name, found, remedy) if holder else failed(name, found, remedy)
    existing = next(each for each in path.absolute().parents if each.exists())
    if not os.access(existing, os.W_OK):
        return failed(name, f"{existing} cannot be written", "name another --socket")
    return ok(name, f"{path} is free")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _metrics_port(port: int, holder: str | None) -> Check:
    name = "Metrics"
    if is_port_free("127.0.0.1", port):
        return ok(name, f"127.0.0.1:{port} is free")
    found = f"127.0.0.1:{port} is in use"
    remedy = "end that program, or choose another --metrics-port"
    return warning(name, found, remedy) if holder else failed(name, found, remedy)


def endpoints(what: Rehearsed) -> tuple[list[Check], str]:
    """Check every endpoint, and give the one that the others are checked with.

    One that is not well is a warning where another is.
    """
    from offchain.cli.checks import running

    by_url = {url: running.chain(url) for url in what.chains}
    well = [url for url, found in by_url.items() if all(each.state != "failed" for each in found)]
    checks = []
    for number, found in enumerate(by_url.values(), 1):
        for each in found:
            name = each.name if len(by_url) == 1 else f"{each.name} {number}"
            state: State = "warning" if well and each.state == "failed" else each.state
            checks.append(replace(each, name=name, state=state))
    return checks, well[0] if well else what.chains[0]


def on_the_chain(what: Rehearsed, chain: str) -> list[Check]:
    """Check what the chain decides about: journal, signer, batch account, development accounts."""
    asked: list[tuple[str, Callable[[Ledger], Awaitable[Check]]]] = [
        ("Journal's chain", lambda ledger: _same_chain(what, ledger))
    ]
    if what.signer is not None:
        signer = what.signer
        asked.append(("Signer", lambda ledger: _signer(signer, ledger)))
    if what.batch_account is not None:
        asked.append(("Batch account", lambda ledger: _batch_account(what, ledger)))
    if what.development_accounts:
        asked.append(("Development", _development))

    async def work(ledger: Ledger) -> list[Check]:
        return [await check(ledger) for _, check in asked]

    try:
        return with_ledger(chain, work)
    except Exception as error:
        why = told(error)
        return [skipped(name, why) for name, _ in asked]


async def _same_chain(what: Rehearsed, ledger: Ledger) -> Check:
    from offchain.journal import upkeep

    name = "Journal's chain"
    if isinstance(what.journal, Path) and not what.journal.exists():
        return ok(name, "a new journal takes this one")
    try:
        genesis, seen = upkeep.chain_of(what.journal)
    except Exception as error:
        return failed(name, told(error), "`paystream journal verify` tells more")
    if genesis not in (None, ledger.genesis_hash):
        return failed(
            name,
            f"the journal is of the chain {genesis}, the node of {ledger.genesis_hash}",
            "name a node of that chain with --chain, or give another --state-dir",
        )
    final = (await ledger.finalized_head()).number
    if final < seen:
        return warning(
            name,
            f"the node's last final block is {final}, and the journal has seen {seen}",
            "let the node sync: until then nobody is admitted and no session is ended",
        )
    return ok(name, "the same, and as far" if genesis else "a new journal takes this one")


async def _signer(path: Path, ledger: Ledger) -> Check:
    from offchain.relayer.remote_keyring import would_greet

    try:
        await would_greet(path, ledger)
    except Exception as error:
        return failed("Signer", told(error), "see its log and its --policy")
    return ok("Signer", f"the one at {path} signs for this chain")


async def _batch_account(what: Rehearsed, ledger: Ledger) -> Check:
    from offchain.keys import KeystoreCorrupt

    name = "Batch account"
    try:
        signer: LocalKey = what.batch_wallets.signer(what.batch_account)
    except KeystoreCorrupt as error:
        return warning(name, told(error), "without it every order takes the free lane")
    except Exception as error:
        return failed(name, told(error), "see `paystream keys list`")
    native = Money.of(ledger)
    sample = await ledger.compose("PayStream", "settle", {"grant": 0, "index": 0})
    fee = (await ledger.fee(sample, signer.address)).partial_fee
    funds = await ledger.funds(signer.address)
    spare = funds.free - max(funds.locked, ledger.constants.existential_deposit)
    found = f"{signer.address} has {native.write(funds.free)}"
    remedy = f"send it {native.write(BATCHES_AFFORDED * fee)} or more"
    if spare < fee:
        return failed(name, f"{found}, too little for one fee of {native.write(fee)}", remedy)
    if spare < BATCHES_AFFORDED * fee:
        return warning(name, f"{found}, enough for {spare // fee} transaction(s)", remedy)
    return ok(name, found)


async def _development(ledger: Ledger) -> Check:
    from offchain.relayer import development

    try:
        await development.check(ledger)
    except Exception as error:
        return failed("Development", told(error), "leave --development-accounts away")
    return ok("Development", "a development chain: pages may sign as //Alice and the others")
