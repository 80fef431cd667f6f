//! How each pallet is set up on this chain.

mod consensus;
mod emergency;
mod migrations;
mod money;
mod paystream;
mod system;

pub use emergency::{Guardian, Guardians};
pub use money::{AssetId, AssetKind, NativeAndAssets, TargetBlockFullness};
