// SPDX-License-Identifier: Apache-2.0

//! What pages and relayers ask of the ledger, each in one call: the runtime API's answers, which
//! are the view functions' answers too.

use crate::{
	session::Reading,
	types::{
		AccountIdOf, BalanceOf, ClaimableOf, Grant, GrantId, Moment, Session, SessionIndex,
		StreamId, SubscriptionOf,
	},
	Config, Grants, GrantsOf, Pallet, Sessions, Streams, Subscriptions, Vaults,
};
use alloc::vec::Vec;
use frame::prelude::*;

/// A session as it stands at the block's time.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct SessionView<AccountId, Balance> {
	/// Who watches.
	pub viewer: AccountId,
	/// What is watched.
	pub stream: StreamId,
	/// The price of one second.
	pub rate_per_second: Balance,
	/// All that was ever reserved.
	pub funds: Balance,
	/// What has been charged, the operator's fees included.
	pub paid: Balance,
	/// Seconds charged.
	pub seconds: u32,
	/// The highest total of seconds that a tick may name now.
	pub seconds_max: u32,
	/// For how many seconds after the charged ones the funds last.
	pub runway_seconds: u32,
	/// When it ended, or will at the latest.
	pub ended_at: Moment,
	/// Whether it has ended.
	pub ended: bool,
	/// Whether anybody may settle it.
	pub settleable: bool,
}

/// A grant of an account, with what it can still pay.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct GrantView<AssetKind, Balance> {
	/// Its id.
	pub id: GrantId,
	/// What it pays in.
	pub asset: AssetKind,
	/// The highest rate of a session.
	pub rate_max_per_second: Balance,
	/// What of the cap is neither spent nor reserved.
	pub cap_left: Balance,
	/// What of the vault and the cap together a new session can reserve.
	pub available: Balance,
	/// Which sessions are open.
	pub open: Vec<SessionIndex>,
	/// The index that the next session must name.
	pub next_index: SessionIndex,
	/// When it ended or will end.
	pub ended_at: Moment,
}

impl<T: Config> Pallet<T> {
	/// A session at the block's time.
	pub fn session_view(
		grant: GrantId,
		index: SessionIndex,
	) -> Option<SessionView<AccountIdOf<T>, BalanceOf<T>>> {
		let session = Sessions::<T>::get(grant, index)?;
		let stream = Streams::<T>::get(session.stream)?;
		let reading = session.reading(&stream, Self::now());
		let left = session.left().ok()?;
		Some(SessionView {
			paid: session.paid().ok()?,
			seconds_max: Self::seconds_max(&session, &reading),
			runway_seconds: session.seconds_for(left),
			ended_at: reading.ended_at,
			ended: reading.ended,
			settleable: reading.window_over(T::SettlementWindowMs::get()),
			viewer: session.viewer,
			stream: session.stream,
			rate_per_second: session.rate_per_second,
			funds: session.funds,
			seconds: session.seconds,
		})
	}

	/// The highest total that the clock allows.
	fn seconds_max(session: &Session<T>, reading: &Reading) -> u32 {
		let room = u32::try_from(reading.room_seconds()).unwrap_or(u32::MAX);
		session.seconds.saturating_add(room)
	}

	/// What an account has prepaid in an asset and not reserved.
	pub fn vault_view(who: &T::AccountId, asset: &T::AssetKind) -> BalanceOf<T> {
		Vaults::<T>::get(who, asset)
	}

	/// All grants of an account that are stored, ascending.
	pub fn grants_view(who: &T::AccountId) -> Vec<GrantView<T::AssetKind, BalanceOf<T>>> {
		let mut ids: Vec<_> = GrantsOf::<T>::iter_key_prefix(who).collect();
		ids.sort_unstable();
		ids.into_iter()
			.filter_map(|id| Grants::<T>::get(id).map(|grant| Self::grant_view(id, grant)))
			.collect()
	}

	fn grant_view(id: GrantId, grant: Grant<T>) -> GrantView<T::AssetKind, BalanceOf<T>> {
		let vault = Vaults::<T>::get(&grant.viewer, &grant.asset);
		GrantView {
			id,
			available: vault.min(grant.cap_left),
			asset: grant.asset,
			rate_max_per_second: grant.rate_max_per_second,
			cap_left: grant.cap_left,
			open: grant.open.into_inner(),
			next_index: grant.next_index,
			ended_at: grant.ended_at,
		}
	}

	/// What a claim would pay now: to the treasury, and to each payee in the stream's order. Nothing
	/// where there is no such stream.
	pub fn claimable_view(stream: StreamId) -> Option<ClaimableOf<T>> {
		let stream = Streams::<T>::get(stream)?;
		let (operators, amounts) = Self::claimable(&stream);
		let accounts = stream.payees.into_iter().map(|payee| payee.account);
		Some((operators, accounts.zip(amounts).collect()))
	}

	/// A viewer's subscription to a stream, and the rate that a session would open at now.
	pub fn subscription_view(
		stream: StreamId,
		viewer: &T::AccountId,
	) -> Option<(SubscriptionOf<T>, BalanceOf<T>)> {
		let subscription = Subscriptions::<T>::get(stream, viewer)?;
		let stream = Streams::<T>::get(stream)?;
		let full = stream.rate_per_second;
		let running = stream.ended_at.is_none() && subscription.period_at(Self::now()).is_some();
		let rate = if running { subscription.tier.discounted(full) } else { full };
		Some((subscription, rate))
	}
}
