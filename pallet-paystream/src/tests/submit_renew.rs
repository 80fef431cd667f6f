// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, order::OPEN_PRIORITY, *};
use frame::testing_prelude::*;

/// A subscription to periods of 60 seconds at 100 that began at 10, and a session at the full rate
/// under a grant with two renewals and a gap of 200 seconds.
fn opened() -> (StreamId, GrantId, TierOf<Test>) {
	fill_vault(5_000);
	let stream = new_stream(3);
	let tier = tier(100, 60, 50);
	offer(stream, &[tier]);
	let grant = new_grant(GrantTerms { renewals_max: 2, gap_ms: 200_000, ..terms() });
	at(10);
	assert_ok!(subscribe(stream, tier, 1));
	assert_ok!(open(grant, 0, stream, 1_000, 10));
	(stream, grant, tier)
}

#[test]
fn success_buys_one_more_period() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, _) = opened();
		at(20);
		events();
		assert_ok!(renew(grant, 0, 1));
		assert_eq!(
			events(),
			vec![Event::Subscribed {
				stream,
				viewer: BOB,
				periods: 1,
				price: 100,
				paid_until: 130_000
			}]
		);
		let entry = grant_entry(grant);
		assert_eq!((entry.renewals_left, entry.renewals_total), (1, 1));
		// Beside the cap.
		assert_eq!((entry.cap_left, entry.spent), (9_000, 0));
		assert_eq!(vault(BOB), 5_000 - 100 - 1_000 - 100);
		let bought = subscription(stream);
		assert_eq!((bought.started_at, bought.periods, bought.periods_earned), (10_000, 2, 1));
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.subscribed_total, entry.subscriptions_open), (100, 100, 1));
	});
}

#[test]
fn success_collects_what_has_begun() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, _) = opened();
		assert_ok!(renew(grant, 0, 1));
		at(70);
		events();
		assert_ok!(renew(grant, 0, 2));
		assert_eq!(
			events(),
			vec![
				Event::Subscribed {
					stream,
					viewer: BOB,
					periods: 1,
					price: 100,
					paid_until: 190_000
				},
				Event::SubscriptionEarned { stream, viewer: BOB, periods: 1, amount: 100 },
			]
		);
		assert_eq!(stream_entry(stream).subscribed_total, 200);
	});
}

#[test]
fn success_a_lapsed_subscription_begins_anew() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, tier) = opened();
		at_ms(69_999);
		assert_ok!(pool(&signer(), grant, Order::Renew { index: 0, renewals: 1 }));
		at(80);
		events();
		assert_ok!(renew(grant, 0, 1));
		let bought = subscription(stream);
		assert_eq!((bought.started_at, bought.periods, bought.periods_earned), (80_000, 1, 1));
		assert_eq!((bought.tier, bought.deposit), (tier, 30));
		assert_eq!(
			events(),
			vec![
				Event::Subscribed {
					stream,
					viewer: BOB,
					periods: 1,
					price: 100,
					paid_until: 140_000
				},
				Event::SubscriptionEarned { stream, viewer: BOB, periods: 1, amount: 100 },
			]
		);
		assert_eq!(stream_entry(stream).subscribed_total, 200);
	});
}

#[test]
fn success_in_the_pool_it_goes_with_the_opens() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant, _) = opened();
		let order = Order::Renew { index: 0, renewals: 1 };
		let valid = pool(&signer(), grant, order.clone()).expect("it is in order");
		assert_eq!(valid.priority, OPEN_PRIORITY);
		assert_eq!(valid.provides, vec![("PayStream", grant, 4u8).encode()]);
		let foreign = Delegate::sr25519(66);
		assert_eq!(submit_as(&foreign, grant, order), Err(Error::SignatureInvalid));
	});
}

#[test]
fn boundary_of_the_total() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant, _) = opened();
		assert_eq!(renew(grant, 0, 0), Err(Error::OrderStale));
		assert_eq!(renew(grant, 0, 2), Err(Error::RenewalNotNext));
		assert_eq!(renew(grant, 0, u32::MAX), Err(Error::RenewalNotNext));
		assert_ok!(renew(grant, 0, 1));
		assert_eq!(renew(grant, 0, 1), Err(Error::OrderStale));
		assert_eq!(renew(grant, 0, 3), Err(Error::RenewalNotNext));
		at(70);
		assert_ok!(renew(grant, 0, 2));
		assert_eq!(renew(grant, 0, 3), Err(Error::RenewalsUsedUp));
		// A grant that allows none.
		let none = new_grant(terms());
		assert_ok!(open(none, 0, 0, 300, 10));
		assert_eq!(renew(none, 0, 1), Err(Error::RenewalsUsedUp));
	});
}

/// Periods far ahead can be given back, so the clock bounds how many renewals are free.
#[test]
fn boundary_of_the_last_paid_period() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, _) = opened();
		// The one period that is paid runs from 10 to 70.
		assert_ok!(renew(grant, 0, 1));
		at_ms(69_999);
		assert_eq!(renew(grant, 0, 2), Err(Error::RenewTooEarly));
		let order = Order::Renew { index: 0, renewals: 2 };
		assert_eq!(submit_batch(vec![item(grant, order)]).expect("in order").pays_fee, Pays::Yes);
		assert_eq!(subscription(stream).periods, 3);
		let third = new_grant(GrantTerms { renewals_max: 1, ..terms() });
		assert_ok!(open(third, 0, stream, 300, 70));
		at_ms(129_999);
		assert_ok!(open(third, 1, stream, 300, 129));
		assert_eq!(renew(third, 1, 1), Err(Error::RenewTooEarly));
		at(130);
		assert_ok!(renew(third, 1, 1));
	});
}

#[test]
fn boundary_of_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant, _) = opened();
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), NATIVE, 3_801)));
		assert_eq!(vault(BOB), 99);
		assert_eq!(renew(grant, 0, 1), Err(Error::VaultTooLow));
		fill_vault(1);
		assert_ok!(renew(grant, 0, 1));
		assert_eq!(vault(BOB), 0);
	});
}

#[test]
fn fails_without_a_subscription_or_an_offer() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, kept) = opened();
		let other = new_stream(3);
		at(15);
		assert_ok!(open(grant, 1, other, 300, 15));
		assert_eq!(renew(grant, 1, 1), Err(Error::NotSubscribed));
		// The subscription keeps its tier, and it cannot be bought any more.
		offer(stream, &[tier(101, 60, 50)]);
		assert_eq!(renew(grant, 0, 1), Err(Error::TierNotOffered));
		offer(stream, &[]);
		assert_eq!(renew(grant, 0, 1), Err(Error::TierNotOffered));
		offer(stream, &[tier(101, 60, 50), kept]);
		assert_ok!(renew(grant, 0, 1));
	});
}

#[test]
fn fails_while_stopped_or_disabled() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant, _) = opened();
		assert_ok!(step(|| PayStream::set_stopped(root(), true)));
		assert_eq!(renew(grant, 0, 1), Err(Error::Stopped));
		assert_ok!(step(|| PayStream::set_stopped(root(), false)));
		assert_ok!(step(|| PayStream::disable_asset(root(), NATIVE)));
		assert_eq!(renew(grant, 0, 1), Err(Error::AssetNotEnabled));
	});
}

#[test]
fn fails_for_a_session_that_has_ended_or_is_not_open() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, _) = opened();
		assert_eq!(renew(grant, 1, 1), Err(Error::SessionNotFound));
		assert_eq!(renew(77, 0, 1), Err(Error::GrantNotFound));
		at(20);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_eq!(renew(grant, 0, 1), Err(Error::SessionEnded));
		assert_ok!(close(grant, 0, 10));
		assert_eq!(renew(grant, 0, 1), Err(Error::OrderStale));
	});
}

#[test]
fn fails_when_a_moment_would_overflow() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, mut endless) = opened();
		endless.period_ms = u64::MAX - 10_000;
		let mut entry = subscription(stream);
		entry.tier = endless;
		Subscriptions::<Test>::insert(stream, BOB, entry);
		offer(stream, &[endless]);
		assert_eq!(renew(grant, 0, 1), Err(Error::Overflow));
	});
}
