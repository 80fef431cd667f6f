//! Numbers that define this chain: time and block space. What money is, it shares with the reference chain.

#[path = "../../src/constants/money.rs"]
mod money;

use crate::BlockNumber;
pub use money::*;
use polkadot_sdk::{
	frame_support::weights::{constants::WEIGHT_REF_TIME_PER_SECOND, Weight},
	sp_runtime::Perbill,
};

/// Length of an Aura slot, and so the time from one block to the next, in milliseconds.
pub const SLOT_DURATION_MS: u64 = 6_000;

/// Length of a slot of the relay chain, in milliseconds.
pub const RELAY_SLOT_DURATION_MS: u32 = 6_000;

/// How many blocks this chain may have written that the relay chain has not included yet.
pub const UNINCLUDED_SEGMENT_CAPACITY: u32 = 3;

/// How many blocks this chain may write on one block of the relay chain.
pub const BLOCK_PROCESSING_VELOCITY: u32 = 1;

/// How many blocks behind the relay chain's tip a block of this chain builds on it: on the tip.
pub const RELAY_PARENT_OFFSET: u32 = 0;

/// How many of the relay chain's next blocks may be the one that includes a block of this chain: the next, and the one
/// after it.
pub const MAX_CLAIM_QUEUE_OFFSET: u8 = 1;

/// How many recent blocks' hashes are kept, and so the longest life of a mortal extrinsic.
pub const BLOCK_HASH_COUNT: BlockNumber = 2_400;

/// The most that a block and the entries which it reads may be together, in bytes: half of what the relay
/// chain takes, for entries are counted without the inherents' messages and proofs.
pub const PROOF_OF_VALIDITY_MAX_BYTES: u64 = 5 * 1024 * 1024;

/// What a block may take: two seconds of a core of the relay chain, and its share of a proof of validity.
pub const MAXIMUM_BLOCK_WEIGHT: Weight =
	Weight::from_parts(WEIGHT_REF_TIME_PER_SECOND.saturating_mul(2), PROOF_OF_VALIDITY_MAX_BYTES);

/// Share of a block that ordinary extrinsics may fill; the rest is for operational ones.
pub const NORMAL_DISPATCH_RATIO: Perbill = Perbill::from_percent(75);

/// Longest block, in bytes.
pub const MAXIMUM_BLOCK_LENGTH: u32 = 5 * 1024 * 1024;

/// Most authorities that Aura accepts.
pub const MAX_AUTHORITIES: u32 = 32;

/// Length of a session of collators, in blocks: six hours.
pub const SESSION_BLOCKS: BlockNumber = 6 * 3_600_000 / SLOT_DURATION_MS as BlockNumber;
