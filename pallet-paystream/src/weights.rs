// SPDX-License-Identifier: Apache-2.0

//! Weights for `pallet_paystream`, measured on the runtime's WebAssembly by `scripts/weights`.
//!
//! Made by frame-omni-bencher 64.0.0 on 2026-11-26; steps: 10, repeat: 10, CPU: AMD EPYC.
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
	/// Storage: `PayStream::Streams` (r:0 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// The range of component `p` is `[0, 8]`.
	fn create_stream(p: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `196`
		//  Estimated: `3593`
		// Minimum execution time: 57_767_000 picoseconds.
		Weight::from_parts(63_540_455, 3593)
			// Standard Error: 10_310
			.saturating_add(Weight::from_parts(224_461, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
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
		//  Measured:  `871`
		//  Estimated: `4122`
		// Minimum execution time: 57_165_000 picoseconds.
		Weight::from_parts(60_881_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	fn end_stream() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `628`
		//  Estimated: `4122`
		// Minimum execution time: 11_467_000 picoseconds.
		Weight::from_parts(12_869_000, 4122)
			.saturating_add(T::DbWeight::get().reads(1_u64))
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
		//  Measured:  `373`
		//  Estimated: `6196`
		// Minimum execution time: 59_599_000 picoseconds.
		Weight::from_parts(68_822_000, 6196)
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
		//  Measured:  `468`
		//  Estimated: `6196`
		// Minimum execution time: 62_283_000 picoseconds.
		Weight::from_parts(68_001_000, 6196)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
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
		//  Measured:  `233`
		//  Estimated: `3593`
		// Minimum execution time: 108_071_000 picoseconds.
		Weight::from_parts(127_980_000, 3593)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:16 w:16)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// The range of component `s` is `[1, 16]`.
	fn revoke(s: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `297 + s * (213 ±0)`
		//  Estimated: `3800 + s * (2697 ±0)`
		// Minimum execution time: 22_924_000 picoseconds.
		Weight::from_parts(23_666_142, 3800)
			// Standard Error: 50_781
			.saturating_add(Weight::from_parts(6_096_911, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2697).saturating_mul(s.into()))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn delete_grant() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `491`
		//  Estimated: `3800`
		// Minimum execution time: 55_944_000 picoseconds.
		Weight::from_parts(64_115_000, 3800)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
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
	/// Storage: `PayStream::Sessions` (r:0 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	fn submit_open() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1316`
		//  Estimated: `4122`
		// Minimum execution time: 113_178_000 picoseconds.
		Weight::from_parts(131_656_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn submit_fund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1627`
		//  Estimated: `4122`
		// Minimum execution time: 105_167_000 picoseconds.
		Weight::from_parts(127_279_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	fn submit_tick() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `874`
		//  Estimated: `4122`
		// Minimum execution time: 77_756_000 picoseconds.
		Weight::from_parts(88_351_000, 4122)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
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
	fn submit_close() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1465`
		//  Estimated: `4122`
		// Minimum execution time: 146_498_000 picoseconds.
		Weight::from_parts(178_085_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
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
	fn submit_tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1325`
		//  Estimated: `4122`
		// Minimum execution time: 100_009_000 picoseconds.
		Weight::from_parts(108_262_000, 4122)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
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
	fn submit_renew() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1702`
		//  Estimated: `4122`
		// Minimum execution time: 120_590_000 picoseconds.
		Weight::from_parts(134_640_000, 4122)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `PayStream::Sessions` (r:500 w:500)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// The range of component `n` is `[0, 500]`.
	fn submit_batch(n: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `820 + n * (64 ±0)`
		//  Estimated: `4122 + n * (2697 ±0)`
		// Minimum execution time: 881_000 picoseconds.
		Weight::from_parts(1_131_000, 4122)
			// Standard Error: 255_523
			.saturating_add(Weight::from_parts(54_482_403, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2697).saturating_mul(n.into()))
	}
	/// Storage: `PayStream::Sessions` (r:500 w:500)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:500 w:500)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// The range of component `n` is `[0, 500]`.
	fn submit_batch_streams(n: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `617 + n * (277 ±0)`
		//  Estimated: `990 + n * (3132 ±0)`
		// Minimum execution time: 881_000 picoseconds.
		Weight::from_parts(1_072_000, 990)
			// Standard Error: 178_125
			.saturating_add(Weight::from_parts(64_331_817, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3132).saturating_mul(n.into()))
	}
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
	fn authorize_open() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1316`
		//  Estimated: `4122`
		// Minimum execution time: 83_985_000 picoseconds.
		Weight::from_parts(96_915_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn authorize_fund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1627`
		//  Estimated: `4122`
		// Minimum execution time: 82_353_000 picoseconds.
		Weight::from_parts(91_947_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	fn authorize_tick() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `874`
		//  Estimated: `4122`
		// Minimum execution time: 60_971_000 picoseconds.
		Weight::from_parts(70_004_000, 4122)
			.saturating_add(T::DbWeight::get().reads(2_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(335), added: 2810, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn authorize_close() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1232`
		//  Estimated: `4122`
		// Minimum execution time: 69_333_000 picoseconds.
		Weight::from_parts(78_136_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
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
	fn authorize_tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1325`
		//  Estimated: `4122`
		// Minimum execution time: 74_561_000 picoseconds.
		Weight::from_parts(84_165_000, 4122)
			.saturating_add(T::DbWeight::get().reads(5_u64))
	}
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
	fn authorize_renew() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1702`
		//  Estimated: `4122`
		// Minimum execution time: 85_207_000 picoseconds.
		Weight::from_parts(92_107_000, 4122)
			.saturating_add(T::DbWeight::get().reads(8_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `724`
		//  Estimated: `4122`
		// Minimum execution time: 21_532_000 picoseconds.
		Weight::from_parts(26_239_000, 4122)
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
		// Minimum execution time: 15_843_000 picoseconds.
		Weight::from_parts(17_216_000, 4122)
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
		// Minimum execution time: 67_751_000 picoseconds.
		Weight::from_parts(71_516_000, 6196)
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
		// Minimum execution time: 44_867_000 picoseconds.
		Weight::from_parts(54_791_845, 4122)
			// Standard Error: 16_443
			.saturating_add(Weight::from_parts(1_370_123, 0).saturating_mul(t.into()))
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
	fn subscribe() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1282`
		//  Estimated: `4122`
		// Minimum execution time: 90_615_000 picoseconds.
		Weight::from_parts(99_849_000, 4122)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:1)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn cancel_subscription() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `869`
		//  Estimated: `4122`
		// Minimum execution time: 29_154_000 picoseconds.
		Weight::from_parts(35_412_000, 4122)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:1)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	fn settle_subscription() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1129`
		//  Estimated: `4122`
		// Minimum execution time: 71_646_000 picoseconds.
		Weight::from_parts(81_762_000, 4122)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn enable_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `233`
		//  Estimated: `3593`
		// Minimum execution time: 15_312_000 picoseconds.
		Weight::from_parts(16_895_000, 3593)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	fn disable_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `93`
		//  Estimated: `3535`
		// Minimum execution time: 11_367_000 picoseconds.
		Weight::from_parts(12_679_000, 3535)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:0)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn write_off_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `233`
		//  Estimated: `3593`
		// Minimum execution time: 15_253_000 picoseconds.
		Weight::from_parts(17_145_000, 3593)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	fn set_tick_price() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `93`
		//  Estimated: `3535`
		// Minimum execution time: 11_257_000 picoseconds.
		Weight::from_parts(12_368_000, 3535)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::TreasuryShare` (r:0 w:1)
	/// Proof: `PayStream::TreasuryShare` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn set_treasury_share() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 4_877_000 picoseconds.
		Weight::from_parts(5_528_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::Stopped` (r:0 w:1)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	fn set_stopped() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 4_857_000 picoseconds.
		Weight::from_parts(5_498_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
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
		//  Measured:  `1465`
		//  Estimated: `4122`
		// Minimum execution time: 82_092_000 picoseconds.
		Weight::from_parts(95_242_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
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
		// Minimum execution time: 150_244_000 picoseconds.
		Weight::from_parts(127_338_488, 8799)
			// Standard Error: 101_872
			.saturating_add(Weight::from_parts(52_632_840, 0).saturating_mul(p.into()))
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
		// Minimum execution time: 350_000 picoseconds.
		Weight::from_parts(491_000, 0)
	}
}
