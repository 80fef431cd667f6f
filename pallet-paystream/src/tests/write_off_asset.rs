// SPDX-License-Identifier: Apache-2.0

//! Assets that die under the ledger: frozen, drained or destroyed by whoever issues them. What is
//! in other assets does not notice.

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn write_off(asset: Kind) -> DispatchResult {
	PayStream::write_off_asset(root(), asset)
}

fn disable(asset: Kind) {
	assert_ok!(PayStream::disable_asset(root(), asset));
}

/// The asset's issuer destroys it, with every account of it.
fn destroy() {
	assert_ok!(Assets::start_destroy(signed(ALICE), 7));
	for _ in 0..3 {
		assert_ok!(Assets::destroy_accounts(signed(ALICE), 7));
	}
	assert_ok!(Assets::finish_destroy(signed(ALICE), 7));
}

/// In each of two assets a stream of Alice's with a tier, and a grant, a session and a subscription
/// of Bob's; at second 20 each session is charged for 10 seconds. Carol has a vault in the token.
struct Both {
	native: (StreamId, GrantId),
	token: (StreamId, GrantId),
}

fn both() -> Both {
	assert_ok!(step(|| PayStream::deposit(signed(CAROL), TOKEN, 400)));
	at(10);
	let [native, token] = [NATIVE, TOKEN].map(|asset| {
		assert_ok!(step(|| PayStream::deposit(signed(BOB), asset.clone(), 5_000)));
		let stream = NextStreamId::<Test>::get();
		let list = payees(&[(ALICE, 500_000), (DAVE, 500_000)]);
		assert_ok!(step(|| {
			PayStream::create_stream(signed(ALICE), asset.clone(), 3, list, 0, 0)
		}));
		let tier = tier(100, 60, 50);
		offer(stream, &[tier]);
		set_tick_price(asset.clone(), 2);
		assert_ok!(subscribe(stream, tier, 3));
		let grant = new_grant(GrantTerms { asset, tips_max: 100, ..terms() });
		assert_ok!(open(grant, 0, stream, 300, 10));
		(stream, grant)
	});
	at(20);
	assert_ok!(tick(native.1, 0, 10));
	assert_ok!(tick(token.1, 0, 10));
	Both { native, token }
}

#[test]
fn success_of_a_destroyed_asset_everything_finds_its_end() {
	ExtBuilder::default().build_and_execute(|| {
		let Both { native, token } = both();
		destroy();
		disable(TOKEN);
		events();
		assert_ok!(write_off(TOKEN));
		assert_eq!(events(), vec![Event::AssetWrittenOff { asset: TOKEN, owed: 5_400 }]);
		assert_eq!(asset_entry(TOKEN).status, AssetStatus::WrittenOff);
		check_state();

		// What the stream has earned, fees included, is forgotten.
		events();
		assert_ok!(step(|| PayStream::claim(signed(DAVE), token.0)));
		assert_eq!(events(), vec![Event::EarningsErased { stream: token.0, amount: 100 + 30 + 2 }]);
		assert_noop!(PayStream::claim(signed(DAVE), token.0), Error::<Test>::NothingToClaim);
		assert_eq!(asset_entry(TOKEN).owed, 5_400 - 132);
		// Nothing new comes.
		assert_noop!(PayStream::deposit(signed(DAVE), TOKEN, 10), Error::<Test>::AssetNotEnabled);
		at(25);
		assert_eq!(open(token.1, 1, token.0, 300, 25), Err(Error::AssetNotEnabled));
		// Sessions, subscriptions and grants end as ever.
		assert_ok!(close(token.1, 0, 15));
		assert_ok!(step(|| PayStream::cancel_subscription(signed(BOB), token.0)));
		assert_ok!(step(|| PayStream::revoke(signed(BOB), token.1)));
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), token.0)));
		assert_ok!(step(|| PayStream::settle_subscription(signed(DAVE), token.0, BOB)));
		events();
		assert_ok!(step(|| PayStream::claim(signed(DAVE), token.0)));
		assert_eq!(
			events(),
			vec![
				Event::EarningsErased { stream: token.0, amount: 17 },
				Event::StreamDeleted { stream: token.0 },
			]
		);
		// And vaults lose what they held, in parts if need be.
		let free = Vaults::<Test>::get(BOB, TOKEN);
		assert_eq!(free, 5_000 - 100 - 32 - 17);
		events();
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), TOKEN, free)));
		assert_eq!(events(), vec![Event::VaultErased { who: BOB, asset: TOKEN, amount: free }]);
		for amount in [399, 1] {
			assert_ok!(step(|| PayStream::withdraw(signed(CAROL), TOKEN, amount)));
		}
		assert_noop!(PayStream::withdraw(signed(CAROL), TOKEN, 1), Error::<Test>::VaultTooLow);
		assert_eq!(asset_entry(TOKEN).owed, 0);
		assert_eq!(asset_entry(TOKEN).status, AssetStatus::WrittenOff);
		// The deposits of all of it are back: what is left is the other asset's.
		assert_eq!(Balances::reserved_balance(ALICE), 1_270);
		assert_eq!(Balances::reserved_balance(BOB), 600 + 30);

		// Nothing of it has happened to the other asset.
		assert_ok!(tick(native.1, 0, 15));
		assert_ok!(close(native.1, 0, 15));
		events();
		assert_ok!(step(|| PayStream::claim(signed(DAVE), native.0)));
		let stream = native.0;
		assert_eq!(
			events(),
			vec![
				Event::TreasuryPaid { stream, amount: 4, credited: true },
				Event::Claimed { stream, payee: ALICE, amount: 72, credited: false },
				Event::Claimed { stream, payee: DAVE, amount: 72, credited: false },
			]
		);
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), NATIVE, vault(BOB))));
	});
}

#[test]
fn success_before_it_is_written_off_claims_credit_and_nobody_else_is_hurt() {
	ExtBuilder::default().build_and_execute(|| {
		let Both { native, token } = both();
		destroy();
		// Anybody's calls in the dead asset are refused by it or go into vaults.
		events();
		assert_ok!(PayStream::claim(signed(DAVE), token.0));
		let stream = token.0;
		assert_eq!(
			events(),
			vec![
				Event::TreasuryPaid { stream, amount: 2, credited: true },
				Event::Claimed { stream, payee: ALICE, amount: 65, credited: true },
				Event::Claimed { stream, payee: DAVE, amount: 65, credited: true },
			]
		);
		assert_eq!(asset_entry(TOKEN).owed, 5_400);
		assert!(PayStream::withdraw(signed(CAROL), TOKEN, 400).is_err());
		assert!(PayStream::deposit(signed(DAVE), TOKEN, 400).is_err());
		at(30);
		assert_ok!(PayStream::claim(signed(DAVE), native.0));
		let orders = vec![
			item(native.1, Order::Close { index: 0, seconds: 20 }),
			item(token.1, Order::Close { index: 0, seconds: 20 }),
		];
		assert_ok!(PayStream::submit_batch(signed(DAVE), batch(orders)));
		assert_eq!(stream_entry(native.0).earned, 30);
		disable(TOKEN);
		assert_ok!(write_off(TOKEN));
		assert_eq!(asset_entry(TOKEN).owed, 5_400);
		for who in [ALICE, DAVE, TREASURY] {
			let free = Vaults::<Test>::get(who, TOKEN);
			assert_ok!(step(|| PayStream::withdraw(signed(who), TOKEN, free)));
		}
		assert_eq!(asset_entry(TOKEN).owed, 5_400 - 132);
	});
}

#[test]
fn success_a_frozen_asset_that_thaws_is_whole() {
	ExtBuilder::default().build_and_execute(|| {
		let Both { token, .. } = both();
		assert_ok!(Assets::freeze_asset(signed(ALICE), 7));
		events();
		assert_ok!(step(|| PayStream::claim(signed(DAVE), token.0)));
		assert!(events().iter().all(|event| matches!(
			event,
			Event::TreasuryPaid { .. } | Event::Claimed { credited: true, .. }
		)));
		assert!(step(|| PayStream::withdraw(signed(CAROL), TOKEN, 400)).is_err());
		at(25);
		assert_ok!(tick(token.1, 0, 15));
		assert_ok!(tip(token.1, 0, 10));
		assert_ok!(step(|| PayStream::refund(signed(ALICE), token.0, BOB, 5)));
		assert_ok!(close(token.1, 0, 15));
		assert_ok!(Assets::thaw_asset(signed(ALICE), 7));
		for who in [ALICE, CAROL, DAVE, TREASURY] {
			let free = Vaults::<Test>::get(who, TOKEN);
			assert_ok!(step(|| PayStream::withdraw(signed(who), TOKEN, free)));
		}
		// 100 of a period, 45 of seconds, 10 of a tip; 5 of Alice's half given back; 4 for two ticks.
		assert_eq!(Assets::balance(7, DAVE), ENDOWMENT + 65 + 12);
		assert_eq!(Assets::balance(7, ALICE), ENDOWMENT + 65 + 12 - 5);
		assert_eq!(stream_entry(token.0).earned, 1);
		assert_eq!(Assets::balance(7, TREASURY), 4);
		assert_eq!(Assets::balance(7, CAROL), ENDOWMENT);
	});
}

#[test]
fn fails_for_what_is_merely_frozen() {
	ExtBuilder::default().build_and_execute(|| {
		both();
		disable(TOKEN);
		assert_ok!(Assets::freeze_asset(signed(ALICE), 7));
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetAlive);
		assert_ok!(Assets::thaw_asset(signed(ALICE), 7));
		assert_ok!(Assets::freeze(signed(ALICE), 7, PayStream::pot()));
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetAlive);
		assert_ok!(Assets::thaw(signed(ALICE), 7, PayStream::pot()));
		assert_ok!(Assets::block(signed(ALICE), 7, PayStream::pot()));
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetAlive);
		// What thaws is paid.
		assert_ok!(Assets::thaw(signed(ALICE), 7, PayStream::pot()));
		assert_ok!(step(|| PayStream::withdraw(signed(CAROL), TOKEN, 400)));
	});
}

#[test]
fn success_new_payees_transfer_and_remainder_of_a_written_off_stream() {
	ExtBuilder::default().build_and_execute(|| {
		let Both { token, .. } = both();
		destroy();
		disable(TOKEN);
		assert_ok!(write_off(TOKEN));
		let change = StreamChange { payees: Some(payees(&[])), ..Default::default() };
		events();
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), token.0, change)));
		assert!(events().contains(&Event::EarningsErased { stream: token.0, amount: 132 }));
		assert_ok!(tip(token.1, 0, 10));
		assert_ok!(step(|| PayStream::transfer_stream(signed(ALICE), token.0, CAROL)));
		assert_eq!(stream_entry(token.0).earned, 0);
		assert_eq!(stream_entry(token.0).owner, CAROL);
	});
}

/// What is left of an asset that was taken away in part is paid to whoever comes: nothing is owed to
/// nobody afterwards.
#[test]
fn boundary_of_what_the_pot_has_left() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 30)));
		assert_ok!(step(|| PayStream::deposit(signed(CAROL), TOKEN, 20)));
		disable(TOKEN);
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetAlive);
		assert_ok!(Assets::burn(signed(ALICE), 7, PayStream::pot(), 20));
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetAlive);
		assert_ok!(PayStream::withdraw(signed(BOB), TOKEN, 29));
		// One unit beside the minimum balance with which the pot was endowed.
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetAlive);
		assert_ok!(PayStream::withdraw(signed(BOB), TOKEN, 1));
		assert!(PayStream::withdraw(signed(CAROL), TOKEN, 20).is_err());
		assert_ok!(write_off(TOKEN));
		assert_ok!(PayStream::withdraw(signed(CAROL), TOKEN, 20));
	});
}

/// The part that is erased leaves no vault that is not worth its place: all of it, or more is left.
#[test]
fn boundary_of_erasing_a_part() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Assets::force_create(root(), 8, ALICE, true, 10));
		for (who, amount) in [(BOB, 60), (PayStream::pot(), 10)] {
			assert_ok!(Assets::mint(signed(ALICE), 8, who, amount));
		}
		assert_ok!(PayStream::enable_asset(root(), FOREIGN, 1));
		assert_ok!(step(|| PayStream::deposit(signed(BOB), FOREIGN, 50)));
		disable(FOREIGN);
		assert_ok!(Assets::burn(signed(ALICE), 8, PayStream::pot(), 50));
		assert_ok!(write_off(FOREIGN));
		let withdraw = |amount| PayStream::withdraw(signed(BOB), FOREIGN, amount);
		assert_noop!(withdraw(41), Error::<Test>::VaultDust);
		assert_ok!(withdraw(40));
		assert_ok!(withdraw(10));
	});
}

#[test]
fn boundary_nothing_owed_is_nothing_to_write_off() {
	ExtBuilder::default().build_and_execute(|| {
		disable(TOKEN);
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetAlive);
	});
}

#[test]
fn fails_for_others_and_what_is_not_disabled() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(PayStream::write_off_asset(signed(ALICE), TOKEN), DispatchError::BadOrigin);
		assert_noop!(write_off(FOREIGN), Error::<Test>::AssetNotDisabled);
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 30)));
		destroy();
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetNotDisabled);
		disable(TOKEN);
		assert_ok!(write_off(TOKEN));
		assert_noop!(write_off(TOKEN), Error::<Test>::AssetNotDisabled);
		assert_noop!(PayStream::disable_asset(root(), TOKEN), Error::<Test>::AssetNotEnabled);
	});
}
