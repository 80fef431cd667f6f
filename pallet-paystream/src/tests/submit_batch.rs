// SPDX-License-Identifier: Apache-2.0

//! Batches: each order stands alone, the free ones cost nothing, and the block is charged for all.

use crate::{mock::*, stream::StreamBook, *};
use frame::testing_prelude::*;
use polkadot_sdk::pallet_utility;
use proptest::{prelude::*, test_runner::RngSeed};

type Weights = <Test as Config>::WeightInfo;

/// So many grants of Bob's, each with a session on one stream, opened at 10 on funds for 100
/// seconds.
fn opened(count: u64) -> StreamId {
	fill_vault(50_000);
	let stream = new_stream(3);
	for _ in 0..count {
		new_grant(terms());
	}
	at(10);
	for grant in 0..count {
		assert_ok!(open(grant, 0, stream, 300, 10));
	}
	stream
}

fn tick_item(grant: GrantId, seconds: u32) -> SignedOrderOf<Test> {
	item(grant, Order::Tick { index: 0, seconds })
}

type Failure = (GrantId, u32, DispatchError);

/// How many counted, were free and failed; and which failed why.
fn outcome() -> ((u32, u32, u32), Vec<Failure>) {
	let mut failures = Vec::new();
	let mut done = None;
	for event in events() {
		match event {
			Event::OrderFailed { grant, index, error } => failures.push((grant, index, error)),
			Event::BatchDone { counted, free, failed } => done = Some((counted, free, failed)),
			_ => {}
		}
	}
	(done.expect("a batch sums up"), failures)
}

fn failed(grant: GrantId, index: u32, error: Error<Test>) -> Failure {
	(grant, index, error.into())
}

/// The weight of a batch of ticks that go on, on so many streams.
fn weight_of_ticks(ticks: u32, streams: u32) -> Weight {
	let tick = Weights::submit_batch(1).saturating_sub(Weights::submit_batch(0));
	let apart = Weights::submit_batch_streams(1)
		.saturating_sub(Weights::submit_batch_streams(0))
		.max(tick)
		.max(Weight::from_parts(0, Weights::submit_close().proof_size()));
	let more = apart.saturating_sub(tick).saturating_mul(streams.into());
	Weights::submit_batch(ticks).saturating_add(more)
}

#[test]
fn success_ticks_of_one_stream_add_up_and_cost_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = opened(10);
		at(20);
		events();
		let orders = (0..10).map(|grant| tick_item(grant, 1 + grant as u32)).collect();
		// The least free tick is 5 seconds: four are too small for the free lane.
		let post = submit_batch(orders).expect("it is in order");
		assert_eq!(outcome(), ((10, 6, 0), vec![]));
		assert_eq!(post.pays_fee, Pays::Yes);
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.earned_total, entry.seconds), (165, 165, 55));
		at(30);
		let orders = (0..10).map(|grant| tick_item(grant, 16)).collect();
		let post = submit_batch(orders).expect("it is in order");
		assert_eq!(outcome(), ((10, 10, 0), vec![]));
		assert_eq!(post.pays_fee, Pays::No);
		assert_eq!(post.actual_weight, Some(weight_of_ticks(10, 1)));
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.seconds, entry.sessions_open), (480, 160, 10));
		for grant in 0..10 {
			assert_eq!(session(grant, 0).seconds, 16);
		}
	});
}

#[test]
fn success_each_kind_of_order_by_each_kind_of_key() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(50_000);
		let stream = new_stream(3);
		let monthly = tier(100, 60, 0);
		offer(stream, &[monthly]);
		assert_ok!(subscribe(stream, monthly, 1));
		let keys = [Delegate::sr25519(1), Delegate::ed25519(1)];
		let key = |grant: u64| &keys[(grant % 2) as usize];
		for grant in 0..12u64 {
			let by = key(grant);
			let proof = by.sign(&PayStream::grant_bytes(&BOB));
			let terms = GrantTerms { tips_max: 1_000, renewals_max: 3, ..terms() };
			assert_ok!(step(|| PayStream::grant(signed(BOB), by.key(), proof, terms)));
		}
		let open = Order::Open {
			index: 0,
			stream,
			rate_per_second: 3,
			funds: 60,
			start_at: 62_000,
			tick_price_max: 1_000,
		};
		at(62);
		let opens: Vec<_> =
			(0..10).map(|grant| signed_order(key(grant), grant, open.clone())).collect();
		assert_eq!(submit_batch(opens).expect("it is in order").pays_fee, Pays::No);
		// The subscription is over: what renews it begins its last paid period, and so does the next.
		at(72);
		events();
		let of_kind = |grant: u64| match grant / 2 {
			0 => Order::Tick { index: 0, seconds: 8 },
			1 => Order::Close { index: 0, seconds: 10 },
			2 => Order::Fund { index: 0, funds: 300 },
			3 => Order::Tip { index: 0, tips: 50, message: Default::default() },
			4 => Order::Renew { index: 0, renewals: 1 },
			_ => open.clone(),
		};
		let orders = (0..12).map(|grant| signed_order(key(grant), grant, of_kind(grant))).collect();
		let post = submit_batch(orders).expect("it is in order");
		assert_eq!(outcome(), ((12, 12, 0), vec![]));
		assert_eq!(post.pays_fee, Pays::No);
		for nth in 0..2 {
			assert_eq!(session(nth, 0).seconds, 8);
			assert!(grant_entry(2 + nth).open.is_empty());
			assert_eq!(session(4 + nth, 0).funds, 300);
			assert_eq!(grant_entry(6 + nth).tips_total, 50);
			assert_eq!(grant_entry(8 + nth).renewals_total, 1);
			assert_eq!(session(10 + nth, 0).started_at, 66_000);
		}
		assert_eq!(subscription(stream).periods, 2);
		let entry = stream_entry(stream);
		assert_eq!((entry.seconds, entry.tips_total, entry.subscribed_total), (36, 100, 200));
		assert_eq!((entry.earned, entry.sessions_open), (36 * 3 + 100 + 200, 10));
	});
}

#[test]
fn success_what_is_wrong_with_one_harms_no_other() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = opened(8);
		at(15);
		assert_ok!(tick(5, 0, 5));
		assert_ok!(tick(6, 0, 5));
		at(20);
		events();
		let by_another =
			signed_order(&Delegate::sr25519(66), 1, Order::Tick { index: 0, seconds: 8 });
		let orders = vec![
			tick_item(0, 8),
			by_another,
			tick_item(2, 11),
			item(3, Order::Tick { index: 7, seconds: 8 }),
			tick_item(4, 10),
			tick_item(5, 5),
			tick_item(6, 4),
			item(7, Order::Close { index: 0, seconds: 9 }),
			tick_item(77, 8),
		];
		let post = submit_batch(orders).expect("it is in order");
		assert_eq!(
			outcome(),
			(
				(3, 3, 6),
				vec![
					failed(1, 0, Error::SignatureInvalid),
					failed(2, 0, Error::AheadOfClock),
					failed(3, 7, Error::SessionNotFound),
					failed(5, 0, Error::OrderStale),
					failed(6, 0, Error::TotalLower),
					failed(77, 0, Error::GrantNotFound),
				]
			)
		);
		assert_eq!(post.pays_fee, Pays::Yes);
		assert_eq!(stream_entry(stream).seconds, 5 + 5 + 8 + 10 + 9);
		assert_eq!((session(1, 0).seconds, session(2, 0).seconds), (0, 0));
	});
}

#[test]
fn success_the_paid_lane_has_no_limits_of_the_free_one() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(50_000);
		let stream = new_stream(3);
		for _ in 0..5 {
			new_grant(GrantTerms { tips_max: 100, ..terms() });
		}
		at(10);
		for (grant, funds) in [(0, 300), (1, 300), (2, 60), (3, 300), (4, 300)] {
			assert_ok!(open(grant, 0, stream, funds, 10));
		}
		at(12);
		let second = Order::Open {
			index: 1,
			stream,
			rate_per_second: 3,
			funds: 300,
			start_at: 12_000,
			tick_price_max: 1_000,
		};
		let small: Vec<(GrantId, OrderOf<Test>, Error<Test>)> = vec![
			(0, Order::Tick { index: 0, seconds: 1 }, Error::TickTooSmall),
			(1, Order::Fund { index: 0, funds: 301 }, Error::FundTooEarly),
			(2, Order::Fund { index: 0, funds: 61 }, Error::FundTooSmall),
			(3, Order::Tip { index: 0, tips: 1, message: Default::default() }, Error::TipTooSmall),
			(4, second, Error::OpenTooSoon),
		];
		for (grant, order, error) in small.clone() {
			assert_eq!(submit(grant, order), Err(error));
		}
		events();
		let orders = small.into_iter().map(|(grant, order, _)| item(grant, order)).collect();
		let post = submit_batch(orders).expect("it is in order");
		assert_eq!(outcome(), ((5, 0, 0), vec![]));
		assert_eq!(post.pays_fee, Pays::Yes);
		assert_eq!(FreeWeightUsed::<Test>::get(), Weight::zero());
		assert_eq!(session(0, 0).seconds, 1);
		assert_eq!((session(1, 0).funds, session(2, 0).funds), (301, 61));
		assert_eq!(stream_entry(stream).tips_total, 1);
		assert_eq!(session(4, 1).started_at, 12_000);
	});
}

#[test]
fn success_a_tick_beyond_the_funds_closes() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let (poor, rich) = (new_grant(terms()), new_grant(terms()));
		at(10);
		assert_ok!(open(poor, 0, stream, 32, 10));
		assert_ok!(open(rich, 0, stream, 300, 10));
		at(30);
		events();
		let post = submit_batch(vec![tick_item(poor, 20), tick_item(rich, 20)]).expect("in order");
		let closed = events().into_iter().find_map(|event| match event {
			Event::SessionClosed { grant, seconds, paid, refunded, reason, .. } => {
				Some((grant, seconds, paid, refunded, reason))
			}
			_ => None,
		});
		assert_eq!(closed, Some((poor, 10, 30, 2, CloseReason::FundsExhausted)));
		assert_eq!(post.pays_fee, Pays::No);
		assert_eq!(Sessions::<Test>::get(poor, 0), None);
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.seconds, entry.sessions_open), (90, 30, 1));
	});
}

#[test]
fn success_a_close_makes_room_for_an_open_of_the_same_grant() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let grant = new_grant(GrantTerms { sessions_max: 1, ..terms() });
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		let next = Order::Open {
			index: 1,
			stream,
			rate_per_second: 3,
			funds: 4_970,
			start_at: 16_000,
			tick_price_max: 1_000,
		};
		// The slot and the money of the first one are there for the second one.
		let orders =
			vec![item(grant, Order::Close { index: 0, seconds: 10 }), item(grant, next.clone())];
		assert_eq!(submit(grant, next), Err(Error::SlotsTaken));
		events();
		assert_ok!(submit_batch(orders));
		assert_eq!(outcome(), ((2, 2, 0), vec![]));
		assert_eq!(session(grant, 1).started_at, 20_000);
		assert_eq!((vault(BOB), stream_entry(stream).sessions_open), (0, 1));
	});
}

#[test]
fn success_the_last_close_deletes_an_ended_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = opened(2);
		at(20);
		assert_ok!(step(|| PayStream::revoke(signed(BOB), 0)));
		let close = |grant| item(grant, Order::Close { index: 0, seconds: 10 });
		assert_ok!(submit_batch(vec![close(0), close(1)]));
		assert_eq!(Grants::<Test>::get(0), None);
		assert!(grant_entry(1).open.is_empty());
		assert_eq!(stream_entry(stream).sessions_open, 0);
		assert_eq!(stream_entry(stream).earned, 60);
	});
}

#[test]
fn fails_empty_or_not_ascending() {
	ExtBuilder::default().build_and_execute(|| {
		opened(2);
		at(15);
		assert_ok!(open(0, 1, 0, 300, 15));
		at(20);
		let refuse = |orders: Vec<SignedOrderOf<Test>>, error: Error<Test>| {
			let submitted = || PayStream::submit_batch(signed(DAVE), batch(orders));
			let refused = step(submitted).expect_err("it is out of order");
			assert_eq!(refused.error, error.into());
			// No order was looked at, and none is paid for.
			assert_eq!(refused.post_info.actual_weight, Some(Weights::submit_batch(0)));
		};
		refuse(vec![], Error::BatchEmpty);
		// Twice the same, two for one session, grants descending, sessions descending.
		refuse(vec![tick_item(0, 8), tick_item(0, 8)], Error::BatchNotAscending);
		let close = item(0, Order::Close { index: 0, seconds: 9 });
		refuse(vec![tick_item(0, 8), close], Error::BatchNotAscending);
		refuse(vec![tick_item(1, 8), tick_item(0, 8)], Error::BatchNotAscending);
		let second = item(0, Order::Tick { index: 1, seconds: 5 });
		refuse(vec![second.clone(), tick_item(0, 8)], Error::BatchNotAscending);
		refuse(vec![tick_item(0, 8), tick_item(1, 8), second.clone()], Error::BatchNotAscending);
		events();
		assert_ok!(submit_batch(vec![tick_item(0, 8), second, tick_item(1, 8)]));
		assert_eq!(outcome(), ((3, 3, 0), vec![]));
	});
}

#[test]
fn fails_when_replayed() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = opened(3);
		at(20);
		let orders =
			vec![tick_item(0, 8), item(1, Order::Close { index: 0, seconds: 9 }), tick_item(2, 10)];
		assert_ok!(submit_batch(orders.clone()));
		let before = (stream_entry(stream), session(0, 0), session(2, 0), grant_entry(1));
		at(28);
		events();
		let post = submit_batch(orders.clone()).expect("a batch of nothing");
		let stale = |grant| failed(grant, 0, Error::OrderStale);
		assert_eq!(outcome(), ((0, 0, 3), vec![stale(0), stale(1), stale(2)]));
		assert_eq!((post.pays_fee, post.actual_weight.is_some()), (Pays::Yes, true));
		assert_eq!((stream_entry(stream), session(0, 0), session(2, 0), grant_entry(1)), before);
		// In the other lane too.
		for signed in orders {
			assert_eq!(submit(signed.grant, signed.order), Err(Error::OrderStale));
		}
	});
}

/// Orders are public. Who copies one out of a waiting batch, and brings it first, does not make the rest
/// of it dear.
#[test]
fn boundary_of_orders_that_somebody_else_has_brought() {
	ExtBuilder::default().build_and_execute(|| {
		opened(6);
		let batch_after = |second: u64, brought: &[u64], seconds: u32| {
			at(second);
			for grant in brought {
				assert_ok!(tick(*grant, 0, seconds));
			}
			events();
			submit_batch((0..6).map(|grant| tick_item(grant, seconds)).collect())
				.expect("it is in order")
		};
		let refused = PayStream::weight_of_refusal(&tick_item(0, 1).order, &Error::OrderStale);
		let bytes = tick_item(0, 1).encoded_size() as u32;
		// No more of them than of the others: nothing is paid, though they did not count again.
		let post = batch_after(20, &[1, 3, 5], 10);
		assert_eq!(post.pays_fee, Pays::No);
		assert_eq!(outcome().0, (3, 3, 3));
		// One more, and all of them are paid for; the others are not.
		let post = batch_after(30, &[0, 1, 3, 5], 20);
		assert_eq!(post.pays_fee, Pays::Yes);
		assert_eq!(post.actual_weight, Some(refused.saturating_mul(4)));
		assert_eq!(outcome().0, (2, 2, 4));
		// Nor the bytes of the others, where the runtime can take a part of a fee.
		FeeCanBeTaken::set(true);
		let post = batch_after(35, &[0, 1, 3, 5], 25);
		assert_eq!(post.pays_fee, Pays::No);
		assert_eq!(FeeTaken::get(), Some((DAVE, refused.saturating_mul(4), 4 * bytes)));
		FeeCanBeTaken::set(false);
		// What fails for another reason is paid for, and the copies are not.
		at(40);
		assert_ok!(tick(0, 0, 30));
		let orders = (0..6).map(|grant| tick_item(grant, if grant == 5 { 70 } else { 30 }));
		let post = submit_batch(orders.collect()).expect("it is in order");
		assert_eq!(post.pays_fee, Pays::Yes);
		assert_eq!(post.actual_weight, Some(refused));
		// Within another call nothing is free.
		at(50);
		assert_ok!(tick(0, 0, 40));
		let calls = vec![RuntimeCall::PayStream(Call::submit_batch {
			orders: batch((0..4).map(|grant| tick_item(grant, 40)).collect()),
		})];
		let call = RuntimeCall::Utility(pallet_utility::Call::batch { calls });
		let (result, _) = step(|| apply_as(DAVE, call));
		assert_eq!(result.expect("it is in order").pays_fee, Pays::Yes);
		// Nor where the free share has no room for what did not count.
		at(60);
		assert_ok!(tick(0, 0, 50));
		FreeWeightUsed::<Test>::kill();
		assert_ok!(submit_batch(vec![tick_item(2, 50)]));
		let of_one = FreeWeightUsed::<Test>::get();
		FreeWeightUsed::<Test>::put(PayStream::free_limit().saturating_sub(of_one));
		events();
		let post = submit_batch(vec![tick_item(0, 50), tick_item(1, 50)]).expect("in order");
		assert_eq!(post.pays_fee, Pays::Yes);
		assert_eq!(outcome().0, (1, 1, 1));
	});
}

#[test]
fn fails_under_another_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = opened(2);
		at(20);
		// The same key, the same order, and a signature for the other grant.
		let moved = SignedOrder { grant: 1, ..tick_item(0, 8) };
		events();
		assert_ok!(submit_batch(vec![moved]));
		assert_eq!(outcome(), ((0, 0, 1), vec![failed(1, 0, Error::SignatureInvalid)]));
		assert_eq!(stream_entry(stream).earned, 0);
	});
}

#[test]
fn fails_alone_where_a_sum_would_overflow() {
	ExtBuilder::default().build_and_execute(|| {
		opened(1);
		let full = new_stream(2);
		let grant = new_grant(terms());
		assert_ok!(open(grant, 0, full, 200, 10));
		Streams::<Test>::mutate(full, |entry| {
			if let Some(entry) = entry {
				entry.seconds = u64::MAX;
			}
		});
		at(20);
		events();
		assert_ok!(submit_batch(vec![tick_item(0, 8), tick_item(grant, 8)]));
		assert_eq!(outcome(), ((1, 1, 1), vec![failed(grant, 0, Error::Overflow)]));
		assert_eq!(stream_entry(full).earned, 0);
	});
}

#[test]
fn fails_for_any_other_origin() {
	ExtBuilder::default().build_and_execute(|| {
		opened(1);
		at(20);
		for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
			let orders = batch(vec![tick_item(0, 8)]);
			assert_noop!(PayStream::submit_batch(origin, orders), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn boundary_of_the_number_of_orders() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = opened(64);
		at(20);
		let mut orders: Vec<_> = (0..64).map(|grant| tick_item(grant, 10)).collect();
		let post = submit_batch(orders.clone()).expect("as many as there may be");
		assert_eq!(post.pays_fee, Pays::No);
		assert_eq!(stream_entry(stream).seconds, 640);
		orders.push(tick_item(64, 10));
		assert!(BatchOf::<Test>::try_from(orders.clone()).is_err());
		assert!(BatchOf::<Test>::decode(&mut &orders.encode()[..]).is_err());
	});
}

#[test]
fn boundary_of_the_free_share() {
	ExtBuilder::default().build_and_execute(|| {
		opened(4);
		at(20);
		events();
		// How much a free batch of one takes, and each further order.
		assert_ok!(submit_batch(vec![tick_item(0, 5)]));
		let first = FreeWeightUsed::<Test>::take();
		assert_ok!(submit_batch(vec![tick_item(1, 5), tick_item(2, 5)]));
		let further = FreeWeightUsed::<Test>::take().saturating_sub(first);
		assert!(first.ref_time() > 0 && further.ref_time() > 0);

		at(30);
		let room = PayStream::free_limit().saturating_sub(first).saturating_sub(further);
		FreeWeightUsed::<Test>::put(room);
		events();
		let orders = (0..4).map(|grant| tick_item(grant, 15)).collect();
		let post = submit_batch(orders).expect("it is in order");
		assert_eq!(outcome(), ((4, 2, 0), vec![]));
		assert_eq!(post.pays_fee, Pays::Yes);
		assert_eq!(FreeWeightUsed::<Test>::get(), PayStream::free_limit());
		// Nobody has a free order in this block any more, and the paid lane goes on.
		at_ms(30_001);
		FreeWeightUsed::<Test>::put(PayStream::free_limit());
		assert_eq!(close(0, 0, 15), Err(Error::FreeLaneFull));
		events();
		let post = submit_batch(vec![item(0, Order::Close { index: 0, seconds: 15 })]);
		assert_eq!(post.expect("it is in order").pays_fee, Pays::Yes);
		assert_eq!(outcome(), ((1, 0, 0), vec![]));
	});
}

#[test]
fn boundary_free_batches_of_a_block_weigh_no_more_than_the_free_share() {
	ExtBuilder::default().build_and_execute(|| {
		opened(40);
		// Room for eight of them.
		let eight = weight_of_ticks(1, 1).saturating_add(base_weight()).saturating_mul(8);
		let block = block_weights().max_block;
		FreeShare::set(Perbill::from_rational(eight.ref_time(), block.ref_time()));
		at(20);
		let mut used = Weight::zero();
		let mut free = 0;
		for grant in 0..40 {
			let orders = batch(vec![tick_item(grant, 10)]);
			let call = RuntimeCall::PayStream(Call::submit_batch { orders });
			let (result, weight) = step(|| apply_as(DAVE, call));
			let post = result.expect("it is in order");
			if post.pays_fee == Pays::No {
				used = used.saturating_add(weight).saturating_add(base_weight());
				free += 1;
			}
		}
		assert!((4..40).contains(&free), "{free} free batches");
		let limit = PayStream::free_limit();
		assert!(used.all_lte(limit), "{free} free batches weighed {used:?} of {limit:?}");
	});
}

#[test]
fn boundary_a_free_close_takes_its_whole_weight_of_the_free_share() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let grant = new_grant(terms());
		at(10);
		assert_ok!(open(grant, 0, stream, 30, 10));
		at(30);
		FreeWeightUsed::<Test>::kill();
		let orders = batch(vec![tick_item(grant, 20)]);
		let call = RuntimeCall::PayStream(Call::submit_batch { orders });
		let (result, weight) = step(|| apply_as(DAVE, call));
		assert_eq!(result.expect("it is in order").pays_fee, Pays::No);
		assert_eq!(Sessions::<Test>::get(grant, 0), None);
		let booked = FreeWeightUsed::<Test>::get();
		assert!(weight.all_lte(booked), "{weight:?} of the block, {booked:?} of the lane");
	});
}

/// What a tick weighs more that closes its session.
fn closing() -> Weight {
	let apart = weight_of_ticks(1, 1).saturating_sub(Weights::submit_batch(0));
	Weights::submit_close().saturating_sub(apart)
}

/// Six sessions, one of which has funds for ten seconds only, and the batch that ticks twenty.
fn one_of_six_is_short() -> (StreamId, Vec<SignedOrderOf<Test>>) {
	fill_vault(50_000);
	let stream = new_stream(3);
	for _ in 0..6 {
		new_grant(terms());
	}
	at(10);
	for grant in 0..6 {
		assert_ok!(open(grant, 0, stream, if grant == 2 { 30 } else { 300 }, 10));
	}
	at(30);
	events();
	(stream, (0..6).map(|grant| tick_item(grant, 20)).collect())
}

#[test]
fn success_a_tick_that_closes_is_not_announced_and_charged_to_the_block() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, orders) = one_of_six_is_short();
		let orders = batch(orders);
		let announced = PayStream::weight_of_batch(&orders);
		assert_eq!(announced, weight_of_ticks(6, 6));
		let call = RuntimeCall::PayStream(Call::submit_batch { orders });
		let (result, weight) = step(|| apply_as(DAVE, call));
		let post = result.expect("it is in order");
		assert_eq!(outcome(), ((6, 6, 0), vec![]));
		assert_eq!((post.pays_fee, Sessions::<Test>::get(2, 0)), (Pays::No, None));
		let five_and_a_close = weight_of_ticks(6, 1).saturating_add(closing());
		assert_eq!(weight, five_and_a_close);
	});
}

#[test]
fn success_a_tick_that_closes_and_is_not_free_is_paid_for_as_a_close() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, orders) = one_of_six_is_short();
		FreeWeightUsed::<Test>::put(PayStream::free_limit());
		let orders = batch(orders);
		let announced = PayStream::weight_of_batch(&orders);
		let spent = weight_of_ticks(6, 1).saturating_add(closing());
		let call = RuntimeCall::PayStream(Call::submit_batch { orders });
		let (result, weight) = step(|| apply_as(DAVE, call));
		let post = result.expect("it is in order");
		assert_eq!((outcome(), post.pays_fee), (((6, 0, 0), vec![]), Pays::Yes));
		// As far as what was announced reaches; the block is charged for all of it.
		assert_eq!((weight, post.actual_weight), (spent, Some(spent.min(announced))));
	});
}

/// A hook dispatches within its own budget, which knows what is reported and no more.
#[test]
fn fails_a_tick_that_closes_within_a_hook() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, orders) = one_of_six_is_short();
		let next = System::block_number() + 1;
		System::initialize(&next, &Default::default(), &Default::default());
		let post = submit_batch(orders).expect("it is in order");
		assert_eq!(outcome(), ((5, 0, 1), vec![failed(2, 0, Error::BlockFull)]));
		assert_eq!(post.pays_fee, Pays::Yes);
	});
}

#[test]
fn fails_a_tick_that_closes_where_the_block_has_no_room() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, orders) = one_of_six_is_short();
		let limits = block_weights();
		let most = limits.get(DispatchClass::Normal).max_total.expect("the class is limited");
		let room = closing();
		let used = most.saturating_sub(room).saturating_add(Weight::from_parts(1, 0));
		System::set_block_consumed_resources(Weight::zero(), 0);
		System::register_extra_weight_unchecked(used, DispatchClass::Normal);
		assert_ok!(submit_batch(orders.clone()));
		assert_eq!(outcome(), ((5, 5, 1), vec![failed(2, 0, Error::BlockFull)]));
		assert_eq!((session(2, 0).seconds, stream_entry(stream).seconds), (0, 100));
		// With room for exactly that it counts.
		System::set_block_consumed_resources(Weight::zero(), 0);
		let used = most.saturating_sub(room);
		System::register_extra_weight_unchecked(used, DispatchClass::Normal);
		assert_ok!(submit_batch(vec![orders[2].clone()]));
		assert_eq!(outcome(), ((1, 1, 0), vec![]));
		assert_eq!((Sessions::<Test>::get(2, 0), stream_entry(stream).seconds), (None, 110));
	});
}

/// Within another call nothing can be registered that is sure to stay.
#[test]
fn fails_a_tick_that_closes_within_another_call() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, orders) = one_of_six_is_short();
		let ticks = RuntimeCall::PayStream(Call::submit_batch { orders: batch(orders) });
		let call = RuntimeCall::Utility(pallet_utility::Call::batch { calls: vec![ticks] });
		let (result, _) = step(|| apply_as(DAVE, call));
		assert_ok!(result);
		assert_eq!(outcome(), ((5, 0, 1), vec![failed(2, 0, Error::BlockFull)]));
		assert_eq!((session(2, 0).seconds, stream_entry(stream).seconds), (0, 100));
		// A close is announced as one.
		let close = item(2, Order::Close { index: 0, seconds: 20 });
		let orders = batch(vec![close]);
		let closes = RuntimeCall::PayStream(Call::submit_batch { orders });
		let call = RuntimeCall::Utility(pallet_utility::Call::batch { calls: vec![closes] });
		assert_ok!(step(|| apply_as(DAVE, call)).0);
		assert_eq!(stream_entry(stream).seconds, 110);
	});
}

/// The same three ticks, all free, none free, and some: the block is charged the same.
#[test]
fn success_the_block_is_charged_for_every_order_whoever_pays() {
	let charged = |lane_left: u32| {
		let mut outcome = (Weight::zero(), Weight::zero(), Pays::Yes);
		ExtBuilder::default().build_and_execute(|| {
			opened(3);
			at(20);
			// Let one order through to see what it takes.
			let probe = [0, 1, 2].map(|grant| tick_item(grant, 5));
			assert_ok!(submit_batch(probe[..1].to_vec()));
			let first = FreeWeightUsed::<Test>::take();
			assert_ok!(submit_batch(probe[1..].to_vec()));
			let further = FreeWeightUsed::<Test>::take().saturating_sub(first);
			at(30);
			let room = match lane_left {
				0 => Weight::zero(),
				orders => first.saturating_add(further.saturating_mul(u64::from(orders) - 1)),
			};
			FreeWeightUsed::<Test>::put(PayStream::free_limit().saturating_sub(room));
			let orders = batch((0..3).map(|grant| tick_item(grant, 15)).collect());
			let declared = PayStream::weight_of_batch(&orders);
			let call = RuntimeCall::PayStream(Call::submit_batch { orders });
			let (result, weight) = step(|| apply_as(DAVE, call));
			let post = result.expect("it is in order");
			let actual = post.actual_weight.expect("a batch says what it weighed");
			assert!(actual.all_lte(declared));
			outcome = (weight, actual, post.pays_fee);
		});
		outcome
	};
	let spent = weight_of_ticks(3, 1);
	let (block, actual, pays) = charged(3);
	assert_eq!((block, actual, pays), (spent, spent, Pays::No));
	let (block, actual, pays) = charged(0);
	assert_eq!((block, actual, pays), (spent, spent, Pays::Yes));
	for left in [1, 2] {
		let (block, actual, pays) = charged(left);
		assert_eq!((block, pays), (spent, Pays::Yes));
		// What was free is not paid for.
		let item = Weights::submit_batch(1).saturating_sub(Weights::submit_batch(0));
		assert_eq!(actual, item.saturating_mul(3 - u64::from(left)));
	}
}

/// What a batch does is undone with the call around it, and was done all the same.
#[test]
fn boundary_the_block_is_charged_for_a_batch_that_is_undone() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = opened(4);
		at(20);
		// Three free ticks, and one that fails; then a call that undoes all of it.
		let orders: Vec<_> =
			(0..4).map(|nth| tick_item(nth, if nth < 3 { 10 } else { 70 })).collect();
		let around = <() as pallet_utility::WeightInfo>::batch_all(2);
		let refused = PayStream::weight_of_refusal(&orders[3].order, &Error::AheadOfClock);
		let three = weight_of_ticks(3, 1).saturating_add(refused);
		let spent = three.saturating_add(Weights::settle()).saturating_add(around);
		let undone = RuntimeCall::PayStream(Call::settle { grant: 77, index: 0 });
		for _ in 0..2 {
			let ticks =
				RuntimeCall::PayStream(Call::submit_batch { orders: batch(orders.clone()) });
			let calls = vec![ticks, undone.clone()];
			let call = RuntimeCall::Utility(pallet_utility::Call::batch_all { calls });
			let (result, weight) = step(|| apply_as(DAVE, call));
			let post = result.expect_err("the last call fails").post_info;
			assert_eq!(stream_entry(stream).seconds, 0);
			assert_eq!(post.pays_fee, Pays::Yes);
			assert!(
				weight.all_gte(spent),
				"the block was charged {weight:?} for what weighs {spent:?}"
			);
			let paid = post.actual_weight.expect("it is known how far it came");
			assert!(paid.all_gte(spent), "{paid:?} is paid for what weighs {spent:?}");
		}
		// Where nothing is undone the block is charged for it too.
		let around = <() as pallet_utility::WeightInfo>::batch(1);
		let spent = three.saturating_add(around);
		let ticks = RuntimeCall::PayStream(Call::submit_batch { orders: batch(orders) });
		let call = RuntimeCall::Utility(pallet_utility::Call::batch { calls: vec![ticks] });
		let (result, weight) = step(|| apply_as(DAVE, call));
		assert_ok!(result);
		assert_eq!(stream_entry(stream).seconds, 30);
		assert!(weight.all_gte(spent));
	});
}

/// However mixed a batch is, it never turns out heavier than was declared.
#[test]
fn boundary_of_the_declared_weight() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(50_000);
		for _ in 0..8 {
			new_stream(3);
			new_grant(terms());
		}
		at(10);
		let open = |grant: u64, funds| {
			let start_at = 10_000;
			item(
				grant,
				Order::Open {
					index: 0,
					stream: grant,
					rate_per_second: 3,
					funds,
					start_at,
					tick_price_max: 1_000,
				},
			)
		};
		// Opens alone, each on a stream of its own; `submit_batch` compares.
		let opens: Vec<_> = (0..8).map(|grant| open(grant, 30)).collect();
		assert_eq!(submit_batch(opens).expect("it is in order").pays_fee, Pays::No);
		at(30);
		// Ticks that close, ticks that fail, and closes, each on a stream of its own.
		assert_ok!(submit_batch(vec![tick_item(0, 20)]));
		assert_ok!(submit_batch(vec![tick_item(1, 20), tick_item(2, 20), tick_item(3, 70)]));
		let close = |grant| item(grant, Order::Close { index: 0, seconds: 10 });
		assert_ok!(submit_batch(vec![tick_item(3, 10), close(4), close(5), tick_item(6, 20)]));
		let unknown: Vec<_> = (100..164).map(|grant| tick_item(grant, 1)).collect();
		assert_ok!(submit_batch(unknown));
	});
}

#[test]
fn success_a_stream_is_read_once_and_written_once() {
	ExtBuilder::default().build().execute_with(|| {
		let (first, second) = (new_stream(3), new_stream(4));
		let mut book = StreamBook::<Test>::new();
		let mut entry = book.get(first).expect("it is there");
		assert_eq!(book.get(77).err(), Some(Error::StreamNotFound));
		// A later look reads no storage.
		Streams::<Test>::remove(first);
		assert_eq!(book.get(first).as_ref(), Ok(&entry));
		// A change is in the book, and not yet in storage.
		entry.seconds = 5;
		book.put(first, entry.clone());
		assert_eq!(book.get(first).as_ref(), Ok(&entry));
		assert_eq!(Streams::<Test>::get(first), None);
		// What was only read is not written.
		assert_ok!(book.get(second));
		Streams::<Test>::remove(second);
		assert_eq!(book.write(), 2);
		assert_eq!(Streams::<Test>::get(first), Some(entry));
		assert_eq!(Streams::<Test>::get(second), None);
	});
}

/// Six grants with a session each, on two streams in turn, some of them short of funds.
fn six_sessions() -> [StreamId; 2] {
	fill_vault(5_000);
	set_tick_price(NATIVE, 1);
	let streams = [new_stream(3), new_stream(2)];
	let monthly = tier(40, 60, 50);
	offer(streams[0], &[monthly]);
	assert_ok!(subscribe(streams[0], monthly, 1));
	for _ in 0..6 {
		new_grant(GrantTerms { tips_max: 60, renewals_max: 2, ..terms() });
	}
	at(10);
	for grant in 0..6u64 {
		let funds = if grant < 3 { 30 } else { 300 };
		assert_ok!(open(grant, 0, streams[(grant % 2) as usize], funds, 10));
	}
	at(25);
	streams
}

/// Everything that is stored, encoded.
fn entries() -> Vec<Vec<u8>> {
	let mut all: Vec<_> = Streams::<Test>::iter()
		.map(|entry| entry.encode())
		.chain(Grants::<Test>::iter().map(|entry| entry.encode()))
		.chain(Sessions::<Test>::iter().map(|entry| entry.encode()))
		.chain(Subscriptions::<Test>::iter().map(|entry| entry.encode()))
		.chain(Vaults::<Test>::iter().map(|entry| entry.encode()))
		.chain(AssetEntries::<Test>::iter().map(|entry| entry.encode()))
		.collect();
	all.sort();
	all
}

/// What the orders leave behind, in one batch or each in its own.
fn left_by(orders: &[(GrantId, u8, u32)], together: bool) -> (Vec<Vec<u8>>, u32) {
	let mut left = (Vec::new(), 0);
	ExtBuilder::default().build_and_execute(|| {
		let streams = six_sessions();
		let order = |kind, number: u32| match kind {
			0 => Order::Close { index: 0, seconds: number },
			1 => Order::Fund { index: 0, funds: u128::from(number) * 10 },
			2 => Order::Tip { index: 0, tips: number.into(), message: Default::default() },
			3 => Order::Renew { index: 0, renewals: 1 + number / 15 },
			4 => Order::Open {
				index: 1,
				stream: streams[0],
				rate_per_second: 3 - u128::from(number % 3) / 2,
				funds: u128::from(number) * 3,
				start_at: 20_000,
				tick_price_max: 1_000,
			},
			_ => Order::Tick { index: 0, seconds: number },
		};
		let items: Vec<_> = orders
			.iter()
			.map(|(grant, kind, number)| item(*grant, order(*kind, *number)))
			.collect();
		events();
		if together {
			assert_ok!(submit_batch(items));
		} else {
			for one in items {
				assert_ok!(submit_batch(vec![one]));
			}
		}
		let counted = events().into_iter().map(|event| match event {
			Event::BatchDone { counted, .. } => counted,
			_ => 0,
		});
		left = (entries(), counted.sum());
	});
	left
}

/// What an order of a mix is.
const SMALL: u8 = 1;
const COPIED: u8 = 2;
const ENDED: u8 = 3;
const AHEAD: u8 = 4;
const UNKNOWN: u8 = 5;
const FOREIGN: u8 = 6;

/// Make a mix of orders, each of a grant and one of three streams, and the batch of it.
fn mixed(mix: &[u8]) -> Vec<SignedOrderOf<Test>> {
	fill_vault(50_000);
	let streams = [new_stream(3), new_stream(3), new_stream(3)];
	for _ in mix {
		new_grant(terms());
	}
	at(10);
	for grant in 0..mix.len() {
		assert_ok!(open(grant as u64, 0, streams[grant % 3], 300, 10));
	}
	at(20);
	let order = |(grant, kind): (usize, &u8)| {
		let grant = grant as u64;
		match *kind {
			SMALL => tick_item(grant, 4),
			COPIED => {
				assert_ok!(tick(grant, 0, 9));
				tick_item(grant, 9)
			}
			// Its viewer revokes, and somebody brings the close, which deletes the grant.
			ENDED => {
				assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
				assert_ok!(close(grant, 0, 9));
				item(grant, Order::Close { index: 0, seconds: 9 })
			}
			AHEAD => tick_item(grant, 11),
			UNKNOWN => item(grant, Order::Tick { index: 7, seconds: 9 }),
			FOREIGN => {
				signed_order(&Delegate::sr25519(66), grant, Order::Tick { index: 0, seconds: 9 })
			}
			_ => tick_item(grant, 9),
		}
	};
	mix.iter().enumerate().map(order).collect()
}

/// What the batch of a mix owes at the most: of its weight, and of its bytes.
fn owed_by(mix: &[u8], orders: &[SignedOrderOf<Test>]) -> (Weight, u32) {
	let count = |kinds: &[u8]| mix.iter().filter(|kind| kinds.contains(kind)).count();
	let forgiven = count(&[COPIED, ENDED]) <= count(&[0]);
	let mut owed = (Weight::zero(), 0);
	for (kind, signed) in mix.iter().zip(orders) {
		let look = PayStream::weight_of_refusal(&signed.order, &Error::OrderStale);
		let weight = match *kind {
			0 => continue,
			COPIED | ENDED if forgiven => continue,
			SMALL => weight_of_ticks(1, 1).saturating_sub(Weights::submit_batch(0)),
			FOREIGN => PayStream::weight_of_refusal(&signed.order, &Error::SignatureInvalid),
			_ => look,
		};
		// To look is the lesser part of what an order weighs.
		assert!(look.ref_time() * 2 < weight_of_ticks(1, 0).ref_time());
		owed.0 = owed.0.saturating_add(weight);
		owed.1 += signed.encoded_size() as u32;
	}
	owed
}

fn costs_its_bad_orders(mix: &[u8]) {
	let orders = mixed(mix);
	let (weight, bytes) = owed_by(mix, &orders);
	FeeCanBeTaken::set(true);
	FeeTaken::set(None);
	events();
	let post = submit_batch(orders).expect("it is in order");
	let ((_, free, _), _) = outcome();
	assert_eq!(free as usize, mix.iter().filter(|kind| **kind == 0).count());
	match FeeTaken::get() {
		_ if free == 0 => {
			// An ordinary transaction, with its own bytes.
			assert_eq!((post.pays_fee, FeeTaken::get()), (Pays::Yes, None));
			let most = weight.saturating_add(Weights::submit_batch(0));
			assert!(post.actual_weight.is_some_and(|paid| paid.all_lte(most)));
		}
		None => assert_eq!((post.pays_fee, bytes), (Pays::No, 0)),
		Some((who, paid, paid_bytes)) => {
			assert_eq!((post.pays_fee, who, paid_bytes), (Pays::No, DAVE, bytes));
			assert!(paid.all_lte(weight), "{paid:?} of {weight:?}");
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig {
		cases: 100,
		failure_persistence: None,
		rng_seed: RngSeed::Fixed(1),
		..ProptestConfig::default()
	})]

	/// Whatever is in a batch, and whoever has brought it first: free orders cost nothing, a bad one what
	/// was read until it was refused and its own bytes.
	#[test]
	fn boundary_of_what_a_mix_costs(mix in proptest::collection::vec(0u8..7, 1..14)) {
		ExtBuilder::default().build_and_execute(|| costs_its_bad_orders(&mix));
	}

	/// However the orders are spread over batches, they come to the same.
	#[test]
	fn success_a_batch_is_its_orders_one_by_one(
		orders in proptest::collection::btree_map(0u64..7, (0u8..9, 1u32..22), 1..7),
	) {
		let orders: Vec<_> =
			orders.into_iter().map(|(grant, (kind, number))| (grant, kind, number)).collect();
		prop_assert_eq!(left_by(&orders, true), left_by(&orders, false));
	}
}
