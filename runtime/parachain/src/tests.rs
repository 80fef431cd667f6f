//! What clients and collators rest on: indices, extensions, limits, and states in which a chain begins.

use crate::{constants::*, *};
use frame_support::traits::{Get, PalletInfoAccess};
use genesis::chain;
use sp_genesis_builder::runtime_decl_for_genesis_builder::GenesisBuilder;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::TransactionExtension, BuildStorage};

#[path = "../../src/tests/audience.rs"]
mod audience;
mod blocks;
#[path = "../../src/tests/genesis.rs"]
mod genesis;
mod lane;
mod proof;

#[test]
fn every_listed_preset_builds_and_others_do_not_exist() {
	assert_eq!(Runtime::preset_names(), ["development", "local_testnet"]);
	for (name, collators) in [("development", 1), ("local_testnet", 2)] {
		chain(name).execute_with(|| {
			let alice = Sr25519Keyring::Alice.to_account_id();
			assert_eq!(pallet_aura::Authorities::<Runtime>::get().len(), collators);
			assert_eq!(Session::validators().len(), collators);
			assert_eq!(ParachainInfo::parachain_id(), genesis_config_presets::PARACHAIN_ID.into());
			assert_eq!(pallet_sudo::Key::<Runtime>::get(), Some(alice.clone()));
			assert_eq!(Balances::free_balance(alice), 1_000_000 * UNIT);
			assert_eq!(pallet_paystream::AssetEntries::<Runtime>::iter().count(), 2);
		});
	}
	assert_eq!(Runtime::get_preset(&Some("mainnet".into())), None);
}

#[test]
fn the_default_genesis_is_a_valid_state() {
	RuntimeGenesisConfig::default().build_storage().expect("the default builds");
}

#[test]
fn extensions_come_in_the_order_that_clients_sign() {
	let names: Vec<_> = <TxExtension as TransactionExtension<RuntimeCall>>::metadata()
		.into_iter()
		.map(|extension| extension.identifier)
		.collect();
	assert_eq!(
		names,
		[
			"AuthorizeCall",
			"CheckNonZeroSender",
			"CheckSpecVersion",
			"CheckTxVersion",
			"CheckGenesis",
			"CheckMortality",
			"CheckNonce",
			"CheckWeight",
			"ChargeTransactionPayment",
			"CheckMetadataHash",
			"StorageWeightReclaim",
		]
	);
}

/// Those that the reference runtime has, too, are the same: one client's bytes serve both chains.
#[test]
fn indices_that_signed_bytes_contain_stay() {
	assert_eq!(System::index(), 0);
	assert_eq!(Balances::index(), 4);
	assert_eq!(Assets::index(), 6);
	assert_eq!(Utility::index(), 7);
	assert_eq!(Sudo::index(), 8);
	assert_eq!(PayStream::index(), 10);
	assert_eq!(PayStream::name(), "PayStream");
}

#[test]
fn a_block_fits_its_slot_and_the_relay_chain() {
	let weights = <Runtime as frame_system::Config>::BlockWeights::get();
	weights.clone().validate().expect("the limits agree with each other");
	assert!(weights.max_block.ref_time() / 1_000_000_000 < SLOT_DURATION_MS / 2);
	let most = u64::from(cumulus_primitives_core::relay_chain::MAX_POV_SIZE);
	assert!(weights.max_block.proof_size() + u64::from(MAXIMUM_BLOCK_LENGTH) <= most);
}

/// Three blocks: an open waits for its block as long as on the reference chain, in blocks.
#[test]
fn the_ledgers_defaults_are_a_parachains() {
	let head_start_ms = <Runtime as pallet_paystream::Config>::HeadStartMaxMs::get();
	let ahead_ms = <Runtime as pallet_paystream::Config>::PoolAheadMaxMs::get();
	assert_eq!((head_start_ms, ahead_ms), (3 * SLOT_DURATION_MS, 3 * SLOT_DURATION_MS));
}
