// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn enable(asset: Kind, tip_min: u128) -> DispatchResult {
	step(|| PayStream::enable_asset(root(), asset, tip_min))
}

/// An asset of Carol's with a minimum balance of 5, of which Bob has 1,000.
fn new_asset() {
	assert_ok!(Assets::force_create(root(), 8, CAROL, true, 5));
	assert_ok!(Assets::mint(signed(CAROL), 8, BOB, 1_000));
}

#[test]
fn success_lets_an_asset_in() {
	ExtBuilder::default().build_and_execute(|| {
		new_asset();
		assert_ok!(Assets::transfer(signed(BOB), 8, PayStream::pot(), 5));
		events();
		assert_ok!(enable(FOREIGN, 20));
		assert_eq!(events(), vec![Event::AssetEnabled { asset: FOREIGN, tip_min: 20 }]);
		let status = AssetStatus::Enabled;
		assert_eq!(
			asset_entry(FOREIGN),
			AssetEntry { status, tick_price: 0, tip_min: 20, owed: 0 }
		);
		assert_noop!(PayStream::deposit(signed(BOB), FOREIGN, 4), Error::<Test>::VaultDust);
		assert_ok!(step(|| PayStream::deposit(signed(BOB), FOREIGN, 100)));
		assert_eq!(asset_entry(FOREIGN).owed, 100);
		// The last unit can leave.
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), FOREIGN, 100)));
		assert_eq!(Assets::balance(8, BOB), 995);
		assert_eq!(asset_entry(FOREIGN).owed, 0);
	});
}

#[test]
fn success_again_changes_the_least_tip_alone() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(300);
		set_tick_price(NATIVE, 2);
		assert_ok!(enable(NATIVE, 77));
		let status = AssetStatus::Enabled;
		let entry = AssetEntry { status, tick_price: 2, tip_min: 77, owed: 300 };
		assert_eq!(asset_entry(NATIVE), entry);
		// And after it was disabled.
		assert_ok!(step(|| PayStream::disable_asset(root(), NATIVE)));
		assert_ok!(enable(NATIVE, 77));
		assert_eq!(asset_entry(NATIVE), entry);
		fill_vault(10);
	});
}

#[test]
fn boundary_of_the_pots_endowment() {
	ExtBuilder::default().build_and_execute(|| {
		// There is no such asset, and nobody holds any of it.
		assert_noop!(enable(FOREIGN, 1), Error::<Test>::PotNotEndowed);
		new_asset();
		assert_noop!(enable(FOREIGN, 1), Error::<Test>::PotNotEndowed);
		assert_ok!(Assets::transfer(signed(BOB), 8, PayStream::pot(), 5));
		assert_ok!(enable(FOREIGN, 1));
	});
}

#[test]
fn boundary_of_what_is_owed_already() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 30)));
		assert_ok!(step(|| PayStream::disable_asset(root(), TOKEN)));
		// The asset's issuer takes a unit from the pot: 30 are left for 30 owed and the minimum.
		assert_ok!(Assets::burn(signed(ALICE), 7, PayStream::pot(), 1));
		assert_noop!(PayStream::enable_asset(root(), TOKEN, 1), Error::<Test>::PotNotEndowed);
		// Anybody can make up for it.
		assert_ok!(Assets::transfer(signed(BOB), 7, PayStream::pot(), 1));
		assert_ok!(enable(TOKEN, 1));
	});
}

#[test]
fn fails_for_others_and_what_is_written_off() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(PayStream::enable_asset(signed(ALICE), TOKEN, 1), DispatchError::BadOrigin);
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 30)));
		assert_ok!(step(|| PayStream::disable_asset(root(), TOKEN)));
		assert_ok!(Assets::burn(signed(ALICE), 7, PayStream::pot(), 30));
		assert_ok!(PayStream::write_off_asset(root(), TOKEN));
		assert_ok!(Assets::transfer(signed(BOB), 7, PayStream::pot(), 100));
		assert_noop!(enable(TOKEN, 1), Error::<Test>::AssetWrittenOff);
	});
}
