// SPDX-License-Identifier: Apache-2.0

//! Subscriptions: periods that a viewer pays in advance, for a discount on the rate.
//!
//! The price of a period is earned when the period begins. Until then the subscription holds it,
//! and it returns to the viewer when they cancel or the stream ends.

use crate::{
	types::{BalanceOf, Moment, Stream, StreamId, SubscriptionOf, Tier, TierOf},
	Config, Error, Event, HoldReason, Pallet, StreamStatus, Streams, Subscription, Subscriptions,
	SubscriptionsOf, Vaults,
};
use frame::{prelude::*, token::fungible::MutateHold};

/// What of a subscription a stream has earned at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Collected<Balance> {
	periods: u32,
	amount: Balance,
}

impl<Balance: AtLeast32BitUnsigned + Copy> Tier<Balance> {
	/// The rate that a subscriber pays.
	pub fn discounted(&self, rate_per_second: Balance) -> Balance {
		rate_per_second.saturating_sub(self.discount.mul_floor(rate_per_second))
	}
}

impl<Balance: AtLeast32BitUnsigned + Copy> Subscription<Balance> {
	/// When the last of its periods ends.
	pub fn paid_until(&self) -> Moment {
		self.started_at.saturating_add(self.tier.period_ms.saturating_mul(u64::from(self.periods)))
	}

	/// Begin and end of the period that holds `now`, if there is one.
	pub fn period_at(&self, now: Moment) -> Option<(Moment, Moment)> {
		if now >= self.paid_until() {
			return None;
		}
		let whole = now.checked_sub(self.started_at)?.checked_div(self.tier.period_ms)?;
		let begins_at = self.started_at.checked_add(whole.checked_mul(self.tier.period_ms)?)?;
		Some((begins_at, begins_at.checked_add(self.tier.period_ms)?))
	}

	/// How many periods have begun at `now`: after the stream's end none begins any more.
	pub fn begun(&self, now: Moment, stream_ended_at: Option<Moment>) -> u32 {
		// The last moment at which a period may have begun.
		let last = match stream_ended_at {
			Some(end) if end <= now => end.checked_sub(1),
			_ => Some(now),
		};
		let begun = last
			.and_then(|last| last.checked_sub(self.started_at))
			.and_then(|passed_ms| passed_ms.checked_div(self.tier.period_ms))
			.map_or(0, |whole| whole.saturating_add(1));
		let begun = u32::try_from(begun).unwrap_or(u32::MAX);
		begun.min(self.periods).max(self.periods_earned)
	}

	/// What it holds for periods that the stream has not earned.
	pub fn held(&self) -> Option<Balance> {
		let periods = self.periods.checked_sub(self.periods_earned)?;
		self.tier.price.checked_mul(&periods.into())
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_subscribe(
		viewer: T::AccountId,
		id: StreamId,
		tier: TierOf<T>,
		periods: u32,
	) -> DispatchResult {
		Self::ensure_not_pot(&viewer)?;
		ensure!(periods > 0, Error::<T>::PeriodsZero);
		let mut stream = Streams::<T>::get(id).ok_or(Error::<T>::StreamNotFound)?;
		let price = Self::price_of(id, &stream, &tier, periods)?;
		let vault = Self::vault_less_or_all(&viewer, &stream.asset, price)?;
		let mut subscription = match Subscriptions::<T>::get(id, &viewer) {
			Some(subscription) => subscription,
			None => Self::new_subscription(id, &viewer, &mut stream, tier)?,
		};
		let collected = Self::extend(&mut subscription, &mut stream, tier, periods, Self::now())?;
		Self::set_vault(&viewer, &stream.asset, vault);
		Self::deposit_subscribed(id, &viewer, &subscription, periods, collected);
		Subscriptions::<T>::insert(id, viewer, subscription);
		Streams::<T>::insert(id, stream);
		Ok(())
	}

	/// A subscription without periods, for which the deposit is held and which its viewer finds.
	fn new_subscription(
		id: StreamId,
		viewer: &T::AccountId,
		stream: &mut Stream<T>,
		tier: TierOf<T>,
	) -> Result<SubscriptionOf<T>, DispatchError> {
		let deposit = T::SubscriptionDeposit::get();
		T::NativeHold::hold(&HoldReason::Subscription.into(), viewer, deposit)?;
		stream.subscriptions_open =
			stream.subscriptions_open.checked_add(1).ok_or(Error::<T>::Overflow)?;
		SubscriptionsOf::<T>::insert(viewer, id, ());
		let started_at = Self::now();
		Ok(Subscription { tier, started_at, periods: 0, periods_earned: 0, deposit })
	}

	/// What so many periods of a tier cost, if the stream offers it and takes money.
	pub(crate) fn price_of(
		id: StreamId,
		stream: &Stream<T>,
		tier: &TierOf<T>,
		periods: u32,
	) -> Result<BalanceOf<T>, Error<T>> {
		ensure!(stream.status != StreamStatus::Ended, Error::<T>::StreamEnded);
		Self::ensure_running()?;
		Self::enabled_entry(&stream.asset)?;
		ensure!(Self::tiers(id).contains(tier), Error::<T>::TierNotOffered);
		tier.price.checked_mul(&periods.into()).ok_or(Error::<T>::Overflow)
	}

	/// Add paid periods, from now on if it is over, and collect.
	pub(crate) fn extend(
		subscription: &mut SubscriptionOf<T>,
		stream: &mut Stream<T>,
		tier: TierOf<T>,
		periods: u32,
		now: Moment,
	) -> Result<Collected<BalanceOf<T>>, Error<T>> {
		let mut collected = Self::collect(subscription, stream, now)?;
		if now >= subscription.paid_until() {
			subscription.tier = tier;
			subscription.started_at = now;
			subscription.periods = periods;
			subscription.periods_earned = 0;
		} else {
			ensure!(subscription.tier == tier, Error::<T>::SubscriptionRunning);
			subscription.periods =
				subscription.periods.checked_add(periods).ok_or(Error::<T>::Overflow)?;
		}
		// All that is derived from it later is in range.
		tier.period_ms
			.checked_mul(u64::from(subscription.periods))
			.and_then(|paid_ms| subscription.started_at.checked_add(paid_ms))
			.ok_or(Error::<T>::Overflow)?;
		subscription.held().ok_or(Error::<T>::Overflow)?;
		let more = Self::collect(subscription, stream, now)?;
		collected.periods = collected.periods.saturating_add(more.periods);
		collected.amount = collected.amount.saturating_add(more.amount);
		Ok(collected)
	}

	/// Earn the stream the price of what has begun.
	fn collect(
		subscription: &mut SubscriptionOf<T>,
		stream: &mut Stream<T>,
		now: Moment,
	) -> Result<Collected<BalanceOf<T>>, Error<T>> {
		let begun = subscription.begun(now, stream.ended_at);
		let periods = begun.saturating_sub(subscription.periods_earned);
		let amount =
			subscription.tier.price.checked_mul(&periods.into()).ok_or(Error::<T>::Overflow)?;
		stream.earn_periods(amount)?;
		subscription.periods_earned = begun;
		Ok(Collected { periods, amount })
	}

	pub(crate) fn do_cancel_subscription(viewer: T::AccountId, id: StreamId) -> DispatchResult {
		let mut stream = Streams::<T>::get(id).ok_or(Error::<T>::NotSubscribed)?;
		let mut subscription =
			Subscriptions::<T>::get(id, &viewer).ok_or(Error::<T>::NotSubscribed)?;
		let collected = Self::collect(&mut subscription, &mut stream, Self::now())?;
		Self::deposit_collected(id, &viewer, collected);
		let refunded = Self::return_held(&viewer, &stream, &mut subscription)?;
		Self::deposit_event(Event::SubscriptionCancelled {
			stream: id,
			viewer: viewer.clone(),
			refunded,
			paid_until: subscription.paid_until(),
		});
		Subscriptions::<T>::insert(id, viewer, subscription);
		Streams::<T>::insert(id, stream);
		Ok(())
	}

	pub(crate) fn do_settle_subscription(id: StreamId, viewer: T::AccountId) -> DispatchResult {
		let mut stream = Streams::<T>::get(id).ok_or(Error::<T>::NotSubscribed)?;
		let mut subscription =
			Subscriptions::<T>::get(id, &viewer).ok_or(Error::<T>::NotSubscribed)?;
		let now = Self::now();
		let collected = Self::collect(&mut subscription, &mut stream, now)?;
		let over = now >= subscription.paid_until() || stream.status == StreamStatus::Ended;
		ensure!(over || collected.periods > 0, Error::<T>::SubscriptionRunning);
		Self::deposit_collected(id, &viewer, collected);
		if over {
			let refunded = Self::return_held(&viewer, &stream, &mut subscription)?;
			stream.subscriptions_open =
				stream.subscriptions_open.checked_sub(1).ok_or(Error::<T>::Overflow)?;
			// What somebody has slashed of the deposit does not stand in the way of an exit.
			let reason = HoldReason::Subscription.into();
			T::NativeHold::release(&reason, &viewer, subscription.deposit, Precision::BestEffort)?;
			Subscriptions::<T>::remove(id, &viewer);
			SubscriptionsOf::<T>::remove(&viewer, id);
			Self::deposit_event(Event::SubscriptionEnded { stream: id, viewer, refunded });
		} else {
			Subscriptions::<T>::insert(id, viewer, subscription);
		}
		Streams::<T>::insert(id, stream);
		Ok(())
	}

	/// Give back the price of what has not begun, and forget those periods.
	fn return_held(
		viewer: &T::AccountId,
		stream: &Stream<T>,
		subscription: &mut SubscriptionOf<T>,
	) -> Result<BalanceOf<T>, Error<T>> {
		let held = subscription.held().ok_or(Error::<T>::Overflow)?;
		if !held.is_zero() {
			let free = Vaults::<T>::get(viewer, &stream.asset)
				.checked_add(&held)
				.ok_or(Error::<T>::Overflow)?;
			Self::set_vault(viewer, &stream.asset, free);
		}
		subscription.periods = subscription.periods_earned;
		Ok(held)
	}

	/// Say what was bought, and what of it was earned at once.
	pub(crate) fn deposit_subscribed(
		stream: StreamId,
		viewer: &T::AccountId,
		subscription: &SubscriptionOf<T>,
		periods: u32,
		collected: Collected<BalanceOf<T>>,
	) {
		Self::deposit_event(Event::Subscribed {
			stream,
			viewer: viewer.clone(),
			periods,
			price: subscription.tier.price,
			paid_until: subscription.paid_until(),
		});
		Self::deposit_collected(stream, viewer, collected);
	}

	fn deposit_collected(
		stream: StreamId,
		viewer: &T::AccountId,
		collected: Collected<BalanceOf<T>>,
	) {
		if collected.periods > 0 {
			Self::deposit_event(Event::SubscriptionEarned {
				stream,
				viewer: viewer.clone(),
				periods: collected.periods,
				amount: collected.amount,
			});
		}
	}

	pub(crate) fn do_tip(
		viewer: T::AccountId,
		id: StreamId,
		amount: BalanceOf<T>,
		message: crate::MessageOf<T>,
	) -> DispatchResult {
		let mut stream = Streams::<T>::get(id).ok_or(Error::<T>::StreamNotFound)?;
		ensure!(stream.status != StreamStatus::Ended, Error::<T>::StreamEnded);
		ensure!(!amount.is_zero(), Error::<T>::AmountZero);
		let vault = Self::vault_less_or_all(&viewer, &stream.asset, amount)?;
		stream.earn_tip(amount)?;
		Self::set_vault(&viewer, &stream.asset, vault);
		Streams::<T>::insert(id, stream);
		Self::deposit_event(Event::Tipped { stream: id, viewer, amount, message, grant: None });
		Ok(())
	}
}
