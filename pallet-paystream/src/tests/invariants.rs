// SPDX-License-Identifier: Apache-2.0

//! The checks see what they are for: each finds a state that breaks it. And they read no more than
//! there is.

use crate::{mock::*, *};
use frame::{
	deps::{
		frame_support::__private::sp_tracing::tracing::{self, span, Event as Trace, Metadata},
		sp_runtime::TryRuntimeError,
	},
	testing_prelude::*,
	token::fungible::{Mutate, MutateHold},
};
use std::{
	fs,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
	time::Duration,
};

/// A session with 10 seconds of 100 paid at second 20; broken by `spoil`, found by `invariant`.
fn finds(invariant: &'static str, spoil: impl FnOnce(StreamId, GrantId)) {
	ExtBuilder::default().build().execute_with(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(tick(grant, 0, 10));
		check_state();
		spoil(stream, grant);
		assert_eq!(PayStream::do_try_state(), Err(TryRuntimeError::Other(invariant)));
	});
}

fn spoil_session(grant: GrantId, spoil: impl FnOnce(&mut Session<Test>)) {
	let mut entry = session(grant, 0);
	spoil(&mut entry);
	Sessions::<Test>::insert(grant, 0, entry);
}

fn spoil_grant(grant: GrantId, spoil: impl FnOnce(&mut Grant<Test>)) {
	let mut entry = grant_entry(grant);
	spoil(&mut entry);
	Grants::<Test>::insert(grant, entry);
}

fn spoil_stream(stream: StreamId, spoil: impl FnOnce(&mut Stream<Test>)) {
	let mut entry = stream_entry(stream);
	spoil(&mut entry);
	Streams::<Test>::insert(stream, entry);
}

#[test]
fn i5_dust_that_no_deposit_pays_for() {
	let invariant = "I5: dust in a vault is paid for by a deposit";
	// From one vault to another, so that nothing else is broken: Bob's is a viewer's, and may.
	let moved = |who: u64, dust: u128| {
		move |_: StreamId, _: GrantId| {
			Vaults::<Test>::mutate(BOB, NATIVE, |free| *free -= dust);
			Vaults::<Test>::insert(who, NATIVE, dust);
		}
	};
	finds(invariant, moved(DAVE, 1));
	finds(invariant, moved(DAVE, EXISTENTIAL_DEPOSIT - 1));
	for (who, free) in [(DAVE, EXISTENTIAL_DEPOSIT), (ALICE, 1), (TREASURY, 1), (BOB, 1)] {
		ExtBuilder::default().build().execute_with(|| {
			let (stream, grant) = ready();
			let all = vault(BOB);
			moved(who, free)(stream, grant);
			let rest = if who == BOB { all - free } else { 0 };
			PayStream::set_vault(&CAROL, &NATIVE, rest);
			check_state();
		});
	}
}

#[test]
fn i1_money_from_nowhere() {
	let invariant = "I1: what is owed is the sum of the entries";
	finds(invariant, |_, _| Vaults::<Test>::insert(CAROL, NATIVE, 1));
	finds(invariant, |stream, _| spoil_stream(stream, |s| s.earned += 1));
	finds(invariant, |_, grant| spoil_session(grant, |s| s.funds += 1));
}

#[test]
fn i1_money_of_an_asset_that_the_ledger_does_not_know() {
	let unknown = Kind::WithId(77);
	finds("I1: a vault's asset has an entry", |_, _| Vaults::<Test>::insert(CAROL, unknown, 1));
	finds("I1: a stream's asset has an entry", |stream, _| {
		spoil_stream(stream, |s| s.asset = Kind::WithId(77));
	});
}

#[test]
fn i1_an_asset_that_left_the_pot() {
	finds("I1: the pot covers what the ledger owes", |_, _| {
		assert_ok!(Balances::transfer_keep_alive(signed(PayStream::pot()), CAROL, 1));
	});
}

#[test]
fn i2_seconds_that_have_not_passed() {
	finds("I2: a session's seconds fit between its start and its end", |_, grant| {
		spoil_session(grant, |s| s.started_at += 1);
	});
	finds("I2: no time is charged ahead", |_, grant| {
		spoil_session(grant, |s| s.billed_until += 1);
	});
	finds("I2: a grant's seconds fit into its sessions' time", |_, grant| {
		spoil_grant(grant, |g| g.seconds = 2 * 19 - 10 + 1);
	});
	finds("I2: a session starts at most the head start before its opening", |_, grant| {
		spoil_session(grant, |s| s.started_at = 3_999);
	});
	finds("I2: a session ends with its grant", |_, grant| {
		spoil_grant(grant, |g| g.ended_at = 999_999);
	});
}

#[test]
fn i1_shares_and_totals_that_do_not_fit() {
	finds("a sum of the ledger overflows", |_, _| Vaults::<Test>::insert(CAROL, NATIVE, u128::MAX));
	finds("I1: a stream owes what it earned at most", |stream, _| {
		spoil_stream(stream, |s| s.earned_total = 29);
	});
	finds("I1: a stream's shares are whole", |stream, _| {
		spoil_stream(stream, |s| s.payees[0].share = Permill::from_percent(99));
	});
}

#[test]
fn i2_moments_in_the_wrong_order() {
	finds("I2: charged time lies between start and billed until", |_, grant| {
		spoil_session(grant, |s| s.billed_until -= 1);
	});
	finds("I2: a session's moments are in order", |_, grant| {
		spoil_session(grant, |s| s.opened_at = 9_999);
	});
	finds("I2: a session's moments are in order", |_, grant| {
		spoil_session(grant, |s| s.ticked_at = 20_001);
	});
	finds("I2: a session starts under its grant", |_, grant| {
		spoil_grant(grant, |g| g.created_at = 10_001);
	});
	finds("I2: a freed session has ended", |_, grant| {
		spoil_grant(grant, |g| g.freed_end_at = 20_001);
	});
	finds("I2: a session was opened in the past", |_, grant| {
		spoil_grant(grant, |g| g.opened_at = 20_001);
	});
	finds("I2: a grant ends at its expiry at the latest", |_, grant| {
		spoil_grant(grant, |g| g.ended_at = 1_000_001);
	});
}

#[test]
fn i2_stops_that_a_stream_does_not_remember() {
	finds("I2: a stream's stops ascend", |stream, _| {
		spoil_stream(stream, |s| s.stops = BoundedVec::truncate_from(vec![2, 1]));
	});
	finds("I2: a stream that stopped remembers when", |stream, _| {
		spoil_stream(stream, |s| s.status = StreamStatus::Paused);
	});
}

#[test]
fn i3_a_cap_that_does_not_add_up() {
	let invariant = "I3: a grant's cap is what is left, reserved and spent";
	finds(invariant, |_, grant| spoil_grant(grant, |g| g.cap_left += 1));
	finds(invariant, |_, grant| spoil_grant(grant, |g| g.spent += 1));
}

#[test]
fn i4_a_price_beyond_the_grant() {
	finds("I4: a session's rate is within the grant's", |_, grant| {
		spoil_grant(grant, |g| g.rate_max_per_second = 2);
	});
	finds("I4: charges are within the funds", |_, grant| {
		spoil_session(grant, |s| s.funds = 29);
	});
	finds("I4: a stream's rate is at least 1", |stream, _| {
		spoil_stream(stream, |s| s.rate_per_second = 0);
	});
}

#[test]
fn i5_lists_that_do_not_agree() {
	finds("I5: a grant lists its sessions, ascending", |_, grant| {
		spoil_grant(grant, |g| g.open = BoundedVec::new());
	});
	finds("I5: a stream's count of sessions is right", |stream, _| {
		spoil_stream(stream, |s| s.sessions_open += 1);
	});
	finds("I5: a viewer's grants are listed", |_, grant| GrantsOf::<Test>::remove(BOB, grant));
	finds("I5: a listed grant is the viewer's", |_, grant| {
		GrantsOf::<Test>::insert(CAROL, grant, ());
	});
	finds("I5: an empty vault has no entry", |_, _| Vaults::<Test>::insert(CAROL, NATIVE, 0));
	finds("I5: deposits held are the entries'", |_, grant| {
		spoil_grant(grant, |g| g.deposit += 1);
	});
	finds("I5: deposits held are the entries'", |_, _| {
		assert_ok!(Balances::hold(&HoldReason::Grant.into(), &CAROL, 1));
	});
	finds("I5: deposits held are the entries'", |stream, _| {
		spoil_stream(stream, |s| s.deposit += 1);
	});
	finds("I5: a session's copies equal its grant", |_, grant| {
		spoil_session(grant, |s| s.gap_ms += 1);
	});
}

#[test]
fn i5_sessions_that_belong_to_nothing() {
	finds("I5: a session's stream is stored", |_, grant| spoil_session(grant, |s| s.stream += 1));
	finds("I5: a session's grant is stored", |stream, grant| {
		// Of what it reserves nothing is left, so that no sum tells.
		let orphan = Session { funds: 30, ..session(grant, 0) };
		Sessions::<Test>::insert(grant + 1, 0, orphan);
		spoil_stream(stream, |s| s.sessions_open += 1);
	});
	finds("I5: a session pays in its stream's asset", |stream, _| {
		assert_ok!(PayStream::claim(signed(DAVE), stream));
		spoil_stream(stream, |s| s.asset = TOKEN);
	});
	finds("I5: no more sessions than the grant allows", |stream, grant| {
		assert_ok!(open(grant, 1, stream, 300, 20));
		spoil_grant(grant, |g| g.sessions_max = 1);
	});
}

/// As `finds`, with a subscription to a tier beside the session.
fn finds_of_subscriptions(invariant: &'static str, spoil: impl FnOnce(StreamId)) {
	ExtBuilder::default().build().execute_with(|| {
		let (stream, _) = ready();
		let tier = tier(100, 60, 50);
		offer(stream, &[tier]);
		assert_ok!(subscribe(stream, tier, 3));
		check_state();
		spoil(stream);
		assert_eq!(PayStream::do_try_state(), Err(TryRuntimeError::Other(invariant)));
	});
}

fn spoil_subscription(stream: StreamId, spoil: impl FnOnce(&mut SubscriptionOf<Test>)) {
	let mut entry = subscription(stream);
	spoil(&mut entry);
	Subscriptions::<Test>::insert(stream, BOB, entry);
}

#[test]
fn i1_what_is_owed_is_more_or_less_than_noted() {
	let invariant = "I1: what is owed is the sum of the entries";
	finds(invariant, |_, _| {
		let entry = asset_entry(NATIVE);
		AssetEntries::<Test>::insert(NATIVE, AssetEntry { owed: entry.owed - 1, ..entry });
	});
	finds(invariant, |stream, _| spoil_stream(stream, |s| s.fees += 1));
	finds_of_subscriptions(invariant, |stream| spoil_subscription(stream, |s| s.periods += 1));
	finds_of_subscriptions(invariant, |stream| {
		spoil_subscription(stream, |s| s.tier.price += 1);
	});
	finds_of_subscriptions(invariant, |stream| Subscriptions::<Test>::remove(stream, BOB));
}

#[test]
fn i2_a_subscription_that_is_yet_to_begin() {
	finds_of_subscriptions("I2: a subscription began in the past", |stream| {
		spoil_subscription(stream, |s| s.started_at = 1_001);
	});
}

#[test]
fn i2_an_end_without_a_moment() {
	finds("I2: an ended stream remembers when", |stream, _| {
		spoil_stream(stream, |s| s.ended_at = Some(20_000));
	});
}

#[test]
fn i5_subscriptions_that_do_not_agree() {
	finds("I5: a stream's count of subscriptions is right", |stream, _| {
		spoil_stream(stream, |s| s.subscriptions_open += 1);
	});
	finds_of_subscriptions("I5: deposits held are the entries'", |stream| {
		spoil_subscription(stream, |s| s.deposit -= 1);
	});
	finds_of_subscriptions("I5: a subscription's stream is stored", |stream| {
		Subscriptions::<Test>::insert(stream + 1, BOB, subscription(stream));
	});
	finds_of_subscriptions("I1: what a subscription holds is in range", |stream| {
		spoil_subscription(stream, |s| s.periods_earned = s.periods + 1);
	});
	finds_of_subscriptions("I5: an empty list of tiers has no entry", |stream| {
		Tiers::<Test>::insert(stream, TiersOf::<Test>::default());
	});
	finds_of_subscriptions("I5: tiers are of a stream", |stream| {
		Tiers::<Test>::insert(stream + 1, PayStream::tiers(stream));
	});
}

#[test]
fn i5_indexes_that_miss_an_entry_or_name_another() {
	let streams = "I5: an owner's streams are listed";
	finds(streams, |stream, _| StreamsOf::<Test>::remove(ALICE, stream));
	finds(streams, |stream, _| StreamsOf::<Test>::insert(CAROL, stream, ()));
	finds(streams, |stream, _| StreamsOf::<Test>::insert(ALICE, stream + 1, ()));
	let sessions = "I5: a stream's sessions are listed";
	finds(sessions, |stream, grant| SessionsOf::<Test>::remove(stream, (grant, 0)));
	finds(sessions, |stream, grant| SessionsOf::<Test>::insert(stream, (grant, 1), ()));
	finds(sessions, |stream, grant| SessionsOf::<Test>::insert(stream + 1, (grant, 0), ()));
	let grants = "I5: a key's grants are listed";
	finds(grants, |_, grant| GrantsOfKey::<Test>::remove(signer().key(), grant));
	finds(grants, |_, grant| {
		GrantsOfKey::<Test>::insert(DelegateKey::Sr25519([7; 32]), grant, ());
	});
	let subscriptions = "I5: a viewer's subscriptions are listed";
	finds_of_subscriptions(subscriptions, |stream| SubscriptionsOf::<Test>::remove(BOB, stream));
	finds_of_subscriptions(subscriptions, |stream| {
		SubscriptionsOf::<Test>::insert(CAROL, stream, ());
	});
}

#[test]
fn i6_ids_beyond_the_next() {
	finds("I6: a grant's id is below the next", |_, _| NextGrantId::<Test>::put(0));
	finds("I6: a stream's id is below the next", |_, _| NextStreamId::<Test>::put(0));
	finds("I6: a session's index is below the grant's next", |_, grant| {
		spoil_grant(grant, |g| g.next_index = 0);
	});
}

/// Beside the session of `finds`, so many copies of it: each under a grant and on a stream of its own, of
/// an account of its own that has a vault.
fn crowd(copies: u64) {
	const FIRST: u64 = 1_000;
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, 300, 10));
	at(20);
	assert_ok!(tick(grant, 0, 10));
	let (one_stream, one_grant) = (stream_entry(stream), grant_entry(grant));
	let one_session = session(grant, 0);
	for copy in 1..=copies {
		let (who, id, stream) = (FIRST + copy, grant + copy, stream + copy);
		let held = one_grant.deposit + one_stream.deposit;
		assert_ok!(Balances::mint_into(&who, held + EXISTENTIAL_DEPOSIT));
		assert_ok!(Balances::hold(&HoldReason::Grant.into(), &who, one_grant.deposit));
		assert_ok!(Balances::hold(&HoldReason::Stream.into(), &who, one_stream.deposit));
		Streams::<Test>::insert(stream, Stream { owner: who, ..one_stream.clone() });
		Grants::<Test>::insert(id, Grant { viewer: who, ..one_grant.clone() });
		GrantsOf::<Test>::insert(who, id, ());
		GrantsOfKey::<Test>::insert(one_grant.key, id, ());
		StreamsOf::<Test>::insert(who, stream, ());
		SessionsOf::<Test>::insert(stream, (id, 0), ());
		Sessions::<Test>::insert(id, 0, Session { viewer: who, stream, ..one_session.clone() });
		Vaults::<Test>::insert(who, NATIVE, EXISTENTIAL_DEPOSIT);
	}
	NextStreamId::<Test>::put(stream + copies + 1);
	NextGrantId::<Test>::put(grant + copies + 1);
	let each = one_session.funds + EXISTENTIAL_DEPOSIT;
	let more = u128::from(copies) * each;
	assert_ok!(Balances::mint_into(&PayStream::pot(), more));
	let entry = asset_entry(NATIVE);
	AssetEntries::<Test>::insert(NATIVE, AssetEntry { owed: entry.owed + more, ..entry });
}

/// Counts what the state is asked for, by the traces that it leaves.
struct Asked(Arc<AtomicU64>);

impl tracing::Subscriber for Asked {
	fn enabled(&self, metadata: &Metadata<'_>) -> bool {
		metadata.is_event() && metadata.target() == "state"
	}

	fn event(&self, _trace: &Trace<'_>) {
		self.0.fetch_add(1, Ordering::Relaxed);
	}

	fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
		span::Id::from_u64(1)
	}

	fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
	fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
	fn enter(&self, _span: &span::Id) {}
	fn exit(&self, _span: &span::Id) {}
}

/// How many times the checks ask the state for something, with so many sessions in it.
fn reads(sessions: u64) -> u64 {
	ExtBuilder::default().build().execute_with(|| {
		crowd(sessions);
		let count = Arc::new(AtomicU64::new(0));
		tracing::subscriber::with_default(Asked(count.clone()), || {
			assert_eq!(PayStream::do_try_state(), Ok::<(), TryRuntimeError>(()));
		});
		count.load(Ordering::Relaxed)
	})
}

#[test]
fn each_session_more_takes_as_many_reads_as_the_one_before() {
	let [few, more, many] = [50, 100, 150].map(reads);
	assert!(few > 50, "reads are counted: {few}");
	assert_eq!(many - more, more - few);
}

/// For how long this thread has had a core: what else the machine does is not counted.
fn core_time() -> Duration {
	let told = fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
	let on_core_ns = told.split(' ').next().expect("it begins with the time on a core");
	Duration::from_nanos(on_core_ns.parse().expect("it is a number"))
}

/// `scripts/try-state` makes this measurement.
#[test]
#[ignore = "a measurement, of half a minute: scripts/try-state"]
fn time_of_100_000_sessions() {
	let mut state = ExtBuilder::default().build();
	state.execute_with(|| crowd(100_000));
	assert_ok!(state.commit_all());
	state.execute_with(|| {
		let began = core_time();
		assert_eq!(PayStream::do_try_state(), Ok::<(), TryRuntimeError>(()));
		let took = core_time() - began;
		println!("100,000 sessions: {:.2} s of a core", took.as_secs_f64());
		assert!(took.as_secs() < 10, "{took:?}");
	});
}
