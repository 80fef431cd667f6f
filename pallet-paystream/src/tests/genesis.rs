// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

#[test]
fn success_enables_the_native_asset_by_default() {
	let genesis = crate::GenesisConfig::<Test>::default();
	assert_eq!(genesis.enabled_assets, vec![NATIVE]);
}

#[test]
fn success_endows_the_pot_outside_the_ledger() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(Balances::free_balance(PayStream::pot()), EXISTENTIAL_DEPOSIT);
		assert_eq!(Assets::balance(7, PayStream::pot()), 1);
		assert_eq!(PayStream::owed(&NATIVE), Ok(0));
		// The last unit can leave.
		assert_ok!(step(|| PayStream::deposit(signed(BOB), NATIVE, 10)));
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), NATIVE, 10)));
	});
}

#[test]
fn success_endows_only_what_is_missing() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(PayStream::endow_pot(&NATIVE));
		assert_eq!(Balances::free_balance(PayStream::pot()), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn boundary_no_asset_at_all() {
	ExtBuilder::default().enabled_assets(vec![]).build_and_execute(|| {
		assert_noop!(PayStream::deposit(signed(BOB), NATIVE, 100), Error::<Test>::AssetNotEnabled);
	});
}

#[test]
fn success_prices_and_share_of_the_operator() {
	let share = <Test as Config>::TreasuryShareMax::get();
	ExtBuilder::default().tick_prices(vec![(TOKEN, 5)]).treasury_share(share).build_and_execute(
		|| {
			let price = |asset| AssetEntries::<Test>::get(asset).map(|entry| entry.tick_price);
			assert_eq!((price(NATIVE), price(TOKEN)), (Some(0), Some(5)));
			assert_eq!(TreasuryShare::<Test>::get(), share);
		},
	);
}

#[test]
#[should_panic(expected = "treasury_share: above TreasuryShareMax")]
fn fails_for_a_share_above_the_constant() {
	let above = <Test as Config>::TreasuryShareMax::get().deconstruct() + 1;
	ExtBuilder::default().treasury_share(Permill::from_parts(above)).build();
}

#[test]
#[should_panic(expected = "tick_prices: a price above TickPriceMax")]
fn fails_for_a_price_above_the_constant() {
	let above = <Test as Config>::TickPriceMax::get() + 1;
	ExtBuilder::default().tick_prices(vec![(TOKEN, above)]).build();
}

#[test]
#[should_panic(expected = "a tick is priced in an enabled asset")]
fn fails_for_a_price_in_an_asset_that_is_not_enabled() {
	ExtBuilder::default().enabled_assets(vec![NATIVE]).tick_prices(vec![(TOKEN, 5)]).build();
}
