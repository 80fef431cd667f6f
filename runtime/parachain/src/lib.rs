//! PayStream as a parachain: the ledger of `pallet-paystream` on a chain whose blocks a relay chain
//! makes final, for stock `polkadot-omni-node`.
//!
//! Money and the ledger are the reference runtime's, whose files it takes over where nothing differs. What
//! differs: collators write blocks, six seconds apart and with a proof of validity, and the ledger's
//! defaults are those of `ParachainDefaultConfig`. Messages of other chains (XCM) are not taken.

#![cfg_attr(not(feature = "std"), no_std)]
#![recursion_limit = "256"]

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

extern crate alloc;

use alloc::{borrow::Cow, vec::Vec};
use polkadot_sdk::*;
use sp_runtime::{
	generic, impl_opaque_keys,
	traits::{BlakeTwo256, IdentifyAccount, Verify},
	MultiAddress, MultiSignature,
};
use sp_version::RuntimeVersion;

pub mod apis;
pub mod configs;
pub mod constants;
pub mod genesis_config_presets;
#[cfg(test)]
mod tests;

/// Number of a block.
pub type BlockNumber = u32;
/// Amount of money, in the smallest unit of its asset.
pub type Balance = u128;
/// Count of an account's signed extrinsics.
pub type Nonce = u32;
/// Hash of a block, a state or an extrinsic.
pub type Hash = sp_core::H256;
/// Signature of an extrinsic: sr25519, ed25519 or ECDSA.
pub type Signature = MultiSignature;
/// An account's public key or the hash of one.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How an extrinsic names its signer.
pub type Address = MultiAddress<AccountId, ()>;
/// Header of a block.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block whose extrinsics are decoded.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// An extrinsic as it comes off the wire.
pub type UncheckedExtrinsic =
	generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;

/// What every transaction passes, in this order: what the reference chain asks, and around it what gives
/// back the part of the proof of validity that was not used.
pub type TxExtension = cumulus_pallet_weight_reclaim::StorageWeightReclaim<Runtime, Checks>;

/// `AuthorizeCall` comes first: it turns a general transaction whose call carries its own proof (an
/// order under a delegate key) into an authorised one, for which the checks on an account, its nonce
/// and its fee have nothing to do.
pub type Checks = (
	frame_system::AuthorizeCall<Runtime>,
	frame_system::CheckNonZeroSender<Runtime>,
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckMortality<Runtime>,
	frame_system::CheckNonce<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
	frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
);

/// Executes blocks and checks transactions.
pub type Executive = frame_executive::Executive<
	Runtime,
	Block,
	frame_system::ChainContext<Runtime>,
	Runtime,
	AllPalletsWithSystem,
>;

impl_opaque_keys! {
	/// The keys of a collator.
	pub struct SessionKeys {
		pub aura: Aura,
	}
}

/// The version of this runtime.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: Cow::Borrowed("paystream-parachain"),
	impl_name: Cow::Borrowed("paystream-parachain"),
	authoring_version: 1,
	spec_version: 1,
	impl_version: 1,
	apis: apis::RUNTIME_API_VERSIONS,
	transaction_version: 1,
	system_version: 1,
};

// An index never changes and never goes to another pallet: signed bytes and clients rest on it. Those of
// the reference runtime's pallets are the reference runtime's.
#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Runtime;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;

	#[runtime::pallet_index(1)]
	pub type Timestamp = pallet_timestamp;

	#[runtime::pallet_index(20)]
	pub type ParachainSystem = cumulus_pallet_parachain_system;

	#[runtime::pallet_index(21)]
	pub type ParachainInfo = parachain_info;

	#[runtime::pallet_index(22)]
	pub type WeightReclaim = cumulus_pallet_weight_reclaim;

	#[runtime::pallet_index(4)]
	pub type Balances = pallet_balances;

	#[runtime::pallet_index(5)]
	pub type TransactionPayment = pallet_transaction_payment;

	#[runtime::pallet_index(6)]
	pub type Assets = pallet_assets;

	#[runtime::pallet_index(7)]
	pub type Utility = pallet_utility;

	#[runtime::pallet_index(8)]
	pub type Sudo = pallet_sudo;

	#[runtime::pallet_index(9)]
	pub type MultiBlockMigrations = pallet_migrations;

	#[runtime::pallet_index(10)]
	pub type PayStream = pallet_paystream;

	// The order of these five is theirs: each reads at genesis and at a block's beginning what the one before it
	// has written.
	#[runtime::pallet_index(23)]
	pub type Authorship = pallet_authorship;

	#[runtime::pallet_index(24)]
	pub type CollatorSelection = pallet_collator_selection;

	#[runtime::pallet_index(25)]
	pub type Session = pallet_session;

	#[runtime::pallet_index(2)]
	pub type Aura = pallet_aura;

	#[runtime::pallet_index(26)]
	pub type AuraExt = cumulus_pallet_aura_ext;
}

cumulus_pallet_parachain_system::register_validate_block! {
	Runtime = Runtime,
	BlockExecutor = cumulus_pallet_aura_ext::BlockExecutor::<Runtime, Executive>,
}
