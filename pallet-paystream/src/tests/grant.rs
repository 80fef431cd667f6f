// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

fn grant_as(viewer: u64, by: &Delegate, terms: GrantTermsOf<Test>) -> DispatchResult {
	let proof = by.sign(&PayStream::grant_bytes(&viewer));
	step(|| PayStream::grant(signed(viewer), by.key(), proof, terms))
}

fn grant(terms: GrantTermsOf<Test>) -> DispatchResult {
	grant_as(BOB, &signer(), terms)
}

#[test]
fn success_stores_the_terms_and_holds_the_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		at(4);
		assert_ok!(grant(terms()));
		assert_eq!(
			last_event(),
			Event::Granted {
				grant: 0,
				viewer: BOB,
				key: signer().key(),
				asset: NATIVE,
				cap: 10_000,
				rate_max_per_second: 5,
				expires_at: 1_000_000,
			}
		);
		let entry = grant_entry(0);
		assert_eq!((entry.created_at, entry.ended_at), (4_000, 1_000_000));
		assert_eq!((entry.cap_left, entry.spent, entry.next_index), (10_000, 0, 0));
		assert_eq!((entry.tips_left, entry.renewals_left), (0, 0));
		assert_eq!(Balances::reserved_balance(BOB), 600);
		assert!(GrantsOf::<Test>::contains_key(BOB, 0));
	});
}

#[test]
fn success_with_either_kind_of_key_and_for_several_viewers() {
	ExtBuilder::default().build_and_execute(|| {
		let by = Delegate::ed25519(3);
		assert_ok!(grant_as(BOB, &by, terms()));
		assert_ok!(grant_as(CAROL, &by, terms()));
		assert_ok!(grant_as(BOB, &by, terms()));
		assert_eq!(grant_entry(1).viewer, CAROL);
		assert_eq!(GrantsOf::<Test>::iter_prefix(BOB).count(), 2);
	});
}

#[test]
fn boundary_of_the_terms() {
	ExtBuilder::default().build_and_execute(|| {
		at(4);
		for gap_ms in [9_999, 3_600_001] {
			assert_noop!(grant(GrantTerms { gap_ms, ..terms() }), Error::<Test>::GapOutOfRange);
		}
		for gap_ms in [10_000, 3_600_000] {
			assert_ok!(grant(GrantTerms { gap_ms, ..terms() }));
		}
		for sessions_max in [0, 17] {
			assert_noop!(
				grant(GrantTerms { sessions_max, ..terms() }),
				Error::<Test>::SessionsMaxOutOfRange
			);
		}
		for sessions_max in [1, 16] {
			assert_ok!(grant(GrantTerms { sessions_max, ..terms() }));
		}
		assert_noop!(grant(GrantTerms { cap: 0, ..terms() }), Error::<Test>::CapZero);
		assert_ok!(grant(GrantTerms { cap: 1, ..terms() }));
		assert_noop!(
			grant(GrantTerms { rate_max_per_second: 0, ..terms() }),
			Error::<Test>::RateZero
		);
		assert_ok!(grant(GrantTerms { rate_max_per_second: 1, ..terms() }));
		assert_noop!(
			grant(GrantTerms { expires_at: 4_000, ..terms() }),
			Error::<Test>::ExpiryInPast
		);
		assert_ok!(grant(GrantTerms { expires_at: 4_001, ..terms() }));
		assert_ok!(grant(GrantTerms { expires_at: u64::MAX, ..terms() }));
	});
}

#[test]
fn fails_without_the_keys_own_proof() {
	ExtBuilder::default().build_and_execute(|| {
		let by = signer();
		let good = PayStream::grant_bytes(&BOB);
		let refuse = |key: DelegateKey, proof: DelegateSignature| {
			assert_noop!(
				PayStream::grant(signed(BOB), key, proof, terms()),
				Error::<Test>::KeyProofInvalid
			);
		};
		// Another key's, another viewer's, another message's, another kind's.
		refuse(by.key(), Delegate::sr25519(8).sign(&good));
		refuse(by.key(), by.sign(&PayStream::grant_bytes(&CAROL)));
		refuse(by.key(), by.sign(&[b"<Bytes>", &good[..], b"</Bytes>"].concat()));
		refuse(by.key(), Delegate::ed25519(7).sign(&good));
		// An order is no proof.
		refuse(
			by.key(),
			by.sign(&PayStream::order_bytes(0, &Order::Tick { index: 0, seconds: 9 })),
		);
		assert_ok!(PayStream::grant(signed(BOB), by.key(), by.sign(&good), terms()));
	});
}

#[test]
fn success_the_signed_bytes_are_the_documented_ones() {
	ExtBuilder::default().build_and_execute(|| {
		let genesis = System::block_hash(0);
		let mut grant = b"PayStream/grant/v1".to_vec();
		grant.extend(genesis.as_bytes());
		grant.push(10);
		grant.extend(BOB.to_le_bytes());
		assert_eq!(PayStream::grant_bytes(&BOB), grant);

		let mut order = b"PayStream/order/v1".to_vec();
		order.extend(genesis.as_bytes());
		order.push(10);
		order.extend(0x0102_u64.to_le_bytes());
		order.extend([2, 3, 0, 0, 0, 42, 0, 0, 0]);
		assert_eq!(PayStream::order_bytes(0x0102, &Order::Tick { index: 3, seconds: 42 }), order);

		let open: OrderOf<Test> = Order::Open {
			index: 1,
			stream: 2,
			rate_per_second: 3,
			funds: 4,
			start_at: 5,
			tick_price_max: 6,
		};
		let mut bytes = vec![0, 1, 0, 0, 0];
		bytes.extend(2u64.to_le_bytes());
		bytes.extend(3u128.to_le_bytes());
		bytes.extend(4u128.to_le_bytes());
		bytes.extend(5u64.to_le_bytes());
		bytes.extend(6u128.to_le_bytes());
		assert_eq!(open.encode(), bytes);
	});
}

#[test]
fn fails_for_the_pot_and_without_the_deposit() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(grant_as(PayStream::pot(), &signer(), terms()), Error::<Test>::PotRefused);
		assert_noop!(grant_as(GHOST, &signer(), terms()), TokenError::FundsUnavailable);
		assert_noop!(
			grant(GrantTerms { asset: FOREIGN, ..terms() }),
			Error::<Test>::AssetNotEnabled
		);
		NextGrantId::<Test>::put(u64::MAX);
		assert_noop!(grant(terms()), Error::<Test>::Overflow);
	});
}
