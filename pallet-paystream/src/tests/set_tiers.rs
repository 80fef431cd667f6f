// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn set(stream: StreamId, tiers: &[TierOf<Test>]) -> DispatchResult {
	let tiers = tiers.to_vec().try_into().expect("the list is short enough");
	step(|| PayStream::set_tiers(signed(ALICE), stream, tiers))
}

#[test]
fn success_replaces_the_list_and_adjusts_the_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		let two = [tier(100, 60, 50), tier(200, 3_600, 100)];
		events();
		assert_ok!(set(stream, &two));
		assert_eq!(events(), vec![Event::TiersSet { stream, tiers: 2 }]);
		assert_eq!(PayStream::tiers(stream).to_vec(), two);
		assert_eq!(
			(stream_entry(stream).deposit, Balances::reserved_balance(ALICE)),
			(1_240, 1_240)
		);
		assert_ok!(set(stream, &two[1..]));
		assert_eq!(PayStream::tiers(stream).to_vec(), two[1..]);
		assert_eq!(Balances::reserved_balance(ALICE), 1_170);
		events();
		assert_ok!(set(stream, &[]));
		assert_eq!(events(), vec![Event::TiersSet { stream, tiers: 0 }]);
		assert!(!Tiers::<Test>::contains_key(stream));
		assert_eq!(
			(stream_entry(stream).deposit, Balances::reserved_balance(ALICE)),
			(1_100, 1_100)
		);
	});
}

#[test]
fn success_other_payees_leave_the_tiers_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		assert_ok!(set(stream, &[tier(100, 60, 50)]));
		let list = payees(&[(CAROL, 500_000), (DAVE, 500_000)]);
		let change = StreamChange { payees: Some(list), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, change)));
		assert_eq!(stream_entry(stream).deposit, 1_270);
		assert_ok!(set(stream, &[]));
		assert_eq!(stream_entry(stream).deposit, 1_200);
	});
}

#[test]
fn success_the_last_claim_returns_the_whole_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		assert_ok!(set(stream, &[tier(100, 60, 50), tier(200, 60, 50)]));
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert!(!Tiers::<Test>::contains_key(stream));
		assert_eq!(Balances::free_balance(ALICE), ENDOWMENT);
	});
}

#[test]
fn boundary_of_a_tier() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		let price = EXISTENTIAL_DEPOSIT;
		let good = Tier { price, period_ms: 60_000, discount: Permill::zero() };
		assert_ok!(set(stream, &[good]));
		assert_ok!(set(stream, &[Tier { discount: Permill::one(), ..good }]));
		assert_ok!(set(stream, &[Tier { period_ms: u64::MAX, price: u128::MAX, ..good }]));
		for bad in [Tier { price: 0, ..good }, Tier { period_ms: 59_999, ..good }] {
			assert_noop!(set(stream, &[bad]), Error::<Test>::TierInvalid);
			assert_noop!(set(stream, &[good, bad]), Error::<Test>::TierInvalid);
		}
		assert_ok!(set(stream, &[good; 4]));
		assert!(TiersOf::<Test>::try_from(vec![good; 5]).is_err());
	});
}

#[test]
fn fails_without_the_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		let spare = Balances::free_balance(ALICE) - EXISTENTIAL_DEPOSIT - 69;
		assert_ok!(Balances::transfer_keep_alive(signed(ALICE), BOB, spare));
		assert_noop!(set(stream, &[tier(100, 60, 50)]), TokenError::FundsUnavailable);
		assert_ok!(Balances::transfer_keep_alive(signed(BOB), ALICE, 1));
		assert_ok!(set(stream, &[tier(100, 60, 50)]));
	});
}

#[test]
fn fails_for_others_and_after_the_end() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(set(0, &[]), Error::<Test>::StreamNotFound);
		let stream = new_stream(3);
		let tiers = || TiersOf::<Test>::default();
		assert_noop!(PayStream::set_tiers(signed(BOB), stream, tiers()), Error::<Test>::NotOwner);
		assert_noop!(PayStream::set_tiers(root(), stream, tiers()), DispatchError::BadOrigin);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_noop!(set(stream, &[]), Error::<Test>::StreamEnded);
	});
}

/// A period that is given back lands in a vault, which must be worth its place (rule 10).
#[test]
fn boundary_of_a_price_against_the_assets_minimum() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(1);
		let set = |price| {
			let tiers = vec![tier(price, 60, 0)].try_into().expect("it is short enough");
			PayStream::set_tiers(signed(ALICE), stream, tiers)
		};
		assert_noop!(set(EXISTENTIAL_DEPOSIT - 1), Error::<Test>::TierInvalid);
		assert_ok!(step(|| set(EXISTENTIAL_DEPOSIT)));
	});
}
