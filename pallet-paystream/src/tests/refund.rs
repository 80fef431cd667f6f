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

fn refund(stream: StreamId, viewer: u64, amount: u128) -> DispatchResultWithPostInfo {
	step(|| PayStream::refund(signed(ALICE), stream, viewer, amount))
}

#[test]
fn success_goes_from_the_earnings_to_a_vault() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = earned();
		let before = Balances::free_balance(ALICE);
		events();
		assert_ok!(refund(stream, BOB, 12));
		let (payee, credited) = (ALICE, false);
		assert_eq!(
			events(),
			vec![
				Event::Claimed { stream, payee, amount: 18, credited },
				Event::Refunded { stream, viewer: BOB, amount: 12 }
			]
		);
		assert_eq!(vault(BOB), 5_000 - 30 + 12);
		assert_eq!(Balances::free_balance(ALICE), before + 18);
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.earned_total, entry.refunded_total), (0, 30, 12));
		assert_eq!(entry.seconds, 10);
		assert_noop!(PayStream::claim(signed(DAVE), stream), Error::<Test>::NothingToClaim);
	});
}

/// What others earn by a stream is not its owner's to give.
#[test]
fn success_treasury_and_other_payees_get_theirs() {
	ExtBuilder::default().build_and_execute(|| {
		set_share(10);
		set_tick_price(NATIVE, 5);
		fill_vault(5_000);
		let list = payees(&[(ALICE, 200_000), (CAROL, 500_000), (ALICE, 300_000)]);
		let stream = new_stream_for(4, list);
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(close(grant, 0, 10));
		// 4 of 40 are the treasury's, and of the rest 7, 18 and 10; 1 is left over.
		assert_noop!(refund(stream, BOB, 18), Error::<Test>::EarningsTooLow);
		events();
		assert_ok!(refund(stream, BOB, 9));
		assert_eq!(
			events(),
			vec![
				Event::TreasuryPaid { stream, amount: 4 + 5, credited: true },
				Event::Claimed { stream, payee: CAROL, amount: 18, credited: false },
				Event::Claimed { stream, payee: ALICE, amount: 10 - 2, credited: false },
				Event::Refunded { stream, viewer: BOB, amount: 9 }
			]
		);
		assert_eq!(stream_entry(stream).earned, 1);
		assert_noop!(refund(stream, BOB, 1), Error::<Test>::EarningsTooLow);
		// An owner who is no payee has nothing to give.
		let others = new_stream_for(4, payees(&[(CAROL, 1_000_000)]));
		assert_ok!(open(grant, 1, others, 300, 20));
		at(30);
		assert_ok!(close(grant, 1, 10));
		assert_noop!(refund(others, BOB, 1), Error::<Test>::EarningsTooLow);
	});
}

/// Where the receiver is a payee whose account cannot take it, both amounts come to the vault.
#[test]
fn success_beside_a_share_that_is_credited() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream_for(3, payees(&[(ALICE, 800_000), (GHOST, 200_000)]));
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(close(grant, 0, 10));
		assert_ok!(refund(stream, GHOST, 24));
		assert_eq!(vault(GHOST), 6 + 24);
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
fn boundary_of_a_new_vault() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = earned();
		// A vault that nobody asked for and that nobody could empty.
		assert_noop!(refund(stream, CAROL, 9), Error::<Test>::VaultDust);
		assert_ok!(refund(stream, CAROL, 10));
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 10, Default::default())));
		assert_ok!(refund(stream, CAROL, 1));
		assert_eq!(vault(CAROL), 11);
	});
}

#[test]
fn fails_in_an_asset_that_is_written_off() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = earned();
		AssetEntries::<Test>::mutate(NATIVE, |entry| {
			entry.as_mut().expect("it is in").status = AssetStatus::WrittenOff;
		});
		assert_noop!(refund(stream, BOB, 12), Error::<Test>::EarningsTooLow);
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
		Vaults::<Test>::insert(CAROL, NATIVE, u128::MAX - 11);
		assert_noop!(PayStream::refund(signed(ALICE), stream, CAROL, 12), Error::<Test>::Overflow);
	});
}
