//! Builds the runtime a second time, for WebAssembly, and hands the blob to the native crate.
//!
//! `PAYSTREAM_RUNTIME_BLOB` is the absolute path of one that was built from the same sources before.
//! `scripts/test` gives the one that `scripts/setup` keeps: cargo has one place for blobs in a target
//! directory, so clones that share it would build them in turn.

#[cfg(feature = "std")]
fn main() {
	const GIVEN: &str = "PAYSTREAM_RUNTIME_BLOB";
	println!("cargo:rerun-if-env-changed={GIVEN}");
	match std::env::var(GIVEN) {
		Ok(blob) => take(&blob),
		Err(_) => substrate_wasm_builder::WasmBuilder::build_using_defaults(),
	}
}

/// What the builder would write, with another's blob.
#[cfg(feature = "std")]
fn take(blob: &str) {
	println!("cargo:rerun-if-changed={blob}");
	let out = std::env::var("OUT_DIR").expect("cargo gives it to a build script");
	let text = format!("pub const WASM_BINARY: Option<&[u8]> = Some(include_bytes!({blob:?}));\n");
	std::fs::write(format!("{out}/wasm_binary.rs"), text).expect("it is cargo's own directory");
}

#[cfg(not(feature = "std"))]
fn main() {}
