// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// An open of a stream at rate 3 with 300.
fn order(index: u32, stream: StreamId) -> OrderOf<Test> {
	Order::Open {
		index,
		stream,
		rate_per_second: 3,
		funds: 300,
		start_at: 10_000,
		tick_price_max: 1_000,
	}
}

#[test]
fn success_reserves_and_starts_the_clock() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		events();
		assert_ok!(open(grant, 0, stream, 300, 8));
		assert_eq!(
			events(),
			vec![Event::SessionOpened {
				grant,
				index: 0,
				stream,
				viewer: BOB,
				rate_per_second: 3,
				funds: 300,
				started_at: 8_000,
			}]
		);
		assert_eq!(vault(BOB), 4_700);
		let entry = grant_entry(grant);
		assert_eq!((entry.cap_left, entry.spent), (9_700, 0));
		assert_eq!((entry.open.to_vec(), entry.next_index, entry.opened_at), (vec![0], 1, 10_000));
		assert_eq!(stream_entry(stream).sessions_open, 1);
		let opened = session(grant, 0);
		assert_eq!((opened.funds, opened.seconds, opened.gap_ms), (300, 0, 30_000));
		assert_eq!((opened.viewer, opened.key), (BOB, signer().key()));
	});
}

#[test]
fn success_by_an_ed25519_key() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let by = Delegate::ed25519(9);
		let proof = by.sign(&PayStream::grant_bytes(&BOB));
		assert_ok!(PayStream::grant(signed(BOB), by.key(), proof, terms()));
		at(10);
		assert_eq!(submit(0, order(0, stream)), Err(Error::SignatureInvalid));
		assert_ok!(submit_as(&by, 0, order(0, stream)));
		at(20);
		assert_ok!(submit_as(&by, 0, Order::Close { index: 0, seconds: 10 }));
		assert_eq!(stream_entry(stream).earned, 30);
	});
}

#[test]
fn boundary_the_start_is_raised_and_lowered_not_refused() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(20);
		// The head start.
		assert_ok!(open(grant, 0, stream, 30, 0));
		assert_eq!(session(grant, 0).started_at, 14_000);
		// The future.
		at(30);
		assert_ok!(open(grant, 1, stream, 30, 40));
		assert_eq!(session(grant, 1).started_at, 30_000);
		// The latest end among the freed slots.
		at(35);
		assert_ok!(close(grant, 1, 5));
		at(37);
		assert_ok!(open(grant, 2, stream, 30, 33));
		assert_eq!(session(grant, 2).started_at, 35_000);
		// The grant's own creation, and the stream's.
		at(50);
		let grant = new_grant(terms());
		at(52);
		assert_ok!(open(grant, 0, stream, 30, 47));
		assert_eq!(session(grant, 0).started_at, 50_000);
		at(60);
		let stream = new_stream(3);
		at(62);
		assert_ok!(open(grant, 1, stream, 30, 57));
		assert_eq!(session(grant, 1).started_at, 60_000);
	});
}

#[test]
fn boundary_every_slot_taken_until_one_is_freed() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		for index in [0, 1] {
			at(10 + 5 * u64::from(index));
			assert_ok!(submit(grant, order(index, stream)));
		}
		at(20);
		assert_eq!(submit(grant, order(2, stream)), Err(Error::SlotsTaken));
		assert_ok!(close(grant, 0, 10));
		assert_ok!(submit(grant, order(2, stream)));
		assert_eq!(grant_entry(grant).open.to_vec(), vec![1, 2]);
	});
}

#[test]
fn boundary_of_the_time_between_opens() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(submit(grant, order(0, stream)));
		at_ms(14_999);
		assert_eq!(submit(grant, order(1, stream)), Err(Error::OpenTooSoon));
		at(15);
		assert_ok!(submit(grant, order(1, stream)));
	});
}

#[test]
fn boundary_of_the_index() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_eq!(submit(grant, order(1, stream)), Err(Error::IndexNotNext));
		assert_ok!(submit(grant, order(0, stream)));
		at(20);
		// A replay, while the session is open and after.
		assert_eq!(submit(grant, order(0, stream)), Err(Error::OrderStale));
		assert_ok!(close(grant, 0, 0));
		assert_eq!(submit(grant, order(0, stream)), Err(Error::OrderStale));
	});
}

#[test]
fn boundary_of_the_last_index() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		Grants::<Test>::mutate(grant, |entry| {
			if let Some(entry) = entry {
				entry.next_index = u32::MAX;
			}
		});
		assert_eq!(submit(grant, order(u32::MAX, stream)), Err(Error::Overflow));
	});
}

#[test]
fn boundary_of_the_expiry() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(1_000);
		assert_eq!(submit(grant, order(0, stream)), Err(Error::GrantEnded));
		at_ms(999_999);
		assert_ok!(submit(grant, order(0, stream)));
		assert_eq!(session(grant, 0).ended_at, 1_000_000);
	});
}

#[test]
fn boundary_of_the_funds() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		let funds = |funds| open(grant, 0, stream, funds, 10);
		at(10);
		assert_eq!(funds(2), Err(Error::FundsBelowStream));
		assert_eq!(funds(5_001), Err(Error::VaultTooLow));
		let change = StreamChange { funds_min: Some(50), ..Default::default() };
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, change));
		assert_eq!(funds(49), Err(Error::FundsBelowStream));
		fill_vault(10_000);
		assert_eq!(funds(10_001), Err(Error::CapTooLow));
		assert_ok!(funds(10_000));
		assert_eq!(grant_entry(grant).cap_left, 0);
	});
}

#[test]
fn boundary_of_the_rate() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = ready();
		let dear = new_stream(6);
		let right = new_stream(5);
		at(10);
		assert_eq!(open(grant, 0, dear, 300, 10), Err(Error::RateAboveGrant));
		assert_eq!(submit(grant, order(0, right)), Err(Error::RateMismatch));
		assert_ok!(open(grant, 0, right, 300, 10));
	});
}

#[test]
fn boundary_of_the_gap() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		let gap = |gap_min_ms| {
			let change = StreamChange { gap_min_ms: Some(gap_min_ms), ..Default::default() };
			assert_ok!(PayStream::update_stream(signed(ALICE), stream, change));
		};
		gap(30_001);
		assert_eq!(submit(grant, order(0, stream)), Err(Error::GapBelowStream));
		gap(30_000);
		assert_ok!(submit(grant, order(0, stream)));
	});
}

#[test]
fn fails_for_a_stream_that_cannot_be_watched() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_eq!(submit(grant, order(0, 77)), Err(Error::StreamNotFound));
		let paused = |paused| StreamChange { paused: Some(paused), ..Default::default() };
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, paused(true)));
		assert_eq!(submit(grant, order(0, stream)), Err(Error::StreamNotActive));
		// Resumed at the moment of its pause: a session would have stopped already.
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, paused(false)));
		assert_eq!(submit(grant, order(0, stream)), Err(Error::StreamNotActive));
		at_ms(10_001);
		assert_ok!(pool(&signer(), grant, order(0, stream)));
		assert_ok!(PayStream::end_stream(signed(ALICE), stream));
		assert_eq!(submit(grant, order(0, stream)), Err(Error::StreamEnded));
	});
}

#[test]
fn fails_for_another_asset_or_no_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = ready();
		assert_ok!(PayStream::create_stream(signed(ALICE), TOKEN, 3, payees(&[]), 0, 0));
		at(10);
		assert_eq!(submit(grant, order(0, 1)), Err(Error::AssetMismatch));
		assert_eq!(submit(77, order(0, 1)), Err(Error::GrantNotFound));
	});
}
