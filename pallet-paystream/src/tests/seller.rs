// SPDX-License-Identifier: Apache-2.0

//! Another pallet sells by the second, through the trait.

use super::rental::pallet::{Rentals, ID};
use crate::{mock::*, seller::Deed, *};
use frame::testing_prelude::*;

type Ledger = <Test as super::rental::pallet::Config>::Ledger;

const OTHER: PalletId = PalletId(*b"another ");

fn terms(cap: u128) -> GrantTermsOf<Test> {
	GrantTerms {
		asset: NATIVE,
		rate_max_per_second: 3,
		cap,
		sessions_max: 1,
		gap_ms: 30_000,
		expires_at: 1_000_000,
		tips_max: 50,
		renewals_max: 0,
	}
}

fn tip(grant: GrantId, index: SessionIndex, tips: u128) -> DispatchResult {
	<Ledger as Seller<Test>>::tip(ID, grant, index, tips, Default::default())
}

/// Bob rents Alice's machine at 3 a second, from second 10 on.
fn rented() -> (StreamId, GrantId, SessionIndex) {
	fill_vault(500);
	let stream = new_stream(3);
	at(10);
	assert_ok!(step(|| Rental::rent(signed(BOB), stream, terms(400), 300)));
	let (grant, index) = Rentals::<Test>::get(BOB).expect("Bob rents");
	(stream, grant, index)
}

#[test]
fn success_a_machine_is_rented_metered_and_given_back() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, index) = rented();
		assert_eq!(vault(BOB), 200);
		at(20);
		assert_ok!(step(|| Rental::meter(RuntimeOrigin::root(), BOB, 10)));
		let session = <Ledger as Seller<Test>>::session(grant, index).expect("it runs");
		assert_eq!((session.seconds, session.paid, session.left), (10, 30, 270));
		at(25);
		assert_ok!(step(|| Rental::give_back(RuntimeOrigin::root(), BOB, 15)));
		assert_eq!(<Ledger as Seller<Test>>::vault(&BOB, &NATIVE), 455);
		assert_eq!(stream_entry(stream).earned, 45);
		assert_eq!(grant_entry(grant).cap_left, 355);
	});
}

#[test]
fn success_tips_and_funds_follow_the_same_rules() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, index) = rented();
		at(16);
		assert_ok!(step(|| <Ledger as Seller<Test>>::fund(ID, grant, index, 350)));
		assert_ok!(step(|| tip(grant, index, 50)));
		assert_eq!(vault(BOB), 100);
		assert_eq!(stream_entry(stream).tips_total, 50);
		assert_noop!(tip(grant, index, 51), Error::<Test>::TipsTooLow);
		assert_noop!(
			<Ledger as Seller<Test>>::fund(ID, grant, index, 500),
			Error::<Test>::VaultTooLow
		);
	});
}

#[test]
fn fails_ahead_of_the_clock() {
	ExtBuilder::default().build_and_execute(|| {
		rented();
		at(20);
		assert_noop!(Rental::meter(RuntimeOrigin::root(), BOB, 11), Error::<Test>::AheadOfClock);
	});
}

#[test]
fn fails_for_a_grant_of_another_pallet_or_of_a_key() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant, index) = rented();
		let (stream, of_a_key) = ready();
		at(20);
		assert_noop!(
			<Ledger as Seller<Test>>::tick(OTHER, grant, index, 10),
			Error::<Test>::NotSeller
		);
		assert_noop!(
			<Ledger as Seller<Test>>::open(ID, of_a_key, stream, 300, 20_000, 0),
			Error::<Test>::NotSeller
		);
	});
}

#[test]
fn fails_without_money_or_for_terms_that_no_grant_can_have() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		let stream = new_stream(3);
		at(10);
		assert_noop!(Rental::rent(signed(BOB), stream, terms(0), 300), Error::<Test>::CapZero);
		assert_noop!(
			Rental::rent(signed(BOB), stream, terms(900), 501),
			Error::<Test>::VaultTooLow
		);
		assert_noop!(Rental::rent(signed(BOB), 9, terms(900), 300), Error::<Test>::StreamNotFound);
	});
}

#[test]
fn fails_where_the_operator_takes_more_than_the_buyer_agreed_to() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		let stream = new_stream(3);
		set_tick_price(NATIVE, 1);
		at(10);
		assert_noop!(
			Rental::rent(signed(BOB), stream, terms(400), 300),
			Error::<Test>::TickPriceAboveOrder
		);
	});
}

#[test]
fn success_the_viewer_revokes_it_as_any_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant, _) = rented();
		at(20);
		assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
		at(30);
		assert_noop!(Rental::meter(RuntimeOrigin::root(), BOB, 11), Error::<Test>::AheadOfClock);
		assert_ok!(step(|| Rental::give_back(RuntimeOrigin::root(), BOB, 10)));
		assert_eq!(vault(BOB), 470);
	});
}

#[test]
fn success_each_deed_weighs_something() {
	let deeds = [Deed::Grant, Deed::Open, Deed::Fund, Deed::Tick, Deed::Close, Deed::Tip];
	for deed in deeds {
		assert!(<Ledger as Seller<Test>>::weight_of(deed).all_gt(Weight::zero()), "{deed:?}");
	}
}
