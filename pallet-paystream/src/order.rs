// SPDX-License-Identifier: Apache-2.0

//! Orders in the free lane: what a delegate key signs, how the pool judges it, what it weighs.

use crate::{
	lane::Taker,
	plan::{Plan, Step},
	pool::Judge,
	stream::StreamBook,
	types::{DelegateKey, DelegateSignature, GrantId, Order, OrderOf, SessionIndex},
	Call, Config, Error, Pallet, WeightInfo,
};
use alloc::vec::Vec;
use frame::{
	deps::{
		sp_core::{ed25519, sr25519},
		sp_io,
	},
	prelude::*,
	traits::Contains,
};

/// What the bytes of a signed order begin with.
pub const ORDER_DOMAIN: [u8; 18] = *b"PayStream/order/v1";
/// What the bytes of a key's proof for its grant begin with.
pub const GRANT_DOMAIN: [u8; 18] = *b"PayStream/grant/v1";

/// How far an open stands above the other orders in the pool: above every tick, so that a viewer who
/// joins does not wait for those who watch. Opens have a part of the free lane to themselves and no more.
pub const OPEN_PRIORITY: TransactionPriority = 1 << 20;

/// Which orders exclude each other in the pool: of one session, or of one grant.
#[derive(Encode, Clone, Copy)]
enum Lane {
	Open(SessionIndex),
	TickOrClose(SessionIndex),
	Fund(SessionIndex),
	Tip,
	Renew,
}

/// Whether `signature` is `key`'s over `message`.
pub fn verify(key: &DelegateKey, signature: &DelegateSignature, message: &[u8]) -> bool {
	match (key, signature) {
		(DelegateKey::Sr25519(key), DelegateSignature::Sr25519(signature)) => {
			sp_io::crypto::sr25519_verify(
				&sr25519::Signature::from_raw(*signature),
				message,
				&sr25519::Public::from_raw(*key),
			)
		}
		(DelegateKey::Ed25519(key), DelegateSignature::Ed25519(signature)) => {
			sp_io::crypto::ed25519_verify(
				&ed25519::Signature::from_raw(*signature),
				message,
				&ed25519::Public::from_raw(*key),
			)
		}
		_ => false,
	}
}

/// One order of each kind, for what depends on the kind alone.
pub(crate) fn one_of_each<T: Config>() -> [OrderOf<T>; 6] {
	[
		Order::Open {
			index: 0,
			stream: 0,
			rate_per_second: Zero::zero(),
			funds: Zero::zero(),
			start_at: 0,
			tick_price_max: Zero::zero(),
		},
		Order::Fund { index: 0, funds: Zero::zero() },
		Order::Tick { index: 0, seconds: 0 },
		Order::Close { index: 0, seconds: 0 },
		Order::Tip { index: 0, tips: Zero::zero(), message: BoundedVec::new() },
		Order::Renew { index: 0, renewals: 0 },
	]
}

impl<T: Config> Plan<T> {
	/// Whose it is, as far as the free lane asks.
	pub(crate) fn taker(&self) -> Taker<T::AccountId> {
		Taker { viewer: self.step.viewer().clone(), comes_first: self.comes_first() }
	}

	/// Which orders it excludes in the pool.
	fn lane(&self, index: SessionIndex) -> Lane {
		match self.step {
			Step::Open(_) => Lane::Open(index),
			Step::Fund(_) => Lane::Fund(index),
			Step::Tick(_) | Step::Close(_) => Lane::TickOrClose(index),
			Step::Tip(_) => Lane::Tip,
			Step::Renew(_) => Lane::Renew,
		}
	}

	/// Whether it goes before every tick, and has a part of the lane for that.
	fn comes_first(&self) -> bool {
		matches!(self.step, Step::Open(_) | Step::Renew(_))
	}

	/// Who waits longest goes first, and a higher total replaces a lower one. How long somebody waits is
	/// told by the seconds that the ledger has not seen: they cannot be more than have passed, and an
	/// older order never names more than a newer one. By the clock alone, whoever sends an older one
	/// again, later, would push the newer one out.
	fn priority(&self) -> TransactionPriority {
		match &self.step {
			Step::Open(_) | Step::Renew(_) => OPEN_PRIORITY,
			// As urgent as if it had waited for the seconds that its funds lack, and never more urgent than
			// a tick of `FundBelowSeconds`. One that lasts twice as long replaces another.
			Step::Fund(plan) => {
				let low = T::FundBelowSeconds::get();
				let lacking = u64::from(low.saturating_sub(plan.seconds_left)).saturating_mul(2);
				let times = plan.seconds.checked_div(low).unwrap_or(0);
				lacking.saturating_add(times.checked_ilog2().unwrap_or(0).into())
			}
			Step::Tick(plan) => u64::from(plan.charge.asked_seconds).saturating_mul(2),
			Step::Close(plan) => {
				let unpaid = u64::from(plan.charge.asked_seconds).saturating_mul(2);
				// A close replaces a tick with the same total.
				unpaid.saturating_add(u64::from(plan.by_close_order))
			}
			// Nobody waits for a tip. Another one waits until it is counted.
			Step::Tip(_) => 0,
		}
	}
}

impl<T: Config> Pallet<T> {
	/// The bytes that a delegate key signs for an order: domain, genesis hash, the pallet's index,
	/// the grant, the order. They hold on this chain and for this grant alone, and for ever.
	pub fn order_bytes(grant: GrantId, order: &OrderOf<T>) -> Vec<u8> {
		(ORDER_DOMAIN, Self::genesis_hash(), Self::index_in_runtime(), grant, order).encode()
	}

	/// The bytes that a delegate key signs for its viewer's grant: domain, genesis hash, the
	/// pallet's index, the viewer's account.
	pub fn grant_bytes(viewer: &T::AccountId) -> Vec<u8> {
		(GRANT_DOMAIN, Self::genesis_hash(), Self::index_in_runtime(), viewer).encode()
	}

	fn genesis_hash() -> T::Hash {
		frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
	}

	fn index_in_runtime() -> u8 {
		<Self as PalletInfoAccess>::index() as u8
	}

	/// Whether the runtime's filter lets a call in that pays no fee. The dispatch asks it too, but what
	/// it refuses there has been included, and stays valid: it would fail for nothing again and again.
	pub(crate) fn ensure_let_in(call: Call<T>) -> Result<(), Error<T>> {
		ensure!(T::BaseCallFilter::contains(&call.into()), Error::<T>::CallFiltered);
		Ok(())
	}

	/// What the pool and the block ask before `submit`: the runtime's filter and the ledger's refusals
	/// first, which are cheap, then the signature.
	pub(crate) fn authorize_submit(
		source: TransactionSource,
		grant: &GrantId,
		order: &OrderOf<T>,
		signature: &DelegateSignature,
	) -> TransactionValidityWithRefund {
		let judge = Judge::of(source);
		let call = || Call::submit { grant: *grant, order: order.clone(), signature: *signature };
		Self::ensure_let_in(call())
			.and_then(|()| Self::try_authorize(judge, *grant, order, signature))
			.map_err(|error| judge.refusal::<T>(error).into())
	}

	fn try_authorize(
		judge: Judge,
		grant: GrantId,
		order: &OrderOf<T>,
		signature: &DelegateSignature,
	) -> Result<(ValidTransaction, Weight), Error<T>> {
		let cost = Self::free_cost(order);
		ensure!(Self::lane_has_room(cost), Error::<T>::FreeLaneFull);
		let plan = Self::by_clock_of(judge, |now| {
			let plan = Self::plan_at(&mut StreamBook::new(), grant, order, now)?;
			plan.free.clone()?;
			Ok(plan)
		})?;
		ensure!(Self::share_has_room(&plan.taker(), cost), Error::<T>::FreeLaneFull);
		ensure!(
			verify(plan.step.key(), signature, &Self::order_bytes(grant, order)),
			Error::<T>::SignatureInvalid
		);
		let valid = ValidTransaction {
			priority: T::OrderPriority::get().saturating_add(plan.priority()),
			requires: Vec::new(),
			provides: alloc::vec![("PayStream", grant, plan.lane(order.index())).encode()],
			longevity: T::OrderLongevity::get(),
			propagate: true,
		};
		let announced = Self::weight_of_authorize_submit(order);
		Ok((valid, announced.saturating_sub(Self::weight_of_check(&plan.step))))
	}

	/// Carry out an authorised order. Returns the weight of what it turned out to be.
	pub(crate) fn do_submit(grant: GrantId, order: OrderOf<T>) -> Result<Weight, Error<T>> {
		let mut book = StreamBook::new();
		let plan = Self::plan(&mut book, grant, &order)?;
		let taker = plan.taker();
		let Plan { step, free } = plan;
		free?;
		let actual = Self::weight_of_step(&step);
		let check = Self::weight_of_check(&step);
		Self::carry_out(&mut book, grant, order.index(), step);
		book.write();
		let around = Self::weight_around(&order);
		Self::use_lane(&taker, actual.saturating_add(check).saturating_add(around));
		Ok(actual)
	}

	/// The weight of carrying out what an order turned out to be, apart from its check.
	fn weight_of_step(step: &Step<T>) -> Weight {
		let whole = match step {
			Step::Open(_) => T::WeightInfo::submit_open(),
			Step::Fund(_) => T::WeightInfo::submit_fund(),
			Step::Tick(_) => T::WeightInfo::submit_tick(),
			Step::Close(_) => T::WeightInfo::submit_close(),
			Step::Tip(_) => T::WeightInfo::submit_tip(),
			Step::Renew(_) => T::WeightInfo::submit_renew(),
		};
		whole.saturating_sub(Self::weight_of_check(step))
	}

	/// The weight of the check of what an order turned out to be.
	fn weight_of_check(step: &Step<T>) -> Weight {
		match step {
			Step::Open(_) => T::WeightInfo::authorize_open(),
			Step::Fund(_) => T::WeightInfo::authorize_fund(),
			Step::Tick(_) => T::WeightInfo::authorize_tick(),
			Step::Close(_) => T::WeightInfo::authorize_close(),
			Step::Tip(_) => T::WeightInfo::authorize_tip(),
			Step::Renew(_) => T::WeightInfo::authorize_renew(),
		}
	}

	/// The weight of an order of this kind: its check, and carrying it out at the most. Measured
	/// together, since what the check has read need not be fetched again.
	pub(crate) fn weight_of_order(order: &OrderOf<T>) -> Weight {
		match order {
			Order::Open { .. } => T::WeightInfo::submit_open(),
			Order::Fund { .. } => T::WeightInfo::submit_fund(),
			Order::Tick { .. } => T::WeightInfo::submit_tick().max(T::WeightInfo::submit_close()),
			Order::Close { .. } => T::WeightInfo::submit_close(),
			Order::Tip { .. } => T::WeightInfo::submit_tip(),
			Order::Renew { .. } => T::WeightInfo::submit_renew(),
		}
	}

	/// The weight of carrying out an order, before it is known whether it closes the session.
	pub(crate) fn weight_of_submit(order: &OrderOf<T>) -> Weight {
		let least_check = match order {
			Order::Tick { .. } => {
				T::WeightInfo::authorize_tick().min(T::WeightInfo::authorize_close())
			}
			_ => Self::weight_of_authorize_submit(order),
		};
		Self::weight_of_order(order).saturating_sub(least_check)
	}

	/// The weight of checking an order and its signature.
	pub(crate) fn weight_of_authorize_submit(order: &OrderOf<T>) -> Weight {
		match order {
			Order::Open { .. } => T::WeightInfo::authorize_open(),
			Order::Fund { .. } => T::WeightInfo::authorize_fund(),
			Order::Tick { .. } => {
				T::WeightInfo::authorize_tick().max(T::WeightInfo::authorize_close())
			}
			Order::Close { .. } => T::WeightInfo::authorize_close(),
			Order::Tip { .. } => T::WeightInfo::authorize_tip(),
			Order::Renew { .. } => T::WeightInfo::authorize_renew(),
		}
	}
}
