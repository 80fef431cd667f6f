//! The states in which a chain can begin.

use crate::{configs::AssetKind, constants::*, *};
use alloc::{string::ToString, vec};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// What each of the well-known development accounts has at the beginning.
pub const DEV_ENDOWMENT: Balance = 1_000_000 * UNIT;

/// The stablecoin of the development chains: its number, its decimals, and its least balance.
pub const DEV_STABLECOIN: u32 = 1984;
const DEV_STABLECOIN_DECIMALS: u8 = 6;
const DEV_STABLECOIN_UNIT: Balance = 1_000_000;
const DEV_STABLECOIN_MIN: Balance = DEV_STABLECOIN_UNIT / 100;

/// The genesis of a chain on which `validators` write blocks, `root` may do everything, and all
/// well-known development accounts have money.
fn development_genesis(validators: &[(AuraId, GrandpaId)], root: AccountId) -> Value {
	let balances = Sr25519Keyring::well_known()
		.map(|key| (key.to_account_id(), DEV_ENDOWMENT))
		.collect::<Vec<_>>();

	let stablecoin_accounts = Sr25519Keyring::well_known()
		.map(|key| (DEV_STABLECOIN, key.to_account_id(), 1_000_000 * DEV_STABLECOIN_UNIT))
		.collect::<Vec<_>>();
	let issuer = root.clone();

	build_struct_json_patch!(RuntimeGenesisConfig {
		balances: BalancesConfig { balances },
		aura: pallet_aura::GenesisConfig {
			authorities: validators.iter().map(|(aura, _)| aura.clone()).collect(),
		},
		grandpa: pallet_grandpa::GenesisConfig {
			authorities: validators.iter().map(|(_, grandpa)| (grandpa.clone(), 1)).collect(),
		},
		sudo: SudoConfig { key: Some(root) },
		assets: AssetsConfig {
			assets: vec![(DEV_STABLECOIN, issuer, true, DEV_STABLECOIN_MIN)],
			metadata: vec![(
				DEV_STABLECOIN,
				b"Development Dollar".to_vec(),
				b"USD".to_vec(),
				DEV_STABLECOIN_DECIMALS,
			)],
			accounts: stablecoin_accounts,
		},
		pay_stream: PayStreamConfig {
			enabled_assets: vec![AssetKind::Native, AssetKind::WithId(DEV_STABLECOIN)],
		},
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
