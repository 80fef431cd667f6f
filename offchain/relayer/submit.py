"""Orders on their way: decided, journaled, signed, journaled again, sent.

Orders are totals, so sending one again is harmless; what the pool or a reorganisation loses is
simply due again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Protocol

import trio

from offchain.journal import JournalError, put_order
from offchain.journal_schema import OrderRecord
from offchain.keys.keystore import KeystoreError
from offchain.ledger.errors import (
    Banned,
    DispatchFailed,
    ForeignSignature,
    LaneFull,
    LedgerError,
    NodeUnreachable,
    OrderRefused,
    Replayed,
    Superseded,
)
from offchain.ledger.orders import (
    Close,
    Fund,
    Open,
    Order,
    Renew,
    SignedOrder,
    Tick,
    Tip,
    encode_order,
    sign_order,
)
from offchain.relayer import cadence
from offchain.relayer.chain import Interest, bounded
from offchain.relayer.core import Core
from offchain.relayer.sessions import LiveSession, Sent

log = logging.getLogger("paystream.relay.submit")

LOOK_EVERY_S: Final = 0.5
SENDING_AT_ONCE: Final = 32
OPEN_TRIED_MS: Final = 20_000
"""How long after its start an open is still tried."""
OPEN_POOLED_S: Final = 150.0
"""After so long (64 blocks and some) the pool has forgotten an open that no block took."""

_LANES: Final = {"Open": 0, "Tick": 1, "Close": 1, "Fund": 2, "Tip": 3, "Renew": 4}
_OPEN_AGAIN: Final = frozenset({"OpenTooSoon", "SlotsTaken", "IndexNotNext", "Dropped", "Unknown"})
"""Refusals of an open that the next blocks may lift."""


class Batches(Protocol):
    """Takes orders out of those that are due, to bring them another way."""

    def take(
        self, due: list[tuple[LiveSession, Order]], nursery: trio.Nursery
    ) -> list[tuple[LiveSession, Order]]:
        """Take some and give the others."""


class Submitter:
    """Finds the orders that are due, and sends them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.batches: Batches | None = None
        """Another way than the free lane, where one is configured."""
        self._limit = trio.CapacityLimiter(SENDING_AT_ONCE)

    async def run(self) -> None:
        """Look for due orders whenever a block comes or the bell rings."""
        async with trio.open_nursery() as nursery:
            while True:
                self.look(nursery)
                await self._core.submit_bell.wait(LOOK_EVERY_S)

    def look(self, nursery: trio.Nursery) -> None:
        """Start sending what is due now."""
        core = self._core
        now = trio.current_time()
        core.book.sweep(now)
        if not core.view.reachable or not core.journal.healthy:
            return
        due = [
            (session, order)
            for session in core.book
            for order in self.due(session, now)
            if lane_of(order) not in session.busy
        ]
        if self.batches is not None:
            due = self.batches.take(due, nursery)
        for session, order in due:
            session.busy.add(lane_of(order))
            nursery.start_soon(self.send_due, session, order)

    def due(self, session: LiveSession, now: float) -> list[Order]:
        """Tell a session's due orders."""
        core = self._core
        if session.done:
            return []
        view = core.standing(session, now)
        if view is None:
            opening = self.opening(session, now)
            return [opening] if opening is not None else []
        orders: list[Order] = []
        order = cadence.next_lane_one(view, core.limits, core.cadence_ms)
        if order is not None:
            orders.append(order)
        fund = cadence.next_fund(view, core.limits, core.cadence_ms)
        if fund is not None:
            orders.append(fund)
        renewal = core.renewal(session, now)
        renew = None if renewal is None else cadence.next_renewal(renewal)
        if renew is not None:
            orders.append(renew)
        return orders

    def opening(self, session: LiveSession, now: float) -> Open | None:
        """Give a session's open order, if the ledger could take it now and nobody waits for it."""
        core, record = self._core, session.record
        grant = core.view.grants.get(record.grant)
        if record.phase != "opening" or session.deny is not None or grant is None:
            return None
        sent = session.sent.get("Open")
        if sent is not None and now - sent.at < cadence.RESEND_AFTER_MS / 1000:
            return None
        soon_ms = grant.opened_at + core.limits.min_tick_seconds * 1000
        if (
            grant.next_index != record.index
            or len(grant.open) >= grant.sessions_max
            or core.view.best_ms < soon_ms
            or core.view.best_ms - record.start_at > OPEN_TRIED_MS
        ):
            return None
        return open_order(session)

    async def send_due(self, session: LiveSession, order: Order) -> None:
        """Send an order whose lane is marked busy, and free the lane whatever comes of it."""
        kind = type(order).__name__
        try:
            await self.send(session, order)
        except Replayed:
            await self.look_again([session])
        except (Superseded, LaneFull, Banned, NodeUnreachable) as error:
            log.debug("event=order-waits session=%s order=%s why=%s", session.ref, kind, error)
        except ForeignSignature as error:
            self.fail(session, "open-refused", error)
        except OrderRefused as error:
            self.refused(session, order, error)
        except (LedgerError, JournalError, KeystoreError) as error:
            log.warning("event=order-failed session=%s order=%s why=%r", session.ref, kind, error)
        finally:
            session.busy.discard(lane_of(order))

    def refused(
        self, session: LiveSession, order: Order, error: OrderRefused | DispatchFailed
    ) -> None:
        """Take note that the ledger did not take an order, for a reason of its own."""
        self._core.count("orders_refused")
        if isinstance(order, Open) and error.name not in _OPEN_AGAIN:
            self.fail(session, "open-refused", error)
            return
        if isinstance(order, Renew):
            if error.name == "RenewTooEarly":
                # another period is paid already, or the node's clock is behind: the view will tell
                session.sent["Renew"] = Sent("Renew", order.renewals, trio.current_time())
            else:
                session.renewal_refused = True
        # clocks, small ticks and full lists mend themselves with the next block
        log.info(
            "event=order-refused session=%s order=%s why=%s",
            session.ref,
            type(order).__name__,
            error.name,
        )

    def fail(self, session: LiveSession, reason: str, error: Exception) -> None:
        """End a session that the ledger will never take orders of."""
        log.warning("event=session-refused session=%s why=%r", session.ref, str(error))
        deny(session, reason, trio.current_time())
        if session.record.phase == "opening":
            self._core.book.fail(session, self._core.unix_ms())
        self._core.journal_bell.ring()

    async def look_again(self, sessions: Iterable[LiveSession]) -> None:
        """Read what the ledger has: a replay means that our view is behind."""
        wanted = Interest()
        for session in sessions:
            wanted.sessions.add(session.ref)
            wanted.grants.add(session.record.grant)
        try:
            await self._core.view.refresh(wanted)
        except LedgerError as error:
            log.debug("event=refresh-failed sessions=%d why=%s", len(wanted.sessions), error)

    async def send(self, session: LiveSession, order: Order) -> None:
        """Journal, sign, journal and send one order; return when the pool has it.

        Raises JournalUnavailable, KeystoreError, OrderRefused and NodeUnreachable.
        """
        async with self._limit:
            await self._send(session, order)

    async def _send(self, session: LiveSession, order: Order) -> None:
        core, record = self._core, session.record
        await core.journal.commit([put_order(order_record(session, order))])
        signed = await self.sign(session, order)
        await core.journal.commit([put_order(order_record(session, order, signed.signature))])
        try:
            with suppress(Superseded):  # the same or a higher total waits in the pool: success
                await bounded(
                    core.chain.submit_order(
                        record.grant, order, signed.signature, scheme=signed.scheme
                    )
                )
        except LaneFull:
            session.crowded_out.add(type(order).__name__)
            raise
        self.sent(session, order, trio.current_time())

    async def sign(self, session: LiveSession, order: Order) -> SignedOrder:
        """Sign an order that is in the journal. Raises KeystoreError."""
        core, record = self._core, session.record
        signer = await core.keyring.open(core.key_names[record.delegate])
        signature = sign_order(
            signer, core.chain.genesis_hash, core.chain.pallet_index, record.grant, order
        )
        return SignedOrder(
            grant=record.grant, order=order, signature=signature, scheme=signer.scheme
        )

    def sent(self, session: LiveSession, order: Order, at: float) -> None:
        """Take note that an order is on its way since a moment."""
        kind, total = type(order).__name__, _total(order)
        self._core.count(f"orders_sent_{kind.lower()}")
        session.sent[kind] = Sent(kind, total, at)
        session.crowded_out.discard(kind)
        log.debug("event=order-sent session=%s order=%s total=%d", session.ref, kind, total)


def is_stuck(session: LiveSession, order: Order) -> bool:
    """Whether a due open or close finds no way through the free lane.

    It had no room for it, or the pool has had it for longer than `cadence.RESEND_AFTER_MS`: three
    blocks have not taken it.
    """
    kind = type(order).__name__
    return isinstance(order, Open | Close) and (kind in session.crowded_out or kind in session.sent)


def unstick(session: LiveSession, order: Order) -> None:
    """Let an open or close that a batch could not bring either begin again in the free lane."""
    kind = type(order).__name__
    if isinstance(order, Open | Close):
        session.crowded_out.discard(kind)
        session.sent.pop(kind, None)


def order_record(session: LiveSession, order: Order, signature: bytes | None = None) -> OrderRecord:
    """Give what the journal holds of an order: without signature before it is signed."""
    record, kind = session.record, type(order).__name__
    return OrderRecord(
        grant=record.grant,
        index=record.index,
        lane=_LANES[kind],
        body=encode_order(order),
        signature=signature,
    )


def open_order(session: LiveSession) -> Open:
    """Give the order that opens a session as it was admitted."""
    record = session.record
    return Open(
        index=record.index,
        stream=record.stream,
        rate_per_second=record.rate_per_second,
        funds=record.funds,
        start_at=record.start_at,
    )


def deny(session: LiveSession, reason: str, now: float) -> None:
    """Stop a session's media for good. The first reason stays."""
    if session.deny is None:
        session.deny = reason
        session.deny_since = now
        log.info("event=session-denied session=%s reason=%s", session.ref, reason)


def lane_of(order: Order) -> str:
    """Name the lane of which a session has one order under way at a time."""
    return str(_LANES[type(order).__name__])


def _total(order: Order) -> int:
    match order:
        case Tick(seconds=total) | Close(seconds=total):
            return total
        case Fund(funds=total) | Open(funds=total):
            return total
        case Tip(tips=total) | Renew(renewals=total):
            return total
