// SPDX-License-Identifier: Apache-2.0

//! Vaults and the pot: the only places where tokens enter and leave the ledger, claims aside.

use crate::{AccountIdOf, BalanceOf, Config, Error, Event, Grant, Pallet, Stream, Vaults};
use alloc::{collections::BTreeSet, vec::Vec};
use frame::{
	deps::frame_support::storage::with_storage_layer,
	prelude::*,
	traits::fungibles::{Inspect, Mutate},
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_deposit(
		who: T::AccountId,
		asset: T::AssetKind,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		Self::ensure_not_pot(&who)?;
		Self::ensure_running()?;
		let mut entry = Self::enabled_entry(&asset)?;
		ensure!(!amount.is_zero(), Error::<T>::AmountZero);
		let free =
			Vaults::<T>::get(&who, &asset).checked_add(&amount).ok_or(Error::<T>::Overflow)?;
		ensure!(!Self::is_dust(&asset, free), Error::<T>::VaultDust);
		entry.owed = entry.owed.checked_add(&amount).ok_or(Error::<T>::Overflow)?;
		Self::set_vault(&who, &asset, free);
		Self::set_entry(&asset, entry);
		Self::transfer(&asset, &who, &Self::pot(), amount)?;
		Self::deposit_event(Event::Deposited { who, asset, amount });
		Ok(())
	}

	pub(crate) fn do_withdraw(
		who: T::AccountId,
		asset: T::AssetKind,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		ensure!(!amount.is_zero(), Error::<T>::AmountZero);
		let free =
			Vaults::<T>::get(&who, &asset).checked_sub(&amount).ok_or(Error::<T>::VaultTooLow)?;
		ensure!(!Self::is_dust(&asset, free), Error::<T>::VaultDust);
		if Self::is_written_off(&asset) {
			Self::set_vault(&who, &asset, free);
			Self::owe_less(&asset, amount)?;
			Self::deposit_event(Event::VaultErased { who, asset, amount });
			return Ok(());
		}
		Self::set_vault(&who, &asset, free);
		Self::owe_less(&asset, amount)?;
		// The pot's own minimum balance is not in the ledger, so it never needs to be touched.
		Self::transfer(&asset, &Self::pot(), &who, amount)?;
		Self::deposit_event(Event::Withdrawn { who, asset, amount });
		Ok(())
	}

	/// Move money between an account and the pot, preserving who gives. All of it arrives, or nothing
	/// happens: `fungibles` lets a transfer succeed that was taken from one and given to nobody, which
	/// `pallet-assets` does where supply and amount together exceed the balance's type. No storage layer
	/// of its own: the caller fails with it.
	///
	/// The caller has written its entries before: a transfer may tell others of itself, who may call
	/// again.
	pub(crate) fn transfer(
		asset: &T::AssetKind,
		from: &T::AccountId,
		to: &T::AccountId,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		let before = T::Assets::balance(asset.clone(), to);
		T::Assets::transfer(asset.clone(), from, to, amount, Preservation::Preserve)?;
		let arrived = T::Assets::balance(asset.clone(), to).saturating_sub(before);
		ensure!(arrived >= amount, Error::<T>::Overflow);
		Ok(())
	}

	/// Write a vault; an empty one has no entry (I5).
	pub(crate) fn set_vault(who: &T::AccountId, asset: &T::AssetKind, free: BalanceOf<T>) {
		if free.is_zero() {
			Vaults::<T>::remove(who, asset);
		} else {
			Vaults::<T>::insert(who, asset, free);
		}
	}

	/// The pot paying or owing itself would count money twice (I1).
	pub(crate) fn ensure_not_pot(who: &T::AccountId) -> Result<(), Error<T>> {
		ensure!(*who != Self::pot(), Error::<T>::PotRefused);
		Ok(())
	}

	/// Take so much out of a vault that does hold it.
	pub(crate) fn vault_less(
		who: &T::AccountId,
		asset: &T::AssetKind,
		amount: BalanceOf<T>,
	) -> Result<BalanceOf<T>, Error<T>> {
		Vaults::<T>::get(who, asset).checked_sub(&amount).ok_or(Error::<T>::VaultTooLow)
	}

	/// Take so much out of a vault by a call of its owner's: all that is there, or nothing that leaves less
	/// than the asset's minimum balance (rule 10). What a key takes may leave less: its grant's deposit
	/// pays for the viewer's entry.
	pub(crate) fn vault_less_or_all(
		who: &T::AccountId,
		asset: &T::AssetKind,
		amount: BalanceOf<T>,
	) -> Result<BalanceOf<T>, Error<T>> {
		let free = Self::vault_less(who, asset, amount)?;
		ensure!(!Self::is_dust(asset, free), Error::<T>::VaultDust);
		Ok(free)
	}

	/// Whether a vault holds so little that it is not worth its entry, which somebody's deposit must pay
	/// for then (rule 10). Reads the asset if it holds anything.
	pub(crate) fn is_dust(asset: &T::AssetKind, free: BalanceOf<T>) -> bool {
		!free.is_zero() && free < T::Assets::minimum_balance(asset.clone())
	}

	/// Let dust leave a vault for its owner's account, where the deposit that pays for its place is about
	/// to return (rule 10). Says whether there was any; fails, and changes nothing, where the account
	/// cannot take it.
	pub(crate) fn let_dust_out(
		who: &T::AccountId,
		asset: &T::AssetKind,
	) -> Result<bool, DispatchError> {
		let free = Vaults::<T>::get(who, asset);
		if !Self::is_dust(asset, free) {
			return Ok(false);
		}
		with_storage_layer(|| Self::do_withdraw(who.clone(), asset.clone(), free))?;
		Ok(true)
	}

	/// Give the pot an asset's minimum balance, outside the ledger, so that the ledger's last unit
	/// can leave and its first one, however small, can enter.
	pub(crate) fn endow_pot(asset: &T::AssetKind) -> DispatchResult {
		let pot = Self::pot();
		let missing = T::Assets::minimum_balance(asset.clone())
			.saturating_sub(T::Assets::balance(asset.clone(), &pot));
		if !missing.is_zero() {
			T::Assets::mint_into(asset.clone(), &pot, missing)?;
		}
		Ok(())
	}
}

/// The places of vaults, an asset by its name in SCALE.
pub(crate) type Places<T> = BTreeSet<(AccountIdOf<T>, Vec<u8>)>;

/// The vaults whose places are paid for by a deposit, so that they may hold dust (rule 10): those of
/// viewers, as long as their grant is stored, and those of a stream's owner and payees, as long as it is.
pub(crate) fn paid_places<'a, T: Config>(
	grants: impl Iterator<Item = &'a Grant<T>>,
	streams: impl Iterator<Item = &'a Stream<T>>,
) -> Places<T> {
	let of_grants = grants.map(|grant| (grant.viewer.clone(), grant.asset.encode()));
	let of_streams = streams.flat_map(|stream| {
		let payees = stream.payees.iter().map(|payee| &payee.account);
		payees.chain([&stream.owner]).map(|who| (who.clone(), stream.asset.encode()))
	});
	of_grants.chain(of_streams).collect()
}
