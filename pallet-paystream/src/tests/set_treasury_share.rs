// SPDX-License-Identifier: Apache-2.0

//! The operator's share, and that claims are exact to the last unit whatever the numbers.

use crate::{mock::*, *};
use frame::{deps::sp_core::U256, testing_prelude::*, token::fungible::Mutate};
use proptest::{prelude::*, test_runner::RngSeed};

fn set(share: Permill) -> DispatchResult {
	step(|| PayStream::set_treasury_share(root(), share))
}

fn claim(stream: StreamId) -> DispatchResultWithPostInfo {
	step(|| PayStream::claim(signed(DAVE), stream))
}

/// A stream of two payees that has been tipped.
fn tipped(amount: u128) -> StreamId {
	fill_vault(5_000);
	let stream = new_stream_for(3, payees(&[(ALICE, 500_000), (CAROL, 500_000)]));
	assert_ok!(step(|| PayStream::tip(signed(BOB), stream, amount, Default::default())));
	stream
}

#[test]
fn success_the_operator_comes_first_and_the_payees_share_the_rest() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = tipped(1_009);
		events();
		assert_ok!(set(Permill::from_percent(10)));
		assert_eq!(events(), vec![Event::TreasuryShareSet { share: Permill::from_percent(10) }]);
		assert_ok!(claim(stream));
		assert_eq!(
			events(),
			vec![
				Event::TreasuryPaid { stream, amount: 100, credited: false },
				Event::Claimed { stream, payee: ALICE, amount: 454, credited: false },
				Event::Claimed { stream, payee: CAROL, amount: 454, credited: false },
			]
		);
		assert_eq!(Balances::free_balance(TREASURY), 100);
		assert_eq!(stream_entry(stream).earned, 1);
		assert_eq!(stream_entry(stream).earned_total, 1_009);
	});
}

#[test]
fn success_what_was_earned_before_is_shared_as_later_claims_are() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = tipped(100);
		assert_ok!(set(Permill::from_percent(20)));
		assert_ok!(set(Permill::from_percent(0)));
		events();
		assert_ok!(claim(stream));
		// Nothing is due, and so nothing is said.
		assert!(events().iter().all(|event| matches!(event, Event::Claimed { amount: 50, .. })));
	});
}

#[test]
fn success_the_remainder_of_the_last_claim_is_the_owners() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = tipped(111);
		assert_ok!(set(Permill::from_percent(20)));
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		events();
		assert_ok!(claim(stream));
		// 22 of 111; 44 each of 89; 1 is left.
		assert_eq!(
			events(),
			vec![
				Event::TreasuryPaid { stream, amount: 22, credited: false },
				Event::Claimed { stream, payee: ALICE, amount: 44, credited: false },
				Event::Claimed { stream, payee: CAROL, amount: 44, credited: false },
				Event::RemainderPaid { stream, owner: ALICE, amount: 1, credited: false },
				Event::StreamDeleted { stream },
			]
		);
	});
}

#[test]
fn success_the_treasury_may_be_a_payee_too() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream_for(3, payees(&[(TREASURY, 1_000_000)]));
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 1_000, Default::default())));
		assert_ok!(set(Permill::from_percent(20)));
		assert_ok!(claim(stream));
		assert_eq!(Balances::free_balance(TREASURY), 1_000);
	});
}

#[test]
fn boundary_of_the_share() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(set(Permill::from_parts(200_000)));
		assert_noop!(set(Permill::from_parts(200_001)), Error::<Test>::ShareTooHigh);
		assert_noop!(set(Permill::one()), Error::<Test>::ShareTooHigh);
		assert_eq!(TreasuryShare::<Test>::get(), Permill::from_parts(200_000));
		assert_noop!(
			PayStream::set_treasury_share(signed(ALICE), Permill::zero()),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn boundary_of_a_claim_of_next_to_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = tipped(1);
		assert_ok!(set(Permill::from_percent(20)));
		// A fifth and two halves of 1 are nothing.
		assert_noop!(claim(stream), Error::<Test>::NothingToClaim);
		assert_eq!(stream_entry(stream).earned, 1);
	});
}

/// So many parts of a million, rounded down, computed in another way.
fn parts_of(parts: u32, amount: u128) -> u128 {
	(U256::from(amount) * U256::from(parts) / U256::from(1_000_000)).as_u128()
}

/// Cuts of a whole into shares.
fn shares(cuts: &[u32]) -> Vec<u32> {
	let mut cuts = cuts.to_vec();
	cuts.sort_unstable();
	let ends = cuts.iter().copied().chain([1_000_000]);
	let starts = [0].into_iter().chain(cuts.iter().copied());
	ends.zip(starts).map(|(end, start)| end - start).collect()
}

proptest! {
	#![proptest_config(ProptestConfig {
		cases: 300,
		failure_persistence: None,
		rng_seed: RngSeed::Fixed(1),
		..ProptestConfig::default()
	})]

	#[test]
	fn success_exact_to_the_last_unit_whatever_the_numbers(
		earned in prop_oneof![0u128..50, 0u128..1_000_000, 0u128..=(u128::MAX / 4)],
		fees in prop_oneof![Just(0u128), 0u128..50, 0u128..=(u128::MAX / 4)],
		share in 0u32..=200_000,
		cuts in proptest::collection::vec(0u32..=1_000_000, 0..8),
		last in any::<bool>(),
	) {
		ExtBuilder::default().build_and_execute(|| {
			let shares = shares(&cuts);
			let list: Vec<_> = shares.iter().zip(200u64..).map(|(s, who)| (who, *s)).collect();
			let stream = new_stream_for(1, payees(&list));
			// As if it had been earned.
			assert_ok!(Balances::mint_into(&PayStream::pot(), earned + fees));
			let entry = Stream {
				earned,
				earned_total: earned,
				fees,
				..stream_entry(stream)
			};
			Streams::<Test>::insert(stream, entry);
			let asset = AssetEntry { owed: earned + fees, ..asset_entry(NATIVE) };
			AssetEntries::<Test>::insert(NATIVE, asset);
			assert_ok!(set(Permill::from_parts(share)));
			if last {
				assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
			}
			let had = |who: u64| Balances::free_balance(who) + vault(who);
			let before = total(ALICE);
			let shown = PayStream::claimable_by(stream).expect("there is a stream");
			let operators = parts_of(share, earned);
			let rest = earned - operators;
			let expected: Vec<_> = shares.iter().map(|s| parts_of(*s, rest)).collect();
			let remainder = rest - expected.iter().sum::<u128>();
			let result = claim(stream);
			let nothing = operators + fees == 0 && expected.iter().all(|amount| *amount == 0);
			assert_eq!(result.is_err(), nothing && !last);
			assert_eq!(had(TREASURY), operators + fees);
			for ((who, _), amount) in list.iter().zip(&expected) {
				assert_eq!(had(*who), *amount);
			}
			if last {
				// What an account cannot take keeps the stream, and its deposit.
				let kept = list.iter().any(|(who, _)| vault(*who) > 0);
				assert_eq!(Streams::<Test>::contains_key(stream), kept);
				assert_eq!(total(ALICE) + vault(ALICE), before + remainder);
				assert_eq!(Balances::reserved_balance(ALICE) > 0, kept);
			} else {
				assert_eq!(stream_entry(stream).earned, remainder);
				assert_eq!(stream_entry(stream).fees, 0);
				assert!(remainder < shares.len() as u128);
			}
			// What was shown before is what came.
			assert_eq!(shown.0, operators + fees);
			let amounts: Vec<_> = shown.1.into_iter().map(|(_, amount)| amount).collect();
			assert_eq!(amounts, expected);
		});
	}
}
