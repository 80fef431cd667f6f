// SPDX-License-Identifier: Apache-2.0

//! The checks see what they are for: each finds a state that breaks it.

use crate::{mock::*, *};
use frame::{deps::sp_runtime::TryRuntimeError, testing_prelude::*, token::fungible::MutateHold};

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
	finds("I5: a session's copies equal its grant", |_, grant| {
		spoil_session(grant, |s| s.gap_ms += 1);
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
	finds_of_subscriptions("I5: an empty list of tiers has no entry", |stream| {
		Tiers::<Test>::insert(stream, TiersOf::<Test>::default());
	});
	finds_of_subscriptions("I5: tiers are of a stream", |stream| {
		Tiers::<Test>::insert(stream + 1, PayStream::tiers(stream));
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
