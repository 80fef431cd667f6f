// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn withdraw(who: u64, asset: Kind, amount: u128) -> DispatchResult {
	step(|| PayStream::withdraw(signed(who), asset, amount))
}

#[test]
fn success_returns_tokens() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(700);
		assert_ok!(withdraw(BOB, NATIVE, 300));
		assert_eq!(last_event(), Event::Withdrawn { who: BOB, asset: NATIVE, amount: 300 });
		assert_eq!(vault(BOB), 400);
		assert_ok!(withdraw(BOB, NATIVE, 400));
		assert!(!Vaults::<Test>::contains_key(BOB, NATIVE));
		assert_eq!(Balances::free_balance(BOB), ENDOWMENT);
	});
}

#[test]
fn success_for_an_asset_that_is_no_longer_enabled() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(PayStream::deposit(signed(BOB), TOKEN, 30));
		assert_ok!(PayStream::disable_asset(RuntimeOrigin::root(), TOKEN));
		assert_ok!(withdraw(BOB, TOKEN, 30));
		assert_eq!(Assets::balance(7, BOB), ENDOWMENT);
	});
}

#[test]
fn boundary_of_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(100);
		assert_noop!(withdraw(BOB, NATIVE, 0), Error::<Test>::AmountZero);
		assert_noop!(withdraw(BOB, NATIVE, 101), Error::<Test>::VaultTooLow);
		assert_noop!(withdraw(BOB, NATIVE, 91), Error::<Test>::VaultDust);
		assert_ok!(withdraw(BOB, NATIVE, 90));
		assert_ok!(withdraw(BOB, NATIVE, 10));
		assert_noop!(withdraw(BOB, NATIVE, 1), Error::<Test>::VaultTooLow);
	});
}

#[test]
fn fails_for_what_sessions_have_reserved() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 4_000, 10));
		assert_noop!(withdraw(BOB, NATIVE, 1_001), Error::<Test>::VaultTooLow);
		assert_ok!(withdraw(BOB, NATIVE, 1_000));
	});
}

#[test]
fn fails_for_an_account_that_cannot_receive() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(100);
		new_stream_for(1, payees(&[(GHOST, 1_000_000)]));
		// As a claim does that its payee could not receive.
		Vaults::<Test>::insert(BOB, NATIVE, 95);
		Vaults::<Test>::insert(GHOST, NATIVE, 5);
		assert_noop!(withdraw(GHOST, NATIVE, 5), TokenError::BelowMinimum);
	});
}

/// Whoever is told of a transfer, and calls again, finds every entry as it will be.
#[test]
fn fails_in_the_middle_of_another_withdrawal() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		let stream = new_stream(1);
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 40, Default::default())));
		assert_ok!(step(|| PayStream::refund(signed(ALICE), stream, GHOST, 40)));
		Interruption::set(|| {
			assert_noop!(
				PayStream::withdraw(signed(GHOST), NATIVE, 40),
				Error::<Test>::VaultTooLow
			);
		});
		assert_ok!(step(|| PayStream::withdraw(signed(GHOST), NATIVE, 40)));
		assert_eq!(Balances::free_balance(GHOST), 40);
	});
}
