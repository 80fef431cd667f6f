// SPDX-License-Identifier: Apache-2.0

//! Storage of an older version becomes what this one would have stored.

use crate::{
	migrations::{
		v1::{OldGrant, OldSession, OldStream, ENABLED_ASSETS},
		v3, MigrateToV2, MigrateToV3, SettleDust,
	},
	mock::*,
	*,
};
use frame::{
	deps::frame_support::{
		storage::{storage_prefix, unhashed},
		traits::OnRuntimeUpgrade,
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
	StorageVersion::new(1).put::<PayStream>();
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
	StorageVersion::new(2).put::<PayStream>();
}

/// What a runtime names, in its order.
fn upgrade() -> Weight {
	<(MigrateToV2<Test>, MigrateToV3<Test>)>::on_runtime_upgrade()
}

/// Every entry of the ledger, encoded.
fn entries() -> Vec<Vec<u8>> {
	let streams = Streams::<Test>::iter().map(|entry| entry.encode());
	let grants = Grants::<Test>::iter().map(|entry| entry.encode());
	let sessions = Sessions::<Test>::iter().map(|entry| entry.encode());
	let assets = AssetEntries::<Test>::iter().map(|entry| entry.encode());
	let mut all: Vec<_> = streams.chain(grants).chain(sessions).chain(assets).collect();
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
		let weight = upgrade();

		assert_eq!(StorageVersion::get::<PayStream>(), StorageVersion::new(3));
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
		assert_eq!(StorageVersion::get::<PayStream>(), StorageVersion::new(3));
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
