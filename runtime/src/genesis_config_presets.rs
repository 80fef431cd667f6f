//! The states in which a chain can begin.

mod development;

use crate::*;
use alloc::string::ToString;
pub use development::{DEV_ENDOWMENT, DEV_STABLECOIN};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// The genesis of a chain on which `validators` write blocks, `root` may do everything, and all
/// well-known development accounts have money.
fn development_genesis(validators: &[(AuraId, GrandpaId)], root: AccountId) -> Value {
	build_struct_json_patch!(RuntimeGenesisConfig {
		balances: BalancesConfig { balances: development::balances() },
		aura: pallet_aura::GenesisConfig {
			authorities: validators.iter().map(|(aura, _)| aura.clone()).collect(),
		},
		grandpa: pallet_grandpa::GenesisConfig {
			authorities: validators.iter().map(|(_, grandpa)| (grandpa.clone(), 1)).collect(),
		},
		sudo: SudoConfig { key: Some(root.clone()) },
		assets: development::assets(root),
		pay_stream: PayStreamConfig { enabled_assets: development::enabled_assets() },
	})
}

/// The keys of a well-known development validator.
fn validator(aura: Sr25519Keyring, grandpa: Ed25519Keyring) -> (AuraId, GrandpaId) {
	(aura.public().into(), grandpa.public().into())
}

/// The genesis of that name as JSON, or nothing if the runtime has none of that name.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
	let alice = validator(Sr25519Keyring::Alice, Ed25519Keyring::Alice);
	let bob = validator(Sr25519Keyring::Bob, Ed25519Keyring::Bob);
	let root = Sr25519Keyring::Alice.to_account_id();
	let patch = match id.as_ref() {
		DEV_RUNTIME_PRESET => development_genesis(&[alice], root),
		LOCAL_TESTNET_RUNTIME_PRESET => development_genesis(&[alice, bob], root),
		_ => return None,
	};
	Some(patch.to_string().into_bytes())
}

/// The names that [`get_preset`] knows.
pub fn preset_names() -> Vec<PresetId> {
	[DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET].map(PresetId::from).to_vec()
}
