"""Which sessions an account may see, and what it is told of each: those of the book, those of other
relayers on the same journal, and those that have ended.
"""

from __future__ import annotations

from typing import Any, Final

from offchain.amounts import asset_name
from offchain.journal.records import SessionRecord, TokenRecord
from offchain.relayer import funds
from offchain.relayer.book import Book
from offchain.relayer.core import Core
from offchain.relayer.live_session import LiveSession
from offchain.relayer.problems import Refused, chain_unavailable
from streaming.session_state import SessionRef

SESSIONS_LISTED_MAX: Final = 500


class Listing:
    """Finds and describes sessions: a viewer's own, or those of a stream to its publisher."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def of(self, token: TokenRecord) -> list[dict[str, Any]]:
        """Describe what a token may see, open sessions first. Raises Refused and JournalError."""
        book, journal = self._core.book, self._core.journal
        publishing = token.purpose == "publish"
        own = book.of_viewer(token.account)
        if publishing and token.stream is not None:
            own = book.of_stream(token.stream)
        listed: list[dict[str, Any]] = []
        seen: set[SessionRef] = set()
        for session in own:
            if _may_see(token, session.record):
                listed.append(self.describe(session.record, session))
                seen.add(session.ref)
        for session in await self._held_elsewhere(token):
            if session.ref not in seen and _may_see(token, session.record):
                listed.append(self.describe(session.record, session))
                seen.add(session.ref)
        ended = await journal.reading(
            journal.ended_sessions,
            viewer=None if publishing else token.account,
            stream=token.stream if publishing else None,
            limit=SESSIONS_LISTED_MAX,
        )
        for record in ended:
            ref = SessionRef(record.grant, record.index)
            if len(listed) >= SESSIONS_LISTED_MAX:
                break
            if ref not in seen and _may_see(token, record):
                listed.append(self.describe(record, None))
        return listed

    async def _held_elsewhere(self, token: TokenRecord) -> list[LiveSession]:
        """Read what other relayers have open on a stream that the token publishes."""
        core = self._core
        if core.tenure.alone or token.stream is None:
            return []
        book = Book()
        book.adopt(await core.journal.reading(core.journal.load_on, token.stream), 0.0)
        return [session for session in book if session.ref not in core.book.sessions]

    async def find(
        self, token: TokenRecord, grant: int, index: int
    ) -> tuple[SessionRecord, LiveSession | None]:
        """Find a session that a token may see. Raises Refused and JournalError."""
        live = record = None
        if 0 <= grant < 2**63 and 0 <= index < 2**32:
            live = self._core.book.sessions.get(SessionRef(grant, index))
            journal, name = self._core.journal, (grant, index)
            record = live.record if live else await journal.reading(journal.session, *name)
            for session in await self._held_elsewhere(token):
                if (session.record.grant, session.record.index) == name:
                    live, record = session, session.record
        if record is None or not _may_see(token, record):
            raise Refused(
                404,
                "session-not-found",
                f"this account has no session {grant}-{index} here: the list of sessions shows "
                "those there are",
            )
        return record, live

    def describe(self, record: SessionRecord, live: LiveSession | None) -> dict[str, Any]:
        """Tell of a session: what the journal has, and what the best block says of an open one.

        Raises Refused while no block has been read since the start.
        """
        core = self._core
        if live is not None and not live.done and core.view.best is None:
            raise chain_unavailable()  # what was shown as paid before a restart is not known yet
        ref = SessionRef(record.grant, record.index)
        entry = core.view.sessions.get(ref) if live is not None else None
        paid_seconds, paid = record.paid_seconds, record.paid
        if entry is not None and entry.seconds >= paid_seconds:
            paid_seconds, paid = entry.seconds, entry.paid
        vault = core.view.vaults.get((record.viewer, record.asset))
        known = core.currencies.get(record.asset)
        described = {
            "grant": record.grant,
            "index": record.index,
            "session": str(ref),
            "stream": record.stream,
            "viewer": record.viewer,
            "delegate": "0x" + record.delegate.hex(),
            "asset": asset_name(record.asset),
            "symbol": None if known is None else known.symbol,
            "decimals": None if known is None else known.decimals,
            "rate_per_second": str(record.rate_per_second),
            "status": _status(record, live),
            "delivered_ms": live.delivered_ms if live is not None else record.finished_ms,
            "paid_seconds": paid_seconds,
            "paid": str(paid),
            "finalized_seconds": record.paid_seconds,
            "funds": str(entry.funds if entry is not None else record.funds),
            "vault": None if vault is None else str(vault),
            "runway_seconds": funds.runway_seconds(core, live) if live and not live.done else 0,
            "ticks": record.ticks,
            "end_reason": record.end_reason,
            "opened_block": record.opened_block,
            "last_tick_block": record.last_tick_block,
            "closed_block": record.closed_block,
            "close_reason": record.close_reason,
        }
        return {name: value for name, value in described.items() if value is not None}


def _status(record: SessionRecord, live: LiveSession | None) -> str:
    return "closing" if live is not None and live.state == "leaving" else record.phase


def _may_see(token: TokenRecord, record: SessionRecord) -> bool:
    if token.purpose == "publish":
        return record.stream == token.stream
    return record.viewer == token.account
