// SPDX-License-Identifier: Apache-2.0

//! Migrations of the ledger's storage, each from the version before it.
//!
//! Those up to version 3 run in one block, and their weight is what they read and write. A chain with more
//! entries than a block can carry must not take them as they are. From version 4 on they run in steps, as
//! many blocks as it takes: a runtime names them in `pallet-migrations`, which lets nothing but inherents in
//! until they are through, and names the others in `SingleBlockMigrations`, which come first.

use crate::{
	types::{
		AccountIdOf, AssetEntry, AssetStatus, BalanceOf, Grant, GrantId, Session, SessionIndex,
		Stream, StreamId,
	},
	vault::paid_places,
	AssetEntries, Config, Event, Grants, GrantsOfKey, Pallet, Sessions, SessionsOf, Streams,
	StreamsOf, Subscriptions, SubscriptionsOf, Vaults, WeightInfo,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame::{
	deps::frame_support::{
		migrations::{MigrationId, SteppedMigration, SteppedMigrationError, VersionedMigration},
		storage::migration::storage_key_iter,
		traits::{OnRuntimeUpgrade, UncheckedOnRuntimeUpgrade},
		weights::WeightMeter,
	},
	prelude::*,
	traits::fungibles::Inspect,
};

/// From version 1, the first release: assets get entries that know what is owed in them; streams,
/// grants and sessions get the fields of tips, subscriptions, tick prices and refunds.
pub type MigrateToV2<T> =
	VersionedMigration<1, 2, v2::Migration<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// From version 2: streams get the running total that shares follow. It goes after [`MigrateToV2`].
pub type MigrateToV3<T> =
	VersionedMigration<2, 3, v3::Migration<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// Not of a version: what vaults hold below their asset's minimum balance, for whose places nobody's
/// deposit pays, leaves the ledger (rule 10). Earlier releases have left such dust behind. Harmless where
/// there is none, so it may stay in the list, after [`MigrateToV3`].
pub struct SettleDust<T>(PhantomData<T>);

impl<T: Config> OnRuntimeUpgrade for SettleDust<T> {
	fn on_runtime_upgrade() -> Weight {
		let grants: Vec<_> = Grants::<T>::iter_values().collect();
		let streams: Vec<_> = Streams::<T>::iter_values().collect();
		let paid = paid_places::<T>(grants.iter(), streams.iter());
		let vaults: Vec<_> = Vaults::<T>::iter().collect();
		let read = grants.len().saturating_add(streams.len()).saturating_add(vaults.len());
		let treasury = T::Treasury::get();
		let mut settled = 0u64;
		for (who, asset, free) in vaults {
			let kept = who == treasury
				|| Pallet::<T>::is_written_off(&asset)
				|| paid.contains(&(who.clone(), asset.encode()));
			if !kept && Pallet::<T>::is_dust(&asset, free) {
				settle_dust::<T>(who, asset, free);
				settled = settled.saturating_add(1);
			}
		}
		T::DbWeight::get()
			.reads(read as u64)
			.saturating_add(T::WeightInfo::withdraw().saturating_mul(settled))
	}

	#[cfg(feature = "try-runtime")]
	fn post_upgrade(_: Vec<u8>) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		Pallet::<T>::do_try_state()
	}
}

/// Pay dust to its owner's account, or, where that cannot take it, into the treasury's vault, as a chain
/// takes what is left of an account below the existential deposit.
fn settle_dust<T: Config>(who: AccountIdOf<T>, asset: T::AssetKind, free: BalanceOf<T>) {
	if Pallet::<T>::let_dust_out(&who, &asset).is_ok() {
		return;
	}
	let treasury = T::Treasury::get();
	let Some(more) = Vaults::<T>::get(&treasury, &asset).checked_add(&free) else {
		return;
	};
	Pallet::<T>::set_vault(&who, &asset, Zero::zero());
	Pallet::<T>::set_vault(&treasury, &asset, more);
	Pallet::<T>::deposit_event(Event::DustTaken { who, asset, amount: free });
}

/// The version since which every entry is in its index.
pub(crate) const INDEXED_SINCE: StorageVersion = StorageVersion::new(4);

/// From version 3, in steps: every stream, session, subscription and grant gets its row in the index by
/// which it is looked up. Nothing else changes, and no entry is written.
///
/// It does not rely on the ledger standing still: whatever comes and goes between two steps keeps its own
/// row, and one that is written again stays the same. Until it is through, the version stays 3 and lookups
/// answer nothing. On a ledger of another version it does nothing.
pub struct MigrateToV4<T>(PhantomData<T>);

/// Up to where the indexes are built: the map, and the key of the entry that was indexed last.
#[derive(
	Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, PartialEq, Eq, Debug,
)]
pub enum IndexCursor<AccountId> {
	/// Among the streams.
	Streams(Option<StreamId>),
	/// Among the sessions.
	Sessions(Option<(GrantId, SessionIndex)>),
	/// Among the subscriptions.
	Subscriptions(Option<(StreamId, AccountId)>),
	/// Among the grants.
	Grants(Option<GrantId>),
}

impl<T: Config> MigrateToV4<T> {
	/// What indexing an entry weighs at most: reading one and writing a row is less than revoking a grant
	/// with one session, which reads two entries and writes both.
	pub fn weight_of_entry() -> Weight {
		T::WeightInfo::revoke(1)
	}

	/// Index the entry after the cursor. Returns where to go on; nothing where all are indexed.
	fn index_next(cursor: IndexCursor<AccountIdOf<T>>) -> Option<IndexCursor<AccountIdOf<T>>> {
		use IndexCursor as At;
		Some(match cursor {
			At::Streams(after) => match Self::index_stream(after) {
				None => At::Sessions(None),
				last => At::Streams(last),
			},
			At::Sessions(after) => match Self::index_session(after) {
				None => At::Subscriptions(None),
				last => At::Sessions(last),
			},
			At::Subscriptions(after) => match Self::index_subscription(after) {
				None => At::Grants(None),
				last => At::Subscriptions(last),
			},
			At::Grants(after) => At::Grants(Some(Self::index_grant(after)?)),
		})
	}

	fn index_stream(after: Option<StreamId>) -> Option<StreamId> {
		let mut rest = match after {
			None => Streams::<T>::iter(),
			Some(id) => Streams::<T>::iter_from(Streams::<T>::hashed_key_for(id)),
		};
		let (id, stream) = rest.next()?;
		StreamsOf::<T>::insert(stream.owner, id, ());
		Some(id)
	}

	fn index_session(after: Option<(GrantId, SessionIndex)>) -> Option<(GrantId, SessionIndex)> {
		let mut rest = match after {
			None => Sessions::<T>::iter(),
			Some((grant, index)) => {
				Sessions::<T>::iter_from(Sessions::<T>::hashed_key_for(grant, index))
			}
		};
		let (grant, index, session) = rest.next()?;
		SessionsOf::<T>::insert(session.stream, (grant, index), ());
		Some((grant, index))
	}

	fn index_subscription(
		after: Option<(StreamId, AccountIdOf<T>)>,
	) -> Option<(StreamId, AccountIdOf<T>)> {
		let mut rest = match after {
			None => Subscriptions::<T>::iter_keys(),
			Some((stream, viewer)) => Subscriptions::<T>::iter_keys_from(
				Subscriptions::<T>::hashed_key_for(stream, viewer),
			),
		};
		let (stream, viewer) = rest.next()?;
		SubscriptionsOf::<T>::insert(&viewer, stream, ());
		Some((stream, viewer))
	}

	fn index_grant(after: Option<GrantId>) -> Option<GrantId> {
		let mut rest = match after {
			None => Grants::<T>::iter(),
			Some(id) => Grants::<T>::iter_from(Grants::<T>::hashed_key_for(id)),
		};
		let (id, grant) = rest.next()?;
		GrantsOfKey::<T>::insert(grant.key, id, ());
		Some(id)
	}
}

impl<T: Config> SteppedMigration for MigrateToV4<T> {
	type Cursor = IndexCursor<AccountIdOf<T>>;
	type Identifier = MigrationId<16>;

	fn id() -> Self::Identifier {
		MigrationId { pallet_id: *b"pallet-paystream", version_from: 3, version_to: 4 }
	}

	fn step(
		cursor: Option<Self::Cursor>,
		meter: &mut WeightMeter,
	) -> Result<Option<Self::Cursor>, SteppedMigrationError> {
		// Looking at the version, and raising it, is less than indexing an entry; and one must fit, or no step
		// would get anywhere.
		let entry = Self::weight_of_entry();
		let required = entry.saturating_mul(2);
		if !meter.can_consume(required) {
			return Err(SteppedMigrationError::InsufficientWeight { required });
		}
		meter.consume(entry);
		if Pallet::<T>::on_chain_storage_version() != StorageVersion::new(3) {
			return Ok(None);
		}
		let mut cursor = cursor.unwrap_or(IndexCursor::Streams(None));
		while meter.try_consume(entry).is_ok() {
			match Self::index_next(cursor) {
				Some(next) => cursor = next,
				None => {
					INDEXED_SINCE.put::<Pallet<T>>();
					return Ok(None);
				}
			}
		}
		Ok(Some(cursor))
	}

	#[cfg(feature = "try-runtime")]
	fn post_upgrade(_: Vec<u8>) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
		Pallet::<T>::do_try_state()
	}
}

/// Entries as version 1 stored them: the fields in front of those that came later.
pub mod v1 {
	use super::*;
	use crate::types::{DelegateKey, Moment, PayeesOf, SessionIndex, StreamId, StreamStatus};

	/// A stream.
	#[derive(Encode, Decode)]
	#[allow(missing_docs)]
	pub struct OldStream<T: Config> {
		pub owner: AccountIdOf<T>,
		pub asset: T::AssetKind,
		pub rate_per_second: BalanceOf<T>,
		pub changed_at: Moment,
		pub payees: PayeesOf<T>,
		pub funds_min: BalanceOf<T>,
		pub gap_min_ms: u64,
		pub status: StreamStatus,
		pub stops: BoundedVec<Moment, T::MaxStops>,
		pub earned: BalanceOf<T>,
		pub earned_total: BalanceOf<T>,
		pub seconds: u64,
		pub sessions_open: u32,
		pub deposit: BalanceOf<T>,
	}

	/// A grant.
	#[derive(Encode, Decode)]
	#[allow(missing_docs)]
	pub struct OldGrant<T: Config> {
		pub viewer: AccountIdOf<T>,
		pub key: DelegateKey,
		pub asset: T::AssetKind,
		pub rate_max_per_second: BalanceOf<T>,
		pub cap: BalanceOf<T>,
		pub cap_left: BalanceOf<T>,
		pub spent: BalanceOf<T>,
		pub tips_left: BalanceOf<T>,
		pub renewals_left: u32,
		pub gap_ms: u64,
		pub created_at: Moment,
		pub expires_at: Moment,
		pub sessions_max: u32,
		pub open: BoundedVec<SessionIndex, T::MaxSessionsPerGrant>,
		pub next_index: SessionIndex,
		pub opened_at: Moment,
		pub freed_end_at: Moment,
		pub seconds: u64,
		pub ended_at: Moment,
		pub deposit: BalanceOf<T>,
	}

	/// A session.
	#[derive(Encode, Decode)]
	#[allow(missing_docs)]
	pub struct OldSession<T: Config> {
		pub viewer: AccountIdOf<T>,
		pub key: DelegateKey,
		pub asset: T::AssetKind,
		pub stream: StreamId,
		pub rate_per_second: BalanceOf<T>,
		pub gap_ms: u64,
		pub funds: BalanceOf<T>,
		pub seconds: u32,
		pub started_at: Moment,
		pub opened_at: Moment,
		pub billed_until: Moment,
		pub ticked_at: Moment,
		pub ended_at: Moment,
	}

	/// The storage map of enabled assets, which has become `AssetEntries`.
	pub const ENABLED_ASSETS: &[u8] = b"EnabledAssets";
}

/// To version 2.
pub mod v2 {
	use super::*;
	use crate::types::StreamStatus;
	use v1::{OldGrant, OldSession, OldStream};

	/// Rewrites every entry. Use [`MigrateToV2`], which looks at the version first.
	pub struct Migration<T>(PhantomData<T>);

	/// What was owed in each asset, by its encoding.
	type Owed<T> = BTreeMap<Vec<u8>, BalanceOf<T>>;

	fn owe<T: Config>(owed: &mut Owed<T>, asset: &T::AssetKind, amount: BalanceOf<T>) {
		let sum = owed.entry(asset.encode()).or_insert(Zero::zero());
		*sum = sum.saturating_add(amount);
	}

	impl<T: Config> UncheckedOnRuntimeUpgrade for Migration<T> {
		fn on_runtime_upgrade() -> Weight {
			let mut owed = Owed::<T>::new();
			let mut entries = 0u64;
			Streams::<T>::translate::<OldStream<T>, _>(|_, old| {
				entries = entries.saturating_add(1);
				owe::<T>(&mut owed, &old.asset, old.earned);
				Some(stream(old))
			});
			Grants::<T>::translate::<OldGrant<T>, _>(|_, old| {
				entries = entries.saturating_add(1);
				Some(grant(old))
			});
			Sessions::<T>::translate::<OldSession<T>, _>(|_, _, old| {
				entries = entries.saturating_add(1);
				let session = session(old);
				owe::<T>(&mut owed, &session.asset, session.left().unwrap_or_default());
				Some(session)
			});
			for (_, asset, free) in Vaults::<T>::iter() {
				entries = entries.saturating_add(1);
				owe::<T>(&mut owed, &asset, free);
			}
			let name = Pallet::<T>::name().as_bytes();
			let assets: Vec<_> =
				storage_key_iter::<T::AssetKind, (), Blake2_128Concat>(name, v1::ENABLED_ASSETS)
					.drain()
					.collect();
			for (asset, ()) in assets {
				entries = entries.saturating_add(1);
				let owed = owed.remove(&asset.encode()).unwrap_or_default();
				AssetEntries::<T>::insert(
					&asset,
					entry_of::<T>(&asset, AssetStatus::Enabled, owed),
				);
			}
			// No call of version 1 took an asset off the list again. Where an operator did it by writing to
			// storage, everybody's way out still needs the entry.
			for (encoded, owed) in owed {
				let Ok(asset) = T::AssetKind::decode(&mut &encoded[..]) else { continue };
				entries = entries.saturating_add(1);
				AssetEntries::<T>::insert(
					&asset,
					entry_of::<T>(&asset, AssetStatus::Disabled, owed),
				);
			}
			T::DbWeight::get().reads_writes(entries, entries)
		}

		#[cfg(feature = "try-runtime")]
		fn post_upgrade(_: Vec<u8>) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
			Pallet::<T>::try_state_before_dust()
		}
	}

	fn entry_of<T: Config>(
		asset: &T::AssetKind,
		status: AssetStatus,
		owed: BalanceOf<T>,
	) -> AssetEntry<BalanceOf<T>> {
		let tip_min = T::Assets::minimum_balance(asset.clone());
		AssetEntry { status, tick_price: Zero::zero(), tip_min, owed }
	}

	fn stream<T: Config>(old: OldStream<T>) -> Stream<T> {
		let ended = old.status == StreamStatus::Ended;
		Stream {
			// An end that found the stream paused was not noted; sessions stopped at the pause.
			ended_at: ended.then(|| old.stops.last().copied().unwrap_or(old.changed_at)),
			owner: old.owner,
			asset: old.asset,
			rate_per_second: old.rate_per_second,
			changed_at: old.changed_at,
			payees: old.payees,
			funds_min: old.funds_min,
			gap_min_ms: old.gap_min_ms,
			status: old.status,
			stops: old.stops,
			earned: old.earned,
			earned_total: old.earned_total,
			seconds: old.seconds,
			sessions_open: old.sessions_open,
			deposit: old.deposit,
			tips_total: Zero::zero(),
			subscribed_total: Zero::zero(),
			refunded_total: Zero::zero(),
			fees: Zero::zero(),
			subscriptions_open: 0,
			// Of version 3, at the entry's end: for version 2 they are not there.
			shared_total: Zero::zero(),
			treasury_share: Permill::zero(),
		}
	}

	fn grant<T: Config>(old: OldGrant<T>) -> Grant<T> {
		Grant {
			viewer: old.viewer,
			key: old.key,
			asset: old.asset,
			rate_max_per_second: old.rate_max_per_second,
			cap: old.cap,
			cap_left: old.cap_left,
			spent: old.spent,
			tips_left: old.tips_left,
			renewals_left: old.renewals_left,
			gap_ms: old.gap_ms,
			created_at: old.created_at,
			expires_at: old.expires_at,
			sessions_max: old.sessions_max,
			open: old.open,
			next_index: old.next_index,
			opened_at: old.opened_at,
			freed_end_at: old.freed_end_at,
			seconds: old.seconds,
			ended_at: old.ended_at,
			deposit: old.deposit,
			tips_total: Zero::zero(),
			renewals_total: 0,
			tipped_at: 0,
		}
	}

	fn session<T: Config>(old: OldSession<T>) -> Session<T> {
		Session {
			viewer: old.viewer,
			key: old.key,
			asset: old.asset,
			stream: old.stream,
			rate_per_second: old.rate_per_second,
			gap_ms: old.gap_ms,
			funds: old.funds,
			seconds: old.seconds,
			started_at: old.started_at,
			opened_at: old.opened_at,
			billed_until: old.billed_until,
			ticked_at: old.ticked_at,
			ended_at: old.ended_at,
			tick_price: Zero::zero(),
			fees: Zero::zero(),
		}
	}
}

/// To version 3.
pub mod v3 {
	use super::*;
	use crate::types::{Moment, PayeesOf, StreamStatus};

	/// A stream as version 2 stored it.
	#[derive(Encode, Decode)]
	#[allow(missing_docs)]
	pub struct OldStream<T: Config> {
		pub owner: AccountIdOf<T>,
		pub asset: T::AssetKind,
		pub rate_per_second: BalanceOf<T>,
		pub changed_at: Moment,
		pub payees: PayeesOf<T>,
		pub funds_min: BalanceOf<T>,
		pub gap_min_ms: u64,
		pub status: StreamStatus,
		pub stops: BoundedVec<Moment, T::MaxStops>,
		pub earned: BalanceOf<T>,
		pub earned_total: BalanceOf<T>,
		pub seconds: u64,
		pub sessions_open: u32,
		pub deposit: BalanceOf<T>,
		pub tips_total: BalanceOf<T>,
		pub subscribed_total: BalanceOf<T>,
		pub refunded_total: BalanceOf<T>,
		pub fees: BalanceOf<T>,
		pub subscriptions_open: u32,
		pub ended_at: Option<Moment>,
	}

	/// Rewrites every stream. Use [`MigrateToV3`], which looks at the version first.
	pub struct Migration<T>(PhantomData<T>);

	impl<T: Config> UncheckedOnRuntimeUpgrade for Migration<T> {
		fn on_runtime_upgrade() -> Weight {
			let mut entries = 0u64;
			Streams::<T>::translate::<OldStream<T>, _>(|_, old| {
				entries = entries.saturating_add(1);
				Some(stream(old))
			});
			T::DbWeight::get().reads_writes(entries, entries)
		}

		#[cfg(feature = "try-runtime")]
		fn post_upgrade(_: Vec<u8>) -> Result<(), frame::deps::sp_runtime::TryRuntimeError> {
			Pallet::<T>::try_state_before_dust()
		}
	}

	/// Its running total begins with what is there to be claimed.
	fn stream<T: Config>(old: OldStream<T>) -> Stream<T> {
		Stream {
			owner: old.owner,
			asset: old.asset,
			rate_per_second: old.rate_per_second,
			changed_at: old.changed_at,
			payees: old.payees,
			funds_min: old.funds_min,
			gap_min_ms: old.gap_min_ms,
			status: old.status,
			stops: old.stops,
			earned: old.earned,
			earned_total: old.earned_total,
			seconds: old.seconds,
			sessions_open: old.sessions_open,
			deposit: old.deposit,
			tips_total: old.tips_total,
			subscribed_total: old.subscribed_total,
			refunded_total: old.refunded_total,
			fees: old.fees,
			subscriptions_open: old.subscriptions_open,
			ended_at: old.ended_at,
			shared_total: Zero::zero(),
			treasury_share: Permill::zero(),
		}
	}
}
