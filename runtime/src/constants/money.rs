//! What money is on the chains of this repository, and what storage costs in it.

use crate::Balance;

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
