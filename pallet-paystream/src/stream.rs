// SPDX-License-Identifier: Apache-2.0

//! Streams: what creators offer, change and end.

use crate::{
	session::Charge,
	types::{AccountIdOf, BalanceOf, Moment, Payee, PayeesOf, Stream, StreamChangeOf, StreamId},
	Config, Error, Event, HoldReason, NextStreamId, Pallet, StreamStatus, Streams,
};
use frame::{prelude::*, token::fungible::MutateHold};

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
		self.earned = self.earned.checked_add(&charge.amount).ok_or(Error::<T>::Overflow)?;
		self.earned_total =
			self.earned_total.checked_add(&charge.amount).ok_or(Error::<T>::Overflow)?;
		self.seconds =
			self.seconds.checked_add(charge.charged_seconds.into()).ok_or(Error::<T>::Overflow)?;
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
		Self::ensure_enabled(&asset)?;
		ensure!(!rate_per_second.is_zero(), Error::<T>::RateZero);
		ensure!(gap_min_ms <= T::GapMaxMs::get(), Error::<T>::GapOutOfRange);
		let payees = Self::checked_payees(&owner, payees)?;
		let id = NextStreamId::<T>::get();
		let next_id = id.checked_add(1).ok_or(Error::<T>::Overflow)?;
		let deposit = Self::stream_deposit(&payees)?;
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
		};
		Streams::<T>::insert(id, stream);
		NextStreamId::<T>::put(next_id);
		Self::deposit_event(Event::StreamCreated { stream: id, owner, asset, rate_per_second });
		Ok(())
	}

	pub(crate) fn do_update_stream(
		owner: T::AccountId,
		id: StreamId,
		change: StreamChangeOf<T>,
	) -> DispatchResult {
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
		if let Some(payees) = change.payees {
			let payees = Self::checked_payees(&owner, payees)?;
			Self::distribute(id, &mut stream)?;
			let deposit = Self::stream_deposit(&payees)?;
			let reason = HoldReason::Stream.into();
			if let Some(more) = deposit.checked_sub(&stream.deposit) {
				T::NativeHold::hold(&reason, &owner, more)?;
			} else {
				let less = stream.deposit.saturating_sub(deposit);
				T::NativeHold::release(&reason, &owner, less, Precision::BestEffort)?;
			}
			stream.deposit = deposit;
			stream.payees = payees;
		}
		Self::deposit_event(Event::StreamUpdated {
			stream: id,
			rate_per_second: stream.rate_per_second,
			status: stream.status,
		});
		Streams::<T>::insert(id, stream);
		Ok(())
	}

	pub(crate) fn do_end_stream(owner: T::AccountId, id: StreamId) -> DispatchResult {
		let mut stream = Self::stream_of(&owner, id)?;
		// Sessions of a paused stream have stopped at its pause.
		if stream.status == StreamStatus::Active {
			stream.stop(Self::now(), T::MaxStops::get())?;
		}
		stream.status = StreamStatus::Ended;
		Streams::<T>::insert(id, stream);
		Self::deposit_event(Event::StreamEnded { stream: id });
		Ok(())
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

	/// What is held for a stream with these payees.
	fn stream_deposit(payees: &PayeesOf<T>) -> Result<BalanceOf<T>, Error<T>> {
		BalanceOf::<T>::from(payees.len() as u32)
			.checked_mul(&T::StreamDepositPerPayee::get())
			.and_then(|for_payees| for_payees.checked_add(&T::StreamDepositBase::get()))
			.ok_or(Error::<T>::Overflow)
	}
}
