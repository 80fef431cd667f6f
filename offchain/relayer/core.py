"""What the relayer's concerns share: chain, journal, sessions, keys, and two bells."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import trio

from offchain.journal import (
    Journal,
    JournalUnavailable,
    Statement,
    drop_orders,
    put_session,
    put_states,
)
from offchain.keys.signer import LocalKey, Signer
from offchain.ledger.errors import AssetUnknown
from offchain.ledger.types import Asset, Constants, Currency
from offchain.relayer import cadence
from offchain.relayer.cadence import RenewalView, SessionView
from offchain.relayer.chain import Chain, ChainView, Interest, bounded
from offchain.relayer.sessions import Book, LiveSession
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay")

JOURNAL_EVERY_S: Final = 1.0
JOURNAL_RETRY_S: Final = 2.0


class Bell:
    """Wakes one task; ringing twice before it looks wakes it once."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake whoever waits, or the next who does."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Wait until the bell rings, at most so long."""
        with trio.move_on_after(seconds):
            await self._event.wait()
        self._event = trio.Event()


class Keyring(Protocol):
    """Where delegate keys are made and opened."""

    async def keep(self, name: str, key: LocalKey) -> None:
        """Store a key."""

    async def open(self, name: str) -> Signer:
        """Give a stored key."""


@dataclass
class Core:
    """The state that the relayer's tasks share. One loop runs them all, so no locks are needed."""

    chain: Chain
    journal: Journal
    keyring: Keyring
    unix_ms: Callable[[], int]
    cadence_ms: int = 6_000
    book: Book = field(default_factory=Book)
    key_names: dict[bytes, str] = field(default_factory=dict)
    """The keystore's name of each delegate key that the relayer has made."""
    submit_bell: Bell = field(default_factory=Bell)
    journal_bell: Bell = field(default_factory=Bell)
    published: set[int] = field(default_factory=set)
    """Streams that are being published, whose end the publisher must hear of."""
    counters: dict[str, int] = field(default_factory=dict)
    snapshots: int = 0
    """Counts the snapshots of all states; what came before one is in it."""
    flushes: int = 0
    """The latest snapshot that is in the journal."""
    currencies: dict[Asset, Currency] = field(default_factory=dict)
    """How assets are written, as far as they were asked for."""

    def __post_init__(self) -> None:
        """Make the view of the chain."""
        self.view = ChainView(self.chain, self.interest)

    @property
    def limits(self) -> Constants:
        """The runtime's constants."""
        return self.chain.constants

    async def currency(self, asset: Asset) -> Currency:
        """Tell how an asset is written; read once. Raises LedgerError.

        One that is gone from the chain is written with its number.
        """
        if asset not in self.currencies:
            try:
                self.currencies[asset] = await bounded(self.chain.currency(asset))
            except AssetUnknown:
                return Currency(asset=asset, symbol=f"ASSET{asset}", decimals=0, minimum=0)
        return self.currencies[asset]

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter of the metrics."""
        self.counters[name] = self.counters.get(name, 0) + amount

    def interest(self) -> Interest:
        """Tell which entries the open sessions rest on."""
        wanted = Interest()
        wanted.streams |= self.published
        for session in self.book.sessions.values():
            wanted.sessions.add(session.ref)
            wanted.grants.add(session.record.grant)
            wanted.streams.add(session.record.stream)
            wanted.vaults.add((session.record.viewer, session.record.asset))
            if session.record.discounted:
                wanted.subscriptions.add((session.record.stream, session.record.viewer))
        return wanted

    def health(self) -> dict[str, Any]:
        """Tell how the relayer does, for people and metrics."""
        sessions = list(self.book.sessions.values())
        phases = {
            phase: sum(session.record.phase == phase for session in sessions)
            for phase in ("opening", "open", "closing")
        }
        view = self.view
        lag = max((self._unpaid_seconds(session) for session in sessions), default=0)
        return {
            "journal": "ok" if self.journal.healthy else self.journal.failure,
            "journal_commits": self.journal.commits,
            "chain_reachable": view.usable,
            "chain_silent_ms": int(view.silent_s * 1000) if view.best else None,
            "best_block": view.best.number if view.best else None,
            "finalized_block": view.finalized.number if view.finalized else None,
            "sessions": phases,
            "connections": sum(
                not connection.final
                for session in sessions
                for connection in session.connections.values()
            ),
            "unpaid_seconds_max": lag,
            "server_boot_id": self.book.boot_id,
            "counters": dict(sorted(self.counters.items())),
        }

    def _unpaid_seconds(self, session: LiveSession) -> int:
        entry = self.view.sessions.get(session.ref)
        return session.total_seconds - entry.seconds if entry is not None else 0

    # --- standing ----------------------------------------------------------------------

    def on_chain(self, session: LiveSession) -> bool:
        """Whether the best block has the session."""
        return self.view.sessions.get(session.ref) is not None

    def waiting_funds(self, viewer: str, asset: Asset, grant: int | None = None) -> int:
        """Sum what a viewer's sessions that no block has yet will take of the asset's vault.

        With `grant`, only that grant's: what they will take of its cap.
        """
        return sum(
            session.record.funds
            for session in self.book.of_viewer(viewer)
            if session.record.phase == "opening"
            and session.record.asset == asset
            and not self.on_chain(session)
            and (grant is None or session.record.grant == grant)
        )

    def free_funds(self, session: LiveSession) -> tuple[int, int]:
        """Give what vault and cap still have for a session, beside others' reservations."""
        record = session.record
        vault = self.view.vaults.get((record.viewer, record.asset), 0)
        grant = self.view.grants.get(record.grant)
        cap_left = grant.cap_left if grant is not None else 0
        own = 0
        if record.phase == "opening" and not self.on_chain(session):
            own = record.funds
        return (
            max(0, vault - self.waiting_funds(record.viewer, record.asset) + own),
            max(0, cap_left - self.waiting_funds(record.viewer, record.asset, record.grant) + own),
        )

    def runway_seconds(self, session: LiveSession) -> int:
        """Tell how long funds, vault and cap last from the last delivered second."""
        record = session.record
        entry = self.view.sessions.get(session.ref)
        vault, cap_left = self.free_funds(session)
        money, paid_seconds = min(vault, cap_left), 0
        rate, tick_price = record.rate_per_second, record.tick_price
        if entry is not None:
            money += entry.funds - entry.paid
            rate, tick_price, paid_seconds = entry.rate_per_second, entry.tick_price, entry.seconds
        lasts = cadence.lasts_seconds(money, rate, tick_price, self.cadence_ms)
        return max(0, lasts - max(0, session.total_seconds - paid_seconds))

    def standing(self, session: LiveSession, now: float) -> SessionView | None:
        """Gather what decides about the next order; None while no block has the session."""
        entry = self.view.sessions.get(session.ref)
        if entry is None:
            return None
        stream = self.view.streams.get(entry.stream)
        vault, cap_left = self.free_funds(session)
        tick, close, fund = (session.sent.get(kind) for kind in ("Tick", "Close", "Fund"))
        closing_since = session.closing_since if session.closing_since is not None else now
        return SessionView(
            index=session.record.index,
            entry=entry,
            chain_now_ms=self.view.best_ms,
            stops=stream.stops if stream is not None else (),
            total_seconds=entry.seconds if session.foreign else session.total_seconds,
            closing=session.ending,
            closing_for_ms=int((now - closing_since) * 1000),
            since_tick_ms=None if tick is None else int((now - tick.at) * 1000),
            last_total=None if tick is None else tick.total,
            since_close_ms=None if close is None else int((now - close.at) * 1000),
            since_fund_ms=None if fund is None else int((now - fund.at) * 1000),
            vault=vault,
            cap_left=cap_left,
        )

    def renewal(self, session: LiveSession, now: float) -> RenewalView | None:
        """Gather what decides about a renewal; None for a session that is to have none."""
        record, view = session.record, self.view
        place = (record.stream, record.viewer)
        grant, subscription = view.grants.get(record.grant), view.subscriptions.get(place)
        running = record.renew and record.discounted and not session.ending
        if not running or grant is None or subscription is None or session.renewal_refused:
            return None
        sent = session.sent.get("Renew")
        return RenewalView(
            index=record.index,
            grant=grant,
            subscription=subscription,
            chain_now_ms=view.best_ms,
            vault=self.free_funds(session)[0],
            last_total=None if sent is None else sent.total,
            since_ms=None if sent is None else int((now - sent.at) * 1000),
        )

    def settled(self) -> frozenset[SessionRef]:
        """Name the sessions that are in a block."""
        return frozenset(ref for ref, entry in self.view.sessions.items() if entry is not None)

    # --- journal -----------------------------------------------------------------------

    async def flush(self) -> None:
        """Write everything that has changed. Raises JournalUnavailable; nothing is lost then."""
        dirty = [session for session in self.book.sessions.values() if session.dirty]
        statements: list[Statement] = [put_session(session.record) for session in dirty]
        if not statements and not self.book.changed:
            return
        for session in dirty:
            if session.done:
                statements.append(drop_orders(session.record.grant, session.record.index))
        self.snapshots += 1
        snapshot = self.snapshots
        statements += put_states(self.book.packed(self.unix_ms()))
        written = [session.record for session in dirty]
        self.book.changed = False
        for session in dirty:
            session.dirty = False
        try:
            await self.journal.commit(statements)
        except JournalUnavailable:
            self.book.changed = True
            for session in dirty:
                session.dirty = True
            raise
        self.flushes = snapshot
        for session, record in zip(dirty, written, strict=True):
            stays = session.lapse is not None and session.lapse.live
            if session.done and session.record is record and not stays:
                self.book.depart(session)

    async def keep_journal(self) -> None:
        """Write once a second, at once when the bell rings, and go on trying when it fails."""
        broken = False
        while True:
            await self.journal_bell.wait(JOURNAL_RETRY_S if broken else JOURNAL_EVERY_S)
            if broken:
                self.book.changed = True  # so that the disk is tried even if nothing happens
            try:
                await self.flush()
            except JournalUnavailable as error:
                if not broken:
                    log.error("event=journal-failed detail=%r", str(error))  # noqa: TRY400
                broken = True
                await trio.sleep(JOURNAL_RETRY_S)
            else:
                if broken:
                    log.info("event=journal-recovered")
                broken = False
