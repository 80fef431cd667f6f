// SPDX-License-Identifier: Apache-2.0

//! Subscribing, and what a subscription is worth: sessions at a discount.

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// A stream at rate 3 that offers periods of 60 seconds at 100, at half the rate; at second 10.
fn offered() -> (StreamId, TierOf<Test>) {
	fill_vault(5_000);
	let stream = new_stream(3);
	let tier = tier(100, 60, 50);
	offer(stream, &[tier]);
	at(10);
	(stream, tier)
}

/// As above, with so many periods paid at 10.
fn subscribed(periods: u32) -> (StreamId, GrantId) {
	let (stream, tier) = offered();
	assert_ok!(subscribe(stream, tier, periods));
	let grant = new_grant(GrantTerms { gap_ms: 200_000, ..terms() });
	(stream, grant)
}

#[test]
fn success_earns_the_running_period_and_holds_the_others() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, tier) = offered();
		events();
		assert_ok!(subscribe(stream, tier, 3));
		assert_eq!(
			events(),
			vec![
				Event::Subscribed {
					stream,
					viewer: BOB,
					periods: 3,
					price: 100,
					paid_until: 190_000
				},
				Event::SubscriptionEarned { stream, viewer: BOB, periods: 1, amount: 100 },
			]
		);
		assert_eq!(
			subscription(stream),
			Subscription { tier, started_at: 10_000, periods: 3, periods_earned: 1, deposit: 30 }
		);
		assert_eq!(vault(BOB), 4_700);
		assert_eq!(Balances::reserved_balance(BOB), 30);
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.earned_total, entry.subscribed_total), (100, 100, 100));
		assert_eq!((entry.seconds, entry.subscriptions_open), (0, 1));
		// What is held is owed.
		assert_eq!(PayStream::owed(&NATIVE), Ok(5_000));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(PayStream::owed(&NATIVE), Ok(4_900));
	});
}

#[test]
fn success_more_periods_of_the_same_tier() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, tier) = offered();
		assert_ok!(subscribe(stream, tier, 1));
		at_ms(69_999);
		events();
		assert_ok!(subscribe(stream, tier, 2));
		assert_eq!(
			events(),
			vec![Event::Subscribed {
				stream,
				viewer: BOB,
				periods: 2,
				price: 100,
				paid_until: 190_000
			}]
		);
		let bought = subscription(stream);
		assert_eq!((bought.started_at, bought.periods, bought.periods_earned), (10_000, 3, 1));
		assert_eq!(stream_entry(stream).subscriptions_open, 1);
		assert_eq!(Balances::reserved_balance(BOB), 30);
	});
}

#[test]
fn success_extending_collects_what_has_begun() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, tier) = offered();
		assert_ok!(subscribe(stream, tier, 3));
		at(130);
		assert_ok!(subscribe(stream, tier, 1));
		let bought = subscription(stream);
		assert_eq!((bought.periods, bought.periods_earned), (4, 3));
		assert_eq!(stream_entry(stream).subscribed_total, 300);
	});
}

#[test]
fn boundary_of_the_last_period() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, first) = offered();
		let dear = tier(150, 90, 100);
		offer(stream, &[first, dear]);
		assert_ok!(subscribe(stream, first, 2));
		at_ms(129_999);
		assert_noop!(subscribe(stream, dear, 1), Error::<Test>::SubscriptionRunning);
		// Over at that very moment: the rest is earned, and another tier may follow.
		at(130);
		events();
		assert_ok!(subscribe(stream, dear, 2));
		assert_eq!(
			events(),
			vec![
				Event::Subscribed {
					stream,
					viewer: BOB,
					periods: 2,
					price: 150,
					paid_until: 310_000
				},
				Event::SubscriptionEarned { stream, viewer: BOB, periods: 2, amount: 250 },
			]
		);
		let bought = subscription(stream);
		assert_eq!((bought.tier, bought.started_at), (dear, 130_000));
		assert_eq!((bought.periods, bought.periods_earned), (2, 1));
		assert_eq!(stream_entry(stream).subscribed_total, 350);
		assert_eq!(stream_entry(stream).subscriptions_open, 1);
		assert_eq!(vault(BOB), 5_000 - 200 - 300);
	});
}

#[test]
fn success_a_copy_of_the_tier_stays_when_the_offer_changes() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = subscribed(2);
		let kept = subscription(stream).tier;
		offer(stream, &[tier(500, 60, 0)]);
		assert_eq!(subscription(stream).tier, kept);
		assert_ok!(open_at_rate(grant, 0, stream, 2, 100));
		assert_noop!(subscribe(stream, kept, 1), Error::<Test>::TierNotOffered);
	});
}

#[test]
fn success_several_viewers() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, tier) = offered();
		assert_ok!(step(|| PayStream::deposit(signed(CAROL), NATIVE, 100)));
		assert_ok!(subscribe(stream, tier, 1));
		assert_ok!(step(|| PayStream::subscribe(signed(CAROL), stream, tier, 1)));
		assert_eq!(stream_entry(stream).subscriptions_open, 2);
		assert_eq!((vault(CAROL), Balances::reserved_balance(CAROL)), (0, 30));
	});
}

#[test]
fn success_a_discounted_session_ends_with_its_period() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = subscribed(2);
		at(20);
		// Half of 3, rounded down, is taken off.
		assert_eq!(open_at_rate(grant, 0, stream, 1, 100), Err(Error::RateMismatch));
		assert_ok!(open_at_rate(grant, 0, stream, 2, 100));
		assert_eq!(session(grant, 0).ended_at, 70_000);
		at(60);
		assert_ok!(tick(grant, 0, 40));
		at_ms(69_999);
		assert_ok!(fund(grant, 0, 400));
		at(75);
		// It has ended with the period, though the next one is paid and runs.
		assert_eq!(fund(grant, 0, 800), Err(Error::SessionEnded));
		assert_eq!(close(grant, 0, 51), Err(Error::AheadOfClock));
		assert_ok!(close(grant, 0, 50));
		assert_eq!(stream_entry(stream).earned_total, 100 + 50 * 2);
		// The next one is of the next period.
		assert_ok!(open_at_rate(grant, 1, stream, 2, 100));
		let next = session(grant, 1);
		assert_eq!((next.started_at, next.ended_at), (75_000, 130_000));
	});
}

#[test]
fn boundary_of_a_discounted_start() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = subscribed(2);
		at(73);
		let order = |index, rate_per_second| Order::Open {
			index,
			stream,
			rate_per_second,
			funds: 100,
			start_at: 67_000,
			tick_price_max: 1_000,
		};
		assert_ok!(submit(grant, order(0, 2)));
		assert_eq!(session(grant, 0).started_at, 70_000);
		// At the full rate neither the start nor the end is the period's.
		at(78);
		let mut full = order(1, 3);
		if let Order::Open { start_at, .. } = &mut full {
			*start_at = 60_000;
		}
		assert_ok!(submit(grant, full));
		let session = session(grant, 1);
		assert_eq!((session.started_at, session.ended_at), (72_000, 1_000_000));
	});
}

#[test]
fn boundary_of_a_discount_in_time() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = subscribed(1);
		at_ms(69_999);
		assert_ok!(open_at_rate(grant, 0, stream, 2, 100));
		assert_eq!(session(grant, 0).ended_at, 70_000);
		at(75);
		assert_eq!(open_at_rate(grant, 1, stream, 2, 100), Err(Error::RateMismatch));
		assert_ok!(open_at_rate(grant, 1, stream, 3, 100));
	});
}

#[test]
fn boundary_a_grant_that_ends_before_the_period() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = subscribed(1);
		let grant = new_grant(GrantTerms { expires_at: 69_999, ..terms() });
		assert_ok!(open_at_rate(grant, 0, stream, 2, 100));
		assert_eq!(session(grant, 0).ended_at, 69_999);
	});
}

#[test]
fn success_the_discount_is_of_the_rate_at_the_opening() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = subscribed(1);
		at(20);
		let change = StreamChange { rate_per_second: Some(5), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, change)));
		assert_eq!(open_at_rate(grant, 0, stream, 2, 100), Err(Error::RateMismatch));
		assert_ok!(open_at_rate(grant, 0, stream, 3, 100));
		// The grant's highest rate is asked of the discounted one.
		let change = StreamChange { rate_per_second: Some(10), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, change)));
		at(25);
		assert_eq!(open_at_rate(grant, 1, stream, 10, 100), Err(Error::RateAboveGrant));
		assert_ok!(open_at_rate(grant, 1, stream, 5, 100));
	});
}

#[test]
fn success_another_viewers_subscription_is_no_discount() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, tier) = offered();
		assert_ok!(step(|| PayStream::deposit(signed(CAROL), NATIVE, 100)));
		assert_ok!(step(|| PayStream::subscribe(signed(CAROL), stream, tier, 1)));
		let grant = new_grant(terms());
		assert_eq!(open_at_rate(grant, 0, stream, 2, 100), Err(Error::RateMismatch));
	});
}

#[test]
fn success_for_nothing_at_the_whole_discount() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = offered();
		set_tick_price(NATIVE, 7);
		let free = tier(100, 60, 100);
		offer(stream, &[free]);
		assert_ok!(subscribe(stream, free, 1));
		let grant = new_grant(GrantTerms { gap_ms: 200_000, ..terms() });
		// A stream's least funds do not matter.
		let change = StreamChange { funds_min: Some(900), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, change)));
		let before = vault(BOB);
		assert_ok!(open_at_rate(grant, 0, stream, 0, 0));
		assert_eq!((vault(BOB), grant_entry(grant).cap_left), (before, 10_000));
		at(40);
		events();
		assert_ok!(tick(grant, 0, 30));
		assert_eq!(
			events(),
			vec![Event::Ticked {
				grant,
				index: 0,
				stream,
				seconds: 30,
				charged_seconds: 30,
				amount: 0,
				fee: 0
			}]
		);
		// It never runs out of funds, and needs none.
		assert_eq!(tick(grant, 0, 31), Err(Error::AheadOfClock));
		assert_eq!(fund(grant, 0, 50), Err(Error::FundTooEarly));
		at(80);
		assert_ok!(close(grant, 0, 60));
		let entry = stream_entry(stream);
		assert_eq!((entry.seconds, entry.earned_total, entry.fees), (60, 100, 0));
		assert_eq!(vault(BOB), before);
	});
}

#[test]
fn success_a_session_for_nothing_pays_the_tick_price_while_it_has_funds() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = offered();
		set_tick_price(NATIVE, 7);
		let free = tier(100, 60, 100);
		offer(stream, &[free]);
		assert_ok!(subscribe(stream, free, 1));
		let grant = new_grant(terms());
		assert_ok!(open_at_rate(grant, 0, stream, 0, 10));
		for (now, seconds, fees) in [(15, 5, 7), (20, 10, 10), (25, 15, 10)] {
			at(now);
			assert_ok!(tick(grant, 0, seconds));
			assert_eq!(session(grant, 0).fees, fees);
		}
		assert_ok!(close(grant, 0, 15));
		assert_eq!((grant_entry(grant).spent, stream_entry(stream).fees), (10, 10));
	});
}

#[test]
fn success_a_tier_without_discount() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = offered();
		let support = tier(100, 60, 0);
		offer(stream, &[support]);
		assert_ok!(subscribe(stream, support, 1));
		let grant = new_grant(terms());
		// The stream's own rate: nothing ends with the period.
		assert_ok!(open_at_rate(grant, 0, stream, 3, 100));
		assert_eq!(session(grant, 0).ended_at, 1_000_000);
	});
}

#[test]
fn boundary_of_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, tier) = offered();
		assert_noop!(subscribe(stream, tier, 51), Error::<Test>::VaultTooLow);
		assert_ok!(subscribe(stream, tier, 50));
		assert!(!Vaults::<Test>::contains_key(BOB, NATIVE));
		assert_noop!(subscribe(stream, tier, 1), Error::<Test>::VaultTooLow);
	});
}

#[test]
fn fails_for_what_is_not_offered() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, offered) = offered();
		assert_noop!(subscribe(77, offered, 1), Error::<Test>::StreamNotFound);
		assert_noop!(subscribe(stream, offered, 0), Error::<Test>::PeriodsZero);
		// Each of its numbers counts.
		for other in [tier(99, 60, 50), tier(100, 61, 50), tier(100, 60, 51)] {
			assert_noop!(subscribe(stream, other, 1), Error::<Test>::TierNotOffered);
		}
		let other = new_stream(3);
		assert_noop!(subscribe(other, offered, 1), Error::<Test>::TierNotOffered);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_noop!(subscribe(stream, offered, 1), Error::<Test>::StreamEnded);
	});
}

#[test]
fn fails_while_stopped_or_disabled_and_for_the_pot() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, tier) = offered();
		assert_noop!(
			PayStream::subscribe(signed(PayStream::pot()), stream, tier, 1),
			Error::<Test>::PotRefused
		);
		assert_noop!(
			PayStream::subscribe(RuntimeOrigin::none(), stream, tier, 1),
			DispatchError::BadOrigin
		);
		assert_ok!(step(|| PayStream::set_stopped(root(), true)));
		assert_noop!(subscribe(stream, tier, 1), Error::<Test>::Stopped);
		assert_ok!(step(|| PayStream::set_stopped(root(), false)));
		assert_ok!(step(|| PayStream::disable_asset(root(), NATIVE)));
		assert_noop!(subscribe(stream, tier, 1), Error::<Test>::AssetNotEnabled);
	});
}

#[test]
fn fails_without_the_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, tier) = offered();
		// Somebody with a vault and no account.
		assert_ok!(tip_as_refund(stream, 200));
		assert_noop!(
			PayStream::subscribe(signed(GHOST), stream, tier, 1),
			TokenError::FundsUnavailable
		);
	});
}

/// Bob tips, and Alice gives it to somebody without an account.
fn tip_as_refund(stream: StreamId, amount: u128) -> DispatchResult {
	step(|| PayStream::tip(signed(BOB), stream, amount, Default::default()))?;
	let refunded = step(|| PayStream::refund(signed(ALICE), stream, GHOST, amount));
	refunded.map(|_| ()).map_err(|error| error.error)
}

#[test]
fn fails_when_a_number_would_overflow() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, first) = offered();
		let endless = Tier { price: 10, period_ms: u64::MAX, discount: Permill::zero() };
		let dear = Tier { price: u128::MAX, period_ms: 60_000, discount: Permill::zero() };
		let long = Tier { price: 10, period_ms: u64::MAX - 10_000, discount: Permill::zero() };
		offer(stream, &[first, endless, dear, long]);
		assert_noop!(subscribe(stream, endless, 1), Error::<Test>::Overflow);
		assert_noop!(subscribe(stream, dear, 2), Error::<Test>::Overflow);
		assert_noop!(subscribe(stream, long, 2), Error::<Test>::Overflow);
		// To the very end of time.
		assert_ok!(subscribe(stream, long, 1));
		assert_eq!(subscription(stream).paid_until(), u64::MAX);
		assert_noop!(subscribe(stream, long, 1), Error::<Test>::Overflow);
	});
}

/// What nobody holds a deposit for must be worth its place (rule 10).
#[test]
fn boundary_of_what_is_left_in_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(109);
		let stream = new_stream(3);
		let tier = tier(50, 60, 0);
		offer(stream, &[tier]);
		assert_noop!(PayStream::subscribe(signed(BOB), stream, tier, 2), Error::<Test>::VaultDust);
		fill_vault(10);
		assert_ok!(subscribe(stream, tier, 2));
		assert_eq!(vault(BOB), 19);
	});
}
