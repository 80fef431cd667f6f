//! Builds the runtime a second time, for WebAssembly, and hands the blob to the native crate.
//!
//! `scripts/setup --parachain` asks for that; nothing else needs the blob, and building it takes minutes.

#[cfg(feature = "std")]
fn main() {
	substrate_wasm_builder::WasmBuilder::build_using_defaults();
}

#[cfg(not(feature = "std"))]
fn main() {}
