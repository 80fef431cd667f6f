// SPDX-License-Identifier: Apache-2.0

//! Tips of a wallet. Those of a key are in `submit_tip`.

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn message(text: &[u8]) -> MessageOf<Test> {
	text.to_vec().try_into().expect("the message is short enough")
}

fn tip(stream: StreamId, amount: u128) -> DispatchResult {
	step(|| PayStream::tip(signed(BOB), stream, amount, message(b"")))
}

#[test]
fn success_pays_the_stream_from_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		let stream = new_stream(3);
		events();
		let thanks = message(b"thank you");
		assert_ok!(step(|| PayStream::tip(signed(BOB), stream, 120, thanks.clone())));
		assert_eq!(
			events(),
			vec![Event::Tipped { stream, viewer: BOB, amount: 120, message: thanks, grant: None }]
		);
		assert_eq!(vault(BOB), 380);
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.earned_total, entry.tips_total), (120, 120, 120));
		assert_eq!((entry.seconds, entry.fees), (0, 0));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(total(ALICE), ENDOWMENT + 120);
		assert_eq!(stream_entry(stream).tips_total, 120);
	});
}

#[test]
fn success_on_a_paused_stream_and_in_a_disabled_asset() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		let stream = new_stream(3);
		let pause = StreamChange { paused: Some(true), ..Default::default() };
		assert_ok!(step(|| PayStream::update_stream(signed(ALICE), stream, pause)));
		assert_ok!(step(|| PayStream::disable_asset(root(), NATIVE)));
		// Below the least free tip: a wallet pays a fee.
		assert_ok!(tip(stream, 1));
		assert_eq!(stream_entry(stream).tips_total, 1);
	});
}

#[test]
fn boundary_of_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		let stream = new_stream(3);
		assert_noop!(tip(stream, 501), Error::<Test>::VaultTooLow);
		assert_noop!(tip(stream, 0), Error::<Test>::AmountZero);
		assert_ok!(tip(stream, 490));
		assert_eq!(vault(BOB), 10);
		assert_ok!(tip(stream, 10));
		assert!(!Vaults::<Test>::contains_key(BOB, NATIVE));
	});
}

#[test]
fn boundary_of_the_message() {
	assert!(MessageOf::<Test>::try_from(vec![0; 32]).is_ok());
	assert!(MessageOf::<Test>::try_from(vec![0; 33]).is_err());
}

#[test]
fn fails_for_no_stream_and_an_ended_one() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		assert_noop!(tip(0, 20), Error::<Test>::StreamNotFound);
		let stream = new_stream(3);
		assert_ok!(step(|| PayStream::end_stream(signed(ALICE), stream)));
		assert_noop!(tip(stream, 20), Error::<Test>::StreamEnded);
		assert_noop!(
			PayStream::tip(RuntimeOrigin::none(), stream, 20, message(b"")),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn fails_in_another_asset_than_the_vaults() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(500);
		assert_ok!(step(|| PayStream::create_stream(signed(ALICE), TOKEN, 1, payees(&[]), 0, 0)));
		assert_noop!(tip(0, 20), Error::<Test>::VaultTooLow);
	});
}

/// An asset's issuer can pass the same tokens through a stream until its totals are full.
#[test]
fn boundary_full_totals_stand_in_nobodys_way() {
	ExtBuilder::default().build().execute_with(|| {
		fill_vault(500);
		let stream = new_stream(3);
		let full = u128::MAX;
		Streams::<Test>::insert(
			stream,
			Stream {
				earned_total: full,
				tips_total: full,
				subscribed_total: full,
				refunded_total: full,
				..stream_entry(stream)
			},
		);
		let monthly = tier(100, 60, 0);
		offer(stream, &[monthly]);
		assert_ok!(PayStream::tip(signed(BOB), stream, 20, message(b"")));
		assert_ok!(PayStream::subscribe(signed(BOB), stream, monthly, 2));
		assert_ok!(PayStream::refund(signed(ALICE), stream, BOB, 30));
		assert_ok!(PayStream::tip(signed(BOB), stream, 20, message(b"")));
		at(70);
		assert_ok!(PayStream::cancel_subscription(signed(BOB), stream));
		assert_ok!(PayStream::settle_subscription(signed(DAVE), stream, BOB).map(|_| ()).or_else(
			|error| match error == Error::<Test>::SubscriptionRunning.into() {
				true => Ok(()),
				false => Err(error),
			}
		));
		let entry = stream_entry(stream);
		assert_eq!((entry.earned_total, entry.tips_total), (full, full));
		assert_eq!((entry.subscribed_total, entry.refunded_total), (full, full));
		check_state();
	});
}

#[test]
fn fails_when_the_earnings_would_overflow() {
	ExtBuilder::default().build().execute_with(|| {
		fill_vault(500);
		let stream = new_stream(3);
		Streams::<Test>::insert(stream, Stream { earned: u128::MAX, ..stream_entry(stream) });
		assert_noop!(
			PayStream::tip(signed(BOB), stream, 20, message(b"")),
			Error::<Test>::Overflow
		);
	});
}

/// What nobody holds a deposit for must be worth its place (rule 10).
#[test]
fn boundary_of_what_is_left_in_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(100);
		let stream = new_stream(1);
		let tip = |amount| PayStream::tip(signed(BOB), stream, amount, Default::default());
		for dust in [91, 99] {
			assert_noop!(tip(dust), Error::<Test>::VaultDust);
		}
		assert_ok!(step(|| tip(90)));
		assert_eq!(vault(BOB), EXISTENTIAL_DEPOSIT);
		// All that is there.
		assert_ok!(step(|| tip(10)));
		assert!(!Vaults::<Test>::contains_key(BOB, NATIVE));
	});
}
