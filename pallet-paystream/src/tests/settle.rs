// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::{
	deps::sp_runtime::traits::{Applyable, Checkable},
	testing_prelude::*,
};
use polkadot_sdk::pallet_utility;

fn settle(grant: GrantId, index: u32) -> DispatchResultWithPostInfo {
	step(|| PayStream::settle(signed(DAVE), grant, index))
}

/// A session whose window is over, with 10 seconds of 100 paid.
fn forgotten() -> (StreamId, GrantId) {
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, 300, 10));
	at(20);
	assert_ok!(tick(grant, 0, 10));
	at(200);
	(stream, grant)
}

#[test]
fn success_pays_nothing_more_and_returns_the_rest() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(tick(grant, 0, 10));
		at(200);
		events();
		assert_ok!(settle(grant, 0));
		assert_eq!(
			events(),
			vec![Event::SessionClosed {
				grant,
				index: 0,
				stream,
				seconds: 10,
				paid: 30,
				refunded: 270,
				ended_at: 50_000,
				reason: CloseReason::Settled,
			}]
		);
		assert_eq!(vault(BOB), 5_000 - 30);
		assert_eq!(grant_entry(grant).freed_end_at, 50_000);
		assert_eq!(grant_entry(grant).open.len(), 0);
	});
}

#[test]
fn success_of_the_last_session_deletes_an_expired_grant() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(15);
		assert_ok!(open(grant, 1, stream, 300, 10));
		at(1_000);
		assert_ok!(settle(grant, 1));
		assert_ok!(settle(grant, 0));
		assert_eq!(last_event(), Event::GrantDeleted { grant });
		assert_eq!(Balances::reserved_balance(BOB), 0);
		assert_eq!(vault(BOB), 5_000);
	});
}

#[test]
fn success_long_after_the_stream_has_forgotten_the_pause() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		let paused = |paused| StreamChange { paused: Some(paused), ..Default::default() };
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, paused(true)));
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, paused(false)));
		at(10_000);
		assert_ok!(PayStream::update_stream(signed(ALICE), stream, paused(true)));
		assert_eq!(stream_entry(stream).stops.to_vec(), vec![10_000_000]);
		assert_eq!(close(grant, 0, 10), Err(Error::SessionEnded));
		assert_ok!(settle(grant, 0));
		assert_eq!(vault(BOB), 5_000);
	});
}

#[test]
fn boundary_of_the_window() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(20);
		assert_noop!(settle(grant, 0), Error::<Test>::WindowOpen);
		at_ms(99_999);
		assert_noop!(settle(grant, 0), Error::<Test>::WindowOpen);
		at(100);
		assert_ok!(settle(grant, 0));
	});
}

#[test]
fn fails_for_no_session_and_unsigned() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = ready();
		assert_noop!(settle(grant, 0), Error::<Test>::SessionNotFound);
		assert_noop!(settle(77, 0), Error::<Test>::SessionNotFound);
		assert_noop!(PayStream::settle(RuntimeOrigin::none(), grant, 0), DispatchError::BadOrigin);
	});
}

#[test]
fn success_without_account_signature_or_fee() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = forgotten();
		let call = RuntimeCall::PayStream(Call::settle { grant, index: 0 });
		let transaction = Extrinsic::new_transaction(call, extension());
		let (info, len) = (transaction.get_dispatch_info(), transaction.encoded_size());
		let check = PayStream::weight_of_authorize_settle();
		assert_eq!(info.call_weight, <Test as Config>::WeightInfo::settle());
		assert!(info.extension_weight.all_gte(check));
		let checked = Checkable::check(transaction, &frame_system::ChainContext::<Test>::default())
			.expect("there is no signature to check");
		let done = checked.clone().apply::<Test>(&info, len).expect("it is valid");
		assert_ok!(done);
		assert_eq!(vault(BOB), 5_000 - 30);
		check_state();
		// Once: there is nothing left to settle.
		let again = checked.apply::<Test>(&info, len);
		let error = InvalidTransaction::Custom(Error::<Test>::SessionNotFound.encode()[0]);
		assert_eq!(again, Err(error.into()));
	});
}

#[test]
fn success_unsigned_one_of_a_session_and_after_every_order() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(15);
		assert_ok!(open(grant, 1, stream, 300, 10));
		at(200);
		let valid = |index| unsigned(Call::settle { grant, index }).expect("the window is over");
		assert_eq!(valid(0).provides, vec![("PayStream/settle", grant, 0u32).encode()]);
		assert_ne!(valid(0).provides, valid(1).provides);
		assert_eq!(valid(0).priority, 0);
		assert!(valid(0).propagate);
		assert!(valid(0).requires.is_empty());
	});
}

#[test]
fn boundary_unsigned_of_the_window() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		let call = || Call::settle { grant, index: 0 };
		at(20);
		assert_eq!(by_nobody(call()), Err(Error::WindowOpen));
		at_ms(99_999);
		assert_eq!(by_nobody(call()), Err(Error::WindowOpen));
		at(100);
		assert_ok!(by_nobody(call()));
		assert_eq!(by_nobody(call()), Err(Error::SessionNotFound));
		assert_eq!(by_nobody(Call::settle { grant: 77, index: 0 }), Err(Error::SessionNotFound));
	});
}

#[test]
fn boundary_unsigned_of_the_free_lane() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = forgotten();
		let call = || Call::settle { grant, index: 0 };
		let cost = <Test as Config>::WeightInfo::settle()
			.saturating_add(PayStream::weight_of_authorize_settle())
			.saturating_add(PayStream::weight_around_exit());
		let room = PayStream::free_limit().saturating_sub(cost);
		FreeWeightUsed::<Test>::put(room.saturating_add(Weight::from_parts(1, 0)));
		assert_eq!(by_nobody(call()), Err(Error::FreeLaneFull));
		// Who pays has the rest of the block.
		FreeWeightUsed::<Test>::put(room);
		assert_ok!(unsigned(call()));
		FreeWeightUsed::<Test>::kill();
		assert_ok!(by_nobody(call()));
		assert_eq!(FreeWeightUsed::<Test>::get(), cost);
	});
}

#[test]
fn fails_unsigned_where_the_chain_filters_it() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = forgotten();
		let name = |text: &[u8]| BoundedVec::truncate_from(text.to_vec());
		let paused = (name(b"PayStream"), name(b"settle"));
		assert_ok!(TxPause::pause(root(), paused.clone()));
		let call = || Call::settle { grant, index: 0 };
		assert_eq!(by_nobody(call()), Err(Error::CallFiltered));
		assert_ok!(TxPause::unpause(root(), paused));
		assert_ok!(by_nobody(call()));
	});
}

/// An account pays for no check that was not made, and within another call there was none to pay for.
#[test]
fn success_signed_costs_what_it_did() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 300, 10));
		at(15);
		assert_ok!(open(grant, 1, stream, 300, 10));
		at(200);
		let whole = <Test as Config>::WeightInfo::settle();
		let call = |index| RuntimeCall::PayStream(Call::settle { grant, index });
		let (done, charged) = apply_as(DAVE, call(0));
		assert_ok!(done);
		// The extension's part is not in what is charged here.
		assert_eq!(charged, whole.saturating_sub(PayStream::weight_of_authorize_settle()));
		let batch = pallet_utility::Call::batch { calls: vec![call(1)] };
		let (done, charged) = apply_as(DAVE, batch.into());
		assert_ok!(done);
		assert_eq!(vault(BOB), 5_000);
		assert!(charged.ref_time() >= whole.ref_time(), "{charged:?} for {whole:?}");
		assert_eq!(FreeWeightUsed::<Test>::get(), Weight::zero());
	});
}
