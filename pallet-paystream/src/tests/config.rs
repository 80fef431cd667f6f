// SPDX-License-Identifier: Apache-2.0

//! Constants under which the rules could not hold are refused.

use crate::mock::*;
use frame::{deps::frame_system::limits::BlockWeights, testing_prelude::*};

fn check() {
	PayStream::integrity_test();
}

#[test]
fn success_for_the_constants_of_the_tests() {
	check();
}

#[test]
#[should_panic(expected = "the least tick must fit into the least gap")]
fn fails_for_a_gap_of_one_tick() {
	GapMinMs::set(5_000);
	check();
}

#[test]
#[should_panic(expected = "GapMinMs must not exceed GapMaxMs")]
fn fails_for_gaps_in_the_wrong_order() {
	GapMinMs::set(3_600_001);
	check();
}

#[test]
#[should_panic(expected = "a tick's priority must stay below an open's")]
fn fails_for_a_gap_whose_tick_would_go_before_an_open() {
	// 2^20 / 2 seconds; a tick asks for two points a second.
	GapMaxMs::set(524_288_000);
	check();
}

#[test]
fn success_for_the_longest_gap_whose_tick_waits_for_an_open() {
	GapMaxMs::set(524_287_999);
	check();
}

#[test]
#[should_panic(expected = "a tick charges something")]
fn fails_for_ticks_of_nothing() {
	MinTickSeconds::set(0);
	check();
}

#[test]
#[should_panic(expected = "a session must be fundable before its last tick")]
fn fails_for_funding_that_comes_too_late() {
	FundBelowSeconds::set(5);
	check();
}

#[test]
#[should_panic(expected = "a close needs time")]
fn fails_for_a_window_of_no_time() {
	SettlementWindowMs::set(0);
	check();
}

#[test]
#[should_panic(expected = "the clock must move")]
fn fails_for_a_clock_that_stands_still() {
	BlockGapMaxMs::set(0);
	check();
}

#[test]
#[should_panic(expected = "somebody must be paid")]
fn fails_for_streams_without_payees() {
	MaxPayees::set(0);
	check();
}

#[test]
#[should_panic(expected = "a session must fit")]
fn fails_for_grants_without_sessions() {
	MaxSessionsPerGrant::set(0);
	check();
}

#[test]
#[should_panic(expected = "a pause and the end must fit")]
fn fails_for_a_single_stop() {
	MaxStops::set(1);
	check();
}

#[test]
#[should_panic(expected = "a block must have room for each kind of order")]
fn fails_for_a_free_lane_without_room() {
	FreeShare::set(Perbill::from_parts(1));
	check();
}

#[test]
#[should_panic(expected = "an order must fit")]
fn fails_for_batches_of_nothing() {
	MaxBatchOrders::set(0);
	check();
}

/// How many orders a block has room for, with all of them at their dearest.
fn most_orders() -> u32 {
	let limits: BlockWeights = <Test as frame_system::Config>::BlockWeights::get();
	let most = limits.get(DispatchClass::Normal).max_extrinsic.expect("there is a limit");
	let fits = |orders: &u32| {
		MaxBatchOrders::set(*orders);
		PayStream::weight_of_full_batch().all_lte(most)
	};
	(1..).take_while(fits).last().expect("one order fits")
}

#[test]
fn success_for_batches_that_fill_a_block() {
	MaxBatchOrders::set(most_orders());
	check();
}

#[test]
#[should_panic(expected = "a full batch of the dearest orders must fit into a block")]
fn fails_for_batches_that_no_block_takes() {
	MaxBatchOrders::set(most_orders() + 1);
	check();
}

#[test]
#[should_panic(expected = "a period takes time")]
fn fails_for_periods_of_no_time() {
	PeriodMinMs::set(0);
	check();
}

#[test]
#[should_panic(expected = "the pot cannot pay itself")]
fn fails_for_the_pot_as_the_treasury() {
	TreasuryAccount::set(PayStream::pot());
	check();
}

#[test]
#[should_panic(expected = "OpenShare: a block must have room for each kind of order")]
fn fails_for_opens_without_room() {
	OpenShare::set(Perbill::from_parts(1));
	check();
}

#[test]
#[should_panic(expected = "AccountShare: a block must have room for each kind of order")]
fn fails_for_accounts_without_room() {
	AccountShare::set(Perbill::from_parts(1));
	check();
}

#[test]
#[should_panic(expected = "a fund's priority must stay below an open's")]
fn fails_for_funds_that_would_go_before_an_open() {
	FundBelowSeconds::set(1 << 18);
	check();
}
