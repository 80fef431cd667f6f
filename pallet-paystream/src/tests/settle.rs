// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn settle(grant: GrantId, index: u32) -> DispatchResult {
	step(|| PayStream::settle(signed(DAVE), grant, index))
}

#[test]
fn success_pays_nothing_more_and_returns_the_rest() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(tick(grant, 0, 10));
		at(200);
		events();
		assert_ok!(settle(grant, 0));
		assert_eq!(
			events(),
			vec![Event::SessionClosed {
				grant,
				index: 0,
				stream,
				seconds: 10,
				paid: 30,
				refunded: 270,
				ended_at: 50_000,
				reason: CloseReason::Settled,
			}]
		);
		assert_eq!(vault(BOB), 5_000 - 30);
		assert_eq!(grant_entry(grant).freed_end_at, 50_000);
		assert_eq!(grant_entry(grant).open.len(), 0);
	});
}

#[test]
fn success_of_the_last_session_deletes_an_expired_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(15);
		assert_ok!(open(grant, 1, stream, 300, 10));
		at(1_000);
		assert_ok!(settle(grant, 1));
		assert_ok!(settle(grant, 0));
		assert_eq!(last_event(), Event::GrantDeleted { grant });
		assert_eq!(Balances::reserved_balance(BOB), 0);
		assert_eq!(vault(BOB), 5_000);
	});
}

#[test]
fn success_long_after_the_stream_has_forgotten_the_pause() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		let paused = |paused| StreamChange { paused: Some(paused), ..Default::default() };
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, paused(true)));
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, paused(false)));
		at(10_000);
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, paused(true)));
		assert_eq!(stream_entry(stream).stops.to_vec(), vec![10_000_000]);
		assert_eq!(close(grant, 0, 10), Err(Error::SessionEnded));
		assert_ok!(settle(grant, 0));
		assert_eq!(vault(BOB), 5_000);
	});
}

#[test]
fn boundary_of_the_window() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_noop!(settle(grant, 0), Error::<Test>::WindowOpen);
		at_ms(99_999);
		assert_noop!(settle(grant, 0), Error::<Test>::WindowOpen);
		at(100);
		assert_ok!(settle(grant, 0));
	});
}

#[test]
fn fails_for_no_session_and_unsigned() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = ready();
		assert_noop!(settle(grant, 0), Error::<Test>::SessionNotFound);
		assert_noop!(settle(77, 0), Error::<Test>::SessionNotFound);
		assert_noop!(PayStream::settle(RuntimeOrigin::none(), grant, 0), DispatchError::BadOrigin);
	});
}
