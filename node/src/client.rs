//! The types of the client, which both the node's service and its RPC name.

use paystream_runtime::{apis::RuntimeApi, opaque::Block};
use polkadot_sdk::{
	sc_executor::WasmExecutor, sc_service::TFullClient, sp_io::SubstrateHostFunctions,
};

/// The client: state, blocks and calls into the runtime.
pub type FullClient = TFullClient<Block, RuntimeApi, FullExecutor>;
/// What runs the runtime's blob.
pub type FullExecutor = WasmExecutor<SubstrateHostFunctions>;
