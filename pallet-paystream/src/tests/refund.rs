// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// A stream that has earned 30 by a session of Bob's.
fn earned() -> StreamId {
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, 300, 10));
	at(20);
	assert_ok!(close(grant, 0, 10));
	stream
}

fn refund(stream: StreamId, viewer: u64, amount: u128) -> DispatchResult {
	step(|| PayStream::refund(signed(ALICE), stream, viewer, amount))
}

#[test]
fn success_goes_from_the_earnings_to_a_vault() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = earned();
		events();
		assert_ok!(refund(stream, BOB, 12));
		assert_eq!(events(), vec![Event::Refunded { stream, viewer: BOB, amount: 12 }]);
		assert_eq!(vault(BOB), 5_000 - 30 + 12);
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.earned_total, entry.refunded_total), (18, 30, 12));
		assert_eq!(entry.seconds, 10);
		assert_ok!(refund(stream, CAROL, 18));
		assert_eq!(vault(CAROL), 18);
		assert_eq!(stream_entry(stream).refunded_total, 30);
		assert_noop!(PayStream::claim(signed(DAVE), stream), Error::<Test>::NothingToClaim);
	});
}

#[test]
fn success_of_an_ended_stream_and_while_stopped() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = earned();
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_ok!(step(|| PayStream::set_stopped(root(), true)));
		assert_ok!(step(|| PayStream::disable_asset(root(), NATIVE)));
		assert_ok!(refund(stream, BOB, 30));
		assert_eq!(stream_entry(stream).earned, 0);
	});
}

#[test]
fn boundary_of_the_earnings() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = earned();
		assert_noop!(refund(stream, BOB, 31), Error::<Test>::EarningsTooLow);
		assert_noop!(refund(stream, BOB, 0), Error::<Test>::AmountZero);
		assert_ok!(refund(stream, BOB, 30));
		assert_noop!(refund(stream, BOB, 1), Error::<Test>::EarningsTooLow);
	});
}

#[test]
fn boundary_the_operators_fees_are_not_the_owners_to_give() {
	ExtBuilder::default().build_and_execute(|| {
		set_tick_price(NATIVE, 5);
		let stream = earned();
		assert_eq!((stream_entry(stream).earned, stream_entry(stream).fees), (30, 5));
		assert_noop!(refund(stream, BOB, 31), Error::<Test>::EarningsTooLow);
		assert_ok!(refund(stream, BOB, 30));
		assert_eq!(stream_entry(stream).fees, 5);
	});
}

#[test]
fn boundary_of_a_new_vault() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = earned();
		// A vault that nobody asked for and that nobody could empty.
		assert_noop!(refund(stream, CAROL, 9), Error::<Test>::VaultDust);
		assert_ok!(refund(stream, CAROL, 10));
		assert_ok!(refund(stream, CAROL, 1));
		assert_eq!(vault(CAROL), 11);
	});
}

#[test]
fn fails_for_others_the_pot_and_no_stream() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(refund(0, BOB, 12), Error::<Test>::StreamNotFound);
		let stream = earned();
		assert_noop!(PayStream::refund(signed(BOB), stream, BOB, 12), Error::<Test>::NotOwner);
		assert_noop!(refund(stream, PayStream::pot(), 12), Error::<Test>::PotRefused);
		assert_noop!(PayStream::refund(root(), stream, BOB, 12), DispatchError::BadOrigin);
	});
}

#[test]
fn fails_when_a_sum_would_overflow() {
	ExtBuilder::default().build().execute_with(|| {
		let stream = earned();
		let entry = Stream { refunded_total: u128::MAX, ..stream_entry(stream) };
		Streams::<Test>::insert(stream, entry);
		assert_noop!(PayStream::refund(signed(ALICE), stream, BOB, 12), Error::<Test>::Overflow);
	});
}
