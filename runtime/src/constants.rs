//! Numbers that define this chain: money, time and block space.

mod money;

use crate::BlockNumber;
pub use money::*;
use polkadot_sdk::{
	frame_support::weights::{constants::WEIGHT_REF_TIME_PER_MILLIS, Weight},
	sp_runtime::Perbill,
};

/// Length of an Aura slot, and so the time from one block to the next, in milliseconds.
pub const SLOT_DURATION_MS: u64 = 2_000;

/// How many recent blocks' hashes are kept, and so the longest life of a mortal extrinsic.
pub const BLOCK_HASH_COUNT: BlockNumber = 2_400;

/// Computing time that a block may take: two thirds of a second of a two-second slot, so that a
/// slower machine, the network and the import have the rest.
pub const MAXIMUM_BLOCK_WEIGHT: Weight =
	Weight::from_parts(WEIGHT_REF_TIME_PER_MILLIS.saturating_mul(2_000) / 3, u64::MAX);

/// Share of a block that ordinary extrinsics may fill; the rest is for operational ones.
pub const NORMAL_DISPATCH_RATIO: Perbill = Perbill::from_percent(75);

/// Longest block, in bytes.
pub const MAXIMUM_BLOCK_LENGTH: u32 = 5 * 1024 * 1024;

/// Most validators that Aura and GRANDPA accept.
pub const MAX_AUTHORITIES: u32 = 32;
