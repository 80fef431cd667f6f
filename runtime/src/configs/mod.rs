//! How each pallet is set up on this chain.

mod consensus;
mod money;
mod paystream;
mod system;

pub use money::{AssetId, AssetKind, NativeAndAssets, TargetBlockFullness};
