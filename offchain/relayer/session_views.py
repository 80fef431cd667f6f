"""A session as `cadence.py` decides about it: gathered from ledger, media and what was sent."""

from __future__ import annotations

from offchain.relayer import funds
from offchain.relayer.cadence import RenewalView, SessionView
from offchain.relayer.core import Core
from offchain.relayer.live_session import LiveSession


def session_view(core: Core, session: LiveSession, now: float) -> SessionView | None:
    """Gather what decides about the next order; None while no block has the session."""
    entry = core.view.sessions.get(session.ref)
    if entry is None:
        return None
    stream = core.view.streams.get(entry.stream)
    # the book learns of it with a best block, and after a take-over there is an entry before one
    foreign = session.foreign or session.is_another(entry)
    vault, cap_left = funds.free(core, session)
    tick, close, fund = (session.last_sent(kind) for kind in ("Tick", "Close", "Fund"))
    if session.ending and session.closing_from_ms is None:
        session.closing_from_ms = core.view.best_ms
    return SessionView(
        index=session.record.index,
        entry=entry,
        chain_now_ms=core.view.best_ms,
        stops=stream.stops if stream is not None else (),
        total_seconds=(
            entry.seconds if foreign else max(session.total_seconds, session.meant_seconds)
        ),
        closing=session.ending,
        closing_for_ms=core.view.best_ms - (session.closing_from_ms or core.view.best_ms),
        since_tick_ms=None if tick is None else int((now - tick.at) * 1000),
        last_total=None if tick is None else tick.total,
        since_close_ms=None if close is None else int((now - close.at) * 1000),
        since_fund_ms=None if fund is None else int((now - fund.at) * 1000),
        awaits_figures=session.ending and core.book.awaits_figures(session, now),
        vault=vault,
        cap_left=cap_left,
    )


def renewal_view(core: Core, session: LiveSession, now: float) -> RenewalView | None:
    """Gather what decides about a renewal; None for a session that is to have none."""
    record, view = session.record, core.view
    place = (record.stream, record.viewer)
    grant, subscription = view.grants.get(record.grant), view.subscriptions.get(place)
    running = record.renew and record.discounted and not session.ending
    if not running or grant is None or subscription is None or session.renewal_refused:
        return None
    sent = session.last_sent("Renew")
    return RenewalView(
        index=record.index,
        grant=grant,
        subscription=subscription,
        chain_now_ms=view.best_ms,
        vault=funds.free(core, session)[0],
        last_total=None if sent is None else sent.total,
        since_ms=None if sent is None else int((now - sent.at) * 1000),
    )
