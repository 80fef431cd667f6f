// SPDX-License-Identifier: Apache-2.0

//! The ledger's clock: the chain's, without the time in which the chain stood still.
//!
//! From one block to the next it moves by what has passed, and by `BlockGapMaxMs` at the most: where blocks stop,
//! nobody can tick, so neither gap nor window nor expiry may run. It never runs ahead of the chain's, so no second
//! is chargeable that was not before; and who writes a block can only hold it back by writing none.

use crate::{Config, Event, HaltedMs, Moment, Pallet, ParentTimeMs};
use frame::{prelude::*, traits::UnixTime};

impl<T: Config> Pallet<T> {
	/// What the chain's clock shows.
	pub(crate) fn time_ms() -> Moment {
		u64::try_from(T::Time::now().as_millis()).unwrap_or(u64::MAX)
	}

	/// At a block's beginning its timestamp has not been set: the clock shows the parent's. The first block's
	/// parent has none, so that it ends no halt.
	pub(crate) fn note_parents_time(block: BlockNumberFor<T>) {
		if block > One::one() {
			ParentTimeMs::<T>::put(Self::time_ms());
		}
	}

	/// How long the chain stood still before this block, as far as that is left out.
	pub(crate) fn halt_ms(time_ms: Moment) -> u64 {
		let Some(parents_ms) = ParentTimeMs::<T>::get() else { return 0 };
		let passed_ms = time_ms.saturating_sub(parents_ms);
		passed_ms.saturating_sub(T::BlockGapMaxMs::get()).min(T::HaltMaxMs::get())
	}

	/// At a block's end: what was left out in it stays left out.
	pub(crate) fn leave_out_halt() {
		let halt_ms = Self::halt_ms(Self::time_ms());
		ParentTimeMs::<T>::kill();
		if halt_ms > 0 {
			let halted_ms = HaltedMs::<T>::get().saturating_add(halt_ms);
			HaltedMs::<T>::put(halted_ms);
			Self::deposit_event(Event::HaltLeftOut { halt_ms, halted_ms });
		}
	}
}
