// SPDX-License-Identifier: Apache-2.0

//! Claims: how earnings leave the ledger (rule 8).

use crate::{
	exit::Bringer,
	types::{BalanceOf, Stream, StreamId},
	Config, Error, Event, HoldReason, Pallet, Streams, StreamsOf, Tiers, TreasuryShare, Vaults,
};
use alloc::vec::Vec;
use frame::{
	deps::frame_support::storage::with_storage_layer, prelude::*, token::fungible::MutateHold,
};

/// What a distribution takes from a stream, and who is paid it. The stream is written before anybody is
/// paid: whoever is told of a transfer and calls again must not find the same earnings there.
pub(crate) struct Distribution<T: Config> {
	asset: T::AssetKind,
	/// The treasury's share and the tick prices.
	treasury: BalanceOf<T>,
	/// In the stream's order.
	payees: Vec<(T::AccountId, BalanceOf<T>)>,
	/// What is forgotten instead of being paid.
	erased: BalanceOf<T>,
	/// All that leaves the stream, what is withheld included.
	total: BalanceOf<T>,
}

impl<T: Config> Pallet<T> {
	/// Returns how many payees the stream has, and whether it was its last, which is what the claim weighs.
	pub(crate) fn do_claim(id: StreamId, bringer: Bringer) -> Result<(u32, bool), DispatchError> {
		let mut stream = Streams::<T>::get(id).ok_or(Error::<T>::StreamNotFound)?;
		let payees = stream.payees.len() as u32;
		let last = stream.is_over();
		ensure!(last || bringer == Bringer::Account, Error::<T>::ClaimNotLast);
		let distribution = Self::distribute(&mut stream, Zero::zero())?;
		ensure!(last || !distribution.total.is_zero(), Error::<T>::NothingToClaim);
		if last {
			Self::delete_stream(id, stream, distribution)?;
		} else {
			Streams::<T>::insert(id, stream);
			Self::pay_out(id, distribution)?;
		}
		Ok((payees, last))
	}

	/// Whether the claim of a stream that is over does anything without a transfer that may fail: it pays
	/// somebody, or nobody's dust keeps the stream.
	pub(crate) fn claim_counts(stream: &Stream<T>) -> bool {
		let free = |who| Vaults::<T>::get(who, &stream.asset);
		!stream.earned.is_zero()
			|| !stream.fees.is_zero()
			|| Self::named(stream).iter().all(|who| !Self::is_dust(&stream.asset, free(who)))
	}

	/// Whose places in vaults a stream's deposit pays for: its payees', and its owner's.
	fn named(stream: &Stream<T>) -> Vec<T::AccountId> {
		let payees = stream.payees.iter().map(|payee| payee.account.clone());
		payees.chain([stream.owner.clone()]).collect()
	}

	/// Take from a stream's earnings the treasury's part and every payee's share of the rest; what the
	/// shares leave over stays. `withheld` of the owner's shares, which must be there, is not paid but left
	/// to the caller, who writes the stream and then pays out.
	pub(crate) fn distribute(
		stream: &mut Stream<T>,
		mut withheld: BalanceOf<T>,
	) -> Result<Distribution<T>, Error<T>> {
		let earned = stream.earned.checked_add(&stream.fees).ok_or(Error::<T>::Overflow)?;
		let mut distribution = Distribution {
			asset: stream.asset.clone(),
			treasury: Zero::zero(),
			payees: Vec::new(),
			erased: Zero::zero(),
			total: earned,
		};
		if Self::is_written_off(&stream.asset) {
			distribution.erased = earned;
			if !earned.is_zero() {
				stream.earned = Zero::zero();
				stream.fees = Zero::zero();
				stream.shared_total = Zero::zero();
			}
			return Ok(distribution);
		}
		let due = Self::due(stream);
		let mut left = stream.earned.checked_sub(&due.treasury).ok_or(Error::<T>::Overflow)?;
		distribution.treasury =
			due.treasury.checked_add(&stream.fees).ok_or(Error::<T>::Overflow)?;
		for (payee, share) in stream.payees.iter().zip(due.payees) {
			left = left.checked_sub(&share).ok_or(Error::<T>::Overflow)?;
			let kept = match payee.account == stream.owner {
				true => share.min(withheld),
				false => Zero::zero(),
			};
			withheld = withheld.saturating_sub(kept);
			distribution.payees.push((payee.account.clone(), share.saturating_sub(kept)));
		}
		distribution.total = earned.checked_sub(&left).ok_or(Error::<T>::Overflow)?;
		stream.earned = left;
		stream.fees = Zero::zero();
		stream.shared_total = due.shared_total;
		stream.treasury_share = due.treasury_share;
		Ok(distribution)
	}

	/// Pay what a distribution took from a stream that has been written.
	pub(crate) fn pay_out(id: StreamId, distribution: Distribution<T>) -> DispatchResult {
		let Distribution { asset, treasury, payees, erased, .. } = distribution;
		if !erased.is_zero() {
			Self::owe_less(&asset, erased)?;
			Self::deposit_event(Event::EarningsErased { stream: id, amount: erased });
		}
		if !treasury.is_zero() {
			let credited = Self::pay(&asset, &T::Treasury::get(), treasury)?;
			Self::deposit_event(Event::TreasuryPaid { stream: id, amount: treasury, credited });
		}
		for (payee, amount) in payees.into_iter().filter(|(_, amount)| !amount.is_zero()) {
			let credited = Self::pay(&asset, &payee, amount)?;
			Self::deposit_event(Event::Claimed { stream: id, payee, amount, credited });
		}
		Ok(())
	}

	/// Forget the stream, pay what was taken from it, give the remainder to the owner, and release the
	/// deposit.
	///
	/// It stays where a vault of somebody whom it names holds dust that the account cannot take: the deposit
	/// pays for the entry (rule 10). A later claim forgets it.
	fn delete_stream(
		id: StreamId,
		mut stream: Stream<T>,
		distribution: Distribution<T>,
	) -> DispatchResult {
		let remainder = core::mem::take(&mut stream.earned);
		stream.shared_total = Zero::zero();
		let mut counts = !distribution.total.is_zero() || !remainder.is_zero();
		Streams::<T>::remove(id);
		Self::pay_out(id, distribution)?;
		Self::pay_remainder(id, &stream, remainder)?;
		let mut stays = false;
		for who in Self::named(&stream) {
			match Self::let_dust_out(&who, &stream.asset) {
				Ok(left) => counts |= left,
				Err(_) => stays = true,
			}
		}
		if stays {
			ensure!(counts, Error::<T>::NothingToClaim);
			Streams::<T>::insert(id, stream);
			return Ok(());
		}
		StreamsOf::<T>::remove(&stream.owner, id);
		Tiers::<T>::remove(id);
		Self::release_stream_deposit(id, &stream);
		Ok(())
	}

	/// Give the owner of an ended stream what its shares have left over.
	fn pay_remainder(id: StreamId, stream: &Stream<T>, amount: BalanceOf<T>) -> DispatchResult {
		if amount.is_zero() {
			return Ok(());
		}
		let owner = stream.owner.clone();
		let credited = Self::pay(&stream.asset, &owner, amount)?;
		Self::deposit_event(Event::RemainderPaid { stream: id, owner, amount, credited });
		Ok(())
	}

	fn release_stream_deposit(id: StreamId, stream: &Stream<T>) {
		// An exit must not fail: what somebody has slashed of the deposit does not return.
		let released = T::NativeHold::release(
			&HoldReason::Stream.into(),
			&stream.owner,
			stream.deposit,
			Precision::BestEffort,
		);
		defensive_assert!(released.is_ok(), "a stream's deposit is held until its deletion");
		Self::deposit_event(Event::StreamDeleted { stream: id });
	}

	/// Pay from the pot; into the vault, and `true`, where the account cannot receive it. So one payee's
	/// account never stands in the way of another's claim.
	fn pay(
		asset: &T::AssetKind,
		who: &T::AccountId,
		amount: BalanceOf<T>,
	) -> Result<bool, DispatchError> {
		let sent = with_storage_layer::<_, DispatchError, _>(|| {
			// What leaves the pot is not owed any more, and is not while it leaves.
			Self::owe_less(asset, amount)?;
			Self::transfer(asset, &Self::pot(), who, amount)
		});
		if sent.is_ok() {
			return Ok(false);
		}
		let free = Vaults::<T>::get(who, asset).checked_add(&amount).ok_or(Error::<T>::Overflow)?;
		Self::set_vault(who, asset, free);
		Ok(true)
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
		if Self::is_written_off(&stream.asset) {
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
