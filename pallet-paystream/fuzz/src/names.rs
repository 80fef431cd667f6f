// SPDX-License-Identifier: Apache-2.0

//! Names in a byte or two: of accounts, entries, amounts and spans that are likely to mean something.

use frame::{prelude::*, token::fungible::NativeOrWithId};
use pallet_paystream::{NextGrantId, NextStreamId};
use paystream_oracle::runtime::{Kind, PayStream, Runtime, BANK, TREASURY};

/// Amounts at which something changes: deposits, minimum balances, endowments, ends of the type.
const AMOUNTS: [u128; 24] = [
	0,
	1,
	2,
	3,
	5,
	7,
	9,
	10,
	11,
	15,
	20,
	40,
	60,
	100,
	150,
	300,
	700,
	2_000,
	9_000,
	19_000,
	20_000,
	u64::MAX as u128,
	u128::MAX / 2,
	u128::MAX,
];

/// Somebody: a holder, nobody, the bank, the treasury or the pot.
#[derive(Decode, Debug)]
pub struct Who(u8);
/// An amount by its place among `AMOUNTS`.
#[derive(Decode, Debug)]
pub struct Amount(u8);
/// Milliseconds by a step and a little beside it.
#[derive(Decode, Debug)]
pub struct Span(u8, i8);
/// One of the newest entries, or one that is not there.
#[derive(Decode, Debug)]
pub struct Pick(u8);
/// An asset: the native one, one of the known, or an unknown one.
#[derive(Decode, Debug)]
pub struct Money(u8);

impl Who {
	/// The account's number.
	pub fn account(&self) -> u64 {
		match self.0 % 16 {
			known @ 0..=11 => u64::from(known % 5) + 1,
			12 => 99,
			13 => BANK,
			14 => TREASURY,
			_ => PayStream::pot(),
		}
	}
}

impl Amount {
	/// The amount itself.
	pub fn value(&self) -> u128 {
		AMOUNTS[usize::from(self.0) % AMOUNTS.len()]
	}
}

impl Span {
	/// The span in milliseconds.
	pub fn ms(&self) -> u64 {
		const STEPS: [u64; 12] =
			[0, 500, 1_000, 2_000, 5_000, 6_000, 10_000, 20_000, 30_000, 60_000, 90_000, 400_000];
		let step = STEPS[usize::from(self.0) % STEPS.len()];
		step.saturating_add_signed(i64::from(self.1) / 16)
	}
}

impl Pick {
	fn below(&self, next: u64) -> u64 {
		match self.0 % 16 {
			15 => next,
			back => next.saturating_sub(1 + u64::from(back) / 4),
		}
	}

	/// Whether what it is for comes without a signature, where it may.
	pub fn is_unsigned(&self) -> bool {
		self.0 >= 128
	}

	/// The stream's id.
	pub fn stream(&self) -> u64 {
		self.below(NextStreamId::<Runtime>::get())
	}

	/// The grant's id.
	pub fn grant(&self) -> u64 {
		self.below(NextGrantId::<Runtime>::get())
	}
}

impl Money {
	/// The asset's id.
	pub fn kind(&self) -> Kind {
		match self.0 % 12 {
			0..=5 => NativeOrWithId::Native,
			6..=8 => NativeOrWithId::WithId(7),
			9 => NativeOrWithId::WithId(8),
			10 => NativeOrWithId::WithId(9),
			_ => NativeOrWithId::WithId(77),
		}
	}
}
