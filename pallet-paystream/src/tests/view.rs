// SPDX-License-Identifier: Apache-2.0

//! Views say what the entries say, and what the ledger then does with orders.

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// A session's view, after what it says of orders was held against what the ledger says to them.
fn seen(grant: GrantId, index: SessionIndex) -> SessionViewOf<Test> {
	let view = PayStream::session(grant, index).expect("the session is stored");
	assert_eq!(PayStream::session_view(grant, index), Some(view.clone()));
	assert_eq!((view.now, view.left), (PayStream::now(), view.funds - view.paid));
	let close = |seconds| {
		let verdict = pool(&signer(), grant, Order::Close { index, seconds });
		verdict.map(|_| ()).map_err(named)
	};
	if view.settleable {
		assert_eq!(close(view.seconds_max), Err(Error::SessionEnded));
		assert_eq!((view.seconds_max, view.chargeable_seconds), (view.seconds, 0));
	} else {
		assert_eq!(close(view.seconds_max), Ok(()));
		assert_eq!(close(view.seconds_max + 1), Err(Error::AheadOfClock));
		let entry = session(grant, index);
		let reading = entry.reading(&stream_entry(entry.stream), view.now);
		let charge = entry.charge(&reading, view.seconds_max).expect("the pool takes it");
		assert_eq!(charge.charged_seconds, view.chargeable_seconds);
	}
	assert!(view.chargeable_seconds <= view.runway_seconds, "what is due is watched already");
	assert!(view.runway_seconds <= view.funded_seconds, "nobody watches for nothing");
	view
}

/// What a view says of seconds: the highest total, what can be charged, funded, watched.
fn reach(grant: GrantId, index: SessionIndex) -> [u32; 4] {
	let view = seen(grant, index);
	[view.seconds_max, view.chargeable_seconds, view.funded_seconds, view.runway_seconds]
}

/// Bob's only grant.
fn the_grant() -> GrantViewOf<Test> {
	let mut views = PayStream::grants(BOB);
	assert_eq!(views.len(), 1);
	views.remove(0)
}

/// What the pool says of opening the grant's next session on a stream.
fn opens(grant: GrantId, stream: StreamId) -> Result<(), Error<Test>> {
	let index = grant_entry(grant).next_index;
	let order = Order::Open {
		index,
		stream,
		rate_per_second: 3,
		funds: 30,
		start_at: 0,
		tick_price_max: 1_000,
	};
	pool(&signer(), grant, order).map(|_| ()).map_err(named)
}

fn pause(stream: StreamId, paused: bool) {
	let change = StreamChange { paused: Some(paused), ..Default::default() };
	assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, change)));
}

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
			now: 20_999,
			viewer: BOB,
			key: signer().key(),
			asset: NATIVE,
			stream,
			rate_per_second: 3,
			tick_price: 2,
			gap_ms: 30_000,
			funds: 300,
			paid: 20,
			fees: 2,
			left: 280,
			seconds: 6,
			seconds_max: 12,
			chargeable_seconds: 6,
			funded_seconds: 93,
			// 16 ticks of 5 seconds for 17, and 2 seconds of the 8 that are left.
			runway_seconds: 82,
			started_at: 8_000,
			opened_at: 10_000,
			billed_until: 14_000,
			ticked_at: 16_000,
			ended_at: 1_000_000,
			ended: false,
			settleable_at: 1_060_000,
			settleable: false,
		};
		assert_eq!(seen(grant, 0), view);
		at(21);
		assert_eq!(reach(grant, 0), [13, 7, 93, 82]);
		set_tick_price(NATIVE, 9);
		assert_eq!(seen(grant, 0).tick_price, 2);
		assert_eq!(PayStream::session(grant, 1), None);
		assert_eq!(PayStream::session(grant + 1, 0), None);
	});
}

#[test]
fn boundary_of_a_sessions_end_and_of_its_window() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 8));
		at(16);
		assert_ok!(tick(grant, 0, 6));
		// Silence ends it at 46.
		at_ms(45_999);
		assert_eq!(reach(grant, 0), [36, 30, 94, 94]);
		let view = seen(grant, 0);
		assert_eq!((view.ended, view.ended_at, view.settleable_at), (false, 1_000_000, 1_060_000));
		at(46);
		assert_eq!(reach(grant, 0), [36, 30, 94, 30]);
		let view = seen(grant, 0);
		assert_eq!((view.ended, view.ended_at, view.settleable_at), (true, 46_000, 106_000));
		// Until then its key may close it.
		at_ms(105_999);
		assert_eq!(reach(grant, 0), [36, 30, 94, 30]);
		assert!(!seen(grant, 0).settleable);
		assert_noop!(PayStream::settle(signed(DAVE), grant, 0), Error::<Test>::WindowOpen);
		at(106);
		assert_eq!(reach(grant, 0), [6, 0, 94, 0]);
		let view = seen(grant, 0);
		assert_eq!((view.ended, view.ended_at, view.settleable), (true, 46_000, true));
		assert_eq!(tick(grant, 0, 7), Err(Error::SessionEnded));
		assert_ok!(step(|| PayStream::settle(signed(DAVE), grant, 0)));
		assert_eq!(PayStream::session(grant, 0), None);
	});
}

#[test]
fn boundary_a_stop_and_a_revocation_end_a_session() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(15);
		assert_ok!(open(grant, 1, new_stream(3), 300, 15));
		at(20);
		assert_eq!(reach(grant, 0), [10, 10, 100, 100]);
		pause(stream, true);
		assert_eq!(reach(grant, 0), [10, 10, 100, 10]);
		assert_eq!(reach(grant, 1), [5, 5, 100, 100]);
		at(25);
		assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
		assert_eq!(reach(grant, 0), [10, 10, 100, 10]);
		assert_eq!(reach(grant, 1), [10, 10, 100, 10]);
		at(30);
		let ends = [0, 1].map(|index| seen(grant, index)).map(|view| (view.ended, view.ended_at));
		assert_eq!(ends, [(true, 20_000), (true, 25_000)]);
	});
}

#[test]
fn boundary_of_funds_that_are_short_of_the_clocks_room() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 32, 10));
		assert_eq!(reach(grant, 0), [0, 0, 10, 10]);
		at(19);
		assert_eq!(reach(grant, 0), [9, 9, 10, 10]);
		at(20);
		assert_eq!(reach(grant, 0), [10, 10, 10, 10]);
		at(21);
		assert_eq!(reach(grant, 0), [11, 10, 10, 10]);
		// All of them, and no more: it goes on without funds.
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(reach(grant, 0), [11, 0, 0, 0]);
		let view = seen(grant, 0);
		assert_eq!((view.left, view.ended), (2, false));
		// A fund makes it last again.
		assert_ok!(fund(grant, 0, 32 + 178));
		assert_eq!(reach(grant, 0), [11, 1, 60, 60]);
		at(41);
		assert_eq!(reach(grant, 0), [31, 21, 60, 60]);
		assert_ok!(tick(grant, 0, 31));
		at(70);
		assert_ok!(tick(grant, 0, 60));
		at(82);
		assert_eq!(reach(grant, 0), [72, 10, 10, 10]);
		// A total that the funds do not cover closes it.
		events();
		assert_ok!(tick(grant, 0, 72));
		let [Event::Ticked { charged_seconds, .. }, Event::SessionClosed { reason, .. }] =
			events()[..]
		else {
			panic!("it is charged and closed");
		};
		assert_eq!((charged_seconds, reason), (10, CloseReason::FundsExhausted));
		assert_eq!(PayStream::session(grant, 0), None);
	});
}

#[test]
fn boundary_the_tick_price_shortens_the_runway() {
	ExtBuilder::default().build_and_execute(|| {
		set_tick_price(NATIVE, 7);
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 30, 10));
		// A tick of 5 seconds costs 22, and the 8 that are left buy 2 seconds more.
		assert_eq!(reach(grant, 0), [0, 0, 10, 7]);
		at(17);
		assert_eq!(reach(grant, 0), [7, 7, 10, 7]);
		// One order can still charge all: the creator's seconds come first.
		at(18);
		assert_eq!(reach(grant, 0), [8, 8, 10, 8]);
		at(21);
		assert_eq!(reach(grant, 0), [11, 10, 10, 10]);
		assert_ok!(tick(grant, 0, 5));
		assert_eq!(reach(grant, 0), [11, 2, 2, 2]);
		let view = seen(grant, 0);
		assert_eq!((view.paid, view.fees, view.left), (22, 7, 8));
		events();
		assert_ok!(close(grant, 0, 11));
		let [Event::Ticked { charged_seconds, amount, fee, .. }, _] = events()[..] else {
			panic!("it is charged and closed");
		};
		assert_eq!((charged_seconds, amount, fee), (2, 6, 2));
	});
}

#[test]
fn success_a_runway_is_what_ticking_to_the_last_unit_gives() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		let mut entry = session(grant, 0);
		for (rate, price, tick_seconds) in
			(1..5).flat_map(|r| (0..14).flat_map(move |p| (1..7).map(move |t| (r, p, t))))
		{
			entry.rate_per_second = rate;
			entry.tick_price = price;
			for money in 0..90 {
				let (mut left, mut seconds) = (money, 0);
				loop {
					let bought = u128::from(tick_seconds).min(left / rate);
					left -= bought * rate;
					left -= left.min(price);
					seconds += bought as u32;
					if bought < u128::from(tick_seconds) {
						break;
					}
				}
				assert_eq!(entry.lasts_seconds(money, tick_seconds), seconds);
			}
		}
		// The dearest of all is no error.
		entry.rate_per_second = u128::MAX;
		assert_eq!(entry.lasts_seconds(u128::MAX - 1, 5), 0);
		entry.rate_per_second = 1;
		entry.tick_price = 0;
		assert_eq!(entry.lasts_seconds(u128::MAX, 5), u32::MAX);
	});
}

#[test]
fn boundary_a_runway_ends_with_the_grant() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let grant = new_grant(GrantTerms { expires_at: 40_000, ..terms() });
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		assert_eq!(reach(grant, 0), [0, 0, 100, 30]);
		at_ms(15_500);
		assert_ok!(tick(grant, 0, 5));
		assert_eq!(reach(grant, 0), [5, 0, 95, 25]);
		at_ms(39_999);
		assert_eq!(reach(grant, 0), [29, 24, 95, 25]);
		assert!(!seen(grant, 0).ended && !the_grant().ended);
		assert_eq!(the_grant().available, 4_700);
		at(40);
		assert_eq!(reach(grant, 0), [30, 25, 95, 25]);
		assert!(seen(grant, 0).ended && the_grant().ended);
		assert_eq!(the_grant().available, 0);
		assert_eq!((seen(grant, 0).ended_at, seen(grant, 0).settleable_at), (40_000, 100_000));
	});
}

#[test]
fn success_a_session_for_nothing_lasts_until_its_end() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let free = tier(100, 60, 100);
		offer(stream, &[free]);
		assert_ok!(subscribe(stream, free, 1));
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open_at_rate(grant, 0, stream, 0, 0));
		let view = seen(grant, 0);
		assert_eq!((view.paid, view.funds, view.left), (0, 0, 0));
		assert_eq!(view.ended_at, 61_000);
		assert_eq!(reach(grant, 0), [0, 0, u32::MAX, 51]);
		at(20);
		assert_eq!(reach(grant, 0), [10, 10, u32::MAX, 51]);
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(reach(grant, 0), [10, 0, u32::MAX, 41]);
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
			key: signer().key(),
			asset: NATIVE,
			rate_max_per_second: 5,
			cap: 10_000,
			cap_left: 6_000,
			spent: 0,
			vault: 1_000,
			available: 1_000,
			tips_left: 0,
			tips_total: 0,
			renewals_left: 0,
			renewals_total: 0,
			gap_ms: 30_000,
			sessions_max: 2,
			open: vec![0],
			next_index: 1,
			opened_at: 10_000,
			tipped_at: 0,
			created_at: 1_000,
			expires_at: 1_000_000,
			ended_at: 1_000_000,
			ended: false,
			deposit: 600,
		};
		assert_eq!(views[3], expected);
		assert_eq!((views[0].cap_left, views[0].available), (10_000, 1_000));
		fill_vault(50_000);
		let view = &PayStream::grants(BOB)[3];
		assert_eq!((view.vault, view.available), (51_000, 6_000));
		assert_eq!(PayStream::grants(CAROL), vec![]);
		// What has ended and still has a session is there, and pays nothing new.
		at(20);
		assert_ok!(step(|| PayStream::revoke(signed(BOB), 3)));
		let expected =
			GrantView { vault: 51_000, available: 0, ended_at: 20_000, ended: true, ..expected };
		assert_eq!(PayStream::grants(BOB)[3], expected);
	});
}

#[test]
fn success_a_relayer_signs_from_a_grants_view_alone() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let tier = tier(100, 60, 0);
		offer(stream, &[tier]);
		assert_ok!(subscribe(stream, tier, 1));
		new_grant(GrantTerms { tips_max: 100, renewals_max: 2, ..terms() });
		at(10);
		let view = the_grant();
		assert_eq!((view.next_index, view.open.len(), view.opened_at), (0, 0, 0));
		assert_eq!((view.vault, view.available), (4_900, 4_900));
		assert_ok!(open(view.id, view.next_index, stream, 900, 10));
		let view = the_grant();
		assert_eq!((view.vault, view.cap_left, view.available), (4_000, 9_100, 4_000));
		assert_eq!((view.open.clone(), view.next_index, view.opened_at), (vec![0], 1, 10_000));
		assert_eq!(view.tipped_at, 0);
		assert_ok!(tip(view.id, view.open[0], view.tips_total + 40));
		assert_ok!(renew(view.id, view.open[0], view.renewals_total + 1));
		let view = the_grant();
		assert_eq!((view.tips_left, view.tips_total), (60, 40));
		assert_eq!((view.renewals_left, view.renewals_total), (1, 1));
		// Beside the cap, from the vault.
		assert_eq!((view.vault, view.cap_left, view.spent), (3_860, 9_100, 0));
		let too_much = tip(view.id, view.open[0], view.tips_total + view.tips_left + 1);
		assert_eq!(too_much, Err(Error::TipsTooLow));
		let rest = || tip(view.id, view.open[0], view.tips_total + view.tips_left);
		assert_eq!(rest(), Err(Error::TipTooSoon));

		at_ms(view.opened_at + 4_999);
		let next = |view: &GrantViewOf<Test>| {
			open(view.id, view.next_index, stream, the_grant().available, 10)
		};
		assert_eq!(next(&view), Err(Error::OpenTooSoon));
		at_ms(view.tipped_at + 5_000);
		assert_ok!(rest());
		at_ms(view.opened_at + 5_000);
		assert_ok!(next(&view));
		assert_ok!(close(view.id, 0, 5));
		let view = the_grant();
		assert_eq!((view.open, view.next_index, view.spent), (vec![1], 2, 15));
		assert_eq!((view.cap_left, view.vault, view.available), (6_185, 885, 885));
	});
}

#[test]
fn success_a_stream_in_one_call() {
	ExtBuilder::default().build_and_execute(|| {
		set_tick_price(NATIVE, 2);
		fill_vault(5_000);
		assert_eq!(PayStream::stream(0), None);
		let shares = payees(&[(ALICE, 700_000), (CAROL, 300_000)]);
		let create =
			|| PayStream::create_stream(signed(ALICE), NATIVE, 3, shares.clone(), 20, 15_000);
		assert_ok!(step(create));
		let fresh = StreamView {
			owner: ALICE,
			asset: NATIVE,
			rate_per_second: 3,
			tick_price: 2,
			tip_min: EXISTENTIAL_DEPOSIT,
			funds_min: 20,
			gap_min_ms: 15_000,
			payees: shares.clone().into_inner(),
			tiers: vec![],
			status: StreamStatus::Active,
			openable: true,
			changed_at: 1_000,
			ended_at: None,
			earned: 0,
			earned_total: 0,
			tips_total: 0,
			subscribed_total: 0,
			refunded_total: 0,
			fees: 0,
			seconds: 0,
			sessions_open: 0,
			subscriptions_open: 0,
			deposit: 1_200,
		};
		assert_eq!(PayStream::stream(0), Some(fresh.clone()));
		let (week, month) = (tier(100, 60, 0), tier(300, 240, 50));
		offer(0, &[week, month]);
		assert_ok!(subscribe(0, week, 1));
		assert_ok!(step(|| PayStream::tip(signed(BOB), 0, 40, Default::default())));
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open(grant, 0, 0, 300, 10));
		at(16);
		assert_ok!(tick(grant, 0, 6));
		assert_ok!(step(|| PayStream::refund(signed(ALICE), 0, BOB, 10)));
		at(22);
		assert_ok!(tick(grant, 0, 12));
		set_tick_price(NATIVE, 5);
		assert_ok!(step(|| PayStream::enable_asset(root(), NATIVE, 25)));
		let expected = StreamView {
			tick_price: 5,
			tip_min: 25,
			tiers: vec![week, month],
			// A refund distributes; 1 was left over.
			earned: 1 + 18,
			earned_total: 158 + 18,
			tips_total: 40,
			subscribed_total: 100,
			refunded_total: 10,
			fees: 2,
			seconds: 12,
			sessions_open: 1,
			subscriptions_open: 1,
			deposit: 1_340,
			..fresh
		};
		assert_eq!(PayStream::stream(0), Some(expected.clone()));
		assert_eq!(PayStream::stream_view(0), Some(expected));
		assert_eq!(PayStream::stream(1), None);
	});
}

#[test]
fn boundary_of_a_stream_that_can_be_opened() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		let openable = || {
			let view = PayStream::stream(stream).expect("it is stored");
			assert_eq!(view.openable, opens(grant, stream).is_ok());
			(view.status, view.openable)
		};
		at(10);
		assert_eq!(openable(), (StreamStatus::Active, true));
		pause(stream, true);
		assert_eq!(openable(), (StreamStatus::Paused, false));
		at(20);
		assert_eq!(openable(), (StreamStatus::Paused, false));
		// A session that opened at the very moment of a pause would have stopped already.
		pause(stream, false);
		pause(stream, true);
		pause(stream, false);
		assert_eq!(openable(), (StreamStatus::Active, false));
		at_ms(20_001);
		assert_eq!(openable(), (StreamStatus::Active, true));
		assert_ok!(step(|| PayStream::set_stopped(root(), true)));
		assert_eq!(openable(), (StreamStatus::Active, false));
		assert_ok!(step(|| PayStream::set_stopped(root(), false)));
		assert_ok!(step(|| PayStream::disable_asset(root(), NATIVE)));
		assert_eq!(openable(), (StreamStatus::Active, false));
		assert_ok!(step(|| PayStream::enable_asset(root(), NATIVE, 10)));
		assert_eq!(openable(), (StreamStatus::Active, true));
		at(30);
		assert_ok!(open(grant, 0, stream, 300, 30));
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_eq!(openable(), (StreamStatus::Ended, false));
		let view = PayStream::stream(stream).expect("its session is stored");
		assert_eq!((view.ended_at, view.sessions_open), (Some(30_000), 1));
		assert_ok!(close(grant, 0, 0));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(PayStream::stream(stream), None);
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
		assert_ok!(step(|| PayStream::disable_asset(root(), TOKEN)));
		assert_ok!(Assets::burn(signed(ALICE), 7, PayStream::pot(), 500));
		assert_ok!(PayStream::write_off_asset(root(), TOKEN));
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
