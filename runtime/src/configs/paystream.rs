//! The ledger of streams, vaults, grants and sessions, with the pallet's defaults. What stands here is
//! in the pallet's README, word for word, as the example of how to add it to a runtime.

use super::money::{PartOfFee, WeightOfFee};
use super::Guardians;
use crate::*;
use frame_support::{
	derive_impl,
	traits::fungible::{NativeFromLeft, NativeOrWithId, UnionOf},
};
use frame_system::{EnsureRoot, EnsureSignedBy};

#[derive_impl(pallet_paystream::config_preludes::SolochainDefaultConfig<Runtime>)]
impl pallet_paystream::Config for Runtime {
	type Assets = UnionOf<Balances, Assets, NativeFromLeft, NativeOrWithId<u32>, AccountId>;
	type NativeHold = Balances;
	type Time = Timestamp;
	type AdminOrigin = EnsureRoot<AccountId>;
	type EmergencyOrigin = EnsureSignedBy<Guardians, AccountId>;
	type Treasury = pallet_paystream::KeylessTreasury;
	type ExtensionWeight = pallet_paystream::SystemExtensions<Runtime, WeightOfFee>;
	type BatchFee = PartOfFee;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper =
		pallet_paystream::StoredClock<pallet_timestamp::Now<Runtime>, benchmarks::DearestAsset>;
}
