// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// Three periods of 60 seconds at 100, paid at 10 from a vault of 5,000.
fn subscribed() -> StreamId {
	fill_vault(5_000);
	let stream = new_stream(3);
	let tier = tier(100, 60, 50);
	offer(stream, &[tier]);
	at(10);
	assert_ok!(subscribe(stream, tier, 3));
	stream
}

fn settle(stream: StreamId) -> DispatchResult {
	step(|| PayStream::settle_subscription(signed(DAVE), stream, BOB))
}

fn end(stream: StreamId) {
	assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
}

fn claim(stream: StreamId) -> DispatchResultWithPostInfo {
	step(|| PayStream::claim(signed(DAVE), stream))
}

#[test]
fn success_anybody_earns_a_stream_what_has_begun() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = subscribed();
		at(70);
		events();
		assert_ok!(settle(stream));
		assert_eq!(
			events(),
			vec![Event::SubscriptionEarned { stream, viewer: BOB, periods: 1, amount: 100 }]
		);
		assert_eq!(subscription(stream).periods_earned, 2);
		assert_eq!(stream_entry(stream).earned, 200);
		assert_noop!(settle(stream), Error::<Test>::SubscriptionRunning);
	});
}

#[test]
fn success_several_periods_at_once_and_the_end() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = subscribed();
		at(190);
		events();
		assert_ok!(settle(stream));
		assert_eq!(
			events(),
			vec![
				Event::SubscriptionEarned { stream, viewer: BOB, periods: 2, amount: 200 },
				Event::SubscriptionEnded { stream, viewer: BOB, refunded: 0 },
			]
		);
		let entry = stream_entry(stream);
		assert_eq!((entry.subscribed_total, entry.subscriptions_open), (300, 0));
		assert_eq!(Subscriptions::<Test>::get(stream, BOB), None);
		assert_eq!((vault(BOB), Balances::reserved_balance(BOB)), (4_700, 0));
	});
}

#[test]
fn boundary_of_each_period() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = subscribed();
		for (begins, earned) in [(70, 200), (130, 300)] {
			at_ms(begins * 1_000 - 1);
			assert_noop!(settle(stream), Error::<Test>::SubscriptionRunning);
			at(begins);
			assert_ok!(settle(stream));
			assert_eq!(stream_entry(stream).subscribed_total, earned);
		}
		at_ms(189_999);
		assert_noop!(settle(stream), Error::<Test>::SubscriptionRunning);
		at(190);
		assert_ok!(settle(stream));
		assert_noop!(settle(stream), Error::<Test>::NotSubscribed);
	});
}

#[test]
fn boundary_of_the_streams_end() {
	// When it ends, and how many periods have begun before that.
	for (end_ms, begun) in [
		(10_000, 1),
		(10_001, 1),
		(69_999, 1),
		(70_000, 1),
		(70_001, 2),
		(130_000, 2),
		(130_001, 3),
		(189_999, 3),
	] {
		ExtBuilder::default().build_and_execute(|| {
			let stream = subscribed();
			at_ms(end_ms);
			end(stream);
			events();
			assert_ok!(settle(stream));
			let refunded = 300 - 100 * begun;
			assert_eq!(last_event(), Event::SubscriptionEnded { stream, viewer: BOB, refunded });
			assert_eq!(vault(BOB), 4_700 + refunded);
			assert_eq!(stream_entry(stream).subscribed_total, 100 * begun);
			assert_eq!(Balances::reserved_balance(BOB), 0);
		});
		// It makes no difference when it is settled, and whether it was on the way.
		ExtBuilder::default().build_and_execute(|| {
			let stream = subscribed();
			at_ms(end_ms);
			let _ = settle(stream);
			end(stream);
			at(10_000);
			assert_ok!(settle(stream));
			// What was earned before the end at that very moment stays earned.
			let collected = match end_ms {
				70_000 | 130_000 => begun + 1,
				_ => begun,
			};
			assert_eq!(stream_entry(stream).subscribed_total, 100 * collected);
		});
	}
}

#[test]
fn success_a_claim_waits_for_subscriptions() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = subscribed();
		at(80);
		end(stream);
		assert_ok!(claim(stream));
		assert_noop!(claim(stream), Error::<Test>::NothingToClaim);
		assert_ok!(settle(stream));
		events();
		// The second period is paid, and the stream deleted with its tiers.
		assert_ok!(claim(stream));
		assert_eq!(
			events(),
			vec![
				Event::Claimed { stream, payee: ALICE, amount: 100, credited: false },
				Event::StreamDeleted { stream },
			]
		);
		assert_eq!(Streams::<Test>::get(stream), None);
		assert!(!Tiers::<Test>::contains_key(stream));
		assert_eq!(Balances::free_balance(ALICE), ENDOWMENT + 200);
		assert_noop!(settle(stream), Error::<Test>::NotSubscribed);
	});
}

#[test]
fn success_a_lapsed_one_is_settled_and_begins_anew() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = subscribed();
		let tier = subscription(stream).tier;
		at(300);
		assert_ok!(settle(stream));
		assert_ok!(subscribe(stream, tier, 1));
		let anew = subscription(stream);
		assert_eq!((anew.started_at, anew.periods, anew.periods_earned), (300_000, 1, 1));
		assert_eq!(stream_entry(stream).subscriptions_open, 1);
		assert_eq!(stream_entry(stream).subscribed_total, 400);
	});
}

#[test]
fn success_each_viewers_is_their_own() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = subscribed();
		let tier = subscription(stream).tier;
		assert_ok!(step(|| PayStream::deposit(signed(CAROL), NATIVE, 500)));
		assert_ok!(step(|| PayStream::subscribe(signed(CAROL), stream, tier, 5)));
		at(190);
		assert_ok!(settle(stream));
		assert!(Subscriptions::<Test>::contains_key(stream, CAROL));
		assert_eq!(stream_entry(stream).subscriptions_open, 1);
		end(stream);
		assert_ok!(step(|| PayStream::settle_subscription(signed(BOB), stream, CAROL)));
		// The fourth began at the very moment of the end, and so did not begin.
		assert_eq!(vault(CAROL), 200);
		assert_eq!(stream_entry(stream).subscribed_total, 600);
		assert_eq!(stream_entry(stream).subscriptions_open, 0);
	});
}

#[test]
fn success_releases_what_is_left_of_a_slashed_deposit() {
	ExtBuilder::default().build().execute_with(|| {
		use frame::token::fungible::MutateHold;
		let stream = subscribed();
		let reason = HoldReason::Subscription.into();
		let slashed = Balances::burn_held(&reason, &BOB, 10, Precision::Exact, Fortitude::Force);
		assert_ok!(slashed);
		at(1_000);
		assert_ok!(PayStream::settle_subscription(signed(DAVE), stream, BOB));
		assert_eq!(Balances::reserved_balance(BOB), 0);
		assert_eq!(Subscriptions::<Test>::get(stream, BOB), None);
	});
}

#[test]
fn fails_for_none() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(settle(0), Error::<Test>::NotSubscribed);
		let stream = subscribed();
		assert_noop!(
			PayStream::settle_subscription(signed(DAVE), stream, CAROL),
			Error::<Test>::NotSubscribed
		);
		assert_noop!(
			PayStream::settle_subscription(RuntimeOrigin::none(), stream, BOB),
			DispatchError::BadOrigin
		);
	});
}
