// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::{deps::sp_core::U256, testing_prelude::*, token::fungible::BalancedHold};

fn claim(stream: StreamId) -> DispatchResultWithPostInfo {
	step(|| PayStream::claim(signed(DAVE), stream))
}

/// A stream that has earned `seconds` at `rate`, and the grant whose session is still open.
fn earned(rate: u128, seconds: u32, list: &[(u64, u32)]) -> (StreamId, GrantId) {
	fill_vault(100_000);
	let stream = new_stream_for(rate, payees(list));
	let grant = new_grant(GrantTerms { rate_max_per_second: rate, cap: 100_000, ..terms() });
	at(10);
	assert_ok!(open(grant, 0, stream, rate * 100, 10));
	at(10 + u64::from(seconds));
	assert_ok!(tick(grant, 0, seconds));
	(stream, grant)
}

#[test]
fn success_splits_and_keeps_the_remainder() {
	ExtBuilder::default().build_and_execute(|| {
		let list = [(ALICE, 333_333), (CAROL, 333_333), (DAVE, 333_334)];
		let (stream, grant) = earned(10, 10, &list);
		events();
		let before = [ALICE, CAROL, DAVE].map(Balances::free_balance);
		let post = claim(stream).expect("there is something");
		let check = PayStream::weight_of_authorize_claim();
		assert_eq!(post.actual_weight, Some(PayStream::weight_of_claim(3).saturating_sub(check)));
		let after = [ALICE, CAROL, DAVE].map(Balances::free_balance);
		assert_eq!([0, 1, 2].map(|i| after[i] - before[i]), [33, 33, 33]);
		assert_eq!(stream_entry(stream).earned, 1);
		assert_eq!(stream_entry(stream).earned_total, 100);
		assert_eq!(
			events(),
			[ALICE, CAROL, DAVE]
				.map(|payee| Event::Claimed { stream, payee, amount: 33, credited: false })
				.to_vec()
		);
		// The remainder counts at the next claim: of 150 in all, 49.99995 and 50.0001.
		at(25);
		assert_ok!(tick(grant, 0, 15));
		assert_ok!(claim(stream));
		assert_eq!(stream_entry(stream).earned, 2);
		assert_eq!(Balances::free_balance(CAROL) - before[1], 49);
		assert_eq!(Balances::free_balance(DAVE) - before[2], 50);
	});
}

/// A stream that Bob tips, before each of so many claims.
fn claimed_by_pieces(stream: StreamId, pieces: u32, amount: u128) {
	for _ in 0..pieces {
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, amount, Default::default())));
		assert_ok!(claim(stream));
	}
}

#[test]
fn success_a_small_share_is_not_rounded_away_claim_by_claim() {
	ExtBuilder::default().treasury_share(Permill::from_parts(5_000)).build_and_execute(|| {
		fill_vault(100_000);
		let stream = new_stream_for(1, payees(&[(ALICE, 990_000), (CAROL, 10_000)]));
		claimed_by_pieces(stream, 100, 98);
		// Of 9,800 in all the treasury's half per cent is 49, and of the rest one per cent is 97.51.
		assert_eq!(total(TREASURY) + vault(TREASURY), 49);
		assert_eq!(Balances::free_balance(CAROL), ENDOWMENT + 97);
		assert_eq!(total(ALICE), ENDOWMENT + 9_653);
		assert_eq!(stream_entry(stream).earned, 1);
		assert_eq!(stream_entry(stream).shared_total, 9_800);
	});
}

#[test]
fn success_what_has_changed_begins_another_total() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(100_000);
		let stream = new_stream_for(1, payees(&[(ALICE, 500_000), (CAROL, 500_000)]));
		claimed_by_pieces(stream, 1, 101);
		assert_eq!((stream_entry(stream).earned, stream_entry(stream).shared_total), (1, 101));
		// The same payees go on where they are.
		let same = StreamChange { payees: Some(stream_entry(stream).payees), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, same)));
		assert_eq!(stream_entry(stream).shared_total, 101);
		// Others share what was left over.
		let list = payees(&[(ALICE, 500_000), (DAVE, 500_000)]);
		let others = StreamChange { payees: Some(list), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, others)));
		assert_eq!((stream_entry(stream).earned, stream_entry(stream).shared_total), (1, 0));
		claimed_by_pieces(stream, 1, 99);
		assert_eq!(Balances::free_balance(DAVE), ENDOWMENT + 50);
		assert_eq!((stream_entry(stream).earned, stream_entry(stream).shared_total), (0, 100));
		// Another share of the operator's counts from here: nothing is taken back.
		set_share(10);
		claimed_by_pieces(stream, 1, 19);
		assert_eq!(vault(TREASURY), 1);
		assert_eq!(Balances::free_balance(DAVE), ENDOWMENT + 50 + 9);
		assert_eq!((stream_entry(stream).earned, stream_entry(stream).shared_total), (0, 19));
		assert_eq!(stream_entry(stream).treasury_share, Permill::from_percent(10));
	});
}

#[test]
fn success_a_view_tells_what_the_running_total_gives() {
	ExtBuilder::default().treasury_share(Permill::from_percent(10)).build_and_execute(|| {
		fill_vault(100_000);
		let stream = new_stream_for(1, payees(&[(ALICE, 666_667), (CAROL, 333_333)]));
		for amount in [7, 5, 11, 1, 3] {
			assert_ok!(step(|| PayStream::tip(signed(BOB), stream, amount, Default::default())));
			let (treasury, payees) = PayStream::claimable_view(stream).expect("it is there");
			let before = [TREASURY, ALICE, CAROL].map(|who| total(who) + vault(who));
			let _ = claim(stream);
			let after = [TREASURY, ALICE, CAROL].map(|who| total(who) + vault(who));
			let told = [treasury, payees[0].1, payees[1].1];
			assert_eq!([0, 1, 2].map(|i| after[i] - before[i]), told);
		}
	});
}

/// The total of shares is an asset's balance, which its issuer can pass through a stream again and
/// again: at the type's end another one begins.
#[test]
fn boundary_of_a_running_total_at_the_end_of_its_type() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = earned(10, 10, &[(ALICE, 300_000), (CAROL, 700_000)]);
		let nearly = Stream { shared_total: u128::MAX - 50, ..stream_entry(stream) };
		let left_over = PayStream::left_over(&nearly);
		Streams::<Test>::insert(stream, nearly);
		assert!(left_over <= 1);
		assert_ok!(claim(stream));
		assert_eq!(Balances::free_balance(CAROL), ENDOWMENT + 70);
		assert_eq!(stream_entry(stream).shared_total, 100);
	});
}

#[test]
fn success_of_an_ended_stream_gives_the_remainder_to_the_owner() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = earned(1, 5, &[(CAROL, 500_000), (DAVE, 500_000)]);
		assert_ok!(PayStream::end_stream(signed(ALICE), stream));
		// A session may still be closed: this is not the last claim.
		assert_ok!(claim(stream));
		assert_eq!(stream_entry(stream).earned, 1);
		assert_noop!(claim(stream), Error::<Test>::NothingToClaim);
		at(16);
		assert_ok!(close(grant, 0, 5));
		events();
		assert_ok!(claim(stream));
		assert_eq!(
			events(),
			vec![
				Event::RemainderPaid { stream, owner: ALICE, amount: 1, credited: false },
				Event::StreamDeleted { stream },
			]
		);
		assert_eq!(Balances::free_balance(ALICE), ENDOWMENT + 1);
		assert_noop!(claim(stream), Error::<Test>::StreamNotFound);
		// The id is not used again.
		assert_eq!(new_stream(1), stream + 1);
	});
}

#[test]
fn success_credits_a_payee_who_cannot_receive() {
	ExtBuilder::default().build_and_execute(|| {
		// The account does not exist, and 9 are below the existential deposit.
		let (stream, grant) = earned(1, 18, &[(GHOST, 500_000), (CAROL, 500_000)]);
		events();
		assert_ok!(claim(stream));
		assert_eq!(
			events(),
			vec![
				Event::Claimed { stream, payee: GHOST, amount: 9, credited: true },
				Event::Claimed { stream, payee: CAROL, amount: 9, credited: false },
			]
		);
		assert_eq!(vault(GHOST), 9);
		assert_eq!(Balances::free_balance(GHOST), 0);
		// Enough to live on.
		at(38);
		assert_ok!(tick(grant, 0, 38 - 10));
		at(48);
		assert_ok!(tick(grant, 0, 38));
		assert_ok!(claim(stream));
		assert_eq!(Balances::free_balance(GHOST), 10);
		assert_ok!(step(|| PayStream::withdraw(signed(GHOST), NATIVE, 9)));
		assert_eq!(Balances::free_balance(GHOST), 19);
	});
}

/// An ended stream that has credited 9 to somebody whose account does not exist: below what an account
/// needs, so that its deposit pays for the vault.
fn ended_with_dust() -> StreamId {
	let (stream, grant) = earned(1, 18, &[(GHOST, 500_000), (CAROL, 500_000)]);
	assert_ok!(close(grant, 0, 18));
	assert_ok!(PayStream::end_stream(signed(ALICE), stream));
	assert_ok!(claim(stream));
	stream
}

#[test]
fn success_a_stream_stays_while_an_account_cannot_take_its_dust() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = ended_with_dust();
		assert_eq!((vault(GHOST), stream_entry(stream).earned), (9, 0));
		assert_eq!(Balances::reserved_balance(ALICE), 1_200);
		assert_noop!(PayStream::claim(signed(DAVE), stream), Error::<Test>::NothingToClaim);
		assert_eq!(by_nobody(Call::claim { stream }), Err(Error::ClaimNotLast));
		// Anybody can send it what it lacks.
		assert_ok!(Balances::transfer_allow_death(signed(DAVE), GHOST, EXISTENTIAL_DEPOSIT));
		events();
		assert_ok!(claim(stream));
		assert_eq!(
			events(),
			vec![
				Event::Withdrawn { who: GHOST, asset: NATIVE, amount: 9 },
				Event::StreamDeleted { stream },
			]
		);
		assert_eq!((vault(GHOST), Balances::reserved_balance(ALICE)), (0, 0));
	});
}

#[test]
fn success_a_stream_goes_when_its_payee_has_left_with_the_dust() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = ended_with_dust();
		// Enough for an account, and it goes there.
		Vaults::<Test>::mutate(GHOST, NATIVE, |free| *free += 1);
		AssetEntries::<Test>::mutate(NATIVE, |entry| {
			entry.as_mut().expect("it is enabled").owed += 1;
		});
		assert_ok!(Balances::transfer_allow_death(signed(DAVE), PayStream::pot(), 1));
		assert_ok!(step(|| PayStream::withdraw(signed(GHOST), NATIVE, 10)));
		is_paid_by_nobody(stream);
		assert_eq!(Balances::reserved_balance(ALICE), 0);
	});
}

#[test]
fn success_credits_in_another_asset_and_hurts_nobody_else() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(PayStream::deposit(signed(BOB), TOKEN, 1_000));
		let list = payees(&[(CAROL, 500_000), (DAVE, 500_000)]);
		assert_ok!(PayStream::create_stream(signed(ALICE), TOKEN, 2, list, 0, 0));
		let grant = new_grant(GrantTerms { asset: TOKEN, ..terms() });
		at(10);
		assert_ok!(open(grant, 0, 0, 100, 10));
		at(20);
		assert_ok!(close(grant, 0, 10));
		// Carol's account of this asset is blocked by the asset's issuer.
		assert_ok!(Assets::block(signed(ALICE), 7, CAROL));
		assert_ok!(claim(0));
		assert_eq!(Vaults::<Test>::get(CAROL, TOKEN), 10);
		assert_eq!(Assets::balance(7, DAVE), ENDOWMENT + 10);
	});
}

#[test]
fn success_is_exact_whatever_the_split() {
	ExtBuilder::default().build_and_execute(|| {
		let list = [(ALICE, 1), (CAROL, 142_857), (DAVE, 857_142)];
		let (stream, grant) = earned(97, 7, &list);
		let mut paid = 0;
		for round in 1..=12u32 {
			events();
			if claim(stream).is_ok() {
				paid += events()
					.iter()
					.map(|event| match event {
						Event::Claimed { amount, .. } => *amount,
						_ => 0,
					})
					.sum::<u128>();
			}
			assert_eq!(paid + stream_entry(stream).earned, stream_entry(stream).earned_total);
			assert!(stream_entry(stream).earned < 3 + 97 * 7);
			at(17 + u64::from(round) * 7);
			assert_ok!(tick(grant, 0, 7 + round * 7));
		}
		assert_eq!(stream_entry(stream).earned_total, 97 * 7 * 13);
	});
}

#[test]
fn success_shares_are_rounded_down_for_any_amount() {
	let amounts = [0, 1, 999_999, 1_000_000, 1 << 64, u128::MAX / 3, u128::MAX - 1, u128::MAX];
	for amount in amounts {
		for parts in [0, 1, 333_333, 500_000, 999_999, 1_000_000] {
			let exact = U256::from(amount) * U256::from(parts) / U256::from(1_000_000);
			let share = Permill::from_parts(parts).mul_floor(amount);
			assert_eq!(U256::from(share), exact, "{parts} of {amount}");
		}
	}
}

/// Whoever is told of a transfer, and calls again, finds every entry as it will be.
#[test]
fn fails_in_the_middle_of_another_claim() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = earned(1, 28, &[(CAROL, 500_000), (GHOST, 500_000)]);
		Interruption::set(move || {
			assert_noop!(PayStream::claim(signed(DAVE), stream), Error::<Test>::NothingToClaim);
			assert_eq!(stream_entry(stream).earned, 0);
		});
		assert_ok!(claim(stream));
		assert_eq!(Balances::free_balance(CAROL), ENDOWMENT + 14);
		assert_eq!(Balances::free_balance(GHOST), 14);
	});
}

#[test]
fn boundary_nothing_to_claim() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(claim(0), Error::<Test>::StreamNotFound);
		let (stream, _) = earned(1, 5, &[]);
		assert_ok!(claim(stream));
		assert_noop!(claim(stream), Error::<Test>::NothingToClaim);
		assert_noop!(PayStream::claim(RuntimeOrigin::none(), stream), DispatchError::BadOrigin);
	});
}

/// What of the state a claim looks at, in bytes of its proof, with so many sessions open.
fn proof_of_claim(sessions: u64) -> usize {
	let mut state = ExtBuilder::default().build();
	let stream = state.execute_with(|| {
		let (stream, grant) = earned(10, 10, &[(ALICE, 500_000), (CAROL, 500_000)]);
		let one = session(grant, 0);
		for nth in 1..sessions {
			Sessions::<Test>::insert(grant + nth, 0, one.clone());
		}
		let sessions_open = sessions as u32;
		Streams::<Test>::insert(stream, Stream { sessions_open, ..stream_entry(stream) });
		stream
	});
	state.commit_all().expect("it is in memory");
	let (result, proof) = state.execute_and_prove(|| PayStream::claim(signed(DAVE), stream));
	assert_ok!(result);
	proof.encoded_size()
}

#[test]
fn success_costs_the_same_however_many_sessions_there_are() {
	let [one, many] = [1, 1_000].map(proof_of_claim);
	// The tree is a little deeper. A look at each session would be more than 100 kB.
	assert!(many < one + 2_000, "{one} bytes with one session, {many} with a thousand");
}

/// Whether the last claim of a stream needs nobody, and what it leaves is nothing.
fn is_paid_by_nobody(stream: StreamId) {
	assert_ok!(by_nobody(Call::claim { stream }));
	assert!(!Streams::<Test>::contains_key(stream));
	assert_eq!(by_nobody(Call::claim { stream }), Err(Error::StreamNotFound));
}

#[test]
fn success_the_last_one_without_a_signature() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = earned(1, 5, &[(CAROL, 500_000), (DAVE, 500_000)]);
		let last = || unsigned(Call::claim { stream });
		assert_eq!(last(), Err(Error::ClaimNotLast));
		assert_ok!(PayStream::end_stream(signed(ALICE), stream));
		// Its session may still be closed.
		assert_eq!(last(), Err(Error::ClaimNotLast));
		let authorized: RuntimeOrigin = frame_system::RawOrigin::Authorized.into();
		assert_noop!(PayStream::claim(authorized, stream), Error::<Test>::ClaimNotLast);
		at(16);
		assert_ok!(close(grant, 0, 5));
		let valid = last().expect("it is the last");
		assert_eq!(valid.provides, vec![("PayStream/claim", stream).encode()]);
		assert_eq!(valid.priority, 0);
		is_paid_by_nobody(stream);
		assert_eq!(Balances::free_balance(CAROL), ENDOWMENT + 2);
		assert_eq!(Balances::free_balance(ALICE), ENDOWMENT + 1);
		assert_eq!(Balances::reserved_balance(ALICE), 0);
	});
}

#[test]
fn fails_unsigned_while_a_subscription_waits() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = ready();
		let tier = tier(100, 60, 50);
		offer(stream, &[tier]);
		assert_ok!(subscribe(stream, tier, 3));
		assert_ok!(PayStream::end_stream(signed(ALICE), stream));
		assert_eq!(by_nobody(Call::claim { stream }), Err(Error::ClaimNotLast));
		assert_ok!(step(|| PayStream::settle_subscription(signed(DAVE), stream, BOB)));
		is_paid_by_nobody(stream);
	});
}

/// What the check lets in must not fail, whatever stands in the way of the money: else it would be tried
/// for nothing again and again.
#[test]
fn success_unsigned_whatever_stands_in_the_way() {
	let ended = |asset: Kind| {
		assert_ok!(PayStream::deposit(signed(BOB), asset.clone(), 1_000));
		let list = payees(&[(GHOST, 500_000), (CAROL, 500_000)]);
		assert_ok!(PayStream::create_stream(signed(ALICE), asset.clone(), 1, list, 0, 0));
		let grant = new_grant(GrantTerms { asset, ..terms() });
		at(10);
		assert_ok!(open(grant, 0, 0, 100, 10));
		at(20);
		assert_ok!(close(grant, 0, 9));
		assert_ok!(PayStream::end_stream(signed(ALICE), 0));
	};
	let in_the_way: [(Kind, fn()); 6] = [
		// A payee without an account, and too little to make one.
		(NATIVE, || ()),
		(NATIVE, || {
			let (slashed, _) = Balances::slash(&HoldReason::Stream.into(), &ALICE, 500);
			drop(slashed);
		}),
		(TOKEN, || {
			assert_ok!(Assets::block(signed(ALICE), 7, CAROL));
		}),
		(TOKEN, || {
			assert_ok!(Assets::freeze_asset(signed(ALICE), 7));
		}),
		(TOKEN, || {
			assert_ok!(Assets::start_destroy(root(), 7));
			assert_ok!(Assets::destroy_accounts(signed(ALICE), 7));
			assert_ok!(PayStream::disable_asset(root(), TOKEN));
			assert_ok!(PayStream::write_off_asset(root(), TOKEN));
		}),
		(TOKEN, || {
			assert_ok!(Assets::start_destroy(root(), 7));
			assert_ok!(Assets::destroy_accounts(signed(ALICE), 7));
		}),
	];
	for (asset, happens) in in_the_way {
		ExtBuilder::default().build().execute_with(|| {
			ended(asset.clone());
			happens();
			assert_ok!(unsigned(Call::claim { stream: 0 }));
			let origin = frame_system::RawOrigin::Authorized.into();
			assert_ok!(PayStream::claim(origin, 0));
			// Dust keeps the stream, and is no reason to claim for nothing again.
			let kept = PayStream::is_dust(&asset, Vaults::<Test>::get(GHOST, &asset));
			assert_eq!(Streams::<Test>::contains_key(0), kept);
			let again = if kept { Error::ClaimNotLast } else { Error::StreamNotFound };
			assert_eq!(unsigned(Call::claim { stream: 0 }), Err(again));
		});
	}
}

#[test]
fn boundary_unsigned_of_the_free_lane() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = ready();
		assert_ok!(PayStream::end_stream(signed(ALICE), stream));
		let call = || Call::claim { stream };
		let most = PayStream::weight_of_last_claim(<Test as Config>::MaxPayees::get())
			.saturating_add(PayStream::weight_of_authorize_claim())
			.saturating_add(PayStream::weight_around_exit());
		let room = PayStream::free_limit().saturating_sub(most);
		FreeWeightUsed::<Test>::put(room.saturating_add(Weight::from_parts(1, 0)));
		assert_eq!(by_nobody(call()), Err(Error::FreeLaneFull));
		FreeWeightUsed::<Test>::kill();
		assert_ok!(by_nobody(call()));
		// What it turned out to be: one payee.
		let actual = PayStream::weight_of_last_claim(1)
			.saturating_add(PayStream::weight_of_authorize_claim())
			.saturating_add(PayStream::weight_around_exit());
		assert_eq!(FreeWeightUsed::<Test>::get(), actual);
	});
}

#[test]
fn success_signed_costs_what_it_did() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, _) = earned(10, 10, &[]);
		let (done, charged) = apply_as(DAVE, RuntimeCall::PayStream(Call::claim { stream }));
		assert_ok!(done);
		let check = PayStream::weight_of_authorize_claim();
		assert_eq!(charged, PayStream::weight_of_claim(1).saturating_sub(check));
	});
}
