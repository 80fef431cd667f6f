// SPDX-License-Identifier: Apache-2.0

//! What happens outside of the ledger: to its assets, to accounts, and in the rest of the block.

use crate::names::{Money, Who};
use frame::deps::frame_system::limits::BlockWeights;
use frame::{
	deps::frame_support::{
		storage::with_storage_layer,
		traits::tokens::{
			fungibles::{Inspect, Mutate},
			Fortitude, Preservation,
		},
	},
	prelude::*,
	token::fungible::NativeOrWithId,
};
use pallet_paystream::FreeWeightUsed;
use paystream_oracle::{
	call::destroy,
	runtime::{AllAssets, Assets, PayStream, Runtime, RuntimeOrigin, System, BANK},
};

/// What happens outside of the ledger and that it has to bear.
#[derive(Decode, Debug)]
pub enum Outside {
	/// An asset's owner freezes all of it, or thaws it.
	Freeze { asset: Money, frozen: bool },
	/// An asset's owner blocks an account, or thaws it.
	Block { who: Who, asset: Money, blocked: bool },
	/// An asset is destroyed, with everybody's balances.
	Destroy { asset: Money },
	/// Somebody gives away all that can go.
	Drain { who: Who, asset: Money },
	/// Others have used the free share of the block.
	FillFreeLane,
	/// Others have left so much of the block.
	FillBlock { left: u8 },
}

/// Let it happen; `None` if it cannot, and then nothing has.
pub fn happens(outside: &Outside) -> Option<()> {
	with_storage_layer(|| attempt(outside).ok_or(DispatchError::Other("it cannot happen"))).ok()
}

fn attempt(outside: &Outside) -> Option<()> {
	let owner = RuntimeOrigin::signed(BANK);
	match outside {
		Outside::Freeze { asset, frozen: true } => {
			Assets::freeze_asset(owner, id(asset)?).ok()?;
		}
		Outside::Freeze { asset, frozen: false } => Assets::thaw_asset(owner, id(asset)?).ok()?,
		Outside::Block { who, asset, blocked: true } => {
			Assets::block(owner, id(asset)?, who.account()).ok()?;
		}
		Outside::Block { who, asset, blocked: false } => {
			Assets::thaw(owner, id(asset)?, who.account()).ok()?;
		}
		Outside::Destroy { asset } => destroy(id(asset)?)?,
		Outside::Drain { who, asset } => drain(who, asset)?,
		Outside::FillFreeLane => FreeWeightUsed::<Runtime>::put(Weight::MAX),
		Outside::FillBlock { left } => {
			let limits: BlockWeights = <Runtime as frame_system::Config>::BlockWeights::get();
			let most = limits.get(DispatchClass::Normal).max_total.unwrap_or(limits.max_block);
			// A close of the test's weights is some hundreds of microseconds.
			let left = Weight::from_parts(u64::from(*left) * 10_000_000, u64::from(*left) * 1_000);
			System::set_block_consumed_resources(most.saturating_sub(left), 0);
		}
	}
	Some(())
}

fn id(asset: &Money) -> Option<u32> {
	match asset.kind() {
		NativeOrWithId::WithId(id) => Some(id),
		NativeOrWithId::Native => None,
	}
}

/// The pot has no key: nobody can make it give.
fn drain(who: &Who, asset: &Money) -> Option<()> {
	let (who, asset) = (who.account(), asset.kind());
	let (how, force) = (Preservation::Expendable, Fortitude::Polite);
	let all = AllAssets::reducible_balance(asset.clone(), &who, how, force);
	(who != BANK && who != PayStream::pot() && all > 0).then_some(())?;
	AllAssets::transfer(asset, &who, &BANK, all, how).ok()?;
	Some(())
}
