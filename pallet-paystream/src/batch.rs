// SPDX-License-Identifier: Apache-2.0

//! Batches: many orders of many keys in one extrinsic of any account (rule 7).

use crate::{
	order::verify,
	plan::{Plan, Step},
	stream::StreamBook,
	types::{BatchOf, GrantId, Order, SignedOrderOf},
	Config, Error, Event, FreeWeightUsed, Pallet, WeightInfo,
};
use frame::{
	deps::frame_support::storage::{transactional::TRANSACTION_LEVEL_KEY, unhashed},
	prelude::*,
};

/// What a batch has come to.
#[derive(Default)]
struct Tally {
	/// Whether it is the extrinsic itself: only then can orders be free, and more be registered with
	/// the block than was announced.
	is_the_extrinsic: bool,
	/// How many ticks were tried.
	ticks: u32,
	/// The weight of everything else that was tried.
	others: Weight,
	/// What ticks weighed more that closed their session.
	closings: Weight,
	/// The part of it whose fee does not come back.
	closings_paid: Weight,
	counted: u32,
	free: u32,
	failed: u32,
	/// How many of those that failed had been counted already.
	stale: u32,
	/// What those weigh, and what they would take of the free lane.
	stale_weight: Weight,
	stale_taken: Weight,
	/// How many of them cost nothing.
	forgiven: u32,
	/// The weight whose fee comes back.
	returned: Weight,
}

impl Tally {
	fn note_stale(&mut self, weight: Weight, taken: Weight) {
		self.stale = self.stale.saturating_add(1);
		self.stale_weight = self.stale_weight.saturating_add(weight);
		self.stale_taken = self.stale_taken.saturating_add(taken);
	}
}

impl<T: Config> Pallet<T> {
	/// Carry out a batch. Returns what it weighed and what it costs.
	pub(crate) fn do_submit_batch(orders: BatchOf<T>) -> DispatchResultWithPostInfo {
		Self::ensure_ascending(&orders)?;
		let announced = Self::weight_of_batch(&orders);
		let mut book = StreamBook::new();
		let mut tally = Tally { is_the_extrinsic: Self::is_the_extrinsic(), ..Tally::default() };
		for signed in orders {
			let (grant, index) = (signed.grant, signed.order.index());
			let (returned, taken) = Self::weights_of_item(&signed.order);
			if let Err(error) = Self::try_order(&mut book, &mut tally, signed) {
				tally.failed = tally.failed.saturating_add(1);
				if error == Error::OrderStale {
					tally.note_stale(returned, taken);
				}
				Self::deposit_event(Event::OrderFailed { grant, index, error: error.into() });
			}
		}
		let streams = book.write();
		Self::forgive_stale(&mut tally);
		Self::deposit_event(Event::BatchDone {
			counted: tally.counted,
			free: tally.free,
			failed: tally.failed,
		});
		Ok(Self::bill(&tally, streams, announced))
	}

	/// One order of a batch, within no limit of the free lane.
	fn try_order(
		book: &mut StreamBook<T>,
		tally: &mut Tally,
		signed: SignedOrderOf<T>,
	) -> Result<(), Error<T>> {
		let SignedOrderOf::<T> { grant, order, signature } = signed;
		let index = order.index();
		let (returned, most_taken) = Self::weights_of_item(&order);
		let streams = book.count();
		match order {
			Order::Tick { .. } => tally.ticks = tally.ticks.saturating_add(1),
			_ => tally.others = tally.others.saturating_add(returned),
		}
		let Plan { step, free } = Self::plan(book, grant, &order)?;
		let closing = match (&order, &step) {
			(Order::Tick { .. }, Step::Close(_)) => Self::weight_of_closing(),
			_ => Weight::zero(),
		};
		let closings = tally.closings.saturating_add(closing);
		if !closing.is_zero() {
			let room = tally.is_the_extrinsic && Self::block_has_room(closings);
			ensure!(room, Error::<T>::BlockFull);
		}
		// Last, because it is dear: an order that the ledger refuses costs no verification.
		let message = Self::order_bytes(grant, &order);
		ensure!(verify(step.key(), &signature, &message), Error::<T>::SignatureInvalid);
		Self::carry_out(book, grant, index, step);
		tally.counted = tally.counted.saturating_add(1);
		tally.closings = closings;
		// A tick whose stream was there already weighs what comes back for it.
		let taken = match order {
			Order::Tick { .. } if book.count() == streams => returned,
			_ => most_taken,
		};
		let taken = taken.saturating_add(closing);
		if tally.is_the_extrinsic && free.is_ok() && Self::take_free_lane(tally, taken) {
			tally.free = tally.free.saturating_add(1);
			tally.returned = tally.returned.saturating_add(returned);
		} else {
			tally.closings_paid = tally.closings_paid.saturating_add(closing);
		}
		Ok(())
	}

	/// What somebody else has brought costs its submitter nothing: orders are public, and whoever copies
	/// one out of a waiting batch must not make the whole of it dear. No more of them than of free ones,
	/// and all of them within the free share, so nobody makes blocks work for nothing by replays.
	fn forgive_stale(tally: &mut Tally) {
		let few = tally.stale > 0 && tally.stale <= tally.free;
		if few && Self::take_free_lane(tally, tally.stale_taken) {
			tally.forgiven = tally.stale;
			tally.returned = tally.returned.saturating_add(tally.stale_weight);
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

	/// Whether the block's free share has room for so much more; if so, it is taken. The batch's own
	/// part goes with its first free order.
	fn take_free_lane(tally: &Tally, weight: Weight) -> bool {
		let own = match tally.free {
			0 => T::WeightInfo::submit_batch(0).saturating_add(Self::base_weight()),
			_ => Weight::zero(),
		};
		let used = FreeWeightUsed::<T>::get().saturating_add(weight).saturating_add(own);
		let fits = used.all_lte(Self::free_limit());
		if fits {
			FreeWeightUsed::<T>::put(used);
		}
		fits
	}

	/// What the batch costs its submitter: nothing where every order counted and was free, else
	/// the weight of those that did not or were not, as far as the announcement reaches. The block is
	/// charged for all of them: what is not reported is registered beside it.
	fn bill(tally: &Tally, streams: u32, announced: Weight) -> PostDispatchInfo {
		// Orders that do not tick have their streams in their own weight.
		let streams = streams.min(tally.ticks);
		let spent = Self::weight_of_ticks(tally.ticks, streams).saturating_add(tally.others);
		let free = tally.failed == tally.forgiven && tally.free == tally.counted;
		let reported = match free {
			true => spent,
			false => spent
				.saturating_sub(tally.returned)
				.saturating_add(tally.closings_paid)
				.min(announced),
		};
		let more = spent.saturating_add(tally.closings).saturating_sub(reported);
		if !more.is_zero() {
			frame_system::Pallet::<T>::register_extra_weight_unchecked(more, DispatchClass::Normal);
		}
		let pays_fee = if free { Pays::No } else { Pays::Yes };
		PostDispatchInfo { actual_weight: Some(reported), pays_fee }
	}

	/// Whether the batch is the extrinsic itself, and no call within another one. An outer call that
	/// fails undoes what was registered with the block, but not the lower weight that was reported:
	/// the same orders could be verified again and again for nothing. What a hook dispatches is no
	/// extrinsic either: it is bounded by what is reported.
	fn is_the_extrinsic() -> bool {
		let in_a_hook = matches!(
			frame_system::Pallet::<T>::execution_phase(),
			Some(frame_system::Phase::Initialization | frame_system::Phase::Finalization)
		);
		!in_a_hook && unhashed::get::<u32>(TRANSACTION_LEVEL_KEY).unwrap_or(0) <= 1
	}

	/// What comes back for a free order of a batch, and what it takes of the free lane at the most.
	fn weights_of_item(order: &crate::OrderOf<T>) -> (Weight, Weight) {
		match order {
			Order::Tick { .. } => (Self::weight_of_tick(), Self::weight_of_tick_apart()),
			_ => (Self::weight_of_order(order), Self::weight_of_order(order)),
		}
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

	/// The weight of so many ticks on so many streams.
	fn weight_of_ticks(ticks: u32, streams: u32) -> Weight {
		let more = Self::weight_of_tick_apart().saturating_sub(Self::weight_of_tick());
		T::WeightInfo::submit_batch(ticks).saturating_add(more.saturating_mul(streams.into()))
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
