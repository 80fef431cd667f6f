//! The chains that this binary knows by name.

use paystream_runtime::{
	constants::{SS58_PREFIX, TOKEN_DECIMALS, TOKEN_SYMBOL},
	WASM_BINARY,
};
use polkadot_sdk::{
	sc_service::{ChainType, GenericChainSpec, Properties},
	sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET},
};
use std::path::PathBuf;

/// A chain's name, genesis and first peers.
pub type ChainSpec = GenericChainSpec;

/// The chain called `id`: `dev`, `local`, or the path of a specification in JSON.
///
/// Fails where the file cannot be read, or where the binary was built without its runtime blob.
pub fn load(id: &str) -> Result<ChainSpec, String> {
	match id {
		"" | "dev" => from_preset(
			"PayStream Development",
			"paystream_dev",
			ChainType::Development,
			DEV_RUNTIME_PRESET,
		),
		"local" => from_preset(
			"PayStream Local Testnet",
			"paystream_local_testnet",
			ChainType::Local,
			LOCAL_TESTNET_RUNTIME_PRESET,
		),
		path => ChainSpec::from_json_file(PathBuf::from(path)),
	}
}

fn from_preset(
	name: &str,
	id: &str,
	chain_type: ChainType,
	preset: &str,
) -> Result<ChainSpec, String> {
	let code = WASM_BINARY.ok_or(
		"this node was built without its runtime (SKIP_WASM_BUILD); build it again without that \
		 variable, or name the file of a chain specification with --chain",
	)?;
	Ok(ChainSpec::builder(code, None)
		.with_name(name)
		.with_id(id)
		.with_chain_type(chain_type)
		.with_properties(properties())
		.with_genesis_config_preset_name(preset)
		.build())
}

/// What wallets show of the native token.
fn properties() -> Properties {
	let mut properties = Properties::new();
	properties.insert("ss58Format".into(), SS58_PREFIX.into());
	properties.insert("tokenDecimals".into(), TOKEN_DECIMALS.into());
	properties.insert("tokenSymbol".into(), TOKEN_SYMBOL.into());
	properties
}
