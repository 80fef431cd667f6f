//! Migrations that take more than a block: none yet, for no release of this chain is older than the ledger's present
//! version.

use crate::{constants::*, *};
use frame_support::{
	migrations::FreezeChainOnFailedMigration, parameter_types, traits::ConstU32, weights::Weight,
};

parameter_types! {
	/// What a block's migration takes at most: as much as its ordinary extrinsics would have.
	pub MigrationWeight: Weight = NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_WEIGHT;
}

impl pallet_migrations::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type Migrations = ();
	type CursorMaxLen = ConstU32<256>;
	type IdentifierMaxLen = ConstU32<64>;
	type MigrationStatusHandler = ();
	type FailedMigrationHandler = FreezeChainOnFailedMigration;
	type MaxServiceWeight = MigrationWeight;
	type WeightInfo = pallet_migrations::weights::SubstrateWeight<Runtime>;
}
