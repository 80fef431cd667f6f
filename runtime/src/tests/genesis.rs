//! A chain in the state in which it begins.

use crate::*;
use serde_json::Value;
use sp_genesis_builder::runtime_decl_for_genesis_builder::GenesisBuilder;

/// Lays `patch` over `base`, object by object.
fn merge(base: &mut Value, patch: Value) {
	match (base, patch) {
		(Value::Object(base), Value::Object(patch)) => {
			for (name, value) in patch {
				merge(base.entry(name).or_insert(Value::Null), value);
			}
		}
		(base, patch) => *base = patch,
	}
}

/// A chain that begins in the state called `preset`.
pub(super) fn chain(preset: &str) -> sp_io::TestExternalities {
	let json = |id: Option<&str>| -> Value {
		let bytes = Runtime::get_preset(&id.map(Into::into)).expect("the preset is listed");
		serde_json::from_slice(&bytes).expect("presets are JSON")
	};
	let mut config = json(None);
	merge(&mut config, json(Some(preset)));
	let mut chain = sp_io::TestExternalities::new_empty();
	chain.execute_with(|| Runtime::build_state(config.to_string().into_bytes()).unwrap());
	chain
}
