"""One of several relayers on a journal: it leases viewers, and lets go of them in time.

While its `Heartbeat` does not last it does nothing for anybody. When another has ended its life,
all that it had in memory is forgotten, and the process begins anew. What it does not check, the
signer and the journal do. Viewers that nobody holds it takes as its share, and gives them up again
when they have no session, or when it is drained.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final

import msgspec
import trio

from offchain.journal import JournalError, JournalUnavailable, Loaded, Statement
from offchain.journal.leasing import (
    LASTS_MS,
    HeldElsewhere,
    Leasing,
    Taken,
)
from offchain.ledger.errors import LedgerError
from offchain.relayer.core import Core
from offchain.relayer.delegates import Delegates
from offchain.relayer.heartbeat import RENEW_EVERY_S, Heartbeat
from offchain.relayer.interest import Interest
from offchain.relayer.problems import journal_unavailable
from offchain.relayer.tenure import NotHeld, Tenure, elsewhere, lapsed
from offchain.relayer.tokens import Tokens
from offchain.relayer.turns import Turns
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.several")

LOOK_EVERY_S: Final = 1.0
TAKEN_AT_ONCE: Final = 200
GIVEN_AT_ONCE: Final = 50
IDLE_S: Final = 60.0
"""A viewer without a session who has asked for nothing for so long is anybody's."""
QUIET_WITHIN_S: Final = 5.0
"""For so long orders on their way may take before their viewers are given up another time."""
SEE_WITHIN_S: Final = 1.0
QUIET_EVERY_S: Final = 0.05
OPEN_EVERY_S: Final = 10.0
ASKED_MAX: Final = 8_192


class _Held(msgspec.Struct, eq=False):
    """A viewer whom this relayer holds."""

    fence: int
    asked_at: float
    users: int = 0
    leaving: bool = False


class Several(Tenure):
    """What one of several relayers holds."""

    def __init__(self, leasing: Leasing, *, lasts_ms: int = LASTS_MS, inline: bool = False) -> None:
        """`inline` asks the database in the calling thread, for simulations."""
        self._leasing = leasing
        self._heartbeat = Heartbeat(
            leasing, lasts_ms=lasts_ms, inline=inline, on_draining=self._told_to_drain
        )
        self._held: dict[str, _Held] = {}
        self._unread: list[Taken] = []
        """Taken, and not yet read from the journal; of a viewer taken twice, the later is last."""
        self._giving: set[str] = set()
        """Given up, and the database may not have heard of it: its rows may still be ours."""
        self._asked_about: set[tuple[SessionRef, int]] = set()
        self._over: set[tuple[SessionRef, int]] = set()
        self._turns = Turns()
        self._ready = trio.Event()

    def bind(self, core: Core, tokens: Tokens, delegates: Delegates) -> None:
        """Take the parts of the relayer that it leases for."""
        self._core, self._tokens, self._delegates = core, tokens, delegates
        core.book.budgets.mine = self._held.__contains__

    # --- what others ask -------------------------------------------------------------------

    @property
    def lasts(self) -> bool:
        """Whether its leases are certain to last yet, by a clock that nobody sets."""
        return self._heartbeat.lasts

    @property
    def draining(self) -> bool:
        """Whether it takes no viewer any more."""
        return self._heartbeat.draining

    @property
    def held(self) -> int:
        """How many viewers it holds."""
        return len(self._held)

    def holds(self, viewer: str) -> bool:
        """Tell whether orders of a viewer's may be sent."""
        held = self._held.get(viewer)
        return held is not None and not held.leaving and self.lasts

    def fence(self, viewer: str) -> int:
        """Give the number of a viewer's lease. Raises NotHeld."""
        held = self._held.get(viewer)
        if held is None or not self.lasts:
            raise NotHeld("this relayer does not hold the viewer's lease, or not for certain")
        return held.fence

    @contextmanager
    def using(self, viewer: str) -> Iterator[None]:
        """Keep a viewer for the length of the block. Raises Refused."""
        held = self._held.get(viewer)
        if held is None or held.leaving:
            raise elsewhere(None)
        held.users += 1
        held.asked_at = trio.current_time()
        try:
            yield
        finally:
            held.users -= 1

    async def claim(self, viewer: str) -> None:
        """Hold a viewer. Raises Refused where another relayer does, or where it cannot be told."""
        if not self.lasts or not self._ready.is_set():
            raise lapsed()
        async with self._turns.of(viewer):
            if self._keeps(viewer):
                return
            if self.draining and self._heartbeat.others:
                raise elsewhere(await self._holder(viewer))
            await self._claim(viewer)

    def _keeps(self, viewer: str) -> bool:
        """Tell whether a viewer who asks is held. Raises Refused where that is ending."""
        held = self._held.get(viewer)
        if viewer in self._giving or (held is not None and held.leaving):
            raise elsewhere(None)
        if held is None:
            return False
        held.asked_at = trio.current_time()
        return True

    async def _claim(self, viewer: str) -> None:
        async with self._core.keeper.still():
            if self._keeps(viewer):
                return  # it was taken from the free while this waited
            try:
                taken = await self._heartbeat.ask(self._leasing.claim, viewer)
            except HeldElsewhere as held:
                raise elsewhere(held.name) from None
            except JournalError:
                raise journal_unavailable() from None
            self._unread.append(taken)
            await self._read_taken()
        if viewer not in self._held:
            raise journal_unavailable()

    async def visit(self, viewer: str) -> None:
        """Know a viewer's keys. Raises Refused where another relayer holds the viewer."""
        if viewer in self._held:
            return
        name = await self._holder(viewer)
        if name is not None:
            raise elsewhere(name)
        try:
            loaded = await self._core.journal.reading(self._core.journal.load_of, [viewer])
        except JournalError:
            raise journal_unavailable() from None
        self._delegates.restore(loaded.delegates)

    async def _holder(self, viewer: str) -> str | None:
        try:
            return await self._heartbeat.ask(self._leasing.holder, viewer)
        except JournalError:
            raise journal_unavailable() from None

    def over(self, session: SessionRef, number: int) -> bool:
        """Tell whether a session that is not in the book is over, by the journal.

        A later attempt at a session of that name has higher numbers.
        """
        if len(self._asked_about) < ASKED_MAX:
            self._asked_about.add((session, number))
        return (session, number) in self._over

    def put_finalized(self, block: int) -> Statement:
        """Note it for this life, and not beyond what was taken and is still to be read."""
        return self._leasing.put_finalized(min([block, *(each.block for each in self._unread)]))

    def _told_to_drain(self) -> None:
        log.info("event=draining viewers=%d", len(self._held))

    # --- life ------------------------------------------------------------------------------

    def living(self) -> AbstractAsyncContextManager[None]:
        """Live for the length of the block; see `Heartbeat.living`."""
        return self._heartbeat.living()

    async def look(self) -> None:
        """Take what nobody holds, and give up what is not to be held, for ever.

        Raises LeaseLost.
        """
        while not self._core.book.finalized_block:  # how far figures are read is not known yet
            await self._core.new_best.wait()
        looked_at = -1e9
        while True:
            try:
                if self.lasts:
                    await self._look()
                if self.lasts and trio.current_time() - looked_at >= OPEN_EVERY_S:
                    looked_at = trio.current_time()
                    await self._look_for_ends()
                    await self._tokens.read_publishers(self._core.book.wanted.published)
            except JournalUnavailable as error:
                log.info("event=leases-not-looked-at why=%r", str(error))
            await trio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        if not self._ready.is_set():
            await self._core.keeper.flush(probe=True)
            self._ready.set()
        if self._unread:
            async with self._core.keeper.still():
                await self._read_taken()
        if self.draining and self._heartbeat.others:
            await self._give_up(list(self._held))
            return
        await self._take_share()
        await self._give_up(self._idle())

    async def _take_share(self) -> None:
        """Take over from the dead: only who has been steady can tell who is."""
        if self._heartbeat.is_steady:
            for life in await self._heartbeat.ask(self._leasing.end_run_out):
                log.warning("event=relayer-dead name=%r", life.partition("/")[0])
        free = await self._heartbeat.ask(self._leasing.free)
        if not free or not self.lasts:
            return
        share = min(TAKEN_AT_ONCE, -(-len(free) // (self._heartbeat.others + 1)))
        async with self._core.keeper.still():
            self._unread += await self._heartbeat.ask(self._leasing.take, free[:share])
            await self._read_taken()
        log.info("event=viewers-taken count=%d of=%d", share, len(free))

    async def _read_taken(self) -> None:
        """Read of what was taken all that the journal has. The keeper stands still.

        Raises LeaseLost. What cannot be read now is read later.
        """
        taken = {each.viewer: each for each in self._unread}
        if not taken:
            return
        journal = self._core.journal
        try:
            loaded = await journal.reading(journal.load_of, sorted(taken))
        except JournalError as error:
            log.warning("event=taken-not-read why=%r", str(error))
            return
        await self._see(loaded)
        self._unread = [each for each in self._unread if each.viewer not in taken]
        self._adopt(loaded, taken)

    async def _see(self, loaded: Loaded) -> None:
        """Read what the chain has of sessions before their media servers are answered.

        Should that take long, they wait for the next block.
        """
        names = Interest()
        for record in loaded.sessions:
            names.rest_on(record)
        if not loaded.sessions:
            return
        with trio.move_on_after(SEE_WITHIN_S):
            try:
                await self._core.view.foresee(names)
            except LedgerError as error:
                log.info("event=taken-not-seen why=%r", str(error))

    def _adopt(self, loaded: Loaded, taken: dict[str, Taken]) -> None:
        core, now = self._core, trio.current_time()
        for damage in loaded.damaged:
            log.error("event=journal-damaged detail=%r", damage)
        for viewer, each in taken.items():
            self._held[viewer] = _Held(each.fence, now)
        self._tokens.add(loaded.tokens)
        self._delegates.restore(loaded.delegates)
        core.book.adopt(loaded, now)
        if not loaded.sessions:
            return
        log.info("event=sessions-taken count=%d", len(loaded.sessions))
        behind = min(taken[record.viewer].block for record in loaded.sessions)
        belief = core.view.belief
        belief.floor = max(belief.floor, *(each.block for each in taken.values()))
        if behind < core.book.finalized_block:  # their figures are read from there on
            core.book.finalized_block = behind
            core.book.unwritten.finalized = True
        core.submit_bell.ring()

    # --- letting go ------------------------------------------------------------------------

    def _idle(self) -> list[str]:
        now = trio.current_time()
        return [
            viewer
            for viewer, held in self._held.items()
            if now - held.asked_at >= IDLE_S and not self._core.book.of_viewer(viewer)
        ]

    async def _give_up(self, viewers: Sequence[str]) -> None:
        """Give viewers up, when nothing of theirs is under way and the journal has it all."""
        group = viewers[:GIVEN_AT_ONCE]
        if not group:
            return
        for viewer in group:
            self._held[viewer].leaving = True
        try:
            with trio.move_on_after(QUIET_WITHIN_S):
                while any(self._is_busy(viewer) for viewer in group):  # noqa: ASYNC110 (by many)
                    await trio.sleep(QUIET_EVERY_S)
            quiet = [viewer for viewer in group if not self._is_busy(viewer)]
            if quiet:
                block = self._core.book.finalized_block
                await self._core.keeper.flush()
                await self._let_go(quiet, block)
        finally:
            for viewer in group:
                if viewer in self._held:
                    self._held[viewer].leaving = False

    def _is_busy(self, viewer: str) -> bool:
        sessions = self._core.book.of_viewer(viewer)
        return bool(self._held[viewer].users) or any(session.busy for session in sessions)

    async def _let_go(self, viewers: Sequence[str], block: int) -> None:
        book = self._core.book
        watching = [viewer for viewer in viewers if book.of_viewer(viewer)]
        # from here on this relayer does nothing for them, whether or not the database hears of it,
        # and takes none of them before it has heard: it would free who is served again
        self._giving.update(viewers)
        for viewer in viewers:
            book.give_up(viewer)
            del self._held[viewer]
        idle = [viewer for viewer in viewers if viewer not in watching]
        try:
            await self._until_told(self._leasing.let_go, watching, block)
            await self._until_told(self._leasing.forget, idle)
        finally:
            self._giving.difference_update(viewers)
        if watching:
            log.info("event=viewers-given-up count=%d left=%d", len(watching), len(self._held))

    async def _until_told(
        self, tell: Callable[..., None], viewers: Sequence[str], *more: int
    ) -> None:
        """Tell the database until it hears; a life that ends meanwhile frees them as well."""
        while viewers:
            try:
                await self._heartbeat.ask(tell, viewers, *more)
            except JournalUnavailable:
                await trio.sleep(RENEW_EVERY_S)
            else:
                return

    # --- sessions that are nobody's ----------------------------------------------------------

    async def _look_for_ends(self) -> None:
        """Find out which sessions that media servers name are open nowhere."""
        asked, self._asked_about = self._asked_about, set()
        self._over = set()
        if asked:
            journal = self._core.journal
            still_open = await journal.reading(journal.open_names)
            self._over = {
                (ref, number) for ref, number in asked if (ref.grant, ref.index) not in still_open
            }
