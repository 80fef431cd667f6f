//! Blocks and accounts.

use super::limits::{RuntimeBlockLength, RuntimeBlockWeights};
use crate::{constants::*, *};
use frame_support::{
	derive_impl, parameter_types, traits::ConstU32, weights::constants::ParityDbWeight,
};
use sp_runtime::traits::AccountIdLookup;

parameter_types! {
	pub const BlockHashCount: BlockNumber = BLOCK_HASH_COUNT;
	pub const SS58Prefix: u16 = SS58_PREFIX;
	pub const Version: RuntimeVersion = VERSION;
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
	type Nonce = Nonce;
	type Hash = Hash;
	type AccountId = AccountId;
	type Lookup = AccountIdLookup<AccountId, ()>;
	type Block = Block;
	type BlockHashCount = BlockHashCount;
	type BlockWeights = RuntimeBlockWeights;
	type BlockLength = RuntimeBlockLength;
	type DbWeight = ParityDbWeight;
	type Version = Version;
	type SS58Prefix = SS58Prefix;
	type SingleBlockMigrations = (
		pallet_paystream::migrations::MigrateToV2<Runtime>,
		pallet_paystream::migrations::MigrateToV3<Runtime>,
		pallet_paystream::migrations::SettleDust<Runtime>,
	);
	type MultiBlockMigrator = MultiBlockMigrations;
	type AccountData = pallet_balances::AccountData<Balance>;
	type SystemWeightInfo = frame_system::weights::SubstrateWeight<Runtime>;
	type ExtensionsWeightInfo = frame_system::SubstrateExtensionsWeight<Runtime>;
	type MaxConsumers = ConstU32<16>;
}
