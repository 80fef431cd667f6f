// SPDX-License-Identifier: Apache-2.0

//! Batches: many orders of many keys in one extrinsic of any account (rule 7).

use crate::{
	lane::{length, Taker},
	order::verify,
	plan::{Plan, Step},
	stream::StreamBook,
	types::{AccountIdOf, BatchOf, GrantId, Order, SignedOrderOf},
	Config, Error, Event, Pallet, WeightInfo,
};
use frame::{
	deps::frame_support::{
		dispatch::WithPostDispatchInfo as _,
		storage::{transactional::TRANSACTION_LEVEL_KEY, unhashed},
	},
	prelude::*,
};

/// Takes the fee of a part of a transaction.
///
/// What FRAME gives back after a dispatch is weight, or the whole fee. The fee of a transaction's length
/// stays as it is, and in a batch of ticks that is a quarter of the fee: one order that is not free would
/// cost its submitter the bytes of all the free ones.
pub trait PartialFee<AccountId> {
	/// Take what so much weight and so many bytes cost out of what the running transaction of `who` has
	/// paid in advance. The rest comes back, since the call then says that it pays nothing. `false`
	/// where nothing was taken: then the call pays as FRAME has it.
	fn take(who: &AccountId, weight: Weight, bytes: u32) -> bool;
}

/// What FRAME gives back, and no more: the fee of a batch's whole length is paid where one of its
/// orders is not free.
impl<AccountId> PartialFee<AccountId> for () {
	fn take(_who: &AccountId, _weight: Weight, _bytes: u32) -> bool {
		false
	}
}

/// A part of a batch.
#[derive(Default, Clone, Copy)]
struct Part {
	weight: Weight,
	bytes: u32,
}

impl Part {
	fn add(&mut self, other: Self) {
		self.weight = self.weight.saturating_add(other.weight);
		self.bytes = self.bytes.saturating_add(other.bytes);
	}
}

/// What a batch has come to.
#[derive(Default)]
struct Tally {
	/// Whether it is the extrinsic itself: only then can orders be free, and more be registered with
	/// the block than was announced.
	is_the_extrinsic: bool,
	/// What it weighs, as far as it was announced.
	spent: Weight,
	/// What ticks weighed more that closed their session.
	closings: Weight,
	/// What is paid for: orders that counted and were not free, and those that were refused.
	owed: Part,
	counted: u32,
	free: u32,
	failed: u32,
	/// How many of those that failed named what somebody else may have brought to its end.
	gone: u32,
	gone_part: Part,
}

impl<T: Config> Pallet<T> {
	/// Carry out a batch. Returns what it weighed and what it costs.
	pub(crate) fn do_submit_batch(
		who: T::AccountId,
		orders: BatchOf<T>,
	) -> DispatchResultWithPostInfo {
		let nothing = T::WeightInfo::submit_batch(0);
		Self::ensure_ascending(&orders).map_err(|error| error.with_weight(nothing))?;
		let announced = Self::weight_of_batch(&orders);
		let mut book = StreamBook::new();
		let is_the_extrinsic = Self::is_the_extrinsic();
		let mut tally = Tally { is_the_extrinsic, spent: nothing, ..Tally::default() };
		for signed in &orders {
			if let Err(error) = Self::try_order(&mut book, &mut tally, signed) {
				Self::refuse(&mut tally, signed, error);
			}
		}
		book.write();
		Self::forgive_gone(&mut tally);
		Self::deposit_event(Event::BatchDone {
			counted: tally.counted,
			free: tally.free,
			failed: tally.failed,
		});
		Ok(Self::bill(&who, &tally, announced))
	}

	/// One order of a batch, within no limit of the free lane.
	fn try_order(
		book: &mut StreamBook<T>,
		tally: &mut Tally,
		signed: &SignedOrderOf<T>,
	) -> Result<(), Error<T>> {
		let SignedOrderOf::<T> { grant, order, signature } = signed;
		let streams = book.changed();
		let plan = Self::plan(book, *grant, order)?;
		let taker = plan.taker();
		let Plan { step, free } = plan;
		let closing = match (order, &step) {
			(Order::Tick { .. }, Step::Close(_)) => Self::weight_of_closing(),
			_ => Weight::zero(),
		};
		let closings = tally.closings.saturating_add(closing);
		if !closing.is_zero() {
			let room = tally.is_the_extrinsic && Self::block_has_room(closings);
			ensure!(room, Error::<T>::BlockFull);
		}
		// Last, because it is dear: an order that the ledger refuses costs no verification.
		let message = Self::order_bytes(*grant, order);
		ensure!(verify(step.key(), signature, &message), Error::<T>::SignatureInvalid);
		Self::carry_out(book, *grant, order.index(), step);
		let announced = match order {
			Order::Tick { .. } if book.changed() == streams => Self::weight_of_tick(),
			_ => Self::most_of_item(order),
		};
		tally.counted = tally.counted.saturating_add(1);
		tally.spent = tally.spent.saturating_add(announced);
		tally.closings = closings;
		let part = Part { weight: announced.saturating_add(closing), bytes: bytes::<T>(signed) };
		let in_lane = tally.is_the_extrinsic && free.is_ok();
		if in_lane && Self::take_free_lane(tally, part, Some(&taker)) {
			tally.free = tally.free.saturating_add(1);
		} else {
			tally.owed.add(part);
		}
		Ok(())
	}

	/// Note an order that did not count. It costs what was read until it was refused, and its bytes.
	fn refuse(tally: &mut Tally, signed: &SignedOrderOf<T>, error: Error<T>) {
		let weight = Self::weight_of_refusal(&signed.order, &error);
		let part = Part { weight, bytes: bytes::<T>(signed) };
		tally.failed = tally.failed.saturating_add(1);
		tally.spent = tally.spent.saturating_add(weight);
		if matches!(error, Error::OrderStale | Error::GrantNotFound) {
			tally.gone = tally.gone.saturating_add(1);
			tally.gone_part.add(part);
		} else {
			tally.owed.add(part);
		}
		let (grant, index) = (signed.grant, signed.order.index());
		Self::deposit_event(Event::OrderFailed { grant, index, error: error.into() });
	}

	/// What somebody else has brought costs its submitter nothing, nor what ended with it: orders are
	/// public, and whoever copies one out of a waiting batch must not make it dear. No more of them than
	/// of free ones, and all of them within the free share, so nobody makes blocks work for nothing by
	/// replays; where they are more, each costs its own part.
	fn forgive_gone(tally: &mut Tally) {
		let part = tally.gone_part;
		let few = tally.gone > 0 && tally.gone <= tally.free;
		if !(few && Self::take_free_lane(tally, part, None)) {
			tally.owed.add(part);
		}
	}

	/// Strictly ascending by (grant, index), so no session comes twice; and not empty.
	fn ensure_ascending(orders: &BatchOf<T>) -> Result<(), Error<T>> {
		ensure!(!orders.is_empty(), Error::<T>::BatchEmpty);
		let place =
			|signed: &SignedOrderOf<T>| -> (GrantId, u32) { (signed.grant, signed.order.index()) };
		let ascending = orders.windows(2).all(|pair| matches!(pair, [a, b] if place(a) < place(b)));
		ensure!(ascending, Error::<T>::BatchNotAscending);
		Ok(())
	}

	/// Whether the free lane has room for a part of a batch; if so, it is taken. What is around the
	/// batch's orders goes with the first free one.
	fn take_free_lane(tally: &Tally, part: Part, taker: Option<&Taker<AccountIdOf<T>>>) -> bool {
		let weight = part.weight.saturating_add(Weight::from_parts(0, part.bytes.into()));
		let around = match tally.free {
			0 => Self::weight_around_batch().saturating_add(T::WeightInfo::submit_batch(0)),
			_ => Weight::zero(),
		};
		if !Self::lane_has_room(weight.saturating_add(around))
			|| taker.is_some_and(|taker| !Self::share_has_room(taker, weight))
		{
			return false;
		}
		Self::use_lane_for_all(around);
		match taker {
			Some(taker) => Self::use_lane(taker, weight),
			None => Self::use_lane_for_all(weight),
		}
		true
	}

	/// What the batch costs its submitter: nothing where every order was free, else what is owed and no
	/// more, as far as the runtime can take a part of a fee. Where none was free, it is an ordinary
	/// transaction. The block is charged for all orders: what is not reported is registered beside it.
	fn bill(who: &T::AccountId, tally: &Tally, announced: Weight) -> PostDispatchInfo {
		let Part { weight, bytes } = tally.owed;
		let free = bytes == 0;
		let some_free = tally.free > 0;
		let in_part = || some_free && T::BatchFee::take(who, weight, bytes);
		let (reported, pays_fee) = if free || in_part() {
			(tally.spent, Pays::No)
		} else if some_free {
			(weight.min(announced), Pays::Yes)
		} else {
			(tally.spent.saturating_add(tally.closings).min(announced), Pays::Yes)
		};
		let more = tally.spent.saturating_add(tally.closings).saturating_sub(reported);
		if !more.is_zero() {
			frame_system::Pallet::<T>::register_extra_weight_unchecked(more, DispatchClass::Normal);
		}
		PostDispatchInfo { actual_weight: Some(reported), pays_fee }
	}

	/// Whether the call is the extrinsic itself, and no call within another one. An outer call that
	/// fails undoes what was registered with the block, but not the lower weight that was reported:
	/// the same orders could be verified again and again for nothing. What a hook dispatches is no
	/// extrinsic either: it is bounded by what is reported.
	pub(crate) fn is_the_extrinsic() -> bool {
		let in_a_hook = matches!(
			frame_system::Pallet::<T>::execution_phase(),
			Some(frame_system::Phase::Initialization | frame_system::Phase::Finalization)
		);
		!in_a_hook && unhashed::get::<u32>(TRANSACTION_LEVEL_KEY).unwrap_or(0) <= 1
	}

	/// The weight of an order that is refused: of the entries that were read until then and of the event,
	/// or of its whole check where that went further.
	pub(crate) fn weight_of_refusal(order: &crate::OrderOf<T>, error: &Error<T>) -> Weight {
		let one = T::DbWeight::get().writes(1);
		// Measured with calls that write the entry too.
		let stream_and_event = T::WeightInfo::end_stream().saturating_sub(one);
		let session =
			T::WeightInfo::revoke(2).saturating_sub(T::WeightInfo::revoke(1)).saturating_sub(one);
		let first_look = match order {
			Order::Tip { .. } | Order::Renew { .. } => session.saturating_mul(2),
			_ => session,
		};
		let weight = match error {
			Error::OrderStale
			| Error::TotalLower
			| Error::AheadOfClock
			| Error::SessionEnded
			| Error::SessionNotFound
			| Error::GrantNotFound
			| Error::IndexNotNext
			| Error::FundsNotHigher => stream_and_event.saturating_add(first_look),
			_ => Self::weight_of_authorize_submit(order)
				.saturating_add(T::WeightInfo::set_stopped().saturating_sub(one)),
		};
		weight.min(Self::most_of_item(order))
	}

	/// The weight of one more tick in a batch that has its stream already.
	fn weight_of_tick() -> Weight {
		T::WeightInfo::submit_batch(1).saturating_sub(T::WeightInfo::submit_batch(0))
	}

	/// The weight of one more tick in a batch, on a stream of its own: never less than the other,
	/// whatever the measurements say. Where it would close its session it has read all that a close
	/// reads before it can be refused, so the proof has room for that.
	fn weight_of_tick_apart() -> Weight {
		let close_proof = T::WeightInfo::submit_close().proof_size();
		T::WeightInfo::submit_batch_streams(1)
			.saturating_sub(T::WeightInfo::submit_batch_streams(0))
			.max(Self::weight_of_tick())
			.max(Weight::from_parts(0, close_proof))
	}

	/// What a tick weighs more where it uses up its session's funds and closes it. Few do, and only
	/// the ledger knows which; so it is not announced, but registered with the block when it happens.
	/// The stream is counted with the ticks already.
	fn weight_of_closing() -> Weight {
		T::WeightInfo::submit_close().saturating_sub(Self::weight_of_tick_apart())
	}

	/// Whether the block has room for so much more than was announced to it.
	fn block_has_room(more: Weight) -> bool {
		let limits = T::BlockWeights::get();
		let class = DispatchClass::Normal;
		let class_max = limits.get(class).max_total.unwrap_or(limits.max_block);
		let used = frame_system::Pallet::<T>::block_weight();
		used.get(class).saturating_add(more).all_lte(class_max)
			&& used.total().saturating_add(more).all_lte(limits.max_block)
	}

	/// What a batch is announced with: every tick on a stream of its own, and none closing.
	pub(crate) fn weight_of_batch(orders: &BatchOf<T>) -> Weight {
		orders.iter().fold(T::WeightInfo::submit_batch(0), |sum, signed| {
			sum.saturating_add(Self::most_of_item(&signed.order))
		})
	}

	/// The most that a batch can be announced with whatever is in it.
	#[cfg(feature = "std")]
	pub(crate) fn weight_of_full_batch() -> Weight {
		let dearest = crate::order::one_of_each::<T>()
			.iter()
			.fold(Weight::zero(), |most, order| most.max(Self::most_of_item(order)));
		let orders = u64::from(T::MaxBatchOrders::get());
		T::WeightInfo::submit_batch(0).saturating_add(dearest.saturating_mul(orders))
	}

	fn most_of_item(order: &crate::OrderOf<T>) -> Weight {
		match order {
			Order::Tick { .. } => Self::weight_of_tick_apart(),
			_ => Self::weight_of_order(order),
		}
	}
}

/// What an order takes of the batch's length.
fn bytes<T: Config>(signed: &SignedOrderOf<T>) -> u32 {
	length(signed).try_into().unwrap_or(u32::MAX)
}
