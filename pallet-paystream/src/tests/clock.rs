// SPDX-License-Identifier: Apache-2.0

//! The clock alone: rules 2 and 3 as functions of their arguments.

use crate::session::{Clock, Reading};
use proptest::prelude::*;

fn clock() -> Clock {
	Clock { billed_until: 8_000, ticked_at: 10_000, ended_at: 1_000_000, gap_ms: 30_000 }
}

#[test]
fn success_reads_what_has_passed() {
	let reading = clock().at(None, 16_999);
	assert_eq!(
		reading,
		Reading { now: 16_999, ended_at: 1_000_000, ended: false, end: 16_999, from: 8_000 }
	);
	assert_eq!(reading.room_seconds(), 8);
}

#[test]
fn boundary_of_silence() {
	assert!(!clock().at(None, 39_999).ended);
	let reading = clock().at(None, 40_000);
	assert!(reading.ended);
	assert_eq!((reading.ended_at, reading.end, reading.from), (40_000, 40_000, 10_000));
	assert_eq!(clock().at(None, 99_000).room_seconds(), 30);
}

#[test]
fn boundary_of_a_stop() {
	assert!(!clock().at(Some(20_000), 19_999).ended);
	assert_eq!(clock().at(Some(20_000), 20_000).ended_at, 20_000);
	// The earlier of stop and silence.
	assert_eq!(clock().at(Some(20_000), 50_000).ended_at, 20_000);
	assert_eq!(clock().at(Some(45_000), 50_000).ended_at, 40_000);
}

#[test]
fn boundary_of_the_expiry() {
	let clock = Clock { ended_at: 12_000, ..clock() };
	assert!(!clock.at(None, 11_999).ended);
	let reading = clock.at(None, 15_000);
	assert_eq!((reading.ended, reading.end, reading.room_seconds()), (true, 12_000, 4));
}

#[test]
fn boundary_of_the_window() {
	assert!(!clock().at(None, 40_000).window_over(60_000));
	assert!(!clock().at(None, 99_999).window_over(60_000));
	assert!(clock().at(None, 100_000).window_over(60_000));
	// A session without end never gets there.
	let clock = Clock { ended_at: u64::MAX, gap_ms: u64::MAX, ..clock() };
	assert!(!clock.at(None, u64::MAX - 1).window_over(60_000));
}

#[test]
fn boundary_the_start_of_time() {
	let clock = Clock { billed_until: 0, ticked_at: 0, ended_at: 5_000, gap_ms: 30_000 };
	assert_eq!(clock.at(None, 0).room_seconds(), 0);
	assert_eq!(clock.at(None, 3_999).room_seconds(), 3);
}

proptest! {
	#![proptest_config(ProptestConfig {
		cases: 2_000,
		failure_persistence: None,
		rng_seed: proptest::test_runner::RngSeed::Fixed(1),
		..ProptestConfig::default()
	})]

	/// Nothing raises an end, and a later look never finds an earlier one.
	#[test]
	fn success_an_end_is_for_good(
		billed in 0u64..100_000,
		ticked in 0u64..100_000,
		ended in 0u64..300_000,
		gap in 1u64..100_000,
		stop in proptest::option::of(0u64..300_000),
		now in 0u64..300_000,
		later in 0u64..300_000,
	) {
		let clock =
			Clock { billed_until: billed, ticked_at: ticked, ended_at: ended, gap_ms: gap };
		let reading = clock.at(stop, now);
		prop_assert!(reading.ended_at <= clock.ended_at);
		prop_assert!(reading.end <= now && reading.end <= reading.ended_at);
		prop_assert!(reading.from >= clock.billed_until);
		prop_assert!(reading.room_seconds() * 1_000 <= gap);
		let afterwards = clock.at(stop, now + later);
		if reading.ended {
			prop_assert_eq!(afterwards.ended_at, reading.ended_at);
			prop_assert_eq!(afterwards.room_seconds(), reading.room_seconds());
			// And it makes no difference whether the first look was written down.
			let written = Clock { ended_at: reading.ended_at, ..clock };
			prop_assert_eq!(written.at(stop, now + later), afterwards);
		} else {
			prop_assert!(afterwards.ended_at > now);
		}
	}
}
