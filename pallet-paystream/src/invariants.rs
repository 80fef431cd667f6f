// SPDX-License-Identifier: Apache-2.0

//! What must hold of the ledger's state, whatever calls came before: I1 to I5. (I6 and I7 are about
//! transitions; the tests check them around every call.)
//!
//! Every map is read once, into [`Entries`], and the checks look things up there: so the whole takes
//! as many reads as there are entries, and a busy chain can be checked.

use crate::{
	session::SECOND_MS,
	types::{
		AccountIdOf, AssetEntryOf, BalanceOf, Grant, GrantId, Moment, Session, SessionIndex,
		Stream, StreamId, SubscriptionOf, TiersOf,
	},
	vault::paid_places,
	AssetEntries, AssetStatus, Config, Grants, GrantsOf, GrantsOfKey, HoldReason, NextGrantId,
	NextStreamId, Pallet, Sessions, SessionsOf, StreamStatus, Streams, StreamsOf, Subscriptions,
	SubscriptionsOf, Tiers, Vaults,
};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
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

/// Whether every row of an index names an entry, and there are as many as entries: each names one of its
/// own, so that none is missing.
fn names_all(rows: impl Iterator<Item = bool>, entries: usize) -> bool {
	let mut count = 0usize;
	for names_one in rows {
		if !names_one {
			return false;
		}
		count = count.saturating_add(1);
	}
	count == entries
}

/// Sums by a key; of what was never added to, zero.
struct Sums<Key, Balance>(BTreeMap<Key, Balance>);

impl<Key: Ord, Balance: Zero + CheckedAdd + Copy> Sums<Key, Balance> {
	fn new() -> Self {
		Self(BTreeMap::new())
	}

	fn add(&mut self, key: Key, amount: Balance) -> Result<(), TryRuntimeError> {
		let total = self.0.entry(key).or_insert_with(Zero::zero);
		*total = sum([*total, amount].into_iter())?;
		Ok(())
	}

	fn of(&self, key: &Key) -> Balance {
		self.0.get(key).copied().unwrap_or_else(Zero::zero)
	}
}

/// What the ledger owes, by the name of an asset in SCALE: names need have no order.
type Owed<T> = Sums<Vec<u8>, BalanceOf<T>>;

/// All entries, each map read once.
struct Entries<T: Config> {
	now: Moment,
	next_grant: GrantId,
	next_stream: StreamId,
	assets: Vec<(T::AssetKind, AssetEntryOf<T>)>,
	vaults: Vec<(AccountIdOf<T>, T::AssetKind, BalanceOf<T>)>,
	streams: BTreeMap<StreamId, Stream<T>>,
	tiers: Vec<(StreamId, TiersOf<T>)>,
	subscriptions: Vec<(StreamId, AccountIdOf<T>, SubscriptionOf<T>)>,
	grants: BTreeMap<GrantId, Grant<T>>,
	grants_of: BTreeSet<(AccountIdOf<T>, GrantId)>,
	sessions: BTreeMap<(GrantId, SessionIndex), Session<T>>,
}

impl<T: Config> Entries<T> {
	fn read() -> Self {
		Self {
			now: Pallet::<T>::now(),
			next_grant: NextGrantId::<T>::get(),
			next_stream: NextStreamId::<T>::get(),
			assets: AssetEntries::<T>::iter().collect(),
			vaults: Vaults::<T>::iter().collect(),
			streams: Streams::<T>::iter().collect(),
			tiers: Tiers::<T>::iter().collect(),
			subscriptions: Subscriptions::<T>::iter().collect(),
			grants: Grants::<T>::iter().collect(),
			grants_of: GrantsOf::<T>::iter().map(|(viewer, id, ())| (viewer, id)).collect(),
			sessions: Sessions::<T>::iter().map(|(id, index, s)| ((id, index), s)).collect(),
		}
	}

	/// A grant's sessions, ascending.
	fn sessions_of(&self, grant: GrantId) -> Vec<(SessionIndex, &Session<T>)> {
		let all = (grant, SessionIndex::MIN)..=(grant, SessionIndex::MAX);
		self.sessions.range(all).map(|((_, index), session)| (*index, session)).collect()
	}

	/// All that the ledger owes: vaults, sessions' remains, streams' earnings and fees, and what
	/// subscriptions hold.
	fn owed(&self) -> Result<Owed<T>, TryRuntimeError> {
		let mut owed = Owed::<T>::new();
		for (_, asset, free) in &self.vaults {
			owed.add(asset.encode(), *free)?;
		}
		for session in self.sessions.values() {
			let left = session.left().map_err(|_| "I4: charges are within the funds")?;
			owed.add(session.asset.encode(), left)?;
		}
		for stream in self.streams.values() {
			owed.add(stream.asset.encode(), stream.earned)?;
			owed.add(stream.asset.encode(), stream.fees)?;
		}
		for (id, _, subscription) in &self.subscriptions {
			if let Some(stream) = self.streams.get(id) {
				let held =
					subscription.held().ok_or("I1: what a subscription holds is in range")?;
				owed.add(stream.asset.encode(), held)?;
			}
		}
		Ok(owed)
	}
}

impl<T: Config> Pallet<T> {
	/// Check I1 to I5. Reads everything, and holds it in memory: for tests and `try-runtime`.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let entries = Entries::<T>::read();
		Self::check_entries(&entries)?;
		Self::check_dust(&entries)
	}

	/// The same of entries among which dust of earlier releases may be, which [`SettleDust`] has not met.
	///
	/// [`SettleDust`]: crate::migrations::SettleDust
	#[cfg(feature = "try-runtime")]
	pub(crate) fn try_state_before_dust() -> Result<(), TryRuntimeError> {
		Self::check_entries(&Entries::<T>::read())
	}

	fn check_entries(entries: &Entries<T>) -> Result<(), TryRuntimeError> {
		Self::check_conservation(entries)?;
		for (id, grant) in &entries.grants {
			let sessions = entries.sessions_of(*id);
			Self::check_grant(*id, grant, &sessions, entries)?;
			for (index, session) in sessions {
				let stream = entries.streams.get(&session.stream);
				let stream = stream.ok_or("I5: a session's stream is stored")?;
				Self::check_session(index, session, grant, stream, entries.now)?;
			}
		}
		Self::check_streams(entries)?;
		Self::check_subscriptions(entries)?;
		Self::check_lists(entries)?;
		Self::check_indexes(entries)?;
		Self::check_deposits(entries)
	}

	/// All that the ledger owes in an asset, summed over the entries.
	pub fn owed(asset: &T::AssetKind) -> Result<BalanceOf<T>, TryRuntimeError> {
		Ok(Entries::<T>::read().owed()?.of(&asset.encode()))
	}

	/// I1: the pot covers what the ledger owes, besides the minimum balance with which it was
	/// endowed; and the entry of every asset says how much that is. An asset that was destroyed under
	/// the ledger covers nothing, and waits to be written off.
	fn check_conservation(entries: &Entries<T>) -> Result<(), TryRuntimeError> {
		let known: BTreeSet<_> = entries.assets.iter().map(|(asset, _)| asset.encode()).collect();
		for (_, asset, _) in &entries.vaults {
			check(known.contains(&asset.encode()), "I1: a vault's asset has an entry")?;
		}
		for stream in entries.streams.values() {
			check(known.contains(&stream.asset.encode()), "I1: a stream's asset has an entry")?;
		}
		let owed = entries.owed()?;
		for (asset, entry) in &entries.assets {
			let owed = owed.of(&asset.encode());
			check(owed == entry.owed, "I1: what is owed is the sum of the entries")?;
			if entry.status == AssetStatus::WrittenOff || !T::Assets::asset_exists(asset.clone()) {
				continue;
			}
			let pot = T::Assets::balance(asset.clone(), &Self::pot());
			let free = pot.checked_sub(&T::Assets::minimum_balance(asset.clone()));
			check(free >= Some(owed), "I1: the pot covers what the ledger owes")?;
		}
		Ok(())
	}

	fn check_grant(
		id: GrantId,
		grant: &Grant<T>,
		sessions: &[(SessionIndex, &Session<T>)],
		entries: &Entries<T>,
	) -> Result<(), TryRuntimeError> {
		let now = entries.now;
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
		let stored: Vec<_> = sessions.iter().map(|(index, _)| *index).collect();
		check(stored == grant.open.to_vec(), "I5: a grant lists its sessions, ascending")?;
		check(
			stored.len() <= grant.sessions_max as usize,
			"I5: no more sessions than the grant allows",
		)?;
		check(
			stored.last().is_none_or(|last| *last < grant.next_index),
			"I6: a session's index is below the grant's next",
		)?;
		check(id < entries.next_grant, "I6: a grant's id is below the next")?;
		check(
			entries.grants_of.contains(&(grant.viewer.clone(), id)),
			"I5: a viewer's grants are listed",
		)
	}

	fn check_session(
		index: SessionIndex,
		session: &Session<T>,
		grant: &Grant<T>,
		stream: &Stream<T>,
		now: Moment,
	) -> Result<(), TryRuntimeError> {
		let reading = session.reading(stream, now);
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

	fn check_streams(entries: &Entries<T>) -> Result<(), TryRuntimeError> {
		let (mut sessions, mut subscriptions) = (Sums::new(), Sums::new());
		for session in entries.sessions.values() {
			sessions.add(session.stream, 1u32)?;
		}
		for (id, ..) in &entries.subscriptions {
			subscriptions.add(*id, 1u32)?;
		}
		for (id, stream) in &entries.streams {
			check(*id < entries.next_stream, "I6: a stream's id is below the next")?;
			check(!stream.rate_per_second.is_zero(), "I4: a stream's rate is at least 1")?;
			check(
				stream.earned <= stream.earned_total,
				"I1: a stream owes what it earned at most",
			)?;
			check(
				Self::left_over(stream) <= stream.earned,
				"I1: what shares left over is among the earnings",
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
			check(
				sessions.of(id) == stream.sessions_open,
				"I5: a stream's count of sessions is right",
			)?;
			check(
				subscriptions.of(id) == stream.subscriptions_open,
				"I5: a stream's count of subscriptions is right",
			)?;
			check(
				(stream.status == StreamStatus::Ended) == stream.ended_at.is_some(),
				"I2: an ended stream remembers when",
			)?;
		}
		Ok(())
	}

	fn check_subscriptions(entries: &Entries<T>) -> Result<(), TryRuntimeError> {
		for (id, _, subscription) in &entries.subscriptions {
			check(entries.streams.contains_key(id), "I5: a subscription's stream is stored")?;
			check(
				subscription.periods_earned <= subscription.periods,
				"I1: no more periods are earned than were paid",
			)?;
			check(subscription.started_at <= entries.now, "I2: a subscription began in the past")?;
		}
		for (id, tiers) in &entries.tiers {
			check(entries.streams.contains_key(id), "I5: tiers are of a stream")?;
			check(!tiers.is_empty(), "I5: an empty list of tiers has no entry")?;
		}
		Ok(())
	}

	fn check_lists(entries: &Entries<T>) -> Result<(), TryRuntimeError> {
		for (_, _, free) in &entries.vaults {
			check(!free.is_zero(), "I5: an empty vault has no entry")?;
		}
		for (grant, _) in entries.sessions.keys() {
			check(entries.grants.contains_key(grant), "I5: a session's grant is stored")?;
		}
		for (viewer, id) in &entries.grants_of {
			check(
				entries.grants.get(id).is_some_and(|grant| grant.viewer == *viewer),
				"I5: a listed grant is the viewer's",
			)?;
		}
		Ok(())
	}

	/// I5 (rule 10): a vault that is not worth its place has it paid for by somebody's deposit. The
	/// treasury's is the operator's own, one for each asset. Of an asset that is written off everything is
	/// erased, and what its minimum balance was is not known.
	fn check_dust(entries: &Entries<T>) -> Result<(), TryRuntimeError> {
		let paid = paid_places::<T>(entries.grants.values(), entries.streams.values());
		let written_off = |asset: &T::AssetKind| {
			let entry = entries.assets.iter().find(|(other, _)| other == asset);
			entry.is_some_and(|(_, entry)| entry.status == AssetStatus::WrittenOff)
		};
		for (who, asset, free) in &entries.vaults {
			let exempt = *who == T::Treasury::get() || written_off(asset);
			check(
				!Self::is_dust(asset, *free)
					|| exempt || paid.contains(&(who.clone(), asset.encode())),
				"I5: dust in a vault is paid for by a deposit",
			)?;
		}
		Ok(())
	}

	/// I5: each index names every entry, and nothing else. Its rows are read once, and not kept. While a
	/// migration still builds them there is nothing to check.
	fn check_indexes(entries: &Entries<T>) -> Result<(), TryRuntimeError> {
		if !Self::is_indexed() {
			return Ok(());
		}
		let owned = |who, id| entries.streams.get(&id).is_some_and(|stream| stream.owner == who);
		let rows = StreamsOf::<T>::iter_keys().map(|(who, id)| owned(who, id));
		check(names_all(rows, entries.streams.len()), "I5: an owner's streams are listed")?;
		let watched = |stream, ids| entries.sessions.get(&ids).is_some_and(|s| s.stream == stream);
		let rows = SessionsOf::<T>::iter_keys().map(|(stream, ids)| watched(stream, ids));
		check(names_all(rows, entries.sessions.len()), "I5: a stream's sessions are listed")?;
		let signed = |key, id| entries.grants.get(&id).is_some_and(|grant| grant.key == key);
		let rows = GrantsOfKey::<T>::iter_keys().map(|(key, id)| signed(key, id));
		check(names_all(rows, entries.grants.len()), "I5: a key's grants are listed")?;
		let subscribed: BTreeSet<_> =
			entries.subscriptions.iter().map(|(id, viewer, _)| (viewer, *id)).collect();
		let rows =
			SubscriptionsOf::<T>::iter_keys().map(|(who, id)| subscribed.contains(&(&who, id)));
		check(names_all(rows, subscribed.len()), "I5: a viewer's subscriptions are listed")
	}

	/// I5: the deposits held are the sums of the entries', and of accounts without an entry nothing is
	/// held.
	fn check_deposits(entries: &Entries<T>) -> Result<(), TryRuntimeError> {
		let (mut streams, mut grants, mut subscriptions) = (Sums::new(), Sums::new(), Sums::new());
		for stream in entries.streams.values() {
			streams.add(&stream.owner, stream.deposit)?;
		}
		for grant in entries.grants.values() {
			grants.add(&grant.viewer, grant.deposit)?;
		}
		for (_, viewer, subscription) in &entries.subscriptions {
			subscriptions.add(viewer, subscription.deposit)?;
		}
		let stored: BTreeSet<_> = frame_system::Account::<T>::iter_keys().collect();
		for (reason, due) in [
			(HoldReason::Subscription, &subscriptions),
			(HoldReason::Stream, &streams),
			(HoldReason::Grant, &grants),
		] {
			let reason = T::RuntimeHoldReason::from(reason);
			let others = due.0.keys().copied().filter(|who| !stored.contains(*who));
			for who in stored.iter().chain(others) {
				check(
					T::NativeHold::balance_on_hold(&reason, who) == due.of(&who),
					"I5: deposits held are the entries'",
				)?;
			}
		}
		Ok(())
	}
}
