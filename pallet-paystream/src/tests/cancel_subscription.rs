// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// Three periods of 60 seconds at 100, paid at 10 from a vault of 5,000.
fn subscribed() -> (StreamId, TierOf<Test>) {
	fill_vault(5_000);
	let stream = new_stream(3);
	let tier = tier(100, 60, 50);
	offer(stream, &[tier]);
	at(10);
	assert_ok!(subscribe(stream, tier, 3));
	(stream, tier)
}

fn cancel(stream: StreamId) -> DispatchResult {
	step(|| PayStream::cancel_subscription(signed(BOB), stream))
}

fn settle(stream: StreamId) -> DispatchResult {
	step(|| PayStream::settle_subscription(signed(DAVE), stream, BOB))
}

#[test]
fn success_returns_what_has_not_begun() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = subscribed();
		at(75);
		events();
		assert_ok!(cancel(stream));
		assert_eq!(
			events(),
			vec![
				Event::SubscriptionEarned { stream, viewer: BOB, periods: 1, amount: 100 },
				Event::SubscriptionCancelled {
					stream,
					viewer: BOB,
					refunded: 100,
					paid_until: 130_000
				},
			]
		);
		assert_eq!(vault(BOB), 4_800);
		let kept = subscription(stream);
		assert_eq!((kept.periods, kept.periods_earned), (2, 2));
		assert_eq!(stream_entry(stream).subscribed_total, 200);
		// The deposit is held until it is over.
		assert_eq!(Balances::reserved_balance(BOB), 30);
		at_ms(129_999);
		assert_noop!(settle(stream), Error::<Test>::SubscriptionRunning);
		at(130);
		assert_ok!(settle(stream));
		assert_eq!(Balances::reserved_balance(BOB), 0);
		assert_eq!(stream_entry(stream).subscribed_total, 200);
	});
}

#[test]
fn success_the_discount_stays_until_the_begun_period_is_over() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = subscribed();
		let grant = new_grant(GrantTerms { gap_ms: 200_000, ..terms() });
		assert_ok!(open_at_rate(grant, 0, stream, 2, 200));
		at(20);
		assert_ok!(cancel(stream));
		assert_eq!(vault(BOB), 5_000 - 100 - 200);
		assert_ok!(open_at_rate(grant, 1, stream, 2, 200));
		at(60);
		assert_ok!(tick(grant, 0, 50));
		at(70);
		assert_ok!(close(grant, 0, 60));
		assert_eq!(open_at_rate(grant, 2, stream, 2, 200), Err(Error::RateMismatch));
	});
}

#[test]
fn boundary_of_the_period_that_begins() {
	for (now_ms, refunded) in [(69_999, 200), (70_000, 100), (129_999, 100), (130_000, 0)] {
		ExtBuilder::default().build_and_execute(|| {
			let (stream, _) = subscribed();
			at_ms(now_ms);
			assert_ok!(cancel(stream));
			assert_eq!(vault(BOB), 4_700 + refunded);
			assert_eq!(stream_entry(stream).subscribed_total, 300 - refunded);
		});
	}
}

#[test]
fn success_a_second_time_returns_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = subscribed();
		assert_ok!(cancel(stream));
		let before = subscription(stream);
		events();
		assert_ok!(cancel(stream));
		assert_eq!(
			events(),
			vec![Event::SubscriptionCancelled {
				stream,
				viewer: BOB,
				refunded: 0,
				paid_until: 70_000
			}]
		);
		assert_eq!(subscription(stream), before);
		assert_eq!(vault(BOB), 4_900);
	});
}

#[test]
fn success_and_subscribed_again() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, first) = subscribed();
		let other = tier(70, 60, 10);
		offer(stream, &[first, other]);
		at(20);
		assert_ok!(cancel(stream));
		// While the begun period runs only its own tier can be extended.
		assert_noop!(subscribe(stream, other, 1), Error::<Test>::SubscriptionRunning);
		assert_ok!(subscribe(stream, first, 1));
		assert_eq!(subscription(stream).paid_until(), 130_000);
		assert_eq!(subscription(stream).periods_earned, 1);
		assert_ok!(cancel(stream));
		at(70);
		assert_ok!(subscribe(stream, other, 1));
		let anew = subscription(stream);
		assert_eq!((anew.tier, anew.started_at), (other, 70_000));
		assert_eq!(stream_entry(stream).subscribed_total, 170);
	});
}

#[test]
fn success_after_the_streams_end() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = subscribed();
		at(80);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		at(500);
		assert_ok!(cancel(stream));
		// The third one never began.
		assert_eq!(vault(BOB), 4_800);
		assert_eq!(stream_entry(stream).subscribed_total, 200);
		assert_ok!(settle(stream));
		assert_eq!(Balances::reserved_balance(BOB), 0);
	});
}

#[test]
fn success_while_stopped_and_disabled() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = subscribed();
		assert_ok!(step(|| PayStream::set_stopped(root(), true)));
		assert_ok!(step(|| PayStream::disable_asset(root(), NATIVE)));
		assert_ok!(cancel(stream));
		assert_eq!(vault(BOB), 4_900);
	});
}

#[test]
fn fails_for_who_has_not_subscribed() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(cancel(0), Error::<Test>::NotSubscribed);
		let (stream, _) = subscribed();
		let by_another = PayStream::cancel_subscription(signed(CAROL), stream);
		assert_noop!(by_another, Error::<Test>::NotSubscribed);
		assert_noop!(
			PayStream::cancel_subscription(RuntimeOrigin::none(), stream),
			DispatchError::BadOrigin
		);
		at(1_000);
		assert_ok!(settle(stream));
		assert_noop!(cancel(stream), Error::<Test>::NotSubscribed);
	});
}
