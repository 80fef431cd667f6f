// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// A grant with an allowance of 500 for tips, and a session of it opened at 10.
fn opened() -> (StreamId, GrantId) {
	fill_vault(5_000);
	let stream = new_stream(3);
	let grant = new_grant(GrantTerms { tips_max: 500, ..terms() });
	at(10);
	assert_ok!(open(grant, 0, stream, 300, 10));
	(stream, grant)
}

#[test]
fn success_pays_the_difference_from_vault_and_allowance() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		let message: MessageOf<Test> = b"bravo".to_vec().try_into().expect("short");
		events();
		let order = Order::Tip { index: 0, tips: 120, message: message.clone() };
		assert_ok!(submit(grant, order));
		assert_eq!(
			events(),
			vec![Event::Tipped { stream, viewer: BOB, amount: 120, message, grant: Some(grant) }]
		);
		let entry = grant_entry(grant);
		assert_eq!((entry.tips_left, entry.tips_total), (380, 120));
		// Beside the cap, and nothing of the session's funds.
		assert_eq!((entry.cap_left, entry.spent), (9_700, 0));
		assert_eq!((vault(BOB), session(grant, 0).funds), (4_580, 300));
		assert_eq!(entry.tipped_at, 10_000);
		at(15);
		assert_ok!(tip(grant, 0, 200));
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.earned_total, entry.tips_total), (200, 200, 200));
		assert_eq!(vault(BOB), 4_500);
	});
}

#[test]
fn success_the_total_is_the_grants_whatever_the_session() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		let other = new_stream(3);
		at(15);
		assert_ok!(open(grant, 1, other, 300, 15));
		assert_ok!(tip(grant, 0, 100));
		at(20);
		assert_ok!(tip(grant, 1, 150));
		assert_eq!((stream_entry(stream).tips_total, stream_entry(other).tips_total), (100, 50));
		assert_eq!(tip(grant, 0, 150), Err(Error::OrderStale));
		assert_eq!(grant_entry(grant).tips_left, 350);
	});
}

#[test]
fn success_in_the_pool_it_waits_behind_all_others() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		let order = Order::Tip { index: 0, tips: 20, message: Default::default() };
		let valid = pool(&signer(), grant, order.clone()).expect("it is in order");
		assert_eq!(valid.priority, 0);
		// One at a time of a grant, whatever the session.
		assert_eq!(valid.provides, vec![("PayStream", grant, 3u8).encode()]);
		let foreign = Delegate::ed25519(7);
		assert_eq!(submit_as(&foreign, grant, order), Err(Error::SignatureInvalid));
	});
}

#[test]
fn boundary_of_the_allowance() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_eq!(tip(grant, 0, 501), Err(Error::TipsTooLow));
		assert_ok!(tip(grant, 0, 490));
		at(15);
		assert_eq!(tip(grant, 0, 501), Err(Error::TipsTooLow));
		assert_ok!(tip(grant, 0, 500));
		assert_eq!(tip(grant, 0, 510), Err(Error::TipsTooLow));
		assert_eq!(grant_entry(grant).tips_left, 0);
		// A grant that allows none.
		let none = new_grant(terms());
		assert_ok!(open(none, 0, 0, 300, 10));
		assert_eq!(tip(none, 0, 10), Err(Error::TipsTooLow));
		assert_eq!(tip(none, 0, 0), Err(Error::OrderStale));
	});
}

#[test]
fn boundary_of_the_least_free_tip() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		// At first the asset's minimum balance.
		assert_eq!(tip(grant, 0, 9), Err(Error::TipTooSmall));
		assert_ok!(tip(grant, 0, 10));
		at(15);
		assert_eq!(tip(grant, 0, 19), Err(Error::TipTooSmall));
		assert_ok!(step(|| PayStream::enable_asset(root(), NATIVE, 50)));
		assert_eq!(tip(grant, 0, 59), Err(Error::TipTooSmall));
		assert_ok!(tip(grant, 0, 60));
		at(20);
		assert_ok!(step(|| PayStream::enable_asset(root(), NATIVE, 0)));
		assert_ok!(tip(grant, 0, 61));
	});
}

/// What a tip costs may be the viewer's own again, so the clock bounds how many of them are free.
#[test]
fn boundary_of_the_pause_between_free_tips() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_ok!(tip(grant, 0, 20));
		at_ms(14_999);
		assert_eq!(tip(grant, 0, 40), Err(Error::TipTooSoon));
		// The paid lane has no such limit, and counts as a tip.
		let order = Order::Tip { index: 0, tips: 40, message: Default::default() };
		assert_eq!(submit_batch(vec![item(grant, order)]).expect("in order").pays_fee, Pays::Yes);
		assert_eq!(grant_entry(grant).tipped_at, 14_999);
		at_ms(19_998);
		assert_eq!(tip(grant, 0, 60), Err(Error::TipTooSoon));
		at_ms(19_999);
		assert_ok!(tip(grant, 0, 60));
		// Each grant has its own.
		let other = new_grant(GrantTerms { tips_max: 500, ..terms() });
		assert_ok!(open(other, 0, 0, 300, 10));
		assert_ok!(tip(other, 0, 20));
	});
}

#[test]
fn boundary_of_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), NATIVE, 4_600)));
		assert_eq!(tip(grant, 0, 101), Err(Error::VaultTooLow));
		assert_ok!(tip(grant, 0, 100));
		assert!(!Vaults::<Test>::contains_key(BOB, NATIVE));
	});
}

#[test]
fn boundary_of_the_sessions_end() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at_ms(39_999);
		assert_ok!(tip(grant, 0, 20));
		at(40);
		assert_eq!(tip(grant, 0, 40), Err(Error::SessionEnded));
		// A pause and an end of the stream end the session too.
		let other = new_grant(GrantTerms { tips_max: 500, ..terms() });
		assert_ok!(open(other, 0, stream, 300, 40));
		assert_ok!(tip(other, 0, 20));
		at(45);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_eq!(tip(other, 0, 40), Err(Error::SessionEnded));
	});
}

#[test]
fn fails_for_totals_that_are_not_higher() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_ok!(tip(grant, 0, 200));
		assert_eq!(tip(grant, 0, 200), Err(Error::OrderStale));
		assert_eq!(tip(grant, 0, 199), Err(Error::TotalLower));
		assert_eq!(tip(grant, 0, 0), Err(Error::TotalLower));
	});
}

#[test]
fn fails_for_a_session_that_is_not_open() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_eq!(tip(grant, 1, 20), Err(Error::SessionNotFound));
		assert_eq!(tip(77, 0, 20), Err(Error::GrantNotFound));
		at(20);
		assert_ok!(close(grant, 0, 10));
		assert_eq!(tip(grant, 0, 20), Err(Error::OrderStale));
		// Another session of the grant may tip.
		assert_ok!(open(grant, 1, 0, 300, 20));
		assert_ok!(tip(grant, 1, 20));
	});
}

#[test]
fn boundary_a_total_at_its_limit_stays_there() {
	ExtBuilder::default().build().execute_with(|| {
		let (stream, grant) = opened();
		Streams::<Test>::insert(stream, Stream { tips_total: u128::MAX, ..stream_entry(stream) });
		assert_ok!(PayStream::submit_batch(
			signed(DAVE),
			batch(vec![item(
				grant,
				Order::Tip { index: 0, tips: 20, message: Default::default() }
			)])
		));
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.tips_total), (20, u128::MAX));
		check_state();
	});
}
