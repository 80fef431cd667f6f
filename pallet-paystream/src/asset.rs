// SPDX-License-Identifier: Apache-2.0

//! Assets (rule 9), and the other switches of the operator: their share, their price, the stop.

use crate::{
	types::{AssetEntryOf, AssetStatus, BalanceOf},
	AssetEntries, Config, Error, Event, Pallet, Stopped, TreasuryShare,
};
use frame::{prelude::*, traits::fungibles::Inspect};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_enable_asset(asset: T::AssetKind, tip_min: BalanceOf<T>) -> DispatchResult {
		let entry = AssetEntries::<T>::get(&asset);
		let (owed, tick_price) =
			entry.map_or((Zero::zero(), Zero::zero()), |entry| (entry.owed, entry.tick_price));
		let written_off = entry.is_some_and(|entry| entry.status == AssetStatus::WrittenOff);
		ensure!(!written_off, Error::<T>::AssetWrittenOff);
		let least = T::Assets::minimum_balance(asset.clone());
		let needed = least.checked_add(&owed).ok_or(Error::<T>::Overflow)?;
		// An asset that does not exist has a minimum balance of zero, and nobody holds any of it.
		let pot = T::Assets::balance(asset.clone(), &Self::pot());
		ensure!(pot >= needed.max(One::one()), Error::<T>::PotNotEndowed);
		let status = AssetStatus::Enabled;
		Self::set_entry(&asset, AssetEntryOf::<T> { status, tick_price, tip_min, owed });
		Self::deposit_event(Event::AssetEnabled { asset, tip_min });
		Ok(())
	}

	pub(crate) fn do_disable_asset(asset: T::AssetKind) -> DispatchResult {
		let mut entry = Self::enabled_entry(&asset)?;
		entry.status = AssetStatus::Disabled;
		Self::set_entry(&asset, entry);
		Self::deposit_event(Event::AssetDisabled { asset });
		Ok(())
	}

	pub(crate) fn do_write_off_asset(asset: T::AssetKind) -> DispatchResult {
		let mut entry = AssetEntries::<T>::get(&asset)
			.filter(|entry| entry.status == AssetStatus::Disabled)
			.ok_or(Error::<T>::AssetNotDisabled)?;
		// What is frozen can thaw, and would be nobody's then. What is left of an asset that was taken away
		// in part is still somebody's to withdraw.
		let least = T::Assets::minimum_balance(asset.clone());
		let there = T::Assets::total_balance(asset.clone(), &Self::pot());
		ensure!(!entry.owed.is_zero() && there <= least, Error::<T>::AssetAlive);
		entry.status = AssetStatus::WrittenOff;
		Self::set_entry(&asset, entry);
		Self::deposit_event(Event::AssetWrittenOff { asset, owed: entry.owed });
		Ok(())
	}

	pub(crate) fn do_set_tick_price(asset: T::AssetKind, price: BalanceOf<T>) -> DispatchResult {
		let mut entry = Self::enabled_entry(&asset)?;
		ensure!(price <= T::TickPriceMax::get(), Error::<T>::TickPriceTooHigh);
		entry.tick_price = price;
		Self::set_entry(&asset, entry);
		Self::deposit_event(Event::TickPriceSet { asset, price });
		Ok(())
	}

	pub(crate) fn do_set_treasury_share(share: Permill) -> DispatchResult {
		ensure!(share <= T::TreasuryShareMax::get(), Error::<T>::ShareTooHigh);
		TreasuryShare::<T>::put(share);
		Self::deposit_event(Event::TreasuryShareSet { share });
		Ok(())
	}

	/// Who may switch off: the operator, or whoever watches in an emergency.
	pub(crate) fn ensure_may_halt(origin: OriginFor<T>) -> DispatchResult {
		match T::AdminOrigin::try_origin(origin) {
			Ok(_) => Ok(()),
			Err(other) => T::EmergencyOrigin::ensure_origin(other).map(|_| ()).map_err(Into::into),
		}
	}

	pub(crate) fn do_set_stopped(stopped: bool) {
		Stopped::<T>::put(stopped);
		Self::deposit_event(Event::StopSet { stopped });
	}

	/// Refuse what the operator's stop does not spare.
	pub(crate) fn ensure_running() -> Result<(), Error<T>> {
		ensure!(!Stopped::<T>::get(), Error::<T>::Stopped);
		Ok(())
	}

	/// Whether an asset's amounts are erased where they would have been paid.
	pub(crate) fn is_written_off(asset: &T::AssetKind) -> bool {
		let status = AssetEntries::<T>::get(asset).map(|entry| entry.status);
		status == Some(AssetStatus::WrittenOff)
	}

	/// What is known of an asset that new money may come in.
	pub(crate) fn enabled_entry(asset: &T::AssetKind) -> Result<AssetEntryOf<T>, Error<T>> {
		AssetEntries::<T>::get(asset)
			.filter(|entry| entry.status == AssetStatus::Enabled)
			.ok_or(Error::<T>::AssetNotEnabled)
	}

	pub(crate) fn set_entry(asset: &T::AssetKind, entry: AssetEntryOf<T>) {
		AssetEntries::<T>::insert(asset, entry);
	}

	/// Note that so much has left the ledger.
	pub(crate) fn owe_less(asset: &T::AssetKind, amount: BalanceOf<T>) -> Result<(), Error<T>> {
		if amount.is_zero() {
			return Ok(());
		}
		AssetEntries::<T>::try_mutate(asset, |entry| {
			let entry = entry.as_mut().ok_or(Error::<T>::AssetNotEnabled)?;
			entry.owed = entry.owed.checked_sub(&amount).ok_or(Error::<T>::Overflow)?;
			Ok(())
		})
	}
}
