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
	Grant {
		sessions_max: u32,
		cap: u128,
		rate: u128,
		gap_ms: u64,
		life_ms: u64,
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
		2 => (1u32..4, prop_oneof![1u128..300, 1u128..3_000], 1u128..6, 20_000u64..90_000, 1u64..400_000).prop_map(
			|(sessions_max, cap, rate, gap_ms, life_ms)| {
				Action::Grant { sessions_max, cap, rate, gap_ms, life_ms }
			}
		),
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

/// What a grant may cost, by the documentation alone, and what it has cost.
struct Account {
	terms: GrantTermsOf<Test>,
	given_at: u64,
	ended_at: u64,
	charged: u128,
}

impl Account {
	/// `min(cap, sessions at a time x highest rate x time)`, in thousandths of a unit.
	fn bound_milli(&self, now: u64) -> u128 {
		let time_ms = u128::from(now.min(self.ended_at) - self.given_at);
		let by_time =
			u128::from(self.terms.sessions_max) * self.terms.rate_max_per_second * time_ms;
		by_time.min(self.terms.cap * 1_000)
	}
}

/// The world as its events tell it, beside the ledger.
#[derive(Default)]
struct World {
	grants: BTreeMap<GrantId, Account>,
	started: BTreeMap<(GrantId, SessionIndex), u64>,
	accepted: Vec<(GrantId, OrderOf<Test>)>,
	/// How many sessions were closed by whom.
	closed: BTreeMap<u8, u32>,
	charged: u128,
	claimed: u128,
}

impl World {
	fn order(&mut self, grant: GrantId, order: OrderOf<Test>) {
		if submit(grant, order).is_ok() {
			self.accepted.push((grant, order));
		}
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
		let update = |stream: usize, change: StreamChangeOf<Test>| {
			if let Some(stream) = pick_stream(stream) {
				let _ = step(|| PayStream::update_stream(signed(ALICE), stream, change));
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
				if let Some((grant, order)) = self.accepted.get(order % self.accepted.len().max(1))
				{
					assert!(submit(*grant, *order).is_err(), "I6: a replay counts for nothing");
				}
			}
			Action::Settle { session } => {
				if let Some((grant, index, _)) = pick_session(session) {
					let _ = step(|| PayStream::settle(signed(DAVE), grant, index));
				}
			}
			Action::Grant { sessions_max, cap, rate, gap_ms, life_ms } => {
				let given_at = PayStream::now();
				let expires_at = given_at + life_ms;
				let terms = GrantTerms {
					asset: NATIVE,
					rate_max_per_second: rate,
					cap,
					sessions_max,
					gap_ms,
					expires_at,
				};
				let id = new_grant(terms.clone());
				let account = Account { terms, given_at, ended_at: expires_at, charged: 0 };
				self.grants.insert(id, account);
			}
			Action::Revoke { grant } => {
				if let Some(grant) = pick_grant(grant) {
					let _ = step(|| PayStream::revoke(signed(BOB), grant));
				}
			}
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
				if let Some(stream) = pick_stream(stream) {
					let _ = step(|| PayStream::end_stream(signed(ALICE), stream));
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
				}
				Event::Ticked { grant, amount, .. } => {
					let account = self.grants.get_mut(&grant).expect("it was granted");
					account.charged += amount;
					self.charged += amount;
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
			if stream_entry(stream).status != StreamStatus::Ended {
				assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
			}
			assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		}
		self.listen();
		assert_eq!(self.claimed, self.charged, "what was charged was paid out, to the last unit");
		// Whoever was credited because their account is none makes it one.
		if Balances::free_balance(GHOST) == 0 {
			assert_ok!(Balances::transfer_keep_alive(signed(CAROL), GHOST, EXISTENTIAL_DEPOSIT));
		}
		for (who, asset, free) in Vaults::<Test>::iter().collect::<Vec<_>>() {
			assert_ok!(step(|| PayStream::withdraw(signed(who), asset, free)));
		}
		assert_eq!(Balances::free_balance(PayStream::pot()), EXISTENTIAL_DEPOSIT);
		let everybody = [ALICE, BOB, CAROL, DAVE, GHOST];
		assert_eq!(everybody.map(Balances::free_balance).iter().sum::<u128>(), 4 * ENDOWMENT);
		assert_eq!(everybody.map(Balances::reserved_balance), [0; 5], "deposits return");
		assert_eq!(
			Balances::free_balance(BOB),
			ENDOWMENT - self.charged,
			"the viewer's whole cost"
		);
	}
}

#[test]
fn no_sequence_charges_more_than_its_bound_or_loses_a_unit() {
	let actions = proptest::collection::vec(action(), 40..160);
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
				};
				world.act(whole);
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
	let case = (rounds, 1u128..4_000, 0u64..8_000);
	runner(300)
		.run(&case, |(rounds, funds, head_start_ms)| {
			ExtBuilder::default().build_and_execute(|| {
				fill_vault(5_000);
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
				};
				assert_ok!(submit(grant, order));
				let opened = session(grant, 0);
				let covered = (opened.funds / 3) as u64;
				let mut over = false;
				for (before_ms, after_ms, spite) in rounds {
					at_ms(PayStream::now() + before_ms);
					spite.act(stream, grant);
					at_ms(PayStream::now() + after_ms);
					let current = session(grant, 0);
					let reading = current.reading(&stream_entry(stream), PayStream::now());
					let delivered = (reading.end - opened.started_at) / 1_000;
					let seconds = delivered as u32;
					events();
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
						assert_eq!(u64::from(seconds), delivered.min(covered));
						assert_eq!(paid, u128::from(seconds) * 3);
						assert_eq!(paid + refunded, opened.funds);
						assert_eq!(stream_entry(stream).earned_total, paid);
						over = true;
						break;
					}
					let charged = u64::from(session(grant, 0).seconds);
					assert_eq!(charged, delivered, "nothing delivered is left behind");
				}
				if !over {
					let last = session(grant, 0);
					assert_eq!(stream_entry(stream).earned_total, last.paid().expect("small"));
				}
			});
			Ok(())
		})
		.expect("no spite costs an honest relayer a second");
}
