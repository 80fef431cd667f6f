// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn deposit(who: u64, asset: Kind, amount: u128) -> DispatchResult {
	step(|| PayStream::deposit(signed(who), asset, amount))
}

#[test]
fn success_moves_tokens_to_the_pot() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(deposit(BOB, NATIVE, 700));
		assert_eq!(last_event(), Event::Deposited { who: BOB, asset: NATIVE, amount: 700 });
		assert_eq!(vault(BOB), 700);
		assert_eq!(Balances::free_balance(BOB), ENDOWMENT - 700);
		assert_eq!(Balances::free_balance(PayStream::pot()), EXISTENTIAL_DEPOSIT + 700);
		assert_ok!(deposit(BOB, NATIVE, 1));
		assert_eq!(vault(BOB), 701);
	});
}

#[test]
fn success_assets_are_apart() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(deposit(BOB, TOKEN, 30));
		assert_eq!(vault(BOB), 0);
		assert_eq!(Vaults::<Test>::get(BOB, TOKEN), 30);
		assert_eq!(Assets::balance(7, BOB), ENDOWMENT - 30);
	});
}

#[test]
fn boundary_of_the_vault_and_of_the_account() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(deposit(BOB, NATIVE, 0), Error::<Test>::AmountZero);
		assert_noop!(deposit(BOB, NATIVE, 9), Error::<Test>::VaultDust);
		assert_ok!(deposit(BOB, NATIVE, 10));
		// The depositor's account is preserved.
		let most = ENDOWMENT - 10 - EXISTENTIAL_DEPOSIT;
		assert_noop!(deposit(BOB, NATIVE, most + 1), TokenError::NotExpendable);
		assert_ok!(deposit(BOB, NATIVE, most));
		assert_eq!(Balances::free_balance(BOB), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn fails_for_an_asset_that_is_not_enabled() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(deposit(BOB, FOREIGN, 100), Error::<Test>::AssetNotEnabled);
	});
}

#[test]
fn fails_for_the_pot() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		assert_noop!(deposit(PayStream::pot(), NATIVE, 100), Error::<Test>::PotRefused);
	});
}

#[test]
fn fails_when_the_vault_would_overflow() {
	ExtBuilder::default().build().execute_with(|| {
		Vaults::<Test>::insert(BOB, NATIVE, u128::MAX);
		assert_noop!(PayStream::deposit(signed(BOB), NATIVE, 100), Error::<Test>::Overflow);
	});
}
