// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn disable(asset: Kind) -> DispatchResult {
	step(|| PayStream::disable_asset(root(), asset))
}

#[test]
fn success_no_new_money_comes() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		let tier = tier(100, 60, 50);
		offer(stream, &[tier]);
		at(10);
		events();
		assert_ok!(disable(NATIVE));
		assert_eq!(events(), vec![Event::AssetDisabled { asset: NATIVE }]);
		assert_noop!(PayStream::deposit(signed(BOB), NATIVE, 100), Error::<Test>::AssetNotEnabled);
		assert_noop!(
			PayStream::create_stream(signed(ALICE), NATIVE, 3, payees(&[]), 0, 0),
			Error::<Test>::AssetNotEnabled
		);
		let proof = signer().sign(&PayStream::grant_bytes(&BOB));
		assert_noop!(
			PayStream::grant(signed(BOB), signer().key(), proof, terms()),
			Error::<Test>::AssetNotEnabled
		);
		assert_eq!(open(grant, 0, stream, 300, 10), Err(Error::AssetNotEnabled));
		assert_noop!(subscribe(stream, tier, 1), Error::<Test>::AssetNotEnabled);
		assert_noop!(PayStream::set_tick_price(root(), NATIVE, 1), Error::<Test>::AssetNotEnabled);
		// Another asset is not touched.
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 100)));
	});
}

#[test]
fn success_what_is_there_goes_on_and_goes_out() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let grant = new_grant(GrantTerms { tips_max: 100, ..terms() });
		let tier = tier(100, 60, 50);
		offer(stream, &[tier]);
		at(10);
		assert_ok!(open(grant, 0, stream, 60, 10));
		at(15);
		assert_ok!(open(grant, 1, stream, 60, 15));
		assert_ok!(subscribe(stream, tier, 3));
		assert_ok!(disable(NATIVE));
		at(20);
		assert_ok!(tick(grant, 0, 10));
		assert_ok!(fund(grant, 0, 500));
		assert_ok!(tip(grant, 0, 20));
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 5, Default::default())));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		at(25);
		assert_ok!(tick(grant, 0, 15));
		assert_ok!(step(|| PayStream::refund(signed(ALICE), stream, BOB, 10)));
		offer(stream, &[]);
		assert_ok!(step(|| PayStream::cancel_subscription(signed(BOB), stream)));
		assert_ok!(close(grant, 0, 15));
		assert_ok!(step(|| PayStream::transfer_stream(signed(ALICE), stream, CAROL)));
		assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
		assert_ok!(step(|| PayStream::end_stream(signed(CAROL), stream)));
		at(200);
		assert_ok!(step(|| PayStream::settle(signed(DAVE), grant, 1)));
		assert_ok!(step(|| PayStream::settle_subscription(signed(DAVE), stream, BOB)));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), NATIVE, vault(BOB))));
		assert_eq!(asset_entry(NATIVE).owed, 0);
		assert_eq!(Balances::free_balance(PayStream::pot()), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn fails_twice_for_others_and_for_what_is_unknown() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(disable(FOREIGN), Error::<Test>::AssetNotEnabled);
		assert_noop!(PayStream::disable_asset(signed(ALICE), TOKEN), DispatchError::BadOrigin);
		assert_ok!(disable(TOKEN));
		assert_noop!(disable(TOKEN), Error::<Test>::AssetNotEnabled);
	});
}

#[test]
fn success_by_the_guard_who_can_do_nothing_else() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(step(|| PayStream::disable_asset(signed(GUARD), TOKEN)));
		assert_eq!(last_event(), Event::AssetDisabled { asset: TOKEN });
		let refused = DispatchError::BadOrigin;
		assert_noop!(PayStream::enable_asset(signed(GUARD), TOKEN, 1), refused);
		assert_noop!(PayStream::write_off_asset(signed(GUARD), TOKEN), refused);
		assert_noop!(PayStream::set_tick_price(signed(GUARD), NATIVE, 1), refused);
		let share = Permill::from_percent(1);
		assert_noop!(PayStream::set_treasury_share(signed(GUARD), share), refused);
	});
}
