// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// A session on funds for 100 seconds, opened at 10.
fn opened() -> (StreamId, GrantId) {
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, 300, 10));
	(stream, grant)
}

#[test]
fn success_pays_the_total_and_returns_the_rest() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(20);
		assert_ok!(tick(grant, 0, 10));
		at(26);
		events();
		assert_ok!(close(grant, 0, 14));
		assert_eq!(
			events(),
			vec![
				Event::Ticked {
					grant,
					index: 0,
					stream,
					seconds: 14,
					charged_seconds: 4,
					amount: 12,
					fee: 0,
				},
				Event::SessionClosed {
					grant,
					index: 0,
					stream,
					seconds: 14,
					paid: 42,
					refunded: 258,
					ended_at: 26_000,
					reason: CloseReason::Order,
				},
			]
		);
		assert_eq!(vault(BOB), 5_000 - 42);
		let entry = grant_entry(grant);
		assert_eq!((entry.cap_left, entry.spent, entry.seconds), (9_958, 42, 14));
		assert_eq!((entry.open.len(), entry.freed_end_at), (0, 26_000));
		let entry = stream_entry(stream);
		assert_eq!((entry.sessions_open, entry.earned, entry.seconds), (0, 42, 14));
	});
}

#[test]
fn success_without_charging_anything() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		events();
		assert_ok!(close(grant, 0, 0));
		assert!(matches!(events()[..], [Event::SessionClosed { seconds: 0, refunded: 300, .. }]));
		assert_eq!(vault(BOB), 5_000);
	});
}

#[test]
fn success_with_a_total_that_is_already_paid() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		assert_ok!(tick(grant, 0, 10));
		assert_ok!(close(grant, 0, 10));
		assert_eq!(vault(BOB), 5_000 - 30);
	});
}

#[test]
fn boundary_of_the_funds() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 31, 10));
		at(30);
		events();
		assert_ok!(close(grant, 0, 20));
		assert!(matches!(
			events()[..],
			[
				Event::Ticked { charged_seconds: 10, .. },
				Event::SessionClosed {
					seconds: 10,
					paid: 30,
					refunded: 1,
					reason: CloseReason::FundsExhausted,
					..
				}
			]
		));
	});
}

#[test]
fn boundary_of_the_window() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		// Silence ended it at 40; the window is over at 100.
		at_ms(99_999);
		assert_eq!(close(grant, 0, 31), Err(Error::AheadOfClock));
		assert_ok!(pool(&signer(), grant, Order::Close { index: 0, seconds: 30 }));
		at(100);
		assert_eq!(close(grant, 0, 30), Err(Error::SessionEnded));
		at_ms(99_999);
		assert_ok!(close(grant, 0, 30));
		assert_eq!(stream_entry(stream).earned, 90);
	});
}

#[test]
fn boundary_an_end_counts_from_the_earliest_of_its_causes() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(25);
		assert_ok!(PayStream::end_stream(signed(ALICE), stream));
		at(30);
		assert_ok!(PayStream::revoke(signed(BOB), grant));
		// Ended at 25, not at 30 and not at 40.
		at_ms(84_999);
		assert_eq!(close(grant, 0, 16), Err(Error::AheadOfClock));
		assert_ok!(pool(&signer(), grant, Order::Close { index: 0, seconds: 15 }));
		at(85);
		assert_eq!(close(grant, 0, 15), Err(Error::SessionEnded));
		assert_ok!(step(|| PayStream::settle(signed(DAVE), grant, 0)));
	});
}

#[test]
fn fails_for_a_lower_total_and_ahead_of_the_clock() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(close(grant, 0, 9), Err(Error::TotalLower));
		assert_eq!(close(grant, 0, 11), Err(Error::AheadOfClock));
	});
}

#[test]
fn fails_for_a_session_that_is_closed_or_never_was() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		assert_eq!(close(grant, 1, 0), Err(Error::SessionNotFound));
		assert_eq!(close(77, 0, 0), Err(Error::GrantNotFound));
		assert_ok!(close(grant, 0, 10));
		assert_eq!(close(grant, 0, 10), Err(Error::OrderStale));
		assert_eq!(close(grant, 0, 12), Err(Error::OrderStale));
	});
}
