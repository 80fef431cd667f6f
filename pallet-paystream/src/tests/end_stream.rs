// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn end(stream: StreamId) -> DispatchResult {
	step(|| PayStream::end_stream(signed(ALICE), stream))
}

#[test]
fn success_stops_sessions_now() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(end(stream));
		assert_eq!(last_event(), Event::StreamEnded { stream });
		at(25);
		assert_eq!(close(grant, 0, 11), Err(Error::AheadOfClock));
		assert_ok!(close(grant, 0, 10));
		assert_eq!(grant_entry(grant).freed_end_at, 20_000);
		assert_eq!(stream_entry(stream).earned, 30);
	});
}

#[test]
fn success_ends_a_paused_stream_without_another_stop() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		at(10);
		let pause = StreamChange { paused: Some(true), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, pause)));
		at(20);
		assert_ok!(end(stream));
		assert_eq!(stream_entry(stream).status, StreamStatus::Ended);
		assert_eq!(stream_entry(stream).stops.to_vec(), vec![10_000]);
	});
}

#[test]
fn success_the_last_claim_deletes_it_and_returns_the_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = new_stream(3);
		assert_eq!(Balances::reserved_balance(ALICE), 1_100);
		assert_ok!(end(stream));
		assert_eq!(Balances::reserved_balance(ALICE), 1_100);
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(Balances::free_balance(ALICE), ENDOWMENT);
		assert_eq!(Streams::<Test>::get(stream), None);
	});
}

#[test]
fn fails_for_others_and_twice() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(end(0), Error::<Test>::StreamNotFound);
		let stream = new_stream(3);
		assert_noop!(PayStream::end_stream(signed(BOB), stream), Error::<Test>::NotOwner);
		assert_ok!(end(stream));
		assert_noop!(end(stream), Error::<Test>::StreamEnded);
	});
}
