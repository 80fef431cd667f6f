// SPDX-License-Identifier: Apache-2.0

//! Hostile sequences, from fixed seeds: whoever holds a key charges no more than the rules allow,
//! whoever pays or is paid leaves no money without an owner, and an honest relayer gets every second
//! that it delivered before an end.

use crate::{mock::*, *};
use frame::testing_prelude::*;
use proptest::{
	prelude::*,
	test_runner::{Config as RunnerConfig, RngAlgorithm, TestRng, TestRunner},
};
use std::{cell::RefCell, collections::BTreeMap};

/// The same cases in every run.
fn runner(cases: u32) -> TestRunner {
	let config = RunnerConfig { cases, failure_persistence: None, ..RunnerConfig::default() };
	TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// What somebody does. Streams, grants and sessions are picked among those that are there.
#[derive(Clone, Debug)]
enum Action {
	Wait {
		ms: u64,
	},
	Open {
		grant: usize,
		stream: usize,
		funds: u128,
		back_ms: u64,
	},
	Fund {
		session: usize,
		raise: u128,
	},
	/// Quarters of the room that the clock leaves, and a little beside it.
	Tick {
		session: usize,
		quarters: u64,
		beside: i64,
	},
	Close {
		session: usize,
		quarters: u64,
		beside: i64,
	},
	Replay {
		order: usize,
	},
	Settle {
		session: usize,
	},
	/// Open at the rate of the viewer's subscription.
	Discounted {
		grant: usize,
		subscription: usize,
		funds: u128,
	},
	/// Ticks, closes, funds and tips of several sessions in one batch.
	Batch {
		picks: Vec<(usize, u64, i64, u8)>,
	},
	Tip {
		session: usize,
		raise: u128,
	},
	Renew {
		session: usize,
	},
	WalletTip {
		stream: usize,
		amount: u128,
	},
	Tiers {
		stream: usize,
		price: u128,
		discount: u32,
	},
	Subscribe {
		stream: usize,
		periods: u32,
	},
	Cancel {
		subscription: usize,
	},
	SettleSubscription {
		subscription: usize,
	},
	Refund {
		stream: usize,
		amount: u128,
	},
	Transfer {
		stream: usize,
	},
	TickPrice {
		price: u128,
	},
	Share {
		percent: u32,
	},
	Stop {
		stopped: bool,
	},
	Grant {
		sessions_max: u32,
		cap: u128,
		rate: u128,
		gap_ms: u64,
		life_ms: u64,
		tips_max: u128,
		renewals_max: u32,
	},
	Revoke {
		grant: usize,
	},
	Create {
		rate: u128,
		split: bool,
	},
	Rate {
		stream: usize,
		rate: u128,
	},
	Pause {
		stream: usize,
		paused: bool,
	},
	End {
		stream: usize,
	},
	Deposit {
		amount: u128,
	},
	Withdraw {
		amount: u128,
	},
	Claim {
		stream: usize,
	},
}

fn action() -> impl Strategy<Value = Action> {
	let pick = 0usize..6;
	let beside = prop_oneof![4 => Just(0i64), 1 => -1i64..=1];
	prop_oneof![
		10 => prop_oneof![
			4 => 5_000u64..20_000,
			1 => 0u64..3_000,
			1 => 0u64..100_000
		]
		.prop_map(|ms| Action::Wait { ms }),
		8 => (pick.clone(), pick.clone(), prop_oneof![1u128..60, 1u128..600], 0u64..10_000).prop_map(
			|(grant, stream, funds, back_ms)| Action::Open { grant, stream, funds, back_ms }
		),
		2 => (pick.clone(), prop_oneof![0u128..900, 200u128..400])
			.prop_map(|(session, raise)| Action::Fund { session, raise }),
		14 => (pick.clone(), 1u64..=4, beside.clone()).prop_map(
			|(session, quarters, beside)| Action::Tick { session, quarters, beside }
		),
		2 => (pick.clone(), 0u64..=4, beside).prop_map(
			|(session, quarters, beside)| Action::Close { session, quarters, beside }
		),
		2 => (0usize..100).prop_map(|order| Action::Replay { order }),
		1 => pick.clone().prop_map(|session| Action::Settle { session }),
		2 => (
			(1u32..4, prop_oneof![1u128..300, 1u128..3_000], 1u128..6),
			(20_000u64..90_000, 1u64..400_000),
			(0u128..300, 0u32..4),
		)
			.prop_map(
				|((sessions_max, cap, rate), (gap_ms, life_ms), (tips_max, renewals_max))| {
					Action::Grant {
						sessions_max,
						cap,
						rate,
						gap_ms,
						life_ms,
						tips_max,
						renewals_max,
					}
				}
			),
		14 => more(),
		1 => pick.clone().prop_map(|grant| Action::Revoke { grant }),
		2 => (1u128..6, any::<bool>()).prop_map(|(rate, split)| Action::Create { rate, split }),
		1 => (pick.clone(), 1u128..6).prop_map(|(stream, rate)| Action::Rate { stream, rate }),
		1 => (pick.clone(), any::<bool>())
			.prop_map(|(stream, paused)| Action::Pause { stream, paused }),
		1 => pick.clone().prop_map(|stream| Action::End { stream }),
		1 => (1u128..3_000).prop_map(|amount| Action::Deposit { amount }),
		1 => (1u128..3_000).prop_map(|amount| Action::Withdraw { amount }),
		1 => pick.prop_map(|stream| Action::Claim { stream }),
	]
}

/// What is beside watching: batches, tips, subscriptions, refunds, and the operator.
fn more() -> impl Strategy<Value = Action> {
	let pick = 0usize..6;
	let order = (pick.clone(), 0u64..=4, prop_oneof![4 => Just(0i64), 1 => -1i64..=1], 0u8..8);
	prop_oneof![
		8 => (pick.clone(), pick.clone(), prop_oneof![0u128..60, 1u128..300]).prop_map(
			|(grant, subscription, funds)| Action::Discounted { grant, subscription, funds }
		),
		7 => proptest::collection::vec(order, 1..5).prop_map(|picks| Action::Batch { picks }),
		3 => (pick.clone(), prop_oneof![0u128..20, 10u128..120])
			.prop_map(|(session, raise)| Action::Tip { session, raise }),
		5 => pick.clone().prop_map(|session| Action::Renew { session }),
		1 => (pick.clone(), 0u128..200)
			.prop_map(|(stream, amount)| Action::WalletTip { stream, amount }),
		1 => (pick.clone(), 0u128..40, 0u32..=100).prop_map(|(stream, price, discount)| {
			Action::Tiers { stream, price, discount }
		}),
		4 => (pick.clone(), 0u32..4)
			.prop_map(|(stream, periods)| Action::Subscribe { stream, periods }),
		1 => pick.clone().prop_map(|subscription| Action::Cancel { subscription }),
		2 => pick.clone().prop_map(|subscription| Action::SettleSubscription { subscription }),
		1 => (pick.clone(), 0u128..100)
			.prop_map(|(stream, amount)| Action::Refund { stream, amount }),
		1 => pick.prop_map(|stream| Action::Transfer { stream }),
		2 => prop_oneof![0u128..4, Just(50u128)].prop_map(|price| Action::TickPrice { price }),
		1 => (0u32..=20).prop_map(|percent| Action::Share { percent }),
		1 => prop_oneof![1 => Just(true), 4 => Just(false)]
			.prop_map(|stopped| Action::Stop { stopped }),
	]
}

/// What a grant may cost, by the documentation alone, and what it has cost.
struct Account {
	terms: GrantTermsOf<Test>,
	given_at: u64,
	ended_at: u64,
	/// For seconds and for ticks.
	charged: u128,
	/// The tick price of each tick.
	prices: u128,
	tips: u128,
	renewals: u32,
}

impl Account {
	fn new(terms: GrantTermsOf<Test>, given_at: u64) -> Self {
		let ended_at = terms.expires_at;
		Self { terms, given_at, ended_at, charged: 0, prices: 0, tips: 0, renewals: 0 }
	}

	/// `min(cap, sessions at a time x highest rate x time + the tick price of each tick)`, in
	/// thousandths of a unit.
	fn bound_milli(&self, now: u64) -> u128 {
		let time_ms = u128::from(now.min(self.ended_at) - self.given_at);
		let by_time =
			u128::from(self.terms.sessions_max) * self.terms.rate_max_per_second * time_ms;
		(by_time + self.prices * 1_000).min(self.terms.cap * 1_000)
	}
}

/// The world as its events tell it, beside the ledger.
#[derive(Default)]
struct World {
	grants: BTreeMap<GrantId, Account>,
	started: BTreeMap<(GrantId, SessionIndex), u64>,
	/// What a tick of a session costs at the most.
	prices: BTreeMap<(GrantId, SessionIndex), u128>,
	accepted: Vec<(GrantId, OrderOf<Test>)>,
	/// How many sessions were closed by whom.
	closed: BTreeMap<u8, u32>,
	/// For seconds and for ticks.
	charged: u128,
	tips: u128,
	/// Paid for subscriptions, and what of it the streams have earned.
	subscribed: u128,
	periods: u128,
	returned: u128,
	refunded: u128,
	claimed: u128,
	to_treasury: u128,
	discounted: usize,
	in_batches: usize,
	free_batches: usize,
	renewed: usize,
	ended_subscriptions: usize,
	transferred: usize,
}

impl World {
	fn order(&mut self, grant: GrantId, order: OrderOf<Test>) {
		let renewal = matches!(order, Order::Renew { .. });
		if submit(grant, order.clone()).is_ok() {
			self.count_renewal(grant, renewal);
			self.accepted.push((grant, order));
		}
	}

	fn count_renewal(&mut self, grant: GrantId, renewal: bool) {
		if renewal {
			self.renewed += 1;
			self.grants.get_mut(&grant).expect("it was granted").renewals += 1;
		}
	}

	/// A batch of what may be refused, in the order that it must have.
	fn batch(&mut self, orders: BTreeMap<(GrantId, SessionIndex), OrderOf<Test>>) {
		if orders.is_empty() {
			return;
		}
		self.listen();
		let list = orders.iter().map(|((grant, _), order)| item(*grant, order.clone())).collect();
		let post = submit_batch(list).expect("it is in order");
		self.free_batches += usize::from(post.pays_fee == Pays::No);
		let failed: Vec<_> = System::events()
			.into_iter()
			.filter_map(|record| match record.event {
				RuntimeEvent::PayStream(Event::OrderFailed { grant, index, .. }) => {
					Some((grant, index))
				}
				_ => None,
			})
			.collect();
		for (place, order) in orders {
			if !failed.contains(&place) {
				self.in_batches += 1;
				self.count_renewal(place.0, matches!(order, Order::Renew { .. }));
				self.accepted.push((place.0, order));
			}
		}
	}

	fn replay(&mut self, nth: usize) {
		let Some((grant, order)) = self.accepted.get(nth % self.accepted.len().max(1)).cloned()
		else {
			return;
		};
		assert!(submit(grant, order.clone()).is_err(), "I6: a replay counts for nothing");
		System::reset_events();
		assert_ok!(submit_batch(vec![item(grant, order)]));
		let done = Event::BatchDone { counted: 0, free: 0, failed: 1 };
		assert_eq!(last_event(), done, "I6: in no lane");
	}

	/// The total that an order names: so many quarters of what the clock would allow, and beside it.
	fn total(session: &Session<Test>, quarters: u64, beside: i64) -> u32 {
		let stream = stream_entry(session.stream);
		let room = session.reading(&stream, PayStream::now()).room_seconds();
		let more = i64::try_from(room * quarters / 4).expect("small") + beside;
		u32::try_from(i64::from(session.seconds) + more).unwrap_or(0)
	}

	fn act(&mut self, action: Action) {
		let sessions: Vec<_> = Sessions::<Test>::iter().collect();
		let pick_session = |nth: usize| sessions.get(nth % sessions.len().max(1)).cloned();
		let grants: Vec<_> = Grants::<Test>::iter_keys().collect();
		let pick_grant = |nth: usize| grants.get(nth % grants.len().max(1)).copied();
		let streams: Vec<_> = Streams::<Test>::iter_keys().collect();
		let pick_stream = |nth: usize| streams.get(nth % streams.len().max(1)).copied();
		let subscribed: Vec<_> =
			Subscriptions::<Test>::iter_keys().map(|(stream, _)| stream).collect();
		let pick_subscription = |nth: usize| subscribed.get(nth % subscribed.len().max(1)).copied();
		let pick_owned =
			|nth: usize| pick_stream(nth).map(|stream| (stream, stream_entry(stream).owner));
		let update = |stream: usize, change: StreamChangeOf<Test>| {
			if let Some((stream, owner)) = pick_owned(stream) {
				let _ = step(|| PayStream::update_stream(signed(owner), stream, change));
			}
		};
		match action {
			Action::Wait { ms } => at_ms(PayStream::now() + ms),
			Action::Open { grant, stream, funds, back_ms } => {
				if let (Some(grant), Some(stream)) = (pick_grant(grant), pick_stream(stream)) {
					let order = Order::Open {
						index: grant_entry(grant).next_index,
						stream,
						rate_per_second: stream_entry(stream).rate_per_second,
						funds,
						start_at: PayStream::now().saturating_sub(back_ms),
						tick_price_max: TickPriceMax::get(),
					};
					self.order(grant, order);
				}
			}
			Action::Fund { session, raise } => {
				if let Some((grant, index, session)) = pick_session(session) {
					self.order(grant, Order::Fund { index, funds: session.funds + raise });
				}
			}
			Action::Tick { session, quarters, beside } => {
				if let Some((grant, index, session)) = pick_session(session) {
					let seconds = Self::total(&session, quarters, beside);
					self.order(grant, Order::Tick { index, seconds });
				}
			}
			Action::Close { session, quarters, beside } => {
				if let Some((grant, index, session)) = pick_session(session) {
					let seconds = Self::total(&session, quarters, beside);
					self.order(grant, Order::Close { index, seconds });
				}
			}
			Action::Replay { order } => {
				self.replay(order);
			}
			Action::Discounted { grant, subscription, funds } => {
				if let (Some(grant), Some(stream)) =
					(pick_grant(grant), pick_subscription(subscription))
				{
					let (_, rate_per_second) =
						PayStream::subscription(stream, BOB).expect("it is there");
					let order = Order::Open {
						index: grant_entry(grant).next_index,
						stream,
						rate_per_second,
						funds,
						start_at: PayStream::now(),
						tick_price_max: TickPriceMax::get(),
					};
					self.order(grant, order);
				}
			}
			Action::Batch { picks } => {
				let mut orders = BTreeMap::new();
				for (nth, quarters, beside, kind) in picks {
					let Some((grant, index, session)) = pick_session(nth) else { continue };
					let seconds = Self::total(&session, quarters, beside);
					let order = match kind {
						0 => Order::Close { index, seconds },
						1 => Order::Fund { index, funds: session.funds + u128::from(seconds) },
						2 => Order::Tip {
							index,
							tips: grant_entry(grant).tips_total + u128::from(seconds),
							message: Default::default(),
						},
						3 => {
							Order::Renew { index, renewals: grant_entry(grant).renewals_total + 1 }
						}
						_ => Order::Tick { index, seconds },
					};
					orders.insert((grant, index), order);
				}
				self.batch(orders);
			}
			Action::Tip { session, raise } => {
				if let Some((grant, index, _)) = pick_session(session) {
					let tips = grant_entry(grant).tips_total + raise;
					self.order(grant, Order::Tip { index, tips, message: Default::default() });
				}
			}
			Action::Renew { session } => {
				let renewable: Vec<_> = sessions
					.iter()
					.filter(|(_, _, session)| subscribed.contains(&session.stream))
					.collect();
				if let Some((grant, index, _)) = renewable.get(session % renewable.len().max(1)) {
					let renewals = grant_entry(*grant).renewals_total + 1;
					let order = Order::Renew { index: *index, renewals };
					// The free lane takes it in the last paid period alone.
					if session % 2 == 0 {
						self.batch(BTreeMap::from([((*grant, *index), order)]));
					} else {
						self.order(*grant, order);
					}
				}
			}
			Action::WalletTip { stream, amount } => {
				if let Some(stream) = pick_stream(stream) {
					let nothing = Default::default();
					let _ = step(|| PayStream::tip(signed(BOB), stream, amount, nothing));
				}
			}
			Action::Tiers { stream, price, discount } => {
				if let Some((stream, owner)) = pick_owned(stream) {
					let list = vec![tier(price, 60 + (price as u64 % 3) * 20, discount)];
					let list = list.try_into().expect("it is short enough");
					let _ = step(|| PayStream::set_tiers(signed(owner), stream, list));
				}
			}
			Action::Subscribe { stream, periods } => {
				if let Some(stream) = pick_stream(stream) {
					if let Some(tier) = PayStream::tiers(stream).first() {
						let _ = subscribe(stream, *tier, periods);
					}
				}
			}
			Action::Cancel { subscription } => {
				if let Some(stream) = pick_subscription(subscription) {
					let _ = step(|| PayStream::cancel_subscription(signed(BOB), stream));
				}
			}
			Action::SettleSubscription { subscription } => {
				if let Some(stream) = pick_subscription(subscription) {
					let _ = step(|| PayStream::settle_subscription(signed(DAVE), stream, BOB));
				}
			}
			Action::Refund { stream, amount } => {
				if let Some((stream, owner)) = pick_owned(stream) {
					let _ = step(|| PayStream::refund(signed(owner), stream, BOB, amount));
				}
			}
			Action::Transfer { stream } => {
				if let Some((stream, owner)) = pick_owned(stream) {
					let to = if owner == ALICE { CAROL } else { ALICE };
					let moved = step(|| PayStream::transfer_stream(signed(owner), stream, to));
					self.transferred += usize::from(moved.is_ok());
				}
			}
			Action::TickPrice { price } => set_tick_price(NATIVE, price),
			Action::Share { percent } => set_share(percent),
			Action::Stop { stopped } => {
				assert_ok!(step(|| PayStream::set_stopped(root(), stopped)));
			}
			Action::Settle { session } => {
				if let Some((grant, index, _)) = pick_session(session) {
					let _ = step(|| PayStream::settle(signed(DAVE), grant, index));
				}
			}
			Action::Grant { sessions_max, cap, rate, gap_ms, life_ms, tips_max, renewals_max } => {
				if Stopped::<Test>::get() {
					return;
				}
				let given_at = PayStream::now();
				let expires_at = given_at + life_ms;
				let terms = GrantTerms {
					asset: NATIVE,
					rate_max_per_second: rate,
					cap,
					sessions_max,
					gap_ms,
					expires_at,
					tips_max,
					renewals_max,
				};
				let id = new_grant(terms.clone());
				self.grants.insert(id, Account::new(terms, given_at));
			}
			Action::Revoke { grant } => {
				if let Some(grant) = pick_grant(grant) {
					let _ = step(|| PayStream::revoke(signed(BOB), grant));
				}
			}
			Action::Create { .. } if Stopped::<Test>::get() => {}
			Action::Create { rate, split } => {
				let list: &[_] = match split {
					true => &[(CAROL, 333_333), (GHOST, 1), (DAVE, 666_666)],
					false => &[],
				};
				new_stream_for(rate, payees(list));
			}
			Action::Rate { stream, rate } => {
				update(stream, StreamChange { rate_per_second: Some(rate), ..Default::default() })
			}
			Action::Pause { stream, paused } => {
				update(stream, StreamChange { paused: Some(paused), ..Default::default() })
			}
			Action::End { stream } => {
				if let Some((stream, owner)) = pick_owned(stream) {
					let _ = step(|| PayStream::end_stream(signed(owner), stream));
				}
			}
			Action::Deposit { amount } => {
				let _ = step(|| PayStream::deposit(signed(BOB), NATIVE, amount));
			}
			Action::Withdraw { amount } => {
				let _ = step(|| PayStream::withdraw(signed(BOB), NATIVE, amount));
			}
			Action::Claim { stream } => {
				if let Some(stream) = pick_stream(stream) {
					let _ = step(|| PayStream::claim(signed(DAVE), stream));
				}
			}
		}
		self.listen();
	}

	/// Take in what happened, and hold it against the bounds.
	fn listen(&mut self) {
		let now = PayStream::now();
		for event in events() {
			match event {
				Event::SessionOpened { grant, index, started_at, .. } => {
					assert!(started_at <= now && started_at + 6_000 >= now, "rule 4");
					self.started.insert((grant, index), started_at);
					let opened = session(grant, index);
					self.prices.insert((grant, index), opened.tick_price);
					let full = stream_entry(opened.stream).rate_per_second;
					self.discounted += usize::from(opened.rate_per_second < full);
				}
				Event::Ticked { grant, index, amount, fee, charged_seconds, .. } => {
					let account = self.grants.get_mut(&grant).expect("it was granted");
					let price = self.prices[&(grant, index)];
					assert!(fee <= price && charged_seconds > 0);
					account.charged += amount + fee;
					account.prices += price;
					self.charged += amount + fee;
				}
				Event::Tipped { grant, amount, .. } => {
					self.tips += amount;
					if let Some(grant) = grant {
						self.grants.get_mut(&grant).expect("it was granted").tips += amount;
					}
				}
				Event::Subscribed { periods, price, .. } => {
					self.subscribed += u128::from(periods) * price;
				}
				Event::SubscriptionEarned { amount, .. } => self.periods += amount,
				Event::SubscriptionCancelled { refunded, .. } => self.returned += refunded,
				Event::SubscriptionEnded { refunded, .. } => {
					self.returned += refunded;
					self.ended_subscriptions += 1;
				}
				Event::Refunded { amount, .. } => self.refunded += amount,
				Event::TreasuryPaid { amount, .. } => {
					self.claimed += amount;
					self.to_treasury += amount;
				}
				Event::SessionClosed { grant, index, seconds, ended_at, reason, .. } => {
					*self.closed.entry(reason as u8).or_default() += 1;
					let passed_ms = ended_at - self.started[&(grant, index)];
					assert!(u64::from(seconds) * 1_000 <= passed_ms, "rule 2, to its end");
				}
				Event::Revoked { grant, .. } => {
					let account = self.grants.get_mut(&grant).expect("it was granted");
					account.ended_at = account.ended_at.min(now);
				}
				Event::Claimed { amount, .. } | Event::RemainderPaid { amount, .. } => {
					self.claimed += amount
				}
				_ => {}
			}
		}
		for (id, account) in &self.grants {
			assert!(
				account.charged * 1_000 <= account.bound_milli(now),
				"grant {id} charged {} and more than its bound",
				account.charged
			);
			assert!(account.tips <= account.terms.tips_max, "grant {id} tipped {}", account.tips);
			assert!(account.renewals <= account.terms.renewals_max, "grant {id} renewed too much");
		}
	}

	/// Add what happened here to what happened in other worlds.
	fn count_into(self, seen: &mut BTreeMap<&'static str, usize>) {
		for (grant, order) in &self.accepted {
			let kind = match order {
				Order::Open { .. } => "open",
				Order::Fund { .. } => "fund",
				Order::Tick { .. } => "tick",
				Order::Close { .. } => "close",
				Order::Tip { .. } => "tip",
				Order::Renew { .. } => "renew",
			};
			*seen.entry(kind).or_default() += 1;
			*seen.entry("under a later grant").or_default() += usize::from(*grant > 0);
		}
		for (reason, name) in [(1, "funds exhausted"), (2, "settled")] {
			let sessions = self.closed.get(&reason).copied().unwrap_or(0);
			*seen.entry(name).or_default() += sessions as usize;
		}
		let used_up = self.grants.values().filter(|g| g.charged + 5 > g.terms.cap).count();
		*seen.entry("cap used up").or_default() += used_up;
		for (what, count) in [
			("discounted", self.discounted),
			("in batches", self.in_batches),
			("free batches", self.free_batches),
			("subscriptions ended", self.ended_subscriptions),
			("transferred", self.transferred),
			("fees or shares", self.to_treasury as usize),
			("refunded", self.refunded as usize),
			("periods returned", self.returned as usize),
		] {
			*seen.entry(what).or_default() += count;
		}
	}

	/// Let everybody take what is theirs; nothing may be left over, and nobody left out.
	fn wind_down(&mut self) {
		at_ms(PayStream::now() + 24 * 3_600_000);
		for (grant, index, _) in Sessions::<Test>::iter().collect::<Vec<_>>() {
			assert_ok!(step(|| PayStream::settle(signed(DAVE), grant, index)));
		}
		for grant in Grants::<Test>::iter_keys().collect::<Vec<_>>() {
			assert_ok!(step(|| PayStream::revoke(signed(BOB), grant)));
		}
		for stream in Streams::<Test>::iter_keys().collect::<Vec<_>>() {
			let entry = stream_entry(stream);
			if entry.status != StreamStatus::Ended {
				assert_ok!(step(|| PayStream::end_stream(signed(entry.owner), stream)));
			}
			if Subscriptions::<Test>::contains_key(stream, BOB) {
				assert_ok!(step(|| PayStream::settle_subscription(signed(DAVE), stream, BOB)));
			}
			assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		}
		self.listen();
		assert_eq!(self.subscribed, self.periods + self.returned, "a period is earned or returned");
		let earned = self.charged + self.tips + self.periods;
		assert_eq!(
			self.claimed + self.refunded,
			earned,
			"what was earned was paid out or given back, to the last unit"
		);
		// Whoever was credited because their account is none makes it one.
		for who in [GHOST, TREASURY] {
			if Balances::free_balance(who) == 0 {
				assert_ok!(Balances::transfer_keep_alive(signed(CAROL), who, EXISTENTIAL_DEPOSIT));
			}
		}
		for (who, asset, free) in Vaults::<Test>::iter().collect::<Vec<_>>() {
			assert_ok!(step(|| PayStream::withdraw(signed(who), asset, free)));
		}
		assert_eq!(Balances::free_balance(PayStream::pot()), EXISTENTIAL_DEPOSIT);
		let everybody = [ALICE, BOB, CAROL, DAVE, GHOST, TREASURY];
		assert_eq!(everybody.map(Balances::free_balance).iter().sum::<u128>(), 4 * ENDOWMENT);
		assert_eq!(everybody.map(Balances::reserved_balance), [0; 6], "deposits return");
		assert_eq!(
			Balances::free_balance(BOB),
			ENDOWMENT + self.refunded - earned,
			"the viewer's whole cost"
		);
	}
}

#[test]
fn no_sequence_charges_more_than_its_bound_or_loses_a_unit() {
	let actions = proptest::collection::vec(action(), 60..200);
	let seen = RefCell::new(BTreeMap::new());
	runner(300)
		.run(&actions, |actions| {
			ExtBuilder::default().build_and_execute(|| {
				at(10);
				let mut world = World::default();
				fill_vault(20_000);
				new_stream(3);
				new_stream_for(5, payees(&[(CAROL, 500_000), (DAVE, 500_000)]));
				let whole = Action::Grant {
					sessions_max: 3,
					cap: 5_000,
					rate: 5,
					gap_ms: 30_000,
					life_ms: 2_000_000,
					tips_max: 400,
					renewals_max: 8,
				};
				world.act(whole);
				world.act(Action::Tiers { stream: 0, price: 30, discount: 50 });
				world.act(Action::Tiers { stream: 1, price: 20, discount: 100 });
				for action in actions {
					world.act(action);
				}
				world.wind_down();
				world.count_into(&mut seen.borrow_mut());
			});
			Ok(())
		})
		.expect("no sequence breaks the rules");
	// The sequences are worth something: each thing has happened often.
	let seen = seen.into_inner();
	for (what, least) in [
		("open", 800),
		("fund", 80),
		("tick", 800),
		("close", 200),
		("under a later grant", 500),
		("funds exhausted", 150),
		("settled", 200),
		("cap used up", 3),
		("tip", 50),
		("renew", 40),
		("discounted", 50),
		("in batches", 300),
		("free batches", 100),
		("subscriptions ended", 100),
		("transferred", 50),
		("fees or shares", 1_000),
		("refunded", 100),
		("periods returned", 100),
	] {
		assert!(seen.get(what) >= Some(&least), "{what}: fewer than {least} of {seen:?}");
	}
}

/// A thief with a key does their best: every slot, always, at the highest rate.
#[test]
fn a_greedy_key_reaches_the_bound_and_not_beyond() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(100_000);
		at(10);
		let thief = new_stream(5);
		let mut world = World::default();
		world.act(Action::Grant {
			sessions_max: 2,
			cap: 100_000,
			rate: 5,
			gap_ms: 30_000,
			life_ms: 1_000_000,
			tips_max: 0,
			renewals_max: 0,
		});
		at(16);
		for index in 0..2 {
			assert_ok!(open(0, index, thief, 10_000, 0));
			world.listen();
			at_ms(PayStream::now() + 5_000);
		}
		while PayStream::now() < 500_000 {
			for index in 0..2 {
				let session = session(0, index);
				let room = session.reading(&stream_entry(thief), PayStream::now()).room_seconds();
				let all = session.seconds + room as u32;
				assert_eq!(tick(0, index, all + 1), Err(Error::AheadOfClock));
				assert_ok!(tick(0, index, all));
			}
			world.listen();
			at_ms(PayStream::now() + 7_300);
		}
		assert_ok!(step(|| PayStream::revoke(signed(BOB), 0)));
		let revoked_at = PayStream::now();
		at_ms(revoked_at + 59_000);
		for index in 0..2 {
			let session = session(0, index);
			let room = session.reading(&stream_entry(thief), PayStream::now()).room_seconds();
			assert!(room * 1_000 <= revoked_at - session.billed_until);
			assert_ok!(close(0, index, session.seconds + room as u32));
		}
		world.listen();
		// The first slot was used from the grant's moment on, the second 5 seconds later.
		let seconds = u128::from((revoked_at - 10_000) / 1_000);
		assert!(world.charged <= 2 * 5 * seconds);
		assert!(world.charged >= 2 * 5 * (seconds - 6), "{} of {seconds}", world.charged);
	});
}

/// With everything that a grant may allow: beside the seconds a thief takes the tips, the renewals,
/// and as many tick prices as it makes ticks; and no more.
#[test]
fn a_greedy_key_takes_its_allowances_and_not_a_unit_more() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(100_000);
		at(10);
		let thief = new_stream(5);
		let dear = tier(700, 60, 0);
		offer(thief, &[dear]);
		assert_ok!(subscribe(thief, dear, 1));
		set_tick_price(NATIVE, 9);
		let mut world = World::default();
		world.act(Action::Grant {
			sessions_max: 1,
			cap: 100_000,
			rate: 5,
			gap_ms: 30_000,
			life_ms: 1_000_000,
			tips_max: 250,
			renewals_max: 3,
		});
		at(16);
		world.order(
			0,
			Order::Open {
				index: 0,
				stream: thief,
				rate_per_second: 5,
				funds: 50_000,
				start_at: 0,
				tick_price_max: TickPriceMax::get(),
			},
		);
		world.listen();
		let mut ticks = 0;
		while PayStream::now() < 300_000 {
			at_ms(PayStream::now() + 5_000);
			let all = World::total(&session(0, 0), 4, 0);
			let place = (0, 0);
			// By any lane.
			match ticks % 2 {
				0 => {
					assert_ok!(tick(0, 0, all));
				}
				_ => {
					let order = Order::Tick { index: 0, seconds: all };
					world.batch(BTreeMap::from([(place, order)]));
				}
			}
			ticks += 1;
			let tips = (ticks * 30).min(250);
			let tip = |tips| Order::Tip { index: 0, tips, message: Default::default() };
			world.batch(BTreeMap::from([(place, tip(tips))]));
			world.batch(BTreeMap::from([(place, tip(tips + 251))]));
			let renewals = grant_entry(0).renewals_total + 1;
			world.order(0, Order::Renew { index: 0, renewals });
			world.listen();
		}
		let grant = grant_entry(0);
		assert_eq!((grant.tips_total, grant.renewals_total), (250, 3));
		assert_eq!((grant.tips_left, grant.renewals_left), (0, 0));
		assert_ok!(close(0, 0, session(0, 0).seconds));
		world.listen();
		let seconds = u128::from(PayStream::now() - 10_000) / 1_000;
		let most = seconds * 5 + ticks * 9;
		assert!(world.charged <= most && world.charged + 5 * 6 >= most, "{}", world.charged);
		// The first period was the viewer's own choice.
		let cost = 100_000 - vault(BOB);
		assert_eq!(cost, world.charged + 250 + (1 + 3) * 700);
	});
}

/// What a viewer or a creator does to an honest relayer between two of its ticks.
#[derive(Clone, Debug)]
enum Spite {
	Nothing,
	Revoke,
	Withdraw,
	Pause,
	PauseAndResume,
	End,
	Rate(u128),
	Claim,
	Regrant,
}

fn spite() -> impl Strategy<Value = Spite> {
	prop_oneof![
		12 => Just(Spite::Nothing),
		1 => Just(Spite::Revoke),
		1 => Just(Spite::Withdraw),
		1 => Just(Spite::Pause),
		1 => Just(Spite::PauseAndResume),
		1 => Just(Spite::End),
		1 => (1u128..6).prop_map(Spite::Rate),
		1 => Just(Spite::Claim),
		1 => Just(Spite::Regrant),
	]
}

impl Spite {
	fn act(self, stream: StreamId, grant: GrantId) {
		let update = |change| {
			let _ = step(|| PayStream::update_stream(signed(ALICE), stream, change));
		};
		let paused = |paused| StreamChange { paused: Some(paused), ..Default::default() };
		match self {
			Self::Nothing => {}
			Self::Revoke => {
				let _ = step(|| PayStream::revoke(signed(BOB), grant));
			}
			Self::Withdraw => {
				let _ = step(|| PayStream::withdraw(signed(BOB), NATIVE, vault(BOB)));
			}
			Self::Pause => update(paused(true)),
			Self::PauseAndResume => {
				update(paused(true));
				update(paused(false));
			}
			Self::End => {
				let _ = step(|| PayStream::end_stream(signed(ALICE), stream));
			}
			Self::Rate(rate) => {
				update(StreamChange { rate_per_second: Some(rate), ..Default::default() })
			}
			Self::Claim => {
				let _ = step(|| PayStream::claim(signed(CAROL), stream));
			}
			Self::Regrant => {
				new_grant(terms());
			}
		}
	}
}

/// Whatever viewer and creator do, a relayer that delivers without interruption and keeps its
/// cadence is paid every whole second up to the session's end, as far as the funds reach.
#[test]
fn an_honest_relayer_is_paid_to_the_second() {
	// Up to 30 seconds between ticks; the gap is twice that and 60.
	let rounds = proptest::collection::vec((0u64..15_000, 0u64..15_000, spite()), 1..40);
	let price = prop_oneof![Just(0u128), 1u128..8];
	let case = (rounds, 1u128..4_000, 0u64..8_000, price);
	runner(300)
		.run(&case, |(rounds, funds, head_start_ms, price)| {
			ExtBuilder::default().build_and_execute(|| {
				fill_vault(5_000);
				set_tick_price(NATIVE, price);
				let stream = new_stream(3);
				let long = GrantTerms { gap_ms: 120_000, expires_at: 700_000, ..terms() };
				let grant = new_grant(long);
				at(20);
				let order = Order::Open {
					index: 0,
					stream,
					rate_per_second: 3,
					funds: funds.max(3),
					start_at: 20_000 - head_start_ms,
					tick_price_max: TickPriceMax::get(),
				};
				assert_ok!(submit(grant, order));
				let opened = session(grant, 0);
				let covered = (opened.funds / 3) as u64;
				let mut over = false;
				let mut orders = 0;
				for (before_ms, after_ms, spite) in rounds {
					at_ms(PayStream::now() + before_ms);
					spite.act(stream, grant);
					at_ms(PayStream::now() + after_ms);
					let current = session(grant, 0);
					let reading = current.reading(&stream_entry(stream), PayStream::now());
					let delivered = (reading.end - opened.started_at) / 1_000;
					let seconds = delivered as u32;
					events();
					orders += 1;
					if reading.ended {
						assert_ok!(close(grant, 0, seconds));
					} else if delivered >= u64::from(current.seconds) + 5 {
						assert_ok!(tick(grant, 0, seconds));
					} else {
						continue;
					}
					if let Some(Event::SessionClosed { seconds, paid, refunded, .. }) =
						events().into_iter().find(|e| matches!(e, Event::SessionClosed { .. }))
					{
						let earned = u128::from(seconds) * 3;
						let exhausted = u64::from(seconds) < delivered;
						assert!(!exhausted || refunded < 3, "all that was there was paid");
						assert!(price > 0 || u64::from(seconds) == delivered.min(covered));
						assert!(paid >= earned && paid <= earned + orders * price);
						assert_eq!(paid + refunded, opened.funds);
						assert_eq!(stream_entry(stream).earned_total, earned);
						over = true;
						break;
					}
					let charged = u64::from(session(grant, 0).seconds);
					assert_eq!(charged, delivered, "nothing delivered is left behind");
				}
				if !over {
					let last = session(grant, 0);
					let earned = last.paid().expect("small") - last.fees;
					assert_eq!(stream_entry(stream).earned_total, earned);
				}
			});
			Ok(())
		})
		.expect("no spite costs an honest relayer a second");
}
