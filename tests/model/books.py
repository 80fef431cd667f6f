"""The ledger's state, and what several calls have in common: reading, closing, paying out."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from tests.model.accounts import NATIVE, Account, Accounts, Asset
from tests.model.entries import (
    U128_MAX,
    WHOLE,
    AssetEntry,
    Constants,
    Event,
    Grant,
    Payee,
    Reading,
    Session,
    Stream,
    Subscription,
    Tier,
    saturated,
)


class Payment(NamedTuple):
    """A part of a distribution; whoever cannot receive it is credited in the vault."""

    payee: Account
    amount: int
    credited: bool


class Distribution(NamedTuple):
    treasury: list[Payment]
    """The operator's one payment, or none."""
    payees: list[Payment]
    remainder: int
    erased: int
    """What goes instead of being paid, where the asset is written off."""

    @property
    def is_nothing(self) -> bool:
        return not (self.treasury or self.payees or self.erased)

    def native_income(self, who: Account, asset: Asset) -> int:
        if asset is not NATIVE:
            return 0
        paid = (*self.treasury, *self.payees)
        return sum(p.amount for p in paid if p.payee == who and not p.credited)


def halt(constants: Constants, passed_ms: int) -> int:
    """Tell what the ledger's clock leaves out of the time between two blocks."""
    return min(max(0, passed_ms - constants.block_gap_max_ms), constants.halt_max_ms)


class Books:
    """Entries by their keys, as the page lists them."""

    def __init__(
        self, constants: Constants, accounts: Accounts, *, pot: Account, treasury: Account
    ) -> None:
        self.constants = constants
        self.accounts = accounts
        self.pot = pot
        self.treasury = treasury
        self.now = 0
        """The ledger's clock: the chain's, less what halts have left out."""
        self.halted_ms = 0
        self.halt_ms = 0
        """What the present block added to it."""
        self.free_lane_full = False
        """Weights are no part of the model: whoever drives it says when the lane is full."""
        self.asset_entries: dict[Asset, AssetEntry] = {}
        self.vaults: dict[tuple[Account, Asset], int] = {}
        self.streams: dict[int, Stream] = {}
        self.tiers: dict[int, tuple[Tier, ...]] = {}
        self.subscriptions: dict[tuple[int, Account], Subscription] = {}
        self.grants: dict[int, Grant] = {}
        self.sessions: dict[tuple[int, int], Session] = {}
        self.treasury_share = 0
        self.stopped = False
        self.next_stream = 0
        self.next_grant = 0
        self.events: list[Event] = []

    @property
    def time_ms(self) -> int:
        """What the chain's clock shows."""
        return self.now + self.halted_ms

    def begin_block(self, time_ms: int) -> None:
        """End the present block, which tells of the halt before it, and begin the next one."""
        if self.halt_ms:
            self.emit("HaltLeftOut", halt_ms=self.halt_ms, halted_ms=self.halted_ms)
        self.halt_ms = halt(self.constants, time_ms - self.time_ms) if self.time_ms else 0
        self.halted_ms += self.halt_ms
        self.now = time_ms - self.halted_ms

    def emit(self, name: str, **fields: Any) -> None:
        self.events.append(Event(name, fields))

    def done(self) -> list[Event]:
        """Give the events of the call that ends here."""
        events, self.events = self.events, []
        return events

    def copy(self) -> Any:
        """Copy everything that can change."""
        other = copy.copy(self)
        for name in ("asset_entries", "subscriptions"):
            entries = getattr(self, name)
            setattr(other, name, {key: copy.copy(entry) for key, entry in entries.items()})
        other.accounts = self.accounts.copy()
        other.vaults, other.tiers = dict(self.vaults), dict(self.tiers)
        other.sessions = {key: copy.copy(entry) for key, entry in self.sessions.items()}
        other.streams = {}
        for key, stream in self.streams.items():
            other.streams[key] = copied = copy.copy(stream)
            copied.stops = list(stream.stops)
        other.grants = {}
        for key, grant in self.grants.items():
            other.grants[key] = given = copy.copy(grant)
            given.open = list(grant.open)
        other.events = []
        return other

    # --- assets and vaults -----------------------------------------------------------------

    def is_enabled(self, asset: Asset) -> bool:
        entry = self.asset_entries.get(asset)
        return entry is not None and entry.status == "Enabled"

    def is_written_off(self, asset: Asset) -> bool:
        entry = self.asset_entries.get(asset)
        return entry is not None and entry.status == "WrittenOff"

    def owed(self, asset: Asset) -> int:
        entry = self.asset_entries.get(asset)
        return entry.owed if entry else 0

    def vault(self, who: Account, asset: Asset) -> int:
        return self.vaults.get((who, asset), 0)

    def credit(self, who: Account, asset: Asset, amount: int) -> None:
        """Add to a vault, or take from it; an empty vault has no entry."""
        place = (who, asset)
        left = self.vaults.get(place, 0) + amount
        if left:
            self.vaults[place] = left
        else:
            self.vaults.pop(place, None)

    def is_dust(self, asset: Asset, free: int) -> bool:
        """Say whether a vault would hold too little to be stored unless a deposit pays for it."""
        return 0 < free < self.accounts.minimum(asset)

    # --- the clock -------------------------------------------------------------------------

    def stop_of(self, session: Session) -> int | None:
        """Give the first stop of the stream at or after the session's opening."""
        for stop in self.streams[session.stream].stops:
            if stop >= session.opened_at:
                return stop
        return None

    def read(self, session: Session) -> Reading:
        now, ended_at = self.now, session.ended_at
        stop = self.stop_of(session)
        if stop is not None and stop <= now:
            ended_at = min(ended_at, stop)
        lapse = session.ticked_at + session.gap_ms
        if lapse <= now:
            ended_at = min(ended_at, lapse)
        end = min(now, ended_at)
        start = max(session.billed_until, end - session.gap_ms)
        return Reading(
            ended_at,
            ended_at <= now,
            end,
            start,
            max(0, (end - start) // 1000),
            now >= ended_at + self.constants.settlement_window_ms,
        )

    def has_place_for_a_pause(self, stream: Stream) -> bool:
        stops = self.remembered_stops(stream)
        if stops and stops[-1] == self.now:
            return True
        return len(stops) < self.constants.max_stops - 1

    def record_stop(self, stream: Stream) -> None:
        stream.stops = self.remembered_stops(stream)
        if not stream.stops or stream.stops[-1] != self.now:
            stream.stops.append(self.now)

    def remembered_stops(self, stream: Stream) -> list[int]:
        age = self.constants.gap_max_ms + self.constants.settlement_window_ms
        return [stop for stop in stream.stops if stop >= self.now - age]

    # --- sessions --------------------------------------------------------------------------

    def close(self, grant_id: int, index: int, reason: str) -> None:
        session, grant = self.sessions.pop((grant_id, index)), self.grants[grant_id]
        end, left = self.read(session).end, session.left
        self.credit(session.viewer, session.asset, left)
        grant.cap_left += left
        grant.spent += session.paid
        grant.seconds += session.seconds
        grant.freed_end_at = max(grant.freed_end_at, end)
        grant.open.remove(index)
        self.streams[session.stream].sessions_open -= 1
        self.emit(
            "SessionClosed",
            grant=grant_id,
            index=index,
            stream=session.stream,
            seconds=session.seconds,
            paid=session.paid,
            refunded=left,
            ended_at=end,
            reason=reason,
        )
        needed = self.is_dust(grant.asset, self.vault(grant.viewer, grant.asset))
        if not grant.open and grant.ended_at <= self.now and not needed:
            self.delete_grant(grant_id)

    def delete_grant(self, grant_id: int) -> None:
        grant = self.grants.pop(grant_id)
        self.accounts.hold(grant.viewer, -grant.deposit)
        self.emit("GrantDeleted", grant=grant_id)

    # --- earnings --------------------------------------------------------------------------

    @staticmethod
    def parts(stream: Stream, treasury_share: int, total: int) -> list[int]:
        """Divide a total: the treasury's part, each payee's, and what is left over."""
        cut = treasury_share * total // WHOLE
        shares = [payee.share * (total - cut) // WHOLE for payee in stream.payees]
        return [cut, *shares, total - cut - sum(shares)]

    def new_total(self, stream: Stream) -> tuple[int, int]:
        """Give the running total that was shared before, and the one that a claim makes it."""
        old = stream.shared_total if stream.treasury_share == self.treasury_share else 0
        left_over = self.parts(stream, self.treasury_share, old)[-1]
        new = old + stream.earned - left_over
        return (old, new) if new <= U128_MAX else (0, stream.earned)

    def _divided(self, stream: Stream) -> list[int]:
        old, new = self.new_total(stream)
        before = self.parts(stream, self.treasury_share, old)[:-1]
        after = self.parts(stream, self.treasury_share, new)[:-1]
        return [more - less for more, less in zip(after, before, strict=True)]

    def treasury_cut(self, stream: Stream) -> int:
        return self._divided(stream)[0]

    def shares(self, stream: Stream) -> list[tuple[Account, int]]:
        """Give what each payee would get now of an asset that is not written off."""
        accounts = [payee.account for payee in stream.payees]
        return list(zip(accounts, self._divided(stream)[1:], strict=True))

    def owners_share(self, stream: Stream) -> int:
        """Give what the owner would get now as a payee, and so can refund."""
        if self.is_written_off(stream.asset):
            return 0
        return sum(amount for payee, amount in self.shares(stream) if payee == stream.owner)

    def distribution(self, stream: Stream, *, refunded: int = 0) -> Distribution:
        """Work out who would get what, and who could not receive it.

        `refunded` is withheld from the owner's parts, in their order.
        """
        if self.is_written_off(stream.asset):
            return Distribution([], [], 0, stream.earned + stream.fees)
        cut, shares = self.treasury_cut(stream), self.shares(stream)
        remainder = stream.earned - cut - sum(amount for _, amount in shares)
        part = stream.fees + cut
        parts = [(self.treasury, part)]
        for payee, amount in shares:
            withheld = min(amount, refunded) if payee == stream.owner else 0
            refunded -= withheld
            parts.append((payee, amount - withheld))
        payments = self.payments(stream.asset, parts)
        first = 1 if part else 0
        return Distribution(payments[:first], payments[first:], remainder, 0)

    def payments(self, asset: Asset, parts: list[tuple[Account, int]]) -> list[Payment]:
        """Decide in turn which parts reach an account."""
        payments: list[Payment] = []
        received: dict[Account, int] = {}
        sent = 0
        for payee, amount in parts:
            if not amount:
                continue
            income = received.get(payee, 0) + amount
            reaches = self.accounts.can_send(self.pot, asset, sent + amount)
            reaches = reaches and self.accounts.can_receive(payee, asset, income)
            if reaches:
                received[payee] = income
                sent += amount
            payments.append(Payment(payee, amount, not reaches))
        return payments

    def pay(self, asset: Asset, payment: Payment) -> None:
        if payment.credited:
            self.credit(payment.payee, asset, payment.amount)
        else:
            self.accounts.move(self.pot, payment.payee, asset, payment.amount)
            self.asset_entries[asset].owed -= payment.amount

    def distribute(self, stream_id: int, distribution: Distribution) -> None:
        stream = self.streams[stream_id]
        if self.is_written_off(stream.asset):
            # with nothing to erase, nothing is written
            stream.shared_total = 0 if distribution.erased else stream.shared_total
        else:
            _, stream.shared_total = self.new_total(stream)
            stream.treasury_share = self.treasury_share
        stream.fees, stream.earned = 0, distribution.remainder
        if distribution.erased:
            self.asset_entries[stream.asset].owed -= distribution.erased
            self.emit("EarningsErased", stream=stream_id, amount=distribution.erased)
        for payment in distribution.treasury:
            self.pay(stream.asset, payment)
            self.emit(
                "TreasuryPaid",
                stream=stream_id,
                amount=payment.amount,
                credited=payment.credited,
            )
        for payment in distribution.payees:
            self.pay(stream.asset, payment)
            self.emit("Claimed", stream=stream_id, **payment._asdict())

    def stream_deposit(self, payees: tuple[Payee, ...], tiers: tuple[Tier, ...]) -> int:
        constants = self.constants
        return (
            constants.stream_deposit_base
            + constants.stream_deposit_per_payee * len(payees)
            + constants.stream_deposit_per_tier * len(tiers)
        )

    def move_tip(
        self,
        stream_id: int,
        viewer: Account,
        amount: int,
        message: bytes,
        grant_id: int | None = None,
    ) -> None:
        stream = self.streams[stream_id]
        self.credit(viewer, stream.asset, -amount)
        stream.earned += amount
        stream.earned_total = saturated(stream.earned_total + amount)
        stream.tips_total = saturated(stream.tips_total + amount)
        self.emit(
            "Tipped",
            stream=stream_id,
            viewer=viewer,
            amount=amount,
            message=message,
            grant=grant_id,
        )

    # --- subscriptions ---------------------------------------------------------------------

    def is_running(self, subscription: Subscription | None, stream: Stream) -> bool:
        if subscription is None or stream.ended:
            return False
        return self.now < subscription.paid_until

    def collect(self, stream_id: int, viewer: Account) -> None:
        """Earn the stream the periods that have begun."""
        self._emit_earned(stream_id, viewer, *self._collect(stream_id, viewer))

    def _collect(self, stream_id: int, viewer: Account) -> tuple[int, int]:
        """Give how many periods were earned, and for how much."""
        stream, subscription = self.streams[stream_id], self.subscriptions[stream_id, viewer]
        begun = subscription.begun(self.now, stream.ended_at)
        periods = begun - subscription.periods_earned
        amount = periods * subscription.tier.price
        stream.earned += amount
        stream.earned_total = saturated(stream.earned_total + amount)
        stream.subscribed_total = saturated(stream.subscribed_total + amount)
        subscription.periods_earned = begun
        return periods, amount

    def _emit_earned(self, stream_id: int, viewer: Account, periods: int, amount: int) -> None:
        if periods:
            self.emit(
                "SubscriptionEarned",
                stream=stream_id,
                viewer=viewer,
                periods=periods,
                amount=amount,
            )

    def extend(self, stream_id: int, viewer: Account, tier: Tier, periods: int) -> None:
        """Pay for periods of an existing subscription, or let it start anew."""
        stream, subscription = self.streams[stream_id], self.subscriptions[stream_id, viewer]
        self.credit(viewer, stream.asset, -periods * tier.price)
        before = (0, 0)
        if self.is_running(subscription, stream):
            subscription.periods += periods
        else:
            before = self._collect(stream_id, viewer)
            subscription.tier, subscription.started_at = tier, self.now
            subscription.periods, subscription.periods_earned = periods, 0
        self.emit(
            "Subscribed",
            stream=stream_id,
            viewer=viewer,
            periods=periods,
            price=tier.price,
            paid_until=subscription.paid_until,
        )
        now = self._collect(stream_id, viewer)
        # the event tells both, at whatever tiers they were
        self._emit_earned(stream_id, viewer, before[0] + now[0], before[1] + now[1])

    def extension_overflows(
        self, subscription: Subscription | None, stream: Stream, tier: Tier, periods: int
    ) -> bool:
        """Say whether periods, price or moments would not fit their types."""
        start, total = self.now, periods
        if subscription is not None and self.is_running(subscription, stream):
            start, total = subscription.started_at, subscription.periods + periods
        return (
            total >= 2**32
            or periods * tier.price >= 2**128
            or start + total * tier.period_ms >= 2**64
        )
