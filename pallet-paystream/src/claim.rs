// SPDX-License-Identifier: Apache-2.0

//! Claims: how earnings leave the ledger (rule 8).

use crate::{
	exit::Bringer,
	types::{AssetStatus, BalanceOf, Stream, StreamId},
	AssetEntries, Config, Error, Event, HoldReason, Pallet, Streams, Tiers, TreasuryShare, Vaults,
};
use alloc::vec::Vec;
use frame::{
	deps::frame_support::storage::with_storage_layer, prelude::*, token::fungible::MutateHold,
};

impl<T: Config> Pallet<T> {
	/// Returns how many payees the stream has, which is what the claim weighs.
	pub(crate) fn do_claim(id: StreamId, bringer: Bringer) -> Result<u32, DispatchError> {
		let mut stream = Streams::<T>::get(id).ok_or(Error::<T>::StreamNotFound)?;
		let payees = stream.payees.len() as u32;
		let last = stream.is_over();
		ensure!(last || bringer == Bringer::Account, Error::<T>::ClaimNotLast);
		let paid = Self::distribute(id, &mut stream, Zero::zero())?;
		ensure!(last || !paid.is_zero(), Error::<T>::NothingToClaim);
		if last {
			Self::delete_stream(id, stream)?;
		} else {
			Streams::<T>::insert(id, stream);
		}
		Ok(payees)
	}

	/// Pay the treasury its part and every payee their share of the rest; what the shares leave over stays
	/// in the earnings. `withheld` of the owner's shares, which must be there, is
	/// not paid but left to the caller. Returns what left the stream. The caller writes it.
	pub(crate) fn distribute(
		id: StreamId,
		stream: &mut Stream<T>,
		mut withheld: BalanceOf<T>,
	) -> Result<BalanceOf<T>, DispatchError> {
		let status = AssetEntries::<T>::get(&stream.asset).map(|entry| entry.status);
		if status == Some(AssetStatus::WrittenOff) {
			return Self::erase_earnings(id, stream);
		}
		let earned = stream.earned;
		let Due { treasury: operators, payees: shares, shared_total, treasury_share } =
			Self::due(stream);
		let mut payout = Payout::<T>::default();
		let due = operators.checked_add(&stream.fees).ok_or(Error::<T>::Overflow)?;
		if !due.is_zero() {
			payout.pay(stream, &T::Treasury::get(), due)?;
			Self::deposit_event(Event::TreasuryPaid { stream: id, amount: due });
		}
		let mut paid = operators;
		for (payee, share) in stream.payees.iter().zip(shares) {
			paid = paid.checked_add(&share).ok_or(Error::<T>::Overflow)?;
			let kept = match payee.account == stream.owner {
				true => share.min(withheld),
				false => Zero::zero(),
			};
			withheld = withheld.saturating_sub(kept);
			let amount = share.saturating_sub(kept);
			if amount.is_zero() {
				continue;
			}
			let credited = payout.pay(stream, &payee.account, amount)?;
			Self::deposit_event(Event::Claimed {
				stream: id,
				payee: payee.account.clone(),
				amount,
				credited,
			});
		}
		stream.earned = earned.checked_sub(&paid).ok_or(Error::<T>::Overflow)?;
		stream.shared_total = shared_total;
		stream.treasury_share = treasury_share;
		let total = paid.checked_add(&stream.fees).ok_or(Error::<T>::Overflow)?;
		stream.fees = Zero::zero();
		Self::owe_less(&stream.asset, payout.sent)?;
		Ok(total)
	}

	/// Forget the earnings in an asset that is written off. Returns how much was forgotten.
	fn erase_earnings(id: StreamId, stream: &mut Stream<T>) -> Result<BalanceOf<T>, DispatchError> {
		let amount = stream.earned.checked_add(&stream.fees).ok_or(Error::<T>::Overflow)?;
		if !amount.is_zero() {
			stream.earned = Zero::zero();
			stream.fees = Zero::zero();
			stream.shared_total = Zero::zero();
			Self::owe_less(&stream.asset, amount)?;
			Self::deposit_event(Event::EarningsErased { stream: id, amount });
		}
		Ok(amount)
	}

	/// Give the remainder to the owner, release the deposit, and forget the stream.
	fn delete_stream(id: StreamId, stream: Stream<T>) -> DispatchResult {
		let (owner, earned, deposit) = (stream.owner.clone(), stream.earned, stream.deposit);
		if !earned.is_zero() {
			let mut payout = Payout::<T>::default();
			payout.pay(&stream, &owner, earned)?;
			Self::owe_less(&stream.asset, payout.sent)?;
			Self::deposit_event(Event::RemainderPaid {
				stream: id,
				owner: owner.clone(),
				amount: earned,
			});
		}
		// An exit must not fail: what somebody has slashed of the deposit does not return.
		let released = T::NativeHold::release(
			&HoldReason::Stream.into(),
			&owner,
			deposit,
			Precision::BestEffort,
		);
		defensive_assert!(released.is_ok(), "a stream's deposit is held until its deletion");
		Streams::<T>::remove(id);
		Tiers::<T>::remove(id);
		Self::deposit_event(Event::StreamDeleted { stream: id });
		Ok(())
	}

	/// What of a distribution now would be the owner's.
	pub(crate) fn owners_part(stream: &Stream<T>) -> BalanceOf<T> {
		let (_, amounts) = Self::claimable(stream);
		let parts = stream.payees.iter().zip(amounts);
		parts
			.filter(|(payee, _)| payee.account == stream.owner)
			.fold(Zero::zero(), |sum, (_, amount)| sum.saturating_add(amount))
	}

	/// What the treasury would receive by a claim now, and each payee after it.
	pub(crate) fn claimable(stream: &Stream<T>) -> (BalanceOf<T>, Vec<BalanceOf<T>>) {
		let status = AssetEntries::<T>::get(&stream.asset).map(|entry| entry.status);
		if status == Some(AssetStatus::WrittenOff) {
			return (Zero::zero(), stream.payees.iter().map(|_| Zero::zero()).collect());
		}
		let Due { treasury, payees, .. } = Self::due(stream);
		(treasury.saturating_add(stream.fees), payees)
	}

	/// How the earnings are shared now. Shares follow the running total, so that nobody is rounded down
	/// claim by claim: each has the floor of their share of all that was ever distributed to the same
	/// payees at the same treasury's share. Where one of these has changed, or the total would leave its
	/// type, another total begins with what is there.
	fn due(stream: &Stream<T>) -> Due<BalanceOf<T>> {
		let treasury_share = TreasuryShare::<T>::get();
		let goes_on = treasury_share == stream.treasury_share;
		let old_total = if goes_on { stream.shared_total } else { Zero::zero() };
		let old = Self::parts_of(stream, treasury_share, old_total);
		// What the shares of the old total have left over is among the earnings, and was counted.
		let new_total = stream
			.earned
			.checked_sub(&old.left_over)
			.and_then(|fresh| old_total.checked_add(&fresh));
		let (old, shared_total) = match new_total {
			Some(new_total) => (old, new_total),
			None => (Self::parts_of(stream, treasury_share, Zero::zero()), stream.earned),
		};
		let new = Self::parts_of(stream, treasury_share, shared_total);
		let payees = new.payees.iter().zip(old.payees);
		Due {
			treasury: new.treasury.saturating_sub(old.treasury),
			payees: payees.map(|(new, old)| new.saturating_sub(old)).collect(),
			shared_total,
			treasury_share,
		}
	}

	/// The parts of a total, each rounded down. None falls where the total rises.
	fn parts_of(
		stream: &Stream<T>,
		treasury_share: Permill,
		total: BalanceOf<T>,
	) -> Parts<BalanceOf<T>> {
		let treasury = treasury_share.mul_floor(total);
		let rest = total.saturating_sub(treasury);
		let payees: Vec<_> =
			stream.payees.iter().map(|payee| payee.share.mul_floor(rest)).collect();
		let left_over = payees.iter().fold(rest, |left, part| left.saturating_sub(*part));
		Parts { treasury, payees, left_over }
	}

	/// What of the earnings was left over when they were last distributed.
	pub(crate) fn left_over(stream: &Stream<T>) -> BalanceOf<T> {
		Self::parts_of(stream, stream.treasury_share, stream.shared_total).left_over
	}
}

/// What a distribution pays, tick prices apart, and what the stream remembers of it.
struct Due<Balance> {
	treasury: Balance,
	/// In the stream's order.
	payees: Vec<Balance>,
	shared_total: Balance,
	treasury_share: Permill,
}

/// A total as its shares divide it.
struct Parts<Balance> {
	treasury: Balance,
	payees: Vec<Balance>,
	left_over: Balance,
}

/// What one claim pays: the part that leaves the pot is no longer owed.
#[derive(DefaultNoBound)]
struct Payout<T: Config> {
	sent: BalanceOf<T>,
}

impl<T: Config> Payout<T> {
	/// Pay from the pot; into the vault, and `true`, where the account cannot receive it. So one
	/// payee's account never stands in the way of another's claim.
	fn pay(
		&mut self,
		stream: &Stream<T>,
		who: &T::AccountId,
		amount: BalanceOf<T>,
	) -> Result<bool, DispatchError> {
		let asset = &stream.asset;
		let pot = Pallet::<T>::pot();
		let sent = with_storage_layer::<_, DispatchError, _>(|| {
			Pallet::<T>::transfer(asset, &pot, who, amount)
		});
		if sent.is_ok() {
			self.sent = self.sent.checked_add(&amount).ok_or(Error::<T>::Overflow)?;
			return Ok(false);
		}
		let free = Vaults::<T>::get(who, asset).checked_add(&amount).ok_or(Error::<T>::Overflow)?;
		Pallet::<T>::set_vault(who, asset, free);
		Ok(true)
	}
}
