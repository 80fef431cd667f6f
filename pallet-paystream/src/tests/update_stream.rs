// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn update(stream: StreamId, change: StreamChangeOf<Test>) -> DispatchResult {
	let announced = PayStream::weight_of_update(&change);
	let done = step(|| PayStream::update_stream(signed(ALICE), stream, change));
	let post = done.map_err(|refused| refused.error)?;
	assert!(post.actual_weight.is_some_and(|actual| actual.all_lte(announced)));
	Ok(())
}

fn pause(stream: StreamId) -> DispatchResult {
	update(stream, StreamChange { paused: Some(true), ..Default::default() })
}

fn resume(stream: StreamId) -> DispatchResult {
	update(stream, StreamChange { paused: Some(false), ..Default::default() })
}

fn total(who: u64) -> u128 {
	Balances::free_balance(who) + Balances::reserved_balance(who)
}

#[test]
fn success_changes_only_what_is_named() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		let before = stream_entry(stream);
		at(5);
		assert_ok!(update(stream, StreamChange::default()));
		assert_eq!(stream_entry(stream), before);
		let change =
			StreamChange { funds_min: Some(40), gap_min_ms: Some(60_000), ..Default::default() };
		assert_ok!(update(stream, change));
		assert_eq!(
			stream_entry(stream),
			Stream { funds_min: 40, gap_min_ms: 60_000, ..before.clone() }
		);
	});
}

#[test]
fn success_a_new_rate_spares_running_sessions() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(15);
		events();
		assert_ok!(update(stream, StreamChange { rate_per_second: Some(4), ..Default::default() }));
		let status = StreamStatus::Active;
		assert_eq!(last_event(), Event::StreamUpdated { stream, rate_per_second: 4, status });
		at(20);
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(stream_entry(stream).earned, 30);
		// A session at the new rate starts no earlier than the rate.
		assert_ok!(open(grant, 1, stream, 300, 10));
		let session = session(grant, 1);
		assert_eq!((session.rate_per_second, session.started_at), (4, 15_000));
	});
}

#[test]
fn success_a_pause_stops_sessions_and_a_resumption_starts_none_before_it() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(pause(stream));
		assert_eq!(stream_entry(stream).status, StreamStatus::Paused);
		assert_ok!(pause(stream));
		assert_eq!(stream_entry(stream).stops.to_vec(), vec![20_000]);
		at(22);
		assert_ok!(resume(stream));
		assert_ok!(resume(stream));
		at(24);
		assert_eq!(tick(grant, 0, 11), Err(Error::AheadOfClock));
		// A tick for the time before is still paid, and revives nothing.
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(session(grant, 0).ended_at, 20_000);
		assert_eq!(session(grant, 0).ticked_at, 10_000);
		assert_ok!(open(grant, 1, stream, 300, 10));
		assert_eq!(session(grant, 1).started_at, 22_000);
	});
}

#[test]
fn success_what_the_claim_for_the_old_payees_did_not_use_comes_back() {
	ExtBuilder::default().build_and_execute(|| {
		let two = payees(&[(CAROL, 500_000), (DAVE, 500_000)]);
		let stream = new_stream_for(3, two);
		let change = StreamChange { payees: Some(payees(&[])), ..Default::default() };
		let announced = PayStream::weight_of_update(&change);
		let post = PayStream::update_stream(signed(ALICE), stream, change).expect("it is hers");
		let spent = PayStream::weight_of_updated(Some(2));
		assert_eq!(post.actual_weight, Some(spent));
		assert!(spent.ref_time() < announced.ref_time());
		// A change of nothing else claims for nobody.
		let change = StreamChange { funds_min: Some(40), ..Default::default() };
		let post = PayStream::update_stream(signed(ALICE), stream, change).expect("it is hers");
		assert_eq!(post.actual_weight, Some(PayStream::weight_of_updated(None)));
	});
}

/// Whoever is no payee any more has no place in a vault that the deposit pays for.
#[test]
fn fails_to_let_a_payee_go_whose_dust_their_account_cannot_take() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream_for(1, payees(&[(GHOST, 500_000), (ALICE, 500_000)]));
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(28);
		assert_ok!(tick(grant, 0, 18));
		let without = StreamChange { payees: Some(payees(&[])), ..Default::default() };
		// What is earned would be claimed first, and credited.
		let refused = PayStream::update_stream(signed(ALICE), stream, without.clone());
		assert_noop!(refused, Error::<Test>::PayeeVaultDust);
		// Nothing more is theirs, but the place.
		let kept = payees(&[(GHOST, 0), (ALICE, 1_000_000)]);
		let change = StreamChange { payees: Some(kept), ..Default::default() };
		assert_ok!(update(stream, change));
		assert_eq!((vault(GHOST), stream_entry(stream).deposit), (9, 1_200));
		assert_ok!(Balances::transfer_allow_death(signed(DAVE), GHOST, EXISTENTIAL_DEPOSIT));
		events();
		assert_ok!(update(stream, without));
		assert!(events().contains(&Event::Withdrawn { who: GHOST, asset: NATIVE, amount: 9 }));
		assert_eq!((vault(GHOST), stream_entry(stream).deposit), (0, 1_100));
	});
}

#[test]
fn success_new_payees_come_after_the_old_ones_have_been_paid() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(tick(grant, 0, 10));
		events();
		let list = payees(&[(CAROL, 500_000), (DAVE, 500_000)]);
		let change = StreamChange { payees: Some(list.clone()), ..Default::default() };
		let before = total(ALICE);
		assert_ok!(update(stream, change));
		assert_eq!(total(ALICE), before + 30);
		assert_eq!(
			events().first(),
			Some(&Event::Claimed { stream, payee: ALICE, amount: 30, credited: false })
		);
		let entry = stream_entry(stream);
		assert_eq!((entry.payees, entry.earned, entry.deposit), (list, 0, 1_200));
		assert_eq!(Balances::reserved_balance(ALICE), 1_200);
		// And back: the deposit shrinks with the list, and an empty one names the owner.
		let change = StreamChange { payees: Some(payees(&[])), ..Default::default() };
		assert_ok!(update(stream, change));
		assert_eq!(stream_entry(stream).payees, payees(&[(ALICE, 1_000_000)]));
		assert_eq!(Balances::reserved_balance(ALICE), 1_100);
	});
}

#[test]
fn boundary_of_pauses() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		for second in 0..15 {
			at(10 + second);
			assert_ok!(pause(stream));
			assert_ok!(resume(stream));
		}
		at(25);
		assert_noop!(pause(stream), Error::<Test>::TooManyPauses);
		// The last place is for the end.
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_eq!(stream_entry(stream).stops.len(), 16);
	});
}

#[test]
fn boundary_of_forgetting_pauses() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		for second in 0..15 {
			at(10 + second);
			assert_ok!(pause(stream));
			assert_ok!(resume(stream));
		}
		// The greatest gap and the window after the first pause it still matters.
		at(10 + 3_600 + 60);
		assert_noop!(pause(stream), Error::<Test>::TooManyPauses);
		at_ms((10 + 3_600 + 60) * 1_000 + 1);
		assert_ok!(pause(stream));
		assert_eq!(stream_entry(stream).stops.len(), 15);
		assert_eq!(stream_entry(stream).stops.first(), Some(&11_000));
	});
}

#[test]
fn boundary_two_pauses_at_one_moment_take_one_place() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		at(10);
		assert_ok!(pause(stream));
		assert_ok!(resume(stream));
		assert_ok!(pause(stream));
		assert_eq!(stream_entry(stream).stops.to_vec(), vec![10_000]);
	});
}

#[test]
fn fails_for_bad_terms() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		let change = |change| update(stream, change);
		assert_noop!(
			change(StreamChange { rate_per_second: Some(0), ..Default::default() }),
			Error::<Test>::RateZero
		);
		assert_noop!(
			change(StreamChange { gap_min_ms: Some(3_600_001), ..Default::default() }),
			Error::<Test>::GapOutOfRange
		);
		let short = payees(&[(CAROL, 1)]);
		assert_noop!(
			change(StreamChange { payees: Some(short), ..Default::default() }),
			Error::<Test>::SharesNotWhole
		);
		let pot = payees(&[(PayStream::pot(), 1_000_000)]);
		assert_noop!(
			change(StreamChange { payees: Some(pot), ..Default::default() }),
			Error::<Test>::PotRefused
		);
	});
}

#[test]
fn fails_for_others_and_after_the_end() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(update(0, StreamChange::default()), Error::<Test>::StreamNotFound);
		let stream = new_stream(3);
		assert_noop!(
			PayStream::update_stream(signed(BOB), stream, StreamChange::default()),
			Error::<Test>::NotOwner
		);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_noop!(resume(stream), Error::<Test>::StreamEnded);
	});
}
