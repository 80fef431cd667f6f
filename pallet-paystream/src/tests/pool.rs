// SPDX-License-Identifier: Apache-2.0

//! What comes too early: a pool whose node is a block behind takes it, a block does not, and neither
//! keeps it out for good.

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// The time between two blocks of the chain on which these tests are.
const BLOCK_MS: u64 = 2_000;

fn tick_order(seconds: u32) -> OrderOf<Test> {
	Order::Tick { index: 0, seconds }
}

fn judged(call: Call<Test>, source: TransactionSource) -> Result<(), InvalidTransaction> {
	match RuntimeCall::PayStream(call).authorize(source).expect("it has a check") {
		Ok(_) => Ok(()),
		Err(TransactionValidityError::Invalid(refusal)) => Err(refusal),
		Err(unknown) => panic!("the ledger always knows: {unknown:?}"),
	}
}

fn call(by: &Delegate, grant: GrantId, order: OrderOf<Test>) -> Call<Test> {
	let signature = by.sign(&PayStream::order_bytes(grant, &order));
	Call::submit { grant, order, signature }
}

/// What a pool says of an order, wherever it comes from, and what a block says.
fn verdicts(call: Call<Test>) -> [Result<(), InvalidTransaction>; 2] {
	let pool = judged(call.clone(), TransactionSource::External);
	assert_eq!(judged(call.clone(), TransactionSource::Local), pool);
	[pool, judged(call, TransactionSource::InBlock)]
}

fn custom(error: Error<Test>) -> InvalidTransaction {
	InvalidTransaction::Custom(error.encode()[0])
}

/// It waits in a pool a block behind, and is not refused for good in a block.
const EARLY: [Result<(), InvalidTransaction>; 2] = [Ok(()), Err(InvalidTransaction::Future)];

/// A session on funds for 100 seconds, opened at 10, in pools that let a block's time pass.
fn opened() -> (StreamId, GrantId) {
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, 300, 10));
	PoolAheadMaxMs::set(BLOCK_MS);
	(stream, grant)
}

#[test]
fn success_a_total_of_the_next_block_waits_in_the_pool() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		let of = |order| verdicts(call(&signer(), grant, order));
		assert_eq!(of(tick_order(10)), [Ok(()), Ok(())]);
		assert_eq!(of(tick_order(12)), EARLY);
		assert_eq!(of(Order::Close { index: 0, seconds: 12 }), EARLY);
		// At the next block, nothing else having changed, it is in time.
		at(22);
		assert_eq!(of(tick_order(12)), [Ok(()), Ok(())]);
	});
}

#[test]
fn boundary_of_how_far_a_pool_lets_an_order_be_ahead() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		let of = |order| verdicts(call(&signer(), grant, order));
		assert_eq!(of(tick_order(12)), EARLY);
		let far = [Err(custom(Error::AheadOfClock)), Err(InvalidTransaction::Future)];
		assert_eq!(of(tick_order(13)), far);
		PoolAheadMaxMs::set(0);
		assert_eq!(of(tick_order(12)), far);
	});
}

#[test]
fn success_opens_tips_and_renewals_wait_for_their_pause() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = opened();
		let tier = tier(100, 60, 50);
		offer(stream, &[tier]);
		let terms = GrantTerms { tips_max: 500, renewals_max: 2, gap_ms: 200_000, ..terms() };
		let grant = new_grant(GrantTerms { sessions_max: 2, ..terms });
		assert_ok!(subscribe(stream, tier, 2));
		assert_ok!(open(grant, 0, stream, 300, 10));
		assert_ok!(tip(grant, 0, 100));
		let next = Order::Open {
			index: 1,
			stream,
			rate_per_second: 3,
			funds: 300,
			start_at: 0,
			tick_price_max: 0,
		};
		let tip = Order::Tip { index: 0, tips: 200, message: Default::default() };
		let of = |order| verdicts(call(&signer(), grant, order));
		at(12);
		assert_eq!(of(next.clone())[0], Err(custom(Error::OpenTooSoon)));
		assert_eq!(of(tip.clone())[0], Err(custom(Error::TipTooSoon)));
		at(13);
		assert_eq!((of(next), of(tip)), (EARLY, EARLY));
		let renewal = Order::Renew { index: 0, renewals: 1 };
		at(67);
		assert_eq!(of(renewal.clone())[0], Err(custom(Error::RenewTooEarly)));
		at(68);
		assert_eq!(of(renewal), EARLY);
	});
}

#[test]
fn success_a_settlement_waits_for_the_windows_end() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		let settlement = || verdicts(Call::settle { grant, index: 0 });
		let over_ms = 40_000 + SettlementWindowMs::get();
		at((over_ms - BLOCK_MS) / 1_000 - 1);
		assert_eq!(settlement()[0], Err(custom(Error::WindowOpen)));
		at((over_ms - BLOCK_MS) / 1_000);
		assert_eq!(settlement(), EARLY);
		at(over_ms / 1_000);
		assert_eq!(settlement(), [Ok(()), Ok(())]);
	});
}

#[test]
fn fails_where_more_than_time_is_missing() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		let foreign = call(&Delegate::sr25519(66), grant, tick_order(12));
		assert_eq!(
			verdicts(foreign),
			[Err(InvalidTransaction::BadProof), Err(InvalidTransaction::Future)]
		);
		// At the later moment its window is over: it stays refused for what it is now.
		let window_ms = SettlementWindowMs::get();
		PoolAheadMaxMs::set(30_000 + window_ms);
		let of = |order| verdicts(call(&signer(), grant, order));
		assert_eq!(of(tick_order(12))[0], Err(custom(Error::AheadOfClock)));
	});
}
