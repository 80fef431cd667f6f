// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn transfer(stream: StreamId, to: u64) -> DispatchResultWithPostInfo {
	step(|| PayStream::transfer_stream(signed(ALICE), stream, to))
}

/// A stream with two payees and two tiers that has earned 30, and a session still open.
fn earned() -> (StreamId, GrantId) {
	fill_vault(5_000);
	let stream = new_stream_for(3, payees(&[(ALICE, 500_000), (CAROL, 500_000)]));
	offer(stream, &[tier(100, 60, 50), tier(200, 60, 100)]);
	let grant = new_grant(terms());
	at(10);
	assert_ok!(open(grant, 0, stream, 300, 10));
	at(20);
	assert_ok!(tick(grant, 0, 10));
	(stream, grant)
}

#[test]
fn success_the_deposit_and_the_shares_go_with_it() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = earned();
		assert_eq!(Balances::reserved_balance(ALICE), 1_340);
		events();
		let post = transfer(stream, DAVE).expect("the owner may");
		assert_eq!(post.actual_weight, Some(PayStream::weight_of_transfer(2)));
		assert_eq!(
			events(),
			vec![
				Event::Claimed { stream, payee: ALICE, amount: 15, credited: false },
				Event::Claimed { stream, payee: CAROL, amount: 15, credited: false },
				Event::StreamTransferred { stream, from: ALICE, to: DAVE },
			]
		);
		let entry = stream_entry(stream);
		assert_eq!((entry.owner, entry.deposit, entry.earned), (DAVE, 1_340, 0));
		assert_eq!(entry.payees, payees(&[(DAVE, 500_000), (CAROL, 500_000)]));
		assert_eq!(Balances::reserved_balance(ALICE), 0);
		assert_eq!(Balances::reserved_balance(DAVE), 1_340);
		// The money itself has moved: Alice keeps what she earned, and Dave has what he holds.
		assert_eq!((total(ALICE), total(DAVE)), (ENDOWMENT - 1_340 + 15, ENDOWMENT + 1_340));

		// The session goes on, and what it earns now is the new owner's.
		at(30);
		assert_ok!(close(grant, 0, 20));
		assert_noop!(PayStream::end_stream(signed(ALICE), stream), Error::<Test>::NotOwner);
		assert_ok!(step(|| PayStream::end_stream(signed(DAVE), stream)));
		assert_ok!(step(|| PayStream::claim(signed(BOB), stream)));
		assert_eq!(Streams::<Test>::get(stream), None);
		assert_eq!(Balances::free_balance(DAVE), ENDOWMENT + 1_340 + 15);
		assert_eq!(total(ALICE), ENDOWMENT - 1_340 + 15);
	});
}

#[test]
fn success_dust_of_the_old_owner_leaves_with_their_place() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = earned();
		// As a viewer of her own stream she has paid all but a little.
		assert_ok!(PayStream::deposit(signed(ALICE), NATIVE, 39));
		let grant = NextGrantId::<Test>::get();
		let proof = signer().sign(&PayStream::grant_bytes(&ALICE));
		assert_ok!(PayStream::grant(signed(ALICE), signer().key(), proof, terms()));
		assert_ok!(open(grant, 0, stream, 30, 20));
		at(30);
		assert_ok!(close(grant, 0, 10));
		assert_eq!(vault(ALICE), 9);
		assert_ok!(transfer(stream, DAVE));
		assert_eq!(vault(ALICE), 0);
	});
}

#[test]
fn success_every_share_of_the_old_owner_and_nobody_elses() {
	ExtBuilder::default().build_and_execute(|| {
		let list = [(ALICE, 200_000), (CAROL, 300_000), (ALICE, 400_000), (DAVE, 100_000)];
		let stream = new_stream_for(3, payees(&list));
		assert_ok!(transfer(stream, DAVE));
		let list = [(DAVE, 200_000), (CAROL, 300_000), (DAVE, 400_000), (DAVE, 100_000)];
		assert_eq!(stream_entry(stream).payees, payees(&list));
		// An owner who was no payee still is none.
		let stream = new_stream_for(3, payees(&[(CAROL, 1_000_000)]));
		assert_ok!(transfer(stream, DAVE));
		assert_eq!(stream_entry(stream).payees, payees(&[(CAROL, 1_000_000)]));
	});
}

#[test]
fn success_the_treasury_has_its_part_of_what_was_earned_before() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = earned();
		set_share(20);
		events();
		assert_ok!(transfer(stream, DAVE));
		assert_eq!(
			events().first(),
			Some(&Event::TreasuryPaid { stream, amount: 6, credited: true })
		);
		// 6 are below the existential deposit.
		assert_eq!(vault(TREASURY), 6);
	});
}

#[test]
fn success_what_the_shares_left_over_stays_with_the_stream() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream_for(3, payees(&[(ALICE, 500_000), (CAROL, 500_000)]));
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 31, Default::default())));
		assert_ok!(transfer(stream, DAVE));
		assert_eq!(stream_entry(stream).earned, 1);
	});
}

#[test]
fn success_while_paused_stopped_and_with_a_subscriber() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let tier = tier(100, 60, 50);
		offer(stream, &[tier]);
		assert_ok!(subscribe(stream, tier, 3));
		let pause = StreamChange { paused: Some(true), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, pause)));
		assert_ok!(step(|| PayStream::set_stopped(root(), true)));
		assert_ok!(transfer(stream, DAVE));
		assert_eq!(total(ALICE), ENDOWMENT - 1_170 + 100);
		let entry = stream_entry(stream);
		assert_eq!((entry.status, entry.subscriptions_open), (StreamStatus::Paused, 1));
		at(70);
		assert_ok!(step(|| PayStream::settle_subscription(signed(BOB), stream, BOB)));
		assert_ok!(step(|| PayStream::claim(signed(BOB), stream)));
		assert_eq!(total(DAVE), ENDOWMENT + 1_170 + 100);
	});
}

#[test]
fn fails_where_the_deposit_cannot_move() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		// Nothing can be held on an account that does not exist.
		assert_noop!(transfer(stream, GHOST), TokenError::CannotCreateHold);
	});
	ExtBuilder::default().build().execute_with(|| {
		use frame::token::fungible::MutateHold;
		let stream = new_stream(3);
		let reason = HoldReason::Stream.into();
		let slashed = Balances::burn_held(&reason, &ALICE, 1, Precision::Exact, Fortitude::Force);
		assert_ok!(slashed);
		assert_noop!(
			PayStream::transfer_stream(signed(ALICE), stream, DAVE).map_err(|e| e.error),
			TokenError::Frozen
		);
	});
}

#[test]
fn fails_for_others_the_pot_the_owner_and_after_the_end() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(transfer(0, DAVE), Error::<Test>::StreamNotFound);
		let stream = new_stream(3);
		assert_noop!(PayStream::transfer_stream(signed(BOB), stream, BOB), Error::<Test>::NotOwner);
		assert_noop!(transfer(stream, PayStream::pot()), Error::<Test>::PotRefused);
		assert_noop!(transfer(stream, ALICE), Error::<Test>::OwnerUnchanged);
		assert_noop!(PayStream::transfer_stream(root(), stream, DAVE), DispatchError::BadOrigin);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_noop!(transfer(stream, DAVE), Error::<Test>::StreamEnded);
	});
}
