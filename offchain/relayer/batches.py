"""Orders in batches: few transactions a block for many ticks, from an account of the operator's.

The free lane takes an order a transaction, and uses a bounded share of the block. Where many ticks
are due at once, one batch carries them; its fee comes back for what counts. It carries the opens
and closes, too, that wait for room in the free lane, be they ever so few. Whatever goes wrong with
a batch, its orders take the free lane: they are totals, so sending one twice is harmless.
"""

from __future__ import annotations

import logging
from typing import Final

import trio

from offchain.journal import JournalError, put_order
from offchain.keys.keystore import KeystoreError
from offchain.keys.signer import Signer
from offchain.ledger.errors import DispatchFailed, LedgerError
from offchain.ledger.orders import Open, Order, SignedOrder, Tick
from offchain.ledger.types import BatchResult
from offchain.relayer.chain import bounded
from offchain.relayer.core import Core
from offchain.relayer.live_session import LiveSession
from offchain.relayer.submit import Submitter, is_stuck, lane_of, order_record, unstick
from streaming.session_state import SessionRef

log = logging.getLogger("paystream.relay.batches")

HANDFUL: Final = 8
"""So many ticks or fewer go through the free lane: each is in the next block, and none waits."""
CROWD: Final = 3 * HANDFUL
"""With more sessions than this, ticks wait for the next block, to be counted and sent together."""
AGAIN_AFTER_S: Final = 60.0
"""How long after a failed batch, and after a failed order in one, the free lane takes all orders of
its sessions, and after batches that failed in a row everything."""
FAILED_IN_A_ROW: Final = 2
"""One batch may fail alone, for a node that was slow or its place in the pool: nobody else's orders
need suffer for it. So many without one that came through are no accident."""
EARLY_MS: Final = 500
"""As much as the times of blocks differ, on their way and in being read. A cadence of 6 s would
last 8 s in every other case without it."""
BATCHES_AT_ONCE: Final = 16
"""So many batches may be on their way; more ticks than they carry wait for the next block."""
_Due = tuple[LiveSession, Order]


def _place(due: _Due) -> SessionRef:
    return due[0].ref


def _lane(due: _Due) -> tuple[SessionRef, int]:
    return due[0].ref, lane_of(due[1])


def _batches(orders: list[_Due], most: int) -> list[list[_Due]]:
    """Share orders among as few batches as carry them, all of about one size."""
    size = -(-len(orders) // -(-len(orders) // most))
    return [orders[first : first + size] for first in range(0, len(orders), size)]


class Batcher:
    """Sends orders in batches, signed by `signer`, whose account pays what is not given back."""

    def __init__(self, core: Core, submitter: Submitter, signer: Signer) -> None:
        self._core = core
        self._submitter = submitter
        self._signer = signer
        # a session's gap spans two cadences: after one its tick has to go the other way
        self._within_s = core.cadence_ms / 1000
        self._under_way = 0
        self._block = self._looked = -1
        self._not_before = -1e9
        self._failed_in_a_row = 0
        self._alone: dict[SessionRef, float] = {}
        """Until when sessions go the free lane, whose order or whose batch has failed."""

    def take(self, due: list[_Due], nursery: trio.Nursery, now: float) -> list[_Due]:
        """Start batches where more than a handful of ticks are due, or an open or close is stuck.

        Gives what goes the free lane. Between two batches many ticks wait for the next block, and
        so do those of a crowd, which become due one by one; the handful of a few sessions does not
        wait.
        """
        self._alone = {ref: until for ref, until in self._alone.items() if until > now}
        best = self._core.view.best
        if best is None or now < self._not_before:
            return due
        ticks = [each for each in due if self._goes_along(each)]
        others = [each for each in due if not self._goes_along(each)]
        if self._is_crowd and best.number == self._looked:
            return others
        self._looked = best.number
        waiting = [each for each in others if is_stuck(*each) and _place(each) not in self._alone]
        if len(ticks) > HANDFUL:
            waiting += ticks
        if not waiting:
            return due
        room = BATCHES_AT_ONCE - self._under_way
        if room <= 0 or best.number == self._block:
            return others if len(ticks) > HANDFUL else due
        self._block = best.number
        most = self._core.limits.batch_orders_max
        # those that have waited longest; a session has one of them at most
        for batch in _batches(sorted(waiting[: room * most], key=_place), most):
            self._under_way += 1
            for session, order in batch:
                session.occupy(lane_of(order))
            nursery.start_soon(self._send, batch, nursery, now)
        return [each for each in due if not each[0].is_busy(lane_of(each[1]))]

    def _goes_along(self, due: _Due) -> bool:
        """Tell whether an order is a tick that may go with others."""
        return isinstance(due[1], Tick) and _place(due) not in self._alone

    @property
    def _is_crowd(self) -> bool:
        return len(self._core.book.sessions) > CROWD

    @property
    def early_ms(self) -> int:
        """How long before its cadence is over a crowd's tick may go: no two blocks are the same
        time apart, and one that it just missed would be followed by another only a block later."""
        return EARLY_MS if self._is_crowd else 0

    def gathers(self) -> bool:
        """Tell whether a crowd's ticks wait for the next block."""
        best = self._core.view.best
        return (
            self._is_crowd
            and best is not None
            and best.number == self._looked
            and trio.current_time() >= self._not_before
        )

    async def _send(self, batch: list[_Due], nursery: trio.Nursery, began: float) -> None:
        kept: list[_Due] = []
        try:
            signed, kept = await self._signed(batch)
            if not kept:
                self._free(batch)
                return
            result = await bounded(
                self._core.chain.submit_batch(self._signer, signed, timeout_s=self._within_s),
                self._within_s + 1,
            )
        except JournalError as error:
            log.warning("event=batch-not-journaled why=%r", str(error))
            self._free(batch)
        except LedgerError as error:
            self._failed(batch, error)
            self._send_alone(batch, kept, nursery)
        else:
            self._core.count("batches_sent")
            self._failed_in_a_row = 0
            self._send_alone(batch, await self._read(kept, result, began), nursery)
        finally:
            self._under_way -= 1
            self._core.submit_bell.ring()

    def _failed(self, batch: list[_Due], error: LedgerError) -> None:
        """Take note of a batch that did not come through: what it held up waits for no other.

        Where the next may fail as well, or the fee was paid, everything goes the free lane; but
        that carries no crowd for long.
        """
        log.warning("event=batch-failed why=%r", str(error))
        self._core.count("batches_failed")
        self._failed_in_a_row += 1
        again_at = trio.current_time() + AGAIN_AFTER_S
        self._alone.update({_place(each): again_at for each in batch})
        if self._failed_in_a_row >= FAILED_IN_A_ROW or isinstance(error, DispatchFailed):
            self._not_before = again_at

    async def _signed(self, batch: list[_Due]) -> tuple[list[SignedOrder], list[_Due]]:
        """Journal, sign and journal all of them; an order whose key is missing is left out.

        Raises JournalUnavailable; then nothing of it is sent.
        """
        journal = self._core.journal
        for session, order in batch:
            session.is_signed |= isinstance(order, Open)
        await journal.commit([put_order(order_record(*each)) for each in batch])
        signed, kept = [], []
        for session, order in batch:
            try:
                signed.append(await self._submitter.sign(session, order))
            except KeystoreError as error:
                self._submitter.unsigned(session, order, error)
            else:
                kept.append((session, order))
        await journal.commit(
            [
                put_order(order_record(session, order, each.signature))
                for (session, order), each in zip(kept, signed, strict=True)
            ]
        )
        return signed, kept

    async def _read(self, kept: list[_Due], result: BatchResult, began: float) -> list[_Due]:
        """Take note of what came of each order, as if it had come alone.

        Gives those that have to come alone: ticks that close, for which a full block has no room
        beside a batch.
        """
        alone: list[_Due] = []
        stale: list[LiveSession] = []
        for session, order in kept:
            failure = result.failures.get((session.record.grant, session.record.index))
            if failure is None:
                self._submitter.sent(session, order, began)
                continue
            # a failed order pays its fee: the next tries are free ones
            unstick(session, order)
            self._alone[session.ref] = trio.current_time() + AGAIN_AFTER_S
            if failure.name == "OrderStale":
                stale.append(session)
            elif failure.name == "BlockFull":
                alone.append((session, order))
            elif failure.name == "SignatureInvalid":
                self._submitter.fail(session, "open-refused", failure)
            else:
                self._submitter.refused(session, order, failure)
        log.debug(
            "event=batch-included block=%d counted=%d free=%d stale=%d failed=%d",
            result.receipt.block_number,
            result.counted,
            result.free,
            len(stale),
            len(result.failures) - len(stale),
        )
        if stale:  # somebody else brought them, copied from this very batch perhaps
            await self._submitter.look_again(stale)
        return alone

    def _send_alone(self, batch: list[_Due], alone: list[_Due], nursery: trio.Nursery) -> None:
        """Send some of a batch's orders through the free lane; their lanes stay busy."""
        going = set(map(_lane, alone))
        self._free([each for each in batch if _lane(each) not in going])
        for session, order in alone:
            nursery.start_soon(self._submitter.send_due, session, order)

    def _free(self, batch: list[_Due]) -> None:
        for session, order in batch:
            session.release(lane_of(order))
            session.look()
