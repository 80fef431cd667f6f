// SPDX-License-Identifier: Apache-2.0

//! Views say what the entries say.

use crate::{mock::*, *};
use frame::testing_prelude::*;

#[test]
fn success_a_session_at_the_blocks_time() {
	ExtBuilder::default().build_and_execute(|| {
		set_tick_price(NATIVE, 2);
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 8));
		at(16);
		assert_ok!(tick(grant, 0, 6));
		at_ms(20_999);
		let view = SessionView {
			viewer: BOB,
			stream,
			rate_per_second: 3,
			funds: 300,
			paid: 20,
			seconds: 6,
			seconds_max: 12,
			runway_seconds: 93,
			ended_at: 1_000_000,
			ended: false,
			settleable: false,
		};
		assert_eq!(PayStream::session(grant, 0), Some(view.clone()));
		assert_eq!(PayStream::session_view(grant, 0), Some(view.clone()));
		// The highest total is the highest that a tick may name.
		assert_eq!(tick(grant, 0, 13), Err(Error::AheadOfClock));
		assert_ok!(pool(&signer(), grant, Order::Tick { index: 0, seconds: 12 }));
		// Its silence ends it, and the window passes.
		at(46);
		let over = SessionView { seconds_max: 36, ended_at: 46_000, ended: true, ..view };
		assert_eq!(PayStream::session(grant, 0), Some(over.clone()));
		at_ms(105_999);
		assert_eq!(PayStream::session(grant, 0), Some(over.clone()));
		at(106);
		let lapsed = SessionView { settleable: true, ..over };
		assert_eq!(PayStream::session(grant, 0), Some(lapsed));
		assert_ok!(step(|| PayStream::settle(signed(DAVE), grant, 0)));
		assert_eq!(PayStream::session(grant, 0), None);
	});
}

#[test]
fn success_a_session_for_nothing_never_runs_out() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let free = tier(100, 60, 100);
		offer(stream, &[free]);
		assert_ok!(subscribe(stream, free, 1));
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open_at_rate(grant, 0, stream, 0, 0));
		let view = PayStream::session(grant, 0).expect("it is open");
		assert_eq!((view.paid, view.funds, view.runway_seconds), (0, 0, u32::MAX));
		assert_eq!(view.ended_at, 61_000);
	});
}

#[test]
fn success_vaults_and_grants_of_an_account() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(PayStream::vault(BOB, NATIVE), 0);
		assert_eq!(PayStream::grants(BOB), vec![]);
		fill_vault(5_000);
		let stream = new_stream(3);
		// Many, for the order in which the map gives them is another one.
		for _ in 0..12 {
			new_grant(terms());
		}
		at(10);
		assert_ok!(open(3, 0, stream, 4_000, 10));
		assert_eq!((PayStream::vault(BOB, NATIVE), PayStream::vault(BOB, TOKEN)), (1_000, 0));
		assert_ok!(step(|| PayStream::revoke(signed(BOB), 5)));
		let views = PayStream::grants(BOB);
		let ids: Vec<_> = views.iter().map(|view| view.id).collect();
		assert_eq!(ids, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
		let expected = GrantView {
			id: 3,
			asset: NATIVE,
			rate_max_per_second: 5,
			cap_left: 6_000,
			available: 1_000,
			open: vec![0],
			next_index: 1,
			ended_at: 1_000_000,
		};
		assert_eq!(views[3], expected);
		assert_eq!((views[0].cap_left, views[0].available), (10_000, 1_000));
		fill_vault(50_000);
		assert_eq!(PayStream::grants(BOB)[3].available, 6_000);
		assert_eq!(PayStream::grants(CAROL), vec![]);
	});
}

#[test]
fn success_what_a_claim_would_pay() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(PayStream::claimable_by(0), None);
		set_tick_price(NATIVE, 11);
		set_share(10);
		fill_vault(5_000);
		let stream = new_stream_for(3, payees(&[(ALICE, 500_000), (CAROL, 500_000)]));
		assert_eq!(PayStream::claimable_by(stream), Some((0, vec![(ALICE, 0), (CAROL, 0)])));
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(21);
		assert_ok!(close(grant, 0, 11));
		let shown = PayStream::claimable_by(stream);
		assert_eq!(shown, Some((3 + 11, vec![(ALICE, 15), (CAROL, 15)])));
		let before = [ALICE, CAROL, TREASURY].map(Balances::free_balance);
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		let after = [ALICE, CAROL, TREASURY].map(Balances::free_balance);
		assert_eq!([0, 1, 2].map(|i| after[i] - before[i]), [15, 15, 14]);
		assert_eq!(PayStream::claimable_by(stream), Some((0, vec![(ALICE, 0), (CAROL, 0)])));
	});
}

#[test]
fn success_nothing_can_be_claimed_of_what_is_written_off() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(step(|| PayStream::deposit(signed(BOB), TOKEN, 500)));
		assert_ok!(step(|| PayStream::create_stream(signed(ALICE), TOKEN, 3, payees(&[]), 0, 0)));
		assert_ok!(step(|| PayStream::tip(signed(BOB), 0, 100, Default::default())));
		assert_ok!(Assets::freeze_asset(signed(ALICE), 7));
		assert_ok!(step(|| PayStream::disable_asset(root(), TOKEN)));
		assert_ok!(step(|| PayStream::write_off_asset(root(), TOKEN)));
		assert_eq!(PayStream::claimable_by(0), Some((0, vec![(ALICE, 0)])));
	});
}

#[test]
fn success_a_subscription_and_the_rate_of_the_next_session() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let tier = tier(100, 60, 50);
		offer(stream, &[tier]);
		assert_eq!(PayStream::subscription(stream, BOB), None);
		assert_eq!(PayStream::subscription(77, BOB), None);
		at(10);
		assert_ok!(subscribe(stream, tier, 1));
		let entry = subscription(stream);
		assert_eq!(PayStream::subscription(stream, BOB), Some((entry, 2)));
		at_ms(69_999);
		assert_eq!(PayStream::subscription(stream, BOB), Some((entry, 2)));
		at(70);
		assert_eq!(PayStream::subscription(stream, BOB), Some((entry, 3)));
		assert_ok!(step(|| PayStream::settle_subscription(signed(DAVE), stream, BOB)));
		assert_eq!(PayStream::subscription(stream, BOB), None);
	});
}
