"""`paystream relay --dry-run`: everything but making, signing and sending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from offchain.cli import adoptions as adoptions_of
from offchain.cli.adoptions import Adoption
from offchain.cli.chain import with_ledger
from offchain.cli.checks import Check
from offchain.cli.checks.machine import told as told_error
from offchain.cli.checks.relaying import Rehearsed, before_the_chain, endpoints, on_the_chain
from offchain.cli.checks.telling import all_well, as_data, show_sum, told
from offchain.cli.exits import Exit
from offchain.cli.open_sessions import as_the_relayer_sees
from offchain.cli.output import Output, short, table

if TYPE_CHECKING:
    from offchain.ledger.client import Ledger
    from offchain.ledger.types import Asset, Constants, Grant, Session, Subscription
    from offchain.relayer.live_session import LiveSession

Due = tuple["LiveSession", str]
"""A session, and what would be sent for it."""


@dataclass(frozen=True)
class Means:
    """What a block has for sessions beside their funds, in the assets' smallest units."""

    grants: Mapping[int, Grant | None]
    vaults: Mapping[tuple[str, Asset], int]
    subscriptions: Mapping[tuple[int, str], Subscription | None]

    def vault(self, session: LiveSession) -> int:
        """Give what a session's viewer has in its asset's vault."""
        return self.vaults.get((session.record.viewer, session.record.asset), 0)

    def cap_left(self, session: LiveSession) -> int:
        """Give what is left of a session's grant."""
        grant = self.grants.get(session.record.grant)
        return 0 if grant is None else grant.cap_left

    def renews(self, session: LiveSession, now_ms: int) -> bool:
        """Tell whether another period of a session's subscription would be bought."""
        from offchain.relayer import cadence

        record = session.record
        grant = self.grants.get(record.grant)
        subscription = self.subscriptions.get((record.stream, record.viewer))
        running = record.renew and record.discounted and not session.ending
        if not running or grant is None or subscription is None:
            return False
        view = cadence.RenewalView(
            index=record.index,
            grant=grant,
            subscription=subscription,
            chain_now_ms=now_ms,
            vault=self.vault(session),
        )
        return cadence.next_renewal(view) is not None


def rehearse(out: Output, what: Rehearsed) -> None:
    """Check all that a start would need, and tell what would be sent first and adopted.

    Ends with 1 where a check failed. Nothing is made, signed or sent.
    """
    used = what.chains[0]

    def checks() -> Iterator[Check]:
        nonlocal used
        yield from before_the_chain(what)
        found, used = endpoints(what)
        yield from found
        yield from on_the_chain(what, used)

    found = told(out, checks())
    sessions = _open_sessions(what)
    due = _due(what, used, sessions)
    adoptions = _adoptions(what, used, sessions)
    if out.json_mode:
        out.json(
            {
                "dry_run": True,
                **as_data(found),
                "open_sessions": len(sessions),
                "due": [{"session": _name(session), "send": send} for session, send in due],
                "adoptions": adoptions and [msgspec.structs.asdict(each) for each in adoptions],
            }
        )
    else:
        show_sum(out, found)
        rows = [(_name(session), session.state, send) for session, send in due]
        empty = f"{len(sessions)} open session(s) in the journal; nothing would be sent at once."
        out.show("", table(("Session", "State", "Would be sent"), rows, empty))
        _show_adoptions(out, adoptions)
        out.note("Dry run: nothing was made, signed or sent.")
    if not all_well(found):
        raise typer.Exit(Exit.FAILED)


def _show_adoptions(out: Output, adoptions: Sequence[Adoption] | None) -> None:
    if adoptions is None:
        out.note("What a start would adopt is not known: keys, signer or chain are not here.")
    elif adoptions:
        rows = [(each.session, short(each.viewer), each.send) for each in adoptions]
        columns = ("Adopted session", "Viewer", "Would be sent")
        out.show("", table(columns, rows, ""))


def _name(session: LiveSession) -> str:
    return f"{session.record.grant}-{session.record.index}"


def _open_sessions(what: Rehearsed) -> list[LiveSession]:
    """Read what the journal holds as open; nothing where it cannot be read, as a check has told."""
    from offchain.journal import JournalError, upkeep

    if isinstance(what.journal, Path) and not what.journal.exists():
        return []
    try:
        return as_the_relayer_sees(upkeep.still_open(what.journal))
    except JournalError:
        return []


def _due(what: Rehearsed, chain: str, sessions: Sequence[LiveSession]) -> list[Due]:
    """Ask the best block what would be sent; nothing without a chain, as a check has told."""
    if not sessions:
        return []

    async def work(ledger: Ledger) -> list[Due]:
        at = (await ledger.best_head()).hash
        places = [(each.record.grant, each.record.index) for each in sessions]
        entries = await ledger.sessions_of(places, at=at)
        numbers = {each.stream for each in entries.values()}
        streams = {number: await ledger.stream(number, at=at) for number in numbers}
        grants = {each.record.grant for each in sessions}
        purses = {(each.record.viewer, each.record.asset) for each in sessions}
        renewed = {(e.record.stream, e.record.viewer) for e in sessions if e.record.renew}
        means = Means(
            grants={number: await ledger.grant(number, at=at) for number in grants},
            vaults={
                (viewer, asset): await ledger.vault(viewer, asset=asset, at=at)
                for viewer, asset in purses
            },
            subscriptions={place: await ledger.subscription(*place, at=at) for place in renewed},
        )
        return due_at(
            sessions,
            entries,
            means,
            {number: entry.stops for number, entry in streams.items() if entry is not None},
            now_ms=await ledger.now_ms(at=at),
            limits=ledger.constants,
            cadence_ms=what.cadence_ms,
        )

    try:
        return with_ledger(chain, work)
    except Exception as error:
        told_error(error)  # a defect is none of the chain's
        return []


def _adoptions(
    what: Rehearsed, chain: str, sessions: Sequence[LiveSession]
) -> list[Adoption] | None:
    """Ask the chain what a start would adopt; None where keys, signer or chain are not here."""
    ours = adoptions_of.recognition(what)
    if ours is None:
        return None
    known = {(each.record.grant, each.record.index) for each in sessions}

    async def work(ledger: Ledger) -> list[Adoption]:
        return await adoptions_of.found(ledger, ours, known, what.cadence_ms)

    try:
        return with_ledger(chain, work)
    except Exception as error:
        told_error(error)  # a defect is none of the chain's
        return None


def due_at(
    sessions: Sequence[LiveSession],
    entries: Mapping[tuple[int, int], Session],
    means: Means,
    stops: Mapping[int, tuple[int, ...]],
    *,
    now_ms: int,
    limits: Constants,
    cadence_ms: int,
) -> list[Due]:
    """Tell which orders a relayer that starts now would send first. Pure.

    `entries`, `means` and `stops` (by stream) are of the block whose timestamp is `now_ms`.
    """
    from offchain.relayer import cadence

    found: list[Due] = []
    for session in sessions:
        entry = entries.get((session.record.grant, session.record.index))
        if entry is None:
            if session.state in ("reserved", "opening", "leaving"):
                found.append((session, "its open order"))
            continue
        stopped = stops.get(entry.stream, ())
        if cadence.may_settle(entry, now_ms, stopped, limits.settlement_window_ms):
            found.append((session, "a settlement"))
            continue
        view = cadence.SessionView(
            index=session.record.index,
            entry=entry,
            chain_now_ms=now_ms,
            stops=stopped,
            total_seconds=session.total_seconds,
            closing=session.ending,
            closing_for_ms=cadence.CLOSE_WAIT_MAX_MS,
            vault=means.vault(session),
            cap_left=means.cap_left(session),
        )
        order = cadence.next_lane_one(view, limits, cadence_ms)
        if order is not None:
            found.append((session, f"a {type(order).__name__.lower()} of {order.seconds} s"))
        fund = cadence.next_fund(view, limits, cadence_ms)
        if fund is not None:
            found.append((session, f"a fund order up to {fund.funds}"))
        if means.renews(session, now_ms):
            found.append((session, "the renewal of its subscription"))
    return found
