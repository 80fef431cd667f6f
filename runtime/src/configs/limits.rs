//! What a block holds at most, by this chain's numbers.

use crate::constants::*;
use frame_support::{dispatch::DispatchClass, parameter_types, weights::Weight};
use frame_system::limits::{BlockLength, BlockWeights};
use polkadot_sdk::*;
use sp_runtime::Perbill;

/// Share of a block that `on_initialize` is expected to take at most.
const BLOCK_INITIALIZATION_RATIO: Perbill = Perbill::from_percent(5);

parameter_types! {
	pub RuntimeBlockLength: BlockLength = BlockLength::builder()
		.max_length(MAXIMUM_BLOCK_LENGTH)
		.modify_max_length_for_class(DispatchClass::Normal, |max| {
			*max = NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_LENGTH;
		})
		.build();
	/// Ordinary extrinsics fill up to their share; operational ones have the rest to themselves.
	pub RuntimeBlockWeights: BlockWeights = BlockWeights::builder()
		.for_class(DispatchClass::Normal, |weights| {
			weights.max_total = Some(normal_weight());
		})
		.for_class(DispatchClass::Operational, |weights| {
			weights.max_total = Some(MAXIMUM_BLOCK_WEIGHT);
			weights.reserved = Some(MAXIMUM_BLOCK_WEIGHT - normal_weight());
		})
		.avg_block_initialization(BLOCK_INITIALIZATION_RATIO)
		.build_or_panic();
}

fn normal_weight() -> Weight {
	NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_WEIGHT
}
