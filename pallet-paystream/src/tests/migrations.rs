// SPDX-License-Identifier: Apache-2.0

//! Storage of an older version becomes what this one would have stored.

use crate::{
	migrations::{
		v1::{OldGrant, OldSession, OldStream, ENABLED_ASSETS},
		v3, IndexCursor, MigrateToV2, MigrateToV3, MigrateToV4, SettleDust,
	},
	mock::*,
	*,
};
use frame::{
	deps::frame_support::{
		migrations::{SteppedMigration, SteppedMigrationError},
		storage::{storage_prefix, unhashed},
		traits::OnRuntimeUpgrade,
		weights::WeightMeter,
		StorageHasher,
	},
	testing_prelude::*,
	traits::fungibles::Mutate,
};

/// Rewrite the state as version 1 would have stored it: fields cut off, assets in a set.
fn downgrade() {
	for (id, s) in Streams::<Test>::iter().collect::<Vec<_>>() {
		let old = OldStream::<Test> {
			owner: s.owner,
			asset: s.asset,
			rate_per_second: s.rate_per_second,
			changed_at: s.changed_at,
			payees: s.payees,
			funds_min: s.funds_min,
			gap_min_ms: s.gap_min_ms,
			status: s.status,
			stops: s.stops,
			earned: s.earned,
			earned_total: s.earned_total,
			seconds: s.seconds,
			sessions_open: s.sessions_open,
			deposit: s.deposit,
		};
		unhashed::put(&Streams::<Test>::hashed_key_for(id), &old);
	}
	for (id, g) in Grants::<Test>::iter().collect::<Vec<_>>() {
		let old = OldGrant::<Test> {
			viewer: g.viewer,
			key: g.key,
			asset: g.asset,
			rate_max_per_second: g.rate_max_per_second,
			cap: g.cap,
			cap_left: g.cap_left,
			spent: g.spent,
			tips_left: g.tips_left,
			renewals_left: g.renewals_left,
			gap_ms: g.gap_ms,
			created_at: g.created_at,
			expires_at: g.expires_at,
			sessions_max: g.sessions_max,
			open: g.open,
			next_index: g.next_index,
			opened_at: g.opened_at,
			freed_end_at: g.freed_end_at,
			seconds: g.seconds,
			ended_at: g.ended_at,
			deposit: g.deposit,
		};
		unhashed::put(&Grants::<Test>::hashed_key_for(id), &old);
	}
	for (id, index, s) in Sessions::<Test>::iter().collect::<Vec<_>>() {
		let old = OldSession::<Test> {
			viewer: s.viewer,
			key: s.key,
			asset: s.asset,
			stream: s.stream,
			rate_per_second: s.rate_per_second,
			gap_ms: s.gap_ms,
			funds: s.funds,
			seconds: s.seconds,
			started_at: s.started_at,
			opened_at: s.opened_at,
			billed_until: s.billed_until,
			ticked_at: s.ticked_at,
			ended_at: s.ended_at,
		};
		unhashed::put(&Sessions::<Test>::hashed_key_for(id, index), &old);
	}
	for (asset, _) in AssetEntries::<Test>::drain().collect::<Vec<_>>() {
		let mut key = storage_prefix(b"PayStream", ENABLED_ASSETS).to_vec();
		key.extend(Blake2_128Concat::hash(&asset.encode()));
		unhashed::put(&key, &());
	}
	drop_indexes();
	StorageVersion::new(1).put::<PayStream>();
}

/// Up to version 3 there were none.
fn drop_indexes() {
	let _ = StreamsOf::<Test>::clear(u32::MAX, None);
	let _ = SessionsOf::<Test>::clear(u32::MAX, None);
	let _ = SubscriptionsOf::<Test>::clear(u32::MAX, None);
	let _ = GrantsOfKey::<Test>::clear(u32::MAX, None);
}

/// Rewrite the streams as version 2 would have stored them.
fn downgrade_to_v2() {
	for (id, s) in Streams::<Test>::iter().collect::<Vec<_>>() {
		let old = v3::OldStream::<Test> {
			owner: s.owner,
			asset: s.asset,
			rate_per_second: s.rate_per_second,
			changed_at: s.changed_at,
			payees: s.payees,
			funds_min: s.funds_min,
			gap_min_ms: s.gap_min_ms,
			status: s.status,
			stops: s.stops,
			earned: s.earned,
			earned_total: s.earned_total,
			seconds: s.seconds,
			sessions_open: s.sessions_open,
			deposit: s.deposit,
			tips_total: s.tips_total,
			subscribed_total: s.subscribed_total,
			refunded_total: s.refunded_total,
			fees: s.fees,
			subscriptions_open: s.subscriptions_open,
			ended_at: s.ended_at,
		};
		unhashed::put(&Streams::<Test>::hashed_key_for(id), &old);
	}
	drop_indexes();
	StorageVersion::new(2).put::<PayStream>();
}

/// What a runtime names, in its order. Returns what it takes until the steps begin.
fn upgrade() -> Weight {
	let weight = <(MigrateToV2<Test>, MigrateToV3<Test>)>::on_runtime_upgrade();
	let version = StorageVersion::get::<PayStream>();
	assert!(version == StorageVersion::new(3) || version == StorageVersion::new(4));
	steps(u64::MAX);
	weight
}

/// Index so many entries a step until all are. Returns how many steps it took.
fn steps(entries: u64) -> u32 {
	let (mut cursor, mut count) = (None, 0);
	loop {
		let limit =
			MigrateToV4::<Test>::weight_of_entry().saturating_mul(entries.saturating_add(1));
		let mut meter = WeightMeter::with_limit(limit);
		cursor = MigrateToV4::<Test>::step(cursor, &mut meter).expect("an entry fits");
		count += 1;
		if cursor.is_none() {
			return count;
		}
	}
}

/// Every entry of the ledger, encoded.
fn entries() -> Vec<Vec<u8>> {
	let streams = Streams::<Test>::iter().map(|entry| entry.encode());
	let grants = Grants::<Test>::iter().map(|entry| entry.encode());
	let sessions = Sessions::<Test>::iter().map(|entry| entry.encode());
	let assets = AssetEntries::<Test>::iter().map(|entry| entry.encode());
	let rows = StreamsOf::<Test>::iter_keys()
		.map(|row| row.encode())
		.chain(SessionsOf::<Test>::iter_keys().map(|row| row.encode()))
		.chain(SubscriptionsOf::<Test>::iter_keys().map(|row| row.encode()))
		.chain(GrantsOfKey::<Test>::iter_keys().map(|row| row.encode()));
	let mut all: Vec<_> = streams.chain(grants).chain(sessions).chain(assets).chain(rows).collect();
	all.sort();
	all
}

#[test]
fn success_a_ledger_of_the_first_release_goes_on_as_it_was() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		assert_ok!(<Test as Config>::Assets::mint_into(TOKEN, &BOB, 1));
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 300)));
		let ended = new_stream(2);
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 8));
		at(16);
		assert_ok!(tick(grant, 0, 6));
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), ended)));
		at(20);
		assert_ok!(open(grant, 1, stream, 90, 20));
		let before = entries();

		downgrade();
		assert_ne!(entries().len(), before.len());
		assert_eq!(PayStream::streams_of(ALICE, None, 9), None);
		let weight = upgrade();

		assert_eq!(StorageVersion::get::<PayStream>(), StorageVersion::new(4));
		assert_eq!(entries(), before);
		// Two streams, a grant, two sessions, two vaults, two assets.
		let nine = <Test as frame_system::Config>::DbWeight::get().reads_writes(9, 9);
		assert!(weight.all_gte(nine));
		check_state();

		// What was open is charged and closed as if nothing had happened.
		at(26);
		assert_ok!(tick(grant, 0, 12));
		assert_ok!(close(grant, 1, 6));
		assert_eq!(Streams::<Test>::get(stream).map(|s| s.earned), Some((12 + 6) * 3));
	});
}

#[test]
fn success_streams_of_version_2_are_claimed_as_if_nothing_had_been() {
	ExtBuilder::default().treasury_share(Permill::from_percent(10)).build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream_for(3, payees(&[(ALICE, 500_000), (CAROL, 500_000)]));
		let grant = new_grant(GrantTerms { tips_max: 100, ..terms() });
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(17);
		assert_ok!(tick(grant, 0, 7));
		let before = entries();
		downgrade_to_v2();
		assert_ne!(entries(), before);
		let weight = upgrade();
		assert_eq!(StorageVersion::get::<PayStream>(), StorageVersion::new(4));
		assert_eq!(entries(), before);
		assert!(weight.all_gte(<Test as frame_system::Config>::DbWeight::get().reads_writes(1, 1)));
		check_state();
		// Of 21 the treasury's tenth is 2, and half of the rest is 9; of 42 they are 4 and 19.
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(Balances::free_balance(CAROL), ENDOWMENT + 9);
		at(24);
		assert_ok!(tick(grant, 0, 14));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(Balances::free_balance(CAROL), ENDOWMENT + 19);
		assert_eq!(total(TREASURY) + vault(TREASURY), 4);
	});
}

/// What somebody has taken off the list by hand keeps its way out.
#[test]
fn success_of_an_asset_that_is_not_on_the_list() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(<Test as Config>::Assets::mint_into(TOKEN, &BOB, 1));
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 300)));
		downgrade();
		let mut key = storage_prefix(b"PayStream", ENABLED_ASSETS).to_vec();
		key.extend(Blake2_128Concat::hash(&TOKEN.encode()));
		unhashed::kill(&key);
		upgrade();
		let entry = asset_entry(TOKEN);
		assert_eq!((entry.status, entry.owed), (AssetStatus::Disabled, 300));
		check_state();
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), TOKEN, 300)));
	});
}

/// What earlier releases have left in vaults goes to its owners' accounts, or to the treasury.
#[test]
fn success_dust_that_no_deposit_pays_for_leaves() {
	ExtBuilder::default().build_and_execute(|| {
		ready();
		let mut left = 0;
		for (who, dust) in [(BOB, 4), (ALICE, 5), (CAROL, 7), (GHOST, 8), (DAVE, 10)] {
			// Bob's grant and Alice's stream pay for their places; Dave's is worth it.
			Vaults::<Test>::insert(who, NATIVE, dust);
			left += dust;
		}
		AssetEntries::<Test>::mutate(NATIVE, |entry| {
			let entry = entry.as_mut().expect("it is enabled");
			let owed = core::mem::replace(&mut entry.owed, left);
			let less = owed - left;
			assert_ok!(<Test as Config>::Assets::burn_from(
				NATIVE,
				&PayStream::pot(),
				less,
				Preservation::Preserve,
				Precision::Exact,
				Fortitude::Polite
			));
		});
		assert!(PayStream::do_try_state().is_err());
		events();
		let weight = SettleDust::<Test>::on_runtime_upgrade();
		assert!(weight.all_gte(<Test as Config>::WeightInfo::withdraw().saturating_mul(2)));
		let told = events();
		assert_eq!(told.len(), 2);
		assert!(told.contains(&Event::Withdrawn { who: CAROL, asset: NATIVE, amount: 7 }));
		assert!(told.contains(&Event::DustTaken { who: GHOST, asset: NATIVE, amount: 8 }));
		let vaults = [BOB, ALICE, CAROL, GHOST, DAVE, TREASURY].map(vault);
		assert_eq!(vaults, [4, 5, 0, 0, 10, 8]);
		check_state();
		// The second time there is nothing.
		SettleDust::<Test>::on_runtime_upgrade();
		assert_eq!(events(), vec![]);
	});
}

#[test]
fn success_runs_once() {
	ExtBuilder::default().build_and_execute(|| {
		ready();
		let before = entries();
		upgrade();
		assert_eq!(entries(), before);
	});
}

/// A ledger of version 3 with so many streams, each with a session under a grant and with a subscription of
/// its own.
fn ledger_of_version_3(streams: u64) {
	fill_vault(500_000);
	let tier = tier(100, 60, 50);
	for nth in 0..streams {
		let stream = new_stream(3);
		offer(stream, &[tier]);
		assert_ok!(subscribe(stream, tier, 1));
		let grant = new_grant(terms());
		at(10 + nth);
		assert_ok!(open_at_rate(grant, 0, stream, 2, 30));
	}
	drop_indexes();
	StorageVersion::new(3).put::<PayStream>();
}

#[test]
fn success_indexes_are_built_in_steps_within_their_weight() {
	ExtBuilder::default().build_and_execute(|| {
		ledger_of_version_3(30);
		// Nothing is complete until all is.
		assert!(!PayStream::is_indexed());
		check_state();
		let entry = MigrateToV4::<Test>::weight_of_entry();
		let mut meter = WeightMeter::with_limit(entry.saturating_mul(8));
		let cursor = MigrateToV4::<Test>::step(None, &mut meter);
		assert!(matches!(cursor, Ok(Some(IndexCursor::Streams(Some(_))))), "{cursor:?}");
		assert!(meter.consumed().all_lte(meter.limit()));
		assert_eq!(StreamsOf::<Test>::iter_keys().count(), 7);
		assert_eq!(PayStream::streams_of(ALICE, None, 9), None);
		assert_eq!(PayStream::sessions_of(0, None, 9), None);
		assert_eq!(PayStream::subscriptions_of(BOB, None, 9), None);
		assert_eq!(PayStream::grants_of_key(signer().key(), None, 9), None);
		assert_eq!(PayStream::grants_of(BOB, None, 9).len(), 9);

		// 120 entries, and four looks at the ends of the maps.
		assert_eq!(steps(7), 18);
		assert_eq!(StorageVersion::get::<PayStream>(), StorageVersion::new(4));
		check_state();
		assert_eq!(PayStream::streams_of(ALICE, None, 99).map(|page| page.len()), Some(30));
		assert_eq!(PayStream::subscriptions_of(BOB, None, 99).map(|page| page.len()), Some(30));
	});
}

/// A runtime that does not hold its calls back while it migrates.
#[test]
fn success_what_comes_and_goes_between_steps_keeps_its_rows() {
	ExtBuilder::default().build_and_execute(|| {
		ledger_of_version_3(10);
		let entry = MigrateToV4::<Test>::weight_of_entry();
		let (mut cursor, mut nth) = (None, 0);
		loop {
			let mut meter = WeightMeter::with_limit(entry.saturating_mul(4));
			cursor = MigrateToV4::<Test>::step(cursor, &mut meter).expect("an entry fits");
			if cursor.is_none() {
				break;
			}
			if nth < 10 {
				assert_ok!(close(nth, 0, 0));
				assert_ok!(PayStream::transfer_stream(signed(ALICE), nth, CAROL));
				let (stream, grant) = (new_stream(3), new_grant(terms()));
				assert_ok!(open(grant, 0, stream, 30, 20));
			}
			nth += 1;
		}
		assert!(nth > 10, "all of it came and went between two steps: {nth}");
		check_state();
		assert_eq!(PayStream::streams_of(CAROL, None, 99).map(|page| page.len()), Some(10));
	});
}

#[test]
fn refuses_a_step_in_which_no_entry_fits() {
	ExtBuilder::default().build_and_execute(|| {
		ledger_of_version_3(1);
		let required = MigrateToV4::<Test>::weight_of_entry().saturating_mul(2);
		let mut meter = WeightMeter::with_limit(required.saturating_sub(Weight::from_parts(1, 0)));
		assert_eq!(
			MigrateToV4::<Test>::step(None, &mut meter),
			Err(SteppedMigrationError::InsufficientWeight { required })
		);
		assert_eq!(meter.consumed(), Weight::zero());
		assert_eq!(StorageVersion::get::<PayStream>(), StorageVersion::new(3));
	});
}
