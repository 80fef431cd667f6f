"""What a relayer that starts now would adopt: open sessions of its keys that no journal has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from offchain.cli.checks.machine import told
from offchain.cli.wallets import Wallets

if TYPE_CHECKING:
    from offchain.cli.checks.relaying import Rehearsed
    from offchain.keys.delegate_keys import DelegateKeys
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Constants, Session

Place = tuple[int, int]
Entries = Mapping[Place, "Session"]
Ours = Callable[["Ledger", Entries], Awaitable[Entries]]
"""Gives those of some sessions whose keys we derive. Raises KeystoreError."""


class Adoption(msgspec.Struct, frozen=True):
    """A session that would be adopted, and what would be sent for it."""

    session: str
    viewer: str
    send: str


def recognition(what: Rehearsed) -> Ours | None:
    """Give what tells our sessions from others', and make no keys; None where it cannot be told.

    What is wrong with the keys a check has told.
    """
    if what.signer is not None:
        return partial(_asked_of, what.signer)
    keys = _keys_of(what)
    return None if keys is None else partial(_derived_by, keys)


def _keys_of(what: Rehearsed) -> DelegateKeys | None:
    from offchain.keys import Keystore, KeystoreError
    from offchain.keys.delegate_keys import DelegateKeys, master_numbers

    try:
        if not master_numbers(Keystore(what.delegates)):
            return None
        question = f"Password of the delegates' keys in {what.delegates}"
        keys = DelegateKeys(
            what.delegates, Wallets(what.delegates, what.password_file).password(question)
        )
        keys.check()
    except KeystoreError as error:
        told(error)
        return None
    return keys


async def _derived_by(keys: DelegateKeys, _ledger: Ledger, entries: Entries) -> Entries:
    return {
        place: entry
        for place, entry in entries.items()
        if keys.recognise(entry.viewer, entry.key.public) is not None
    }


async def _asked_of(signer: Path, ledger: Ledger, entries: Entries) -> Entries:
    from offchain.keys import KeystoreError
    from offchain.relayer.remote_keyring import open_remote_keyring

    ours: dict[Place, Session] = {}
    failure: KeystoreError | None = None
    async with open_remote_keyring(signer, ledger, rehearses=True) as keyring:
        try:
            for place, entry in entries.items():
                if await keyring.recognise(entry.viewer, entry.key.public) is not None:
                    ours[place] = entry
        except KeystoreError as error:
            failure = error  # carried out of the keyring's nursery, which would wrap it
    if failure is not None:
        raise failure
    return ours


async def found(
    ledger: Ledger, ours_of: Ours, known: Collection[Place], cadence_ms: int
) -> list[Adoption]:
    """List what is open at the last finalized block, of our keys, and not `known`.

    Raises LedgerError and KeystoreError.
    """
    at = (await ledger.finalized_head()).hash
    unknown = [place for place in await ledger.open_sessions(at=at) if place not in known]
    ours = await ours_of(ledger, await ledger.sessions_of(unknown, at=at))
    now_ms = await ledger.now_ms(at=(await ledger.best_head()).hash)
    numbers = {entry.stream for entry in ours.values()}
    streams = {number: await ledger.stream(number, at=at) for number in numbers}
    stops = {number: entry.stops for number, entry in streams.items() if entry is not None}
    return adopted_at(ours, stops, now_ms=now_ms, limits=ledger.constants, cadence_ms=cadence_ms)


def adopted_at(
    entries: Entries,
    stops: Mapping[int, tuple[int, ...]],
    *,
    now_ms: int,
    limits: Constants,
    cadence_ms: int,
) -> list[Adoption]:
    """Tell what would become of sessions of our keys that the journal does not know. Pure."""
    from offchain.relayer.adoption import ticks_for_ms
    from offchain.relayer.cadence import may_settle

    adoptions = []
    for (grant, index), entry in sorted(entries.items()):
        if may_settle(entry, now_ms, stops.get(entry.stream, ()), limits.settlement_window_ms):
            send = "a settlement"
        elif ticks_for_ms(entry, now_ms, cadence_ms) > 0:
            send = "nothing yet: somebody has just ticked it"
        else:
            send = f"a close of {entry.seconds} s"
        adoptions.append(Adoption(f"{grant}-{index}", entry.viewer, send))
    return adoptions
