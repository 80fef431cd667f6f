// SPDX-License-Identifier: Apache-2.0

//! The rules by example: gap 30, window 60, least tick 5, expiry at 1000; a row each.

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// Open at 10 with a start at 8, on funds for `seconds`.
fn opened_for(seconds: u128) -> (StreamId, GrantId) {
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, seconds * 3, 8));
	(stream, grant)
}

/// As above, and 6 seconds ticked at 16.
fn ticked_at_16(seconds: u128) -> (StreamId, GrantId) {
	let ids = opened_for(seconds);
	at(16);
	assert_ok!(tick(ids.1, 0, 6));
	ids
}

/// As above, and 12 seconds in total ticked at 42.
fn ticked_at_42() -> (StreamId, GrantId) {
	let ids = ticked_at_16(100);
	at(42);
	assert_ok!(tick(ids.1, 0, 12));
	ids
}

fn moments(grant: GrantId) -> (u64, u64, u64) {
	let session = session(grant, 0);
	(session.billed_until, session.ticked_at, session.ended_at)
}

#[test]
fn at_10_open_start_8() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened_for(100);
		assert_eq!(moments(grant), (8_000, 10_000, 1_000_000));
	});
}

#[test]
fn at_16_tick_6() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ticked_at_16(100);
		assert_eq!(moments(grant), (14_000, 16_000, 1_000_000));
		assert_eq!(stream_entry(stream).earned, 18);
	});
}

#[test]
fn at_36_tick_6_again_is_stale() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = ticked_at_16(100);
		at(36);
		assert_eq!(
			pool(&signer(), grant, Order::Tick { index: 0, seconds: 6 }),
			Err(InvalidTransaction::Stale)
		);
		assert_eq!(tick(grant, 0, 6), Err(Error::OrderStale));
	});
}

#[test]
fn at_42_tick_12_after_a_stall_of_20() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ticked_at_16(100);
		at(42);
		let reading = session(grant, 0).reading(&stream_entry(stream), 42_000);
		assert_eq!((reading.from, reading.room_seconds()), (14_000, 28));
		assert_ok!(tick(grant, 0, 12));
		assert_eq!(moments(grant), (20_000, 42_000, 1_000_000));
		assert_eq!(stream_entry(stream).earned, 36);
	});
}

#[test]
fn at_47_without_42_ended_at_46_and_a_close_pays_6() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ticked_at_16(100);
		at(47);
		let reading = session(grant, 0).reading(&stream_entry(stream), 47_000);
		assert_eq!(reading.ended_at, 46_000);
		assert_eq!((reading.from, reading.room_seconds()), (16_000, 30));
		// For good: no other order revives it.
		assert_eq!(fund(grant, 0, 1_000), Err(Error::SessionEnded));
		assert_ok!(close(grant, 0, 12));
		assert_eq!(stream_entry(stream).earned, 36);
		assert!(grant_entry(grant).open.is_empty());
		assert_eq!(grant_entry(grant).freed_end_at, 46_000);
	});
}

#[test]
fn at_50_revoke_then_at_52_close_15() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ticked_at_42();
		at(50);
		assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
		assert_eq!(moments(grant), (20_000, 42_000, 50_000));
		at(52);
		let reading = session(grant, 0).reading(&stream_entry(stream), 52_000);
		assert_eq!((reading.from, reading.room_seconds()), (20_000, 30));
		assert_ok!(close(grant, 0, 15));
		assert_eq!(stream_entry(stream).earned, 45);
		assert_eq!(vault(BOB), 5_000 - 45);
		assert_eq!(Grants::<Test>::get(grant), None);
	});
}

#[test]
fn at_60_had_the_grant_expired_at_50_close_15_pays_the_same() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let grant = new_grant(GrantTerms { expires_at: 50_000, ..terms() });
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 8));
		at(16);
		assert_ok!(tick(grant, 0, 6));
		at(42);
		assert_ok!(tick(grant, 0, 12));
		at(60);
		assert_ok!(close(grant, 0, 15));
		assert_eq!(stream_entry(stream).earned, 45);
		assert_eq!(vault(BOB), 5_000 - 45);
		assert_eq!(Grants::<Test>::get(grant), None);
	});
}

#[test]
fn at_110_had_no_close_come_anybody_settles() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ticked_at_42();
		at(50);
		assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
		at_ms(109_999);
		assert_noop!(PayStream::settle(signed(CAROL), grant, 0), Error::<Test>::WindowOpen);
		at(110);
		assert_eq!(close(grant, 0, 15), Err(Error::SessionEnded));
		assert_ok!(step(|| PayStream::settle(signed(CAROL), grant, 0)));
		assert_eq!(stream_entry(stream).earned, 36);
		assert_eq!(vault(BOB), 5_000 - 36);
		assert_eq!(Grants::<Test>::get(grant), None);
	});
}

#[test]
fn at_28_tick_20_with_funds_for_10_pays_4_and_closes() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ticked_at_16(10);
		at(28);
		let reading = session(grant, 0).reading(&stream_entry(stream), 28_000);
		assert_eq!((reading.from, reading.room_seconds()), (14_000, 14));
		events();
		assert_ok!(tick(grant, 0, 20));
		assert_eq!(
			events(),
			vec![
				Event::Ticked {
					grant,
					index: 0,
					stream,
					seconds: 10,
					charged_seconds: 4,
					amount: 12,
					fee: 0,
				},
				Event::SessionClosed {
					grant,
					index: 0,
					stream,
					seconds: 10,
					paid: 30,
					refunded: 0,
					ended_at: 28_000,
					reason: CloseReason::FundsExhausted,
				},
			]
		);
		assert_eq!(stream_entry(stream).earned, 30);
		assert_eq!(Sessions::<Test>::get(grant, 0), None);
	});
}

#[test]
fn at_20_tick_40_is_ahead_of_the_clock() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = ticked_at_16(100);
		at(20);
		let before = session(grant, 0);
		assert_eq!(tick(grant, 0, 40), Err(Error::AheadOfClock));
		assert_eq!(session(grant, 0), before);
	});
}
