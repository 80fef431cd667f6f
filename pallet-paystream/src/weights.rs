// SPDX-License-Identifier: Apache-2.0

//! Weights for `pallet_paystream`, measured on the runtime's WebAssembly by `scripts/weights`.
//!
//! Made by frame-omni-bencher 64.0.0 on 2026-11-26; steps: 10, repeat: 8, CPU: AMD EPYC.
//! Do not edit: run the script again.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]
#![allow(missing_docs)]
#![allow(dead_code)]

use frame::weights_prelude::*;

/// Weight functions needed for `pallet_paystream`.
pub trait WeightInfo {
	fn create_stream(p: u32, ) -> Weight;
	fn update_stream() -> Weight;
	fn end_stream() -> Weight;
	fn deposit() -> Weight;
	fn withdraw() -> Weight;
	fn grant() -> Weight;
	fn revoke(s: u32, ) -> Weight;
	fn delete_grant() -> Weight;
	fn submit_open() -> Weight;
	fn submit_fund() -> Weight;
	fn submit_tick() -> Weight;
	fn submit_close() -> Weight;
	fn submit_tip() -> Weight;
	fn submit_renew() -> Weight;
	fn submit_batch(n: u32, ) -> Weight;
	fn submit_batch_streams(n: u32, ) -> Weight;
	fn authorize_open() -> Weight;
	fn authorize_fund() -> Weight;
	fn authorize_tick() -> Weight;
	fn authorize_close() -> Weight;
	fn authorize_tip() -> Weight;
	fn authorize_renew() -> Weight;
	fn tip() -> Weight;
	fn refund() -> Weight;
	fn transfer_stream() -> Weight;
	fn set_tiers(t: u32, ) -> Weight;
	fn subscribe() -> Weight;
	fn cancel_subscription() -> Weight;
	fn settle_subscription() -> Weight;
	fn enable_asset() -> Weight;
	fn disable_asset() -> Weight;
	fn write_off_asset() -> Weight;
	fn set_tick_price() -> Weight;
	fn set_treasury_share() -> Weight;
	fn set_stopped() -> Weight;
	fn settle() -> Weight;
	fn claim(p: u32, ) -> Weight;
	fn on_finalize() -> Weight;
}

/// Weights for `pallet_paystream` with the database weights of the runtime.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::NextStreamId` (r:1 w:1)
	/// Proof: `PayStream::NextStreamId` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:0 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// The range of component `p` is `[0, 8]`.
	fn create_stream(p: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `232`
		//  Estimated: `3593`
		// Minimum execution time: 82_034_000 picoseconds.
		Weight::from_parts(135_682_920, 3593)
			// Standard Error: 46_123
			.saturating_add(Weight::from_parts(466_734, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::TreasuryShare` (r:1 w:0)
	/// Proof: `PayStream::TreasuryShare` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Tiers` (r:1 w:0)
	/// Proof: `PayStream::Tiers` (`max_values`: None, `max_size`: Some(241), added: 2716, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	fn update_stream() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `908`
		//  Estimated: `4122`
		// Minimum execution time: 82_795_000 picoseconds.
		Weight::from_parts(128_230_000, 4122)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	fn end_stream() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `665`
		//  Estimated: `4122`
		// Minimum execution time: 23_874_000 picoseconds.
		Weight::from_parts(45_265_000, 4122)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn deposit() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `372`
		//  Estimated: `6196`
		// Minimum execution time: 83_546_000 picoseconds.
		Weight::from_parts(140_272_000, 6196)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `442`
		//  Estimated: `6196`
		// Minimum execution time: 82_645_000 picoseconds.
		Weight::from_parts(96_721_000, 6196)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::NextGrantId` (r:1 w:1)
	/// Proof: `PayStream::NextGrantId` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:0 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	fn grant() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `323`
		//  Estimated: `3593`
		// Minimum execution time: 164_679_000 picoseconds.
		Weight::from_parts(293_079_000, 3593)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:16 w:16)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// The range of component `s` is `[1, 16]`.
	fn revoke(s: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `334 + s * (213 ±0)`
		//  Estimated: `3800 + s * (2697 ±0)`
		// Minimum execution time: 47_840_000 picoseconds.
		Weight::from_parts(69_520_814, 3800)
			// Standard Error: 256_474
			.saturating_add(Weight::from_parts(9_210_940, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2697).saturating_mul(s.into()))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn delete_grant() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `528`
		//  Estimated: `3800`
		// Minimum execution time: 90_539_000 picoseconds.
		Weight::from_parts(167_664_000, 3800)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:0)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:0 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	fn submit_open() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1381`
		//  Estimated: `4122`
		// Minimum execution time: 198_021_000 picoseconds.
		Weight::from_parts(330_359_000, 4122)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn submit_fund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1692`
		//  Estimated: `4122`
		// Minimum execution time: 169_357_000 picoseconds.
		Weight::from_parts(261_039_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn submit_tick() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `965`
		//  Estimated: `4122`
		// Minimum execution time: 143_258_000 picoseconds.
		Weight::from_parts(232_014_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn submit_close() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1530`
		//  Estimated: `4122`
		// Minimum execution time: 231_944_000 picoseconds.
		Weight::from_parts(414_426_000, 4122)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn submit_tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1390`
		//  Estimated: `4122`
		// Minimum execution time: 167_264_000 picoseconds.
		Weight::from_parts(286_697_000, 4122)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:1)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Tiers` (r:1 w:0)
	/// Proof: `PayStream::Tiers` (`max_values`: None, `max_size`: Some(241), added: 2716, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn submit_renew() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1767`
		//  Estimated: `4122`
		// Minimum execution time: 199_273_000 picoseconds.
		Weight::from_parts(345_507_000, 4122)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1000 w:1000)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// The range of component `n` is `[0, 1000]`.
	fn submit_batch(n: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `912 + n * (64 ±0)`
		//  Estimated: `4122 + n * (2697 ±0)`
		// Minimum execution time: 3_797_000 picoseconds.
		Weight::from_parts(572_290_268, 4122)
			// Standard Error: 2_701_409
			.saturating_add(Weight::from_parts(109_734_137, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2697).saturating_mul(n.into()))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1000 w:1000)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1000 w:1000)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// The range of component `n` is `[0, 1000]`.
	fn submit_batch_streams(n: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `711 + n * (277 ±0)`
		//  Estimated: `3509 + n * (3132 ±0)`
		// Minimum execution time: 2_875_000 picoseconds.
		Weight::from_parts(5_309_229_066, 3509)
			// Standard Error: 4_477_092
			.saturating_add(Weight::from_parts(115_675_625, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3132).saturating_mul(n.into()))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:0)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_open() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1381`
		//  Estimated: `4122`
		// Minimum execution time: 125_054_000 picoseconds.
		Weight::from_parts(193_312_000, 4122)
			.saturating_add(T::DbWeight::get().reads(8_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_fund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1692`
		//  Estimated: `4122`
		// Minimum execution time: 119_534_000 picoseconds.
		Weight::from_parts(183_824_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_tick() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `965`
		//  Estimated: `4122`
		// Minimum execution time: 98_775_000 picoseconds.
		Weight::from_parts(158_617_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_close() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1297`
		//  Estimated: `4122`
		// Minimum execution time: 109_215_000 picoseconds.
		Weight::from_parts(181_339_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1390`
		//  Estimated: `4122`
		// Minimum execution time: 116_157_000 picoseconds.
		Weight::from_parts(195_856_000, 4122)
			.saturating_add(T::DbWeight::get().reads(7_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:0)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Tiers` (r:1 w:0)
	/// Proof: `PayStream::Tiers` (`max_values`: None, `max_size`: Some(241), added: 2716, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_renew() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1767`
		//  Estimated: `4122`
		// Minimum execution time: 134_863_000 picoseconds.
		Weight::from_parts(241_702_000, 4122)
			.saturating_add(T::DbWeight::get().reads(10_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `698`
		//  Estimated: `4122`
		// Minimum execution time: 38_713_000 picoseconds.
		Weight::from_parts(68_158_000, 4122)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn refund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `628`
		//  Estimated: `4122`
		// Minimum execution time: 25_839_000 picoseconds.
		Weight::from_parts(44_374_000, 4122)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::TreasuryShare` (r:1 w:0)
	/// Proof: `PayStream::TreasuryShare` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:2 w:2)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn transfer_stream() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1020`
		//  Estimated: `6196`
		// Minimum execution time: 92_373_000 picoseconds.
		Weight::from_parts(145_543_000, 6196)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Tiers` (r:0 w:1)
	/// Proof: `PayStream::Tiers` (`max_values`: None, `max_size`: Some(241), added: 2716, mode: `MaxEncodedLen`)
	/// The range of component `t` is `[0, 8]`.
	fn set_tiers(t: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `786`
		//  Estimated: `4122`
		// Minimum execution time: 63_088_000 picoseconds.
		Weight::from_parts(90_804_655, 4122)
			// Standard Error: 85_144
			.saturating_add(Weight::from_parts(2_157_919, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Tiers` (r:1 w:0)
	/// Proof: `PayStream::Tiers` (`max_values`: None, `max_size`: Some(241), added: 2716, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:1)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	fn subscribe() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1293`
		//  Estimated: `4122`
		// Minimum execution time: 127_067_000 picoseconds.
		Weight::from_parts(258_705_000, 4122)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:1)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn cancel_subscription() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `880`
		//  Estimated: `4122`
		// Minimum execution time: 49_622_000 picoseconds.
		Weight::from_parts(107_381_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:1)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	fn settle_subscription() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1140`
		//  Estimated: `4122`
		// Minimum execution time: 100_418_000 picoseconds.
		Weight::from_parts(181_910_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn enable_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `232`
		//  Estimated: `3593`
		// Minimum execution time: 23_324_000 picoseconds.
		Weight::from_parts(42_319_000, 3593)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	fn disable_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `92`
		//  Estimated: `3535`
		// Minimum execution time: 17_482_000 picoseconds.
		Weight::from_parts(29_365_000, 3535)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn write_off_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `232`
		//  Estimated: `3593`
		// Minimum execution time: 23_064_000 picoseconds.
		Weight::from_parts(36_498_000, 3593)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	fn set_tick_price() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `92`
		//  Estimated: `3535`
		// Minimum execution time: 17_513_000 picoseconds.
		Weight::from_parts(33_102_000, 3535)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::TreasuryShare` (r:0 w:1)
	/// Proof: `PayStream::TreasuryShare` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn set_treasury_share() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 8_486_000 picoseconds.
		Weight::from_parts(15_048_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::Stopped` (r:0 w:1)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	fn set_stopped() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 8_255_000 picoseconds.
		Weight::from_parts(15_730_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn settle() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1476`
		//  Estimated: `4122`
		// Minimum execution time: 117_550_000 picoseconds.
		Weight::from_parts(196_928_000, 4122)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::TreasuryShare` (r:1 w:0)
	/// Proof: `PayStream::TreasuryShare` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:11 w:11)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Tiers` (r:0 w:1)
	/// Proof: `PayStream::Tiers` (`max_values`: None, `max_size`: Some(241), added: 2716, mode: `MaxEncodedLen`)
	/// The range of component `p` is `[1, 8]`.
	fn claim(p: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `768 + p * (50 ±0)`
		//  Estimated: `8799 + p * (2603 ±0)`
		// Minimum execution time: 194_494_000 picoseconds.
		Weight::from_parts(261_992_703, 8799)
			// Standard Error: 384_359
			.saturating_add(Weight::from_parts(101_356_848, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes(7_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(p.into()))
	}
	fn on_finalize() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 661_000 picoseconds.
		Weight::from_parts(1_313_000, 0)
	}
}
