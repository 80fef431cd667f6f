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
from offchain.journal.records import OrderRecord
from offchain.keys.keystore import KeyNotFound, KeystoreCorrupt, KeystoreError
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
)
from offchain.ledger.types import Constants, Head
from offchain.relayer import cadence
from offchain.relayer.chain import bounded
from offchain.relayer.core import Core
from offchain.relayer.interest import Interest
from offchain.relayer.keyring import Asked
from offchain.relayer.live_session import LiveSession, Sent
from offchain.relayer.session_views import renewal_view, session_view

log = logging.getLogger("paystream.relay.submit")

LOOK_EVERY_S: Final = 0.5
SENDING_AT_ONCE: Final = 32
NOT_SIGNED_WAITS_S: Final = 5.0
"""How long an order that could not be signed waits at least before it is tried again."""

OPEN_LANE: Final = 0
_LANES: Final = {"Open": OPEN_LANE, "Tick": 1, "Close": 1, "Fund": 2, "Tip": 3, "Renew": 4}
_OPEN_AGAIN: Final = frozenset(
    {"OpenTooSoon", "SlotsTaken", "IndexNotNext", "GrantNotFound", "Dropped", "Unknown"}
)
"""Refusals of an open that the next blocks may lift.

An open is sent only while the best block has its grant: a node that has not is behind, or on
another branch, and what another node took of this open before may still come into a block.
"""


class Batches(Protocol):
    """Takes orders out of those that are due, to bring them another way."""

    def take(
        self, due: list[tuple[LiveSession, Order]], nursery: trio.Nursery, now: float
    ) -> list[tuple[LiveSession, Order]]:
        """Take some of what was found due at `now`, and give those that go alone."""

    def gathers(self) -> bool:
        """Tell whether ticks wait for the next block, so that nobody need look for them."""

    @property
    def early_ms(self) -> int:
        """How long before its cadence is over a tick may go, so that it does not miss its block."""


class Submitter:
    """Finds the orders that are due, and sends them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.batches: Batches | None = None
        """Another way than the free lane, where one is configured."""
        self._limit = trio.CapacityLimiter(SENDING_AT_ONCE)
        self._seen: Head | None = None
        self._with_block: dict[LiveSession, None] = {}
        """Those that wait for the best block to move, in the order of coming."""

    async def run(self) -> None:
        """Look for due orders whenever a block comes or the bell rings."""
        async with trio.open_nursery() as nursery:
            while True:
                self.look(nursery)
                await self._core.submit_bell.wait(LOOK_EVERY_S)

    def look(self, nursery: trio.Nursery) -> None:
        """See to the sessions whose time has come, and start sending what is due of them."""
        core, now = self._core, trio.current_time()
        if not core.tenure.lasts:
            return
        sessions = core.book.census.agenda.due(now)
        if core.view.best is not self._seen:
            self._seen = core.view.best
            waiting, self._with_block = self._with_block, {}
            sessions += waiting
        able = core.view.reachable and core.journal.healthy
        now_ms = core.refill_ms()
        gathers = self.batches is not None and self.batches.gathers()
        due: list[tuple[LiveSession, Order]] = []
        for session in dict.fromkeys(sessions):
            if session.census is None:
                continue  # it has gone
            again = core.book.attend(session, now, now_ms)
            is_held = core.tenure.holds(session.record.viewer)
            if not able or not is_held or (gathers and session.state == "open"):
                self._with_block[session] = None
            else:
                due += self._may_go(session, self.due(session, now), now)
            session.look(again)  # last: it is mostly later than what was found due
        if due:
            self._start(due, nursery, now)

    @property
    def _cadence_ms(self) -> int:
        """The time between two ticks of a session."""
        early_ms = 0 if self.batches is None else self.batches.early_ms
        return self._core.cadence_ms - early_ms

    def _may_go(
        self, session: LiveSession, orders: list[Order], now: float
    ) -> list[tuple[LiveSession, Order]]:
        """Give those orders whose lane is free and that need not wait after a refusal."""
        going = []
        for order in orders:
            lane, kind = lane_of(order), type(order).__name__
            if session.is_busy(lane):
                continue  # it is looked at again when that one is done
            if not session.may_try(kind, now):
                session.look(session.tries[kind][1])
            else:
                going.append((session, order))
        return going

    def _start(
        self, due: list[tuple[LiveSession, Order]], nursery: trio.Nursery, now: float
    ) -> None:
        alone = due if self.batches is None else self.batches.take(due, nursery, now)
        for session, order in alone:
            session.occupy(lane_of(order))
            nursery.start_soon(self.send_due, session, order)
        for session, order in due:
            if not session.is_busy(lane_of(order)):  # it waits for the next block's batches
                self._with_block[session] = None

    def due(self, session: LiveSession, now: float) -> list[Order]:
        """Tell a session's due orders."""
        core = self._core
        if session.done:
            return []
        view = session_view(core, session, now)
        if view is None:
            self._with_block[session] = None
            opening = self.opening(session, now)
            return [opening] if opening is not None else []
        self._plan(session, view, now)
        orders: list[Order] = []
        order = cadence.next_lane_one(view, core.limits, self._cadence_ms)
        if order is not None:
            orders.append(order)
        fund = cadence.next_fund(view, core.limits, core.cadence_ms)
        if fund is not None:
            orders.append(fund)
        renewal = renewal_view(core, session, now)
        renew = None if renewal is None else cadence.next_renewal(renewal)
        if renew is not None:
            orders.append(renew)
        if renewal is not None:
            session.look(now + max(LOOK_EVERY_S, cadence.renews_in_ms(renewal) / 1000))
        return orders

    def _plan(self, session: LiveSession, view: cadence.SessionView, now: float) -> None:
        """Note what has to happen before another order of a session can be due."""
        core = self._core
        if view.closing or cadence.lacks_funds(view, core.limits):
            self._with_block[session] = None
        if view.closing:
            return
        waits_ms = 0 if view.since_tick_ms is None else self._cadence_ms - view.since_tick_ms
        next_total = cadence.next_total(view, core.limits, waits_ms=waits_ms)
        if waits_ms > 0:
            session.look(now + waits_ms / 1000)
        if view.total_seconds < next_total:
            session.look_total = next_total
        elif waits_ms <= 0 and not session.is_busy(_LANES["Tick"]):
            self._with_block[session] = None

    def opening(self, session: LiveSession, now: float) -> Open | None:
        """Give a session's open order, if the ledger could take it now and nobody waits for it."""
        core, record = self._core, session.record
        grant = core.view.grants.get(record.grant)
        if session.state not in ("reserved", "opening", "leaving") or grant is None:
            return None
        if session.refused_at is not None or grant.ended_at <= core.view.best_ms:
            return None
        sent = session.last_sent("Open")
        if sent is not None and now - sent.at < cadence.RESEND_AFTER_MS / 1000:
            return None
        soon_ms = grant.opened_at + core.limits.min_tick_seconds * 1000
        if (
            grant.next_index != record.index
            or len(grant.open) >= grant.sessions_max
            or core.view.best_ms < soon_ms
        ):
            return None
        return open_order(session, core.limits)

    async def send_due(self, session: LiveSession, order: Order) -> None:
        """Send an order whose lane is marked busy, and free the lane whatever comes of it."""
        kind = type(order).__name__
        try:
            await self.send(session, order)
        except Replayed:
            # a node that is behind the one that was read from says so until it has caught up
            session.back_off(kind, trio.current_time())
            await self.look_again([session])
        except (Superseded, LaneFull, Banned, NodeUnreachable) as error:
            session.back_off(kind, trio.current_time())
            log.debug("event=order-waits session=%s order=%s why=%s", session.ref, kind, error)
        except ForeignSignature as error:
            self.fail(session, "open-refused", error)
        except OrderRefused as error:
            session.back_off(kind, trio.current_time())
            self.refused(session, order, error)
        except KeystoreError as error:
            self.unsigned(session, order, error)
        except (LedgerError, JournalError) as error:
            session.back_off(kind, trio.current_time())
            log.warning("event=order-failed session=%s order=%s why=%r", session.ref, kind, error)
        finally:
            session.release(lane_of(order))
            session.look()

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
                session.note_sent(Sent("Renew", order.renewals, trio.current_time()))
            else:
                session.renewal_refused = True
        # clocks, small ticks and full lists mend themselves with the next block
        log.debug(
            "event=order-refused session=%s order=%s why=%s",
            session.ref,
            type(order).__name__,
            error.name,
        )

    def fail(self, session: LiveSession, reason: str, error: Exception) -> None:
        """End a session that the ledger will never take orders of."""
        log.warning("event=session-refused session=%s why=%r", session.ref, str(error))
        now = trio.current_time()
        if session.state in ("reserved", "opening", "leaving"):
            refuse(self._core, session, now)
        else:
            deny(session, reason, now)
        self._core.journal_bell.ring()

    async def look_again(self, sessions: Iterable[LiveSession]) -> None:
        """Read what the ledger has: a replay means that our view is behind."""
        names = Interest()
        for session in sessions:
            names.sessions.add((session.record.grant, session.record.index))
            names.grants.add(session.record.grant)
        try:
            await self._core.view.refresh(names)
        except LedgerError as error:
            log.debug("event=refresh-failed sessions=%d why=%s", len(names.sessions), error)

    async def send(self, session: LiveSession, order: Order) -> None:
        """Journal, sign, journal and send one order; return when the pool has it.

        Raises JournalUnavailable, KeystoreError, OrderRefused and NodeUnreachable.
        """
        async with self._limit:
            await self._send(session, order)

    async def _send(self, session: LiveSession, order: Order) -> None:
        core, record = self._core, session.record
        signed = session.signed.get(type(order).__name__)
        if signed is None or signed.order != order:
            signed = await self._signed(session, order)
        order = signed.order  # a signer may give less than was asked for
        try:
            with suppress(Superseded):  # the same or a higher total waits in the pool: success
                await bounded(
                    core.chain.submit_order(
                        record.grant, order, signed.signature, scheme=signed.scheme
                    )
                )
        except LaneFull:
            session.crowded_out |= {type(order).__name__}
            raise
        self.sent(session, order, trio.current_time())

    async def _signed(self, session: LiveSession, order: Order) -> SignedOrder:
        """Journal, sign and journal an order. One that is sent again is signed already."""
        commit = self._core.journal.commit
        was_signed = session.is_signed
        session.is_signed |= isinstance(order, Open)
        await commit([put_order(order_record(session, order))])
        try:
            signed = await self.sign(session, order)
        except KeystoreError:
            session.is_signed = was_signed  # no signature has left: nobody has the order
            raise
        await commit([put_order(order_record(session, signed.order, signed.signature))])
        session.signed = {**session.signed, type(order).__name__: signed}
        return signed

    async def sign(self, session: LiveSession, order: Order) -> SignedOrder:
        """Sign an order that is in the journal. Raises KeystoreError."""
        core, record = self._core, session.record
        asked = Asked(
            key=core.key_names[record.delegate],
            grant=record.grant,
            order=order,
            entry=core.view.grants.get(record.grant),
            running=core.view.sessions.get(session.ref),
            fence=core.tenure.fence(record.viewer),
        )
        try:
            return await core.keyring.sign(asked, core.chain)
        except KeystoreError as error:
            if isinstance(error, KeyNotFound | KeystoreCorrupt):
                core.keys_broken.add(record.delegate)
            raise

    def unsigned(self, session: LiveSession, order: Order, error: KeystoreError) -> None:
        """Let an order that could not be signed wait."""
        kind, now = type(order).__name__, trio.current_time()
        session.back_off(kind, now)
        failed, again_at = session.tries[kind]
        session.try_at(kind, failed, max(again_at, now + NOT_SIGNED_WAITS_S))
        log.warning("event=order-failed session=%s order=%s why=%r", session.ref, kind, error)

    def sent(self, session: LiveSession, order: Order, at: float) -> None:
        """Take note that an order is on its way since a moment."""
        kind, total = type(order).__name__, _total(order)
        self._core.count(f"orders_sent_{kind.lower()}")
        session.note_sent(Sent(kind, total, at))
        session.look(at + self._cadence_ms / 1000)
        session.taken(kind)
        log.debug("event=order-sent session=%s order=%s total=%d", session.ref, kind, total)


def is_stuck(session: LiveSession, order: Order) -> bool:
    """Whether a due open or close finds no way through the free lane.

    It had no room for it, or the pool has had it for longer than `cadence.RESEND_AFTER_MS`: three
    blocks have not taken it.
    """
    kind = type(order).__name__
    return isinstance(order, Open | Close) and (
        kind in session.crowded_out or session.last_sent(kind) is not None
    )


def unstick(session: LiveSession, order: Order) -> None:
    """Let an open or close that a batch could not bring either begin again in the free lane."""
    kind = type(order).__name__
    if isinstance(order, Open | Close):
        session.crowded_out -= {kind}
        session.forget_sent(kind)


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


def open_order(session: LiveSession, limits: Constants) -> Open:
    """Give the order that opens a session as it was admitted, at no higher tick price than then."""
    record = session.record
    return Open(
        index=record.index,
        stream=record.stream,
        rate_per_second=record.rate_per_second,
        funds=record.funds,
        start_at=record.start_at,
        tick_price_max=None if limits.tick_price_max is None else record.tick_price,
    )


def deny(session: LiveSession, reason: str, now: float) -> None:
    """Stop a session's media for good. The first reason stays."""
    if session.deny is None:
        session.deny = reason
        session.deny_since = now
        session.look()
        if session.census is not None:
            session.census.denied[session] = None
        log.debug("event=session-denied session=%s reason=%s", session.ref, reason)


def refuse(core: Core, session: LiveSession, now: float) -> None:
    """Take note that an open order will not be taken: a final block decides about its index."""
    if session.refused_at is None:
        session.refused_at = core.view.best.number if core.view.best is not None else 0
    deny(session, "open-refused", now)
    session.end("open-refused")


def lane_of(order: Order) -> int:
    """Number the lane of which a session has one order under way at a time."""
    return _LANES[type(order).__name__]


def _total(order: Order) -> int:
    match order:
        case Tick(seconds=total) | Close(seconds=total):
            return total
        case Fund(funds=total) | Open(funds=total):
            return total
        case Tip(tips=total) | Renew(renewals=total):
            return total
