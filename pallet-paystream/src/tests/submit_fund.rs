// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// A session on funds for 20 seconds, opened at 10.
fn opened() -> (StreamId, GrantId) {
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, 60, 10));
	(stream, grant)
}

#[test]
fn success_raises_what_is_reserved() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(15);
		events();
		assert_ok!(fund(grant, 0, 500));
		assert_eq!(events(), vec![Event::SessionFunded { grant, index: 0, funds: 500 }]);
		assert_eq!(session(grant, 0).funds, 500);
		assert_eq!(vault(BOB), 4_500);
		assert_eq!(grant_entry(grant).cap_left, 9_500);
	});
}

#[test]
fn boundary_of_low_funds() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		// 59 seconds are low, 60 are not.
		assert_eq!(fund(grant, 0, 179), Err(Error::FundTooSmall));
		assert_ok!(fund(grant, 0, 180));
		assert_eq!(fund(grant, 0, 500), Err(Error::FundTooEarly));
		at(15);
		assert_ok!(tick(grant, 0, 5));
		assert_ok!(fund(grant, 0, 500));
	});
}

#[test]
fn boundary_of_the_vault() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_ok!(PayStream::withdraw(signed(BOB), NATIVE, 4_900));
		assert_eq!(fund(grant, 0, 101), Err(Error::VaultTooLow));
		assert_eq!(fund(grant, 0, 99), Err(Error::FundTooSmall));
		// All that there is, though it does not last.
		assert_ok!(fund(grant, 0, 100));
		assert_eq!(vault(BOB), 0);
		assert!(!Vaults::<Test>::contains_key(BOB, NATIVE));
	});
}

#[test]
fn boundary_of_the_cap() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let grant = new_grant(GrantTerms { cap: 100, ..terms() });
		at(10);
		assert_ok!(open(grant, 0, stream, 60, 10));
		assert_eq!(fund(grant, 0, 101), Err(Error::CapTooLow));
		assert_eq!(fund(grant, 0, 99), Err(Error::FundTooSmall));
		assert_ok!(fund(grant, 0, 100));
		assert_eq!(grant_entry(grant).cap_left, 0);
	});
}

#[test]
fn fails_for_a_total_that_is_not_higher() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_eq!(fund(grant, 0, 60), Err(Error::OrderStale));
		assert_eq!(fund(grant, 0, 59), Err(Error::FundsNotHigher));
	});
}

#[test]
fn fails_for_a_session_that_is_not_open() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		assert_eq!(fund(grant, 1, 500), Err(Error::SessionNotFound));
		assert_eq!(fund(77, 0, 500), Err(Error::GrantNotFound));
		at(20);
		assert_ok!(close(grant, 0, 10));
		assert_eq!(fund(grant, 0, 500), Err(Error::OrderStale));
	});
}

#[test]
fn fails_for_an_ended_session() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at_ms(39_999);
		assert_ok!(pool(&signer(), grant, Order::Fund { index: 0, funds: 500 }));
		at(40);
		assert_eq!(fund(grant, 0, 500), Err(Error::SessionEnded));
	});
}
