//! The reference node of PayStream: a solochain with Aura and GRANDPA.

// The large errors are those of sc_cli and sc_service, whose closures have to return them.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod client;
mod command;
mod rpc;
mod service;

fn main() -> polkadot_sdk::sc_cli::Result<()> {
	command::run()
}
