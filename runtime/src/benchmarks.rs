//! Which pallets are measured on this runtime, and what the macros need to do so.

use crate::*;
pub use frame_benchmarking::{baseline::Pallet as BaselineBench, BenchmarkBatch, BenchmarkList};
use frame_support::traits::Get;
pub use frame_system_benchmarking::{
	extensions::Pallet as SystemExtensionsBench, Pallet as SystemBench,
};

frame_benchmarking::define_benchmarks!(
	[frame_benchmarking, BaselineBench::<Runtime>]
	[frame_system, SystemBench::<Runtime>]
	[frame_system_extensions, SystemExtensionsBench::<Runtime>]
	[pallet_assets, Assets]
	[pallet_balances, Balances]
	[pallet_paystream, PayStream]
	[pallet_sudo, Sudo]
	[pallet_timestamp, Timestamp]
	[pallet_utility, Utility]
);

impl frame_system_benchmarking::Config for Runtime {}
impl frame_benchmarking::baseline::Config for Runtime {}

/// What the ledger's calls are measured with: an asset of `pallet-assets`, since a transfer of it touches
/// the asset and both balances beside the accounts; and a sufficient one, since it makes accounts.
pub struct DearestAsset;

impl Get<Option<configs::AssetKind>> for DearestAsset {
	fn get() -> Option<configs::AssetKind> {
		const ID: configs::AssetId = configs::AssetId::MAX;
		if pallet_assets::Asset::<Runtime>::get(ID).is_none() {
			let owner = AccountId::new([1; 32]);
			let created =
				Assets::force_create(RuntimeOrigin::root(), ID.into(), owner.into(), true, 1_000);
			assert!(created.is_ok());
		}
		Some(configs::AssetKind::WithId(ID))
	}
}
