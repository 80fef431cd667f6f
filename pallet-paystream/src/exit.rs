// SPDX-License-Identifier: Apache-2.0

//! Exits that nobody has to sign or to pay: settling a session whose window is over, and the last claim
//! of an ended stream.
//!
//! Both only return what is somebody's already, so that money comes back even where nobody is left to
//! bring it: no relayer, no funded account. Each happens once, since it deletes its entry. Whoever pays
//! for a transaction may sign them all the same, alone or in a batch of calls.

use crate::{
	pool::Judge,
	types::{GrantId, Moment, SessionIndex, Stream, StreamId},
	Call, Config, Error, Pallet, StreamStatus, Streams, WeightInfo,
};
use alloc::vec::Vec;
use frame::prelude::*;

/// Who brings an exit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bringer {
	/// An account, which pays a fee.
	Account,
	/// Nobody: the check has authorised it.
	Nobody,
}

impl<T: Config> Stream<T> {
	/// Whether its next claim is its last: it has ended, and nothing can be earned any more.
	pub(crate) fn is_over(&self) -> bool {
		self.status == StreamStatus::Ended
			&& self.sessions_open == 0
			&& self.subscriptions_open == 0
	}
}

impl<T: Config> Pallet<T> {
	/// What the pool and the block ask before a `settle` without signature.
	pub(crate) fn authorize_settle(
		source: TransactionSource,
		grant: &GrantId,
		index: &SessionIndex,
	) -> TransactionValidityWithRefund {
		let tag = ("PayStream/settle", grant, index).encode();
		let weight = T::WeightInfo::settle().saturating_add(Self::weight_of_authorize_settle());
		let call = Call::settle { grant: *grant, index: *index };
		Self::authorize_exit(Judge::of(source), call, weight, tag, |now| {
			Self::plan_settle(*grant, *index, now).map(|_| ())
		})
	}

	/// What the pool and the block ask before a `claim` without signature: that it is the last, and does
	/// anything. Nothing else could refuse it: a payee who cannot receive is credited, and no sum exceeds
	/// what is owed (I1). A stream that dust keeps is not claimed for nothing again and again.
	pub(crate) fn authorize_claim(
		source: TransactionSource,
		stream: &StreamId,
	) -> TransactionValidityWithRefund {
		let tag = ("PayStream/claim", stream).encode();
		let weight = Self::weight_of_last_claim(T::MaxPayees::get())
			.saturating_add(Self::weight_of_authorize_claim());
		let call = Call::claim { stream: *stream };
		Self::authorize_exit(Judge::of(source), call, weight, tag, |_now| {
			let entry = Streams::<T>::get(stream).ok_or(Error::<T>::StreamNotFound)?;
			ensure!(entry.is_over() && Self::claim_counts(&entry), Error::<T>::ClaimNotLast);
			Ok(())
		})
	}

	/// Let an exit in if the runtime lets the call, the free lane has room, and `check` says that it
	/// succeeds. Of the same exit the pool keeps one; orders go before it, since their viewers wait.
	fn authorize_exit(
		judge: Judge,
		call: Call<T>,
		weight: Weight,
		tag: Vec<u8>,
		check: impl Fn(Moment) -> Result<(), Error<T>>,
	) -> TransactionValidityWithRefund {
		let room = || {
			let fits = Self::lane_has_room(Self::free_exit_cost(weight));
			fits.then_some(()).ok_or(Error::<T>::FreeLaneFull)
		};
		Self::ensure_let_in(call)
			.and_then(|()| room())
			.and_then(|()| Self::by_clock_of(judge, check))
			.map_err(|error| judge.refusal(error))?;
		let valid = ValidTransaction {
			priority: T::OrderPriority::get(),
			requires: Vec::new(),
			provides: alloc::vec![tag],
			longevity: T::OrderLongevity::get(),
			propagate: true,
		};
		Ok((valid, Weight::zero()))
	}

	/// All that an exit takes of the free lane, by what the call and its check weigh.
	fn free_exit_cost(weight: Weight) -> Weight {
		weight.saturating_add(Self::weight_around_exit())
	}

	/// An account, or nobody whose exit the check has authorised.
	pub(crate) fn ensure_bringer(origin: OriginFor<T>) -> Result<Bringer, DispatchError> {
		if ensure_authorized(origin.clone()).is_ok() {
			return Ok(Bringer::Nobody);
		}
		ensure_signed(origin)?;
		Ok(Bringer::Account)
	}

	/// Note what an exit took of the free lane. Returns what the call is charged for, beside its check: for
	/// a signed one nothing was checked, so that what the extension announced comes back. It did so for an
	/// extrinsic alone, and not for a call within another one.
	pub(crate) fn charge_exit(bringer: Bringer, call: Weight, check: Weight) -> Weight {
		match bringer {
			Bringer::Nobody => {
				Self::use_lane_for_all(Self::free_exit_cost(call.saturating_add(check)));
				call
			}
			Bringer::Account if Self::is_the_extrinsic() => call.saturating_sub(check),
			Bringer::Account => call,
		}
	}

	/// The weight of checking a settlement. It reads what a close's check reads, whose signature it has
	/// not, so that it weighs less than this.
	pub(crate) fn weight_of_authorize_settle() -> Weight {
		T::WeightInfo::authorize_close()
	}

	/// The weight of checking a last claim. A tick's check reads a stream, too, and beside it a session and
	/// a signature, so that it weighs less than this, apart from the vaults of those whom the stream names
	/// and the asset.
	pub(crate) fn weight_of_authorize_claim() -> Weight {
		let vaults = u64::from(T::MaxPayees::get()).saturating_add(1);
		T::WeightInfo::authorize_tick()
			.saturating_add(T::DbWeight::get().reads(vaults))
			.saturating_add(Self::weight_of_minimum())
	}
}
