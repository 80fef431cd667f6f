//! The command line.

use polkadot_sdk::sc_cli::{
	ChainInfoCmd, CheckBlockCmd, ExportBlocksCmd, ExportChainSpecCmd, ImportBlocksCmd,
	KeySubcommand, PurgeChainCmd, RevertCmd, RunCmd,
};

/// The node's arguments: a subcommand, or the options of a running node.
#[derive(Debug, clap::Parser)]
pub struct Cli {
	/// What to do instead of running a node.
	#[command(subcommand)]
	pub subcommand: Option<Subcommand>,

	/// How to run a node.
	#[clap(flatten)]
	pub run: RunCmd,
}

/// What the binary can do beside running a node.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
	/// Make, inspect and insert keys.
	#[command(subcommand)]
	Key(KeySubcommand),

	/// Write a chain specification as JSON.
	#[command(alias = "build-spec")]
	ExportChainSpec(ExportChainSpecCmd),

	/// List the genesis presets of the runtime, one a line: each is the name of a chain, too.
	ListPresets,

	/// Check a block again.
	CheckBlock(CheckBlockCmd),

	/// Write blocks to a file.
	ExportBlocks(ExportBlocksCmd),

	/// Read blocks from a file.
	ImportBlocks(ImportBlocksCmd),

	/// Delete the chain's database.
	PurgeChain(PurgeChainCmd),

	/// Take back the latest blocks.
	Revert(RevertCmd),

	/// Show where the database's chain stands.
	ChainInfo(ChainInfoCmd),
}
