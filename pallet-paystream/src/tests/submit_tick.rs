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
fn success_charges_the_difference() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(20);
		events();
		assert_ok!(tick(grant, 0, 8));
		assert_eq!(
			events(),
			vec![Event::Ticked {
				grant,
				index: 0,
				stream,
				seconds: 8,
				charged_seconds: 8,
				amount: 24,
				fee: 0,
			}]
		);
		at(30);
		assert_ok!(tick(grant, 0, 15));
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.earned_total, entry.seconds), (45, 45, 15));
		// Vault, cap and grant are not touched until the slot is freed.
		assert_eq!(vault(BOB), 4_700);
		assert_eq!((grant_entry(grant).spent, grant_entry(grant).seconds), (0, 0));
	});
}

#[test]
fn success_weighs_less_than_a_tick_that_closes() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		let order = Order::Tick { index: 0, seconds: 8 };
		let signature = signer().sign(&PayStream::order_bytes(grant, &order));
		let origin = frame_system::RawOrigin::Authorized.into();
		let post = PayStream::submit(origin, grant, order, signature).expect("it is in order");
		// What its check weighs is in the extension's weight.
		type Weights = <Test as Config>::WeightInfo;
		let tick = Weights::submit_tick().saturating_sub(Weights::authorize_tick());
		assert_eq!(post.actual_weight, Some(tick));
		assert!(tick.ref_time() < Weights::submit_close().ref_time());
	});
}

#[test]
fn boundary_of_the_clock() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at_ms(19_999);
		assert_eq!(tick(grant, 0, 10), Err(Error::AheadOfClock));
		at(20);
		assert_eq!(tick(grant, 0, 11), Err(Error::AheadOfClock));
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(tick(grant, 0, u32::MAX), Err(Error::AheadOfClock));
	});
}

#[test]
fn boundary_of_the_least_tick() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(30);
		assert_eq!(tick(grant, 0, 4), Err(Error::TickTooSmall));
		assert_ok!(tick(grant, 0, 5));
		assert_eq!(tick(grant, 0, 9), Err(Error::TickTooSmall));
	});
}

#[test]
fn boundary_of_the_gap() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at_ms(39_999);
		// Just in time, the session goes on.
		assert_ok!(tick(grant, 0, 5));
		assert_eq!(session(grant, 0).ticked_at, 39_999);
		// At the very moment it does not, though what was delivered is paid.
		at_ms(69_999);
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(session(grant, 0).ticked_at, 39_999);
		assert_eq!(session(grant, 0).ended_at, 69_999);
		at(80);
		assert_eq!(fund(grant, 0, 1_000), Err(Error::SessionEnded));
	});
}

#[test]
fn boundary_a_silent_key_saves_up_no_more_than_a_gap() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(1);
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open(grant, 0, stream, 5_000, 10));
		// Ticking just often enough and as little as possible.
		for (now, seconds) in [(35, 5), (60, 10), (85, 15)] {
			at(now);
			assert_ok!(tick(grant, 0, seconds));
		}
		at(110);
		assert_eq!(tick(grant, 0, 46), Err(Error::AheadOfClock));
		assert_ok!(tick(grant, 0, 45));
		assert_eq!(session(grant, 0).billed_until, 110_000);
	});
}

#[test]
fn boundary_of_the_funds() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 32, 10));
		at(20);
		// What the funds just cover does not close.
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(session(grant, 0).left(), Ok(2));
		at(25);
		events();
		assert_ok!(tick(grant, 0, 11));
		assert_eq!(
			events(),
			vec![Event::SessionClosed {
				grant,
				index: 0,
				stream,
				seconds: 10,
				paid: 30,
				refunded: 2,
				ended_at: 25_000,
				reason: CloseReason::FundsExhausted,
			}]
		);
		assert_eq!(vault(BOB), 5_000 - 30);
		// No later order counts.
		assert_eq!(tick(grant, 0, 12), Err(Error::OrderStale));
		assert_eq!(close(grant, 0, 12), Err(Error::OrderStale));
	});
}

#[test]
fn boundary_of_the_window() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		// Silence ended it at 40; the window is over at 100.
		at_ms(99_999);
		assert_ok!(pool(&signer(), grant, Order::Tick { index: 0, seconds: 30 }));
		at(100);
		assert_eq!(tick(grant, 0, 30), Err(Error::SessionEnded));
	});
}

#[test]
fn fails_for_totals_that_are_not_higher() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_eq!(tick(grant, 0, 0), Err(Error::OrderStale));
		at(20);
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(tick(grant, 0, 10), Err(Error::OrderStale));
		assert_eq!(tick(grant, 0, 9), Err(Error::TotalLower));
	});
}

#[test]
fn fails_for_sessions_that_are_not_open() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		assert_eq!(tick(grant, 1, 10), Err(Error::SessionNotFound));
		assert_eq!(tick(grant + 1, 0, 10), Err(Error::GrantNotFound));
	});
}

#[test]
fn fails_when_replayed_after_revocation_and_another_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(20);
		assert_ok!(tick(grant, 0, 8));
		assert_ok!(PayStream::revoke(signed(BOB), grant));
		assert_ok!(close(grant, 0, 10));
		assert_eq!(tick(grant, 0, 8), Err(Error::GrantNotFound));
		// The same key under a new grant: the old signatures are for the old one.
		let again = new_grant(terms());
		at(30);
		assert_ok!(open(again, 0, stream, 300, 20));
		at(40);
		let order = Order::Tick { index: 0, seconds: 8 };
		let old = signer().sign(&PayStream::order_bytes(grant, &order));
		let call = RuntimeCall::PayStream(Call::submit { grant: again, order, signature: old });
		assert_eq!(
			call.authorize(TransactionSource::External),
			Some(Err(InvalidTransaction::BadProof.into()))
		);
	});
}

#[test]
fn fails_when_the_streams_sums_would_overflow() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(20);
		Streams::<Test>::mutate(stream, |entry| {
			if let Some(entry) = entry {
				entry.seconds = u64::MAX;
			}
		});
		assert_eq!(tick(grant, 0, 10), Err(Error::Overflow));
	});
}

#[test]
fn fails_for_any_other_origin() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		let order = Order::Tick { index: 0, seconds: 10 };
		let signature = signer().sign(&PayStream::order_bytes(grant, &order));
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root(), signed(BOB)] {
			assert_noop!(
				PayStream::submit(origin, grant, order.clone(), signature).map_err(|e| e.error),
				DispatchError::BadOrigin
			);
		}
	});
}
