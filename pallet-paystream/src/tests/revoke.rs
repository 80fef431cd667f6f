// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn revoke(grant: GrantId) -> DispatchResultWithPostInfo {
	step(|| PayStream::revoke(signed(BOB), grant))
}

#[test]
fn success_without_sessions_deletes_at_once() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = ready();
		assert_eq!(Balances::reserved_balance(BOB), 600);
		events();
		assert_ok!(revoke(grant));
		assert_eq!(
			events(),
			vec![Event::Revoked { grant, viewer: BOB }, Event::GrantDeleted { grant }]
		);
		assert_eq!(Balances::reserved_balance(BOB), 0);
		assert_eq!(Grants::<Test>::get(grant), None);
		assert!(!GrantsOf::<Test>::contains_key(BOB, grant));
		// The id is not used again.
		assert_eq!(new_grant(terms()), grant + 1);
	});
}

#[test]
fn success_ends_all_sessions_now() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(15);
		assert_ok!(open(grant, 1, stream, 300, 15));
		at(20);
		let post = revoke(grant).expect("the viewer may");
		assert_eq!(post.actual_weight, Some(<Test as Config>::WeightInfo::revoke(2)));
		assert_eq!(grant_entry(grant).ended_at, 20_000);
		for index in [0, 1] {
			assert_eq!(session(grant, index).ended_at, 20_000);
		}
		at(21);
		assert_eq!(open(grant, 2, stream, 300, 21), Err(Error::GrantEnded));
		assert_eq!(fund(grant, 0, 400), Err(Error::SessionEnded));
		assert_ok!(close(grant, 0, 10));
		assert!(Grants::<Test>::contains_key(grant));
		events();
		assert_ok!(close(grant, 1, 5));
		assert_eq!(events().pop(), Some(Event::GrantDeleted { grant }));
		assert_eq!(Balances::reserved_balance(BOB), 0);
		assert_eq!(vault(BOB), 5_000 - 45);
	});
}

#[test]
fn success_spares_a_session_that_ended_earlier() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		// Its silence has ended it at 40.
		at(50);
		assert_ok!(revoke(grant));
		assert_eq!(close(grant, 0, 31), Err(Error::AheadOfClock));
		assert_ok!(close(grant, 0, 30));
	});
}

#[test]
fn success_deletes_an_expired_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = ready();
		at(1_000);
		events();
		assert_ok!(revoke(grant));
		assert_eq!(events(), vec![Event::GrantDeleted { grant }]);
		assert_eq!(Balances::reserved_balance(BOB), 0);
	});
}

#[test]
fn success_releases_what_is_left_of_a_slashed_deposit() {
	ExtBuilder::default().build().execute_with(|| {
		use frame::token::fungible::MutateHold;
		let (_, grant) = ready();
		let reason = HoldReason::Grant.into();
		let slashed = Balances::burn_held(&reason, &BOB, 100, Precision::Exact, Fortitude::Force);
		assert_ok!(slashed);
		assert_ok!(PayStream::revoke(signed(BOB), grant));
		assert_eq!(Balances::reserved_balance(BOB), 0);
		assert_eq!(Grants::<Test>::get(grant), None);
	});
}

#[test]
fn fails_for_an_ended_grant_with_sessions() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(revoke(grant));
		assert_noop!(PayStream::revoke(signed(BOB), grant), Error::<Test>::GrantEnded);
	});
}

#[test]
fn fails_for_others_and_for_none() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(PayStream::revoke(signed(BOB), 0), Error::<Test>::GrantNotFound);
		let (_, grant) = ready();
		assert_noop!(PayStream::revoke(signed(CAROL), grant), Error::<Test>::NotViewer);
	});
}

/// A grant under which Bob has paid 30 of 39: what is left is below the existential deposit, and the
/// grant's deposit pays for its place.
fn with_dust() -> GrantId {
	fill_vault(39);
	let stream = new_stream(3);
	let grant = new_grant(terms());
	at(10);
	assert_ok!(open(grant, 0, stream, 30, 10));
	at(20);
	grant
}

#[test]
fn success_dust_leaves_with_the_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let grant = with_dust();
		assert_ok!(close(grant, 0, 10));
		assert_eq!(vault(BOB), 9);
		events();
		let post = revoke(grant).expect("the viewer may");
		assert_eq!(post.actual_weight, Some(PayStream::weight_of_letting_go()));
		assert_eq!(
			events(),
			vec![
				Event::Revoked { grant, viewer: BOB },
				Event::GrantDeleted { grant },
				Event::Withdrawn { who: BOB, asset: NATIVE, amount: 9 },
			]
		);
		assert_eq!(total(BOB), ENDOWMENT - 30);
		assert_eq!(Balances::reserved_balance(BOB), 0);
	});
}

#[test]
fn success_a_closing_leaves_the_grant_that_pays_for_dust() {
	ExtBuilder::default().build_and_execute(|| {
		let grant = with_dust();
		assert_ok!(revoke(grant));
		assert_ok!(close(grant, 0, 10));
		assert_eq!((vault(BOB), Balances::reserved_balance(BOB)), (9, 600));
		assert!(grant_entry(grant).open.is_empty());
		assert_ok!(revoke(grant));
		assert_eq!((vault(BOB), total(BOB)), (0, ENDOWMENT - 30));
		assert_noop!(revoke(grant), Error::<Test>::GrantNotFound);
	});
}

#[test]
fn success_a_grant_stays_while_the_account_cannot_take_its_dust() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Assets::force_create(root(), 8, ALICE, true, 10));
		for (who, amount) in [(BOB, 49), (PayStream::pot(), 10)] {
			assert_ok!(Assets::mint(signed(ALICE), 8, who, amount));
		}
		assert_ok!(PayStream::enable_asset(root(), FOREIGN, 1));
		assert_ok!(step(|| PayStream::deposit(signed(BOB), FOREIGN, 39)));
		assert_ok!(Assets::transfer(signed(BOB), 8, ALICE, 10));
		let list = payees(&[]);
		assert_ok!(step(|| PayStream::create_stream(signed(ALICE), FOREIGN, 3, list, 0, 0)));
		let grant = new_grant(GrantTerms { asset: FOREIGN, ..terms() });
		at(10);
		assert_ok!(open(grant, 0, 0, 30, 10));
		at(20);
		assert_ok!(close(grant, 0, 10));
		events();
		// It ends all the same.
		assert_ok!(revoke(grant));
		assert_eq!(events(), vec![Event::Revoked { grant, viewer: BOB }]);
		assert_eq!(grant_entry(grant).ended_at, 20_000);
		assert_eq!(Balances::reserved_balance(BOB), 600);
		assert_noop!(revoke(grant), Error::<Test>::VaultDust);
		// An account to which it can go, or a vault that is worth its place.
		assert_ok!(Assets::transfer(signed(ALICE), 8, BOB, 10));
		assert_ok!(revoke(grant));
		assert_eq!(Assets::balance(8, BOB), 10 + 9);
		assert_eq!(Balances::reserved_balance(BOB), 0);
	});
}
