//! Builds the runtime a second time, for WebAssembly, and hands the blob to the native crate.

fn main() {
	#[cfg(feature = "std")]
	substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
