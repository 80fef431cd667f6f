// SPDX-License-Identifier: Apache-2.0

//! Grants: what viewers permit, and how they take it back.

use crate::{
	order::verify,
	types::{BalanceOf, DelegateKey, DelegateSignature, Grant, GrantId, GrantTermsOf},
	Config, Error, Event, Grants, GrantsOf, GrantsOfKey, HoldReason, NextGrantId, Pallet, Sessions,
};
use frame::{
	deps::frame_support::storage::with_storage_layer, prelude::*, token::fungible::MutateHold,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_grant(
		viewer: T::AccountId,
		key: DelegateKey,
		proof: DelegateSignature,
		terms: GrantTermsOf<T>,
	) -> DispatchResult {
		Self::ensure_grantable(&viewer, &terms)?;
		ensure!(verify(&key, &proof, &Self::grant_bytes(&viewer)), Error::<T>::KeyProofInvalid);
		Self::insert_grant(viewer, key, terms).map(|_| ())
	}

	/// Refuse terms that no grant can have.
	pub(crate) fn ensure_grantable(
		viewer: &T::AccountId,
		terms: &GrantTermsOf<T>,
	) -> Result<(), Error<T>> {
		Self::ensure_not_pot(viewer)?;
		Self::ensure_running()?;
		Self::enabled_entry(&terms.asset)?;
		ensure!(!terms.rate_max_per_second.is_zero(), Error::<T>::RateZero);
		ensure!(!terms.cap.is_zero(), Error::<T>::CapZero);
		ensure!(
			(1..=T::MaxSessionsPerGrant::get()).contains(&terms.sessions_max),
			Error::<T>::SessionsMaxOutOfRange
		);
		ensure!(
			(T::GapMinMs::get()..=T::GapMaxMs::get()).contains(&terms.gap_ms),
			Error::<T>::GapOutOfRange
		);
		ensure!(terms.expires_at > Self::now(), Error::<T>::ExpiryInPast);
		Ok(())
	}

	/// Write a grant, and hold its deposit on the viewer's account (I5).
	pub(crate) fn insert_grant(
		viewer: T::AccountId,
		key: DelegateKey,
		terms: GrantTermsOf<T>,
	) -> Result<GrantId, DispatchError> {
		let id = NextGrantId::<T>::get();
		let next_id = id.checked_add(1).ok_or(Error::<T>::Overflow)?;
		let deposit = BalanceOf::<T>::from(terms.sessions_max)
			.checked_mul(&T::GrantDepositPerSession::get())
			.and_then(|for_sessions| for_sessions.checked_add(&T::GrantDepositBase::get()))
			.ok_or(Error::<T>::Overflow)?;
		T::NativeHold::hold(&HoldReason::Grant.into(), &viewer, deposit)?;
		let grant = Grant {
			viewer: viewer.clone(),
			key,
			asset: terms.asset.clone(),
			rate_max_per_second: terms.rate_max_per_second,
			cap: terms.cap,
			cap_left: terms.cap,
			spent: Zero::zero(),
			tips_left: terms.tips_max,
			renewals_left: terms.renewals_max,
			gap_ms: terms.gap_ms,
			created_at: Self::now(),
			expires_at: terms.expires_at,
			sessions_max: terms.sessions_max,
			open: BoundedVec::new(),
			next_index: 0,
			opened_at: 0,
			freed_end_at: 0,
			seconds: 0,
			ended_at: terms.expires_at,
			deposit,
			tips_total: Zero::zero(),
			tipped_at: 0,
			renewals_total: 0,
		};
		Grants::<T>::insert(id, grant);
		GrantsOf::<T>::insert(&viewer, id, ());
		GrantsOfKey::<T>::insert(key, id, ());
		NextGrantId::<T>::put(next_id);
		Self::deposit_event(Event::Granted {
			grant: id,
			viewer,
			key,
			asset: terms.asset,
			cap: terms.cap,
			rate_max_per_second: terms.rate_max_per_second,
			expires_at: terms.expires_at,
		});
		Ok(id)
	}

	/// Returns how many sessions it ended, which is what the call weighs.
	///
	/// A grant that has just ended stays where its viewer's vault holds dust that the account cannot take:
	/// its deposit pays for the entry (rule 10).
	pub(crate) fn do_revoke(viewer: T::AccountId, id: GrantId) -> Result<u32, DispatchError> {
		let mut grant = Grants::<T>::get(id).ok_or(Error::<T>::GrantNotFound)?;
		ensure!(grant.viewer == viewer, Error::<T>::NotViewer);
		let now = Self::now();
		if grant.ended_at <= now {
			ensure!(grant.open.is_empty(), Error::<T>::GrantEnded);
			Self::let_go(id, &grant)?;
			return Ok(0);
		}
		grant.ended_at = now;
		for index in &grant.open {
			Sessions::<T>::mutate(id, index, |session| {
				if let Some(session) = session {
					session.ended_at = session.ended_at.min(now);
				}
			});
		}
		Self::deposit_event(Event::Revoked { grant: id, viewer });
		let sessions = grant.open.len() as u32;
		if sessions > 0 || Self::let_go(id, &grant).is_err() {
			Grants::<T>::insert(id, grant);
		}
		Ok(sessions)
	}

	/// Forget a grant without sessions, and let the dust whose place its deposit has paid for leave its
	/// viewer's vault for the account (rule 10). Does nothing where that account cannot take it.
	fn let_go(id: GrantId, grant: &Grant<T>) -> DispatchResult {
		with_storage_layer(|| {
			Self::delete_grant(id, grant);
			Self::let_dust_out(&grant.viewer, &grant.asset)
				.map(drop)
				.map_err(|_| Error::<T>::VaultDust.into())
		})
	}

	/// Forget a grant without sessions, and release its deposit.
	pub(crate) fn delete_grant(id: GrantId, grant: &Grant<T>) {
		Grants::<T>::remove(id);
		GrantsOf::<T>::remove(&grant.viewer, id);
		GrantsOfKey::<T>::remove(grant.key, id);
		// An exit must not fail: what somebody has slashed of the deposit does not return.
		let released = T::NativeHold::release(
			&HoldReason::Grant.into(),
			&grant.viewer,
			grant.deposit,
			Precision::BestEffort,
		);
		defensive_assert!(released.is_ok(), "a grant's deposit is held until its deletion");
		Self::deposit_event(Event::GrantDeleted { grant: id });
	}
}
