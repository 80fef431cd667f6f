// SPDX-License-Identifier: Apache-2.0

//! Claims: how earnings leave the ledger (rule 8).

use crate::{
	types::{BalanceOf, Stream, StreamId},
	Config, Error, Event, HoldReason, Pallet, StreamStatus, Streams, Vaults,
};
use frame::{
	deps::frame_support::storage::with_storage_layer, prelude::*, token::fungible::MutateHold,
	traits::fungibles::Mutate,
};

impl<T: Config> Pallet<T> {
	/// Returns how many payees the stream has, which is what the claim weighs.
	pub(crate) fn do_claim(id: StreamId) -> Result<u32, DispatchError> {
		let mut stream = Streams::<T>::get(id).ok_or(Error::<T>::StreamNotFound)?;
		let payees = stream.payees.len() as u32;
		let last = stream.status == StreamStatus::Ended && stream.sessions_open == 0;
		let paid = Self::distribute(id, &mut stream)?;
		ensure!(last || !paid.is_zero(), Error::<T>::NothingToClaim);
		if last {
			Self::delete_stream(id, stream)?;
		} else {
			Streams::<T>::insert(id, stream);
		}
		Ok(payees)
	}

	/// Pay every payee their share of the earnings, rounded down; what the shares leave over stays
	/// in the earnings. Returns what was paid. The caller writes the stream.
	pub(crate) fn distribute(
		id: StreamId,
		stream: &mut Stream<T>,
	) -> Result<BalanceOf<T>, DispatchError> {
		let earned = stream.earned;
		let mut paid = BalanceOf::<T>::zero();
		for payee in &stream.payees {
			let amount = payee.share.mul_floor(earned);
			if amount.is_zero() {
				continue;
			}
			paid = paid.checked_add(&amount).ok_or(Error::<T>::Overflow)?;
			let credited = Self::pay_out(&stream.asset, &payee.account, amount)?;
			Self::deposit_event(Event::Claimed {
				stream: id,
				payee: payee.account.clone(),
				amount,
				credited,
			});
		}
		stream.earned = earned.checked_sub(&paid).ok_or(Error::<T>::Overflow)?;
		Ok(paid)
	}

	/// Give the remainder to the owner, release the deposit, and forget the stream.
	fn delete_stream(id: StreamId, stream: Stream<T>) -> DispatchResult {
		let Stream { owner, asset, earned, deposit, .. } = stream;
		if !earned.is_zero() {
			Self::pay_out(&asset, &owner, earned)?;
			Self::deposit_event(Event::RemainderPaid {
				stream: id,
				owner: owner.clone(),
				amount: earned,
			});
		}
		T::NativeHold::release(&HoldReason::Stream.into(), &owner, deposit, Precision::BestEffort)?;
		Streams::<T>::remove(id);
		Self::deposit_event(Event::StreamDeleted { stream: id });
		Ok(())
	}

	/// Pay from the pot; into the vault, and `true`, where the account cannot receive it. So one
	/// payee's account never stands in the way of another's claim.
	fn pay_out(
		asset: &T::AssetKind,
		who: &T::AccountId,
		amount: BalanceOf<T>,
	) -> Result<bool, DispatchError> {
		let sent = with_storage_layer::<_, DispatchError, _>(|| {
			T::Assets::transfer(asset.clone(), &Self::pot(), who, amount, Preservation::Preserve)
		});
		if sent.is_ok() {
			return Ok(false);
		}
		let free = Vaults::<T>::get(who, asset).checked_add(&amount).ok_or(Error::<T>::Overflow)?;
		Self::set_vault(who, asset, free);
		Ok(true)
	}
}
