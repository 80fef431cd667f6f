//! Numbers that define this chain: money, time and block space.

use crate::{Balance, BlockNumber};
use polkadot_sdk::{
	frame_support::weights::{constants::WEIGHT_REF_TIME_PER_MILLIS, Weight},
	sp_runtime::Perbill,
};

/// One token in its smallest unit; the native token has 12 decimals.
pub const UNIT: Balance = 1_000_000_000_000;
/// A thousandth of a token.
pub const MILLI_UNIT: Balance = UNIT / 1_000;
/// A millionth of a token.
pub const MICRO_UNIT: Balance = UNIT / 1_000_000;

/// Decimals of the native token, as wallets are told.
pub const TOKEN_DECIMALS: u8 = 12;
/// Symbol of the native token, as wallets are told.
pub const TOKEN_SYMBOL: &str = "UNIT";
/// Address format: the generic Substrate prefix.
pub const SS58_PREFIX: u16 = 42;

/// The least balance with which an account exists.
pub const EXISTENTIAL_DEPOSIT: Balance = MILLI_UNIT;

/// Deposit for `items` storage entries that hold `bytes` bytes together.
///
/// It is high enough that filling a validator's disk costs real money, and it comes back when the
/// entry goes.
pub const fn deposit(items: u32, bytes: u32) -> Balance {
	items as Balance * 10 * MILLI_UNIT + bytes as Balance * 100 * MICRO_UNIT
}

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
