"""Keeping the journal: once a second, and at once where somebody waits for it, what has changed.

Work follows what changed: of two thousand sessions of which ten moved, ten rows are written.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from offchain.journal import (
    BudgetState,
    Journal,
    JournalUnavailable,
    SessionConnection,
    SessionRecord,
    Statement,
    drop_budget,
    drop_connections,
    drop_orders,
    put_budget,
    put_connection,
    put_final,
    put_finalized,
    put_session,
)
from offchain.relayer import credit
from offchain.relayer.bell import Bell
from offchain.relayer.book import Book
from offchain.relayer.credit import Spent
from offchain.relayer.lags import Lags
from offchain.relayer.live_session import LiveSession
from offchain.relayer.unwritten import Unwritten

log = logging.getLogger("paystream.relay")

WRITE_EVERY_S: Final = 1.0
RETRY_S: Final = 2.0
BUDGETS_SWEPT_EVERY: Final = 60
"""So many writes apart, budgets that have filled up again are forgotten, and what is in them ahead
is written anew."""


class Keeper:
    """Writes what has changed in the book.

    `gathered` counts the writes that were begun, `written` is the latest that is on the disk: what
    was in the book when `gathered` was n is on the disk once `written` is more than n.
    """

    def __init__(
        self,
        journal: Journal,
        book: Book,
        bell: Bell,
        refill_ms: Callable[[], int],
        lags: Lags,
        *,
        put_finalized: Callable[[int], Statement] = put_finalized,
    ) -> None:
        self.gathered = 0
        self.written = 0
        self._journal = journal
        self._book = book
        self._bell = bell
        self._refill_ms = refill_ms
        self._lags = lags
        self._put_finalized = put_finalized
        # one after the other: that a later write is on the disk says that the earlier ones are
        self._turn = trio.Lock()

    async def run(self) -> None:
        """Write once a second, at once when the bell rings, and go on trying when it fails."""
        broken = False
        while True:
            await self._bell.wait(RETRY_S if broken else WRITE_EVERY_S)
            try:
                await self.flush(probe=broken)
            except JournalUnavailable as error:
                if not broken:
                    log.error("event=journal-failed detail=%r", str(error))  # noqa: TRY400
                broken = True
                await trio.sleep(RETRY_S)
            else:
                if broken:
                    log.info("event=journal-recovered")
                broken = False

    async def flush(self, *, probe: bool = False) -> None:
        """Write everything that has changed; `probe` writes even if nothing has.

        Raises JournalUnavailable; nothing is lost then, and it may be called again.
        """
        async with self._turn:
            await self._flush(probe=probe)

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Write nothing for the length of the block, in which the book takes sessions in."""
        async with self._turn:
            yield

    async def _flush(self, *, probe: bool) -> None:
        book = self._book
        self.gathered += 1
        number = self.gathered
        if number % BUDGETS_SWEPT_EVERY == 0:
            self._sweep_budgets()
        taken = book.unwritten.take()
        taken.finalized = taken.finalized or probe
        sessions = [book.sessions[ref] for ref in taken.sessions if ref in book.sessions]
        written = [session.record for session in sessions]
        since = self._lags.journaling()
        try:
            await self._journal.commit(self._statements(taken, written))
        except BaseException:
            self._lags.journaled(since, trio.current_time(), written=False)
            # also where only the waiting was given up: what is written twice does no harm
            book.unwritten.add(taken)
            raise
        self.written = number
        self._lags.journaled(since, trio.current_time(), written=True)
        for session, record in zip(sessions, written, strict=True):
            self._let_go(session, record)

    def _statements(self, taken: Unwritten, records: list[SessionRecord]) -> list[Statement]:
        # statements of one kind follow one another: the store sends them as one
        book = self._book
        statements = [put_session(record) for record in records]
        statements += [
            drop_orders(record.grant, record.index)
            for record in records
            if record.phase in ("closed", "failed")
        ]
        statements += [
            drop_connections(record.grant, record.index, record.finished_number)
            for record in records
            if record.finished_number
        ]
        for ref, numbers in taken.connections.items():
            session = book.sessions.get(ref)
            if session is not None:
                statements += [
                    put_connection(SessionConnection(ref.grant, ref.index, kept))
                    for kept in map(session.kept_connection, sorted(numbers))
                    if kept is not None
                ]
        return statements + self._of_budgets(taken) + self._of_chain(taken)

    def _of_budgets(self, taken: Unwritten) -> list[Statement]:
        kept, gone = [], []
        budgets, now_ms = self._book.budgets, self._refill_ms()
        early = budgets.early_of(taken.budgets)
        for viewer in sorted(taken.budgets):
            state = credit.refilled(budgets.spent.get(viewer, Spent()), now_ms)
            if state.spent_ms == 0:
                budgets.spent.pop(viewer, None)
            ahead = budgets.ahead_of(viewer, now_ms)
            spent_ms = state.spent_ms + sum(each.taken_ms for each in ahead)
            if spent_ms == 0:
                gone.append(drop_budget(viewer))
            else:
                taken_early = (*early.get(viewer, ()), *ahead)
                kept.append(put_budget(BudgetState(viewer, spent_ms, state.at_ms, taken_early)))
        return kept + gone

    def _of_chain(self, taken: Unwritten) -> list[Statement]:
        if not taken.finalized:
            return []
        statements = [self._put_finalized(self._book.finalized_block)]
        if self._book.final is not None:
            statements.append(put_final(self._book.final))
        return statements

    def _sweep_budgets(self) -> None:
        """Note the budgets that have filled up again, so that they are forgotten, and those that
        must not fill up while their viewers wait."""
        now_ms = self._refill_ms()
        self._book.unwritten.budgets.update(
            viewer
            for viewer, state in self._book.budgets.spent.items()
            if credit.refilled(state, now_ms).spent_ms == 0
        )
        self._book.unwritten.budgets |= self._book.budgets.viewers_ahead()

    def _let_go(self, session: LiveSession, record: SessionRecord) -> None:
        """Forget a session that has ended for good, once the journal has it so."""
        stays = session.lapse is not None and session.lapse.live
        if session.done and session.record is record and not stays:
            self._book.depart(session, self._refill_ms())
