// SPDX-License-Identifier: Apache-2.0

//! Streams: what creators offer, change and end.

use crate::{
	session::Charge,
	types::{
		AccountIdOf, BalanceOf, Moment, Payee, PayeesOf, Stream, StreamChangeOf, StreamId, TiersOf,
	},
	Config, Error, Event, HoldReason, NextStreamId, Pallet, StreamStatus, Streams, StreamsOf,
	Tiers, Vaults,
};
use alloc::collections::BTreeMap;
use frame::{
	prelude::*,
	token::fungible::MutateHold,
	traits::{fungibles::Inspect, tokens::Restriction},
};

/// The streams that orders of one extrinsic touch: each is read once, and written once by
/// [`write`](StreamBook::write), however many orders there are.
pub(crate) struct StreamBook<T: Config> {
	read: BTreeMap<StreamId, Stream<T>>,
	changed: BTreeMap<StreamId, ()>,
}

impl<T: Config> StreamBook<T> {
	pub(crate) fn new() -> Self {
		Self { read: BTreeMap::new(), changed: BTreeMap::new() }
	}

	/// A stream as the orders before have left it.
	pub(crate) fn get(&mut self, id: StreamId) -> Result<Stream<T>, Error<T>> {
		if let Some(stream) = self.read.get(&id) {
			return Ok(stream.clone());
		}
		let stream = Streams::<T>::get(id).ok_or(Error::<T>::StreamNotFound)?;
		self.read.insert(id, stream.clone());
		Ok(stream)
	}

	/// Note what an order made of a stream.
	pub(crate) fn put(&mut self, id: StreamId, stream: Stream<T>) {
		self.read.insert(id, stream);
		self.changed.insert(id, ());
	}

	/// How many streams were read.
	pub(crate) fn count(&self) -> u32 {
		self.read.len() as u32
	}

	/// How many streams will be written.
	pub(crate) fn changed(&self) -> u32 {
		self.changed.len() as u32
	}

	/// Write what was changed. Returns how many streams were read.
	pub(crate) fn write(self) -> u32 {
		let count = self.count();
		for (id, stream) in self.read {
			if self.changed.contains_key(&id) {
				Streams::<T>::insert(id, stream);
			}
		}
		count
	}
}

impl<T: Config> Stream<T> {
	/// When a session that was opened at `opened_at` has to stop, if that is known.
	///
	/// A forgotten stop is older than the greatest gap and the window together: by then the
	/// session's own silence has ended it, and its window is over too.
	pub fn stop_after(&self, opened_at: Moment) -> Option<Moment> {
		self.stops.iter().copied().find(|stop| *stop >= opened_at)
	}

	/// Take a charge into the stream's earnings.
	pub fn earn(&mut self, charge: &Charge<BalanceOf<T>>) -> Result<(), Error<T>> {
		self.take_in(charge.amount)?;
		self.fees = self.fees.checked_add(&charge.fee).ok_or(Error::<T>::Overflow)?;
		self.seconds =
			self.seconds.checked_add(charge.charged_seconds.into()).ok_or(Error::<T>::Overflow)?;
		Ok(())
	}

	/// Take a tip into the stream's earnings.
	pub fn earn_tip(&mut self, amount: BalanceOf<T>) -> Result<(), Error<T>> {
		self.take_in(amount)?;
		self.tips_total = self.tips_total.saturating_add(amount);
		Ok(())
	}

	/// Take the price of a subscription's periods into the stream's earnings.
	pub fn earn_periods(&mut self, amount: BalanceOf<T>) -> Result<(), Error<T>> {
		self.take_in(amount)?;
		self.subscribed_total = self.subscribed_total.saturating_add(amount);
		Ok(())
	}

	/// Totals only tell, so they stay at the highest number: the issuer of an asset can pass the same
	/// tokens through a stream until they are there, and must not block its subscribers' exits by that.
	fn take_in(&mut self, amount: BalanceOf<T>) -> Result<(), Error<T>> {
		self.earned = self.earned.checked_add(&amount).ok_or(Error::<T>::Overflow)?;
		self.earned_total = self.earned_total.saturating_add(amount);
		Ok(())
	}

	/// Remember that sessions stop at `now`, in one of `places`.
	fn stop(&mut self, now: Moment, places: u32) -> Result<(), Error<T>> {
		if self.stops.last() == Some(&now) {
			return Ok(());
		}
		let memory_ms = T::GapMaxMs::get().saturating_add(T::SettlementWindowMs::get());
		self.stops.retain(|stop| stop.saturating_add(memory_ms) >= now);
		ensure!(self.stops.len() < places as usize, Error::<T>::TooManyPauses);
		self.stops.try_push(now).map_err(|_| Error::<T>::TooManyPauses)
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_create_stream(
		owner: T::AccountId,
		asset: T::AssetKind,
		rate_per_second: BalanceOf<T>,
		payees: PayeesOf<T>,
		funds_min: BalanceOf<T>,
		gap_min_ms: u64,
	) -> DispatchResult {
		Self::ensure_not_pot(&owner)?;
		Self::ensure_running()?;
		Self::enabled_entry(&asset)?;
		ensure!(!rate_per_second.is_zero(), Error::<T>::RateZero);
		ensure!(gap_min_ms <= T::GapMaxMs::get(), Error::<T>::GapOutOfRange);
		let payees = Self::checked_payees(&owner, payees)?;
		let id = NextStreamId::<T>::get();
		let next_id = id.checked_add(1).ok_or(Error::<T>::Overflow)?;
		let deposit = Self::stream_deposit(payees.len(), 0)?;
		T::NativeHold::hold(&HoldReason::Stream.into(), &owner, deposit)?;
		let stream = Stream {
			owner: owner.clone(),
			asset: asset.clone(),
			rate_per_second,
			changed_at: Self::now(),
			payees,
			funds_min,
			gap_min_ms,
			status: StreamStatus::Active,
			stops: BoundedVec::new(),
			earned: Zero::zero(),
			earned_total: Zero::zero(),
			seconds: 0,
			sessions_open: 0,
			deposit,
			tips_total: Zero::zero(),
			subscribed_total: Zero::zero(),
			refunded_total: Zero::zero(),
			fees: Zero::zero(),
			subscriptions_open: 0,
			ended_at: None,
			shared_total: Zero::zero(),
			treasury_share: Permill::zero(),
		};
		Streams::<T>::insert(id, stream);
		StreamsOf::<T>::insert(&owner, id, ());
		NextStreamId::<T>::put(next_id);
		Self::deposit_event(Event::StreamCreated { stream: id, owner, asset, rate_per_second });
		Ok(())
	}

	/// Returns how many payees there were, if others were named: then it has claimed for them.
	pub(crate) fn do_update_stream(
		owner: T::AccountId,
		id: StreamId,
		change: StreamChangeOf<T>,
	) -> Result<Option<u32>, DispatchError> {
		let mut stream = Self::stream_of(&owner, id)?;
		let now = Self::now();
		if let Some(rate_per_second) = change.rate_per_second {
			ensure!(!rate_per_second.is_zero(), Error::<T>::RateZero);
			stream.rate_per_second = rate_per_second;
			stream.changed_at = now;
		}
		if let Some(funds_min) = change.funds_min {
			stream.funds_min = funds_min;
		}
		if let Some(gap_min_ms) = change.gap_min_ms {
			ensure!(gap_min_ms <= T::GapMaxMs::get(), Error::<T>::GapOutOfRange);
			stream.gap_min_ms = gap_min_ms;
		}
		match (stream.status, change.paused) {
			(StreamStatus::Active, Some(true)) => {
				// The last place is kept for the end, so that a stream can always be ended.
				let places = T::MaxStops::get().saturating_sub(1);
				stream.stop(now, places)?;
				stream.status = StreamStatus::Paused;
			}
			(StreamStatus::Paused, Some(false)) => {
				stream.status = StreamStatus::Active;
				stream.changed_at = now;
			}
			_ => {}
		}
		let claimed_for = change.payees.is_some().then_some(stream.payees.len() as u32);
		let event = Event::StreamUpdated {
			stream: id,
			rate_per_second: stream.rate_per_second,
			status: stream.status,
		};
		match change.payees {
			Some(payees) => Self::change_payees(id, stream, payees)?,
			None => Streams::<T>::insert(id, stream),
		}
		Self::deposit_event(event);
		Ok(claimed_for)
	}

	/// Write a stream with other payees, after the old ones' shares of what was earned, and pay these.
	fn change_payees(id: StreamId, mut stream: Stream<T>, payees: PayeesOf<T>) -> DispatchResult {
		let payees = Self::checked_payees(&stream.owner, payees)?;
		let distribution = Self::distribute(&mut stream, Zero::zero())?;
		if stream.payees != payees {
			// What others were paid is not the new ones'.
			stream.shared_total = Zero::zero();
		}
		let before = stream.deposit;
		stream.deposit = Self::stream_deposit(payees.len(), Self::tiers(id).len())?;
		let old = core::mem::replace(&mut stream.payees, payees);
		Streams::<T>::insert(id, &stream);
		Self::pay_out(id, distribution)?;
		Self::adjust_stream_deposit(&stream, before)?;
		let leaves = |who: &T::AccountId| stream.payees.iter().all(|new| new.account != *who);
		for payee in old.iter().filter(|payee| leaves(&payee.account)) {
			Self::let_payee_go(&payee.account, &stream.asset)?;
		}
		Ok(())
	}

	/// Let a payee's dust leave, whose place no deposit pays for any more (rule 10).
	fn let_payee_go(who: &T::AccountId, asset: &T::AssetKind) -> Result<(), Error<T>> {
		Self::let_dust_out(who, asset).map(drop).map_err(|_| Error::<T>::PayeeVaultDust)
	}

	pub(crate) fn do_end_stream(owner: T::AccountId, id: StreamId) -> DispatchResult {
		let mut stream = Self::stream_of(&owner, id)?;
		let now = Self::now();
		// Sessions of a paused stream have stopped at its pause.
		if stream.status == StreamStatus::Active {
			stream.stop(now, T::MaxStops::get())?;
		}
		stream.status = StreamStatus::Ended;
		stream.ended_at = Some(now);
		Streams::<T>::insert(id, stream);
		Self::deposit_event(Event::StreamEnded { stream: id });
		Ok(())
	}

	pub(crate) fn do_transfer_stream(
		owner: T::AccountId,
		id: StreamId,
		to: T::AccountId,
	) -> Result<u32, DispatchError> {
		let mut stream = Self::stream_of(&owner, id)?;
		Self::ensure_not_pot(&to)?;
		ensure!(to != owner, Error::<T>::OwnerUnchanged);
		// What was earned so far is the old owner's.
		let distribution = Self::distribute(&mut stream, Zero::zero())?;
		let (asset, deposit, payees) =
			(stream.asset.clone(), stream.deposit, stream.payees.len() as u32);
		let mut leaves = false;
		for payee in stream.payees.iter_mut().filter(|payee| payee.account == owner) {
			payee.account = to.clone();
			leaves = true;
		}
		stream.owner = to.clone();
		Streams::<T>::insert(id, stream);
		StreamsOf::<T>::remove(&owner, id);
		StreamsOf::<T>::insert(&to, id, ());
		Self::pay_out(id, distribution)?;
		// The deposit goes with the stream, so that nobody pays for what they did not ask for.
		T::NativeHold::transfer_on_hold(
			&HoldReason::Stream.into(),
			&owner,
			&to,
			deposit,
			Precision::Exact,
			Restriction::OnHold,
			Fortitude::Polite,
		)?;
		if leaves {
			Self::let_payee_go(&owner, &asset)?;
		}
		Self::deposit_event(Event::StreamTransferred { stream: id, from: owner, to });
		Ok(payees)
	}

	/// Returns how many payees the stream has, since a refund distributes what is earned: the others'
	/// parts of it are not the owner's to give.
	pub(crate) fn do_refund(
		owner: T::AccountId,
		id: StreamId,
		viewer: T::AccountId,
		amount: BalanceOf<T>,
	) -> Result<u32, DispatchError> {
		let mut stream = Streams::<T>::get(id).ok_or(Error::<T>::StreamNotFound)?;
		ensure!(stream.owner == owner, Error::<T>::NotOwner);
		Self::ensure_not_pot(&viewer)?;
		ensure!(!amount.is_zero(), Error::<T>::AmountZero);
		ensure!(amount <= Self::owners_part(&stream), Error::<T>::EarningsTooLow);
		let asset = stream.asset.clone();
		let vault =
			Vaults::<T>::get(&viewer, &asset).checked_add(&amount).ok_or(Error::<T>::Overflow)?;
		// The viewer did not ask for this entry and holds no deposit for it: it must be worth it.
		ensure!(!Self::is_dust(&asset, vault), Error::<T>::VaultDust);
		let distribution = Self::distribute(&mut stream, amount)?;
		stream.refunded_total = stream.refunded_total.saturating_add(amount);
		let payees = stream.payees.len() as u32;
		Streams::<T>::insert(id, stream);
		Self::set_vault(&viewer, &asset, vault);
		Self::pay_out(id, distribution)?;
		Self::deposit_event(Event::Refunded { stream: id, viewer, amount });
		Ok(payees)
	}

	pub(crate) fn do_set_tiers(
		owner: T::AccountId,
		id: StreamId,
		tiers: TiersOf<T>,
	) -> DispatchResult {
		let mut stream = Self::stream_of(&owner, id)?;
		// What is given back of a period is worth its place in a vault (rule 10).
		let price_min = T::Assets::minimum_balance(stream.asset.clone()).max(One::one());
		let sound = |tier: &crate::TierOf<T>| {
			tier.price >= price_min && tier.period_ms >= T::PeriodMinMs::get()
		};
		ensure!(tiers.iter().all(sound), Error::<T>::TierInvalid);
		let before = stream.deposit;
		stream.deposit = Self::stream_deposit(stream.payees.len(), tiers.len())?;
		Self::adjust_stream_deposit(&stream, before)?;
		Streams::<T>::insert(id, stream);
		let count = tiers.len() as u32;
		if tiers.is_empty() {
			Tiers::<T>::remove(id);
		} else {
			Tiers::<T>::insert(id, tiers);
		}
		Self::deposit_event(Event::TiersSet { stream: id, tiers: count });
		Ok(())
	}

	/// What a stream offers to subscribers.
	pub fn tiers(id: StreamId) -> TiersOf<T> {
		Tiers::<T>::get(id).unwrap_or_default()
	}

	/// A stream that `owner` may still change.
	fn stream_of(owner: &T::AccountId, id: StreamId) -> Result<Stream<T>, Error<T>> {
		let stream = Streams::<T>::get(id).ok_or(Error::<T>::StreamNotFound)?;
		ensure!(stream.owner == *owner, Error::<T>::NotOwner);
		ensure!(stream.status != StreamStatus::Ended, Error::<T>::StreamEnded);
		Ok(stream)
	}

	/// Payees whose shares are whole, so that a claim never pays more than was earned (I1).
	fn checked_payees(owner: &T::AccountId, payees: PayeesOf<T>) -> Result<PayeesOf<T>, Error<T>> {
		if payees.is_empty() {
			let whole = Payee::<AccountIdOf<T>> { account: owner.clone(), share: Permill::one() };
			return BoundedVec::try_from(alloc::vec![whole]).map_err(|_| Error::<T>::Overflow);
		}
		let parts = payees
			.iter()
			.try_fold(0u32, |parts, payee| parts.checked_add(payee.share.deconstruct()));
		ensure!(parts == Some(Permill::one().deconstruct()), Error::<T>::SharesNotWhole);
		for payee in &payees {
			Self::ensure_not_pot(&payee.account)?;
		}
		Ok(payees)
	}

	/// What is held for a stream with so many payees and tiers.
	fn stream_deposit(payees: usize, tiers: usize) -> Result<BalanceOf<T>, Error<T>> {
		let for_payees =
			T::StreamDepositPerPayee::get().checked_mul(&BalanceOf::<T>::from(payees as u32));
		let for_tiers =
			T::StreamDepositPerTier::get().checked_mul(&BalanceOf::<T>::from(tiers as u32));
		for_payees
			.zip(for_tiers)
			.and_then(|(for_payees, for_tiers)| for_payees.checked_add(&for_tiers))
			.and_then(|for_lists| for_lists.checked_add(&T::StreamDepositBase::get()))
			.ok_or(Error::<T>::Overflow)
	}

	/// Hold more or less of the owner's money for a stream than was held `before`.
	fn adjust_stream_deposit(stream: &Stream<T>, before: BalanceOf<T>) -> DispatchResult {
		let reason = HoldReason::Stream.into();
		if let Some(more) = stream.deposit.checked_sub(&before) {
			T::NativeHold::hold(&reason, &stream.owner, more)
		} else {
			let less = before.saturating_sub(stream.deposit);
			T::NativeHold::release(&reason, &stream.owner, less, Precision::BestEffort).map(drop)
		}
	}
}
