// SPDX-License-Identifier: Apache-2.0

//! What must hold of the ledger's state, whatever calls came before: I1 to I5. (I6 and I7 are about
//! transitions; the tests check them around every call.)

use crate::{
	session::SECOND_MS,
	types::{AccountIdOf, BalanceOf, Grant, GrantId, Session, SessionIndex},
	AssetEntries, AssetStatus, Config, Grants, GrantsOf, HoldReason, NextGrantId, NextStreamId,
	Pallet, Sessions, StreamStatus, Streams, Subscriptions, Tiers, Vaults,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame::{
	deps::sp_runtime::TryRuntimeError, prelude::*, token::fungible::InspectHold,
	traits::fungibles::Inspect,
};

fn check(holds: bool, invariant: &'static str) -> Result<(), TryRuntimeError> {
	if holds {
		Ok(())
	} else {
		Err(TryRuntimeError::Other(invariant))
	}
}

fn sum<Balance: Zero + CheckedAdd>(
	mut amounts: impl Iterator<Item = Balance>,
) -> Result<Balance, TryRuntimeError> {
	amounts
		.try_fold(Balance::zero(), |sum, amount| sum.checked_add(&amount))
		.ok_or(TryRuntimeError::Other("a sum of the ledger overflows"))
}

impl<T: Config> Pallet<T> {
	/// Check I1 to I5. Reads everything: for tests and `try-runtime`.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::check_conservation()?;
		for (id, grant) in Grants::<T>::iter() {
			let sessions: Vec<_> = Sessions::<T>::iter_prefix(id).collect();
			Self::check_grant(id, &grant, &sessions)?;
			for (index, session) in &sessions {
				Self::check_session(*index, session, &grant)?;
			}
		}
		Self::check_streams()?;
		Self::check_subscriptions()?;
		Self::check_lists()?;
		Self::check_deposits()
	}

	/// All that the ledger owes in an asset: vaults, sessions' remains, streams' earnings and fees,
	/// and what subscriptions hold. Summed over the entries.
	pub fn owed(asset: &T::AssetKind) -> Result<BalanceOf<T>, TryRuntimeError> {
		let vaults =
			sum(Vaults::<T>::iter().filter(|(_, kind, _)| kind == asset).map(|(_, _, free)| free))?;
		let mut remains = BalanceOf::<T>::zero();
		for (_, _, session) in Sessions::<T>::iter().filter(|(_, _, s)| s.asset == *asset) {
			let left = session.left().map_err(|_| "I4: charges are within the funds")?;
			remains = sum([remains, left].into_iter())?;
		}
		let streams = || Streams::<T>::iter_values().filter(|stream| stream.asset == *asset);
		let earned = sum(streams().map(|stream| stream.earned))?;
		let fees = sum(streams().map(|stream| stream.fees))?;
		let mut prepaid = BalanceOf::<T>::zero();
		for (stream, _, subscription) in Subscriptions::<T>::iter() {
			if Streams::<T>::get(stream).is_some_and(|stream| stream.asset == *asset) {
				let held =
					subscription.held().ok_or("I1: what a subscription holds is in range")?;
				prepaid = sum([prepaid, held].into_iter())?;
			}
		}
		sum([vaults, remains, earned, fees, prepaid].into_iter())
	}

	/// I1: the pot covers what the ledger owes, besides the minimum balance with which it was
	/// endowed; and the entry of every asset says how much that is. An asset that was destroyed under
	/// the ledger covers nothing, and waits to be written off.
	fn check_conservation() -> Result<(), TryRuntimeError> {
		for (_, asset, _) in Vaults::<T>::iter() {
			check(AssetEntries::<T>::contains_key(asset), "I1: a vault's asset has an entry")?;
		}
		for stream in Streams::<T>::iter_values() {
			check(
				AssetEntries::<T>::contains_key(stream.asset),
				"I1: a stream's asset has an entry",
			)?;
		}
		for (asset, entry) in AssetEntries::<T>::iter() {
			let owed = Self::owed(&asset)?;
			check(owed == entry.owed, "I1: what is owed is the sum of the entries")?;
			if entry.status == AssetStatus::WrittenOff || !T::Assets::asset_exists(asset.clone()) {
				continue;
			}
			let pot = T::Assets::balance(asset.clone(), &Self::pot());
			let free = pot.checked_sub(&T::Assets::minimum_balance(asset));
			check(free >= Some(owed), "I1: the pot covers what the ledger owes")?;
		}
		Ok(())
	}

	fn check_grant(
		id: GrantId,
		grant: &Grant<T>,
		sessions: &[(SessionIndex, Session<T>)],
	) -> Result<(), TryRuntimeError> {
		let now = Self::now();
		// I2: at no moment do more sessions run than the grant allows.
		let open_seconds = sum(sessions.iter().map(|(_, session)| u64::from(session.seconds)))?;
		let paid_ms = sum([grant.seconds, open_seconds].into_iter())?.checked_mul(SECOND_MS);
		let room_ms =
			now.saturating_sub(grant.created_at).saturating_mul(u64::from(grant.sessions_max));
		check(
			paid_ms.is_some_and(|paid_ms| paid_ms <= room_ms),
			"I2: a grant's seconds fit into its sessions' time",
		)?;
		check(grant.freed_end_at <= now, "I2: a freed session has ended")?;
		check(grant.opened_at <= now, "I2: a session was opened in the past")?;
		check(grant.ended_at <= grant.expires_at, "I2: a grant ends at its expiry at the latest")?;

		// I3
		let reserved = sum(sessions.iter().map(|(_, session)| session.funds))?;
		check(
			sum([grant.cap_left, reserved, grant.spent].into_iter())? == grant.cap,
			"I3: a grant's cap is what is left, reserved and spent",
		)?;

		// I5
		let mut stored: Vec<_> = sessions.iter().map(|(index, _)| *index).collect();
		stored.sort_unstable();
		check(stored == grant.open.to_vec(), "I5: a grant lists its sessions, ascending")?;
		check(
			stored.len() <= grant.sessions_max as usize,
			"I5: no more sessions than the grant allows",
		)?;
		check(
			stored.last().is_none_or(|last| *last < grant.next_index),
			"I6: a session's index is below the grant's next",
		)?;
		check(id < NextGrantId::<T>::get(), "I6: a grant's id is below the next")?;
		check(GrantsOf::<T>::contains_key(&grant.viewer, id), "I5: a viewer's grants are listed")
	}

	fn check_session(
		index: SessionIndex,
		session: &Session<T>,
		grant: &Grant<T>,
	) -> Result<(), TryRuntimeError> {
		let now = Self::now();
		let stream = Streams::<T>::get(session.stream).ok_or("I5: a session's stream is stored")?;
		let reading = session.reading(&stream, now);
		// I2
		let charged_ms = u64::from(session.seconds).saturating_mul(SECOND_MS);
		let passed_ms = reading.end.checked_sub(session.started_at);
		check(
			passed_ms.is_some_and(|passed_ms| charged_ms <= passed_ms),
			"I2: a session's seconds fit between its start and its end",
		)?;
		check(session.billed_until <= reading.end, "I2: no time is charged ahead")?;
		check(
			session.started_at.saturating_add(charged_ms) <= session.billed_until,
			"I2: charged time lies between start and billed until",
		)?;
		check(
			session.started_at.saturating_add(T::HeadStartMaxMs::get()) >= session.opened_at,
			"I2: a session starts at most the head start before its opening",
		)?;
		check(
			session.started_at <= session.opened_at
				&& session.opened_at <= session.ticked_at
				&& session.ticked_at <= now,
			"I2: a session's moments are in order",
		)?;
		check(session.started_at >= grant.created_at, "I2: a session starts under its grant")?;
		check(session.ended_at <= grant.ended_at, "I2: a session ends with its grant")?;

		// I4
		let paid = session.paid().map_err(|_| "I4: charges are in range")?;
		check(paid <= session.funds, "I4: charges are within the funds")?;
		check(
			session.rate_per_second <= grant.rate_max_per_second,
			"I4: a session's rate is within the grant's",
		)?;

		// I5
		check(
			session.viewer == grant.viewer
				&& session.key == grant.key
				&& session.asset == grant.asset
				&& session.gap_ms == grant.gap_ms,
			"I5: a session's copies equal its grant",
		)?;
		check(session.asset == stream.asset, "I5: a session pays in its stream's asset")?;
		check(grant.open.contains(&index), "I5: a session is listed in its grant")
	}

	fn check_streams() -> Result<(), TryRuntimeError> {
		for (id, stream) in Streams::<T>::iter() {
			check(id < NextStreamId::<T>::get(), "I6: a stream's id is below the next")?;
			check(!stream.rate_per_second.is_zero(), "I4: a stream's rate is at least 1")?;
			check(
				stream.earned <= stream.earned_total,
				"I1: a stream owes what it earned at most",
			)?;
			check(
				stream.stops.windows(2).all(|pair| matches!(pair, [a, b] if a < b)),
				"I2: a stream's stops ascend",
			)?;
			check(
				stream.status == StreamStatus::Active || !stream.stops.is_empty(),
				"I2: a stream that stopped remembers when",
			)?;
			let shares = sum(stream.payees.iter().map(|payee| payee.share.deconstruct()))?;
			check(shares == Permill::one().deconstruct(), "I1: a stream's shares are whole")?;
			let sessions = Sessions::<T>::iter_values().filter(|s| s.stream == id).count();
			check(
				sessions == stream.sessions_open as usize,
				"I5: a stream's count of sessions is right",
			)?;
			check(
				Subscriptions::<T>::iter_key_prefix(id).count()
					== stream.subscriptions_open as usize,
				"I5: a stream's count of subscriptions is right",
			)?;
			check(
				(stream.status == StreamStatus::Ended) == stream.ended_at.is_some(),
				"I2: an ended stream remembers when",
			)?;
		}
		Ok(())
	}

	fn check_subscriptions() -> Result<(), TryRuntimeError> {
		for (id, _, subscription) in Subscriptions::<T>::iter() {
			check(Streams::<T>::contains_key(id), "I5: a subscription's stream is stored")?;
			check(
				subscription.periods_earned <= subscription.periods,
				"I1: no more periods are earned than were paid",
			)?;
			check(subscription.started_at <= Self::now(), "I2: a subscription began in the past")?;
		}
		for (id, tiers) in Tiers::<T>::iter() {
			check(Streams::<T>::contains_key(id), "I5: tiers are of a stream")?;
			check(!tiers.is_empty(), "I5: an empty list of tiers has no entry")?;
		}
		Ok(())
	}

	fn check_lists() -> Result<(), TryRuntimeError> {
		for (_, _, free) in Vaults::<T>::iter() {
			check(!free.is_zero(), "I5: an empty vault has no entry")?;
		}
		for (grant, _, _) in Sessions::<T>::iter() {
			check(Grants::<T>::contains_key(grant), "I5: a session's grant is stored")?;
		}
		for (viewer, id, ()) in GrantsOf::<T>::iter() {
			check(
				Grants::<T>::get(id).is_some_and(|grant| grant.viewer == viewer),
				"I5: a listed grant is the viewer's",
			)?;
		}
		Ok(())
	}

	/// I5: the deposits held are the sums of the entries'.
	fn check_deposits() -> Result<(), TryRuntimeError> {
		let streams = Streams::<T>::iter_values().map(|s| (s.owner, s.deposit));
		let grants = Grants::<T>::iter_values().map(|g| (g.viewer, g.deposit));
		let subscriptions = Subscriptions::<T>::iter().map(|(_, who, s)| (who, s.deposit));
		Self::check_held(HoldReason::Subscription, subscriptions)?;
		Self::check_held(HoldReason::Stream, streams)?;
		Self::check_held(HoldReason::Grant, grants)
	}

	fn check_held(
		reason: HoldReason,
		deposits: impl Iterator<Item = (AccountIdOf<T>, BalanceOf<T>)>,
	) -> Result<(), TryRuntimeError> {
		let mut due = BTreeMap::<Vec<u8>, (AccountIdOf<T>, BalanceOf<T>)>::new();
		for (who, deposit) in deposits {
			let (_, total) = due.entry(who.encode()).or_insert((who, Zero::zero()));
			*total = sum([*total, deposit].into_iter())?;
		}
		// Of accounts without an entry nothing is held.
		for who in frame_system::Account::<T>::iter_keys() {
			due.entry(who.encode()).or_insert((who, Zero::zero()));
		}
		let reason = T::RuntimeHoldReason::from(reason);
		for (who, total) in due.into_values() {
			check(
				T::NativeHold::balance_on_hold(&reason, &who) == total,
				"I5: deposits held are the entries'",
			)?;
		}
		Ok(())
	}
}
