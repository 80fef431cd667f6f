"""What a relayer that starts now would adopt: open sessions of its keys that no journal has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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


class Adoption(msgspec.Struct, frozen=True):
    """A session that would be adopted, and what would be sent for it."""

    session: str
    viewer: str
    send: str


def keys_of(what: Rehearsed) -> DelegateKeys | None:
    """Open the delegates' keys, and make none; None where there are none to be opened here.

    What is wrong with them a check has told.
    """
    from offchain.keys import Keystore, KeystoreError
    from offchain.keys.delegate_keys import DelegateKeys, master_numbers

    try:
        if what.signer is not None or not master_numbers(Keystore(what.delegates)):
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


async def found(
    ledger: Ledger, keys: DelegateKeys, known: Collection[Place], cadence_ms: int
) -> list[Adoption]:
    """List what is open at the last finalized block, of our keys, and not `known`.

    Raises LedgerError.
    """
    at = (await ledger.finalized_head()).hash
    unknown = [place for place in await ledger.open_sessions(at=at) if place not in known]
    entries = await ledger.sessions_of(unknown, at=at)
    now_ms = await ledger.now_ms(at=(await ledger.best_head()).hash)
    ours = {
        place: entry
        for place, entry in entries.items()
        if keys.recognise(entry.viewer, entry.key.public) is not None
    }
    numbers = {entry.stream for entry in ours.values()}
    streams = {number: await ledger.stream(number, at=at) for number in numbers}
    stops = {number: entry.stops for number, entry in streams.items() if entry is not None}
    return adopted_at(ours, stops, now_ms=now_ms, limits=ledger.constants, cadence_ms=cadence_ms)


def adopted_at(
    entries: Mapping[Place, Session],
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
