// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn create(
	owner: u64,
	asset: Kind,
	rate: u128,
	list: &[(u64, u32)],
	gap_min_ms: u64,
) -> DispatchResult {
	let list = payees(list);
	step(|| PayStream::create_stream(signed(owner), asset, rate, list, 20, gap_min_ms))
}

#[test]
fn success_stores_the_terms_and_holds_the_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		at(3);
		assert_ok!(create(ALICE, NATIVE, 3, &[(CAROL, 250_000), (DAVE, 750_000)], 20_000));
		assert_eq!(
			last_event(),
			Event::StreamCreated { stream: 0, owner: ALICE, asset: NATIVE, rate_per_second: 3 }
		);
		let stream = stream_entry(0);
		assert_eq!(stream.changed_at, 3_000);
		assert_eq!((stream.funds_min, stream.gap_min_ms), (20, 20_000));
		assert_eq!(stream.status, StreamStatus::Active);
		assert_eq!(stream.payees, payees(&[(CAROL, 250_000), (DAVE, 750_000)]));
		assert_eq!(stream.deposit, 1_200);
		assert_eq!(Balances::reserved_balance(ALICE), 1_200);
	});
}

#[test]
fn success_without_payees_names_the_owner() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(create(ALICE, TOKEN, 1, &[], 0));
		assert_eq!(stream_entry(0).payees, payees(&[(ALICE, 1_000_000)]));
		assert_eq!(stream_entry(0).deposit, 1_100);
		assert_ok!(create(ALICE, NATIVE, 1, &[], 0));
		assert_eq!(NextStreamId::<Test>::get(), 2);
		assert_eq!(Balances::reserved_balance(ALICE), 2_200);
	});
}

#[test]
fn boundary_of_the_gap() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(create(ALICE, NATIVE, 1, &[], 3_600_000));
		assert_noop!(create(ALICE, NATIVE, 1, &[], 3_600_001), Error::<Test>::GapOutOfRange);
	});
}

#[test]
fn fails_for_a_rate_of_zero() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(create(ALICE, NATIVE, 0, &[], 0), Error::<Test>::RateZero);
	});
}

#[test]
fn fails_for_shares_that_are_not_whole() {
	ExtBuilder::default().build_and_execute(|| {
		for list in [&[(CAROL, 999_999)][..], &[(CAROL, 1_000_000), (DAVE, 1)], &[(CAROL, 0)]] {
			assert_noop!(create(ALICE, NATIVE, 1, list, 0), Error::<Test>::SharesNotWhole);
		}
	});
}

#[test]
fn fails_for_the_pot_in_any_role() {
	ExtBuilder::default().build_and_execute(|| {
		let pot = PayStream::pot();
		assert_noop!(create(pot, NATIVE, 1, &[(ALICE, 1_000_000)], 0), Error::<Test>::PotRefused);
		let list = [(ALICE, 500_000), (pot, 500_000)];
		assert_noop!(create(ALICE, NATIVE, 1, &list, 0), Error::<Test>::PotRefused);
	});
}

#[test]
fn fails_for_an_asset_that_is_not_enabled() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(create(ALICE, FOREIGN, 1, &[], 0), Error::<Test>::AssetNotEnabled);
	});
}

#[test]
fn fails_without_the_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(create(GHOST, NATIVE, 1, &[], 0), TokenError::FundsUnavailable);
		assert_noop!(
			PayStream::create_stream(RuntimeOrigin::root(), NATIVE, 1, payees(&[]), 0, 0),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn fails_when_the_ids_are_used_up() {
	ExtBuilder::default().build_and_execute(|| {
		NextStreamId::<Test>::put(u64::MAX);
		assert_noop!(create(ALICE, NATIVE, 1, &[], 0), Error::<Test>::Overflow);
	});
}
