"""The ledger's calls. Each finds the names of all errors that apply, or changes the books."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.model.accounts import Account, Asset
from tests.model.books import Books, Distribution
from tests.model.entries import (
    U128_MAX,
    WHOLE,
    AssetEntry,
    Event,
    Grant,
    Outcome,
    Payee,
    Stream,
    StreamChange,
    Subscription,
    Terms,
    Tier,
    saturated,
)
from tests.model.orders import Order, SignedOrder, perform, refusals

ASSET_REASON = "Asset"
"""Stands for whatever the asset itself has against a movement, a hold's reasons included."""


GONE = frozenset({"OrderStale", "GrantNotFound"})
"""Errors of orders that somebody else may have brought, or that ended with one."""


def costs_nothing(done: Event, failures: Sequence[str]) -> bool:
    """Say whether a batch costs nothing, from its `BatchDone` and the errors of those that failed.

    What is gone is forgiven all together, or none of it. The free share has room for it where it
    had some for orders that were free.
    """
    counted, free = int(done.fields["counted"]), int(done.fields["free"])
    if free < counted or any(error not in GONE for error in failures):
        return False
    return len(failures) <= free


class Ledger(Books):
    """Books with calls. `who` is the account that signs."""

    # --- viewers ---------------------------------------------------------------------------

    def deposit(self, who: Account, asset: Asset, amount: int) -> Outcome:
        errors = []
        if who == self.pot:
            errors.append("PotRefused")
        if self.stopped:
            errors.append("Stopped")
        if not self.is_enabled(asset):
            errors.append("AssetNotEnabled")
        if not amount:
            errors.append("AmountZero")
        if self.is_dust(asset, self.vault(who, asset) + amount):
            errors.append("VaultDust")
        if not self.accounts.can_move(who, self.pot, asset, amount):
            errors.append(ASSET_REASON)
        if self.vault(who, asset) + amount > U128_MAX or self.owed(asset) + amount > U128_MAX:
            errors.append("Overflow")
        if errors:
            return frozenset(errors)
        self.accounts.move(who, self.pot, asset, amount)
        self.credit(who, asset, amount)
        self.asset_entries[asset].owed += amount
        self.emit("Deposited", who=who, asset=asset, amount=amount)
        return self.done()

    def withdraw(self, who: Account, asset: Asset, amount: int) -> Outcome:
        errors = []
        written_off = self.is_written_off(asset)
        rest = self.vault(who, asset) - amount
        if not amount:
            errors.append("AmountZero")
        if rest < 0:
            errors.append("VaultTooLow")
        if self.is_dust(asset, rest):
            errors.append("VaultDust")
        if not written_off and not self.accounts.can_move(self.pot, who, asset, amount):
            errors.append(ASSET_REASON)
        if errors:
            return frozenset(errors)
        self._pay_back(who, asset, amount)
        return self.done()

    def _let_dust_out(self, who: Account, asset: Asset) -> bool:
        """Let dust leave a vault for its owner's account; say whether none is left there."""
        dust = self.vault(who, asset)
        if not self.is_dust(asset, dust):
            return True
        erased = self.is_written_off(asset)
        if not erased and not self.accounts.can_move(self.pot, who, asset, dust):
            return False
        self._pay_back(who, asset, dust)
        return True

    def _pay_back(self, who: Account, asset: Asset, amount: int) -> None:
        """Let money leave a vault for its owner's account, or be erased."""
        written_off = self.is_written_off(asset)
        if not written_off:
            self.accounts.move(self.pot, who, asset, amount)
        self.credit(who, asset, -amount)
        self.asset_entries[asset].owed -= amount
        name = "VaultErased" if written_off else "Withdrawn"
        self.emit(name, who=who, asset=asset, amount=amount)

    def grant(self, who: Account, key: Any, signer: Any, terms: Terms) -> Outcome:
        """Grant a key; `signer` is the key that has signed the viewer's proof."""
        constants = self.constants
        deposit = (
            constants.grant_deposit_base + constants.grant_deposit_per_session * terms.sessions_max
        )
        errors = []
        if who == self.pot:
            errors.append("PotRefused")
        if self.stopped:
            errors.append("Stopped")
        if not self.is_enabled(terms.asset):
            errors.append("AssetNotEnabled")
        if not terms.rate_max_per_second:
            errors.append("RateZero")
        if not terms.cap:
            errors.append("CapZero")
        if not 1 <= terms.sessions_max <= constants.max_sessions_per_grant:
            errors.append("SessionsMaxOutOfRange")
        if not constants.gap_min_ms <= terms.gap_ms <= constants.gap_max_ms:
            errors.append("GapOutOfRange")
        if terms.expires_at <= self.now:
            errors.append("ExpiryInPast")
        if signer != key:
            errors.append("KeyProofInvalid")
        if not self.accounts.can_hold(who, deposit):
            errors.append(ASSET_REASON)
        if errors:
            return frozenset(errors)
        grant_id, self.next_grant = self.next_grant, self.next_grant + 1
        self.accounts.hold(who, deposit)
        self.grants[grant_id] = Grant(
            viewer=who,
            key=key,
            asset=terms.asset,
            rate_max_per_second=terms.rate_max_per_second,
            cap=terms.cap,
            cap_left=terms.cap,
            tips_left=terms.tips_max,
            renewals_left=terms.renewals_max,
            gap_ms=terms.gap_ms,
            created_at=self.now,
            expires_at=terms.expires_at,
            sessions_max=terms.sessions_max,
            ended_at=terms.expires_at,
            deposit=deposit,
        )
        self.emit(
            "Granted",
            grant=grant_id,
            viewer=who,
            key=key,
            asset=terms.asset,
            cap=terms.cap,
            rate_max_per_second=terms.rate_max_per_second,
            expires_at=terms.expires_at,
        )
        return self.done()

    def revoke(self, who: Account, grant_id: int) -> Outcome:
        grant = self.grants.get(grant_id)
        if grant is None:
            return frozenset({"GrantNotFound"})
        errors = []
        if grant.viewer != who:
            errors.append("NotViewer")
        has_ended = grant.ended_at <= self.now
        stays = self._must_stay(grant)
        if has_ended and grant.open:
            errors.append("GrantEnded")
        if has_ended and not grant.open and stays:
            errors.append("VaultDust")
        if errors:
            return frozenset(errors)
        if not has_ended:
            grant.ended_at = self.now
            for index in grant.open:
                session = self.sessions[grant_id, index]
                session.ended_at = min(session.ended_at, self.now)
            self.emit("Revoked", grant=grant_id, viewer=who)
        if not grant.open and not stays:
            self.delete_grant(grant_id)
            self._let_dust_out(who, grant.asset)
        return self.done()

    def _must_stay(self, grant: Grant) -> bool:
        """Say whether a grant pays for dust in a vault that its viewer's account cannot take."""
        vault = self.vault(grant.viewer, grant.asset)
        if not self.is_dust(grant.asset, vault) or self.is_written_off(grant.asset):
            return False
        return not self.accounts.can_move(self.pot, grant.viewer, grant.asset, vault)

    def tip(self, who: Account, stream_id: int, amount: int, message: bytes = b"") -> Outcome:
        stream = self.streams.get(stream_id)
        errors = [] if amount else ["AmountZero"]
        if stream is None:
            return frozenset((*errors, "StreamNotFound"))
        if stream.ended:
            errors.append("StreamEnded")
        rest = self.vault(who, stream.asset) - amount
        if rest < 0:
            errors.append("VaultTooLow")
        if self.is_dust(stream.asset, rest):
            errors.append("VaultDust")
        if errors:
            return frozenset(errors)
        self.move_tip(stream_id, who, amount, message)
        return self.done()

    def subscribe(self, who: Account, stream_id: int, tier: Tier, periods: int) -> Outcome:
        stream = self.streams.get(stream_id)
        errors = []
        if self.stopped:
            errors.append("Stopped")
        if who == self.pot:
            errors.append("PotRefused")
        if not periods:
            errors.append("PeriodsZero")
        if stream is None:
            return frozenset((*errors, "StreamNotFound"))
        subscription = self.subscriptions.get((stream_id, who))
        deposit = self.constants.subscription_deposit
        if stream.ended:
            errors.append("StreamEnded")
        if not self.is_enabled(stream.asset):
            errors.append("AssetNotEnabled")
        if tier not in self.tiers.get(stream_id, ()):
            errors.append("TierNotOffered")
        if (
            subscription is not None
            and self.is_running(subscription, stream)
            and subscription.tier != tier
        ):
            errors.append("SubscriptionRunning")
        rest = self.vault(who, stream.asset) - periods * tier.price
        if rest < 0:
            errors.append("VaultTooLow")
        if self.is_dust(stream.asset, rest):
            errors.append("VaultDust")
        if self.extension_overflows(subscription, stream, tier, periods):
            errors.append("Overflow")
        if subscription is None and not self.accounts.can_hold(who, deposit):
            errors.append(ASSET_REASON)
        if errors:
            return frozenset(errors)
        if subscription is None:
            self.accounts.hold(who, deposit)
            # of no periods: it is over, and starts anew
            self.subscriptions[stream_id, who] = Subscription(tier, self.now, 0, 0, deposit)
            stream.subscriptions_open += 1
        self.extend(stream_id, who, tier, periods)
        return self.done()

    def cancel_subscription(self, who: Account, stream_id: int) -> Outcome:
        subscription = self.subscriptions.get((stream_id, who))
        if subscription is None:
            return frozenset({"NotSubscribed"})
        self.collect(stream_id, who)
        refunded = self._return_unbegun(stream_id, who, subscription)
        self.emit(
            "SubscriptionCancelled",
            stream=stream_id,
            viewer=who,
            refunded=refunded,
            paid_until=subscription.paid_until,
        )
        return self.done()

    def _return_unbegun(self, stream_id: int, who: Account, subscription: Subscription) -> int:
        """Return what remains after collecting: the price of what has not begun."""
        amount = subscription.held
        self.credit(who, self.streams[stream_id].asset, amount)
        subscription.periods = subscription.periods_earned
        return amount

    # --- creators --------------------------------------------------------------------------

    def create_stream(
        self,
        who: Account,
        asset: Asset,
        rate_per_second: int,
        *,
        payees: Sequence[Payee] = (),
        funds_min: int = 0,
        gap_min_ms: int = 0,
    ) -> Outcome:
        named = self._payees(who, payees)
        deposit = self.stream_deposit(named, ())
        errors = []
        if who == self.pot:
            errors.append("PotRefused")
        if self.stopped:
            errors.append("Stopped")
        if not self.is_enabled(asset):
            errors.append("AssetNotEnabled")
        if not rate_per_second:
            errors.append("RateZero")
        if gap_min_ms > self.constants.gap_max_ms:
            errors.append("GapOutOfRange")
        errors += self._against_payees(named)
        if not self.accounts.can_hold(who, deposit):
            errors.append(ASSET_REASON)
        if errors:
            return frozenset(errors)
        stream_id, self.next_stream = self.next_stream, self.next_stream + 1
        self.accounts.hold(who, deposit)
        self.streams[stream_id] = Stream(
            owner=who,
            asset=asset,
            rate_per_second=rate_per_second,
            changed_at=self.now,
            payees=named,
            funds_min=funds_min,
            gap_min_ms=gap_min_ms,
            deposit=deposit,
        )
        self.emit(
            "StreamCreated",
            stream=stream_id,
            owner=who,
            asset=asset,
            rate_per_second=rate_per_second,
        )
        return self.done()

    @staticmethod
    def _payees(owner: Account, payees: Sequence[Payee]) -> tuple[Payee, ...]:
        return tuple(payees) or (Payee(owner, WHOLE),)

    def _against_payees(self, payees: Sequence[Payee]) -> list[str]:
        errors = []
        if any(payee.account == self.pot for payee in payees):
            errors.append("PotRefused")
        if sum(payee.share for payee in payees) != WHOLE:
            errors.append("SharesNotWhole")
        return errors

    def update_stream(self, who: Account, stream_id: int, change: StreamChange) -> Outcome:
        stream = self.streams.get(stream_id)
        errors = []
        if change.rate_per_second == 0:
            errors.append("RateZero")
        if change.gap_min_ms is not None and change.gap_min_ms > self.constants.gap_max_ms:
            errors.append("GapOutOfRange")
        if change.payees:
            errors += self._against_payees(change.payees)
        if stream is None:
            return frozenset((*errors, "StreamNotFound"))
        errors += self._not_for(stream, who)
        pauses = change.paused is True and stream.status == "Active"
        resumes = change.paused is False and stream.status == "Paused"
        if pauses and not self.has_place_for_a_pause(stream):
            errors.append("TooManyPauses")
        named = distribution = None
        more = 0
        if change.payees is not None:
            named = self._payees(stream.owner, change.payees)
            distribution = self.distribution(stream)
            more = self.stream_deposit(named, self.tiers.get(stream_id, ())) - stream.deposit
            income = distribution.native_income(stream.owner, stream.asset)
            if more > 0 and not self.accounts.can_hold(stream.owner, more, income=income):
                errors.append(ASSET_REASON)
        if not errors and named is not None and distribution is not None:
            trial = self.copy()
            trial._change_payees(stream_id, named, distribution, more)
            if not trial._let_payees_go(stream.payees, trial.streams[stream_id]):
                errors.append("PayeeVaultDust")
        if errors:
            return frozenset(errors)
        if named is not None and distribution is not None:
            before = stream.payees
            self._change_payees(stream_id, named, distribution, more)
            self._let_payees_go(before, stream)
        if change.rate_per_second is not None:
            stream.rate_per_second, stream.changed_at = change.rate_per_second, self.now
        if change.funds_min is not None:
            stream.funds_min = change.funds_min
        if change.gap_min_ms is not None:
            stream.gap_min_ms = change.gap_min_ms
        if pauses:
            self.record_stop(stream)
            stream.status = "Paused"
        if resumes:
            stream.status, stream.changed_at = "Active", self.now
        self.emit(
            "StreamUpdated",
            stream=stream_id,
            rate_per_second=stream.rate_per_second,
            status=stream.status,
        )
        return self.done()

    def _change_payees(
        self, stream_id: int, named: tuple[Payee, ...], distribution: Distribution, more: int
    ) -> None:
        stream = self.streams[stream_id]
        self.distribute(stream_id, distribution)
        self._change_deposit(stream, more)
        if stream.payees != named:
            stream.shared_total = 0
        stream.payees = named

    def _let_payees_go(self, before: Sequence[Payee], stream: Stream) -> bool:
        """Let the dust leave of those who are no payees any more; say whether all of it could."""
        stay = {payee.account for payee in stream.payees}
        gone = [payee.account for payee in before if payee.account not in stay]
        return not [who for who in gone if not self._let_dust_out(who, stream.asset)]

    @staticmethod
    def _not_for(stream: Stream, who: Account) -> list[str]:
        """Refuse whoever is not the owner, and a stream that has ended."""
        errors = [] if stream.owner == who else ["NotOwner"]
        if stream.ended:
            errors.append("StreamEnded")
        return errors

    def _change_deposit(self, stream: Stream, more: int) -> None:
        self.accounts.hold(stream.owner, more)
        stream.deposit += more

    def end_stream(self, who: Account, stream_id: int) -> Outcome:
        stream = self.streams.get(stream_id)
        if stream is None:
            return frozenset({"StreamNotFound"})
        errors = self._not_for(stream, who)
        if errors:
            return frozenset(errors)
        if stream.status == "Active":
            self.record_stop(stream)
        stream.status, stream.ended_at = "Ended", self.now
        self.emit("StreamEnded", stream=stream_id)
        return self.done()

    def transfer_stream(self, who: Account, stream_id: int, to: Account) -> Outcome:
        stream = self.streams.get(stream_id)
        errors = ["PotRefused"] if to == self.pot else []
        if stream is None:
            return frozenset((*errors, "StreamNotFound"))
        errors += self._not_for(stream, who)
        if to == stream.owner:
            errors.append("OwnerUnchanged")
        distribution = self.distribution(stream)
        income = distribution.native_income(to, stream.asset)
        # only an account that exists can have money held
        if not self.accounts.can_hold(to, 0, income=income):
            errors.append(ASSET_REASON)
        if not errors:
            trial = self.copy()
            if not trial._give_away(stream_id, to, distribution):
                errors.append("PayeeVaultDust")
        if errors:
            return frozenset(errors)
        self._give_away(stream_id, to, distribution)
        self.emit("StreamTransferred", stream=stream_id, **{"from": who}, to=to)
        return self.done()

    def _give_away(self, stream_id: int, to: Account, distribution: Distribution) -> bool:
        """Put another owner in the old one's place; say whether dust of the old one could leave."""
        stream = self.streams[stream_id]
        before = stream.payees
        self.distribute(stream_id, distribution)
        self.accounts.move_held(stream.owner, to, stream.deposit)
        stream.payees = tuple(
            Payee(to if payee.account == stream.owner else payee.account, payee.share)
            for payee in stream.payees
        )
        stream.owner = to
        return self._let_payees_go(before, stream)

    def refund(self, who: Account, stream_id: int, viewer: Account, amount: int) -> Outcome:
        stream = self.streams.get(stream_id)
        errors = []
        if viewer == self.pot:
            errors.append("PotRefused")
        if not amount:
            errors.append("AmountZero")
        if stream is None:
            return frozenset((*errors, "StreamNotFound"))
        if stream.owner != who:
            errors.append("NotOwner")
        if amount > self.owners_share(stream):
            errors.append("EarningsTooLow")
        vault = self.vault(viewer, stream.asset) + amount
        if self.is_dust(stream.asset, vault):
            errors.append("VaultDust")
        if vault > U128_MAX:
            errors.append("Overflow")
        if errors:
            return frozenset(errors)
        self.distribute(stream_id, self.distribution(stream, refunded=amount))
        stream.refunded_total = saturated(stream.refunded_total + amount)
        self.credit(viewer, stream.asset, amount)
        self.emit("Refunded", stream=stream_id, viewer=viewer, amount=amount)
        return self.done()

    def set_tiers(self, who: Account, stream_id: int, tiers: Sequence[Tier]) -> Outcome:
        stream = self.streams.get(stream_id)
        shortest_ms = self.constants.period_min_ms
        errors = []
        if any(not tier.price or tier.period_ms < shortest_ms for tier in tiers):
            errors.append("TierInvalid")
        if stream is None:
            return frozenset((*errors, "StreamNotFound"))
        if any(tier.price < self.accounts.minimum(stream.asset) for tier in tiers):
            errors.append("TierInvalid")
        errors += self._not_for(stream, who)
        more = self.stream_deposit(stream.payees, tuple(tiers)) - stream.deposit
        if more > 0 and not self.accounts.can_hold(stream.owner, more):
            errors.append(ASSET_REASON)
        if errors:
            return frozenset(errors)
        self._change_deposit(stream, more)
        if tiers:
            self.tiers[stream_id] = tuple(tiers)
        else:
            self.tiers.pop(stream_id, None)
        self.emit("TiersSet", stream=stream_id, tiers=len(tiers))
        return self.done()

    # --- anybody ---------------------------------------------------------------------------

    def submit(self, grant_id: int, order: Order, signer: Any) -> Outcome:
        """Take an order in the free lane; `signer` is the key that has signed exactly it."""
        errors = self.refused(grant_id, order, signer)
        if errors:
            return errors
        perform(self, grant_id, order)
        return self.done()

    def refused(self, grant_id: int, order: Order, signer: Any) -> frozenset[str]:
        """Name all that speaks against an order in the free lane."""
        found = refusals(self, SignedOrder(grant_id, order, signer))
        lane = ["FreeLaneFull"] if self.free_lane_full else []
        return frozenset([*found.always, *found.free, *lane])

    def submit_batch(self, orders: Sequence[SignedOrder]) -> Outcome:
        """Take orders in the paid lane; `costs_nothing` says what that costs.

        `OrderFailed` names a set of errors here, of which the pallet names one.
        """
        if not orders:
            return frozenset({"BatchEmpty"})
        places = [(signed.grant, signed.order.index) for signed in orders]
        if any(later <= earlier for earlier, later in pairwise(places)):
            return frozenset({"BatchNotAscending"})
        counted = free = 0
        for signed in orders:
            found = refusals(self, signed)
            if found.always:
                index = signed.order.index
                self.emit(
                    "OrderFailed", grant=signed.grant, index=index, error=frozenset(found.always)
                )
                continue
            perform(self, signed.grant, signed.order)
            counted += 1
            free += not found.free and not self.free_lane_full
        self.emit("BatchDone", counted=counted, free=free, failed=len(orders) - counted)
        return self.done()

    def settle(self, grant_id: int, index: int, *, signed: bool = True) -> Outcome:
        """Close a session whose window is over; who does not sign needs room in the free lane."""
        lane = self._lane(signed=signed)
        session = self.sessions.get((grant_id, index))
        if session is None:
            return frozenset({"SessionNotFound", *lane})
        if not self.read(session).window_over:
            return frozenset({"WindowOpen", *lane})
        if lane:
            return lane
        self.close(grant_id, index, "Settled")
        return self.done()

    def _lane(self, *, signed: bool) -> frozenset[str]:
        """Refuse what nobody pays for where the free lane is full."""
        is_full = self.free_lane_full and not signed
        return frozenset({"FreeLaneFull"} if is_full else ())

    def claim(self, stream_id: int, *, signed: bool = True) -> Outcome:
        """Distribute; without a signature only the last claim, in the free lane."""
        lane = self._lane(signed=signed)
        stream = self.streams.get(stream_id)
        if stream is None:
            return frozenset({"StreamNotFound", *lane})
        is_last = stream.ended and not stream.sessions_open and not stream.subscriptions_open
        counts = stream.earned or stream.fees or not self._dusty(stream)
        if not (is_last and counts) and not signed:
            return frozenset({"ClaimNotLast", *lane})
        if lane:
            return lane
        distribution = self.distribution(stream)
        if distribution.is_nothing and not is_last:
            return frozenset({"NothingToClaim"})
        if is_last and not counts and not any(map(self._can_go, self._dusty(stream))):
            return frozenset({"NothingToClaim"})
        self.distribute(stream_id, distribution)
        if is_last:
            self._finish_stream(stream_id)
        return self.done()

    def _dusty(self, stream: Stream) -> list[tuple[Account, Asset]]:
        """Name the vaults of owner and payees that hold dust."""
        named = dict.fromkeys([*(payee.account for payee in stream.payees), stream.owner])
        asset = stream.asset
        return [(who, asset) for who in named if self.is_dust(asset, self.vault(who, asset))]

    def _can_go(self, place: tuple[Account, Asset]) -> bool:
        """Say whether an account can take the dust in its vault."""
        who, asset = place
        dust = self.vault(who, asset)
        return self.is_written_off(asset) or self.accounts.can_move(self.pot, who, asset, dust)

    def _finish_stream(self, stream_id: int) -> None:
        """Pay the remainder, and delete the stream unless it pays for dust that cannot leave."""
        stream = self.streams[stream_id]
        for payment in self.payments(stream.asset, [(stream.owner, stream.earned)]):
            self.pay(stream.asset, payment)
            self.emit(
                "RemainderPaid",
                stream=stream_id,
                owner=stream.owner,
                amount=payment.amount,
                credited=payment.credited,
            )
        stream.earned = stream.shared_total = 0
        named = [*(payee.account for payee in stream.payees), stream.owner]
        if [who for who in named if not self._let_dust_out(who, stream.asset)]:
            return
        self.accounts.hold(stream.owner, -stream.deposit)
        del self.streams[stream_id]
        self.tiers.pop(stream_id, None)
        self.emit("StreamDeleted", stream=stream_id)

    def settle_subscription(self, stream_id: int, viewer: Account) -> Outcome:
        subscription = self.subscriptions.get((stream_id, viewer))
        if subscription is None:
            return frozenset({"NotSubscribed"})
        stream = self.streams[stream_id]
        is_running = self.is_running(subscription, stream)
        begun = subscription.begun(self.now, stream.ended_at)
        if is_running and begun == subscription.periods_earned:
            return frozenset({"SubscriptionRunning"})
        self.collect(stream_id, viewer)
        if not is_running:
            refunded = self._return_unbegun(stream_id, viewer, subscription)
            self.accounts.hold(viewer, -subscription.deposit)
            del self.subscriptions[stream_id, viewer]
            stream.subscriptions_open -= 1
            self.emit("SubscriptionEnded", stream=stream_id, viewer=viewer, refunded=refunded)
        return self.done()

    # --- the operator ----------------------------------------------------------------------

    def enable_asset(self, asset: Asset, tip_min: int) -> Outcome:
        owed = self.owed(asset)
        errors = []
        endowed = self.accounts.balance(self.pot, asset)
        if not endowed or endowed < owed + self.accounts.minimum(asset):
            errors.append("PotNotEndowed")
        if self.is_written_off(asset):
            errors.append("AssetWrittenOff")
        if errors:
            return frozenset(errors)
        entry = self.asset_entries.setdefault(asset, AssetEntry())
        entry.status, entry.tip_min = "Enabled", tip_min
        self.emit("AssetEnabled", asset=asset, tip_min=tip_min)
        return self.done()

    def disable_asset(self, asset: Asset) -> Outcome:
        if not self.is_enabled(asset):
            return frozenset({"AssetNotEnabled"})
        self.asset_entries[asset].status = "Disabled"
        self.emit("AssetDisabled", asset=asset)
        return self.done()

    def write_off_asset(self, asset: Asset) -> Outcome:
        entry = self.asset_entries.get(asset)
        errors = []
        if entry is None or entry.status != "Disabled":
            errors.append("AssetNotDisabled")
        pot = self.accounts.balance(self.pot, asset)
        if not self.owed(asset) or pot > self.accounts.minimum(asset):
            errors.append("AssetAlive")
        if errors or entry is None:
            return frozenset(errors)
        entry.status = "WrittenOff"
        self.emit("AssetWrittenOff", asset=asset, owed=entry.owed)
        return self.done()

    def set_tick_price(self, asset: Asset, price: int) -> Outcome:
        errors = [] if self.is_enabled(asset) else ["AssetNotEnabled"]
        if price > self.constants.tick_price_max:
            errors.append("TickPriceTooHigh")
        if errors:
            return frozenset(errors)
        self.asset_entries[asset].tick_price = price
        self.emit("TickPriceSet", asset=asset, price=price)
        return self.done()

    def set_treasury_share(self, share: int) -> Outcome:
        if share > self.constants.treasury_share_max:
            return frozenset({"ShareTooHigh"})
        self.treasury_share = share
        self.emit("TreasuryShareSet", share=share)
        return self.done()

    def set_stopped(self, *, stopped: bool) -> Outcome:
        self.stopped = stopped
        self.emit("StopSet", stopped=stopped)
        return self.done()
