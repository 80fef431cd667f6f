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
	counted: u32,
	free: u32,
	failed: u32,
	/// The weight whose fee comes back.
	returned: Weight,
}

impl<T: Config> Pallet<T> {
	/// Carry out a batch. Returns what it weighed and what it costs.
	pub(crate) fn do_submit_batch(orders: BatchOf<T>) -> DispatchResultWithPostInfo {
		Self::ensure_ascending(&orders)?;
		let mut book = StreamBook::new();
		let mut tally = Tally { is_the_extrinsic: Self::is_the_extrinsic(), ..Tally::default() };
		for signed in orders {
			let (grant, index) = (signed.grant, signed.order.index());
			if let Err(error) = Self::try_order(&mut book, &mut tally, signed) {
				tally.failed = tally.failed.saturating_add(1);
				Self::deposit_event(Event::OrderFailed { grant, index, error: error.into() });
			}
		}
		let streams = book.write();
		Self::deposit_event(Event::BatchDone {
			counted: tally.counted,
			free: tally.free,
			failed: tally.failed,
		});
		Ok(Self::bill(&tally, streams))
	}

	/// One order of a batch, within no limit of the free lane.
	fn try_order(
		book: &mut StreamBook<T>,
		tally: &mut Tally,
		signed: SignedOrderOf<T>,
	) -> Result<(), Error<T>> {
		let SignedOrderOf::<T> { grant, order, signature } = signed;
		let index = order.index();
		let (returned, mut taken) = match order {
			Order::Tick { .. } => (Self::weight_of_tick(), Self::weight_of_tick_apart()),
			_ => (Self::weight_of_order(&order), Self::weight_of_order(&order)),
		};
		match order {
			Order::Tick { .. } => tally.ticks = tally.ticks.saturating_add(1),
			_ => tally.others = tally.others.saturating_add(returned),
		}
		let Plan { step, free } = Self::plan(book, grant, &order)?;
		let closing_tick = matches!((&order, &step), (Order::Tick { .. }, Step::Close(_)));
		if closing_tick {
			let room = tally.is_the_extrinsic && Self::block_has_room(Self::weight_of_closing());
			ensure!(room, Error::<T>::BlockFull);
		}
		// Last, because it is dear: an order that the ledger refuses costs no verification.
		let message = Self::order_bytes(grant, &order);
		ensure!(verify(step.key(), &signature, &message), Error::<T>::SignatureInvalid);
		if closing_tick {
			taken = T::WeightInfo::submit_close();
			let more = Self::weight_of_closing();
			frame_system::Pallet::<T>::register_extra_weight_unchecked(more, DispatchClass::Normal);
		}
		Self::carry_out(book, grant, index, step);
		tally.counted = tally.counted.saturating_add(1);
		if tally.is_the_extrinsic && free.is_ok() && Self::take_free_lane(tally, taken) {
			tally.free = tally.free.saturating_add(1);
			tally.returned = tally.returned.saturating_add(returned);
		}
		Ok(())
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
	/// the weight of those that did not or were not. The block is charged for all of them: the
	/// part whose fee comes back is registered beside what is reported.
	fn bill(tally: &Tally, streams: u32) -> PostDispatchInfo {
		// Orders that do not tick have their streams in their own weight.
		let streams = streams.min(tally.ticks);
		let spent = Self::weight_of_ticks(tally.ticks, streams).saturating_add(tally.others);
		if tally.failed == 0 && tally.free == tally.counted {
			return PostDispatchInfo { actual_weight: Some(spent), pays_fee: Pays::No };
		}
		let returned = tally.returned.min(spent);
		frame_system::Pallet::<T>::register_extra_weight_unchecked(returned, DispatchClass::Normal);
		PostDispatchInfo {
			actual_weight: Some(spent.saturating_sub(returned)),
			pays_fee: Pays::Yes,
		}
	}

	/// Whether the batch is the extrinsic itself, and no call within another one. An outer call that
	/// fails undoes what was registered with the block, but not the lower weight that was reported:
	/// the same orders could be verified again and again for nothing.
	fn is_the_extrinsic() -> bool {
		unhashed::get::<u32>(TRANSACTION_LEVEL_KEY).unwrap_or(0) <= 1
	}

	/// The weight of one more tick in a batch that has its stream already.
	fn weight_of_tick() -> Weight {
		T::WeightInfo::submit_batch(1).saturating_sub(T::WeightInfo::submit_batch(0))
	}

	/// The weight of one more tick in a batch, on a stream of its own: never less than the other,
	/// whatever the measurements say.
	fn weight_of_tick_apart() -> Weight {
		T::WeightInfo::submit_batch_streams(1)
			.saturating_sub(T::WeightInfo::submit_batch_streams(0))
			.max(Self::weight_of_tick())
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
