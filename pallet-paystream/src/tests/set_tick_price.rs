// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, *};
use frame::testing_prelude::*;

/// A session at rate 3 on these funds, opened at 10 while an order that charges costs `price`.
fn opened(price: u128, funds: u128) -> (StreamId, GrantId) {
	set_tick_price(NATIVE, price);
	let (stream, grant) = ready();
	at(10);
	assert_ok!(open(grant, 0, stream, funds, 10));
	(stream, grant)
}

fn amount_and_fee() -> Option<(u128, u128)> {
	events().into_iter().find_map(|event| match event {
		Event::Ticked { amount, fee, .. } => Some((amount, fee)),
		_ => None,
	})
}

#[test]
fn success_each_order_that_charges_costs_it() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened(2, 300);
		at(20);
		events();
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(amount_and_fee(), Some((30, 2)));
		at(30);
		assert_ok!(tick(grant, 0, 15));
		assert_eq!(session(grant, 0).fees, 4);
		assert_eq!(session(grant, 0).left(), Ok(300 - 45 - 4));
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.earned_total, entry.fees), (45, 45, 4));
		events();
		assert_ok!(close(grant, 0, 16));
		assert_eq!(amount_and_fee(), Some((3, 2)));
		assert_eq!(grant_entry(grant).spent, 48 + 6);
		assert_eq!(grant_entry(grant).cap_left, 10_000 - 54);
		assert_eq!(vault(BOB), 5_000 - 54);
		assert_eq!(stream_entry(stream).fees, 6);
	});
}

#[test]
fn success_what_charges_nothing_costs_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened(2, 300);
		at(20);
		assert_ok!(tick(grant, 0, 10));
		assert_ok!(close(grant, 0, 10));
		assert_eq!(stream_entry(stream).fees, 2);
		assert_ok!(open(grant, 1, stream, 300, 20));
		at(200);
		assert_ok!(step(|| PayStream::settle(signed(DAVE), grant, 1)));
		assert_eq!(stream_entry(stream).fees, 2);
	});
}

#[test]
fn success_a_session_keeps_the_price_of_its_opening() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened(2, 300);
		events();
		set_tick_price(NATIVE, 7);
		assert_eq!(events(), vec![Event::TickPriceSet { asset: NATIVE, price: 7 }]);
		at(20);
		assert_ok!(open(grant, 1, stream, 300, 20));
		assert_ok!(tick(grant, 0, 10));
		at(30);
		assert_ok!(tick(grant, 1, 10));
		assert_eq!((session(grant, 0).fees, session(grant, 1).fees), (2, 7));
		set_tick_price(NATIVE, 0);
		assert_ok!(tick(grant, 0, 20));
		assert_eq!(session(grant, 0).fees, 4);
	});
}

#[test]
fn boundary_the_creators_seconds_come_first() {
	// Funds for 10 seconds and what is left for the operator.
	for (funds, fee) in [(30, 0), (31, 1), (34, 4), (35, 5), (36, 5)] {
		ExtBuilder::default().build_and_execute(|| {
			let (stream, grant) = opened(5, funds);
			at(20);
			events();
			assert_ok!(tick(grant, 0, 10));
			assert_eq!(amount_and_fee(), Some((30, fee)));
			assert_eq!(session(grant, 0).left(), Ok(funds - 30 - fee));
			assert_eq!(stream_entry(stream).earned, 30);
		});
	}
}

#[test]
fn boundary_a_price_above_everything() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened(TickPriceMax::get(), 300);
		at(20);
		assert_ok!(tick(grant, 0, 10));
		// The operator took all that the seconds left.
		assert_eq!(session(grant, 0).left(), Ok(0));
		assert_eq!(stream_entry(stream).fees, 270);
		// The next one finds nothing, charges nothing, costs nothing, and closes.
		at(25);
		events();
		assert_ok!(tick(grant, 0, 15));
		assert_eq!(
			events(),
			vec![Event::SessionClosed {
				grant,
				index: 0,
				stream,
				seconds: 10,
				paid: 300,
				refunded: 0,
				ended_at: 25_000,
				reason: CloseReason::FundsExhausted,
			}]
		);
		assert_eq!(stream_entry(stream).fees, 270);
	});
}

#[test]
fn boundary_of_exhaustion() {
	ExtBuilder::default().build_and_execute(|| {
		// 5 seconds and a price of 4 leave 11 of 30: three more seconds.
		let (stream, grant) = opened(4, 30);
		at(15);
		assert_ok!(tick(grant, 0, 5));
		at(25);
		events();
		assert_ok!(tick(grant, 0, 9));
		let fee = 2;
		assert_eq!(
			events(),
			vec![
				Event::Ticked {
					grant,
					index: 0,
					stream,
					seconds: 8,
					charged_seconds: 3,
					amount: 9,
					fee
				},
				Event::SessionClosed {
					grant,
					index: 0,
					stream,
					seconds: 8,
					paid: 30,
					refunded: 0,
					ended_at: 25_000,
					reason: CloseReason::FundsExhausted,
				},
			]
		);
		let entry = stream_entry(stream);
		assert_eq!((entry.earned, entry.fees), (24, 6));
	});
}

#[test]
fn boundary_of_low_funds() {
	ExtBuilder::default().build_and_execute(|| {
		// 65 seconds; 5 of them and a price of 15 leave 165: 55 seconds, which is low.
		let (_, grant) = opened(15, 195);
		at(15);
		assert_eq!(fund(grant, 0, 500), Err(Error::FundTooEarly));
		assert_ok!(tick(grant, 0, 5));
		assert_eq!(fund(grant, 0, 209), Err(Error::FundTooSmall));
		assert_ok!(fund(grant, 0, 210));
	});
}

#[test]
fn success_a_claim_pays_it_to_the_treasury() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = opened(12, 300);
		at(20);
		assert_ok!(tick(grant, 0, 10));
		events();
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(
			events(),
			vec![
				Event::TreasuryPaid { stream, amount: 12, credited: false },
				Event::Claimed { stream, payee: ALICE, amount: 30, credited: false },
			]
		);
		assert_eq!(Balances::free_balance(TREASURY), 12);
		assert_eq!((stream_entry(stream).fees, stream_entry(stream).earned), (0, 0));
		// Below what an account needs it goes into a vault.
		assert_ok!(Balances::transfer_allow_death(signed(TREASURY), BOB, 12));
		set_tick_price(NATIVE, 3);
		assert_ok!(open(grant, 1, stream, 300, 20));
		at(30);
		assert_ok!(tick(grant, 1, 10));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(vault(TREASURY), 3);
	});
}

#[test]
fn success_fees_alone_are_worth_a_claim() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		set_tick_price(NATIVE, 20);
		let stream = new_stream(3);
		let free = tier(100, 60, 100);
		offer(stream, &[free]);
		let grant = new_grant(terms());
		at(10);
		assert_ok!(subscribe(stream, free, 1));
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		// Of a subscriber who watches for nothing the operator's price is all that comes.
		let order = Order::Open {
			index: 0,
			stream,
			rate_per_second: 0,
			funds: 300,
			start_at: 10_000,
			tick_price_max: 1_000,
		};
		assert_ok!(submit(grant, order));
		at(20);
		assert_ok!(tick(grant, 0, 10));
		events();
		assert_ok!(step(|| PayStream::claim(signed(DAVE), stream)));
		assert_eq!(events(), vec![Event::TreasuryPaid { stream, amount: 20, credited: false }]);
		assert_noop!(PayStream::claim(signed(DAVE), stream), Error::<Test>::NothingToClaim);
	});
}

/// What is set between the pool and the block takes nothing that the order did not accept.
#[test]
fn fails_to_open_at_a_price_that_was_raised_while_the_order_waited() {
	ExtBuilder::default().build_and_execute(|| {
		let (stream, grant) = ready();
		at(10);
		set_tick_price(NATIVE, 2);
		let order = |tick_price_max| Order::Open {
			index: 0,
			stream,
			rate_per_second: 3,
			funds: 4_985,
			start_at: 10_000,
			tick_price_max,
		};
		assert_ok!(pool(&signer(), grant, order(2)));
		set_tick_price(NATIVE, TickPriceMax::get());
		let refused = Error::<Test>::TickPriceAboveOrder;
		let one_below = TickPriceMax::get() - 1;
		for most in [0, 2, one_below] {
			assert_eq!(pool(&signer(), grant, order(most)).map_err(named), Err(refused.clone()));
			let signature = signer().sign(&PayStream::order_bytes(grant, &order(most)));
			let authorized = frame_system::RawOrigin::Authorized.into();
			assert_noop!(
				PayStream::submit(authorized, grant, order(most), signature),
				refused.clone()
			);
		}
		// In a batch it is one that does not count.
		events();
		assert_ok!(submit_batch(vec![item(grant, order(one_below))]));
		let error = refused.into();
		assert!(events().contains(&Event::OrderFailed { grant, index: 0, error }));
		assert_eq!((vault(BOB), grant_entry(grant).next_index), (5_000, 0));
		assert_ok!(submit(grant, order(TickPriceMax::get())));
		assert_eq!(session(grant, 0).tick_price, TickPriceMax::get());
	});
}

/// A renewal and a fund go on at the price of the opening; what opens next names its own.
#[test]
fn success_nothing_raises_the_price_of_a_running_session() {
	ExtBuilder::default().build_and_execute(|| {
		fill_vault(5_000);
		set_tick_price(NATIVE, 2);
		let stream = new_stream(3);
		let month = tier(100, 60, 50);
		offer(stream, &[month]);
		let grant = new_grant(GrantTerms { renewals_max: 1, ..terms() });
		at(10);
		assert_ok!(subscribe(stream, month, 1));
		assert_ok!(open(grant, 0, stream, 60, 10));
		set_tick_price(NATIVE, 40);
		assert_ok!(renew(grant, 0, 1));
		assert_ok!(fund(grant, 0, 1_000));
		at(20);
		assert_ok!(tick(grant, 0, 10));
		assert_eq!(session(grant, 0).fees, 2);
		// Neither does letting the asset in again, nor a transfer of the stream.
		assert_ok!(step(|| PayStream::disable_asset(root(), NATIVE)));
		assert_ok!(step(|| PayStream::enable_asset(root(), NATIVE, 10)));
		assert_ok!(step(|| PayStream::transfer_stream(signed(ALICE), stream, CAROL)));
		at(30);
		assert_ok!(tick(grant, 0, 20));
		assert_eq!(session(grant, 0).fees, 4);
		let order = Order::Open {
			index: 1,
			stream,
			rate_per_second: 3,
			funds: 300,
			start_at: 30_000,
			tick_price_max: 2,
		};
		assert_eq!(submit(grant, order), Err(Error::TickPriceAboveOrder));
	});
}

#[test]
fn boundary_of_the_highest_price() {
	ExtBuilder::default().build_and_execute(|| {
		let most = TickPriceMax::get();
		assert_ok!(step(|| PayStream::set_tick_price(root(), NATIVE, most)));
		for above in [most + 1, u128::MAX] {
			assert_noop!(
				PayStream::set_tick_price(root(), NATIVE, above),
				Error::<Test>::TickPriceTooHigh
			);
		}
	});
}

#[test]
fn fails_for_others_and_for_what_is_not_enabled() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(PayStream::set_tick_price(signed(ALICE), NATIVE, 1), DispatchError::BadOrigin);
		assert_noop!(PayStream::set_tick_price(root(), FOREIGN, 1), Error::<Test>::AssetNotEnabled);
	});
}
