// SPDX-License-Identifier: Apache-2.0

//! Weights for `pallet_paystream`, measured on the runtime's WebAssembly by `scripts/weights`.
//!
//! Made by frame-omni-bencher 64.0.0 on 2026-11-23; steps: 10, repeat: 5, CPU: AMD EPYC.
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
	fn authorize_open() -> Weight;
	fn authorize_fund() -> Weight;
	fn authorize_tick() -> Weight;
	fn authorize_close() -> Weight;
	fn submit_tip() -> Weight;
	fn submit_renew() -> Weight;
	fn authorize_tip() -> Weight;
	fn authorize_renew() -> Weight;
	fn tip() -> Weight;
	fn refund() -> Weight;
	fn transfer_stream() -> Weight;
	fn subscribe() -> Weight;
	fn cancel_subscription() -> Weight;
	fn settle_subscription() -> Weight;
	fn enable_asset() -> Weight;
	fn disable_asset() -> Weight;
	fn write_off_asset() -> Weight;
	fn set_tick_price() -> Weight;
	fn set_treasury_share() -> Weight;
	fn set_stopped() -> Weight;
	fn submit_batch(n: u32, ) -> Weight;
	fn submit_batch_streams(n: u32, ) -> Weight;
	fn set_tiers(t: u32, ) -> Weight;
	fn settle() -> Weight;
	fn claim(p: u32, ) -> Weight;
	fn on_finalize() -> Weight;
}

/// Weights for `pallet_paystream` with the database weights of the runtime.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `PayStream::EnabledAssets` (r:1 w:0)
	/// Proof: `PayStream::EnabledAssets` (`max_values`: None, `max_size`: Some(21), added: 2496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::NextStreamId` (r:1 w:1)
	/// Proof: `PayStream::NextStreamId` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:0 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// The range of component `p` is `[0, 8]`.
	fn create_stream(p: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `144`
		//  Estimated: `3593`
		// Minimum execution time: 81_482_000 picoseconds.
		Weight::from_parts(132_330_897, 3593)
			// Standard Error: 34_012
			.saturating_add(Weight::from_parts(360_766, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn update_stream() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `746`
		//  Estimated: `4045`
		// Minimum execution time: 73_439_000 picoseconds.
		Weight::from_parts(116_814_000, 4045)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	fn end_stream() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `596`
		//  Estimated: `4045`
		// Minimum execution time: 19_980_000 picoseconds.
		Weight::from_parts(27_571_000, 4045)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::EnabledAssets` (r:1 w:0)
	/// Proof: `PayStream::EnabledAssets` (`max_values`: None, `max_size`: Some(21), added: 2496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn deposit() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `284`
		//  Estimated: `6196`
		// Minimum execution time: 77_265_000 picoseconds.
		Weight::from_parts(115_983_000, 6196)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `350`
		//  Estimated: `6196`
		// Minimum execution time: 75_632_000 picoseconds.
		Weight::from_parts(116_954_000, 6196)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::EnabledAssets` (r:1 w:0)
	/// Proof: `PayStream::EnabledAssets` (`max_values`: None, `max_size`: Some(21), added: 2496, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::NextGrantId` (r:1 w:1)
	/// Proof: `PayStream::NextGrantId` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:0 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	fn grant() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `235`
		//  Estimated: `3593`
		// Minimum execution time: 166_108_000 picoseconds.
		Weight::from_parts(276_822_000, 3593)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:16 w:16)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	/// The range of component `s` is `[1, 16]`.
	fn revoke(s: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `314 + s * (181 ±0)`
		//  Estimated: `3780 + s * (2665 ±0)`
		// Minimum execution time: 41_642_000 picoseconds.
		Weight::from_parts(65_534_978, 3780)
			// Standard Error: 190_935
			.saturating_add(Weight::from_parts(9_484_763, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2665).saturating_mul(s.into()))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn delete_grant() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `508`
		//  Estimated: `3780`
		// Minimum execution time: 87_200_000 picoseconds.
		Weight::from_parts(155_251_000, 3780)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:0 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	fn submit_open() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `964`
		//  Estimated: `4045`
		// Minimum execution time: 61_121_000 picoseconds.
		Weight::from_parts(94_381_000, 4045)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
			.saturating_add(Self::authorize_open())
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn submit_fund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1517`
		//  Estimated: `4045`
		// Minimum execution time: 71_707_000 picoseconds.
		Weight::from_parts(114_310_000, 4045)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
			.saturating_add(Self::authorize_fund())
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	fn submit_tick() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `810`
		//  Estimated: `4045`
		// Minimum execution time: 49_574_000 picoseconds.
		Weight::from_parts(91_367_000, 4045)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(Self::authorize_tick())
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn submit_close() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1355`
		//  Estimated: `4045`
		// Minimum execution time: 137_375_000 picoseconds.
		Weight::from_parts(243_944_000, 4045)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
			.saturating_add(Self::authorize_close())
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_open() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1018`
		//  Estimated: `4045`
		// Minimum execution time: 101_672_000 picoseconds.
		Weight::from_parts(159_207_000, 4045)
			.saturating_add(T::DbWeight::get().reads(5_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_fund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1571`
		//  Estimated: `4045`
		// Minimum execution time: 107_730_000 picoseconds.
		Weight::from_parts(153_418_000, 4045)
			.saturating_add(T::DbWeight::get().reads(6_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_tick() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `864`
		//  Estimated: `4045`
		// Minimum execution time: 87_971_000 picoseconds.
		Weight::from_parts(132_808_000, 4045)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::BlockHash` (r:1 w:0)
	/// Proof: `System::BlockHash` (`max_values`: None, `max_size`: Some(44), added: 2519, mode: `MaxEncodedLen`)
	fn authorize_close() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1176`
		//  Estimated: `4045`
		// Minimum execution time: 98_426_000 picoseconds.
		Weight::from_parts(144_475_000, 4045)
			.saturating_add(T::DbWeight::get().reads(6_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(190), added: 2665, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `Timestamp::Now` (r:1 w:0)
	/// Proof: `Timestamp::Now` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(315), added: 2790, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn settle() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1355`
		//  Estimated: `4045`
		// Minimum execution time: 113_459_000 picoseconds.
		Weight::from_parts(143_794_000, 4045)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(580), added: 3055, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:10 w:10)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// The range of component `p` is `[1, 8]`.
	fn claim(p: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `546 + p * (50 ±0)`
		//  Estimated: `6196 + p * (2603 ±0)`
		// Minimum execution time: 133_539_000 picoseconds.
		Weight::from_parts(98_725_159, 6196)
			// Standard Error: 237_919
			.saturating_add(Weight::from_parts(71_809_458, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes(4_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(p.into())))
			.saturating_add(Weight::from_parts(0, 2603).saturating_mul(p.into()))
	}
	fn on_finalize() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 801_000 picoseconds.
		Weight::from_parts(1_772_000, 0)
	}
	fn submit_tip() -> Weight { Self::submit_fund() }
	fn submit_renew() -> Weight { Self::submit_fund() }
	fn authorize_tip() -> Weight { Self::authorize_fund() }
	fn authorize_renew() -> Weight { Self::authorize_fund() }
	fn tip() -> Weight { Self::deposit() }
	fn refund() -> Weight { Self::deposit() }
	fn transfer_stream() -> Weight { Self::update_stream() }
	fn subscribe() -> Weight { Self::grant() }
	fn cancel_subscription() -> Weight { Self::deposit() }
	fn settle_subscription() -> Weight { Self::delete_grant() }
	fn enable_asset() -> Weight { Self::end_stream() }
	fn disable_asset() -> Weight { Self::end_stream() }
	fn write_off_asset() -> Weight { Self::end_stream() }
	fn set_tick_price() -> Weight { Self::end_stream() }
	fn set_treasury_share() -> Weight { Self::end_stream() }
	fn set_stopped() -> Weight { Self::end_stream() }
	fn submit_batch(n: u32, ) -> Weight { Weight::from_parts(20_000_000, 3000).saturating_add(Weight::from_parts(60_000_000, 0).saturating_mul(n.into())).saturating_add(T::DbWeight::get().reads_writes(2, 1)).saturating_add(T::DbWeight::get().reads_writes(1, 1).saturating_mul(n.into())) }
	fn submit_batch_streams(n: u32, ) -> Weight { Weight::from_parts(20_000_000, 3000).saturating_add(Weight::from_parts(70_000_000, 0).saturating_mul(n.into())).saturating_add(T::DbWeight::get().reads_writes(2, 1)).saturating_add(T::DbWeight::get().reads_writes(2, 2).saturating_mul(n.into())) }
	fn set_tiers(_t: u32, ) -> Weight { Self::update_stream() }
}
