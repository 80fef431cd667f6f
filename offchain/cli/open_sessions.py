"""`paystream relay sessions`: what the relayer's journal holds of the sessions that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from offchain.cli import options
from offchain.cli.command import command
from offchain.cli.output import Output, short, table

if TYPE_CHECKING:
    from offchain.journal import Loaded
    from offchain.relayer.life import State
    from offchain.relayer.live_session import LiveSession

_WAITS_FOR: dict[State, str] = {
    "reserved": "its open order to be signed",
    "opening": "a block that opens it",
    "leaving": "a block that opens it, to close it then",
    "open": "",
    "ending": "a final block that has its end",
    "over": "",
}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "sessions", "paystream relay sessions", "paystream relay sessions --json")(
        sessions
    )


def sessions(
    out: Output,
    *,
    journal_url_file: options.JournalUrlFile = None,
    state_dir: options.StateDir = None,
) -> None:
    """List the sessions that the relayer's journal holds as open, and what each waits for.

    It only reads, and the relayer may run. The journal is up to a second behind the relayer. At
    risk is what was forwarded and is paid in no final block: what the best block has is still
    part of it. Where the relayer follows several chains, those with a name have it in front.
    """
    from pathlib import Path

    from offchain.chain_names import names_in, state_dir_of
    from offchain.journal import chains_in, upkeep, url_of_chain
    from streaming.session_state import SessionRef

    place = options.journal_place(state_dir, journal_url_file)
    journals: dict[str, Path | str] = {"": place}
    if isinstance(place, Path):
        for name in names_in(place.parent)[1:]:
            journals[name] = state_dir_of(place.parent, name) / place.name
    else:
        journals |= {name: url_of_chain(place, name) for name in chains_in(place)}
    loaded = {name: upkeep.still_open(each) for name, each in journals.items()}
    found = [
        _data(each, name)
        for name, journal in loaded.items()
        for each in as_the_relayer_sees(journal)
    ]
    damaged = [problem for journal in loaded.values() for problem in journal.damaged]
    for problem in damaged:
        out.warn(problem)
    if out.json_mode:
        out.json(
            {
                "finalized_block": loaded[""].finalized_block,
                "finalized_blocks": {
                    name: journal.finalized_block for name, journal in loaded.items()
                },
                "sessions": found,
                "damaged": damaged,
            }
        )
        return
    rows = [
        (
            str(SessionRef(each["grant"], each["index"], each["chain"])),
            short(each["viewer"]),
            each["stream"],
            each["state"],
            f"{each['delivered_ms'] / 1000:.1f} s",
            f"{each['paid_seconds']} s",
            f"{each['at_risk_ms'] / 1000:.1f} s",
            each["waits_for"],
        )
        for each in found
    ]
    columns = (
        "Session", "Viewer", "Stream>", "State", "Delivered>", "Paid>", "At risk>", "Waits for",
    )  # fmt: skip
    out.show(table(columns, rows, "The journal holds no open sessions."))


def as_the_relayer_sees(loaded: Loaded) -> list[LiveSession]:
    """Give the open sessions as a relayer that starts now would have them, in their order."""
    from offchain.relayer.book import Book
    from offchain.relayer.submit import OPEN_LANE

    book = Book()
    book.restore(loaded, 0.0)
    opened = {(each.grant, each.index) for each in loaded.orders if each.lane == OPEN_LANE}
    for session in book:
        session.is_signed = (session.record.grant, session.record.index) in opened
    return sorted(book, key=lambda each: (each.record.grant, each.record.index))


def _data(session: LiveSession, chain: str) -> dict[str, Any]:
    record = session.record
    return {
        "chain": chain,
        "session": f"{record.grant}-{record.index}",
        "grant": record.grant,
        "index": record.index,
        "viewer": record.viewer,
        "stream": record.stream,
        "state": session.state,
        "connections": sum(not held.record.final for held in session.connections),
        "delivered_ms": session.delivered_ms,
        "unconfirmed_ms": session.unconfirmed_ms,
        "paid_seconds": record.paid_seconds,
        "paid": record.paid,
        "at_risk_ms": session.risk.total_ms,
        "end_reason": record.end_reason,
        "waits_for": _waits_for(session),
    }


def _waits_for(session: LiveSession) -> str:
    if session.state == "open" and not session.live:
        return "its viewer, who has no connection"
    reason = session.record.end_reason
    return _WAITS_FOR[session.state] + (f" ({reason})" if reason else "")
