// SPDX-License-Identifier: Apache-2.0

//! The ledger's clock: the chain's, without the time in which the chain stood still.
//!
//! From one block to the next it moves by what has passed, and by `BlockGapMaxMs` at the most: where blocks stop,
//! nobody can tick, so neither gap nor window nor expiry may run. It never runs ahead of the chain's, so no second
//! is chargeable that was not before; and who writes a block can only hold it back by writing none.
//!
//! A block in which the runtime migrates in steps carries nobody's order either. Such blocks count as if there were
//! none: from the last block before them to the first one after, it moves by `BlockGapMaxMs` at the most.

use crate::{Config, Event, HaltedMs, Moment, MovedMs, Pallet, ParentTimeMs};
use frame::{deps::frame_support::migrations::MultiStepMigrator, prelude::*, traits::UnixTime};

impl<T: Config> Pallet<T> {
	/// What the chain's clock shows.
	pub(crate) fn time_ms() -> Moment {
		u64::try_from(T::Time::now().as_millis()).unwrap_or(u64::MAX)
	}

	/// At a block's beginning its timestamp has not been set: the clock shows the parent's. The first block's
	/// parent has none, so that it ends no halt. Where blocks before it carried no orders, their time is part of
	/// what passes until this one.
	pub(crate) fn note_parents_time(block: BlockNumberFor<T>) {
		let moved_ms = MovedMs::<T>::take();
		if block > One::one() {
			let moved_or_none = moved_ms.unwrap_or_default();
			ParentTimeMs::<T>::put(Self::time_ms().saturating_sub(moved_or_none));
		}
		if T::MultiBlockMigrator::ongoing() {
			MovedMs::<T>::put(moved_ms.unwrap_or_default());
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
		let time_ms = Self::time_ms();
		let halt_ms = Self::halt_ms(time_ms);
		let parents_ms = ParentTimeMs::<T>::take();
		if MovedMs::<T>::exists() {
			let passed_ms = time_ms.saturating_sub(parents_ms.unwrap_or(time_ms));
			MovedMs::<T>::put(passed_ms.saturating_sub(halt_ms));
		}
		if halt_ms > 0 {
			let halted_ms = HaltedMs::<T>::get().saturating_add(halt_ms);
			HaltedMs::<T>::put(halted_ms);
			Self::deposit_event(Event::HaltLeftOut { halt_ms, halted_ms });
		}
	}
}
