// SPDX-License-Identifier: Apache-2.0

//! What happens, in few bytes.

use crate::{
	names::{Amount, Money, Pick, Span, Who},
	outside::{self, Outside},
};
use frame::{
	deps::frame_support::storage::with_storage_layer, prelude::*, traits::fungibles::Mutate,
};
use pallet_paystream::{
	AssetEntries, BatchOf, GrantTerms, Grants, Moment, Order, OrderOf, Payee, Sessions,
	SignedOrder, StreamChange, Streams, Subscriptions, Tier, Tiers,
};
use paystream_oracle::{
	call::{dispatch, LedgerCall},
	keys::Keyring,
	runtime::{begin_block, AllAssets, PayStream, Runtime, RuntimeOrigin, BEGIN_MS, GUARD},
};

/// An order, with its totals told as what they add.
#[derive(Decode, Debug)]
pub enum Asked {
	/// At the stream's rate, a subscriber's, or a wrong one; and so with the tick price.
	Open { stream: Pick, rate: u8, funds: Amount, back: Span },
	/// More funds.
	Fund { more: Amount },
	/// More seconds.
	Tick { more: u8 },
	/// The last seconds.
	Close { more: u8 },
	/// More tips.
	Tip { more: Amount, long: bool },
	/// More renewals.
	Renew { more: u8 },
}

/// An order with its place and its signer.
#[derive(Decode, Debug)]
pub struct Signed {
	grant: Pick,
	index: u8,
	asked: Asked,
	forged: u8,
}

/// One thing that happens.
#[derive(Decode, Debug)]
#[allow(missing_docs)]
pub enum Action {
	Wait(Span),
	Submit(Signed),
	Batch {
		who: Who,
		orders: [Signed; 4],
		count: u8,
		unsorted: u8,
	},
	Deposit {
		who: Who,
		asset: Money,
		amount: Amount,
	},
	Withdraw {
		who: Who,
		asset: Money,
		amount: Amount,
	},
	Grant {
		who: Who,
		key: u8,
		forged: u8,
		asset: Money,
		rate: Amount,
		cap: Amount,
		more: Terms,
	},
	Revoke {
		who: Who,
		grant: Pick,
	},
	Create {
		who: Who,
		asset: Money,
		rate: Amount,
		split: [u8; 3],
		funds_min: u8,
		gap_min: Span,
	},
	Update {
		who: Who,
		stream: Pick,
		rate: Option<Amount>,
		split: Option<[u8; 3]>,
		pause: Option<bool>,
	},
	End {
		who: Who,
		stream: Pick,
	},
	Transfer {
		who: Who,
		stream: Pick,
		to: Who,
	},
	Refund {
		who: Who,
		stream: Pick,
		viewer: Who,
		amount: Amount,
	},
	SetTiers {
		who: Who,
		stream: Pick,
		tiers: [(Amount, Span, u8); 3],
		count: u8,
	},
	Tip {
		who: Who,
		stream: Pick,
		amount: Amount,
	},
	Subscribe {
		who: Who,
		stream: Pick,
		tier: u8,
		periods: u8,
	},
	Cancel {
		who: Who,
		stream: Pick,
	},
	SettleSubscription {
		who: Who,
		stream: Pick,
		viewer: Who,
	},
	Settle {
		grant: Pick,
		index: u8,
	},
	Claim {
		stream: Pick,
	},
	Enable {
		asset: Money,
		tip_min: Amount,
	},
	Disable {
		asset: Money,
	},
	WriteOff {
		asset: Money,
	},
	TickPrice {
		asset: Money,
		price: Amount,
	},
	Share(u8),
	Stop(bool),
	/// Somebody sends the pot a gift.
	Gift {
		who: Who,
		asset: Money,
		amount: Amount,
	},
	/// A creator asks more or less of sessions.
	Demand {
		who: Who,
		stream: Pick,
		funds_min: Option<u8>,
		gap_min: Option<Span>,
	},
	/// A batch within another call, which is undone or not.
	Within {
		who: Who,
		orders: [Signed; 4],
		count: u8,
		undone: bool,
	},
	/// Something that is none of the ledger's calls.
	Outside(Outside),
}

/// How many kinds of action there are.
const KINDS: u8 = 29;

/// Read a story: an action's kind is a byte, folded into the range, and the rest is SCALE. A byte at
/// which nothing can be read is skipped.
pub fn actions(mut bytes: &[u8], most: usize) -> Vec<Action> {
	let mut story = Vec::new();
	while let (Some((kind, rest)), true) = (bytes.split_first(), story.len() < most) {
		let folded = [&[kind % KINDS][..], rest].concat();
		let mut input = &folded[..];
		bytes = match Action::decode(&mut input) {
			Ok(action) => {
				story.push(action);
				&rest[rest.len() - input.len()..]
			}
			Err(_) => rest,
		};
	}
	story
}

/// The rest of a grant's terms.
#[derive(Decode, Debug)]
pub struct Terms {
	sessions_max: u8,
	gap: Span,
	life: Span,
	tips_max: Amount,
	renewals_max: u8,
}

/// Makes what happens happen.
pub struct Teller {
	keys: Keyring,
	time_ms: Moment,
}

impl Teller {
	/// At the beginning of time.
	pub fn new(keys: Keyring) -> Self {
		Self { keys, time_ms: BEGIN_MS }
	}

	/// Let it happen; whether it counted.
	pub fn tell(&mut self, action: &Action) -> bool {
		match action {
			Action::Wait(span) => {
				self.time_ms += span.ms();
				begin_block(self.time_ms);
				true
			}
			Action::Gift { who, asset, amount } => {
				let pot = PayStream::pot();
				let who = who.account();
				who != pot
					&& AllAssets::transfer(
						asset.kind(),
						&who,
						&pot,
						amount.value(),
						Preservation::Preserve,
					)
					.is_ok()
			}
			Action::Outside(outside) => outside::happens(outside).is_some(),
			Action::Within { who, orders, count, undone } => {
				let orders = self.batch(orders, *count, true);
				with_storage_layer(|| {
					dispatch(by(who), LedgerCall::submit_batch { orders })
						.ok()
						.filter(|_| !undone)
						.ok_or(DispatchError::Other("undone"))
				})
				.is_ok()
			}
			// As in a block: the call brings its own storage layer, and is the extrinsic itself.
			_ => {
				let (origin, call) = self.call(action);
				dispatch(origin, call).is_ok()
			}
		}
	}

	fn batch(&mut self, orders: &[Signed; 4], count: u8, sorted: bool) -> BatchOf<Runtime> {
		let taken = orders.iter().take(usize::from(count % 5));
		let mut orders: Vec<_> = taken.map(|signed| self.sign(signed)).collect();
		if sorted {
			orders.sort_by_key(|signed| (signed.grant, signed.order.index()));
			orders.dedup_by_key(|signed| (signed.grant, signed.order.index()));
		}
		BoundedVec::truncate_from(orders)
	}

	fn call(&mut self, action: &Action) -> (RuntimeOrigin, LedgerCall) {
		let root = RuntimeOrigin::root();
		match action {
			Action::Submit(signed) => {
				let SignedOrder { grant, order, signature } = self.sign(signed);
				(RuntimeOrigin::none(), LedgerCall::submit { grant, order, signature })
			}
			Action::Batch { who, orders, count, unsorted } => {
				let orders = self.batch(orders, *count, unsorted % 8 != 7);
				(by(who), LedgerCall::submit_batch { orders })
			}
			Action::Grant { who, key, forged, asset, rate, cap, more } => {
				let terms = GrantTerms {
					asset: asset.kind(),
					rate_max_per_second: rate.value(),
					cap: cap.value(),
					sessions_max: u32::from(more.sessions_max % 5),
					gap_ms: more.gap.ms(),
					expires_at: PayStream::now().saturating_add(more.life.ms()),
					tips_max: more.tips_max.value(),
					renewals_max: u32::from(more.renewals_max % 4),
				};
				let key = key % 6 + 1;
				let signer = (forged % 16 != 15).then_some(key);
				let proof = self.keys.sign(signer, PayStream::grant_bytes(&who.account()));
				(by(who), LedgerCall::grant { key: self.keys.key(key), proof, terms })
			}
			Action::Enable { asset, tip_min } => {
				(root, LedgerCall::enable_asset { asset: asset.kind(), tip_min: tip_min.value() })
			}
			Action::Disable { asset } => (root, LedgerCall::disable_asset { asset: asset.kind() }),
			Action::WriteOff { asset } => {
				(root, LedgerCall::write_off_asset { asset: asset.kind() })
			}
			Action::TickPrice { asset, price } => {
				(root, LedgerCall::set_tick_price { asset: asset.kind(), price: price.value() })
			}
			Action::Share(percent) => {
				let share = Permill::from_percent(u32::from(percent % 33));
				(root, LedgerCall::set_treasury_share { share })
			}
			Action::Stop(stopped) => {
				let origin = if *stopped { RuntimeOrigin::signed(GUARD) } else { root };
				(origin, LedgerCall::set_stopped { stopped: *stopped })
			}
			Action::Settle { grant, index } => {
				let index = u32::from(index % 6);
				(by_anybody(grant), LedgerCall::settle { grant: grant.grant(), index })
			}
			Action::Claim { stream } => {
				(by_anybody(stream), LedgerCall::claim { stream: stream.stream() })
			}
			other => wallet_call(other),
		}
	}

	fn sign(&mut self, signed: &Signed) -> SignedOrder<OrderOf<Runtime>> {
		let grant = signed.grant.grant();
		let order = self.order(grant, signed);
		let number = Grants::<Runtime>::get(grant).map_or(1, |entry| self.keys.number(&entry.key));
		let signer = (signed.forged % 16 != 15).then_some(number);
		let signature = self.keys.sign(signer, PayStream::order_bytes(grant, &order));
		SignedOrder { grant, order, signature }
	}

	fn order(&self, grant: u64, signed: &Signed) -> OrderOf<Runtime> {
		let entry = Grants::<Runtime>::get(grant);
		let near = u32::from(signed.index % 4);
		let (next, tips, renewals, open) = entry.as_ref().map_or((0, 0, 0, None), |entry| {
			let open = entry.open.get(near as usize).copied();
			(entry.next_index, entry.tips_total, entry.renewals_total, open)
		});
		let index = open.unwrap_or(near);
		let session = Sessions::<Runtime>::get(grant, index);
		let (seconds, funds) = session.map_or((0, 0), |session| (session.seconds, session.funds));
		// A little too low sometimes: replays and lower totals.
		let total = |more: u8| seconds.saturating_add(u32::from(more)).saturating_sub(2);
		match &signed.asked {
			Asked::Open { stream, rate, funds, back } => {
				let stream = stream.stream();
				let full = Streams::<Runtime>::get(stream).map_or(1, |s| s.rate_per_second);
				let discounted = entry
					.and_then(|entry| Subscriptions::<Runtime>::get(stream, entry.viewer))
					.map_or(full, |subscription| subscription.tier.discounted(full));
				let rate_per_second = match rate % 8 {
					0..=3 => full,
					4..=6 => discounted,
					_ => full.saturating_add(1),
				};
				let start_at = PayStream::now().saturating_sub(back.ms());
				let index = next.saturating_add(u32::from(signed.index / 200));
				let price = Streams::<Runtime>::get(stream)
					.and_then(|stream| AssetEntries::<Runtime>::get(stream.asset))
					.map_or(0, |entry| entry.tick_price);
				let tick_price_max = match rate / 8 % 8 {
					0..=5 => price,
					6 => u128::MAX,
					_ => price.saturating_sub(1),
				};
				let funds = funds.value();
				Order::Open { index, stream, rate_per_second, funds, start_at, tick_price_max }
			}
			Asked::Fund { more } => {
				Order::Fund { index, funds: funds.saturating_add(more.value()) }
			}
			Asked::Tick { more } => Order::Tick { index, seconds: total(*more) },
			Asked::Close { more } => Order::Close { index, seconds: total(*more) },
			Asked::Tip { more, long } => {
				let message = BoundedVec::truncate_from(vec![b'x'; if *long { 8 } else { 0 }]);
				Order::Tip { index, tips: tips.saturating_add(more.value()), message }
			}
			Asked::Renew { more } => {
				Order::Renew { index, renewals: renewals.saturating_add(u32::from(more % 3)) }
			}
		}
	}
}

/// Somebody, or nobody.
fn by_anybody(pick: &Pick) -> RuntimeOrigin {
	match pick.is_unsigned() {
		true => RuntimeOrigin::none(),
		false => RuntimeOrigin::signed(5),
	}
}

fn by(who: &Who) -> RuntimeOrigin {
	RuntimeOrigin::signed(who.account())
}

/// What wallets sign, apart from grants.
fn wallet_call(action: &Action) -> (RuntimeOrigin, LedgerCall) {
	match action {
		Action::Withdraw { who, asset, amount } => {
			(by(who), LedgerCall::withdraw { asset: asset.kind(), amount: amount.value() })
		}
		Action::Revoke { who, grant } => (by(who), LedgerCall::revoke { grant: grant.grant() }),
		Action::Create { who, asset, rate, split, funds_min, gap_min } => (
			by(who),
			LedgerCall::create_stream {
				asset: asset.kind(),
				rate_per_second: rate.value(),
				payees: payees(split),
				funds_min: u128::from(*funds_min),
				gap_min_ms: gap_min.ms(),
			},
		),
		Action::Update { who, stream, rate, split, pause } => {
			let change = StreamChange {
				rate_per_second: rate.as_ref().map(Amount::value),
				payees: split.as_ref().map(payees),
				funds_min: None,
				gap_min_ms: None,
				paused: *pause,
			};
			(by(who), LedgerCall::update_stream { stream: stream.stream(), change })
		}
		Action::Demand { who, stream, funds_min, gap_min } => {
			let change = StreamChange {
				rate_per_second: None,
				payees: None,
				funds_min: funds_min.map(u128::from),
				gap_min_ms: gap_min.as_ref().map(Span::ms),
				paused: None,
			};
			(by(who), LedgerCall::update_stream { stream: stream.stream(), change })
		}
		Action::End { who, stream } => {
			(by(who), LedgerCall::end_stream { stream: stream.stream() })
		}
		Action::Transfer { who, stream, to } => {
			(by(who), LedgerCall::transfer_stream { stream: stream.stream(), to: to.account() })
		}
		Action::Refund { who, stream, viewer, amount } => {
			let (stream, viewer, amount) = (stream.stream(), viewer.account(), amount.value());
			(by(who), LedgerCall::refund { stream, viewer, amount })
		}
		Action::SetTiers { who, stream, tiers, count } => {
			let tier = |(price, period, percent): &(Amount, Span, u8)| Tier {
				price: price.value(),
				period_ms: period.ms(),
				discount: Permill::from_percent(u32::from(percent % 101)),
			};
			let tiers = tiers.iter().take(usize::from(count % 4)).map(tier).collect();
			let tiers = BoundedVec::truncate_from(tiers);
			(by(who), LedgerCall::set_tiers { stream: stream.stream(), tiers })
		}
		Action::Tip { who, stream, amount } => {
			let (stream, amount) = (stream.stream(), amount.value());
			(by(who), LedgerCall::tip { stream, amount, message: BoundedVec::new() })
		}
		Action::Subscribe { who, stream, tier, periods } => {
			let stream = stream.stream();
			let offered = Tiers::<Runtime>::get(stream)
				.and_then(|tiers| tiers.get(usize::from(tier % 4)).copied());
			let unknown =
				Tier { price: 5, period_ms: 30_000, discount: Permill::from_percent(100) };
			let tier = offered.unwrap_or(unknown);
			(by(who), LedgerCall::subscribe { stream, tier, periods: u32::from(periods % 5) })
		}
		Action::Cancel { who, stream } => {
			(by(who), LedgerCall::cancel_subscription { stream: stream.stream() })
		}
		Action::SettleSubscription { who, stream, viewer } => {
			let (stream, viewer) = (stream.stream(), viewer.account());
			(by(who), LedgerCall::settle_subscription { stream, viewer })
		}
		Action::Deposit { who, asset, amount } => {
			(by(who), LedgerCall::deposit { asset: asset.kind(), amount: amount.value() })
		}
		_ => unreachable!("the others are told by the teller"),
	}
}

/// Up to three payees, by their percents; the last one fills up, mostly.
fn payees(split: &[u8; 3]) -> pallet_paystream::PayeesOf<Runtime> {
	let mut left = 100u32;
	let mut list = Vec::new();
	for (place, percent) in split.iter().enumerate() {
		let percent = if place == 2 { left } else { u32::from(percent % 101).min(left) };
		left -= percent;
		if percent > 0 {
			// The third is somebody who may not be able to receive.
			let account = if place == 2 { 99 } else { place as u64 + 1 };
			list.push(Payee { account, share: Permill::from_percent(percent) });
		}
	}
	if split[2] == 0 {
		list.pop();
	}
	BoundedVec::truncate_from(list)
}
