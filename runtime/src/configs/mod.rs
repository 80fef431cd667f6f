//! How each pallet is set up on this chain.

mod consensus;
mod control;
mod emergency;
mod limits;
mod migrations;
mod money;
mod paystream;
mod system;

pub use emergency::{Guardian, Guardians};
pub use money::{AssetId, AssetKind, NativeAndAssets, TargetBlockFullness};
