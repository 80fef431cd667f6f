// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn stop(stopped: bool) {
	assert_ok!(step(|| PayStream::set_stopped(root(), stopped)));
}

/// A stream with a tier, a grant that allows everything, a session on it, and a subscription.
fn running() -> (StreamId, GrantId, TierOf<Test>) {
	fill_vault(5_000);
	let stream = new_stream(3);
	let tier = tier(100, 60, 50);
	offer(stream, &[tier]);
	let grant = new_grant(GrantTerms { tips_max: 100, renewals_max: 5, ..terms() });
	at(10);
	assert_ok!(open(grant, 0, stream, 60, 10));
	assert_ok!(subscribe(stream, tier, 1));
	at(15);
	(stream, grant, tier)
}

#[test]
fn success_no_new_money_and_no_new_sessions() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, tier) = running();
		events();
		stop(true);
		assert_eq!(events(), vec![Event::StopSet { stopped: true }]);
		let stopped = Error::<Test>::Stopped;
		assert_noop!(PayStream::deposit(signed(BOB), NATIVE, 100), stopped.clone());
		assert_noop!(
			PayStream::create_stream(signed(ALICE), NATIVE, 3, payees(&[]), 0, 0),
			stopped.clone()
		);
		let proof = signer().sign(&PayStream::grant_bytes(&BOB));
		assert_noop!(
			PayStream::grant(signed(BOB), signer().key(), proof, terms()),
			stopped.clone()
		);
		assert_noop!(subscribe(stream, tier, 1), stopped.clone());
		assert_eq!(open(grant, 1, stream, 300, 15), Err(Error::Stopped));
		assert_eq!(renew(grant, 0, 1), Err(Error::Stopped));
		// The paid lane does not lead around it.
		let order = Order::Open {
			index: 1,
			stream,
			rate_per_second: 3,
			funds: 300,
			start_at: 15_000,
			tick_price_max: 1_000,
		};
		events();
		assert_ok!(submit_batch(vec![item(grant, order)]));
		let error = stopped.into();
		assert_eq!(events()[0], Event::OrderFailed { grant, index: 1, error });

		// And all of it comes back.
		stop(false);
		assert_ok!(open(grant, 1, stream, 300, 15));
		assert_ok!(renew(grant, 0, 1));
		fill_vault(100);
		assert_ok!(subscribe(stream, tier, 1));
		new_stream(3);
		new_grant(terms());
	});
}

#[test]
fn success_every_exit_stays_open() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant, _) = running();
		assert_ok!(open(grant, 1, stream, 300, 15));
		stop(true);
		at(20);
		// What runs goes on.
		assert_ok!(tick(grant, 0, 10));
		assert_ok!(fund(grant, 0, 300));
		assert_ok!(tip(grant, 0, 20));
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 5, Default::default())));
		let pause = StreamChange { paused: Some(true), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, pause)));
		offer(stream, &[]);
		// What leaves leaves.
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_ok!(close(grant, 0, 10));
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 10, Default::default())));
		assert_ok!(step(|| PayStream::refund(signed(ALICE), stream, BOB, 10)));
		assert_ok!(step(|| PayStream::transfer_stream(signed(ALICE), stream, CAROL)));
		assert_ok!(step(|| PayStream::cancel_subscription(signed(BOB), stream)));
		assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
		assert_ok!(step(|| PayStream::end_stream(signed(CAROL), stream)));
		assert_ok!(step(|| PayStream::settle_subscription(signed(DAVE), stream, BOB)));
		at(200);
		assert_ok!(step(|| PayStream::settle(signed(DAVE), grant, 1)));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(Streams::<Test>::get(stream), None);
		assert_eq!(Grants::<Test>::get(grant), None);
		assert_ok!(step(|| PayStream::withdraw(signed(BOB), NATIVE, vault(BOB))));
		assert_eq!(Balances::free_balance(PayStream::pot()), EXISTENTIAL_DEPOSIT);
		assert_eq!([ALICE, BOB, CAROL].map(Balances::reserved_balance), [0; 3]);
	});
}

#[test]
fn success_the_operator_goes_on() {
	ExtBuilder::default().build_and_execute(|| {
		stop(true);
		set_tick_price(NATIVE, 3);
		set_share(5);
		assert_ok!(step(|| PayStream::disable_asset(root(), TOKEN)));
		assert_ok!(step(|| PayStream::enable_asset(root(), TOKEN, 1)));
		stop(true);
		stop(false);
		assert!(!Stopped::<Test>::get());
	});
}

#[test]
fn fails_for_others() {
	ExtBuilder::default().build_and_execute(|| {
		for origin in [signed(ALICE), RuntimeOrigin::none()] {
			assert_noop!(PayStream::set_stopped(origin, true), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn success_the_guard_stops_and_does_not_resume() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(step(|| PayStream::set_stopped(signed(GUARD), true)));
		assert_eq!(last_event(), Event::StopSet { stopped: true });
		assert_noop!(PayStream::set_stopped(signed(GUARD), false), DispatchError::BadOrigin);
		stop(false);
		assert!(!Stopped::<Test>::get());
	});
}
