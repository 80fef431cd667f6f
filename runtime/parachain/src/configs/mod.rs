//! How each pallet is set up on this chain.

mod collators;
#[path = "../../../src/configs/control.rs"]
mod control;
#[path = "../../../src/configs/emergency.rs"]
mod emergency;
#[path = "../../../src/configs/limits.rs"]
mod limits;
mod migrations;
#[path = "../../../src/configs/money.rs"]
mod money;
mod parachain;
mod paystream;
mod system;

pub use emergency::{Guardian, Guardians};
pub use money::{AssetId, AssetKind, NativeAndAssets, TargetBlockFullness};
pub use parachain::ConsensusHook;
