//! The ledger of streams, vaults, grants and sessions, with the pallet's defaults for a parachain.

use super::money::{NativeAndAssets, PartOfFee, WeightOfFee};
use super::Guardians;
use crate::*;
use cumulus_pallet_weight_reclaim::WeightInfo as _;
use frame_support::{derive_impl, weights::Weight};
use frame_system::{EnsureRoot, EnsureSignedBy, ExtensionsWeightInfo as _};
use pallet_paystream::{ExtensionWeight, SystemExtensions};

/// What this chain's extension weighs: that of `frame_system` whose last part is cumulus', which reads the size of the
/// proof beside the time.
pub struct ReclaimingExtensions;

impl ReclaimingExtensions {
	fn with_proof_reclaim(weight: Weight) -> Weight {
		type Theirs = <Runtime as cumulus_pallet_weight_reclaim::Config>::WeightInfo;
		type Systems = <Runtime as frame_system::Config>::ExtensionsWeightInfo;
		weight
			.saturating_sub(Systems::weight_reclaim())
			.saturating_add(Theirs::storage_weight_reclaim())
	}
}

impl ExtensionWeight for ReclaimingExtensions {
	fn of_order() -> Weight {
		Self::with_proof_reclaim(SystemExtensions::<Runtime, WeightOfFee>::of_order())
	}

	fn of_signed() -> Weight {
		Self::with_proof_reclaim(SystemExtensions::<Runtime, WeightOfFee>::of_signed())
	}
}

#[derive_impl(pallet_paystream::config_preludes::ParachainDefaultConfig<Runtime>)]
impl pallet_paystream::Config for Runtime {
	type Assets = NativeAndAssets;
	type NativeHold = Balances;
	type Time = Timestamp;
	type AdminOrigin = EnsureRoot<AccountId>;
	type EmergencyOrigin = EnsureSignedBy<Guardians, AccountId>;
	type Treasury = pallet_paystream::KeylessTreasury;
	type ExtensionWeight = ReclaimingExtensions;
	type BatchFee = PartOfFee;
}
