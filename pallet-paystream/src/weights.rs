// SPDX-License-Identifier: Apache-2.0

//! Weights for `pallet_paystream`, measured on the runtime's WebAssembly by `scripts/weights`.
//!
//! Made by `scripts/weights --steps 10 --repeat 10` on 2026-11-26, with frame-benchmarking-cli 64.0.0
//! in frame-omni-bencher, on an AMD EPYC.
//! Do not edit: run the script again.
//!
//! The indexes of storage version 4 came after that: their writes are counted here as the calls make them, and
//! for the time of each stands what `revoke` takes for a session, whose entry it reads, decodes and writes. That
//! is more than writing an empty row.

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
	/// Storage: `PayStream::StreamsOf` (r:0 w:1)
	/// Proof: `PayStream::StreamsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// The range of component `p` is `[0, 8]`.
	fn create_stream(p: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `234`
		//  Estimated: `3593`
		// Minimum execution time: 57_866_000 picoseconds.
		Weight::from_parts(66_122_112, 3593)
			// Standard Error: 3_242
			.saturating_add(Weight::from_parts(159_481, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
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
		//  Measured:  `913`
		//  Estimated: `4122`
		// Minimum execution time: 57_595_000 picoseconds.
		Weight::from_parts(60_270_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	fn end_stream() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `632`
		//  Estimated: `4122`
		// Minimum execution time: 11_847_000 picoseconds.
		Weight::from_parts(12_929_000, 4122)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::Stopped` (r:1 w:0)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Asset` (r:1 w:1)
	/// Proof: `Assets::Asset` (`max_values`: None, `max_size`: Some(210), added: 2685, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Account` (r:2 w:2)
	/// Proof: `Assets::Account` (`max_values`: None, `max_size`: Some(134), added: 2609, mode: `MaxEncodedLen`)
	fn deposit() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `670`
		//  Estimated: `6208`
		// Minimum execution time: 65_558_000 picoseconds.
		Weight::from_parts(70_565_000, 6208)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Asset` (r:1 w:1)
	/// Proof: `Assets::Asset` (`max_values`: None, `max_size`: Some(210), added: 2685, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Account` (r:2 w:2)
	/// Proof: `Assets::Account` (`max_values`: None, `max_size`: Some(134), added: 2609, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `769`
		//  Estimated: `6208`
		// Minimum execution time: 68_031_000 picoseconds.
		Weight::from_parts(73_550_000, 6208)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
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
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOfKey` (r:0 w:1)
	/// Proof: `PayStream::GrantsOfKey` (`max_values`: None, `max_size`: Some(65), added: 2540, mode: `MaxEncodedLen`)
	fn grant() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `271`
		//  Estimated: `3593`
		// Minimum execution time: 107_280_000 picoseconds.
		Weight::from_parts(121_640_882, 3593)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Sessions` (r:16 w:16)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// The range of component `s` is `[1, 16]`.
	fn revoke(s: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `309 + s * (217 ±0)`
		//  Estimated: `3808 + s * (2697 ±0)`
		// Minimum execution time: 20_340_000 picoseconds.
		Weight::from_parts(22_626_824, 3808)
			// Standard Error: 30_384
			.saturating_add(Weight::from_parts(5_417_882, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2697).saturating_mul(s.into()))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOfKey` (r:0 w:1)
	/// Proof: `PayStream::GrantsOfKey` (`max_values`: None, `max_size`: Some(65), added: 2540, mode: `MaxEncodedLen`)
	fn delete_grant() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `503`
		//  Estimated: `3808`
		// Minimum execution time: 56_204_000 picoseconds.
		Weight::from_parts(68_842_882, 3808)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
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
	/// Storage: `PayStream::SessionsOf` (r:0 w:1)
	/// Proof: `PayStream::SessionsOf` (`max_values`: None, `max_size`: Some(36), added: 2511, mode: `MaxEncodedLen`)
	fn submit_open() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1374`
		//  Estimated: `4122`
		// Minimum execution time: 121_151_000 picoseconds.
		Weight::from_parts(134_409_882, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn submit_fund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1651`
		//  Estimated: `4122`
		// Minimum execution time: 109_163_000 picoseconds.
		Weight::from_parts(116_273_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	fn submit_tick() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `882`
		//  Estimated: `4122`
		// Minimum execution time: 75_332_000 picoseconds.
		Weight::from_parts(83_605_000, 4122)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::SessionsOf` (r:0 w:1)
	/// Proof: `PayStream::SessionsOf` (`max_values`: None, `max_size`: Some(36), added: 2511, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOfKey` (r:0 w:1)
	/// Proof: `PayStream::GrantsOfKey` (`max_values`: None, `max_size`: Some(65), added: 2540, mode: `MaxEncodedLen`)
	fn submit_close() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1489`
		//  Estimated: `4122`
		// Minimum execution time: 144_765_000 picoseconds.
		Weight::from_parts(167_248_764, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(9_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	fn submit_tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1387`
		//  Estimated: `4122`
		// Minimum execution time: 98_507_000 picoseconds.
		Weight::from_parts(106_759_000, 4122)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
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
		//  Measured:  `1764`
		//  Estimated: `4122`
		// Minimum execution time: 118_577_000 picoseconds.
		Weight::from_parts(126_498_000, 4122)
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
		//  Measured:  `828 + n * (64 ±0)`
		//  Estimated: `4122 + n * (2697 ±0)`
		// Minimum execution time: 831_000 picoseconds.
		Weight::from_parts(891_000, 4122)
			// Standard Error: 50_609
			.saturating_add(Weight::from_parts(53_078_348, 0).saturating_mul(n.into()))
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
		//  Measured:  `621 + n * (281 ±0)`
		//  Estimated: `990 + n * (3132 ±0)`
		// Minimum execution time: 961_000 picoseconds.
		Weight::from_parts(1_061_000, 990)
			// Standard Error: 126_009
			.saturating_add(Weight::from_parts(62_509_905, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 3132).saturating_mul(n.into()))
	}
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
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
		//  Measured:  `1374`
		//  Estimated: `4122`
		// Minimum execution time: 83_504_000 picoseconds.
		Weight::from_parts(87_641_000, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn authorize_fund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1651`
		//  Estimated: `4122`
		// Minimum execution time: 73_089_000 picoseconds.
		Weight::from_parts(80_991_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	fn authorize_tick() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `882`
		//  Estimated: `4122`
		// Minimum execution time: 54_931_000 picoseconds.
		Weight::from_parts(58_697_000, 4122)
			.saturating_add(T::DbWeight::get().reads(2_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn authorize_close() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1256`
		//  Estimated: `4122`
		// Minimum execution time: 64_576_000 picoseconds.
		Weight::from_parts(70_264_000, 4122)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:0)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	fn authorize_tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1387`
		//  Estimated: `4122`
		// Minimum execution time: 70_405_000 picoseconds.
		Weight::from_parts(75_372_000, 4122)
			.saturating_add(T::DbWeight::get().reads(5_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:0)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:0)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:0)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
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
		//  Measured:  `1764`
		//  Estimated: `4122`
		// Minimum execution time: 82_543_000 picoseconds.
		Weight::from_parts(87_310_000, 4122)
			.saturating_add(T::DbWeight::get().reads(8_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn tip() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `732`
		//  Estimated: `4122`
		// Minimum execution time: 21_342_000 picoseconds.
		Weight::from_parts(23_816_000, 4122)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:0)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::TreasuryShare` (r:1 w:0)
	/// Proof: `PayStream::TreasuryShare` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Asset` (r:1 w:0)
	/// Proof: `Assets::Asset` (`max_values`: None, `max_size`: Some(210), added: 2685, mode: `MaxEncodedLen`)
	fn refund() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `824`
		//  Estimated: `4122`
		// Minimum execution time: 31_186_000 picoseconds.
		Weight::from_parts(33_069_000, 4122)
			.saturating_add(T::DbWeight::get().reads(5_u64))
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
	/// Storage: `PayStream::StreamsOf` (r:0 w:2)
	/// Proof: `PayStream::StreamsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn transfer_stream() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1062`
		//  Estimated: `6196`
		// Minimum execution time: 68_022_000 picoseconds.
		Weight::from_parts(81_751_764, 6196)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
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
		//  Measured:  `790`
		//  Estimated: `4122`
		// Minimum execution time: 45_408_000 picoseconds.
		Weight::from_parts(53_851_687, 4122)
			// Standard Error: 16_866
			.saturating_add(Weight::from_parts(1_422_914, 0).saturating_mul(t.into()))
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
	/// Storage: `PayStream::SubscriptionsOf` (r:0 w:1)
	/// Proof: `PayStream::SubscriptionsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn subscribe() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1328`
		//  Estimated: `4122`
		// Minimum execution time: 89_503_000 picoseconds.
		Weight::from_parts(100_268_882, 4122)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Subscriptions` (r:1 w:1)
	/// Proof: `PayStream::Subscriptions` (`max_values`: None, `max_size`: Some(124), added: 2599, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	fn cancel_subscription() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `877`
		//  Estimated: `4122`
		// Minimum execution time: 29_725_000 picoseconds.
		Weight::from_parts(33_740_000, 4122)
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
	/// Storage: `PayStream::SubscriptionsOf` (r:0 w:1)
	/// Proof: `PayStream::SubscriptionsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn settle_subscription() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1137`
		//  Estimated: `4122`
		// Minimum execution time: 71_436_000 picoseconds.
		Weight::from_parts(82_842_882, 4122)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Asset` (r:1 w:0)
	/// Proof: `Assets::Asset` (`max_values`: None, `max_size`: Some(210), added: 2685, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Account` (r:1 w:0)
	/// Proof: `Assets::Account` (`max_values`: None, `max_size`: Some(134), added: 2609, mode: `MaxEncodedLen`)
	fn enable_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `593`
		//  Estimated: `3675`
		// Minimum execution time: 21_662_000 picoseconds.
		Weight::from_parts(23_275_000, 3675)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	fn disable_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `131`
		//  Estimated: `3535`
		// Minimum execution time: 11_016_000 picoseconds.
		Weight::from_parts(12_188_000, 3535)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Asset` (r:1 w:0)
	/// Proof: `Assets::Asset` (`max_values`: None, `max_size`: Some(210), added: 2685, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Account` (r:1 w:0)
	/// Proof: `Assets::Account` (`max_values`: None, `max_size`: Some(134), added: 2609, mode: `MaxEncodedLen`)
	fn write_off_asset() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `593`
		//  Estimated: `3675`
		// Minimum execution time: 21_712_000 picoseconds.
		Weight::from_parts(24_065_000, 3675)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	fn set_tick_price() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `131`
		//  Estimated: `3535`
		// Minimum execution time: 11_137_000 picoseconds.
		Weight::from_parts(12_259_000, 3535)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::TreasuryShare` (r:0 w:1)
	/// Proof: `PayStream::TreasuryShare` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	fn set_treasury_share() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 4_457_000 picoseconds.
		Weight::from_parts(5_037_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::Stopped` (r:0 w:1)
	/// Proof: `PayStream::Stopped` (`max_values`: Some(1), `max_size`: Some(1), added: 496, mode: `MaxEncodedLen`)
	fn set_stopped() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 4_557_000 picoseconds.
		Weight::from_parts(5_168_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `PayStream::Sessions` (r:1 w:1)
	/// Proof: `PayStream::Sessions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Grants` (r:1 w:1)
	/// Proof: `PayStream::Grants` (`max_values`: None, `max_size`: Some(343), added: 2818, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Vaults` (r:1 w:1)
	/// Proof: `PayStream::Vaults` (`max_values`: None, `max_size`: Some(85), added: 2560, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOf` (r:0 w:1)
	/// Proof: `PayStream::GrantsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::SessionsOf` (r:0 w:1)
	/// Proof: `PayStream::SessionsOf` (`max_values`: None, `max_size`: Some(36), added: 2511, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::GrantsOfKey` (r:0 w:1)
	/// Proof: `PayStream::GrantsOfKey` (`max_values`: None, `max_size`: Some(65), added: 2540, mode: `MaxEncodedLen`)
	fn settle() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1489`
		//  Estimated: `4122`
		// Minimum execution time: 81_251_000 picoseconds.
		Weight::from_parts(96_042_764, 4122)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(9_u64))
	}
	/// Storage: `PayStream::Streams` (r:1 w:1)
	/// Proof: `PayStream::Streams` (`max_values`: None, `max_size`: Some(657), added: 3132, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::AssetEntries` (r:1 w:1)
	/// Proof: `PayStream::AssetEntries` (`max_values`: None, `max_size`: Some(70), added: 2545, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::TreasuryShare` (r:1 w:0)
	/// Proof: `PayStream::TreasuryShare` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Account` (r:11 w:11)
	/// Proof: `Assets::Account` (`max_values`: None, `max_size`: Some(134), added: 2609, mode: `MaxEncodedLen`)
	/// Storage: `Assets::Asset` (r:1 w:1)
	/// Proof: `Assets::Asset` (`max_values`: None, `max_size`: Some(210), added: 2685, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:10 w:10)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(103), added: 2578, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::Tiers` (r:0 w:1)
	/// Proof: `PayStream::Tiers` (`max_values`: None, `max_size`: Some(241), added: 2716, mode: `MaxEncodedLen`)
	/// Storage: `PayStream::StreamsOf` (r:0 w:1)
	/// Proof: `PayStream::StreamsOf` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// The range of component `p` is `[1, 8]`.
	fn claim(p: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `1244 + p * (56 ±0)`
		//  Estimated: `7056 + p * (2912 ±15)`
		// Minimum execution time: 162_112_000 picoseconds.
		Weight::from_parts(142_987_328, 7056)
			// Standard Error: 90_952
			.saturating_add(Weight::from_parts(51_808_522, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes(10_u64))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(p.into())))
			.saturating_add(Weight::from_parts(0, 2912).saturating_mul(p.into()))
	}
	fn on_finalize() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `0`
		// Minimum execution time: 330_000 picoseconds.
		Weight::from_parts(410_000, 0)
	}
}
