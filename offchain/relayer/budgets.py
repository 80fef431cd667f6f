"""Every viewer's budget: how much more each may be sent before a block charges some of it. Pure.

What was forwarded to a viewer and is charged in no best block is the creator's risk. One bound
covers all of it, the operator's credit, 20 s by default, whatever fails: chain silent, pool full,
disk full, relayer or media server away. Its parts, over all of a viewer's sessions:

- **uncharged**: delivered, and in no best block: the open has no block yet, a tick waits for its
  cadence or its block, or the chain is silent (`LiveSession.risk`);
- **unconfirmed**: forwarded, and not yet known to be held (the same);
- **unheard**: what a media server that is gone without its last word may forward to a connection
  while its lease lasts, and what it has forwarded that only another process was told of
  (`LiveSession.unheard`);
- **spent**: what no block will charge any more: lost on the viewer's path, denied by its reports,
  delivered in a session that the ledger never had or ended earlier. It comes back by one second a
  minute, by a clock that nobody sets (`credit.RefillClock`).

The first two come back at once when a block charges them. Unheard time is **spent early** when its
session is over: it comes back as far as its media server says that it was less. What is left is
shared by a viewer's connections, and bounds their leases: how long each goes on should the relayer
fall silent. What the meter rounds or withholds is in none of the parts.

Times are unix milliseconds and durations milliseconds, all passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from offchain.journal import EarlyRecord
from offchain.relayer import credit
from offchain.relayer.credit import Risk, Spent
from offchain.relayer.live_session import Lapse, LiveSession, Unheard
from offchain.relayer.unwritten import Unwritten
from streaming.session_state import LEASE_MS

EARLY_KEPT: Final = 1024
LAPSED_BACK_MS: Final = 500
"""So much may have come back of what waits for a successor before it is noted again: the journal
need not be written for each millisecond."""


class Budgets:
    """What every viewer's credit has lost, beside what their sessions have at risk."""

    def __init__(
        self,
        credit_ms: int,
        of_viewer: Callable[[str], list[LiveSession]],
        lapsed: Mapping[LiveSession, None],
        unwritten: Unwritten,
    ) -> None:
        """`of_viewer` lists a viewer's sessions, `lapsed` are all that ended for want of ticks and
        whose viewers stayed, and `unwritten` hears whose budget the journal does not have."""
        self.credit_ms = credit_ms
        """What may be forwarded to one viewer before a block charges it."""
        self.mine: Callable[[str], bool] = _everybody
        """Tells whose budgets are kept here."""
        self.spent: dict[str, Spent] = {}
        """By viewer; who has spent nothing has none."""
        self.early: dict[str, tuple[str, EarlyRecord]] = {}
        """By connection: whose credit it was taken from before anybody told of it, and what."""
        self._of_viewer = of_viewer
        self._lapsed = lapsed
        self._unwritten = unwritten

    # --- what is left ------------------------------------------------------------------

    def risk(self, viewer: str) -> Risk:
        """Sum what was forwarded to a viewer and may still be charged."""
        total = Risk()
        for session in self._of_viewer(viewer):
            total += session.risk + Risk(unconfirmed_ms=session.unheard_ms)
        return total

    def left_ms(self, viewer: str, now_ms: int) -> int:
        """Tell how much more a viewer may be sent before a block charges some of it."""
        left_ms = self.credit_ms - sum(
            session.at_risk_ms + session.unheard_ms for session in self._of_viewer(viewer)
        )
        spent = self.spent.get(viewer)
        return left_ms if spent is None else left_ms - credit.refilled(spent, now_ms).spent_ms

    def wait_s(self, viewer: str, now_ms: int) -> int:
        """Tell after how many seconds something of the credit is left again, at the latest."""
        return credit.wait_s(self.credit_ms, self._spent(viewer), self.risk(viewer), now_ms)

    def cause(self, viewer: str, now_ms: int) -> credit.Cause:
        """Name what takes most of a viewer's credit."""
        return credit.cause(self._spent(viewer), self.risk(viewer), now_ms)

    def connections(self, viewer: str) -> int:
        """Count a viewer's connections that are up: they share the credit.

        A session that is over has none any more, but a lapsed one's may wait for its successor.
        """
        return sum(session.up + session.waits_over for session in self._of_viewer(viewer))

    def _spent(self, viewer: str) -> Spent:
        return self.spent.get(viewer, Spent())

    def _spent_ms(self, viewer: str, now_ms: int) -> int:
        return credit.refilled(self._spent(viewer), now_ms).spent_ms

    # --- what is spent -----------------------------------------------------------------

    def charge(self, viewer: str, lost_ms: int, now_ms: int) -> None:
        """Take what will never be paid out of a viewer's credit."""
        if lost_ms > 0 and self.mine(viewer):
            self.spent[viewer] = credit.spend(self._spent(viewer), lost_ms, now_ms)
            self._unwritten.budgets.add(viewer)

    def give_back(self, viewer: str, amount_ms: int, now_ms: int) -> None:
        """Take back what was taken out of a viewer's credit too early."""
        self.spent[viewer] = credit.give_back(self._spent(viewer), amount_ms, now_ms)
        self._unwritten.budgets.add(viewer)

    def lose_lapsed(self, session: LiveSession, lapse: Lapse, now_ms: int) -> None:
        """Take what came since a session lapsed out of the credit.

        From when the session is over, too, until a successor takes it over: the journal has no such
        session then, and another process would put what it is told of it on no account.
        """
        viewer = session.record.viewer
        self.charge(viewer, lapse.sent_ms - lapse.lost_ms, now_ms)
        lapse.lost_ms = max(lapse.lost_ms, lapse.sent_ms)
        if lapse.live:  # a successor may be paid for it yet: until that is decided none comes back
            back_ms = lapse.lost_ms - self._spent_ms(viewer, now_ms)
            if back_ms >= LAPSED_BACK_MS:
                self.charge(viewer, back_ms, now_ms)

    def forget(self, viewer: str) -> None:
        """Keep a viewer's budget no more: another process goes on with the journal's."""
        self.early = {name: each for name, each in self.early.items() if each[0] != viewer}
        self.spent.pop(viewer, None)
        self._unwritten.budgets.discard(viewer)

    # --- what was spent before anybody told of it ------------------------------------------

    def lose_unheard(self, session: LiveSession, now_ms: int, *, but: str | None = None) -> None:
        """Take out of the credit what may have been forwarded of a session that is over, `but` to
        a connection that waits for a successor. It comes back should its media server return and
        say that it was less, or have ended."""
        viewer = session.record.viewer
        for name, unheard in session.unheard.items():
            if name != but:
                self.charge(viewer, unheard.ms, now_ms)
                self.note_early(viewer, _early(session, name, unheard, now_ms))
                session.hear(name)

    def note_early(self, viewer: str, early: EarlyRecord) -> None:
        """Know what was taken for a connection, so that it may come back."""
        while len(self.early) >= EARLY_KEPT:
            del self.early[next(iter(self.early))]
        self.early[early.connection] = viewer, early

    def return_early(self, connection: str, true_ms: int, now_ms: int) -> int:
        """Give back what was taken for a connection beyond what it was; tell what was taken."""
        viewer, early = self.early.pop(connection, ("", None))
        if early is None:
            return 0
        true_ms, passed_ms = min(true_ms, early.taken_ms), now_ms - early.at_ms
        back_ms = credit.returned_ms(early.taken_ms, true_ms, passed_ms)
        self.give_back(viewer, back_ms, now_ms)
        return early.taken_ms

    def return_of_boots(self, ended: Callable[[str], bool], now_ms: int) -> None:
        """Give back what was taken for connections of media servers' boots that have ended."""
        for name, (_, early) in list(self.early.items()):
            if ended(early.boot_id):
                self.return_early(name, 0, now_ms)

    # --- what the journal holds of it --------------------------------------------------------

    def early_of(self, viewers: set[str]) -> dict[str, list[EarlyRecord]]:
        """List what was taken of some viewers' credit before anybody told of it."""
        found: dict[str, list[EarlyRecord]] = {}
        for viewer, early in self.early.values():
            if viewer in viewers:
                found.setdefault(viewer, []).append(early)
        return found

    def ahead_of(self, viewer: str, now_ms: int) -> list[EarlyRecord]:
        """Tell what a process that came after this one could not learn of a viewer.

        A lapsed session that is over is forwarded to until a successor comes or its lease ends, and
        the journal has no such session any more. All that a block may free of the credit until then
        is in it: what is at risk now does not lessen it.
        """
        if not self._lapsed:
            return []
        left_ms, found = max(0, self.credit_ms - self._spent_ms(viewer, now_ms)), []
        for session in self._of_viewer(viewer):
            if session.waits_over and session.lapse is not None:
                last = session.lapse.connection
                taken_ms = min(LEASE_MS, left_ms)
                left_ms -= taken_ms
                found.append(
                    _early(session, last.connection, Unheard(last.boot_id, taken_ms), now_ms)
                )
        return found

    def viewers_ahead(self) -> set[str]:
        """Name the viewers of whom something is in the journal ahead: it comes back there, and is
        to be written again and again."""
        return {session.record.viewer for session in self._lapsed if session.waits_over}


def _everybody(_viewer: str) -> bool:
    return True


def _early(session: LiveSession, connection: str, unheard: Unheard, now_ms: int) -> EarlyRecord:
    """Note what is taken for a connection of a session that is over."""
    record, lapse = session.record, session.lapse
    grant, index = record.continues or (record.grant, record.index)
    forwarded_ms = session.reckoned_ms.get(connection, 0)
    if lapse is not None and lapse.connection.connection == connection:
        forwarded_ms += lapse.sent_ms
    return EarlyRecord(grant, index, connection, unheard.boot_id, forwarded_ms, unheard.ms, now_ms)
