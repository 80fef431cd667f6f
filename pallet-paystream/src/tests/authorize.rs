// SPDX-License-Identifier: Apache-2.0

//! What the pool says: reasons, tags, priorities, the free lane; and the whole way of a general
//! transaction through the extension.

use crate::{mock::*, order::OPEN_PRIORITY, *};
use frame::{
	deps::sp_runtime::traits::{Applyable, Checkable},
	testing_prelude::*,
	token::fungible::Mutate as _,
};

/// A session on funds for 100 seconds, opened at 10.
fn opened() -> (StreamId, GrantId) {
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, 300, 10));
	(stream, grant)
}

fn custom(error: Error<Test>) -> InvalidTransaction {
	InvalidTransaction::Custom(error.encode()[0])
}

fn tick_order(seconds: u32) -> OrderOf<Test> {
	Order::Tick { index: 0, seconds }
}

fn close_order(seconds: u32) -> OrderOf<Test> {
	Order::Close { index: 0, seconds }
}

#[test]
fn success_names_one_tag_for_each_lane() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(20);
		let tag = |index: u32, lane: u8| vec![("PayStream", grant, lane, index).encode()];
		let provides = |order| pool(&signer(), grant, order).map(|valid| valid.provides);
		let open = Order::Open {
			index: 1,
			stream,
			rate_per_second: 3,
			funds: 300,
			start_at: 0,
			tick_price_max: 1_000,
		};
		assert_eq!(provides(open), Ok(tag(1, 0)));
		assert_eq!(provides(tick_order(10)), Ok(tag(0, 1)));
		assert_eq!(provides(close_order(10)), Ok(tag(0, 1)));
		assert_eq!(pool(&signer(), grant, tick_order(10)).map(|v| v.longevity), Ok(64));
		assert_eq!(pool(&signer(), grant, tick_order(10)).map(|v| v.propagate), Ok(true));
		assert_eq!(pool(&signer(), grant, tick_order(10)).map(|v| v.requires), Ok(vec![]));
		at(39);
		assert_ok!(tick(grant, 0, 29));
		at(60);
		assert_ok!(tick(grant, 0, 45));
		assert_eq!(provides(Order::Fund { index: 0, funds: 500 }), Ok(tag(0, 2)));
	});
}

#[test]
fn success_a_higher_total_goes_before_a_lower_one() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(30);
		let priority = |order| pool(&signer(), grant, order).map(|valid| valid.priority);
		assert_eq!(priority(tick_order(10)), Ok(20));
		assert_eq!(priority(tick_order(11)), Ok(22));
		assert_eq!(priority(close_order(10)), Ok(21));
		assert_eq!(priority(close_order(0)), Ok(1));
		let open = Order::Open {
			index: 1,
			stream,
			rate_per_second: 3,
			funds: 300,
			start_at: 0,
			tick_price_max: 1_000,
		};
		assert_eq!(priority(open), Ok(OPEN_PRIORITY));
		assert_ok!(tick(grant, 0, 10));
		// What counts is what the ledger has not seen.
		assert_eq!(priority(tick_order(15)), Ok(10));
		at(45);
		assert_ok!(tick(grant, 0, 25));
		at(60);
		assert_ok!(tick(grant, 0, 41));
		// A fund is as urgent as the seconds that it lacks; one that lasts twice as long replaces it.
		let fund = |funds| priority(Order::Fund { index: 0, funds }).expect("59 seconds are left");
		assert_eq!(fund(600), 2 + 1);
		assert_eq!(fund(1_000), 2 + 2);
		at(80);
		assert_ok!(tick(grant, 0, 61));
		let fund = |funds| priority(Order::Fund { index: 0, funds }).expect("39 seconds are left");
		assert_eq!(fund(600), 2 * 21 + 1);
	});
}

#[test]
fn success_a_chain_sets_where_orders_stand_among_its_transactions() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		OrderPriority::set(1_000);
		assert_eq!(pool(&signer(), grant, tick_order(9)).map(|valid| valid.priority), Ok(1_018));
		OrderPriority::set(u64::MAX);
		assert_eq!(pool(&signer(), grant, tick_order(9)).map(|valid| valid.priority), Ok(u64::MAX));
	});
}

#[test]
fn success_a_tick_beyond_the_funds_is_ranked_by_its_total() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		assert_ok!(open(grant, 0, stream, 15, 10));
		at(30);
		let priority = |order| pool(&signer(), grant, order).map(|valid| valid.priority);
		assert_eq!(priority(tick_order(10)), Ok(20));
		assert_eq!(priority(tick_order(20)), Ok(40));
		assert_eq!(priority(close_order(20)), Ok(41));
	});
}

#[test]
fn fails_each_for_its_own_reason() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		assert_ok!(tick(grant, 0, 8));
		let refused = |order| pool(&signer(), grant, order).expect_err("it is refused");
		assert_eq!(refused(tick_order(8)), InvalidTransaction::Stale);
		assert_eq!(refused(tick_order(7)), custom(Error::TotalLower));
		assert_eq!(refused(close_order(7)), custom(Error::TotalLower));
		assert_eq!(refused(tick_order(11)), custom(Error::AheadOfClock));
		assert_eq!(refused(tick_order(9)), custom(Error::TickTooSmall));
		assert_eq!(refused(Order::Tick { index: 1, seconds: 9 }), custom(Error::SessionNotFound));
		assert_eq!(pool(&signer(), grant + 1, tick_order(9)), Err(custom(Error::GrantNotFound)));
		assert_eq!(refused(Order::Fund { index: 0, funds: 300 }), InvalidTransaction::Stale);
		at(30);
		// Only an order that the ledger would take is worth a signature check.
		let foreign = Delegate::sr25519(66);
		assert_eq!(pool(&foreign, grant, tick_order(13)), Err(InvalidTransaction::BadProof));
		assert_eq!(pool(&foreign, grant, tick_order(8)), Err(InvalidTransaction::Stale));
		assert_ok!(close(grant, 0, 10));
		assert_eq!(refused(close_order(10)), InvalidTransaction::Stale);
	});
}

#[test]
fn fails_for_a_signature_of_something_else() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		let order = tick_order(9);
		let refuse = |signature| {
			let order = order.clone();
			let call = RuntimeCall::PayStream(Call::submit { grant, order, signature });
			assert_eq!(
				call.authorize(TransactionSource::InBlock),
				Some(Err(InvalidTransaction::BadProof.into()))
			);
		};
		// Another total, another grant, another chain, another pallet.
		refuse(signer().sign(&PayStream::order_bytes(grant, &tick_order(10))));
		refuse(signer().sign(&PayStream::order_bytes(grant + 1, &order)));
		let bytes = PayStream::order_bytes(grant, &order);
		for place in [0, 18, 50] {
			let mut other = bytes.clone();
			other[place] ^= 1;
			refuse(signer().sign(&other));
		}
		// Another kind of signature.
		refuse(Delegate::ed25519(7).sign(&bytes));
	});
}

#[test]
fn boundary_of_the_free_lane() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		let order = tick_order(9);
		let cost = PayStream::free_cost(&order);
		let room = PayStream::free_limit().saturating_sub(cost);
		FreeWeightUsed::<Test>::put(room.saturating_add(Weight::from_parts(1, 0)));
		assert_eq!(
			pool(&signer(), grant, order.clone()),
			Err(InvalidTransaction::ExhaustsResources)
		);
		assert_eq!(submit(grant, order.clone()), Err(Error::FreeLaneFull));
		FreeWeightUsed::<Test>::put(room);
		assert_ok!(pool(&signer(), grant, order.clone()));
		// What it turned out to be is what is booked: a tick that does not close.
		FreeWeightUsed::<Test>::kill();
		assert_ok!(submit(grant, order));
		let used = FreeWeightUsed::<Test>::get();
		type Weights = <Test as Config>::WeightInfo;
		let around = PayStream::weight_around(&tick_order(9));
		assert_eq!(used, Weights::submit_tick().saturating_add(around));
		assert!(used.ref_time() < cost.ref_time());
		// Every block begins with an empty lane.
		PayStream::on_finalize(System::block_number());
		assert_eq!(FreeWeightUsed::<Test>::get(), Weight::zero());
		assert!(!FreeWeightUsed::<Test>::exists());
	});
}

#[test]
fn success_the_whole_way_without_account_nonce_or_fee() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(20);
		let order = tick_order(9);
		let signature = signer().sign(&PayStream::order_bytes(grant, &order));
		let call = RuntimeCall::PayStream(Call::submit { grant, order: order.clone(), signature });
		let transaction = Extrinsic::new_transaction(call, extension());
		let info = transaction.get_dispatch_info();
		assert_eq!(info.call_weight, PayStream::weight_of_submit(&order));
		assert!(info.extension_weight.all_gte(PayStream::weight_of_authorize_submit(&order)));
		let len = transaction.encoded_size();
		let checked = Checkable::check(transaction, &frame_system::ChainContext::<Test>::default())
			.expect("a general transaction carries no signature of its own");
		let valid = checked
			.validate::<Test>(TransactionSource::External, &info, len)
			.expect("the key has signed");
		assert_eq!(valid.priority, 18);
		let done = checked.apply::<Test>(&info, len).expect("it is still valid");
		let post = done.expect("what is valid does not fail");
		// The block is charged for a tick that goes on, and for its own check: none of a close's is kept.
		let spent = post.actual_weight.expect("it is told").saturating_add(base_weight());
		let counted = FreeWeightUsed::<Test>::get();
		assert_eq!(spent.ref_time(), counted.ref_time());
		assert!(spent.saturating_add(Weight::from_parts(0, len as u64)).all_lte(counted));
		assert_eq!(stream_entry(stream).earned, 27);
	});
}

#[test]
fn fails_as_a_whole_when_the_ledger_refuses() {
	ExtBuilder::default().build_and_execute(|| {
		let (_, grant) = opened();
		at(20);
		let order = tick_order(40);
		let signature = signer().sign(&PayStream::order_bytes(grant, &order));
		let call = RuntimeCall::PayStream(Call::submit { grant, order, signature });
		let transaction = Extrinsic::new_transaction(call, extension());
		let (info, len) = (transaction.get_dispatch_info(), transaction.encoded_size());
		let checked = Checkable::check(transaction, &frame_system::ChainContext::<Test>::default())
			.expect("a general transaction carries no signature of its own");
		// Of time alone: an author's pool keeps it for the next block.
		assert_eq!(checked.apply::<Test>(&info, len), Err(InvalidTransaction::Future.into()));
	});
}

/// Whether the whole way of a tick is refused before it is included, as what, and for free.
fn refused_on_the_way(grant: GrantId, seconds: u32) -> TransactionValidityError {
	let order = tick_order(seconds);
	let signature = signer().sign(&PayStream::order_bytes(grant, &order));
	let call = RuntimeCall::PayStream(Call::submit { grant, order, signature });
	let transaction = Extrinsic::new_transaction(call, extension());
	let (info, len) = (transaction.get_dispatch_info(), transaction.encoded_size());
	let checked = Checkable::check(transaction, &frame_system::ChainContext::<Test>::default())
		.expect("a general transaction carries no signature of its own");
	checked.apply::<Test>(&info, len).expect_err("it is not let in")
}

#[test]
fn fails_where_the_chain_is_in_safe_mode() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(20);
		assert_ok!(pallet_safe_mode::Pallet::<Test>::force_enter(root()));
		assert_eq!(pool(&signer(), grant, tick_order(9)), Err(custom(Error::CallFiltered)));
		assert_eq!(refused_on_the_way(grant, 9), custom(Error::CallFiltered).into());
		assert_eq!(stream_entry(stream).seconds, 0);
		assert_ok!(pallet_safe_mode::Pallet::<Test>::force_exit(root()));
		assert_ok!(tick(grant, 0, 9));
	});
}

#[test]
fn fails_where_orders_are_paused() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened();
		at(20);
		let name = |text: &str| text.as_bytes().to_vec().try_into().expect("it is short enough");
		let submit = (name("PayStream"), name("submit"));
		assert_ok!(pallet_tx_pause::Pallet::<Test>::pause(root(), submit.clone()));
		assert_eq!(pool(&signer(), grant, tick_order(9)), Err(custom(Error::CallFiltered)));
		assert_eq!(refused_on_the_way(grant, 9), custom(Error::CallFiltered).into());
		// Batches are another call, and go on until they are paused too.
		assert_ok!(submit_batch(vec![item(grant, tick_order(9))]));
		assert_eq!(stream_entry(stream).seconds, 9);
		assert_ok!(pallet_tx_pause::Pallet::<Test>::unpause(root(), submit));
		at(30);
		assert_ok!(tick(grant, 0, 15));
	});
}

/// So many viewers with a grant each, and a session of 100 seconds that has run for ten.
fn opened_by(viewers: u64) -> StreamId {
	let stream = new_stream(3);
	for viewer in 100..100 + viewers {
		assert_ok!(Balances::mint_into(&viewer, ENDOWMENT));
		assert_ok!(PayStream::deposit(signed(viewer), NATIVE, 5_000));
		let proof = signer().sign(&PayStream::grant_bytes(&viewer));
		assert_ok!(PayStream::grant(signed(viewer), signer().key(), proof, terms()));
	}
	at(10);
	for grant in 0..viewers {
		assert_ok!(open(grant, 0, stream, 300, 10));
	}
	at(20);
	stream
}

/// The part of the lane that has room for so many orders.
fn share_of(orders: u32, order: &OrderOf<Test>) -> Perbill {
	let (cost, limit) = (PayStream::free_cost(order), PayStream::free_limit());
	let up = frame::deps::sp_runtime::Rounding::Up;
	let one = Perbill::from_rational_with_rounding(cost.ref_time(), limit.ref_time(), up);
	Perbill::from_parts(one.expect("it is less than the whole").deconstruct() * orders)
}

#[test]
fn boundary_of_what_one_account_takes_of_the_lane() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		let stream = new_stream(3);
		let grants: Vec<_> = (0..6).map(|_| new_grant(terms())).collect();
		at(10);
		for grant in &grants {
			assert_ok!(open(*grant, 0, stream, 300, 10));
		}
		at(20);
		// Room for three ticks of the six at their dearest, whatever grants they are of.
		let share = share_of(3, &tick_order(9));
		AccountShare::set(share);
		let taken = grants.iter().filter(|grant| tick(**grant, 0, 9) == Ok(())).count();
		assert!((3..6).contains(&taken), "{taken}");
		assert_eq!(pool(&signer(), 5, tick_order(9)), Err(InvalidTransaction::ExhaustsResources));
		// The next block has room for them again.
		at(30);
		assert_ok!(tick(5, 0, 18));
		assert_ok!(tick(4, 0, 18));
		// In a batch they are paid for.
		AccountShare::set(Perbill::zero());
		at(40);
		let post = submit_batch(vec![item(5, tick_order(27))]).expect("it is in order");
		assert_eq!((post.pays_fee, session(5, 0).seconds), (Pays::Yes, 27));
		AccountShare::set(share);
		at(50);
		let post = submit_batch(vec![item(5, tick_order(36))]).expect("it is in order");
		assert_eq!((post.pays_fee, session(5, 0).seconds), (Pays::No, 36));
	});
}

#[test]
fn success_others_have_the_lane_beside_an_account_that_has_its_part() {
	ExtBuilder::default().build_and_execute(|| {
		let viewers = 24;
		opened_by(viewers);
		AccountShare::set(share_of(1, &tick_order(9)));
		let taken = (0..viewers).filter(|grant| tick(*grant, 0, 9) == Ok(())).count();
		// A few share a place in this block, and have room in the next one.
		assert!(taken > 20, "{taken}");
	});
}

#[test]
fn boundary_of_what_opens_take_of_the_lane() {
	ExtBuilder::default().build_and_execute(|| {
		let stream = opened_by(6);
		let order = Order::Open {
			index: 1,
			stream,
			rate_per_second: 3,
			funds: 300,
			start_at: 20_000,
			tick_price_max: 1_000,
		};
		OpenShare::set(share_of(2, &order));
		for grant in 0..2 {
			assert_ok!(submit(grant, order.clone()));
		}
		assert_eq!(submit(2, order.clone()), Err(Error::FreeLaneFull));
		// Ticks have the rest to themselves.
		for grant in 0..6 {
			assert_ok!(tick(grant, 0, 9));
		}
		at(30);
		assert_ok!(submit(2, order));
	});
}
