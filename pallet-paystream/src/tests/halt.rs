// SPDX-License-Identifier: Apache-2.0

//! What an hour without blocks costs: nothing.

use crate::{mock::*, *};
use frame::testing_prelude::*;
use polkadot_sdk::pallet_timestamp;

const HOUR_MS: u64 = 3_600_000;

/// Bob watches at second 20, and his session has been charged 10 seconds. Its gap is 30 seconds.
fn watching() -> (StreamId, GrantId) {
	let (stream, grant) = ready();
	next_block_at_ms(10_000);
	assert_ok!(open(grant, 0, stream, 300, 10));
	next_block_at_ms(20_000);
	assert_ok!(tick(grant, 0, 10));
	events();
	(stream, grant)
}

#[test]
fn success_a_session_outlives_an_hour_without_blocks() {
	ExtBuilder::default().build_and_execute(|| {
		BlockGapMaxMs::set(20_000);
		HaltMaxMs::set(2 * HOUR_MS);
		let (_, grant) = watching();
		next_block_at_ms(20_000 + HOUR_MS);
		assert_eq!(PayStream::now(), 40_000);
		// What was delivered until the media stopped, and not a second more than the clock has moved.
		assert_noop!(tick(grant, 0, 31), Error::<Test>::AheadOfClock);
		assert_ok!(tick(grant, 0, 30));
		next_block_at_ms(26_000 + HOUR_MS);
		assert_eq!(PayStream::now(), 46_000);
		assert_ok!(close(grant, 0, 36));
	});
}

#[test]
fn success_a_window_outlives_it_and_so_does_an_expiry() {
	ExtBuilder::default().build_and_execute(|| {
		HaltMaxMs::set(2 * HOUR_MS);
		let (_, grant) = watching();
		let expires_at = grant_entry(grant).expires_at;
		next_block_at_ms(50_000);
		next_block_at_ms(50_000 + HOUR_MS);
		assert_eq!(PayStream::now(), 80_000);
		assert!(80_000 < expires_at && expires_at < 50_000 + HOUR_MS);
		assert_noop!(PayStream::settle(signed(DAVE), grant, 0), Error::<Test>::WindowOpen);
		assert_ok!(close(grant, 0, 20));
	});
}

#[test]
fn success_what_was_left_out_stays_so_and_is_told() {
	ExtBuilder::default().build_and_execute(|| {
		watching();
		next_block_at_ms(80_000);
		assert_eq!(PayStream::now(), 50_000);
		next_block_at_ms(81_000);
		assert_eq!(events(), vec![Event::HaltLeftOut { halt_ms: 30_000, halted_ms: 30_000 }]);
		assert_eq!(PayStream::now(), 51_000);
		next_block_at_ms(121_000);
		assert_eq!(PayStream::now(), 81_000);
		next_block_at_ms(122_000);
		assert_eq!(events(), vec![Event::HaltLeftOut { halt_ms: 10_000, halted_ms: 40_000 }]);
		assert_eq!(HaltedMs::<Test>::get(), 40_000);
	});
}

#[test]
fn boundary_of_a_block_that_is_late() {
	ExtBuilder::default().build_and_execute(|| {
		watching();
		next_block_at_ms(50_000);
		assert_eq!(PayStream::now(), 50_000);
		next_block_at_ms(80_001);
		assert_eq!(PayStream::now(), 80_000);
		next_block_at_ms(80_001);
		assert_eq!(PayStream::now(), 80_000);
		assert_eq!(events(), vec![Event::HaltLeftOut { halt_ms: 1, halted_ms: 1 }]);
	});
}

#[test]
fn boundary_of_a_halt() {
	ExtBuilder::default().build_and_execute(|| {
		HaltMaxMs::set(HOUR_MS);
		let (_, grant) = watching();
		next_block_at_ms(20_000 + 30_000 + HOUR_MS);
		assert_eq!(PayStream::now(), 50_000);
		// What it lasts longer counts: a chain that was given up keeps no session.
		next_block_at_ms(50_000 + HOUR_MS + 2 * HOUR_MS);
		assert_eq!(PayStream::now(), 50_000 + HOUR_MS);
		assert_noop!(tick(grant, 0, 15), Error::<Test>::SessionEnded);
		assert_ok!(PayStream::settle(signed(DAVE), grant, 0));
	});
}

#[test]
fn boundary_the_first_block_ends_no_halt() {
	ExtBuilder::default().build_and_execute(|| {
		pallet_timestamp::Now::<Test>::kill();
		let begin_ms = 1_700_000_000_000;
		PayStream::on_initialize(1);
		pallet_timestamp::Now::<Test>::put(begin_ms);
		assert_eq!(PayStream::now(), begin_ms);
		next_block_at_ms(begin_ms + 1_000);
		assert_eq!(PayStream::now(), begin_ms + 1_000);
		assert_eq!(HaltedMs::<Test>::get(), 0);
	});
}

#[test]
fn success_before_its_timestamp_a_block_shows_the_parents_moment() {
	ExtBuilder::default().build_and_execute(|| {
		watching();
		next_block_at_ms(120_000);
		assert_eq!(PayStream::now(), 50_000);
		PayStream::on_finalize(1);
		// As the pool and the views see it, and the next block's hooks.
		assert_eq!(PayStream::now(), 50_000);
		PayStream::on_initialize(2);
		assert_eq!(PayStream::now(), 50_000);
	});
}

mod properties {
	use super::*;
	use proptest::prelude::*;

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 500,
			failure_persistence: None,
			rng_seed: proptest::test_runner::RngSeed::Fixed(1),
			..ProptestConfig::default()
		})]

		/// It never goes back, never runs faster than the chain's, and between two blocks moves by
		/// `BlockGapMaxMs` at the most, unless the chain stood still for longer than a halt may last.
		#[test]
		fn success_the_clock_runs_with_the_chains_or_slower(
			steps in proptest::collection::vec(0u64..5_000_000, 1..40),
		) {
			ExtBuilder::default().build_and_execute(|| {
				let mut time_ms = 10_000;
				next_block_at_ms(time_ms);
				for step_ms in steps {
					let before = PayStream::now();
					time_ms += step_ms;
					next_block_at_ms(time_ms);
					let moved_ms = PayStream::now() - before;
					let gap_ms = BlockGapMaxMs::get();
					let expected = match step_ms {
						quick if quick <= gap_ms => quick,
						halt => gap_ms.max(halt.saturating_sub(HaltMaxMs::get())),
					};
					assert_eq!(moved_ms, expected);
					assert!(PayStream::now() <= time_ms);
				}
			});
		}
	}
}

#[test]
fn success_a_session_outlives_a_migration_in_steps() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = watching();
		// 50 blocks in which nobody can tick: 100 seconds, of which 30 count.
		Migrating::set(true);
		for block in 1..=50 {
			next_block_at_ms(20_000 + 2_000 * block);
		}
		Migrating::set(false);
		assert_eq!(PayStream::now(), 50_000);
		next_block_at_ms(122_000);
		assert_eq!(PayStream::now(), 50_000);
		// What was delivered until the media stopped, and not a second more.
		assert_noop!(tick(grant, 0, 41), Error::<Test>::AheadOfClock);
		assert_ok!(tick(grant, 0, 40));
		// From here on it moves as ever.
		next_block_at_ms(124_000);
		assert_eq!(PayStream::now(), 52_000);
		assert_eq!(MovedMs::<Test>::get(), None);
		assert_eq!(HaltedMs::<Test>::get(), 72_000);
	});
}

#[test]
fn success_a_short_migration_leaves_nothing_out() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = watching();
		Migrating::set(true);
		next_block_at_ms(22_000);
		assert_eq!(PayStream::now(), 22_000);
		next_block_at_ms(24_000);
		Migrating::set(false);
		next_block_at_ms(26_000);
		assert_eq!(PayStream::now(), 26_000);
		assert_ok!(tick(grant, 0, 16));
		next_block_at_ms(56_000);
		assert_eq!((PayStream::now(), HaltedMs::<Test>::get()), (56_000, 0));
	});
}
