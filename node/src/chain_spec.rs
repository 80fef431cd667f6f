//! The chains that this binary knows by name.

use paystream_runtime::{
	constants::{SS58_PREFIX, TOKEN_DECIMALS, TOKEN_SYMBOL},
	genesis_config_presets, RuntimeGenesisConfig, WASM_BINARY,
};
use polkadot_sdk::{
	sc_chain_spec::{json_merge, GenesisConfigBuilderRuntimeCaller},
	sc_service::{ChainSpec as _, ChainType, GenericChainSpec, Properties},
	sp_core::storage::{well_known_keys, Storage},
	sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET},
	sp_runtime::BuildStorage,
};
use serde_json::Value;
use std::path::PathBuf;

/// A chain's name, genesis and first peers.
pub type ChainSpec = GenericChainSpec;

/// A chain that begins in a state which the runtime knows by name.
struct NamedChain {
	name: &'static str,
	id: &'static str,
	chain_type: ChainType,
	preset: &'static str,
}

const DEVELOPMENT: NamedChain = NamedChain {
	name: "PayStream Development",
	id: "paystream_dev",
	chain_type: ChainType::Development,
	preset: DEV_RUNTIME_PRESET,
};

const LOCAL_TESTNET: NamedChain = NamedChain {
	name: "PayStream Local Testnet",
	id: "paystream_local_testnet",
	chain_type: ChainType::Local,
	preset: LOCAL_TESTNET_RUNTIME_PRESET,
};

/// The chain called `id` as a document that people read and change: `dev`, `local`, the name of one
/// of the runtime's presets, or the path of a specification in JSON.
///
/// Fails where the file cannot be read, or where the binary was built without its runtime blob.
pub fn load(id: &str) -> Result<ChainSpec, String> {
	match named(id) {
		Some(chain) => Ok(chain.spec(blob()?)),
		None => ChainSpec::from_json_file(PathBuf::from(id)),
	}
}

/// The same chain with its genesis state at hand, so that a node starts without compiling the
/// runtime only to ask it for that state.
pub fn load_to_run(id: &str) -> Result<ChainSpec, String> {
	let mut spec = load(id)?;
	if let Some(chain) = named(id) {
		spec.set_storage(chain.genesis_state(blob()?)?);
	}
	Ok(spec)
}

fn named(id: &str) -> Option<NamedChain> {
	match id {
		"" | "dev" | DEV_RUNTIME_PRESET => Some(DEVELOPMENT),
		"local" | LOCAL_TESTNET_RUNTIME_PRESET => Some(LOCAL_TESTNET),
		_ => None,
	}
}

/// The names of the presets that the runtime's blob lists, as it gives them.
///
/// Fails where the binary was built without that blob, or where it cannot be asked.
pub fn presets() -> Result<Vec<String>, String> {
	let names = GenesisConfigBuilderRuntimeCaller::<()>::new(blob()?).preset_names()?;
	Ok(names.iter().map(ToString::to_string).collect())
}

fn blob() -> Result<&'static [u8], String> {
	WASM_BINARY.ok_or_else(|| {
		"this node was built without its runtime (SKIP_WASM_BUILD); build it again without that \
		 variable, or name the file of a chain specification with --chain"
			.into()
	})
}

impl NamedChain {
	fn spec(&self, code: &[u8]) -> ChainSpec {
		ChainSpec::builder(code, None)
			.with_name(self.name)
			.with_id(self.id)
			.with_chain_type(self.chain_type.clone())
			.with_properties(properties())
			.with_genesis_config_preset_name(self.preset)
			.build()
	}

	/// The state that the runtime's blob would build, built by its native twin.
	fn genesis_state(&self, code: &[u8]) -> Result<Storage, String> {
		let preset = genesis_config_presets::get_preset(&self.preset.into())
			.ok_or_else(|| format!("the runtime has no genesis called {}", self.preset))?;
		let mut config = to_json(&RuntimeGenesisConfig::default())?;
		json_merge(&mut config, serde_json::from_slice(&preset).map_err(|e| e.to_string())?);
		let config: RuntimeGenesisConfig =
			serde_json::from_value(config).map_err(|e| e.to_string())?;
		let mut state = config.build_storage()?;
		state.top.insert(well_known_keys::CODE.to_vec(), code.to_vec());
		Ok(state)
	}
}

fn to_json(config: &RuntimeGenesisConfig) -> Result<Value, String> {
	serde_json::to_value(config).map_err(|e| e.to_string())
}

/// What wallets show of the native token.
fn properties() -> Properties {
	let mut properties = Properties::new();
	properties.insert("ss58Format".into(), SS58_PREFIX.into());
	properties.insert("tokenDecimals".into(), TOKEN_DECIMALS.into());
	properties.insert("tokenSymbol".into(), TOKEN_SYMBOL.into());
	properties
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn both_ways_to_the_genesis_state_agree() {
		for id in ["dev", "local"] {
			let by_blob = load(id).unwrap().build_storage().unwrap();
			let by_native_code = load_to_run(id).unwrap().build_storage().unwrap();
			assert!(by_native_code.top == by_blob.top, "{id}");
			assert!(
				by_blob.children_default.is_empty() && by_native_code.children_default.is_empty()
			);
		}
	}

	#[test]
	fn every_preset_of_the_runtime_is_the_name_of_a_chain() {
		let names = presets().unwrap();
		assert_eq!(names, [DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET]);
		assert!(names.iter().all(|name| named(name).is_some_and(|chain| chain.preset == name)));
	}

	#[test]
	fn a_file_that_is_not_there_is_named() {
		let error = load("no/such/file.json").err().unwrap();
		assert!(error.contains("no/such/file.json"), "{error}");
	}
}
