"""Orders: what refuses each, within the free lane or without its limits, and what each does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.model.books import Books
from tests.model.entries import Grant, Session, Stream, saturated


@dataclass(slots=True, frozen=True)
class Open:
    index: int
    stream: int
    rate_per_second: int
    funds: int
    start_at: int
    tick_price_max: int = 0


@dataclass(slots=True, frozen=True)
class Fund:
    index: int
    funds: int


@dataclass(slots=True, frozen=True)
class Tick:
    index: int
    seconds: int


@dataclass(slots=True, frozen=True)
class Close:
    index: int
    seconds: int


@dataclass(slots=True, frozen=True)
class Tip:
    index: int
    tips: int
    message: bytes = b""


@dataclass(slots=True, frozen=True)
class Renew:
    index: int
    renewals: int


Order: TypeAlias = Open | Fund | Tick | Close | Tip | Renew


@dataclass(slots=True, frozen=True)
class SignedOrder:
    """An order with the key whose signature of it is valid; None where no key's is."""

    grant: int
    order: Order
    signer: Any


@dataclass(slots=True)
class Refusals:
    """Names of errors: those of both lanes, and those of the free lane alone."""

    always: list[str] = field(default_factory=list)
    free: list[str] = field(default_factory=list)


def refusals(books: Books, signed: SignedOrder) -> Refusals:
    """Find everything that speaks against an order."""
    grant, order = books.grants.get(signed.grant), signed.order
    if grant is None:
        return Refusals(["GrantNotFound"])
    found = Refusals([] if signed.signer == grant.key else ["SignatureInvalid"])
    if isinstance(order, Open):
        _refuse_open(books, grant, order, found)
        return found
    session = books.sessions.get((signed.grant, order.index))
    if session is None:
        gone = order.index < grant.next_index
        found.always.append("OrderStale" if gone else "SessionNotFound")
    else:
        _CHECKS[type(order)](books, grant, session, order, found)
    return found


def perform(books: Books, grant_id: int, order: Order) -> None:
    """Do what an order says; it was not refused."""
    _EFFECTS[type(order)](books, grant_id, order)


# --- open ----------------------------------------------------------------------------------


def _discount_period(
    books: Books, grant: Grant, stream: Stream, order: Open
) -> tuple[int, int] | None:
    """Give start and end of the running period, where the order's rate is its discounted one."""
    subscription = books.subscriptions.get((order.stream, grant.viewer))
    if subscription is None or not books.is_running(subscription, stream):
        return None
    if order.rate_per_second != subscription.tier.discounted(stream.rate_per_second):
        return None
    start = subscription.period_start(books.now)
    return start, start + subscription.tier.period_ms


def _refuse_open(books: Books, grant: Grant, order: Open, found: Refusals) -> None:
    now = books.now
    if order.index < grant.next_index:
        found.always.append("OrderStale")
    if order.index > grant.next_index:
        found.always.append("IndexNotNext")
    if grant.ended_at <= now:
        found.always.append("GrantEnded")
    if len(grant.open) >= grant.sessions_max:
        found.always.append("SlotsTaken")
    if books.stopped:
        found.always.append("Stopped")
    if order.rate_per_second > grant.rate_max_per_second:
        found.always.append("RateAboveGrant")
    if order.funds > books.vault(grant.viewer, grant.asset):
        found.always.append("VaultTooLow")
    if order.funds > grant.cap_left:
        found.always.append("CapTooLow")
    if not books.is_enabled(grant.asset):
        found.always.append("AssetNotEnabled")
    if now - grant.opened_at < books.constants.min_tick_seconds * 1000:
        found.free.append("OpenTooSoon")
    stream = books.streams.get(order.stream)
    if stream is None:
        found.always.append("StreamNotFound")
        return
    if stream.ended:
        found.always.append("StreamEnded")
    if stream.status == "Paused" or (stream.stops and stream.stops[-1] == now):
        found.always.append("StreamNotActive")
    if stream.asset != grant.asset:
        found.always.append("AssetMismatch")
        if not books.is_enabled(stream.asset):
            found.always.append("AssetNotEnabled")
    priced = books.asset_entries.get(stream.asset)
    if priced is not None and priced.tick_price > order.tick_price_max:
        found.always.append("TickPriceAboveOrder")
    if order.rate_per_second != stream.rate_per_second and (
        _discount_period(books, grant, stream, order) is None
    ):
        found.always.append("RateMismatch")
    if grant.gap_ms < stream.gap_min_ms:
        found.always.append("GapBelowStream")
    if order.rate_per_second and order.funds < max(stream.funds_min, order.rate_per_second):
        found.always.append("FundsBelowStream")


def _open(books: Books, grant_id: int, order: Open) -> None:
    grant, stream, now = books.grants[grant_id], books.streams[order.stream], books.now
    start = max(
        min(order.start_at, now),
        now - books.constants.head_start_max_ms,
        grant.created_at,
        grant.freed_end_at,
        stream.changed_at,
    )
    ended_at = grant.ended_at
    # a discount that comes to nothing is no discounted rate
    if order.rate_per_second != stream.rate_per_second:
        period = _discount_period(books, grant, stream, order)
        assert period is not None
        start, ended_at = max(start, period[0]), min(ended_at, period[1])
    books.credit(grant.viewer, grant.asset, -order.funds)
    grant.cap_left -= order.funds
    grant.open.append(order.index)
    grant.next_index = order.index + 1
    grant.opened_at = now
    stream.sessions_open += 1
    books.sessions[grant_id, order.index] = Session(
        viewer=grant.viewer,
        key=grant.key,
        asset=grant.asset,
        stream=order.stream,
        rate_per_second=order.rate_per_second,
        gap_ms=grant.gap_ms,
        funds=order.funds,
        tick_price=books.asset_entries[stream.asset].tick_price,
        started_at=start,
        opened_at=now,
        billed_until=start,
        ticked_at=now,
        ended_at=ended_at,
    )
    books.emit(
        "SessionOpened",
        grant=grant_id,
        index=order.index,
        stream=order.stream,
        viewer=grant.viewer,
        rate_per_second=order.rate_per_second,
        funds=order.funds,
        started_at=start,
    )


# --- fund ----------------------------------------------------------------------------------


def _buys_enough(books: Books, session: Session, left: int) -> bool:
    """Say whether funds last for `FundBelowSeconds`; at rate 0 any do."""
    rate = session.rate_per_second
    return not rate or left // rate >= books.constants.fund_below_seconds


def _refuse_fund(
    books: Books, grant: Grant, session: Session, order: Fund, found: Refusals
) -> None:
    more = order.funds - session.funds
    if more == 0:
        found.always.append("OrderStale")
    if more < 0:
        found.always.append("FundsNotHigher")
    if books.read(session).has_ended:
        found.always.append("SessionEnded")
    vault = books.vault(session.viewer, session.asset)
    if more > vault:
        found.always.append("VaultTooLow")
    if more > grant.cap_left:
        found.always.append("CapTooLow")
    if _buys_enough(books, session, session.left):
        found.free.append("FundTooEarly")
    takes_all = more in (vault, grant.cap_left)
    if more > 0 and not takes_all and not _buys_enough(books, session, session.left + more):
        found.free.append("FundTooSmall")


def _fund(books: Books, grant_id: int, order: Fund) -> None:
    session = books.sessions[grant_id, order.index]
    more = order.funds - session.funds
    books.credit(session.viewer, session.asset, -more)
    books.grants[grant_id].cap_left -= more
    session.funds = order.funds
    books.emit("SessionFunded", grant=grant_id, index=order.index, funds=order.funds)


# --- tick and close ------------------------------------------------------------------------


def _affordable(session: Session, asked: int) -> int:
    rate = session.rate_per_second
    return min(asked, session.left // rate) if rate else asked


def _refuse_charge(
    books: Books, grant: Grant, session: Session, order: Tick | Close, found: Refusals
) -> None:
    reading = books.read(session)
    asked = order.seconds - session.seconds
    if reading.window_over:
        found.always.append("SessionEnded")
    if asked < 0:
        found.always.append("TotalLower")
    if asked > reading.room:
        found.always.append("AheadOfClock")
    if isinstance(order, Tick):
        if asked == 0:
            found.always.append("OrderStale")
        charged = _affordable(session, asked)
        if 0 <= charged == asked < books.constants.min_tick_seconds:
            found.free.append("TickTooSmall")


def _charge(books: Books, grant_id: int, order: Tick | Close) -> None:
    session = books.sessions[grant_id, order.index]
    stream, reading, now = books.streams[session.stream], books.read(session), books.now
    asked = order.seconds - session.seconds
    charged = _affordable(session, asked)
    amount = charged * session.rate_per_second
    fee = min(session.tick_price, session.left - amount) if charged else 0
    session.seconds += charged
    session.fees += fee
    session.billed_until = reading.start + 1000 * charged
    stream.earned += amount
    stream.earned_total = saturated(stream.earned_total + amount)
    stream.fees += fee
    stream.seconds += charged
    if charged:
        books.emit(
            "Ticked",
            grant=grant_id,
            index=order.index,
            stream=session.stream,
            seconds=session.seconds,
            charged_seconds=charged,
            amount=amount,
            fee=fee,
        )
    if charged < asked:
        books.close(grant_id, order.index, "FundsExhausted")
    elif isinstance(order, Close):
        books.close(grant_id, order.index, "Order")
    else:
        session.ended_at = reading.ended_at
        if not reading.has_ended:
            session.ticked_at = now


# --- tip and renew -------------------------------------------------------------------------


def _refuse_tip(books: Books, grant: Grant, session: Session, order: Tip, found: Refusals) -> None:
    more = order.tips - grant.tips_total
    if more == 0:
        found.always.append("OrderStale")
    if more < 0:
        found.always.append("TotalLower")
    if books.read(session).has_ended:
        found.always.append("SessionEnded")
    if books.streams[session.stream].ended:
        found.always.append("StreamEnded")
    if more > books.vault(session.viewer, session.asset):
        found.always.append("VaultTooLow")
    if more > grant.tips_left:
        found.always.append("TipsTooLow")
    if 0 <= more < books.asset_entries[session.asset].tip_min:
        found.free.append("TipTooSmall")
    if books.now - grant.tipped_at < books.constants.min_tick_seconds * 1000:
        found.free.append("TipTooSoon")


def _tip(books: Books, grant_id: int, order: Tip) -> None:
    grant, session = books.grants[grant_id], books.sessions[grant_id, order.index]
    more = order.tips - grant.tips_total
    grant.tips_left -= more
    grant.tips_total = order.tips
    grant.tipped_at = books.now
    books.move_tip(session.stream, session.viewer, more, order.message, grant_id)


def _refuse_renew(
    books: Books, grant: Grant, session: Session, order: Renew, found: Refusals
) -> None:
    if order.renewals <= grant.renewals_total:
        found.always.append("OrderStale")
    if order.renewals > grant.renewals_total + 1:
        found.always.append("RenewalNotNext")
    if not grant.renewals_left:
        found.always.append("RenewalsUsedUp")
    if books.read(session).has_ended:
        found.always.append("SessionEnded")
    if books.stopped:
        found.always.append("Stopped")
    if not books.is_enabled(session.asset):
        found.always.append("AssetNotEnabled")
    stream = books.streams[session.stream]
    if stream.ended:
        found.always.append("StreamEnded")
    subscription = books.subscriptions.get((session.stream, session.viewer))
    if subscription is None:
        found.always.append("NotSubscribed")
        return
    tier = subscription.tier
    if tier not in books.tiers.get(session.stream, ()):
        found.always.append("TierNotOffered")
    if tier.price > books.vault(session.viewer, session.asset):
        found.always.append("VaultTooLow")
    if books.extension_overflows(subscription, stream, tier, 1):
        found.always.append("Overflow")
    if books.now + tier.period_ms < subscription.paid_until:
        found.free.append("RenewTooEarly")


def _renew(books: Books, grant_id: int, order: Renew) -> None:
    grant, session = books.grants[grant_id], books.sessions[grant_id, order.index]
    grant.renewals_left -= 1
    grant.renewals_total = order.renewals
    tier = books.subscriptions[session.stream, session.viewer].tier
    books.extend(session.stream, session.viewer, tier, 1)


_CHECKS: dict[type, Callable[..., None]] = {
    Fund: _refuse_fund,
    Tick: _refuse_charge,
    Close: _refuse_charge,
    Tip: _refuse_tip,
    Renew: _refuse_renew,
}

_EFFECTS: dict[type, Callable[..., None]] = {
    Open: _open,
    Fund: _fund,
    Tick: _charge,
    Close: _charge,
    Tip: _tip,
    Renew: _renew,
}
