//! The methods that this node serves beside those of every Substrate node.

use crate::client::FullClient;
use jsonrpsee::RpcModule;
use paystream_runtime::opaque::Block;
use polkadot_sdk::{
	pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer},
	sc_transaction_pool_api::TransactionPool,
	substrate_frame_rpc_system::{System, SystemApiServer},
};
use std::sync::Arc;

/// Nonces that count what waits in the pool, dry runs, and fees.
pub fn create_full<P>(
	client: Arc<FullClient>,
	pool: Arc<P>,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>>
where
	P: TransactionPool<Block = Block> + 'static,
{
	let mut module = RpcModule::new(());
	module.merge(System::new(client.clone(), pool).into_rpc())?;
	module.merge(TransactionPayment::new(client).into_rpc())?;
	Ok(module)
}
