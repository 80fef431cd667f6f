//! The states in which a chain can begin.

#[path = "../../src/genesis_config_presets/development.rs"]
mod development;

use crate::{constants::*, *};
use alloc::string::ToString;
pub use development::{DEV_ENDOWMENT, DEV_STABLECOIN};
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::Sr25519Keyring;

/// The number that a development chain has on its relay chain.
pub const PARACHAIN_ID: u32 = 2_000;

/// What somebody puts up to be a collator whom root has not named.
const CANDIDACY_BOND: Balance = 100 * UNIT;

/// The genesis of a chain on which `collators` write blocks, `root` may do everything, and all
/// well-known development accounts have money.
fn development_genesis(collators: &[Sr25519Keyring], root: AccountId) -> Value {
	// That is the order in which they are looked up.
	let mut invulnerables: Vec<AccountId> =
		collators.iter().map(|key| key.to_account_id()).collect();
	invulnerables.sort();
	build_struct_json_patch!(RuntimeGenesisConfig {
		balances: BalancesConfig { balances: development::balances() },
		parachain_info: ParachainInfoConfig { parachain_id: PARACHAIN_ID.into() },
		collator_selection: CollatorSelectionConfig {
			invulnerables,
			candidacy_bond: CANDIDACY_BOND,
		},
		session: SessionConfig {
			keys: collators
				.iter()
				.map(|key| {
					let keys = SessionKeys { aura: key.public().into() };
					(key.to_account_id(), key.to_account_id(), keys)
				})
				.collect::<Vec<_>>(),
		},
		sudo: SudoConfig { key: Some(root.clone()) },
		assets: development::assets(root),
		pay_stream: PayStreamConfig { enabled_assets: development::enabled_assets() },
	})
}

/// The genesis of that name as JSON, or nothing if the runtime has none of that name.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
	let alice = Sr25519Keyring::Alice;
	let root = alice.to_account_id();
	let patch = match id.as_ref() {
		DEV_RUNTIME_PRESET => development_genesis(&[alice], root),
		LOCAL_TESTNET_RUNTIME_PRESET => development_genesis(&[alice, Sr25519Keyring::Bob], root),
		_ => return None,
	};
	Some(patch.to_string().into_bytes())
}

/// The names that [`get_preset`] knows.
pub fn preset_names() -> Vec<PresetId> {
	[DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET].map(PresetId::from).to_vec()
}
