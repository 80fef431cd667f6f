// SPDX-License-Identifier: Apache-2.0

//! Constants under which the rules could not hold are refused.

use crate::mock::*;
use frame::testing_prelude::*;

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
