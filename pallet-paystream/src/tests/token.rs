// SPDX-License-Identifier: Apache-2.0

//! A stream in another asset than the native one, from its beginning to its end.

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn balance(who: u64) -> u128 {
	Assets::balance(7, who)
}

#[test]
fn success_a_stream_in_a_token_from_beginning_to_end() {
	ExtBuilder::default().build_and_execute(|| {
		let list = payees(&[(ALICE, 600_000), (CAROL, 400_000)]);
		set_tick_price(TOKEN, 2);
		set_share(10);
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 2_000)));
		assert_ok!(step(|| PayStream::create_stream(signed(ALICE), TOKEN, 4, list, 40, 20_000)));
		let monthly = tier(300, 60, 25);
		offer(0, &[monthly]);
		let terms = GrantTerms { asset: TOKEN, tips_max: 60, renewals_max: 1, ..terms() };
		let grant = new_grant(terms);
		at(10);
		assert_ok!(subscribe(0, monthly, 1));
		assert_ok!(open_at_rate(grant, 0, 0, 3, 120));
		at(25);
		assert_ok!(tick(grant, 0, 15));
		assert_ok!(fund(grant, 0, 240));
		assert_ok!(tip(grant, 0, 60));
		assert_ok!(renew(grant, 0, 1));
		at(40);
		assert_ok!(tick(grant, 0, 30));
		at(60);
		assert_ok!(close(grant, 0, 45));
		assert_eq!(grant_entry(grant).spent, 45 * 3 + 3 * 2);
		assert_eq!(Vaults::<Test>::get(BOB, TOKEN), 2_000 - 600 - 60 - 141);
		// 300 of a period, 60 of a tip, 135 of seconds; 6 for three charges.
		let entry = stream_entry(0);
		assert_eq!((entry.earned, entry.fees), (495, 6));
		events();
		assert_ok!(step(|| PayStream::claim(signed(DAVE), 0)));
		assert_eq!(
			events(),
			vec![
				Event::TreasuryPaid { stream: 0, amount: 49 + 6, credited: false },
				Event::Claimed { stream: 0, payee: ALICE, amount: 267, credited: false },
				Event::Claimed { stream: 0, payee: CAROL, amount: 178, credited: false },
			]
		);
		assert_eq!([ALICE, CAROL].map(balance), [ENDOWMENT + 267, ENDOWMENT + 178]);
		assert_eq!(balance(TREASURY), 55);
		at(75);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), 0)));
		assert_ok!(step(|| PayStream::settle_subscription(signed(DAVE), 0, BOB)));
		assert_ok!(step(|| PayStream::refund(signed(ALICE), 0, BOB, 100)));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), 0)));
		assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
		let free = Vaults::<Test>::get(BOB, TOKEN);
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), TOKEN, free)));
		assert_eq!(balance(BOB), ENDOWMENT - 600 - 60 - 141 + 100);
		assert_eq!((balance(PayStream::pot()), asset_entry(TOKEN).owed), (1, 0));
		// Of native money only deposits moved, and they are back.
		for who in [ALICE, BOB, CAROL, DAVE] {
			assert_eq!(Balances::free_balance(who), ENDOWMENT);
		}
		assert_eq!(Balances::free_balance(TREASURY), 0);
		assert_eq!(asset_entry(NATIVE).owed, 0);
	});
}

#[test]
fn fails_where_assets_are_mixed() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(1_000);
		assert_ok!(step(|| PayStream::create_stream(signed(ALICE), TOKEN, 4, payees(&[]), 0, 0)));
		let monthly = tier(300, 60, 0);
		offer(0, &[monthly]);
		// Native money buys nothing there.
		assert_noop!(subscribe(0, monthly, 1), Error::<Test>::VaultTooLow);
		let grant = new_grant(terms());
		at(10);
		assert_eq!(open(grant, 0, 0, 100, 10), Err(Error::AssetMismatch));
		let grant = new_grant(GrantTerms { asset: TOKEN, ..terms() });
		assert_eq!(open(grant, 0, 0, 100, 10), Err(Error::VaultTooLow));
	});
}

/// `pallet-assets` takes from one and gives to nobody where supply and amount exceed the type. Nothing of
/// it comes into the ledger, and what is in it stays there until it can leave.
#[test]
fn boundary_of_an_asset_whose_supply_is_near_its_end() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 1_000)));
		let stream = NextStreamId::<Test>::get();
		assert_ok!(step(|| PayStream::create_stream(signed(ALICE), TOKEN, 3, payees(&[]), 0, 0)));
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 300, Default::default())));
		let room = 99;
		let flood = u128::MAX - Assets::total_supply(7) - room;
		assert_ok!(Assets::mint(signed(ALICE), 7, CAROL, flood));
		let overflow = Error::<Test>::Overflow;
		assert_noop!(PayStream::deposit(signed(CAROL), TOKEN, room + 1), overflow.clone());
		assert_ok!(step(|| PayStream::deposit(signed(CAROL), TOKEN, room)));
		assert_noop!(PayStream::withdraw(signed(BOB), TOKEN, room + 1), overflow);
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), TOKEN, room)));
		// A payee's share is credited, as where the account cannot take it.
		events();
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		let (payee, credited) = (ALICE, true);
		assert_eq!(last_event(), Event::Claimed { stream, payee, amount: 300, credited });
		assert_eq!(Vaults::<Test>::get(ALICE, TOKEN), 300);
	});
}
