//! Migrations that take more than a block.
//!
//! While one runs, blocks carry nothing but inherents: nobody meets entries of two versions, and the
//! ledger's clock takes those blocks for a halt.

use crate::{constants::*, *};
use frame_support::{
	migrations::ForceUnstuckOnFailedMigration, parameter_types, traits::ConstU32, weights::Weight,
};

parameter_types! {
	/// What a block's migration takes at most: as much as its ordinary extrinsics would have.
	pub MigrationWeight: Weight = NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_WEIGHT;
}

impl pallet_migrations::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	#[cfg(not(feature = "runtime-benchmarks"))]
	type Migrations = (pallet_paystream::migrations::MigrateToV4<Runtime>,);
	#[cfg(feature = "runtime-benchmarks")]
	type Migrations = pallet_migrations::mock_helpers::MockedMigrations;
	type CursorMaxLen = ConstU32<256>;
	type IdentifierMaxLen = ConstU32<64>;
	type MigrationStatusHandler = ();
	/// No call reads the indexes that are built: where it fails, the ledger goes on and its lookups answer nothing. A
	/// migration that rewrites entries must not be left halfway, and needs another answer here.
	type FailedMigrationHandler = ForceUnstuckOnFailedMigration;
	type MaxServiceWeight = MigrationWeight;
	type WeightInfo = pallet_migrations::weights::SubstrateWeight<Runtime>;
}
